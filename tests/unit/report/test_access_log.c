#include "report_test.h"

#include "report/access_log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct record record;
static char space[ACCESS_LOG_LINE_MAX + 1];

/* The record's line, terminated. */
static const char *line_of(enum access_log_format format, bool has_color)
{
    struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
    struct access_log_style style = {.format = format, .has_color = has_color, .columns = 110};
    access_log_add(&record, &style, &text);
    assert_false(text.is_cut);
    space[text.len] = '\0';
    return space;
}

static const char *fitted(unsigned columns)
{
    struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
    struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = columns};
    access_log_add(&record, &style, &text);
    assert_false(text.is_cut);
    return text_string(&text);
}

static void assert_lacks(const char *line, const char *part)
{
    assert_null(strstr(line, part));
}

/* One line feed, at the end, and nothing else that is not printable ASCII. */
static void assert_is_clean(const char *line)
{
    size_t len = strlen(line);
    assert_true(len > 0);
    for (size_t i = 0; i + 1 < len; i++)
        assert_in_range((unsigned char)line[i], 0x20, 0x7e);
    assert_int_equal(line[len - 1], '\n');
}

/* The same of what a terminal of `columns` shows of a record, over any lines. */
static void assert_fits(const char *lines, size_t columns)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");
        assert_in_range(len, 1, columns);
        for (size_t i = 0; i < len; i++)
            assert_in_range((unsigned char)lines[i], 0x20, 0x7e);
        lines += len;
        assert_int_equal(*lines++, '\n');
    }
}

static int begin(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    test_exchange(&record);
    return 0;
}

/* ---- line ---- */

static void a_line_shows_what_happened_and_where_the_time_went(void **state)
{
    (void)state;
    assert_string_equal(line_of(ACCESS_LOG_LINE, false),
                        "02:12:23 200 GET      45ms 1.23KB a.example/path            "
                        "dns 2.8ms connect 12ms wait 27ms load 2.0ms\n");
}

static void a_line_never_exceeds_its_columns(void **state)
{
    (void)state;
    char url[600];
    memset(url, 'x', sizeof(url) - 1);
    url[sizeof(url) - 1] = '\0';
    test_text(&record, &record.url, url);
    test_text(&record, &record.method, "A-VERY-LONG-METHOD");
    test_text(&record, &record.detail, url);
    record.client_out_bytes = 9999000000000000; /* beyond that the figure itself is wider */
    for (int end = END_NONE; end <= END_KILLED; end++) {
        record.end = (uint8_t)end;
        for (uint64_t scale = 1; scale < NS_PER_S * 1000; scale *= 10) {
            for (int mark = 0; mark < MARK_COUNT; mark++)
                record.timeline.at_ns[mark] = TEST_BASE_NS + (uint64_t)mark * scale;
            assert_fits(line_of(ACCESS_LOG_LINE, false), 110);
        }
    }
}

static void a_line_without_marks_or_texts_is_still_a_line(void **state)
{
    (void)state;
    record_begin(&record);
    assert_string_equal(line_of(ACCESS_LOG_LINE, false), "00:00:00 --- -           -      - -\n");
}

/* Where there is a user, before the rest, escaped and cut; not where the line is narrow. */
static void a_line_tells_whose_it_is(void **state)
{
    (void)state;
    static const struct {
        unsigned columns;
        const char *user;
        const char *tail;
    } rows[] = {
        {110, "alice", "a.example/path            user alice dns 2.8ms connect 12ms wait 27ms\n"},
        {140, "alice",
         "a.example/path            user alice dns 2.8ms connect 12ms wait 27ms load 2.0ms\n"},
        {140, "a-user-of-many-letters", " user a-user-of-man... dns 2.8ms "},
        {140, "\x1b[31m", " user \\x1b[31m dns 2.8ms "},
        {104, "alice", "a.example/path            dns 2.8ms connect 12ms wait 27ms load 2.0ms\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_exchange(&record);
        test_text(&record, &record.user, rows[i].user);
        struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
        struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = rows[i].columns};
        access_log_add(&record, &style, &text);
        space[text.len] = '\0';
        assert_is_clean(space);
        assert_in_range(text.len, 1, rows[i].columns + 1);
        assert_has(space, rows[i].tail);
    }
    record.end = END_REFUSED;
    record.status = 403;
    test_text(&record, &record.rule, "rule no uploads");
    test_text(&record, &record.user, "alice");
    assert_has(line_of(ACCESS_LOG_LINE, false), " user alice refused: rule no uploads");
}

