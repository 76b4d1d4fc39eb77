#include "../base/base_test.h"

#include "base/clock.h"
#include "io/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 600, POSTERS = 4, POSTS = 2000 };

/* What happened, in order: one letter a callback. */
static char events[64];

static void note(char what)
{
    size_t len = strlen(events);
    if (len + 1 < sizeof(events))
        events[len] = what;
}

static void forget(void)
{
    memset(events, 0, sizeof(events));
}

/* ---- players: each notes its letter ---- */

struct seen {
    struct watch watch;
    struct loop *loop;
    unsigned ready; /* of the last report */
    unsigned count;
    struct seen *victim; /* to unwatch when this one is reported */
};

static void seen_on_ready(struct watch *watch, unsigned ready)
{
    struct seen *seen = CONTAINER_OF(watch, struct seen, watch);
    seen->ready = ready;
    seen->count++;
    note('w');
    if (seen->victim != NULL)
        loop_unwatch(seen->loop, &seen->victim->watch, /* is_closing= */ false);
}

static void seen_init(struct seen *seen, struct loop *loop)
{
    *seen = (struct seen){.watch = {-1, seen_on_ready}, .loop = loop};
}

struct act {
    struct task task;
    struct loop *loop;
    char letter;
    unsigned left;      /* how often to queue itself again */
    struct act *cancel; /* to take out of the queue */
    struct grave grave;
    bool is_buried;    /* bury itself when it runs */
    bool is_bulk;      /* it queues itself for later */
    uint64_t takes_ns; /* what its run takes of a frozen clock */
};

static void act_bury(struct grave *grave)
{
    (void)grave;
    note('g');
}

static void act_run(struct task *task)
{
    struct act *act = CONTAINER_OF(task, struct act, task);
    note(act->letter);
    if (act->is_buried)
        loop_bury(act->loop, &act->grave);
    if (act->cancel != NULL)
        task_cancel(&act->cancel->task);
    if (act->takes_ns > 0)
        clock_advance(act->takes_ns);
    if (act->left > 0) {
        act->left--;
        (act->is_bulk ? loop_queue_later : loop_queue)(act->loop, task);
    }
}

static void act_init(struct act *act, struct loop *loop, char letter)
{
    *act = (struct act){.loop = loop, .letter = letter, .grave = {NULL, act_bury}};
    task_init(&act->task, act_run);
}

static void timer_note(struct timer *timer)
{
    (void)timer;
    note('t');
}

struct letter {
    struct message message;
    char letter;
};

static void letter_deliver(struct message *message)
{
    struct letter *letter = CONTAINER_OF(message, struct letter, message);
    note(letter->letter);
    free(letter);
}

static void post(struct loop *loop, char which)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    assert_non_null(letter);
    letter->message.deliver = letter_deliver;
    letter->letter = which;
    loop_post(loop, &letter->message);
}

/* ---- the stage ---- */

static int begin(void **state)
{
    struct loop *loop;
    forget();
    assert_int_equal(loop_create(&loop), ST_OK);
    *state = loop;
    return 0;
}

static int begin_simulated(void **state)
{
    struct loop *loop;
    forget();
    clock_freeze(NS_PER_S, 0);
    assert_int_equal(loop_create_simulated(&loop), ST_OK);
    *state = loop;
    return 0;
}

static int end(void **state)
{
    struct loop *loop = *state;
    loop_destroy(&loop);
    assert_null(loop);
    clock_restore();
    return 0;
}

static void pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void put(int fd, const char *bytes)
{
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
}

/* ---- watches ---- */

