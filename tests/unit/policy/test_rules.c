#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXTS(...)                                                             \
    {                                                                          \
        (const struct slice[]){__VA_ARGS__},                                   \
            sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice) \
    }
#define RANGES(...)                                                                        \
    {                                                                                      \
        (const struct inet_prefix[]){__VA_ARGS__},                                         \
            sizeof((const struct inet_prefix[]){__VA_ARGS__}) / sizeof(struct inet_prefix) \
    }
#define PORTS(...)                                                                       \
    {                                                                                    \
        (const struct rule_ports[]){__VA_ARGS__},                                        \
            sizeof((const struct rule_ports[]){__VA_ARGS__}) / sizeof(struct rule_ports) \
    }
#define V4(a, b, c, d, bits) ((struct inet_prefix){{INET_V4, {a, b, c, d}}, bits})

/* ---- asking ---- */

/* What a test asks; the rest is empty. */
struct ask {
    const char *host;
    uint16_t port;
    bool is_connect;
    const char *client, *user, *group, *subject, *cert_name, *listener, *method, *scheme, *path;
    int64_t at_s;
};

struct asked {
    struct host host;
    struct slice group, cert_name;
    struct gate_question question;
};

static void asked_make(const struct ask *ask, struct asked *asked)
{
    assert_int_equal(host_parse(slice_from_string(ask->host), &asked->host), HOST_FINE);
    asked->group = slice_from_string(ask->group);
    asked->cert_name = slice_from_string(ask->cert_name);
    asked->question = (struct gate_question){
        .host = &asked->host,
        .port = ask->port != 0    ? ask->port
                : ask->is_connect ? 443
                                  : 80,
        .is_connect = ask->is_connect,
        .who = {.user = slice_from_string(ask->user),
                .groups = &asked->group,
                .group_count = ask->group != NULL,
                .cert_subject = slice_from_string(ask->subject),
                .cert_names = &asked->cert_name,
                .cert_name_count = ask->cert_name != NULL},
        .listener = slice_from_string(ask->listener),
        .method = slice_from_string(ask->method),
        .scheme = slice_from_string(ask->scheme),
        .path = slice_from_string(ask->path),
        .at_s = ask->at_s,
    };
    if (ask->client != NULL)
        assert_int_equal(inet_addr_parse(slice_from_string(ask->client), &asked->question.client),
                         ST_OK);
}

static const uint16_t port_443[] = {443};

/* A gate of these rules that denies by default. */
static struct gate *gate_of(const struct rule *rules, size_t count, struct gate_options options)
{
    struct gate *gate = NULL;
    size_t rule = 0;
    options.rules = rules;
    options.rule_count = count;
    options.connect_ports = port_443;
    options.connect_port_count = 1;
    assert_int_equal(gate_create(&options, NULL, &rule, &gate), ST_OK);
    return gate;
}

static const struct gate_options deny = {.has_default = true, .denies_by_default = true};
static const struct gate_options allow = {.has_default = true};

#define GATE(rules, options) gate_of((rules), COUNT_OF(rules), (options))

static bool passes(const struct gate *gate, struct ask ask)
{
    struct asked asked;
    struct gate_answer answer;
    asked_make(&ask, &asked);
    return gate_request(gate, &asked.question, &answer);
}

static void refused_by(const struct gate *gate, struct ask ask, const char *rule,
                       const char *remedy)
{
    struct asked asked;
    struct gate_answer answer;
    asked_make(&ask, &asked);
    assert_false(gate_request(gate, &asked.question, &answer));
    assert_string_equal(answer.rule, rule);
    assert_string_equal(answer.remedy, remedy);
}

static bool dials(const struct gate *gate, struct ask ask, const char *addr)
{
    struct asked asked;
    struct gate_answer answer;
    struct inet_endpoint where = {.port = 0};
    asked_make(&ask, &asked);
    where.port = asked.question.port;
    assert_int_equal(inet_addr_parse(slice_from_string(addr), &where.addr), ST_OK);
    return gate_request(gate, &asked.question, &answer) &&
           gate_address(gate, &asked.question, &where, &answer);
}

/* ---- order ---- */

