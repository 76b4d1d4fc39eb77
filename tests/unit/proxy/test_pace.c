#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "io/loop.h"
#include "proxy/pace.h"

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

/* Two pipes of which only the times are real, and who takes what comes. */
struct fixture {
    struct transport client;
    struct transport origin;
    struct pipe up;
    struct pipe down;
    struct pace pace;
    struct record record;
};

static struct fixture f;

static int begin(void **state)
{
    (void)state;
    f = (struct fixture){0};
    f.client.ready = f.origin.ready = WATCH_WRITE;
    f.up.to = &f.origin;
    f.down.to = &f.client;
    return 0;
}

static void run_at(uint64_t at_ms, bool up, bool down)
{
    struct pace_before before = pace_look(&f.up, &f.down);
    clock_freeze(MS(at_ms), 0);
    if (up)
        f.up.last_ns = MS(at_ms);
    if (down)
        f.down.last_ns = MS(at_ms);
    pace_note(&f.pace, &f.up, &f.down, before);
    clock_restore();
}

static void up_at(uint64_t at_ms)
{
    run_at(at_ms, true, false);
}

static void down_at(uint64_t at_ms)
{
    run_at(at_ms, false, true);
}

static const struct record *tell_at(uint64_t at_ms)
{
    pace_tell(&f.pace, MS(at_ms), &f.record);
    return &f.record;
}

static void answers_are_awaited_and_questions_are_not(void **state)
{
    (void)state;
    up_at(1000);
    down_at(1300);
    up_at(9000); /* the client's own affair */
    down_at(9100);
    const struct record *record = tell_at(9100);
    assert_int_equal(record->awaited_ns, MS(400));
    assert_int_equal(record->waits, 2);
    assert_int_equal(record->client_pace.quiet_ns + record->upstream_pace.quiet_ns, 0);
}

/* As tickets are none: what follows them is still waited for. */
static void what_is_no_answer_does_not_end_a_wait(void **state)
{
    (void)state;
    up_at(1000);
    down_at(1010);
    struct pace_before before = pace_look(&f.up, &f.down);
    before.is_asked = true;
    f.down.last_ns = MS(1500);
    pace_note(&f.pace, &f.up, &f.down, before);
    down_at(1600);
    const struct record *record = tell_at(1600);
    assert_int_equal(record->awaited_ns, MS(500));
    assert_int_equal(record->waits, 1);
    assert_int_equal(record->upstream_pace.quiet_ns, MS(100));
}

static void who_says_nothing_for_long_was_not_asked(void **state)
{
    (void)state;
    up_at(1000);
    down_at(21000);
    up_at(30000);
    down_at(49999);
    assert_int_equal(tell_at(50000)->awaited_ns, MS(19999));
    assert_int_equal(f.record.waits, 2);
}

static void bytes_move_or_pause(void **state)
{
    (void)state;
    up_at(1000);
    up_at(1049);
    up_at(1099);
    down_at(1100);
    down_at(1120);
    down_at(1170);
    const struct record *record = tell_at(1170);
    assert_int_equal(record->client_pace.moving_ns, MS(49));
    assert_int_equal(record->client_pace.quiet_ns, MS(50));
    assert_int_equal(record->client_pace.pauses, 1);
    assert_int_equal(record->upstream_pace.moving_ns, MS(20));
    assert_int_equal(record->upstream_pace.quiet_ns, MS(50));
    assert_int_equal(record->upstream_pace.pauses, 1);
    assert_int_equal(record->awaited_ns, MS(1));
}

/* What the receiver does not take is no pause of the sender. */
static void a_receiver_that_does_not_take_stalls_the_sender(void **state)
{
    (void)state;
    down_at(1000);
    f.client.ready = 0;
    down_at(1010);
    assert_int_equal(tell_at(1110)->stalled_by_client_ns, MS(100)); /* so far */
    f.client.ready = WATCH_WRITE;
    run_at(1210, false, false);
    down_at(1213);
    const struct record *record = tell_at(2000);
    assert_int_equal(record->stalled_by_client_ns, MS(200));
    assert_int_equal(record->stalled_by_upstream_ns, 0);
    assert_int_equal(record->upstream_pace.moving_ns, MS(13));
    assert_int_equal(record->upstream_pace.quiet_ns, 0);
}

static void held_bytes_stall_too_until_it_is_over(void **state)
{
    (void)state;
    f.up.held_len = 1;
    up_at(1000);
    f.up.is_ended = true;
    run_at(1300, false, false);
    assert_int_equal(tell_at(2000)->stalled_by_upstream_ns, MS(300));
}

static void a_limit_is_neither_a_pause_nor_a_wait(void **state)
{
    (void)state;
    down_at(1000);
    pace_limited(&f.pace, MS(1001), MS(1501));
    down_at(1502);
    up_at(2000);
    pace_limited(&f.pace, MS(2000), MS(2700));
    down_at(2710);
    pace_limited(&f.pace, MS(2711), MS(2711));
    const struct record *record = tell_at(3000);
    assert_int_equal(record->stalled_by_limits_ns, MS(1200));
    assert_int_equal(record->upstream_pace.moving_ns, MS(1));
    assert_int_equal(record->upstream_pace.pauses, 0);
    assert_int_equal(record->awaited_ns, MS(10));
}

/* 32 bits of microseconds do not wrap. */
static void what_is_too_long_stays_at_the_most(void **state)
{
    (void)state;
    pace_limited(&f.pace, 0, MS(4000000));
    pace_limited(&f.pace, 0, MS(4000000));
    pace_limited(&f.pace, 0, MS(1));
    assert_int_equal(tell_at(1)->stalled_by_limits_ns, UINT32_MAX * NS_PER_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answers_are_awaited_and_questions_are_not, begin),
        cmocka_unit_test_setup(what_is_no_answer_does_not_end_a_wait, begin),
        cmocka_unit_test_setup(who_says_nothing_for_long_was_not_asked, begin),
        cmocka_unit_test_setup(bytes_move_or_pause, begin),
        cmocka_unit_test_setup(a_receiver_that_does_not_take_stalls_the_sender, begin),
        cmocka_unit_test_setup(held_bytes_stall_too_until_it_is_over, begin),
        cmocka_unit_test_setup(a_limit_is_neither_a_pause_nor_a_wait, begin),
        cmocka_unit_test_setup(what_is_too_long_stays_at_the_most, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
