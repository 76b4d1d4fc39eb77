/* The gate: which addresses may be dialled.
 *
 * Order: the floor, --deny, rules that name addresses, --allow and what such a rule opens, the default deny list. An
 * exception to the floor names one address, so it opens that address in the default deny list too; --deny still shuts
 * it. An IPv6 address that carries an IPv4 address is judged twice, by itself and by what it carries, so that no
 * spelling opens what its inner address would not. An IPv4-mapped one is dialled as IPv4 and judged as that
 * alone. */

#include "policy/gate_internal.h"

#include <stdlib.h>

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
    if (!sieve_may_hold_addr(&gate->floors, &endpoint->addr))
        return NULL;
    for (size_t i = 0; i < gate->tables->floor_count; i++) {
        if (inet_prefix_contains(&gate->tables->floors[i].prefix, &endpoint->addr))
            return gate->tables->floors[i].why;
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
    return writer_refuse(writer);
}

/* The row of the default deny list that holds this address, or NULL. */
const struct egress_range *gate_find_default(const struct gate *gate, const struct inet_addr *addr)
{
    if (!sieve_may_hold_addr(&gate->ranges, addr))
        return NULL;
    for (size_t i = 0; i < gate->tables->range_count; i++) {
        if (inet_prefix_contains(&gate->tables->ranges[i].prefix, addr))
            return &gate->tables->ranges[i];
    }
    return NULL;
}

static bool gate_judge_default(const struct gate *gate, const struct inet_addr *addr,
                               struct writer *writer)
{
    const struct egress_range *row = gate_find_default(gate, addr);
    if (row == NULL)
        return true;
    text_add(&writer->rule, SLICE("default-deny "));
    text_add_prefix(&writer->rule, &row->prefix);
    text_add_format(&writer->rule, " (%s, %s)", row->why, row->source);
    return writer_refuse(writer);
}

/* What rules say of one reading of the address. Rules that pass by default have judged the request; of an address that
 * another one carries only those count that deny or open it. */
static bool gate_judge_rules_at(const struct gate *gate, const struct gate_question *question,
                                const struct inet_addr *addr, bool is_inner,
                                struct rules_decision *ret_decision, struct writer *writer)
{
    if (is_inner) {
        rules_judge(gate->rules, question, addr, ret_decision);
        return gate_judge_denials(gate, ret_decision, writer);
    }
    return gate_judge_rules(gate, question, addr, ret_decision, writer) &&
           gate_judge_port(gate, question, ret_decision, writer);
}

/* One reading of the address: itself, or what it carries. */
static bool gate_judge(const struct gate *gate, const struct gate_question *question,
                       const struct inet_endpoint *endpoint, bool is_inner, struct writer *writer)
{
    struct rules_decision decision = {.address_opener = NULL};
    const struct inet_addr *addr = &endpoint->addr;
    if (!gate_judge_floor(gate, endpoint, writer))
        return false;
    const struct inet_prefix *denied = gate_find(gate->options.deny, addr);
    if (denied != NULL) {
        text_add(&writer->rule, SLICE("deny "));
        text_add_prefix(&writer->rule, denied);
        return writer_refuse(writer);
    }
    bool asks_rules = question != NULL && gate->rules != NULL && rules_name_addresses(gate->rules);
    if (asks_rules && !gate_judge_rules_at(gate, question, addr, is_inner, &decision, writer))
        return false;
    return gate_is_excepted(gate, endpoint) || gate_find(gate->options.allow, addr) != NULL ||
           decision.address_opener != NULL || gate_judge_default(gate, addr, writer);
}

/* May this address carry an IPv4 one? :: and ::1 have the form of a compatible address and are none. */
static bool has_inner(const struct inet_addr *addr)
{
    return addr->family == INET_V6 && !inet_addr_is_unspecified(addr) &&
           !inet_addr_is_loopback(addr);
}