static void any_that_denies_wins_else_the_first_that_allows(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("all of it"), .to_names = TEXTS(SLICE("*.example"))},
        {.name = SLICE("again"), .to_names = TEXTS(SLICE("a.example"))},
        {.name = SLICE("not b"), .action = RULE_DENY, .to_names = TEXTS(SLICE("b.example"))},
    };
    struct gate *gate = GATE(rules, deny);
    struct gate_answer answer;
    struct asked asked;
    (void)state;
    asked_make(&(struct ask){.host = "a.example"}, &asked);
    assert_true(gate_request(gate, &asked.question, &answer));
    assert_true(slice_equals(answer.allowed_by, SLICE("all of it")));
    assert_int_equal(answer.would_deny.len, 0);
    refused_by(gate, (struct ask){.host = "b.example"}, "rule not b", "change policy.rules[2]");
    assert_true(passes(gate, (struct ask){.host = "c.b.example"}));
    refused_by(gate, (struct ask){.host = "example"}, "policy.default: no rule allows it",
               "policy.rules: [{ action: allow, to: [\"example\"] }]");
    refused_by(gate, (struct ask){.host = "192.0.2.1"}, "policy.default: no rule allows it",
               "policy.rules: [{ action: allow, to: [\"192.0.2.1\"] }] and --allow 192.0.2.1");
    gate_destroy(&gate);
    gate = GATE(rules, allow);
    assert_true(passes(gate, (struct ask){.host = "example"}));
    assert_false(passes(gate, (struct ask){.host = "b.example"}));
    gate_destroy(&gate);
}

/* ACL suffix over-match: "evilexample.com" ends in "example.com" and is not below it. */
static void names_match_on_label_boundaries(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("r"), .to_names = TEXTS(SLICE("*.example.com"), SLICE("example.org"))}};
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a.example.com"}));
    assert_true(passes(gate, (struct ask){.host = "A.B.EXAMPLE.com."}));
    assert_false(passes(gate, (struct ask){.host = "example.com"}));
    assert_false(passes(gate, (struct ask){.host = "evilexample.com"}));
    assert_false(passes(gate, (struct ask){.host = "example.com.evil"}));
    assert_true(passes(gate, (struct ask){.host = "example.org"}));
    assert_false(passes(gate, (struct ask){.host = "a.example.org"}));
    assert_false(passes(gate, (struct ask){.host = "xexample.org"}));
    gate_destroy(&gate);
}

/* ---- conditions ---- */

static void every_condition_must_hold(void **state)
{
    const struct rule rules[] = {{.name = SLICE("r"),
                                  .listeners = TEXTS(SLICE("inner")),
                                  .methods = TEXTS(SLICE("GET"), SLICE("HEAD")),
                                  .schemes = TEXTS(SLICE("http")),
                                  .ports = PORTS({80, 80}, {8000, 8999}),
                                  .from = RANGES(V4(10, 0, 0, 0, 8)),
                                  .users = TEXTS(SLICE("ci"), SLICE("me")),
                                  .groups = TEXTS(SLICE("dev")),
                                  .certificates = TEXTS(SLICE("CN=ci,O=Example")),
                                  .to_names = TEXTS(SLICE("a.example")),
                                  .paths = TEXTS(SLICE("/public"))}};
    const struct ask fine = {
        "a.example", 80,      false, "10.1.2.3", "ci",        "dev", "CN=ci,O=Example",
        NULL,        "inner", "GET", "http",     "/public/x", 0};
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, fine));
    const struct {
        size_t place;
        const char *other;
    } texts[] = {
        {offsetof(struct ask, host), "b.example"},
        {offsetof(struct ask, client), "11.0.0.1"},
        {offsetof(struct ask, client), NULL},
        {offsetof(struct ask, user), "you"},
        {offsetof(struct ask, user), NULL},
        {offsetof(struct ask, group), "ops"},
        {offsetof(struct ask, group), NULL},
        {offsetof(struct ask, subject), "CN=ci"},
        {offsetof(struct ask, listener), "outer"},
        {offsetof(struct ask, method), "POST"},
        {offsetof(struct ask, method), "get"},
        {offsetof(struct ask, scheme), "https"},
        {offsetof(struct ask, path), "/publicity"},
        {offsetof(struct ask, path), "/public/../x"},
        {offsetof(struct ask, path), "/public/%2e%2e/x"},
        {offsetof(struct ask, path), "/public%2fx"},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct ask ask = fine;
        memcpy((char *)&ask + texts[i].place, &texts[i].other, sizeof(texts[i].other));
        assert_false(passes(gate, ask));
    }
    struct ask ask = fine;
    ask.port = 81;
    assert_false(passes(gate, ask));
    ask.port = 8999;
    assert_true(passes(gate, ask));
    ask.client = "::ffff:10.1.2.3";
    assert_true(passes(gate, ask));
    gate_destroy(&gate);
}

