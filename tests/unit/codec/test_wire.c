#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "codec/wire.h"
#include "support/memory_pair.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 20 };

static char pattern[ROOM];

static int fill_pattern(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)random_next(&random);
    return 0;
}

/* A wire on one end of a connection in memory; the test is the peer. */
struct wire_test {
    struct loop *loop;
    struct wire_shared shared;
    struct memory_end *near;
    struct memory_end *far;
    struct wire wire;
};

/* `room`: bytes that may wait on either side; `limit_bytes` of blocks, 0 for no limit. */
static struct wire_test *test_begin(size_t room, size_t limit_bytes)
{
    struct wire_test *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    assert_int_equal(loop_create_simulated(&test->loop), ST_OK);
    test->shared.blocks = block_pool_create(0, limit_bytes);
    test->shared.scratch_bytes = WIRE_SCRATCH;
    test->shared.scratch = malloc(WIRE_SCRATCH);
    assert_non_null(test->shared.scratch);
    memory_pair_create(test->loop, room, &test->near, &test->far);
    wire_init(&test->wire, &test->near->base, &test->shared);
    return test;
}

static size_t used(const struct wire_test *test)
{
    return block_pool_used(test->shared.blocks);
}

static void test_end(struct wire_test *test)
{
    wire_done(&test->wire, /* is_abort= */ false);
    assert_null(test->wire.transport);
    assert_int_equal(used(test), 0);
    struct transport *far = &test->far->base;
    transport_close(&far, false);
    (void)loop_turn(test->loop, 0);
    loop_destroy(&test->loop);
    block_pool_destroy(&test->shared.blocks);
    free(test->shared.scratch);
    free(test);
}

/* The peer sends these bytes of the pattern. */
static void far_send(struct wire_test *test, size_t from, size_t len)
{
    size_t sent = 0;
    struct iovec iov = {pattern + from, len};
    assert_int_equal(transport_send(&test->far->base, &iov, 1, &sent), ST_OK);
    assert_int_equal(sent, len);
}

/* The peer receives exactly these bytes of the pattern. */
static void far_recv(struct wire_test *test, size_t from, size_t len)
{
    while (len > 0) {
        char into[4096];
        size_t got = 0;
        size_t want = len < sizeof(into) ? len : sizeof(into);
        assert_int_equal(transport_recv(&test->far->base, into, want, &got), ST_OK);
        assert_memory_equal(into, pattern + from, got);
        from += got;
        len -= got;
    }
}

static void assert_in(const struct wire_test *test, size_t from, size_t len)
{
    assert_int_equal(test->wire.in.len, len);
    if (len > 0)
        assert_memory_equal(test->wire.in.at, pattern + from, len);
}

/* ---- input ---- */

/* Input stays in one piece however it arrives, and counts what came. */
static void input_stays_in_one_piece(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 100);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_in(test, 0, 100);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_AGAIN);
    far_send(test, 100, 50000); /* more than what is left in the first block */
    while (test->wire.in.len < 50100)
        assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_in(test, 0, 50100);
    assert_int_equal(test->wire.in_bytes, 50100);
    wire_consume(&test->wire, 40);
    assert_in(test, 40, 50060);
    far_send(test, 50100, 5);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_in(test, 40, 50065);
    test_end(test);
}

/* At `max_bytes` of unread input nothing more is received; after use it goes on. */
static void unread_input_has_a_limit(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 1000);
    assert_int_equal(wire_fill(&test->wire, 1000), ST_OK);
    far_send(test, 1000, 1);
    assert_int_equal(wire_fill(&test->wire, 1000), ST_LIMIT);
    assert_in(test, 0, 1000);
    wire_consume(&test->wire, 1);
    assert_int_equal(wire_fill(&test->wire, 1000), ST_OK);
    assert_in(test, 1, 1000);
    test_end(test);
}

