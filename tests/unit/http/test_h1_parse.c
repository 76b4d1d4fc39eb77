#include "http_test.h"

struct fault_case {
    const char *text;
    size_t len;
    enum h1_fault fault;
};

#define CASE(text, fault)                        \
    {                                            \
        text, sizeof(text) - 1, H1_FAULT_##fault \
    }

static enum status parse_once(struct http_test *test, struct slice input, bool is_request,
                              const struct h1_limits *limits, enum h1_fault *ret_fault)
{
    struct h1_progress progress = {0};
    size_t consumed = 0;
    return is_request
               ? h1_parse_request(input, limits, &progress, &test->head, &consumed, ret_fault)
               : h1_parse_response(input, limits, &progress, &test->head, &consumed, ret_fault);
}

static void check_faults(const struct fault_case *cases, size_t count, bool is_request)
{
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < count; i++) {
        enum h1_fault fault = H1_FAULT_NONE;
        struct slice input = slice_of(cases[i].text, cases[i].len);
        enum status status = parse_once(&test, input, is_request, &test_limits, &fault);
        if (status != ST_BAD || fault != cases[i].fault)
            fail_msg("%s: status %d, fault %s instead of %s", cases[i].text, (int)status,
                     h1_fault_text(fault), h1_fault_text(cases[i].fault));
        assert_int_equal(test.head.fields.count, 0);
    }
    http_test_end(&test);
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct head *head = http_test_request(
        &test,
        "GET http://example.com/a?b HTTP/1.1\r\nhOST:example.com\r\nX-Empty:\r\nX-Blank: \t \r\n"
        "Accept: \t text/html, */* \t\r\nX-Text: caf\xc3\xa9 \x80\xff\r\n\r\n");
    assert_true(head->is_request);
    assert_int_equal(head->method, METHOD_GET);
    assert_slice(head->method_name, "GET");
    assert_slice(head->target, "http://example.com/a?b");
    assert_int_equal(head->major, 1);
    assert_int_equal(head->minor, 1);
    assert_int_equal(head->fields.count, 5);
    assert_slice(head->fields.at[0].name, "hOST");
    assert_slice(head->fields.at[0].value, "example.com");
    assert_int_equal(head->fields.at[0].token, TOKEN_HOST);
    assert_slice(head->fields.at[1].value, "");
    assert_slice(head->fields.at[2].value, "");
    assert_slice(head->fields.at[3].value, "text/html, */*");
    assert_slice(head->fields.at[4].value, "caf\xc3\xa9 \x80\xff");
    assert_int_equal(head->fields.at[4].token, TOKEN_OTHER);
    http_test_end(&test);
}

