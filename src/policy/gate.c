/* The gate: what may be asked for, and which addresses may be dialled.
 *
 * The table of the default deny list is made from egress.txt, where each row names its source. An address is
 * first unwrapped: an IPv4 address inside a mapped, compatible, translated or NAT64 form is judged as the
 * IPv4 address as well, so that no spelling opens what its inner address would not.
 *
 * Order of the address stage: the floor, --deny, --allow, the default deny list. */

#include "policy/gate.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

struct egress_row {
    struct inet_prefix prefix;
    bool is_floor;
    const char *why;
    const char *source;
};

#include "egress_rows.h"

/* Ports that a plain request may not go to: the bad ports of the Fetch standard, and infrastructure. */
static const uint16_t bad_ports[] = {
    1,    7,    9,    11,   13,   15,   17,   19,   20,   21,   22,   23,   25,   37,    42,
    43,   53,   69,   77,   79,   87,   95,   101,  102,  103,  104,  109,  110,  111,   113,
    115,  117,  119,  123,  135,  137,  138,  139,  143,  161,  179,  389,  427,  445,   465,
    512,  513,  514,  515,  526,  530,  531,  532,  540,  548,  554,  556,  563,  587,   601,
    636,  873,  989,  990,  993,  995,  1719, 1720, 1723, 2049, 2375, 2376, 2379, 3306,  3659,
    4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679,  6697,
    9200, 10080, 10250, 11211, 27017,
};

static const char *const floor_names[] = {
    "metadata.google.internal", "metadata.goog",          "metadata.azure.com",
    "instance-data",            "instance-data.ec2.internal", "metadata.tencentyun.com",
};

struct gate {
    struct gate_options options; /* its arrays lie behind, in memory of our own */
    void *memory[9];
};

static void *gate_copy(struct gate *gate, int slot, const void *from, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    if (copy != NULL && bytes > 0)
        memcpy(copy, from, bytes);
    gate->memory[slot] = copy;
    return copy;
}

/* Names are copied with their text behind the slices. */
static struct slice *gate_copy_names(struct gate *gate, int slot, struct gate_names names)
{
    size_t bytes = names.count * sizeof(struct slice);
    for (size_t i = 0; i < names.count; i++)
        bytes += names.at[i].len;
    struct slice *slices = malloc(bytes + 1);
    gate->memory[slot] = slices;
    if (slices == NULL)
        return NULL;
    char *text = (char *)(slices + names.count);
    for (size_t i = 0; i < names.count; i++) {
        memcpy(text, names.at[i].at, names.at[i].len);
        slices[i] = slice_of(text, names.at[i].len);
        text += names.at[i].len;
    }
    return slices;
}

struct gate *gate_create(const struct gate_options *from)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    if (gate == NULL)
        return NULL;
    struct gate_options *o = &gate->options;
    *o = *from;
    o->allow.at = gate_copy(gate, 0, from->allow.at, from->allow.count * sizeof(*o->allow.at));
    o->deny.at = gate_copy(gate, 1, from->deny.at, from->deny.count * sizeof(*o->deny.at));
    o->clients.at =
        gate_copy(gate, 2, from->clients.at, from->clients.count * sizeof(*o->clients.at));
    o->connect_ports = gate_copy(gate, 3, from->connect_ports,
                                 from->connect_port_count * sizeof(*o->connect_ports));
    o->own = gate_copy(gate, 4, from->own, from->own_count * sizeof(*o->own));
    o->interfaces = gate_copy(gate, 5, from->interfaces,
                              from->interface_count * sizeof(*o->interfaces));
    o->floor_exceptions = gate_copy(gate, 6, from->floor_exceptions,
                                    from->floor_exception_count * sizeof(*o->floor_exceptions));
    o->allow_names.at = gate_copy_names(gate, 7, from->allow_names);
    o->deny_names.at = gate_copy_names(gate, 8, from->deny_names);
    for (int i = 0; i < 9; i++) {
        if (gate->memory[i] == NULL)
            gate_destroy(&gate);
        if (gate == NULL)
            return NULL;
    }
    return gate;
}

void gate_destroy(struct gate **gate)
{
    if (*gate == NULL)
        return;
    for (int i = 0; i < 9; i++)
        free((*gate)->memory[i]);
    free(*gate);
    *gate = NULL;
}

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
    if (gate->options.clients.count == 0 || client->family == INET_NONE)
        return true;
    struct inet_addr plain = inet_addr_unmap(client);
    return gate_find(gate->options.clients, &plain) != NULL;
}

