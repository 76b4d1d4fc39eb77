/* The operator's rules.
 *
 * Each rule is filed under what it asks for: under its names, else (or where it asks for ranges of literal addresses,
 * too) its users, else its groups, else the ranges of its clients; one that has none of these is looked at always. A
 * request collects what is filed under its host (and the names above it), its user, groups and client, and compares
 * only that. So ten thousand rules for ten thousand hosts cost what one does. Names of egress.allow and egress.deny are
 * filed too, under owners of their own.
 *
 * Which of them decides is a matter of order alone: the first that denies, else the first that allows. So candidates
 * may be compared in any order; the lowest number of each kind is kept. */

#include "policy/rules.h"

#include "base/check.h"
#include "policy/name_index.h"
#include "policy/url_path.h"

#include <stdlib.h>
#include <time.h>

enum {
    RULES_TAG = TAG('r', 'u', 'l', 's'),
    RULES_KEY_MAX = 64, /* of a client range, as it is filed */
};

static const uint32_t OWNER_ALLOW = UINT32_MAX - 1;
static const uint32_t OWNER_DENY = UINT32_MAX;

struct rules {
    uint32_t tag;
    struct rules_options options;
    struct name_index *names;
    struct name_index *users;          /* and groups: "u:NAME", "g:NAME" */
    struct name_index *clients;        /* by prefix_key */
    uint8_t v4_bits[33], v6_bits[129]; /* 1: client ranges of this length are filed */
    uint32_t *unfiled;
    size_t unfiled_count;
    bool denies_names, names_addresses;
};

/* ---- filing ---- */

static struct slice user_key(char kind, struct slice name, char *into)
{
    size_t len = name.len < NAME_INDEX_KEY_MAX - 2 ? name.len : NAME_INDEX_KEY_MAX - 2;
    into[0] = kind;
    into[1] = ':';
    if (len > 0)
        memcpy(into + 2, name.at, len);
    return slice_of(into, len + 2);
}

static struct slice prefix_key(const struct inet_addr *addr, unsigned bits, char *into)
{
    size_t bytes = (bits + 7) / 8;
    into[0] = (char)addr->family;
    into[1] = (char)(unsigned char)bits;
    memcpy(into + 2, addr->bytes, bytes);
    if (bits % 8 != 0)
        into[1 + bytes] = (char)((unsigned char)into[1 + bytes] & (0xff00u >> bits % 8));
    return slice_of(into, bytes + 2);
}

static enum status file_name(struct name_index *names, struct slice pattern, uint32_t owner)
{
    bool is_below = slice_starts_with(pattern, SLICE("*."));
    return name_index_add(names, is_below ? slice_from(pattern, 2) : pattern, is_below, owner);
}

static enum status file_names(struct name_index *names, const struct gate_names *list,
                              uint32_t owner)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < list->count; i++)
        status = file_name(names, list->at[i], owner);
    return status;
}

/* One line of a list in canonical form: SLICE_NONE where it is empty. Errors: ST_BAD. */
static enum status list_line(struct slice line, struct host *host, char *into,
                             struct slice *ret_pattern)
{
    line = slice_trim(slice_first(line, slice_find(line, '#')));
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line = slice_trim(slice_first(line, line.len - 1));
    *ret_pattern = SLICE_NONE;
    if (line.len == 0)
        return ST_OK;
    bool is_below = slice_starts_with(line, SLICE("*."));
    if (host_parse(is_below ? slice_from(line, 2) : line, host) != HOST_FINE ||
        host->kind != HOST_NAME)
        return ST_BAD;
    size_t len = 0;
    if (is_below) {
        into[len++] = '*';
        into[len++] = '.';
    }
    memcpy(into + len, host->text, host->len);
    *ret_pattern = slice_of(into, len + host->len);
    return ST_OK;
}

