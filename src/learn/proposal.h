#ifndef FAIRLEAD_LEARN_PROPOSAL_H
#define FAIRLEAD_LEARN_PROPOSAL_H

#include "learn/store.h"
#include "learn/suffixes.h"

#include <stdio.h>

/* What was counted as a part of a configuration: rules that allow what was seen and nothing else, with their counts as
 * comments. `fairlead check` takes it as it is. */

struct proposal_options {
    uint64_t min_count;              /* destinations with fewer requests are left out */
    size_t fold_least;               /* so many hosts of one owner become "*.NAME"; 0: never */
    const struct suffixes *suffixes; /* where fold_least is not 0 */
    uint64_t line_count, bad_count;  /* of the input */
};

/* Errors: ST_NOMEM. */
enum status proposal_print(const struct store *store, const struct proposal_options *options,
                           FILE *out) MUST_USE;

#endif
