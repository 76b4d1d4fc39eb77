#include "../base/base_test.h"

#include "base/clock.h"
#include "base/random.h"
#include "io/loop.h"

enum { TIMERS = 500 };

/* A timer that remembers when it fired, and in which place. */
struct alarm {
    struct timer timer;
    struct loop *loop;
    uint64_t fired_ns;
    unsigned fired_count;
    unsigned place;
    uint64_t again_ns; /* set itself again in this time, 0 for not */
    struct alarm *other;
    uint64_t other_deadline_ns; /* what to do to `other`: UINT64_MAX cancels, else set */
};

static unsigned places;

static void alarm_fire(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    assert_false(timer_is_set(timer));
    alarm->fired_ns = loop_now_ns(alarm->loop);
    alarm->fired_count++;
    alarm->place = ++places;
    if (alarm->again_ns > 0)
        timer_set_in(alarm->loop, timer, alarm->again_ns);
    if (alarm->other != NULL && alarm->other_deadline_ns == UINT64_MAX)
        timer_cancel(&alarm->other->timer);
    else if (alarm->other != NULL)
        timer_set(alarm->loop, &alarm->other->timer, alarm->other_deadline_ns);
}

static void alarm_init(struct alarm *alarm, struct loop *loop)
{
    *alarm = (struct alarm){.loop = loop};
    timer_init(&alarm->timer, alarm_fire);
}

static const uint64_t START_NS = 1000 * NS_PER_S + 63 * NS_PER_MS + 999999;

static int begin(void **state)
{
    struct loop *loop;
    places = 0;
    clock_freeze(START_NS, 0);
    assert_int_equal(loop_create_simulated(&loop), ST_OK);
    *state = loop;
    return 0;
}

static int end(void **state)
{
    struct loop *loop = *state;
    loop_destroy(&loop);
    clock_restore();
    return 0;
}

static void go(struct loop *loop, uint64_t ns)
{
    clock_advance(ns);
    (void)loop_turn(loop, 0);
}

static void a_timer_fires_once_and_never_early(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_set_in(loop, &alarm.timer, 5 * NS_PER_MS);
    assert_true(timer_is_set(&alarm.timer));
    assert_int_equal(loop_next_deadline_ns(loop), START_NS + 5 * NS_PER_MS);
    go(loop, 5 * NS_PER_MS - 1);
    assert_int_equal(alarm.fired_count, 0);
    go(loop, NS_PER_MS + 1);
    assert_int_equal(alarm.fired_count, 1);
    assert_int_equal(loop_next_deadline_ns(loop), UINT64_MAX);
    go(loop, NS_PER_S);
    assert_int_equal(alarm.fired_count, 1);
}

/* Every length around the borders of the levels, from every place in the lowest level. */
static void whatever_its_length_a_timer_is_at_most_a_tick_late(void **state)
{
    struct loop *loop = *state;
    static const uint64_t lengths_ms[] = {
        1,    2,    62,   63,   64,   65,   126,  127,   128,    4031,   4032,    4095,
        4096, 4097, 4159, 8191, 8192, 8193, 9000, 60000, 262143, 262144, 3600000, 16777217};
    for (unsigned shift_ms = 0; shift_ms < 64; shift_ms++) {
        for (size_t i = 0; i < COUNT_OF(lengths_ms); i++) {
            struct alarm alarm;
            alarm_init(&alarm, loop);
            uint64_t deadline = loop_now_ns(loop) + lengths_ms[i] * NS_PER_MS;
            timer_set(loop, &alarm.timer, deadline);
            go(loop, lengths_ms[i] * NS_PER_MS - 1);
            assert_int_equal(alarm.fired_count, 0);
            go(loop, NS_PER_MS);
            assert_int_equal(alarm.fired_count, 1);
        }
        go(loop, NS_PER_MS);
    }
}