static void anybody_known_is_a_user_too(void **state)
{
    const struct rule rules[] = {{.name = SLICE("r"), .users = TEXTS(SLICE("*"))}};
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a.example", .user = "somebody"}));
    assert_false(passes(gate, (struct ask){.host = "a.example"}));
    gate_destroy(&gate);
}

/* A rule is found by its users, groups or clients where it has no names. */
static void a_rule_without_names_is_found_by_who_asks(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("user"), .users = TEXTS(SLICE("u1"), SLICE("u2"))},
        {.name = SLICE("group"), .groups = TEXTS(SLICE("g1"))},
        {.name = SLICE("from"),
         .from = RANGES(V4(10, 0, 0, 0, 8), V4(192, 168, 3, 128, 25), V4(0, 0, 0, 0, 1))},
    };
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a", .user = "u1"}));
    assert_true(passes(gate, (struct ask){.host = "a", .user = "u2"}));
    assert_false(passes(gate, (struct ask){.host = "a", .user = "g1"}));
    assert_true(passes(gate, (struct ask){.host = "a", .group = "g1"}));
    assert_false(passes(gate, (struct ask){.host = "a", .group = "u1"}));
    assert_true(passes(gate, (struct ask){.host = "a", .client = "10.255.0.1"}));
    assert_true(passes(gate, (struct ask){.host = "a", .client = "192.168.3.200"}));
    assert_false(passes(gate, (struct ask){.host = "a", .client = "192.168.3.100"}));
    assert_true(passes(gate, (struct ask){.host = "a", .client = "127.255.255.255"}));
    assert_false(passes(gate, (struct ask){.host = "a", .client = "128.0.0.0"}));
    assert_false(passes(gate, (struct ask){.host = "a", .client = "2001:db8::1"}));
    gate_destroy(&gate);
}

static void certificates_match_by_subject_and_name(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("r"),
         .certificates = TEXTS(SLICE("uri:spiffe://example/ci/*"), SLICE("dns:*.ci.example"),
                               SLICE("CN=root"))}};
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a", .subject = "CN=root"}));
    assert_false(passes(gate, (struct ask){.host = "a", .subject = "CN=root,O=x"}));
    assert_true(passes(gate, (struct ask){.host = "a", .cert_name = "uri:spiffe://example/ci/7"}));
    assert_false(passes(gate, (struct ask){.host = "a", .cert_name = "uri:spiffe://example/cd/7"}));
    assert_true(passes(gate, (struct ask){.host = "a", .cert_name = "dns:A.CI.example"}));
    assert_false(passes(gate, (struct ask){.host = "a", .cert_name = "dns:ci.example"}));
    assert_false(passes(gate, (struct ask){.host = "a", .cert_name = "dns:xci.example"}));
    assert_false(passes(gate, (struct ask){.host = "a", .cert_name = "email:a.ci.example"}));
    assert_false(passes(gate, (struct ask){.host = "a"}));
    gate_destroy(&gate);
}

/* A path that origins may read in two ways is what a rule denies, and not what one allows. */
static void an_ambiguous_path_is_denied(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("no admin"), .action = RULE_DENY, .paths = TEXTS(SLICE("/admin"))}};
    struct gate *gate = GATE(rules, allow);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a", .path = "/x"}));
    assert_false(passes(gate, (struct ask){.host = "a", .path = "/admin"}));
    assert_false(passes(gate, (struct ask){.host = "a", .path = "/%61dmin/x"}));
    assert_false(passes(gate, (struct ask){.host = "a", .path = "//x/..//admin?y"}));
    assert_false(passes(gate, (struct ask){.host = "a", .path = "/x%2f..%2fadmin"}));
    assert_true(passes(gate, (struct ask){.host = "a", .path = "/x?/admin"}));
    assert_true(passes(gate, (struct ask){.host = "a", .is_connect = true}));
    gate_destroy(&gate);
}

