#ifndef FAIRLEAD_IO_LOOP_INTERNAL_H
#define FAIRLEAD_IO_LOOP_INTERNAL_H

#include "io/loop.h"

#include <pthread.h>
#include <stdatomic.h>

/* What loop.c, timer.c and poller_epoll.c share. */

enum {
    WHEEL_LEVELS = 8,
    WHEEL_SLOTS = 64,
    /* Events a turn. What is sent waits for all of them: with more, what the first have touched left the cache. */
    POLLER_BATCH = 32,
};

/* Hierarchical timer wheel: a slot of level n spans 64^n ms. */
struct wheel {
    uint64_t now_ms;                 /* everything up to it has fired */
    uint64_t occupied[WHEEL_LEVELS]; /* a bit a slot; may be set for an empty one */
    struct link slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);
/* Unset every timer. */
void wheel_drop_all(struct wheel *wheel);
void wheel_add(struct wheel *wheel, struct timer *timer);
/* Fire what is due at now_ns; returns how many fired. */
size_t wheel_turn(struct wheel *wheel, uint64_t now_ns);
/* When wheel_turn should be called next, UINT64_MAX for never; never after the earliest deadline's tick. */
uint64_t wheel_next_ns(struct wheel *wheel);
/* The earliest deadline itself; walks all timers. */
uint64_t wheel_earliest_ns(const struct wheel *wheel);

struct poller_event {
    struct watch *watch; /* NULL: the watch was removed after the poll */
    unsigned ready;
};

struct poller {
    int epoll_fd;
    struct poller_event events[POLLER_BATCH];
    int count; /* events of this turn that are not dispatched yet stand from `at` to `count` */
    int at;
};

enum status poller_open(struct poller *poller) MUST_USE;
void poller_close(struct poller *poller);
/* Wait at most `wait_ns`; fills events. */
void poller_wait(struct poller *poller, uint64_t wait_ns);
enum status poller_add(struct poller *poller, struct watch *watch, unsigned ask) MUST_USE;
enum status poller_change(struct poller *poller, struct watch *watch, unsigned ask) MUST_USE;
void poller_remove(struct poller *poller, struct watch *watch, bool is_closing);

struct loop {
    bool is_simulated;
    bool is_crowd_simulated;
    bool is_stopping;
    uint64_t now_ns;
    uint64_t turn_count;
    uint64_t look_count;    /* those that were told all that was ready */
    uint64_t wall_ahead_ns; /* of the monotonic clock, when both were looked at last */
    uint64_t wall_turn;     /* that of it */
    struct poller poller;
    struct wheel wheel;
    struct link ready;
    struct link later; /* those with more to do than their share of a turn */
    struct grave *graves;
    /* the mailbox */
    pthread_mutex_t mailbox_lock;
    struct link mailbox;
    /* Written by posters and the loop under the lock, relaxed; read by the loop without it, so that an empty mailbox
     * costs no lock. */
    _Atomic bool has_mail;
    int mailbox_fd; /* written when has_mail becomes true */
    struct watch mailbox_watch;
};

#endif
