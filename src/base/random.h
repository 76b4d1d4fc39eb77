#ifndef FAIRLEAD_BASE_RANDOM_H
#define FAIRLEAD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Bytes from the kernel's generator, for keys, tokens and seeds; aborts where the kernel has none. */
void random_secure(void *into, size_t len);

/* A fast generator (xoshiro256**) for what need not be secret; one a thread. Same seed, same row. */
struct random {
    uint64_t state[4];
};
void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* Below `bound`, which is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

#endif
