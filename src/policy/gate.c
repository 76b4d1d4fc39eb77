/* The gate: what may be asked for. gate_address.c tells which addresses may be dialled.
 *
 * The default deny list, the floor and the bad ports are made from egress.txt, where each row names its
 * source. Names are compared in the canonical form of base/host.h, on label boundaries.
 *
 * Order of the request stage: client, floor names, --deny, rules and --allow, port. A rule that names a port opens
 * it; no rule opens a name of the floor, nor, here, an address.
 *
 * Not here: resolving, and the decision what a set of good and bad addresses is worth (net/dial).
 * Lists of ranges are walked; they are short, and a sieve tells of most addresses that no row of the tables holds them.
 * A trie was left out until there are lists that need one; names and rules
 * are found through policy/rules. The addresses of interfaces are sorted and found by halving: a host of
 * containers has thousands, and they change while we run, so a gate may also lend its lists to another. */

#include "policy/gate_internal.h"

#include <stdlib.h>

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

int gate_order_addr(const void *a, const void *b)
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

/* Rules and names, which only together tell what is allowed. */
static enum status gate_make_rules(struct gate *gate, const struct gate_options *from,
                                   struct text *fault, size_t *ret_rule)
{
    const struct gate_options *mine = &gate->options;
    if (mine->rule_count == 0 && mine->allow_names.count == 0 && mine->deny_names.count == 0 &&
        !mine->denies_by_default)
        return ST_OK;
    struct rules_options options = {
        .rules = mine->rules,
        .count = mine->rule_count,
        .lists = from->lists,
        .list_count = from->list_count,
        .allow = mine->allow_names,
        .deny = mine->deny_names,
    };
    return rules_create(&options, fault, ret_rule, &gate->rules);
}

static void gate_make_sieves(struct gate *gate)
{
    const struct egress_tables *tables = gate->tables;
    gate->floors = gate->ranges = gate->ports = (struct sieve){{0}};
    for (size_t i = 0; i < tables->floor_count; i++)
        sieve_add_prefix(&gate->floors, &tables->floors[i].prefix);
    for (size_t i = 0; i < tables->range_count; i++)
        sieve_add_prefix(&gate->ranges, &tables->ranges[i].prefix);
    for (size_t i = 0; i < tables->port_count; i++)
        sieve_add_port(&gate->ports, tables->ports[i].port);
}

enum status gate_create(const struct gate_options *options, struct text *fault, size_t *ret_rule,
                        struct gate **ret_gate)
{
    struct packer packer = {NULL, 0};
    (void)gate_pack(&packer, options); /* only for packer.used */
    struct gate *gate = malloc(sizeof(*gate) + packer.used);
    if (gate == NULL)
        return ST_NOMEM;
    packer = (struct packer){(char *)gate->memory, 0};
    gate->options = gate_pack(&packer, options);
    gate->options.admin.addr = inet_addr_unmap(&options->admin.addr);
    gate->options.lists = NULL;
    gate->options.list_count = 0;
    if (!options->has_default)
        gate->options.denies_by_default = options->allow_names.count > 0;
    gate->tables = options->tables != NULL ? options->tables : &egress_built_in;
    gate_make_sieves(gate);
    gate->rules = NULL;
    gate->lends_rules = false;
    gate->tag = GATE_TAG;
    *ret_rule = 0;
    enum status status = gate_make_rules(gate, options, fault, ret_rule);
    if (status == ST_OK)
        *ret_gate = gate;
    else
        gate_destroy(&gate);
    return status;
}

struct gate *gate_with_interfaces(const struct gate *gate, const struct inet_addr *addr,
                                  size_t count)
{
    CHECK_TAG(gate, GATE_TAG);
    struct gate *other = malloc(sizeof(*other) + count * sizeof(*addr));
    if (other == NULL)
        return NULL;
    struct packer packer = {(char *)other->memory, 0};
    *other = *gate;
    other->options.interfaces = addr;
    other->options.interface_count = count;
    gate_pack_interfaces(&packer, &other->options);
    other->lends_rules = true;
    return other;
}

