#include "base_test.h"

#include "base/chain.h"
#include "base/random.h"

#include <stdlib.h>

static char pattern[400000];

static int fill_pattern(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)random_next(&random);
    return 0;
}

static struct block_pool *pool_of(size_t limit_bytes)
{
    struct block_pool *pool = block_pool_create(1 << 20, limit_bytes);
    assert_non_null(pool);
    return pool;
}

static void an_empty_chain_holds_no_block(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0);
    struct chain chain;
    struct iovec iov[2];
    chain_init(&chain, pool);
    assert_true(chain_is_empty(&chain));
    assert_int_equal(chain_iovec(&chain, iov, 2), 0);
    assert_int_equal(chain_append(&chain, SLICE_NONE), ST_OK);
    assert_int_equal(block_pool_used(pool), 0);
    assert_int_equal(chain_append(&chain, SLICE("x")), ST_OK);
    assert_true(block_pool_used(pool) > 0);
    chain_consume(&chain, 1);
    assert_int_equal(block_pool_used(pool), 0);
    block_pool_destroy(&pool);
}

/* The contiguous bytes at the front. */
static struct slice front_of(const struct chain *chain)
{
    struct iovec iov = {NULL, 0};
    (void)chain_iovec(chain, &iov, 1); /* an empty chain leaves it as it is */
    return slice_of(iov.iov_base, iov.iov_len);
}

/* Take everything out in steps of `step`, and compare with the pattern. */
static void take_all(struct chain *chain, size_t from, size_t step)
{
    while (!chain_is_empty(chain)) {
        struct slice front = slice_first(front_of(chain), step);
        assert_true(front.len > 0);
        assert_memory_equal(front.at, pattern + from, front.len);
        from += front.len;
        chain_consume(chain, front.len);
    }
}

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 15, 4072, 4073, 4096, 65536, 262144, 400000};
    struct block_pool *pool = pool_of(0);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct chain chain;
        chain_init(&chain, pool);
        assert_int_equal(chain_append(&chain, slice_of(pattern, lengths[i])), ST_OK);
        assert_int_equal(chain.len, lengths[i]);
        take_all(&chain, 0, 1000);
        assert_int_equal(block_pool_used(pool), 0);
    }
    block_pool_destroy(&pool);
}

static void appending_and_taking_by_turns_keeps_the_order(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0);
    struct chain chain;
    struct random random;
    size_t in = 0;
    size_t out = 0;
    random_seed(&random, 3);
    chain_init(&chain, pool);
    while (in < sizeof(pattern)) {
        size_t take = random_below(&random, 9000);
        take = take < sizeof(pattern) - in ? take : sizeof(pattern) - in;
        assert_int_equal(chain_append(&chain, slice_of(pattern + in, take)), ST_OK);
        in += take;
        struct slice front = slice_first(front_of(&chain), random_below(&random, 9000));
        if (front.len > 0)
            assert_memory_equal(front.at, pattern + out, front.len);
        out += front.len;
        chain_consume(&chain, front.len);
        assert_int_equal(chain.len, in - out);
    }
    take_all(&chain, out, SIZE_MAX);
    block_pool_destroy(&pool);
}

static void small_appends_share_a_block(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0);
    struct chain chain;
    chain_init(&chain, pool);
    for (int i = 0; i < 100; i++)
        assert_int_equal(chain_append(&chain, slice_of(pattern + i * 10, 10)), ST_OK);
    assert_int_equal(block_pool_used(pool), BLOCK_SMALL);
    assert_int_equal(front_of(&chain).len, 1000);
    take_all(&chain, 0, SIZE_MAX);
    block_pool_destroy(&pool);
}

static void iovec_names_all_pieces_up_to_its_size(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0);
    struct chain chain;
    struct iovec iov[8];
    size_t total = 0;
    chain_init(&chain, pool);
    assert_int_equal(chain_append(&chain, slice_of(pattern, sizeof(pattern))), ST_OK);
    int count = chain_iovec(&chain, iov, 8);
    assert_true(count >= 2);
    for (int i = 0; i < count; i++) {
        assert_memory_equal(iov[i].iov_base, pattern + total, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    assert_int_equal(total, sizeof(pattern));
    assert_int_equal(chain_iovec(&chain, iov, 1), 1);
    chain_clear(&chain);
    assert_int_equal(block_pool_used(pool), 0);
    block_pool_destroy(&pool);
}

static void an_append_that_finds_no_memory_changes_nothing(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(BLOCK_SMALL + BLOCK_HUGE);
    struct chain chain;
    chain_init(&chain, pool);

    /* Into an empty chain: the first block is there, the second is not. */
    assert_int_equal(chain_append(&chain, slice_of(pattern, 300000)), ST_NOMEM);
    assert_true(chain_is_empty(&chain));
    assert_int_equal(block_pool_used(pool), 0);

    /* Behind bytes that are queued already. */
    assert_int_equal(chain_append(&chain, slice_of(pattern, 10)), ST_OK);
    assert_int_equal(chain_append(&chain, slice_of(pattern, 300000)), ST_NOMEM);
    assert_int_equal(chain.len, 10);
    assert_int_equal(block_pool_used(pool), BLOCK_SMALL);

    /* And the chain goes on working. */
    assert_int_equal(chain_append(&chain, slice_of(pattern + 10, 5000)), ST_OK);
    assert_int_equal(chain.len, 5010);
    take_all(&chain, 0, SIZE_MAX);
    block_pool_destroy(&pool);
}

/* Room is behind what is queued, in one piece, and is given up whole where nothing is written. */
static void room_can_be_written_to(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(0);
    struct chain chain;
    size_t from = 0, room = 0;
    chain_init(&chain, pool);
    static const size_t lengths[] = {0, 1, 4000, 0, 100, 0, 4032, 16000, CHAIN_PIECE_MAX, 0, 3};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        size_t used = block_pool_used(pool);
        char *at = chain_reserve(&chain, lengths[i] > 0 ? lengths[i] : 30000, &room);
        assert_non_null(at);
        assert_true(room >= lengths[i]);
        memcpy(at, pattern + from, lengths[i]);
        chain_commit(&chain, lengths[i]);
        from += lengths[i];
        assert_int_equal(chain.len, from);
        if (lengths[i] == 0)
            assert_int_equal(block_pool_used(pool), used);
    }
    assert_int_equal(chain_append(&chain, slice_of(pattern + from, 50)), ST_OK);
    take_all(&chain, 0, 777);
    assert_int_equal(block_pool_used(pool), 0);
    block_pool_destroy(&pool);
}

/* Out of memory nothing changes. */
static void no_room_leaves_all_as_it_was(void **state)
{
    (void)state;
    struct block_pool *pool = pool_of(BLOCK_SMALL);
    struct chain chain;
    size_t room = 0;
    chain_init(&chain, pool);
    assert_int_equal(chain_append(&chain, slice_of(pattern, 4000)), ST_OK);
    assert_null(chain_reserve(&chain, 1000, &room));
    assert_int_equal(chain.len, 4000);
    assert_non_null(chain_reserve(&chain, 10, &room));
    chain_commit(&chain, 0);
    take_all(&chain, 0, 4000);
    assert_int_equal(block_pool_used(pool), 0);
    block_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_chain_holds_no_block),
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(appending_and_taking_by_turns_keeps_the_order),
        cmocka_unit_test(small_appends_share_a_block),
        cmocka_unit_test(iovec_names_all_pieces_up_to_its_size),
        cmocka_unit_test(an_append_that_finds_no_memory_changes_nothing),
        cmocka_unit_test(room_can_be_written_to),
        cmocka_unit_test(no_room_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