static void an_edge_is_reported_once_for_each_arrival(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ), ST_OK);
    assert_int_equal(loop_turn(loop, 0), 0);
    put(ends[1], "a");
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(seen.ready, WATCH_READ);
    assert_int_equal(loop_turn(loop, 0), 0);
    put(ends[1], "b");
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(seen.count, 2);
    loop_unwatch(loop, &seen.watch, /* is_closing= */ true);
    assert_int_equal(seen.watch.fd, -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_level_is_reported_until_it_is_gone(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    char byte;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ | WATCH_LEVEL), ST_OK);
    put(ends[1], "a");
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(loop_rewatch(loop, &seen.watch, WATCH_WRITE | WATCH_LEVEL), ST_OK);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(seen.ready, WATCH_WRITE);
    assert_int_equal(loop_rewatch(loop, &seen.watch, WATCH_LEVEL), ST_OK);
    assert_int_equal(loop_turn(loop, 0), 0);
    loop_unwatch(loop, &seen.watch, /* is_closing= */ true);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void the_ends_of_a_peer_are_told_apart(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ | WATCH_WRITE), ST_OK);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(seen.ready, WATCH_WRITE);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(seen.ready, WATCH_READ | WATCH_WRITE | WATCH_HANGUP);
    (void)close(ends[1]);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_true(seen.ready & WATCH_ERROR);
    loop_unwatch(loop, &seen.watch, /* is_closing= */ true);
    (void)close(ends[0]);
}

static void nothing_is_reported_after_unwatch_even_if_it_was_polled(void **state)
{
    struct loop *loop = *state;
    struct seen one;
    struct seen two;
    int ends[2][2];
    pair(ends[0]);
    pair(ends[1]);
    seen_init(&one, loop);
    seen_init(&two, loop);
    one.victim = &two;
    two.victim = &one;
    assert_int_equal(loop_watch(loop, &one.watch, ends[0][0], WATCH_READ), ST_OK);
    assert_int_equal(loop_watch(loop, &two.watch, ends[1][0], WATCH_READ), ST_OK);
    put(ends[0][1], "a");
    put(ends[1][1], "a");
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_int_equal(one.count + two.count, 1);
    assert_int_equal(loop_turn(loop, 0), 0);
    loop_unwatch(loop, &one.watch, false);
    loop_unwatch(loop, &two.watch, false);
    for (int i = 0; i < 4; i++)
        (void)close(ends[i / 2][i % 2]);
}

static void a_watch_may_unwatch_itself_and_be_watched_again(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    seen.victim = &seen;
    put(ends[1], "a");
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ), ST_OK);
        assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
        assert_int_equal(seen.count, i);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void more_events_than_a_batch_are_all_reported(void **state)
{
    struct loop *loop = *state;
    static struct seen seen[MANY];
    for (int i = 0; i < MANY; i++) {
        seen_init(&seen[i], loop);
        int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_int_equal(loop_watch(loop, &seen[i].watch, fd, WATCH_READ), ST_OK);
    }
    for (size_t total = 0; total < MANY;)
        total += loop_turn(loop, UINT64_MAX);
    assert_int_equal(loop_turn(loop, 0), 0);
    for (int i = 0; i < MANY; i++) {
        int fd = seen[i].watch.fd;
        assert_int_equal(seen[i].count, 1);
        loop_unwatch(loop, &seen[i].watch, /* is_closing= */ true);
        (void)close(fd);
    }
}

static void a_turn_with_several_events_is_crowded(void **state)
{
    struct loop *loop = *state;
    struct seen seen[4];
    for (int i = 0; i < 4; i++) {
        seen_init(&seen[i], loop);
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_int_equal(loop_watch(loop, &seen[i].watch, fd, WATCH_READ), ST_OK);
    }
    for (int count = 1; count <= 4; count += 3) {
        for (int i = 0; i < count; i++)
            assert_int_equal(eventfd_write(seen[i].watch.fd, 1), 0);
        assert_int_equal(loop_turn(loop, UINT64_MAX), count);
        assert_int_equal(loop_is_crowded(loop), count == 4);
    }
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_false(loop_is_crowded(loop));
    for (int i = 0; i < 4; i++) {
        int fd = seen[i].watch.fd;
        loop_unwatch(loop, &seen[i].watch, /* is_closing= */ true);
        (void)close(fd);
    }
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    int ends[2];
    pair(ends);
    (void)close(ends[0]);
    (void)close(ends[1]);
    seen_init(&seen, loop);
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ), ST_IO);
    assert_int_equal(seen.watch.fd, -1);
    loop_unwatch(loop, &seen.watch, false); /* harmless */
}

