#include "http_test.h"

#include "http/h1_write.h"

static void a_written_request_is_read_back(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    char into[256];
    struct text text = text_on(into, sizeof(into));
    struct h1_writer writer;
    h1_write_begin(&writer, &text);
    h1_write_request_line(&writer, SLICE("GET"), SLICE("/a?b"));
    h1_write_field(&writer, SLICE("Host"), SLICE("a"));
    h1_write_field(&writer, SLICE("X-Empty"), SLICE_NONE);
    h1_write_content_length(&writer, 0);
    h1_write_content_length(&writer, UINT64_MAX);
    assert_int_equal(h1_write_end(&writer), ST_OK);
    assert_slice(text_slice(&text),
                 "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Empty: \r\nContent-Length: 0\r\n"
                 "Content-Length: 18446744073709551615\r\n\r\n");
    assert_int_equal(http_test_request(&test, text_string(&text))->fields.count, 4);
    http_test_end(&test);
}

/* shows 9112-4-2 */
static void a_status_line_has_the_given_or_the_registered_reason(void **state)
{
    (void)state;
    const struct {
        unsigned status;
        const char *reason;
        const char *line;
    } cases[] = {
        {200, "", "HTTP/1.1 200 OK\r\n\r\n"},
        {403, "Refused by rule x", "HTTP/1.1 403 Refused by rule x\r\n\r\n"},
        {299, "", "HTTP/1.1 299 \r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char into[64];
        struct text text = text_on(into, sizeof(into));
        struct h1_writer writer;
        h1_write_begin(&writer, &text);
        h1_write_status_line(&writer, cases[i].status, slice_from_string(cases[i].reason));
        assert_int_equal(h1_write_end(&writer), ST_OK);
        assert_slice(text_slice(&text), cases[i].line);
    }
}

static enum status write_one(struct slice method, struct slice target, struct slice name,
                             struct slice value)
{
    char into[256];
    struct text text = text_on(into, sizeof(into));
    struct h1_writer writer;
    h1_write_begin(&writer, &text);
    h1_write_request_line(&writer, method, target);
    h1_write_field(&writer, name, value);
    h1_write_field(&writer, SLICE("Last"), SLICE("fine"));
    return h1_write_end(&writer);
}

/* shows 9112-2.2-2 9110-2.2-2 */
static void no_control_byte_gets_out(void **state)
{
    (void)state;
    const struct slice get = SLICE("GET");
    const struct slice path = SLICE("/");
    const struct slice name = SLICE("A");
    assert_int_equal(write_one(get, path, name, SLICE("b\tc\x80")), ST_OK);
    assert_int_equal(write_one(SLICE("G T"), path, name, SLICE("b")), ST_BAD);
    assert_int_equal(write_one(SLICE(""), path, name, SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, SLICE(""), name, SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, SLICE("/ a"), name, SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, SLICE("/\r\n"), name, SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, path, SLICE("A:"), SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, path, SLICE(""), SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, path, SLICE("A\n"), SLICE("b")), ST_BAD);
    assert_int_equal(write_one(get, path, name, SLICE("b\r\nC: d")), ST_BAD);
    assert_int_equal(write_one(get, path, name, SLICE("b\n")), ST_BAD);
    assert_int_equal(write_one(get, path, name, SLICE("b\0")), ST_BAD);
    assert_int_equal(write_one(get, path, name, SLICE("b\x7f")), ST_BAD);
    char into[64];
    struct text text = text_on(into, sizeof(into));
    struct h1_writer writer;
    h1_write_begin(&writer, &text);
    h1_write_status_line(&writer, 200, SLICE("a\r\nb"));
    assert_int_equal(h1_write_end(&writer), ST_BAD);
    h1_write_begin(&writer, &text);
    h1_write_status_line(&writer, 99, SLICE("a"));
    assert_int_equal(h1_write_end(&writer), ST_BAD);
    h1_write_begin(&writer, &text);
    h1_write_status_line(&writer, 1000, SLICE("a"));
    assert_int_equal(h1_write_end(&writer), ST_BAD);
    assert_int_equal(text.len, 0);
}

static void every_missing_byte_of_room_is_told(void **state)
{
    (void)state;
    const size_t need = strlen("HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    for (size_t cap = 0; cap <= need; cap++) {
        char into[64];
        struct text text = text_on(into, cap);
        struct h1_writer writer;
        h1_write_begin(&writer, &text);
        h1_write_status_line(&writer, 200, SLICE_NONE);
        h1_write_field(&writer, SLICE("A"), SLICE("b"));
        assert_int_equal(h1_write_end(&writer), cap < need ? ST_LIMIT : ST_OK);
        assert_int_equal(text.is_cut, cap < need);
        assert_true(text.len <= cap);
    }
}

/* A text that was cut before takes nothing more: it would have a hole. */
static void a_text_with_a_hole_is_not_written_on(void **state)
{
    (void)state;
    char into[64];
    struct text text = text_on(into, 40);
    for (int i = 0; i < 5; i++)
        text_add(&text, SLICE("0123456789"));
    text.len = 0;
    struct h1_writer writer;
    h1_write_begin(&writer, &text);
    h1_write_status_line(&writer, 200, SLICE_NONE);
    assert_int_equal(h1_write_end(&writer), ST_LIMIT);
    assert_int_equal(text.len, 0);
}

/* What is copied is what was received, without the fields between that are left out, or added. */
static void received_lines_are_copied(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct fields *got =
        &http_test_request(&test, "GET / HTTP/1.1\r\nA: 1\r\nhOST: a\r\nB:2\r\n"
                                  "C: 3\r\nD: 4\r\nE: 5\r\n\r\n")
             ->fields;
    for (unsigned left_out = 0; left_out < 1u << 6; left_out++) {
        char into[256], expected[256];
        struct text text = text_on(into, sizeof(into));
        struct text all = text_on(expected, sizeof(expected));
        struct h1_writer writer;
        struct fields fields;
        fields_init(&fields, &test.arena);
        for (uint32_t i = 0; i < got->count; i++) {
            if ((left_out & 1u << i) != 0)
                continue;
            assert_int_equal(fields_append(&fields, &got->at[i]), ST_OK);
            text_add(&all, got->at[i].name);
            text_add(&all, SLICE(": "));
            text_add(&all, got->at[i].value);
            text_add(&all, SLICE("\r\n"));
        }
        if (left_out % 3 != 0) {
            assert_int_equal(fields_add(&fields, SLICE("Via"), SLICE("1.1 x")), ST_OK);
            text_add(&all, SLICE("Via: 1.1 x\r\n"));
        }
        text_add(&all, SLICE("\r\n"));
        h1_write_begin(&writer, &text);
        h1_write_fields(&writer, &fields);
        assert_int_equal(h1_write_end(&writer), ST_OK);
        assert_slice(text_slice(&text), text_string(&all));
        for (size_t room = 0; room < text.len; room++) { /* never more than there is room for */
            struct text small = text_on(into, room);
            h1_write_begin(&writer, &small);
            h1_write_fields(&writer, &fields);
            assert_int_equal(h1_write_end(&writer), ST_LIMIT);
            assert_true(small.len <= room);
        }
    }
    http_test_end(&test);
}

/* A list is checked but for what a parser checked. */
static void lists_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct slice name;
        struct slice value;
        enum status status;
    } cases[] = {
        {{"Via", 3}, {"1.1 x", 5}, ST_OK}, {{"Via", 3}, {"1.1 x\r\nA: b", 11}, ST_BAD},
        {{"X-A", 3}, {"\n", 1}, ST_BAD},   {{"X A", 3}, {"x", 1}, ST_BAD},
        {{"X:\r\n", 4}, {"x", 1}, ST_BAD},
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char into[64];
        struct text text = text_on(into, sizeof(into));
        struct h1_writer writer;
        struct fields fields;
        fields_init(&fields, &test.arena);
        assert_int_equal(fields_add(&fields, cases[i].name, cases[i].value), ST_OK);
        h1_write_begin(&writer, &text);
        h1_write_fields(&writer, &fields);
        assert_int_equal(h1_write_end(&writer), cases[i].status);
        assert_int_equal(text.len > 0, cases[i].status == ST_OK);
    }
    http_test_end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_request_is_read_back),
        cmocka_unit_test(a_status_line_has_the_given_or_the_registered_reason),
        cmocka_unit_test(no_control_byte_gets_out),
        cmocka_unit_test(every_missing_byte_of_room_is_told),
        cmocka_unit_test(a_text_with_a_hole_is_not_written_on),
        cmocka_unit_test(received_lines_are_copied),
        cmocka_unit_test(lists_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
