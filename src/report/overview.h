#ifndef FAIRLEAD_REPORT_OVERVIEW_H
#define FAIRLEAD_REPORT_OVERVIEW_H

#include "base/text.h"
#include "record/record.h"
#include "record/verdict.h"
#include "report/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all records say together: the last two minutes by the second, the last 24 hours by the minute, who was slow in
 * them (record/verdict.h), destinations with what makes them slow, causes of failures and refusals by rule, and phases
 * since the start. Memory does not grow: what is over is kept as a few figures, of destinations those with the most
 * transactions.
 *
 * Every finished record counts, also one that is too much for a list (report/recent.h). */
struct overview;

enum {
    OVERVIEW_SECONDS = 120,
    OVERVIEW_MINUTES = 1440,
    OVERVIEW_DESTINATIONS = 256,
    /* Causes; rules: those that come when there are so many are counted as "(others)". */
    OVERVIEW_WORDS = 128,
};

/* Errors: NULL out of memory; some 1.5 MiB, which are taken as they are used. */
struct overview *overview_create(void);
/* Takes a pointer to NULL. */
void overview_destroy(struct overview **overview);

/* The record of an open tunnel is passed over. Thread: one writer. */
void overview_put(struct overview *overview, const struct record *record);

/* ---- Thread: any ---- */

/* One span of time as JSON: the second that was over last. False: nothing was in it. `into` needs
 * OVERVIEW_SPAN_ROOM. */
bool overview_add_second(struct overview *overview, struct text *into);
enum { OVERVIEW_SPAN_ROOM = 4096 };
/* The number of that second: another one when there is a new one to tell of. */
uint64_t overview_second(void);

/* Members of the overview as JSON, each with a comma behind: "minutes", the last `minutes` of them, "seconds",
 * "causes", "rules", "destinations", "pool". docs/admin.md says what they mean. Ownership: the caller's, to free. NULL:
 * out of memory. */
char *overview_json(struct overview *overview, unsigned minutes, size_t *ret_len);

/* Transactions since the start, by who was slow. */
void overview_slow(struct overview *overview, uint64_t into[SLOW_GUILTY_COUNT]);
/* Phases since the start, by the phase. */
void overview_phases(struct overview *overview, struct histogram into[PHASE_COUNT]);

/* Refusals since the start by rule, failures by cause, the most frequent first. Texts are good until the overview is
 * destroyed. */
struct overview_word {
    struct slice word;
    uint64_t count;
};
size_t overview_rules(struct overview *overview, struct overview_word into[OVERVIEW_WORDS + 1]);
size_t overview_causes(struct overview *overview, struct overview_word into[OVERVIEW_WORDS + 1]);

#endif