static enum status file_list(struct name_index *names, const struct rules_list *list,
                             uint32_t owner, struct text *fault)
{
    struct slice rest = list->text;
    struct slice line;
    for (size_t number = 1; slice_next_part(&rest, '\n', &line); number++) {
        struct host host;
        char space[HOST_MAX + 2];
        struct slice pattern;
        if (list_line(line, &host, space, &pattern) != ST_OK) {
            text_add(fault, list->path);
            /* Not what stands there: the file may be one of secrets, named by mistake. */
            text_add_format(fault, ":%zu: expected a host name or *.name, and no more in the line",
                            number);
            return ST_BAD;
        }
        enum status status = pattern.len == 0 ? ST_OK : file_name(names, pattern, owner);
        if (status == ST_LIMIT) {
            text_add(fault, list->path);
            text_add_format(fault, ": more than %d names in all", NAME_INDEX_NAMES_MAX);
        }
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

/* The lists that the rule names; ST_BAD where one was not read. */
static enum status file_lists(struct rules *rules, uint32_t index, struct text *fault)
{
    const struct gate_names *wanted = &rules->options.rules[index].to_lists;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < wanted->count; i++) {
        const struct rules_list *found = NULL;
        for (size_t j = 0; j < rules->options.list_count && found == NULL; j++) {
            if (slice_equals(rules->options.lists[j].path, wanted->at[i]))
                found = &rules->options.lists[j];
        }
        if (found == NULL) {
            text_add(fault, wanted->at[i]);
            text_add(fault, SLICE(": was not read"));
            return ST_BAD;
        }
        status = file_list(rules->names, found, index, fault);
    }
    return status;
}

static enum status file_users(struct rules *rules, const struct gate_names *list, char kind,
                              uint32_t owner)
{
    enum status status = ST_OK;
    char space[NAME_INDEX_KEY_MAX];
    for (size_t i = 0; status == ST_OK && i < list->count; i++)
        status = name_index_add(rules->users, user_key(kind, list->at[i], space),
                                /* is_below= */ false, owner);
    return status;
}

static enum status file_clients(struct rules *rules, const struct gate_prefixes *list,
                                uint32_t owner)
{
    enum status status = ST_OK;
    char space[RULES_KEY_MAX];
    for (size_t i = 0; status == ST_OK && i < list->count; i++) {
        const struct inet_prefix *prefix = &list->at[i];
        (prefix->addr.family == INET_V4 ? rules->v4_bits : rules->v6_bits)[prefix->bits] = 1;
        status = name_index_add(rules->clients, prefix_key(&prefix->addr, prefix->bits, space),
                                /* is_below= */ false, owner);
    }
    return status;
}

static bool names_hold(const struct gate_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (slice_equals(names->at[i], name))
            return true;
    }
    return false;
}

static enum status rules_file(struct rules *rules, uint32_t index, struct text *fault)
{
    const struct rule *rule = &rules->options.rules[index];
    bool has_names = rule->to_names.count > 0 || rule->to_lists.count > 0;
    enum status status = file_names(rules->names, &rule->to_names, index);
    if (status == ST_OK)
        status = file_lists(rules, index, fault);
    if (status != ST_OK || (has_names && rule->to_ranges.count == 0))
        return status;
    if (rule->users.count > 0 && !names_hold(&rule->users, SLICE("*")))
        return file_users(rules, &rule->users, 'u', index);
    if (rule->groups.count > 0)
        return file_users(rules, &rule->groups, 'g', index);
    if (rule->from.count > 0)
        return file_clients(rules, &rule->from, index);
    rules->unfiled[rules->unfiled_count++] = index;
    return ST_OK;
}

enum status rules_create(const struct rules_options *options, struct text *fault, size_t *ret_rule,
                         struct rules **ret_rules)
{
    struct rules *rules = calloc(1, sizeof(*rules));
    if (rules == NULL)
        return ST_NOMEM;
    rules->tag = RULES_TAG;
    rules->options = *options;
    rules->names = name_index_create();
    rules->users = name_index_create();
    rules->clients = name_index_create();
    rules->unfiled = calloc(options->count + 1, sizeof(*rules->unfiled));
    enum status status = rules->names == NULL || rules->users == NULL || rules->clients == NULL ||
                                 rules->unfiled == NULL
                             ? ST_NOMEM
                             : ST_OK;
    CHECK(options->count < OWNER_ALLOW);
    for (size_t i = 0; status == ST_OK && i < options->count; i++) {
        *ret_rule = i;
        rules->denies_names = rules->denies_names || options->rules[i].action == RULE_DENY;
        rules->names_addresses = rules->names_addresses || options->rules[i].to_address.count > 0;
        status = rules_file(rules, (uint32_t)i, fault);
    }
    rules->denies_names = rules->denies_names || options->deny.count > 0;
    if (status == ST_OK)
        status = file_names(rules->names, &options->allow, OWNER_ALLOW);
    if (status == ST_OK)
        status = file_names(rules->names, &options->deny, OWNER_DENY);
    if (status == ST_OK)
        status = name_index_finish(rules->names);
    if (status == ST_OK)
        status = name_index_finish(rules->users);
    if (status == ST_OK)
        status = name_index_finish(rules->clients);
    if (status == ST_LIMIT && fault->len == 0)
        text_add_format(fault,
                        "the rules name too much: more than %d names in all, or more of them "
                        "than fit for one look",
                        NAME_INDEX_NAMES_MAX);
    rules->options.lists = NULL;
    rules->options.list_count = 0;
    if (status == ST_OK)
        *ret_rules = rules;
    else
        rules_destroy(&rules);
    return status;
}

