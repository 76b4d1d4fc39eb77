/* The only user of epoll. A batch of events is copied out of the kernel's form first, so that a watch which
 * is removed while the batch is dispatched can be taken out of what is left of it. */

#include "io/loop_internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum status poller_open(struct poller *poller)
{
    poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    poller->count = poller->at = 0;
    return poller->epoll_fd < 0 ? ST_IO : ST_OK;
}

void poller_close(struct poller *poller)
{
    if (poller->epoll_fd >= 0)
        (void)close(poller->epoll_fd);
    poller->epoll_fd = -1;
}

static unsigned poller_translate(uint32_t events)
{
    unsigned ready = 0;
    if (events & EPOLLIN)
        ready |= WATCH_READ;
    if (events & EPOLLOUT)
        ready |= WATCH_WRITE;
    if (events & EPOLLPRI)
        ready |= WATCH_URGENT | WATCH_READ;
    if (events & EPOLLRDHUP)
        ready |= WATCH_HANGUP | WATCH_READ;
    if (events & (EPOLLERR | EPOLLHUP))
        ready |= WATCH_ERROR | WATCH_READ | WATCH_WRITE;
    return ready;
}

void poller_wait(struct poller *poller, uint64_t wait_ns)
{
    struct epoll_event events[POLLER_BATCH];
    int wait_ms = -1;
    if (wait_ns != UINT64_MAX) {
        uint64_t ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
        wait_ms = ms > 60000 ? 60000 : (int)ms;
    }
    int count = epoll_wait(poller->epoll_fd, events, POLLER_BATCH, wait_ms);
    if (count < 0 && errno == EINTR) /* what is there counts in this turn, before its timers */
        count = epoll_wait(poller->epoll_fd, events, POLLER_BATCH, 0);
    CHECK(count >= 0 || errno == EINTR);
    poller->at = 0;
    poller->count = count < 0 ? 0 : count;
    for (int i = 0; i < poller->count; i++) {
        poller->events[i].watch = events[i].data.ptr;
        poller->events[i].ready = poller_translate(events[i].events);
    }
}

static enum status poller_control(struct poller *poller, int operation, struct watch *watch,
                                  unsigned ask)
{
    struct epoll_event event = {.data.ptr = watch};
    if (ask & WATCH_READ)
        event.events |= EPOLLIN | EPOLLRDHUP | EPOLLPRI;
    if (ask & WATCH_WRITE)
        event.events |= EPOLLOUT;
    if ((ask & WATCH_LEVEL) == 0)
        event.events |= EPOLLET;
    if (ask & WATCH_EXCLUSIVE)
        event.events = (event.events | EPOLLEXCLUSIVE) & ~(uint32_t)(EPOLLRDHUP | EPOLLPRI);
    return epoll_ctl(poller->epoll_fd, operation, watch->fd, &event) < 0 ? ST_IO : ST_OK;
}

enum status poller_add(struct poller *poller, struct watch *watch, unsigned ask)
{
    return poller_control(poller, EPOLL_CTL_ADD, watch, ask);
}

enum status poller_change(struct poller *poller, struct watch *watch, unsigned ask)
{
    return poller_control(poller, EPOLL_CTL_MOD, watch, ask);
}

void poller_remove(struct poller *poller, struct watch *watch, bool is_closing)
{
    if (!is_closing)
        (void)epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* may be gone already */
    for (int i = poller->at; i < poller->count; i++) {
        if (poller->events[i].watch == watch)
            poller->events[i].watch = NULL;
    }
}
