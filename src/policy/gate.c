/* The gate: what may be asked for, and which addresses may be dialled.
 *
 * The default deny list, the floor and the bad ports are made from egress.txt, where each row names its
 * source. Names are compared in the canonical form of base/host.h, on label boundaries.
 *
 * Order of the request stage: client, floor names, --deny, --allow, port. Whatever comes to judge requests
 * later (identity, ordered rules) is one more step in gate_request, and never opens an address.
 *
 * Order of the address stage: the floor, --deny, --allow, the default deny list. An exception to the floor
 * names one address, so it opens that address in the default deny list too; --deny still shuts it.
 * An IPv6 address that carries an IPv4 address is judged twice, by itself and by what it carries, so that no
 * spelling opens what its inner address would not. An IPv4-mapped one is dialled as IPv4 and judged as that
 * alone.
 *
 * Not here: resolving, and the decision what a set of good and bad addresses is worth (net/dial).
 * Lists are walked; they are short, and only a new connection asks the address stage. A trie was left out
 * until there are lists that need one. The addresses of interfaces are sorted and found by halving: a host of
 * containers has thousands, and they change while we run, so a gate may also lend its lists to another. */

#include "policy/gate.h"

#include "base/check.h"
#include "base/text.h"

#include <stdlib.h>

struct egress_range {
    struct inet_prefix prefix;
    const char *why;
    const char *source;
};
struct egress_name {
    const char *name;
    const char *why;
    const char *source;
};
struct egress_port {
    uint16_t port;
    const char *why;
    const char *source;
};

#include "policy/egress_tables.h"

enum { GATE_TAG = TAG('g', 'a', 't', 'e') };

struct gate {
    uint32_t tag;
    struct gate_options options; /* lists in `memory`, or in that of the gate it was made of */
    max_align_t memory[];
};

/* ---- making one ---- */

/* Measures first, with `at` NULL, and copies in a second pass over the same lists. */
struct packer {
    char *at;
    size_t used;
};