/* Whatever is allowed, no more than half of the largest block is gathered. */
static void input_never_outgrows_the_largest_block(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, ROOM / 2);
    enum status status;
    while ((status = wire_fill(&test->wire, SIZE_MAX)) == ST_OK)
        continue;
    assert_int_equal(status, ST_LIMIT);
    assert_true(test->wire.in.len >= BLOCK_HUGE / 2);
    assert_true(test->wire.in.len <= BLOCK_HUGE);
    assert_in(test, 0, test->wire.in.len);
    test_end(test);
}

/* What somebody else still looks at is not written over: a head's slices stay good (W2). */
static void a_referenced_block_is_not_written_over(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 1000);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    struct slice head = test->wire.in;
    struct block *block = block_ref(test->wire.block);
    wire_consume(&test->wire, 1000);
    for (size_t round = 0; round < 40; round++) {
        far_send(test, 5000 + round * 1000, 1000);
        assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
        assert_in(test, 5000 + round * 1000, 1000);
        wire_consume(&test->wire, 1000);
        assert_memory_equal(head.at, pattern, 1000);
    }
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    assert_memory_equal(head.at, pattern, 1000);
    block_unref(&block);
    test_end(test);
}

/* A block that nobody else looks at is used again from its beginning. */
static void a_block_of_its_own_is_used_again(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    for (size_t round = 0; round < 100; round++) {
        far_send(test, round * 1000, 1000);
        assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
        assert_in(test, round * 1000, 1000);
        wire_consume(&test->wire, 1000);
        assert_int_equal(used(test), BLOCK_MEDIUM);
    }
    test_end(test);
}

/* An idle wire holds no block once the turn is settled (W1). */
static void an_idle_wire_holds_no_block(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_AGAIN);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    assert_int_equal(used(test), 0);
    far_send(test, 0, 10);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    assert_in(test, 0, 10);
    wire_consume(&test->wire, 10);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    assert_int_equal(used(test), 0);
    assert_int_equal(test->wire.in.len, 0);
    test_end(test);
}

/* Input in the scratch costs no block; only what is unread at the turn's end is moved into one. */
static void unread_scratch_is_moved_at_the_turns_end(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 50000);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_in(test, 0, 50000);
    assert_int_equal(used(test), 0);
    wire_consume(&test->wire, 49000);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    memset(test->shared.scratch, 0, WIRE_SCRATCH); /* the next connection's turn */
    assert_in(test, 49000, 1000);
    assert_int_equal(used(test), BLOCK_SMALL);
    assert_int_equal(wire_settle(&test->wire), ST_OK); /* nothing is left to do */
    assert_in(test, 49000, 1000);
    far_send(test, 50000, 10);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_in(test, 49000, 1010);
    wire_consume(&test->wire, 1010);
    far_send(test, 50010, 10);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK); /* lets the empty block go */
    assert_in(test, 50010, 10);
    assert_int_equal(used(test), 0);
    assert_int_equal(test->wire.in_bytes, 50020);
    test_end(test);
}

/* All room of the scratch is for those who pass on what comes: the first receive has a part of it, and so has the
 * first one after something was left. */
static void the_scratch_is_for_those_who_pass_it_on(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 3 * WIRE_SCRATCH_FIRST);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_in(test, 0, WIRE_SCRATCH_FIRST);
    wire_consume(&test->wire, WIRE_SCRATCH_FIRST);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_in(test, WIRE_SCRATCH_FIRST, 2 * WIRE_SCRATCH_FIRST);
    wire_consume(&test->wire, 2 * WIRE_SCRATCH_FIRST - 1);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    wire_consume(&test->wire, 1);
    far_send(test, 0, 2 * WIRE_SCRATCH_FIRST);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_in(test, 0, WIRE_SCRATCH_FIRST);
    test_end(test);
}

/* Input that goes on behind unread bytes in the scratch is joined with them in a block. */
static void input_behind_scratch_is_joined(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    far_send(test, 0, 500);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    far_send(test, 500, 500);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_in(test, 0, 1000);
    assert_int_equal(wire_settle(&test->wire), ST_OK);
    memset(test->shared.scratch, 0, WIRE_SCRATCH);
    assert_in(test, 0, 1000);
    test_end(test);
}