static void a_refusal_names_its_rule(void **state)
{
    (void)state;
    record.kind = RECORD_LOCAL;
    record.end = END_REFUSED;
    record.status = 403;
    test_text(&record, &record.rule, "default-deny 127.0.0.0/8");
    assert_has(line_of(ACCESS_LOG_LINE, false), " refused: default-deny 127.0.0.0/8");
}

/* ... and the flag that would allow it, with as many words as there is room for. */
static void a_refusal_names_its_flag_where_there_is_room(void **state)
{
    (void)state;
    static const struct {
        unsigned columns;
        const char *url;
        const char *note;
    } rows[] = {
        {160, "http://127.0.0.1:8080/",
         " refused: default-deny 127.0.0.0/8 (loopback, RFC 1122); to allow it: --allow "
         "127.0.0.1"},
        {130, "http://127.0.0.1:8080/",
         " refused: default-deny 127.0.0.0/8; to allow it: --allow 127.0.0.1"},
        {110, "http://127.0.0.1:8080/",
         "127.0.0.1:8080/         refused: default-deny 127.0.0.0/8; --allow 127.0.0.1"},
        {80, "http://127.0.0.1:8080/", "127.0.0.1:8080/     refused; --allow 127.0.0.1"},
        {80, "http://a-rather-long-name.example/path",
         "\n         refused: default-deny 127.0.0.0/8 (loopback, RFC 1122); to allow it:\n"
         "         --allow 127.0.0.1\n"},
        {110, "http://a-rather-long-name.example/path", "... refused; --allow 127.0.0.1"},
    };
    record.kind = RECORD_LOCAL;
    record.end = END_REFUSED;
    record.status = 403;
    test_text(&record, &record.rule, "default-deny 127.0.0.0/8 (loopback, RFC 1122)");
    test_text(&record, &record.remedy, "--allow 127.0.0.1");
    assert_has(line_of(ACCESS_LOG_JSON, false), "\"remedy\":\"--allow 127.0.0.1\"");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
        struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = rows[i].columns};
        test_text(&record, &record.url, rows[i].url);
        access_log_add(&record, &style, &text);
        space[text.len] = '\0';
        assert_has(space, rows[i].note);
        assert_fits(space, rows[i].columns);
    }
}

/* A sentence goes on with a small letter; an abbreviation stays what it is. */
static void a_failure_is_told_as_one_sentence(void **state)
{
    (void)state;
    record.end = END_ERROR;
    test_text(&record, &record.detail, "The name does not exist");
    assert_has(line_of(ACCESS_LOG_LINE, false), " error: the name does not exist");
    test_text(&record, &record.detail, "Only http and https are forwarded");
    assert_has(line_of(ACCESS_LOG_LINE, false), " error: only http and https are forwarded");
    test_text(&record, &record.detail, "TLS with the destination failed");
    assert_has(line_of(ACCESS_LOG_LINE, false), " error: TLS with the destination failed");
}

static void a_reset_says_by_whom(void **state)
{
    (void)state;
    record.end = END_RST;
    record.ended_by = LEG_CLIENT;
    assert_has(line_of(ACCESS_LOG_LINE, false), " rst by client");
}

static void a_tunnel_ends_with_fin_without_alarm(void **state)
{
    (void)state;
    record.kind = RECORD_TUNNEL;
    record.end = END_FIN;
    record.ended_by = LEG_CLIENT;
    record.client_in_bytes = 34567;
    const char *line = line_of(ACCESS_LOG_LINE, false);
    assert_lacks(line, "fin");
    assert_has(line, " up 34.5KB");
    assert_lacks(line, "tunnel");
}

static void a_long_tunnel_still_shows_how_it_was_opened(void **state)
{
    (void)state;
    record.kind = RECORD_TUNNEL;
    test_mark(&record, MARK_T_OPEN, MS(16));
    record.timeline.at_ns[MARK_X_END] = TEST_BASE_NS + MS(3600000);
    assert_has(line_of(ACCESS_LOG_LINE, false), " dns 2.8ms connect 12ms ");
}

