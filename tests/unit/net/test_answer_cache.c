#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/answer_cache.h"

#include <stdio.h>

static struct answer_key key_of(const char *name, enum inet_family family)
{
    struct answer_key key;
    answer_key_make(&key, slice_from_string(name), family, false);
    return key;
}

static struct address_set *set_of(const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    struct address_set *set = address_set_create(&addr, 1);
    assert_non_null(set);
    return set;
}

/* Keep a "no" under this name until then. */
static void put(struct answer_cache *cache, const char *name, uint64_t expires_ns)
{
    struct answer_key key = key_of(name, INET_V4);
    answer_cache_put(cache, &key, ANSWER_NXDOMAIN, NULL, expires_ns);
}

static bool holds(struct answer_cache *cache, const char *name, uint64_t now_ns)
{
    struct answer_key key = key_of(name, INET_V4);
    return answer_cache_find(cache, &key, now_ns) != NULL;
}

/* An answer comes back with its kind and its addresses, which the cache holds by itself. */
static void an_answer_comes_back(void **state)
{
    (void)state;
    struct answer_cache cache;
    struct answer_key key = key_of("a.example", INET_V4);
    struct address_set *set = set_of("192.0.2.1");
    answer_cache_init(&cache, 10);
    answer_cache_put(&cache, &key, ANSWER_FOUND, set, 1000);
    assert_int_equal(set->refs, 2);
    address_set_unref(&set);
    const struct cached_answer *answer = answer_cache_find(&cache, &key, 1);
    assert_non_null(answer);
    assert_int_equal(answer->result, ANSWER_FOUND);
    assert_int_equal(answer->expires_ns, 1000);
    assert_int_equal(answer->set->count, 1);
    answer_cache_done(&cache);
}

/* Name and family together are the key; the name of the longest host has room. */
static void families_and_names_are_told_apart(void **state)
{
    (void)state;
    struct answer_cache cache;
    char longest[HOST_MAX];
    memset(longest, 'a', sizeof(longest));
    struct answer_key four = key_of("a.example", INET_V4);
    struct answer_key six = key_of("a.example", INET_V6);
    struct answer_key large;
    assert_false(answer_key_equals(&four, &six));
    answer_cache_init(&cache, 10);
    answer_cache_put(&cache, &four, ANSWER_NODATA, NULL, 1000);
    assert_null(answer_cache_find(&cache, &six, 1));
    answer_key_make(&large, slice_of(longest, HOST_MAX), INET_V6, false);
    answer_cache_put(&cache, &large, ANSWER_NODATA, NULL, 1000);
    assert_non_null(answer_cache_find(&cache, &large, 1));
    answer_key_make(&large, slice_of(longest, HOST_MAX - 1), INET_V6, false);
    assert_null(answer_cache_find(&cache, &large, 1));
    assert_int_equal(answer_cache_count(&cache), 2);
    answer_cache_done(&cache);
}

/* An answer is good until the moment it expires, and is then gone for good. */
static void an_expired_answer_is_never_given(void **state)
{
    (void)state;
    struct answer_cache cache;
    answer_cache_init(&cache, 10);
    put(&cache, "a.example", 1000);
    assert_true(holds(&cache, "a.example", 999));
    assert_false(holds(&cache, "a.example", 1000));
    assert_int_equal(answer_cache_count(&cache), 0);
    assert_false(holds(&cache, "a.example", 1));
    answer_cache_done(&cache);
}

/* A newer answer takes the place of the one before. */
static void a_newer_answer_takes_the_place(void **state)
{
    (void)state;
    struct answer_cache cache;
    struct answer_key key = key_of("a.example", INET_V4);
    struct address_set *set = set_of("192.0.2.1");
    answer_cache_init(&cache, 10);
    answer_cache_put(&cache, &key, ANSWER_FOUND, set, 1000);
    answer_cache_put(&cache, &key, ANSWER_NXDOMAIN, NULL, 2000);
    assert_int_equal(set->refs, 1);
    assert_int_equal(answer_cache_count(&cache), 1);
    const struct cached_answer *answer = answer_cache_find(&cache, &key, 1500);
    assert_non_null(answer);
    assert_int_equal(answer->result, ANSWER_NXDOMAIN);
    assert_null(answer->set);
    answer_cache_put(&cache, &key, ANSWER_FOUND, set, 3000); /* and back */
    assert_int_equal(set->refs, 2);
    address_set_unref(&set);
    answer_cache_done(&cache);
}

/* A full cache lets the answer go that was not asked for the longest. */
static void the_longest_unused_leaves_first(void **state)
{
    (void)state;
    struct answer_cache cache;
    answer_cache_init(&cache, 3);
    put(&cache, "a.example", 1000);
    put(&cache, "b.example", 1000);
    put(&cache, "c.example", 1000);
    assert_true(holds(&cache, "a.example", 1)); /* now b is the oldest */
    put(&cache, "d.example", 1000);
    assert_int_equal(answer_cache_count(&cache), 3);
    assert_false(holds(&cache, "b.example", 1));
    assert_true(holds(&cache, "a.example", 1));
    assert_true(holds(&cache, "c.example", 1));
    assert_true(holds(&cache, "d.example", 1));
    put(&cache, "a.example", 2000); /* one in its own place pushes nobody out */
    assert_true(holds(&cache, "c.example", 1));
    assert_true(holds(&cache, "d.example", 1));
    answer_cache_done(&cache);
}

/* A cache of no size keeps nothing. */
static void a_cache_of_no_size_keeps_nothing(void **state)
{
    (void)state;
    struct answer_cache cache;
    answer_cache_init(&cache, 0);
    put(&cache, "a.example", 1000);
    assert_int_equal(answer_cache_count(&cache), 0);
    assert_false(holds(&cache, "a.example", 1));
    answer_cache_done(&cache);
}

/* Thousands of names stay within the cap, and a cleared cache is empty and works. */
static void the_cap_holds_for_thousands(void **state)
{
    (void)state;
    enum { CAP = 100, NAMES = 5000 };
    struct answer_cache cache;
    char name[32];
    answer_cache_init(&cache, CAP);
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%d.example", i);
        put(&cache, name, 1000);
        assert_int_equal(answer_cache_count(&cache), i < CAP ? i + 1 : CAP);
    }
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%d.example", i);
        assert_int_equal(holds(&cache, name, 1), i >= NAMES - CAP);
    }
    answer_cache_clear(&cache);
    assert_int_equal(answer_cache_count(&cache), 0);
    put(&cache, "a.example", 1000);
    assert_true(holds(&cache, "a.example", 1));
    answer_cache_done(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back),
        cmocka_unit_test(families_and_names_are_told_apart),
        cmocka_unit_test(an_expired_answer_is_never_given),
        cmocka_unit_test(a_newer_answer_takes_the_place),
        cmocka_unit_test(the_longest_unused_leaves_first),
        cmocka_unit_test(a_cache_of_no_size_keeps_nothing),
        cmocka_unit_test(the_cap_holds_for_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