static bool gate_refuse(struct gate_answer *answer, const char *rule, const char *remedy)
{
    (void)snprintf(answer->rule, sizeof(answer->rule), "%s", rule);
    (void)snprintf(answer->remedy, sizeof(answer->remedy), "%s", remedy);
    return false;
}

/* ---- request stage ---- */

/* Names match on label boundaries: "*.x" is every name below x, and not x. */
static bool gate_name_matches(struct slice pattern, struct slice name)
{
    if (!slice_starts_with(pattern, SLICE("*.")))
        return slice_equals_nocase(pattern, name);
    struct slice suffix = slice_from(pattern, 1);
    return name.len > suffix.len && slice_ends_with_nocase(name, suffix);
}

static const struct slice *gate_find_name(struct gate_names names, struct slice name)
{
    for (size_t i = 0; i < names.count; i++) {
        if (gate_name_matches(names.at[i], name))
            return &names.at[i];
    }
    return NULL;
}

static bool gate_names(const struct gate *gate, struct slice name, struct gate_answer *answer)
{
    const struct gate_options *o = &gate->options;
    for (size_t i = 0; i < sizeof(floor_names) / sizeof(floor_names[0]); i++) {
        if (slice_equals(name, slice_from_string(floor_names[i])))
            return gate_refuse(answer, "floor: cloud metadata name", "");
    }
    const struct slice *denied = gate_find_name(o->deny_names, name);
    if (denied != NULL) {
        char rule[GATE_TEXT];
        (void)snprintf(rule, sizeof(rule), "deny %.*s", (int)denied->len, denied->at);
        return gate_refuse(answer, rule, "");
    }
    if (o->allow_names.count == 0 || gate_find_name(o->allow_names, name) != NULL)
        return true;
    char remedy[GATE_TEXT];
    (void)snprintf(remedy, sizeof(remedy), "--allow %.*s", (int)(name.len < 120 ? name.len : 120),
                   name.at);
    return gate_refuse(answer, "only allowed names are forwarded", remedy);
}

static bool gate_connect_port(const struct gate *gate, uint16_t port, struct gate_answer *answer)
{
    const struct gate_options *o = &gate->options;
    for (size_t i = 0; i < o->connect_port_count; i++) {
        if (o->connect_ports[i] == port)
            return true;
    }
    if (o->connects_any_port)
        return true;
    char rule[GATE_TEXT];
    char remedy[GATE_TEXT];
    (void)snprintf(rule, sizeof(rule), "CONNECT to port %u is not allowed", port);
    (void)snprintf(remedy, sizeof(remedy), "--connect-port %u", port);
    return gate_refuse(answer, rule, remedy);
}

bool gate_request(const struct gate *gate, const struct gate_question *question,
                  struct gate_answer *ret_answer)
{
    if (!gate_client(gate, &question->client))
        return gate_refuse(ret_answer, "the client's address is not allowed", "--allow-clients");
    if (question->host->kind == HOST_NAME &&
        !gate_names(gate, host_slice(question->host), ret_answer))
        return false;
    if (question->is_connect)
        return gate_connect_port(gate, question->port, ret_answer);
    for (size_t i = 0; i < sizeof(bad_ports) / sizeof(bad_ports[0]); i++) {
        if (bad_ports[i] == question->port) {
            char rule[GATE_TEXT];
            (void)snprintf(rule, sizeof(rule), "port %u is on the bad-port list", question->port);
            return gate_refuse(ret_answer, rule, "");
        }
    }
    return true;
}

/* ---- address stage ---- */

/* The IPv4 address inside of an IPv6 form, or INET_NONE. */
static struct inet_addr gate_unwrap(const struct inet_addr *addr)
{
    static const struct {
        uint8_t prefix[12];
    } forms[] = {
        {{0}},                                              /* ::/96, compatible */
        {{[10] = 0xff, [11] = 0xff}},                       /* ::ffff:0:0/96, mapped */
        {{[8] = 0xff, [9] = 0xff}},                         /* ::ffff:0:0:0/96, translated */
        {{0x00, 0x64, 0xff, 0x9b}},                         /* 64:ff9b::/96, NAT64 */
    };
    struct inet_addr inner = {.family = INET_NONE};
    if (addr->family != INET_V6)
        return inner;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (memcmp(addr->bytes, forms[i].prefix, 12) == 0) {
            inner.family = INET_V4;
            memcpy(inner.bytes, addr->bytes + 12, 4);
        }
    }
    return inner;
}

