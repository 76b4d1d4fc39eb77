/* A record is counted in the second that is open, and for its destination. When the second is over it is added to the
 * minute that is open and to what there is since the start; of a second and a minute that are over a few figures are
 * kept in rings.
 *
 *     record --> open second --(over)--> seconds[120], open minute --(over)--> minutes[1440]
 *           |                      `---> phases since the start
 *           `--> destination, cause, rule
 *
 *     V1  spans are numbered by the monotonic clock, so that a step of the wall clock neither loses nor doubles one.
 *     V2  a late record belongs to the span that is open.
 *     V3  what is older than the ring is long is not shown, though it is still there.
 *
 * One lock, held while one record is counted or one view is written: the writer is the recorder, which no request
 * waits for. */

#include "report/overview_internal.h"

#include "base/clock.h"
#include "record/verdict.h"

#include <stdlib.h>
#include <string.h>

enum { JUDGE_EVERY_S = 5 };

/* ---- life ---- */

struct overview *overview_create(void)
{
    struct overview *overview = calloc(1, sizeof(*overview));
    if (overview == NULL)
        return NULL;
    overview->tag = TAG_OVERVIEW;
    (void)pthread_mutex_init(&overview->lock, NULL); /* a plain one cannot fail */
    return overview;
}

void overview_destroy(struct overview **overview)
{
    struct overview *old = *overview;
    if (old == NULL)
        return;
    CHECK_TAG(old, TAG_OVERVIEW);
    *overview = NULL;
    (void)pthread_mutex_destroy(&old->lock);
    old->tag = 0;
    free(old);
}

void overview_lock(struct overview *overview)
{
    CHECK_TAG(overview, TAG_OVERVIEW);
    (void)pthread_mutex_lock(&overview->lock);
}

void overview_unlock(struct overview *overview)
{
    (void)pthread_mutex_unlock(&overview->lock);
}

/* ---- spans ---- */

static uint32_t as_us(uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

struct quantiles quantiles_of(const struct histogram *histogram)
{
    return (struct quantiles){
        .count = histogram->count < UINT32_MAX ? (uint32_t)histogram->count : UINT32_MAX,
        .p50_us = as_us(histogram_quantile_ns(histogram, 500)),
        .p90_us = as_us(histogram_quantile_ns(histogram, 900)),
        .p99_us = as_us(histogram_quantile_ns(histogram, 990)),
    };
}

void span_close(const struct open_span *open, struct span *span)
{
    *span = (struct span){.number = open->number, .tally = open->tally};
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (open->phases[i].count > 0)
            span->phases[i] = quantiles_of(&open->phases[i]);
    }
}

void tally_join(struct tally *tally, const struct tally *more)
{
    tally->transactions += more->transactions;
    tally->tunnels += more->tunnels;
    tally->refused += more->refused;
    tally->failed += more->failed;
    tally->client_in += more->client_in;
    tally->client_out += more->client_out;
    tally->opened += more->opened;
    tally->reused += more->reused;
    tally->saved_us += more->saved_us;
    for (size_t side = 0; side < SLOW_GUILTY_COUNT; side++)
        tally->slow[side] += more->slow[side];
}

/* What was not there before is not looked at: most phases do not happen. */
void phases_join(struct histogram *phases, const struct histogram *more)
{
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (more[i].count > 0)
            histogram_join(&phases[i], &more[i]);
    }
}

static uint64_t minute_of(uint64_t second)
{
    return (second - 1) / SECONDS_PER_MINUTE + 1;
}

/* The second is over: it becomes part of its minute. */
static void second_close(struct overview *overview)
{
    const struct open_span *second = &overview->second;
    span_close(second, &overview->seconds[second->number % OVERVIEW_SECONDS]);
    tally_join(&overview->minute.tally, &second->tally);
    phases_join(overview->minute.phases, second->phases);
    phases_join(overview->phases, second->phases);
    memset(&overview->second, 0, sizeof(overview->second));
}

static void minute_close(struct overview *overview)
{
    const struct open_span *minute = &overview->minute;
    span_close(minute, &overview->minutes[minute->number % OVERVIEW_MINUTES]);
    memset(&overview->minute, 0, sizeof(overview->minute));
}

/* ---- words ---- */

static void words_put(struct words *words, struct slice text)
{
    text = slice_first(text, WORD_MAX - 1);
    for (size_t i = 0; i < words->count; i++) {
        if (slice_equals(slice_from_string(words->at[i].text), text)) {
            words->at[i].count++;
            return;
        }
    }
    if (words->count == OVERVIEW_WORDS) {
        words->others++;
        return;
    }
    struct word *word = &words->at[words->count++];
    memcpy(word->text, text.at, text.len);
    word->count = 1;
}

