/* A record is counted in the second that is open, and for its destination. When the second is over it is added to the
 * minute that is open and to what there is since the start; of a second and a minute that are over a few figures are kept in
 * rings.
 *
 *     record --> open second --(over)--> seconds[120], open minute --(over)--> minutes[1440]
 *           |                      `---> phases since the start
 *           `--> destination, cause, rule
 *
 *     V1  spans are numbered by the monotonic clock, so that a step of the wall clock neither loses nor doubles one.
 *     V2  a late record belongs to the span that is open.
 *     V3  what is older than the ring is long is not shown, though it is still there.
 *
 * Destinations forget half of what they know each minute: they show how things are, not how they were. Each has a few
 * places behind its hash, of which a new one takes the one with the fewest transactions: so the frequent ones stay, without a
 * walk through all.
 *
 * One lock, held while one record is counted or one view is written: the writer is the recorder, which no request
 * waits for. */

#include "report/overview.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/table.h"
#include "record/verdict.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_OVERVIEW = TAG('o', 'v', 'v', 'w'),
    SECONDS_PER_MINUTE = 60,
    WORD_MAX = 160,
    PLACES = 8, /* where a destination may lie */
    JUDGE_EVERY_S = 5,
    SLOW_LEAST = 5, /* durations that a judgement needs */
    LISTED_MAX = 100,
};

/* The phases in which a destination can be slow, in the order of their life. */
#define SLOW_PHASES(X) X(BLOCKED) X(DNS) X(CONNECT) X(TLS) X(SEND) X(WAIT) X(LOAD)
enum slow_phase {
#define X(name) SLOW_IN_##name,
    SLOW_PHASES(X)
#undef X
        SLOW_IN_COUNT,
    NOT_SLOW = SLOW_IN_COUNT
};
static const enum phase slow_phases[] = {
#define X(name) PHASE_##name,
    SLOW_PHASES(X)
#undef X
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
    uint8_t slow_in; /* index of slow_phases, or NOT_SLOW */
    uint64_t slow_since_ns;
    struct histogram total;
    struct histogram phases[SLOW_IN_COUNT];
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

static void overview_lock(struct overview *overview)
{
    CHECK_TAG(overview, TAG_OVERVIEW);
    (void)pthread_mutex_lock(&overview->lock);
}

static void overview_unlock(struct overview *overview)
{
    (void)pthread_mutex_unlock(&overview->lock);
}

/* ---- spans ---- */

static uint64_t second_now(void)
{
    return clock_monotonic_ns() / NS_PER_S + 1;
}

static uint32_t as_us(uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static struct quantiles quantiles_of(const struct histogram *histogram)
{
    return (struct quantiles){
        .count = histogram->count < UINT32_MAX ? (uint32_t)histogram->count : UINT32_MAX,
        .p50_us = as_us(histogram_quantile_ns(histogram, 500)),
        .p90_us = as_us(histogram_quantile_ns(histogram, 900)),
        .p99_us = as_us(histogram_quantile_ns(histogram, 990)),
    };
}

static void span_close(const struct open_span *open, struct span *span)
{
    *span = (struct span){.number = open->number, .tally = open->tally};
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        if (open->phases[i].count > 0)
            span->phases[i] = quantiles_of(&open->phases[i]);
    }
}

static void tally_join(struct tally *tally, const struct tally *more)
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
static void phases_join(struct histogram *phases, const struct histogram *more)
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

/* ---- destinations ---- */

static const struct histogram *destination_worst(const struct destination *destination,
                                                 uint8_t *ret_index)
{
    const struct histogram *worst = NULL;
    uint64_t worst_ns = 0;
    for (size_t i = 0; i < SLOW_IN_COUNT; i++) {
        const struct histogram *histogram = &destination->phases[i];
        uint64_t p90_ns = histogram->count < SLOW_LEAST ? 0 : histogram_quantile_ns(histogram, 900);
        if (p90_ns <= worst_ns)
            continue;
        worst = histogram;
        worst_ns = p90_ns;
        *ret_index = (uint8_t)i;
    }
    return worst_ns >= RECORD_SLOW_NS ? worst : NULL;
}

/* Slow is a destination of which one phase takes RECORD_SLOW_NS or more in a tenth of the cases. */
static void destination_judge(struct destination *destination, uint64_t now_ns)
{
    uint8_t slow_in = NOT_SLOW;
    if (destination_worst(destination, &slow_in) == NULL)
        slow_in = NOT_SLOW;
    if (slow_in != destination->slow_in)
        destination->slow_since_ns = now_ns;
    destination->slow_in = slow_in;
}

static void destination_forget_half(struct destination *destination)
{
    destination->transactions /= 2;
    destination->failed /= 2;
    histogram_halve(&destination->total);
    for (size_t i = 0; i < SLOW_IN_COUNT; i++)
        histogram_halve(&destination->phases[i]);
    if (destination->transactions == 0)
        destination->hash = 0;
}

static struct destination *destination_find(struct overview *overview, struct slice host)
{
    uint64_t hash = table_hash(host) | 1;
    struct destination *least = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        struct destination *each = &overview->destinations[(hash + i) % OVERVIEW_DESTINATIONS];
        if (each->hash == hash && slice_equals(slice_from_string(each->host), host))
            return each;
        bool is_less = least == NULL || each->hash == 0 || each->transactions < least->transactions;
        if (is_less &&
            (least == NULL || least->hash != 0)) /* of free ones the first, to be found soon */
            least = each;
    }
    memset(least, 0, sizeof(*least));
    least->hash = hash;
    least->slow_in = NOT_SLOW;
    memcpy(least->host, host.at, host.len);
    return least;
}

