#include "http_test.h"

#include "http/target.h"

struct target_case {
    enum method method;
    const char *raw;
    enum target_fault fault;
};

static void absolute_form_is_taken_apart(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(
        target_parse(SLICE("HTTP://WWW.Example.com:8080/a%2F..//b?x=\\y?z"), METHOD_GET, &target),
        TARGET_FAULT_NONE);
    assert_int_equal(target.form, TARGET_ABSOLUTE);
    assert_int_equal(target.scheme, SCHEME_HTTP);
    assert_slice(target.scheme_name, "HTTP");
    assert_slice(target.authority, "WWW.Example.com:8080");
    assert_slice(target.host_name, "WWW.Example.com");
    assert_true(target.has_host);
    assert_slice(host_slice(&target.host), "www.example.com");
    assert_int_equal(target.port, 8080);
    assert_slice(target.path_and_query, "/a%2F..//b?x=\\y?z");
    assert_slice(target_host_field(&target), "WWW.Example.com:8080");
}

/* shows 9112-3.2-4 */
static void ports_default_by_scheme(void **state)
{
    (void)state;
    const struct {
        const char *raw;
        uint16_t port;
        const char *host_field;
    } cases[] = {
        {"http://a/", 80, "a"},
        {"http://a:80/", 80, "a"},
        {"http://a:/", 80, "a"},
        {"https://a/", 443, "a"},
        {"https://a:443", 443, "a"},
        {"https://a:80/", 80, "a:80"},
        {"http://[::1]:81", 81, "[::1]:81"},
        {"http://[::1]", 80, "[::1]"},
        {"ftp://a/b", 0, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct target target;
        struct slice raw = slice_of(cases[i].raw, strlen(cases[i].raw));
        assert_int_equal(target_parse(raw, METHOD_GET, &target), TARGET_FAULT_NONE);
        assert_int_equal(target_port(&target), cases[i].port);
        assert_slice(target_host_field(&target), cases[i].host_field);
    }
}

static void other_schemes_are_named_and_not_looked_into(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(SLICE("ftp://user@host/x"), METHOD_GET, &target),
                     TARGET_FAULT_NONE);
    assert_int_equal(target.scheme, SCHEME_OTHER);
    assert_slice(target.scheme_name, "ftp");
    assert_false(target.has_host);
    assert_int_equal(target_parse(SLICE("urn:isbn:1"), METHOD_GET, &target), TARGET_FAULT_NONE);
    assert_int_equal(target.scheme, SCHEME_OTHER);
    assert_int_equal(target_parse(SLICE("A1+b.c-d://host/"), METHOD_GET, &target),
                     TARGET_FAULT_NONE);
    assert_slice(target.scheme_name, "A1+b.c-d");
}

static void the_other_forms_are_told_by_method_and_first_byte(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(SLICE("//a/b?c"), METHOD_GET, &target), TARGET_FAULT_NONE);
    assert_int_equal(target.form, TARGET_ORIGIN);
    assert_slice(target.path_and_query, "//a/b?c");
    assert_false(target.has_host);
    assert_int_equal(target_port(&target), 0);
    assert_int_equal(target_parse(SLICE("*"), METHOD_OPTIONS, &target), TARGET_FAULT_NONE);
    assert_int_equal(target.form, TARGET_ASTERISK);
    assert_int_equal(target_parse(SLICE("[2001:DB8::0]:443"), METHOD_CONNECT, &target),
                     TARGET_FAULT_NONE);
    assert_int_equal(target.form, TARGET_AUTHORITY);
    assert_slice(target.host_name, "[2001:DB8::0]");
    assert_slice(host_slice(&target.host), "2001:db8::");
    assert_int_equal(target_port(&target), 443);
}

