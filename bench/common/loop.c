/* The event loop of the benchmark's programs: epoll, and no more than they need.
 *
 * It is not the loop of the proxy on purpose: what measures shares no code with what is measured. */
#include "common/loop.h"

#include "common/tool.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

void loop_init(struct loop *loop)
{
    memset(loop, 0, sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        tool_die("epoll_create1");
}

static void loop_control(struct loop *loop, int action, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, action, watch->fd, &event) != 0)
        tool_die("epoll_ctl");
}

void loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    loop_control(loop, EPOLL_CTL_ADD, watch, events);
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    loop_control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_close(struct watch *watch)
{
    if (watch->fd >= 0)
        (void)close(watch->fd); /* nothing to be done about an error */
    watch->fd = -1;
}

void loop_again(struct loop *loop, struct watch *watch)
{
    if (loop->again_count == LOOP_AGAIN_MAX)
        tool_die("loop_again: too many");
    loop->again[loop->again_count++] = watch;
}

void loop_turn(struct loop *loop, int timeout_ms)
{
    struct watch *again[LOOP_AGAIN_MAX];
    size_t again_count = loop->again_count;
    memcpy(again, loop->again, again_count * sizeof(*again));
    loop->again_count = 0;

    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, again_count > 0 ? 0 : timeout_ms);
    if (count < 0 && errno != EINTR)
        tool_die("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->fd >= 0)
            watch->on_event(watch, events[i].events);
    }
    for (size_t i = 0; i < again_count; i++) {
        if (again[i]->fd >= 0)
            again[i]->on_event(again[i], 0);
    }
}
