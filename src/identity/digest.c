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

#include <openssl/sha.h>
#include <string.h>

void digest_key_make(struct digest_key *key)
{
    random_secure(key, sizeof(*key));
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

struct digest digest_of(const struct digest_key *key, struct slice bytes)
{
    uint64_t v[4] = {key->word[0] ^ 0x736f6d6570736575ULL,
                     key->word[1] ^ 0x646f72616e646f6dULL ^ 0xee,
                     key->word[0] ^ 0x6c7967656e657261ULL, key->word[1] ^ 0x7465646279746573ULL};
    struct digest digest;
    size_t left = bytes.len;
    const char *at = bytes.at;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)at[i] << (8 * i);
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xee;
    rounds(v, 4);
    digest.word[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 4);
    digest.word[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
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
