#include "view_test.h"

#include "view/screen.h"

static char room[256];

static const char *cell(const char *words, size_t columns, bool is_right)
{
    struct text text = text_on(room, sizeof(room));
    screen_add_cell(&text, slice_from_string(words), columns, is_right);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_keep_their_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
