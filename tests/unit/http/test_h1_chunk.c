#include "http_test.h"

#include "http/h1_chunk.h"

/* What a whole input gives, fed in pieces of `step` bytes. */
struct outcome {
    enum status status;
    enum h1_fault fault;
    size_t consumed;
    char data[256];
    size_t len;
};

static struct outcome decode(struct slice input, size_t step)
{
    struct outcome out = {.status = ST_AGAIN};
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    while (out.consumed < input.len && (out.status == ST_AGAIN || out.status == ST_OK)) {
        struct slice piece = slice_first(slice_from(input, out.consumed), step);
        size_t consumed = 0;
        struct slice data = SLICE_NONE;
        out.status = h1_chunk_next(&chunk, piece, &consumed, &data);
        if (out.status == ST_BAD || out.status == ST_LIMIT)
            break;
        assert_true(consumed > 0 && consumed <= piece.len);
        assert_int_equal(out.status == ST_OK, data.len > 0);
        assert_true(out.len + data.len <= sizeof(out.data));
        if (data.len > 0) {
            assert_true(data.at >= piece.at && data.at + data.len == piece.at + consumed);
            memcpy(out.data + out.len, data.at, data.len);
        }
        out.len += data.len;
        out.consumed += consumed;
    }
    out.fault = chunk.fault;
    assert_int_equal(chunk.data_bytes, out.len);
    return out;
}

/* shows 9112-7.1-1 */
static void content_comes_out_whole_in_any_segmentation(void **state)
{
    (void)state;
    const struct slice input =
        SLICE("5\r\nhello\r\n1;a=b;c=\"d\"\r\n \r\n00A \t ;x\r\n0123456789\r\n000\r\nX: y\r\n\r\n");
    for (size_t step = 1; step <= input.len; step++) {
        struct outcome out = decode(input, step);
        assert_int_equal(out.status, ST_EOF);
        assert_slice(slice_of(out.data, out.len), "hello 0123456789");
        assert_slice(slice_from(input, out.consumed), "X: y\r\n\r\n");
    }
}

static void the_last_chunk_may_have_extensions(void **state)
{
    (void)state;
    assert_int_equal(decode(SLICE("0;a\r\n\r\n"), 100).status, ST_EOF);
    assert_int_equal(decode(SLICE("0\r\n"), 100).status, ST_EOF);
    assert_int_equal(decode(SLICE("0\r"), 100).status, ST_AGAIN);
}

/* shows 9112-7.1-2 */
static void junk_is_refused_by_name(void **state)
{
    (void)state;
    const struct {
        const char *text;
        size_t len;
        enum h1_fault fault;
    } cases[] = {
#define CASE(text, fault) {text, sizeof(text) - 1, H1_FAULT_##fault}
        CASE("\r\n", CHUNK_SIZE),
        CASE(";a\r\n", CHUNK_SIZE),
        CASE(" 5\r\nhello\r\n", CHUNK_SIZE),
        CASE("+5\r\nhello\r\n", CHUNK_SIZE),
        CASE("-1\r\n", CHUNK_SIZE),
        CASE("0x5\r\nhello\r\n", CHUNK_SIZE),
        CASE("5g\r\nhello\r\n", CHUNK_SIZE),
        CASE("5 \r\nhello\r\n", CHUNK_SIZE),
        CASE("5 5\r\nhello\r\n", CHUNK_SIZE),
        CASE("5,\r\nhello\r\n", CHUNK_SIZE),
        CASE("5\0\r\nhello\r\n", CHUNK_SIZE),
        CASE("5\nhello\r\n", BARE_LF),
        CASE("\n5\r\nhello\r\n", BARE_LF),
        CASE("5;a\nhello\r\n", BARE_LF),
        CASE("5\rhello\r\n", BARE_CR),
        CASE("5;a\r\r\nhello\r\n", BARE_CR),
        CASE("5;a\0\r\nhello\r\n", CHUNK_EXTENSION),
        CASE("5;a\x7f\r\nhello\r\n", CHUNK_EXTENSION),
        CASE("5\r\nhello!\r\n", CHUNK_END),
        CASE("5\r\nhello\n", CHUNK_END),
        CASE("5\r\nhello\r\r\n", CHUNK_END),
        CASE("5\r\nhello0\r\n", CHUNK_END),
        CASE("8000000000000000\r\n", CHUNK_SIZE_OVERFLOW),
        CASE("10000000000000005\r\n", CHUNK_SIZE_OVERFLOW),
        CASE("00000000000000005\r\n", CHUNK_SIZE_OVERFLOW),
        CASE("FFFFFFFFFFFFFFFFFF\r\n", CHUNK_SIZE_OVERFLOW),
#undef CASE
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice input = slice_of(cases[i].text, cases[i].len);
        for (size_t step = 1; step <= input.len; step++) {
            struct outcome out = decode(input, step);
            if (out.status != ST_BAD || out.fault != cases[i].fault)
                fail_msg("%s: status %d, fault %s", cases[i].text, (int)out.status,
                         h1_fault_text(out.fault));
        }
    }
}

