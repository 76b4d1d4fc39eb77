/* The overview as JSON: spans of time, words with their counts, destinations. Written under the lock. */

#include "report/overview_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { LISTED_MAX = 100 };

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
    uint64_t now = overview_second() / seconds + 1;
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
    (void)fputc('"', out);
    if (destination->port != 0)
        (void)fprintf(out, ",\"port\":%u", destination->port);
    (void)fprintf(out, ",\"transactions\":%llu,\"failed\":%llu",
                  (unsigned long long)destination->transactions,
                  (unsigned long long)destination->failed);
    if (destination->total.count > 0)
        (void)fprintf(out, ",\"p50_us\":%u,\"p90_us\":%u", quantiles_of(&destination->total).p50_us,
                      quantiles_of(&destination->total).p90_us);
    if (worst != NULL) {
        bool is_new = index != destination->slow_in;
        uint64_t since_ns = is_new ? clock_monotonic_ns() : destination->slow_since_ns;
        (void)fprintf(out, ",\"slow_phase\":\"%s\",\"slow_p90_us\":%u,\"since_ms\":%llu",
                      phase_word(destination_slow_phase(index)), quantiles_of(worst).p90_us,
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
                      phase_word(destination_slow_phase((uint8_t)i)), phase.count, phase.p50_us,
                      phase.p90_us);
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
    return clock_monotonic_ns() / NS_PER_S;
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