static void a_window_of_time_opens_and_shuts(void **state)
{
    const struct rule_window week[] = {{0x3e, 8 * 60, 18 * 60}};  /* Monday to Friday */
    const struct rule_window night[] = {{0x20, 22 * 60, 6 * 60}}; /* Friday night */
    const struct rule_window sunday[] = {{0x01, 0, 0}};
    const struct rule rules[] = {
        {.name = SLICE("week"), .to_names = TEXTS(SLICE("week")), .windows = {week, 1}},
        {.name = SLICE("night"), .to_names = TEXTS(SLICE("night")), .windows = {night, 1}},
        {.name = SLICE("sunday"), .to_names = TEXTS(SLICE("sunday")), .windows = {sunday, 1}},
    };
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    enum { FRIDAY = 1735862400 /* 2025-01-03 00:00 UTC */, HOURS = 3600, DAYS = 24 * HOURS };
    const struct {
        const char *host;
        int64_t at_s;
        bool is_open;
    } times[] = {
        {"week", FRIDAY + 8 * HOURS, true},
        {"week", FRIDAY + 8 * HOURS - 1, false},
        {"week", FRIDAY + 18 * HOURS - 1, true},
        {"week", FRIDAY + 18 * HOURS, false},
        {"week", FRIDAY + 1 * DAYS + 9 * HOURS, false},
        {"night", FRIDAY + 22 * HOURS, true},
        {"night", FRIDAY + 29 * HOURS, true},
        {"night", FRIDAY + 30 * HOURS, false},
        {"night", FRIDAY + 5 * HOURS, false},
        {"night", FRIDAY + 46 * HOURS, false},
        {"sunday", FRIDAY + 2 * DAYS, true},
        {"sunday", FRIDAY + 3 * DAYS - 1, true},
        {"sunday", FRIDAY + 3 * DAYS, false},
    };
    for (size_t i = 0; i < COUNT_OF(times); i++)
        assert_int_equal(passes(gate, (struct ask){.host = times[i].host, .at_s = times[i].at_s}),
                         times[i].is_open);
    gate_destroy(&gate);
}

/* ---- ports and addresses ---- */

static void a_rule_opens_the_ports_that_it_names(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("first"), .to_names = TEXTS(SLICE("*.example"))},
        {.name = SLICE("8443"),
         .to_names = TEXTS(SLICE("a.example")),
         .ports = PORTS({8443, 8443}, {22, 22}, {20, 30})},
    };
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "a.example", .port = 8443, .is_connect = true}));
    assert_true(passes(gate, (struct ask){.host = "a.example", .port = 22, .is_connect = true}));
    assert_true(passes(gate, (struct ask){.host = "a.example", .port = 24, .is_connect = true}));
    /* a range does not name a bad port */
    refused_by(gate, (struct ask){.host = "a.example", .port = 25, .is_connect = true},
               "bad-port 25 (smtp, Fetch)", "--connect-port 25");
    assert_false(passes(gate, (struct ask){.host = "b.example", .port = 8443, .is_connect = true}));
    gate_destroy(&gate);
}

