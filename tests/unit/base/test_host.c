#include "base_test.h"

#include "base/host.h"

static void check_host(struct slice spelling, enum host_kind kind, const char *text, int line)
{
    struct host host = {.text = "untouched"};
    enum host_fault fault = host_parse(spelling, &host);
    bool is_same = fault == HOST_FINE && host.kind == kind && host.len == strlen(text) &&
                   strcmp(host.text, text) == 0;
    if (!is_same) {
        print_error("\"%.*s\": %s, \"%s\"\n", (int)spelling.len, spelling.at,
                    host_fault_text(fault), host.text);
        _fail(__FILE__, line);
    }
    assert_slice(host_slice(&host), text);

    /* What is canonical stays as it is; IPv6 with its brackets. */
    char again_text[HOST_MAX + 3];
    struct host again;
    (void)snprintf(again_text, sizeof(again_text), kind == HOST_IPV6 ? "[%s]" : "%s", host.text);
    assert_int_equal(host_parse(slice_from_string(again_text), &again), HOST_FINE);
    assert_string_equal(again.text, host.text);
    assert_int_equal(again.kind, host.kind);
}

static void check_fault(struct slice spelling, enum host_fault expected, int line)
{
    struct host host = {.text = "untouched"};
    enum host_fault fault = host_parse(spelling, &host);
    if (fault != expected) {
        print_error("\"%.*s\": \"%s\", not \"%s\"\n", (int)spelling.len, spelling.at,
                    host_fault_text(fault), host_fault_text(expected));
        _fail(__FILE__, line);
    }
    assert_string_equal(host.text, "untouched");
}

#define assert_host(spelling, kind, text) check_host(SLICE(spelling), kind, text, __LINE__)
#define assert_fault(spelling, fault)     check_fault(SLICE(spelling), fault, __LINE__)

/* A name comes out in lower case, with one trailing dot gone. */
static void a_name_has_one_spelling(void **state)
{
    (void)state;
    assert_host("Example.COM", HOST_NAME, "example.com");
    assert_host("example.com.", HOST_NAME, "example.com");
    assert_host("LOCALHOST", HOST_NAME, "localhost");
    assert_host("a", HOST_NAME, "a");
    assert_host("my_service.k8s-x.local", HOST_NAME, "my_service.k8s-x.local");
    assert_host("3com.com", HOST_NAME, "3com.com");
    assert_host("1.2.3.4.example", HOST_NAME, "1.2.3.4.example");
}

/* A-labels pass as they are, and what should have been one does not: no byte beyond ASCII is taken. */
static void international_names_come_as_a_labels(void **state)
{
    (void)state;
    assert_host("XN--MNCHEN-3YA.de", HOST_NAME, "xn--mnchen-3ya.de");
    assert_fault("m\xc3\xbcnchen.de", HOST_BAD_BYTE);
    assert_fault("\xef\xbc\x91.1.1.1", HOST_BAD_BYTE); /* a full-width digit */
    assert_fault("example\xe3\x80\x82"
                 "com",
                 HOST_BAD_BYTE); /* an ideographic full stop */
    assert_fault("\xe2\x91\xa0.example", HOST_BAD_BYTE);
}

/* Of all 256 bytes a name takes letters, digits, '-', '_' and '.', and a colon is told apart. */
static void every_other_byte_is_refused(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[] = "ab?cd";
        text[2] = (char)c;
        struct host host;
        enum host_fault fault = host_parse(slice_of(text, 5), &host);
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool is_fine = is_letter || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        assert_int_equal(fault, is_fine ? HOST_FINE : c == ':' ? HOST_BAD_IPV6 : HOST_BAD_BYTE);
    }
}

/* Userinfo, paths, escapes, blanks and control bytes never pass for a part of a host. */
static void what_smuggles_another_host_is_refused(void **state)
{
    (void)state;
    assert_fault("user@example.com", HOST_BAD_BYTE);
    assert_fault("user:secret@example.com", HOST_BAD_BYTE);
    assert_fault("good.example\\.evil.example", HOST_BAD_BYTE);
    assert_fault("good.example/evil", HOST_BAD_BYTE);
    assert_fault("good.example#evil", HOST_BAD_BYTE);
    assert_fault("good.example?evil", HOST_BAD_BYTE);
    assert_fault("%31%32%37.0.0.1", HOST_BAD_BYTE);
    assert_fault("a b", HOST_BAD_BYTE);
    assert_fault(" a", HOST_BAD_BYTE);
    assert_fault("a\r\nHost: b", HOST_BAD_BYTE);
    assert_fault("a\0.example", HOST_BAD_BYTE);
    assert_fault("*.example", HOST_BAD_BYTE);
    assert_fault("a,b", HOST_BAD_BYTE);
}

