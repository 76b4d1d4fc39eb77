/* Rules as a whole: what each of its values allows for itself, and together does not. */

#include "config/loader_internal.h"

#include "base/check.h"
#include "policy/url_path.h"

#include <string.h>

/* The place of a key in the map of a rule, or of the map. */
static const struct parse_place *rule_place(const struct parse_node *node, struct slice key)
{
    for (const struct parse_node *child = node->first; child != NULL; child = child->next) {
        if (slice_equals(child->name, key))
            return &child->place;
    }
    return &node->place;
}

static void rule_report(struct loader *loader, const struct rule *rule,
                        const struct parse_node *node, struct slice key, struct slice words)
{
    char space[SCHEMA_KEY_MAX];
    struct text text = text_on(space, sizeof(space));
    text_add_format(&text, "policy.rules[%zu]", (size_t)(rule - loader->config->policy.rules));
    text_add(&text, key.len > 0 ? SLICE(".") : SLICE(""));
    text_add(&text, key);
    loader_report(loader, rule_place(node, key), text_slice(&text), words);
}

/* A path that no request has once it was read is never matched. */
static void rule_check_paths(struct loader *loader, const struct rule *rule,
                             const struct parse_node *node)
{
    for (size_t i = 0; i < rule->paths.count; i++) {
        char space[URL_PATH_MAX];
        struct slice path = rule->paths.at[i];
        struct slice read;
        bool is_fine = path.at[0] == '/' && path.len < URL_PATH_MAX &&
                       url_path_read(path, space, &read) && slice_equals(path, read);
        if (!is_fine)
            rule_report(loader, rule, node, SLICE("path"),
                        SLICE("expected a path that begins with \"/\", without escapes, \"//\", "
                              "dot segments and query"));
    }
}

static void rule_check_methods(struct loader *loader, const struct rule *rule,
                               const struct parse_node *node)
{
    for (size_t i = 0; i < rule->methods.count; i++) {
        struct slice method = rule->methods.at[i];
        for (size_t j = 0; j < method.len; j++) {
            bool is_fine = (method.at[j] >= 'A' && method.at[j] <= 'Z') || method.at[j] == '-' ||
                           method.at[j] == '_' || char_is_digit(method.at[j]);
            if (is_fine)
                continue;
            rule_report(loader, rule, node, SLICE("method"),
                        SLICE("expected a method such as GET; they are case-sensitive (RFC 9110 "
                              "9.1)"));
            return;
        }
    }
}

static bool texts_hold(const struct gate_names *texts, struct slice text)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (slice_equals(texts->at[i], text))
            return true;
    }
    return false;
}

/* CONNECT has neither path nor scheme. */
static void rule_check_connect(struct loader *loader, const struct rule *rule,
                               const struct parse_node *node)
{
    bool is_connect = rule->methods.count == 1 && texts_hold(&rule->methods, SLICE("CONNECT"));
    if (is_connect && rule->paths.count > 0)
        rule_report(loader, rule, node, SLICE("path"),
                    SLICE("a CONNECT has no path, so this rule never matches"));
    if (is_connect && rule->schemes.count > 0)
        rule_report(loader, rule, node, SLICE("scheme"),
                    SLICE("a CONNECT has no scheme, so this rule never matches"));
}

/* Words in reason phrases, fields and logs. */
static bool name_is_fine(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < ' ' || name.at[i] > '~' || name.at[i] == '"' || name.at[i] == '\\')
            return false;
    }
    return true;
}

static bool rule_has_name(const void *entry, const void *key)
{
    return slice_equals(((const struct rule *)entry)->name, *(const struct slice *)key);
}