static void a_short_connect_beside_a_long_wait_is_still_shown(void **state)
{
    (void)state;
    record.timeline.at_ns[MARK_U_SYN1] = record.timeline.at_ns[MARK_U_SYN0] + 45000;
    const char *line = line_of(ACCESS_LOG_LINE, false);
    assert_has(line, " connect 45us ");
    assert_lacks(line, "send");
}

/* An origin that thinks for 400 ms. */
static void begin_slow(void)
{
    static const enum mark later[] = {MARK_U_RX0, MARK_U_RX1, MARK_D_TX1, MARK_X_END};
    for (size_t i = 0; i < COUNT_OF(later); i++)
        record.timeline.at_ns[later[i]] += MS(400);
}

static void a_slow_line_ends_with_who_was_slow(void **state)
{
    (void)state;
    begin_slow();
    assert_has(line_of(ACCESS_LOG_LINE, false),
               " dns 2.8ms connect 12ms wait 427ms slow: origin\n");
    assert_has(line_of(ACCESS_LOG_LINE, true), "\x1b[33mslow: origin\x1b[0m\n");
    record.timeline.at_ns[MARK_U_SYN1] += MS(800); /* and all that follows */
    record.timeline.at_ns[MARK_U_TX0] += MS(800);
    record.timeline.at_ns[MARK_U_TX1] += MS(800);
    begin_slow();
    begin_slow();
    assert_has(line_of(ACCESS_LOG_LINE, false), " slow: upstream network\n");
}

/* The longest phase and the target stay; at 72 columns there is room for no more than those. */
static void a_narrow_line_leaves_out_who_was_slow_before_the_longest_phase(void **state)
{
    (void)state;
    char line[256];
    struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = 72};
    begin_slow();
    struct text text = text_on(line, sizeof(line));
    access_log_add(&record, &style, &text);
    assert_in_range(text.len, 1, 73);
    assert_has(text_string(&text), " wait 427ms");
    assert_lacks(text_string(&text), "slow");
    style.columns = 95;
    text.len = 0;
    access_log_add(&record, &style, &text);
    assert_in_range(text.len, 1, 96);
    assert_has(text_string(&text), " wait 427ms slow: origin\n");
}

static void json_shares_out_what_was_slow(void **state)
{
    (void)state;
    assert_lacks(line_of(ACCESS_LOG_JSON, false), "verdict");
    begin_slow();
    assert_has(line_of(ACCESS_LOG_JSON, false),
               "\"verdict\":{\"slow\":\"origin\",\"shares_us\":{\"client\":100,\"proxy\":100,"
               "\"dns\":2800,\"upstream_network\":12000,\"origin\":430000}}");
}

static void a_pooled_exchange_says_reused(void **state)
{
    (void)state;
    record.upstream_use = 2;
    assert_has(line_of(ACCESS_LOG_LINE, false), " reused ");
}

static void colours_are_added_around_the_same_text(void **state)
{
    (void)state;
    char plain[512];
    char stripped[512];
    size_t len = 0;
    const char *line = line_of(ACCESS_LOG_LINE, false);
    memcpy(plain, line, strlen(line) + 1);
    line = line_of(ACCESS_LOG_LINE, true);
    assert_has(line, "\x1b[32m200 \x1b[0m");
    for (const char *at = line; *at != '\0'; at++) {
        if (*at == '\x1b')
            at = strchr(at, 'm');
        else
            stripped[len++] = *at;
    }
    stripped[len] = '\0';
    assert_string_equal(stripped, plain);
}

/* ---- injection ---- */

static void set_all_texts(const char *value)
{
    struct record_text *const all[] = {
        &record.method,     &record.url,        &record.host,          &record.user,
        &record.rule,       &record.cause,      &record.token,         &record.detail,
        &record.referer,    &record.user_agent, &record.listener_name, &record.cert_subject,
        &record.cert_names, &record.groups,
    };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        test_text(&record, all[i], value);
}

