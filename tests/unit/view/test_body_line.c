#include "view_test.h"

#include "view/body_line.h"

static char shown[BODY_LINE_MAX + 10];

static const char *line_of(const char *body, enum body_kind kind)
{
    struct text text = text_on(shown, sizeof(shown));
    body_line_add(slice_from_string(body), kind, &text);
    return text_string(&text);
}

static void text_has_a_first_line(void **state)
{
    (void)state;
    assert_string_equal(line_of("no entry \r\nmore", BODY_TEXT), "no entry");
    assert_string_equal(line_of("\n \t\r\n here", BODY_TEXT), "here");
    assert_string_equal(line_of("a\x1b[31mb", BODY_TEXT), "a");
    assert_string_equal(line_of("\x9b\xff", BODY_TEXT),
                        "\x9b\xff"); /* whoever shows it escapes it */
    assert_string_equal(line_of("", BODY_TEXT), "");
    assert_string_equal(line_of("\x1b", BODY_TEXT), "");
    assert_string_equal(line_of("no entry", BODY_OPAQUE), "");
}

static void html_has_a_title(void **state)
{
    (void)state;
    assert_string_equal(line_of("<html><head><TITLE lang=en>\nNo entry </title>x", BODY_HTML),
                        "No entry");
    assert_string_equal(line_of("<title>cut", BODY_HTML), "cut");
    assert_string_equal(line_of("<title", BODY_HTML), "");
    assert_string_equal(line_of("<title></title>x", BODY_HTML), "");
    assert_string_equal(line_of("no title", BODY_HTML), "");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    char body[BODY_LINE_MAX + 2] = {0};
    memset(body, 'x', BODY_LINE_MAX);
    assert_int_equal(strlen(line_of(body, BODY_TEXT)), BODY_LINE_MAX);
    body[BODY_LINE_MAX] = 'x';
    assert_int_equal(strlen(line_of(body, BODY_TEXT)), BODY_LINE_MAX + 3);
}

/* Only what is text as it stands. */
static void the_kind_is_told_by_the_head(void **state)
{
    (void)state;
    static const struct {
        const char *type, *coding;
        enum body_kind kind;
    } rows[] = {
        {"text/plain", "", BODY_TEXT},       {"Text/HTML; charset=utf-8", "", BODY_HTML},
        {"text/plainer", "", BODY_OPAQUE},   {"application/json", "", BODY_OPAQUE},
        {"text/plain", "gzip", BODY_OPAQUE}, {"", "", BODY_OPAQUE},
    };
    struct block_pool *pool = block_pool_create(0, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        struct head head;
        arena_init(&arena, pool, 4096);
        head_init(&head, &arena);
        if (rows[i].type[0] != 0)
            assert_int_equal(fields_add_token(&head.fields, TOKEN_CONTENT_TYPE,
                                              SLICE("Content-Type"),
                                              slice_from_string(rows[i].type)),
                             ST_OK);
        if (rows[i].coding[0] != 0)
            assert_int_equal(fields_add_token(&head.fields, TOKEN_CONTENT_ENCODING,
                                              SLICE("Content-Encoding"),
                                              slice_from_string(rows[i].coding)),
                             ST_OK);
        assert_int_equal(body_kind_of(&head), rows[i].kind);
        arena_done(&arena);
    }
    block_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_a_first_line),
        cmocka_unit_test(html_has_a_title),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(the_kind_is_told_by_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
