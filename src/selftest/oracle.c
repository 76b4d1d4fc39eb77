/* What must be refused, written down a second time.
 *
 * The lists are those of the IANA special-purpose registries, of the vendors' documentation of instance metadata and of
 * the Fetch standard, typed in here by themselves: src/policy/egress.txt is not read. A unit test holds the two against
 * each other, and the self-test finds a row that is missing in the gate. Comparing and unwrapping are written anew,
 * too. Only the plain values are shared: addresses as bytes, and their text.
 *
 * The order of ranges does not matter: of all that hold an address the narrowest speaks.
 *
 * Rules are known as far as they are plain. Tries are made by nobody, over no listener and from no address, so a rule
 * that asks for one of these does not match. Of the others it is known what one denies that asks for nothing but hosts
 * or addresses, and what may be opened or allowed by one. Where there are rules, what is free may be refused all the
 * same. */

#include "selftest/oracle.h"

#include "base/check.h"
#include "base/text.h"

#include <stdlib.h>

/* ---- the lists ---- */

static const char *const oracle_ranges[] = {
    /* IPv4 */
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    /* outside of 2000::/3 */
    "::/3",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "4000::/2",
    "5f00::/16",
    "8000::/1",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    /* inside of it */
    "2001::/23",
    "2001::/32",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
};

static const char *const oracle_floors[] = {
    "169.254.169.254", "169.254.170.2",   "169.254.170.23", "169.254.169.253", "169.254.0.23",
    "169.254.42.42",   "100.100.100.200", "192.0.0.192",    "168.63.129.16",   "fd00:ec2::254",
    "fd00:ec2::23",    "fd00:ec2::253",   "fd20:ce::254",   "fd00:42::42",     "fd00:c1::a9fe:a9fe",
};

static const char *const oracle_names[] = {
    "metadata.google.internal",   "metadata.goog",           "metadata.azure.com", "instance-data",
    "instance-data.ec2.internal", "metadata.tencentyun.com",
};

static const uint16_t oracle_ports[] = {
    1,    7,    9,    11,   13,   15,   17,   19,    20,    21,    22,    23,   25,   37,
    42,   43,   53,   69,   77,   79,   87,   95,    101,   102,   103,   104,  109,  110,
    111,  113,  115,  117,  119,  123,  135,  137,   138,   139,   143,   161,  179,  389,
    427,  445,  465,  512,  513,  514,  515,  526,   530,   531,   532,   540,  548,  554,
    556,  563,  587,  601,  636,  873,  989,  990,   993,   995,   1719,  1720, 1723, 2049,
    2375, 2376, 2379, 3306, 3659, 4045, 4190, 5060,  5061,  5432,  6000,  6379, 6566, 6665,
    6666, 6667, 6668, 6669, 6679, 6697, 9200, 10080, 10250, 11211, 27017,
};

const char *oracle_range_text(size_t index)
{
    return index < COUNT_OF(oracle_ranges) ? oracle_ranges[index] : NULL;
}

const char *oracle_floor_text(size_t index)
{
    return index < COUNT_OF(oracle_floors) ? oracle_floors[index] : NULL;
}

const char *oracle_name_text(size_t index)
{
    return index < COUNT_OF(oracle_names) ? oracle_names[index] : NULL;
}

uint16_t oracle_port_at(size_t index)
{
    return index < COUNT_OF(oracle_ports) ? oracle_ports[index] : 0;
}

/* ---- comparing ---- */

static struct oracle_range range_of(const char *text)
{
    struct oracle_range range = {.text = text};
    const char *slash = strchr(text, '/');
    struct slice addr =
        slash == NULL ? slice_from_string(text) : slice_of(text, (size_t)(slash - text));
    CHECK(inet_addr_parse(addr, &range.addr) == ST_OK);
    range.bits = slash != NULL                  ? (unsigned)strtoul(slash + 1, NULL, 10)
                 : range.addr.family == INET_V4 ? 32
                                                : 128;
    return range;
}

/* Bit for bit, from the left. */
static bool bits_agree(const struct inet_addr *a, const struct inet_addr *b, unsigned bits)
{
    if (a->family != b->family)
        return false;
    for (unsigned bit = 0; bit < bits; bit++) {
        unsigned mask = 0x80U >> (bit % 8);
        if ((a->bytes[bit / 8] & mask) != (b->bytes[bit / 8] & mask))
            return false;
    }
    return true;
}

