#ifndef FAIRLEAD_BASE_LEAST_H
#define FAIRLEAD_BASE_LEAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The N least of many, in the order of two numbers, in an array of the caller's that does not grow. */

struct least_item {
    uint64_t key;
    uint64_t tie; /* of the same key the lower one comes first */
    void *what;   /* the caller's */
};

struct least {
    struct least_item *items; /* `limit` of them, borrowed; the first `count` are in use */
    size_t limit;
    size_t count;
};

/* Would one that has these be among them? */
bool least_wants(const struct least *least, uint64_t key, uint64_t tie);
/* Put one in, which is wanted. The one that makes room for it, or NULL: there was some. */
void *least_put(struct least *least, struct least_item item);
/* The least first, from now on; nothing may be put in any more. */
void least_sort(struct least *least);

#endif
