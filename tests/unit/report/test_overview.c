#include "report_test.h"

#include "report/overview.h"

#include <stdio.h>

static struct record record;
static char *json;

static int begin(void **state)
{
    clock_freeze(600 * NS_PER_S, TEST_WALL_NS / NS_PER_S * NS_PER_S);
    *state = overview_create();
    assert_non_null(*state);
    return 0;
}

static int end(void **state)
{
    struct overview *overview = *state;
    overview_destroy(&overview);
    clock_restore();
    free(json);
    json = NULL;
    return 0;
}

/* An exchange that has just ended: `wait_ms` of waiting, on the connection's n-th use. */
static void exchange_at(const char *host, uint64_t wait_ms, uint32_t use)
{
    uint64_t now_ns = clock_monotonic_ns();
    record_begin(&record);
    record.kind = RECORD_EXCHANGE;
    record.end = END_DONE;
    record.upstream_use = use;
    record.paid_connect_ns = use > 1 ? MS(7) : 0;
    record.client_in_bytes = 10;
    record.client_out_bytes = 100;
    timeline_begin(&record.timeline);
    timeline_mark_at(&record.timeline, MARK_C_FIRST, now_ns - MS(wait_ms));
    timeline_mark_at(&record.timeline, MARK_U_TX0, now_ns - MS(wait_ms));
    timeline_mark_at(&record.timeline, MARK_U_TX1, now_ns - MS(wait_ms));
    timeline_mark_at(&record.timeline, MARK_U_RX0, now_ns);
    timeline_mark_at(&record.timeline, MARK_X_END, now_ns);
    test_text(&record, &record.host, host);
    record_seal(&record);
}

static const char *text_of(struct overview *overview)
{
    size_t len = 0;
    free(json);
    json = overview_json(overview, OVERVIEW_MINUTES, &len);
    assert_non_null(json);
    assert_int_equal(strlen(json), len);
    return json;
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("%s has %s", text, part);
}

static void nothing_is_an_overview_too(void **state)
{
    assert_string_equal(
        text_of(*state),
        "\"minutes\":[],\"seconds\":[],\"causes\":[],\"rules\":[],\"destinations\":[],"
        "\"pool\":{\"opened\":0,\"reused\":0,\"saved_us\":0},");
}

static void what_happened_is_told_by_second_and_minute(void **state)
{
    struct overview *overview = *state;
    exchange_at("a.example", 10, 1);
    overview_put(overview, &record);
    exchange_at("a.example", 10, 2);
    overview_put(overview, &record);
    clock_advance(NS_PER_S);
    exchange_at("a.example", 10, 3);
    overview_put(overview, &record);
    const char *text = text_of(overview);
    assert_has(
        text,
        "\"seconds\":[\n{\"t_ms\":1795486343000,\"transactions\":2,\"tunnels\":0,\"refused\":0,"
        "\"failed\":0,\"client_in\":20,\"client_out\":200,\"opened\":1,\"reused\":1,"
        "\"saved_us\":7000,\"phases\":{\"send\":{\"count\":2,");
    assert_has(text, ",\n{\"t_ms\":1795486344000,\"transactions\":1,");
    assert_has(text, "\"minutes\":[\n{\"t_ms\":1795486343000,\"transactions\":3,");
    assert_has(text, "\"pool\":{\"opened\":1,\"reused\":2,\"saved_us\":14000}");
}

/* An exchange that took so long, of which the origin was waited for in the last `wait_ms`, and the name server
 * before. */
static void slow_exchange(uint64_t total_ms, uint64_t wait_ms)
{
    uint64_t now_ns = clock_monotonic_ns();
    exchange_at("a.example", total_ms, 1);
    uint64_t *at_ns = record.timeline.at_ns;
    at_ns[MARK_C_HEAD] = at_ns[MARK_U_DNS0] = now_ns - MS(total_ms);
    at_ns[MARK_U_DNS1] = at_ns[MARK_U_TX0] = at_ns[MARK_U_TX1] = now_ns - MS(wait_ms);
    at_ns[MARK_U_RX1] = at_ns[MARK_D_TX1] = now_ns;
}

