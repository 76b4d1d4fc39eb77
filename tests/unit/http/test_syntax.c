#include "http_test.h"

#include "http/syntax.h"

#include <stdlib.h>

/* Each bit of the table, derived anew from the sets of RFC 9110 §5.5 and §5.6.2. */
static void byte_classes_are_the_sets_of_the_rfc(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_tchar = is_alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
        bool is_obs_text = c >= 0x80;
        bool is_vchar = c > 0x20 && c < 0x7f;
        assert_int_equal(syntax_is((char)c, SYNTAX_TOKEN), is_tchar);
        assert_int_equal(syntax_is((char)c, SYNTAX_VCHAR), is_vchar);
        assert_int_equal(syntax_is((char)c, SYNTAX_TARGET), is_vchar || is_obs_text);
        assert_int_equal(syntax_is((char)c, SYNTAX_VALUE),
                         is_vchar || is_obs_text || c == ' ' || c == '\t');
    }
}

/* A span ends at the first byte that is not allowed, wherever in its steps of sixteen it stands. */
static void spans_end_at_the_first_byte_that_is_not_allowed(void **state)
{
    (void)state;
    char text[43];
    for (size_t at = 0; at < sizeof(text); at++) {
        for (unsigned c = 0; c < 256; c++) {
            memset(text, 'x', sizeof(text));
            text[at] = (char)c;
            size_t value = syntax_value_span(text, text + sizeof(text));
            size_t target = syntax_target_span(text, text + sizeof(text));
            assert_int_equal(value, syntax_is((char)c, SYNTAX_VALUE) ? sizeof(text) : at);
            assert_int_equal(target, syntax_is((char)c, SYNTAX_TARGET) ? sizeof(text) : at);
            bool is_uri = syntax_is((char)c, SYNTAX_VCHAR) && c != '#';
            assert_int_equal(syntax_is_uri(slice_of(text, sizeof(text))), is_uri);
            assert_int_equal(syntax_is_uri(slice_of(text, at + 1)), is_uri);
            assert_true(syntax_is_uri(slice_of(text, at)));
        }
    }
    assert_int_equal(syntax_value_span(text, text), 0);
}

/* A span never looks beyond its end, whatever its length and whatever stands behind. */
static void spans_stay_inside(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 40; len++) {
        char *text = malloc(len + 1); /* exact, for the sanitizer */
        assert_non_null(text);
        memset(text, 'x', len + 1);
        assert_int_equal(syntax_value_span(text + 1, text + 1 + len), len);
        assert_int_equal(syntax_target_span(text + 1, text + 1 + len), len);
        assert_int_equal(syntax_value_span(text, text + len), len);
        free(text);
    }
}

/* A byte from 0x80 on beside one that is not allowed neither hides it nor is taken for it. */
static void high_bytes_hide_nothing(void **state)
{
    (void)state;
    static const unsigned char high[] = {0x80, 0x81, 0x9f, 0xa0, 0xfe, 0xff};
    static const unsigned char low[] = {0x00, 0x01, 0x1f, 0x7f, '\r', '\n'};
    for (size_t h = 0; h < sizeof(high); h++) {
        for (size_t l = 0; l < sizeof(low); l++) {
            for (size_t at = 0; at < 16; at++) {
                char text[16];
                memset(text, (char)high[h], sizeof(text));
                assert_int_equal(syntax_value_span(text, text + sizeof(text)), sizeof(text));
                text[at] = (char)low[l];
                assert_int_equal(syntax_value_span(text, text + sizeof(text)), at);
                assert_int_equal(syntax_target_span(text, text + sizeof(text)), at);
            }
        }
    }
}

/* A token is not empty and holds only tchar; a value may be empty. */
static void tokens_and_values(void **state)
{
    (void)state;
    assert_false(syntax_is_token(SLICE("")));
    assert_false(syntax_is_token(SLICE_NONE));
    assert_true(syntax_is_token(SLICE("a-b")));
    assert_false(syntax_is_token(SLICE("a b")));
    assert_false(syntax_is_token(SLICE("a:")));
    assert_true(syntax_is_value(SLICE("")));
    assert_true(syntax_is_value(SLICE_NONE));
    assert_true(syntax_is_value(SLICE("a b\tc\xe4")));
    assert_false(syntax_is_value(SLICE("a\nb")));
    assert_false(syntax_is_value(SLICE("a\0")));
}

/* A word is a token or a quoted-string, whose quotes may be escaped and whose end must be there. */
static void words_are_measured(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"", 0},        {"ab", 2},         {"ab c", 2},          {"ab\"c\"", 2}, {"=", 0},
        {"\"\"", 2},    {"\"a, b\";c", 6}, {"\"a\\\"b\" \"", 6}, {"\"a", 0},     {"\"", 0},
        {"\"a\\\"", 0}, {"\"a\\", 0},      {"\"\\\\\"x", 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice text = slice_from_string(cases[i].text);
        assert_int_equal(syntax_word_span(text), cases[i].len);
        assert_true(syntax_token_span(text) <= text.len);
    }
    assert_int_equal(syntax_word_span(SLICE_NONE), 0);
    assert_int_equal(syntax_token_span(SLICE("\"a\"")), 0);
}

/* The first colon is found wherever in its steps of sixteen it stands, and nothing that looks like one is taken for
 * it. */
static void the_first_colon_is_found(void **state)
{
    (void)state;
    char text[43];
    for (size_t at = 0; at < sizeof(text); at++) {
        for (unsigned c = 0; c < 256; c++) {
            memset(text, (int)c, sizeof(text));
            text[at] = ':';
            text[sizeof(text) - 1] = ':';
            assert_int_equal(syntax_find_colon(text, text + sizeof(text)), c == ':' ? 0 : at);
            assert_int_equal(syntax_find_colon(text, text + at), c == ':' ? 0 : at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_classes_are_the_sets_of_the_rfc),
        cmocka_unit_test(spans_end_at_the_first_byte_that_is_not_allowed),
        cmocka_unit_test(spans_stay_inside),
        cmocka_unit_test(high_bytes_hide_nothing),
        cmocka_unit_test(tokens_and_values),
        cmocka_unit_test(words_are_measured),
        cmocka_unit_test(the_first_colon_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