void rules_destroy(struct rules **rules)
{
    struct rules *dead = *rules;
    if (dead == NULL)
        return;
    CHECK_TAG(dead, RULES_TAG);
    name_index_destroy(&dead->names);
    name_index_destroy(&dead->users);
    name_index_destroy(&dead->clients);
    free(dead->unfiled);
    dead->tag = 0;
    free(dead);
    *rules = NULL;
}

/* ---- conditions ---- */

/* What a comparison needs of the request, made when it is first needed. */
struct asked {
    const struct gate_question *question;
    const struct inet_addr *addr; /* NULL: not known yet */
    const struct name_hit *names; /* of the host; those of the index */
    size_t name_count;
    bool has_path, is_path_plain;
    struct slice path;
    bool has_time;
    uint8_t day;
    uint16_t minute;
    char path_space[URL_PATH_MAX];
};

static bool prefixes_hold(const struct gate_prefixes *list, const struct inet_addr *addr)
{
    for (size_t i = 0; i < list->count; i++) {
        if (inet_prefix_contains(&list->at[i], addr))
            return true;
    }
    return false;
}

static int order_owners(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a;
    uint32_t other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

static bool hits_hold(const struct name_hit *hits, size_t count, uint32_t owner)
{
    for (size_t i = 0; i < count; i++) {
        if (bsearch(&owner, hits[i].owners, hits[i].count, sizeof(owner), order_owners) != NULL)
            return true;
    }
    return false;
}

static bool holds_port(const struct rule *rule, uint16_t port)
{
    for (size_t i = 0; i < rule->ports.count; i++) {
        if (port >= rule->ports.at[i].first && port <= rule->ports.at[i].last)
            return true;
    }
    return false;
}

static bool names_port(const struct rule *rule, uint16_t port)
{
    for (size_t i = 0; i < rule->ports.count; i++) {
        if (rule->ports.at[i].first == port && rule->ports.at[i].last == port)
            return true;
    }
    return false;
}

static bool holds_group(const struct rule *rule, const struct identity *who)
{
    for (size_t i = 0; i < who->group_count; i++) {
        if (names_hold(&rule->groups, who->groups[i]))
            return true;
    }
    return false;
}

/* "*" at the end stands for anything; "dns:*.x" for the labels below x. */
static bool certificate_fits(struct slice pattern, struct slice text)
{
    if (slice_starts_with(pattern, SLICE("dns:*.")))
        return slice_starts_with(text, SLICE("dns:")) && text.len > pattern.len - 1 &&
               slice_ends_with_nocase(text, slice_from(pattern, 5));
    if (pattern.len > 0 && pattern.at[pattern.len - 1] == '*')
        return slice_starts_with(text, slice_first(pattern, pattern.len - 1));
    return slice_equals(pattern, text);
}

static bool holds_certificate(const struct rule *rule, const struct identity *who)
{
    for (size_t i = 0; i < rule->certificates.count; i++) {
        struct slice pattern = rule->certificates.at[i];
        if (who->cert_subject.len > 0 && certificate_fits(pattern, who->cert_subject))
            return true;
        for (size_t j = 0; j < who->cert_name_count; j++) {
            if (certificate_fits(pattern, who->cert_names[j]))
                return true;
        }
    }
    return false;
}

static bool holds_to(const struct rule *rule, uint32_t index, const struct asked *asked)
{
    const struct host *host = asked->question->host;
    if (host->kind == HOST_NAME)
        return hits_hold(asked->names, asked->name_count, index);
    struct inet_addr plain = inet_addr_unmap(&host->addr);
    return prefixes_hold(&rule->to_ranges, &plain);
}

/* A path that origins may read in more than one way is what a rule denies, and not what one allows. */
static bool holds_path(const struct rule *rule, struct asked *asked)
{
    if (asked->question->is_connect)
        return false;
    if (!asked->has_path)
        asked->is_path_plain =
            url_path_read(asked->question->path, asked->path_space, &asked->path);
    asked->has_path = true;
    if (!asked->is_path_plain)
        return rule->action == RULE_DENY;
    for (size_t i = 0; i < rule->paths.count; i++) {
        if (url_path_is_below(asked->path, rule->paths.at[i]))
            return true;
    }
    return false;
}

static void asked_tell_time(struct asked *asked)
{
    time_t now = asked->question->at_s != 0 ? (time_t)asked->question->at_s : time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) == NULL)
        local = (struct tm){0};
    asked->has_time = true;
    asked->day = (uint8_t)local.tm_wday;
    asked->minute = (uint16_t)(local.tm_hour * 60 + local.tm_min);
}

