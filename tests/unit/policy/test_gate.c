#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/gate.h"

#include <stdio.h>

static const uint16_t port_443[] = {443};
static const struct gate_options defaults = {.connect_ports = port_443, .connect_port_count = 1};

/* ---- short words for the tests below ---- */

static struct inet_endpoint endpoint(const char *addr, uint16_t port)
{
    struct inet_endpoint made = {.port = port};
    assert_int_equal(inet_addr_parse(slice_from_string(addr), &made.addr), ST_OK);
    return made;
}

static struct inet_prefix prefix(const char *text)
{
    struct inet_prefix made;
    assert_int_equal(inet_prefix_parse(slice_from_string(text), &made), ST_OK);
    return made;
}

static struct gate *gate_of(const struct gate_options *options)
{
    struct gate *gate = NULL;
    size_t rule = 0;
    assert_int_equal(gate_create(options, NULL, &rule, &gate), ST_OK);
    assert_non_null(gate);
    return gate;
}

static bool passes(const struct gate_options *options, const char *addr)
{
    struct gate *gate = gate_of(options);
    struct inet_endpoint where = endpoint(addr, 80);
    struct gate_answer answer = {.rule = "", .remedy = ""};
    bool is_fine = gate_address(gate, NULL, &where, &answer);
    assert_int_equal(is_fine, answer.rule[0] == '\0');
    gate_destroy(&gate);
    return is_fine;
}

static void refused_as(const struct gate_options *options, const char *addr, uint16_t port,
                       const char *rule, const char *remedy)
{
    struct gate *gate = gate_of(options);
    struct inet_endpoint where = endpoint(addr, port);
    struct gate_answer answer;
    assert_false(gate_address(gate, NULL, &where, &answer));
    assert_string_equal(answer.rule, rule);
    assert_string_equal(answer.remedy, remedy);
    gate_destroy(&gate);
}

struct asked {
    bool is_fine;
    struct gate_answer answer;
};

static struct asked ask(const struct gate_options *options, const char *name, uint16_t port,
                        bool is_connect)
{
    struct gate *gate = gate_of(options);
    struct host host;
    assert_int_equal(host_parse(slice_from_string(name), &host), HOST_FINE);
    struct gate_question question = {.host = &host, .port = port, .is_connect = is_connect};
    struct asked asked = {.answer = {.rule = "", .remedy = ""}};
    asked.is_fine = gate_request(gate, &question, &asked.answer);
    gate_destroy(&gate);
    return asked;
}

/* ---- the address stage ---- */

static void public_addresses_pass(void **state)
{
    (void)state;
    static const char *const open[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "172.15.255.255",  "172.32.0.0",      "192.0.1.0",
        "192.0.3.0",       "192.167.255.255", "198.17.255.255",  "198.20.0.0",
        "223.255.255.255", "2000::",          "2001:200::1",     "2001:4860:4860::8888",
        "2003::1",         "2606:4700::1111", "2a00:1450::1",    "3ffe::1",
        "::ffff:1.1.1.1",
    };
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        if (!passes(&defaults, open[i]))
            fail_msg("%s is refused", open[i]);
    }
}

/* Both ends of every range of the default deny list, and the forms that carry an IPv4 address. */
static void special_addresses_are_refused(void **state)
{ /* long: a table of addresses */
    (void)state;
    static const char *const shut[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.9",
        "192.0.0.10",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::127.0.0.1",
        "::1.1.1.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff:ffff::",
        "100::",
        "100:0:0:1::1",
        "1fff::1",
        "2001::1",
        "2001:1ff::1",
        "2001:2::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:db8::1",
        "2002::",
        "2002:101:101::1",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::",
        "5f00::1",
        "7fff::1",
        "8000::",
        "fbff::1",
        "fc00::",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
        "ff02::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    for (size_t i = 0; i < COUNT_OF(shut); i++) {
        if (passes(&defaults, shut[i]))
            fail_msg("%s passes", shut[i]);
    }
}

static void an_endpoint_without_an_address_is_refused(void **state)
{
    (void)state;
    struct gate *gate = gate_of(&defaults);
    struct inet_endpoint none = {.port = 80};
    struct gate_answer answer;
    assert_false(gate_address(gate, NULL, &none, &answer));
    assert_string_equal(answer.rule, "not an IP address");
    gate_destroy(&gate);
}

