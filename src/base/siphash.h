#ifndef FAIRLEAD_BASE_SIPHASH_H
#define FAIRLEAD_BASE_SIPHASH_H

#include "base/slice.h"

#include <stdint.h>

/* What all SipHashes share (Aumasson and Bernstein 2012): the state, its round, and the taking in of bytes. How many
 * rounds there are, and what is given out, is the user's. */

struct siphash {
    uint64_t v[4];
};

static inline struct siphash siphash_begin(const uint64_t key[2])
{
    return (struct siphash){{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                             key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL}};
}

static inline uint64_t siphash_rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void siphash_rounds(struct siphash *hash, int count)
{
    uint64_t *v = hash->v;
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = siphash_rotate(v[1], 13) ^ v[0];
        v[0] = siphash_rotate(v[0], 32);
        v[2] += v[3];
        v[3] = siphash_rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = siphash_rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = siphash_rotate(v[1], 17) ^ v[2];
        v[2] = siphash_rotate(v[2], 32);
    }
}

static inline void siphash_add_word(struct siphash *hash, uint64_t word, int rounds)
{
    hash->v[3] ^= word;
    siphash_rounds(hash, rounds);
    hash->v[0] ^= word;
}

/* All of the input, its length in the last word; `rounds` for each word. */
static inline void siphash_add(struct siphash *hash, struct slice bytes, int rounds)
{
    size_t left = bytes.len;
    const char *at = bytes.at;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        siphash_add_word(hash, word, rounds);
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)at[i] << (8 * i);
    siphash_add_word(hash, last, rounds);
}

static inline uint64_t siphash_fold(const struct siphash *hash)
{
    return hash->v[0] ^ hash->v[1] ^ hash->v[2] ^ hash->v[3];
}

#endif
