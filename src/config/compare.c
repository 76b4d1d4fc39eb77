/* What a reload cannot change, by the schema's word. Values are compared as they print: one comparison for
 * every kind of value, and the words are needed for the message anyway. */

#include "config/config.h"

#include "config/value.h"

#include <stdlib.h>
#include <string.h>

/* Malloc'd; NULL out of memory. */
static char *row_words(const struct config *config, const struct schema_row *row)
{
    char *words = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&words, &len);
    if (out == NULL)
        return NULL;
    value_print(config, row, out);
    if (fclose(out) != 0) {
        free(words);
        return NULL;
    }
    return words;
}

void config_compare_start(const struct config *running, const struct config *wanted,
                          void (*report)(void *owner, const char *key, const char *running_words,
                                         const char *wanted_words),
                          void *owner)
{
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        if (!row->is_for_start)
            continue;
        char *before = row_words(running, row);
        char *after = row_words(wanted, row);
        if (before == NULL || after == NULL || strcmp(before, after) != 0)
            report(owner, row->key, before == NULL ? "?" : before, after == NULL ? "?" : after);
        free(before);
        free(after);
    }
}

static bool is_decisive(const struct schema_row *row)
{
    static const char *const sections[] = {"clients.", "identity.", "egress.", "policy."};
    struct slice key = slice_from_string(row->key);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (slice_starts_with(key, slice_from_string(sections[i])))
            return row->kind != KIND_RULES;
    }
    return false;
}

static bool is_limit(const struct schema_row *row)
{
    return slice_starts_with(slice_from_string(row->key), SLICE("limits.")) &&
           row->kind != KIND_RANGES;
}

static enum status each_of(const struct config *config, bool (*is_meant)(const struct schema_row *),
                           void (*report)(void *owner, const char *key, const char *words),
                           void *owner)
{
    for (size_t i = 0; i < schema_main.count; i++) {
        const struct schema_row *row = &schema_main.rows[i];
        if (!is_meant(row))
            continue;
        char *words = row_words(config, row);
        if (words == NULL)
            return ST_NOMEM;
        report(owner, row->key, words);
        free(words);
    }
    return ST_OK;
}

enum status config_each_decisive(const struct config *config,
                                 void (*report)(void *owner, const char *key, const char *words),
                                 void *owner)
{
    return each_of(config, is_decisive, report, owner);
}

static enum status report_range(const struct budget_range *range,
                                void (*report)(void *owner, const char *key, const char *words),
                                void *owner)
{
    char *words = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&words, &len);
    if (out == NULL)
        return ST_NOMEM;
    (void)fprintf(out, "limits.ranges(%.*s)%c", (int)range->name.len, range->name.at, '\0');
    config_print_range(range, out);
    bool is_whole = fclose(out) == 0;
    if (is_whole)
        report(owner, words, words + strlen(words) + 1);
    free(words);
    return is_whole ? ST_OK : ST_NOMEM;
}

enum status config_each_limit(const struct config *config,
                              void (*report)(void *owner, const char *key, const char *words),
                              void *owner)
{
    enum status status = each_of(config, is_limit, report, owner);
    for (size_t i = 0; i < config->limits.budget.range_count && status == ST_OK; i++)
        status = report_range(&config->limits.budget.ranges[i], report, owner);
    return status;
}