/* A wheel that is turned at its own wishes, as the loop does, against the plain truth. */
static void many_timers_fire_in_order_at_their_tick(void **state)
{
    struct loop *loop = *state;
    static struct alarm alarms[TIMERS];
    static uint64_t deadlines[TIMERS];
    struct random random;
    random_seed(&random, 5);
    for (size_t i = 0; i < TIMERS; i++) {
        alarm_init(&alarms[i], loop);
        uint64_t span = 1ULL << random_below(&random, 36);
        deadlines[i] = loop_now_ns(loop) + 1 + random_below(&random, span);
        timer_set(loop, &alarms[i].timer, deadlines[i]);
    }
    for (uint64_t next; (next = loop_next_deadline_ns(loop)) != UINT64_MAX;) {
        uint64_t now = loop_now_ns(loop);
        go(loop, next > now ? next - now : NS_PER_MS);
    }
    for (size_t i = 0; i < TIMERS; i++) {
        assert_int_equal(alarms[i].fired_count, 1);
        assert_true(alarms[i].fired_ns >= deadlines[i]);
        assert_true(alarms[i].fired_ns < deadlines[i] + 2 * NS_PER_MS);
        for (size_t k = 0; k < TIMERS; k++)
            assert_false(deadlines[i] + NS_PER_MS <= deadlines[k] &&
                         alarms[i].place > alarms[k].place);
    }
}

static void a_turn_after_a_long_time_fires_all_in_order(void **state)
{
    struct loop *loop = *state;
    static struct alarm alarms[100];
    for (size_t i = 0; i < COUNT_OF(alarms); i++)
        alarm_init(&alarms[i], loop);
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        size_t shuffled = (i * 37) % COUNT_OF(alarms);
        timer_set_in(loop, &alarms[shuffled].timer, (shuffled + 1) * (shuffled + 1) * NS_PER_S);
    }
    go(loop, 100000 * NS_PER_S);
    for (unsigned i = 0; i < COUNT_OF(alarms); i++)
        assert_int_equal(alarms[i].place, i + 1);
}

static void a_timer_that_is_moved_later_fires_at_the_later_time_only(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_set_in(loop, &alarm.timer, 100 * NS_PER_MS);
    for (int i = 0; i < 50; i++) {
        go(loop, 50 * NS_PER_MS);
        timer_set_in(loop, &alarm.timer, 100 * NS_PER_MS);
    }
    assert_int_equal(alarm.fired_count, 0);
    assert_int_equal(loop_next_deadline_ns(loop), loop_now_ns(loop) + 100 * NS_PER_MS);
    go(loop, 100 * NS_PER_MS - 1);
    assert_int_equal(alarm.fired_count, 0);
    go(loop, NS_PER_MS + 1);
    assert_int_equal(alarm.fired_count, 1);
}

static void a_timer_that_is_moved_earlier_fires_at_the_earlier_time_only(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_set_in(loop, &alarm.timer, 3600 * NS_PER_S);
    timer_set_in(loop, &alarm.timer, 10 * NS_PER_S); /* earlier */
    timer_set_in(loop, &alarm.timer, 20 * NS_PER_S); /* later */
    timer_set_in(loop, &alarm.timer, 15 * NS_PER_S); /* between: after its slot, still */
    go(loop, 15 * NS_PER_S - 1);
    assert_int_equal(alarm.fired_count, 0);
    go(loop, NS_PER_MS + 1);
    assert_int_equal(alarm.fired_count, 1);
    go(loop, 4000 * NS_PER_S);
    assert_int_equal(alarm.fired_count, 1);
}

static void a_cancelled_timer_never_fires_and_may_be_set_again(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_cancel(&alarm.timer);
    timer_set_in(loop, &alarm.timer, NS_PER_S);
    timer_cancel(&alarm.timer);
    timer_cancel(&alarm.timer);
    assert_false(timer_is_set(&alarm.timer));
    go(loop, 2 * NS_PER_S);
    assert_int_equal(alarm.fired_count, 0);
    timer_set_in(loop, &alarm.timer, NS_PER_S);
    go(loop, 2 * NS_PER_S);
    assert_int_equal(alarm.fired_count, 1);
}