void gate_destroy(struct gate **gate)
{
    if (*gate == NULL)
        return;
    CHECK_TAG(*gate, GATE_TAG);
    if (!(*gate)->lends_rules)
        rules_destroy(&(*gate)->rules);
    (*gate)->tag = 0;
    free(*gate);
    *gate = NULL;
}

const struct rules *gate_rules(const struct gate *gate)
{
    CHECK_TAG(gate, GATE_TAG);
    return gate->rules;
}

/* ---- answers ---- */

struct writer writer_on(struct gate_answer *answer)
{
    answer->allowed_by = answer->would_deny = SLICE_NONE;
    answer->tls_is_optional = answer->has_judged = false;
    return (struct writer){.answer = answer,
                           .rule = text_on(answer->rule, sizeof(answer->rule)),
                           .remedy = text_on(answer->remedy, sizeof(answer->remedy))};
}

bool writer_refuse(struct writer *writer)
{
    (void)text_string(&writer->rule);
    (void)text_string(&writer->remedy);
    return false;
}

void text_add_prefix(struct text *text, const struct inet_prefix *prefix)
{
    char words[INET_PREFIX_TEXT];
    text_add(text, slice_of(words, inet_prefix_format(prefix, words)));
}

void text_add_addr(struct text *text, const struct inet_addr *addr)
{
    char words[INET_ADDR_TEXT];
    text_add(text, slice_of(words, inet_addr_format(addr, words)));
}

/* ---- the request stage ---- */

const struct inet_prefix *gate_find(struct gate_prefixes prefixes, const struct inet_addr *addr)
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
    return writer_refuse(writer);
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
    for (size_t i = 0; i < gate->tables->name_count; i++) {
        const struct egress_name *row = &gate->tables->names[i];
        if (!slice_equals(name, slice_from_string(row->name)) ||
            gate_find_name(gate->options.floor_names, name) != NULL)
            continue;
        text_add_format(&writer->rule, "floor %s (%s, %s)", row->name, row->why, row->source);
        text_add_format(&writer->remedy, "egress.floor_exceptions: [%s]", row->name);
        return writer_refuse(writer);
    }
    return true;
}

/* ---- rules ---- */

/* May the request pass for want of a rule? */
static bool gate_passes_by_default(const struct gate *gate, const struct gate_question *question)
{
    const struct gate_options *options = &gate->options;
    const struct host *host = question->host;
    if (!options->denies_by_default)
        return true;
    if (options->has_default || host->kind == HOST_NAME)
        return false;
    /* A list of allowed names would be worth nothing if every address could be asked for directly. */
    struct inet_addr plain = inet_addr_unmap(&host->addr);
    return gate_find(options->allow, &plain) != NULL;
}

static bool gate_refuse_name(const struct gate *gate, struct slice name, struct writer *writer)
{
    const struct slice *denied = gate_find_name(gate->options.deny_names, name);
    struct slice entry = denied != NULL ? *denied : name;
    text_add(&writer->rule, SLICE("deny "));
    text_add(&writer->rule, entry);
    writer->is_rule = true;
    text_add(&writer->remedy, SLICE("take "));
    text_add(&writer->remedy, entry);
    text_add(&writer->remedy, SLICE(" out of egress.deny"));
    return writer_refuse(writer);
}

static bool gate_refuse_by_rule(const struct gate *gate, const struct rule *rule,
                                struct writer *writer)
{
    text_add(&writer->rule, SLICE("rule "));
    text_add(&writer->rule, rule->name);
    writer->is_rule = true;
    text_add_format(&writer->remedy, "change policy.rules[%zu]",
                    (size_t)(rule - gate->options.rules));
    return writer_refuse(writer);
}

static void remedy_add_host(const struct gate_question *question, struct writer *writer)
{
    if (question->host->kind == HOST_NAME)
        text_add(&writer->remedy, host_slice(question->host));
    else
        text_add_addr(&writer->remedy, &question->host->addr);
}