static void unusual_but_legal_requests_pass(void **state)
{
    (void)state;
    const char *good[] = {
        "get / HTTP/1.1\r\n\r\n",
        "M-SEARCH * HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.7\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "!#$%&'*+-.^_`|~ / HTTP/1.1\r\n!#$%&'*+-.^_`|~09: x\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b:c\r\nA: b\r\n\r\n",
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        (void)http_test_request(&test, good[i]); /* fails by itself */
    http_test_end(&test);
}

/* shows 9112-2.2-3 9112-2.2-9 9112-3.2-1 */
static void malformed_requests_are_named(void **state)
{
    (void)state;
    const struct fault_case cases[] = {
        CASE("\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", TOO_MANY_EMPTY_LINES),
        CASE("\nGET / HTTP/1.1\r\n\r\n", BARE_LF),
        CASE("\rGET / HTTP/1.1\r\n\r\n", BARE_CR),
        CASE(" GET / HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET  / HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET\t/ HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET /  HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / a HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTTP/1.1 \r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / http/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTTP/1.10\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTTP/1,1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTTP/x.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTTP/1.x\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET / HTCPCP/1.0\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET /\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET /a\0b HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("GET /a\x7f HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("G(T / HTTP/1.1\r\n\r\n", BAD_REQUEST_LINE),
        CASE("\x16\x03\x01\x02\x00\x01", BAD_REQUEST_LINE),
        CASE("GET / HTTP/2.0\r\n\r\n", BAD_VERSION),
        CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD_VERSION),
        CASE("GET / HTTP/0.9\r\n\r\n", BAD_VERSION),
        CASE("GET / HTTP/1.1\n\r\n", BARE_LF),
        CASE("GET / HTTP/1.1\r\r\n", BARE_CR),
        CASE("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", BARE_LF),
        CASE("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", BARE_CR),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\n", BARE_LF),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\rX", BARE_CR),
        CASE("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", FIELD_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", FIELD_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", FIELD_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\x0b\r\n\r\n", FIELD_VALUE),
        CASE("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", OBS_FOLD),
        CASE("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", OBS_FOLD),
        CASE("GET / HTTP/1.1\r\n A: b\r\n\r\n", OBS_FOLD),
        CASE("GET / HTTP/1.1\r\nA : b\r\n\r\n", SPACE_BEFORE_COLON),
        CASE("GET / HTTP/1.1\r\nA\t: b\r\n\r\n", SPACE_BEFORE_COLON),
        CASE("GET / HTTP/1.1\r\n: b\r\n\r\n", FIELD_NAME),
        CASE("GET / HTTP/1.1\r\nA(: b\r\n\r\n", FIELD_NAME),
        CASE("GET / HTTP/1.1\r\nA\0: b\r\n\r\n", FIELD_NAME),
        CASE("GET / HTTP/1.1\r\n\xc3\xa9: b\r\n\r\n", FIELD_NAME),
        CASE("GET / HTTP/1.1\r\nA\r\n\r\n", NO_COLON),
        CASE("GET / HTTP/1.1\r\nA\n\r\n", BARE_LF),
    };
    check_faults(cases, COUNT_OF(cases), true);
}

static void a_response_is_taken_apart(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    const struct head *head =
        http_test_response(&test, "HTTP/1.0 404 Not  Found\x80 \r\nServer \t: x\r\nA:b\r\n\r\n");
    assert_false(head->is_request);
    assert_int_equal(head->status, 404);
    assert_int_equal(head->minor, 0);
    assert_slice(head->reason, "Not  Found\x80 ");
    assert_slice(head->fields.at[0].name, "Server");
    assert_int_equal(head->fields.at[0].token, TOKEN_SERVER);
    assert_slice(head->fields.at[0].value, "x");
    assert_slice(http_test_response(&test, "HTTP/1.1 200 \r\n\r\n")->reason, "");
    assert_slice(http_test_response(&test, "HTTP/1.1 200\r\n\r\n")->reason, "");
    assert_int_equal(http_test_response(&test, "HTTP/1.1 999 Denied\r\n\r\n")->status, 999);
    http_test_end(&test);
}

/* shows 9110-15-2 9112-5.2-3 */
static void malformed_responses_are_named(void **state)
{
    (void)state;
    const struct fault_case cases[] = {
        CASE("\r\nHTTP/1.1 200 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("ICY 200 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1  200 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 20 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 2000 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 099 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 +20 OK\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 200 O\0K\r\n\r\n", BAD_STATUS_LINE),
        CASE("HTTP/1.1 200 OK\n\r\n", BARE_LF),
        CASE("HTTP/1.1 200 OK\rX\r\n\r\n", BARE_CR),
        CASE("HTTP/2 200 OK\r\n\r\n", BAD_VERSION),
        CASE("HTTP/3.0 200 OK\r\n\r\n", BAD_VERSION),
        CASE("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", OBS_FOLD),
        CASE("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", FIELD_NAME),
        CASE("HTTP/1.1 200 OK\r\n: c\r\n\r\n", FIELD_NAME),
        CASE("HTTP/1.1 200 OK\r\nA \r\n\r\n", NO_COLON),
    };
    check_faults(cases, COUNT_OF(cases), false);
}

static void every_cut_is_incomplete_and_every_split_gives_the_same(void **state)
{
    (void)state;
    const struct slice input =
        SLICE("\r\nPOST /path HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nX:\r\n\r\nabc");
    size_t head_len = input.len - 3;
    struct http_test test;
    http_test_begin(&test);
    for (size_t first = 0; first <= head_len; first++) {
        struct h1_progress progress = {0};
        size_t consumed = 0;
        enum h1_fault fault = H1_FAULT_NONE;
        enum status status = h1_parse_request(slice_first(input, first), &test_limits, &progress,
                                              &test.head, &consumed, &fault);
        assert_int_equal(status, first < head_len ? ST_AGAIN : ST_OK);
        if (status == ST_AGAIN)
            assert_int_equal(test.head.fields.count, 0);
        if (status == ST_AGAIN)
            status =
                h1_parse_request(input, &test_limits, &progress, &test.head, &consumed, &fault);
        assert_int_equal(status, ST_OK);
        assert_int_equal(consumed, head_len);
        assert_int_equal(test.head.fields.count, 3);
    }
    http_test_end(&test);
}

/* The faults of an incomplete head may come late, but never later than its end. */
static void single_bytes_give_the_same_answer_as_the_whole(void **state)
{
    (void)state;
    const char *texts[] = {
        "GET /a HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n",
        "GET /a HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET /a HTTP/1.1\n\n",
        "GET /a HTTP/1.1\r\nA: b\r\n\n",
        "GET /a HTTP/1.1\r\nA : b\r\n\r\n",
        "\r\n\r\n\r\nGET /a HTTP/1.1\r\n\r\n",
    };
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice input = slice_of(texts[i], strlen(texts[i]));
        enum h1_fault whole_fault = H1_FAULT_NONE;
        enum status whole = parse_once(&test, input, true, &test_limits, &whole_fault);
        struct h1_progress progress = {0};
        size_t consumed = 0;
        enum h1_fault fault = H1_FAULT_NONE;
        enum status status = ST_AGAIN;
        for (size_t len = 1; len <= input.len && status == ST_AGAIN; len++)
            status = h1_parse_request(slice_first(input, len), &test_limits, &progress, &test.head,
                                      &consumed, &fault);
        assert_int_equal(status, whole);
        assert_int_equal(fault, whole_fault);
    }
    http_test_end(&test);
}

static void responses_and_trailers_may_come_in_single_bytes(void **state)
{
    (void)state;
    const struct slice response = SLICE("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    const struct slice trailers = SLICE("A: b\r\nC: d\r\n\r\n");
    struct http_test test;
    http_test_begin(&test);
    struct h1_progress progress = {0};
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    for (size_t len = 0; len <= response.len; len++) {
        struct slice input = slice_first(response, len);
        enum status status =
            h1_parse_response(input, &test_limits, &progress, &test.head, &consumed, &fault);
        assert_int_equal(status, len < response.len ? ST_AGAIN : ST_OK);
    }
    assert_int_equal(test.head.fields.count, 2);
    progress = (struct h1_progress){0};
    for (size_t len = 0; len <= trailers.len; len++) {
        struct slice input = slice_first(trailers, len);
        enum status status = h1_parse_request_trailers(input, &test_limits, &progress,
                                                       &test.head.fields, &consumed, &fault);
        assert_int_equal(status, len < trailers.len ? ST_AGAIN : ST_OK);
    }
    assert_int_equal(test.head.fields.count, 2);
    http_test_end(&test);
}

/* shows 9112-3-2 9110-5.4-1 */
static void limits_are_exact(void **state)
{
    (void)state;
    const struct slice input = SLICE("GET /12345 HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n");
    struct http_test test;
    http_test_begin(&test);
    const struct h1_limits exact = {(uint32_t)input.len, 2, 6};
    enum h1_fault fault = H1_FAULT_NONE;
    assert_int_equal(parse_once(&test, input, true, &exact, &fault), ST_OK);

    const struct h1_limits small_head = {(uint32_t)input.len - 1, 2, 6};
    assert_int_equal(parse_once(&test, input, true, &small_head, &fault), ST_LIMIT);
    assert_int_equal(fault, H1_FAULT_HEAD_TOO_LARGE);
    const struct h1_limits few_fields = {1000, 1, 6};
    assert_int_equal(parse_once(&test, input, true, &few_fields, &fault), ST_LIMIT);
    assert_int_equal(fault, H1_FAULT_TOO_MANY_FIELDS);
    const struct h1_limits short_target = {1000, 2, 5};
    assert_int_equal(parse_once(&test, input, true, &short_target, &fault), ST_LIMIT);
    assert_int_equal(fault, H1_FAULT_TARGET_TOO_LONG);
    /* said before the line is complete */
    assert_int_equal(parse_once(&test, slice_first(input, 10), true, &short_target, &fault),
                     ST_LIMIT);
    assert_int_equal(fault, H1_FAULT_TARGET_TOO_LONG);
    /* an incomplete head that fills the cap can only grow */
    const struct h1_limits filled = {20, 2, 6};
    assert_int_equal(parse_once(&test, slice_first(input, 20), true, &filled, &fault), ST_LIMIT);
    assert_int_equal(fault, H1_FAULT_HEAD_TOO_LARGE);
    http_test_end(&test);
}

static void a_full_arena_is_a_named_fault(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    arena_done(&test.arena);
    arena_init(&test.arena, test.pool, 16);
    enum h1_fault fault = H1_FAULT_NONE;
    const struct slice input = SLICE("GET / HTTP/1.1\r\nA: b\r\n\r\n");
    assert_int_equal(parse_once(&test, input, true, &test_limits, &fault), ST_NOMEM);
    assert_int_equal(fault, H1_FAULT_NO_MEMORY);
    http_test_end(&test);
}

static void what_was_understood_stays_after_a_fault(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    enum h1_fault fault = H1_FAULT_NONE;
    const struct slice input = SLICE("PUT /x HTTP/1.1\r\nA: b\r\nC\r\n\r\n");
    assert_int_equal(parse_once(&test, input, true, &test_limits, &fault), ST_BAD);
    assert_true(test.head.is_request);
    assert_int_equal(test.head.method, METHOD_PUT);
    assert_slice(test.head.target, "/x");
    assert_int_equal(test.head.fields.count, 0);

    static const struct {
        const char *text;
        const char *target;
        int major;
    } lines[] = {
        {"HEAD /x HTTP/2.0\r\n\r\n", "/x", 0}, /* sound but for the version */
        {"HEAD /x HTTP/1.1\n\n", "/x", 1},     {"HEAD /x y HTTP/1.1\r\n\r\n", "", 0},
        {"HEAD /x HTTP/1.1 \r\n\r\n", "", 0},  {"HEAD /x\r\n\r\n", "", 0},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(
            parse_once(&test, slice_from_string(lines[i].text), true, &test_limits, &fault),
            ST_BAD);
        assert_int_equal(test.head.method, METHOD_HEAD);
        assert_slice(test.head.target, lines[i].target);
        assert_int_equal(test.head.major, lines[i].major);
    }
    http_test_end(&test);
}

static enum status parse_trailers(struct http_test *test, struct slice input, size_t *ret_consumed,
                                  enum h1_fault *ret_fault)
{
    struct h1_progress progress = {0};
    return h1_parse_request_trailers(input, &test_limits, &progress, &test->head.fields,
                                     ret_consumed, ret_fault);
}

static void trailers_are_fields_that_do_not_frame(void **state)
{
    (void)state;
    struct http_test test;
    http_test_begin(&test);
    size_t consumed = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    assert_int_equal(parse_trailers(&test, SLICE("\r\nGET"), &consumed, &fault), ST_OK);
    assert_int_equal(consumed, 2);
    assert_int_equal(parse_trailers(&test, SLICE("X-Sum: 1\r\n\r\nGET"), &consumed, &fault), ST_OK);
    assert_int_equal(consumed, 12);
    assert_slice(test.head.fields.at[0].value, "1");
    assert_int_equal(parse_trailers(&test, SLICE("X-Sum: 1\r\n"), &consumed, &fault), ST_AGAIN);
    const char *bad[] = {"content-length: 1\r\n\r\n", "A: b\r\nTransfer-Encoding: chunked\r\n\r\n",
                         "Host: a\r\n\r\n"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct slice input = slice_of(bad[i], strlen(bad[i]));
        assert_int_equal(parse_trailers(&test, input, &consumed, &fault), ST_BAD);
        assert_int_equal(fault, H1_FAULT_TRAILER_FIELD);
    }
    assert_int_equal(parse_trailers(&test, SLICE("A: b\n\n"), &consumed, &fault), ST_BAD);
    assert_int_equal(fault, H1_FAULT_BARE_LF);
    assert_int_equal(parse_trailers(&test, SLICE("A : b\r\n\r\n"), &consumed, &fault), ST_BAD);
    assert_int_equal(fault, H1_FAULT_SPACE_BEFORE_COLON);
    struct h1_progress progress = {0}; /* removed from a response (RFC 9112 §5.1) */
    assert_int_equal(h1_parse_response_trailers(SLICE("A \t: b\r\n\r\n"), &test_limits, &progress,
                                                &test.head.fields, &consumed, &fault),
                     ST_OK);
    assert_slice(test.head.fields.at[0].name, "A");
    http_test_end(&test);
}

static void every_fault_has_its_answer(void **state)
{
    (void)state;
    assert_int_equal(h1_fault_status(H1_FAULT_BARE_LF), 400);
    assert_int_equal(h1_fault_status(H1_FAULT_BAD_VERSION), 505);
    assert_int_equal(h1_fault_status(H1_FAULT_TARGET_TOO_LONG), 414);
    assert_int_equal(h1_fault_status(H1_FAULT_HEAD_TOO_LARGE), 431);
    assert_int_equal(h1_fault_status(H1_FAULT_TOO_MANY_FIELDS), 431);
    assert_string_equal(h1_fault_text(H1_FAULT_OBS_FOLD), "a field line is folded");
}

/* A field is marked as a line exactly where its bytes stand as they would be written. */
static void lines_that_can_be_copied_are_marked(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool is_line;
    } cases[] = {
        {"Accept: text/html\r\n", true},
        {"aCCEPT: text/html\r\n", true},
        {"X-Unknown!#$: \x80 \tx\r\n", true},
        {"A: b\r\n", true},
        {"Accept:text/html\r\n", false},
        {"Accept:  text/html\r\n", false},
        {"Accept: \ttext/html\r\n", false},
        {"Accept:\ttext/html\r\n", false},
        {"Accept: text/html \r\n", false},
        {"Accept: text/html\t\r\n", false},
        {"Accept:\r\n", false},
        {"Accept: \r\n", false},
        {"X-Name-that-is-longer-than-those-for-which-a-colon-is-looked-for-in-words: x\r\n", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char head[256];
        struct http_test test;
        http_test_begin(&test);
        (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n", cases[i].line);
        const struct fields *fields = &http_test_request(&test, head)->fields;
        assert_int_equal(fields->count, 1);
        const struct field *field = fields->at;
        assert_int_equal(field->is_line, cases[i].is_line);
        assert_int_equal(field->token, token_of(field->name));
        if (field->is_line) {
            struct slice line =
                slice_of(field->name.at, field->name.len + 2 + field->value.len + 2);
            assert_slice(line, cases[i].line);
        }
        http_test_end(&test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(unusual_but_legal_requests_pass),
        cmocka_unit_test(malformed_requests_are_named),
        cmocka_unit_test(a_response_is_taken_apart),
        cmocka_unit_test(malformed_responses_are_named),
        cmocka_unit_test(every_cut_is_incomplete_and_every_split_gives_the_same),
        cmocka_unit_test(single_bytes_give_the_same_answer_as_the_whole),
        cmocka_unit_test(responses_and_trailers_may_come_in_single_bytes),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(a_full_arena_is_a_named_fault),
        cmocka_unit_test(what_was_understood_stays_after_a_fault),
        cmocka_unit_test(trailers_are_fields_that_do_not_frame),
        cmocka_unit_test(every_fault_has_its_answer),
        cmocka_unit_test(lines_that_can_be_copied_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
