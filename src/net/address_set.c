/* Counted, constant arrays of addresses. One allocation each; made when an answer or a hosts file is read,
 * never on the way of a request that finds its name in the cache. */

#include "net/address_set.h"

#include "base/check.h"

#include <stdlib.h>

#define ADDRESS_SET_TAG TAG('a', 's', 'e', 't')

struct address_set *address_set_create(const struct inet_addr *addr, size_t count)
{
    struct address_set *set = malloc(sizeof(*set) + count * sizeof(*addr));
    if (set == NULL)
        return NULL;
    set->tag = ADDRESS_SET_TAG;
    set->refs = 1;
    set->count = (uint32_t)count;
    if (count > 0)
        memcpy(set->addr, addr, count * sizeof(*addr));
    return set;
}

struct address_set *address_set_ref(struct address_set *set)
{
    CHECK_TAG(set, ADDRESS_SET_TAG);
    set->refs++;
    return set;
}

void address_set_unref(struct address_set **unref)
{
    struct address_set *set = *unref;
    *unref = NULL;
    if (set == NULL)
        return;
    CHECK_TAG(set, ADDRESS_SET_TAG);
    CHECK(set->refs > 0);
    if (--set->refs > 0)
        return;
    set->tag = 0;
    free(set);
}
