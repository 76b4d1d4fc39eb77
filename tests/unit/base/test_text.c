#include "base_test.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>

/* Room of exactly `cap` bytes on the heap, so that a sanitizer sees one byte too many. */
static struct text room_of(size_t cap)
{
    char *at = malloc(cap);
    assert_true(at != NULL || cap == 0);
    return text_on(at, cap);
}

static void room_done(struct text *text)
{
    free(text->at);
}

/* What does not fit is cut at the end and remembered; what fits exactly is not. */
static void text_is_cut_at_its_end(void **state)
{
    (void)state;
    struct text text = room_of(5);
    text_add(&text, SLICE("abc"));
    text_add_char(&text, 'd');
    text_add(&text, SLICE_NONE);
    text_add_char(&text, 'e');
    assert_slice(text_slice(&text), "abcde");
    assert_false(text.is_cut);
    text_add(&text, SLICE_NONE);
    assert_false(text.is_cut);
    text_add_char(&text, 'f');
    assert_slice(text_slice(&text), "abcde");
    assert_true(text.is_cut);
    room_done(&text);

    text = room_of(4);
    text_add(&text, SLICE("abcdef"));
    assert_slice(text_slice(&text), "abcd");
    assert_true(text.is_cut);
    room_done(&text);

    text = text_on(NULL, 0);
    text_add(&text, SLICE("a"));
    assert_int_equal(text.len, 0);
    assert_true(text.is_cut);
}

/* Numbers come out as printf would write them, at their edges too. */
static void numbers_are_written_at_their_edges(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 9, 10, 15, 16, 255, 256, 4294967295, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char seen[64];
        char expected[64];
        struct text text = text_on(seen, sizeof(seen));
        text_add_u64(&text, values[i]);
        (void)snprintf(expected, sizeof(expected), "%" PRIu64, values[i]);
        assert_slice(text_slice(&text), expected);
    }
    struct text text = room_of(3);
    text_add_u64(&text, 12345);
    assert_slice(text_slice(&text), "123");
    assert_true(text.is_cut);
    room_done(&text);
}

/* Formatting fills every room up to its end, whether it prints in place or through its small buffer. */
static void formatting_is_bounded(void **state)
{
    (void)state;
    char long_text[400];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    for (size_t cap = 0; cap < 300; cap++) {
        struct text text = room_of(cap);
        text_add_format(&text, "%d-%s", 42, "ab");
        size_t expected = cap < 5 ? cap : 5;
        assert_int_equal(text.len, expected);
        assert_memory_equal(text.at == NULL ? "" : text.at, "42-ab", expected);
        assert_int_equal(text.is_cut, cap < 5);
        room_done(&text);
    }
    static const size_t caps[] = {254, 255, 256, 257, 399, 400, 401};
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        struct text text = room_of(caps[i]);
        text_add_format(&text, "%s", long_text);
        assert_true(text.len <= caps[i]);
        assert_int_equal(text.is_cut, text.len < 399);
        assert_true(text.len >= (caps[i] < 400 ? caps[i] - 1 : 399));
        for (size_t k = 0; k < text.len; k++)
            assert_int_equal(text.at[k], 'x');
        room_done(&text);
    }
}

static bool is_html_dropped(unsigned c)
{
    return c < 0x20 || c == 0x7f;
}

/* HTML: five bytes become references, control bytes vanish, all others pass as they are. */
static void every_byte_is_safe_in_html(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char into[16];
        char byte = (char)c;
        struct text text = text_on(into, sizeof(into));
        text_add_html(&text, slice_of(&byte, 1));
        const char *expected = c == '&'    ? "&amp;"
                               : c == '<'  ? "&lt;"
                               : c == '>'  ? "&gt;"
                               : c == '"'  ? "&quot;"
                               : c == '\'' ? "&#39;"
                                           : NULL;
        if (expected != NULL)
            assert_slice(text_slice(&text), expected);
        else if (is_html_dropped(c))
            assert_int_equal(text.len, 0);
        else
            assert_true(slice_equals(text_slice(&text), slice_of(&byte, 1)));
        assert_false(text.is_cut);
    }
}

/* JSON: every single byte is plain, an escape of two, or \u00XX; bytes beyond ASCII alone are no UTF-8. */
static void every_byte_is_safe_in_json(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char into[16];
        char expected[16];
        char byte = (char)c;
        struct text text = text_on(into, sizeof(into));
        text_add_json(&text, slice_of(&byte, 1));
        if (c == '"' || c == '\\')
            (void)snprintf(expected, sizeof(expected), "\\%c", (char)c);
        else if (c < 0x20 || c >= 0x7f)
            (void)snprintf(expected, sizeof(expected), "\\u%04x", c);
        else
            (void)snprintf(expected, sizeof(expected), "%c", (char)c);
        assert_slice(text_slice(&text), expected);
    }
}

