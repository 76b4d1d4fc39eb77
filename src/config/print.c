/* The settings as YAML, as a reference and for --help; all from the schema table. */

#include "config/config.h"

#include "config/load_flags.h"
#include "config/value.h"

/* ---- YAML ---- */

static void print_indent(size_t depth, FILE *out)
{
    for (size_t i = 0; i < depth; i++)
        (void)fputs("  ", out);
}

/* The maps around a key that the key before it did not stand in. Gives the depth of the key itself. */
static size_t print_sections(struct slice key, struct slice before, size_t depth, FILE *out)
{
    bool is_same = true;
    struct slice mine;
    while (slice_find(key, '.') < key.len && slice_next_part(&key, '.', &mine)) {
        struct slice theirs = SLICE_NONE;
        bool has_theirs =
            slice_find(before, '.') < before.len && slice_next_part(&before, '.', &theirs);
        is_same = is_same && has_theirs && slice_equals(mine, theirs);
        if (!is_same) {
            print_indent(depth, out);
            (void)fprintf(out, "%.*s:\n", (int)mine.len, mine.at);
        }
        depth++;
    }
    return depth;
}

static void print_row(const void *object, const struct schema_row *row, size_t depth, FILE *out)
{
    struct slice key = slice_from_string(row->key);
    size_t dot = slice_find_last(key, '.');
    struct slice name = dot < key.len ? slice_from(key, dot + 1) : key;
    print_indent(depth, out);
    (void)fprintf(out, "%.*s: ", (int)name.len, name.at);
    value_print(object, row, out);
    (void)fputc('\n', out);
}

/* What means something for this listener. */
static bool listen_shows(const struct config_listen *listen, struct slice key)
{
    if (slice_starts_with(key, SLICE("tls.")))
        return listen->is_tls;
    if (slice_equals(key, SLICE("name")))
        return listen->has_name;
    if (slice_equals(key, SLICE("mode")))
        return listen->kind == LISTEN_UNIX;
    if (slice_equals(key, SLICE("proxy_protocol.from")))
        return listen->proxy_from.count > 0;
    return true;
}

static void print_listener(const struct config_listen *listen, FILE *out)
{
    struct slice before = SLICE_NONE;
    for (size_t i = 0; i < schema_listen.count; i++) {
        const struct schema_row *row = &schema_listen.rows[i];
        struct slice key = slice_from_string(row->key);
        if (!listen_shows(listen, key))
            continue;
        if (i == 0) {
            (void)fputs("  - address: ", out);
            value_print(listen, row, out);
            (void)fputc('\n', out);
            continue;
        }
        print_row(listen, row, print_sections(key, before, 2, out), out);
        before = key;
    }
}

/* A rule or a range on one line, from row `first` on: its name (row 0), and what it says. */
static void print_map_rows(const struct schema_table *table, const void *object, size_t first,
                           FILE *out)
{
    const char *before = "{ ";
    for (size_t i = first; i < table->count; i++) {
        const struct schema_row *row = &table->rows[i];
        if (!value_is_said(object, row))
            continue;
        (void)fprintf(out, "%s%s: ", before, row->key);
        value_print(object, row, out);
        before = ", ";
    }
    (void)fputs(" }", out);
}

static void print_map(const struct schema_table *table, const void *object, FILE *out)
{
    (void)fputs("    - ", out);
    print_map_rows(table, object, 0, out);
    (void)fputs("\n", out);
}

void config_print_rule(const struct rule *rule, FILE *out)
{
    print_map_rows(&schema_rule, rule, 1, out);
}

void config_print_range(const struct budget_range *range, FILE *out)
{
    print_map_rows(&schema_range, range, 1, out);
}

void config_print(const struct config *config, FILE *out)
{
    struct slice before = SLICE_NONE;
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        struct slice key = slice_from_string(row->key);
        if (row->kind == KIND_LISTENERS) {
            (void)fputs("listen:\n", out);
            for (size_t j = 0; j < config->listen_count; j++)
                print_listener(&config->listen[j], out);
        } else if (row->kind == KIND_RULES) {
            (void)fputs(config->policy.rule_count > 0 ? "  rules:\n" : "  rules: []\n", out);
            for (size_t j = 0; j < config->policy.rule_count; j++)
                print_map(&schema_rule, &config->policy.rules[j], out);
        } else if (row->kind == KIND_RANGES) {
            const struct budget_rules *budget = &config->limits.budget;
            (void)fputs(budget->range_count > 0 ? "  ranges:\n" : "  ranges: []\n", out);
            for (size_t j = 0; j < budget->range_count; j++)
                print_map(&schema_range, &budget->ranges[j], out);
        } else {
            print_row(config, row, print_sections(key, before, 0, out), out);
        }
        before = key;
    }
}

