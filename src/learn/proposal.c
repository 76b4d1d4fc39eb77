/* Items sorted by what a rule has in common make groups; each becomes a rule, with its hosts as a list.
 *
 *     items ─ sort by key ─> groups ─ fold ─> entries ─ min_count ─> sorted by count ─> YAML
 *
 * Every text that a peer chose is either quoted as YAML (value_print_quoted) or escaped in a comment (text_add_log), so
 * that none becomes a key, a rule or a line of its own. Names of rules are made here. */

#include "learn/proposal.h"

#include "base/check.h"
#include "config/value.h"
#include "learn/fold.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FEW_NAMES = 3, COMMENT_ROOM = 2048 };

/* One element of `to`. */
struct entry {
    struct slice name;
    struct slice few[FEW_NAMES]; /* of those that were folded */
    size_t folded_count;         /* 0: a host as it is */
    uint64_t count, would_count;
    bool is_inside;
};

struct group {
    const struct store_key *key;
    struct entry *entries; /* by count */
    size_t entry_count;
    uint64_t count;     /* of all of them */
    uint64_t who_count; /* of all groups of the same who */
};

struct proposal {
    const struct proposal_options *options;
    struct store_item **items;
    size_t item_count;
    struct fold_host *hosts; /* of one group, at a time */
    struct entry *entries;   /* of all groups */
    size_t entry_count;
    struct group *groups;
    size_t group_count;
    uint64_t few_entries, few_requests; /* left out for min_count */
};

/* ---- orders ---- */

