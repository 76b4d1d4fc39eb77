#ifndef FAIRLEAD_REPORT_HISTOGRAM_H
#define FAIRLEAD_REPORT_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* Durations, counted in buckets that grow by a quarter: ten for each power of ten (the R10 row of ISO 3), from 10 us to
 * 100 s, and one above. A quantile is right to within that. */

enum { HISTOGRAM_LIMITS = 71, HISTOGRAM_BUCKETS = HISTOGRAM_LIMITS + 1 };

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;                     /* the largest one since there was none */
    uint32_t buckets[HISTOGRAM_BUCKETS]; /* the last one is of what is above all limits */
};

/* The upper limit of a bucket, which belongs to it; `bucket` < HISTOGRAM_LIMITS. */
uint64_t histogram_limit_ns(unsigned bucket);
/* Is the limit one of the few that a coarse view shows: 1, 2.5 and 5 of each power of ten? */
bool histogram_is_coarse(unsigned bucket);

/* The bucket that a duration belongs to. */
unsigned histogram_bucket(uint64_t ns);
/* Count a duration, whose bucket is known: it may be that of several histograms. */
static inline void histogram_add_in(struct histogram *histogram, unsigned bucket, uint64_t ns)
{
    histogram->count++;
    histogram->sum_ns += ns;
    histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
    histogram->buckets[bucket]++;
}
/* Add all that `more` has. */
void histogram_join(struct histogram *histogram, const struct histogram *more);
/* Below or at what `permille` of all are, by a straight line in its bucket, and no more than the largest one; 0 where
 * there are none. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, unsigned permille);
/* Forget half of each bucket, so that what is old counts for less. */
void histogram_halve(struct histogram *histogram);

#endif