static void a_refusal_names_its_rule_and_the_least_that_opens_it(void **state)
{
    (void)state;
    refused_as(&defaults, "127.0.0.1", 80, "default-deny 127.0.0.0/8 (loopback, RFC 1122)",
               "--allow 127.0.0.1");
    refused_as(&defaults, "::ffff:10.1.2.3", 80, "default-deny 10.0.0.0/8 (private, RFC 1918)",
               "--allow 10.1.2.3");
    refused_as(&defaults, "fd00::1", 80, "default-deny fc00::/7 (unique local, RFC 4193)",
               "--allow fd00::1");
    refused_as(&defaults, "2001:2::1", 80, "default-deny 2001:2::/48 (benchmarking, RFC 5180)",
               "--allow 2001:2::1");
    refused_as(&defaults, "64:ff9b::101:101", 80, "default-deny 64:ff9b::/96 (NAT64, RFC 6052)",
               "--allow 64:ff9b::101:101");
}

/* What carries another address needs both; so the remedy names both. */
static void the_remedy_of_a_carried_address_is_whole(void **state)
{
    (void)state;
    refused_as(&defaults, "64:ff9b::a00:1", 80, "default-deny 10.0.0.0/8 (private, RFC 1918)",
               "--allow 10.0.0.1 --allow 64:ff9b::a00:1");
    refused_as(&defaults, "64:ff9b::a9fe:a9fe", 80, "floor 169.254.169.254:80 (instance metadata)",
               "egress.floor_exceptions: [\"169.254.169.254:80\"] and --allow 64:ff9b::a9fe:a9fe");
    refused_as(&defaults, "64:ff9b:1::a9fe:a9fe", 80,
               "floor 169.254.169.254:80 (instance metadata)",
               "egress.floor_exceptions: [\"169.254.169.254:80\"] and --allow "
               "64:ff9b:1::a9fe:a9fe");
    struct inet_prefix allowed[] = {prefix("10.0.0.1"), prefix("64:ff9b::a00:1")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 2};
    assert_true(passes(&options, "64:ff9b::a00:1"));
    struct inet_prefix denied[] = {prefix("10.0.0.0/8")};
    options.allow = (struct gate_prefixes){NULL, 0};
    options.deny = (struct gate_prefixes){denied, 1};
    refused_as(&options, "64:ff9b::a00:1", 80, "deny 10.0.0.0/8",
               "take 10.0.0.0/8 out of egress.deny and --allow 10.0.0.1 --allow 64:ff9b::a00:1");
}

static void the_remedy_opens_what_it_says(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("127.0.0.0/8"), prefix("fd12::/16")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 2};
    assert_true(passes(&options, "127.0.0.1"));
    assert_true(passes(&options, "::ffff:127.0.0.1"));
    assert_true(passes(&options, "fd12::1"));
    assert_false(passes(&options, "fd13::1"));
    assert_false(passes(&options, "10.0.0.1"));
}

static void a_denied_range_wins_over_an_allowed_one(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("10.0.0.0/8")};
    struct inet_prefix denied[] = {prefix("10.9.0.0/16"), prefix("1.1.1.0/24")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 1};
    options.deny = (struct gate_prefixes){denied, 2};
    assert_true(passes(&options, "10.8.0.1"));
    refused_as(&options, "10.9.0.1", 80, "deny 10.9.0.0/16", "take 10.9.0.0/16 out of egress.deny");
    refused_as(&options, "::ffff:1.1.1.1", 80, "deny 1.1.1.0/24",
               "take 1.1.1.0/24 out of egress.deny");
}

static void mapped_ranges_mean_their_ipv4_ranges(void **state)
{
    (void)state;
    struct inet_prefix denied[] = {prefix("::ffff:1.1.1.0/120")};
    struct gate_options options = defaults;
    options.deny = (struct gate_prefixes){denied, 1};
    refused_as(&options, "1.1.1.1", 80, "deny 1.1.1.0/24", "take 1.1.1.0/24 out of egress.deny");
}

