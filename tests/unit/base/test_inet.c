#include "base_test.h"

#include "base/inet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    if (inet_addr_parse(slice_from_string(text), &addr) != ST_OK)
        fail_msg("%s is not an address", text);
    return addr;
}

static struct inet_prefix prefix_of(const char *text)
{
    struct inet_prefix prefix;
    if (inet_prefix_parse(slice_from_string(text), &prefix) != ST_OK)
        fail_msg("%s is not a prefix", text);
    return prefix;
}

/* Addresses are read and written in their canonical form (RFC 5952 for IPv6). */
static void an_address_is_written_in_one_form(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"10.0.0.200", "10.0.0.200"},
        {"::", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* the first of two equal runs */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one group is not shortened */
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"::ffff:102:304", "::ffff:1.2.3.4"},
        {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[INET_ADDR_TEXT];
        struct inet_addr addr = addr_of(rows[i][0]);
        size_t len = inet_addr_format(&addr, text);
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(len, strlen(text));
        struct inet_addr again = addr_of(text);
        assert_true(inet_addr_equals(&addr, &again));
    }
}

/* Only strict spellings are addresses, and a refused one writes nothing. */
static void loose_spellings_are_no_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1",
        "1.2",
        "1.2.3",
        "1.2.3.",
        ".1.2.3",
        "1.2.3.4.",
        "1..3.4",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.1.1.256",
        "01.2.3.4",
        "1.2.3.00",
        "1.2.3.0004",
        "0x1.2.3.4",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4/8",
        "+1.2.3.4",
        "1.2.3.-4",
        "1.2.3.a",
        ":",
        ":::",
        ":1",
        "1:",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "[::1]",
        "::1%lo",
        "::1 ",
        "::1.2.3",
        "::1.2.3.4.5",
        "::256.1.1.1",
        "::01.2.3.4",
        "1.2.3.4::",
        "::1/64",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct inet_addr addr = {.family = 77};
        if (inet_addr_parse(slice_from_string(bad[i]), &addr) != ST_BAD)
            fail_msg("\"%s\" is taken for an address", bad[i]);
        assert_int_equal(addr.family, 77);
    }
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(SLICE_NONE, &addr), ST_BAD);
    assert_int_equal(inet_addr_parse(SLICE("::1\0"), &addr), ST_BAD);
    assert_int_equal(inet_addr_parse(SLICE("1.2.3.4\0"), &addr), ST_BAD);
}

/* An endpoint is an address and a port, IPv6 in brackets and only IPv6. */
static void endpoints_are_read_and_written(void **state)
{
    (void)state;
    static const char *const good[] = {
        "1.2.3.4:0",
        "1.2.3.4:65535",
        "[::1]:80",
        "[::ffff:1.2.3.4]:443",
        "255.255.255.255:65535",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
    };
    static const char *const bad[] = {
        "",
        "1.2.3.4",
        "1.2.3.4:",
        ":80",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[1.2.3.4]:80",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4: 80",
        "1.2.3.4:http",
        "[]:80",
        "[:80",
        "]:80",
        "[::1:80",
        "::1]:80",
        "1.2.3.4:000080",
        "a:80",
        "1.2.3.4:99999999999999999999",
        "[::1%lo]:80",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char text[INET_ENDPOINT_TEXT];
        struct inet_endpoint endpoint;
        struct inet_endpoint again;
        assert_int_equal(inet_endpoint_parse(slice_from_string(good[i]), &endpoint), ST_OK);
        assert_int_equal(inet_endpoint_format(&endpoint, text), strlen(good[i]));
        assert_string_equal(text, good[i]);
        assert_int_equal(inet_endpoint_parse(slice_from_string(text), &again), ST_OK);
        assert_true(inet_endpoint_equals(&endpoint, &again));
        again.port++;
        assert_false(inet_endpoint_equals(&endpoint, &again));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct inet_endpoint endpoint = {.port = 77};
        if (inet_endpoint_parse(slice_from_string(bad[i]), &endpoint) != ST_BAD)
            fail_msg("\"%s\" is taken for an endpoint", bad[i]);
        assert_int_equal(endpoint.port, 77);
    }
}

/* What has no address prints as "-", with and without a port. */
static void no_address_prints_as_a_dash(void **state)
{
    (void)state;
    char text[INET_ENDPOINT_TEXT];
    const struct inet_endpoint none = {.port = 80};
    assert_int_equal(inet_addr_format(&none.addr, text), 1);
    assert_string_equal(text, "-");
    assert_int_equal(inet_endpoint_format(&none, text), 1);
    assert_string_equal(text, "-");
}