/* In a second, in its minute and since the start; what was quick, idle or is still open is nobody's. */
static void who_was_slow_is_counted(void **state)
{
    struct overview *overview = *state;
    uint64_t counts[SLOW_GUILTY_COUNT];
    for (int i = 0; i < 3; i++) {
        slow_exchange(150, 140);
        overview_put(overview, &record);
    }
    slow_exchange(99, 90);
    overview_put(overview, &record);
    slow_exchange(300, 10);
    overview_put(overview, &record);
    slow_exchange(500, 495); /* an idle tunnel */
    record.kind = RECORD_TUNNEL;
    record.timeline.at_ns[MARK_T_OPEN] = record.timeline.at_ns[MARK_U_TX0];
    overview_put(overview, &record);
    record.is_in_progress = true;
    overview_put(overview, &record);
    clock_advance(NS_PER_S);
    slow_exchange(150, 140);
    overview_put(overview, &record);
    const char *text = text_of(overview);
    assert_has(text, "\"transactions\":7,");
    assert_has(text, "\"saved_us\":0,\"slow\":{\"dns\":1,\"origin\":4},\"phases\":{");
    assert_has(text, "\"saved_us\":0,\"slow\":{\"dns\":1,\"origin\":3},\"phases\":{");
    assert_has(text, "\"saved_us\":0,\"slow\":{\"origin\":1},\"phases\":{");
    overview_slow(overview, counts);
    for (int side = 0; side < SLOW_GUILTY_COUNT; side++)
        assert_int_equal(counts[side], side == SLOW_DNS ? 1 : side == SLOW_ORIGIN ? 4 : 0);
}

/* A span in which nobody was slow has no such member. */
static void nobody_was_slow(void **state)
{
    struct overview *overview = *state;
    slow_exchange(99, 90);
    overview_put(overview, &record);
    assert_lacks(text_of(overview), "\"slow\":");
}

static void the_second_that_is_over_can_be_told_alone(void **state)
{
    struct overview *overview = *state;
    char room[OVERVIEW_SPAN_ROOM];
    struct text text = text_on(room, sizeof(room));
    exchange_at("a.example", 10, 1);
    overview_put(overview, &record);
    assert_false(overview_add_second(overview, &text));
    clock_advance(NS_PER_S);
    assert_true(overview_add_second(overview, &text));
    assert_has(text_string(&text), "{\"t_ms\":1795486343000,\"transactions\":1,");
    clock_advance(NS_PER_S);
    assert_false(overview_add_second(overview, &text));
}

static void what_is_too_old_is_gone(void **state)
{
    struct overview *overview = *state;
    exchange_at("a.example", 10, 1);
    overview_put(overview, &record);
    clock_advance(OVERVIEW_SECONDS * NS_PER_S);
    assert_has(text_of(overview), "\"seconds\":[],");
    assert_has(text_of(overview), "\"minutes\":[\n{");
    clock_advance((uint64_t)OVERVIEW_MINUTES * 60 * NS_PER_S);
    assert_has(text_of(overview), "\"minutes\":[],\"seconds\":[],");
}

static void a_full_span_fits_its_room(void **state)
{
    struct overview *overview = *state;
    char room[OVERVIEW_SPAN_ROOM];
    struct text text = text_on(room, sizeof(room));
    record_begin(&record);
    record.client_in_bytes = record.client_out_bytes = UINT64_MAX;
    record.upstream_use = 2;
    record.paid_dns_ns = UINT64_MAX;
    for (int mark = 0; mark < MARK_COUNT; mark++)
        record.timeline.at_ns[mark] = 1;
    for (int mark = 1; mark < MARK_COUNT; mark += 2)
        record.timeline.at_ns[mark] = UINT64_MAX;
    record.timeline.at_ns[MARK_X_END] = clock_monotonic_ns();
    record_seal(&record);
    overview_put(overview, &record);
    clock_advance(NS_PER_S);
    assert_true(overview_add_second(overview, &text));
    assert_false(text.is_cut);
}

static void a_slow_destination_is_named_with_its_phase(void **state)
{
    struct overview *overview = *state;
    for (unsigned i = 0; i < 10; i++) {
        exchange_at("fast.example", 5, 1);
        overview_put(overview, &record);
        exchange_at("slow.example", 400, 1);
        overview_put(overview, &record);
    }
    clock_advance(5 * NS_PER_S); /* judged */
    exchange_at("fast.example", 5, 1);
    overview_put(overview, &record);
    clock_advance(30 * NS_PER_S);
    const char *text = text_of(overview);
    assert_has(text,
               "\"destinations\":[\n{\"host\":\"slow.example\",\"transactions\":10,\"failed\":0,");
    assert_has(text, "\"slow_phase\":\"wait\",\"slow_p90_us\":");
    assert_has(text, "\"since_ms\":1795486348000");
    assert_has(text, ",\n{\"host\":\"fast.example\",\"transactions\":11,");
    assert_lacks(strstr(text, "fast.example"), "slow_phase");
    /* and is forgotten in the end */
    for (unsigned i = 0; i < 8; i++) {
        clock_advance(60 * NS_PER_S);
        text = text_of(overview);
    }
    assert_has(text, "\"destinations\":[],");
}

