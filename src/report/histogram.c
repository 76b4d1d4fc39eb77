#include "report/histogram.h"

#include "base/clock.h"

#include "base/check.h"

enum { PER_TEN = 10 };

/* Hundredths. */
static const uint16_t steps[PER_TEN] = {100, 125, 160, 200, 250, 320, 400, 500, 640, 800};

uint64_t histogram_limit_ns(unsigned bucket)
{
    CHECK(bucket < HISTOGRAM_LIMITS);
    uint64_t ten = 10 * NS_PER_US / 100;
    for (unsigned i = 0; i < bucket / PER_TEN; i++)
        ten *= 10;
    return steps[bucket % PER_TEN] * ten;
}

bool histogram_is_coarse(unsigned bucket)
{
    uint16_t step = steps[bucket % PER_TEN];
    return step == 100 || step == 250 || step == 500;
}

/* The first bucket whose limit is not below. */
unsigned histogram_bucket(uint64_t ns)
{
    uint64_t ten = 10 * NS_PER_US / 100;
    unsigned first = 0;
    while (first + PER_TEN < HISTOGRAM_BUCKETS && ns > steps[PER_TEN - 1] * ten) {
        ten *= 10;
        first += PER_TEN;
    }
    unsigned step = 0;
    while (first + step < HISTOGRAM_LIMITS && step < PER_TEN && ns > steps[step] * ten)
        step++;
    return first + step;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram_add_in(histogram, histogram_bucket(ns), ns);
}

void histogram_join(struct histogram *histogram, const struct histogram *more)
{
    histogram->count += more->count;
    histogram->sum_ns += more->sum_ns;
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
    return low + width * (wanted - before) / histogram->buckets[bucket];
}

void histogram_halve(struct histogram *histogram)
{
    histogram->count = 0;
    histogram->sum_ns /= 2;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] /= 2;
        histogram->count += histogram->buckets[i];
    }
}