/* A prefix has no host bits; a bare address is a prefix of its whole length. */
static void prefixes_are_read_and_written(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"1.2.3.4", "1.2.3.4/32"},
        {"128.0.0.0/1", "128.0.0.0/1"},
        {"1.2.3.4/32", "1.2.3.4/32"},
        {"1.2.3.254/31", "1.2.3.254/31"},
        {"::/0", "::/0"},
        {"::1", "::1/128"},
        {"fe80::/10", "fe80::/10"},
        {"2001:db8::/33", "2001:db8::/33"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
    };
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10/8",
        "::1/127",
        "::/129",
        "fe80::/8",
        "10.0.0.0/8 ",
        "10.0.0.0 /8",
        "0.0.0.0/00",
        "1.2.3.255/31",
        "10.0.0.0/255.0.0.0",
        "::/99999999999999999999",
        "8000::/0",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char text[INET_PREFIX_TEXT];
        struct inet_prefix prefix = prefix_of(good[i][0]);
        assert_int_equal(inet_prefix_format(&prefix, text), strlen(good[i][1]));
        assert_string_equal(text, good[i][1]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct inet_prefix prefix = {.bits = 77};
        if (inet_prefix_parse(slice_from_string(bad[i]), &prefix) != ST_BAD)
            fail_msg("\"%s\" is taken for a prefix", bad[i]);
        assert_int_equal(prefix.bits, 77);
    }
}

/* A prefix contains its first and last address and not the ones beside them, whatever its length. */
static void a_prefix_contains_from_first_to_last(void **state)
{
    (void)state;
    struct inet_addr middle = addr_of("2001:db8:1234:5678:9abc:def0:1234:5678");
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct inet_prefix prefix = {.addr = middle, .bits = (uint8_t)bits};
        for (unsigned bit = bits; bit < 128; bit++)
            prefix.addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
        assert_true(inet_prefix_contains(&prefix, &prefix.addr));
        assert_true(inet_prefix_contains(&prefix, &middle));
        for (unsigned bit = 0; bit < 128; bit++) {
            struct inet_addr other = middle;
            other.bytes[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
            assert_int_equal(inet_prefix_contains(&prefix, &other), bit >= bits);
        }
    }
}

/* IPv4 prefixes contain no IPv6 address, not even a mapped one, and the reverse. */
static void families_do_not_mix(void **state)
{
    (void)state;
    struct inet_prefix v4 = prefix_of("0.0.0.0/0");
    struct inet_prefix v6 = prefix_of("::/0");
    struct inet_addr quad = addr_of("1.2.3.4");
    struct inet_addr mapped = addr_of("::ffff:1.2.3.4");
    struct inet_addr none = {0};
    assert_true(inet_prefix_contains(&v4, &quad));
    assert_false(inet_prefix_contains(&v4, &mapped));
    assert_true(inet_prefix_contains(&v6, &mapped));
    assert_false(inet_prefix_contains(&v6, &quad));
    assert_false(inet_prefix_contains(&v4, &none));
    assert_false(inet_addr_equals(&quad, &mapped));
    struct inet_addr unmapped = inet_addr_unmap(&mapped);
    assert_true(inet_addr_equals(&quad, &unmapped));
}

static void mapped_ranges_are_unmapped(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"}, {"::ffff:10.1.2.3/128", "10.1.2.3/32"},
        {"::ffff:0:0/96", "0.0.0.0/0"},        {"::fffe:0:0/95", "::fffe:0:0/95"},
        {"10.0.0.0/8", "10.0.0.0/8"},          {"2001:db8::/32", "2001:db8::/32"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct inet_prefix prefix;
        struct inet_prefix wanted;
        assert_int_equal(inet_prefix_parse(slice_from_string(cases[i][1]), &wanted), ST_OK);
        assert_int_equal(inet_prefix_parse(slice_from_string(cases[i][0]), &prefix), ST_OK);
        assert_int_equal(prefix.bits, wanted.bits);
        assert_true(inet_addr_equals(&prefix.addr, &wanted.addr));
    }
}

/* Only ::ffff:0:0/96 is unmapped (RFC 4291 §2.5.5.2); its neighbours stay. */
static void only_mapped_addresses_are_unmapped(void **state)
{
    (void)state;
    static const char *const others[] = {"::1.2.3.4",       "::fffe:1.2.3.4",   "::ffff:0:1.2.3.4",
                                         "1::ffff:1.2.3.4", "64:ff9b::1.2.3.4", "1.2.3.4"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct inet_addr addr = addr_of(others[i]);
        struct inet_addr same = inet_addr_unmap(&addr);
        assert_true(inet_addr_equals(&addr, &same));
    }
}

