#include "view_test.h"

#include "view/sse.h"

static struct sse sse;
static struct sse_event event;

static bool equals(struct slice seen, const char *expected)
{
    return slice_equals(seen, slice_from_string(expected));
}

static const char stream[] =
    ": a comment\n\nevent: hello\ndata: {}\n\nid: 7\nevent: transaction\ndata:{\"a\":1}\n\n"
    "data: x\r\n\r\nunknown: y\n\nid: 8\ndata: z\n\n";

static void assert_events(size_t step)
{
    static const char *const names[] = {"hello", "transaction", "message", "message"};
    static const char *const data[] = {"{}", "{\"a\":1}", "x", "z"};
    static const char *const ids[] = {"", "7", "7", "8"};
    size_t count = 0;
    sse_init(&sse);
    for (size_t at = 0; at < sizeof(stream) - 1; at += step) {
        size_t left = sizeof(stream) - 1 - at;
        struct slice input = slice_of(stream + at, step < left ? step : left);
        while (sse_next(&sse, &input, &event)) {
            assert_true(count < COUNT_OF(names));
            assert_true(equals(event.name, names[count]) && equals(event.data, data[count]));
            assert_true(equals(event.id, ids[count++]));
        }
    }
    assert_int_equal(count, COUNT_OF(names));
}

/* However the bytes are cut, the events are the same. */
static void any_segmentation_gives_the_same(void **state)
{
    (void)state;
    for (size_t step = 1; step <= sizeof(stream); step++)
        assert_events(step);
}

/* An event that is larger than the room is left out, and the next one is whole. */
static void what_is_too_large_is_left_out(void **state)
{
    (void)state;
    static char large[SSE_DATA_MAX + 100];
    struct slice input;
    memset(large, 'x', sizeof(large));
    memcpy(large, "data: ", 6);
    sse_init(&sse);
    input = slice_of(large, sizeof(large));
    assert_false(sse_next(&sse, &input, &event));
    input = SLICE("\n\ndata: fine\n\n");
    assert_true(sse_next(&sse, &input, &event));
    assert_true(equals(event.data, "fine"));
    input = SLICE("data: one\ndata: two\n\n"); /* more lines than we write */
    assert_false(sse_next(&sse, &input, &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_segmentation_gives_the_same),
        cmocka_unit_test(what_is_too_large_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
