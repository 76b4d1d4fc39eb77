/* The pen of the JSON log: numbers of every length, objects without a member, and no byte behind the end of the text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "report/json_pen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_number(uint64_t value)
{
    char wanted[32];
    char room[JSON_DIGITS_MAX];
    struct text text = text_on(room, sizeof(room));
    int len = snprintf(wanted, sizeof(wanted), "%" PRIu64, value);
    json_put_number(&text, value);
    assert_int_equal(text.len, len);
    assert_memory_equal(room, wanted, text.len);
}

static void numbers_are_those_of_printf(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 20000; value++)
        assert_number(value);
    for (uint64_t power = 10; power <= UINT64_MAX / 10; power *= 10) {
        assert_number(power - 1);
        assert_number(power);
        assert_number(power + 1);
        assert_number(power * 7 + 10001);
    }
    assert_number(UINT64_MAX);
    assert_number(UINT64_MAX - 1);
}

static void below_zero_has_a_sign(void **state)
{
    (void)state;
    char room[64];
    struct text text = text_on(room, sizeof(room));
    json_put_signed(&text, -1);
    json_put_char(&text, ' ');
    json_put_signed(&text, INT64_MIN);
    json_put_char(&text, ' ');
    json_put_signed(&text, 0);
    assert_string_equal(text_string(&text), "-1 -9223372036854775808 0");
}

/* An object with a member, one without, one in another, and a list of two. */
static void write_all(struct text *into)
{
    static const struct slice keys[] = {JSON_KEY_INIT("a"), JSON_KEY_INIT("a_key_of_20_letters_")};
    json_put(into, SLICE("{\"v\":1"));
    struct json_object outer = json_open(into, JSON_KEY("outer"));
    struct json_object inner = json_open(into, JSON_KEY("none"));
    json_count(into, JSON_KEY("zero"), 0);
    json_flag(into, JSON_KEY("false"), false);
    json_close(into, inner);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        json_put_key(into, keys[i]);
        json_put_signed(into, -12345 * (int64_t)i);
    }
    json_word(into, JSON_KEY("word"), "yes");
    json_flag(into, JSON_KEY("true"), true);
    json_close(into, outer);
    json_put(into, JSON_KEY("list"));
    json_put_char(into, '[');
    for (uint64_t i = 0; i < 2; i++) {
        struct json_object one = json_open_next(into);
        json_number(into, JSON_KEY("n"), i);
        json_close(into, one);
    }
    json_put_char(into, ']');
    json_put(into, JSON_KEY("text"));
    json_put_string(into, SLICE("a\"\\\n\x7f\xff\xc3\xa4\xf0\x9f\x98\x80"));
    json_put(into, SLICE("}"));
}

static const char all[] =
    "{\"v\":1,\"outer\":{\"a\":0,\"a_key_of_20_letters_\":-12345,\"word\":\"yes\",\"true\":true},"
    "\"list\":[{\"n\":0},{\"n\":1}],\"text\":"
    "\"a\\\"\\\\\\u000a\\u007f\\u00ff\\u00e4\\ud83d\\ude00\"}";

static void members_have_commas_and_objects_braces(void **state)
{
    (void)state;
    char room[1024];
    struct text text = text_on(room, sizeof(room));
    write_all(&text);
    assert_string_equal(text_string(&text), all);
    assert_false(text.is_cut);
}

/* Whatever the room is, nothing is written behind it. */
static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < sizeof(all); cap++) {
        char *room = malloc(cap + 1);
        assert_non_null(room);
        room[cap] = '#';
        struct text text = text_on(room, cap);
        write_all(&text);
        assert_true(text.len <= cap && (text.is_cut || text.len == sizeof(all) - 1));
        assert_int_equal(room[cap], '#');
        free(room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_printf),
        cmocka_unit_test(below_zero_has_a_sign),
        cmocka_unit_test(members_have_commas_and_objects_braces),
        cmocka_unit_test(what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
