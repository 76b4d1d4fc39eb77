#include "record_test.h"

#include "base/check.h"
#include "record/counter.h"

#include <stdbool.h>
#include <string.h>

static void a_sum_runs_over_all_workers(void **state)
{
    (void)state;
    static struct counters a;
    static struct counters b;
    const struct counters *workers[] = {&a, &b};
    counter_add(&a, COUNT_REQUESTS, 3);
    counter_add(&b, COUNT_REQUESTS, 4);
    assert_int_equal(counter_sum(workers, COUNT_OF(workers), COUNT_REQUESTS), 7);
    assert_int_equal(counter_sum(workers, COUNT_OF(workers), COUNT_TUNNELS), 0);
    assert_int_equal(counter_sum(NULL, 0, COUNT_REQUESTS), 0);
}

static void a_gauge_raised_here_and_lowered_there_comes_out_right(void **state)
{
    (void)state;
    static struct counters a;
    static struct counters b;
    const struct counters *workers[] = {&a, &b};
    counter_add(&a, COUNT_TUNNELS_OPEN, 5);
    counter_sub(&b, COUNT_TUNNELS_OPEN, 2);
    assert_int_equal(counter_sum(workers, COUNT_OF(workers), COUNT_TUNNELS_OPEN), 3);
}

static void names_follow_the_conventions(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT_COUNT; i++) {
        const char *name = counter_metric((enum counter)i);
        size_t len = strlen(name);
        bool is_total = len > 6 && strcmp(name + len - 6, "_total") == 0;
        assert_int_equal(is_total, counter_kind((enum counter)i) == COUNTER);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
        assert_true(strlen(counter_help((enum counter)i)) > 0);
        assert_null(strpbrk(counter_help((enum counter)i), "\\\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_runs_over_all_workers),
        cmocka_unit_test(a_gauge_raised_here_and_lowered_there_comes_out_right),
        cmocka_unit_test(names_follow_the_conventions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