static int word_compare(const void *a, const void *b)
{
    const struct overview_word *left = a, *right = b;
    return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

size_t words_sorted(const struct words *words, struct overview_word *into)
{
    size_t count = 0;
    for (; count < words->count; count++)
        into[count] = (struct overview_word){slice_from_string(words->at[count].text),
                                             words->at[count].count};
    qsort(into, count, sizeof(*into), word_compare);
    if (words->others > 0)
        into[count++] = (struct overview_word){SLICE("(others)"), words->others};
    return count;
}

size_t overview_rules(struct overview *overview, struct overview_word into[OVERVIEW_WORDS + 1])
{
    overview_lock(overview);
    size_t count = words_sorted(&overview->rules, into);
    overview_unlock(overview);
    return count;
}

size_t overview_causes(struct overview *overview, struct overview_word into[OVERVIEW_WORDS + 1])
{
    overview_lock(overview);
    size_t count = words_sorted(&overview->causes, into);
    overview_unlock(overview);
    return count;
}

/* ---- counting ---- */

static void tally_pool(struct tally *tally, const struct record *record)
{
    tally->opened += record->upstream_use == 1;
    if (record->upstream_use <= 1)
        return;
    tally->reused++;
    tally->saved_us +=
        (record->paid_dns_ns + record->paid_connect_ns + record->paid_tls_ns) / NS_PER_US;
}

/* SLOW_GUILTY_COUNT or more: nobody. */
static enum slow_side slow_of(const struct record *record)
{
    struct verdict verdict;
    return verdict_judge(record, &verdict) ? verdict.slow : SLOW_NONE;
}

static void tally_slow(struct tally *tally, enum slow_side slow)
{
    if (slow < SLOW_GUILTY_COUNT)
        tally->slow[slow]++;
}

static void tally_put(struct tally *tally, const struct record *record)
{
    bool is_refused = record->end == END_REFUSED;
    tally->transactions++;
    tally->tunnels += record_is_tunnel(record);
    tally->refused += is_refused;
    tally->failed += !is_refused && record->cause.len > 0;
    tally->client_in += record->client_in_bytes;
    tally->client_out += record->client_out_bytes;
    tally_pool(tally, record);
}

void overview_turn(struct overview *overview, uint64_t now_ns)
{
    uint64_t second = now_ns / NS_PER_S + 1;
    if (second <= overview->second.number)
        return;
    if (overview->second.number != 0)
        second_close(overview);
    bool is_minute = overview->minute.number != 0 && overview->minute.number != minute_of(second);
    if (is_minute)
        minute_close(overview);
    overview->second.number = second;
    overview->minute.number = minute_of(second);
    if (second / JUDGE_EVERY_S == overview->judged_s / JUDGE_EVERY_S)
        return;
    overview->judged_s = second;
    for (size_t i = 0; i < OVERVIEW_DESTINATIONS; i++) {
        struct destination *destination = &overview->destinations[i];
        if (destination->hash == 0)
            continue;
        destination_judge(destination, now_ns);
        if (is_minute)
            destination_forget_half(destination);
    }
}

static void phases_put(struct overview *overview, const struct record *record,
                       struct destination *destination)
{
    uint64_t lasted_ns[PHASE_COUNT];
    uint64_t phases = timeline_phases(&record->timeline, lasted_ns);
    /* The life of a tunnel is no wait of anybody: it is in `tunnel`, and not in `total`. */
    if (record_is_tunnel(record))
        phases &= ~(1ULL << PHASE_TOTAL);
    for (; phases != 0; phases &= phases - 1) {
        enum phase phase = (enum phase)__builtin_ctzll(phases);
        unsigned bucket = histogram_bucket(lasted_ns[phase]);
        struct histogram *own = destination_phase(destination, phase);
        histogram_add_in(&overview->second.phases[phase], bucket, lasted_ns[phase]);
        if (own != NULL)
            histogram_add_in(own, bucket, lasted_ns[phase]);
    }
}

void overview_put(struct overview *overview, const struct record *record)
{
    if (record->is_in_progress)
        return;
    uint64_t end_ns = record->timeline.at_ns[MARK_X_END];
    enum slow_side slow = slow_of(record);
    overview_lock(overview);
    overview_turn(overview, end_ns != 0 ? end_ns : clock_monotonic_ns());
    tally_put(&overview->second.tally, record);
    tally_slow(&overview->second.tally, slow);
    phases_put(overview, record, destination_of(overview, record));
    tally_pool(&overview->tally, record);
    tally_slow(&overview->tally, slow);
    if (record->end == END_REFUSED)
        words_put(&overview->rules, record_get(record, record->rule));
    else if (record->cause.len > 0)
        words_put(&overview->causes, record_get(record, record->cause));
    overview_unlock(overview);
}

void overview_slow(struct overview *overview, uint64_t into[SLOW_GUILTY_COUNT])
{
    overview_lock(overview);
    memcpy(into, overview->tally.slow, sizeof(overview->tally.slow));
    overview_unlock(overview);
}

void overview_phases(struct overview *overview, struct histogram into[PHASE_COUNT])
{
    overview_lock(overview);
    memcpy(into, overview->phases, sizeof(overview->phases));
    phases_join(into, overview->second.phases);
    overview_unlock(overview);
}
