/* Rounds of requests, then what is shown of their records: waterfalls, lines of the log, or an archive; and percentiles of
 * more than one round. */

#include "base/check.h"
#include "base/clock.h"
#include "http/method.h"
#include "http/target.h"
#include "report/access_log.h"
#include "report/har.h"
#include "view/commands.h"
#include "view/lab.h"
#include "view/probe.h"
#include "view/waterfall.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRANSACTIONS_MAX = 10000,
    RECORD_WAIT_S = 10, /* for the last record, when its answer is there */
    FAULT_TEXT = 300,
    THROUGH_TEXT = HOST_MAX + 10,
    ROOM = HAR_ENTRY_MAX + HAR_FRAME_MAX,
};

static_assert((int)ROOM > (int)WATERFALL_MAX && (int)ROOM > (int)ACCESS_LOG_LINE_MAX,
              "one room for all views");

struct trace {
    const struct view_options *options;
    struct lab lab;
    struct probe *probes; /* one a word */
    size_t probe_count;
    char through[THROUGH_TEXT]; /* HOST:PORT of another proxy; empty: none */
    struct probe_marks *marks;  /* of each transaction; NULL: there is no other proxy */
    struct record *records;     /* in the order in which they ended */
    size_t record_count;
    struct screen screen;
    uint64_t *values; /* of one phase, for percentiles */
    char room[ROOM];
};

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "fairlead: trace: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
    return 2;
}

/* ---- asking ---- */

/* http://HOST:PORT */
static int find_proxy(struct trace *trace)
{
    struct target target;
    const char *given = trace->options->proxy;
    if (given == NULL)
        return 0;
    bool is_good =
        target_parse(slice_from_string(given), METHOD_GET, &target) == TARGET_FAULT_NONE &&
        target.scheme == SCHEME_HTTP &&
        (target.path_and_query.len == 0 || slice_equals(target.path_and_query, SLICE("/")));
    if (!is_good)
        return complain("--proxy expects http://HOST:PORT, without a user name", "");
    (void)snprintf(trace->through, sizeof(trace->through),
                   target.host.kind == HOST_IPV6 ? "[%s]:%u" : "%s:%u", target.host.text,
                   target_port(&target));
    trace->marks = calloc(TRANSACTIONS_MAX, sizeof(*trace->marks));
    return trace->marks != NULL ? 0 : complain("out of memory", "");
}

static int make_probes(struct trace *trace)
{
    const struct view_options *options = trace->options;
    size_t count = (size_t)options->word_count;
    if (count == 0)
        return complain("name a URL or HOST:PORT", "");
    if (count > PROBES_MAX || count * options->repeat > TRANSACTIONS_MAX)
        return complain("at most 256 URLs, and 10000 transactions in all", "");
    trace->probes = calloc(count, sizeof(*trace->probes));
    if (trace->probes == NULL)
        return complain("out of memory", "");
    for (size_t i = 0; i < count; i++) {
        char words[FAULT_TEXT];
        char shown[FAULT_TEXT];
        struct text fault = text_on(words, sizeof(words));
        struct text what = text_on(shown, sizeof(shown));
        enum status status = probe_init(&trace->probes[i], options->words[i], options->method,
                                        slice_from_string(trace->through), &fault);
        trace->probe_count = i + 1;
        text_add_log(&what, slice_first(slice_from_string(options->words[i]), 60), '\0');
        if (status != ST_OK)
            return complain(text_string(&what),
                            fault.len > 0 ? text_string(&fault) : "out of memory");
    }
    return 0;
}