static bool window_holds(const struct rule_window *window, unsigned day, unsigned minute)
{
    unsigned before = (day + 6) % 7;
    bool is_today = (window->days >> day & 1) != 0;
    bool was_yesterday = (window->days >> before & 1) != 0;
    if (window->from == window->until && window->from == 0)
        return is_today;
    if (window->from < window->until)
        return is_today && minute >= window->from && minute < window->until;
    return (is_today && minute >= window->from) || (was_yesterday && minute < window->until);
}

static bool holds_when(const struct rule *rule, struct asked *asked)
{
    if (!asked->has_time)
        asked_tell_time(asked);
    for (size_t i = 0; i < rule->windows.count; i++) {
        if (window_holds(&rule->windows.at[i], asked->day, asked->minute))
            return true;
    }
    return false;
}

static bool holds_from(const struct rule *rule, const struct inet_addr *client)
{
    if (client->family == INET_NONE)
        return false;
    struct inet_addr plain = inet_addr_unmap(client);
    return prefixes_hold(&rule->from, &plain);
}

static enum rule_condition rule_compare(const struct rule *rule, uint32_t index,
                                        struct asked *asked)
{
    const struct gate_question *question = asked->question;
    const struct identity *who = &question->who;
    if (rule->listeners.count > 0 && !names_hold(&rule->listeners, question->listener))
        return RULE_LISTENER;
    if (rule->methods.count > 0 && !names_hold(&rule->methods, question->method))
        return RULE_METHOD;
    if (rule->schemes.count > 0 && !names_hold(&rule->schemes, question->scheme))
        return RULE_SCHEME;
    if (rule->ports.count > 0 && !holds_port(rule, question->port))
        return RULE_PORT;
    if (rule->from.count > 0 && !holds_from(rule, &question->client))
        return RULE_FROM;
    if (rule->users.count > 0 && (who->user.len == 0 || (!names_hold(&rule->users, who->user) &&
                                                         !names_hold(&rule->users, SLICE("*")))))
        return RULE_USER;
    if (rule->groups.count > 0 && !holds_group(rule, who))
        return RULE_GROUP;
    if (rule->certificates.count > 0 && !holds_certificate(rule, who))
        return RULE_CERTIFICATE;
    bool has_to = rule->to_names.count > 0 || rule->to_ranges.count > 0 || rule->to_lists.count > 0;
    if (has_to && !holds_to(rule, index, asked))
        return RULE_TO;
    if (rule->paths.count > 0 && !holds_path(rule, asked))
        return RULE_PATH;
    if (rule->windows.count > 0 && !holds_when(rule, asked))
        return RULE_WHEN;
    if (rule->to_address.count > 0 && asked->addr != NULL &&
        !prefixes_hold(&rule->to_address, asked->addr))
        return RULE_TO_ADDRESS;
    return RULE_MATCHES;
}

/* ---- judging ---- */

static void keep_first(const struct rule **first, const struct rule *rule)
{
    if (*first == NULL || rule < *first)
        *first = rule;
}

static void judge_one(const struct rules *rules, uint32_t owner, struct asked *asked,
                      struct rules_decision *decision)
{
    if (owner == OWNER_ALLOW || owner == OWNER_DENY) {
        decision->is_in_allow = decision->is_in_allow || owner == OWNER_ALLOW;
        decision->is_in_deny = decision->is_in_deny || owner == OWNER_DENY;
        return;
    }
    const struct rule *rule = &rules->options.rules[owner];
    if (rule_compare(rule, owner, asked) != RULE_MATCHES)
        return;
    bool is_unknown = rule->to_address.count > 0 && asked->addr == NULL;
    if (rule->action == RULE_ALLOW) {
        keep_first(&decision->allow, rule);
        if (rule->ports.count > 0)
            keep_first(&decision->port_opener, rule);
        if (names_port(rule, asked->question->port))
            keep_first(&decision->port_namer, rule);
        if (rule->to_address.count > 0 && asked->addr != NULL)
            keep_first(&decision->address_opener, rule);
    } else if (!is_unknown) {
        keep_first(rule->mode == RULE_OBSERVE ? &decision->observed : &decision->deny, rule);
    }
}