static void a_deadline_that_is_past_fires_at_the_next_tick(void **state)
{
    struct loop *loop = *state;
    struct alarm past;
    alarm_init(&past, loop);
    struct alarm zero;
    alarm_init(&zero, loop);
    timer_set(loop, &past.timer, START_NS - NS_PER_S);
    timer_set(loop, &zero.timer, 0);
    assert_true(timer_is_set(&zero.timer));
    go(loop, NS_PER_MS);
    assert_int_equal(past.fired_count, 1);
    assert_int_equal(zero.fired_count, 1);
}

static void the_farthest_deadline_is_only_far(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_set(loop, &alarm.timer, UINT64_MAX);
    go(loop, NS_PER_S);
    go(loop, 1000000 * NS_PER_S);
    assert_int_equal(alarm.fired_count, 0);
    assert_true(timer_is_set(&alarm.timer));
    timer_cancel(&alarm.timer);
}

static void a_timer_may_set_itself_again(void **state)
{
    struct loop *loop = *state;
    struct alarm alarm;
    alarm_init(&alarm, loop);
    alarm.again_ns = 10 * NS_PER_MS;
    timer_set_in(loop, &alarm.timer, 10 * NS_PER_MS);
    for (int i = 0; i < 100; i++)
        go(loop, 10 * NS_PER_MS + NS_PER_MS);
    assert_int_equal(alarm.fired_count, 100);
    timer_cancel(&alarm.timer);
}

static void a_timer_may_cancel_or_move_one_that_is_due_in_the_same_turn(void **state)
{
    struct loop *loop = *state;
    struct alarm first;
    alarm_init(&first, loop);
    struct alarm cancelled;
    alarm_init(&cancelled, loop);
    struct alarm mover;
    alarm_init(&mover, loop);
    struct alarm moved;
    alarm_init(&moved, loop);
    first.other = &cancelled;
    first.other_deadline_ns = UINT64_MAX;
    mover.other = &moved;
    mover.other_deadline_ns = START_NS + NS_PER_S;
    timer_set_in(loop, &first.timer, NS_PER_MS);
    timer_set_in(loop, &mover.timer, NS_PER_MS);
    timer_set_in(loop, &cancelled.timer, NS_PER_MS);
    timer_set_in(loop, &moved.timer, NS_PER_MS);
    go(loop, 2 * NS_PER_MS);
    assert_int_equal(first.fired_count, 1);
    assert_int_equal(cancelled.fired_count, 0);
    assert_int_equal(moved.fired_count, 0);
    go(loop, NS_PER_S);
    assert_int_equal(moved.fired_count, 1);
}

static void destroying_a_loop_drops_its_timers(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_create_simulated(&loop), ST_OK);
    struct alarm alarm;
    alarm_init(&alarm, loop);
    timer_set_in(loop, &alarm.timer, NS_PER_S);
    loop_destroy(&loop);
    assert_null(loop);
    assert_false(timer_is_set(&alarm.timer));
    timer_cancel(&alarm.timer); /* and does not touch the loop */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_timer_fires_once_and_never_early, begin, end),
        cmocka_unit_test_setup_teardown(whatever_its_length_a_timer_is_at_most_a_tick_late, begin,
                                        end),
        cmocka_unit_test_setup_teardown(many_timers_fire_in_order_at_their_tick, begin, end),
        cmocka_unit_test_setup_teardown(a_turn_after_a_long_time_fires_all_in_order, begin, end),
        cmocka_unit_test_setup_teardown(a_timer_that_is_moved_later_fires_at_the_later_time_only,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_timer_that_is_moved_earlier_fires_at_the_earlier_time_only, begin, end),
        cmocka_unit_test_setup_teardown(a_cancelled_timer_never_fires_and_may_be_set_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_deadline_that_is_past_fires_at_the_next_tick, begin, end),
        cmocka_unit_test_setup_teardown(the_farthest_deadline_is_only_far, begin, end),
        cmocka_unit_test_setup_teardown(a_timer_may_set_itself_again, begin, end),
        cmocka_unit_test_setup_teardown(a_timer_may_cancel_or_move_one_that_is_due_in_the_same_turn,
                                        begin, end),
        cmocka_unit_test_setup_teardown(destroying_a_loop_drops_its_timers, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
