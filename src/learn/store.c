/* From lines to counted destinations.
 *
 *     passed    kind is exchange, tunnel or upgrade, policy did not end it, and an origin was reached
 *     refused   policy ended it (end is refused)
 *     unknown   refused for who asked: nothing is learnt of where somebody may go
 *     failed    no origin was reached, for another reason: nobody can tell whether the name was meant
 *
 * What a rule cannot say (a user called "*", a method in lower case) is told and left out: a proposal never allows more
 * than what was seen. Texts that may have been cut in the log are not taken for whole. */

#include "learn/store.h"

#include "base/check.h"
#include "base/text.h"
#include "http/method.h"
#include "policy/egress.h"

#include <stdlib.h>

enum {
    USER_CUT = 256,  /* bytes of a user in a record */
    METHOD_CUT = 32, /* of a method */
    KEY_ROOM = 2048,
};

void store_init(struct store *store, enum store_by by)
{
    *store = (struct store){.by = by};
    table_init(&store->table);
}

void store_done(struct store *store)
{
    size_t cursor = 0;
    struct store_item *item;
    while ((item = table_next(&store->table, &cursor)) != NULL)
        free(item);
    table_done(&store->table);
}

static int slice_compare(struct slice a, struct slice b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

int store_key_compare(const struct store_key *a, const struct store_key *b)
{
    int order = (a->kind > b->kind) - (a->kind < b->kind);
    if (order == 0)
        order = slice_compare(a->who, b->who);
    if (order == 0)
        order = slice_compare(a->scheme, b->scheme);
    if (order == 0)
        order = slice_compare(a->method, b->method);
    return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

/* ---- what a line says ---- */

struct seen {
    struct store_item item; /* borrows */
    char address[INET_ADDR_TEXT];
};

static bool user_is_fine(struct slice user)
{
    for (struct slice rest = user; rest.len > 0;) {
        unsigned char c = (unsigned char)rest.at[0];
        size_t len = utf8_length(rest);
        if (len == 0 || c < 0x20 || c == 0x7f)
            return false;
        rest = slice_from(rest, len);
    }
    return user.len < USER_CUT && !slice_equals(user, SLICE("*"));
}

/* Nothing for a rule that has none to say. */
static bool see_who(enum store_by by, const struct log_line *line, struct seen *seen,
                    const char **ret_fault)
{
    struct store_key *key = &seen->item.key;
    if (by == STORE_BY_ALL)
        return true;
    if (by == STORE_BY_USER && line->user.len > 0) {
        if (!user_is_fine(line->user)) {
            *ret_fault = "its user is nobody that a rule can name";
            return false;
        }
        key->kind = WHO_USER;
        key->who = line->user;
        return true;
    }
    if (line->client.addr.family == INET_NONE) {
        *ret_fault = "it came over a Unix socket, from nobody that a rule can name (--by all)";
        return false;
    }
    struct inet_addr client = inet_addr_unmap(&line->client.addr);
    key->kind = WHO_CLIENT;
    key->who = slice_of(seen->address, inet_addr_format(&client, seen->address));
    return true;
}

static bool method_only_reads(struct slice method)
{
    return slice_equals(method, SLICE("GET")) || slice_equals(method, SLICE("HEAD")) ||
           slice_equals(method, SLICE("OPTIONS"));
}

static bool method_is_fine(struct slice method)
{
    for (size_t i = 0; i < method.len; i++) {
        char c = method.at[i];
        if (!(c >= 'A' && c <= 'Z') && !char_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return method.len > 0 && method.len < METHOD_CUT;
}

static bool see_what(const struct log_line *line, struct seen *seen, const char **ret_fault)
{
    const struct target *target = &line->target;
    struct store_item *item = &seen->item;
    bool is_connect = line->has_target && target->form == TARGET_AUTHORITY;
    bool is_plain =
        line->has_target && (target->scheme == SCHEME_HTTP || target->scheme == SCHEME_HTTPS);
    if (!is_connect && !is_plain) {
        *ret_fault = "its url names no host that a rule can name";
        return false;
    }
    if (!method_is_fine(line->method)) {
        *ret_fault = "its method is none that a rule can name";
        return false;
    }
    item->host = host_slice(&target->host);
    item->is_address = target->host.kind != HOST_NAME;
    item->key.port = target_port(target);
    if (is_plain)
        item->key.scheme = target->scheme == SCHEME_HTTP ? SLICE("http") : SLICE("https");
    if (is_connect || !method_only_reads(line->method))
        item->key.method = line->method;
    return true;
}

static bool is_inside(const struct inet_addr *addr)
{
    struct inet_addr plain = inet_addr_unmap(addr);
    for (size_t i = 0; addr->family != INET_NONE && i < egress_built_in.range_count; i++) {
        if (inet_prefix_contains(&egress_built_in.ranges[i].prefix, &plain))
            return true;
    }
    return false;
}

/* ---- counting ---- */

/* All that tells items apart, as one text to hash. */
static bool add_key(const struct store_item *item, struct text *text)
{
    const struct store_key *key = &item->key;
    text_add_format(text, "%d %d %u ", item->is_refused, (int)key->kind, key->port);
    text_add(text, key->scheme);
    text_add_char(text, ' ');
    text_add(text, key->method);
    text_add_char(text, ' ');
    text_add(text, item->host);
    text_add_char(text, ' ');
    text_add(text, key->who);
    return !text->is_cut;
}

static bool item_is_same(const void *entry, const void *wanted)
{
    const struct store_item *a = entry;
    const struct store_item *b = wanted;
    return a->is_refused == b->is_refused && store_key_compare(&a->key, &b->key) == 0 &&
           slice_equals(a->host, b->host);
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = slice_of(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return kept;
}

static struct store_item *item_create(const struct store_item *model)
{
    const struct store_key *key = &model->key;
    size_t room =
        key->who.len + key->scheme.len + key->method.len + model->host.len + model->rule.len;
    struct store_item *item = malloc(sizeof(*item) + room);
    if (item == NULL)
        return NULL;
    char *at = (char *)(item + 1); /* the texts stand behind it */
    *item = *model;
    item->key.who = keep(&at, key->who);
    item->key.scheme = keep(&at, key->scheme);
    item->key.method = keep(&at, key->method);
    item->host = keep(&at, model->host);
    item->rule = keep(&at, model->rule);
    return item;
}

/* The item of this kind, made where there is none yet. */
static enum status find_item(struct store *store, const struct store_item *model,
                             struct store_item **ret_item)
{
    char space[KEY_ROOM];
    struct text text = text_on(space, sizeof(space));
    size_t *count = model->is_refused ? &store->refused_count : &store->allowed_count;
    if (!add_key(model, &text))
        return ST_LIMIT;
    uint64_t hash = table_hash(text_slice(&text));
    struct store_item *item = table_find(&store->table, hash, item_is_same, model);
    if (item == NULL) {
        if (*count == (size_t)(model->is_refused ? STORE_REFUSED_MAX : STORE_ALLOWED_MAX))
            return ST_LIMIT;
        item = item_create(model);
        if (item == NULL || table_add(&store->table, hash, item) != ST_OK) {
            free(item);
            return ST_NOMEM;
        }
        (*count)++;
    }
    *ret_item = item;
    return ST_OK;
}

static void note_time(struct store *store, struct slice time)
{
    char space[STORE_TIME_TEXT];
    struct text text = text_on(space, sizeof(space));
    for (size_t i = 0; i < time.len; i++) {
        if (strchr("0123456789-:.TZ", time.at[i]) == NULL || time.at[i] == '\0')
            return;
    }
    text_add(&text, time);
    const char *words = text_string(&text);
    if (store->first[0] == '\0' || strcmp(words, store->first) < 0)
        memcpy(store->first, words, strlen(words) + 1);
    if (strcmp(words, store->last) > 0)
        memcpy(store->last, words, strlen(words) + 1);
}

static enum status add_seen(struct store *store, const struct log_line *line, bool is_refused,
                            const char **ret_fault)
{
    struct seen seen = {.item = {.is_refused = is_refused}};
    struct store_item *item = NULL;
    bool has_who = see_who(store->by, line, &seen, ret_fault);
    bool has_what = see_what(line, &seen, ret_fault);
    if (is_refused && !has_what)
        return ST_OK; /* no loss: it is for reading only */
    if (!has_what || (!has_who && !is_refused)) {
        store->nameless++;
        return ST_BAD;
    }
    if (is_refused)
        seen.item.rule = line->rule;
    enum status status = find_item(store, &seen.item, &item);
    if (status == ST_LIMIT)
        store->beyond++;
    if (status != ST_OK)
        return status;
    item->count++;
    item->would_count += !is_refused && line->would_deny.len > 0 ? 1 : 0;
    item->was_inside |= !is_refused && is_inside(&line->upstream.addr);
    return ST_OK;
}

enum status store_add(struct store *store, const struct log_line *line, const char **ret_fault)
{
    bool is_refused = slice_equals(line->end, SLICE("refused"));
    if (line->is_in_progress)
        return ST_OK; /* its last record counts */
    note_time(store, line->time);
    if (is_refused && slice_starts_with(line->cause, SLICE("auth_"))) {
        store->unknown++;
        return ST_OK;
    }
    if (!is_refused && (line->kind == RECORD_LOCAL || line->upstream.addr.family == INET_NONE)) {
        store->failed++;
        return ST_OK;
    }
    store->refused += is_refused ? 1 : 0;
    store->passed += is_refused ? 0 : 1;
    store->would += !is_refused && line->would_deny.len > 0 ? 1 : 0;
    return add_seen(store, line, is_refused, ret_fault);
}
