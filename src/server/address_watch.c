/* When to read the addresses of this machine again.
 *
 * rtnetlink tells of each change of an address. What it says is not looked at: a message is a reason to read
 * them all, and so is the loss of messages (ENOBUFS). So no bytes are parsed, nothing is pieced together from
 * changes, and what is read can only be what the kernel holds. A socket that is subscribed before the first
 * reading misses nothing. The groups need no privilege, and only the kernel and root can send to them.
 *
 *     quiet --(message)--> due at once --(read)--> quiet
 *                             or, within the gap after a reading, at its end
 *
 *     W1  A change after a quiet time is read at once; of a burst, the first at once and then all that came
 *         within each gap together.
 *     W2  Messages are taken before the addresses are read: what is left or comes later is another reason.
 *     W3  A reading that failed is repeated, without end.
 *
 * Where there is no socket (a sandbox that forbids it, a system that imitates Linux without it), the addresses
 * are read every two seconds. Left out: trying the socket again, since nothing makes such a system change. */

#include "server/address_watch.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "report/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAR_MAX = 256 };

static const uint64_t gap_ns = ADDRESS_WATCH_GAP_MS * NS_PER_MS;
static const uint64_t look_ns = ADDRESS_WATCH_LOOK_MS * NS_PER_MS;

/* -1: errno tells. */
static int watch_open(void)
{
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                 .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0)
        return fd;
    int error = errno;
    socket_close(&fd);
    errno = error;
    return -1;
}

/* From now on by the timer. */
static void watch_fall_back(struct address_watch *watch, uint64_t now_ns)
{
    diag_say(NULL, DIAG_WARNING,
             "changes of this machine's addresses are not told: %s; they are read every %d s",
             strerror(errno), ADDRESS_WATCH_LOOK_MS / 1000);
    socket_close(&watch->fd);
    watch->due_ns = now_ns + look_ns;
}

void address_watch_begin(struct address_watch *watch, uint64_t now_ns)
{
    *watch = (struct address_watch){.fd = watch_open(), .due_ns = UINT64_MAX};
    if (watch->fd < 0)
        watch_fall_back(watch, now_ns);
}

/* Due now, or at the end of the gap after the last reading (W1). */
static void watch_want(struct address_watch *watch, uint64_t now_ns)
{
    uint64_t next_ns = watch->read_ns == 0 ? 0 : watch->read_ns + gap_ns;
    uint64_t due_ns = next_ns > now_ns ? next_ns : now_ns;
    if (due_ns < watch->due_ns)
        watch->due_ns = due_ns;
}

void address_watch_hear(struct address_watch *watch, uint64_t now_ns)
{
    char byte; /* the kernel drops the rest of a message */
    for (int i = 0; i < HEAR_MAX && watch->fd >= 0; i++) {
        ssize_t len = recv(watch->fd, &byte, sizeof(byte), MSG_DONTWAIT);
        if (len >= 0 || errno == ENOBUFS) {
            watch_want(watch, now_ns);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            watch_fall_back(watch, now_ns);
            watch_want(watch, now_ns); /* who knows what was not told */
        }
    }
}

bool address_watch_is_due(const struct address_watch *watch, uint64_t now_ns)
{
    return watch->due_ns <= now_ns;
}

int address_watch_wait_ms(const struct address_watch *watch, uint64_t now_ns)
{
    if (watch->due_ns == UINT64_MAX)
        return -1;
    if (watch->due_ns <= now_ns)
        return 0;
    return (int)((watch->due_ns - now_ns) / NS_PER_MS + 1); /* the look at most */
}

void address_watch_note(struct address_watch *watch, uint64_t now_ns, const char *fault)
{
    bool is_failing = fault != NULL;
    bool needs_look = is_failing || watch->fd < 0;
    if (is_failing && !watch->is_failing)
        diag_say(NULL, DIAG_ERROR, "%s: those known before stay refused, and it is tried again",
                 fault);
    else if (!is_failing && watch->is_failing)
        diag_say(NULL, DIAG_NOTICE, "the addresses of this machine can be read again");
    watch->is_failing = is_failing;
    watch->read_ns = now_ns;
    watch->due_ns = needs_look ? now_ns + look_ns : UINT64_MAX;
}

void address_watch_end(struct address_watch *watch)
{
    socket_close(&watch->fd);
    watch->due_ns = UINT64_MAX;
}
