#include "report_test.h"

#include "base/json.h"
#include "report/har.h"

#include <errno.h>
#include <stdio.h>

static struct record record;
static char room[HAR_ENTRY_MAX + 2 * HAR_FRAME_MAX];
static const char *entry;

/* One entry in an archive, which must be JSON. */
static void write_entry(void)
{
    struct text text = text_on(room, sizeof(room) - 1);
    struct json_value value;
    har_begin(&text);
    assert_true(text.len <= HAR_FRAME_MAX);
    size_t begin = text.len;
    har_add(&record, true, &text);
    assert_true(text.len - begin <= HAR_ENTRY_MAX);
    har_end(&text);
    assert_false(text.is_cut);
    assert_int_equal(json_check(text_slice(&text), &value), ST_OK);
    entry = text_string(&text);
}

static uint64_t micros(const char *member)
{
    char key[40];
    (void)snprintf(key, sizeof(key), "\"%s\":", member);
    const char *found = strstr(entry, key);
    assert_non_null(found);
    found += strlen(key);
    if (found[0] == '-')
        return 0;
    char *end;
    uint64_t ms = strtoull(found, &end, 10);
    assert_int_equal(*end, '.');
    return ms * 1000 + strtoull(end + 1, NULL, 10);
}

/* HAR 1.2, timings: time is the sum of all but ssl, which is in connect; -1 does not count. */
static void assert_sum_is_exact(void)
{
    static const char *const parts[] = {"blocked", "dns", "connect", "send", "wait", "receive"};
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        sum += micros(parts[i]);
    assert_int_equal(sum, micros("time"));
    assert_true(micros("ssl") <= micros("connect"));
}

static void a_new_connection_has_all_phases(void **state)
{
    (void)state;
    test_exchange(&record);
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"startedDateTime\":\"2026-11-24T02:12:23.123556Z\",\"time\":44.900");
    assert_has(entry, "\"timings\":{\"blocked\":0.100,\"dns\":2.800,\"connect\":12.000,\"ssl\":-1,"
                      "\"send\":0.001,\"wait\":27.999,\"receive\":2.000");
    assert_has(entry, "\"_client_send\":0.100");
    assert_has(entry, "\"method\":\"GET\",\"url\":\"http://a.example/path\"");
    assert_has(entry, "\"status\":200,\"statusText\":\"OK\",\"httpVersion\":\"HTTP/1.1\"");
    assert_has(entry, "\"serverIPAddress\":\"2001:db8::1\",\"connection\":\"6\"");
}

static void ssl_is_inside_of_connect(void **state)
{
    (void)state;
    test_exchange(&record);
    record.timeline.at_ns[MARK_U_TX0] = 0;
    test_mark(&record, MARK_U_TLS0, MS(15));
    test_mark(&record, MARK_U_TLS1, MS(22));
    test_mark(&record, MARK_U_TX0, MS(22));
    record.timeline.at_ns[MARK_U_TX1] = 0;
    test_mark(&record, MARK_U_TX1, MS(23));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"connect\":19.000,\"ssl\":7.000,\"send\":1.000,\"wait\":20.000");
}

/* TLS with a parent proxy, the CONNECT and TLS with the origin: all are needed to be connected, and `ssl` is the last
 * one. */
static void a_parent_proxy_is_inside_of_connect(void **state)
{
    (void)state;
    test_exchange(&record);
    record.timeline.at_ns[MARK_U_TX0] = record.timeline.at_ns[MARK_U_TX1] = 0;
    test_mark(&record, MARK_U_PT0, MS(15));
    test_mark(&record, MARK_U_PT1, MS(18));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"connect\":15.000,\"ssl\":-1");
    test_mark(&record, MARK_U_PX0, MS(18));
    test_mark(&record, MARK_U_PX1, MS(20));
    test_mark(&record, MARK_U_TLS0, MS(20));
    test_mark(&record, MARK_U_TLS1, MS(24));
    test_mark(&record, MARK_U_TX0, MS(24));
    test_mark(&record, MARK_U_TX1, MS(25));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"connect\":21.000,\"ssl\":4.000,\"send\":1.000");
    assert_has(entry, "\"_proxy_tls\":3.000,\"_proxy\":2.000");
}