static void *packer_add(struct packer *packer, const void *from, size_t bytes)
{
    char *to = packer->at == NULL ? NULL : packer->at + packer->used;
    if (to != NULL && bytes > 0)
        memcpy(to, from, bytes);
    packer->used += (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    return to;
}

/* They were unmapped when they were parsed, which is the form that addresses are judged in. */
static void gate_pack_prefixes(struct packer *packer, struct gate_prefixes *list)
{
    list->at = packer_add(packer, list->at, list->count * sizeof(*list->at));
}

static void gate_pack_endpoints(struct packer *packer, const struct inet_endpoint **list,
                                size_t count)
{
    struct inet_endpoint *to = packer_add(packer, *list, count * sizeof(*to));
    for (size_t i = 0; to != NULL && i < count; i++)
        to[i].addr = inet_addr_unmap(&to[i].addr);
    *list = to;
}

static void gate_pack_names(struct packer *packer, struct gate_names *list)
{
    struct slice *to = packer_add(packer, list->at, list->count * sizeof(*to));
    for (size_t i = 0; i < list->count; i++) {
        const char *text = packer_add(packer, list->at[i].at, list->at[i].len);
        if (to != NULL)
            to[i].at = text;
    }
    list->at = to;
}

static int gate_order_addr(const void *a, const void *b)
{
    return inet_addr_compare(a, b);
}

static void gate_pack_interfaces(struct packer *packer, struct gate_options *options)
{
    const struct inet_addr *from = options->interfaces;
    struct inet_addr *to = packer_add(packer, from, options->interface_count * sizeof(*to));
    options->interfaces = to;
    if (to == NULL || options->interface_count == 0)
        return;
    for (size_t i = 0; i < options->interface_count; i++)
        to[i] = inet_addr_unmap(&to[i]);
    qsort(to, options->interface_count, sizeof(*to), gate_order_addr);
}

static struct gate_options gate_pack(struct packer *packer, const struct gate_options *from)
{
    struct gate_options to = *from;
    gate_pack_prefixes(packer, &to.allow);
    gate_pack_prefixes(packer, &to.deny);
    gate_pack_prefixes(packer, &to.clients);
    gate_pack_names(packer, &to.allow_names);
    gate_pack_names(packer, &to.deny_names);
    gate_pack_names(packer, &to.floor_names);
    gate_pack_endpoints(packer, &to.own, to.own_count);
    gate_pack_endpoints(packer, &to.floor_exceptions, to.floor_exception_count);
    to.connect_ports =
        packer_add(packer, from->connect_ports, to.connect_port_count * sizeof(uint16_t));
    to.plain_ports = packer_add(packer, from->plain_ports, to.plain_port_count * sizeof(uint16_t));
    gate_pack_interfaces(packer, &to);
    return to;
}

struct gate *gate_create(const struct gate_options *options)
{
    struct packer packer = {NULL, 0};
    (void)gate_pack(&packer, options); /* only for packer.used */
    struct gate *gate = malloc(sizeof(*gate) + packer.used);
    if (gate == NULL)
        return NULL;
    packer = (struct packer){(char *)gate->memory, 0};
    gate->options = gate_pack(&packer, options);
    gate->options.admin.addr = inet_addr_unmap(&options->admin.addr);
    gate->tag = GATE_TAG;
    return gate;
}

struct gate *gate_with_interfaces(const struct gate *gate, const struct inet_addr *addr,
                                  size_t count)
{
    CHECK_TAG(gate, GATE_TAG);
    struct gate *other = malloc(sizeof(*other) + count * sizeof(*addr));
    if (other == NULL)
        return NULL;
    struct packer packer = {(char *)other->memory, 0};
    other->options = gate->options;
    other->options.interfaces = addr;
    other->options.interface_count = count;
    gate_pack_interfaces(&packer, &other->options);
    other->tag = GATE_TAG;
    return other;
}

void gate_destroy(struct gate **gate)
{
    if (*gate == NULL)
        return;
    CHECK_TAG(*gate, GATE_TAG);
    (*gate)->tag = 0;
    free(*gate);
    *gate = NULL;
}

/* ---- answers ---- */

/* What answers are written with; the adders cut what does not fit. */
struct writer {
    struct text rule;
    struct text remedy;
};

static struct writer writer_on(struct gate_answer *answer)
{
    return (struct writer){text_on(answer->rule, sizeof(answer->rule)),
                           text_on(answer->remedy, sizeof(answer->remedy))};
}

/* Always false: what a refusing stage returns. */
static bool gate_refuse(struct writer *writer)
{
    (void)text_string(&writer->rule);
    (void)text_string(&writer->remedy);
    return false;
}

static void text_add_prefix(struct text *text, const struct inet_prefix *prefix)
{
    char words[INET_PREFIX_TEXT];
    text_add(text, slice_of(words, inet_prefix_format(prefix, words)));
}

static void text_add_addr(struct text *text, const struct inet_addr *addr)
{
    char words[INET_ADDR_TEXT];
    text_add(text, slice_of(words, inet_addr_format(addr, words)));
}

/* ---- the request stage ---- */

static const struct inet_prefix *gate_find(struct gate_prefixes prefixes,
                                           const struct inet_addr *addr)
{
    for (size_t i = 0; i < prefixes.count; i++) {
        if (inet_prefix_contains(&prefixes.at[i], addr))
            return &prefixes.at[i];
    }
    return NULL;
}

bool gate_client(const struct gate *gate, const struct inet_addr *client)
{
    CHECK_TAG(gate, GATE_TAG);
    if (gate->options.clients.count == 0 || client->family == INET_NONE)
        return true;
    struct inet_addr plain = inet_addr_unmap(client);
    return gate_find(gate->options.clients, &plain) != NULL;
}

static bool gate_judge_client(const struct gate *gate, const struct inet_addr *client,
                              struct writer *writer)
{
    if (gate_client(gate, client))
        return true;
    struct inet_addr plain = inet_addr_unmap(client);
    text_add(&writer->rule, SLICE("client "));
    text_add_addr(&writer->rule, &plain);
    text_add(&writer->rule, SLICE(" is in no range of clients"));
    text_add(&writer->remedy, SLICE("--allow-clients "));
    text_add_addr(&writer->remedy, &plain);
    return gate_refuse(writer);
}

/* "*.x" is every name below x, and not x. */
static bool name_matches(struct slice pattern, struct slice name)
{
    if (!slice_starts_with(pattern, SLICE("*.")))
        return slice_equals_nocase(pattern, name);
    struct slice suffix = slice_from(pattern, 1);
    return name.len > suffix.len && slice_ends_with_nocase(name, suffix);
}

static const struct slice *gate_find_name(struct gate_names names, struct slice name)
{
    for (size_t i = 0; i < names.count; i++) {
        if (name_matches(names.at[i], name))
            return &names.at[i];
    }
    return NULL;
}

static bool gate_judge_floor_name(const struct gate *gate, struct slice name, struct writer *writer)
{
    for (size_t i = 0; i < COUNT_OF(egress_names); i++) {
        const struct egress_name *row = &egress_names[i];
        if (!slice_equals(name, slice_from_string(row->name)) ||
            gate_find_name(gate->options.floor_names, name) != NULL)
            continue;
        text_add_format(&writer->rule, "floor %s (%s, %s)", row->name, row->why, row->source);
        text_add_format(&writer->remedy, "egress.floor_exceptions: [%s]", row->name);
        return gate_refuse(writer);
    }
    return true;
}

static bool gate_judge_name(const struct gate *gate, struct slice name, struct writer *writer)
{
    const struct gate_options *options = &gate->options;
    if (!gate_judge_floor_name(gate, name, writer))
        return false;
    const struct slice *denied = gate_find_name(options->deny_names, name);
    if (denied != NULL) {
        text_add(&writer->rule, SLICE("deny "));
        text_add(&writer->rule, *denied);
        return gate_refuse(writer);
    }
    if (options->allow_names.count == 0 || gate_find_name(options->allow_names, name) != NULL)
        return true;
    text_add(&writer->rule, SLICE("name is not among the allowed ones"));
    text_add(&writer->remedy, SLICE("--allow "));
    text_add(&writer->remedy, name);
    return gate_refuse(writer);
}

/* A list of allowed names would be worth nothing if every address could be asked for directly. */
static bool gate_judge_literal(const struct gate *gate, const struct inet_addr *addr,
                               struct writer *writer)
{
    struct inet_addr plain = inet_addr_unmap(addr);
    if (gate->options.allow_names.count == 0 || gate_find(gate->options.allow, &plain) != NULL)
        return true;
    text_add(&writer->rule, SLICE("only allowed names are forwarded, and allowed ranges"));
    text_add(&writer->remedy, SLICE("--allow "));
    text_add_addr(&writer->remedy, &plain);
    return gate_refuse(writer);
}

static bool ports_hold(const uint16_t *ports, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        if (ports[i] == port)
            return true;
    }
    return false;
}