/* Of another proxy's answer the record knows the connection only: a tunnel. It becomes that of what went through it. */
static void take_marks(const struct trace *trace, struct record *record)
{
    static const enum mark of_tunnel[] = {MARK_D_TX0,  MARK_D_TX1,  MARK_T_OPEN,  MARK_T_UP,
                                          MARK_T_DOWN, MARK_T_LAST, MARK_X_FIN_C, MARK_X_FIN_U};
    uint64_t number = 0;
    struct timeline *timeline = &record->timeline;
    if (slice_to_u64(record_get(record, record->user_agent), TRANSACTIONS_MAX - 1, &number) !=
        ST_OK)
        return;
    size_t at = (size_t)number % trace->probe_count;
    const struct probe *probe = &trace->probes[at];
    const struct probe_marks *marks = &trace->marks[number];
    record->user_agent.len = record->rule.len = record->would_deny.len = 0;
    record_set(record, &record->method, probe->is_connect ? SLICE("CONNECT") : SLICE("GET"), 32);
    if (!probe->is_connect && trace->options->method != NULL)
        record_set(record, &record->method, slice_from_string(trace->options->method), 32);
    record_set(record, &record->url, slice_from_string(probe->shown), RECORD_URL_MAX);
    record_set(record, &record->host, host_slice(&probe->host), HOST_MAX);
    if (record->kind != RECORD_TUNNEL)
        return; /* nobody is there */
    for (size_t i = 0; i < COUNT_OF(of_tunnel); i++)
        timeline_clear(timeline, of_tunnel[i]);
    timeline_clear(timeline, MARK_X_END);
    record->kind = probe->is_connect ? RECORD_TUNNEL : RECORD_EXCHANGE;
    record->end = marks->status != 0 ? END_DONE : END_FIN;
    record->ended_by = marks->status != 0 ? LEG_NONE : LEG_UPSTREAM;
    record->status = record->upstream_status = (uint16_t)marks->status;
    record->upstream_minor = 1;
    record->request_body_bytes = 0;
    record->response_body_bytes = probe->is_connect ? 0 : marks->body_bytes;
    timeline_mark_at(timeline, probe->is_connect ? MARK_U_PX0 : MARK_U_TX0, marks->tx0_ns);
    timeline_mark_at(timeline, probe->is_connect ? MARK_U_PX1 : MARK_U_RX1, marks->end_ns);
    if (probe->is_connect) {
        timeline_mark_at(timeline, MARK_T_OPEN, marks->end_ns);
    } else {
        timeline_mark_at(timeline, MARK_U_TX1, marks->tx1_ns);
        timeline_mark_at(timeline, MARK_U_RX0, marks->rx0_ns);
        timeline_mark_at(timeline, MARK_D_TX1, marks->end_ns);
    }
    timeline_mark_at(timeline, MARK_X_END,
                     marks->end_ns != 0 ? marks->end_ns : clock_monotonic_ns());
}

static int run_rounds(struct trace *trace)
{
    size_t step = trace->options->is_serial ? 1 : trace->probe_count;
    for (unsigned round = 0; round < trace->options->repeat; round++) {
        for (size_t i = 0; i < trace->probe_count; i += step) {
            size_t first = round * trace->probe_count + i;
            if (probes_run(&trace->lab, &trace->probes[i], step, trace->marks, first) != ST_OK)
                return complain("no connection to its own worker can be made", "");
        }
    }
    size_t wanted = trace->probe_count * trace->options->repeat;
    trace->records = lab_wait(&trace->lab, wanted, clock_monotonic_ns() + RECORD_WAIT_S * NS_PER_S,
                              &trace->record_count);
    if (trace->record_count < wanted)
        return complain("some transactions have no record", "") - 1;
    for (size_t i = 0; trace->marks != NULL && i < trace->record_count; i++)
        take_marks(trace, &trace->records[i]);
    return 0;
}

/* ---- one by one ---- */

static void print_text(const struct text *text)
{
    (void)fwrite(text->at, 1, text->len, stdout);
}

static void print_json(struct trace *trace)
{
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    for (size_t i = 0; i < trace->record_count; i++) {
        struct text text = text_on(trace->room, sizeof(trace->room));
        access_log_add(&trace->records[i], &style, &text);
        print_text(&text);
    }
}

static void print_har(struct trace *trace)
{
    struct text text = text_on(trace->room, sizeof(trace->room));
    har_begin(&text);
    for (size_t i = 0; i < trace->record_count; i++) {
        har_add(&trace->records[i], i == 0, &text);
        print_text(&text);
        text.len = 0;
    }
    har_end(&text);
    print_text(&text);
}

static bool is_of(const struct record *record, const char *word)
{
    return slice_equals(record_get(record, record->url), slice_from_string(word));
}

/* The first record of a word. */
static const struct record *first_of(const struct trace *trace, const char *word)
{
    for (size_t i = 0; i < trace->record_count; i++) {
        if (is_of(&trace->records[i], word))
            return &trace->records[i];
    }
    return NULL;
}

/* The same word twice has both its records at the first one. */
static bool is_repeated(const struct trace *trace, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(trace->probes[i].shown, trace->probes[at].shown) == 0)
            return true;
    }
    return false;
}

static void print_waterfall(struct trace *trace, const struct record *record, uint64_t axis_ns)
{
    struct text text = text_on(trace->room, sizeof(trace->room));
    waterfall_add(record, axis_ns, &trace->screen, &text);
    print_text(&text);
}

