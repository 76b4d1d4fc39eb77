#include "report_test.h"

#include "report/access_log.h"
#include "report/record_json.h"
#include "report/tls_cipher.h"

#include <errno.h>

static struct record record;
static struct record again;
static char first[ACCESS_LOG_LINE_MAX + 1];
static char second[ACCESS_LOG_LINE_MAX + 1];
static char why_room[RECORD_JSON_WHY_MAX];

static const char *write_line(const struct record *from, char *into)
{
    struct text text = text_on(into, ACCESS_LOG_LINE_MAX + 1);
    access_log_add(from, &(struct access_log_style){.format = ACCESS_LOG_JSON}, &text);
    return text_string(&text);
}

static enum status read_line(const char *line)
{
    struct text why = text_on(why_room, sizeof(why_room));
    enum status status = record_json_read(slice_from_string(line), &again, &why);
    assert_false(why.is_cut);
    (void)text_string(&why);
    return status;
}

/* Record, line, record, line: both lines are the same. */
static void assert_round_trip(void)
{
    const char *line = write_line(&record, first);
    if (read_line(line) != ST_OK)
        fail_msg("%s: %s", line, why_room);
    assert_string_equal(write_line(&again, second), line);
}

static void a_usual_line_comes_back(void **state)
{
    (void)state;
    test_exchange(&record);
    assert_round_trip();
    assert_int_equal(again.status, 200);
    assert_int_equal(again.timeline.base_ns, record.timeline.base_ns);
    assert_int_equal(again.timeline.at_ns[MARK_U_RX0], record.timeline.at_ns[MARK_U_RX0]);
    assert_int_equal(again.size, offsetof(struct record, text) + again.text_len);
}

static void set_lists(struct record *into)
{
    test_text(into, &into->cert_subject, "CN=ci,O=\"x\"");
    test_text(into, &into->cert_names, "dns:ci.example\nuri:spiffe://x/ci");
    test_text(into, &into->groups, "gid:7\ncontainer:9");
}

