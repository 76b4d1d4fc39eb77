/* Rounds of requests, then what is shown of their records: waterfalls, lines of the log, or an archive; and percentiles
 * of more than one round. */

#include "base/check.h"
#include "base/clock.h"
#include "report/access_log.h"
#include "report/har.h"
#include "view/commands.h"
#include "view/lab.h"
#include "view/probe.h"
#include "view/signals.h"
#include "view/waterfall.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRANSACTIONS_MAX = 10000,
    RECORD_WAIT_S = 10, /* for the last record, when its answer is there */
    LEFT_WAIT_S = 1,    /* when it was given up */
    CODE_OF_SIGNAL = 128,
    FAULT_TEXT = 300,
    ROOM = HAR_ENTRY_MAX + HAR_FRAME_MAX,
};

static_assert((int)ROOM > (int)WATERFALL_MAX && (int)ROOM > (int)ACCESS_LOG_LINE_MAX,
              "one room for all views");

struct trace {
    const struct view_options *options;
    struct lab lab;
    struct other_proxy proxy;
    struct aim *aims; /* one a word */
    size_t aim_count;
    struct sight *sights;   /* of each transaction */
    struct record *records; /* in the order in which they ended */
    size_t record_count;
    struct screen screen;
    uint64_t *values; /* of one phase, for percentiles */
    int signals;
    int signal; /* that came; 0: none */
    char room[ROOM];
};

/* ---- asking ---- */

static int find_proxy(struct trace *trace)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    const struct view_options *options = trace->options;
    if (other_proxy_init(&trace->proxy, options->proxy, options->proxy_password_file, &fault) ==
        ST_OK)
        return 0;
    return view_complain(VIEW_TRACE, fault.len > 0 ? text_string(&fault) : "out of memory", "");
}

static int make_aims(struct trace *trace)
{
    const struct view_options *options = trace->options;
    size_t count = (size_t)options->word_count;
    if (count == 0)
        return view_complain(VIEW_TRACE, "name a URL or HOST:PORT", "");
    if (count > PROBES_MAX || count * options->repeat > TRANSACTIONS_MAX)
        return view_complain(VIEW_TRACE, "at most 256 URLs, and 10000 transactions in all", "");
    trace->aims = calloc(count, sizeof(*trace->aims));
    trace->sights = calloc(count * options->repeat, sizeof(*trace->sights));
    if (trace->aims == NULL || trace->sights == NULL)
        return view_complain(VIEW_TRACE, "out of memory", "");
    trace->aim_count = count;
    for (size_t i = 0; i < count; i++) {
        char words[FAULT_TEXT];
        char shown[FAULT_TEXT];
        struct text fault = text_on(words, sizeof(words));
        struct text what = text_on(shown, sizeof(shown));
        text_add_log(&what, slice_first(slice_from_string(options->words[i]), 60), '\0');
        if (aim_init(&trace->aims[i], options->words[i], options->method, &fault) != ST_OK)
            return view_complain(VIEW_TRACE, text_string(&what), text_string(&fault));
    }
    return 0;
}

/* The record of the worker's tunnel to the other proxy has the number of what went through it for a user agent. Gives
 * what that said. */
static const char *show_sight(const struct trace *trace, struct record *record)
{
    uint64_t number = 0;
    size_t count = trace->aim_count * trace->options->repeat;
    if (slice_to_u64(record_get(record, record->user_agent), count - 1, &number) != ST_OK)
        return "";
    const struct sight *sight = &trace->sights[number];
    sight_show(sight, &trace->aims[number % trace->aim_count], &trace->proxy, record);
    return sight->detail;
}

static int run_rounds(struct trace *trace, struct probes *probes)
{
    size_t step = trace->options->is_serial ? 1 : trace->aim_count;
    for (unsigned round = 0; round < trace->options->repeat; round++) {
        for (size_t i = 0; i < trace->aim_count && probes->signal == 0; i += step) {
            size_t first = round * trace->aim_count + i;
            if (probes_run(probes, &trace->aims[i], step, trace->sights, first) != ST_OK)
                return view_complain(VIEW_TRACE, "no connection to its own worker can be made", "");
        }
    }
    return 0;
}

/* What the probes know of the records, which are the worker's. Those of one that was given up name no probe, but they
 * tell when. */
static void show_sights(struct trace *trace, const struct probes *probes)
{
    for (size_t i = 0; i < trace->record_count; i++) {
        struct record *record = &trace->records[i];
        struct sight_end end = {.max_time_ns = trace->options->max_time_ns, .said = ""};
        if (other_proxy_is_there(&trace->proxy))
            end.said = show_sight(trace, record);
        end.is_interrupted =
            probes->signal != 0 && record->timeline.at_ns[MARK_X_END] >= probes->stopped_ns;
        if (sight_was_left(record))
            sight_show_end(&end, record);
        sight_show_hint(record);
    }
}

/* Those of what was begun. */
static int take_records(struct trace *trace, const struct probes *probes)
{
    uint64_t wait_ns = (trace->signal != 0 ? LEFT_WAIT_S : RECORD_WAIT_S) * NS_PER_S;
    size_t wanted = trace->aim_count * trace->options->repeat;
    trace->records =
        lab_wait(&trace->lab, probes->begun, clock_monotonic_ns() + wait_ns, &trace->record_count);
    show_sights(trace, probes);
    if (trace->record_count == wanted)
        return 0;
    if (trace->signal == 0)
        return view_complain(VIEW_TRACE, "some transactions have no record", "") - 1;
    (void)fprintf(stderr, "fairlead: trace: interrupted; %zu of %zu transactions were begun\n",
                  probes->begun, wanted);
    return 0;
}

