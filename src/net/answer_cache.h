#ifndef FAIRLEAD_NET_ANSWER_CACHE_H
#define FAIRLEAD_NET_ANSWER_CACHE_H

#include "base/host.h"
#include "base/list.h"
#include "base/table.h"
#include "net/address_set.h"
#include "net/dns_answer.h"

/* Answers of name servers until they expire: name and family to addresses or to a "no", capped, the
 * longest unused leaves first. Embedded by its owner. Thread: the worker's. */
struct answer_cache {
    size_t limit_count;
    /* private */
    struct table entries;
    struct link recent; /* most recently used first */
};

/* A name and family as the key of tables. */
struct answer_key {
    uint64_t hash;
    uint8_t len;
    char bytes[HOST_MAX + 1]; /* the name, then '4' or '6', or 's' or 'S' with the search list */
};
/* `name` is canonical, at most HOST_MAX bytes. What the search list made of a name answers no other question. */
void answer_key_make(struct answer_key *key, struct slice name, enum inet_family family,
                     bool is_search);

static inline bool answer_key_equals(const struct answer_key *a, const struct answer_key *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct cached_answer {
    uint32_t tag;
    enum answer_result result; /* FOUND, NODATA or NXDOMAIN */
    struct address_set *set;   /* NULL unless FOUND */
    uint64_t expires_ns;       /* monotonic */
    /* private */
    struct link link;
    struct answer_key key;
};

void answer_cache_init(struct answer_cache *cache, size_t limit_count);
void answer_cache_done(struct answer_cache *cache);

/* The answer that is still good at `now_ns`, or NULL. Borrowed until the cache changes. */
const struct cached_answer *answer_cache_find(struct answer_cache *cache,
                                              const struct answer_key *key, uint64_t now_ns);
/* Keep an answer, in the place of one that is there; takes a reference to `set`. Out of memory nothing
 * is kept. */
void answer_cache_put(struct answer_cache *cache, const struct answer_key *key,
                      enum answer_result result, struct address_set *set, uint64_t expires_ns);
void answer_cache_clear(struct answer_cache *cache);
size_t answer_cache_count(const struct answer_cache *cache);

#endif
