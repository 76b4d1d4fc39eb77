#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/fault.h"

static struct fault_schedule parsed(const char *text)
{
    struct fault_schedule schedule;
    assert_int_equal(fault_schedule_parse(text, &schedule), ST_OK);
    return schedule;
}

static uint32_t rate_of(const struct fault_schedule *schedule, enum fault_call call)
{
    uint32_t all = 0;
    for (int kind = FAULT_FAIL; kind < FAULT_KINDS; kind++)
        all += schedule->rate[call][kind];
    return all;
}

/* Words set the seed, all calls, or one; later words win. */
static void a_schedule_is_read(void **state)
{
    (void)state;
    struct fault_schedule schedule = parsed("");
    assert_int_equal(rate_of(&schedule, FAULT_CALL_recv), 0);
    schedule = parsed("seed=7 all=0.01 recv=0.5 slab=0");
    assert_int_equal(schedule.seed, 7);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_send), FAULT_SCALE / 100);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_pipe), FAULT_SCALE / 100);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_recv), FAULT_SCALE / 2);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_slab), 0);
}

/* A word may name one kind, of a call that it befalls, and leaves the others. */
static void kinds_have_rates_of_their_own(void **state)
{
    (void)state;
    struct fault_schedule schedule = parsed("send=0.4 send.fail=0 all.short=0.02 pipe.fail=1");
    assert_int_equal(schedule.rate[FAULT_CALL_send][FAULT_FAIL], 0);
    assert_int_equal(schedule.rate[FAULT_CALL_send][FAULT_LATE], FAULT_SCALE / 10);
    assert_int_equal(schedule.rate[FAULT_CALL_send][FAULT_SHORT], FAULT_SCALE / 50);
    assert_int_equal(schedule.rate[FAULT_CALL_pipe][FAULT_SHORT], 0);
    assert_int_equal(schedule.rate[FAULT_CALL_pipe][FAULT_FAIL], FAULT_SCALE);
}

/* What is harmless fails nothing. */
static void harmless_is_all_but_to_fail(void **state)
{
    (void)state;
    struct fault_schedule schedule = parsed("harmless=0.3");
    for (int call = 0; call < FAULT_CALLS; call++)
        assert_int_equal(schedule.rate[call][FAULT_FAIL], 0);
    assert_int_equal(schedule.rate[FAULT_CALL_recv][FAULT_INTERRUPTED], FAULT_SCALE / 10);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_recv), FAULT_SCALE * 3 / 10);
    assert_int_equal(rate_of(&schedule, FAULT_CALL_slab), 0);
}

static void what_is_no_schedule_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "recv",        "recv=",        "recv=x",          "recv=2",       "recv=-0.1",
        "reading=1",   "recv=0.1x",    "seed=",           "seed=1x",      "recv=nan",
        "recv.lost=1", "pipe.short=1", "harmless.late=1", "pool.late=0.1"};
    struct fault_schedule schedule;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (fault_schedule_parse(bad[i], &schedule) != ST_BAD)
            fail_msg("%s was taken", bad[i]);
    }
}

/* The same seed gives the same faults, about as many as asked for, of all kinds. */
static void faults_come_as_asked_for(void **state)
{
    (void)state;
    enum { CALLS = 100000 };
    struct random random[2];
    unsigned seen[FAULT_KINDS] = {0};
    struct fault_schedule schedule = parsed("recv=0.04");
    random_seed(&random[0], 5);
    random_seed(&random[1], 5);
    for (int i = 0; i < CALLS; i++) {
        enum fault_kind kind = fault_draw(&schedule, &random[0], FAULT_CALL_recv);
        assert_int_equal(kind, fault_draw(&schedule, &random[1], FAULT_CALL_recv));
        assert_int_equal(fault_draw(&schedule, &random[0], FAULT_CALL_send), FAULT_NONE);
        seen[kind]++;
    }
    for (int kind = FAULT_FAIL; kind < FAULT_KINDS; kind++)
        assert_in_range(seen[kind], 800, 1200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_is_read),
        cmocka_unit_test(kinds_have_rates_of_their_own),
        cmocka_unit_test(harmless_is_all_but_to_fail),
        cmocka_unit_test(what_is_no_schedule_is_refused),
        cmocka_unit_test(faults_come_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
