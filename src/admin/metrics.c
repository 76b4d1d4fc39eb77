/* One scrape: what the workers counted, and beside it figures that nobody counts. Those are of the process, of each
 * worker, and of the overview, which has rules, causes, phases and who was slow. They are collected first, since the
 * room that the text needs follows from their number; report/metrics_text.c writes them. */

#include "admin/metrics.h"

#include "admin/lent.h"
#include "admin/overview.h"
#include "base/check.h"
#include "report/metrics_text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    METRICS_WORKER_TEXT = 24,
    METRICS_EXTRAS = 8 + 2 * ERRAND_STOPS_MAX + 2 * (OVERVIEW_WORDS + 1) + SLOW_GUILTY_COUNT,
};

/* The figures of one scrape that are no counters. */
struct extras {
    struct metrics_extra at[METRICS_EXTRAS];
    size_t count;
    char workers[ERRAND_STOPS_MAX][METRICS_WORKER_TEXT];
    struct overview_word rules[OVERVIEW_WORDS + 1];
    struct overview_word causes[OVERVIEW_WORDS + 1];
    struct histogram phases[PHASE_COUNT];
};

/* Refused by a full ring, or formatted and not written. */
static uint64_t count_lost_records(const struct admin *admin)
{
    if (admin->recorder == NULL)
        return 0;
    struct recorder_stats stats = recorder_stats(admin->recorder);
    return stats.dropped + stats.lost;
}

static void extras_add(struct extras *extras, const struct metrics_extra *extra)
{
    CHECK(extras->count < METRICS_EXTRAS);
    extras->at[extras->count++] = *extra;
}

static void extras_add_process(struct extras *extras, const struct admin *admin)
{
    const struct metrics_extra figures[] = {
        {.name = "records_lost_total",
         .help = "Records that are not in the access log: it was written too slowly, or failed",
         .kind = COUNTER,
         .number = count_lost_records(admin)},
        {.name = "live_left_out_total",
         .help = "Transactions that the live views do not have, since too many ended in a second",
         .kind = COUNTER,
         .number = recent_span(admin->recent).left_out},
        {.name = "own_addresses",
         .help = "Addresses of this machine, which are never dialled",
         .kind = GAUGE,
         .number = atomic_load_explicit(&admin->address_count, memory_order_relaxed)},
        {.name = "own_address_changes_total",
         .help = "Times these were found to be others than before",
         .kind = COUNTER,
         .number = atomic_load_explicit(&admin->address_changes, memory_order_relaxed)},
        {.name = "build_info",
         .help = "Always 1; the version is its label",
         .kind = GAUGE,
         .label = "version",
         .value = SLICE(FAIRLEAD_VERSION),
         .number = 1},
    };
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        extras_add(extras, &figures[i]);
}

/* A figure of each worker: what it has open, so that an uneven spread is seen, and what it used. */
static void extras_add_workers(struct extras *extras, const struct admin *admin,
                               struct metrics_extra extra,
                               uint64_t (*figure)(const struct admin *, size_t worker))
{
    for (size_t i = 0; i < admin->counter_count; i++) {
        int len = snprintf(extras->workers[i], METRICS_WORKER_TEXT, "%zu", i);
        extra.value = slice_of(extras->workers[i], (size_t)len);
        extra.number = figure(admin, i);
        extras_add(extras, &extra);
    }
}

static uint64_t worker_open(const struct admin *admin, size_t worker)
{
    return counter_open(admin->counters[worker]);
}

static void extras_add_words(struct extras *extras, const struct metrics_extra *extra,
                             const struct overview_word *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct metrics_extra each = *extra;
        each.value = words[i].word;
        each.number = words[i].count;
        extras_add(extras, &each);
    }
}

/* All of them, also where there were none: a rate needs a beginning. */
static void extras_add_slow(struct extras *extras, const struct admin *admin)
{
    struct metrics_extra each = {.name = "slow_transactions_total",
                                 .help = "Transactions that took 100 ms or more, by who was slow",
                                 .kind = COUNTER,
                                 .label = "side"};
    uint64_t counts[SLOW_GUILTY_COUNT];
    overview_slow(admin->overview, counts);
    for (int side = 0; side < SLOW_GUILTY_COUNT; side++) {
        each.value = slice_from_string(slow_word((enum slow_side)side));
        each.number = counts[side];
        extras_add(extras, &each);
    }
}

static void extras_collect(struct extras *extras, const struct admin *admin)
{
    static const struct metrics_extra open = {.name = "worker_connections",
                                              .help =
                                                  "Client connections and tunnels open, by worker",
                                              .kind = GAUGE,
                                              .label = "worker"};
    static const struct metrics_extra used = {.name = "worker_cpu_seconds_total",
                                              .help = "CPU time used, by worker",
                                              .kind = COUNTER,
                                              .label = "worker",
                                              .decimals = 9};
    static const struct metrics_extra rules = {
        .name = "rule_refusals_total",
        .help = "Transactions refused, by rule; the first 128 rules, then \"(others)\"",
        .kind = COUNTER,
        .label = "rule"};
    static const struct metrics_extra causes = {.name = "cause_failures_total",
                                                .help = "Transactions that failed, by cause",
                                                .kind = COUNTER,
                                                .label = "cause"};
    extras_add_process(extras, admin);
    extras_add_workers(extras, admin, open, worker_open);
    extras_add_workers(extras, admin, used, overview_worker_ns);
    extras_add_words(extras, &rules, extras->rules, overview_rules(admin->overview, extras->rules));
    extras_add_words(extras, &causes, extras->causes,
                     overview_causes(admin->overview, extras->causes));
    extras_add_slow(extras, admin);
    overview_phases(admin->overview, extras->phases);
}

void metrics_show(const struct call *call)
{
    const struct admin *admin = call->admin;
    if (!lent_has_room(call, LENT_FIGURES, 0))
        return;
    struct extras *extras = calloc(1, sizeof(*extras));
    struct text text = text_on(NULL, 0);
    if (extras != NULL) {
        extras_collect(extras, admin);
        size_t room = metrics_text_room(extras->at, extras->count) + METRICS_PHASES_ROOM;
        text = text_on(malloc(room), room);
    }
    if (text.at != NULL) {
        metrics_text_add(admin->counters, admin->counter_count, extras->at, extras->count, &text);
        metrics_text_add_phases(extras->phases, &text);
        CHECK(!text.is_cut);
    }
    free(extras);
    lent_answer(call, LENT_FIGURES, METRICS_TEXT_TYPE, text.at, text.len);
}