static int more_first(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static int compare_names(struct slice a, struct slice b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_items(const void *a, const void *b)
{
    const struct store_item *left = *(struct store_item *const *)a;
    const struct store_item *right = *(struct store_item *const *)b;
    int order = store_key_compare(&left->key, &right->key);
    return order != 0 ? order : compare_names(left->host, right->host);
}

static int compare_refused(const void *a, const void *b)
{
    const struct store_item *left = *(struct store_item *const *)a;
    const struct store_item *right = *(struct store_item *const *)b;
    int order = more_first(left->count, right->count);
    return order != 0 ? order : compare_items(a, b);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = more_first(left->count, right->count);
    return order != 0 ? order : compare_names(left->name, right->name);
}

static bool is_same_who(const struct store_key *a, const struct store_key *b)
{
    return a->kind == b->kind && slice_equals(a->who, b->who);
}

/* Who asked most comes first, and of each the rule with most. */
static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a;
    const struct group *right = b;
    int order = more_first(left->who_count, right->who_count);
    if (order == 0 && !is_same_who(left->key, right->key))
        return store_key_compare(left->key, right->key);
    if (order == 0)
        order = more_first(left->count, right->count);
    return order != 0 ? order : store_key_compare(left->key, right->key);
}

/* ---- groups ---- */

static void entry_add_host(struct entry *entry, const struct fold_host *host)
{
    const struct store_item *item = host->item;
    if (host->suffix.len > 0) {
        if (entry->folded_count < FEW_NAMES)
            entry->few[entry->folded_count] = host->name;
        entry->folded_count++;
    }
    entry->count += item->count;
    entry->would_count += item->would_count;
    entry->is_inside |= item->was_inside;
}

/* The hosts as they lie become entries; what is too few is taken back. */
static void group_fill(struct proposal *proposal, struct group *group, size_t host_count)
{
    const struct fold_host *hosts = proposal->hosts;
    group->entries = proposal->entries + proposal->entry_count;
    for (size_t i = 0; i < host_count;) {
        struct slice suffix = hosts[i].suffix;
        struct entry *entry = &group->entries[group->entry_count];
        *entry = (struct entry){.name = suffix.len > 0 ? suffix : hosts[i].name};
        do
            entry_add_host(entry, &hosts[i++]);
        while (i < host_count && suffix.len > 0 && slice_equals(hosts[i].suffix, suffix));
        if (entry->count < proposal->options->min_count) {
            proposal->few_entries++;
            proposal->few_requests += entry->count;
            continue;
        }
        group->count += entry->count;
        group->entry_count++;
    }
    if (group->entry_count > 0)
        qsort(group->entries, group->entry_count, sizeof(*group->entries), compare_entries);
    proposal->entry_count += group->entry_count;
}

/* One group of the items from `begin` on; gives where the next one begins. */
static size_t make_group(struct proposal *proposal, size_t begin)
{
    const struct proposal_options *options = proposal->options;
    struct group *group = &proposal->groups[proposal->group_count];
    size_t end = begin;
    *group = (struct group){.key = &proposal->items[begin]->key};
    while (end < proposal->item_count &&
           store_key_compare(&proposal->items[end]->key, group->key) == 0) {
        struct store_item *item = proposal->items[end];
        proposal->hosts[end - begin] =
            (struct fold_host){.name = item->host, .is_address = item->is_address, .item = item};
        end++;
    }
    if (options->fold_least > 0)
        fold_hosts(proposal->hosts, end - begin, options->fold_least, options->suffixes);
    group_fill(proposal, group, end - begin);
    if (group->entry_count > 0)
        proposal->group_count++;
    return end;
}

static void add_up_who(struct proposal *proposal)
{
    for (size_t i = 0; i < proposal->group_count;) {
        size_t end = i;
        uint64_t sum = 0;
        while (end < proposal->group_count &&
               is_same_who(proposal->groups[i].key, proposal->groups[end].key))
            sum += proposal->groups[end++].count;
        while (i < end)
            proposal->groups[i++].who_count = sum;
    }
}

static void make_groups(struct proposal *proposal)
{
    qsort(proposal->items, proposal->item_count, sizeof(struct store_item *), compare_items);
    for (size_t i = 0; i < proposal->item_count;)
        i = make_group(proposal, i);
    add_up_who(proposal);
    if (proposal->group_count > 0)
        qsort(proposal->groups, proposal->group_count, sizeof(struct group), compare_groups);
}

/* ---- words ---- */

static void print_escaped(struct slice text, FILE *out)
{
    char space[COMMENT_ROOM];
    struct text words = text_on(space, sizeof(space));
    text_add_log(&words, text, '"');
    (void)fwrite(words.at, 1, words.len, out);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_who(const struct store_key *key, FILE *out)
{
    (void)fputs(key->kind == WHO_USER     ? "user \""
                : key->kind == WHO_CLIENT ? "client "
                                          : "anybody",
                out);
    print_escaped(key->who, out);
    (void)fputs(key->kind == WHO_USER ? "\"" : "", out);
}

static void print_count(const struct entry *entry, FILE *out)
{
    (void)fprintf(out, "  # %" PRIu64, entry->count);
    if (entry->would_count > 0)
        (void)fprintf(out, ", %" PRIu64 " only observed", entry->would_count);
    if (entry->folded_count > 0)
        (void)fprintf(out, "; %zu hosts: ", entry->folded_count);
    for (size_t i = 0; i < entry->folded_count && i < FEW_NAMES; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        print_escaped(entry->few[i], out);
    }
    (void)fputs(entry->folded_count > FEW_NAMES ? ", ..." : "", out);
    (void)fputs(entry->is_inside ? "; an address of the default deny list: egress.allow or "
                                   "to_address must open it\n"
                                 : "\n",
                out);
}

static void print_entry(const struct entry *entry, FILE *out)
{
    char space[HOST_MAX + 2];
    struct text name = text_on(space, sizeof(space));
    text_add(&name, entry->folded_count > 0 ? SLICE("*.") : SLICE(""));
    text_add(&name, entry->name);
    CHECK(!name.is_cut);
    (void)fputs("        - ", out);
    value_print_quoted(text_slice(&name), out);
    print_count(entry, out);
}

static void print_condition(const char *key, struct slice value, FILE *out)
{
    (void)fprintf(out, "      %s: [", key);
    value_print_quoted(value, out);
    (void)fputs("]\n", out);
}

static void print_rule(const struct group *group, size_t number, FILE *out)
{
    const struct store_key *key = group->key;
    (void)fprintf(out, "    - name: \"learned %zu\"  # %" PRIu64 " request%s\n", number,
                  group->count, plural(group->count));
    if (key->kind == WHO_USER)
        print_condition("user", key->who, out);
    if (key->kind == WHO_CLIENT)
        print_condition("from", key->who, out);
    if (key->scheme.len > 0)
        print_condition("scheme", key->scheme, out);
    if (key->method.len > 0)
        print_condition("method", key->method, out);
    else
        (void)fputs("      method: [\"GET\", \"HEAD\", \"OPTIONS\"]\n", out);
    (void)fprintf(out, "      ports: [%u]\n      action: allow\n      to:\n", key->port);
    for (size_t i = 0; i < group->entry_count; i++)
        print_entry(&group->entries[i], out);
}

static void print_rules(const struct proposal *proposal, FILE *out)
{
    const struct store_key *before = NULL;
    (void)fputs(proposal->group_count > 0 ? "policy:\n  default: deny\n  rules:\n"
                                          : "policy:\n  default: deny\n  rules: []\n",
                out);
    for (size_t i = 0; i < proposal->group_count; i++) {
        const struct group *group = &proposal->groups[i];
        if (before == NULL || !is_same_who(before, group->key)) {
            (void)fputs("    # ", out);
            print_who(group->key, out);
            (void)fprintf(out, ": %" PRIu64 " request%s\n", group->who_count,
                          plural(group->who_count));
        }
        before = group->key;
        print_rule(group, i + 1, out);
    }
}

static void print_line(uint64_t count, const char *one, const char *many, FILE *out)
{
    if (count > 0)
        (void)fprintf(out, "# %" PRIu64 " %s\n", count, count == 1 ? one : many);
}

static void print_head(const struct store *store, const struct proposal_options *options, FILE *out)
{
    (void)fprintf(out, "# Proposed by fairlead learn from %" PRIu64 " line%s", options->line_count,
                  plural(options->line_count));
    if (store->first[0] != '\0')
        (void)fprintf(out, ", %s to %s", store->first, store->last);
    (void)fputs(".\n", out);
    print_line(store->passed, "request passed", "requests passed", out);
    print_line(store->would, "of these only since the policy observed",
               "of these only since the policy observed", out);
    print_line(store->refused, "was refused", "were refused", out);
    print_line(store->failed, "reached no origin, and is not counted",
               "reached no origin, and are not counted", out);
    print_line(store->unknown, "did not show who asks", "did not show who asks", out);
    print_line(store->nameless, "is left out, since no rule can say it",
               "are left out, since no rule can say them", out);
    print_line(store->beyond, "is left out, for a destination beyond the limit of this command",
               "are left out, for destinations beyond the limit of this command", out);
    print_line(options->bad_count, "line was no line of the JSON access log",
               "lines were no lines of the JSON access log", out);
}

/* ---- what was refused ---- */

static void print_refused_item(const struct store_item *item, FILE *out)
{
    const struct store_key *key = &item->key;
    (void)fprintf(out, "# %6" PRIu64 "  ", item->count);
    print_escaped(key->method.len > 0 ? key->method : SLICE("GET"), out);
    (void)fputc(' ', out);
    print_escaped(key->scheme, out);
    (void)fputs(key->scheme.len > 0 ? "://" : "", out);
    print_escaped(item->host, out);
    (void)fprintf(out, ":%u  ", key->port);
    print_who(key, out);
    (void)fputs("  ", out);
    print_escaped(item->rule, out);
    (void)fputc('\n', out);
}

/* The items of one kind, in no order. */
static size_t gather(const struct store *store, bool is_refused, struct store_item **into)
{
    size_t cursor = 0;
    size_t count = 0;
    struct store_item *item;
    while ((item = table_next(&store->table, &cursor)) != NULL) {
        if (item->is_refused == is_refused)
            into[count++] = item;
    }
    return count;
}

static void print_tail(const struct store *store, struct proposal *proposal, FILE *out)
{
    if (proposal->few_entries > 0)
        (void)fprintf(out,
                      "# Left out for fewer than %" PRIu64 " requests: %" PRIu64
                      " destination%s, %" PRIu64 " request%s.\n",
                      proposal->options->min_count, proposal->few_entries,
                      plural(proposal->few_entries), proposal->few_requests,
                      plural(proposal->few_requests));
    size_t count = gather(store, /* is_refused= */ true, proposal->items);
    if (count == 0)
        return;
    qsort(proposal->items, count, sizeof(struct store_item *), compare_refused);
    (void)fputs("# Refused in that time, and not proposed:\n", out);
    for (size_t i = 0; i < count; i++)
        print_refused_item(proposal->items[i], out);
}

enum status proposal_print(const struct store *store, const struct proposal_options *options,
                           FILE *out)
{
    size_t room = store->table.count + 1;
    struct proposal proposal = {
        .options = options,
        .items = calloc(room, sizeof(*proposal.items)),
        .hosts = calloc(room, sizeof(*proposal.hosts)),
        .entries = calloc(room, sizeof(*proposal.entries)),
        .groups = calloc(room, sizeof(*proposal.groups)),
    };
    bool has_room = proposal.items != NULL && proposal.hosts != NULL && proposal.entries != NULL &&
                    proposal.groups != NULL;
    if (has_room) {
        proposal.item_count = gather(store, /* is_refused= */ false, proposal.items);
        make_groups(&proposal);
        print_head(store, options, out);
        print_rules(&proposal, out);
        print_tail(store, &proposal, out);
    }
    free(proposal.items);
    free(proposal.hosts);
    free(proposal.entries);
    free(proposal.groups);
    return has_room ? ST_OK : ST_NOMEM;
}
