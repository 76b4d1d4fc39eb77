#include "base_test.h"

#include "base/clock.h"
#include "base/stint.h"

static void a_stint_is_over_in_its_time(void **state)
{
    (void)state;
    struct stint stint;
    clock_freeze(1000, 0);
    stint_begin(&stint, clock_monotonic_ns(), 50);
    assert_false(stint_is_over(&stint, clock_monotonic_ns()));
    clock_advance(49);
    assert_false(stint_is_over(&stint, clock_monotonic_ns()));
    clock_advance(1);
    assert_true(stint_is_over(&stint, clock_monotonic_ns()));
    clock_restore();
}

/* What others have of the processor is not counted, however often they take it. */
static void what_others_take_does_not_count(void **state)
{
    (void)state;
    struct stint stint;
    clock_freeze(1000, 0);
    stint_begin(&stint, clock_monotonic_ns(), 50);
    for (unsigned had = 10; had < 50; had += 10) {
        clock_advance(10);
        clock_lose(1000);
        assert_false(stint_is_over(&stint, clock_monotonic_ns()));
    }
    clock_lose(1000);
    clock_advance(9);
    assert_false(stint_is_over(&stint, clock_monotonic_ns()));
    clock_advance(1);
    assert_true(stint_is_over(&stint, clock_monotonic_ns()));
    clock_restore();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stint_is_over_in_its_time),
        cmocka_unit_test(what_others_take_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