/* Opening a form that carries IPv4 opens no more than its inner address may. */
static void carried_addresses_are_judged_too(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("::/0")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 1};
    assert_true(passes(&options, "64:ff9b::1.1.1.1"));
    assert_true(passes(&options, "2002:101:101::1"));
    static const char *const shut[] = {
        "64:ff9b::127.0.0.1",         /* NAT64 */
        "64:ff9b::169.254.169.254",   /* NAT64 */
        "::10.0.0.1",                 /* compatible */
        "::ffff:0:10.0.0.1",          /* translated */
        "::ffff:127.0.0.1",           /* mapped */
        "2002:7f00:1::1",             /* 6to4 of 127.0.0.1 */
        "2002:a9fe:a9fe::",           /* 6to4 of 169.254.169.254 */
        "2001:0:a00:1::feff:feff",    /* Teredo, server 10.0.0.1 */
        "2001:0:101:101::80ff:fffe",  /* Teredo, client 127.0.0.1 inverted */
        "64:ff9b:1::a9fe:a9fe",       /* local NAT64, /96 reading */
        "64:ff9b:1:a9fe:a9:fe00::",   /* local NAT64, /48 reading */
        "64:ff9b:1:a9:fe:a9fe::",     /* local NAT64, /56 reading */
        "64:ff9b:1:0:a9:fea9:fe00::", /* local NAT64, /64 reading */
    };
    for (size_t i = 0; i < COUNT_OF(shut); i++) {
        if (passes(&options, shut[i]))
            fail_msg("%s passes", shut[i]);
    }
}

static void the_floor_does_not_open_for_allowed_ranges(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("0.0.0.0/0"), prefix("::/0")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 2};
    static const char *const floor[] = {
        "169.254.169.254", "169.254.170.2", "169.254.170.23",     "169.254.169.253",
        "169.254.0.23",    "169.254.42.42", "100.100.100.200",    "192.0.0.192",
        "168.63.129.16",   "fd00:ec2::254", "fd00:ec2::23",       "fd00:ec2::253",
        "fd20:ce::254",    "fd00:42::42",   "fd00:c1::a9fe:a9fe",
    };
    for (size_t i = 0; i < COUNT_OF(floor); i++) {
        if (passes(&options, floor[i]))
            fail_msg("%s passes", floor[i]);
    }
    assert_true(passes(&options, "169.254.169.252"));
    refused_as(&options, "169.254.169.254", 80, "floor 169.254.169.254:80 (instance metadata)",
               "egress.floor_exceptions: [\"169.254.169.254:80\"]");
}

static void an_exception_opens_exactly_what_it_names(void **state)
{
    (void)state;
    struct inet_endpoint exceptions[] = {endpoint("169.254.169.254", 80),
                                         endpoint("168.63.129.16", 0)};
    struct gate_options options = defaults;
    options.floor_exceptions = exceptions;
    options.floor_exception_count = 2;
    assert_true(passes(&options, "169.254.169.254"));
    assert_true(passes(&options, "168.63.129.16"));
    assert_false(passes(&options, "169.254.169.253"));
    assert_false(passes(&options, "169.254.169.1"));
    refused_as(&options, "169.254.169.254", 81, "floor 169.254.169.254:81 (instance metadata)",
               "egress.floor_exceptions: [\"169.254.169.254:81\"]");
    struct inet_prefix denied[] = {prefix("169.254.0.0/16")};
    options.deny = (struct gate_prefixes){denied, 1};
    refused_as(&options, "169.254.169.254", 80, "deny 169.254.0.0/16",
               "take 169.254.0.0/16 out of egress.deny");
}

/* shows 9110-7.6-2 */
/* An exception for a proxy listener would help nobody: the way through us to us has no end. */
static void the_proxy_does_not_dial_itself(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("0.0.0.0/0"), prefix("::/0")};
    struct inet_endpoint own[] = {endpoint("127.0.0.1", 3128), endpoint("::", 3443)};
    struct inet_addr interfaces[] = {endpoint("2a00::7", 0).addr};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 2};
    options.own = own;
    options.own_count = 2;
    options.interfaces = interfaces;
    options.interface_count = 1;
    refused_as(&options, "127.0.0.1", 3128, "floor 127.0.0.1:3128 (the proxy itself)", "");
    refused_as(&options, "0.0.0.0", 3128, "floor 0.0.0.0:3128 (the proxy itself)", "");
    refused_as(&options, "::ffff:127.0.0.1", 3128, "floor 127.0.0.1:3128 (the proxy itself)", "");
    refused_as(&options, "127.0.0.9", 3443, "floor 127.0.0.9:3443 (the proxy itself)", "");
    refused_as(&options, "::1", 3443, "floor [::1]:3443 (the proxy itself)", "");
    refused_as(&options, "2a00::7", 3443, "floor [2a00::7]:3443 (the proxy itself)", "");
    assert_true(passes(&options, "127.0.0.1"));
}

