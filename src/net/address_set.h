#ifndef FAIRLEAD_NET_ADDRESS_SET_H
#define FAIRLEAD_NET_ADDRESS_SET_H

#include "base/inet.h"

/* Addresses of one name and family, counted and never changed: the cache, the hosts table and questions
 * share one copy. Thread: one. */
struct address_set {
    uint32_t tag;
    uint32_t refs;
    uint32_t count;
    struct inet_addr addr[];
};

/* Copies `count` addresses. Errors: NULL out of memory. */
struct address_set *address_set_create(const struct inet_addr *addr, size_t count) MUST_USE;
struct address_set *address_set_ref(struct address_set *set);
/* *set is NULL afterwards. Takes a pointer to NULL. */
void address_set_unref(struct address_set **set);

#endif