/* The end of the peer's direction is remembered, from either way of receiving. */
static void the_peers_end_is_remembered(void **state)
{
    (void)state;
    for (int is_scratch = 0; is_scratch <= 1; is_scratch++) {
        struct wire_test *test = test_begin(ROOM, 0);
        far_send(test, 0, 3);
        assert_int_equal(transport_shut(&test->far->base), ST_OK);
        assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
        assert_false(test->wire.is_eof);
        wire_consume(&test->wire, 3);
        enum status status =
            is_scratch ? wire_fill_scratch(&test->wire) : wire_fill(&test->wire, 65536);
        assert_int_equal(status, ST_EOF);
        assert_true(test->wire.is_eof);
        test_end(test);
    }
}

/* A reset is ST_IO and no end in order. */
static void a_reset_is_no_end_in_order(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    test->near->is_reset_in = true;
    assert_int_equal(wire_fill(&test->wire, 65536), ST_IO);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_IO);
    assert_false(test->wire.is_eof);
    test_end(test);
}

/* Each receive that gave something, the end among it, is stamped; one that gave nothing is not. */
static void receives_are_stamped(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    clock_freeze(100, 0);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_AGAIN);
    assert_int_equal(test->wire.received_ns, 0);
    far_send(test, 0, 10);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    assert_int_equal(test->wire.received_ns, 100);
    clock_advance(5);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_AGAIN);
    assert_int_equal(test->wire.received_ns, 100);
    wire_consume(&test->wire, 10);
    far_send(test, 0, 10);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_int_equal(test->wire.received_ns, 105);
    wire_consume(&test->wire, 10);
    clock_advance(5);
    assert_int_equal(transport_shut(&test->far->base), ST_OK);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_EOF);
    assert_int_equal(test->wire.received_ns, 110);
    clock_restore();
    test_end(test);
}

/* Without memory filling says so and keeps what was read; settling says so and gives it up. */
static void a_worker_out_of_blocks_is_told(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, BLOCK_MEDIUM);
    struct block *all = block_create(test->shared.blocks, BLOCK_MEDIUM);
    assert_non_null(all);
    far_send(test, 0, 10);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_NOMEM);
    assert_int_equal(wire_fill_scratch(&test->wire), ST_OK);
    assert_in(test, 0, 10);
    assert_int_equal(wire_settle(&test->wire), ST_NOMEM);
    assert_int_equal(test->wire.in.len, 0);
    block_unref(&all);
    far_send(test, 0, 16000);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_OK);
    far_send(test, 16000, 1000);
    assert_int_equal(wire_fill(&test->wire, 65536), ST_NOMEM); /* would need a larger one */
    assert_in(test, 0, 16000);
    test_end(test);
}

/* ---- output ---- */

/* What was put leaves with a flush, whole and in order (W3), and is counted. */
static void what_was_put_leaves_in_order(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    assert_int_equal(wire_flush(&test->wire), ST_OK); /* nothing */
    assert_int_equal(test->near->send_calls, 0);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(wire_put(&test->wire, slice_of(pattern + i * 1000, 1000)), ST_OK);
    assert_int_equal(test->wire.out_bytes, 0);
    assert_int_equal(wire_flush(&test->wire), ST_OK);
    assert_int_equal(test->wire.out_bytes, 100000);
    assert_int_equal(used(test), 0);
    far_recv(test, 0, 100000);
    test_end(test);
}

/* A flush against a full peer says ST_AGAIN, and goes on where it stopped. */
static void a_flush_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(1000, 0);
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 2500)), ST_OK);
    assert_int_equal(wire_flush(&test->wire), ST_AGAIN);
    assert_int_equal(test->wire.out_bytes, 1000);
    far_recv(test, 0, 1000);
    assert_int_equal(wire_flush(&test->wire), ST_AGAIN);
    far_recv(test, 1000, 1000);
    assert_int_equal(wire_flush(&test->wire), ST_OK);
    far_recv(test, 2000, 500);
    assert_int_equal(test->wire.out_bytes, 2500);
    test_end(test);
}

