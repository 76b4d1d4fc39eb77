#ifndef FAIRLEAD_IDENTITY_CREDENTIAL_CACHE_H
#define FAIRLEAD_IDENTITY_CREDENTIAL_CACHE_H

#include "identity/digest.h"

#include <stdbool.h>

/* Credentials that were judged good, of one worker: which proven text belongs to which member of a roster. Bounded;
 * nothing is locked, and nothing of the credentials is kept but a digest that means nothing outside of this process. */
struct credential_cache {
    /* private */
    struct cache_place *places;    /* NULL until something is put */
    uint8_t roster[DIGEST_SHA256]; /* all of these were found in */
};

enum { CREDENTIAL_CACHE_COUNT = 4096 };

void credential_cache_init(struct credential_cache *cache);
void credential_cache_done(struct credential_cache *cache);

/* The member that showed a field of this digest less than `lifetime_ns` ago. What another roster than `roster` knew is
 * forgotten, so that a changed file is a changed verdict. */
bool credential_cache_find(struct credential_cache *cache, const uint8_t roster[DIGEST_SHA256],
                           const struct digest *field, uint64_t now_ns, uint64_t lifetime_ns,
                           uint32_t *ret_member);
/* Remember a success; what is oldest leaves. Out of memory nothing is remembered. */
void credential_cache_put(struct credential_cache *cache, const uint8_t roster[DIGEST_SHA256],
                          const struct digest *field, uint64_t now_ns, uint32_t member);

#endif
