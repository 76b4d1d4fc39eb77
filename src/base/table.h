#ifndef FAIRLEAD_BASE_TABLE_H
#define FAIRLEAD_BASE_TABLE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Open-addressing hash table of pointers. The caller supplies the hash (table_hash) and compares;
 * the table never owns what it points to. Grows by doubling; a capped user checks `count` first. */
struct table {
    size_t count;
    /* private */
    size_t mask;
    struct table_slot *slots;
};

/* True where `entry` is the one that is looked for. */
typedef bool table_match_fn(const void *entry, const void *key);

void table_init(struct table *table);
void table_done(struct table *table);

/* SipHash-1-3 of `bytes` under the process's random seed. */
uint64_t table_hash(struct slice bytes);

/* The entry with this hash that matches, or NULL. */
void *table_find(const struct table *table, uint64_t hash, table_match_fn *match, const void *key);
/* Add an entry that is not in the table yet. Errors: ST_NOMEM. */
enum status table_add(struct table *table, uint64_t hash, void *entry) MUST_USE;
/* Remove exactly this pointer; false where it was not there. */
bool table_remove(struct table *table, uint64_t hash, const void *entry);
/* Walk all entries: start with *cursor = 0; NULL at the end. The entry just returned may be removed. */
void *table_next(const struct table *table, size_t *cursor);

#endif