/* Loopback and unspecified addresses are known in both families and through the mapped form. */
static void special_addresses_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_loopback;
        bool is_unspecified;
    } rows[] = {
        {"127.0.0.1", true, false},
        {"127.255.255.255", true, false},
        {"126.255.255.255", false, false},
        {"128.0.0.0", false, false},
        {"0.0.0.0", false, true},
        {"0.0.0.1", false, false},
        {"::1", true, false},
        {"::", false, true},
        {"::2", false, false},
        {"1::1", false, false},
        {"::ffff:127.0.0.1", true, false},
        {"::ffff:0.0.0.0", false, true},
        {"::127.0.0.1", false, false},
        {"::ffff:128.0.0.1", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct inet_addr addr = addr_of(rows[i].text);
        assert_int_equal(inet_addr_is_loopback(&addr), rows[i].is_loopback);
        assert_int_equal(inet_addr_is_unspecified(&addr), rows[i].is_unspecified);
    }
    const struct inet_addr none = {0};
    assert_false(inet_addr_is_loopback(&none));
    assert_false(inet_addr_is_unspecified(&none));
}

/* The kernel's form and ours go over into each other; a mapped address comes back as IPv4. */
static void the_kernels_form_and_back(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1.2.3.4:80", "1.2.3.4:80"},
        {"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
        {"[::ffff:1.2.3.4]:8080", "1.2.3.4:8080"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct inet_endpoint endpoint;
        struct sockaddr_storage storage;
        char text[INET_ENDPOINT_TEXT];
        assert_int_equal(inet_endpoint_parse(slice_from_string(rows[i][0]), &endpoint), ST_OK);
        socklen_t len = inet_to_sockaddr(&endpoint, &storage);
        endpoint = inet_from_sockaddr((struct sockaddr *)&storage, len);
        inet_endpoint_format(&endpoint, text);
        assert_string_equal(text, rows[i][1]);
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};
    in.sin_addr.s_addr = htonl(0x01020304);
    struct inet_endpoint endpoint = inet_from_sockaddr((struct sockaddr *)&in, sizeof(in));
    assert_int_equal(endpoint.port, 443);
    assert_memory_equal(endpoint.addr.bytes, "\1\2\3\4", 4);
}

/* What is no IP address, or is cut short, is INET_NONE. */
static void other_families_are_none(void **state)
{
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    assert_int_equal(inet_from_sockaddr((struct sockaddr *)&un, sizeof(un)).addr.family, INET_NONE);
    assert_int_equal(inet_from_sockaddr((struct sockaddr *)&in, sizeof(in)).addr.family, INET_V4);
    assert_int_equal(inet_from_sockaddr((struct sockaddr *)&in, sizeof(in) - 1).addr.family,
                     INET_NONE);
    assert_int_equal(inet_from_sockaddr((struct sockaddr *)&in6, sizeof(in6) - 1).addr.family,
                     INET_NONE);
}

static void give_no_address_to_the_kernel(void *with)
{
    struct sockaddr_storage storage;
    (void)inet_to_sockaddr(with, &storage);
}

/* An endpoint without an address never reaches the kernel. */
static void no_address_is_not_given_to_the_kernel(void **state)
{
    (void)state;
    struct inet_endpoint none = {.port = 80};
    assert_aborts(give_no_address_to_the_kernel, &none);
}

/* One order of all addresses, in which only the same one stands at the same place. */
static void addresses_have_an_order(void **state)
{
    (void)state;
    static const char *const ascending[] = {"0.0.0.0", "1.2.3.4", "1.2.4.3", "255.0.0.0",
                                            "::",      "::1",     "2a00::",  "2a00::ff"};
    for (size_t i = 0; i < COUNT_OF(ascending); i++) {
        for (size_t j = 0; j < COUNT_OF(ascending); j++) {
            struct inet_addr a;
            struct inet_addr b;
            assert_int_equal(inet_addr_parse(slice_from_string(ascending[i]), &a), ST_OK);
            assert_int_equal(inet_addr_parse(slice_from_string(ascending[j]), &b), ST_OK);
            int order = inet_addr_compare(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_written_in_one_form),
        cmocka_unit_test(loose_spellings_are_no_addresses),
        cmocka_unit_test(endpoints_are_read_and_written),
        cmocka_unit_test(no_address_prints_as_a_dash),
        cmocka_unit_test(prefixes_are_read_and_written),
        cmocka_unit_test(a_prefix_contains_from_first_to_last),
        cmocka_unit_test(families_do_not_mix),
        cmocka_unit_test(only_mapped_addresses_are_unmapped),
        cmocka_unit_test(mapped_ranges_are_unmapped),
        cmocka_unit_test(addresses_have_an_order),
        cmocka_unit_test(special_addresses_are_known),
        cmocka_unit_test(the_kernels_form_and_back),
        cmocka_unit_test(other_families_are_none),
        cmocka_unit_test(no_address_is_not_given_to_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
