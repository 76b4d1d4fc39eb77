/* What the self-test says.
 *
 * Requests are shown with all that is no plain ASCII as \xHH, so that they harm no terminal. The table is 79 columns
 * wide. */

#include "selftest/report.h"

#include "base/check.h"

enum { REPORT_LINE = 2048, REPORT_HOLES_SHOWN = 20 };

static const char *outcome_word(enum trial_outcome outcome)
{
    switch (outcome) {
    case OUTCOME_REFUSED: return "refused";
    case OUTCOME_OPENED: return "opened";
    case OUTCOME_PASSED: return "passed";
    case OUTCOME_BLOCKED: return "blocked";
    case OUTCOME_HOLE: return "hole";
    }
    return "";
}

/* ---- JSON ---- */

static void put_string(FILE *out, const char *key, const char *value, const char *behind)
{
    char words[REPORT_LINE];
    struct text text = text_on(words, sizeof(words));
    text_add_json(&text, slice_from_string(value));
    (void)fprintf(out, "\"%s\":\"%s\"%s", key, text_string(&text), behind);
}

static void json_try(struct report *report, const struct trial_report *one)
{
    (void)fprintf(report->out, "%s\n{", report->has_tries ? "," : "");
    report->has_tries = true;
    put_string(report->out, "class", trial_class_word(one->class), ",");
    put_string(report->out, "outcome", outcome_word(one->outcome), ",");
    put_string(report->out, "request", one->request, ",");
    put_string(report->out, "rule", one->rule, ",");
    (void)fprintf(report->out, "\"status\":%u}", one->status);
}

static void json_tally(FILE *out, const struct trial_tally *tally)
{
    (void)fprintf(out,
                  "\"tries\":%u,\"refused\":%u,\"opened\":%u,\"passed\":%u,\"blocked\":%u,"
                  "\"holes\":%u",
                  tally->tries, tally->refused, tally->opened, tally->passed, tally->blocked,
                  tally->holes);
}

static void json_hole(FILE *out, const struct trial_hole *hole)
{
    char dialled[INET_ENDPOINT_TEXT] = "";
    if (hole->dialled.addr.family != INET_NONE)
        inet_endpoint_format(&hole->dialled, dialled);
    (void)fputc('{', out);
    put_string(out, "class", trial_class_word(hole->class), ",");
    put_string(out, "what", trial_fault_word(hole->fault), ",");
    put_string(out, "request", hole->request, ",");
    put_string(out, "dialled", dialled, ",");
    put_string(out, "rule", hole->rule, ",");
    put_string(out, "should", hole->should, ",");
    (void)fprintf(out, "\"status\":%u}", hole->status);
}

static void json_end(const struct report *report, const struct trials *trials, uint64_t elapsed_ns)
{
    FILE *out = report->out;
    const struct trial_results *results = &trials->results;
    struct trial_tally sum = trial_sum(results);
    (void)fputs(report->lists ? "\n],\n" : "", out);
    (void)fputs("\"classes\":[", out);
    for (unsigned i = 0; i < TRIAL_CLASS_COUNT; i++) {
        (void)fprintf(out, "%s\n{", i > 0 ? "," : "");
        put_string(out, "class", trial_class_word((enum trial_class)i), ",");
        json_tally(out, &results->classes[i]);
        (void)fputc('}', out);
    }
    (void)fputs("\n],\n\"openings\":[", out);
    for (size_t i = 0; i < results->opening_count; i++) {
        (void)fputs(i > 0 ? ",\n{" : "\n{", out);
        put_string(out, "by", results->openings[i].rule, ",");
        (void)fprintf(out, "\"tries\":%u}", results->openings[i].tries);
    }
    (void)fputs("\n],\n\"found\":[", out);
    for (size_t i = 0; i < results->hole_count; i++) {
        (void)fputs(i > 0 ? ",\n" : "\n", out);
        json_hole(out, &results->holes[i]);
    }
    (void)fputs("\n],\n", out);
    json_tally(out, &sum);
    (void)fprintf(out, ",\n\"names_tried\":%s,\"complete\":%s,\"sound\":%s,\"elapsed_ms\":%llu}\n",
                  trials->base.len > 0 ? "true" : "false", trials->is_broken ? "false" : "true",
                  trials_are_sound(trials) ? "true" : "false",
                  (unsigned long long)(elapsed_ns / 1000000));
}

/* ---- for people ---- */

static void table_row(FILE *out, const char *words, const struct trial_tally *tally)
{
    (void)fprintf(out, "%-32s%7u%9u%8u%8u%9u%6u\n", words, tally->tries, tally->refused,
                  tally->opened, tally->passed, tally->blocked, tally->holes);
}