static unsigned width_of(const struct inet_addr *addr)
{
    return addr->family == INET_V4 ? 32 : 128;
}

static bool are_same(const struct inet_addr *a, const struct inet_addr *b)
{
    return bits_agree(a, b, width_of(a));
}

/* The first of a configured list that holds the address, or NULL. */
static const struct inet_prefix *find_prefix(const struct config_prefixes *list,
                                             const struct inet_addr *addr)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bits_agree(&list->at[i].addr, addr, list->at[i].bits))
            return &list->at[i];
    }
    return NULL;
}

/* The narrowest of the ranges that hold the address, or NULL. */
static const struct oracle_range *find_range(const struct oracle *oracle,
                                             const struct inet_addr *addr)
{
    const struct oracle_range *found = NULL;
    for (size_t i = 0; i < oracle->range_count; i++) {
        const struct oracle_range *range = &oracle->ranges[i];
        if (bits_agree(&range->addr, addr, range->bits) &&
            (found == NULL || range->bits > found->bits))
            found = range;
    }
    return found;
}

/* ---- the floor ---- */

static bool is_all_zero(const struct inet_addr *addr)
{
    for (unsigned i = 0; i < width_of(addr) / 8; i++) {
        if (addr->bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_loopback(const struct inet_addr *addr)
{
    static const struct inet_addr one = {INET_V6, {[15] = 1}};
    return addr->family == INET_V4 ? addr->bytes[0] == 127 : are_same(&one, addr);
}

static bool is_interface(const struct oracle *oracle, const struct inet_addr *addr)
{
    for (size_t i = 0; i < oracle->interfaces->count; i++) {
        struct inet_addr plain = inet_addr_unmap(&oracle->interfaces->at[i]);
        if (are_same(&plain, addr))
            return true;
    }
    return false;
}

/* Does a connection to `endpoint` end at a socket of this configuration? */
static bool is_own(const struct oracle *oracle, const struct inet_endpoint *endpoint)
{
    const struct inet_addr *addr = &endpoint->addr;
    for (size_t i = 0; i < oracle->own_count; i++) {
        const struct inet_endpoint *own = &oracle->own[i];
        if (own->port != endpoint->port)
            continue;
        bool is_here = is_all_zero(addr) || is_loopback(addr) || is_interface(oracle, addr);
        if (are_same(&own->addr, addr) || (is_all_zero(&own->addr) && is_here) ||
            (is_all_zero(addr) && is_loopback(&own->addr)))
            return true;
    }
    return false;
}

static bool is_floor(const struct oracle *oracle, const struct inet_endpoint *endpoint)
{
    if (is_own(oracle, endpoint) || is_interface(oracle, &endpoint->addr))
        return true;
    for (size_t i = 0; i < oracle->floor_count; i++) {
        if (are_same(&oracle->floors[i].addr, &endpoint->addr))
            return true;
    }
    return false;
}

static bool is_excepted(const struct oracle *oracle, const struct inet_endpoint *endpoint)
{
    const struct config_endpoints *exceptions = &oracle->config->egress.floor_exceptions;
    for (size_t i = 0; i < exceptions->count; i++) {
        const struct inet_endpoint *one = &exceptions->at[i];
        struct inet_addr plain = inet_addr_unmap(&one->addr);
        if (are_same(&plain, &endpoint->addr) && (one->port == 0 || one->port == endpoint->port))
            return true;
    }
    return false;
}

/* ---- rules ---- */

/* "*.x" is what stands below x. */
static bool pattern_holds(struct slice pattern, struct slice name)
{
    if (pattern.len < 2 || pattern.at[0] != '*')
        return slice_equals_nocase(pattern, name);
    struct slice tail = slice_from(pattern, 1); /* ".x" */
    return name.len > tail.len && slice_equals_nocase(slice_from(name, name.len - tail.len), tail);
}

static bool range_list_holds(const struct gate_prefixes *list, const struct inet_addr *addr)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bits_agree(&list->at[i].addr, addr, list->at[i].bits))
            return true;
    }
    return false;
}

/* Could whoever makes the tries meet it? */
static bool rule_is_for_nobody(const struct rule *rule)
{
    return rule->listeners.count == 0 && rule->from.count == 0 && rule->users.count == 0 &&
           rule->groups.count == 0 && rule->certificates.count == 0;
}

static bool rule_has_host(const struct rule *rule)
{
    return rule->to_names.count > 0 || rule->to_ranges.count > 0 || rule->to_lists.count > 0;
}

