/* The known spellings of an address are among those that are tried. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/host.h"
#include "selftest/spell.h"

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return addr;
}

static bool holds(const struct spellings *spellings, const char *text)
{
    for (size_t i = 0; i < spellings->count; i++) {
        const struct spelling *one = &spellings->at[i];
        if (slice_equals(slice_of(one->text, one->len), slice_from_string(text)))
            return true;
    }
    print_error("%s is not tried\n", text);
    return false;
}

/* What is an address is read as the one that it is said to be. */
static void are_read(const struct spellings *spellings)
{
    for (size_t i = 0; i < spellings->count; i++) {
        const struct spelling *one = &spellings->at[i];
        struct host host;
        if (!one->is_address)
            continue;
        assert_int_equal(host_parse(slice_of(one->text, one->len), &host), HOST_FINE);
        assert_true(inet_addr_equals(&host.addr, &one->addr));
    }
}

static void ipv4_is_spelt_in_all_ways(void **state)
{
    (void)state;
    static const char *const known[] = {
        "127.0.0.1.",
        "0177.00.00.01",
        "0x7f.0x0.0x0.0x1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.0.0.01",
        "127.000.000.001",
        "383.256.256.257",
        "6425673729",
        "127.0.0.1..",
        "[127.0.0.1]",
        "127%2e0%2e0%2e1",
        "127\xe3\x80\x82"
        "0\xe3\x80\x82"
        "0\xe3\x80\x82"
        "1",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.\xef\xbc\x90.\xef\xbc\x90.\xef\xbc\x91",
    };
    struct spellings spellings;
    struct inet_addr addr = addr_of("127.0.0.1");
    spell_v4(&spellings, &addr);
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_true(holds(&spellings, known[i]));
    are_read(&spellings);
}

static void ipv4_is_hidden_in_all_carriers(void **state)
{
    (void)state;
    static const char *const known[] = {
        "[::ffff:192.0.2.33]",    "[0:0:0:0:0:FFFF:C000:221]", "[::192.0.2.33]",
        "[::ffff:0:c000:221]",    "[64:ff9b::c000:221]",       "[64:ff9b:1:c000:2:2100::]",
        "[64:ff9b:1:c0:0:221::]", "[64:ff9b:1:0:c0:2:2100:0]", "[64:ff9b:1::c000:221]",
        "[2002:c000:221::1]",
    };
    struct spellings spellings;
    struct inet_addr addr = addr_of("192.0.2.33");
    spell_embedded(&spellings, &addr);
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_true(holds(&spellings, known[i]));
    are_read(&spellings);
}

static void ipv6_is_spelt_in_all_ways(void **state)
{
    (void)state;
    static const char *const known[] = {
        "[fe80:0000:0000:0000:0000:0000:0000:000a]",
        "[FE80::A]",
        "fe80::a",
        "[[fe80::a]]",
        "[fe80::a%25eth0]",
        "[fe80::a%lo]",
    };
    struct spellings spellings;
    struct inet_addr addr = addr_of("fe80::a");
    spell_v6(&spellings, &addr);
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_true(holds(&spellings, known[i]));
    are_read(&spellings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_is_spelt_in_all_ways),
        cmocka_unit_test(ipv4_is_hidden_in_all_carriers),
        cmocka_unit_test(ipv6_is_spelt_in_all_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