/* NULL: it counts for none. */
static struct destination *destination_of(struct overview *overview, const struct record *record)
{
    struct slice host = record_get(record, record->host);
    if (host.len == 0 || host.len > HOST_MAX || record->end == END_REFUSED)
        return NULL;
    struct destination *destination = destination_find(overview, host);
    destination->transactions++;
    destination->failed += record->cause.len > 0;
    return destination;
}

/* Where it keeps a phase; NULL: nowhere. */
static struct histogram *destination_phase(struct destination *destination, enum phase phase)
{
    static const uint8_t places[PHASE_COUNT] = {
#define X(name) [PHASE_##name] = 1 + SLOW_IN_##name,
        SLOW_PHASES(X)
#undef X
    };
    if (destination == NULL)
        return NULL;
    if (phase == PHASE_TOTAL)
        return &destination->total;
    return places[phase] == 0 ? NULL : &destination->phases[places[phase] - 1];
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

static size_t words_sorted(const struct words *words, struct overview_word *into)
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

/* Close what is over at `now_ns`, monotonic, and open what begins. */
static void overview_turn(struct overview *overview, uint64_t now_ns)
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
    if (record_is_tunnel(
            record)) /* its life is no wait of anybody: it is in `tunnel`, and not in `total` */
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

/* ---- views ---- */

/* Wall time of the begin of second `number`. */
static uint64_t second_wall_ms(uint64_t number)
{
    uint64_t base_ns = clock_wall_ns() - clock_monotonic_ns();
    return (base_ns + (number - 1) * NS_PER_S) / NS_PER_MS;
}

static void print_slow(FILE *out, const struct tally *tally)
{
    const char *between = "\"slow\":{";
    for (int side = 0; side < SLOW_GUILTY_COUNT; side++) {
        if (tally->slow[side] == 0)
            continue;
        (void)fprintf(out, "%s\"%s\":%llu", between, slow_word((enum slow_side)side),
                      (unsigned long long)tally->slow[side]);
        between = ",";
    }
    if (between[0] == ',')
        (void)fputs("},", out);
}

static void print_span(FILE *out, const struct span *span, uint64_t wall_ms)
{
    const struct tally *tally = &span->tally;
    bool is_first = true;
    (void)fprintf(out,
                  "{\"t_ms\":%llu,\"transactions\":%llu,\"tunnels\":%llu,\"refused\":%llu,"
                  "\"failed\":%llu,\"client_in\":%llu,\"client_out\":%llu,\"opened\":%llu,"
                  "\"reused\":%llu,\"saved_us\":%llu,",
                  (unsigned long long)wall_ms, (unsigned long long)tally->transactions,
                  (unsigned long long)tally->tunnels, (unsigned long long)tally->refused,
                  (unsigned long long)tally->failed, (unsigned long long)tally->client_in,
                  (unsigned long long)tally->client_out, (unsigned long long)tally->opened,
                  (unsigned long long)tally->reused, (unsigned long long)tally->saved_us);
    print_slow(out, tally);
    (void)fputs("\"phases\":{", out);
    for (int i = 0; i < PHASE_COUNT; i++) {
        const struct quantiles *phase = &span->phases[i];
        if (phase->count == 0)
            continue;
        (void)fprintf(out, "%s\"%s\":{\"count\":%u,\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u}",
                      is_first ? "" : ",", phase_word((enum phase)i), phase->count, phase->p50_us,
                      phase->p90_us, phase->p99_us);
        is_first = false;
    }
    (void)fputs("}}", out);
}

/* What is in the ring of the last `count` spans, and the open one; `seconds` in a span. */
static void print_spans(FILE *out, const char *name, const struct span *ring, size_t ring_count,
                        const struct open_span *open, uint64_t count, unsigned seconds)
{
    uint64_t now = (second_now() - 1) / seconds + 1;
    uint64_t first = now > count ? now - count + 1 : 1;
    bool is_first = true;
    (void)fprintf(out, "\"%s\":[", name);
    for (uint64_t number = first; number <= now; number++) {
        struct span span = ring[number % ring_count];
        if (number == open->number)
            span_close(open, &span);
        if (span.number != number || span.tally.transactions == 0)
            continue;
        (void)fputs(is_first ? "\n" : ",\n", out);
        print_span(out, &span, second_wall_ms((number - 1) * seconds + 1));
        is_first = false;
    }
    (void)fputs("],", out);
}

static void print_text(FILE *out, struct slice value)
{
    char room[6 * (HOST_MAX + 1)];
    struct text text = text_on(room, sizeof(room));
    text_add_json(&text, value);
    (void)fwrite(room, 1, text.len, out);
}

static void print_words(FILE *out, const char *name, const char *member, const struct words *words)
{
    struct overview_word sorted[OVERVIEW_WORDS + 1];
    size_t count = words_sorted(words, sorted);
    (void)fprintf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "%s\n{\"%s\":\"", i == 0 ? "" : ",", member);
        print_text(out, sorted[i].word);
        (void)fprintf(out, "\",\"count\":%llu}", (unsigned long long)sorted[i].count);
    }
    (void)fputs("],", out);
}

