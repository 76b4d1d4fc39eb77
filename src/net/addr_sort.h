#ifndef FAIRLEAD_NET_ADDR_SORT_H
#define FAIRLEAD_NET_ADDR_SORT_H

#include "base/inet.h"

/* Destination address order (RFC 6724 §6), without the rules that need facts about interfaces (3, 4
 * and 7). Pure: the source address question is the caller's to answer. */

enum { ADDR_SORT_MAX = 128 };

/* The source address that would be used towards `to`; INET_NONE where it cannot be reached. */
typedef struct inet_addr addr_source_fn(void *owner, const struct inet_addr *to);

/* Order `count` (at most ADDR_SORT_MAX) addresses: ret_order[0] is the index of the best. Stable. The
 * source of each address is asked once. */
void addr_sort(const struct inet_addr *addr, size_t count, addr_source_fn *source, void *owner,
               uint8_t *ret_order);

/* RFC 6724 §2.1 policy table and §3.1 scopes, for tests and explanations. */
unsigned addr_precedence(const struct inet_addr *addr);
unsigned addr_label(const struct inet_addr *addr);
unsigned addr_scope(const struct inet_addr *addr);

#endif
