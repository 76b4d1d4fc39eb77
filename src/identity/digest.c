/* Under which credentials are remembered, and tokens are stored.
 *
 * The remembered ones are asked for in each request, so their digest must cost next to nothing and allocate nothing.
 * SipHash-2-4 (Aumasson and Bernstein 2012) is made for short inputs and is a message authentication code: without the
 * key, which is random and of this process alone, nobody can make another field of the same digest. HMAC-SHA256 would
 * do as well for twenty times the cost, with the heap of the library below it.
 *
 * Tokens are stored as plain SHA-256: they are long and random, so that there is nothing to guess. */

#include "identity/digest.h"

#include "base/random.h"
#include "base/siphash.h"

#include <openssl/sha.h>
#include <string.h>

void digest_key_make(struct digest_key *key)
{
    random_secure(key, sizeof(*key));
}

struct digest digest_of(const struct digest_key *key, struct slice bytes)
{
    struct digest digest;
    struct siphash hash = siphash_begin(key->word);
    hash.v[1] ^= 0xee; /* 128 bits are given out */
    siphash_add(&hash, bytes, 2);
    hash.v[2] ^= 0xee;
    siphash_rounds(&hash, 4);
    digest.word[0] = siphash_fold(&hash);
    hash.v[1] ^= 0xdd;
    siphash_rounds(&hash, 4);
    digest.word[1] = siphash_fold(&hash);
    return digest;
}

bool digest_equals(const struct digest *a, const struct digest *b)
{
    return ((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1])) == 0;
}

void digest_sha256(struct slice bytes, uint8_t into[DIGEST_SHA256])
{
    (void)SHA256((const unsigned char *)bytes.at, bytes.len, into); /* gives `into` */
}

bool digest_bytes_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++)
        difference |= (uint8_t)(left[i] ^ right[i]);
    return difference == 0;
}
