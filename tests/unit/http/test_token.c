#include "http_test.h"

#include "http/token.h"

static void every_known_name_is_found_whatever_its_case(void **state)
{
    (void)state;
    for (unsigned i = TOKEN_OTHER + 1; i < TOKEN_COUNT; i++) {
        struct slice name = token_name((enum token)i);
        char upper[32];
        char lower[32];
        for (size_t k = 0; k < name.len; k++) {
            lower[k] = char_lower(name.at[k]);
            upper[k] = lower[k] >= 'a' && lower[k] <= 'z' ? (char)(lower[k] - 32) : lower[k];
        }
        assert_int_equal(token_of(name), i);
        assert_int_equal(token_of(slice_of(upper, name.len)), i);
        assert_int_equal(token_of(slice_of(lower, name.len)), i);
    }
}

static void a_name_that_differs_in_one_byte_is_another(void **state)
{
    (void)state;
    for (unsigned i = TOKEN_OTHER + 1; i < TOKEN_COUNT; i++) {
        struct slice name = token_name((enum token)i);
        char copy[32];
        for (size_t at = 0; at < name.len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                memcpy(copy, name.at, name.len);
                copy[at] = (char)c;
                bool is_same = char_lower((char)c) == char_lower(name.at[at]);
                enum token token = token_of(slice_of(copy, name.len));
                assert_int_equal(is_same, token == (enum token)i);
            }
        }
    }
}

static void shorter_and_longer_names_are_others(void **state)
{
    (void)state;
    assert_int_equal(token_of(SLICE("")), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE_NONE), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE("h")), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE("hos")), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE("hostt")), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE("content-lengthx")), TOKEN_OTHER);
    assert_int_equal(token_of(SLICE("proxy-authentication-infoo")), TOKEN_OTHER);
    assert_slice(token_name(TOKEN_OTHER), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_is_found_whatever_its_case),
        cmocka_unit_test(a_name_that_differs_in_one_byte_is_another),
        cmocka_unit_test(shorter_and_longer_names_are_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
