/* What must be refused is written down twice, and both say the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/egress.h"
#include "selftest/oracle.h"

#include <string.h>

static struct config config;
static struct snapshot snapshot = {.config = &config};
static const struct interfaces interfaces = {.count = 0};

static struct oracle oracle_of(void)
{
    struct oracle oracle;
    config.admin.is_off = true;
    oracle_init(&oracle, &snapshot, &interfaces);
    return oracle;
}

static struct oracle_finding judge(const char *addr)
{
    struct oracle oracle = oracle_of();
    struct inet_endpoint endpoint = {.port = 443};
    assert_int_equal(inet_addr_parse(slice_from_string(addr), &endpoint.addr), ST_OK);
    return oracle_judge_address(&oracle, &endpoint);
}

static void is_forbidden_by(const char *addr, const char *rule)
{
    struct oracle_finding finding = judge(addr);
    assert_int_equal(finding.verdict, ORACLE_FORBIDDEN);
    assert_string_equal(finding.rule, rule);
}

/* Is it among the words that `at` gives? */
static bool is_listed(const char *(*at)(size_t), const char *words)
{
    for (size_t i = 0; at(i) != NULL; i++) {
        if (strcmp(at(i), words) == 0)
            return true;
    }
    return false;
}

static size_t count_of(const char *(*at)(size_t))
{
    size_t count = 0;
    while (at(count) != NULL)
        count++;
    return count;
}

static void ranges_are_those_of_the_gate(void **state)
{
    (void)state;
    const struct egress_tables *table = &egress_built_in;
    assert_int_equal(count_of(oracle_range_text), table->range_count);
    for (size_t i = 0; i < table->range_count; i++) {
        char words[INET_PREFIX_TEXT];
        inet_prefix_format(&table->ranges[i].prefix, words);
        if (!is_listed(oracle_range_text, words))
            print_error("%s is missing\n", words);
        assert_true(is_listed(oracle_range_text, words));
    }
}

static void floors_are_those_of_the_gate(void **state)
{
    (void)state;
    const struct egress_tables *table = &egress_built_in;
    assert_int_equal(count_of(oracle_floor_text), table->floor_count);
    for (size_t i = 0; i < table->floor_count; i++) {
        char words[INET_ADDR_TEXT];
        inet_addr_format(&table->floors[i].prefix.addr, words);
        assert_true(is_listed(oracle_floor_text, words));
    }
    assert_int_equal(count_of(oracle_name_text), table->name_count);
    for (size_t i = 0; i < table->name_count; i++)
        assert_true(is_listed(oracle_name_text, table->names[i].name));
}

static void ports_are_those_of_the_gate(void **state)
{
    (void)state;
    const struct egress_tables *table = &egress_built_in;
    for (size_t i = 0; i < table->port_count; i++)
        assert_int_equal(oracle_port_at(i), table->ports[i].port);
    assert_int_equal(oracle_port_at(table->port_count), 0);
}

static void the_narrowest_range_speaks(void **state)
{
    (void)state;
    is_forbidden_by("255.255.255.255", "default-deny 255.255.255.255/32");
    is_forbidden_by("240.0.0.1", "default-deny 240.0.0.0/4");
    is_forbidden_by("2001:2::1", "default-deny 2001:2::/48");
    is_forbidden_by("1fff::1", "default-deny ::/3");
    assert_int_equal(judge("198.41.0.4").verdict, ORACLE_FREE);
    assert_int_equal(judge("2001:503:ba3e::2:30").verdict, ORACLE_FREE);
}

static void what_is_carried_is_judged(void **state)
{
    (void)state;
    static const struct inet_prefix v6[] = {{.addr = {.family = INET_V6}, .bits = 0}};
    config.egress.allow =
        (struct config_prefixes){(struct inet_prefix *)(uintptr_t)v6, COUNT_OF(v6)};
    is_forbidden_by("::ffff:127.0.0.1", "default-deny 127.0.0.0/8");
    is_forbidden_by("64:ff9b::a00:1", "default-deny 10.0.0.0/8");
    is_forbidden_by("2002:a9fe:a9fe::1", "floor 169.254.169.254");
    is_forbidden_by("2001:0:7f00:1::39d6:fffb", "default-deny 127.0.0.0/8");
    is_forbidden_by("2001:0:c629:4::80ff:fffe", "default-deny 127.0.0.0/8");
    is_forbidden_by("64:ff9b:1:a9fe:a9:fe00::", "floor 169.254.169.254");
    is_forbidden_by("64:ff9b:1:a9:fe:a9fe::", "floor 169.254.169.254");
    struct oracle_finding opened = judge("2002:c629:4::1");
    assert_int_equal(opened.verdict, ORACLE_OPENED);
    assert_string_equal(opened.rule, "egress.allow ::/0");
    config.egress.allow = (struct config_prefixes){NULL, 0};
}

static void the_row_that_spoke_must_be_the_one(void **state)
{
    (void)state;
    struct oracle oracle = oracle_of();
    char missing[ORACLE_RULE_TEXT] = "";
    struct inet_endpoint endpoint = {.port = 443};
    assert_int_equal(inet_addr_parse(SLICE("2001:2::1"), &endpoint.addr), ST_OK);
    assert_true(oracle_accepts_rule(
        &oracle, &endpoint, SLICE("default-deny 2001:2::/48 (benchmarking, RFC 5180)"), missing));
    assert_true(oracle_accepts_rule(&oracle, &endpoint, SLICE("deny 2000::/3"), missing));
    assert_false(
        oracle_accepts_rule(&oracle, &endpoint, SLICE("default-deny 2001::/23 (x, y)"), missing));
    assert_string_equal(missing, "default-deny 2001:2::/48");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_those_of_the_gate),
        cmocka_unit_test(floors_are_those_of_the_gate),
        cmocka_unit_test(ports_are_those_of_the_gate),
        cmocka_unit_test(the_narrowest_range_speaks),
        cmocka_unit_test(what_is_carried_is_judged),
        cmocka_unit_test(the_row_that_spoke_must_be_the_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
