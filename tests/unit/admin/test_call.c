#include "admin_test.h"

#include "admin/call.h"

/* What a value of a query says without its escapes; NULL: it is none. */
static const char *decoded(const char *value, bool is_form, size_t room)
{
    static char memory[64];
    struct text text = text_on(memory, room);
    assert_true(room < sizeof(memory));
    if (!query_decode(slice_from_string(value), is_form, &text))
        return NULL;
    memory[text.len] = '\0';
    return memory;
}

static void escapes_are_two_hexadecimal_digits(void **state)
{
    (void)state;
    static const char *const wrong[] = {"%", "a%", "%4", "a%4", "%4g", "%g4", "%+4", "%-1", "%%41"};
    assert_string_equal(decoded("", false, 9), "");
    assert_string_equal(decoded("plain", false, 9), "plain");
    assert_string_equal(decoded("%41%2f%2B%25", false, 9), "A/+%");
    assert_string_equal(decoded("%e2%82%AC", false, 9), "\xe2\x82\xac");
    assert_string_equal(decoded("%2541", false, 9), "%41"); /* once, not twice */
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_null(decoded(wrong[i], false, 9));
        assert_null(decoded(wrong[i], true, 9));
    }
}

static void a_plus_is_a_blank_in_a_form_alone(void **state)
{
    (void)state;
    assert_string_equal(decoded("a+b%2Bc", true, 9), "a b+c");
    assert_string_equal(decoded("a+b%2Bc", false, 9), "a+b+c");
}

static void what_has_no_room_is_refused(void **state)
{
    (void)state;
    assert_string_equal(decoded("%41bc", false, 3), "Abc");
    assert_null(decoded("%41bcd", false, 3));
    assert_null(decoded("abc%41", false, 3));
}

static void values_stand_one_behind_the_other(void **state)
{
    (void)state;
    char memory[16];
    struct text text = text_on(memory, sizeof(memory));
    assert_true(query_decode(SLICE("%41"), false, &text));
    assert_true(query_decode(SLICE("b"), false, &text));
    assert_true(slice_equals(text_slice(&text), SLICE("Ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_two_hexadecimal_digits),
        cmocka_unit_test(a_plus_is_a_blank_in_a_form_alone),
        cmocka_unit_test(what_has_no_room_is_refused),
        cmocka_unit_test(values_stand_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