static int ask(struct trace *trace)
{
    struct probes probes;
    struct probes_options options = {.lab = &trace->lab,
                                     .proxy = &trace->proxy,
                                     .signals = trace->signals,
                                     .max_time_ns = trace->options->max_time_ns};
    enum status status = probes_begin(&probes, &options);
    int code = status == ST_OK ? run_rounds(trace, &probes)
                               : view_complain(VIEW_TRACE, "no loop can be made", "");
    probes_end(&probes);
    trace->signal = probes.signal;
    return code != 0 ? code : take_records(trace, &probes);
}

/* From now on a signal ends it as usual: who reads may not. */
static void leave_signals(struct trace *trace)
{
    int late = signals_give(trace->signals);
    trace->signals = -1;
    if (trace->signal == 0)
        trace->signal = late;
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

static bool is_of(const struct record *record, struct slice word)
{
    struct slice url = record_get(record, record->url);
    return slice_equals(record->url_is_cut ? slice_first(word, url.len) : word, url);
}

/* The first record of a word. */
static const struct record *first_of(const struct trace *trace, struct slice word)
{
    for (size_t i = 0; i < trace->record_count; i++) {
        if (is_of(&trace->records[i], word))
            return &trace->records[i];
    }
    return NULL;
}

/* How often its word stands before it. */
static size_t count_before(const struct trace *trace, size_t at)
{
    size_t count = 0;
    for (size_t i = 0; i < at; i++)
        count += slice_equals(trace->aims[i].word, trace->aims[at].word) ? 1 : 0;
    return count;
}

/* The record of one word of a single round: where a word stands twice, each has its own. NULL: it has none. */
static const struct record *record_of(const struct trace *trace, size_t at)
{
    size_t before = count_before(trace, at);
    for (size_t i = 0; i < trace->record_count; i++) {
        if (is_of(&trace->records[i], trace->aims[at].word) && before-- == 0)
            return &trace->records[i];
    }
    return NULL;
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
    (void)printf(" %7s", text_string(&text));
}

static void print_phase(struct trace *trace, struct slice word, enum phase phase)
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
    (void)printf("  %-10s %5zu", phase_word(phase), count);
    print_figure(trace->values[0]);
    print_figure(percentile(trace->values, count, 50));
    print_figure(percentile(trace->values, count, 90));
    print_figure(percentile(trace->values, count, 99));
    print_figure(trace->values[count - 1]);
    (void)putchar('\n');
}

static void print_table(struct trace *trace, struct slice word)
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
    (void)printf("%s  %-10s %5s %7s %7s %7s %7s %7s%s\n", trace->screen.has_color ? SCREEN_DIM : "",
                 "phase", "n", "min", "p50", "p90", "p99", "max",
                 trace->screen.has_color ? SCREEN_RESET : "");
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        print_phase(trace, word, (enum phase)phase);
}

/* ---- all of it ---- */

static int print_people(struct trace *trace)
{
    uint64_t axis_ns = 0;
    size_t count = trace->aim_count;
    trace->values = calloc(trace->record_count + 1, sizeof(*trace->values));
    if (trace->values == NULL)
        return view_complain(VIEW_TRACE, "out of memory", "");
    for (size_t i = 0; i < trace->record_count; i++) {
        uint64_t ns = waterfall_length(&trace->records[i]);
        bool is_shown = trace->options->repeat == 1 ||
                        first_of(trace, trace->aims[0].word) == &trace->records[i];
        if (is_shown && ns > axis_ns)
            axis_ns = ns;
    }
    if (other_proxy_is_there(&trace->proxy))
        (void)printf("through the proxy %s%s\n", trace->proxy.authority,
                     trace->proxy.is_tls ? " over TLS" : "");
    for (size_t i = 0; i < count; i++) {
        struct slice word = trace->aims[i].word;
        bool is_many = trace->options->repeat > 1;
        const struct record *record = is_many ? first_of(trace, word) : record_of(trace, i);
        if (record == NULL || (is_many && count_before(trace, i) > 0))
            continue;
        print_waterfall(trace, record, axis_ns);
        if (is_many)
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
    return trace->signal != 0 ? CODE_OF_SIGNAL + trace->signal : code;
}

int trace_command(const struct view_options *options)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (trace == NULL)
        return view_complain(VIEW_TRACE, "out of memory", "");
    trace->options = options;
    trace->signals = -1;
    trace->screen = screen_of_output();
    int code = 0;
    if (options->wants_json && options->wants_har)
        code = view_complain(VIEW_TRACE, "--json or --har, not both", "");
    if (code == 0)
        code = find_proxy(trace);
    if (code == 0)
        code = make_aims(trace);
    if (code == 0) {
        trace->signals = signals_take(); /* before there is another thread */
        code = lab_begin(&trace->lab, options->rest_count, options->rest,
                         trace->aim_count * options->repeat, other_proxy_is_there(&trace->proxy));
        if (code == 0)
            code = ask(trace);
        leave_signals(trace);
        if (code == 0)
            code = show(trace);
        lab_end(&trace->lab);
    }
    other_proxy_done(&trace->proxy);
    free(trace->aims);
    free(trace->sights);
    free(trace);
    return code;
}
