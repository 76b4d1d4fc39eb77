/* A bit for each first byte of IPv4 and of IPv6, or for each value of a port's low bits. */

#include "policy/sieve.h"

#include <assert.h>

enum { SIEVE_WORD_BITS = 64, SIEVE_BITS = 512, SIEVE_FIRST_BYTES = 256 };

static_assert(sizeof(struct sieve) * 8 == SIEVE_BITS, "a bit for each first byte of two families");

static void sieve_set(struct sieve *sieve, unsigned bit)
{
    sieve->bits[bit / SIEVE_WORD_BITS] |= 1ULL << bit % SIEVE_WORD_BITS;
}

static bool sieve_has(const struct sieve *sieve, unsigned bit)
{
    return sieve->bits[bit / SIEVE_WORD_BITS] >> bit % SIEVE_WORD_BITS & 1;
}

static unsigned sieve_bit_of_addr(const struct inet_addr *addr)
{
    return addr->bytes[0] + (addr->family == INET_V6 ? SIEVE_FIRST_BYTES : 0U);
}

void sieve_add_prefix(struct sieve *sieve, const struct inet_prefix *prefix)
{
    unsigned first = sieve_bit_of_addr(&prefix->addr);
    unsigned open_bits = prefix->bits < 8 ? 8U - prefix->bits : 0;
    for (unsigned i = 0; i < 1U << open_bits; i++)
        sieve_set(sieve, first + i);
}

void sieve_add_port(struct sieve *sieve, uint16_t port)
{
    sieve_set(sieve, port % SIEVE_BITS);
}

bool sieve_may_hold_addr(const struct sieve *sieve, const struct inet_addr *addr)
{
    return sieve_has(sieve, sieve_bit_of_addr(addr));
}

bool sieve_may_hold_port(const struct sieve *sieve, uint16_t port)
{
    return sieve_has(sieve, port % SIEVE_BITS);
}