static void a_failed_decoder_stays_failed(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    size_t consumed = 0;
    struct slice data;
    assert_int_equal(h1_chunk_next(&chunk, SLICE("x"), &consumed, &data), ST_BAD);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("0\r\n"), &consumed, &data), ST_BAD);
    assert_int_equal(chunk.fault, H1_FAULT_CHUNK_SIZE);
}

static void no_input_is_not_an_error(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    size_t consumed = 1;
    struct slice data;
    assert_int_equal(h1_chunk_next(&chunk, SLICE_NONE, &consumed, &data), ST_AGAIN);
    assert_int_equal(consumed, 0);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("0\r\n"), &consumed, &data), ST_EOF);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("\r\n"), &consumed, &data), ST_EOF);
    assert_int_equal(consumed, 0);
}

/* shows 9112-7.1-2 */
static void the_largest_size_is_taken(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    size_t consumed = 0;
    struct slice data;
    assert_int_equal(h1_chunk_next(&chunk, SLICE("7fffffffffffffff\r\n"), &consumed, &data),
                     ST_AGAIN);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("z\r\n0\r\n"), &consumed, &data), ST_OK);
    assert_slice(data, "z\r\n0\r\n"); /* all of it is data */
}

static enum status feed(struct h1_chunk *chunk, struct slice input)
{
    size_t consumed = 0;
    struct slice data;
    return h1_chunk_next(chunk, input, &consumed, &data);
}

/* shows 9112-7.1.1-1 */
static void extensions_of_one_chunk_are_bounded(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    assert_int_equal(feed(&chunk, SLICE("5;")), ST_AGAIN);
    for (unsigned i = 1; i < H1_CHUNK_EXTENSION_MAX; i++)
        assert_int_equal(feed(&chunk, SLICE("a")), ST_AGAIN);
    assert_int_equal(feed(&chunk, SLICE("a")), ST_LIMIT);
    assert_int_equal(chunk.fault, H1_FAULT_CHUNK_EXTENSION_TOO_LONG);
}

/* shows 9112-7.1.1-1 */
static void extensions_cannot_be_most_of_the_traffic(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    char extension[1024];
    memset(extension, 'a', sizeof(extension));
    extension[0] = ';';
    enum status status = ST_AGAIN;
    unsigned chunks = 0;
    for (; status == ST_AGAIN && chunks < 1000; chunks++) {
        assert_int_equal(feed(&chunk, SLICE("1")), ST_AGAIN);
        status = feed(&chunk, slice_of(extension, sizeof(extension)));
        if (status != ST_AGAIN)
            break;
        assert_int_equal(feed(&chunk, SLICE("\r\nx")), ST_OK);
        assert_int_equal(feed(&chunk, SLICE("\r\n")), ST_AGAIN);
    }
    assert_int_equal(status, ST_LIMIT);
    assert_int_equal(chunks, H1_CHUNK_EXTENSION_SLACK / sizeof(extension));
}

/* Data that pass by elsewhere are as good as data that were seen, and what follows them is syntax. */
static void data_may_pass_by_elsewhere(void **state)
{
    (void)state;
    struct h1_chunk chunk;
    size_t used = 0;
    struct slice data = SLICE_NONE;
    h1_chunk_init(&chunk);
    assert_int_equal(h1_chunk_left(&chunk), 0);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("a"), &used, &data), ST_AGAIN);
    assert_int_equal(h1_chunk_left(&chunk), 0); /* not before the line is whole */
    assert_int_equal(h1_chunk_next(&chunk, SLICE("\r\n123"), &used, &data), ST_OK);
    assert_int_equal(h1_chunk_left(&chunk), 7);
    h1_chunk_skip(&chunk, 4);
    assert_int_equal(h1_chunk_left(&chunk), 3);
    h1_chunk_skip(&chunk, 3);
    assert_int_equal(h1_chunk_left(&chunk), 0);
    assert_int_equal(chunk.data_bytes, 10);
    assert_int_equal(h1_chunk_next(&chunk, SLICE("\r\n0\r\n"), &used, &data), ST_EOF);
    assert_int_equal(used, 5);
    assert_int_equal(h1_chunk_left(&chunk), 0);
}

static void prefixes_are_read_back(void **state)
{
    (void)state;
    char into[H1_CHUNK_PREFIX_MAX];
    assert_slice(slice_of(into, h1_chunk_prefix(1, into)), "1\r\n");
    assert_slice(slice_of(into, h1_chunk_prefix(0x10, into)), "10\r\n");
    assert_slice(slice_of(into, h1_chunk_prefix(0xdeadbeef, into)), "deadbeef\r\n");
    assert_slice(slice_of(into, h1_chunk_prefix(UINT64_MAX, into)), "ffffffffffffffff\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_out_whole_in_any_segmentation),
        cmocka_unit_test(the_last_chunk_may_have_extensions),
        cmocka_unit_test(junk_is_refused_by_name),
        cmocka_unit_test(a_failed_decoder_stays_failed),
        cmocka_unit_test(no_input_is_not_an_error),
        cmocka_unit_test(the_largest_size_is_taken),
        cmocka_unit_test(extensions_of_one_chunk_are_bounded),
        cmocka_unit_test(extensions_cannot_be_most_of_the_traffic),
        cmocka_unit_test(data_may_pass_by_elsewhere),
        cmocka_unit_test(prefixes_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
