/* Turns and quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proxy/rhythm.h"

#define MS(count) ((count)*NS_PER_MS)

struct talk {
    struct rhythm rhythm;
    uint64_t now_ns;
};

static void says(struct talk *talk, bool is_client, unsigned after_ms)
{
    uint64_t last_ns = talk->now_ns;
    talk->now_ns += MS(after_ms);
    rhythm_note(&talk->rhythm, is_client, /* counts= */ true, last_ns, talk->now_ns);
}

static void a_turn_begins_with_the_client_after_quiet(void **state)
{
    (void)state;
    struct talk talk = {.now_ns = MS(1)};
    rhythm_init(&talk.rhythm, MS(10)); /* quiet: 20 ms */
    assert_int_equal(rhythm_quiet_ns(&talk.rhythm), MS(20));
    says(&talk, true, 0);
    assert_int_equal(talk.rhythm.turns, 1);
    says(&talk, true, 100); /* it goes on: no answer came */
    says(&talk, false, 50);
    says(&talk, true, 19); /* too soon */
    assert_int_equal(talk.rhythm.turns, 1);
    says(&talk, false, 1);
    says(&talk, true, 20);
    assert_int_equal(talk.rhythm.turns, 2);
    assert_int_equal(talk.rhythm.idle_ns, MS(100));
}

static void an_origin_that_speaks_first_begins_no_turn(void **state)
{
    (void)state;
    struct talk talk = {.now_ns = MS(1)};
    rhythm_init(&talk.rhythm, 0);
    assert_int_equal(rhythm_quiet_ns(&talk.rhythm), MS(5));
    says(&talk, false, 300);
    assert_int_equal(talk.rhythm.turns, 0);
    says(&talk, true, 1);
    assert_int_equal(talk.rhythm.turns, 1);
    assert_int_equal(talk.rhythm.idle_ns, MS(300));
}

static void a_handshake_is_no_turn(void **state)
{
    (void)state;
    struct rhythm rhythm;
    rhythm_init(&rhythm, 0);
    rhythm_note(&rhythm, /* is_client= */ true, /* counts= */ false, MS(1), MS(2));
    rhythm_note(&rhythm, /* is_client= */ false, /* counts= */ false, MS(2), MS(50));
    assert_int_equal(rhythm.turns, 0);
    rhythm_note(&rhythm, /* is_client= */ true, /* counts= */ true, MS(50), MS(51));
    assert_int_equal(rhythm.turns, 1);
    assert_int_equal(rhythm.idle_ns, MS(48));
}

static void a_slow_connect_is_bounded(void **state)
{
    (void)state;
    struct rhythm rhythm;
    rhythm_init(&rhythm, 3600 * NS_PER_S);
    assert_int_equal(rhythm_quiet_ns(&rhythm), 60 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_begins_with_the_client_after_quiet),
        cmocka_unit_test(an_origin_that_speaks_first_begins_no_turn),
        cmocka_unit_test(a_handshake_is_no_turn),
        cmocka_unit_test(a_slow_connect_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
