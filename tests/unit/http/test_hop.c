#include "http_test.h"

#include "base/text.h"
#include "http/hop.h"

static struct hop collect(const struct head *head)
{
    struct hop hop;
    assert_int_equal(hop_collect(head, &hop), ST_OK);
    return hop;
}

/* Names of the fields that go on, each with a blank behind it. */
static const char *forwarded(const struct head *head, char *into, size_t cap)
{
    struct hop hop = collect(head);
    struct text text = text_on(into, cap);
    FIELDS_EACH(field, &head->fields) {
        if (hop_is_connection_level(&hop, field))
            continue;
        text_add(&text, field->name);
        text_add_char(&text, ' ');
    }
    return text_string(&text);
}

/* shows 9110-7.6.1-2 9110-7.6.1-3 */
static void connection_level_fields_are_removed_rfc9110_7_6_1(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    char names[256];
    const struct head *head = http_test_request(
        &test, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nKeep-Alive: 5\r\nTE: "
               "trailers\r\n"
               "x-mine: 1\r\nX-Yours: 1\r\nProxy-Connection: x\r\nTransfer-Encoding: chunked\r\n"
               "Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: x\r\nTrailer: X\r\n"
               "connection: accept\r\nAccept: b\r\nReferer: r\r\n\r\n");
    assert_string_equal(forwarded(head, names, sizeof(names)), "Host X-Yours Trailer Referer ");
    head = http_test_response(&test, "HTTP/1.1 407 P\r\nProxy-Authenticate: Basic\r\nServer: s\r\n"
                                     "Proxy-Authentication-Info: x\r\n\r\n");
    assert_string_equal(forwarded(head, names, sizeof(names)), "Server ");
    http_test_end(&test);
}

/* shows 9110-7.6.1-2 */
static void connection_cannot_take_away_what_the_proxy_relies_on(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    char names[256];
    const struct head *head = http_test_request(
        &test,
        "OPTIONS * HTTP/1.1\r\nConnection: close, Host, content-length, VIA, Max-Forwards, Expect, "
        "Date, Trailer, Cookie\r\nHost: a\r\nContent-Length: 0\r\nVia: 1.1 a\r\nMax-Forwards: 3\r\n"
        "Expect: 100-continue\r\nDate: x\r\nTrailer: y\r\nCookie: z\r\n\r\n");
    assert_string_equal(forwarded(head, names, sizeof(names)),
                        "Host Content-Length Via Max-Forwards Expect Date Trailer ");
    http_test_end(&test);
}

static void odd_connection_options_name_nothing(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    char names[256];
    const struct head *head = http_test_request(
        &test, "GET / HTTP/1.1\r\nConnection: \"X-A\", X A, , (x), \r\nX-A: 1\r\n\r\n");
    assert_string_equal(forwarded(head, names, sizeof(names)), "X-A ");
    http_test_end(&test);
}

static void the_number_of_options_is_bounded(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    for (unsigned count = HOP_NAMES_MAX; count <= HOP_NAMES_MAX + 1; count++) {
        char buffer[1024];
        struct text text = text_on(buffer, sizeof(buffer));
        text_add(&text, SLICE("GET / HTTP/1.1\r\nConnection: close, keep-alive, te"));
        for (unsigned i = 0; i < count; i++)
            text_add_format(&text, ",x%u", i);
        text_add(&text, SLICE("\r\n\r\n"));
        struct hop hop;
        const struct head *head = http_test_request(&test, text_string(&text));
        assert_int_equal(hop_collect(head, &hop), count == HOP_NAMES_MAX ? ST_OK : ST_LIMIT);
    }
    http_test_end(&test);
}

