#include "report_test.h"

#include "report/histogram.h"

static void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram_add_in(histogram, histogram_bucket(ns), ns);
}

static void limits_grow_from_10us_to_100s(void **state)
{
    (void)state;
    assert_int_equal(histogram_limit_ns(0), 10 * NS_PER_US);
    assert_int_equal(histogram_limit_ns(1), 12500);
    assert_int_equal(histogram_limit_ns(10), 100 * NS_PER_US);
    assert_int_equal(histogram_limit_ns(HISTOGRAM_LIMITS - 1), 100 * NS_PER_S);
    for (unsigned i = 1; i < HISTOGRAM_LIMITS; i++)
        assert_true(histogram_limit_ns(i) > histogram_limit_ns(i - 1));
    assert_true(histogram_is_coarse(0) && histogram_is_coarse(4) && histogram_is_coarse(7));
    assert_false(histogram_is_coarse(1) || histogram_is_coarse(5));
}

static void each_duration_is_in_its_bucket(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_LIMITS; i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, histogram_limit_ns(i));
        histogram_add(&histogram, histogram_limit_ns(i) + 1);
        assert_int_equal(histogram.buckets[i], 1);
        assert_int_equal(histogram.buckets[i + 1], 1);
    }
    struct histogram ends = {0};
    histogram_add(&ends, 0);
    histogram_add(&ends, UINT64_MAX / 2);
    assert_int_equal(ends.buckets[0], 1);
    assert_int_equal(ends.buckets[HISTOGRAM_LIMITS], 1);
}

/* Its bucket is guessed from the power of two. */
static void a_bucket_is_the_first_whose_limit_is_not_below(void **state)
{
    (void)state;
    for (uint64_t power = 1; power != 0; power <<= 1) {
        for (uint64_t sixth = 0; sixth < 6; sixth++) {
            uint64_t ns = power - 1 + power * sixth / 6;
            unsigned bucket = 0;
            while (bucket < HISTOGRAM_LIMITS && histogram_limit_ns(bucket) < ns)
                bucket++;
            assert_int_equal(histogram_bucket(ns), bucket);
        }
    }
}

static void quantiles_are_within_a_quarter(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_int_equal(histogram_quantile_ns(&histogram, 500), 0);
    for (uint64_t ms = 1; ms <= 1000; ms++)
        histogram_add(&histogram, MS(ms));
    static const unsigned permilles[] = {1, 10, 100, 500, 900, 990, 1000};
    for (size_t i = 0; i < COUNT_OF(permilles); i++) {
        uint64_t right = MS(permilles[i]);
        uint64_t found = histogram_quantile_ns(&histogram, permilles[i]);
        assert_true(found >= right - right / 5 && found <= right + right / 4);
    }
    assert_int_equal(histogram.sum_ns, MS(500500));
}

/* A bucket is wider than what is in it. */
static void no_quantile_is_above_the_largest(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    struct histogram all = {0};
    for (unsigned i = 0; i < 9; i++)
        histogram_add(&histogram, MS(21));
    histogram_join(&all, &histogram);
    assert_int_equal(histogram_quantile_ns(&histogram, 990), MS(21));
    assert_int_equal(histogram_quantile_ns(&all, 990), MS(21));
    for (unsigned i = 0; i < 4; i++)
        histogram_halve(&histogram);
    histogram_add(&histogram, MS(11));
    assert_int_equal(histogram_quantile_ns(&histogram, 990), MS(11));
}

static void halves_keep_the_shape(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    for (unsigned i = 0; i < 8; i++)
        histogram_add(&histogram, MS(10));
    histogram_add(&histogram, MS(100));
    histogram_halve(&histogram);
    assert_int_equal(histogram.count, 4);
    assert_true(histogram_quantile_ns(&histogram, 1000) <= MS(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_grow_from_10us_to_100s),
        cmocka_unit_test(each_duration_is_in_its_bucket),
        cmocka_unit_test(a_bucket_is_the_first_whose_limit_is_not_below),
        cmocka_unit_test(quantiles_are_within_a_quarter),
        cmocka_unit_test(no_quantile_is_above_the_largest),
        cmocka_unit_test(halves_keep_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
