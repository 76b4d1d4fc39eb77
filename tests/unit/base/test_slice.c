#include "base_test.h"

/* Views of strings know their length, and NULL is the empty slice. */
static void views_of_strings(void **state)
{
    (void)state;
    assert_int_equal(SLICE("abc").len, 3);
    assert_int_equal(slice_from_string("abc").len, 3);
    assert_int_equal(slice_from_string("").len, 0);
    assert_null(slice_from_string(NULL).at);
    assert_true(slice_is_empty(slice_from_string(NULL)));
    assert_false(slice_is_empty(SLICE(" ")));
}

/* Equality counts every byte and the length; two empty slices are equal wherever they lie. */
static void equality_is_exact(void **state)
{
    (void)state;
    assert_true(slice_equals(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equals(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equals(SLICE("ab"), SLICE("abc")));
    assert_false(slice_equals(SLICE("ab"), SLICE("aB")));
    assert_true(slice_equals(SLICE_NONE, SLICE("")));
}

/* Comparison without case folds the 26 letters of ASCII and no other of the 256 bytes. */
static void only_ascii_letters_have_case(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            bool is_pair =
                a != b && (a | 0x20) == (b | 0x20) && (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
            char left = (char)a;
            char right = (char)b;
            bool seen = slice_equals_nocase(slice_of(&left, 1), slice_of(&right, 1));
            assert_int_equal(seen, a == b || is_pair);
        }
    }
    assert_false(slice_equals_nocase(SLICE("ab"), SLICE("a")));
    assert_true(slice_equals_nocase(SLICE_NONE, SLICE("")));
}

/* Prefixes and suffixes may be empty or the whole, never longer. */
static void prefixes_and_suffixes(void **state)
{
    (void)state;
    struct slice s = SLICE("Host");
    assert_true(slice_starts_with(s, SLICE("Ho")));
    assert_true(slice_starts_with(s, SLICE("Host")));
    assert_true(slice_starts_with(s, SLICE_NONE));
    assert_false(slice_starts_with(s, SLICE("ho")));
    assert_false(slice_starts_with(s, SLICE("Hosts")));
    assert_true(slice_starts_with_nocase(s, SLICE("hO")));
    assert_false(slice_starts_with_nocase(s, SLICE("ost")));
    assert_false(slice_starts_with_nocase(s, SLICE("Hosts")));
    assert_true(slice_ends_with_nocase(s, SLICE("ST")));
    assert_true(slice_ends_with_nocase(s, SLICE("hOST")));
    assert_true(slice_ends_with_nocase(s, SLICE_NONE));
    assert_false(slice_ends_with_nocase(s, SLICE("Hos")));
    assert_false(slice_ends_with_nocase(s, SLICE("xHost")));
    assert_true(slice_ends_with_nocase(SLICE_NONE, SLICE_NONE));
}

/* Finding gives the first or the last place, and the length where there is none. */
static void finding_a_byte(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a:b:c"), ':'), 1);
    assert_int_equal(slice_find_last(SLICE("a:b:c"), ':'), 3);
    assert_int_equal(slice_find(SLICE("abc"), ':'), 3);
    assert_int_equal(slice_find_last(SLICE("abc"), ':'), 3);
    assert_int_equal(slice_find_last(SLICE(":abc"), ':'), 0);
    assert_int_equal(slice_find(SLICE("a\0b"), '\0'), 1);
    assert_int_equal(slice_find(SLICE_NONE, ':'), 0);
    assert_int_equal(slice_find_last(SLICE_NONE, ':'), 0);
}

/* Trimming takes blanks and tabs at both ends and nothing else (RFC 9110 §5.6.3). */
static void trimming_takes_blanks_and_tabs(void **state)
{
    (void)state;
    assert_slice(slice_trim(SLICE(" \t a b \t ")), "a b");
    assert_slice(slice_trim(SLICE("ab")), "ab");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_slice(slice_trim(SLICE_NONE), "");
    assert_slice(slice_trim(SLICE("\r\n\v\fa\xa0")), "\r\n\v\fa\xa0");
}

/* Cutting never goes beyond the ends. */
static void cutting_is_clamped(void **state)
{
    (void)state;
    struct slice s = SLICE("abc");
    assert_slice(slice_from(s, 0), "abc");
    assert_slice(slice_from(s, 2), "c");
    assert_slice(slice_from(s, 3), "");
    assert_slice(slice_from(s, SIZE_MAX), "");
    assert_slice(slice_first(s, 0), "");
    assert_slice(slice_first(s, 2), "ab");
    assert_slice(slice_first(s, SIZE_MAX), "abc");
    assert_int_equal(slice_from(SLICE_NONE, 5).len, 0);
    assert_int_equal(slice_first(SLICE_NONE, 5).len, 0);
}

/* All elements of a list, joined with '|'. */
static void assert_elements(struct slice list, const char *expected)
{
    char seen[128];
    size_t len = 0;
    struct slice element;
    while (slice_next_element(&list, &element)) {
        assert_true(element.len > 0 && len + element.len + 1 < sizeof(seen));
        memcpy(seen + len, element.at, element.len);
        len += element.len;
        seen[len++] = '|';
    }
    assert_int_equal(list.len, 0);
    assert_slice(slice_of(seen, len), expected);
}

/* A list splits at commas outside of quoted strings; empty elements count for nothing
 * (RFC 9110 §5.6.1, §5.6.4). */
static void lists_split_at_commas(void **state)
{
    (void)state;
    assert_elements(SLICE("a,b"), "a|b|");
    assert_elements(SLICE(" a\t, b c ,"), "a|b c|");
    assert_elements(SLICE(",, ,\t,a,,"), "a|");
    assert_elements(SLICE(""), "");
    assert_elements(SLICE_NONE, "");
    assert_elements(SLICE(" , "), "");
    assert_elements(SLICE("a=\"x,y\",b"), "a=\"x,y\"|b|");
    assert_elements(SLICE("a=\"x\\\",y\",b"), "a=\"x\\\",y\"|b|");
    assert_elements(SLICE("a=\"x\\\\\",b"), "a=\"x\\\\\"|b|");
    assert_elements(SLICE("a\\,b"), "a\\|b|");       /* a backslash outside of quotes is nothing */
    assert_elements(SLICE("\"open,b"), "\"open,b|"); /* a string without end takes the rest */
    assert_elements(SLICE("\"open\\"), "\"open\\|");
}

/* Cutting at a byte gives heads and rests; a trailing separator leaves no empty last part. */
static void parts_are_cut_at_a_byte(void **state)
{
    (void)state;
    struct slice rest = SLICE("a..b.");
    struct slice part;
    assert_true(slice_next_part(&rest, '.', &part));
    assert_slice(part, "a");
    assert_true(slice_next_part(&rest, '.', &part));
    assert_slice(part, "");
    assert_true(slice_next_part(&rest, '.', &part));
    assert_slice(part, "b");
    assert_false(slice_next_part(&rest, '.', &part));
    assert_slice(part, "b"); /* written only where there was one */
    rest = SLICE("whole");
    assert_true(slice_next_part(&rest, '.', &part));
    assert_slice(part, "whole");
    assert_false(slice_next_part(&rest, '.', &part));
}

static void assert_read(enum status (*read)(struct slice, uint64_t, uint64_t *), const char *text,
                        uint64_t max, enum status expected, uint64_t expected_value)
{
    uint64_t value = 77;
    enum status status = read(slice_from_string(text), max, &value);
    if (status != expected || value != (status == ST_OK ? expected_value : 77))
        fail_msg("\"%s\" gives %d", text, (int)status);
}

static void assert_number(const char *text, uint64_t max, enum status expected,
                          uint64_t expected_value)
{
    assert_read(slice_to_u64, text, max, expected, expected_value);
}

static void assert_hex(const char *text, uint64_t max, enum status expected,
                       uint64_t expected_value)
{
    assert_read(slice_hex_to_u64, text, max, expected, expected_value);
}

/* A number is digits only: no sign, blank, prefix or fraction. */
static void a_number_is_digits_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "+1",  "-1", " 1",  "1 ",  "1.0",
                                      "0x1", "1e3", "a",  "1\t", "\xb2"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_number(bad[i], UINT64_MAX, ST_BAD, 0);
    assert_number("0", 0, ST_OK, 0);
    assert_number("007", 7, ST_OK, 7);
    uint64_t value;
    assert_int_equal(slice_to_u64(SLICE("1\0"), 10, &value), ST_BAD);
    assert_int_equal(slice_to_u64(SLICE_NONE, 10, &value), ST_BAD);
}

