#include "view_test.h"

#include "view/sight.h"

#include <stdio.h>

static struct record record;
static struct sight sight;
static struct aim aim;
static struct other_proxy other;

/* What the worker saw: a tunnel to a proxy. */
static void begin(const char *word, const char *proxy)
{
    char room[200];
    struct text fault = text_on(room, sizeof(room));
    assert_int_equal(aim_init(&aim, word, NULL, &fault), ST_OK);
    assert_int_equal(other_proxy_init(&other, proxy, NULL, &fault), ST_OK);
    record_begin(&record);
    record.kind = RECORD_TUNNEL;
    record.status = 200;
    record.timeline.base_ns = 1000;
    static const enum mark seen[] = {MARK_C_FIRST, MARK_U_SYN0, MARK_U_SYN1, MARK_D_TX0,
                                     MARK_T_OPEN,  MARK_T_UP,   MARK_X_END};
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        record.timeline.at_ns[seen[i]] = 1000 + i;
    record.waits = 3;
    record_set(&record, &record.method, SLICE("CONNECT"), 32);
    record_set(&record, &record.url, SLICE("p.test:1"), 100);
    record_set(&record, &record.user_agent, SLICE("7"), 10);
    sight = (struct sight){.status = 200, .minor = 1, .body_bytes = 12};
    sight.timeline.at_ns[MARK_U_PX0] = 2000;
    sight.timeline.at_ns[MARK_U_PX1] = 3000;
    sight.timeline.at_ns[MARK_X_END] = 4000;
}

static void show(void)
{
    sight_show(&sight, &aim, &other, &record);
}

static void assert_text(struct record_text text, const char *expected)
{
    char room[700];
    struct slice found = record_get(&record, text);
    assert_true(found.len < sizeof(room));
    memcpy(room, found.at, found.len);
    room[found.len] = '\0';
    assert_string_equal(room, expected);
}

/* Its name and connect stay; its own life is gone, and what went through it is there. */
static void a_tunnel_becomes_what_went_through_it(void **state)
{
    (void)state;
    begin("https://a.test/x", "http://p.test:1");
    sight.tls.version = 0x0304;
    sight.proxy_tls.version = 0x0303;
    show();
    const uint64_t *at = record.timeline.at_ns;
    assert_int_equal(record.kind, RECORD_EXCHANGE);
    assert_int_equal(record.end, END_DONE);
    assert_true(at[MARK_U_SYN1] == 1002 && at[MARK_U_PX0] == 2000 && at[MARK_X_END] == 4000);
    assert_true(at[MARK_D_TX0] == 0 && at[MARK_T_OPEN] == 0 && at[MARK_T_UP] == 0);
    assert_true(record.waits == 0 && record.response_body_bytes == 12);
    assert_int_equal(record.upstream_tls.version, 0x0304);
    assert_int_equal(record.parent_tls.version, 0x0303);
    assert_text(record.method, "GET");
    assert_text(record.url, "https://a.test/x");
    assert_text(record.host, "a.test");
    assert_text(record.user_agent, "");
    assert_text(record.detail, "");
}

/* The sentence is about who it was. */
static void failures_name_who_failed(void **state)
{
    (void)state;
    begin("https://a.test/", "https://u:p@p.test");
    sight.cause = CAUSE_TLS_CERTIFICATE;
    sight.is_of_proxy = true;
    memcpy(sight.detail, "it has expired", sizeof("it has expired"));
    show();
    assert_int_equal(record.end, END_ERROR);
    assert_int_equal(record.ended_by, LEG_PROXY);
    assert_text(record.cause, "tls_certificate");
    assert_text(record.detail,
                "The proxy's certificate was not accepted: p.test:443: it has expired");
    begin("https://a.test/", "https://p.test");
    sight.cause = CAUSE_TLS_TIMEOUT;
    sight.is_late = true;
    show();
    assert_int_equal(record.end, END_TIMEOUT);
    assert_text(record.detail, "TLS with the destination was not done in time: a.test:443");
    begin("https://a.test/", "https://p.test");
    sight.cause = CAUSE_NO_RESPONSE;
    show();
    assert_int_equal(record.ended_by, LEG_UPSTREAM);
}

