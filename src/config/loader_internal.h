#ifndef FAIRLEAD_CONFIG_LOADER_INTERNAL_H
#define FAIRLEAD_CONFIG_LOADER_INTERNAL_H

#include "base/table.h"
#include "config/memory.h"
#include "config/parse.h"
#include "config/schema.h"

/* What loading shares between the file (load_file.c), the flags (load_flags.c) and the checks on all of it
 * (config.c). */

enum { LISTEN_MAX = 64, LOADER_ERRORS_MAX = 20, LOADER_KEY_MAX = 160 };

/* Where a setting was set: a place in the file, or line 0 and the flag as the key. */
struct config_origin {
    const void *setting; /* its member */
    struct parse_place place;
    struct slice key;
};

/* What config_load makes; `config` stands first, and is what others see of it. */
struct config_whole {
    struct config config;
    struct memory memory;
    struct slice name; /* of the file */
    struct config_origin *origins;
    size_t origin_count;
};

struct loader {
    struct config *config;
    struct config_whole *whole; /* that `config` is part of */
    struct memory *memory;      /* of the configuration */
    struct config_errors *errors;
    const char *name;                             /* of the file, for messages */
    struct parse_place listen_places[LISTEN_MAX]; /* line 0: from a flag */
    struct table rule_names;
    bool is_out_of_memory;
};

/* Report one error. `place` may be NULL or have line 0: then no file is named. `key` may be empty. */
void loader_report(struct loader *loader, const struct parse_place *place, struct slice key,
                   struct slice words);
/* An error about a setting, told where it was set; `key` where nobody set it. */
void loader_report_setting(struct loader *loader, const void *setting, const char *key,
                           struct slice words);
/* Further errors are only counted. */
static inline bool loader_is_full(const struct loader *loader)
{
    return loader->errors->count >= LOADER_ERRORS_MAX;
}
/* The same for a value that is not what the row asks for. */
void loader_expected(struct loader *loader, const struct parse_place *place, struct slice key,
                     const struct schema_row *row, struct slice got);
/* value_set with its errors reported. */
void loader_set(struct loader *loader, const struct parse_place *place, struct slice key,
                void *object, const struct schema_row *row, struct slice text);
/* Remember where a setting was set; of a list, its first value. */
void loader_note_origin(struct loader *loader, const struct parse_place *place, struct slice key,
                        const void *setting);
/* Set every row of the table that has a default. */
void loader_set_defaults(struct loader *loader, const struct schema_table *table, void *object);
/* A rule as a whole, which `node` told. */
void loader_check_rule(struct loader *loader, struct rule *rule, const struct parse_node *node);
/* A range of limits.ranges as a whole. */
void loader_check_range(struct loader *loader, struct budget_range *range,
                        const struct parse_node *node);
/* limits as a whole. */
void loader_check_limits(struct loader *loader);
/* All rules: their names differ. */
void loader_check_rules(struct loader *loader);
/* One more listener with its defaults; NULL where there are too many, which is reported. */
struct config_listen *loader_add_listen(struct loader *loader, const struct parse_place *place);

void loader_file(struct loader *loader, struct slice text);
void loader_flags(struct loader *loader, int argc, const char *const *argv);

#endif