/* ---- percentiles ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Nearest rank. */
static uint64_t percentile(const uint64_t *sorted, size_t count, unsigned percent)
{
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static void print_figure(uint64_t ns)
{
    char room[32];
    struct text text = text_on(room, sizeof(room));
    text_add_duration(&text, ns);
    (void)printf(" %9s", text_string(&text));
}

static void print_phase(struct trace *trace, const char *word, enum phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < trace->record_count; i++) {
        const struct record *record = &trace->records[i];
        if (is_of(record, word) && timeline_phase(&record->timeline, phase, &trace->values[count]))
            count++;
    }
    if (count == 0 || phase == PHASE_TUNNEL || phase == PHASE_CLOSE || phase == PHASE_DELIVER ||
        phase == PHASE_RECEIVE)
        return;
    qsort(trace->values, count, sizeof(*trace->values), compare_u64);
    (void)printf("  %-10s %7zu", phase_word(phase), count);
    print_figure(trace->values[0]);
    print_figure(percentile(trace->values, count, 50));
    print_figure(percentile(trace->values, count, 90));
    print_figure(percentile(trace->values, count, 99));
    print_figure(trace->values[count - 1]);
    (void)putchar('\n');
}

static void print_table(struct trace *trace, const char *word)
{
    size_t count = 0;
    size_t good = 0;
    size_t reused = 0;
    for (size_t i = 0; i < trace->record_count; i++) {
        const struct record *record = &trace->records[i];
        if (!is_of(record, word))
            continue;
        count++;
        good += waterfall_is_good(record) ? 1 : 0;
        reused += record->upstream_use > 1 ? 1 : 0;
    }
    (void)printf("%zu times: %zu succeeded, %zu failed; %zu on a reused connection\n", count, good,
                 count - good, reused);
    (void)printf("%s  %-10s %7s %9s %9s %9s %9s %9s%s\n", trace->screen.has_color ? SCREEN_DIM : "",
                 "phase", "n", "min", "p50", "p90", "p99", "max",
                 trace->screen.has_color ? SCREEN_RESET : "");
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        print_phase(trace, word, (enum phase)phase);
}

/* ---- all of it ---- */

static int print_people(struct trace *trace)
{
    uint64_t axis_ns = 0;
    size_t count = trace->probe_count;
    trace->values = calloc(trace->record_count + 1, sizeof(*trace->values));
    if (trace->values == NULL)
        return complain("out of memory", "");
    for (size_t i = 0; i < trace->record_count; i++) {
        uint64_t ns = waterfall_length(&trace->records[i]);
        bool is_shown = trace->options->repeat == 1 ||
                        first_of(trace, trace->probes[0].shown) == &trace->records[i];
        if (is_shown && ns > axis_ns)
            axis_ns = ns;
    }
    if (trace->through[0] != '\0')
        (void)printf("through the proxy %s\n", trace->through);
    for (size_t i = 0; i < count; i++) {
        const char *word = trace->probes[i].shown;
        if (is_repeated(trace, i))
            continue;
        for (size_t r = 0; r < trace->record_count; r++) {
            const struct record *record = &trace->records[r];
            bool is_first = first_of(trace, word) == record;
            if (!is_of(record, word) || (trace->options->repeat > 1 && !is_first))
                continue;
            print_waterfall(trace, record, axis_ns);
        }
        if (trace->options->repeat > 1)
            print_table(trace, word);
    }
    free(trace->values);
    return 0;
}

static int show(struct trace *trace)
{
    int code = 0;
    if (trace->options->wants_json)
        print_json(trace);
    else if (trace->options->wants_har)
        print_har(trace);
    else
        code = print_people(trace);
    for (size_t i = 0; i < trace->record_count && code == 0; i++)
        code = waterfall_is_good(&trace->records[i]) ? 0 : 1;
    return code;
}

int trace_command(const struct view_options *options)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (trace == NULL)
        return complain("out of memory", "");
    trace->options = options;
    trace->screen = screen_of_output();
    int code = find_proxy(trace);
    if (code == 0)
        code = make_probes(trace);
    if (code == 0) {
        code = lab_begin(&trace->lab, options->rest_count, options->rest,
                         trace->probe_count * options->repeat, options->proxy != NULL);
        if (code == 0)
            code = run_rounds(trace);
        if (code == 0)
            code = show(trace);
        lab_end(&trace->lab);
    }
    for (size_t i = 0; i < trace->probe_count; i++)
        probe_done(&trace->probes[i]);
    free(trace->probes);
    free(trace->marks);
    free(trace);
    return code;
}