/* A small body joins the queued head, so that one send carries both; without a queue it is sent at once. */
static void a_small_body_joins_its_head(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    size_t taken = 0;
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 100)), ST_OK);
    assert_int_equal(wire_send(&test->wire, slice_of(pattern + 100, WIRE_SMALL_BODY), &taken),
                     ST_OK);
    assert_int_equal(taken, WIRE_SMALL_BODY);
    assert_int_equal(test->near->send_calls, 0);
    assert_int_equal(wire_flush(&test->wire), ST_OK);
    far_recv(test, 0, 100 + WIRE_SMALL_BODY);

    size_t calls = test->near->send_calls;
    assert_int_equal(wire_send(&test->wire, slice_of(pattern, 10), &taken), ST_OK);
    assert_int_equal(test->near->send_calls, calls + 1);
    assert_int_equal(taken, 10);
    far_recv(test, 0, 10);
    test_end(test);
}

/* A large body leaves behind the queue in the same send, without a copy. */
static void a_large_body_is_not_copied(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    size_t taken = 0;
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 100)), ST_OK);
    assert_int_equal(wire_send(&test->wire, slice_of(pattern + 100, WIRE_SMALL_BODY + 1), &taken),
                     ST_OK);
    assert_int_equal(taken, WIRE_SMALL_BODY + 1);
    assert_int_equal(test->near->send_calls, 1);
    assert_true(chain_is_empty(&test->wire.out));
    assert_int_equal(test->wire.out_bytes, 100 + WIRE_SMALL_BODY + 1);
    far_recv(test, 0, 100 + WIRE_SMALL_BODY + 1);
    test_end(test);
}

/* A peer that takes a part of the queue, all of it, or a part of the body leaves the rest where it is. */
static void a_send_that_is_cut_loses_nothing(void **state)
{
    (void)state;
    static const size_t rooms[] = {1, 99, 100, 101, 5000, 10099, 10100};
    for (size_t i = 0; i < COUNT_OF(rooms); i++) {
        struct wire_test *test = test_begin(rooms[i], 0);
        size_t body = 10000;
        size_t at = 100;
        size_t seen = 0;
        assert_int_equal(wire_put(&test->wire, slice_of(pattern, 100)), ST_OK);
        while (body > 0) {
            size_t taken = 0;
            enum status status = wire_send(&test->wire, slice_of(pattern + at, body), &taken);
            if (status == ST_OK) {
                assert_true(taken > 0 && taken <= body);
                at += taken;
                body -= taken;
            } else {
                assert_int_equal(status, ST_AGAIN);
                assert_int_equal(taken, 0);
            }
            size_t waits = test->far->len;
            far_recv(test, seen, waits);
            seen += waits;
        }
        while (wire_flush(&test->wire) == ST_AGAIN) {
            size_t waits = test->far->len;
            far_recv(test, seen, waits);
            seen += waits;
        }
        far_recv(test, seen, 10100 - seen);
        assert_int_equal(test->wire.out_bytes, 10100);
        test_end(test);
    }
}

/* Small bodies are queued only up to a backlog: a peer that does not read holds the sender up. */
static void the_backlog_is_bounded(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(10, 0);
    size_t total = 20;
    enum status status;
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, total)), ST_OK);
    for (;;) {
        size_t taken = 0;
        status = wire_send(&test->wire, slice_of(pattern + total, 1000), &taken);
        if (status != ST_OK)
            break;
        total += taken;
        assert_true(total <= WIRE_BACKLOG_MAX + 2 * WIRE_SMALL_BODY);
    }
    assert_int_equal(status, ST_AGAIN);
    assert_true(test->wire.out.len <= WIRE_BACKLOG_MAX + WIRE_SMALL_BODY);
    memory_end_set_room(test->far, ROOM);
    assert_int_equal(wire_flush(&test->wire), ST_OK);
    far_recv(test, 0, total);
    test_end(test);
}