/* shows 9112-9.3-6 9112-9.6-8 */
static void persistence_follows_rfc9112_9_3(void **state)
{
    (void)state;
    const struct {
        bool is_request;
        const char *text;
        bool persists;
    } cases[] = {
        {true, "GET / HTTP/1.1\r\n\r\n", true},
        {true, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
        {true, "GET / HTTP/1.1\r\nConnection: x, CLOSE ,y\r\n\r\n", false},
        {true, "GET / HTTP/1.1\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
        {true, "GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", false},
        {true, "GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true},
        {true, "GET / HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", false},
        {true, "GET / HTTP/1.1\r\nProxy-Connection: keep-alive\r\n\r\n", true},
        {true, "GET / HTTP/1.0\r\n\r\n", false},
        {true, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
        {true, "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", false},
        {false, "HTTP/1.1 200 OK\r\n\r\n", true},
        {false, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", false},
        {false, "HTTP/1.0 200 OK\r\n\r\n", false},
        {false, "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true},
        {false, "HTTP/1.0 200 OK\r\nConnection: Keep-Alive, close\r\n\r\n", false},
        {false, "HTTP/1.0 200 OK\r\nKeep-Alive: 5\r\n\r\n", false},
        {false, "HTTP/1.0 200 OK\r\nProxy-Connection: keep-alive\r\n\r\n", false},
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct head *head = http_test_parse(&test, cases[i].text, cases[i].is_request);
        struct hop hop = collect(head);
        if (hop_may_persist(&hop, head) != cases[i].persists)
            fail_msg("%s", cases[i].text);
    }
    http_test_end(&test);
}

static void an_upgrade_needs_connection_and_a_modern_version(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool is_in_force;
    } cases[] = {
        {"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: keep-alive, upgrade\r\nUpgrade: a, b\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false},
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct head *head = http_test_request(&test, cases[i].text);
        struct hop hop = collect(head);
        assert_int_equal(hop_has_upgrade(&hop, head), cases[i].is_in_force);
    }
    http_test_end(&test);
}

static void te_tells_whether_trailers_are_understood(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    assert_true(
        collect(http_test_request(&test, "GET / HTTP/1.1\r\nTE: gzip;q=0.5, Trailers\r\n\r\n"))
            .te_trailers);
    assert_false(
        collect(http_test_request(&test, "GET / HTTP/1.1\r\nTE: gzip\r\n\r\n")).te_trailers);
    assert_false(collect(http_test_request(&test, "GET / HTTP/1.1\r\n\r\n")).te_trailers);
    http_test_end(&test);
}

static void expectations_are_read_rfc9110_10_1_1(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool expects;
        bool other;
    } cases[] = {
        {"PUT / HTTP/1.1\r\n\r\n", false, false},
        {"PUT / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", true, false},
        {"PUT / HTTP/1.1\r\nExpect: 100-continue, x=y\r\n\r\n", true, true},
        {"PUT / HTTP/1.1\r\nExpect: 200-ok\r\n\r\n", false, true},
        {"PUT / HTTP/1.1\r\nExpect: x, 100-continue, y\r\n\r\n", true, true},
        {"PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false, false},
        {"PUT / HTTP/1.0\r\nExpect: x\r\n\r\n", false, false},
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool other = !cases[i].other;
        const struct head *head = http_test_request(&test, cases[i].text);
        assert_int_equal(hop_expects_continue(head, &other), cases[i].expects);
        assert_int_equal(other, cases[i].other);
    }
    http_test_end(&test);
}

/* shows 9110-7.6.2-1 */
static void max_forwards_is_a_number_rfc9110_7_6_2(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    uint32_t value = 0;
    assert_int_equal(hop_max_forwards(http_test_request(&test, "TRACE / HTTP/1.1\r\n\r\n"), &value),
                     ST_EOF);
    assert_int_equal(
        hop_max_forwards(http_test_request(&test, "TRACE / HTTP/1.1\r\nMax-Forwards: 07\r\n\r\n"),
                         &value),
        ST_OK);
    assert_int_equal(value, 7);
    assert_int_equal(hop_max_forwards(http_test_request(&test, "TRACE / HTTP/1.1\r\nMax-Forwards: "
                                                               "99999999999999999999999\r\n\r\n"),
                                      &value),
                     ST_OK);
    assert_int_equal(value, UINT32_MAX);
    const char *bad[] = {"TRACE / HTTP/1.1\r\nMax-Forwards:\r\n\r\n",
                         "TRACE / HTTP/1.1\r\nMax-Forwards: -1\r\n\r\n",
                         "TRACE / HTTP/1.1\r\nMax-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n",
                         "TRACE / HTTP/1.1\r\nMax-Forwards: 1, 1\r\n\r\n"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(hop_max_forwards(http_test_request(&test, bad[i]), &value), ST_BAD);
    http_test_end(&test);
}

/* shows 9110-7.6-2 9110-5.6.4-1 */
static void a_loop_is_seen_in_via_rfc9110_7_6_3(void **state)
{
    (void)state;
    const struct {
        const char *via;
        bool holds;
    } cases[] = {
        {"1.1 me", true},
        {"1.1 ME", true},
        {"HTTP/1.1 me", true},
        {"1.0 other, 1.1  me", true},
        {"1.0 other (a, 1.1 me), 1.1 x", false},
        {"1.0 other (a \\) , 1.1 me) , 1.1 x", false},
        {"1.0 other (a (b, c), d), 1.1 me (x)", true},
        {"1.1 me(x)", true},
        {"1.1\tme", true},
        {"1.1 \t me\t(x)", true},
        {"1.1 a\\, 1.1 me", true},
        {"1.1 a), 1.1 me", true},
        {"1.1 me2", false},
        {"1.1 not me", false},
        {"1.1 me:80", false},
        {"me", false},
        {"", false},
        {",,", false},
        {"1.1 other (unclosed, 1.1 me", true},
        {"1.1 other (, 1.1 me, 1.1 last (x)", true},
        {"1.1 other ((x), 1.1 me", true},
        {"1.1 other (\\), 1.1 me", true},
        {"1.1 other (unclosed, 1.1 you", false},
        {"1.1 other (\\", false},
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nVia: 1.1 first\r\nVia: %s\r\n\r\n",
                 cases[i].via);
        const struct head *head = http_test_request(&test, text);
        if (hop_via_holds(&head->fields, SLICE("me")) != cases[i].holds)
            fail_msg("%s", cases[i].via);
    }
    const struct head *head = http_test_response(&test, "HTTP/1.0 200 OK\r\n\r\n");
    assert_false(hop_via_holds(&head->fields, SLICE("me")));
    struct fields fields;
    fields_init(&fields, head->fields.arena);
    assert_int_equal(hop_add_via(&fields, head, SLICE("me")), ST_OK);
    const struct field *via = fields_find(&fields, TOKEN_VIA);
    assert_true(via->is_line);
    assert_slice(via->name, "Via");
    assert_slice(via->value, "1.0 me");
    assert_memory_equal(via->name.at, "Via: 1.0 me\r\n", sizeof("Via: 1.0 me\r\n") - 1);
    http_test_end(&test);
}

/* shows 9110-6.5.1-1 */
static void trailers_pass_unless_they_frame_route_or_authenticate(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct head *head =
        http_test_response(&test, "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\n\r\n");
    struct hop hop = collect(head);
    const struct {
        const char *name;
        bool passes;
    } cases[] = {
        {"X-Checksum", true},  {"Server-Timing", true},  {"ETag", true},
        {"X-Mine", false},     {"Connection", false},    {"Trailer", false},
        {"Set-Cookie", false}, {"Content-Type", false},  {"Via", false},
        {"Keep-Alive", false}, {"Authorization", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice name = slice_from_string(cases[i].name);
        const struct field field = {
            .name = name, .value = SLICE("x"), .token = (uint8_t)token_of(name)};
        assert_int_equal(hop_trailer_may_pass(&hop, &field), cases[i].passes);
    }
    http_test_end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection_level_fields_are_removed_rfc9110_7_6_1),
        cmocka_unit_test(connection_cannot_take_away_what_the_proxy_relies_on),
        cmocka_unit_test(odd_connection_options_name_nothing),
        cmocka_unit_test(the_number_of_options_is_bounded),
        cmocka_unit_test(persistence_follows_rfc9112_9_3),
        cmocka_unit_test(an_upgrade_needs_connection_and_a_modern_version),
        cmocka_unit_test(te_tells_whether_trailers_are_understood),
        cmocka_unit_test(expectations_are_read_rfc9110_10_1_1),
        cmocka_unit_test(max_forwards_is_a_number_rfc9110_7_6_2),
        cmocka_unit_test(a_loop_is_seen_in_via_rfc9110_7_6_3),
        cmocka_unit_test(trailers_pass_unless_they_frame_route_or_authenticate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
