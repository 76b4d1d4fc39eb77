#ifndef FAIRLEAD_COMMON_LOOP_H
#define FAIRLEAD_COMMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the loop tells about a descriptor. Embed it; `on_event` may run without need, and once more after
 * loop_close in the same turn: handlers go by what their calls return, never by `events` alone. */
struct watch {
    int fd; /* -1: closed */
    void (*on_event)(struct watch *watch, uint32_t events);
};

enum { LOOP_AGAIN_MAX = 4096 };

/* One epoll descriptor, for one thread. */
struct loop {
    int epoll_fd;
    bool is_over;
    size_t again_count;
    struct watch *again[LOOP_AGAIN_MAX];
};

/* Make a loop in the caller's memory; ends the program if it cannot. */
void loop_init(struct loop *loop);

/* Watch `watch->fd` for `events` (EPOLLIN, EPOLLET, …). */
void loop_add(struct loop *loop, struct watch *watch, uint32_t events);

/* Watch it for other events. */
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);

/* Close the descriptor, which ends the watching. */
void loop_close(struct watch *watch);

/* Call `watch->on_event` in the next turn, whatever the kernel says. */
void loop_again(struct loop *loop, struct watch *watch);

/* Wait at most `timeout_ms` (-1: for ever) and call the handlers once. */
void loop_turn(struct loop *loop, int timeout_ms);

#endif
