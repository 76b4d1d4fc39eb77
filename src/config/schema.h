#ifndef FAIRLEAD_CONFIG_SCHEMA_H
#define FAIRLEAD_CONFIG_SCHEMA_H

#include "config/config.h"

/* The one table of settings: key, kind, place in struct config, default, flag and help. Loading, printing,
 * the reference and --help are all made from it. */

enum schema_kind {
    KIND_BOOL,
    KIND_COUNT,    /* a number */
    KIND_UNSIGNED, /* the same in an `unsigned` */
    KIND_DURATION, /* ns; written with ms, s, m or h */
    KIND_SIZE,     /* bytes; written with B, KB, MB, KiB, MiB, ... */
    KIND_TEXT,
    KIND_CSTRING,
    KIND_ADDRESS,
    KIND_PREFIXES,
    KIND_TARGETS, /* ranges and names: prefixes at `offset`, names at `offset2` */
    KIND_ENDPOINTS,
    KIND_PORTS,
    KIND_CHOICE, /* one of `choices`, as an int */
};

struct schema_row {
    const char *key; /* "timeouts.connect" */
    enum schema_kind kind;
    size_t offset;
    size_t offset2;
    const char *initial;    /* as one would write it; NULL: empty */
    const char *flag;       /* "--log-format", NULL: none */
    const char *choices[5]; /* KIND_CHOICE */
    const char *help;
};

extern const struct schema_row schema_rows[];
extern const size_t schema_count;

/* What a value of this row looks like, for messages. */
const char *schema_expected(const struct schema_row *row);

#endif