/* No rule lets it pass. */
static bool gate_refuse_by_default(const struct gate *gate, const struct gate_question *question,
                                   struct writer *writer)
{
    bool is_name = question->host->kind == HOST_NAME;
    writer->is_rule = true;
    if (gate->options.has_default) {
        text_add(&writer->rule, SLICE("policy.default: no rule allows it"));
        text_add(&writer->remedy, SLICE("policy.rules: [{ action: allow, to: [\""));
        remedy_add_host(question, writer);
        text_add(&writer->remedy, SLICE("\"] }]"));
        return writer_refuse(writer);
    }
    text_add(&writer->rule, is_name
                                ? SLICE("name is not among the allowed ones")
                                : SLICE("only allowed names are forwarded, and allowed ranges"));
    text_add(&writer->remedy, SLICE("--allow "));
    remedy_add_host(question, writer);
    return writer_refuse(writer);
}

bool gate_judge_denials(const struct gate *gate, struct rules_decision *decision,
                        struct writer *writer)
{
    struct gate_answer *answer = writer->answer;
    if (decision->observed != NULL)
        answer->would_deny = decision->observed->name;
    if (decision->deny == NULL)
        return true;
    if (!gate->options.observes)
        return gate_refuse_by_rule(gate, decision->deny, writer);
    answer->would_deny = decision->deny->name;
    decision->address_opener = decision->port_opener = decision->port_namer = NULL;
    return true;
}

bool gate_judge_rules(const struct gate *gate, const struct gate_question *question,
                      const struct inet_addr *addr, struct rules_decision *ret_decision,
                      struct writer *writer)
{
    struct rules_decision *decision = ret_decision;
    struct gate_answer *answer = writer->answer;
    rules_judge(gate->rules, question, addr, decision);
    answer->has_judged = true;
    if (decision->is_in_deny)
        return gate_refuse_name(gate, host_slice(question->host), writer);
    if (!gate_judge_denials(gate, decision, writer))
        return false;
    if (decision->allow != NULL) {
        answer->allowed_by = decision->allow->name;
        answer->tls_is_optional = decision->allow->tls_is_optional;
    } else if (!decision->is_in_allow && !gate_passes_by_default(gate, question)) {
        if (!gate->options.observes)
            return gate_refuse_by_default(gate, question, writer);
        if (answer->would_deny.len == 0)
            answer->would_deny = SLICE("policy.default");
    }
    return true;
}

/* ---- ports ---- */

static bool ports_hold(const uint16_t *ports, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        if (ports[i] == port)
            return true;
    }
    return false;
}

