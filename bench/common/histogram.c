/* Durations, in buckets that grow with their value: 64 linear parts for each power of two. */
#include "common/histogram.h"

/* Below 64 a value is its own bucket; above, the highest seven bits choose it. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_PARTS)
        return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - 6u;
    return shift * HISTOGRAM_PARTS + (unsigned)(ns >> shift);
}

static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_PARTS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_PARTS - 1;
    return ((uint64_t)(bucket - shift * HISTOGRAM_PARTS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->buckets[bucket_of(ns)]++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

uint64_t histogram_at(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count + 0.5), seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS && histogram->count > 0; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted && seen > 0) {
            uint64_t top = bucket_top(bucket);
            return top < histogram->max_ns ? top : histogram->max_ns;
        }
    }
    return 0;
}