/* Whatever a record may hold, with texts that need every kind of escape. */
static void set_all(void)
{
    struct record_text *texts[] = {&record.host,    &record.sni,        &record.user,
                                   &record.rule,    &record.would_deny, &record.remedy,
                                   &record.cause,   &record.token,      &record.detail,
                                   &record.referer, &record.user_agent, &record.listener_name};
    test_exchange(&record);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        test_text(&record, texts[i], "a \"\\\n\x1b\x7f \xc3\xa9 \xf0\x9f\x98\x80 \xff\xc3 z");
    set_lists(&record);
    record.kind = RECORD_UPGRADE;
    record.ended_by = LEG_UPSTREAM;
    record.end = END_RST;
    record.dns_source = DNS_COALESCED;
    record.dns_answers = 3;
    record.id = UINT64_MAX;
    record.worker = 7;
    record.url_is_cut = record.is_in_progress = record.retry_was_stale_pool = true;
    record.client_minor = 0;
    record.retries = 2;
    record.listener = test_endpoint("[2001:db8::2]:3128");
    record.source = test_endpoint("198.51.100.1:40000");
    record.client_conn_id = UINT64_MAX;
    record.client_use = 9;
    record.upstream_use = 4;
    record.upstream_age_ns = MS(1234);
    record.paid_dns_ns = MS(1);
    record.paid_connect_ns = MS(2);
    record.paid_tls_ns = MS(3);
    record.client_in_bytes = record.client_out_bytes = UINT64_MAX;
    record.upstream_in_bytes = record.upstream_out_bytes = 12;
    record.request_body_bytes = record.response_body_bytes = 13;
    record.stalled_by_client_ns = MS(4);
    record.stalled_by_upstream_ns = MS(5);
    record.stalled_by_limits_ns = MS(6);
    record.stalled_by_dns_ns = MS(15);
    record.client_pace = (struct record_pace){MS(7), MS(8), 9};
    record.upstream_pace = (struct record_pace){MS(10), MS(11), 12};
    record.awaited_ns = MS(13);
    record.waits = 14;
    record.held_ns = MS(16);
    record.client_tcp = (struct record_tcp){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    record.upstream_tcp =
        (struct record_tcp){1, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29};
    record.client_tls = (struct record_tls){.version = 0x0304, .cipher = 0x1302, .resumed = true};
    record.client_tls.cipher_name = tls_cipher_name(0x1302);
    record.parent_tls = (struct record_tls){.version = 0x0303, .cipher = 0xc02f};
    record.upstream_tls = (struct record_tls){.version = 0x7f1c, .cipher = 0xfefe};
    for (int mark = 0; mark < MARK_COUNT; mark++)
        test_mark(&record, (enum mark)mark, (uint64_t)mark * 1001500);
    record.timeline.at_ns[MARK_C_ACCEPT] = TEST_BASE_NS - MS(5) - 1;
    record.attempt_count = 4;
    for (size_t i = 0; i < 4; i++) {
        record.attempts[i].peer = record.upstream;
        record.attempts[i].begin_ns = TEST_BASE_NS + MS(i);
        record.attempts[i].end_ns = TEST_BASE_NS + MS(i + 1);
    }
    record.attempts[0].os_error = ECONNREFUSED;
    record.attempts[1].os_error = ECANCELED;
    record.attempts[1].end_ns = 0;
    record.attempts[2] = (struct record_attempt){.peer = record.upstream, .os_error = EACCES};
    record.attempts[3].os_error = EINPROGRESS;
    record.attempts[3].end_ns = 0;
}

static void every_member_comes_back(void **state)
{
    (void)state;
    set_all();
    assert_round_trip();
    assert_int_equal(again.timeline.at_ns[MARK_C_ACCEPT], TEST_BASE_NS - MS(5) - NS_PER_US);
    assert_int_equal(again.attempts[0].os_error, ECONNREFUSED);
    assert_string_equal(again.client_tls.cipher_name, "TLS_AES_256_GCM_SHA384");
}

/* What is written at once where there is much room is the same where there is just enough, and is cut where there is
 * less; sanitizers see the byte behind. */
static void each_room_has_what_fits(void **state)
{
    (void)state;
    enum { AT_ONCE = 3000 };
    struct access_log_style json = {.format = ACCESS_LOG_JSON};
    set_all();
    struct text whole = text_on(first, sizeof(first));
    access_log_add(&record, &json, &whole);
    for (size_t cap = 0; cap < whole.len + AT_ONCE; cap++) {
        char *room = malloc(cap + 1);
        assert_non_null(room);
        room[cap] = '#';
        struct text text = text_on(room, cap);
        access_log_add(&record, &json, &text);
        assert_int_equal(text.is_cut, cap < whole.len);
        assert_true(text.len <= cap && room[cap] == '#');
        if (!text.is_cut)
            assert_memory_equal(room, first, whole.len);
        free(room);
    }
}

/* What was seen inside a tunnel, and a snapshot of it. */
static void the_inside_comes_back(void **state)
{
    (void)state;
    test_exchange(&record);
    record.kind = RECORD_TUNNEL;
    for (int mark = 0; mark < MARK_COUNT; mark++)
        test_mark(&record, (enum mark)mark, (uint64_t)mark * 1001500);
    record.inside.offered = 0x0304;
    record.inside.version = 0x0303;
    record.inside.cipher = 0xc02f;
    record.inside.flags = (1 << INSIDE_BIT_COUNT) - 1;
    record.inside.alert_by = LEG_CLIENT;
    record.inside.alert = 48;
    record.inside.turns = 7;
    record.inside.idle_ns = MS(3);
    test_text(&record, &record.alpn, "h2\nhttp/1.1");
    test_text(&record, &record.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    record.request_body_bytes = 100;
    record.response_body_bytes = 200;
    record.told_up_bytes = 40;
    record.told_down_bytes = 50;
    record.now_ns = TEST_BASE_NS + MS(60);
    record.told_ns = TEST_BASE_NS + MS(50);
    assert_round_trip();
    assert_int_equal(again.inside.flags, record.inside.flags);
    assert_int_equal(again.told_up_bytes, 40);
    record.inside.flags =
        INSIDE_ALERT_HIDDEN | INSIDE_HANDSHAKE_ESTIMATED | INSIDE_RESPONSE_ESTIMATED;
    record.inside.alert = 0;
    assert_round_trip();
    assert_int_equal(again.inside.flags, record.inside.flags);
}

static void each_word_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        test_exchange(&record);
        record.kind = (uint8_t)(i % 4);
        record.end = (uint8_t)i; /* to END_KILLED */
        record.ended_by = (uint8_t)(i % 4);
        record.dns_source = (uint8_t)(i % 6);
        assert_round_trip();
        assert_int_equal(again.end, i);
    }
    record_begin(&record);
    assert_round_trip();
}

