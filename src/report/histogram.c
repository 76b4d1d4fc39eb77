/* Ten buckets for a factor of ten, from 10 us to 100 s: each is a fourth wider than the one before, or little more, so
 * that a quantile is off by no more than that. */

#include "report/histogram.h"

#include "base/clock.h"

#include "base/check.h"

enum { PER_TEN = 10 };

/* From one power of ten to the next; in nanoseconds, from `ten` hundredths on. */
#define STEPS(ten)                                                                             \
    100 * (ten), 125 * (ten), 160 * (ten), 200 * (ten), 250 * (ten), 320 * (ten), 400 * (ten), \
        500 * (ten), 640 * (ten), 800 * (ten)
static const uint64_t limits_ns[HISTOGRAM_BUCKETS] = {
    STEPS(100ULL),       STEPS(1000ULL),      STEPS(10000ULL),
    STEPS(100000ULL),    STEPS(1000000ULL),   STEPS(10000000ULL),
    STEPS(100000000ULL), 100 * 1000000000ULL, UINT64_MAX, /* nothing is above the last bucket */
};
#undef STEPS

uint64_t histogram_limit_ns(unsigned bucket)
{
    CHECK(bucket < HISTOGRAM_LIMITS);
    return limits_ns[bucket];
}

bool histogram_is_coarse(unsigned bucket)
{
    unsigned step = bucket % PER_TEN;
    return step == 0 || step == 4 || step == 7; /* 1, 2.5, 5 */
}

/* The first bucket whose limit is not below. There are ten for a factor of 10, and so three for a factor of 2, which
 * gives one from which few steps are left: 2^13 ns are in the first one. */
unsigned histogram_bucket(uint64_t ns)
{
    unsigned bits = 63 - (unsigned)__builtin_clzll(ns | 1);
    unsigned bucket = bits <= 13 ? 0 : 3 * (bits - 13);
    if (bucket > HISTOGRAM_LIMITS)
        bucket = HISTOGRAM_LIMITS;
    while (ns > limits_ns[bucket])
        bucket++;
    return bucket;
}

void histogram_join(struct histogram *histogram, const struct histogram *more)
{
    histogram->count += more->count;
    histogram->sum_ns += more->sum_ns;
    if (more->max_ns > histogram->max_ns)
        histogram->max_ns = more->max_ns;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += more->buckets[i];
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, unsigned permille)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        all += histogram->buckets[i];
    if (all == 0)
        return 0;
    uint64_t wanted = (all * permille + 999) / 1000;
    wanted = wanted == 0 ? 1 : wanted;
    uint64_t before = 0;
    unsigned bucket = 0;
    while (before + histogram->buckets[bucket] < wanted)
        before += histogram->buckets[bucket++];
    if (bucket == HISTOGRAM_LIMITS)
        return histogram_limit_ns(HISTOGRAM_LIMITS - 1);
    uint64_t low = bucket == 0 ? 0 : histogram_limit_ns(bucket - 1);
    uint64_t width = histogram_limit_ns(bucket) - low;
    uint64_t ns = low + width * (wanted - before) / histogram->buckets[bucket];
    return ns < histogram->max_ns ? ns : histogram->max_ns;
}

void histogram_halve(struct histogram *histogram)
{
    histogram->count = 0;
    histogram->sum_ns /= 2;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] /= 2;
        histogram->count += histogram->buckets[i];
    }
    if (histogram->count == 0)
        histogram->max_ns = 0;
}