/* shows 9110-4.2.1-2 9110-4.2.4-2 */
static void malformed_targets_are_named(void **state)
{
    (void)state;
#define BAD(method, raw, fault)                    \
    {                                              \
        METHOD_##method, raw, TARGET_FAULT_##fault \
    }
    const struct target_case cases[] = {
        BAD(GET, "", MALFORMED),
        BAD(GET, "a", MALFORMED),
        BAD(GET, "?a", MALFORMED),
        BAD(GET, ":80", MALFORMED),
        BAD(GET, "1http://a/", MALFORMED),
        BAD(GET, "ht_tp://a/", MALFORMED),
        BAD(GET, "h~tp://a/", MALFORMED),
        BAD(GET, "-http://a/", MALFORMED),
        BAD(GET, "http:/a/", MALFORMED),
        BAD(GET, "http:a", MALFORMED),
        BAD(GET, "http:", MALFORMED),
        BAD(GET, "*", ASTERISK_METHOD),
        BAD(GET, "/a b", BAD_BYTE),
        BAD(GET, "/a\tb", BAD_BYTE),
        BAD(GET, "/a\x7f", BAD_BYTE),
        BAD(GET, "/caf\xc3\xa9", BAD_BYTE),
        BAD(GET, "/a#b", FRAGMENT),
        BAD(GET, "http://a/#", FRAGMENT),
        BAD(GET, "/a\\b", BACKSLASH),
        BAD(GET, "http://a\\b/", BACKSLASH),
        BAD(GET, "http://a/b\\c?d", BACKSLASH),
        BAD(GET, "http:\\\\a/", MALFORMED),
        BAD(GET, "http://user@a/", USERINFO),
        BAD(GET, "http://user:pass@a/", USERINFO),
        BAD(GET, "http://@a/", USERINFO),
        BAD(GET, "http://a@b@c/", USERINFO),
        BAD(GET, "http:///a", NO_HOST),
        BAD(GET, "http://", NO_HOST),
        BAD(GET, "http://?a", NO_HOST),
        BAD(GET, "http://:80/", NO_HOST),
        BAD(GET, "http://a:0/", BAD_PORT),
        BAD(GET, "http://a:65536/", BAD_PORT),
        BAD(GET, "http://a:000080/", BAD_PORT),
        BAD(GET, "http://a:-1/", BAD_PORT),
        BAD(GET, "http://a:8x/", BAD_PORT),
        BAD(GET, "http://a::80/", BAD_HOST),
        BAD(GET, "http://::1/", BAD_HOST),
        BAD(GET, "http://[::1/", BAD_HOST),
        BAD(GET, "http://[::1]x/", BAD_HOST),
        BAD(GET, "http://[::1]80/", BAD_HOST),
        BAD(GET, "http://[fe80::1%25eth0]/", BAD_HOST),
        BAD(GET, "http://[]/", BAD_HOST),
        BAD(GET, "http://a%2eb/", BAD_HOST),
        BAD(GET, "http://a..b/", BAD_HOST),
        BAD(GET, "http://0x7f.1/", BAD_HOST),
        BAD(GET, "http://127.1/", BAD_HOST),
        BAD(CONNECT, "a", NO_PORT),
        BAD(CONNECT, "a:", NO_PORT),
        BAD(CONNECT, ":443", NO_HOST),
        BAD(CONNECT, "a:0", BAD_PORT),
        BAD(CONNECT, "a:443/", MALFORMED),
        BAD(CONNECT, "http://a:443", MALFORMED),
        BAD(CONNECT, "/", MALFORMED),
        BAD(CONNECT, "u@a:443", USERINFO),
        BAD(CONNECT, "*", BAD_HOST),
        BAD(CONNECT, "::1:443", BAD_HOST),
    };
#undef BAD
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct target target;
        struct slice raw = slice_of(cases[i].raw, strlen(cases[i].raw));
        enum target_fault fault = target_parse(raw, cases[i].method, &target);
        if (fault != cases[i].fault)
            fail_msg("%s: %s instead of %s", cases[i].raw, target_fault_text(fault),
                     target_fault_text(cases[i].fault));
    }
}

static void the_reason_of_a_bad_host_is_kept(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(SLICE("http://[fe80::1%25eth0]/"), METHOD_GET, &target),
                     TARGET_FAULT_BAD_HOST);
    assert_int_equal(target.host_fault, HOST_ZONE_ID);
    assert_int_equal(target_parse(SLICE("http://0177.0.0.1/"), METHOD_GET, &target),
                     TARGET_FAULT_BAD_HOST);
    assert_int_equal(target.host_fault, HOST_IPV4_SPELLING);
}

static enum target_fault of_head(struct http_test *test, const char *text,
                                 struct target *ret_target)
{
    return target_of_head(http_test_request(test, text), ret_target);
}