/* JSON: valid UTF-8 passes whole, from the first that is shown to the last code point of each length (RFC 3629 §4). */
static void valid_utf8_passes_in_json(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "\xc2\xa0",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xec\xbf\xbf",
        "\xed\x80\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf3\xbf\xbf\xbf",
        "\xf4\x80\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "a\xc3\xa4z\xe2\x82\xac",
    };
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        char into[32];
        struct text text = text_on(into, sizeof(into));
        text_add_json(&text, slice_from_string(valid[i]));
        assert_slice(text_slice(&text), valid[i]);
    }
}

/* CSI and OSC of C1, separators, overrides and isolates of direction, the byte order mark; and what stands beside
 * them. */
static void what_a_terminal_obeys_is_escaped_in_json(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\xc2\x80", "\\u0080"},          {"\xc2\x9b", "\\u009b"},     {"\xc2\xa0", "\xc2\xa0"},
        {"\xe2\x80\x8a", "\xe2\x80\x8a"}, {"\xe2\x80\x8b", "\\u200b"}, {"\xe2\x80\xae", "\\u202e"},
        {"\xe2\x80\xaf", "\xe2\x80\xaf"}, {"\xe2\x81\xa6", "\\u2066"}, {"\xef\xbb\xbf", "\\ufeff"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char room[32];
        struct text text = text_on(room, sizeof(room));
        text_add_json(&text, slice_from_string(rows[i][0]));
        assert_string_equal(text_string(&text), rows[i][1]);
    }
}