/* Does it name the host that is asked for? Lists of files are not read here. */
static bool rule_names_host(const struct oracle *oracle, const struct rule *rule)
{
    for (size_t i = 0; i < rule->to_names.count && oracle->asked_name.len > 0; i++) {
        if (pattern_holds(rule->to_names.at[i], oracle->asked_name))
            return true;
    }
    if (oracle->asked_addr == NULL)
        return false;
    struct inet_addr plain = inet_addr_unmap(oracle->asked_addr);
    return range_list_holds(&rule->to_ranges, &plain);
}

static bool rule_may_match(const struct oracle *oracle, const struct rule *rule)
{
    bool is_known = oracle->asked_name.len > 0 || oracle->asked_addr != NULL;
    return rule_is_for_nobody(rule) && (!is_known || !rule_has_host(rule) ||
                                        rule->to_lists.count > 0 || rule_names_host(oracle, rule));
}

/* Does it ask for nothing but hosts and addresses? */
static bool rule_is_plain(const struct rule *rule)
{
    return rule_is_for_nobody(rule) && rule->methods.count == 0 && rule->schemes.count == 0 &&
           rule->ports.count == 0 && rule->paths.count == 0 && rule->windows.count == 0;
}

static bool rule_denies(const struct oracle *oracle, const struct rule *rule)
{
    return rule->action == RULE_DENY && rule->mode == RULE_ENFORCE &&
           !oracle->config->policy.observes && rule_is_plain(rule);
}

/* The first rule that surely denies this host, or, with an address, that address; NULL none. */
static const struct rule *find_denying(const struct oracle *oracle, const struct inet_addr *addr)
{
    for (size_t i = 0; i < oracle->config->policy.rule_count; i++) {
        const struct rule *rule = &oracle->config->policy.rules[i];
        bool is_host = !rule_has_host(rule) || rule_names_host(oracle, rule);
        bool is_address =
            addr == NULL ? rule->to_address.count == 0 : range_list_holds(&rule->to_address, addr);
        if (rule_denies(oracle, rule) && is_host && is_address)
            return rule;
    }
    return NULL;
}

/* The first one that may open this address. */
static const struct rule *find_opening(const struct oracle *oracle, const struct inet_addr *addr)
{
    for (size_t i = 0; i < oracle->config->policy.rule_count; i++) {
        const struct rule *rule = &oracle->config->policy.rules[i];
        if (rule->action == RULE_ALLOW && rule_may_match(oracle, rule) &&
            range_list_holds(&rule->to_address, addr))
            return rule;
    }
    return NULL;
}

static bool rule_has_port(const struct rule *rule, uint16_t port, bool is_bad)
{
    for (size_t i = 0; i < rule->ports.count; i++) {
        const struct rule_ports *ports = &rule->ports.at[i];
        if (ports->first <= port && port <= ports->last && (!is_bad || ports->first == ports->last))
            return true;
    }
    return false;
}

/* The first one that may open this port; bad ones must be named by number. */
static const struct rule *find_port_opening(const struct oracle *oracle, uint16_t port, bool is_bad)
{
    for (size_t i = 0; i < oracle->config->policy.rule_count; i++) {
        const struct rule *rule = &oracle->config->policy.rules[i];
        if (rule->action == RULE_ALLOW && rule_may_match(oracle, rule) &&
            rule_has_port(rule, port, is_bad))
            return rule;
    }
    return NULL;
}

/* Does one of them allow this host, perhaps? */
static bool may_be_allowed(const struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->config->policy.rule_count; i++) {
        const struct rule *rule = &oracle->config->policy.rules[i];
        if (rule->action == RULE_ALLOW && rule_may_match(oracle, rule))
            return true;
    }
    return oracle->config->policy.observes;
}

bool oracle_is_sure(const struct oracle *oracle)
{
    const struct config *config = oracle->config;
    bool denies = config->policy.has_default && config->policy.by_default == RULE_DENY;
    return config->policy.rule_count == 0 && !denies && !config->policy.observes;
}

/* Is all refused that nothing allows? */
static bool denies_the_rest(const struct oracle *oracle)
{
    const struct config *config = oracle->config;
    return config->policy.has_default ? config->policy.by_default == RULE_DENY
                                      : config->egress.allow_names.count > 0;
}

/* ---- one reading of an address ---- */

