/* Open addressing with linear probing; a removal shifts the run back, so there are no tombstones.
 * Names from peers are hashed with SipHash-1-3 under a random seed of the process. */

#include "base/table.h"

#include "base/random.h"
#include "base/siphash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct table_slot {
    uint64_t hash;
    void *entry; /* NULL: free */
};

enum { TABLE_FIRST_SLOTS = 16 };

static uint64_t table_seed[2];
static pthread_once_t table_seeded = PTHREAD_ONCE_INIT;

static void table_make_seed(void)
{
    random_secure(table_seed, sizeof(table_seed));
}

uint64_t table_hash(struct slice bytes)
{
    (void)pthread_once(&table_seeded, table_make_seed);
    struct siphash hash = siphash_begin(table_seed);
    siphash_add(&hash, bytes, 1);
    hash.v[2] ^= 0xff;
    siphash_rounds(&hash, 3);
    return siphash_fold(&hash);
}

void table_init(struct table *table)
{
    *table = (struct table){0};
}

void table_done(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void *table_find(const struct table *table, uint64_t hash, table_match_fn *match, const void *key)
{
    if (table->slots == NULL)
        return NULL;
    for (size_t i = hash & table->mask; table->slots[i].entry != NULL; i = (i + 1) & table->mask) {
        if (table->slots[i].hash == hash && match(table->slots[i].entry, key))
            return table->slots[i].entry;
    }
    return NULL;
}

static void table_place(struct table *table, uint64_t hash, void *entry)
{
    size_t i = hash & table->mask;
    while (table->slots[i].entry != NULL)
        i = (i + 1) & table->mask;
    table->slots[i] = (struct table_slot){hash, entry};
}

static enum status table_grow(struct table *table)
{
    size_t old_count = table->slots == NULL ? 0 : table->mask + 1;
    size_t new_count = old_count == 0 ? TABLE_FIRST_SLOTS : old_count * 2;
    struct table_slot *old = table->slots;
    struct table_slot *slots = calloc(new_count, sizeof(*slots));
    if (slots == NULL)
        return ST_NOMEM;
    table->slots = slots;
    table->mask = new_count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].entry != NULL)
            table_place(table, old[i].hash, old[i].entry);
    }
    free(old);
    return ST_OK;
}

enum status table_add(struct table *table, uint64_t hash, void *entry)
{
    if (table->slots == NULL || (table->count + 1) * 4 > (table->mask + 1) * 3) {
        enum status status = table_grow(table);
        if (status != ST_OK)
            return status;
    }
    table_place(table, hash, entry);
    table->count++;
    return ST_OK;
}

/* Close the gap at `hole`: move back what its probe would no longer find. */
static void table_shift(struct table *table, size_t hole)
{
    size_t i = hole;
    for (;;) {
        i = (i + 1) & table->mask;
        if (table->slots[i].entry == NULL)
            break;
        size_t home = table->slots[i].hash & table->mask;
        if (((i - home) & table->mask) >= ((i - hole) & table->mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = (struct table_slot){0};
}

bool table_remove(struct table *table, uint64_t hash, const void *entry)
{
    if (table->slots == NULL)
        return false;
    for (size_t i = hash & table->mask; table->slots[i].entry != NULL; i = (i + 1) & table->mask) {
        if (table->slots[i].entry == entry) {
            table_shift(table, i);
            table->count--;
            return true;
        }
    }
    return false;
}

/* The walk goes down from a slot that is free, and round to it. So it goes through each run from its end to
 * its beginning, and what table_shift moves back into the slot just left was seen before. Nothing smaller
 * would do: a run may go over the end of the slots to their beginning.
 * The cursor holds the free slot it began at in its upper half, and how many slots it has looked at below. */
static_assert(sizeof(size_t) >= 8, "a cursor holds two numbers");

void *table_next(const struct table *table, size_t *cursor)
{
    if (table->slots == NULL)
        return NULL;
    if (*cursor == 0) {
        size_t start = 0;
        while (table->slots[start].entry != NULL) /* there is a free one: at most 3/4 are taken */
            start++;
        *cursor = start << 32 | 1;
    }
    size_t start = *cursor >> 32;
    for (size_t seen = *cursor & UINT32_MAX; seen <= table->mask; seen++) {
        void *entry = table->slots[(start - seen) & table->mask].entry;
        if (entry != NULL) {
            *cursor = start << 32 | (seen + 1);
            return entry;
        }
    }
    *cursor = start << 32 | (table->mask + 1);
    return NULL;
}
