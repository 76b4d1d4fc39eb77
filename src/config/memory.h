#ifndef FAIRLEAD_CONFIG_MEMORY_H
#define FAIRLEAD_CONFIG_MEMORY_H

#include "base/slice.h"

#include <stddef.h>

/* Memory that is given back all at once: what a configuration or a parsed file consists of. */
struct memory {
    struct memory_piece *pieces;
};

/* `bytes` aligned for any type, all zero. Errors: NULL out of memory. */
void *memory_alloc(struct memory *memory, size_t bytes) MUST_USE;
/* A terminated copy; at is NULL when out of memory. */
struct slice memory_copy(struct memory *memory, struct slice s) MUST_USE;
/* The list with room for one element more than its `count`; a list that had no room moves.
 * Errors: NULL out of memory. */
void *memory_grow(struct memory *memory, void *list, size_t count, size_t element_bytes) MUST_USE;
void memory_done(struct memory *memory);

#endif