/* One that is not the usual one of the scheme; what answers there may be another program. */
static void unusual_ports_are_apart(void **state)
{
    struct overview *overview = *state;
    static const struct {
        const char *host, *url, *shown;
    } rows[] = {
        {"a.example", "http://a.example/x:1", "{\"host\":\"a.example\",\"transactions\":3,"},
        {"a.example", "https://a.example:443/", "{\"host\":\"a.example\",\"transactions\":3,"},
        {"a.example", "a.example:443", "{\"host\":\"a.example\",\"transactions\":3,"},
        {"a.example", "a.example:80", "{\"host\":\"a.example\",\"port\":80,"},
        {"a.example", "http://a.example:8080?q:2", "{\"host\":\"a.example\",\"port\":8080,"},
        {"::1", "http://[::1]/", "{\"host\":\"::1\",\"transactions\":1,"},
        {"::1", "https://[::1]:8443/", "{\"host\":\"::1\",\"port\":8443,"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        exchange_at(rows[i].host, 5, 1);
        record_set_url(&record, slice_from_string(rows[i].url), true);
        record_seal(&record);
        overview_put(overview, &record);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_has(text_of(overview), rows[i].shown);
}

static void frequent_destinations_stay_among_many(void **state)
{
    struct overview *overview = *state;
    char host[32];
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(host, sizeof(host), "h%u.example", i);
        exchange_at(host, 5, 1);
        overview_put(overview, &record);
        exchange_at("often.example", 5, 1);
        overview_put(overview, &record);
    }
    assert_has(text_of(overview),
               "\"destinations\":[\n{\"host\":\"often.example\",\"transactions\":5000,");
}

static void refusals_and_failures_are_counted_by_word(void **state)
{
    struct overview *overview = *state;
    struct overview_word rules[OVERVIEW_WORDS + 1];
    char name[32];
    for (unsigned i = 0; i < OVERVIEW_WORDS + 10; i++) {
        (void)snprintf(name, sizeof(name), "rule r%u", i);
        exchange_at("a.example", 5, 1);
        record.end = END_REFUSED;
        test_text(&record, &record.rule, name);
        test_text(&record, &record.cause, "refused");
        record_seal(&record);
        overview_put(overview, &record);
        if (i == 3)
            overview_put(overview, &record);
    }
    assert_int_equal(overview_rules(overview, rules), OVERVIEW_WORDS + 1);
    assert_true(slice_equals(rules[0].word, SLICE("rule r3")) && rules[0].count == 2);
    assert_true(slice_equals(rules[OVERVIEW_WORDS].word, SLICE("(others)")));
    assert_int_equal(rules[OVERVIEW_WORDS].count, 10);
    exchange_at("a.example", 5, 1);
    test_text(&record, &record.cause, "dns\"fail");
    record.end = END_ERROR;
    record_seal(&record);
    overview_put(overview, &record);
    const char *text = text_of(overview);
    assert_has(text, "\"causes\":[\n{\"cause\":\"dns\\\"fail\",\"count\":1}],");
    assert_has(text, "\"refused\":139,\"failed\":1,");
}

static void a_tunnel_has_no_total_and_a_snapshot_does_not_count(void **state)
{
    struct overview *overview = *state;
    static struct histogram phases[PHASE_COUNT];
    exchange_at("a.example", 5, 1);
    record.kind = RECORD_TUNNEL;
    record.is_in_progress = true;
    overview_put(overview, &record);
    record.is_in_progress = false;
    overview_put(overview, &record);
    overview_phases(overview, phases);
    assert_int_equal(phases[PHASE_TOTAL].count, 0);
    assert_int_equal(phases[PHASE_WAIT].count, 1);
    assert_has(text_of(overview), "\"transactions\":1,\"tunnels\":1,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PLAY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        PLAY(nothing_is_an_overview_too),
        PLAY(what_happened_is_told_by_second_and_minute),
        PLAY(who_was_slow_is_counted),
        PLAY(nobody_was_slow),
        PLAY(the_second_that_is_over_can_be_told_alone),
        PLAY(what_is_too_old_is_gone),
        PLAY(a_full_span_fits_its_room),
        PLAY(a_slow_destination_is_named_with_its_phase),
        PLAY(unusual_ports_are_apart),
        PLAY(frequent_destinations_stay_among_many),
        PLAY(refusals_and_failures_are_counted_by_word),
        PLAY(a_tunnel_has_no_total_and_a_snapshot_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