/* A text of bytes that are no UTF-8 gets longer when it is read: it is cut as the record cuts, and said so of a URL. */
static void a_text_that_grows_is_cut(void **state)
{
    (void)state;
    char bytes[RECORD_URL_MAX];
    memset(bytes, 0xff, sizeof(bytes));
    test_exchange(&record);
    record.url.len = 0;
    record_set(&record, &record.url, slice_of(bytes, sizeof(bytes)), RECORD_URL_MAX);
    assert_int_equal(read_line(write_line(&record, first)), ST_OK);
    assert_true(again.url_is_cut);
    assert_true(again.text_len <= RECORD_TEXT_MAX);
}

static void unknown_members_are_stepped_over(void **state)
{
    (void)state;
    assert_int_equal(read_line("{\"v\":1,\"new\":{\"a\":[1,{}]},\"kind\":\"tunnel\",\"seq\":4,"
                               "\"bytes\":{\"other\":null,\"client_in\":5},\"marks_us\":{\"z\":-1},"
                               "\"phases_us\":\"ignored\"}"),
                     ST_OK);
    assert_int_equal(again.kind, RECORD_TUNNEL);
    assert_int_equal(again.client_in_bytes, 5);
}

/* Errors tell the column, the member and what is wrong. */
static void faults_are_located(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"", "column 1: it is no JSON"},
        {"{\"v\":1,\"kind\":tunnel}", "column 15: it is no JSON"},
        {"{\"v\":1} x", "column 9: it is no JSON"},
        {"[]", "it is no JSON object"},
        {"{\"v\":1}", "it is no line of the access log: \"v\" or \"kind\" is missing"},
        {"{\"v\":2,\"kind\":\"tunnel\"}", "column 6: \"v\": only version 1 is known"},
        {"{\"v\":1,\"kind\":\"tunel\"}", "column 16: \"kind\": not one of the words"},
        {"{\"v\":1,\"kind\":\"local\",\"kind\":\"local\"}", "\"kind\": it stands there twice"},
        {"{\"v\":1,\"kind\":\"local\",\"status\":-1}", "\"status\": a whole number is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"status\":70000}", "\"status\": the number is too large"},
        {"{\"v\":1,\"kind\":\"local\",\"id\":\"12\"}", "\"id\": 16 hexadecimal digits"},
        {"{\"v\":1,\"kind\":\"local\",\"client\":\"1.2.3.4\"}",
         "\"client\": an address with a port"},
        {"{\"v\":1,\"kind\":\"local\",\"user\":7}", "\"user\": a text is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"user\":\"\\ud800\"}", "\"user\": a text is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"bytes\":[]}", "\"bytes\": an object is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"bytes\":{\"client_in\":\"\"}}",
         "\"client_in\": a whole number"},
        {"{\"v\":1,\"kind\":\"local\",\"groups\":{}}", "\"groups\": a list is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"groups\":[\"a\\nb\"]}", "has a line feed"},
        {"{\"v\":1,\"kind\":\"local\",\"http\":\"2\"}", "\"http\": a version such as"},
        {"{\"v\":1,\"kind\":\"local\",\"time\":\"2026-02-30T00:00:00.000000Z\"}",
         "there is no such time"},
        {"{\"v\":1,\"kind\":\"local\",\"time\":\"yesterday\"}", "\"time\": a time such as"},
        {"{\"v\":1,\"kind\":\"local\",\"base_ns\":5,\"marks_us\":{\"c_head\":-1}}",
         "before the clock began"},
        {"{\"v\":1,\"kind\":\"local\",\"marks_us\":{\"c_head\":1,\"c_head\":1}}",
         "\"c_head\": it stands there twice"},
        {"{\"v\":1,\"kind\":\"local\",\"marks_us\":{\"c_head\":9999999999999999}}",
         "the number is too large"},
        {"{\"v\":1,\"kind\":\"local\",\"attempts\":[7]}", "\"attempts\": an object is expected"},
        {"{\"v\":1,\"kind\":\"local\",\"attempts\":[{}]}", "its result is missing"},
        {"{\"v\":1,\"kind\":\"local\",\"client_tls\":{\"cipher\":\"x\"}}",
         "\"client_tls\": a number such as"},
        {"{\"v\":1,\"kind\":\"local\",\"client_tls\":{}}",
         "\"client_tls\": its version is missing"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(read_line(rows[i].line), ST_BAD);
        assert_has(why_room, rows[i].words);
    }
}

