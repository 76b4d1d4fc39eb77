#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

struct example {
    struct slice bytes;
    enum status status;
};

static enum status parse(struct slice bytes, struct proxy_header *header, size_t *len)
{
    return proxy_header_parse(bytes, header, len);
}

/* Every proper prefix of a good header asks for more, and bytes behind it are left alone. */
static void check_prefixes(struct slice whole)
{
    char copy[PROXY_HEADER_V2_MAX + 4];
    struct proxy_header header;
    size_t len = 0;
    for (size_t n = 0; n < whole.len; n++) {
        assert_int_equal(parse(slice_first(whole, n), &header, &len), ST_AGAIN);
    }
    assert_int_equal(parse(whole, &header, &len), ST_OK);
    assert_int_equal(len, whole.len);
    memcpy(copy, whole.at, whole.len);
    memcpy(copy + whole.len, "GET ", 4);
    assert_int_equal(parse(slice_of(copy, whole.len + 4), &header, &len), ST_OK);
    assert_int_equal(len, whole.len);
}

static void check_endpoint(const struct inet_endpoint *endpoint, const char *expected)
{
    char text[INET_ENDPOINT_TEXT];
    inet_endpoint_format(endpoint, text);
    assert_string_equal(text, expected);
}

static void version_1_names_client_and_destination(void **state)
{
    (void)state;
    struct proxy_header header;
    size_t len = 0;
    struct slice v4 = SLICE("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n");
    assert_int_equal(parse(v4, &header, &len), ST_OK);
    assert_int_equal(header.version, 1);
    assert_false(header.is_local);
    check_endpoint(&header.source, "192.0.2.7:56324");
    check_endpoint(&header.destination, "198.51.100.1:443");
    check_prefixes(v4);

    struct slice v6 = SLICE("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
    assert_int_equal(parse(v6, &header, &len), ST_OK);
    check_endpoint(&header.source, "[2001:db8::1]:1");
    check_endpoint(&header.destination, "[::1]:65535");
    check_prefixes(v6);

    struct slice mapped = SLICE("PROXY TCP6 ::ffff:192.0.2.9 ::ffff:10.0.0.1 1 2\r\n");
    char text[INET_ENDPOINT_TEXT];
    assert_int_equal(parse(mapped, &header, &len), ST_OK);
    inet_endpoint_format(&header.source, text);
    assert_string_equal(text, "192.0.2.9:1");
    inet_endpoint_format(&header.destination, text);
    assert_string_equal(text, "10.0.0.1:2");
}

static void version_1_unknown_is_the_sender_itself_whatever_follows(void **state)
{
    (void)state;
    const struct slice LINES[] = {
        SLICE("PROXY UNKNOWN\r\n"),
        SLICE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        struct proxy_header header;
        size_t len = 0;
        assert_int_equal(parse(LINES[i], &header, &len), ST_OK);
        assert_true(header.is_local);
        assert_int_equal(header.source.addr.family, INET_NONE);
        check_prefixes(LINES[i]);
    }
}

static void version_1_is_strict(void **state)
{
    (void)state;
    const struct slice BAD[] = {
        SLICE("GET / HTTP/1.1\r\n"),
        SLICE("PROXY"
              "\r\n"),
        SLICE("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4\r\n"),
        SLICE("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"),
        SLICE("PROXY TCP4 ::1 ::1 1 2\r\n"),
        SLICE("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"),
        SLICE("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"),
        SLICE("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX"),
        SLICE("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"),
        SLICE("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"),
        SLICE("PROXY UNKNOWNX\r\n"),
        SLICE("PROXY \r\n"),
        SLICE("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
        SLICE("PROXY UNKNOWN \x80\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct proxy_header header;
        size_t len = 0;
        assert_int_equal(parse(BAD[i], &header, &len), ST_BAD);
    }
}

static void version_1_never_waits_beyond_107_bytes(void **state)
{
    (void)state;
    char line[PROXY_HEADER_V1_MAX + 1];
    struct proxy_header header;
    size_t len = 0;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse(slice_of(line, PROXY_HEADER_V1_MAX - 1), &header, &len), ST_AGAIN);
    assert_int_equal(parse(slice_of(line, PROXY_HEADER_V1_MAX), &header, &len), ST_BAD);
    line[PROXY_HEADER_V1_MAX - 2] = '\r';
    line[PROXY_HEADER_V1_MAX - 1] = '\n';
    assert_int_equal(parse(slice_of(line, PROXY_HEADER_V1_MAX), &header, &len), ST_OK);
    assert_int_equal(len, PROXY_HEADER_V1_MAX);
}

static void version_2_names_client_and_destination(void **state)
{
    (void)state;
    struct proxy_header header;
    size_t len = 0;
    struct slice v4 =
        SLICE(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb");
    assert_int_equal(parse(v4, &header, &len), ST_OK);
    assert_int_equal(header.version, 2);
    check_endpoint(&header.source, "192.0.2.7:56324");
    check_endpoint(&header.destination, "198.51.100.1:443");
    check_prefixes(v4);

    struct slice v6 = SLICE(SIGNATURE "\x21\x21\0\x24"
                                      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                                      "\0\x01\xff\xff");
    assert_int_equal(parse(v6, &header, &len), ST_OK);
    check_endpoint(&header.source, "[2001:db8::1]:1");
    check_endpoint(&header.destination, "[::1]:65535");
    check_prefixes(v6);

    /* A mapped address is the IPv4 address, whatever the other one is. */
    struct slice mixed = SLICE(SIGNATURE "\x21\x21\0\x24"
                                         "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                         "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07"
                                         "\0\x01\xff\xff");
    assert_int_equal(parse(mixed, &header, &len), ST_OK);
    check_endpoint(&header.source, "[2001:db8::1]:1");
    check_endpoint(&header.destination, "192.0.2.7:65535");
}

static void version_2_skips_tlvs_that_fill_the_header_exactly(void **state)
{
    (void)state;
    const struct example EXAMPLES[] = {
        {SLICE(SIGNATURE "\x21\x11\0\x14\1\2\3\4\5\6\7\x08\0\1\0\2\x01\0\x02h2\x04\0\0"), ST_OK},
        {SLICE(SIGNATURE "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\0\1\0\2\x01\0\x02h"), ST_BAD},
        {SLICE(SIGNATURE "\x21\x11\0\x0e\1\2\3\4\5\6\7\x08\0\1\0\2\x01\0"), ST_BAD},
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        struct proxy_header header;
        size_t len = 0;
        assert_int_equal(parse(EXAMPLES[i].bytes, &header, &len), EXAMPLES[i].status);
    }
    check_prefixes(EXAMPLES[0].bytes);
}

static void version_2_local_unix_and_unspecified_name_no_address(void **state)
{
    (void)state;
    struct proxy_header header;
    size_t len = 0;
    assert_int_equal(parse(SLICE(SIGNATURE "\x20\0\0\0"), &header, &len), ST_OK);
    assert_true(header.is_local);
    assert_int_equal(parse(SLICE(SIGNATURE "\x20\x11\0\x02zz"), &header, &len), ST_OK);
    assert_true(header.is_local);
    assert_int_equal(header.source.addr.family, INET_NONE);
    assert_int_equal(len, 18);
    assert_int_equal(parse(SLICE(SIGNATURE "\x21\0\0\x01z"), &header, &len), ST_OK);
    assert_true(header.is_local);

    char local[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
    assert_int_equal(parse(slice_of(local, sizeof(local)), &header, &len), ST_OK);
    assert_false(header.is_local);
    assert_int_equal(header.source.addr.family, INET_NONE);
    check_prefixes(slice_of(local, sizeof(local)));
}

static void version_2_is_strict(void **state)
{
    (void)state;
    const struct example EXAMPLES[] = {
        {SLICE(SIGNATURE "\x11"), ST_BAD},                       /* version 1 in version 2's form */
        {SLICE(SIGNATURE "\x22"), ST_BAD},                       /* unknown command */
        {SLICE(SIGNATURE "\x21\x11\0\x04\1\2\3\4"), ST_BAD},     /* too short for the family */
        {SLICE(SIGNATURE "\x21\x41\0\0"), ST_BAD},               /* unknown family */
        {SLICE(SIGNATURE "\x21\x13\0\x0cxxxxxxxxxxxx"), ST_BAD}, /* unknown protocol */
        {SLICE(SIGNATURE "\x21\x12\0\x0cxxxxxxxxxxxx"), ST_BAD}, /* a datagram */
        {SLICE(SIGNATURE "\x21\x10\0\0"), ST_BAD},
        {SLICE(SIGNATURE "\x21\x01\0\0"), ST_BAD},
        {SLICE(SIGNATURE "\x21\x11\xff\xff"), ST_LIMIT},
        {SLICE("\r\n\r\n\0\r\nQUIT\r"), ST_BAD},
        {SLICE("\r\n\r\nGET"), ST_BAD},
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        struct proxy_header header;
        size_t len = 0;
        assert_int_equal(parse(EXAMPLES[i].bytes, &header, &len), EXAMPLES[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_names_client_and_destination),
        cmocka_unit_test(version_1_unknown_is_the_sender_itself_whatever_follows),
        cmocka_unit_test(version_1_is_strict),
        cmocka_unit_test(version_1_never_waits_beyond_107_bytes),
        cmocka_unit_test(version_2_names_client_and_destination),
        cmocka_unit_test(version_2_skips_tlvs_that_fill_the_header_exactly),
        cmocka_unit_test(version_2_local_unix_and_unspecified_name_no_address),
        cmocka_unit_test(version_2_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
