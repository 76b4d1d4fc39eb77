#ifndef FAIRLEAD_REPORT_RECENT_H
#define FAIRLEAD_REPORT_RECENT_H

#include "record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last records, whole, for views while the proxy runs: in memory that does not grow, so a new one takes the place of
 * the oldest.
 *
 * Nobody reads thousands of lines a second. Of what ends in one second the first RECENT_PLAIN_MAX are kept, and beyond
 * them RECENT_NOTABLE_MAX more that did not go well or took a second. The others are left out and counted, so that
 * whoever reads is told. */
struct recent;

enum { RECENT_PLAIN_MAX = 2000, RECENT_NOTABLE_MAX = 500, RECENT_BYTES_MIN = 64 * 1024 };

/* What a view reads of one record. */
struct recent_place {
    uint64_t sequence; /* 1 for the first one, and no number is missing */
    uint64_t left_out; /* records that were left out before it, since the start */
};

/* What there is now. */
struct recent_span {
    uint64_t oldest; /* sequence; 0: nothing was kept yet */
    uint64_t newest; /* 0: likewise */
    uint64_t left_out;
};

/* Errors: NULL out of memory. `bytes` of at least RECENT_BYTES_MIN are taken as they are used. */
struct recent *recent_create(size_t bytes);
/* Takes a pointer to NULL. */
void recent_destroy(struct recent **recent);

/* Thread: one writer. */
void recent_put(struct recent *recent, const struct record *record);
/* Thread: any. */
struct recent_span recent_span(struct recent *recent);
/* Copy one out. False: it has not come yet, or is there no more. Thread: any. */
bool recent_get(struct recent *recent, uint64_t sequence, struct record *into,
                struct recent_place *ret_place);

#endif