static void the_admin_listener_is_reached_by_an_exception_only(void **state)
{
    (void)state;
    struct inet_prefix allowed[] = {prefix("127.0.0.0/8")};
    struct gate_options options = defaults;
    options.allow = (struct gate_prefixes){allowed, 1};
    options.admin = endpoint("::ffff:127.0.0.1", 80);
    refused_as(&options, "127.0.0.1", 80, "floor 127.0.0.1:80 (the proxy's admin listener)",
               "egress.floor_exceptions: [\"127.0.0.1:80\"]");
    assert_true(passes(&options, "127.0.0.2"));
    struct inet_endpoint exceptions[] = {endpoint("127.0.0.1", 80)};
    options.floor_exceptions = exceptions;
    options.floor_exception_count = 1;
    assert_true(passes(&options, "127.0.0.1"));
}

static void addresses_of_this_machine_belong_to_the_floor(void **state)
{
    (void)state;
    struct inet_addr interfaces[] = {endpoint("192.0.1.7", 0).addr, endpoint("2a00::7", 0).addr};
    struct gate_options options = defaults;
    options.interfaces = interfaces;
    options.interface_count = 2;
    refused_as(&options, "192.0.1.7", 22, "floor 192.0.1.7:22 (this machine)",
               "egress.floor_exceptions: [\"192.0.1.7:22\"]");
    assert_false(passes(&options, "2a00::7"));
    assert_true(passes(&options, "192.0.1.8"));
}

/* Whatever their number and order, and in whatever form they and the question are spelt. */
static void any_number_of_addresses_belongs_to_the_floor(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct inet_addr interfaces[MANY];
    for (size_t i = 0; i < MANY; i++) {
        char name[40];
        bool is_v6 = i % 3 == 0;
        (void)snprintf(name, sizeof(name), is_v6 ? "2a00::%zx" : "1.2.%zu.%zu",
                       is_v6 ? i : (i * 7919) % MANY / 250, (i * 7919) % MANY % 250);
        interfaces[i] = endpoint(name, 0).addr;
    }
    interfaces[500] = endpoint("::ffff:192.0.1.7", 0).addr;
    struct gate_options options = defaults;
    options.interfaces = interfaces;
    options.interface_count = MANY;
    struct gate *gate = gate_of(&options);
    for (size_t i = 0; i < MANY; i++) {
        struct inet_endpoint where = {.addr = interfaces[i], .port = 80};
        struct gate_answer answer;
        assert_false(gate_address(gate, NULL, &where, &answer));
    }
    gate_destroy(&gate);
    assert_false(passes(&options, "192.0.1.7"));
    assert_true(passes(&options, "192.0.1.8"));
    assert_true(passes(&options, "1.2.4.0"));
    assert_true(passes(&options, "2a00::1"));
}

static bool lets_pass(const struct gate *gate, const char *addr)
{
    struct inet_endpoint where = endpoint(addr, 80);
    struct gate_answer answer;
    return gate_address(gate, NULL, &where, &answer);
}

/* A gate with other addresses of this machine differs in them alone, and its model stays as it was. */
static void addresses_of_this_machine_can_be_others(void **state)
{
    (void)state;
    struct inet_addr before[] = {endpoint("192.0.1.7", 0).addr};
    struct inet_addr after[] = {endpoint("192.0.1.8", 0).addr, endpoint("2a00::7", 0).addr};
    struct inet_prefix allow[] = {prefix("10.0.0.0/8")};
    struct inet_prefix deny[] = {prefix("1.1.1.0/24")};
    struct gate_options options = defaults;
    options.interfaces = before;
    options.interface_count = 1;
    options.allow = (struct gate_prefixes){allow, 1};
    options.deny = (struct gate_prefixes){deny, 1};
    struct gate *first = gate_of(&options);
    struct gate *second = gate_with_interfaces(first, after, 2);
    struct gate *third = gate_with_interfaces(second, NULL, 0);
    after[0] = after[1]; /* they were copied */
    assert_true(!lets_pass(first, "192.0.1.7") && lets_pass(first, "192.0.1.8"));
    assert_true(lets_pass(second, "192.0.1.7") && !lets_pass(second, "192.0.1.8"));
    assert_true(!lets_pass(second, "2a00::7") && !lets_pass(second, "::ffff:192.0.1.8"));
    assert_true(lets_pass(third, "192.0.1.7") && lets_pass(third, "192.0.1.8"));
    const struct gate *const all[] = {first, second, third};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_true(lets_pass(all[i], "10.9.9.9"));
        assert_false(lets_pass(all[i], "1.1.1.1"));
        assert_false(lets_pass(all[i], "127.0.0.1"));
    }
    gate_destroy(&third);
    gate_destroy(&second);
    gate_destroy(&first);
}

