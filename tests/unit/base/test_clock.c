#include "base_test.h"

#include "base/clock.h"

#include <time.h>

/* Monotonic time never runs backwards, and both clocks agree with the kernel's. */
static void the_clocks_are_the_kernels(void **state)
{
    (void)state;
    struct timespec now;
    uint64_t first = clock_monotonic_ns();
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    uint64_t second = clock_monotonic_ns();
    uint64_t between = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    assert_true(first <= between && between <= second);

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    uint64_t wall = clock_wall_ns();
    between = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    uint64_t apart = wall > between ? wall - between : between - wall;
    assert_true(apart < 60 * NS_PER_S); /* somebody may set it meanwhile */
}

/* A frozen clock stands, moves by exactly what it is told, both hands alike, and is given back. */
static void a_frozen_clock_moves_only_when_told(void **state)
{
    (void)state;
    clock_freeze(5, 1000);
    assert_int_equal(clock_monotonic_ns(), 5);
    assert_int_equal(clock_wall_ns(), 1000);
    assert_int_equal(clock_monotonic_ns(), 5);
    clock_advance(7 * NS_PER_S + 1);
    assert_int_equal(clock_monotonic_ns(), 7 * NS_PER_S + 6);
    assert_int_equal(clock_wall_ns(), 7 * NS_PER_S + 1001);
    assert_int_equal(clock_thread_ns(), 7 * NS_PER_S + 6);
    clock_lose(3);
    assert_int_equal(clock_monotonic_ns(), 7 * NS_PER_S + 9);
    assert_int_equal(clock_wall_ns(), 7 * NS_PER_S + 1004);
    assert_int_equal(clock_thread_ns(), 7 * NS_PER_S + 6);
    clock_freeze(1, 2);
    assert_int_equal(clock_monotonic_ns(), 1);
    clock_creep(3);
    assert_int_equal(clock_monotonic_ns(), 4);
    assert_int_equal(clock_monotonic_ns(), 7);
    assert_int_equal(clock_wall_ns(), 2);
    assert_int_equal(clock_thread_ns(), 7);
    clock_creep(0);
    assert_int_equal(clock_monotonic_ns(), 7);
    clock_restore();
    assert_true(clock_monotonic_ns() > 1);
    assert_true(clock_wall_ns() > 1000000 * NS_PER_S);
    assert_true(clock_thread_ns() < clock_monotonic_ns());
}

static void assert_date(time_t seconds)
{
    char seen[CLOCK_HTTP_DATE_TEXT];
    char expected[64];
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    assert_int_equal(strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm), 29);
    clock_http_date((uint64_t)seconds * NS_PER_S, seen);
    assert_string_equal(seen, expected);
    clock_http_date((uint64_t)seconds * NS_PER_S + NS_PER_S - 1, seen); /* cut, never rounded up */
    assert_string_equal(seen, expected);
}

/* shows 9110-5.6.7-2 */
/* The example of RFC 9110 §5.6.7 comes out letter by letter. */
static void the_example_of_the_rfc_comes_out(void **state)
{
    (void)state;
    char date[CLOCK_HTTP_DATE_TEXT];
    clock_http_date(784111777 * NS_PER_S, date);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_http_date(0, date);
    assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* shows 9110-5.6.7-2 */
/* Dates agree with the C library's for every day of five centuries, leap days among them. */
static void dates_agree_with_the_library(void **state)
{
    (void)state;
    for (time_t day = 0; day < 365L * 500; day++)
        assert_date(day * 86400 + day % 86400);
}

/* Seconds before and after midnight, the end of a year and of 32-bit time are told apart. */
static void the_edges_of_days_and_years_are_exact(void **state)
{
    (void)state;
    static const time_t edges[] = {
        951782400,   /* 29 Feb 2000 */
        951868800,   /* 1 Mar 2000 */
        4107542400,  /* 1 Mar 2100, no leap year */
        1704067200,  /* 1 Jan 2024 */
        2147483648,  /* beyond 31 bits */
        4294967296,  /* beyond 32 bits */
        18446744073, /* the last whole second of 64 bits of nanoseconds */
    };
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        assert_date(edges[i] - 1);
        if (i + 1 < COUNT_OF(edges))
            assert_date(edges[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clocks_are_the_kernels),
        cmocka_unit_test(a_frozen_clock_moves_only_when_told),
        cmocka_unit_test(the_example_of_the_rfc_comes_out),
        cmocka_unit_test(dates_agree_with_the_library),
        cmocka_unit_test(the_edges_of_days_and_years_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
