#ifndef FAIRLEAD_CONFIG_NEAREST_H
#define FAIRLEAD_CONFIG_NEAREST_H

#include "config/schema.h"

/* What somebody most likely meant who wrote a key, a flag or a value in a wrong place. */

/* A candidate so far; begin with NEAREST_NONE. */
struct nearest {
    size_t score;      /* less is nearer */
    struct slice word; /* key of a row, section of keys, or flag; empty: nothing is near. Static */
    const struct schema_row *row; /* NULL for a section, and for what has no row */
};
#define NEAREST_NONE ((struct nearest){SIZE_MAX, SLICE_NONE, NULL})

/* Keep the nearer one of *best and `candidate`. */
void nearest_compare(struct slice wrong, struct slice candidate, const struct schema_row *row,
                     struct nearest *best);
/* Among the keys and sections of a table, with what other people call them, and by their flags. */
void nearest_key(const struct schema_table *table, struct slice wrong, struct nearest *best);

/* The one setting of a section that could have this value, or NULL where there are none or several: `section`
 * ends with its dot. `is_list`: it stood in a list. */
const struct schema_row *nearest_taker(const struct schema_table *table, struct slice section,
                                       struct slice value, bool is_list);

#endif