static void judge_hit(const struct rules *rules, struct name_hit hit, struct asked *asked,
                      struct rules_decision *decision)
{
    for (size_t i = 0; i < hit.count; i++)
        judge_one(rules, hit.owners[i], asked, decision);
}

/* What is filed under who asks. */
static void judge_who(const struct rules *rules, struct asked *asked,
                      struct rules_decision *decision)
{
    const struct gate_question *question = asked->question;
    char space[NAME_INDEX_KEY_MAX];
    if (name_index_count(rules->users) > 0) {
        struct slice key = user_key('u', question->who.user, space);
        judge_hit(rules, name_index_get(rules->users, key), asked, decision);
        for (size_t i = 0; i < question->who.group_count; i++) {
            key = user_key('g', question->who.groups[i], space);
            judge_hit(rules, name_index_get(rules->users, key), asked, decision);
        }
    }
    if (name_index_count(rules->clients) == 0 || question->client.family == INET_NONE)
        return;
    struct inet_addr client = inet_addr_unmap(&question->client);
    const uint8_t *lengths = client.family == INET_V4 ? rules->v4_bits : rules->v6_bits;
    unsigned most = client.family == INET_V4 ? 32 : 128;
    for (unsigned bits = 0; bits <= most; bits++) {
        if (lengths[bits])
            judge_hit(rules, name_index_get(rules->clients, prefix_key(&client, bits, space)),
                      asked, decision);
    }
}

static size_t asked_find_names(const struct rules *rules, const struct gate_question *question,
                               struct name_hit *into)
{
    return question->host->kind == HOST_NAME
               ? name_index_find(rules->names, host_slice(question->host), into)
               : 0;
}

static void asked_begin(struct asked *asked, const struct gate_question *question,
                        const struct inet_addr *addr, const struct name_hit *names,
                        size_t name_count)
{
    asked->question = question;
    asked->addr = addr;
    asked->names = names;
    asked->name_count = name_count;
    asked->has_path = asked->has_time = false;
}

void rules_judge(const struct rules *rules, const struct gate_question *question,
                 const struct inet_addr *addr, struct rules_decision *ret_decision)
{
    CHECK_TAG(rules, RULES_TAG);
    struct name_hit names[NAME_INDEX_HITS_MAX];
    struct asked asked;
    asked_begin(&asked, question, addr, names, asked_find_names(rules, question, names));
    *ret_decision = (struct rules_decision){0};
    for (size_t i = 0; i < asked.name_count; i++)
        judge_hit(rules, names[i], &asked, ret_decision);
    judge_who(rules, &asked, ret_decision);
    for (size_t i = 0; i < rules->unfiled_count; i++)
        judge_one(rules, rules->unfiled[i], &asked, ret_decision);
}

bool rules_deny_names(const struct rules *rules)
{
    CHECK_TAG(rules, RULES_TAG);
    return rules->denies_names;
}

bool rules_name_addresses(const struct rules *rules)
{
    CHECK_TAG(rules, RULES_TAG);
    return rules->names_addresses;
}

/* ---- explaining ---- */

size_t rules_count(const struct rules *rules)
{
    CHECK_TAG(rules, RULES_TAG);
    return rules->options.count;
}

const struct rule *rules_at(const struct rules *rules, size_t index)
{
    CHECK_TAG(rules, RULES_TAG);
    CHECK(index < rules->options.count);
    return &rules->options.rules[index];
}

enum rule_condition rules_compare(const struct rules *rules, size_t index,
                                  const struct gate_question *question,
                                  const struct inet_addr *addr)
{
    struct name_hit names[NAME_INDEX_HITS_MAX];
    struct asked asked;
    asked_begin(&asked, question, addr, names, asked_find_names(rules, question, names));
    return rule_compare(rules_at(rules, index), (uint32_t)index, &asked);
}

const char *rule_condition_key(enum rule_condition condition)
{
    static const char *const keys[] = {[RULE_MATCHES] = "",
#define X(name, key) [RULE_##name] = (key),
                                       RULE_CONDITIONS(X)
#undef X
    };
    CHECK((size_t)condition < COUNT_OF(keys));
    return keys[condition];
}

size_t rules_name_count(const struct rules *rules)
{
    CHECK_TAG(rules, RULES_TAG);
    return name_index_count(rules->names);
}
