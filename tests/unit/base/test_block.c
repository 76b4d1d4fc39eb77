#include "base_test.h"

#include "base/block.h"

static struct block_pool *pool_of(size_t keep_bytes, size_t limit_bytes)
{
    struct block_pool *pool = block_pool_create(keep_bytes, limit_bytes);
    assert_non_null(pool);
    return pool;
}

/* A block is the smallest class that holds what was asked for, up to the largest and not beyond. */
static void a_request_is_rounded_up_to_its_class(void **state)
{
    (void)state;
    static const struct {
        size_t want;
        size_t size;
    } rows[] = {
        {0, BLOCK_SMALL},
        {1, BLOCK_SMALL},
        {BLOCK_SMALL, BLOCK_SMALL},
        {BLOCK_SMALL + 1, BLOCK_MEDIUM},
        {BLOCK_MEDIUM, BLOCK_MEDIUM},
        {BLOCK_MEDIUM + 1, BLOCK_LARGE},
        {BLOCK_LARGE, BLOCK_LARGE},
        {BLOCK_LARGE + 1, BLOCK_HUGE},
        {BLOCK_HUGE, BLOCK_HUGE},
    };
    struct block_pool *pool = pool_of(0, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct block *block = block_create(pool, rows[i].want);
        assert_non_null(block);
        assert_int_equal(block->size, rows[i].size);
        memset(block->data, 0xaa, block->size); /* all of it is ours */
        assert_int_equal(block_pool_used(pool), rows[i].size);
        block_unref(&block);
        assert_null(block);
        assert_int_equal(block_pool_used(pool), 0);
    }
    assert_null(block_create(pool, BLOCK_HUGE + 1));
    assert_null(block_create(pool, SIZE_MAX));
    block_pool_destroy(&pool);
    assert_null(pool);
}

/* A block goes back with its last reference, not before. */
static void the_last_reference_gives_the_block_back(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0, 0);
    struct block *a = block_create(pool, 1);
    assert_non_null(a);
    struct block *b = block_ref(a);
    assert_ptr_equal(a, b);
    block_unref(&a);
    assert_null(a);
    assert_int_equal(block_pool_used(pool), BLOCK_SMALL);
    memset(b->data, 1, b->size);
    block_unref(&b);
    assert_int_equal(block_pool_used(pool), 0);
    block_unref(&b); /* takes NULL */
    block_pool_destroy(&pool);
}

/* The pool keeps returned blocks up to its bound, hands the newest out first, and frees the rest. */
static void returned_blocks_are_kept_up_to_the_bound(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(2 * BLOCK_SMALL, 0);
    struct block *blocks[3];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = block_create(pool, 1);
        assert_non_null(blocks[i]);
    }
    struct block *second = blocks[1];
    struct block *first = blocks[0];
    block_unref(&blocks[0]);
    assert_int_equal(block_pool_kept(pool), BLOCK_SMALL);
    block_unref(&blocks[1]);
    assert_int_equal(block_pool_kept(pool), 2 * BLOCK_SMALL);
    block_unref(&blocks[2]); /* one too many */
    assert_int_equal(block_pool_kept(pool), 2 * BLOCK_SMALL);
    blocks[0] = block_create(pool, 1);
    assert_ptr_equal(blocks[0], second);
    blocks[1] = block_create(pool, 1);
    assert_ptr_equal(blocks[1], first);
    assert_int_equal(block_pool_kept(pool), 0);
    assert_int_equal(block_pool_used(pool), 2 * BLOCK_SMALL);
    block_unref(&blocks[0]);
    block_unref(&blocks[1]);
    block_pool_destroy(&pool);
}