/* ---- the request stage ---- */

static void metadata_names_are_refused_however_written(void **state)
{
    (void)state;
    static const char *const floor[] = {"metadata.google.internal",   "METADATA.goog.",
                                        "metadata.azure.com",         "instance-data",
                                        "instance-data.ec2.internal", "metadata.tencentyun.com"};
    struct slice everything[] = {SLICE("*.internal"), SLICE("metadata.google.internal")};
    struct gate_options options = defaults;
    options.allow_names = (struct gate_names){everything, 2};
    for (size_t i = 0; i < COUNT_OF(floor); i++) {
        if (ask(&defaults, floor[i], 80, false).is_fine)
            fail_msg("%s passes", floor[i]);
    }
    struct asked asked = ask(&options, "metadata.google.internal", 80, false);
    assert_false(asked.is_fine);
    assert_string_equal(asked.answer.rule,
                        "floor metadata.google.internal (instance metadata, Google Cloud)");
    assert_string_equal(asked.answer.remedy, "egress.floor_exceptions: [metadata.google.internal]");
    assert_true(ask(&defaults, "metadata.google.internal.example", 80, false).is_fine);
    options.floor_names = (struct gate_names){everything + 1, 1};
    assert_true(ask(&options, "metadata.google.internal", 80, false).is_fine);
}

static void names_match_on_label_boundaries(void **state)
{
    (void)state;
    struct slice denied[] = {SLICE("*.evil.example"), SLICE("exact.example")};
    struct gate_options options = defaults;
    options.deny_names = (struct gate_names){denied, 2};
    assert_false(ask(&options, "a.evil.example", 80, false).is_fine);
    assert_false(ask(&options, "A.B.Evil.Example.", 80, false).is_fine);
    assert_false(ask(&options, "exact.example", 80, false).is_fine);
    assert_true(ask(&options, "evil.example", 80, false).is_fine);
    assert_true(ask(&options, "notevil.example", 80, false).is_fine);
    assert_true(ask(&options, "a.exact.example", 80, false).is_fine);
    assert_true(ask(&options, "exact.example.org", 80, false).is_fine);
    assert_string_equal(ask(&options, "x.evil.example", 80, false).answer.rule,
                        "deny *.evil.example");
}

static void allowed_names_shut_out_all_others(void **state)
{
    (void)state;
    struct slice allowed[] = {SLICE("example.com"), SLICE("*.example.com")};
    struct slice denied[] = {SLICE("bad.example.com")};
    struct inet_prefix ranges[] = {prefix("10.0.0.0/8")};
    struct gate_options options = defaults;
    options.allow_names = (struct gate_names){allowed, 2};
    options.deny_names = (struct gate_names){denied, 1};
    options.allow = (struct gate_prefixes){ranges, 1};
    assert_true(ask(&options, "example.com", 80, false).is_fine);
    assert_true(ask(&options, "www.example.com", 80, false).is_fine);
    assert_false(ask(&options, "bad.example.com", 80, false).is_fine);
    struct asked asked = ask(&options, "other.org", 443, true);
    assert_false(asked.is_fine);
    assert_string_equal(asked.answer.remedy, "--allow other.org");
    /* Nor can the list be passed by with a literal address. */
    asked = ask(&options, "1.1.1.1", 443, true);
    assert_false(asked.is_fine);
    assert_string_equal(asked.answer.remedy, "--allow 1.1.1.1");
    assert_false(ask(&options, "[2606:4700::1111]", 443, true).is_fine);
    assert_true(ask(&options, "10.0.0.1", 443, true).is_fine);
    assert_true(ask(&options, "[::ffff:10.0.0.1]", 443, true).is_fine);
}

