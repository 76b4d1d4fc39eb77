#ifndef FAIRLEAD_COMMON_HISTOGRAM_H
#define FAIRLEAD_COMMON_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PARTS = 64, HISTOGRAM_BUCKETS = 64 * HISTOGRAM_PARTS };

/* Counts of durations; each bucket is at most 1/64 of its value wide. */
struct histogram {
    uint64_t count, max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The duration that `share` (0 to 1) of all do not exceed; 0 when there are none. */
uint64_t histogram_at(const struct histogram *histogram, double share);

#endif
