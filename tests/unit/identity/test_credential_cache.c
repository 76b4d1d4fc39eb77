#include "identity_test.h"

#include "identity/credential_cache.h"

static struct digest field(uint64_t number)
{
    return (struct digest){{number, ~number}};
}

static void put(struct credential_cache *cache, uint64_t number, uint64_t now_ns)
{
    struct digest digest = field(number);
    struct credential_memory memory = {field(number + 1), (uint32_t)number};
    credential_cache_put(cache, &digest, now_ns, &memory);
}

static bool has(struct credential_cache *cache, uint64_t number, uint64_t now_ns)
{
    struct digest digest = field(number);
    struct digest proof = field(number + 1);
    const struct credential_memory *memory = credential_cache_find(cache, &digest, now_ns, 100);
    if (memory == NULL)
        return false;
    assert_int_equal(memory->member, number);
    assert_true(digest_equals(&memory->proof, &proof));
    return true;
}

static void what_was_right_is_remembered_for_its_lifetime(void **state)
{
    (void)state;
    struct credential_cache cache;
    credential_cache_init(&cache);
    assert_false(has(&cache, 7, 1000));
    put(&cache, 7, 1000);
    assert_true(has(&cache, 7, 1000));
    assert_true(has(&cache, 7, 1099));
    assert_false(has(&cache, 7, 1100));
    assert_false(has(&cache, 8, 1000));
    put(&cache, 7, 1200); /* judged again */
    assert_true(has(&cache, 7, 1250));
    credential_cache_done(&cache);
}

/* Where a member stands may change with the roster, and is written down anew. */
static void where_it_stands_is_written_anew(void **state)
{
    (void)state;
    struct credential_cache cache;
    struct digest seven = field(7);
    credential_cache_init(&cache);
    put(&cache, 7, 1000);
    credential_cache_find(&cache, &seven, 1001, 100)->member = 12;
    assert_int_equal(credential_cache_find(&cache, &seven, 1002, 100)->member, 12);
    assert_null(credential_cache_find(&cache, &seven, 1100, 100));
    credential_cache_done(&cache);
}

/* More than there is room for: the newest are there, and in one row the oldest leaves. */
static void the_oldest_leaves(void **state)
{
    (void)state;
    struct credential_cache cache;
    credential_cache_init(&cache);
    for (uint64_t i = 0; i < 10ULL * CREDENTIAL_CACHE_COUNT; i++)
        put(&cache, i, 1000 + i / CREDENTIAL_CACHE_COUNT);
    for (uint64_t i = 9ULL * CREDENTIAL_CACHE_COUNT; i < 10ULL * CREDENTIAL_CACHE_COUNT; i++)
        assert_true(has(&cache, i, 1010));
    assert_false(has(&cache, 0, 1010));
    credential_cache_done(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_right_is_remembered_for_its_lifetime),
        cmocka_unit_test(where_it_stands_is_written_anew),
        cmocka_unit_test(the_oldest_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