/* Of what took 100 ms or more: the word, and shares that add up to the total. */
static void who_was_slow_is_told(void **state)
{
    (void)state;
    static const char *const sides[] = {"proxy", "dns", "upstream_network", "origin"};
    test_exchange(&record);
    write_entry();
    assert_null(strstr(entry, "_slow"));
    record.timeline.at_ns[MARK_U_RX0] = record.timeline.at_ns[MARK_U_RX1] = 0;
    record.timeline.at_ns[MARK_D_TX0] = record.timeline.at_ns[MARK_D_TX1] = 0;
    record.timeline.at_ns[MARK_X_END] = 0;
    test_mark(&record, MARK_U_RX0, MS(143));
    test_mark(&record, MARK_U_RX1, MS(145));
    test_mark(&record, MARK_X_END, MS(145));
    write_entry();
    assert_has(entry, "\"_slow\":{\"who\":\"origin\",");
    entry = strstr(entry, "\"_slow\"");
    uint64_t sum = micros("client");
    for (size_t i = 0; i < COUNT_OF(sides); i++)
        sum += micros(sides[i]);
    assert_int_equal(sum, 145000);
}

static void the_inside_of_a_tunnel_is_told(void **state)
{
    (void)state;
    test_exchange(&record);
    record.kind = RECORD_TUNNEL;
    test_mark(&record, MARK_T_CH, MS(20));
    test_mark(&record, MARK_T_SH, MS(23));
    test_mark(&record, MARK_T_HS, MS(25));
    write_entry();
    assert_has(entry, "\"_inside_hello\":3.000,\"_inside_tls\":5.000");
}

/* A pooled connection was not paid for; what it had cost stands beside it. */
static void a_pooled_connection_has_no_connect(void **state)
{
    (void)state;
    test_exchange(&record);
    record.timeline.at_ns[MARK_U_DNS0] = record.timeline.at_ns[MARK_U_DNS1] = 0;
    record.timeline.at_ns[MARK_U_SYN0] = record.timeline.at_ns[MARK_U_SYN1] = 0;
    record.upstream_use = 4;
    record.upstream_age_ns = MS(1500);
    record.paid_connect_ns = MS(12);
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"blocked\":14.900,\"dns\":-1,\"connect\":-1,\"ssl\":-1");
    assert_has(entry, "\"_conn\":{\"use\":4,\"age\":1500.000,\"orig_connect\":12.000}");
}

/* Sending goes on behind the first byte of the answer: wait is 0, and the rest is told apart. */
static void an_early_answer_is_never_negative(void **state)
{
    (void)state;
    test_exchange(&record);
    record.timeline.at_ns[MARK_U_TX1] = 0;
    test_mark(&record, MARK_U_TX1, MS(44));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"send\":28.000,\"wait\":0.000,\"receive\":2.000");
    assert_has(entry, "\"_send_overlap\":1.000");
}

static void an_answer_that_never_came_was_waited_for(void **state)
{
    (void)state;
    test_exchange(&record);
    record.kind = RECORD_LOCAL;
    record.status = 504;
    record.upstream_status = 0;
    record.timeline.at_ns[MARK_U_RX0] = record.timeline.at_ns[MARK_U_RX1] = 0;
    test_mark(&record, MARK_D_TX0, MS(44));
    test_text(&record, &record.cause, "response_head_timeout");
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"wait\":28.999,\"receive\":1.000");
    assert_has(entry, "\"_cause\":\"response_head_timeout\"");
}