static void rule_check_name(struct loader *loader, struct rule *rule, const struct parse_node *node)
{
    if (!name_is_fine(rule->name))
        rule_report(loader, rule, node, SLICE("name"),
                    SLICE("expected printable ASCII without quotes and backslashes"));
    if (rule->name.len == 0) {
        char space[32];
        struct text text = text_on(space, sizeof(space));
        text_add_format(&text, "rules[%zu]", (size_t)(rule - loader->config->policy.rules));
        rule->name = memory_copy(loader->memory, text_slice(&text));
    }
    if (rule->name.at == NULL) {
        loader->is_out_of_memory = true;
        return;
    }
    uint64_t hash = table_hash(rule->name);
    const struct rule *other = table_find(&loader->rule_names, hash, rule_has_name, &rule->name);
    if (other != NULL) {
        char space[128];
        struct text text = text_on(space, sizeof(space));
        text_add_format(&text, "is the name of policy.rules[%zu], too",
                        (size_t)(other - loader->config->policy.rules));
        rule_report(loader, rule, node, SLICE("name"), text_slice(&text));
    } else if (table_add(&loader->rule_names, hash, rule) != ST_OK) {
        loader->is_out_of_memory = true;
    }
}

/* Where a message about a file that it names points to. */
static void rule_note_lists(struct loader *loader, const struct rule *rule,
                            const struct parse_node *node)
{
    char space[SCHEMA_KEY_MAX];
    struct text text = text_on(space, sizeof(space));
    if (rule->to_lists.count == 0)
        return;
    text_add_format(&text, "policy.rules[%zu].to_list",
                    (size_t)(rule - loader->config->policy.rules));
    loader_note_origin(loader, rule_place(node, SLICE("to_list")), text_slice(&text),
                       &rule->to_lists);
}

/* A rule without any condition is about everything: it must say what it does. */
static void rule_check_action(struct loader *loader, const struct rule *rule,
                              const struct parse_node *node)
{
    bool has_action = false;
    bool has_condition = false;
    for (const struct parse_node *child = node->first; child != NULL; child = child->next) {
        has_action = has_action || slice_equals(child->name, SLICE("action"));
        has_condition = has_condition || !(slice_equals(child->name, SLICE("name")) ||
                                           slice_equals(child->name, SLICE("action")) ||
                                           slice_equals(child->name, SLICE("mode")) ||
                                           slice_equals(child->name, SLICE("tls")));
    }
    if (!has_action && !has_condition)
        rule_report(loader, rule, node, SLICE("action"),
                    SLICE("is missing: a rule without conditions is about everything"));
}

void loader_check_rule(struct loader *loader, struct rule *rule, const struct parse_node *node)
{
    rule_note_lists(loader, rule, node);
    rule_check_action(loader, rule, node);
    rule_check_name(loader, rule, node);
    rule_check_paths(loader, rule, node);
    rule_check_methods(loader, rule, node);
    rule_check_connect(loader, rule, node);
    if (rule->action == RULE_ALLOW && rule->mode == RULE_OBSERVE)
        rule_report(loader, rule, node, SLICE("mode"),
                    SLICE("only a rule that denies can observe: one that allows lets pass in "
                          "either case"));
}

/* Do the listeners exist that a rule names? Flags may have named others. */
void loader_check_rules(struct loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct gate_names *wanted = &config->policy.rules[i].listeners;
        for (size_t j = 0; j < wanted->count; j++) {
            bool is_there = false;
            for (size_t k = 0; k < config->listen_count; k++)
                is_there = is_there || slice_equals(config->listen[k].name, wanted->at[j]);
            if (is_there)
                continue;
            char space[256];
            char key[64];
            struct text text = text_on(space, sizeof(space));
            struct text where = text_on(key, sizeof(key));
            text_add(&text, SLICE("no listener is called \""));
            text_add_log(&text, slice_first(wanted->at[j], 64), '"');
            text_add(&text, SLICE("\"; those are: "));
            for (size_t k = 0; k < config->listen_count && k < 4; k++) {
                text_add(&text, k > 0 ? SLICE(", ") : SLICE(""));
                text_add(&text, config->listen[k].name);
            }
            text_add_format(&where, "policy.rules[%zu].listener", i);
            loader_report(loader, NULL, text_slice(&where), text_slice(&text));
        }
    }
}
