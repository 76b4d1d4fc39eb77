#include "report_test.h"

#include "record/counter.h"
#include "record/verdict.h"
#include "report/access_log.h"
#include "report/filter.h"

#include <errno.h>
#include <stdio.h>

/* What the log shows is what docs/log.md and docs/timing.md describe. */

static char timing[65536];
static char logs[65536];
static char live[65536];
static char verdicts[65536];
static char man[65536];
static const char *filters; /* the chapter of the man page */

static void read_document(const char *name, char *into, size_t cap)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", DOCS_FOLDER, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t len = fread(into, 1, cap - 1, file);
    into[len] = '\0';
    (void)fclose(file);
}

static int begin(void **state)
{
    (void)state;
    read_document("timing.md", timing, sizeof(timing));
    read_document("log.md", logs, sizeof(logs));
    read_document("live.md", live, sizeof(live));
    read_document("verdict.md", verdicts, sizeof(verdicts));
    read_document("fairlead.1", man, sizeof(man));
    char *chapter = strstr(man, ".Sh FILTERS\n");
    assert_non_null(chapter);
    *strstr(chapter + 1, "\n.Sh ") = '\0';
    filters = chapter;
    return 0;
}

static void assert_describes(const char *document, const char *word, size_t len)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), "`%.*s`", (int)len, word);
    assert_has(document, quoted);
}

/* A table of a document has a row that begins with this word and this meaning. */
static void assert_has_row(const char *document, const char *word, const char *meaning)
{
    char row[200];
    (void)snprintf(row, sizeof(row), "| `%s` | %s", word, meaning);
    assert_has(document, row);
}

static void every_mark_and_phase_is_described(void **state)
{
    (void)state;
#define X(name, word, meaning) assert_has_row(timing, word, meaning);
    TIMELINE_MARKS(X)
#undef X
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        assert_describes(timing, phase_word((enum phase)phase),
                         strlen(phase_word((enum phase)phase)));
}

static void every_key_of_a_filter_is_described(void **state)
{
    (void)state;
#define X(name, word, kind, example, meaning) assert_describes(live, word, strlen(word));
    FILTER_KEYS(X)
#undef X
}

/* One of the words of a line with .Cm in it. */
static void assert_lists(const char *chapter, const char *word)
{
    size_t len = strlen(word);
    for (const char *line = chapter; line != NULL; line = strchr(line + 1, '\n')) {
        size_t line_len = strcspn(line + 1, "\n") + 1;
        bool has_words = strncmp(line, "\n.Cm ", 5) == 0 || strncmp(line, "\n.It Cm ", 8) == 0;
        for (const char *at = line; has_words && (at = strstr(at, word)) != NULL; at++) {
            if (at >= line + line_len)
                break;
            if (at[-1] == ' ' && strchr(" \n", at[len]) != NULL)
                return;
        }
    }
    fail_msg("the man page does not list %s", word);
}

static void every_key_and_phase_is_in_the_man_page(void **state)
{
    (void)state;
#define X(name, word, kind, example, meaning) assert_lists(filters, word);
    FILTER_KEYS(X)
#undef X
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        assert_lists(filters, phase_word((enum phase)phase));
    for (int side = 0; side < SLOW_GUILTY_COUNT; side++)
        assert_lists(filters, slow_word((enum slow_side)side));
    for (int end = END_DONE; end <= END_KILLED; end++)
        assert_lists(filters, record_end_word((enum record_end)end));
}

static void every_end_is_described_with_its_meaning(void **state)
{
    (void)state;
    static const char *const ends[][2] = {
#define X(name, word, meaning) {word, meaning},
        RECORD_ENDS(X)
#undef X
    };
    for (size_t i = END_DONE; i < COUNT_OF(ends); i++)
        assert_has_row(logs, ends[i][0], ends[i][1]);
}

static void every_side_that_may_be_slow_is_described(void **state)
{
    (void)state;
#define X(name, word, meaning) assert_has_row(verdicts, word, meaning);
    SLOW_SIDES(X)
#undef X
    assert_describes(verdicts, slow_word(SLOW_NONE), strlen(slow_word(SLOW_NONE)));
}

/* A record in which every member of the JSON format has something to say. */
static void fill(struct record *record)
{
    test_exchange(record);
    struct record_text *const texts[] = {
        &record->host,       &record->user,  &record->rule,   &record->cause,
        &record->remedy,     &record->token, &record->detail, &record->referer,
        &record->user_agent, &record->alpn,  &record->ja4,
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        test_text(record, texts[i], "x");
    record->is_in_progress = record->url_is_cut = record->retry_was_stale_pool = true;
    record->ended_by = LEG_CLIENT;
    record->retries = 1;
    record->listener = record->source = test_endpoint("192.0.2.1:3128");
    record->upstream_use = 2;
    record->upstream_age_ns = record->paid_dns_ns = record->paid_connect_ns = MS(1);
    record->paid_tls_ns = record->stalled_by_client_ns = record->stalled_by_upstream_ns = MS(1);
    record->client_pace = record->upstream_pace = (struct record_pace){MS(1), MS(2), 3};
    record->stalled_by_limits_ns = record->stalled_by_dns_ns = record->awaited_ns = MS(1);
    record->waits = 1;
    record->held_ns = MS(1);
    record->client_tcp = record->upstream_tcp =
        (struct record_tcp){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    record->client_tls = record->parent_tls = record->upstream_tls =
        (struct record_tls){.version = 0x0304,
                            .cipher = 0x1301,
                            .resumed = true,
                            .cipher_name = "TLS_AES_128_GCM_SHA256"};
    record->inside = (struct record_inside){.offered = 0x0304,
                                            .version = 0x0304,
                                            .cipher = 0x1301,
                                            .flags = UINT16_MAX & ~INSIDE_ALERT_HIDDEN,
                                            .alert = 40,
                                            .alert_by = LEG_UPSTREAM,
                                            .turns = 1,
                                            .idle_ns = MS(1)};
    record->now_ns = record->told_ns = TEST_BASE_NS;
    record->dns_source = DNS_QUERY;
    record->dns_answers = 2;
    record->attempt_count = 1;
    record->attempts[0] = (struct record_attempt){.peer = test_endpoint("192.0.2.1:80"),
                                                  .begin_ns = TEST_BASE_NS,
                                                  .end_ns = TEST_BASE_NS,
                                                  .os_error = ECONNREFUSED};
}

static void every_json_member_is_described(void **state)
{
    (void)state;
    static struct record record;
    static char line[ACCESS_LOG_LINE_MAX];
    static const struct access_log_style json = {.format = ACCESS_LOG_JSON};
    struct text text = text_on(line, sizeof(line) - 1);
    fill(&record);
    for (int mark = 0; mark < MARK_COUNT; mark++)
        timeline_clear(&record.timeline, (enum mark)mark);
    access_log_add(&record, &json, &text);

    size_t members = 0;
    for (const char *at = text_string(&text); (at = strstr(at, "\":")) != NULL; at++) {
        const char *name = at;
        while (name[-1] != '"')
            name--;
        assert_describes(logs, name, (size_t)(at - name));
        members++;
    }
    assert_in_range(members, 50, 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mark_and_phase_is_described),
        cmocka_unit_test(every_key_of_a_filter_is_described),
        cmocka_unit_test(every_key_and_phase_is_in_the_man_page),
        cmocka_unit_test(every_end_is_described_with_its_meaning),
        cmocka_unit_test(every_side_that_may_be_slow_is_described),
        cmocka_unit_test(every_json_member_is_described),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