/* Given up, by a client or for the time it took, when the last of these marks was set. */
static void begin_given_up(const char *cause, enum mark last)
{
    test_exchange(&record);
    record.kind = RECORD_LOCAL;
    record.status = 504;
    for (int mark = (int)last + 1; mark < MARK_COUNT; mark++)
        record.timeline.at_ns[mark] = 0;
    test_mark(&record, MARK_D_TX0, MS(44));
    test_mark(&record, MARK_D_TX1, MS(45));
    test_mark(&record, MARK_X_END, MS(45));
    test_text(&record, &record.cause, cause);
}

static void a_look_up_that_was_given_up_is_dns(void **state)
{
    (void)state;
    begin_given_up("client_gone", MARK_U_DNS0);
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"blocked\":0.100,\"dns\":43.800,\"connect\":-1,\"ssl\":-1");
}

static void a_connect_that_was_given_up_is_connect(void **state)
{
    (void)state;
    begin_given_up("connect_timeout", MARK_U_SYN0);
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"blocked\":0.100,\"dns\":2.800,\"connect\":41.000,\"ssl\":-1");
}

/* With the origin, or with a parent proxy before it. */
static void a_handshake_that_was_given_up_is_inside_of_connect(void **state)
{
    (void)state;
    begin_given_up("client_gone", MARK_U_SYN1);
    test_mark(&record, MARK_U_PX0, MS(16));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"blocked\":0.100,\"dns\":2.800,\"connect\":41.000,\"ssl\":-1");
    test_mark(&record, MARK_U_PX1, MS(17));
    test_mark(&record, MARK_U_TLS0, MS(20));
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"blocked\":0.100,\"dns\":2.800,\"connect\":41.000,\"ssl\":24.000");
}

static void a_tunnel_is_a_connect(void **state)
{
    (void)state;
    test_exchange(&record);
    record.kind = RECORD_TUNNEL;
    record.client_in_bytes = 77;
    record.timeline.at_ns[MARK_U_TX0] = record.timeline.at_ns[MARK_U_TX1] = 0;
    record.timeline.at_ns[MARK_U_RX0] = record.timeline.at_ns[MARK_U_RX1] = 0;
    record.timeline.at_ns[MARK_X_END] = 0;
    test_mark(&record, MARK_T_OPEN, MS(16));
    test_mark(&record, MARK_T_LAST, MS(2000));
    record.method.len = record.url.len = 0;
    test_text(&record, &record.method, "CONNECT");
    test_text(&record, &record.url, "a.example:443");
    record.is_in_progress = true;
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"method\":\"CONNECT\",\"url\":\"connect://a.example:443\"");
    assert_has(entry, "\"send\":0.000,\"wait\":0.000,\"receive\":1984.000,");
    assert_has(entry, "\"headersSize\":-1,\"bodySize\":77}");
    assert_has(entry, "\"_in_progress\":true");
    test_mark(&record, MARK_X_END, MS(2500));
    record.is_in_progress = false;
    write_entry();
    assert_sum_is_exact();
    assert_has(
        entry,
        "\"receive\":1984.000,\"_client_send\":0.100,\"_tunnel\":2484.000,\"_close\":500.000");
}

/* A request that could not be read, of a client that said nothing. */
static void nothing_known_is_still_an_entry(void **state)
{
    (void)state;
    record_begin(&record);
    record.kind = RECORD_LOCAL;
    write_entry();
    assert_sum_is_exact();
    assert_has(entry, "\"time\":0.000");
    assert_has(entry, "\"method\":\"-\",\"url\":\"about:invalid#\",\"httpVersion\":\"unknown\"");
    assert_has(entry, "\"blocked\":0.000,\"dns\":-1,\"connect\":-1,\"ssl\":-1,\"send\":0.000");
}