/* shows 9110-9.3.6-4 */
static void connect_goes_to_named_ports_only(void **state)
{
    (void)state;
    assert_true(ask(&defaults, "a.example", 443, true).is_fine);
    struct asked asked = ask(&defaults, "a.example", 8443, true);
    assert_false(asked.is_fine);
    assert_string_equal(asked.answer.rule, "connect-ports: 8443 is not among them");
    assert_string_equal(asked.answer.remedy, "--connect-port 8443");
    assert_false(ask(&defaults, "a.example", 22, true).is_fine);
    assert_false(ask(&defaults, "a.example", 0, true).is_fine);
}

/* Whoever follows the remedy is not refused once more, as far as the request tells. */
static void the_remedy_names_all_steps(void **state)
{
    (void)state;
    struct slice allowed[] = {SLICE("a.example")};
    struct inet_prefix ranges[] = {prefix("10.0.0.0/8")};
    struct gate_options options = defaults;
    assert_string_equal(ask(&options, "127.0.0.1", 8443, true).answer.remedy,
                        "--connect-port 8443 --allow 127.0.0.1");
    assert_string_equal(ask(&options, "10.0.0.1", 6379, false).answer.remedy,
                        "egress.plain_ports: [6379] and --allow 10.0.0.1");
    assert_string_equal(ask(&options, "1.1.1.1", 22, true).answer.remedy, "--connect-port 22");
    options.deny = (struct gate_prefixes){ranges, 1};
    assert_string_equal(ask(&options, "10.0.0.1", 8443, true).answer.remedy,
                        "--connect-port 8443 and take 10.0.0.0/8 out of egress.deny and "
                        "--allow 10.0.0.1");
    options.deny = (struct gate_prefixes){NULL, 0};
    options.allow_names = (struct gate_names){allowed, 1};
    assert_string_equal(ask(&options, "b.example", 22, true).answer.remedy,
                        "--allow b.example --connect-port 22");
    assert_string_equal(ask(&options, "10.0.0.1", 22, true).answer.remedy,
                        "--allow 10.0.0.1 --connect-port 22");
    assert_string_equal(ask(&options, "10.0.0.1", 443, true).answer.remedy, "--allow 10.0.0.1");
    assert_string_equal(ask(&options, "10.0.0.1", 0, true).answer.remedy, "");
    options.has_default = options.denies_by_default = true;
    assert_string_equal(ask(&options, "10.0.0.1", 8443, true).answer.remedy,
                        "policy.rules: [{ action: allow, to: [\"10.0.0.1\"] }] and "
                        "--connect-port 8443 --allow 10.0.0.1");
}

/* Of two addresses: each step once, whole, and none that has no room. */
static void remedies_are_joined(void **state)
{
    (void)state;
    static const struct {
        const char *first, *more, *both;
    } cases[] = {
        {"--allow 10.0.0.34", "--allow 10.0.0.3", "--allow 10.0.0.34 --allow 10.0.0.3"},
        {"--allow 10.0.0.3 --allow 10.0.0.4", "--allow 10.0.0.3",
         "--allow 10.0.0.3 --allow 10.0.0.4"},
        {"change policy.rules[10]", "change policy.rules[1]",
         "change policy.rules[10] and change policy.rules[1]"},
        {"change policy.rules[1]", "change policy.rules[1]", "change policy.rules[1]"},
        {"take 10.0.0.0/8 out of egress.deny", "--allow 10.0.0.3",
         "take 10.0.0.0/8 out of egress.deny and --allow 10.0.0.3"},
        {"take 10.0.0.0/8 out of egress.deny and --allow 10.1.2.3",
         "take 10.0.0.0/8 out of egress.deny and --allow 10.1.2.4",
         "take 10.0.0.0/8 out of egress.deny and --allow 10.1.2.3 --allow 10.1.2.4"},
        {"--allow 10.0.0.3", "--connect-port 80 --allow 10.0.0.3",
         "--allow 10.0.0.3 --connect-port 80"},
    };
    char remedy[GATE_TEXT];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(remedy, sizeof(remedy), "%s", cases[i].first);
        gate_join_remedies(remedy, cases[i].more);
        assert_string_equal(remedy, cases[i].both);
    }
    /* "--allow 10.0.0.3" with its space takes 17. */
    static const char more[] = " --allow 10.0.0.3";
    for (size_t room = sizeof(more) - 1; room < sizeof(more) + 1; room++) {
        memset(remedy, 'x', sizeof(remedy));
        remedy[GATE_TEXT - 1 - room] = '\0';
        gate_join_remedies(remedy, more + 1);
        assert_int_equal(strlen(remedy), GATE_TEXT - 1 - room + sizeof(more) - 1);
    }
    memset(remedy, 'x', sizeof(remedy));
    remedy[GATE_TEXT - sizeof(more) + 1] = '\0';
    gate_join_remedies(remedy, more + 1);
    assert_int_equal(strlen(remedy), GATE_TEXT - sizeof(more) + 1);
}

