#ifndef FAIRLEAD_IDENTITY_DIGEST_H
#define FAIRLEAD_IDENTITY_DIGEST_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Digests, and comparing secrets in a time that does not depend on them. */

enum { DIGEST_SHA256 = 32 };

/* A key of this process, which nobody else learns. */
struct digest_key {
    uint64_t word[2];
};
struct digest {
    uint64_t word[2];
};

void digest_key_make(struct digest_key *key);
/* SipHash-2-4 with 128 bits: who has not the key can neither find bytes for a digest nor two that share one. */
struct digest digest_of(const struct digest_key *key, struct slice bytes);
bool digest_equals(const struct digest *a, const struct digest *b);

void digest_sha256(struct slice bytes, uint8_t into[DIGEST_SHA256]);
/* Takes as long whatever the bytes are. */
bool digest_bytes_equal(const void *a, const void *b, size_t len);

#endif
