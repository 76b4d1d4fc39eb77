#ifndef FAIRLEAD_REPORT_RECENT_H
#define FAIRLEAD_REPORT_RECENT_H

#include "record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last records, whole, for views while the proxy runs: in memory that does not grow, so a new one takes the place
 * of the oldest.
 *
 * Nobody reads thousands of lines a second. Of what ends in one second the first RECENT_PLAIN_MAX are kept, and beyond
 * them RECENT_NOTABLE_MAX more that did not go well or took a second. The others are left out and counted, so that
 * whoever reads is told. */
struct recent;

enum { RECENT_PLAIN_MAX = 2000, RECENT_NOTABLE_MAX = 500, RECENT_BYTES_MIN = 64 * 1024 };

/* What a view reads of one record. */
struct recent_place {
    uint64_t sequence; /* no number is missing */
    uint64_t left_out; /* records that were left out before it, since the start */
};

/* What there is now. */
struct recent_span {
    uint64_t first;  /* sequence that the very first record had, or will have */
    uint64_t oldest; /* that is kept */
    uint64_t newest; /* below `oldest` where there is none */
    uint64_t left_out;
};

/* Numbers begin with `first`, at least 1. Errors: NULL out of memory. `bytes` of at least RECENT_BYTES_MIN are taken as
 * they are used. */
struct recent *recent_create(size_t bytes, uint64_t first);
/* A first number for a process that begins at this wall time: above all of any process before, and below 2^53 until
 * 2039. */
uint64_t recent_first(uint64_t wall_ns);
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
