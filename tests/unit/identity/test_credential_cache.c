#include "identity_test.h"

#include "identity/credential_cache.h"

static const uint8_t one[DIGEST_SHA256] = {1};
static const uint8_t two[DIGEST_SHA256] = {2};

static struct digest field(uint64_t number)
{
    return (struct digest){{number, ~number}};
}

static void put(struct credential_cache *cache, const uint8_t *roster, uint64_t number,
                uint64_t now_ns)
{
    struct digest digest = field(number);
    credential_cache_put(cache, roster, &digest, now_ns, (uint32_t)number);
}

static bool has(struct credential_cache *cache, const uint8_t *roster, uint64_t number,
                uint64_t now_ns)
{
    struct digest digest = field(number);
    uint32_t member = 0;
    bool is_there = credential_cache_find(cache, roster, &digest, now_ns, 100, &member);
    if (is_there)
        assert_int_equal(member, number);
    return is_there;
}

static void what_was_right_is_remembered_for_its_lifetime(void **state)
{
    (void)state;
    struct credential_cache cache;
    credential_cache_init(&cache);
    assert_false(has(&cache, one, 7, 1000));
    put(&cache, one, 7, 1000);
    assert_true(has(&cache, one, 7, 1000));
    assert_true(has(&cache, one, 7, 1099));
    assert_false(has(&cache, one, 7, 1100));
    assert_false(has(&cache, one, 8, 1000));
    put(&cache, one, 7, 1200); /* judged again */
    assert_true(has(&cache, one, 7, 1250));
    credential_cache_done(&cache);
}

/* Who was known to another roster is forgotten, also when the first one comes back. */
static void another_roster_is_another_verdict(void **state)
{
    (void)state;
    struct credential_cache cache;
    credential_cache_init(&cache);
    put(&cache, one, 7, 1000);
    assert_false(has(&cache, two, 7, 1000));
    assert_false(has(&cache, one, 7, 1000));
    put(&cache, one, 7, 1000);
    put(&cache, two, 8, 1000);
    assert_true(has(&cache, two, 8, 1000));
    assert_false(has(&cache, two, 7, 1000));
    credential_cache_done(&cache);
}

/* More than there is room for: the newest are there, and in one row the oldest leaves. */
static void the_oldest_leaves(void **state)
{
    (void)state;
    struct credential_cache cache;
    credential_cache_init(&cache);
    for (uint64_t i = 0; i < 10ULL * CREDENTIAL_CACHE_COUNT; i++)
        put(&cache, one, i, 1000 + i / CREDENTIAL_CACHE_COUNT);
    for (uint64_t i = 9ULL * CREDENTIAL_CACHE_COUNT; i < 10ULL * CREDENTIAL_CACHE_COUNT; i++)
        assert_true(has(&cache, one, i, 1010));
    assert_false(has(&cache, one, 0, 1010));
    credential_cache_done(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_right_is_remembered_for_its_lifetime),
        cmocka_unit_test(another_roster_is_another_verdict),
        cmocka_unit_test(the_oldest_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