/* Nothing opens the proxy to itself, so no step on the way there is named. */
static void what_nothing_opens_has_no_first_step(void **state)
{
    (void)state;
    struct inet_endpoint own[] = {endpoint("127.0.0.1", 3128)};
    struct gate_options options = defaults;
    options.own = own;
    options.own_count = 1;
    assert_string_equal(ask(&options, "127.0.0.1", 3128, true).answer.remedy, "");
}

static void any_port_is_any_but_the_bad_ones(void **state)
{
    (void)state;
    static const uint16_t named[] = {22};
    struct gate_options options = {.connects_any_port = true};
    assert_true(ask(&options, "a.example", 8443, true).is_fine);
    assert_false(ask(&options, "a.example", 0, true).is_fine);
    struct asked asked = ask(&options, "a.example", 22, true);
    assert_false(asked.is_fine);
    assert_string_equal(asked.answer.rule, "bad-port 22 (ssh, Fetch)");
    assert_string_equal(asked.answer.remedy, "--connect-port 22");
    options.connect_ports = named;
    options.connect_port_count = 1;
    assert_true(ask(&options, "a.example", 22, true).is_fine);
    assert_false(ask(&options, "a.example", 25, true).is_fine);
}

static void plain_requests_avoid_the_bad_ports(void **state)
{
    (void)state;
    static const uint16_t bad[] = {1,    22,   25,   53,   111,   135,   137,   138,  139,
                                   389,  445,  636,  873,  2049,  2375,  2376,  2379, 3306,
                                   5432, 6379, 6667, 9200, 10080, 10250, 11211, 27017};
    static const uint16_t good[] = {80, 443, 591, 3128, 8000, 8080, 8443, 9201, 27018, 65535};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (ask(&defaults, "a.example", bad[i], false).is_fine)
            fail_msg("port %u passes", bad[i]);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (!ask(&defaults, "a.example", good[i], false).is_fine)
            fail_msg("port %u is refused", good[i]);
    }
    struct asked asked = ask(&defaults, "a.example", 6379, false);
    assert_string_equal(asked.answer.rule, "bad-port 6379 (redis, infrastructure)");
    assert_string_equal(asked.answer.remedy, "egress.plain_ports: [6379]");
    static const uint16_t redis[] = {6379};
    struct gate_options options = defaults;
    options.plain_ports = redis;
    options.plain_port_count = 1;
    assert_true(ask(&options, "a.example", 6379, false).is_fine);
    assert_false(ask(&options, "a.example", 25, false).is_fine);
}

static void clients_outside_of_the_ranges_are_refused(void **state)
{
    (void)state;
    struct inet_prefix ranges[] = {prefix("10.0.0.0/8"), prefix("fd00::/8")};
    struct gate_options options = defaults;
    options.clients = (struct gate_prefixes){ranges, 2};
    struct gate *gate = gate_of(&options);
    struct inet_addr none = {.family = INET_NONE};
    struct inet_addr in = endpoint("10.1.1.1", 0).addr;
    struct inet_addr mapped = endpoint("::ffff:10.1.1.1", 0).addr;
    struct inet_addr out = endpoint("11.1.1.1", 0).addr;
    assert_true(gate_client(gate, &none));
    assert_true(gate_client(gate, &in));
    assert_true(gate_client(gate, &mapped));
    assert_false(gate_client(gate, &out));
    struct host host;
    struct gate_answer answer;
    assert_int_equal(host_parse(SLICE("a.example"), &host), HOST_FINE);
    struct gate_question question = {.host = &host, .port = 80, .client = out};
    assert_false(gate_request(gate, &question, &answer));
    assert_string_equal(answer.rule, "client 11.1.1.1 is in no range of clients");
    assert_string_equal(answer.remedy, "--allow-clients 11.1.1.1");
    gate_destroy(&gate);
    gate = gate_of(&defaults);
    assert_true(gate_client(gate, &out));
    gate_destroy(&gate);
}

