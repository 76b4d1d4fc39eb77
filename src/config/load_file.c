/* The tree of a file against the schema.
 *
 * A key is looked up by its whole path; what is no row may be a map of rows, and is an error otherwise, with
 * the nearest key. A list in the file replaces the default; a single value stands for a list of one. An
 * empty map ("limits:" with everything below it commented out) sets nothing. */

#include "config/loader_internal.h"

#include "base/check.h"
#include "config/nearest.h"
#include "config/value.h"

/* What the keys of a map are looked up in, and what they set. */
struct scope {
    const struct schema_table *table;
    void *object;
    struct slice shown; /* what messages put before the key: "listen[0]." */
};

static void file_report(struct loader *loader, const struct scope *scope,
                        const struct parse_place *place, struct slice key, struct slice words)
{
    char whole[LOADER_KEY_MAX];
    struct text text = text_on(whole, sizeof(whole));
    text_add(&text, scope->shown);
    text_add(&text, key);
    loader_report(loader, place, text_slice(&text), words);
}

/* The nearest key of this table or of another one (false): listeners and rules have settings of their own. */
static bool file_nearest(const struct scope *scope, struct slice key, struct nearest *ret_nearest)
{
    struct nearest mine = NEAREST_NONE;
    struct nearest other = NEAREST_NONE;
    nearest_key(scope->table, key, &mine);
    nearest_key(scope->table == &schema_main ? &schema_listen : &schema_main, key, &other);
    bool is_mine = mine.score <= other.score;
    *ret_nearest = is_mine ? mine : other;
    return is_mine;
}

static void file_unknown(struct loader *loader, const struct scope *scope,
                         const struct parse_node *node, struct slice key)
{
    char words[SCHEMA_EXPECTED_MAX + 256];
    struct text text = text_on(words, sizeof(words));
    struct nearest nearest;
    if (loader_is_full(loader)) { /* nobody would read what costs time to find */
        file_report(loader, scope, &node->name_place, key, SLICE("unknown key"));
        return;
    }
    bool is_mine = file_nearest(scope, key, &nearest);
    bool is_outside = !is_mine && scope->table != &schema_main;
    size_t dot = slice_find(node->name, '.');
    text_add(&text, SLICE("unknown key"));
    if (dot < node->name.len && slice_equals(nearest.word, key)) {
        text_add(&text, SLICE("; a dot stands for a map in a map: "));
        text_add(&text, slice_first(node->name, dot));
        text_add(&text, SLICE(": { "));
        text_add(&text, slice_from(node->name, dot + 1));
        text_add(&text, SLICE(": ... }"));
        nearest.row = NULL;
    } else if (nearest.word.len > 0) {
        text_add(&text, SLICE("; did you mean \""));
        text_add(&text, is_mine || is_outside ? SLICE("") : SLICE("listen[]."));
        text_add(&text, nearest.word);
        text_add(&text, !is_outside                      ? SLICE("\"?")
                        : scope->table == &schema_listen ? SLICE("\", outside of listen?")
                                                         : SLICE("\", outside of policy.rules?"));
    }
    if (nearest.row != NULL) {
        text_add(&text, SLICE(" Expected there: "));
        schema_expected(nearest.row, &text);
    }
    file_report(loader, scope, &node->name_place, key, text_slice(&text));
}

/* A value where a map should be: which key of it could have been meant, else which there are. */
static void file_no_map(struct loader *loader, const struct scope *scope, struct slice key,
                        struct slice section, const struct parse_node *node)
{
    char words[SCHEMA_EXPECTED_MAX];
    struct text text = text_on(words, sizeof(words));
    const struct parse_node *value = node->kind == PARSE_LIST ? node->first : node;
    bool is_scalar = value != NULL && value->kind == PARSE_SCALAR;
    const struct schema_row *row = NULL;
    if (is_scalar && !loader_is_full(loader))
        row = nearest_taker(scope->table, section, value->text, node->kind == PARSE_LIST);
    text_add(&text, SLICE("expected a map of settings"));
    if (row != NULL) {
        text_add_format(&text, "; did you mean \"%s", row->key);
        if (node->kind == PARSE_SCALAR) {
            text_add(&text, SLICE(": "));
            text_add_log(&text, slice_first(value->text, 60), '"');
        }
        text_add(&text, SLICE("\"?"));
    } else {
        schema_add_keys(scope->table, section, &text);
    }
    file_report(loader, scope, &node->place, key, text_slice(&text));
}

/* ---- values ---- */

