#include "http_test.h"

#include "http/status_code.h"

#include <limits.h>

/* Codes have the phrases of RFC 9110 §15 and of the registry. */
static void codes_have_their_phrases(void **state)
{
    (void)state;
    assert_slice(status_code_reason(100), "Continue");
    assert_slice(status_code_reason(101), "Switching Protocols");
    assert_slice(status_code_reason(200), "OK");
    assert_slice(status_code_reason(407), "Proxy Authentication Required");
    assert_slice(status_code_reason(413), "Content Too Large");
    assert_slice(status_code_reason(421), "Misdirected Request");
    assert_slice(status_code_reason(431), "Request Header Fields Too Large");
    assert_slice(status_code_reason(502), "Bad Gateway");
    assert_slice(status_code_reason(504), "Gateway Timeout");
    assert_slice(status_code_reason(511), "Network Authentication Required");
}

/* A code without a phrase has an empty one, whatever the number. */
static void other_codes_have_no_phrase(void **state)
{
    (void)state;
    static const unsigned codes[] = {0,   1,   99,  104, 199, 299, 306,     418,
                                     430, 509, 510, 599, 600, 999, UINT_MAX};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_int_equal(status_code_reason(codes[i]).len, 0);
}

/* Every phrase may stand in a status line: printable, without blanks at its ends (RFC 9112 §4). */
static void phrases_may_stand_in_a_status_line(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 1000; code++) {
        struct slice reason = status_code_reason(code);
        assert_int_equal(slice_trim(reason).len, reason.len);
        for (size_t i = 0; i < reason.len; i++)
            assert_true(reason.at[i] >= ' ' && reason.at[i] < 0x7f);
    }
}

/* Exactly 1xx, 204 and 304 never have content (RFC 9110 §6.4.1). */
static void some_codes_have_no_content(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 1000; code++) {
        bool expected = code / 100 == 1 || code == 204 || code == 304;
        assert_int_equal(status_code_is_bodiless(code), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_their_phrases),
        cmocka_unit_test(other_codes_have_no_phrase),
        cmocka_unit_test(phrases_may_stand_in_a_status_line),
        cmocka_unit_test(some_codes_have_no_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