static void a_request_names_its_host_once_rfc9112_3_2(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    struct target target;
    const struct {
        const char *text;
        enum target_fault fault;
        const char *host; /* NULL: none */
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: A.b:81\r\n\r\n", TARGET_FAULT_NONE, "a.b"},
        {"GET http://x/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET_FAULT_NONE, "x"},
        {"GET http://x/ HTTP/1.1\r\nHost:\r\n\r\n", TARGET_FAULT_NONE, "x"},
        {"CONNECT x:1 HTTP/1.1\r\nHost: a\r\n\r\n", TARGET_FAULT_NONE, "x"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", TARGET_FAULT_NONE, "a"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", TARGET_FAULT_NONE, NULL},
        {"GET / HTTP/1.0\r\n\r\n", TARGET_FAULT_NONE, NULL},
        {"GET http://x/ HTTP/1.0\r\n\r\n", TARGET_FAULT_NONE, "x"},
        {"GET http://x/ HTTP/1.1\r\n\r\n", TARGET_FAULT_HOST_FIELD_MISSING, NULL},
        {"CONNECT x:1 HTTP/1.1\r\n\r\n", TARGET_FAULT_HOST_FIELD_MISSING, NULL},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", TARGET_FAULT_HOST_FIELD_REPEATED, NULL},
        {"GET / HTTP/1.0\r\nHost: a\r\nhost:\r\n\r\n", TARGET_FAULT_HOST_FIELD_REPEATED, NULL},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET http://x/ HTTP/1.1\r\nHost: a b\r\n\r\n", TARGET_FAULT_HOST_FIELD_BAD, NULL},
        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", TARGET_FAULT_MALFORMED, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum target_fault fault = of_head(&test, cases[i].text, &target);
        if (fault != cases[i].fault)
            fail_msg("%s: %s", cases[i].text, target_fault_text(fault));
        if (fault != TARGET_FAULT_NONE)
            continue;
        assert_int_equal(target.has_host, cases[i].host != NULL);
        if (cases[i].host != NULL)
            assert_slice(host_slice(&target.host), cases[i].host);
    }
    assert_int_equal(of_head(&test, "GET /p HTTP/1.1\r\nHost: A.b:81\r\n\r\n", &target),
                     TARGET_FAULT_NONE);
    assert_int_equal(target.form, TARGET_ORIGIN);
    assert_slice(target.path_and_query, "/p");
    assert_int_equal(target_port(&target), 81);
    http_test_end(&test);
}

/* shows 9112-3.2.1-1 9112-3.2.4-2 */
static void the_origin_gets_origin_form(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct {
        enum method method;
        const char *raw;
        const char *origin_form;
    } cases[] = {
        {METHOD_GET, "http://a", "/"},
        {METHOD_GET, "http://a/b?c", "/b?c"},
        {METHOD_GET, "http://a?b/c", "/?b/c"},
        {METHOD_OPTIONS, "http://a", "*"},
        {METHOD_OPTIONS, "http://a/", "/"},
        {METHOD_OPTIONS, "http://a?", "/?"},
        {METHOD_OPTIONS, "*", "*"},
        {METHOD_GET, "/x", "/x"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct target target;
        struct slice raw = slice_of(cases[i].raw, strlen(cases[i].raw));
        assert_int_equal(target_parse(raw, cases[i].method, &target), TARGET_FAULT_NONE);
        assert_slice(target_origin_form(&target, cases[i].method, &test.arena),
                     cases[i].origin_form);
    }
    struct target target;
    assert_int_equal(target_parse(SLICE("http://a?b"), METHOD_GET, &target), TARGET_FAULT_NONE);
    struct arena full;
    arena_init(&full, test.pool, 1);
    assert_null(target_origin_form(&target, METHOD_GET, &full).at);
    arena_done(&full);
    http_test_end(&test);
}

static void every_fault_has_its_sentence(void **state)
{
    (void)state;
    assert_string_equal(target_fault_text(TARGET_FAULT_FRAGMENT),
                        "the request target holds a fragment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absolute_form_is_taken_apart),
        cmocka_unit_test(ports_default_by_scheme),
        cmocka_unit_test(other_schemes_are_named_and_not_looked_into),
        cmocka_unit_test(the_other_forms_are_told_by_method_and_first_byte),
        cmocka_unit_test(malformed_targets_are_named),
        cmocka_unit_test(the_reason_of_a_bad_host_is_kept),
        cmocka_unit_test(a_request_names_its_host_once_rfc9112_3_2),
        cmocka_unit_test(the_origin_gets_origin_form),
        cmocka_unit_test(every_fault_has_its_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