static void two_loops_may_watch_one_descriptor_exclusively(void **state)
{
    struct loop *loop = *state;
    struct loop *other;
    struct seen seen[2];
    int ends[2];
    pair(ends);
    assert_int_equal(loop_create(&other), ST_OK);
    seen_init(&seen[0], loop);
    seen_init(&seen[1], other);
    assert_int_equal(
        loop_watch(loop, &seen[0].watch, ends[0], WATCH_READ | WATCH_LEVEL | WATCH_EXCLUSIVE),
        ST_OK);
    assert_int_equal(
        loop_watch(other, &seen[1].watch, ends[0], WATCH_READ | WATCH_LEVEL | WATCH_EXCLUSIVE),
        ST_OK);
    put(ends[1], "a");
    assert_true(loop_turn(loop, 0) + loop_turn(other, 0) >= 1);
    loop_unwatch(loop, &seen[0].watch, false);
    loop_unwatch(other, &seen[1].watch, false);
    loop_destroy(&other);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- tasks and graves ---- */

static void a_task_runs_once_however_often_it_is_queued(void **state)
{
    struct loop *loop = *state;
    struct act a;
    struct act b;
    act_init(&a, loop, 'a');
    act_init(&b, loop, 'b');
    loop_queue(loop, &b.task);
    loop_queue(loop, &a.task);
    loop_queue(loop, &b.task);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 2); /* and does not wait */
    assert_string_equal(events, "ba");
    assert_int_equal(loop_turn(loop, 0), 0);
}

static void a_task_that_is_cancelled_by_another_does_not_run(void **state)
{
    struct loop *loop = *state;
    struct act a;
    struct act b;
    act_init(&a, loop, 'a');
    act_init(&b, loop, 'b');
    a.cancel = &b;
    b.cancel = &a;
    loop_queue(loop, &a.task);
    loop_queue(loop, &b.task);
    (void)loop_turn(loop, 0);
    assert_string_equal(events, "a");
    task_cancel(&a.task);
    assert_int_equal(loop_turn(loop, 0), 0);
}

static void tasks_queued_by_tasks_run_in_the_same_turn_up_to_a_bound(void **state)
{
    struct loop *loop = *state;
    struct act busy;
    struct act quiet;
    struct seen seen;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    act_init(&busy, loop, 'b');
    act_init(&quiet, loop, 'q');
    quiet.left = 1;
    busy.left = 1000000;
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ), ST_OK);
    loop_queue(loop, &busy.task);
    loop_queue(loop, &quiet.task);
    size_t ran = loop_turn(loop, UINT64_MAX);
    assert_true(ran >= 4 && ran < 100);
    assert_int_equal(strncmp(events, "bqbq", 4), 0);

    /* A busy task does not keep the loop from its descriptors. */
    put(ends[1], "a");
    (void)loop_turn(loop, UINT64_MAX);
    assert_int_equal(seen.count, 1);
    task_cancel(&busy.task);
    loop_unwatch(loop, &seen.watch, /* is_closing= */ true);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static struct act late_grave;

static void bury_another(struct grave *grave)
{
    (void)grave;
    note('G');
    loop_bury(late_grave.loop, &late_grave.grave);
}

static void graves_are_buried_after_all_tasks_and_may_bury(void **state)
{
    struct loop *loop = *state;
    struct act a;
    struct act b;
    act_init(&late_grave, loop, 'l');
    act_init(&a, loop, 'a');
    act_init(&b, loop, 'b');
    a.is_buried = true;
    a.grave.bury = bury_another;
    loop_queue(loop, &a.task);
    loop_queue(loop, &b.task);
    assert_int_equal(loop_turn(loop, 0), 2);
    assert_string_equal(events, "abGg");
    (void)loop_turn(loop, 0);
    assert_string_equal(events, "abGg");
}