/* Exactly the bound is read; one more, and every number that wraps 64 bits, is ST_LIMIT. */
static void a_number_beyond_its_bound_is_a_limit(void **state)
{
    (void)state;
    assert_number("255", 255, ST_OK, 255);
    assert_number("256", 255, ST_LIMIT, 0);
    assert_number("1", 0, ST_LIMIT, 0);
    assert_number("9", 8, ST_LIMIT, 0);
    assert_number("18446744073709551615", UINT64_MAX, ST_OK, UINT64_MAX);
    assert_number("18446744073709551616", UINT64_MAX, ST_LIMIT, 0);
    assert_number("18446744073709551625", UINT64_MAX, ST_LIMIT, 0);
    assert_number("184467440737095516150", UINT64_MAX, ST_LIMIT, 0);
    assert_number("36893488147419103233", UINT64_MAX, ST_LIMIT, 0); /* 2^65 + 1 wraps to 1 */
    assert_number("99999999999999999999999999999999999999999", UINT64_MAX, ST_LIMIT, 0);
    assert_number("0000000000000000000000000000000000000000042", 42, ST_OK, 42);
}

/* Rubbish behind a number that is too large is still rubbish, not only too large. */
static void a_bad_byte_counts_more_than_a_limit(void **state)
{
    (void)state;
    assert_number("18446744073709551616x", UINT64_MAX, ST_BAD, 0);
    assert_number("999x", 10, ST_BAD, 0);
}

