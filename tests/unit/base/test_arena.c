#include "base_test.h"

#include "base/arena.h"
#include "base/random.h"

struct arena_test {
    struct block_pool *pool;
    struct arena arena;
};

static void arena_test_begin(struct arena_test *test, size_t limit_bytes, size_t cap)
{
    test->pool = block_pool_create(1 << 20, limit_bytes);
    assert_non_null(test->pool);
    arena_init(&test->arena, test->pool, cap);
}

static void arena_test_end(struct arena_test *test)
{
    arena_done(&test->arena);
    assert_int_equal(block_pool_used(test->pool), 0);
    block_pool_destroy(&test->pool);
}

/* An arena holds no block until something is asked for, and none after its end. */
static void an_empty_arena_holds_no_block(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, 0, 1000);
    assert_int_equal(block_pool_used(test.pool), 0);
    assert_non_null(arena_alloc(&test.arena, 1));
    assert_int_equal(block_pool_used(test.pool), BLOCK_SMALL);
    arena_done(&test.arena);
    assert_int_equal(block_pool_used(test.pool), 0);
    assert_int_equal(test.arena.used, 0);
    assert_non_null(arena_alloc(&test.arena, 1000)); /* it may be used again, with all of its cap */
    arena_test_end(&test);
}

/* Memory that is lent is used first, aligned like any other; the rest comes from blocks, and none is left of either. */
static void memory_that_is_lent_is_used_first(void **state)
{
    (void)state;
    struct arena_test test;
    char memory[256];
    arena_test_begin(&test, 0, 10000);
    arena_lend(&test.arena, memory + 1, sizeof(memory) - 1);
    char *first = arena_alloc(&test.arena, 100);
    char *second = arena_alloc(&test.arena, 100);
    assert_true(first > memory && second >= first + 100);
    assert_true(second + 100 <= memory + sizeof(memory));
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
    assert_int_equal(block_pool_used(test.pool), 0);
    assert_non_null(arena_alloc(&test.arena, 100));
    assert_int_equal(block_pool_used(test.pool), BLOCK_SMALL);
    assert_int_equal(test.arena.used, 300);
    arena_done(&test.arena);
    assert_int_equal(block_pool_used(test.pool), 0);
    assert_non_null(arena_alloc(&test.arena, 100));
    assert_int_equal(block_pool_used(test.pool), BLOCK_SMALL);
    arena_test_end(&test);
}

/* Pieces of any size are aligned for any type, lie apart, and keep what was written to them. */
static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 500 };
    struct arena_test test;
    struct random random;
    unsigned char *at[PIECES];
    size_t len[PIECES];
    arena_test_begin(&test, 0, 1 << 24);
    random_seed(&random, 11);
    for (size_t i = 0; i < PIECES; i++) {
        len[i] = i < 40 ? i : random_below(&random, 9000);
        at[i] = arena_alloc(&test.arena, len[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % _Alignof(max_align_t), 0);
        memset(at[i], (int)(i & 0xff), len[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < len[i]; k++)
            assert_int_equal(at[i][k], i & 0xff);
    }
    arena_test_end(&test);
}

/* Exactly the cap may be asked for; a byte more is refused and changes nothing. */
static void the_cap_is_met_exactly(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, 0, 100);
    assert_non_null(arena_alloc(&test.arena, 60));
    assert_null(arena_alloc(&test.arena, 41));
    assert_int_equal(test.arena.used, 60);
    assert_non_null(arena_alloc(&test.arena, 40));
    assert_int_equal(test.arena.used, 100);
    assert_null(arena_alloc(&test.arena, 1));
    assert_null(arena_alloc(&test.arena, SIZE_MAX));
    assert_non_null(arena_alloc(&test.arena, 0));
    arena_test_end(&test);
}

/* The largest request is a huge block less the header; more is refused whatever the cap. */
static void a_request_larger_than_a_block_is_refused(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, 0, SIZE_MAX);
    assert_null(arena_alloc(&test.arena, BLOCK_HUGE + 1));
    assert_null(arena_alloc(&test.arena, BLOCK_HUGE));
    assert_null(arena_alloc(&test.arena, SIZE_MAX));
    assert_int_equal(test.arena.used, 0);
    assert_int_equal(block_pool_used(test.pool), 0);
    char *at = arena_alloc(&test.arena, BLOCK_HUGE - 64);
    assert_non_null(at);
    memset(at, 1, BLOCK_HUGE - 64);
    arena_test_end(&test);
}

/* Where the pool has no block left the answer is NULL, and what is there goes on being used. */
static void a_pool_without_blocks_is_told(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, BLOCK_SMALL, 1 << 20);
    assert_non_null(arena_alloc(&test.arena, 100));
    assert_null(arena_alloc(&test.arena, BLOCK_SMALL));
    assert_int_equal(test.arena.used, 100);
    assert_non_null(arena_alloc(&test.arena, 100));
    arena_test_end(&test);
}

/* A copy has the bytes, NUL among them, and a terminator behind them. */
static void a_copy_is_terminated(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, 0, 1000);
    struct slice copy = arena_copy(&test.arena, SLICE("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.at, "a\0b", 4);
    copy = arena_copy(&test.arena, SLICE_NONE);
    assert_non_null(copy.at);
    assert_int_equal(copy.len, 0);
    assert_int_equal(copy.at[0], '\0');
    arena_test_end(&test);
}

/* A copy that does not fit with its terminator is NULL and empty. */
static void a_copy_beyond_the_cap_is_null(void **state)
{
    (void)state;
    struct arena_test test;
    arena_test_begin(&test, 0, 4);
    struct slice copy = arena_copy(&test.arena, SLICE("four"));
    assert_null(copy.at);
    assert_int_equal(copy.len, 0);
    assert_slice(arena_copy(&test.arena, SLICE("two")), "two");
    arena_test_end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_arena_holds_no_block),
        cmocka_unit_test(memory_that_is_lent_is_used_first),
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(the_cap_is_met_exactly),
        cmocka_unit_test(a_request_larger_than_a_block_is_refused),
        cmocka_unit_test(a_pool_without_blocks_is_told),
        cmocka_unit_test(a_copy_is_terminated),
        cmocka_unit_test(a_copy_beyond_the_cap_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
