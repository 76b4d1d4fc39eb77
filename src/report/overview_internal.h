#ifndef FAIRLEAD_REPORT_OVERVIEW_INTERNAL_H
#define FAIRLEAD_REPORT_OVERVIEW_INTERNAL_H

#include "base/check.h"
#include "base/host.h"
#include "report/overview.h"

#include <pthread.h>

/* What the files of the overview share: overview.c (spans, words, counting), overview_destinations.c (how each
 * destination does), overview_json.c (what is shown of it all). */

enum { TAG_OVERVIEW = TAG('o', 'v', 'v', 'w'), WORD_MAX = 160, SECONDS_PER_MINUTE = 60 };

/* The phases in which a destination can be slow, in the order of their life. */
#define SLOW_PHASES(X) X(BLOCKED) X(DNS) X(CONNECT) X(TLS) X(SEND) X(WAIT) X(LOAD)
enum slow_phase {
#define X(name) SLOW_IN_##name,
    SLOW_PHASES(X)
#undef X
        SLOW_IN_COUNT,
    NOT_SLOW = SLOW_IN_COUNT
};

struct quantiles {
    uint32_t count;
    uint32_t p50_us, p90_us, p99_us;
};

struct tally {
    uint64_t transactions, tunnels, refused, failed;
    uint64_t client_in, client_out;
    uint64_t opened, reused, saved_us;
    uint64_t slow[SLOW_GUILTY_COUNT]; /* transactions, by who was slow */
};

/* A second or a minute that is over. */
struct span {
    uint64_t number; /* since the clock began, plus 1; 0: never used */
    struct tally tally;
    struct quantiles phases[PHASE_COUNT];
};

struct open_span {
    uint64_t number;
    struct tally tally;
    struct histogram phases[PHASE_COUNT];
};

struct destination {
    uint64_t hash;         /* 0: a free place */
    uint64_t transactions; /* lately: halved each minute */
    uint64_t failed;
    uint8_t slow_in; /* enum slow_phase */
    uint64_t slow_since_ns;
    struct histogram total;
    struct histogram phases[SLOW_IN_COUNT];
    uint16_t port; /* 0: the usual one of its scheme */
    char host[HOST_MAX + 1];
};

struct word {
    uint64_t count;
    char text[WORD_MAX];
};

struct words {
    struct word at[OVERVIEW_WORDS];
    size_t count;
    uint64_t others;
};

struct overview {
    uint32_t tag;
    pthread_mutex_t lock; /* of all that follows */
    struct open_span second, minute;
    struct span seconds[OVERVIEW_SECONDS];
    struct span minutes[OVERVIEW_MINUTES];
    struct histogram phases[PHASE_COUNT];
    struct tally tally;
    struct words causes, rules;
    uint64_t judged_s; /* the second in which destinations were looked at last */
    struct destination destinations[OVERVIEW_DESTINATIONS];
};

/* ---- overview.c ---- */

/* Around whatever reads or changes it; all functions below that take it, or a part of it, are called in between. */
void overview_lock(struct overview *overview);
void overview_unlock(struct overview *overview);
/* Close what is over at `now_ns`, monotonic, and open what begins. */
void overview_turn(struct overview *overview, uint64_t now_ns);

/* Its count and three quantiles, as far as 32 bits go. */
struct quantiles quantiles_of(const struct histogram *histogram);
/* What is left of an open span when it is over. */
void span_close(const struct open_span *open, struct span *span);
/* Add all that `more` has. */
void tally_join(struct tally *tally, const struct tally *more);
void phases_join(struct histogram *phases, const struct histogram *more);
/* The most frequent first, behind them "(others)". `into` has room for OVERVIEW_WORDS + 1; how many. */
size_t words_sorted(const struct words *words, struct overview_word *into);

/* ---- overview_destinations.c ---- */

/* The destination of a record, counted, but for its phases. NULL: it counts for none. */
struct destination *destination_of(struct overview *overview, const struct record *record);
/* Where it keeps a phase; NULL: nowhere. */
struct histogram *destination_phase(struct destination *destination, enum phase phase);
/* The phase that makes it slow, and its enum slow_phase; NULL: none. */
const struct histogram *destination_worst(const struct destination *destination,
                                          uint8_t *ret_index);
/* What enum slow_phase stands for, but for NOT_SLOW. */
enum phase destination_slow_phase(uint8_t index);
/* Look whether it is slow, and since when. */
void destination_judge(struct destination *destination, uint64_t now_ns);
/* Half of what it counted; where nothing is left its place is free. */
void destination_forget_half(struct destination *destination);

#endif
