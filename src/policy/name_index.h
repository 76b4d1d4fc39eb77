#ifndef FAIRLEAD_POLICY_NAME_INDEX_H
#define FAIRLEAD_POLICY_NAME_INDEX_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names, and the rules that each belongs to. Finding costs the same for ten names and for a million: one probe
 * for each label of what is looked for. A name costs 12 bytes, its text, one byte more, and 11 for its place; what
 * it belongs to is stored once for all names that belong to the same, 4 bytes each.
 *
 * Filled by one thread, then finished, then only read, by all. */
struct name_index;

enum {
    NAME_INDEX_KEY_MAX = 255,
    NAME_INDEX_NAMES_MAX = 20000000,
    /* A host name has at most 127 labels (RFC 1035 §2.3.4): itself, and each that it stands below. */
    NAME_INDEX_HITS_MAX = 128,
};

/* The owners of one name, ascending. */
struct name_hit {
    const uint32_t *owners;
    size_t count;
};

/* Errors: NULL out of memory. */
struct name_index *name_index_create(void) MUST_USE;
/* *index is NULL afterwards. Takes a pointer to NULL. */
void name_index_destroy(struct name_index **index);

/* Add a name in canonical form, of 1 to NAME_INDEX_KEY_MAX bytes: the name itself, or (`is_below`) all names below
 * it. The owners of a name come in ascending order; twice the same is once.
 * Errors: ST_NOMEM, ST_LIMIT too many names. */
enum status name_index_add(struct name_index *index, struct slice name, bool is_below,
                           uint32_t owner) MUST_USE;
/* Nothing is added from here on, and finding begins. Errors: ST_NOMEM, ST_LIMIT too many owners of names; then it can
 * only be destroyed. */
enum status name_index_finish(struct name_index *index) MUST_USE;

/* The owners of exactly this name; a count of 0 where there are none. */
struct name_hit name_index_get(const struct name_index *index, struct slice name);
/* What a host name matches on label boundaries: itself, and what it stands below. Gives how many hits were written
 * to `into`, which holds NAME_INDEX_HITS_MAX. */
size_t name_index_find(const struct name_index *index, struct slice host, struct name_hit *into);

size_t name_index_count(const struct name_index *index);
/* Memory that it takes. */
size_t name_index_bytes(const struct name_index *index);

#endif