/* ---- reference ---- */

/* In a table cell a bar would end the cell. */
static void print_cell(struct slice s, FILE *out)
{
    for (size_t i = 0; i < s.len; i++)
        (void)fprintf(out, s.at[i] == '|' ? "\\|" : "%c", s.at[i]);
}

static void print_reference_row(const char *prefix, const struct schema_row *row, FILE *out)
{
    char words[SCHEMA_EXPECTED_MAX];
    struct text expected = text_on(words, sizeof(words));
    schema_expected(row, &expected);
    (void)fprintf(out, "| `%s%s` | ", prefix, row->key);
    print_cell(slice_from_string(row->help), out);
    (void)fputs(row->is_for_start ? "; a change waits for the next start | " : " | ", out);
    print_cell(slice_trim(text_slice(&expected)), out);
    (void)fputs(schema_is_list(row) && !schema_is_table(row) ? "; a list | " : " | ", out);
    if (row->initial != NULL && row->initial[0] != '\0')
        (void)fprintf(out, "`%s`", row->initial);
    (void)fputs(" | ", out);
    if (row->flag != NULL)
        (void)fprintf(out, "`%s`", row->flag);
    (void)fputs(" |\n", out);
}

void config_print_reference(FILE *out)
{
    (void)fputs("| key | meaning | value | default | flag |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < schema_main.count; i++) {
        print_reference_row("", &schema_main.rows[i], out);
        enum schema_kind kind = schema_main.rows[i].kind;
        for (size_t j = 0; kind == KIND_LISTENERS && j < schema_listen.count; j++)
            print_reference_row("listen[].", &schema_listen.rows[j], out);
        for (size_t j = 0; kind == KIND_RULES && j < schema_rule.count; j++)
            print_reference_row("policy.rules[].", &schema_rule.rows[j], out);
        for (size_t j = 0; kind == KIND_RANGES && j < schema_range.count; j++)
            print_reference_row("limits.ranges[].", &schema_range.rows[j], out);
    }
}

/* ---- --help ---- */

enum { HELP_COLUMN = 30, HELP_WIDTH = 80, HELP_TEXT = 400 };

/* `words` from column `at` on, broken between words so that no line is wider than a terminal. */
void config_print_flag(const char *flag, const char *argument, const char *help,
                       const char *initial, FILE *out)
{
    char space[HELP_TEXT];
    char lines[2 * HELP_TEXT];
    struct text text = text_on(space, sizeof(space));
    struct text wrapped = text_on(lines, sizeof(lines));
    text_add(&text, slice_from_string(help));
    if (initial != NULL && initial[0] != '\0')
        text_add_format(&text, " [%s]", initial);
    int width = fprintf(out, "  %s%s%s", flag, argument[0] != '\0' ? " " : "", argument);
    int gap = width < HELP_COLUMN ? HELP_COLUMN - width : 1;
    struct text_wrap wrap = {
        .columns = HELP_WIDTH, .indent = HELP_COLUMN, .at = (size_t)(width + gap)};
    text_add_wrapped(&wrapped, text_slice(&text), &wrap);
    (void)fprintf(out, "%*s%s\n", gap, "", text_string(&wrapped));
}

void config_print_own_flag(const char *flag, const char *argument, const char *help,
                           const char *initial, FILE *out)
{
    const char *end = strncmp(help, "with ", 5) == 0 ? strstr(help, ": ") : NULL;
    config_print_flag(flag, argument, end != NULL ? end + 2 : help, initial, out);
}

void config_print_flags(FILE *out)
{
    for (size_t i = 0; i < flag_special_count; i++)
        config_print_flag(flag_specials[i].flag, flag_specials[i].argument, flag_specials[i].help,
                          NULL, out);
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        if (row->flag != NULL)
            config_print_flag(row->flag, row->argument, row->help, row->initial, out);
    }
}
