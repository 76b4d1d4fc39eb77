/* The schedule of faults, and each thread's place in it. */

#include "base/fault.h"

#include "base/check.h"
#include "base/slice.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MILLION = 1000000, PARTS = FAULT_SCALE / MILLION };

static const struct {
    const char *name;
    const char *kinds;
} calls[] = {
#define X(name, kinds) {#name, #kinds},
    FAULT_CALLS_EACH(X)
#undef X
};

static const struct {
    const char *name;
    char letter;
} kinds[FAULT_KINDS] = {[FAULT_FAIL] = {"fail", 'F'},
                        [FAULT_SHORT] = {"short", 'S'},
                        [FAULT_LATE] = {"late", 'L'},
                        [FAULT_INTERRUPTED] = {"interrupted", 'I'}};

/* ---- the schedule ---- */

/* "0.015" is 15000, "1" is all. */
static enum status parse_rate(struct slice text, uint32_t *ret_per_million)
{
    struct slice whole;
    uint64_t rate = 0;
    uint32_t unit = MILLION;
    if (!slice_next_part(&text, '.', &whole) || slice_to_u64(whole, 1, &rate) != ST_OK ||
        text.len > 6)
        return ST_BAD;
    rate *= MILLION;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return ST_BAD;
        unit /= 10;
        rate += (uint64_t)(text.at[i] - '0') * unit;
    }
    *ret_per_million = (uint32_t)rate;
    return rate <= MILLION ? ST_OK : ST_BAD;
}

static bool befalls(int call, int kind)
{
    return strchr(calls[call].kinds, kinds[kind].letter) != NULL;
}

/* Give a call this rate in all, in equal parts over the kinds from first to last that befall it. */
static bool set_rate(struct fault_schedule *schedule, int call, int first, int last, uint32_t rate)
{
    uint32_t count = 0;
    for (int kind = first; kind <= last; kind++)
        count += befalls(call, kind);
    for (int kind = first; kind <= last; kind++) {
        if (befalls(call, kind))
            schedule->rate[call][kind] = rate * PARTS / count;
    }
    return count > 0;
}

static enum status parse_word(struct fault_schedule *schedule, struct slice name,
                              struct slice value)
{
    if (slice_equals(name, SLICE("seed")))
        return slice_to_u64(value, UINT64_MAX, &schedule->seed) == ST_OK ? ST_OK : ST_BAD;

    uint32_t rate = 0;
    struct slice call_name;
    if (parse_rate(value, &rate) != ST_OK || !slice_next_part(&name, '.', &call_name))
        return ST_BAD;
    bool is_harmless = slice_equals(call_name, SLICE("harmless"));
    bool is_all = is_harmless || slice_equals(call_name, SLICE("all"));
    int first = is_harmless ? FAULT_SHORT : FAULT_FAIL;
    int last = FAULT_KINDS - 1;
    for (int kind = FAULT_FAIL; name.len > 0 && kind < FAULT_KINDS; kind++) {
        if (slice_equals(name, slice_from_string(kinds[kind].name)))
            first = last = kind;
    }
    if (name.len > 0 && (first != last || is_harmless))
        return ST_BAD;
    bool is_known = false;
    for (int call = 0; call < FAULT_CALLS; call++) {
        if (is_all || slice_equals(call_name, slice_from_string(calls[call].name)))
            is_known = set_rate(schedule, call, first, last, rate) || is_known;
    }
    return is_known ? ST_OK : ST_BAD;
}

enum status fault_schedule_parse(const char *text, struct fault_schedule *ret_schedule)
{
    struct fault_schedule schedule = {0};
    struct slice rest = slice_from_string(text);
    struct slice word;
    struct slice name;
    while (slice_next_part(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!slice_next_part(&word, '=', &name) || parse_word(&schedule, name, word) != ST_OK)
            return ST_BAD;
    }
    *ret_schedule = schedule;
    return ST_OK;
}

enum fault_kind fault_draw(const struct fault_schedule *schedule, struct random *random,
                           enum fault_call call)
{
    const uint32_t *rate = schedule->rate[call];
    uint32_t all = 0;
    for (int kind = FAULT_FAIL; kind < FAULT_KINDS; kind++)
        all += rate[kind];
    if (all == 0)
        return FAULT_NONE;
    uint64_t drawn = random_below(random, FAULT_SCALE);
    for (int kind = FAULT_FAIL; kind < FAULT_KINDS; kind++) {
        if (drawn < rate[kind])
            return (enum fault_kind)kind;
        drawn -= rate[kind];
    }
    return FAULT_NONE;
}

/* ---- this thread's place in it ---- */

#ifdef FAIRLEAD_FAULTS

static _Thread_local struct {
    bool is_on;
    struct fault_schedule schedule;
    struct random random;
} own;

static _Atomic uint64_t told[FAULT_CALLS][FAULT_KINDS]; /* any thread, relaxed; read at the end */

static void report(void)
{
    FILE *file = fopen(getenv(FAULT_REPORT_VARIABLE), "ae");
    for (int call = 0; file != NULL && call < FAULT_CALLS; call++) {
        for (int kind = FAULT_FAIL; kind < FAULT_KINDS; kind++) {
            if (told[call][kind] > 0)
                (void)fprintf(file, "%s.%s %llu\n", calls[call].name, kinds[kind].name,
                              (unsigned long long)told[call][kind]);
        }
    }
    if (file != NULL)
        (void)fclose(file); /* who reads it sees what is missing */
}

void fault_begin(unsigned thread)
{
    static atomic_flag is_told_at_end = ATOMIC_FLAG_INIT;
    const char *text = getenv(FAULT_VARIABLE);
    if (text == NULL)
        return;
    CHECK(fault_schedule_parse(text, &own.schedule) == ST_OK);
    random_seed(&own.random, own.schedule.seed + thread);
    if (getenv(FAULT_REPORT_VARIABLE) != NULL && !atomic_flag_test_and_set(&is_told_at_end))
        CHECK(atexit(report) == 0);
    own.is_on = true;
}

void fault_end(void)
{
    own.is_on = false;
}

enum fault_kind fault_next(enum fault_call call)
{
    if (!own.is_on)
        return FAULT_NONE;
    enum fault_kind kind = fault_draw(&own.schedule, &own.random, call);
    if (kind != FAULT_NONE)
        atomic_fetch_add_explicit(&told[call][kind], 1, memory_order_relaxed);
    return kind;
}

void fault_set_errno(const int *errors, size_t count)
{
    errno = errors[random_below(&own.random, count)];
}

uint64_t fault_below(uint64_t bound)
{
    return random_below(&own.random, bound);
}

#endif