static void attempts_are_told(void **state)
{
    (void)state;
    test_exchange(&record);
    record.attempt_count = 2;
    record.attempts[0].peer = test_endpoint("[2001:db8::1]:80");
    record.attempts[0].os_error = ECONNREFUSED;
    record.attempts[0].begin_ns = TEST_BASE_NS + MS(3);
    record.attempts[0].end_ns = TEST_BASE_NS + MS(4);
    record.attempts[1].peer = test_endpoint("192.0.2.1:80");
    record.attempts[1].begin_ns = TEST_BASE_NS + MS(4);
    record.attempts[1].end_ns = TEST_BASE_NS + MS(15);
    write_entry();
    assert_has(entry, "\"_attempts\":[{\"result\":\"failed\",\"address\":\"2001:db8::1\","
                      "\"begin\":2.900,\"end\":3.900,\"error\":\"ECONNREFUSED\"},"
                      "{\"result\":\"connected\",\"address\":\"192.0.2.1\",\"begin\":3.900");
}

/* Whatever the marks are, the sum is exact and nothing is negative. */
static void any_order_of_marks_adds_up(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int turn = 0; turn < 2000; turn++) {
        test_exchange(&record);
        record.kind = (uint8_t)(turn % 4);
        for (int mark = 0; mark < MARK_COUNT; mark++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            record.timeline.at_ns[mark] =
                (seed >> 60) < 5 ? 0 : TEST_BASE_NS - MS(50) + (seed >> 33) % MS(100);
        }
        if (turn % 3 == 0)
            test_text(&record, &record.cause, "client_gone");
        write_entry();
        assert_sum_is_exact();
        assert_null(strstr(entry, "\"receive\":-"));
        assert_null(strstr(entry, "\"wait\":-"));
    }
}

/* The worst that texts can be has room. */
static void the_worst_entry_fits(void **state)
{
    (void)state;
    char worst[RECORD_TEXT_MAX];
    struct record_text *const texts[] = {&record.method, &record.user_agent, &record.rule,
                                         &record.detail, &record.user,       &record.cause};
    memset(worst, 0x01, sizeof(worst));
    test_exchange(&record);
    record.text_len = 0;
    record.attempt_count = RECORD_ATTEMPTS_MAX;
    for (size_t i = 0; i < RECORD_ATTEMPTS_MAX; i++)
        record.attempts[i] = (struct record_attempt){.peer = record.upstream,
                                                     .os_error = EPROTONOSUPPORT,
                                                     .begin_ns = 1,
                                                     .end_ns = UINT64_MAX / 2};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        record_set(&record, texts[i], slice_of(worst, sizeof(worst)), RECORD_TEXT_MAX / 6);
    write_entry();
    assert_has(entry, "\\u0001");
}

/* What a peer put into a URL cannot leave it. */
static void urls_are_legal(void **state)
{
    (void)state;
    test_exchange(&record);
    record.url.len = 0;
    test_text(&record, &record.url, "http://a/<\"\x01 \xff%zz%2f\\>");
    write_entry();
    assert_has(entry, "\"url\":\"http://a/%3C%22%01%20%FF%25zz%2f%5C%3E\"");
    record.url.len = 0;
    test_text(&record, &record.url, "/no/scheme");
    write_entry();
    assert_has(entry, "\"url\":\"about:invalid#/no/scheme\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_connection_has_all_phases),
        cmocka_unit_test(ssl_is_inside_of_connect),
        cmocka_unit_test(a_parent_proxy_is_inside_of_connect),
        cmocka_unit_test(who_was_slow_is_told),
        cmocka_unit_test(the_inside_of_a_tunnel_is_told),
        cmocka_unit_test(a_pooled_connection_has_no_connect),
        cmocka_unit_test(an_early_answer_is_never_negative),
        cmocka_unit_test(an_answer_that_never_came_was_waited_for),
        cmocka_unit_test(a_look_up_that_was_given_up_is_dns),
        cmocka_unit_test(a_connect_that_was_given_up_is_connect),
        cmocka_unit_test(a_handshake_that_was_given_up_is_inside_of_connect),
        cmocka_unit_test(a_tunnel_is_a_connect),
        cmocka_unit_test(nothing_known_is_still_an_entry),
        cmocka_unit_test(attempts_are_told),
        cmocka_unit_test(any_order_of_marks_adds_up),
        cmocka_unit_test(the_worst_entry_fits),
        cmocka_unit_test(urls_are_legal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