/* What an IPv6 address carries. */
static bool gate_judge_inner(const struct gate *gate, const struct gate_question *question,
                             const struct inet_endpoint *endpoint, struct writer *writer)
{
    for (size_t i = 0; i < gate->tables->carrier_count && has_inner(&endpoint->addr); i++) {
        const struct egress_carrier *carrier = &gate->tables->carriers[i];
        if (!inet_prefix_contains(&carrier->prefix, &endpoint->addr))
            continue;
        struct inet_endpoint inner = {.addr = egress_unwrap(carrier, &endpoint->addr),
                                      .port = endpoint->port};
        bool is_fine = carrier->is_guess
                           ? gate_judge_floor(gate, &inner, writer)
                           : gate_judge(gate, question, &inner, /* is_inner= */ true, writer);
        if (!is_fine)
            return false;
    }
    return true;
}

/* ---- what would open it ---- */

void remedy_join(struct text *remedy, bool is_flag)
{
    bool follows_key = remedy->len > 0 && remedy->at[remedy->len - 1] == ']';
    bool follows_words = slice_ends_with_nocase(text_slice(remedy), SLICE("egress.deny"));
    if (remedy->len > 0)
        text_add(remedy, is_flag && !follows_key && !follows_words ? SLICE(" ") : SLICE(" and "));
}

/* The least that opens this reading of the address, behind what is there already. A guess is held against the
 * floor only. False where nothing opens it: through the proxy to itself leads nowhere. */
static bool gate_add_remedy(const struct gate *gate, const struct inet_endpoint *endpoint,
                            bool is_guess, struct text *remedy)
{
    char words[INET_ENDPOINT_TEXT];
    bool is_excepted = gate_is_excepted(gate, endpoint);
    const struct inet_prefix *denied =
        is_guess ? NULL : gate_find(gate->options.deny, &endpoint->addr);
    if (denied != NULL) {
        remedy_join(remedy, /* is_flag= */ false);
        text_add(remedy, SLICE("take "));
        text_add_prefix(remedy, denied);
        text_add(remedy, SLICE(" out of egress.deny"));
    }
    if (!is_excepted && gate_find_floor(gate, endpoint) != NULL) {
        inet_endpoint_format(endpoint, words);
        remedy_join(remedy, /* is_flag= */ false);
        text_add_format(remedy, "egress.floor_exceptions: [\"%s\"]", words);
        return !gate_is_own(gate, endpoint);
    }
    if (is_guess || is_excepted || gate_find(gate->options.allow, &endpoint->addr) != NULL ||
        gate_find_default(gate, &endpoint->addr) == NULL)
        return true;
    remedy_join(remedy, /* is_flag= */ true);
    text_add(remedy, SLICE("--allow "));
    text_add_addr(remedy, &endpoint->addr);
    return true;
}

bool gate_add_remedies(const struct gate *gate, const struct inet_endpoint *endpoint,
                       struct text *remedy)
{
    bool is_possible = true;
    for (size_t i = 0; i < gate->tables->carrier_count && has_inner(&endpoint->addr); i++) {
        const struct egress_carrier *carrier = &gate->tables->carriers[i];
        if (!inet_prefix_contains(&carrier->prefix, &endpoint->addr))
            continue;
        struct inet_endpoint inner = {.addr = egress_unwrap(carrier, &endpoint->addr),
                                      .port = endpoint->port};
        is_possible = gate_add_remedy(gate, &inner, carrier->is_guess, remedy) && is_possible;
    }
    is_possible = gate_add_remedy(gate, endpoint, /* is_guess= */ false, remedy) && is_possible;
    if (!is_possible)
        remedy->len = 0;
    return is_possible;
}

bool gate_address(const struct gate *gate, const struct gate_question *question,
                  const struct inet_endpoint *endpoint, struct gate_answer *ret_answer)
{
    CHECK_TAG(gate, GATE_TAG);
    struct writer writer = writer_on(ret_answer);
    struct inet_endpoint plain = {.addr = inet_addr_unmap(&endpoint->addr), .port = endpoint->port};
    if (plain.addr.family == INET_NONE) {
        text_add(&writer.rule, SLICE("not an IP address"));
        return writer_refuse(&writer);
    }
    if (gate_judge_inner(gate, question, &plain, &writer) &&
        gate_judge(gate, question, &plain, /* is_inner= */ false, &writer))
        return true;
    if (!writer.is_rule)                                       /* what would open it is known */
        (void)gate_add_remedies(gate, &plain, &writer.remedy); /* none is the answer, too */
    return writer_refuse(&writer);
}