/* The rows stand in ascending order. */
static const struct egress_port *bad_port_find(const struct gate *gate, uint16_t port)
{
    const struct egress_tables *tables = gate->tables;
    size_t low = 0;
    size_t high = tables->port_count;
    if (!sieve_may_hold_port(&gate->ports, port))
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tables->ports[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tables->port_count && tables->ports[low].port == port ? &tables->ports[low] : NULL;
}

bool gate_judge_port(const struct gate *gate, const struct gate_question *question,
                     const struct rules_decision *decision, struct writer *writer)
{
    const struct gate_options *options = &gate->options;
    const struct egress_port *bad = bad_port_find(gate, question->port);
    bool is_listed =
        question->is_connect
            ? ports_hold(options->connect_ports, options->connect_port_count, question->port)
            : options->plain_any_port ||
                  ports_hold(options->plain_ports, options->plain_port_count, question->port);
    bool is_named = is_listed || decision->port_namer != NULL;
    bool is_open =
        !question->is_connect || options->connects_any_port || decision->port_opener != NULL;
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
        return writer_refuse(writer);
    if (question->is_connect)
        text_add_format(&writer->remedy, "--connect-port %u", question->port);
    else
        text_add_format(&writer->remedy, "egress.plain_ports: [%u]", question->port);
    return writer_refuse(writer);
}

/* ---- more than one step ---- */

/* What follows a first remedy; one that does not fit is not begun. */
static void remedy_add_step(struct text *remedy, struct slice step)
{
    size_t before = remedy->len;
    bool was_cut = remedy->is_cut;
    remedy_join(remedy, slice_starts_with(step, SLICE("--")));
    text_add(remedy, step);
    if (remedy->is_cut || remedy->len == remedy->cap) {
        remedy->len = before;
        remedy->is_cut = was_cut;
    }
}

/* A port that would be refused next. */
static void add_port_step(const struct gate *gate, const struct gate_question *question,
                          const struct rules_decision *decision, struct writer *writer)
{
    struct gate_answer next;
    struct writer aside = writer_on(&next);
    if (gate_judge_port(gate, question, decision, &aside))
        return;
    if (aside.remedy.len == 0)
        writer->remedy.len = 0; /* nothing opens it */
    else
        remedy_add_step(&writer->remedy, text_slice(&aside.remedy));
}

/* An address that would be refused last, where the request names one; what a name leads to is not known yet. */
static void add_address_step(const struct gate *gate, const struct gate_question *question,
                             struct writer *writer)
{
    struct gate_answer next;
    struct inet_endpoint plain = {.port = question->port};
    if (question->host->kind == HOST_NAME || writer->remedy.len == 0)
        return;
    plain.addr = inet_addr_unmap(&question->host->addr);
    if (gate_address(gate, question, &plain, &next))
        return;
    struct writer aside = writer_on(&next);
    bool is_possible = gate_add_remedies(gate, &plain, &aside.remedy);
    struct slice step = text_slice(&aside.remedy);
    if (!is_possible)
        writer->remedy.len = 0;
    else if (step.len > 0 && !slice_starts_with(text_slice(&writer->remedy), step))
        remedy_add_step(&writer->remedy, step); /* else what allows the host opens it, too */
}

bool gate_request(const struct gate *gate, const struct gate_question *question,
                  struct gate_answer *ret_answer)
{
    CHECK_TAG(gate, GATE_TAG);
    const struct host *host = question->host;
    struct writer writer = writer_on(ret_answer);
    if (!gate_judge_client(gate, &question->client, &writer))
        return false;
    if (host->kind == HOST_NAME && !gate_judge_floor_name(gate, host_slice(host), &writer))
        return false;
    struct rules_decision decision = {.port_opener = NULL};
    bool is_ruled_out =
        gate->rules != NULL && !gate_judge_rules(gate, question, NULL, &decision, &writer);
    if (is_ruled_out)
        add_port_step(gate, question, &decision, &writer);
    else if (gate_judge_port(gate, question, &decision, &writer))
        return true;
    add_address_step(gate, question, &writer);
    return writer_refuse(&writer);
}

/* The first step of several, and where the next one begins. */
static struct slice remedy_take_step(struct slice *rest)
{
    static const struct {
        const char *words;
        size_t passed; /* of them, what stands between the steps */
    } joints[] = {{" and ", 5}, {" --", 1}};
    size_t end = rest->len;
    size_t next = rest->len;
    for (size_t i = 0; i < COUNT_OF(joints); i++) {
        const char *at = memmem(rest->at, rest->len, joints[i].words, strlen(joints[i].words));
        size_t here = at == NULL ? rest->len : (size_t)(at - rest->at);
        if (here < end) {
            end = here;
            next = here + joints[i].passed;
        }
    }
    struct slice step = slice_first(*rest, end);
    *rest = slice_from(*rest, next);
    return step;
}

static bool remedy_has(struct slice remedy, struct slice step)
{
    while (remedy.len > 0) {
        if (slice_equals(remedy_take_step(&remedy), step))
            return true;
    }
    return false;
}

void gate_join_remedies(char remedy[GATE_TEXT], const char *more)
{
    struct text text = text_on(remedy, GATE_TEXT);
    struct slice rest = slice_from_string(more);
    text.len = strlen(remedy);
    while (rest.len > 0) {
        struct slice step = remedy_take_step(&rest);
        if (!remedy_has(text_slice(&text), step))
            remedy_add_step(&text, step);
    }
    (void)text_string(&text);
}

bool gate_denies_names(const struct gate *gate)
{
    CHECK_TAG(gate, GATE_TAG);
    return gate->rules != NULL && rules_deny_names(gate->rules);
}
