/* Counters in the text form that Prometheus reads.
 *
 * Every family has its HELP and TYPE once, before its first sample. Names come from tables of our own;
 * only label values may hold other people's bytes, and they are escaped. */
#include "report/metrics_text.h"

#include "base/check.h"

#include <string.h>

#define PREFIX "fairlead_"

enum {
    NUMBER_TEXT = 24,  /* digits, a point, a line feed */
    ROW_TEXT = 64,     /* fixed words of a family and a sample, thrice the prefix included */
    NAME_REPEATS = 3,  /* in HELP, TYPE and the sample */
    ESCAPE_FACTOR = 4, /* \xHH */
};

static const char *kind_word(enum counter_kind kind)
{
    return kind == GAUGE ? "gauge" : "counter";
}

static void add_family(struct text *into, struct slice metric, const char *help,
                       enum counter_kind kind)
{
    text_add(into, SLICE("# HELP " PREFIX));
    text_add(into, metric);
    text_add_char(into, ' ');
    text_add(into, slice_from_string(help));
    text_add(into, SLICE("\n# TYPE " PREFIX));
    text_add(into, metric);
    text_add_char(into, ' ');
    text_add(into, slice_from_string(kind_word(kind)));
    text_add(into, SLICE("\n"));
}

/* `number` / 10^`decimals`, exactly. */
static void add_scaled(struct text *into, uint64_t number, unsigned decimals)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    text_add_u64(into, number / unit);
    if (unit == 1)
        return;
    text_add_char(into, '.');
    for (uint64_t rest = number % unit; unit > 1; rest %= unit) {
        unit /= 10;
        text_add_char(into, (char)('0' + rest / unit));
    }
}

/* Quote, backslash and line feed as the format wants them; other control bytes and non-ASCII, which it
 * would take raw, as \\xHH, so that a terminal that shows them is safe. */
static void add_label_value(struct text *into, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c == '\n')
            text_add(into, SLICE("\\n"));
        else if (c == '"' || c == '\\')
            text_add_format(into, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            text_add_format(into, "\\\\x%02x", c);
        else
            text_add_char(into, (char)c);
    }
}

static void add_extra(struct text *into, const struct metrics_extra *extra)
{
    CHECK(extra->decimals <= 18);
    text_add(into, SLICE(PREFIX));
    text_add(into, slice_from_string(extra->name));
    if (extra->label != NULL) {
        text_add_char(into, '{');
        text_add(into, slice_from_string(extra->label));
        text_add(into, SLICE("=\""));
        add_label_value(into, extra->value);
        text_add(into, SLICE("\"}"));
    }
    text_add_char(into, ' ');
    add_scaled(into, extra->number, extra->decimals);
    text_add_char(into, '\n');
}

/* The name of a counter without its label. */
static struct slice family_of(enum counter which)
{
    const char *metric = counter_metric(which);
    return slice_of(metric, strcspn(metric, "{"));
}

void metrics_text_add(const struct counters *const *workers, size_t worker_count,
                      const struct metrics_extra *extras, size_t extra_count, struct text *into)
{
    struct slice last = SLICE_NONE;
    for (int i = 0; i < COUNT_COUNT; i++) {
        enum counter which = (enum counter)i;
        struct slice family = family_of(which);
        if (!slice_equals(family, last))
            add_family(into, family, counter_help(which), counter_kind(which));
        last = family;
        text_add(into, SLICE(PREFIX));
        text_add(into, slice_from_string(counter_metric(which)));
        text_add_char(into, ' ');
        text_add_u64(into, counter_sum(workers, worker_count, which));
        text_add_char(into, '\n');
    }
    for (size_t i = 0; i < extra_count; i++) {
        if (i == 0 || strcmp(extras[i].name, extras[i - 1].name) != 0)
            add_family(into, slice_from_string(extras[i].name), extras[i].help, extras[i].kind);
        add_extra(into, &extras[i]);
    }
}

#define PHASE_METRIC "phase_seconds"

static void add_phase(const char *phase, const struct histogram *histogram, struct text *into)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_LIMITS; i++) {
        below += histogram->buckets[i];
        if (histogram_is_coarse(i))
            text_add_format(into, PREFIX PHASE_METRIC "_bucket{phase=\"%s\",le=\"%g\"} %llu\n",
                            phase, (double)histogram_limit_ns(i) / 1e9, (unsigned long long)below);
    }
    below += histogram->buckets[HISTOGRAM_LIMITS];
    text_add_format(into, PREFIX PHASE_METRIC "_bucket{phase=\"%s\",le=\"+Inf\"} %llu\n", phase,
                    (unsigned long long)below);
    text_add_format(into, PREFIX PHASE_METRIC "_sum{phase=\"%s\"} ", phase);
    add_scaled(into, histogram->sum_ns, 9);
    text_add_format(into, "\n" PREFIX PHASE_METRIC "_count{phase=\"%s\"} %llu\n", phase,
                    (unsigned long long)below);
}

void metrics_text_add_phases(const struct histogram phases[PHASE_COUNT], struct text *into)
{
    bool is_first = true;
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (phases[i].count == 0)
            continue;
        if (is_first)
            text_add(into, SLICE("# HELP " PREFIX PHASE_METRIC
                                 " How long the phases of transactions took, where they happened\n"
                                 "# TYPE " PREFIX PHASE_METRIC " histogram\n"));
        add_phase(phase_word((enum phase)i), &phases[i], into);
        is_first = false;
    }
}

size_t metrics_text_room(const struct metrics_extra *extras, size_t extra_count)
{
    size_t room = 1;
    for (int i = 0; i < COUNT_COUNT; i++) {
        enum counter which = (enum counter)i;
        room += ROW_TEXT + NUMBER_TEXT + strlen(counter_help(which));
        room += NAME_REPEATS * strlen(counter_metric(which));
    }
    for (size_t i = 0; i < extra_count; i++) {
        room += ROW_TEXT + NUMBER_TEXT + strlen(extras[i].help);
        room += NAME_REPEATS * strlen(extras[i].name);
        room += extras[i].label == NULL ? 0 : strlen(extras[i].label);
        room += (ESCAPE_FACTOR + 1) * extras[i].value.len;
    }
    return room;
}