static void no_peer_can_forge_a_line_or_reach_the_terminal(void **state)
{
    (void)state;
    static const char *const evils[] = {
        "x\n127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1",
        "x\r\n",
        "\x1b[2J\x1b]0;title\x07",
        "\x9b"
        "31m",
        "\xc2\x9b"
        "31m",
        "\x7f\x08\x08",
        "\"},{\"v\":1,\"",
        "\\",
        "\xe2\x80\xae"
        "gpj",
        "\xff\xfe",
        "\t\v\f",
        "\xf0\x9f\x98\x80",
    };
    for (size_t i = 0; i < COUNT_OF(evils); i++) {
        for (int end = END_NONE; end <= END_KILLED; end++) {
            test_exchange(&record);
            record.end = (uint8_t)end;
            set_all_texts(evils[i]);
            assert_fits(fitted(110), 110);
            assert_is_clean(fitted(0));
            for (int format = ACCESS_LOG_JSON; format < ACCESS_LOG_FORMAT_COUNT; format++)
                assert_is_clean(line_of((enum access_log_format)format, false));
        }
    }
}

static void every_byte_fits_even_where_each_needs_an_escape(void **state)
{
    (void)state;
    static char worst[RECORD_TEXT_MAX + 1];
    memset(worst, 0xff, RECORD_TEXT_MAX);
    record.attempt_count = RECORD_ATTEMPTS_MAX;
    for (int i = 0; i < RECORD_ATTEMPTS_MAX; i++) {
        struct record_attempt *attempt = &record.attempts[i];
        attempt->peer = test_endpoint("[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
        attempt->begin_ns = UINT64_MAX;
        attempt->end_ns = UINT64_MAX;
        attempt->os_error = EPFNOSUPPORT;
    }
    for (int mark = 0; mark < MARK_COUNT; mark++)
        record.timeline.at_ns[mark] = UINT64_MAX / 4 + (uint64_t)mark;
    test_text(&record, &record.user_agent, worst);
    for (int format = 0; format < ACCESS_LOG_FORMAT_COUNT; format++)
        assert_is_clean(line_of((enum access_log_format)format, false));
}

/* ---- json ---- */

static void json_holds_the_marks_and_the_phases_that_happened(void **state)
{
    (void)state;
    const char *line = line_of(ACCESS_LOG_JSON, false);
    assert_has(line, "{\"v\":1,\"time\":\"2026-11-24T02:12:23.123456Z\",\"base_ns\":1000000000000,"
                     "\"kind\":\"exchange\",\"id\":\"0000000000000abc\",");
    assert_has(line, "\"client\":\"192.0.2.7:50000\",");
    assert_has(line, "\"upstream\":\"[2001:db8::1]:80\",");
    assert_has(line,
               "\"phases_us\":{\"receive\":100,\"blocked\":100,\"dns\":2800,\"connect\":12000,"
               "\"send\":1,\"wait\":27999,\"load\":2000,\"deliver\":0,\"close\":0,"
               "\"total\":45000},");
    assert_has(line, "\"marks_us\":{\"c_first\":0,\"c_head\":100,");
    assert_has(line, "\"u_tx1\":15001,");
    assert_lacks(line, "\"tls\"");
    assert_lacks(line, "upstream_tls");
    assert_lacks(line, "parent_tls");
    assert_lacks(line, "stalled_us");
    assert_lacks(line, "attempts");
    assert_lacks(line, "in_progress");
}

static void json_holds_the_figures_of_both_legs(void **state)
{
    (void)state;
    assert_lacks(line_of(ACCESS_LOG_JSON, false), "tcp");
    record.client_tcp = (struct record_tcp){.is_known = 1, .segments_in = 3, .busy_us = 1500};
    record.upstream_tcp = (struct record_tcp){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    assert_has(line_of(ACCESS_LOG_JSON, false),
               "\"tcp\":{\"client\":{\"retransmits\":0,\"out_of_order\":0,\"segments_in\":3,"
               "\"segments_out\":0,\"data_segments_in\":0,\"data_bytes_in\":0,"
               "\"busy_us\":1500,\"rwnd_limited_us\":0,\"sndbuf_limited_us\":0},"
               "\"upstream\":{\"rtt_us\":2,\"rtt_var_us\":3,\"min_rtt_us\":4,"
               "\"retransmits\":5,\"out_of_order\":6,\"segments_in\":7,\"segments_out\":8,"
               "\"data_segments_in\":9,\"data_bytes_in\":11,\"mss_in\":10,"
               "\"delivery_rate\":12,\"busy_us\":13,\"rwnd_limited_us\":14,"
               "\"sndbuf_limited_us\":15}}");
}

static void json_has_marks_before_the_base_as_negative_offsets(void **state)
{
    (void)state;
    timeline_mark_at(&record.timeline, MARK_C_ACCEPT, TEST_BASE_NS - 1);
    timeline_mark_at(&record.timeline, MARK_C_TLS, TEST_BASE_NS - 1000);
    const char *line = line_of(ACCESS_LOG_JSON, false);
    assert_has(line, "\"c_accept\":-1,");
    assert_has(line, "\"c_tls_done\":-1,");
}

static void json_escapes_to_ascii_and_keeps_what_was_there(void **state)
{
    (void)state;
    test_text(&record, &record.user, "a\"b\\c\n\xc3\xa9\xf0\x9f\x98\x80\xc2\x9b\xff\xed\xa0\x80");
    assert_has(line_of(ACCESS_LOG_JSON, false),
               "\"user\":\"a\\\"b\\\\c\\u000a\\u00e9\\ud83d\\ude00\\u009b\\u00ff"
               "\\u00ed\\u00a0\\u0080\"");
}

static void json_lists_the_attempts(void **state)
{
    (void)state;
    record.attempt_count = 4;
    record.attempts[0] = (struct record_attempt){
        .peer = test_endpoint("10.0.0.1:80"), .begin_ns = 0, .end_ns = 0, .os_error = EACCES};
    record.attempts[1] = (struct record_attempt){.peer = test_endpoint("192.0.2.1:80"),
                                                 .begin_ns = TEST_BASE_NS + MS(3),
                                                 .end_ns = TEST_BASE_NS + MS(4),
                                                 .os_error = ECONNREFUSED};
    record.attempts[2] = (struct record_attempt){.peer = test_endpoint("192.0.2.2:80"),
                                                 .begin_ns = TEST_BASE_NS + MS(4),
                                                 .end_ns = 0,
                                                 .os_error = ECANCELED};
    record.attempts[3] = (struct record_attempt){.peer = test_endpoint("192.0.2.3:80"),
                                                 .begin_ns = TEST_BASE_NS + MS(5),
                                                 .end_ns = TEST_BASE_NS + MS(15),
                                                 .os_error = 0};
    assert_has(line_of(ACCESS_LOG_JSON, false),
               "\"attempts\":[{\"peer\":\"10.0.0.1:80\",\"result\":\"refused\"},"
               "{\"peer\":\"192.0.2.1:80\",\"begin_us\":3000,\"end_us\":4000,"
               "\"result\":\"failed\",\"error\":\"ECONNREFUSED\"},"
               "{\"peer\":\"192.0.2.2:80\",\"begin_us\":4000,\"result\":\"cancelled\"},"
               "{\"peer\":\"192.0.2.3:80\",\"begin_us\":5000,\"end_us\":15000,"
               "\"result\":\"connected\"}]}\n");
}

/* Only what is asked for while it is in flight has these: the log gets a line when it ends. */
static void json_tells_the_phase_of_a_request_in_flight(void **state)
{
    (void)state;
    record.is_in_progress = true;
    record.end = END_NONE;
    record.now_ns = TEST_BASE_NS + MS(2000);
    record.timeline.at_ns[MARK_X_END] = record.timeline.at_ns[MARK_D_TX1] =
        record.timeline.at_ns[MARK_U_RX1] = 0;
    record.attempt_count = 1;
    record.attempts[0] = (struct record_attempt){.peer = test_endpoint("192.0.2.1:80"),
                                                 .begin_ns = TEST_BASE_NS + MS(3),
                                                 .os_error = EINPROGRESS};
    const char *line = line_of(ACCESS_LOG_JSON, false);
    assert_has(line, "\"in_progress\":true,");
    assert_has(line, ",\"now_us\":2000000,\"phase\":\"load\",\"phases_us\":{");
    assert_has(line, "\"begin_us\":3000,\"result\":\"trying\"}]");
    record.kind = RECORD_TUNNEL;
    assert_lacks(line_of(ACCESS_LOG_JSON, false), "\"phase\":");
}

static void json_tells_of_reuse_and_what_the_first_user_paid(void **state)
{
    (void)state;
    record.upstream_use = 3;
    record.upstream_age_ns = MS(1500);
    record.paid_connect_ns = MS(12);
    assert_has(line_of(ACCESS_LOG_JSON, false),
               "\"upstream_conn\":{\"id\":6,\"use\":3,\"age_us\":1500000,"
               "\"paid_connect_us\":12000}");
}

static void json_of_an_open_tunnel_says_so(void **state)
{
    (void)state;
    record.kind = RECORD_TUNNEL;
    record.is_in_progress = true;
    timeline_clear(&record.timeline, MARK_X_END);
    const char *line = line_of(ACCESS_LOG_JSON, false);
    assert_has(line, "\"kind\":\"tunnel\",\"in_progress\":true,");
    assert_lacks(line, "\"total\"");
}

static void json_of_an_empty_record_is_an_object(void **state)
{
    (void)state;
    record_begin(&record);
    const char *line = line_of(ACCESS_LOG_JSON, false);
    assert_is_clean(line);
    assert_lacks(line, "{}");
    assert_lacks(line, ",,");
    assert_lacks(line, ",}");
}

/* ---- combined and squid ---- */

static void combined_is_what_apache_writes(void **state)
{
    (void)state;
    test_text(&record, &record.user, "a b");
    test_text(&record, &record.referer, "http://r.example/");
    test_text(&record, &record.user_agent, "say \"hi\"");
    assert_string_equal(line_of(ACCESS_LOG_COMBINED, false),
                        "192.0.2.7 - a\\x20b [24/Nov/2026:02:12:23 +0000] "
                        "\"GET http://a.example/path HTTP/1.1\" 200 1000 "
                        "\"http://r.example/\" \"say \\x22hi\\x22\"\n");
}

static void combined_of_an_unreadable_request_has_dashes(void **state)
{
    (void)state;
    record.method.len = 0;
    record.response_body_bytes = 0;
    record.client.addr.family = INET_NONE;
    record.status = 400;
    assert_string_equal(line_of(ACCESS_LOG_COMBINED, false),
                        "- - - [24/Nov/2026:02:12:23 +0000] \"-\" 400 - \"-\" \"-\"\n");
}

static void combined_tells_what_was_understood(void **state)
{
    (void)state;
    record.client_major = 0;
    assert_non_null(strstr(line_of(ACCESS_LOG_COMBINED, false), "\"GET http://a.example/path\" "));
    record.url.len = 0;
    assert_non_null(strstr(line_of(ACCESS_LOG_COMBINED, false), "\"GET\" "));
}

static void squid_is_what_squid_writes(void **state)
{
    (void)state;
    assert_string_equal(line_of(ACCESS_LOG_SQUID, false),
                        "1795486343.168     45 192.0.2.7 TCP_MISS/200 1234 GET "
                        "http://a.example/path - HIER_DIRECT/2001:db8::1 -\n");
}

static void squid_result_codes_follow_the_end(void **state)
{
    (void)state;
    static const struct {
        enum record_kind kind;
        enum record_end end;
        enum record_leg by;
        const char *code;
    } rows[] = {
        {RECORD_TUNNEL, END_FIN, LEG_CLIENT, " TCP_TUNNEL/200 "},
        {RECORD_TUNNEL, END_TIMEOUT, LEG_PROXY, " TCP_TUNNEL_TIMEOUT/200 "},
        {RECORD_UPGRADE, END_DONE, LEG_NONE, " TCP_TUNNEL/200 "},
        {RECORD_LOCAL, END_REFUSED, LEG_PROXY, " TCP_DENIED/200 "},
        {RECORD_LOCAL, END_ERROR, LEG_PROXY, " NONE_NONE/200 "},
        {RECORD_EXCHANGE, END_RST, LEG_CLIENT, " TCP_MISS_ABORTED/200 "},
        {RECORD_EXCHANGE, END_RST, LEG_UPSTREAM, " TCP_MISS/200 "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        record.kind = (uint8_t)rows[i].kind;
        record.end = (uint8_t)rows[i].end;
        record.ended_by = (uint8_t)rows[i].by;
        assert_has(line_of(ACCESS_LOG_SQUID, false), rows[i].code);
    }
}

static void formats_that_count_lines_leave_snapshots_out(void **state)
{
    (void)state;
    record.is_in_progress = true;
    assert_string_equal(line_of(ACCESS_LOG_COMBINED, false), "");
    assert_string_equal(line_of(ACCESS_LOG_SQUID, false), "");
    assert_has(line_of(ACCESS_LOG_LINE, false), " open");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

/* On a terminal a failure that has no room stands below its line, whole and at words. Before what stands in the line
 * there are two blanks. */
static void what_went_wrong_is_apart(void **state)
{
    (void)state;
    static const unsigned widths[] = {60, 80, 100, 200};
    record_begin(&record);
    record.kind = RECORD_LOCAL;
    record.end = END_ERROR;
    record.status = 502;
    record_set(&record, &record.method, SLICE("GET"), 32);
    record_set_url(&record, SLICE("http://some.long.name.example.invalid/with/a/path"), true);
    record_set(&record, &record.detail,
               SLICE("The name does not exist: some.long.name.example.invalid"), 160);
    record_seal(&record);
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = widths[i]};
        struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
        access_log_add(&record, &style, &text);
        const char *at = text_string(&text);
        if (widths[i] == 200)
            assert_has(at, "  error: the name does not exist: some.long.name.example.invalid\n");
        else if (widths[i] > 60)
            assert_has(at, "\n         error: the name does not exist:");
        else
            assert_has(at, "\n         error: the name does not exist:\n         some.long.name");
        for (; *at != '\0'; at += strcspn(at, "\n") + 1)
            assert_in_range(strcspn(at, "\n"), 1, widths[i]);
    }
}

/* Where a line has no room for the longest phase, all stand below it. */
static void a_narrow_terminal_has_phases_below(void **state)
{
    (void)state;
    assert_string_equal(fitted(60), "02:12:23 200 GET      45ms 1.23KB a.example/path\n"
                                    "         dns 2.8ms connect 12ms wait 27ms load 2.0ms\n");
    record.upstream_use = 2;
    assert_has(fitted(60), "path\n         reused dns 2.8ms connect 12ms wait 27ms load 2.0ms\n");
    assert_has(fitted(80), "a.example/path            reused wait 27ms\n");
    record.end = END_ERROR;
    test_text(&record, &record.detail, "The name does not exist");
    assert_has(fitted(60), "path\n         dns 2.8ms connect 12ms wait 27ms load 2.0ms\n"
                           "         error: the name does not exist\n");
}

/* In a file or a pipe all is told, however long: the target, the method, whose it is, the reason and what would change
 * it. */
static void a_line_elsewhere_is_whole(void **state)
{
    (void)state;
    char url[RECORD_URL_MAX];
    char line[RECORD_URL_MAX + 200];
    assert_string_equal(fitted(0), "02:12:23 200 GET      45ms 1.23KB a.example/path            "
                                   "dns 2.8ms connect 12ms wait 27ms load 2.0ms\n");
    memset(url, 'x', sizeof(url) - 1);
    url[sizeof(url) - 1] = '\0';
    test_text(&record, &record.url, url);
    test_text(&record, &record.method, "A-LONG-METHOD");
    test_text(&record, &record.user, "a-user-of-many-letters-indeed");
    test_text(&record, &record.rule, "default-deny 127.0.0.0/8 (loopback, RFC 1122)");
    test_text(&record, &record.remedy, "--allow 127.0.0.1");
    test_text(&record, &record.would_deny, "rule no uploads");
    (void)snprintf(line, sizeof(line), "02:12:23 200 A-LONG-METHOD  45ms 1.23KB %s user a-user",
                   url);
    assert_has(fitted(0), line);
    record.end = END_REFUSED;
    assert_has(
        fitted(0),
        "x  user a-user-of-many-letters-indeed refused: default-deny 127.0.0.0/8 (loopback, RFC "
        "1122); to allow it: --allow 127.0.0.1, would deny: rule no uploads dns 2.8ms");
    assert_is_clean(space);
}

/* Every byte of a record may need an escape. */
static void a_whole_line_fits_its_room(void **state)
{
    (void)state;
    char bytes[RECORD_TEXT_MAX];
    memset(bytes, '\x01', sizeof(bytes));
    record_begin(&record);
    record.end = END_ERROR;
    record_set(&record, &record.method, slice_of(bytes, 32), 32);
    record_set(&record, &record.user, slice_of(bytes, 1000), 1000);
    record_set(&record, &record.url, slice_of(bytes, RECORD_URL_MAX), RECORD_URL_MAX);
    record_set(&record, &record.detail, slice_of(bytes, 1000), 1000);
    const char *line = fitted(0);
    assert_is_clean(line);
    assert_in_range(strlen(line), 4 * 4000, ACCESS_LOG_LINE_MAX);
}

/* A line is no wider than its style says, within 60 and 500 columns, and uses a wide one for what it says. */
static void a_line_is_as_wide_as_it_may_be(void **state)
{
    (void)state;
    static const unsigned asked[] = {1, 60, 72, 80, 110, 120, 160, 900};
    record_begin(&record);
    record.kind = RECORD_LOCAL;
    record.end = END_REFUSED;
    record.status = 403;
    record_set(&record, &record.method, SLICE("CONNECT"), 32);
    record_set_url(&record, SLICE("a-rather-long-name.of-some.example:443"), true);
    record_set(&record, &record.rule, SLICE("default-deny 127.0.0.0/8 (loopback, RFC 1122)"), 160);
    record_seal(&record);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct text text = text_on(space, ACCESS_LOG_LINE_MAX);
        struct access_log_style style = {.format = ACCESS_LOG_LINE, .columns = asked[i]};
        size_t limit = asked[i] < 60 ? 60 : asked[i] > 500 ? 500 : asked[i];
        access_log_add(&record, &style, &text);
        space[text.len] = '\0';
        assert_in_range(strcspn(space, "\n"), 40, limit);
        assert_int_equal(text.len > strcspn(space, "\n") + 1, limit < 120);
        assert_has(space, limit == 60 ? "         1122)" : "RFC 1122)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_as_wide_as_it_may_be),
        cmocka_unit_test(what_went_wrong_is_apart),
        TEST(a_narrow_terminal_has_phases_below),
        TEST(a_line_elsewhere_is_whole),
        TEST(a_whole_line_fits_its_room),
        TEST(a_line_shows_what_happened_and_where_the_time_went),
        TEST(a_line_never_exceeds_its_columns),
        TEST(a_line_without_marks_or_texts_is_still_a_line),
        TEST(a_line_tells_whose_it_is),
        TEST(a_refusal_names_its_rule),
        TEST(a_refusal_names_its_flag_where_there_is_room),
        TEST(a_failure_is_told_as_one_sentence),
        TEST(a_reset_says_by_whom),
        TEST(a_tunnel_ends_with_fin_without_alarm),
        TEST(a_long_tunnel_still_shows_how_it_was_opened),
        TEST(a_short_connect_beside_a_long_wait_is_still_shown),
        TEST(a_slow_line_ends_with_who_was_slow),
        TEST(a_narrow_line_leaves_out_who_was_slow_before_the_longest_phase),
        TEST(json_shares_out_what_was_slow),
        TEST(a_pooled_exchange_says_reused),
        TEST(colours_are_added_around_the_same_text),
        TEST(no_peer_can_forge_a_line_or_reach_the_terminal),
        TEST(every_byte_fits_even_where_each_needs_an_escape),
        TEST(json_holds_the_marks_and_the_phases_that_happened),
        TEST(json_holds_the_figures_of_both_legs),
        TEST(json_has_marks_before_the_base_as_negative_offsets),
        TEST(json_escapes_to_ascii_and_keeps_what_was_there),
        TEST(json_lists_the_attempts),
        TEST(json_tells_the_phase_of_a_request_in_flight),
        TEST(json_tells_of_reuse_and_what_the_first_user_paid),
        TEST(json_of_an_open_tunnel_says_so),
        TEST(json_of_an_empty_record_is_an_object),
        TEST(combined_is_what_apache_writes),
        TEST(combined_of_an_unreadable_request_has_dashes),
        TEST(combined_tells_what_was_understood),
        TEST(squid_is_what_squid_writes),
        TEST(squid_result_codes_follow_the_end),
        TEST(formats_that_count_lines_leave_snapshots_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
