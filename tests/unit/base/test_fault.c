#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/fault.h"

/* Words set the seed, all calls, or one; later words win. */
static void a_schedule_is_read(void **state)
{
    (void)state;
    struct fault_schedule schedule;
    assert_int_equal(fault_schedule_parse("", &schedule), ST_OK);
    assert_int_equal(schedule.per_million[FAULT_CALL_recv], 0);
    assert_int_equal(fault_schedule_parse("seed=7 all=0.01 recv=0.5 slab=0", &schedule), ST_OK);
    assert_int_equal(schedule.seed, 7);
    assert_int_equal(schedule.per_million[FAULT_CALL_send], 10000);
    assert_int_equal(schedule.per_million[FAULT_CALL_recv], 500000);
    assert_int_equal(schedule.per_million[FAULT_CALL_slab], 0);
}

static void what_is_no_schedule_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"recv",   "recv=",     "recv=x", "recv=2",  "recv=-0.1",
                                      "read=1", "recv=0.1x", "seed=",  "seed=1x", "recv=nan"};
    struct fault_schedule schedule;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (fault_schedule_parse(bad[i], &schedule) != ST_BAD)
            fail_msg("%s was taken", bad[i]);
    }
}

/* The same seed gives the same faults, about as many as asked for, of all three kinds. */
static void faults_come_as_asked_for(void **state)
{
    (void)state;
    enum { CALLS = 100000 };
    struct fault_schedule schedule;
    struct random random[2];
    unsigned seen[FAULT_LATE + 1] = {0};
    assert_int_equal(fault_schedule_parse("recv=0.03", &schedule), ST_OK);
    random_seed(&random[0], 5);
    random_seed(&random[1], 5);
    for (int i = 0; i < CALLS; i++) {
        enum fault_kind kind = fault_draw(&schedule, &random[0], FAULT_CALL_recv);
        assert_int_equal(kind, fault_draw(&schedule, &random[1], FAULT_CALL_recv));
        assert_int_equal(fault_draw(&schedule, &random[0], FAULT_CALL_send), FAULT_NONE);
        seen[kind]++;
    }
    for (int kind = FAULT_FAIL; kind <= FAULT_LATE; kind++)
        assert_in_range(seen[kind], 800, 1200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_is_read),
        cmocka_unit_test(what_is_no_schedule_is_refused),
        cmocka_unit_test(faults_come_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
