/* The names of the counters, and their sums.
 *
 * A reader sees each counter of each worker at some moment of the recent past; two counters of one sum need
 * not fit each other to the last event. */
#include "record/counter.h"

#include "base/check.h"

#include <assert.h>

static const struct {
    enum counter_kind kind;
    const char *metric;
    const char *help;
} counter_names[] = {
#define X(name, kind, metric, help) [COUNT_##name] = {kind, metric, help},
    COUNTERS(X)
#undef X
};
static_assert(COUNT_OF(counter_names) == COUNT_COUNT, "every counter has a name");

uint64_t counter_sum(const struct counters *const *workers, size_t worker_count, enum counter which)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < worker_count; i++)
        sum += counter_get(workers[i], which);
    return sum;
}

enum counter_kind counter_kind(enum counter which)
{
    return counter_names[which].kind;
}

const char *counter_metric(enum counter which)
{
    return counter_names[which].metric;
}

const char *counter_help(enum counter which)
{
    return counter_names[which].help;
}
