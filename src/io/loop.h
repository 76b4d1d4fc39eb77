#ifndef FAIRLEAD_IO_LOOP_H
#define FAIRLEAD_IO_LOOP_H

#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The event loop of one thread.
 *
 * One turn, in this order: poll, dispatch, timers, mailbox, ready tasks, later tasks, graveyard (docs/loop.md).
 * Watch, timer and mailbox callbacks only record what happened and queue a task; tasks act. (In a crowded turn what
 * happened includes the head that came: it is received when the watch is told.) A task that is queued while tasks run
 * is run in the same turn, up to a bound that keeps I/O from starving.
 * Everything here belongs to the loop's thread, but for loop_post. */
struct loop;

/* Something to run soon; embedded in its owner. */
struct task {
    struct link link;
    void (*run)(struct task *task);
};

/* A one-shot timer; embedded in its owner. Millisecond grain, never early. */
struct timer {
    struct link link;
    uint64_t deadline_ns; /* monotonic; 0 when not set */
    uint64_t slot_ns;     /* private: where it stands in the wheel, never after the deadline */
    void (*fire)(struct timer *timer);
};

/* Something to free at the end of the turn; embedded in its owner. */
struct grave {
    struct grave *next;
    void (*bury)(struct grave *grave);
};

/* Bits that a watch reports and asks for. */
enum {
    WATCH_READ = 1,       /* readable, or at the end of file */
    WATCH_WRITE = 2,      /* writable, or a connect has ended */
    WATCH_HANGUP = 4,     /* the peer's end of file was seen (EPOLLRDHUP) */
    WATCH_ERROR = 8,      /* error or full hang-up */
    WATCH_URGENT = 64,    /* urgent data waits: a receive stops before it (RFC 6093 §3.2) */
    WATCH_LEVEL = 16,     /* ask: level-triggered (default is edge-triggered) */
    WATCH_EXCLUSIVE = 32, /* ask: EPOLLEXCLUSIVE, for a descriptor that several loops watch */
};

/* A descriptor under watch; embedded in its owner. */
struct watch {
    int fd; /* -1 when not watched */
    void (*on_ready)(struct watch *watch, unsigned ready);
};

/* A loop over epoll. `mailbox`, timers and tasks are inside. Errors: ST_IO. */
enum status loop_create(struct loop **ret_loop) MUST_USE;
/* A loop without a poller, for tests with a frozen clock: loop_turn never blocks and watches never
 * report by themselves. Errors: ST_NOMEM. */
enum status loop_create_simulated(struct loop **ret_loop) MUST_USE;
/* Nothing may be watched or queued any more; timers are dropped. */
void loop_destroy(struct loop **loop);

/* One turn; waits at most `max_wait_ns` for the first event (UINT64_MAX: until there is one).
 * Returns how many watch, timer, mailbox and task callbacks ran. Errors are fatal inside. */
size_t loop_turn(struct loop *loop, uint64_t max_wait_ns);
/* Turn until loop_stop. */
void loop_run(struct loop *loop);
/* Make loop_run return at the end of this turn. */
void loop_stop(struct loop *loop);

/* The turn's time: read once when poll returns. For timers, not for marks. */
uint64_t loop_now_ns(const struct loop *loop);
/* Wall time at `at_ns` of the monotonic clock, a moment ago. Both clocks are held against each other once a turn. */
uint64_t loop_wall_ns(struct loop *loop, uint64_t at_ns);
/* How many turns began; tells whether two things happened in the same turn or in one and the next. */
uint64_t loop_turn_count(const struct loop *loop);
/* How many turns have seen all that was ready: a crowded one leaves some of it for the next. */
uint64_t loop_look_count(const struct loop *loop);
/* Did this turn's poll bring so many events that it is worth while to do one kind of work for all of them before the
 * next (docs/loop.md)? */
bool loop_is_crowded(const struct loop *loop);
/* The earliest timer deadline, or UINT64_MAX; for simulated loops. */
uint64_t loop_next_deadline_ns(const struct loop *loop);

/* Watch `fd` for `ask`. Registered once; edge-triggered unless WATCH_LEVEL. Errors: ST_IO. */
enum status loop_watch(struct loop *loop, struct watch *watch, int fd, unsigned ask) MUST_USE;
/* Change what a level-triggered watch asks for. Errors: ST_IO. */
enum status loop_rewatch(struct loop *loop, struct watch *watch, unsigned ask) MUST_USE;
/* Stop watching; no callback comes after this, not even one that this turn already polled.
 * Call it before the descriptor is closed. With `is_closing` the kernel's own removal at close is relied
 * on and no system call is made (the descriptor must not be shared with another process). */
void loop_unwatch(struct loop *loop, struct watch *watch, bool is_closing);
/* Report `ready` to the watch in this turn, as the poller would; for simulated loops. */
void loop_simulate(struct loop *loop, struct watch *watch, unsigned ready);

/* From now on each turn counts as crowded; for simulated loops. */
void loop_simulate_crowd(struct loop *loop);

/* Queue a task; once however often it is called. */
void loop_queue(struct loop *loop, struct task *task);
/* Queue a task that had its share of this turn and has more to do: it runs behind the tasks of loop_queue, in a
 * bounded part of this or a coming turn. Until then loop_queue does not move it. The loop does not wait meanwhile. */
void loop_queue_later(struct loop *loop, struct task *task);
/* Take it out again, if it is queued. */
void task_cancel(struct task *task);
static inline void task_init(struct task *task, void (*run)(struct task *))
{
    link_init(&task->link);
    task->run = run;
}

static inline void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    link_init(&timer->link);
    timer->deadline_ns = 0;
    timer->slot_ns = 0;
    timer->fire = fire;
}
/* Set or move. Moving to a later time costs a store; the wheel moves it when its old slot comes up. */
void timer_set(struct loop *loop, struct timer *timer, uint64_t deadline_ns);
static inline void timer_set_in(struct loop *loop, struct timer *timer, uint64_t in_ns)
{
    timer_set(loop, timer, loop_now_ns(loop) + in_ns);
}
/* Safe when not set. */
void timer_cancel(struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->deadline_ns != 0;
}

/* Run grave->bury(grave) at the end of this turn. Once. */
void loop_bury(struct loop *loop, struct grave *grave);

/* A message to a loop, from any thread; embedded in memory that `deliver` takes over. */
struct message {
    struct link link;
    void (*deliver)(struct message *message);
};
/* Run message->deliver in the loop's thread, in order of posting. Thread: any. */
void loop_post(struct loop *loop, struct message *message);

#endif