static void a_rule_opens_the_addresses_that_it_names(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("lab"),
         .users = TEXTS(SLICE("ci")),
         .to_address = RANGES(V4(10, 1, 0, 0, 16), V4(169, 254, 0, 0, 16))},
        {.name = SLICE("net"), .to_names = TEXTS(SLICE("*.example"))},
        {.name = SLICE("bad"), .action = RULE_DENY, .to_address = RANGES(V4(8, 8, 8, 0, 24))},
    };
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(dials(gate, (struct ask){.host = "x", .user = "ci"}, "10.1.2.3"));
    assert_true(dials(gate, (struct ask){.host = "x", .user = "ci"}, "::ffff:10.1.2.3"));
    assert_false(dials(gate, (struct ask){.host = "x", .user = "ci"}, "10.2.2.3"));
    assert_false(dials(gate, (struct ask){.host = "x", .user = "ci"}, "93.184.216.34"));
    assert_false(dials(gate, (struct ask){.host = "x", .user = "me"}, "10.1.2.3"));
    assert_false(dials(gate, (struct ask){.host = "a.example", .user = "me"}, "10.1.2.3"));
    assert_true(dials(gate, (struct ask){.host = "a.example", .user = "me"}, "93.184.216.34"));
    assert_false(dials(gate, (struct ask){.host = "a.example", .user = "me"}, "8.8.8.8"));
    /* what an address carries is denied, too; it opens nothing of it */
    assert_false(dials(gate, (struct ask){.host = "a.example", .user = "me"}, "64:ff9b::808:808"));
    /* the floor stays shut */
    assert_false(dials(gate, (struct ask){.host = "x", .user = "ci"}, "169.254.169.254"));
    assert_true(dials(gate, (struct ask){.host = "x", .user = "ci"}, "169.254.1.1"));
    gate_destroy(&gate);
}

static void nobody_opens_a_name_of_the_floor(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("r"), .to_names = TEXTS(SLICE("metadata.google.internal"))}};
    struct gate *gate = GATE(rules, allow);
    (void)state;
    assert_false(passes(gate, (struct ask){.host = "metadata.google.internal"}));
    gate_destroy(&gate);
}

static void a_literal_address_is_asked_for_by_range(void **state)
{
    const struct rule rules[] = {{.name = SLICE("r"),
                                  .to_names = TEXTS(SLICE("a.example")),
                                  .to_ranges = RANGES(V4(10, 1, 0, 0, 16))}};
    struct gate *gate = GATE(rules, deny);
    (void)state;
    assert_true(passes(gate, (struct ask){.host = "10.1.2.3"}));
    assert_true(passes(gate, (struct ask){.host = "[::ffff:10.1.2.3]"}));
    assert_true(passes(gate, (struct ask){.host = "a.example"}));
    assert_false(passes(gate, (struct ask){.host = "10.2.2.3"}));
    assert_false(dials(gate, (struct ask){.host = "10.1.2.3"}, "10.1.2.3")); /* a name for a host */
    gate_destroy(&gate);
}

/* ---- observing ---- */

static void what_only_observes_lets_pass_and_tells(void **state)
{
    const struct rule rules[] = {
        {.name = SLICE("trial"),
         .action = RULE_DENY,
         .mode = RULE_OBSERVE,
         .to_names = TEXTS(SLICE("a.example"))},
        {.name = SLICE("real"), .action = RULE_DENY, .to_names = TEXTS(SLICE("b.example"))},
    };
    struct gate *gate = GATE(rules, allow);
    struct gate_options observe = deny;
    struct gate_answer answer;
    struct asked asked;
    (void)state;
    asked_make(&(struct ask){.host = "a.example"}, &asked);
    assert_true(gate_request(gate, &asked.question, &answer));
    assert_true(slice_equals(answer.would_deny, SLICE("trial")));
    assert_false(passes(gate, (struct ask){.host = "b.example"}));
    gate_destroy(&gate);
    observe.observes = true;
    gate = GATE(rules, observe);
    const char *const wanted[][2] = {
        {"a.example", "trial"}, {"b.example", "real"}, {"c.example", "policy.default"}};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        asked_make(&(struct ask){.host = wanted[i][0]}, &asked);
        assert_true(gate_request(gate, &asked.question, &answer));
        assert_true(slice_equals(answer.would_deny, slice_from_string(wanted[i][1])));
    }
    /* what is no rule is not observed only */
    assert_false(passes(gate, (struct ask){.host = "a.example", .port = 25}));
    assert_false(dials(gate, (struct ask){.host = "a.example"}, "127.0.0.1"));
    gate_destroy(&gate);
}

/* The two ways to observe: a rule on trial is passed over, and what it would deny stays open; what the policy would
 * deny opens nothing. The same for the address that another one carries. */
