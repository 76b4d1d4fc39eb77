/* The list as a table of names, each with what rules say of it:
 *
 *     com      NAME       the name itself is a public suffix
 *     *.ck     WILD       and so is each name with one more label
 *     !www.ck  EXCEPTION  but this one is not: its parent is
 *
 * The longest rule that fits counts, an exception before all; where none does, the last label is the suffix.
 *
 * The names above a rule are marked, too: below amazonaws.com, which has an owner, stands s3.amazonaws.com, below which
 * anybody may have a name. So "*.amazonaws.com" would be for everybody. */

#include "learn/suffixes.h"

#include "base/check.h"
#include "base/host.h"
#include "base/table.h"

#include <stdlib.h>

enum {
    RULE_NAME = 1,
    RULE_WILD = 2,
    RULE_EXCEPTION = 4,
    RULE_BELOW = 8 /* some name below is public */
};

struct suffix_rule {
    struct slice name;
    unsigned kinds;
};

struct suffixes {
    struct table table;
    char *text; /* the names, in lower case */
    size_t len;
};

static bool rule_is_of(const void *entry, const void *key)
{
    return slice_equals(((const struct suffix_rule *)entry)->name, *(const struct slice *)key);
}

static struct suffix_rule *find_rule(const struct suffixes *suffixes, struct slice name)
{
    return table_find(&suffixes->table, table_hash(name), rule_is_of, &name);
}

static struct slice parent_of(struct slice name)
{
    return slice_from(name, slice_find(name, '.') + 1);
}

static enum status mark(struct suffixes *suffixes, struct slice name, unsigned kind)
{
    struct suffix_rule *rule = find_rule(suffixes, name);
    if (rule == NULL) {
        rule = calloc(1, sizeof(*rule));
        if (rule == NULL)
            return ST_NOMEM;
        rule->name = name;
        if (table_add(&suffixes->table, table_hash(name), rule) != ST_OK) {
            free(rule);
            return ST_NOMEM;
        }
    }
    rule->kinds |= kind;
    return ST_OK;
}

static enum status add_rule(struct suffixes *suffixes, struct slice name, unsigned kind)
{
    enum status status = mark(suffixes, name, kind == RULE_WILD ? RULE_WILD | RULE_BELOW : kind);
    for (struct slice at = parent_of(name); at.len > 0 && status == ST_OK; at = parent_of(at))
        status = mark(suffixes, at, RULE_BELOW);
    return status;
}

/* A line is a rule up to its first blank; those behind "//" are comments. */
static enum status add_line(struct suffixes *suffixes, struct slice line)
{
    struct slice name = slice_first(line, slice_find(line, ' '));
    name = slice_trim(slice_first(name, slice_find(name, '\r')));
    if (name.len == 0 || slice_starts_with(name, SLICE("//")))
        return ST_OK;
    if (slice_starts_with(name, SLICE("*.")))
        return add_rule(suffixes, slice_from(name, 2), RULE_WILD);
    if (name.at[0] == '!')
        return add_rule(suffixes, slice_from(name, 1), RULE_EXCEPTION);
    return add_rule(suffixes, name, RULE_NAME);
}

static enum status fill(struct suffixes *suffixes, struct slice text)
{
    suffixes->text = malloc(text.len + 1);
    if (suffixes->text == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < text.len; i++)
        suffixes->text[i] = char_lower(text.at[i]);
    struct slice rest = slice_of(suffixes->text, text.len);
    struct slice line;
    while (slice_next_part(&rest, '\n', &line)) {
        enum status status = add_line(suffixes, line);
        if (status != ST_OK)
            return status;
    }
    return suffixes->table.count > 0 ? ST_OK : ST_BAD;
}

enum status suffixes_create(struct slice text, struct suffixes **ret_suffixes)
{
    struct suffixes *suffixes = calloc(1, sizeof(*suffixes));
    if (suffixes == NULL)
        return ST_NOMEM;
    table_init(&suffixes->table);
    enum status status = fill(suffixes, text);
    if (status != ST_OK)
        suffixes_destroy(&suffixes);
    else
        *ret_suffixes = suffixes;
    return status;
}

void suffixes_destroy(struct suffixes **suffixes)
{
    struct suffixes *dead = *suffixes;
    size_t cursor = 0;
    struct suffix_rule *rule;
    *suffixes = NULL;
    if (dead == NULL)
        return;
    while ((rule = table_next(&dead->table, &cursor)) != NULL)
        free(rule);
    table_done(&dead->table);
    free(dead->text);
    free(dead);
}

static unsigned kinds_of(const struct suffixes *suffixes, struct slice name)
{
    const struct suffix_rule *rule = name.len > 0 ? find_rule(suffixes, name) : NULL;
    return rule == NULL ? 0 : rule->kinds;
}

/* The public suffix of `name`: a part of its end. */
static struct slice public_suffix(const struct suffixes *suffixes, struct slice name)
{
    struct slice longest = SLICE_NONE;
    for (struct slice at = name; at.len > 0; at = parent_of(at)) {
        unsigned kinds = kinds_of(suffixes, at);
        struct slice parent = parent_of(at);
        bool is_suffix = (kinds & RULE_NAME) != 0 || (kinds_of(suffixes, parent) & RULE_WILD) != 0;
        if ((kinds & RULE_EXCEPTION) != 0)
            return parent;
        if (is_suffix && longest.len == 0)
            longest = at;
        if (parent.len == 0 && longest.len == 0)
            longest = at;
    }
    return longest;
}

bool suffixes_has_owner(const struct suffixes *suffixes, struct slice name)
{
    struct slice rest = name;
    struct slice label;
    while (slice_next_part(&rest, '.', &label)) {
        if (slice_starts_with_nocase(label, SLICE("xn--")))
            return false;
    }
    return (kinds_of(suffixes, name) & RULE_BELOW) == 0 &&
           name.len > public_suffix(suffixes, name).len;
}