static void bulk_is_served_in_turn_behind_what_is_small(void **state)
{
    struct loop *loop = *state;
    struct act first, second, small;
    act_init(&first, loop, 'A');
    act_init(&second, loop, 'B');
    act_init(&small, loop, 's');
    first.is_bulk = second.is_bulk = true;
    first.left = second.left = 2;
    first.takes_ns = second.takes_ns = NS_PER_MS;
    loop_queue_later(loop, &first.task);
    loop_queue_later(loop, &second.task);
    for (int turn = 0; turn < 6; turn++) {
        if (turn < 5)
            loop_queue(loop, &small.task);
        (void)loop_turn(loop, 0); /* a bulky run takes more than a turn has for all of them */
    }
    assert_string_equal(events, "sAsBsAsBsAB");
    assert_int_equal(loop_turn(loop, 0), 0);
}

static void what_waits_for_later_stays_there_or_is_cancelled(void **state)
{
    struct loop *loop = *state;
    struct act bulk, small;
    act_init(&bulk, loop, 'B');
    act_init(&small, loop, 's');
    loop_queue_later(loop, &bulk.task);
    loop_queue(loop, &bulk.task); /* not before the others, now that an event came */
    loop_queue(loop, &small.task);
    assert_int_equal(loop_turn(loop, 0), 2);
    assert_string_equal(events, "sB");
    loop_queue_later(loop, &bulk.task);
    task_cancel(&bulk.task);
    assert_int_equal(loop_turn(loop, 0), 0);
}

static void a_turn_has_an_end_although_no_time_passes(void **state)
{
    struct loop *loop = *state;
    struct act bulk[2];
    for (int i = 0; i < 2; i++) {
        act_init(&bulk[i], loop, (char)('A' + i));
        bulk[i].left = 1000000;
        bulk[i].is_bulk = true;
        loop_queue_later(loop, &bulk[i].task);
    }
    assert_in_range(loop_turn(loop, 0), 2, 200);
    assert_in_range(loop_turn(loop, 0), 2, 200);
    task_cancel(&bulk[0].task);
    task_cancel(&bulk[1].task);
}

static void a_loop_does_not_sleep_over_what_is_left_for_later(void **state)
{
    struct loop *loop = *state;
    struct act bulk;
    act_init(&bulk, loop, 'B');
    loop_queue_later(loop, &bulk.task);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
}

static void what_is_buried_outside_of_a_turn_goes_with_the_loop(void **state)
{
    (void)state;
    struct loop *loop;
    struct act act;
    forget();
    assert_int_equal(loop_create(&loop), ST_OK);
    act_init(&act, loop, 'a');
    loop_bury(loop, &act.grave);
    loop_destroy(&loop);
    assert_string_equal(events, "g");
    loop_destroy(&loop); /* takes NULL */
}

/* ---- mailbox ---- */

static void messages_are_delivered_in_order(void **state)
{
    struct loop *loop = *state;
    post(loop, '1');
    post(loop, '2');
    assert_int_equal(loop_turn(loop, UINT64_MAX), 2);
    post(loop, '3');
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_string_equal(events, "123");
    assert_int_equal(loop_turn(loop, 0), 0);
}

struct echo {
    struct message message;
    struct loop *loop;
    unsigned left;
};

static void echo_deliver(struct message *message)
{
    struct echo *echo = CONTAINER_OF(message, struct echo, message);
    note('e');
    if (echo->left-- > 0)
        loop_post(echo->loop, message);
    else
        loop_stop(echo->loop);
}

static void a_message_may_post_itself_again_and_the_loop_goes_on(void **state)
{
    struct loop *loop = *state;
    struct echo echo = {.message.deliver = echo_deliver, .loop = loop, .left = 5};
    loop_post(loop, &echo.message);
    loop_run(loop);
    assert_string_equal(events, "eeeeee");
}

struct count {
    struct message message;
    struct poster *poster;
    unsigned number;
};

struct poster {
    struct loop *loop;
    pthread_t thread;
    unsigned expected; /* number of the next message; the loop's thread */
    struct count counts[POSTS];
};

static unsigned posters_left;

