#ifndef FAIRLEAD_REPORT_METRICS_TEXT_H
#define FAIRLEAD_REPORT_METRICS_TEXT_H

#include "base/slice.h"
#include "base/text.h"
#include "record/counter.h"
#include "record/timeline.h"
#include "report/histogram.h"

#include <stddef.h>
#include <stdint.h>

/* The Prometheus text exposition format, version 0.0.4. */

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A figure that is no worker counter. Rows with the same name follow each other. */
struct metrics_extra {
    const char *name; /* without the prefix "fairlead_" */
    const char *help;
    enum counter_kind kind;
    const char *label;  /* label name, or NULL */
    struct slice value; /* label value; any bytes */
    uint64_t number;
    unsigned decimals; /* 9: `number` is in ns and printed in seconds */
};

/* Add all COUNTERS, each summed over `workers`, then `extras`. Where `into` is too small its `is_cut` is
 * set, and the text must not be served. Thread: any. */
void metrics_text_add(const struct counters *const *workers, size_t worker_count,
                      const struct metrics_extra *extras, size_t extra_count, struct text *into);
/* Add phases as histograms in seconds, those that happened; limits are the coarse ones of report/histogram.h. `into`
 * needs METRICS_PHASES_ROOM. */
void metrics_text_add_phases(const struct histogram phases[PHASE_COUNT], struct text *into);
enum { METRICS_PHASES_ROOM = 256 + PHASE_COUNT * 26 * 96 };
/* A room that is always enough for these arguments. */
size_t metrics_text_room(const struct metrics_extra *extras, size_t extra_count);

#endif
