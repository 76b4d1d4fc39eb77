/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/least.h"

enum { MANY = 61 };

static struct least_item item_of(uint64_t key, uint64_t tie, void *what)
{
    return (struct least_item){key, tie, what};
}

/* In whatever order they come, of any number the least are kept, and sorted. */
static void the_least_are_kept_in_order(void **state)
{
    (void)state;
    for (size_t limit = 1; limit <= MANY + 1; limit++) {
        struct least_item items[MANY + 1];
        struct least least = {.items = items, .limit = limit};
        for (uint64_t i = 0; i < MANY; i++) {
            uint64_t key = i * 17 % MANY; /* each once */
            if (least_wants(&least, key, 0))
                (void)least_put(&least, item_of(key, 0, NULL));
        }
        size_t expected = limit < MANY ? limit : MANY;
        assert_int_equal(least.count, expected);
        least_sort(&least);
        for (size_t i = 0; i < expected; i++)
            assert_int_equal(items[i].key, i);
    }
}

/* Of the same key the lower tie is less, and what is equal to the greatest is not wanted in its place. */
static void of_the_same_key_the_lower_tie_is_less(void **state)
{
    (void)state;
    struct least_item items[2];
    struct least least = {.items = items, .limit = 2};
    (void)least_put(&least, item_of(5, 3, NULL));
    (void)least_put(&least, item_of(5, 2, NULL));
    assert_false(least_wants(&least, 5, 4));
    assert_false(least_wants(&least, 5, 3));
    assert_false(least_wants(&least, 6, 0));
    assert_true(least_wants(&least, 5, 1));
    assert_true(least_wants(&least, 4, 9));
    (void)least_put(&least, item_of(5, 1, NULL));
    least_sort(&least);
    assert_int_equal(items[0].tie, 1);
    assert_int_equal(items[1].tie, 2);
}

/* Who puts one in hears which one is dropped for it, so that what it had can be used again. */
static void what_is_dropped_is_told(void **state)
{
    (void)state;
    char whats[4];
    struct least_item items[2];
    struct least least = {.items = items, .limit = 2};
    assert_null(least_put(&least, item_of(20, 0, &whats[0])));
    assert_null(least_put(&least, item_of(10, 0, &whats[1])));
    assert_ptr_equal(least_put(&least, item_of(15, 0, &whats[2])), &whats[0]);
    assert_ptr_equal(least_put(&least, item_of(5, 0, &whats[3])), &whats[2]);
}

static void of_none_nothing_is_wanted(void **state)
{
    (void)state;
    struct least least = {.limit = 0};
    assert_false(least_wants(&least, 0, 0));
    least_sort(&least);
    assert_int_equal(least.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_are_kept_in_order),
        cmocka_unit_test(of_the_same_key_the_lower_tie_is_less),
        cmocka_unit_test(what_is_dropped_is_told),
        cmocka_unit_test(of_none_nothing_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
