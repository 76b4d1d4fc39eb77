#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/tls_sniff.h"

#include <stdlib.h>

/* The first byte decides: of all 256 one begins TLS, 26 begin HTTP, two SOCKS, and none begins more than one. */
static void the_first_byte_decides(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c;
        struct slice first = slice_of(&byte, 1);
        assert_int_equal(tls_sniff_is_tls(first), c == 0x16);
        assert_int_equal(tls_sniff_is_http(first), c >= 'A' && c <= 'Z');
        assert_int_equal(tls_sniff_socks_version(first), c == 4 || c == 5 ? c : 0);
    }
}

/* A second byte that is there must be the version's 3 (RFC 8446 §5.1). */
static void a_second_byte_must_be_the_versions(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char bytes[] = {0x16, (char)c};
        assert_int_equal(tls_sniff_is_tls(slice_of(bytes, 2)), c == 3);
    }
    assert_true(tls_sniff_is_tls(SLICE("\x16\x03\x01\x02\x00")));
}

/* Nothing yet is neither. */
static void nothing_is_neither(void **state)
{
    (void)state;
    assert_false(tls_sniff_is_tls(SLICE_NONE));
    assert_false(tls_sniff_is_http(SLICE_NONE));
    assert_int_equal(tls_sniff_socks_version(SLICE_NONE), 0);
}

/* The answer in clear is a whole response whose Content-Length is that of its body (RFC 9112 §6.2). */
static void the_answer_in_clear_is_whole(void **state)
{
    (void)state;
    struct slice answer = tls_sniff_clear_answer();
    assert_true(slice_starts_with(answer, SLICE("HTTP/1.1 400 ")));
    const char *field = strstr(answer.at, "\r\nContent-Length: ");
    const char *end = strstr(answer.at, "\r\n\r\n");
    assert_non_null(field);
    assert_non_null(end);
    assert_true(field < end);
    size_t body = answer.len - (size_t)(end + 4 - answer.at);
    assert_int_equal(strtoul(field + strlen("\r\nContent-Length: "), NULL, 10), body);
    assert_non_null(strstr(answer.at, "\r\nConnection: close\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_decides),
        cmocka_unit_test(a_second_byte_must_be_the_versions),
        cmocka_unit_test(nothing_is_neither),
        cmocka_unit_test(the_answer_in_clear_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