static void file_set(struct loader *loader, const struct scope *scope, const struct schema_row *row,
                     const struct parse_node *node)
{
    char whole[LOADER_KEY_MAX];
    struct text shown = text_on(whole, sizeof(whole));
    text_add(&shown, scope->shown);
    text_add(&shown, slice_from_string(row->key));
    if (node->kind == PARSE_SCALAR) {
        loader_set(loader, &node->place, text_slice(&shown), scope->object, row, node->text);
        return;
    }
    struct slice got = node->kind == PARSE_MAP ? SLICE("a map") : SLICE("a list");
    loader_expected(loader, &node->place, text_slice(&shown), row, got);
}

static void file_row(struct loader *loader, const struct scope *scope, const struct schema_row *row,
                     const struct parse_node *node)
{
    if (!schema_is_list(row)) {
        file_set(loader, scope, row, node);
        return;
    }
    value_clear(scope->object, row);
    bool is_condition = scope->table == &schema_rule || scope->table == &schema_range;
    if (is_condition && node->kind == PARSE_LIST && node->first == NULL) {
        file_report(
            loader, scope, &node->place, slice_from_string(row->key),
            SLICE("an empty list would be no condition at all; leave it out, or name something"));
        return;
    }
    if (node->kind != PARSE_LIST) {
        file_set(loader, scope, row, node);
        return;
    }
    for (const struct parse_node *item = node->first; item != NULL; item = item->next)
        file_set(loader, scope, row, item);
}

/* ---- maps ---- */

static void file_map(struct loader *loader, const struct scope *scope, struct slice prefix,
                     const struct parse_node *map);

/* Keys of a map stand once. Maps are small (PARSE_MAP_MAX). */
static bool file_is_double(struct loader *loader, const struct scope *scope,
                           const struct parse_node *map, const struct parse_node *node,
                           struct slice key)
{
    for (const struct parse_node *other = map->first; other != node; other = other->next) {
        if (!slice_equals(other->name, node->name))
            continue;
        char words[64];
        struct text text = text_on(words, sizeof(words));
        text_add_format(&text, "stands here twice, first in line %zu", other->name_place.line);
        file_report(loader, scope, &node->name_place, key, text_slice(&text));
        return true;
    }
    return false;
}

static void file_listener(struct loader *loader, const struct parse_node *node)
{
    char shown[32];
    struct text text = text_on(shown, sizeof(shown));
    text_add_format(&text, "listen[%zu].", loader->config->listen_count);
    struct config_listen *listen = loader_add_listen(loader, &node->place);
    if (listen == NULL)
        return;
    struct scope scope = {&schema_listen, listen, text_slice(&text)};
    const struct schema_row *address = schema_find(&schema_listen, SLICE("address"));
    if (node->kind != PARSE_MAP) {
        file_set(loader, &scope, address, node);
        return;
    }
    bool has_address = false;
    for (const struct parse_node *child = node->first; child != NULL; child = child->next) {
        has_address = has_address || slice_equals(child->name, SLICE("address"));
        listen->is_tls = listen->is_tls || slice_equals(child->name, SLICE("tls"));
    }
    file_map(loader, &scope, SLICE(""), node);
    if (!has_address)
        file_report(loader, &scope, &node->place, SLICE("address"), SLICE("is missing"));
}

static void file_listeners(struct loader *loader, const struct parse_node *node)
{
    loader->config->listen_count = 0;
    if (node->kind != PARSE_LIST) {
        file_listener(loader, node);
        return;
    }
    for (const struct parse_node *item = node->first; item != NULL; item = item->next)
        file_listener(loader, item);
}

static void file_rule(struct loader *loader, const struct parse_node *node)
{
    char shown[32];
    struct text text = text_on(shown, sizeof(shown));
    text_add_format(&text, "policy.rules[%zu].", loader->config->policy.rule_count);
    struct rule *rule = &loader->config->policy.rules[loader->config->policy.rule_count++];
    struct scope scope = {&schema_rule, rule, text_slice(&text)};
    loader_set_defaults(loader, &schema_rule, rule);
    if (node->kind != PARSE_MAP) {
        file_report(loader, &scope, &node->place, SLICE_NONE,
                    SLICE("expected a map such as { action: allow, to: [example.com] }"));
        return;
    }
    file_map(loader, &scope, SLICE(""), node);
    loader_check_rule(loader, rule, node);
}

/* Room for what a list of maps sets: one element of `bytes` for each of them, all zero. NULL: there is none, and where
 * that is a fault it is reported. */
static void *file_room(struct loader *loader, const struct parse_node *node, struct slice key,
                       size_t bytes)
{
    bool is_nothing = node->kind == PARSE_SCALAR && node->is_plain && node->text.len == 0;
    size_t count = 0;
    for (const struct parse_node *item = node->first; item != NULL; item = item->next)
        count++;
    if (node->kind != PARSE_LIST) {
        if (!is_nothing)
            loader_expected(loader, &node->place, key, schema_find(&schema_main, key),
                            node->kind == PARSE_MAP ? SLICE("a map") : node->text);
        return NULL;
    }
    void *room = memory_alloc(loader->memory, (count + 1) * bytes);
    loader->is_out_of_memory = loader->is_out_of_memory || room == NULL;
    return room;
}