/* Nothing, only dots, a leading dot, two dots in a row and two trailing dots are refused. */
static void empty_labels_are_refused(void **state)
{
    (void)state;
    assert_fault("", HOST_EMPTY);
    check_fault(SLICE_NONE, HOST_EMPTY, __LINE__);
    assert_fault(".", HOST_EMPTY_LABEL);
    assert_fault("..", HOST_EMPTY_LABEL);
    assert_fault("...", HOST_EMPTY_LABEL);
    assert_fault(".a", HOST_EMPTY_LABEL);
    assert_fault("a..b", HOST_EMPTY_LABEL);
    assert_fault("a..", HOST_EMPTY_LABEL);
    assert_fault("1.2.3.4..", HOST_EMPTY_LABEL);
    assert_fault("1..2", HOST_EMPTY_LABEL);
}

/* `len` bytes of labels of 49 letters with a dot behind each. */
static struct slice long_name(char *into, size_t len)
{
    for (size_t i = 0; i < len; i++)
        into[i] = i % 50 == 49 ? '.' : 'a';
    return slice_of(into, len);
}

/* 253 bytes are a name, with a trailing dot too; 254 are not. */
static void a_name_has_at_most_253_bytes(void **state)
{
    (void)state;
    char text[100000];
    struct host host;
    struct slice name = long_name(text, 253);
    assert_int_equal(host_parse(name, &host), HOST_FINE);
    assert_int_equal(host.len, 253);
    assert_int_equal(strlen(host.text), 253);
    text[253] = '.';
    assert_int_equal(host_parse(slice_of(text, 254), &host), HOST_FINE);
    assert_int_equal(host.len, 253);
    check_fault(long_name(text, 254), HOST_TOO_LONG, __LINE__);
    text[254] = '.';
    check_fault(slice_of(text, 255), HOST_TOO_LONG, __LINE__);
    check_fault(long_name(text, 99999), HOST_TOO_LONG, __LINE__);
}

/* A label has up to 63 bytes, wherever it stands. */
static void a_label_has_at_most_63_bytes(void **state)
{
    (void)state;
    char text[200];
    struct host host;
    for (size_t len = 62; len <= 65; len++) {
        enum host_fault expected = len <= 63 ? HOST_FINE : HOST_TOO_LONG;
        memset(text, 'x', sizeof(text));
        memcpy(text + len, ".example", 8);
        assert_int_equal(host_parse(slice_of(text, len + 8), &host), expected);
        memset(text, 'x', sizeof(text));
        memcpy(text, "a.", 2);
        assert_int_equal(host_parse(slice_of(text, len + 2), &host), expected);
    }
}

