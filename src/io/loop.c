/* The turn: poll, dispatch, timers, mailbox, ready tasks, later tasks, graveyard. docs/loop.md has the same order.
 *
 * Nothing is freed and nothing acts while events are dispatched; tasks act afterwards, when every fact of the
 * turn is known. Tasks that queue tasks are served in the same turn up to a bound, so that a busy connection
 * cannot keep the loop from polling.
 *
 * A task that has more to do than its share of a turn queues itself for later. A turn gives those tasks
 * loop_later_ns and LOOP_LATER_RUNS in all, and at least one of them runs; the rest waits, in order, for the next
 * turn. So what is small is served between the shares of what is bulk, however much of that there is: with all of them
 * in one queue a request waited until each of a thousand bulk transfers had had its share, for more than a second. */

#include "io/loop_internal.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOP_TASK_ROUNDS = 6, LOOP_LATER_RUNS = 64, LOOP_CROWD = 4 };

static const uint64_t loop_later_ns = NS_PER_MS / 2;

static void loop_on_mail(struct watch *watch, unsigned ready)
{
    (void)ready;
    uint64_t count;
    ssize_t got = read(watch->fd, &count, sizeof(count)); /* only clears it */
    (void)got;
}

static void loop_look_at_wall(struct loop *loop)
{
    loop->wall_turn = loop->turn_count;
    loop->wall_ahead_ns = clock_wall_ns() - clock_monotonic_ns();
}

static struct loop *loop_allocate(bool is_simulated)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return NULL;
    loop->is_simulated = is_simulated;
    loop->poller.epoll_fd = -1;
    loop->mailbox_fd = -1;
    loop->mailbox_watch = (struct watch){-1, loop_on_mail};
    link_init(&loop->ready);
    link_init(&loop->later);
    link_init(&loop->mailbox);
    (void)pthread_mutex_init(&loop->mailbox_lock, NULL);
    loop->now_ns = clock_monotonic_ns();
    loop_look_at_wall(loop);
    wheel_init(&loop->wheel, loop->now_ns);
    return loop;
}

enum status loop_create(struct loop **ret_loop)
{
    struct loop *loop = loop_allocate(/* is_simulated= */ false);
    if (loop == NULL)
        return ST_NOMEM;
    enum status status = poller_open(&loop->poller);
    if (status == ST_OK)
        loop->mailbox_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (status == ST_OK && loop->mailbox_fd >= 0)
        status = loop_watch(loop, &loop->mailbox_watch, loop->mailbox_fd, WATCH_READ);
    if (status != ST_OK || loop->mailbox_fd < 0) {
        loop_destroy(&loop);
        return ST_IO;
    }
    *ret_loop = loop;
    return ST_OK;
}

enum status loop_create_simulated(struct loop **ret_loop)
{
    struct loop *loop = loop_allocate(/* is_simulated= */ true);
    if (loop == NULL)
        return ST_NOMEM;
    *ret_loop = loop;
    return ST_OK;
}

static void loop_bury_all(struct loop *loop)
{
    while (loop->graves != NULL) {
        struct grave *grave = loop->graves;
        loop->graves = grave->next;
        grave->bury(grave);
    }
}

void loop_destroy(struct loop **destroy)
{
    struct loop *loop = *destroy;
    *destroy = NULL;
    if (loop == NULL)
        return;
    loop_bury_all(loop);
    wheel_drop_all(&loop->wheel);
    if (loop->mailbox_fd >= 0)
        (void)close(loop->mailbox_fd);
    poller_close(&loop->poller);
    (void)pthread_mutex_destroy(&loop->mailbox_lock);
    free(loop);
}

/* ---- the turn ---- */

static uint64_t loop_wait_ns(struct loop *loop, uint64_t max_wait_ns)
{
    if (!list_is_empty(&loop->ready) || !list_is_empty(&loop->later) || loop->is_stopping)
        return 0;
    uint64_t next = wheel_next_ns(&loop->wheel);
    if (next == UINT64_MAX)
        return max_wait_ns;
    /* By the clock of the last poll: a timer is late by what the turn took, as are those that fall into a turn. */
    uint64_t wait = next > loop->now_ns ? next - loop->now_ns : 0;
    return wait < max_wait_ns ? wait : max_wait_ns;
}

static size_t loop_dispatch(struct loop *loop)
{
    struct poller *poller = &loop->poller;
    size_t ran = 0;
    while (poller->at < poller->count) {
        struct poller_event *event = &poller->events[poller->at++];
        if (poller->at < poller->count)
            cache_want(poller->events[poller->at].watch, CACHE_LINE);
        if (event->watch == NULL)
            continue;
        ran += event->watch != &loop->mailbox_watch; /* our own is not counted */
        event->watch->on_ready(event->watch, event->ready);
    }
    return ran;
}

static size_t loop_deliver_mail(struct loop *loop)
{
    struct link mail;
    size_t ran = 0;
    if (!atomic_load_explicit(&loop->has_mail, memory_order_relaxed))
        return 0;
    link_init(&mail);
    (void)pthread_mutex_lock(&loop->mailbox_lock);
    list_take_all(&mail, &loop->mailbox);
    atomic_store_explicit(&loop->has_mail, false, memory_order_relaxed);
    (void)pthread_mutex_unlock(&loop->mailbox_lock);
    struct link *link;
    while ((link = list_first(&mail)) != NULL) {
        struct message *message = CONTAINER_OF(link, struct message, link);
        link_remove(link);
        message->deliver(message);
        ran++;
    }
    return ran;
}