/* The slow ones first, by how slow; then by how many transactions they have. */
static int destination_compare(const void *a, const void *b)
{
    const struct destination *left = *(const struct destination *const *)a;
    const struct destination *right = *(const struct destination *const *)b;
    uint8_t index = 0;
    const struct histogram *worst = destination_worst(left, &index);
    uint64_t left_ns = worst == NULL ? 0 : histogram_quantile_ns(worst, 900);
    worst = destination_worst(right, &index);
    uint64_t right_ns = worst == NULL ? 0 : histogram_quantile_ns(worst, 900);
    if (left_ns != right_ns)
        return left_ns < right_ns ? 1 : -1;
    return left->transactions < right->transactions   ? 1
           : left->transactions > right->transactions ? -1
                                                      : 0;
}

static void print_destination(FILE *out, const struct destination *destination)
{
    uint8_t index = 0;
    const struct histogram *worst = destination_worst(destination, &index);
    (void)fputs("{\"host\":\"", out);
    print_text(out, slice_from_string(destination->host));
    (void)fprintf(out, "\",\"transactions\":%llu,\"failed\":%llu",
                  (unsigned long long)destination->transactions,
                  (unsigned long long)destination->failed);
    if (destination->total.count > 0)
        (void)fprintf(out, ",\"p50_us\":%u,\"p90_us\":%u", quantiles_of(&destination->total).p50_us,
                      quantiles_of(&destination->total).p90_us);
    if (worst != NULL) {
        bool is_new = index != destination->slow_in;
        uint64_t since_ns = is_new ? clock_monotonic_ns() : destination->slow_since_ns;
        (void)fprintf(out, ",\"slow_phase\":\"%s\",\"slow_p90_us\":%u,\"since_ms\":%llu",
                      phase_word(slow_phases[index]), quantiles_of(worst).p90_us,
                      (unsigned long long)second_wall_ms(since_ns / NS_PER_S + 1));
    }
    (void)fputs(",\"phases\":{", out);
    const char *between = "";
    for (size_t i = 0; i < SLOW_IN_COUNT; i++) {
        const struct histogram *histogram = &destination->phases[i];
        if (histogram->count == 0)
            continue;
        struct quantiles phase = quantiles_of(histogram);
        (void)fprintf(out, "%s\"%s\":{\"count\":%u,\"p50_us\":%u,\"p90_us\":%u}", between,
                      phase_word(slow_phases[i]), phase.count, phase.p50_us, phase.p90_us);
        between = ",";
    }
    (void)fputs("}}", out);
}