static struct oracle_finding finding_of(enum oracle_verdict verdict, const char *word,
                                        const char *value)
{
    struct oracle_finding finding = {.verdict = verdict};
    struct text text = text_on(finding.rule, sizeof(finding.rule));
    text_add_format(&text, "%s%s%s", word, value[0] != '\0' ? " " : "", value);
    (void)text_string(&text);
    return finding;
}

static struct oracle_finding finding_of_addr(enum oracle_verdict verdict, const char *word,
                                             const struct inet_addr *addr)
{
    char words[INET_ADDR_TEXT];
    inet_addr_format(addr, words);
    return finding_of(verdict, word, words);
}

static struct oracle_finding finding_of_prefix(enum oracle_verdict verdict, const char *word,
                                               const struct inet_prefix *prefix)
{
    char words[INET_PREFIX_TEXT];
    inet_prefix_format(prefix, words);
    return finding_of(verdict, word, words);
}

static const struct oracle_finding nothing = {.verdict = ORACLE_FREE};

static struct oracle_finding finding_of_rule(enum oracle_verdict verdict, const struct rule *rule)
{
    struct oracle_finding finding = {.verdict = verdict};
    struct text text = text_on(finding.rule, sizeof(finding.rule));
    text_add(&text, SLICE("rule "));
    text_add(&text, rule->name);
    (void)text_string(&text);
    return finding;
}

static struct oracle_finding judge_reading(const struct oracle *oracle,
                                           const struct inet_endpoint *endpoint, bool is_guess)
{
    const struct config *config = oracle->config;
    const struct inet_addr *addr = &endpoint->addr;
    bool is_open = is_excepted(oracle, endpoint);
    if (is_floor(oracle, endpoint) && !is_open)
        return finding_of_addr(ORACLE_FORBIDDEN, "floor", addr);
    if (is_guess)
        return nothing;
    const struct inet_prefix *denied = find_prefix(&config->egress.deny, addr);
    if (denied != NULL)
        return finding_of_prefix(ORACLE_FORBIDDEN, "deny", denied);
    const struct rule *denying = find_denying(oracle, addr);
    if (denying != NULL)
        return finding_of_rule(ORACLE_FORBIDDEN, denying);
    const struct oracle_range *range = find_range(oracle, addr);
    if (is_open)
        return finding_of_addr(ORACLE_OPENED, "egress.floor_exceptions", addr);
    if (range == NULL)
        return nothing;
    const struct inet_prefix *allowed = find_prefix(&config->egress.allow, addr);
    if (allowed != NULL)
        return finding_of_prefix(ORACLE_OPENED, "egress.allow", allowed);
    const struct rule *opening = find_opening(oracle, addr);
    if (opening != NULL)
        return finding_of_rule(ORACLE_OPENED, opening);
    return finding_of(ORACLE_FORBIDDEN, "default-deny", range->text);
}

/* ---- all readings ---- */

enum { READINGS_MAX = 8 };

struct reading {
    struct inet_endpoint endpoint;
    bool is_guess; /* one of several: only the floor is held against it */
};

struct readings {
    struct reading at[READINGS_MAX];
    size_t count;
};

static void add_v4(struct readings *readings, const struct inet_endpoint *of, uint32_t value,
                   bool is_guess)
{
    CHECK(readings->count < READINGS_MAX);
    readings->at[readings->count++] = (struct reading){
        .endpoint = {.addr = {INET_V4,
                              {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 8), (uint8_t)value}},
                     .port = of->port},
        .is_guess = is_guess,
    };
}

/* Four bytes, which need not be neighbours. */
static uint32_t word_of(const struct inet_addr *addr, unsigned a, unsigned b, unsigned c,
                        unsigned d)
{
    const uint8_t *bytes = addr->bytes;
    return (uint32_t)bytes[a] << 24 | (uint32_t)bytes[b] << 16 | (uint32_t)bytes[c] << 8 | bytes[d];
}

static bool starts(const struct inet_addr *addr, const char *prefix)
{
    struct oracle_range range = range_of(prefix);
    return bits_agree(&range.addr, addr, range.bits);
}

