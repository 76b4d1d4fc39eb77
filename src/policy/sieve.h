#ifndef FAIRLEAD_POLICY_SIEVE_H
#define FAIRLEAD_POLICY_SIEVE_H

#include "base/inet.h"

#include <stdbool.h>
#include <stdint.h>

/* What one look tells of most addresses and ports: that no row of a table holds them, so that none has to be read.
 * Addresses are told apart by family and first byte, ports by their low bits. Zeroed, it is one of an empty table. */
struct sieve {
    uint64_t bits[8]; /* a line of the cache */
};

void sieve_add_prefix(struct sieve *sieve, const struct inet_prefix *prefix);
void sieve_add_port(struct sieve *sieve, uint16_t port);
/* False: no row that was added holds it. The address is looked at as it is: unmap it first. */
bool sieve_may_hold_addr(const struct sieve *sieve, const struct inet_addr *addr);
bool sieve_may_hold_port(const struct sieve *sieve, uint16_t port);

#endif