static void a_gate_keeps_copies_of_its_options(void **state)
{
    (void)state;
    char text[] = "bad.example";
    struct slice names[] = {slice_of(text, sizeof(text) - 1)};
    struct inet_prefix ranges[] = {prefix("1.1.1.0/24")};
    struct gate_options options = defaults;
    options.deny_names = (struct gate_names){names, 1};
    options.deny = (struct gate_prefixes){ranges, 1};
    struct gate *gate = gate_of(&options);
    memset(text, 'x', sizeof(text));
    memset(names, 0, sizeof(names));
    memset(ranges, 0, sizeof(ranges));
    struct host host;
    struct gate_answer answer;
    assert_int_equal(host_parse(SLICE("bad.example"), &host), HOST_FINE);
    struct gate_question question = {.host = &host, .port = 80};
    struct inet_endpoint where = endpoint("1.1.1.1", 80);
    assert_false(gate_request(gate, &question, &answer));
    assert_false(gate_address(gate, NULL, &where, &answer));
    gate_destroy(&gate);
    assert_null(gate);
    gate_destroy(&gate);
}

static void long_names_are_cut_in_answers(void **state)
{
    (void)state;
    char name[HOST_MAX + 1];
    memset(name, 'a', sizeof(name) - 1);
    name[63] = name[127] = name[191] = '.';
    name[HOST_MAX] = '\0';
    struct slice allowed[] = {SLICE("example.com")};
    struct gate_options options = defaults;
    options.allow_names = (struct gate_names){allowed, 1};
    struct asked asked = ask(&options, name, 80, false);
    assert_false(asked.is_fine);
    assert_int_equal(strlen(asked.answer.remedy), GATE_TEXT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_pass),
        cmocka_unit_test(special_addresses_are_refused),
        cmocka_unit_test(an_endpoint_without_an_address_is_refused),
        cmocka_unit_test(a_refusal_names_its_rule_and_the_least_that_opens_it),
        cmocka_unit_test(the_remedy_of_a_carried_address_is_whole),
        cmocka_unit_test(the_remedy_opens_what_it_says),
        cmocka_unit_test(a_denied_range_wins_over_an_allowed_one),
        cmocka_unit_test(mapped_ranges_mean_their_ipv4_ranges),
        cmocka_unit_test(carried_addresses_are_judged_too),
        cmocka_unit_test(the_floor_does_not_open_for_allowed_ranges),
        cmocka_unit_test(an_exception_opens_exactly_what_it_names),
        cmocka_unit_test(the_proxy_does_not_dial_itself),
        cmocka_unit_test(the_admin_listener_is_reached_by_an_exception_only),
        cmocka_unit_test(addresses_of_this_machine_belong_to_the_floor),
        cmocka_unit_test(any_number_of_addresses_belongs_to_the_floor),
        cmocka_unit_test(addresses_of_this_machine_can_be_others),
        cmocka_unit_test(metadata_names_are_refused_however_written),
        cmocka_unit_test(names_match_on_label_boundaries),
        cmocka_unit_test(allowed_names_shut_out_all_others),
        cmocka_unit_test(connect_goes_to_named_ports_only),
        cmocka_unit_test(the_remedy_names_all_steps),
        cmocka_unit_test(remedies_are_joined),
        cmocka_unit_test(what_nothing_opens_has_no_first_step),
        cmocka_unit_test(any_port_is_any_but_the_bad_ones),
        cmocka_unit_test(plain_requests_avoid_the_bad_ports),
        cmocka_unit_test(clients_outside_of_the_ranges_are_refused),
        cmocka_unit_test(a_gate_keeps_copies_of_its_options),
        cmocka_unit_test(long_names_are_cut_in_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