/* JSON: overlong forms, surrogates, what is beyond U+10FFFF and cut sequences are escaped byte by byte. */
static void invalid_utf8_is_escaped_in_json(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\xc0\x80", "\\u00c0\\u0080"},
        {"\xc1\xbf", "\\u00c1\\u00bf"},
        {"\xe0\x9f\xbf", "\\u00e0\\u009f\\u00bf"},
        {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080"},
        {"\xed\xbf\xbf", "\\u00ed\\u00bf\\u00bf"},
        {"\xf0\x8f\xbf\xbf", "\\u00f0\\u008f\\u00bf\\u00bf"},
        {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080"},
        {"\xf5\x80\x80\x80", "\\u00f5\\u0080\\u0080\\u0080"},
        {"\xe2\x82", "\\u00e2\\u0082"},
        {"\xe2\x82x", "\\u00e2\\u0082x"},
        {"\xe2x\x82", "\\u00e2x\\u0082"},
        {"\x80\xc3\xa4", "\\u0080\xc3\xa4"},
        {"\xc3\xc3\xa4", "\\u00c3\xc3\xa4"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char into[64];
        struct text text = text_on(into, sizeof(into));
        text_add_json(&text, slice_from_string(rows[i][0]));
        assert_slice(text_slice(&text), rows[i][1]);
    }
}

/* Log lines: printable ASCII passes; the rest, a backslash and the quote become \xHH. */
static void every_byte_is_safe_in_a_log_line(void **state)
{
    (void)state;
    static const char quotes[] = {'"', '\'', '\0'};
    for (size_t q = 0; q < sizeof(quotes); q++) {
        for (unsigned c = 0; c < 256; c++) {
            char into[16];
            char expected[16];
            char byte = (char)c;
            struct text text = text_on(into, sizeof(into));
            text_add_log(&text, slice_of(&byte, 1), quotes[q]);
            bool is_plain =
                c >= 0x20 && c <= 0x7e && c != '\\' && (quotes[q] == '\0' || byte != quotes[q]);
            (void)snprintf(expected, sizeof(expected), is_plain ? "%c" : "\\x%02x", c);
            assert_slice(text_slice(&text), expected);
        }
    }
}

static void add_json(struct text *text, struct slice s)
{
    text_add_json(text, s);
}

static void add_html(struct text *text, struct slice s)
{
    text_add_html(text, s);
}

static void add_log(struct text *text, struct slice s)
{
    text_add_log(text, s, '"');
}

/* An escape, or a character of several bytes, is added whole or not at all, wherever the room ends. */
static void escapes_are_never_cut_in_two(void **state)
{
    (void)state;
    static const struct {
        void (*add)(struct text *, struct slice);
        const char *in;
        const char *units[6]; /* in order; every cut is between two of them */
    } rows[] = {
        {add_json, "a\"\x01\xe2\x82\xacz", {"a", "\\\"", "\\u0001", "\xe2\x82\xac", "z"}},
        {add_html, "a<&\"z", {"a", "&lt;", "&amp;", "&quot;", "z"}},
        {add_log, "a\"\x01z", {"a", "\\x22", "\\x01", "z"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t cap = 0; cap < 20; cap++) {
            char expected[32] = "";
            bool is_cut = false;
            for (size_t u = 0; u < COUNT_OF(rows[i].units) && rows[i].units[u] != NULL; u++) {
                is_cut = is_cut || strlen(expected) + strlen(rows[i].units[u]) > cap;
                if (!is_cut)
                    memcpy(expected + strlen(expected), rows[i].units[u],
                           strlen(rows[i].units[u]) + 1);
            }
            struct text text = room_of(cap);
            rows[i].add(&text, slice_from_string(rows[i].in));
            assert_slice(text_slice(&text), expected);
            assert_int_equal(text.is_cut, is_cut);
            room_done(&text);
        }
    }
}

/* Durations have three digits and the unit that suits them. */
static void durations_are_for_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {
        {0, "0us"},
        {999, "999ns"},
        {NS_PER_US, "1.00us"},
        {1230, "1.23us"},
        {12345, "12.3us"},
        {999999, "999us"},
        {NS_PER_MS, "1.00ms"},
        {123 * NS_PER_MS, "123ms"},
        {NS_PER_S - 1, "999ms"},
        {NS_PER_S, "1.00s"},
        {59 * NS_PER_S + 90 * NS_PER_MS, "59.0s"},
        {86400 * NS_PER_S, "86400s"},
        {UINT64_MAX, "18446744073s"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char into[32];
        struct text text = text_on(into, sizeof(into));
        text_add_duration(&text, rows[i].ns);
        assert_slice(text_slice(&text), rows[i].text);
    }
}

/* Sizes have three digits and a decimal unit, up to terabytes. */
static void sizes_are_for_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0B"},
        {999, "999B"},
        {1000, "1.00KB"},
        {12345, "12.3KB"},
        {999999, "999KB"},
        {1000000, "1.00MB"},
        {34000000000, "34.0GB"},
        {1000000000000, "1.00TB"},
        {UINT64_MAX, "18446744TB"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char into[32];
        struct text text = text_on(into, sizeof(into));
        text_add_size(&text, rows[i].bytes);
        assert_slice(text_slice(&text), rows[i].text);
    }
}

static void terminate(void *with)
{
    (void)text_string(with);
}

/* A string is terminated inside its room: a full text loses its last byte, and says so. */
static void a_string_is_terminated_in_its_room(void **state)
{
    (void)state;
    struct text text = room_of(4);
    assert_string_equal(text_string(&text), "");
    text_add(&text, SLICE("abc"));
    assert_string_equal(text_string(&text), "abc");
    assert_false(text.is_cut);
    text_add_char(&text, 'd');
    assert_string_equal(text_string(&text), "abc");
    assert_true(text.is_cut);
    assert_int_equal(text.len, 3);
    room_done(&text);
    struct text none = text_on(NULL, 0);
    assert_aborts(terminate, &none);
}

static const char *short_duration(uint64_t ns)
{
    static char room[32];
    struct text text = text_on(room, sizeof(room));
    text_add_short_duration(&text, ns);
    return text_string(&text);
}

static void short_durations_fit_columns(void **state)
{
    (void)state;
    assert_string_equal(short_duration(0), "0us");
    assert_string_equal(short_duration(999999), "999us");
    assert_string_equal(short_duration(1250000), "1.2ms");
    assert_string_equal(short_duration(45 * NS_PER_MS), "45ms");
    assert_string_equal(short_duration(119 * NS_PER_S), "119s");
    assert_string_equal(short_duration(120 * NS_PER_S), "2.0m");
    assert_string_equal(short_duration(UINT64_MAX), "213503d");
}

/* No line is wider than it may be, and words stay whole where they can. */
static void words_are_wrapped(void **state)
{
    (void)state;
    static const struct {
        const char *words, *lines;
        struct text_wrap wrap;
    } rows[] = {
        {"one two three", "one two\n  three", {.columns = 9, .indent = 2}},
        {"one two three", "one two\n  three", {.columns = 7, .indent = 2}},
        {"one two", "one\n  two", {.columns = 6, .indent = 2}},
        {"one", "\n  one", {.columns = 9, .indent = 2, .at = 7}},
        {"one two", "one\n  two", {.columns = 9, .indent = 2, .at = 6}},
        {"  one   two ", "one two", {.columns = 9, .indent = 2}},
        {"abcdefghijkl xy", "abcdef\n  ghij\n  kl\n  xy", {.columns = 6, .indent = 2}},
        {"", "", {.columns = 6, .indent = 2}},
        {" ", "", {.columns = 6, .indent = 2}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char room[100];
        struct text text = text_on(room, sizeof(room));
        text_add_wrapped(&text, slice_from_string(rows[i].words), &rows[i].wrap);
        assert_string_equal(text_string(&text), rows[i].lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_at_its_end),
        cmocka_unit_test(numbers_are_written_at_their_edges),
        cmocka_unit_test(formatting_is_bounded),
        cmocka_unit_test(every_byte_is_safe_in_html),
        cmocka_unit_test(every_byte_is_safe_in_json),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped_in_json),
        cmocka_unit_test(valid_utf8_passes_in_json),
        cmocka_unit_test(invalid_utf8_is_escaped_in_json),
        cmocka_unit_test(every_byte_is_safe_in_a_log_line),
        cmocka_unit_test(escapes_are_never_cut_in_two),
        cmocka_unit_test(durations_are_for_people),
        cmocka_unit_test(sizes_are_for_people),
        cmocka_unit_test(a_string_is_terminated_in_its_room),
        cmocka_unit_test(short_durations_fit_columns),
        cmocka_unit_test(words_are_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
