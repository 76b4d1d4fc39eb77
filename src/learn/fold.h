#ifndef FAIRLEAD_LEARN_FOLD_H
#define FAIRLEAD_LEARN_FOLD_H

#include "learn/suffixes.h"

#include <stddef.h>

/* Many hosts of one owner as one "*.NAME". */

struct fold_host {
    struct slice name;   /* canonical */
    bool is_address;     /* stays as it is */
    void *item;          /* the caller's */
    struct slice suffix; /* out: below what it was folded; empty: stays */
};

/* Fold where `least` hosts or more stand below one name that has an owner (suffixes_has_owner), as deep as there are so
 * many: what is folded below a name does not count for the names above it. `hosts` are put into another order, in which
 * those of one suffix stand together. `least` is at least 2. */
void fold_hosts(struct fold_host *hosts, size_t count, size_t least,
                const struct suffixes *suffixes);

#endif