/* What an address says of IPv4 addresses, the address itself last. */
static struct readings readings_of(const struct inet_endpoint *endpoint)
{
    struct readings all = {.count = 0};
    const struct inet_addr *addr = &endpoint->addr;
    uint32_t last = word_of(addr, 12, 13, 14, 15);
    bool is_v6 = addr->family == INET_V6 && !is_all_zero(addr) && !is_loopback(addr);
    if (addr->family == INET_V6 && starts(addr, "::ffff:0:0/96")) { /* nothing but IPv4 */
        add_v4(&all, endpoint, last, false);
        return all;
    }
    if (is_v6 &&
        (starts(addr, "::/96") || starts(addr, "::ffff:0:0:0/96") || starts(addr, "64:ff9b::/96")))
        add_v4(&all, endpoint, last, false);
    if (is_v6 && starts(addr, "64:ff9b:1::/48")) { /* RFC 6052 §2.2: byte 8 is never part of it */
        add_v4(&all, endpoint, word_of(addr, 6, 7, 9, 10), true);
        add_v4(&all, endpoint, word_of(addr, 7, 9, 10, 11), true);
        add_v4(&all, endpoint, word_of(addr, 9, 10, 11, 12), true);
        add_v4(&all, endpoint, last, true);
    }
    if (is_v6 && starts(addr, "2002::/16"))
        add_v4(&all, endpoint, word_of(addr, 2, 3, 4, 5), false);
    if (is_v6 &&
        starts(addr,
               "2001::/32")) { /* RFC 4380 §4: the server, and the client with each bit flipped */
        add_v4(&all, endpoint, word_of(addr, 4, 5, 6, 7), false);
        add_v4(&all, endpoint, ~last, false);
    }
    all.at[all.count++] = (struct reading){.endpoint = *endpoint};
    return all;
}

struct oracle_finding oracle_worse(struct oracle_finding a, struct oracle_finding b)
{
    return b.verdict > a.verdict ? b : a;
}

struct oracle_finding oracle_judge_address(const struct oracle *oracle,
                                           const struct inet_endpoint *endpoint)
{
    struct readings readings = readings_of(endpoint);
    struct oracle_finding worst = nothing;
    for (size_t i = 0; i < readings.count; i++) {
        const struct reading *reading = &readings.at[i];
        worst = oracle_worse(worst, judge_reading(oracle, &reading->endpoint, reading->is_guess));
    }
    return worst;
}

/* ---- the rule that spoke ---- */

/* The gate writes a floor address with its port, and what follows differs: the kind is enough there. */
static bool rule_is(struct slice rule, const char *expected)
{
    struct slice words = slice_from_string(expected);
    if (slice_starts_with(words, SLICE("floor ")))
        return slice_starts_with(rule, SLICE("floor "));
    return slice_starts_with(rule, words) && (rule.len == words.len || rule.at[words.len] == ' ');
}

bool oracle_accepts_rule(const struct oracle *oracle, const struct inet_endpoint *endpoint,
                         struct slice rule, char ret_missing[ORACLE_RULE_TEXT])
{
    struct readings readings = readings_of(endpoint);
    if (!slice_starts_with(rule, SLICE("default-deny ")) &&
        !slice_starts_with(rule, SLICE("floor ")))
        return true;
    for (size_t i = 0; i < readings.count; i++) {
        const struct reading *reading = &readings.at[i];
        struct oracle_finding finding =
            judge_reading(oracle, &reading->endpoint, reading->is_guess);
        if (finding.verdict != ORACLE_FORBIDDEN)
            continue;
        if (rule_is(rule, finding.rule))
            return true;
        memcpy(ret_missing, finding.rule, ORACLE_RULE_TEXT);
    }
    return false;
}

/* ---- the request ---- */

static bool holds_port(const struct config_ports *ports, uint16_t port)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (ports->at[i] == port)
            return true;
    }
    return false;
}

struct oracle_finding oracle_judge_port(const struct oracle *oracle, uint16_t port, bool is_connect)
{
    const struct config *config = oracle->config;
    char digits[8];
    struct text text = text_on(digits, sizeof(digits));
    text_add_u64(&text, port);
    (void)text_string(&text);
    bool is_bad = port == 0;
    for (size_t i = 0; i < COUNT_OF(oracle_ports); i++)
        is_bad = is_bad || oracle_ports[i] == port;
    if (port == 0)
        return finding_of(ORACLE_FORBIDDEN, "bad-port", digits);
    const struct rule *opening = find_port_opening(oracle, port, is_bad);
    if (!is_connect) {
        if (!is_bad)
            return nothing;
        bool is_named =
            config->egress.plain_ports.is_any || holds_port(&config->egress.plain_ports, port);
        if (!is_named && opening != NULL)
            return finding_of_rule(ORACLE_OPENED, opening);
        return is_named ? finding_of(ORACLE_OPENED, "egress.plain_ports", digits)
                        : finding_of(ORACLE_FORBIDDEN, "bad-port", digits);
    }
    if (holds_port(&config->egress.connect_ports, port))
        return port == 443 ? nothing : finding_of(ORACLE_OPENED, "egress.connect_ports", digits);
    if (config->egress.connect_ports.is_any && !is_bad)
        return port == 443 ? nothing : finding_of(ORACLE_OPENED, "egress.connect_ports", "any");
    if (opening != NULL)
        return finding_of_rule(ORACLE_OPENED, opening);
    return is_bad ? finding_of(ORACLE_FORBIDDEN, "bad-port", digits)
                  : finding_of(ORACLE_FORBIDDEN, "connect-ports:", digits);
}

