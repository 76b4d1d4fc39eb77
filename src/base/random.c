/* Secure bytes from the kernel; xoshiro256** (Blackman and Vigna, public domain) for the rest. */

#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void random_secure(void *into, size_t len)
{
    char *at = into;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        CHECK(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 spreads the seed */
        seed += 0x9e3779b97f4a7c15ULL;
        uint64_t z = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        random->state[i] = z ^ (z >> 31);
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = s[1] * 5;
    result = (result << 7 | result >> 57) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    return random_next(random) % bound;
}