static void everything_is_bounded(void **state)
{
    (void)state;
    static char line[RECORD_JSON_MAX + 2];
    memset(line, ' ', RECORD_JSON_MAX + 1);
    assert_int_equal(read_line(line), ST_BAD);
    assert_has(why_room, "longer than 65536 bytes");
    struct text text = text_on(line, sizeof(line));
    text_add(&text, SLICE("{\"v\":1,\"kind\":\"local\",\"user\":\""));
    for (int i = 0; i <= RECORD_TEXT_MAX; i++)
        text_add_char(&text, 'a');
    text_add(&text, SLICE("\"}"));
    assert_int_equal(read_line(text_string(&text)), ST_BAD);
    assert_has(why_room, "longer than a record holds");
    text = text_on(line, sizeof(line));
    text_add(&text, SLICE("{\"v\":1,\"kind\":\"local\",\"attempts\":[{\"result\":\"failed\"}"));
    for (int i = 1; i < RECORD_ATTEMPTS_MAX; i++)
        text_add(&text, SLICE(",{\"result\":\"failed\"}"));
    size_t len = text.len;
    text_add(&text, SLICE("]}"));
    assert_int_equal(read_line(text_string(&text)), ST_OK);
    text.len = len;
    text_add(&text, SLICE(",{\"result\":\"failed\"}]}"));
    assert_int_equal(read_line(text_string(&text)), ST_BAD);
    assert_has(why_room, "more of them than a record holds");
}

static void ciphers_are_found(void **state)
{
    (void)state;
    assert_string_equal(tls_cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(tls_cipher_name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_null(tls_cipher_name(0));
    assert_null(tls_cipher_name(0xffff));
    const char *before = NULL;
    for (unsigned number = 0; number <= UINT16_MAX; number++) {
        const char *name = tls_cipher_name((uint16_t)number);
        assert_true(name == NULL || name != before);
        before = name != NULL ? name : before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_line_comes_back),
        cmocka_unit_test(every_member_comes_back),
        cmocka_unit_test(each_room_has_what_fits),
        cmocka_unit_test(the_inside_comes_back),
        cmocka_unit_test(each_word_comes_back),
        cmocka_unit_test(a_text_that_grows_is_cut),
        cmocka_unit_test(unknown_members_are_stepped_over),
        cmocka_unit_test(faults_are_located),
        cmocka_unit_test(everything_is_bounded),
        cmocka_unit_test(ciphers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