static void table_hole(FILE *out, const struct trial_hole *hole)
{
    char dialled[INET_ENDPOINT_TEXT];
    (void)fprintf(out, "\n%s: %s", hole->fault == FAULT_BLOCKED ? "blocked" : "hole",
                  trial_fault_words(hole->fault));
    if (hole->dialled.addr.family != INET_NONE) {
        inet_endpoint_format(&hole->dialled, dialled);
        (void)fprintf(out, ": %s", dialled);
    }
    (void)fprintf(out, "\n  class       %s\n  request     %s\n", trial_class_words(hole->class),
                  hole->request);
    if (hole->fault != FAULT_BLOCKED)
        (void)fprintf(out, "  should hold %s\n", hole->should);
    if (hole->rule[0] != '\0')
        (void)fprintf(out, "  refused by  %s\n", hole->rule);
    else if (hole->status != 0)
        (void)fprintf(out, "  answered    %u\n", hole->status);
}

static void table_notes(FILE *out, const struct trials *trials)
{
    const struct trial_results *results = &trials->results;
    if (results->opening_count > 0)
        (void)fputs("\nopened by the configuration:\n", out);
    for (size_t i = 0; i < results->opening_count; i++)
        (void)fprintf(out, "  %-55s%6u tr%s\n", results->openings[i].rule,
                      results->openings[i].tries, results->openings[i].tries == 1 ? "y" : "ies");
    if (trials->base.len == 0)
        (void)fputs("\nNo name passes these rules, so what names lead to was not tried.\n", out);
    for (size_t i = 0; i < results->hole_count && i < REPORT_HOLES_SHOWN; i++)
        table_hole(out, &results->holes[i]);
}

static void table_end(const struct report *report, const struct trials *trials, uint64_t elapsed_ns)
{
    FILE *out = report->out;
    const struct trial_results *results = &trials->results;
    struct trial_tally sum = trial_sum(results);
    unsigned found = sum.holes + sum.blocked;
    (void)fprintf(out, "%s%-32s%7s%9s%8s%8s%9s%6s\n", report->lists ? "\n" : "", "", "tries",
                  "refused", "opened", "passed", "blocked", "holes");
    for (unsigned i = 0; i < TRIAL_CLASS_COUNT; i++)
        table_row(out, trial_class_words((enum trial_class)i), &results->classes[i]);
    table_row(out, "all", &sum);
    table_notes(out, trials);
    if (found > REPORT_HOLES_SHOWN)
        (void)fprintf(out, "\n%u more are not shown; --json has up to %d of them.\n",
                      found - REPORT_HOLES_SHOWN, TRIAL_HOLES_MAX);
    char words[64];
    struct text text = text_on(words, sizeof(words));
    text_add_duration(&text, elapsed_ns);
    if (trials->is_broken)
        (void)fputs("\nIt ended before its time; this says nothing about what was not tried.\n",
                    out);
    if (sum.holes > 0)
        (void)fprintf(out, "\n%u hole%s in %u tries", sum.holes, sum.holes == 1 ? "" : "s",
                      sum.tries);
    else
        (void)fprintf(out, "\nno hole in %u tries", sum.tries);
    if (sum.blocked > 0)
        (void)fprintf(out, ", and %u that must pass did not", sum.blocked);
    (void)fprintf(out, ", in %s\n", text_string(&text));
}

static void table_try(const struct report *report, const struct trial_report *one)
{
    (void)fprintf(report->out, "%-8s%3u  %s", outcome_word(one->outcome), one->status,
                  one->request);
    if (one->rule[0] != '\0')
        (void)fprintf(report->out, "  (%s)", one->rule);
    (void)fputc('\n', report->out);
}

/* ---- both ---- */

static void report_try(void *owner, const struct trial_report *one)
{
    struct report *report = owner;
    if (report->is_json)
        json_try(report, one);
    else
        table_try(report, one);
}

void report_begin(struct report *report, struct trials *trials)
{
    trials->owner = report;
    trials->on_try = report->lists ? report_try : NULL;
    if (report->is_json) {
        (void)fputc('{', report->out);
        put_string(report->out, "version", FAIRLEAD_VERSION, ",");
        put_string(report->out, "configuration", report->config_name, ",\n");
        (void)fputs(report->lists ? "\"all\":[" : "", report->out);
    } else {
        (void)fprintf(report->out,
                      "fairlead self-test: %s, in a private instance that dials nobody\n\n",
                      report->config_name[0] != '\0' ? report->config_name : "flags and defaults");
    }
}

void report_end(struct report *report, struct trials *trials, uint64_t elapsed_ns)
{
    trials->on_try = NULL;
    if (report->is_json)
        json_end(report, trials, elapsed_ns);
    else
        table_end(report, trials, elapsed_ns);
}
