#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/egress.h"
#include "policy/sieve.h"

static bool may_hold(const struct sieve *sieve, const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return sieve_may_hold_addr(sieve, &addr);
}

static struct sieve sieve_of(const char *text)
{
    struct sieve sieve = {{0}};
    struct inet_prefix prefix;
    assert_int_equal(inet_prefix_parse(slice_from_string(text), &prefix), ST_OK);
    sieve_add_prefix(&sieve, &prefix);
    return sieve;
}

static void an_empty_one_holds_nothing(void **state)
{
    (void)state;
    struct sieve sieve = {{0}};
    assert_false(may_hold(&sieve, "0.0.0.0"));
    assert_false(may_hold(&sieve, "::"));
    assert_false(sieve_may_hold_port(&sieve, 0));
}

/* A row of less than a byte covers every first byte below it, and none beside them. */
static void rows_cover_their_first_bytes(void **state)
{
    (void)state;
    struct sieve wide = sieve_of("224.0.0.0/4");
    assert_false(may_hold(&wide, "223.255.255.255"));
    assert_true(may_hold(&wide, "224.0.0.0"));
    assert_true(may_hold(&wide, "239.255.255.255"));
    assert_false(may_hold(&wide, "240.0.0.0"));
    struct sieve narrow = sieve_of("169.254.169.254/32");
    assert_true(may_hold(&narrow, "169.254.169.254"));
    assert_false(may_hold(&narrow, "168.254.169.254"));
    struct sieve all = sieve_of("0.0.0.0/0");
    assert_true(may_hold(&all, "0.0.0.0"));
    assert_true(may_hold(&all, "255.255.255.255"));
    assert_false(may_hold(&all, "::1"));
}

static void families_are_apart(void **state)
{
    (void)state;
    struct sieve sieve = sieve_of("8000::/1");
    assert_true(may_hold(&sieve, "ffff::1"));
    assert_false(may_hold(&sieve, "7fff::1"));
    assert_false(may_hold(&sieve, "255.0.0.1"));
    sieve = sieve_of("127.0.0.0/8");
    assert_false(may_hold(&sieve, "7f00::1"));
}

/* Whatever an address of a row is, its own sieve lets it through to be looked at. */
static void every_row_of_the_tables_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < egress_built_in.range_count; i++) {
        const struct inet_prefix *prefix = &egress_built_in.ranges[i].prefix;
        struct sieve sieve = {{0}};
        sieve_add_prefix(&sieve, prefix);
        for (unsigned first = 0; first < 256; first++) {
            struct inet_addr addr = prefix->addr;
            addr.bytes[0] = (uint8_t)first;
            assert_true(sieve_may_hold_addr(&sieve, &addr) || !inet_prefix_contains(prefix, &addr));
        }
    }
}

static void ports_are_seen(void **state)
{
    (void)state;
    struct sieve sieve = {{0}};
    sieve_add_port(&sieve, 25);
    sieve_add_port(&sieve, UINT16_MAX);
    assert_true(sieve_may_hold_port(&sieve, 25));
    assert_true(sieve_may_hold_port(&sieve, UINT16_MAX));
    assert_false(sieve_may_hold_port(&sieve, 80));
    assert_false(sieve_may_hold_port(&sieve, 443));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_holds_nothing),
        cmocka_unit_test(rows_cover_their_first_bytes),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(every_row_of_the_tables_is_seen),
        cmocka_unit_test(ports_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
