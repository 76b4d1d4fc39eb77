#ifndef FAIRLEAD_CONFIG_SCHEMA_H
#define FAIRLEAD_CONFIG_SCHEMA_H

#include "base/text.h"
#include "config/config.h"

/* The one table of settings: key, kind, place, default, flag and help. Loading, printing, the reference and
 * --help are all made from it. */

enum schema_kind {
    KIND_BOOL,      /* written as `words`, the false one first */
    KIND_COUNT,     /* a number */
    KIND_UNSIGNED,  /* the same in an `unsigned` */
    KIND_MODE,      /* the same in base 8 */
    KIND_DURATION,  /* ns; written with ms, s, m or h */
    KIND_SIZE,      /* bytes; written with B, KB, MB, GB, KiB, MiB or GiB */
    KIND_RATE,      /* a number in a second: 100/s; 0 for none */
    KIND_BANDWIDTH, /* bytes in a second: 10MB/s; 0 for none */
    KIND_PATH,      /* text without control bytes */
    KIND_NAME,      /* the same, of what is no file */
    KIND_WORD,      /* token characters only, or one of `words` */
    KIND_CSTRING,   /* the same as a terminated string */
    KIND_CHOICE,    /* one of `words`, as an int; "auto" clears the bool at `second` */
    KIND_ADDRESS,   /* an IP address, or any */
    KIND_LISTEN,    /* the address of a struct config_listen */
    KIND_ADMIN,     /* the same, or off, which sets the bool at `second` */
    KIND_PREFIXES,
    KIND_TARGETS,    /* ranges, and names at `second` */
    KIND_EXCEPTIONS, /* endpoints, and names at `second` */
    KIND_ENDPOINTS,
    KIND_PORTS,
    KIND_TEXTS,       /* of them; each one of `words` where there are any */
    KIND_PORT_RANGES, /* struct rule_ports */
    KIND_WINDOWS,     /* struct rule_window */
    KIND_LISTENERS,   /* a list of maps; schema_listen tells what they hold */
    KIND_RULES,       /* the same by schema_rule */
    KIND_RANGES,      /* the same by schema_range */
};

enum { SCHEMA_WORDS = 6, SCHEMA_KEY_MAX = 64, SCHEMA_EXPECTED_MAX = 400 };

struct schema_row {
    const char *key; /* "timeouts.connect" */
    enum schema_kind kind;
    size_t place;         /* offset in struct config, or in what a table of maps describes */
    size_t second;        /* offset of the kind's second half */
    uint64_t min;         /* of numbers, and of the length of text */
    uint64_t max;         /* 0: none */
    const char *initial;  /* as one would write it; NULL: empty */
    const char *flag;     /* "--log-format"; NULL: none. Of a listener: see load_flags.c */
    const char *argument; /* what --help shows behind the flag */
    const char *words[SCHEMA_WORDS];
    const char *also; /* how others call it, for hints; words apart by blanks, or NULL */
    const char *help;
    bool is_for_start; /* a reload leaves it as it was, and says so */
};

struct schema_table {
    const struct schema_row *rows;
    size_t count;
};

extern const struct schema_table schema_main;   /* keys of struct config */
extern const struct schema_table schema_listen; /* keys of each listener */
extern const struct schema_table schema_rule;   /* keys of each rule */
extern const struct schema_table schema_range;  /* keys of each struct budget_range */

bool schema_is_list(const struct schema_row *row);
/* Is its value a list of maps, with a table of its own? */
bool schema_is_table(const struct schema_row *row);
/* The row with this key, or NULL. */
const struct schema_row *schema_find(const struct schema_table *table, struct slice key);
/* Is `key` a map of the table, like "timeouts"? */
bool schema_is_section(const struct schema_table *table, struct slice key);
/* The keys of a section, which ends with its dot: ": address, token_file". */
void schema_add_keys(const struct schema_table *table, struct slice section, struct text *text);
/* What a value of this row looks like, for messages. */
void schema_expected(const struct schema_row *row, struct text *text);

#endif
