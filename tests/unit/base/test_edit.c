/* cmocka wants these four before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/edit.h"

/* Letters that are changed, added and taken away count one each; case and the three marks do not. */
static void distances_are_those_of_levenshtein(void **state)
{
    (void)state;
    assert_int_equal(edit_distance(SLICE("status"), SLICE("status")), 0);
    assert_int_equal(edit_distance(SLICE("kitten"), SLICE("sitting")), 3);
    assert_int_equal(edit_distance(SLICE("stauts"), SLICE("status")), 2);
    assert_int_equal(edit_distance(SLICE(""), SLICE("abc")), 3);
    assert_int_equal(edit_distance(SLICE("abc"), SLICE("")), 3);
    assert_int_equal(edit_distance(SLICE("Client-Conn"), SLICE("client_conn")), 0);
}

/* A word of any length is compared by its beginning. */
static void long_words_are_cut(void **state)
{
    (void)state;
    char a[200];
    char b[200];
    memset(a, 'a', sizeof(a));
    memset(b, 'a', sizeof(b));
    b[150] = 'b';
    assert_int_equal(edit_distance(slice_of(a, sizeof(a)), slice_of(b, sizeof(b))), 0);
    b[3] = 'b';
    assert_int_equal(edit_distance(slice_of(a, sizeof(a)), slice_of(b, sizeof(b))), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_those_of_levenshtein),
        cmocka_unit_test(long_words_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
