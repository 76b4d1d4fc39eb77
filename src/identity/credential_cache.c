/* Rows of four places. A digest chooses its row, and who comes new takes the place of the oldest in it. Failures are
 * never kept: they would drive out what is good, and each of them is to cost its hash. */

#include "identity/credential_cache.h"

#include <stdlib.h>

enum { ROW_PLACES = 4, ROWS = CREDENTIAL_CACHE_COUNT / ROW_PLACES };

struct cache_place {
    struct digest field;
    uint64_t judged_ns; /* 0: free */
    struct credential_memory memory;
};

void credential_cache_init(struct credential_cache *cache)
{
    *cache = (struct credential_cache){.places = NULL};
}

void credential_cache_done(struct credential_cache *cache)
{
    free(cache->places);
    *cache = (struct credential_cache){.places = NULL};
}

static struct cache_place *cache_row(const struct credential_cache *cache,
                                     const struct digest *field)
{
    return &cache->places[field->word[0] % ROWS * ROW_PLACES];
}

struct credential_memory *credential_cache_find(struct credential_cache *cache,
                                                const struct digest *field, uint64_t now_ns,
                                                uint64_t lifetime_ns)
{
    if (cache->places == NULL)
        return NULL;
    struct cache_place *row = cache_row(cache, field);
    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (row[i].judged_ns != 0 && digest_equals(&row[i].field, field))
            return now_ns - row[i].judged_ns < lifetime_ns ? &row[i].memory : NULL;
    }
    return NULL;
}

void credential_cache_put(struct credential_cache *cache, const struct digest *field,
                          uint64_t now_ns, const struct credential_memory *memory)
{
    if (cache->places == NULL)
        cache->places = calloc(CREDENTIAL_CACHE_COUNT, sizeof(*cache->places));
    if (cache->places == NULL)
        return;
    struct cache_place *row = cache_row(cache, field);
    struct cache_place *into = &row[0];
    for (size_t i = 0; i < ROW_PLACES; i++) {
        if (digest_equals(&row[i].field, field)) {
            into = &row[i];
            break;
        }
        if (row[i].judged_ns < into->judged_ns)
            into = &row[i];
    }
    *into = (struct cache_place){*field, now_ns, *memory};
}
