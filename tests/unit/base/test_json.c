#include "base_test.h"

#include "base/json.h"

#include <stdlib.h>

static enum status check(const char *text, struct json_value *ret_value)
{
    return json_check(slice_from_string(text), ret_value);
}

/* The grammar of RFC 8259, no less and no more. */
static void only_json_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "null",
        " true ",
        "false\r\n",
        "0",
        "-0",
        "12.5e+3",
        "1E-2",
        "\"\"",
        "\"\\u00e9\"",
        "\"\xc3\xa9\"",
        "[]",
        "{}",
        "[[],{}]",
        "[1 , 2]",
        "{\"a\":1}",
        "\t{ \"a\" : [ { \"b\" : null } , 3 ] }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    };
    static const char *const bad[] = {
        "",           " ",        "nul",       "truex",       "01",
        "-",          "1.",       "1e",        ".5",          "+1",
        "\"",         "\"\\x\"",  "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",
        "\"\xff\"",   "\"\xc3\"", "[",         "[1",          "[1,]",
        "[,1]",       "[1 2]",    "{",         "{\"a\"}",     "{\"a\":}",
        "{\"a\":1,}", "{a:1}",    "{1:2}",     "[}",          "{]",
        "[1}",        "1 2",      "{} {}",     "\"\\",        "\"\xed\xa0\x80\"",
        "{\"a\" 1}",  "[1]]",     "//",        "'a'",         "NaN",
    };
    struct json_value value;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (check(good[i], &value) != ST_OK)
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (check(bad[i], &value) != ST_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

/* No text but the whole one is JSON: a cut line is seen. */
static void each_cut_of_an_object_is_bad(void **state)
{
    (void)state;
    static const char whole[] = "{\"v\":1,\"a\":[true,{\"b\":\"\\u00e9\\n\"}],\"c\":-1.5e3}";
    struct json_value value;
    assert_int_equal(check(whole, &value), ST_OK);
    for (size_t len = 0; len + 1 < sizeof(whole) - 1; len++) {
        char *copy = malloc(len + 1); /* exactly as long: a sanitizer sees one byte too many */
        assert_non_null(copy);
        memcpy(copy, whole, len);
        assert_int_equal(json_check(slice_of(copy, len), &value), ST_BAD);
        free(copy);
    }
}

/* Depth has a bound, and what is at it is taken. */
static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    struct json_value value;
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        assert_int_equal(check(text, &value), depth == JSON_DEPTH_MAX ? ST_OK : ST_LIMIT);
    }
}

/* Members and elements come in their order, nested ones as values of their own. */
static void members_are_walked(void **state)
{
    (void)state;
    struct json_value object;
    struct json_value value;
    struct json_value element;
    struct slice key;
    assert_int_equal(
        check(" { \"a\" : 1 , \"b\\n\":[ \"x\" , {\"y\":2} ],\"c\":{ }, \"d\":true}", &object),
        ST_OK);
    assert_true(json_next_member(&object, &key, &value));
    assert_slice(key, "a");
    assert_slice(value.raw, "1");
    assert_true(json_next_member(&object, &key, &value));
    assert_slice(key, "b\\n");
    assert_int_equal(value.kind, JSON_ARRAY);
    assert_true(json_next_element(&value, &element));
    assert_int_equal(element.kind, JSON_STRING);
    assert_slice(element.raw, "x");
    assert_true(json_next_element(&value, &element));
    assert_int_equal(element.kind, JSON_OBJECT);
    assert_true(json_next_member(&element, &key, &element));
    assert_slice(key, "y");
    assert_false(json_next_element(&value, &element));
    assert_true(json_next_member(&object, &key, &value));
    assert_int_equal(value.kind, JSON_OBJECT);
    assert_false(json_next_member(&value, &key, &value));
    assert_true(json_next_member(&object, &key, &value));
    assert_int_equal(value.kind, JSON_TRUE);
    assert_false(json_next_member(&object, &key, &value));
    assert_false(json_next_element(&object, &value));
}

/* Escapes are undone; half a pair of surrogates is none; what does not fit is no text. */
static void strings_are_decoded(void **state)
{
    (void)state;
    char into[32];
    struct slice text;
    struct json_value value;
    assert_int_equal(check("\"a\\u0000\\u00e9\\u20ac\\ud83d\\ude00\\/\\t\xc3\xa9\"", &value),
                     ST_OK);
    assert_int_equal(json_text_into(&value, into, sizeof(into), &text), ST_OK);
    static const char expected[] = "a\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\t\xc3\xa9";
    assert_int_equal(text.len, sizeof(expected) - 1);
    assert_memory_equal(text.at, expected, text.len);
    assert_int_equal(json_text_into(&value, into, text.len - 1, &text), ST_LIMIT);
    static const char *const halves[] = {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"",
                                         "\"\\ud83d\\u0041\""};
    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        assert_int_equal(check(halves[i], &value), ST_OK);
        assert_int_equal(json_text_into(&value, into, sizeof(into), &text), ST_BAD);
    }
    assert_int_equal(check("1", &value), ST_OK);
    assert_int_equal(json_text_into(&value, into, sizeof(into), &text), ST_BAD);
}

/* Whole numbers up to a bound; others are no numbers here. */
static void numbers_are_whole(void **state)
{
    (void)state;
    uint64_t number = 0;
    struct json_value value;
    assert_int_equal(check("1000", &value), ST_OK);
    assert_int_equal(json_to_u64(&value, 1000, &number), ST_OK);
    assert_int_equal(number, 1000);
    assert_int_equal(json_to_u64(&value, 999, &number), ST_LIMIT);
    static const char *const others[] = {"-1", "1.5", "1e3", "\"1\"", "true"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(check(others[i], &value), ST_OK);
        assert_int_equal(json_to_u64(&value, 1000, &number), ST_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_json_is_taken),  cmocka_unit_test(each_cut_of_an_object_is_bad),
        cmocka_unit_test(depth_is_bounded),    cmocka_unit_test(members_are_walked),
        cmocka_unit_test(strings_are_decoded), cmocka_unit_test(numbers_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
