/* A hash table of answers with a list in order of use.
 *
 * Invariants: every entry is in the table and in the list; there are never more than `limit_count`.
 * Expired entries leave when they are met, or from the end of the list as new ones need room; nothing
 * walks the cache on a timer. An expired answer is never given out, also not "stale while
 * revalidating": the gate judges addresses, and an old answer may be somebody else's by now. */

#include "net/answer_cache.h"

#include "base/check.h"

#include <stdlib.h>

#define CACHED_ANSWER_TAG TAG('c', 'a', 'n', 's')

void answer_key_make(struct answer_key *key, struct slice name, enum inet_family family,
                     bool is_search)
{
    CHECK(name.len <= HOST_MAX);
    memcpy(key->bytes, name.at, name.len);
    if (is_search)
        key->bytes[name.len] = family == INET_V4 ? 's' : 'S';
    else
        key->bytes[name.len] = family == INET_V4 ? '4' : '6';
    key->len = (uint8_t)(name.len + 1);
    key->hash = table_hash(slice_of(key->bytes, key->len));
}

static bool cached_answer_match(const void *entry, const void *key)
{
    const struct cached_answer *answer = entry;
    return answer_key_equals(&answer->key, key);
}

void answer_cache_init(struct answer_cache *cache, size_t limit_count)
{
    cache->limit_count = limit_count;
    table_init(&cache->entries);
    link_init(&cache->recent);
}

static void answer_cache_drop(struct answer_cache *cache, struct cached_answer *answer)
{
    CHECK_TAG(answer, CACHED_ANSWER_TAG);
    CHECK(table_remove(&cache->entries, answer->key.hash, answer));
    link_remove(&answer->link);
    address_set_unref(&answer->set);
    answer->tag = 0;
    free(answer);
}

void answer_cache_clear(struct answer_cache *cache)
{
    LIST_EACH(link, &cache->recent)
        answer_cache_drop(cache, CONTAINER_OF(link, struct cached_answer, link));
}

void answer_cache_done(struct answer_cache *cache)
{
    answer_cache_clear(cache);
    table_done(&cache->entries);
}

const struct cached_answer *answer_cache_find(struct answer_cache *cache,
                                              const struct answer_key *key, uint64_t now_ns)
{
    struct cached_answer *answer = table_find(&cache->entries, key->hash, cached_answer_match, key);
    if (answer == NULL)
        return NULL;
    CHECK_TAG(answer, CACHED_ANSWER_TAG);
    if (answer->expires_ns <= now_ns) {
        answer_cache_drop(cache, answer);
        return NULL;
    }
    link_remove(&answer->link);
    list_prepend(&cache->recent, &answer->link);
    return answer;
}

void answer_cache_put(struct answer_cache *cache, const struct answer_key *key,
                      enum answer_result result, struct address_set *set, uint64_t expires_ns)
{
    struct cached_answer *old = table_find(&cache->entries, key->hash, cached_answer_match, key);
    if (old != NULL)
        answer_cache_drop(cache, old);
    if (cache->limit_count == 0)
        return;
    while (cache->entries.count >= cache->limit_count)
        answer_cache_drop(cache, CONTAINER_OF(cache->recent.prev, struct cached_answer, link));

    struct cached_answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL)
        return;
    answer->tag = CACHED_ANSWER_TAG;
    answer->result = result;
    answer->expires_ns = expires_ns;
    answer->key = *key;
    if (table_add(&cache->entries, key->hash, answer) != ST_OK) {
        free(answer);
        return;
    }
    if (set != NULL)
        answer->set = address_set_ref(set);
    list_prepend(&cache->recent, &answer->link);
}

size_t answer_cache_count(const struct answer_cache *cache)
{
    return cache->entries.count;
}
