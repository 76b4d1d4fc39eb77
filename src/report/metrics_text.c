/* Counters as Prometheus text; names and help come from the table in record/counter.h. */

#include "report/metrics_text.h"

enum { METRICS_ROW_MAX = 512 };

static void metrics_head(struct text *text, const char *name, const char *help,
                         enum counter_kind kind)
{
    const char *type = kind == GAUGE ? "gauge" : "counter";
    text_add_format(text, "# HELP fairlead_%s %s\n# TYPE fairlead_%s %s\n", name, help, name, type);
}

static void metrics_extra_row(struct text *text, const struct metrics_extra *extra)
{
    text_add_format(text, "fairlead_%s", extra->name);
    if (extra->label != NULL) {
        text_add_format(text, "{%s=\"", extra->label);
        text_add_log(text, extra->value, '"');
        text_add(text, SLICE("\"}"));
    }
    if (extra->decimals == 9)
        text_add_format(text, " %llu.%09llu\n", (unsigned long long)(extra->number / 1000000000),
                        (unsigned long long)(extra->number % 1000000000));
    else
        text_add_format(text, " %llu\n", (unsigned long long)extra->number);
}

void metrics_text_add(const struct counters *const *workers, size_t worker_count,
                      const struct metrics_extra *extras, size_t extra_count, struct text *into)
{
    for (int which = 0; which < COUNT_COUNT; which++) {
        enum counter counter = (enum counter)which;
        const char *name = counter_metric(counter);
        metrics_head(into, name, counter_help(counter), counter_kind(counter));
        uint64_t sum = counter_sum(workers, worker_count, counter);
        text_add_format(into, "fairlead_%s %llu\n", name, (unsigned long long)sum);
    }
    for (size_t i = 0; i < extra_count; i++) {
        bool is_first = i == 0 || extras[i - 1].name != extras[i].name;
        if (is_first)
            metrics_head(into, extras[i].name, extras[i].help, extras[i].kind);
        metrics_extra_row(into, &extras[i]);
    }
}

size_t metrics_text_room(const struct metrics_extra *extras, size_t extra_count)
{
    size_t room = (size_t)COUNT_COUNT * METRICS_ROW_MAX;
    for (size_t i = 0; i < extra_count; i++)
        room += METRICS_ROW_MAX + extras[i].value.len * 4;
    return room;
}