/* A canonical dotted quad is an address, also with a trailing dot. */
static void a_dotted_quad_is_an_address(void **state)
{
    (void)state;
    struct host host;
    assert_host("0.0.0.0", HOST_IPV4, "0.0.0.0");
    assert_host("255.255.255.255", HOST_IPV4, "255.255.255.255");
    assert_host("127.0.0.1.", HOST_IPV4, "127.0.0.1");
    assert_int_equal(host_parse(SLICE("10.20.30.40"), &host), HOST_FINE);
    assert_int_equal(host.addr.family, INET_V4);
    assert_memory_equal(host.addr.bytes, "\x0a\x14\x1e\x28\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

/* No spelling of IPv4 that inet_aton, a browser or a resolver may read as another address passes. */
static void odd_spellings_of_ipv4_are_refused(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "127.1",        "127.0.1",       "1.2.3",          "0",           "1",
        "2130706433",   "0x7f000001",    "0X7F000001",     "0x7f.0.0.1",  "0x7f.1",
        "017700000001", "0177.0.0.1",    "127.0.0.01",     "127.0.0.001", "00.0.0.0",
        "256.0.0.1",    "1.2.3.256",     "1.2.3.999",      "1.2.3.4.5",   "1.2.3.0x4",
        "0x",           "1.2.3.0x",      "127.0.0.0xg1.1", "4294967296",  "99999999999999999999",
        "a.1",          "example.com.1", "localhost.0",    "a.0x1f",      "a.08",
        "1.2.3.",       "127.1.",        "0x7f.1.",
    };
    for (size_t i = 0; i < COUNT_OF(spellings); i++)
        check_fault(slice_from_string(spellings[i]), HOST_IPV4_SPELLING, __LINE__);
}

/* A last label that no reader takes for a number makes a name of the whole. */
static void what_only_begins_like_a_number_is_a_name(void **state)
{
    (void)state;
    assert_host("1.2.3.4a", HOST_NAME, "1.2.3.4a");
    assert_host("0xg", HOST_NAME, "0xg");
    assert_host("a.x0", HOST_NAME, "a.x0");
    assert_host("1e3", HOST_NAME, "1e3");
    assert_host("1-2", HOST_NAME, "1-2");
    assert_host("1_2", HOST_NAME, "1_2");
    assert_host("0x1.example", HOST_NAME, "0x1.example");
}

/* IPv6 in brackets comes out in the form of RFC 5952, without them. */
static void ipv6_has_one_spelling(void **state)
{
    (void)state;
    assert_host("[::1]", HOST_IPV6, "::1");
    assert_host("[::]", HOST_IPV6, "::");
    assert_host("[2001:DB8:0:0:0:0:0:1]", HOST_IPV6, "2001:db8::1");
    assert_host("[2001:0db8::0001]", HOST_IPV6, "2001:db8::1");
    assert_host("[2001:db8:0:1:1:1:1:1]", HOST_IPV6, "2001:db8:0:1:1:1:1:1");
    assert_host("[2001:0:0:1:0:0:0:1]", HOST_IPV6, "2001:0:0:1::1");
    assert_host("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]", HOST_IPV6,
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    /* Mapped addresses stay what they are here; the gate unwraps them. */
    assert_host("[::FFFF:127.0.0.1]", HOST_IPV6, "::ffff:127.0.0.1");
    assert_host("[::ffff:7f00:1]", HOST_IPV6, "::ffff:127.0.0.1");
}

/* Brackets hold exactly one IPv6 address, and IPv6 stands in brackets. */
static void brackets_are_for_ipv6_only(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "[",
        "[]",
        "]",
        "[::1",
        "::1",
        "fe80::1",
        "[1.2.3.4]",
        "[example]",
        "[::1]]",
        "[[::1]]",
        "[::1].",
        "[::1]x",
        "[:::1]",
        "[1::2::3]",
        "[12345::]",
        "[::g]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::01.2.3.4]",
        "[ ::1]",
        "[::1 ]",
        "[:1]",
        "[1:]",
        "a:b",
        "example.com:80",
    };
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        bool is_bracket_alone = strcmp(spellings[i], "]") == 0;
        check_fault(slice_from_string(spellings[i]),
                    is_bracket_alone ? HOST_BAD_BYTE : HOST_BAD_IPV6, __LINE__);
    }
    assert_fault("x[::1]", HOST_BAD_BYTE);
    check_fault(SLICE("[::1\0]"), HOST_BAD_IPV6, __LINE__);
    char text[300];
    memset(text, ':', sizeof(text));
    text[0] = '[';
    text[299] = ']';
    check_fault(slice_of(text, 300), HOST_BAD_IPV6, __LINE__);
}

/* A zone is refused by name, escaped or not (RFC 6874 is not followed). */
static void zones_are_refused(void **state)
{
    (void)state;
    assert_fault("[fe80::1%eth0]", HOST_ZONE_ID);
    assert_fault("[fe80::1%25eth0]", HOST_ZONE_ID);
    assert_fault("[::1%]", HOST_ZONE_ID);
    assert_fault("[%]", HOST_ZONE_ID);
    assert_fault("fe80::1%eth0", HOST_BAD_BYTE);
}

/* Each fault has a sentence of its own, without a full stop, for messages. */
static void every_fault_has_a_sentence(void **state)
{
    (void)state;
    for (int i = HOST_FINE; i <= HOST_IPV4_SPELLING; i++) {
        const char *text = host_fault_text((enum host_fault)i);
        assert_true(strlen(text) > 10);
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (int k = HOST_FINE; k < i; k++)
            assert_string_not_equal(text, host_fault_text((enum host_fault)k));
    }
    assert_string_equal(host_fault_text((enum host_fault)99), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_one_spelling),
        cmocka_unit_test(international_names_come_as_a_labels),
        cmocka_unit_test(every_other_byte_is_refused),
        cmocka_unit_test(what_smuggles_another_host_is_refused),
        cmocka_unit_test(empty_labels_are_refused),
        cmocka_unit_test(a_name_has_at_most_253_bytes),
        cmocka_unit_test(a_label_has_at_most_63_bytes),
        cmocka_unit_test(a_dotted_quad_is_an_address),
        cmocka_unit_test(odd_spellings_of_ipv4_are_refused),
        cmocka_unit_test(what_only_begins_like_a_number_is_a_name),
        cmocka_unit_test(ipv6_has_one_spelling),
        cmocka_unit_test(brackets_are_for_ipv6_only),
        cmocka_unit_test(zones_are_refused),
        cmocka_unit_test(every_fault_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
