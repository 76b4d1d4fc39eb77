#include "view_test.h"

#include "view/screen.h"

static char room[256];

static const char *cell(const char *words, size_t columns, bool is_right)
{
    struct text text = text_on(room, sizeof(room));
    screen_add_cell(&text, slice_from_string(words), columns, is_right);
    return text_string(&text);
}

static const char *duration(uint64_t ns)
{
    struct text text = text_on(room, sizeof(room));
    screen_add_duration(&text, ns);
    return text_string(&text);
}

/* A cell is as wide as it should be, whatever is in it. */
static void cells_keep_their_width(void **state)
{
    (void)state;
    assert_string_equal(cell("abc", 6, false), "abc   ");
    assert_string_equal(cell("abc", 6, true), "   abc");
    assert_string_equal(cell("abcdef", 6, true), "abcdef");
    assert_string_equal(cell("abcdefg", 6, false), "abc...");
    assert_string_equal(cell("\x1b[31m", 6, false), "\\x1...");
    assert_string_equal(cell("abcd", 2, false), "ab");
}

static void durations_are_short(void **state)
{
    (void)state;
    assert_string_equal(duration(0), "0us");
    assert_string_equal(duration(999999), "999us");
    assert_string_equal(duration(1250000), "1.2ms");
    assert_string_equal(duration(45 * NS_PER_MS), "45ms");
    assert_string_equal(duration(119 * NS_PER_S), "119s");
    assert_string_equal(duration(120 * NS_PER_S), "2.0m");
    assert_string_equal(duration(UINT64_MAX), "213503d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_keep_their_width),
        cmocka_unit_test(durations_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
