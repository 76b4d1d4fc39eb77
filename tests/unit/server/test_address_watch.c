#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "report/diag.h"
#include "server/address_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- a kernel of our own: these stand before those of the C library ---- */

static int socket_error;
static size_t waiting; /* messages */
static int recv_error; /* after them, or before them if is_lossy */
static bool is_lossy;
static size_t taken;

int socket(int domain, int type, int protocol)
{
    errno = socket_error;
    return socket_error == 0 ? (int)syscall(SYS_socket, domain, type, protocol) : -1;
}

ssize_t recv(int fd, void *into, size_t len, int flags)
{
    assert_true(fd >= 0 && len > 0 && (flags & MSG_DONTWAIT) != 0);
    if (is_lossy) {
        is_lossy = false;
        errno = ENOBUFS;
        return -1;
    }
    if (waiting == 0) {
        errno = recv_error;
        return -1;
    }
    waiting--;
    taken++;
    memset(into, 0xff, 1); /* whatever it says */
    return 1;
}

/* ---- short words ---- */

static FILE *said;

static void kernel_begins(void)
{
    socket_error = 0;
    waiting = taken = 0;
    recv_error = EAGAIN;
    is_lossy = false;
    assert_int_equal(ftruncate(fileno(said), 0), 0);
    rewind(said);
}

static size_t times_said(const char *words)
{
    char line[400];
    size_t count = 0;
    rewind(said);
    while (fgets(line, sizeof(line), said) != NULL)
        count += strstr(line, words) != NULL;
    return count;
}

static uint64_t ms(uint64_t count)
{
    return 1000 * NS_PER_S + count * NS_PER_MS;
}

static struct address_watch watch_at(uint64_t at_ms)
{
    struct address_watch watch;
    kernel_begins();
    address_watch_begin(&watch, ms(at_ms));
    return watch;
}

static bool is_due(const struct address_watch *watch, uint64_t at_ms)
{
    return address_watch_is_due(watch, ms(at_ms));
}

static void hear(struct address_watch *watch, size_t count, uint64_t at_ms)
{
    waiting = count;
    address_watch_hear(watch, ms(at_ms));
}

/* ---- the tests ---- */