static void print_destinations(FILE *out, const struct overview *overview)
{
    const struct destination *listed[OVERVIEW_DESTINATIONS] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < OVERVIEW_DESTINATIONS; i++) {
        if (overview->destinations[i].hash != 0)
            listed[count++] = &overview->destinations[i];
    }
    qsort(listed, count, sizeof(struct destination *), destination_compare);
    (void)fputs("\"destinations\":[", out);
    for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
        (void)fputs(i == 0 ? "\n" : ",\n", out);
        print_destination(out, listed[i]);
    }
    (void)fputs("],", out);
}

/* The minute that is open, with the second that is. */
static struct open_span minute_so_far(const struct overview *overview)
{
    struct open_span minute = overview->minute;
    tally_join(&minute.tally, &overview->second.tally);
    phases_join(minute.phases, overview->second.phases);
    return minute;
}

char *overview_json(struct overview *overview, unsigned minutes, size_t *ret_len)
{
    char *body = NULL;
    FILE *out = open_memstream(&body, ret_len);
    if (out == NULL)
        return NULL;
    overview_lock(overview);
    overview_turn(overview, clock_monotonic_ns());
    struct open_span minute = minute_so_far(overview);
    print_spans(out, "minutes", overview->minutes, OVERVIEW_MINUTES, &minute,
                minutes < OVERVIEW_MINUTES ? minutes : OVERVIEW_MINUTES, SECONDS_PER_MINUTE);
    print_spans(out, "seconds", overview->seconds, OVERVIEW_SECONDS, &overview->second,
                OVERVIEW_SECONDS, 1);
    print_words(out, "causes", "cause", &overview->causes);
    print_words(out, "rules", "rule", &overview->rules);
    print_destinations(out, overview);
    (void)fprintf(out, "\"pool\":{\"opened\":%llu,\"reused\":%llu,\"saved_us\":%llu},",
                  (unsigned long long)overview->tally.opened,
                  (unsigned long long)overview->tally.reused,
                  (unsigned long long)overview->tally.saved_us);
    overview_unlock(overview);
    if (fclose(out) == 0)
        return body;
    free(body);
    return NULL;
}

uint64_t overview_second(void)
{
    return second_now() - 1;
}

bool overview_add_second(struct overview *overview, struct text *into)
{
    char room[OVERVIEW_SPAN_ROOM];
    uint64_t number = overview_second();
    overview_lock(overview);
    overview_turn(overview, clock_monotonic_ns());
    struct span span = overview->seconds[number % OVERVIEW_SECONDS];
    overview_unlock(overview);
    FILE *out = span.number == number && span.tally.transactions > 0
                    ? fmemopen(room, sizeof(room), "w")
                    : NULL;
    if (out == NULL)
        return false;
    print_span(out, &span, second_wall_ms(number));
    long len = ftell(out);
    bool is_whole = fclose(out) == 0 && len > 0;
    if (is_whole)
        text_add(into, slice_of(room, (size_t)len));
    return is_whole;
}