static size_t loop_run_tasks(struct loop *loop)
{
    size_t ran = 0;
    for (int round = 0; round < LOOP_TASK_ROUNDS && !list_is_empty(&loop->ready); round++) {
        struct link batch;
        struct link *link;
        link_init(&batch);
        list_take_all(&batch, &loop->ready);
        while ((link = list_first(&batch)) != NULL) {
            struct task *task = CONTAINER_OF(link, struct task, link);
            link_remove(link);
            task->run(task);
            ran++;
        }
    }
    return ran;
}

/* At least one, in turn, for as long as a turn has for them. */
static size_t loop_run_later(struct loop *loop)
{
    if (list_is_empty(&loop->later))
        return 0;
    uint64_t until_ns = clock_monotonic_ns() + loop_later_ns;
    size_t ran = 0;
    struct link *link;
    while (ran < LOOP_LATER_RUNS && (link = list_first(&loop->later)) != NULL) {
        struct task *task = CONTAINER_OF(link, struct task, link);
        link_remove(link);
        task->run(task);
        ran++;
        if (clock_monotonic_ns() >= until_ns)
            break;
    }
    return ran;
}

size_t loop_turn(struct loop *loop, uint64_t max_wait_ns)
{
    if (!loop->is_simulated)
        poller_wait(&loop->poller, loop_wait_ns(loop, max_wait_ns));
    loop->now_ns = clock_monotonic_ns();
    loop->turn_count++;
    loop->look_count += loop->is_simulated || loop->poller.count < POLLER_BATCH;

    size_t ran = loop_dispatch(loop);
    ran += wheel_turn(&loop->wheel, loop->now_ns);
    ran += loop_deliver_mail(loop);
    ran += loop_run_tasks(loop);
    ran += loop_run_later(loop);
    loop_bury_all(loop);
    return ran;
}

void loop_run(struct loop *loop)
{
    while (!loop->is_stopping)
        (void)loop_turn(loop, UINT64_MAX);
    loop->is_stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->is_simulated ? clock_monotonic_ns() : loop->now_ns;
}

uint64_t loop_wall_ns(struct loop *loop, uint64_t at_ns)
{
    if (loop->wall_turn != loop->turn_count)
        loop_look_at_wall(loop);
    return at_ns + loop->wall_ahead_ns;
}

uint64_t loop_turn_count(const struct loop *loop)
{
    return loop->turn_count;
}

uint64_t loop_look_count(const struct loop *loop)
{
    return loop->look_count;
}

bool loop_is_crowded(const struct loop *loop)
{
    return loop->poller.count >= LOOP_CROWD || loop->is_crowd_simulated;
}

uint64_t loop_next_deadline_ns(const struct loop *loop)
{
    return wheel_earliest_ns(&loop->wheel);
}

/* ---- watches ---- */

enum status loop_watch(struct loop *loop, struct watch *watch, int fd, unsigned ask)
{
    watch->fd = fd;
    if (loop->is_simulated)
        return ST_OK;
    enum status status = poller_add(&loop->poller, watch, ask);
    if (status != ST_OK)
        watch->fd = -1;
    return status;
}

enum status loop_rewatch(struct loop *loop, struct watch *watch, unsigned ask)
{
    return loop->is_simulated ? ST_OK : poller_change(&loop->poller, watch, ask);
}

void loop_unwatch(struct loop *loop, struct watch *watch, bool is_closing)
{
    if (watch->fd < 0)
        return;
    poller_remove(&loop->poller, watch, is_closing || loop->is_simulated);
    watch->fd = -1;
}

void loop_simulate_crowd(struct loop *loop)
{
    CHECK(loop->is_simulated);
    loop->is_crowd_simulated = true;
}

void loop_simulate(struct loop *loop, struct watch *watch, unsigned ready)
{
    CHECK(loop->is_simulated);
    if (watch->fd >= 0)
        watch->on_ready(watch, ready);
}

/* ---- tasks, graves, messages ---- */

void loop_queue(struct loop *loop, struct task *task)
{
    if (!link_is_linked(&task->link))
        list_append(&loop->ready, &task->link);
}

void loop_queue_later(struct loop *loop, struct task *task)
{
    if (!link_is_linked(&task->link))
        list_append(&loop->later, &task->link);
}

void task_cancel(struct task *task)
{
    link_remove(&task->link);
}

void loop_bury(struct loop *loop, struct grave *grave)
{
    grave->next = loop->graves;
    loop->graves = grave;
}

void loop_post(struct loop *loop, struct message *message)
{
    (void)pthread_mutex_lock(&loop->mailbox_lock);
    bool is_first = list_is_empty(&loop->mailbox);
    link_init(&message->link);
    list_append(&loop->mailbox, &message->link);
    atomic_store_explicit(&loop->has_mail, true, memory_order_relaxed);
    /* Under the lock: once it is released, the loop may deliver this message and be destroyed. */
    if (is_first && loop->mailbox_fd >= 0) {
        uint64_t one = 1;
        ssize_t put = write(loop->mailbox_fd, &one, sizeof(one)); /* full means: awake anyway */
        (void)put;
    }
    (void)pthread_mutex_unlock(&loop->mailbox_lock);
}