/* A queue of more pieces than one send takes keeps the body back until it is gone. */
static void a_body_never_overtakes_the_queue(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    size_t queued = 0;
    size_t taken = 0;
    for (int i = 0; i < 40; i++) { /* about one small block each */
        assert_int_equal(wire_put(&test->wire, slice_of(pattern + queued, 4000)), ST_OK);
        queued += 4000;
    }
    struct iovec iov[32];
    assert_int_equal(chain_iovec(&test->wire.out, iov, 32), 32);
    enum status status;
    while ((status = wire_send(&test->wire, slice_of(pattern + queued, 10000), &taken)) == ST_AGAIN)
        continue;
    assert_int_equal(status, ST_OK);
    assert_int_equal(taken, 10000);
    far_recv(test, 0, queued + 10000);
    test_end(test);
}

/* A broken connection is told to who sends and to who flushes. */
static void a_broken_connection_is_told(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    size_t taken = 77;
    test->near->is_reset_in = true;
    assert_int_equal(wire_send(&test->wire, slice_of(pattern, 10), &taken), ST_IO);
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 10)), ST_OK);
    assert_int_equal(wire_flush(&test->wire), ST_IO);
    assert_int_equal(wire_send(&test->wire, slice_of(pattern, 10000), &taken), ST_IO);
    assert_int_equal(taken, 77);
    assert_int_equal(test->wire.out_bytes, 0);
    test_end(test);
}

/* Without blocks nothing is queued by halves. */
static void output_without_memory_is_told(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, BLOCK_SMALL);
    size_t taken = 77;
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 3000)), ST_OK);
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 3000)), ST_NOMEM);
    assert_int_equal(wire_send(&test->wire, slice_of(pattern, 3000), &taken), ST_NOMEM);
    assert_int_equal(taken, 77);
    assert_int_equal(wire_flush(&test->wire), ST_OK);
    assert_int_equal(test->far->len, 3000);
    test_end(test);
}

/* An abort reaches the peer as a reset, with whatever was queued gone. */
static void an_abort_is_a_reset(void **state)
{
    (void)state;
    struct wire_test *test = test_begin(ROOM, 0);
    assert_int_equal(wire_put(&test->wire, slice_of(pattern, 10)), ST_OK);
    wire_done(&test->wire, /* is_abort= */ true);
    assert_true(test->far->is_reset_in);
    assert_int_equal(test->far->len, 0);
    test_end(test); /* the end may come twice */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_stays_in_one_piece),
        cmocka_unit_test(unread_input_has_a_limit),
        cmocka_unit_test(input_never_outgrows_the_largest_block),
        cmocka_unit_test(a_referenced_block_is_not_written_over),
        cmocka_unit_test(a_block_of_its_own_is_used_again),
        cmocka_unit_test(an_idle_wire_holds_no_block),
        cmocka_unit_test(unread_scratch_is_moved_at_the_turns_end),
        cmocka_unit_test(the_scratch_is_for_those_who_pass_it_on),
        cmocka_unit_test(input_behind_scratch_is_joined),
        cmocka_unit_test(the_peers_end_is_remembered),
        cmocka_unit_test(a_reset_is_no_end_in_order),
        cmocka_unit_test(receives_are_stamped),
        cmocka_unit_test(a_worker_out_of_blocks_is_told),
        cmocka_unit_test(what_was_put_leaves_in_order),
        cmocka_unit_test(a_flush_goes_on_where_it_stopped),
        cmocka_unit_test(a_small_body_joins_its_head),
        cmocka_unit_test(a_large_body_is_not_copied),
        cmocka_unit_test(a_send_that_is_cut_loses_nothing),
        cmocka_unit_test(the_backlog_is_bounded),
        cmocka_unit_test(a_body_never_overtakes_the_queue),
        cmocka_unit_test(a_broken_connection_is_told),
        cmocka_unit_test(output_without_memory_is_told),
        cmocka_unit_test(an_abort_is_a_reset),
    };
    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
