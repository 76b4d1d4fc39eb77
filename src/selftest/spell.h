#ifndef FAIRLEAD_SELFTEST_SPELL_H
#define FAIRLEAD_SELFTEST_SPELL_H

#include "base/inet.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* How an address can be written, by whoever would have it not be seen. Pure. */

enum { SPELL_TEXT = 120, SPELL_MAX = 48 };

struct spelling {
    char text
        [SPELL_TEXT]; /* as it stands in a request: IPv6 with its brackets; may hold any byte but the end */
    size_t len;
    bool is_address; /* it is this address; otherwise it must be refused, whatever the address */
    struct inet_addr addr;
};

struct spellings {
    struct spelling at[SPELL_MAX];
    size_t count;
};

/* All of an IPv4 address: decimal, octal, hex, mixed, short forms, one number, zeros, dots, percent, Unicode. */
void spell_v4(struct spellings *into, const struct inet_addr *addr);
/* IPv6 addresses that carry it: mapped, compatible, translated, NAT64, 6to4, Teredo. What else they carry is public. */
void spell_embedded(struct spellings *into, const struct inet_addr *v4);
/* All of an IPv6 address: compressed, in full, upper case, brackets missing and doubled, zones. */
void spell_v6(struct spellings *into, const struct inet_addr *addr);
/* One way, the usual one. */
void spell_plain(struct spelling *into, const struct inet_addr *addr);

#endif