static void count_deliver(struct message *message)
{
    struct count *count = CONTAINER_OF(message, struct count, message);
    struct poster *poster = count->poster;
    CHECK(count->number == poster->expected);
    poster->expected++;
    if (poster->expected == POSTS && --posters_left == 0)
        loop_stop(poster->loop);
}

static void *poster_run(void *argument)
{
    struct poster *poster = argument;
    for (unsigned i = 0; i < POSTS; i++) {
        poster->counts[i] =
            (struct count){.message.deliver = count_deliver, .poster = poster, .number = i};
        loop_post(poster->loop, &poster->counts[i].message);
    }
    return NULL;
}

static void threads_post_and_nothing_is_lost_or_out_of_order(void **state)
{
    struct loop *loop = *state;
    static struct poster posters[POSTERS];
    posters_left = POSTERS;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.loop = loop};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_run, &posters[i]), 0);
    }
    loop_run(loop); /* sleeps whenever there is no mail */
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        assert_int_equal(posters[i].expected, POSTS);
    }
}

/* ---- the turn ---- */

static void a_turn_goes_poll_timers_mail_tasks_graves(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    struct act act;
    struct timer timer;
    int ends[2];
    pair(ends);
    seen_init(&seen, loop);
    act_init(&act, loop, 'a');
    act.is_buried = true;
    timer_init(&timer, timer_note);
    assert_int_equal(loop_watch(loop, &seen.watch, ends[0], WATCH_READ), ST_OK);
    loop_queue(loop, &act.task);
    post(loop, 'm');
    timer_set(loop, &timer, loop_now_ns(loop) + 1);
    while (clock_monotonic_ns() < loop_now_ns(loop) + 2 * NS_PER_MS)
        continue; /* until the timer is due, without giving the turn away */
    put(ends[1], "a");
    assert_int_equal(loop_turn(loop, 0), 4);
    assert_string_equal(events, "wtmag");
    loop_unwatch(loop, &seen.watch, /* is_closing= */ true);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_sleeping_loop_wakes_for_its_timer_and_not_before(void **state)
{
    struct loop *loop = *state;
    struct timer timer;
    timer_init(&timer, timer_note);
    uint64_t deadline = clock_monotonic_ns() + 2 * NS_PER_MS;
    timer_set(loop, &timer, deadline);
    while (timer_is_set(&timer))
        (void)loop_turn(loop, UINT64_MAX);
    assert_true(clock_monotonic_ns() >= deadline);
    assert_true(loop_now_ns(loop) >= deadline);
    assert_string_equal(events, "t");
}

static void a_turn_waits_no_longer_than_it_may(void **state)
{
    struct loop *loop = *state;
    struct timer timer;
    timer_init(&timer, timer_note);
    timer_set_in(loop, &timer, 3600 * NS_PER_S);
    uint64_t before = clock_monotonic_ns();
    assert_int_equal(loop_turn(loop, NS_PER_MS), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_true(clock_monotonic_ns() < before + 60 * NS_PER_S);
    timer_cancel(&timer);
}

/* ---- without a poller ---- */

static void a_simulated_loop_follows_the_frozen_clock_and_never_waits(void **state)
{
    struct loop *loop = *state;
    struct timer timer;
    timer_init(&timer, timer_note);
    assert_int_equal(loop_now_ns(loop), NS_PER_S);
    timer_set_in(loop, &timer, 900 * NS_PER_S);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 0);
    assert_int_equal(loop_next_deadline_ns(loop), 901 * NS_PER_S);
    clock_advance(900 * NS_PER_S);
    assert_int_equal(loop_now_ns(loop), 901 * NS_PER_S);
    assert_int_equal(loop_turn(loop, UINT64_MAX), 1);
    assert_string_equal(events, "t");
}

static void a_simulated_watch_reports_what_it_is_told(void **state)
{
    struct loop *loop = *state;
    struct seen seen;
    seen_init(&seen, loop);
    assert_int_equal(loop_watch(loop, &seen.watch, 1000, WATCH_READ), ST_OK);
    assert_int_equal(seen.watch.fd, 1000);
    assert_int_equal(loop_rewatch(loop, &seen.watch, WATCH_WRITE), ST_OK);
    loop_simulate(loop, &seen.watch, WATCH_READ | WATCH_HANGUP);
    assert_int_equal(seen.ready, WATCH_READ | WATCH_HANGUP);
    loop_unwatch(loop, &seen.watch, false);
    loop_simulate(loop, &seen.watch, WATCH_READ);
    assert_int_equal(seen.count, 1);
}

static void a_simulated_loop_has_tasks_mail_and_graves(void **state)
{
    struct loop *loop = *state;
    struct act act;
    act_init(&act, loop, 'a');
    act.is_buried = true;
    loop_queue(loop, &act.task);
    post(loop, 'm');
    assert_int_equal(loop_turn(loop, UINT64_MAX), 2);
    assert_string_equal(events, "mag");
}

/* A moment has the wall time that both clocks tell of it; a step of the wall clock is known in the next turn. */
static void a_moment_has_its_wall_time(void **state)
{
    struct loop *loop = *state;
    enum { STEP_MS = 3600 * 1000 };
    uint64_t at_ns = clock_monotonic_ns();
    uint64_t wall_ns = clock_wall_ns();
    assert_true(loop_wall_ns(loop, at_ns) == wall_ns);
    clock_advance(NS_PER_S);
    assert_true(loop_wall_ns(loop, at_ns) == wall_ns);
    assert_true(loop_wall_ns(loop, at_ns + NS_PER_S) == wall_ns + NS_PER_S);

    clock_freeze(at_ns + NS_PER_S, wall_ns + NS_PER_S + STEP_MS * NS_PER_MS);
    assert_true(loop_wall_ns(loop, at_ns) == wall_ns);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_true(loop_wall_ns(loop, at_ns) == wall_ns + STEP_MS * NS_PER_MS);
}

#define REAL(test)      cmocka_unit_test_setup_teardown(test, begin, end)
#define SIMULATED(test) cmocka_unit_test_setup_teardown(test, begin_simulated, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(an_edge_is_reported_once_for_each_arrival),
        REAL(a_level_is_reported_until_it_is_gone),
        REAL(the_ends_of_a_peer_are_told_apart),
        REAL(nothing_is_reported_after_unwatch_even_if_it_was_polled),
        REAL(a_watch_may_unwatch_itself_and_be_watched_again),
        REAL(more_events_than_a_batch_are_all_reported),
        REAL(a_turn_with_several_events_is_crowded),
        REAL(what_cannot_be_watched_is_an_error),
        REAL(two_loops_may_watch_one_descriptor_exclusively),
        REAL(a_task_runs_once_however_often_it_is_queued),
        REAL(a_task_that_is_cancelled_by_another_does_not_run),
        REAL(tasks_queued_by_tasks_run_in_the_same_turn_up_to_a_bound),
        REAL(graves_are_buried_after_all_tasks_and_may_bury),
        SIMULATED(bulk_is_served_in_turn_behind_what_is_small),
        SIMULATED(what_waits_for_later_stays_there_or_is_cancelled),
        SIMULATED(a_turn_has_an_end_although_no_time_passes),
        REAL(a_loop_does_not_sleep_over_what_is_left_for_later),
        cmocka_unit_test(what_is_buried_outside_of_a_turn_goes_with_the_loop),
        REAL(messages_are_delivered_in_order),
        REAL(a_message_may_post_itself_again_and_the_loop_goes_on),
        REAL(threads_post_and_nothing_is_lost_or_out_of_order),
        REAL(a_turn_goes_poll_timers_mail_tasks_graves),
        REAL(a_sleeping_loop_wakes_for_its_timer_and_not_before),
        REAL(a_turn_waits_no_longer_than_it_may),
        SIMULATED(a_simulated_loop_follows_the_frozen_clock_and_never_waits),
        SIMULATED(a_moment_has_its_wall_time),
        SIMULATED(a_simulated_watch_reports_what_it_is_told),
        SIMULATED(a_simulated_loop_has_tasks_mail_and_graves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