static void file_rules(struct loader *loader, const struct parse_node *node)
{
    struct config *config = loader->config;
    config->policy.rule_count = 0;
    config->policy.rules =
        file_room(loader, node, SLICE("policy.rules"), sizeof(*config->policy.rules));
    for (const struct parse_node *item = node->first; config->policy.rules != NULL && item != NULL;
         item = item->next)
        file_rule(loader, item);
}

static void file_range(struct loader *loader, const struct parse_node *node)
{
    char shown[32];
    struct text text = text_on(shown, sizeof(shown));
    struct budget_rules *budget = &loader->config->limits.budget;
    text_add_format(&text, "limits.ranges[%zu].", budget->range_count);
    struct budget_range *range = &budget->ranges[budget->range_count++];
    struct scope scope = {&schema_range, range, text_slice(&text)};
    loader_set_defaults(loader, &schema_range, range);
    if (node->kind != PARSE_MAP) {
        file_report(loader, &scope, &node->place, SLICE_NONE,
                    SLICE("expected a map such as { from: [10.0.0.0/8], tunnels: 100 }"));
        return;
    }
    file_map(loader, &scope, SLICE(""), node);
    loader_check_range(loader, range, node);
}

static void file_ranges(struct loader *loader, const struct parse_node *node)
{
    struct budget_rules *budget = &loader->config->limits.budget;
    budget->range_count = 0;
    budget->ranges = file_room(loader, node, SLICE("limits.ranges"), sizeof(*budget->ranges));
    for (const struct parse_node *item = node->first; budget->ranges != NULL && item != NULL;
         item = item->next)
        file_range(loader, item);
}

static void file_section(struct loader *loader, const struct scope *scope, struct slice key,
                         const struct parse_node *node)
{
    bool is_nothing = node->kind == PARSE_SCALAR && node->is_plain && node->text.len == 0;
    char prefix[SCHEMA_KEY_MAX + 1];
    struct text text = text_on(prefix, sizeof(prefix));
    text_add(&text, key);
    text_add_char(&text, '.');
    if (node->kind == PARSE_MAP)
        file_map(loader, scope, text_slice(&text), node);
    else if (!is_nothing)
        file_no_map(loader, scope, key, text_slice(&text), node);
}

/* Calls itself for maps of the table, which are three deep at most. */
static void file_map(struct loader *loader, const struct scope *scope, struct slice prefix,
                     const struct parse_node *map)
{
    for (const struct parse_node *node = map->first; node != NULL; node = node->next) {
        char whole[SCHEMA_KEY_MAX];
        struct text text = text_on(whole, sizeof(whole));
        text_add(&text, prefix);
        text_add(&text, node->name);
        struct slice key = text_slice(&text);
        const struct schema_row *row = text.is_cut ? NULL : schema_find(scope->table, key);
        /* A dot in a key is no way around the maps. */
        bool has_dot = slice_find(node->name, '.') < node->name.len;
        if (file_is_double(loader, scope, map, node, key))
            continue;
        if (row != NULL && row->kind == KIND_LISTENERS)
            file_listeners(loader, node);
        else if (row != NULL && row->kind == KIND_RULES && !has_dot)
            file_rules(loader, node);
        else if (row != NULL && row->kind == KIND_RANGES && !has_dot)
            file_ranges(loader, node);
        else if (row != NULL && !has_dot)
            file_row(loader, scope, row, node);
        else if (!text.is_cut && !has_dot && schema_is_section(scope->table, key))
            file_section(loader, scope, key, node);
        else
            file_unknown(loader, scope, node, key);
    }
}

void loader_file(struct loader *loader, struct slice text)
{
    struct memory memory = {NULL};
    struct parse_fault fault;
    struct parse_node *root = NULL;
    enum status status = parse_yaml(text, &memory, &fault, &root);
    struct scope scope = {&schema_main, loader->config, SLICE("")};
    if (status == ST_BAD)
        loader_report(loader, &fault.place, SLICE(""), slice_from_string(fault.text));
    else if (status != ST_OK)
        loader->is_out_of_memory = true;
    else if (root != NULL && root->kind == PARSE_MAP)
        file_map(loader, &scope, SLICE(""), root);
    else if (root != NULL && (root->kind != PARSE_SCALAR || root->text.len > 0))
        loader_report(loader, &root->place, SLICE(""), SLICE("expected a map of settings"));
    memory_done(&memory);
}