static void what_is_on_trial_leaves_open_what_others_open(void **state)
{
    static const char *const dialled[] = {"10.0.0.1", "64:ff9b::a00:1"};
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        bool is_trial = (i & 1) != 0;
        bool observes = (i & 2) != 0;
        bool is_carried = (i & 4) != 0;
        const struct rule rules[] = {
            {.name = SLICE("no"),
             .action = RULE_DENY,
             .mode = is_trial ? RULE_OBSERVE : RULE_ENFORCE,
             .to_address = RANGES(V4(10, 0, 0, 0, 8))},
            {.name = SLICE("open"),
             .to_names = TEXTS(SLICE("a.example")),
             .to_address = RANGES(V4(10, 0, 0, 0, 8))},
        };
        struct inet_prefix carrier = {.bits = 96};
        assert_int_equal(inet_addr_parse(SLICE("64:ff9b::"), &carrier.addr), ST_OK);
        struct gate_options options = allow;
        options.observes = observes;
        options.allow = (struct gate_prefixes){&carrier, 1};
        struct gate *gate = GATE(rules, options);
        struct gate_answer answer;
        struct asked asked;
        asked_make(&(struct ask){.host = "a.example"}, &asked);
        struct inet_endpoint where = {.port = 80};
        assert_int_equal(inet_addr_parse(slice_from_string(dialled[is_carried]), &where.addr),
                         ST_OK);
        assert_int_equal(gate_address(gate, &asked.question, &where, &answer), is_trial);
        if (is_trial)
            assert_true(slice_equals(answer.would_deny, SLICE("no")));
        gate_destroy(&gate);
    }
}

/* ---- lists ---- */

/* A gate with a list of this text; rules are borrowed while it lives. */
static const struct slice one[] = {{"one.example", 11}};
static const struct slice inlined[] = {{"inline.example", 14}};
static const struct slice listed[] = {{"/a.list", 7}};
static const struct rule list_rules[] = {
    {.name = {"first", 5}, .to_names = {one, 1}},
    {.name = {"listed", 6}, .to_names = {inlined, 1}, .to_lists = {listed, 1}},
};

static enum status make_listed(const char *text, struct text *fault, struct gate **ret_gate)
{
    const struct rules_list lists[] = {{SLICE("/b.list"), SLICE("?")},
                                       {SLICE("/a.list"), slice_from_string(text)}};
    size_t rule = 0;
    struct gate_options options = deny;
    options.rules = list_rules;
    options.rule_count = COUNT_OF(list_rules);
    options.lists = lists;
    options.list_count = COUNT_OF(lists);
    enum status status = gate_create(&options, fault, &rule, ret_gate);
    assert_int_equal(rule, 1);
    return status;
}

static void a_list_of_names_is_read(void **state)
{
    struct gate *gate = NULL;
    (void)state;
    assert_int_equal(
        make_listed("# names\n\na.example # one\r\n  *.B.example.  \nc.example", NULL, &gate),
        ST_OK);
    assert_true(passes(gate, (struct ask){.host = "a.example"}));
    assert_true(passes(gate, (struct ask){.host = "x.b.example"}));
    assert_true(passes(gate, (struct ask){.host = "c.example"}));
    assert_true(passes(gate, (struct ask){.host = "inline.example"}));
    assert_true(passes(gate, (struct ask){.host = "one.example"}));
    assert_false(passes(gate, (struct ask){.host = "b.example"}));
    assert_false(passes(gate, (struct ask){.host = "names"}));
    assert_int_equal(rules_name_count(gate_rules(gate)), 5);
    gate_destroy(&gate);
}

static void a_list_of_something_else_is_refused_with_its_line(void **state)
{
    static const char *const worst[] = {"10.0.0.0/8", "a b",   "*.*.x", "a..b", "-\x80",
                                        "http://x/",  "1.2.3", "*",     "*.",   "x:80"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(worst); i++) {
        char text[64];
        char space[200];
        struct text fault = text_on(space, sizeof(space));
        struct gate *gate = NULL;
        (void)snprintf(text, sizeof(text), "a.example\n%s\nb.example\n", worst[i]);
        assert_int_equal(make_listed(text, &fault, &gate), ST_BAD);
        assert_string_equal(text_string(&fault),
                            "/a.list:2: expected a host name or *.name, and no "
                            "more in the line");
        assert_null(gate);
    }
}

