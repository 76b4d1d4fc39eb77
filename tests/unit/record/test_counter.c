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
    const char *family = ""; /* whose members stand together; the first has the help */
    size_t family_len = 0;
    for (int i = 0; i < COUNT_COUNT; i++) {
        const char *name = counter_metric((enum counter)i);
        const char *help = counter_help((enum counter)i);
        size_t len = strcspn(name, "{");
        bool is_total = len > 6 && strncmp(name + len - 6, "_total", 6) == 0;
        bool is_next = len == family_len && strncmp(name, family, len) == 0;
        assert_int_equal(is_total, counter_kind((enum counter)i) == COUNTER);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
        assert_true(name[len] == '\0' || name[strlen(name) - 1] == '}');
        assert_true(strlen(help) > 0 || is_next);
        assert_null(strpbrk(help, "\\\n"));
        family = name;
        family_len = len;
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