/* Numbers of base 16 take both cases, up to 16 digits after zeros, and no prefix. */
static void hexadecimal_numbers(void **state)
{
    (void)state;
    assert_hex("0", UINT64_MAX, ST_OK, 0);
    assert_hex("aF", UINT64_MAX, ST_OK, 0xaf);
    assert_hex("ffffffffffffffff", UINT64_MAX, ST_OK, UINT64_MAX);
    assert_hex("0ffffffffffffffff", UINT64_MAX, ST_OK, UINT64_MAX);
    assert_hex("10000000000000000", UINT64_MAX, ST_LIMIT, 0);
    assert_hex("100", 0xff, ST_LIMIT, 0);
    assert_hex("ff", 0xff, ST_OK, 0xff);
    assert_hex("f", 3, ST_LIMIT, 0);
    assert_hex("g", UINT64_MAX, ST_BAD, 0);
    assert_hex("0x1", UINT64_MAX, ST_BAD, 0);
    assert_hex("@", UINT64_MAX, ST_BAD, 0);
    assert_hex("`", UINT64_MAX, ST_BAD, 0);
    assert_hex("", UINT64_MAX, ST_BAD, 0);
}

static void open_quotes_are_found(void **state)
{
    (void)state;
    static const char *const closed[] = {"",           "a",         "\"\"", "a=\"b, c\"",
                                         "\"a\\\"b\"", "\"a\\\\\"", "a\\"};
    static const char *const open[] = {"\"", "a, b=\"", "\"a\\\"", "\"\\", "\"a\" \"b", "a\\\"b"};
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        assert_false(slice_has_open_quote(slice_from_string(closed[i])));
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        assert_true(slice_has_open_quote(slice_from_string(open[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_strings),
        cmocka_unit_test(equality_is_exact),
        cmocka_unit_test(only_ascii_letters_have_case),
        cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(finding_a_byte),
        cmocka_unit_test(trimming_takes_blanks_and_tabs),
        cmocka_unit_test(cutting_is_clamped),
        cmocka_unit_test(lists_split_at_commas),
        cmocka_unit_test(open_quotes_are_found),
        cmocka_unit_test(parts_are_cut_at_a_byte),
        cmocka_unit_test(a_number_is_digits_only),
        cmocka_unit_test(a_number_beyond_its_bound_is_a_limit),
        cmocka_unit_test(a_bad_byte_counts_more_than_a_limit),
        cmocka_unit_test(hexadecimal_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