static bool gate_is_excepted(const struct gate *gate, const struct inet_endpoint *endpoint)
{
    const struct gate_options *o = &gate->options;
    for (size_t i = 0; i < o->floor_exception_count; i++) {
        const struct inet_endpoint *exception = &o->floor_exceptions[i];
        if (inet_addr_equals(&exception->addr, &endpoint->addr) &&
            (exception->port == 0 || exception->port == endpoint->port))
            return true;
    }
    return false;
}

/* Does dialling this reach one of our own listening sockets? */
static bool gate_is_own(const struct gate *gate, const struct inet_endpoint *endpoint)
{
    const struct gate_options *o = &gate->options;
    for (size_t i = 0; i < o->own_count; i++) {
        const struct inet_endpoint *own = &o->own[i];
        if (own->port != endpoint->port)
            continue;
        if (inet_addr_equals(&own->addr, &endpoint->addr))
            return true;
        if (inet_addr_is_unspecified(&own->addr) && (inet_addr_is_loopback(&endpoint->addr) ||
                                                     inet_addr_is_unspecified(&endpoint->addr)))
            return true;
    }
    return false;
}

static bool gate_floor(const struct gate *gate, const struct inet_endpoint *endpoint,
                       struct gate_answer *answer)
{
    char text[INET_ENDPOINT_TEXT];
    char rule[GATE_TEXT];
    inet_endpoint_format(endpoint, text);
    if (gate_is_excepted(gate, endpoint))
        return true;
    if (gate_is_own(gate, endpoint)) {
        (void)snprintf(rule, sizeof(rule), "floor %s (the proxy itself)", text);
        return gate_refuse(answer, rule, "egress.floor_exceptions");
    }
    for (size_t i = 0; i < gate->options.interface_count; i++) {
        if (inet_addr_equals(&gate->options.interfaces[i], &endpoint->addr)) {
            (void)snprintf(rule, sizeof(rule), "floor %s (this machine)", text);
            return gate_refuse(answer, rule, "egress.floor_exceptions");
        }
    }
    for (size_t i = 0; i < sizeof(egress_rows) / sizeof(egress_rows[0]); i++) {
        const struct egress_row *row = &egress_rows[i];
        if (row->is_floor && inet_prefix_contains(&row->prefix, &endpoint->addr)) {
            (void)snprintf(rule, sizeof(rule), "floor %s (%s)", text, row->why);
            return gate_refuse(answer, rule, "egress.floor_exceptions");
        }
    }
    return true;
}

static bool gate_default(const struct inet_addr *addr, struct gate_answer *answer)
{
    for (size_t i = 0; i < sizeof(egress_rows) / sizeof(egress_rows[0]); i++) {
        const struct egress_row *row = &egress_rows[i];
        if (row->is_floor || !inet_prefix_contains(&row->prefix, addr))
            continue;
        char range[INET_PREFIX_TEXT];
        inet_prefix_format(&row->prefix, range);
        (void)snprintf(answer->rule, sizeof(answer->rule), "default-deny %s (%s, %s)", range,
                       row->why, row->source);
        (void)snprintf(answer->remedy, sizeof(answer->remedy), "--allow %s", range);
        return false;
    }
    return true;
}

/* One form of the address. `is_inner`: the IPv4 address inside of another. */
static bool gate_judge(const struct gate *gate, const struct inet_endpoint *endpoint,
                       struct gate_answer *answer)
{
    if (!gate_floor(gate, endpoint, answer))
        return false;
    const struct inet_prefix *denied = gate_find(gate->options.deny, &endpoint->addr);
    if (denied != NULL) {
        char range[INET_PREFIX_TEXT];
        inet_prefix_format(denied, range);
        (void)snprintf(answer->rule, sizeof(answer->rule), "deny %s", range);
        answer->remedy[0] = '\0';
        return false;
    }
    if (gate_find(gate->options.allow, &endpoint->addr) != NULL)
        return true;
    return gate_default(&endpoint->addr, answer);
}

bool gate_address(const struct gate *gate, const struct inet_endpoint *endpoint,
                  struct gate_answer *ret_answer)
{
    struct inet_endpoint inner = {gate_unwrap(&endpoint->addr), endpoint->port};
    if (inner.addr.family != INET_NONE && !inet_addr_is_loopback(&endpoint->addr) &&
        !inet_addr_is_unspecified(&endpoint->addr) && !gate_judge(gate, &inner, ret_answer))
        return false;
    struct inet_endpoint plain = {inet_addr_unmap(&endpoint->addr), endpoint->port};
    return gate_judge(gate, &plain, ret_answer);
}