/* Nothing is due before the kernel tells, and poll waits for it alone. */
static void a_quiet_kernel_wakes_nobody(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    struct sockaddr_nl bound;
    socklen_t len = sizeof(bound);
    assert_int_equal(getsockname(watch.fd, (struct sockaddr *)&bound, &len), 0);
    assert_int_equal(bound.nl_family, AF_NETLINK);
    assert_int_equal(bound.nl_groups, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    hear(&watch, 0, 1);
    assert_false(is_due(&watch, 1000000));
    assert_int_equal(address_watch_wait_ms(&watch, ms(1)), -1);
    address_watch_end(&watch);
    assert_int_equal(watch.fd, -1);
}

/* A change is to be read at once, and once. */
static void a_change_is_due_at_once(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    hear(&watch, 1, 5);
    assert_true(is_due(&watch, 5));
    assert_int_equal(address_watch_wait_ms(&watch, ms(5)), 0);
    address_watch_note(&watch, ms(6), NULL);
    assert_false(is_due(&watch, 1000000));
    hear(&watch, 1, 6 + ADDRESS_WATCH_GAP_MS);
    assert_true(is_due(&watch, 6 + ADDRESS_WATCH_GAP_MS));
    address_watch_end(&watch);
}

/* Of a burst the first is read at once, and all that comes in the gap after a reading together, at its end:
 * a later change does not put it off. */
static void a_burst_is_read_together(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    size_t readings = 0;
    for (uint64_t at = 0; at < 1000; at++) {
        hear(&watch, 3, at);
        if (!is_due(&watch, at)) {
            assert_true(address_watch_wait_ms(&watch, ms(at)) > 0);
            assert_true(address_watch_wait_ms(&watch, ms(at)) <= ADDRESS_WATCH_GAP_MS + 1);
            continue;
        }
        readings++;
        address_watch_note(&watch, ms(at), NULL);
    }
    assert_int_equal(readings, 1000 / ADDRESS_WATCH_GAP_MS);
    assert_true(is_due(&watch, 1000)); /* the last changes are not forgotten */
    address_watch_end(&watch);
}

/* Lost messages are a change like another. */
static void lost_messages_make_it_due(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    is_lossy = true;
    hear(&watch, 0, 5);
    assert_true(is_due(&watch, 5));
    assert_true(watch.fd >= 0);
    assert_int_equal(times_said("addresses"), 0);
    address_watch_end(&watch);
}

/* However many messages wait, a call takes a bounded number, and the rest later. */
static void a_flood_is_taken_in_steps(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    hear(&watch, 1000, 5);
    assert_true(taken > 0 && taken < 1000);
    while (waiting > 0)
        address_watch_hear(&watch, ms(5));
    assert_int_equal(taken, 1000);
    address_watch_end(&watch);
}

/* Without a socket the addresses are read every two seconds, which is said once. */
static void without_a_socket_a_timer_runs(void **state)
{
    (void)state;
    struct address_watch watch;
    kernel_begins();
    socket_error = EPERM;
    address_watch_begin(&watch, ms(0));
    assert_int_equal(watch.fd, -1);
    for (uint64_t at = 0; at < 10000; at += ADDRESS_WATCH_LOOK_MS) {
        assert_false(is_due(&watch, at));
        assert_false(is_due(&watch, at + ADDRESS_WATCH_LOOK_MS - 1));
        assert_int_equal(address_watch_wait_ms(&watch, ms(at)), ADDRESS_WATCH_LOOK_MS + 1);
        assert_true(is_due(&watch, at + ADDRESS_WATCH_LOOK_MS));
        address_watch_hear(&watch, ms(at + ADDRESS_WATCH_LOOK_MS));
        address_watch_note(&watch, ms(at + ADDRESS_WATCH_LOOK_MS), NULL);
    }
    assert_int_equal(times_said("Operation not permitted; they are read every 2 s"), 1);
    address_watch_end(&watch);
}

/* The same where the socket breaks later. */
static void a_broken_socket_is_given_up(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    recv_error = EBADF;
    hear(&watch, 0, 5);
    assert_int_equal(watch.fd, -1);
    assert_true(is_due(&watch, 5)); /* who knows what was not told */
    address_watch_note(&watch, ms(5), NULL);
    assert_false(is_due(&watch, 5));
    assert_true(is_due(&watch, 5 + ADDRESS_WATCH_LOOK_MS));
    assert_int_equal(times_said("they are read every 2 s"), 1);
    address_watch_end(&watch);
}

/* An interrupted call is none. */
static void an_interruption_is_no_change(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    recv_error = EINTR;
    hear(&watch, 0, 5);
    assert_true(watch.fd >= 0);
    assert_false(is_due(&watch, 1000000));
    address_watch_end(&watch);
}

/* A reading that failed is tried again without end, and sooner where there is a change; said once. */
static void a_failed_reading_is_repeated(void **state)
{
    (void)state;
    struct address_watch watch = watch_at(0);
    hear(&watch, 1, 0);
    for (uint64_t at = 0; at < 10000; at += ADDRESS_WATCH_LOOK_MS) {
        assert_true(is_due(&watch, at));
        address_watch_note(&watch, ms(at), "no luck");
        assert_false(is_due(&watch, at + ADDRESS_WATCH_LOOK_MS - 1));
    }
    assert_int_equal(times_said("error: no luck: those known before"), 1);
    hear(&watch, 1, 10000 - ADDRESS_WATCH_LOOK_MS + ADDRESS_WATCH_GAP_MS);
    assert_true(is_due(&watch, 10000 - ADDRESS_WATCH_LOOK_MS + ADDRESS_WATCH_GAP_MS));
    address_watch_note(&watch, ms(10000), NULL);
    assert_false(is_due(&watch, 1000000));
    address_watch_note(&watch, ms(20000), NULL);
    assert_int_equal(times_said("can be read again"), 1);
    address_watch_note(&watch, ms(30000), "no luck");
    assert_int_equal(times_said("error: no luck: those known before"), 2);
    address_watch_end(&watch);
}

static int listen_to_what_is_said(void **state)
{
    (void)state;
    said = tmpfile();
    if (said == NULL)
        return -1;
    diag_set_output(fileno(said));
    return 0;
}

static int stop_listening(void **state)
{
    (void)state;
    diag_set_output(STDERR_FILENO);
    return fclose(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_kernel_wakes_nobody),
        cmocka_unit_test(a_change_is_due_at_once),
        cmocka_unit_test(a_burst_is_read_together),
        cmocka_unit_test(lost_messages_make_it_due),
        cmocka_unit_test(a_flood_is_taken_in_steps),
        cmocka_unit_test(without_a_socket_a_timer_runs),
        cmocka_unit_test(a_broken_socket_is_given_up),
        cmocka_unit_test(an_interruption_is_no_change),
        cmocka_unit_test(a_failed_reading_is_repeated),
    };
    return cmocka_run_group_tests(tests, listen_to_what_is_said, stop_listening);
}
