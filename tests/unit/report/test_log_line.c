#include "report_test.h"

#include "report/access_log.h"
#include "report/log_line.h"

#include <stdlib.h>
#include <string.h>

static struct log_line line;
static struct record record;

static enum status take(const char *text, const char **ret_fault)
{
    return log_line_read(slice_from_string(text), &line, ret_fault);
}

static bool equals(struct slice seen, const char *expected)
{
    return slice_equals(seen, slice_from_string(expected));
}

/* What the program writes is read back as it was. */
static void a_written_line_is_read_back(void **state)
{
    (void)state;
    static char room[ACCESS_LOG_LINE_MAX];
    struct text text = text_on(room, sizeof(room));
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    const char *fault = "";
    record_begin(&record);
    record.kind = RECORD_UPGRADE;
    record.id = 0xfedcba9876543210;
    record.is_in_progress = true;
    record.status = 101;
    assert_int_equal(inet_endpoint_parse(SLICE("192.0.2.7:5000"), &record.client), ST_OK);
    assert_int_equal(inet_endpoint_parse(SLICE("[2001:db8::1]:3128"), &record.listener), ST_OK);
    assert_int_equal(inet_endpoint_parse(SLICE("198.51.100.9:80"), &record.upstream), ST_OK);
    record_set(&record, &record.method, SLICE("GET"), 32);
    record_set_url(&record, SLICE("http://A.example:8080/x?y"), true);
    record_set(&record, &record.host, SLICE("a.example"), 253);
    record_set(&record, &record.user, SLICE("al\"\\\n\xc3\xa9"), 256);
    record_set(&record, &record.would_deny, SLICE("policy.default"), 160);
    record_set(&record, &record.listener_name, SLICE("inner"), 160);
    record_set(&record, &record.cert_subject, SLICE("CN=ci,O=\"x\""), 256);
    record_set(&record, &record.cert_names, SLICE("dns:ci.example\nuri:spiffe://x/ci"), 256);
    record_set(&record, &record.groups, SLICE("gid:7"), 256);
    access_log_add(&record, &style, &text);
    assert_int_equal(log_line_read(text_slice(&text), &line, &fault), ST_OK);
    assert_int_equal(line.kind, RECORD_UPGRADE);
    assert_int_equal(line.id, record.id);
    assert_true(line.is_in_progress);
    assert_int_equal(line.status, 101);
    assert_true(inet_endpoint_equals(&line.client, &record.client));
    assert_true(inet_endpoint_equals(&line.listener, &record.listener));
    assert_true(inet_endpoint_equals(&line.upstream, &record.upstream));
    assert_true(equals(line.user, "al\"\\\n\xc3\xa9"));
    assert_true(equals(line.would_deny, "policy.default"));
    assert_true(line.has_target && equals(host_slice(&line.target.host), "a.example"));
    assert_int_equal(line.target.port, 8080);
    assert_true(equals(line.target.path_and_query, "/x?y"));
    assert_int_equal(line.end.len, 0);
    assert_true(equals(line.listener_name, "inner"));
    assert_true(equals(line.cert_subject, "CN=ci,O=\"x\""));
    assert_int_equal(line.cert_name_count, 2);
    assert_true(equals(line.cert_names[0], "dns:ci.example"));
    assert_true(equals(line.cert_names[1], "uri:spiffe://x/ci"));
    assert_int_equal(line.group_count, 1);
    assert_true(equals(line.groups[0], "gid:7"));
    assert_false(line.certificate_is_cut);
    record.cert_subject.len = record.cert_names.len = 0;
    record.certificate_is_cut = true;
    text.len = 0;
    access_log_add(&record, &style, &text);
    assert_int_equal(log_line_read(text_slice(&text), &line, &fault), ST_OK);
    assert_true(line.certificate_is_cut);
}

/* What is no such line is refused, with a reason; unknown members are none. */
static void other_lines_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "1",
        "{}",
        "{\"v\":1}",
        "{\"kind\":\"local\"}",
        "{\"v\":2,\"kind\":\"local\"}",
        "{\"v\":\"1\",\"kind\":\"local\"}",
        "{\"v\":1,\"kind\":\"other\"}",
        "{\"v\":1,\"kind\":1}",
        "{\"v\":1,\"kind\":\"local\"",
        "{\"v\":1,\"kind\":\"local\",\"user\":1}",
        "{\"v\":1,\"kind\":\"local\",\"user\":\"a\",\"user\":\"b\"}",
        "{\"v\":1,\"v\":1,\"kind\":\"local\"}",
        "{\"v\":1,\"kind\":\"local\",\"client\":\"a\"}",
        "{\"v\":1,\"kind\":\"local\",\"id\":\"12\"}",
        "{\"v\":1,\"kind\":\"local\",\"status\":-1}",
        "{\"v\":1,\"kind\":\"local\",\"url\":\"a:1\",\"method\":\"CONNECT\",\"host\":\"b\"}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *fault = NULL;
        if (take(bad[i], &fault) != ST_BAD)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(fault);
    }
    const char *fault = "";
    assert_int_equal(take("{\"v\":1,\"kind\":\"local\",\"new\":{\"user\":[1]}}\n", &fault), ST_OK);
    assert_int_equal(line.user.len, 0);
}

/* A line is bounded: one byte more is too long, whatever it holds. */
static void length_is_bounded(void **state)
{
    (void)state;
    const char *fault = "";
    char *text = malloc(LOG_LINE_MAX + 1);
    assert_non_null(text);
    static const char begin[] = "{\"v\":1,\"kind\":\"local\",\"user\":\"";
    memset(text, 'a', LOG_LINE_MAX + 1);
    memcpy(text, begin, sizeof(begin) - 1);
    memcpy(text + LOG_LINE_MAX - 2, "\"}", 2);
    text[LOG_LINE_MAX] = '\n';
    assert_int_equal(log_line_read(slice_of(text, LOG_LINE_MAX), &line, &fault), ST_OK);
    assert_int_equal(line.user.len, LOG_LINE_MAX - 2 - (sizeof(begin) - 1));
    assert_int_equal(log_line_read(slice_of(text, LOG_LINE_MAX + 1), &line, &fault), ST_BAD);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_written_line_is_read_back),
                                       cmocka_unit_test(other_lines_are_refused),
                                       cmocka_unit_test(length_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
