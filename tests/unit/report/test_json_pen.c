/* The pen of the JSON log: numbers of every length, objects without a member, and no byte behind the end of the
 * text. */

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
    char room[JSON_DIGITS_MAX + 1];
    struct text text = text_on(room, JSON_DIGITS_MAX);
    int len = snprintf(wanted, sizeof(wanted), "%" PRIu64, value);
    room[JSON_DIGITS_MAX] = '#';
    json_number(&text, SLICE(""), value);
    assert_int_equal(text.len, len);
    assert_memory_equal(room, wanted, text.len);
    assert_int_equal(room[JSON_DIGITS_MAX], '#');
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

static void digits_with_zeros_in_front_are_those_of_printf(void **state)
{
    (void)state;
    char found[17] = "", wanted[32];
    for (uint32_t value = 0; value < 100000000; value = value * 3 + 1) {
        json_digits_eight(found, value);
        (void)snprintf(wanted, sizeof(wanted), "%08" PRIu32, value);
        assert_memory_equal(found, wanted, 8);
    }
    for (uint64_t value = 1; value != 0; value <<= 1) {
        json_digits_hex(found, value * 13 - 1);
        (void)snprintf(wanted, sizeof(wanted), "%016" PRIx64, value * 13 - 1);
        assert_string_equal(found, wanted);
    }
}

static void below_zero_has_a_sign(void **state)
{
    (void)state;
    char room[64];
    struct text text = text_on(room, sizeof(room));
    json_signed(&text, SLICE(""), -1);
    json_signed(&text, SLICE(" "), INT64_MIN);
    json_signed(&text, SLICE(" "), 0);
    assert_string_equal(text_string(&text), "-1 -9223372036854775808 0");
}

static const struct json_key table[] = {JSON_KEY_INIT("a"), JSON_KEY_INIT("b"),
                                        JSON_KEY_INIT("a_key_of_19_letters")};
static const int64_t values[] = {-12345, 7, INT64_MIN};

/* Those whose bits are set, and no object where none is. */
static void an_object_of_numbers_has_those_that_are_chosen(void **state)
{
    (void)state;
    char room[8192];
    struct text text = text_on(room, sizeof(room));
    json_numbers(&text, JSON_KEY("some"), table, values, 1 << 0 | 1 << 2);
    json_numbers(&text, JSON_KEY("none"), table, values, 0);
    json_numbers(&text, JSON_KEY("one"), table, values, 1 << 1);
    assert_string_equal(text_string(&text),
                        ",\"some\":{\"a\":-12345,\"a_key_of_19_letters\":-9223372036854775808}"
                        ",\"one\":{\"b\":7}");
}

/* What is written in place, and what has no place and may be cut. */
static void what_is_written_in_place_keeps_to_the_room(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 8; cap++) {
        char room[9] = "#########";
        char spare[4];
        struct text text = text_on(room, cap);
        json_put_char(&text, '<');
        char *begin = json_begin(&text, spare, sizeof(spare));
        begin[0] = 'a';
        begin[1] = 'b';
        json_end(&text, begin, begin + 2);
        assert_int_equal(text.is_cut, cap < 3);
        assert_memory_equal(room, "<ab", cap < 3 ? cap : 3);
        assert_int_equal(room[cap], '#');
    }
}

/* Of ASCII, and of bytes that are no UTF-8. */
static void add_wanted(struct text *into, unsigned char c)
{
    if (c == '"' || c == '\\')
        text_add_format(into, "\\%c", c);
    else
        text_add_format(into, c >= 0x20 && c < 0x7f ? "%c" : "\\u%04x", c);
}

static void assert_string(struct slice source)
{
    char wanted[256], room[256];
    struct text wanted_text = text_on(wanted, sizeof(wanted));
    struct text text = text_on(room, sizeof(room));
    text_add_char(&wanted_text, '"');
    for (size_t i = 0; i < source.len; i++)
        add_wanted(&wanted_text, (unsigned char)source.at[i]);
    text_add_char(&wanted_text, '"');
    json_put_string(&text, source);
    assert_string_equal(text_string(&text), text_string(&wanted_text));
}

/* Eight bytes are looked at together: none may hide behind another, wherever it stands. */
static void each_byte_is_escaped_at_each_place(void **state)
{
    (void)state;
    char source[19];
    for (size_t len = 0; len <= sizeof(source); len++) {
        memset(source, 'x', sizeof(source));
        assert_string(slice_of(source, len));
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                source[at] = (char)c;
                assert_string(slice_of(source, len));
            }
            source[at] = 'x';
        }
    }
}

/* An object with a member, one without, one in another, and a list of two. */
static void write_all(struct text *into)
{
    json_put(into, SLICE("{\"v\":1"));
    struct json_object outer = json_open(into, JSON_KEY("outer"));
    struct json_object inner = json_open(into, JSON_KEY("none"));
    json_count(into, JSON_KEY("zero"), 0);
    json_flag(into, JSON_KEY("false"), false);
    json_close(into, inner);
    json_numbers(into, JSON_KEY("numbers"), table, values, 1 << 0 | 1 << 2);
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
    json_put(into, JSON_KEY("plain"));
    json_put_string(into, SLICE("nothing to escape"));
    json_put(into, JSON_KEY("text"));
    json_put_string(into, SLICE("a\"\\\n\x7f\xff\xc3\xa4\xf0\x9f\x98\x80"));
    json_put(into, SLICE("}"));
}

static const char all[] = "{\"v\":1,\"outer\":{\"numbers\":{\"a\":-12345,\"a_key_of_19_letters\":-"
                          "9223372036854775808},\"word\":\"yes\",\"true\":true},"
                          "\"list\":[{\"n\":0},{\"n\":1}],\"plain\":\"nothing to escape\",\"text\":"
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
        cmocka_unit_test(digits_with_zeros_in_front_are_those_of_printf),
        cmocka_unit_test(below_zero_has_a_sign),
        cmocka_unit_test(an_object_of_numbers_has_those_that_are_chosen),
        cmocka_unit_test(what_is_written_in_place_keeps_to_the_room),
        cmocka_unit_test(each_byte_is_escaped_at_each_place),
        cmocka_unit_test(members_have_commas_and_objects_braces),
        cmocka_unit_test(what_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