static void a_challenge_says_what_would_answer_it(void **state)
{
    (void)state;
    begin("https://a.test/", "http://p.test");
    sight.status = 407;
    sight.is_refused = true;
    show();
    assert_int_equal(record.end, END_REFUSED);
    assert_text(record.cause, "auth_needed");
    assert_text(record.remedy, "--proxy http://USER:PASSWORD@HOST:PORT");
    begin("http://a.test/", "https://u:p@p.test");
    sight.status = 407;
    show();
    assert_text(record.cause, "auth_failed");
    assert_text(record.remedy, "");
    begin("https://a.test/", "http://p.test"); /* of an origin, inside of the tunnel */
    sight.status = 407;
    show();
    assert_int_equal(record.end, END_DONE);
    begin("a.test:22", "http://p.test");
    sight.status = 403;
    sight.is_refused = true;
    memcpy(sight.detail, "403 No", sizeof("403 No"));
    show();
    assert_int_equal(record.kind, RECORD_TUNNEL);
    assert_text(record.detail, "The proxy does not open the tunnel: 403 No");
}

/* What the worker answers then is no answer of a proxy. */
static void a_proxy_that_is_not_there_has_no_status(void **state)
{
    (void)state;
    begin("http://a.test/", "http://p.test");
    record.kind = RECORD_LOCAL;
    record.status = 502;
    record.end = END_ERROR;
    record_set(&record, &record.detail, SLICE("The destination refused the connection: p.test:80"),
               100);
    show();
    assert_true(record.status == 0 && record.kind == RECORD_LOCAL && record.end == END_ERROR);
    assert_text(record.url, "http://a.test/");
    assert_text(record.detail, "The proxy refused the connection: p.test:80");
    assert_true(record.timeline.at_ns[MARK_X_END] == 1006);
}

/* Who asked went away: why is his to say. */
static void what_was_left_says_why(void **state)
{
    (void)state;
    begin("https://a.test/", "http://p.test");
    show();
    assert_false(sight_was_left(&record));
    begin("https://a.test/", "http://p.test");
    sight.cause = CAUSE_CLIENT_GONE;
    show();
    assert_true(sight_was_left(&record));
    struct sight_end end = {.max_time_ns = 1500000000, .said = ""};
    sight_show_end(&end, &record);
    assert_int_equal(record.end, END_TIMEOUT);
    assert_int_equal(record.ended_by, LEG_CLIENT);
    assert_text(record.detail, "It was not over after --max-time 1.50s");
    end.is_interrupted = true;
    sight_show_end(&end, &record);
    assert_int_equal(record.end, END_KILLED);
    assert_text(record.detail, "It was interrupted");
    end.said = "403 Forbidden; p; error=x";
    sight_show_end(&end, &record);
    assert_text(record.detail, "It was interrupted; its answer: 403 Forbidden; p; error=x");
}

/* What another authority would change names the flag for one; a wrong name does not. */
static void a_certificate_that_is_not_trusted_names_the_flag(void **state)
{
    (void)state;
    static const struct {
        bool is_untrusted;
        const char *remedy;
    } rows[] = {{true, "--upstream-ca FILE"}, {false, ""}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin("https://a.test/", "https://p.test");
        sight.cause = CAUSE_TLS_CERTIFICATE;
        sight.is_untrusted = rows[i].is_untrusted;
        (void)snprintf(sight.detail, sizeof(sight.detail),
                       "not trusted here"); /* words decide nothing */
        show();
        sight_show_hint(&record);
        assert_text(record.remedy, rows[i].remedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tunnel_becomes_what_went_through_it),
        cmocka_unit_test(failures_name_who_failed),
        cmocka_unit_test(what_was_left_says_why),
        cmocka_unit_test(a_certificate_that_is_not_trusted_names_the_flag),
        cmocka_unit_test(a_challenge_says_what_would_answer_it),
        cmocka_unit_test(a_proxy_that_is_not_there_has_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