/* The rows stand in ascending order. */
static const struct egress_port *bad_port_find(uint16_t port)
{
    size_t low = 0;
    size_t high = COUNT_OF(egress_ports);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (egress_ports[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT_OF(egress_ports) && egress_ports[low].port == port ? &egress_ports[low]
                                                                          : NULL;
}

static bool gate_judge_port(const struct gate *gate, const struct gate_question *question,
                            struct writer *writer)
{
    const struct gate_options *options = &gate->options;
    const struct egress_port *bad = bad_port_find(question->port);
    bool is_named =
        question->is_connect
            ? ports_hold(options->connect_ports, options->connect_port_count, question->port)
            : options->plain_any_port ||
                  ports_hold(options->plain_ports, options->plain_port_count, question->port);
    bool is_open = question->is_connect ? options->connects_any_port : true;
    if (question->port != 0 && (is_named || (is_open && bad == NULL)))
        return true;
    if (bad != NULL)
        text_add_format(&writer->rule, "bad-port %u (%s, %s)", question->port, bad->why,
                        bad->source);
    else if (question->port == 0)
        text_add(&writer->rule, SLICE("bad-port 0"));
    else
        text_add_format(&writer->rule, "connect-ports: %u is not among them", question->port);
    if (question->port == 0)
        return gate_refuse(writer);
    if (question->is_connect)
        text_add_format(&writer->remedy, "--connect-port %u", question->port);
    else
        text_add_format(&writer->remedy, "egress.plain_ports: [%u]", question->port);
    return gate_refuse(writer);
}

bool gate_request(const struct gate *gate, const struct gate_question *question,
                  struct gate_answer *ret_answer)
{
    CHECK_TAG(gate, GATE_TAG);
    const struct host *host = question->host;
    struct writer writer = writer_on(ret_answer);
    if (!gate_judge_client(gate, &question->client, &writer))
        return false;
    bool is_fine = host->kind == HOST_NAME ? gate_judge_name(gate, host_slice(host), &writer)
                                           : gate_judge_literal(gate, &host->addr, &writer);
    return is_fine && gate_judge_port(gate, question, &writer);
}

bool gate_denies_names(const struct gate *gate)
{
    CHECK_TAG(gate, GATE_TAG);
    return gate->options.deny_names.count > 0;
}

/* ---- the address stage ---- */

/* Where IPv6 forms carry an IPv4 address; the mapped one is IPv4 before it comes here. */
struct carrier {
    struct inet_prefix prefix;
    uint8_t places[4]; /* index of each byte */
    bool is_inverted;  /* every bit is flipped */
    bool is_guess;     /* one of several readings: held against the floor only */
};

/* RFC 6052 §2.2 places the address by the length of the prefix, which for local NAT64 is not known. */
#define NAT64_LOCAL                                \
    {                                              \
        {INET_V6, {0, 0x64, 0xff, 0x9b, 0, 1}}, 48 \
    }

static const struct carrier carriers[] = {
    {{{INET_V6, {0}}, 96}, {12, 13, 14, 15}, false, false},                      /* compatible */
    {{{INET_V6, {[8] = 0xff, [9] = 0xff}}, 96}, {12, 13, 14, 15}, false, false}, /* translated */
    {{{INET_V6, {0, 0x64, 0xff, 0x9b}}, 96}, {12, 13, 14, 15}, false, false},    /* NAT64 */
    {NAT64_LOCAL, {6, 7, 9, 10}, false, true},
    {NAT64_LOCAL, {7, 9, 10, 11}, false, true},
    {NAT64_LOCAL, {9, 10, 11, 12}, false, true},
    {NAT64_LOCAL, {12, 13, 14, 15}, false, true},
    {{{INET_V6, {0x20, 0x02}}, 16}, {2, 3, 4, 5}, false, false},    /* 6to4 */
    {{{INET_V6, {0x20, 0x01}}, 32}, {4, 5, 6, 7}, false, false},    /* Teredo server */
    {{{INET_V6, {0x20, 0x01}}, 32}, {12, 13, 14, 15}, true, false}, /* Teredo client */
};

static struct inet_addr carrier_unwrap(const struct carrier *carrier, const struct inet_addr *addr)
{
    struct inet_addr inner = {.family = INET_V4};
    for (size_t i = 0; i < 4; i++) {
        uint8_t byte = addr->bytes[carrier->places[i]];
        inner.bytes[i] = carrier->is_inverted ? (uint8_t)~byte : byte;
    }
    return inner;
}

static bool gate_is_excepted(const struct gate *gate, const struct inet_endpoint *endpoint)
{
    const struct gate_options *options = &gate->options;
    for (size_t i = 0; i < options->floor_exception_count; i++) {
        const struct inet_endpoint *exception = &options->floor_exceptions[i];
        if (inet_addr_equals(&exception->addr, &endpoint->addr) &&
            (exception->port == 0 || exception->port == endpoint->port))
            return true;
    }
    return false;
}

static bool gate_is_interface(const struct gate *gate, const struct inet_addr *addr)
{
    const struct gate_options *options = &gate->options;
    return options->interface_count > 0 &&
           bsearch(addr, options->interfaces, options->interface_count, sizeof(*addr),
                   gate_order_addr) != NULL;
}

/* Does dialling this reach the socket that listens at `own`? The kernel takes an unspecified address for
 * loopback; a socket bound to one hears every local address. */
static bool gate_reaches(const struct gate *gate, const struct inet_endpoint *endpoint,
                         const struct inet_endpoint *own)
{
    if (own->addr.family == INET_NONE || own->port != endpoint->port)
        return false;
    bool is_unspecified = inet_addr_is_unspecified(&endpoint->addr);
    bool is_local = is_unspecified || inet_addr_is_loopback(&endpoint->addr) ||
                    gate_is_interface(gate, &endpoint->addr);
    return inet_addr_equals(&own->addr, &endpoint->addr) ||
           (is_local && inet_addr_is_unspecified(&own->addr)) ||
           (is_unspecified && inet_addr_is_loopback(&own->addr));
}

/* Does it reach one of our own proxy listeners? */
static bool gate_is_own(const struct gate *gate, const struct inet_endpoint *endpoint)
{
    for (size_t i = 0; i < gate->options.own_count; i++) {
        if (gate_reaches(gate, endpoint, &gate->options.own[i]))
            return true;
    }
    return false;
}

/* Why this address belongs to the floor, or NULL. */
static const char *gate_find_floor(const struct gate *gate, const struct inet_endpoint *endpoint)
{
    if (gate_is_own(gate, endpoint))
        return "the proxy itself";
    if (gate_reaches(gate, endpoint, &gate->options.admin))
        return "the proxy's admin listener";
    if (gate_is_interface(gate, &endpoint->addr))
        return "this machine";
    for (size_t i = 0; i < COUNT_OF(egress_floors); i++) {
        if (inet_prefix_contains(&egress_floors[i].prefix, &endpoint->addr))
            return egress_floors[i].why;
    }
    return NULL;
}

static bool gate_judge_floor(const struct gate *gate, const struct inet_endpoint *endpoint,
                             struct writer *writer)
{
    const char *why = gate_find_floor(gate, endpoint);
    if (why == NULL || gate_is_excepted(gate, endpoint))
        return true;
    char words[INET_ENDPOINT_TEXT];
    inet_endpoint_format(endpoint, words);
    text_add_format(&writer->rule, "floor %s (%s)", words, why);
    return gate_refuse(writer);
}

/* The row of the default deny list that holds this address, or NULL. */
static const struct egress_range *default_find(const struct inet_addr *addr)
{
    for (size_t i = 0; i < COUNT_OF(egress_ranges); i++) {
        if (inet_prefix_contains(&egress_ranges[i].prefix, addr))
            return &egress_ranges[i];
    }
    return NULL;
}

static bool gate_judge_default(const struct inet_addr *addr, struct writer *writer)
{
    const struct egress_range *row = default_find(addr);
    if (row == NULL)
        return true;
    text_add(&writer->rule, SLICE("default-deny "));
    text_add_prefix(&writer->rule, &row->prefix);
    text_add_format(&writer->rule, " (%s, %s)", row->why, row->source);
    return gate_refuse(writer);
}

/* One reading of the address. */
static bool gate_judge(const struct gate *gate, const struct inet_endpoint *endpoint,
                       struct writer *writer)
{
    if (!gate_judge_floor(gate, endpoint, writer))
        return false;
    const struct inet_prefix *denied = gate_find(gate->options.deny, &endpoint->addr);
    if (denied != NULL) {
        text_add(&writer->rule, SLICE("deny "));
        text_add_prefix(&writer->rule, denied);
        return gate_refuse(writer);
    }
    if (gate_is_excepted(gate, endpoint) || gate_find(gate->options.allow, &endpoint->addr) != NULL)
        return true;
    return gate_judge_default(&endpoint->addr, writer);
}

/* May this address carry an IPv4 one? :: and ::1 have the form of a compatible address and are none. */
static bool has_inner(const struct inet_addr *addr)
{
    return addr->family == INET_V6 && !inet_addr_is_unspecified(addr) &&
           !inet_addr_is_loopback(addr);
}

/* What an IPv6 address carries. */
static bool gate_judge_inner(const struct gate *gate, const struct inet_endpoint *endpoint,
                             struct writer *writer)
{
    for (size_t i = 0; i < COUNT_OF(carriers) && has_inner(&endpoint->addr); i++) {
        const struct carrier *carrier = &carriers[i];
        if (!inet_prefix_contains(&carrier->prefix, &endpoint->addr))
            continue;
        struct inet_endpoint inner = {.addr = carrier_unwrap(carrier, &endpoint->addr),
                                      .port = endpoint->port};
        bool is_fine = carrier->is_guess ? gate_judge_floor(gate, &inner, writer)
                                         : gate_judge(gate, &inner, writer);
        if (!is_fine)
            return false;
    }
    return true;
}

/* ---- what would open it ---- */

/* The least that opens this reading of the address, behind what is there already. A guess is held against the
 * floor only. False where nothing opens it: what is denied stays so, and through the proxy to itself leads
 * nowhere. */
static bool gate_add_remedy(const struct gate *gate, const struct inet_endpoint *endpoint,
                            bool is_guess, struct text *remedy)
{
    char words[INET_ENDPOINT_TEXT];
    bool is_excepted = gate_is_excepted(gate, endpoint);
    if (!is_guess && gate_find(gate->options.deny, &endpoint->addr) != NULL)
        return false;
    if (!is_excepted && gate_find_floor(gate, endpoint) != NULL) {
        inet_endpoint_format(endpoint, words);
        text_add_format(remedy, "%segress.floor_exceptions: [\"%s\"]",
                        remedy->len > 0 ? " and " : "", words);
        return !gate_is_own(gate, endpoint);
    }
    if (is_guess || is_excepted || gate_find(gate->options.allow, &endpoint->addr) != NULL ||
        default_find(&endpoint->addr) == NULL)
        return true;
    bool follows_key = remedy->len > 0 && remedy->at[remedy->len - 1] == ']';
    text_add(remedy, remedy->len == 0 ? SLICE("") : follows_key ? SLICE(" and ") : SLICE(" "));
    text_add(remedy, SLICE("--allow "));
    text_add_addr(remedy, &endpoint->addr);
    return true;
}

/* All that it takes: an address that carries another one is open when both are. */
static void gate_add_remedies(const struct gate *gate, const struct inet_endpoint *endpoint,
                              struct text *remedy)
{
    bool is_possible = true;
    for (size_t i = 0; i < COUNT_OF(carriers) && has_inner(&endpoint->addr); i++) {
        const struct carrier *carrier = &carriers[i];
        if (!inet_prefix_contains(&carrier->prefix, &endpoint->addr))
            continue;
        struct inet_endpoint inner = {.addr = carrier_unwrap(carrier, &endpoint->addr),
                                      .port = endpoint->port};
        is_possible = gate_add_remedy(gate, &inner, carrier->is_guess, remedy) && is_possible;
    }
    is_possible = gate_add_remedy(gate, endpoint, /* is_guess= */ false, remedy) && is_possible;
    if (!is_possible)
        remedy->len = 0;
}

bool gate_address(const struct gate *gate, const struct inet_endpoint *endpoint,
                  struct gate_answer *ret_answer)
{
    CHECK_TAG(gate, GATE_TAG);
    struct writer writer = writer_on(ret_answer);
    struct inet_endpoint plain = {.addr = inet_addr_unmap(&endpoint->addr), .port = endpoint->port};
    if (plain.addr.family == INET_NONE) {
        text_add(&writer.rule, SLICE("not an IP address"));
        return gate_refuse(&writer);
    }
    if (gate_judge_inner(gate, &plain, &writer) && gate_judge(gate, &plain, &writer))
        return true;
    gate_add_remedies(gate, &plain, &writer.remedy);
    return gate_refuse(&writer);
}