/* What lay on the free lists from one tidying to the next is freed; what was taken from them and came back is not. */
static void blocks_nobody_needed_are_freed(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(1 << 20, 0);
    struct block *blocks[4];
    bool has_more = true;
    assert_int_equal(block_pool_tidy(pool, &has_more), 0);
    assert_false(has_more);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = block_create(pool, i == 0 ? BLOCK_MEDIUM : 1);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        block_unref(&blocks[i]);
    assert_int_equal(block_pool_tidy(pool, &has_more), 0); /* all were needed until now */
    assert_true(has_more);
    blocks[0] = block_create(pool, 1);
    block_unref(&blocks[0]);
    assert_int_equal(block_pool_tidy(pool, &has_more), BLOCK_MEDIUM + 2 * BLOCK_SMALL);
    assert_true(has_more);
    assert_int_equal(block_pool_kept(pool), BLOCK_SMALL);
    assert_int_equal(block_pool_tidy(pool, &has_more), BLOCK_SMALL);
    assert_false(has_more);
    blocks[0] = block_create(pool, 1);
    assert_non_null(blocks[0]);
    memset(blocks[0]->data, 1, BLOCK_SMALL);
    block_unref(&blocks[0]);
    block_pool_destroy(&pool);
}

/* A kept block serves only requests of its own class. */
static void a_kept_block_serves_its_own_class(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(1 << 20, 0);
    struct block *large = block_create(pool, BLOCK_LARGE);
    assert_non_null(large);
    block_unref(&large);
    struct block *small = block_create(pool, 1);
    assert_non_null(small);
    assert_int_equal(small->size, BLOCK_SMALL);
    assert_int_equal(block_pool_kept(pool), BLOCK_LARGE);
    block_unref(&small);
    block_pool_destroy(&pool);
}

/* All blocks in use together stay within the limit; kept ones do not count. */
static void blocks_in_use_stay_within_the_limit(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(1 << 20, BLOCK_MEDIUM);
    struct block *blocks[4];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = block_create(pool, 1);
        assert_non_null(blocks[i]);
    }
    assert_int_equal(block_pool_used(pool), BLOCK_MEDIUM); /* exactly at the limit */
    assert_null(block_create(pool, 1));
    block_unref(&blocks[0]);
    assert_null(block_create(pool, BLOCK_MEDIUM));
    blocks[0] = block_create(pool, 1);
    assert_non_null(blocks[0]);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        block_unref(&blocks[i]);
    assert_int_equal(block_pool_kept(pool), 4 * BLOCK_SMALL);
    struct block *medium = block_create(pool, BLOCK_MEDIUM);
    assert_non_null(medium);
    block_unref(&medium);
    block_pool_destroy(&pool);
}

static void destroy_pool(void *with)
{
    struct block_pool *pool = with;
    block_pool_destroy(&pool);
}

/* A pool is not destroyed while a block is out. */
static void a_pool_with_a_block_out_is_not_destroyed(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0, 0);
    struct block *block = block_create(pool, 1);
    assert_non_null(block);
    assert_aborts(destroy_pool, pool);
    block_unref(&block);
    block_pool_destroy(&pool);
    block_pool_destroy(&pool); /* takes NULL */
}

/* Readers of other threads see what is handed out, also what was before they asked. */
static void what_is_handed_out_is_published(void **state)
{
    (void)state;
    _Atomic uint64_t published = 7;
    struct block_pool *pool = pool_of(BLOCK_SMALL, 0);
    struct block *first = block_create(pool, BLOCK_SMALL);
    block_pool_publish(pool, &published);
    assert_int_equal(atomic_load(&published), BLOCK_SMALL);
    struct block *second = block_create(pool, BLOCK_LARGE);
    assert_int_equal(atomic_load(&published), BLOCK_SMALL + BLOCK_LARGE);
    block_unref(&first);
    block_unref(&second);
    assert_int_equal(atomic_load(&published), 0);
    block_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_rounded_up_to_its_class),
        cmocka_unit_test(the_last_reference_gives_the_block_back),
        cmocka_unit_test(returned_blocks_are_kept_up_to_the_bound),
        cmocka_unit_test(blocks_nobody_needed_are_freed),
        cmocka_unit_test(a_kept_block_serves_its_own_class),
        cmocka_unit_test(blocks_in_use_stay_within_the_limit),
        cmocka_unit_test(what_is_handed_out_is_published),
        cmocka_unit_test(a_pool_with_a_block_out_is_not_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