static const char nobody_allows[] = "nobody allows it (policy.default, egress.allow)";

static const struct slice *find_pattern(const struct config_strings *patterns, struct slice name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (pattern_holds(patterns->at[i], name))
            return &patterns->at[i];
    }
    return NULL;
}

struct oracle_finding oracle_judge_name(const struct oracle *oracle, struct slice name)
{
    const struct config *config = oracle->config;
    struct oracle_finding opened = nothing;
    for (size_t i = 0; i < COUNT_OF(oracle_names); i++) {
        if (!slice_equals_nocase(name, slice_from_string(oracle_names[i])))
            continue;
        if (find_pattern(&config->egress.floor_names, name) == NULL)
            return finding_of(ORACLE_FORBIDDEN, "floor", oracle_names[i]);
        opened = finding_of(ORACLE_OPENED, "egress.floor_exceptions", oracle_names[i]);
    }
    const struct slice *denied = find_pattern(&config->egress.deny_names, name);
    if (denied != NULL)
        return finding_of(ORACLE_FORBIDDEN, "deny", denied->at);
    const struct rule *denying = find_denying(oracle, NULL);
    if (denying != NULL)
        return finding_of_rule(ORACLE_FORBIDDEN, denying);
    if (denies_the_rest(oracle) && !may_be_allowed(oracle) &&
        find_pattern(&config->egress.allow_names, name) == NULL)
        return finding_of(ORACLE_FORBIDDEN, nobody_allows, "");
    return opened;
}

struct oracle_finding oracle_judge_literal(const struct oracle *oracle,
                                           const struct inet_addr *addr)
{
    const struct config *config = oracle->config;
    struct inet_addr plain = inet_addr_unmap(addr);
    const struct rule *denying = find_denying(oracle, NULL);
    if (denying != NULL)
        return finding_of_rule(ORACLE_FORBIDDEN, denying);
    bool is_in_allow =
        !config->policy.has_default && find_prefix(&config->egress.allow, &plain) != NULL;
    if (!denies_the_rest(oracle) || may_be_allowed(oracle) || is_in_allow)
        return nothing;
    return finding_of(ORACLE_FORBIDDEN, nobody_allows, "");
}

/* ---- making one ---- */

static void add_own(struct oracle *oracle, const struct inet_endpoint *endpoint)
{
    if (endpoint->addr.family == INET_NONE || endpoint->port == 0)
        return;
    CHECK(oracle->own_count < ORACLE_OWN_MAX);
    oracle->own[oracle->own_count++] =
        (struct inet_endpoint){.addr = inet_addr_unmap(&endpoint->addr), .port = endpoint->port};
}

void oracle_init(struct oracle *oracle, const struct snapshot *snapshot,
                 const struct interfaces *interfaces)
{
    *oracle = (struct oracle){.config = snapshot->config, .interfaces = interfaces};
    for (size_t i = 0; i < COUNT_OF(oracle_ranges); i++)
        oracle->ranges[oracle->range_count++] = range_of(oracle_ranges[i]);
    for (size_t i = 0; i < COUNT_OF(oracle_floors); i++)
        oracle->floors[oracle->floor_count++] = range_of(oracle_floors[i]);
    for (size_t i = 0; i < snapshot->config->listen_count; i++) {
        const struct config_listen *listen = &snapshot->config->listen[i];
        if (listen->kind == LISTEN_TCP)
            add_own(oracle, &listen->endpoint);
    }
    if (!snapshot->config->admin.is_off && snapshot->config->admin.listen.kind == LISTEN_TCP)
        add_own(oracle, &snapshot->config->admin.listen.endpoint);
}
