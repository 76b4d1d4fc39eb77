#ifndef FAIRLEAD_IDENTITY_CREDENTIAL_CACHE_H
#define FAIRLEAD_IDENTITY_CREDENTIAL_CACHE_H

#include "identity/digest.h"

#include <stdbool.h>

/* Credentials that were judged good, of one worker: which proven text belongs to which member of a roster. Bounded;
 * nothing is locked, and nothing of the credentials is kept but a digest that means nothing outside of this process.
 *
 * A roster may change meanwhile: `proof` tells whether a member of the new one is still who was judged. So a changed
 * line is a changed verdict, and the others stay. */
struct credential_cache {
    /* private */
    struct cache_place *places; /* NULL until something is put */
};

/* What is remembered of one text. */
struct credential_memory {
    struct digest proof; /* roster_member */
    uint32_t member;     /* where it stood last */
};

enum { CREDENTIAL_CACHE_COUNT = 4096 };

void credential_cache_init(struct credential_cache *cache);
void credential_cache_done(struct credential_cache *cache);

/* What was judged good of a field of this digest less than `lifetime_ns` ago, or NULL. Good until the next put;
 * `member` may be written, where it stands elsewhere now. */
struct credential_memory *credential_cache_find(struct credential_cache *cache,
                                                const struct digest *field, uint64_t now_ns,
                                                uint64_t lifetime_ns);
/* Remember a success; what is oldest leaves. Out of memory nothing is remembered. */
void credential_cache_put(struct credential_cache *cache, const struct digest *field,
                          uint64_t now_ns, const struct credential_memory *memory);

#endif