/* ---- many ---- */

/* What is looked at of many rules is what was asked for: each decides as it does alone. */
static void ten_thousand_rules_decide_as_one(void **state)
{
    enum { MANY = 10000 };
    struct rule *rules = calloc(MANY, sizeof(*rules));
    struct slice *names = calloc(MANY, sizeof(*names));
    char(*texts)[32] = calloc(MANY, sizeof(*texts));
    (void)state;
    assert_true(rules != NULL && names != NULL && texts != NULL);
    for (size_t i = 0; i < MANY; i++) {
        names[i] = slice_of(texts[i], (size_t)snprintf(texts[i], 32, "h%zu.example", i / 2));
        rules[i] = (struct rule){.name = names[i],
                                 .action = i % 10 == 1 ? RULE_DENY : RULE_ALLOW,
                                 .to_names = {&names[i], 1}};
    }
    struct gate *gate = gate_of(rules, MANY, deny);
    for (size_t i = 0; i < MANY / 2; i += 7) {
        char host[32];
        (void)snprintf(host, sizeof(host), "h%zu.example", i);
        assert_int_equal(passes(gate, (struct ask){.host = host}), i % 5 != 0);
    }
    assert_false(passes(gate, (struct ask){.host = "h5000.example"}));
    gate_destroy(&gate);
    free(rules);
    free(names);
    free(texts);
}

/* ---- telling why ---- */

static void a_comparison_names_the_condition_that_fails(void **state)
{
    const struct rule rules[] = {{.name = SLICE("r"),
                                  .ports = PORTS({80, 80}),
                                  .to_names = TEXTS(SLICE("a.example")),
                                  .to_address = RANGES(V4(10, 0, 0, 0, 8))}};
    struct gate *gate = GATE(rules, deny);
    const struct inet_addr in = {INET_V4, {10, 1, 1, 1}};
    const struct inet_addr out = {INET_V4, {11, 1, 1, 1}};
    struct asked asked;
    (void)state;
    asked_make(&(struct ask){.host = "a.example", .port = 81}, &asked);
    assert_int_equal(rules_compare(gate_rules(gate), 0, &asked.question, NULL), RULE_PORT);
    asked_make(&(struct ask){.host = "b.example"}, &asked);
    assert_int_equal(rules_compare(gate_rules(gate), 0, &asked.question, NULL), RULE_TO);
    asked_make(&(struct ask){.host = "a.example"}, &asked);
    assert_int_equal(rules_compare(gate_rules(gate), 0, &asked.question, NULL), RULE_MATCHES);
    assert_int_equal(rules_compare(gate_rules(gate), 0, &asked.question, &in), RULE_MATCHES);
    assert_int_equal(rules_compare(gate_rules(gate), 0, &asked.question, &out), RULE_TO_ADDRESS);
    assert_string_equal(rule_condition_key(RULE_TO_ADDRESS), "to_address");
    gate_destroy(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_that_denies_wins_else_the_first_that_allows),
        cmocka_unit_test(names_match_on_label_boundaries),
        cmocka_unit_test(every_condition_must_hold),
        cmocka_unit_test(anybody_known_is_a_user_too),
        cmocka_unit_test(a_rule_without_names_is_found_by_who_asks),
        cmocka_unit_test(certificates_match_by_subject_and_name),
        cmocka_unit_test(an_ambiguous_path_is_denied),
        cmocka_unit_test(a_window_of_time_opens_and_shuts),
        cmocka_unit_test(a_rule_opens_the_ports_that_it_names),
        cmocka_unit_test(a_rule_opens_the_addresses_that_it_names),
        cmocka_unit_test(nobody_opens_a_name_of_the_floor),
        cmocka_unit_test(a_literal_address_is_asked_for_by_range),
        cmocka_unit_test(what_only_observes_lets_pass_and_tells),
        cmocka_unit_test(what_is_on_trial_leaves_open_what_others_open),
        cmocka_unit_test(a_list_of_names_is_read),
        cmocka_unit_test(a_list_of_something_else_is_refused_with_its_line),
        cmocka_unit_test(ten_thousand_rules_decide_as_one),
        cmocka_unit_test(a_comparison_names_the_condition_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
