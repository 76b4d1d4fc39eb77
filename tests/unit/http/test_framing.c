#include "http_test.h"

#include "http/framing.h"

/* Fields of a message and what they must mean. */
struct framing_case {
    const char *start; /* start line */
    const char *fields;
    enum framing_fault fault;
    enum framing_kind kind;
    uint64_t length;
    enum method method; /* of the request, for responses */
};

#define GET11  "GET / HTTP/1.1\r\n"
#define POST11 "POST / HTTP/1.1\r\n"
#define OK11   "HTTP/1.1 200 OK\r\n"
#define CL     "Content-Length: "
#define TE     "Transfer-Encoding: "

static void check_case(struct http_test *test, const struct framing_case *c, bool is_request)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s%s\r\n", c->start, c->fields);
    assert_in_range(len, 1, sizeof(text) - 1);
    const struct head *head = http_test_parse(test, text, is_request);
    struct framing framing = {.kind = FRAMING_NONE};
    enum framing_fault fault = is_request ? framing_of_request(head, &framing)
                                          : framing_of_response(head, c->method, &framing);
    if (fault != c->fault ||
        (fault == FRAMING_FAULT_NONE && (framing.kind != c->kind || framing.length != c->length)))
        fail_msg("%s: fault %s, kind %d, length %llu", text, framing_fault_text(fault),
                 (int)framing.kind, (unsigned long long)framing.length);
}

static void check_all(const struct framing_case *cases, size_t count, bool is_request)
{
    struct http_test test;
    http_test_begin(&test);
    for (size_t i = 0; i < count; i++)
        check_case(&test, &cases[i], is_request);
    http_test_end(&test);
}

/* shows 9112-6.3-4 9112-6.1-1 9110-8.6-8 */
static void requests_are_framed_as_rfc9112_6_3_says(void **state)
{
    (void)state;
    const struct framing_case cases[] = {
        {GET11, "", 0, FRAMING_NONE, 0, 0},
        {POST11, "", 0, FRAMING_NONE, 0, 0},
        {POST11, CL "0\r\n", 0, FRAMING_LENGTH, 0, 0},
        {GET11, CL "7\r\n", 0, FRAMING_LENGTH, 7, 0},
        {POST11, CL "007\r\n", 0, FRAMING_LENGTH, 7, 0},
        {POST11, CL "9223372036854775807\r\n", 0, FRAMING_LENGTH, INT64_MAX, 0},
        {POST11, CL "7\r\n" CL "7\r\n", 0, FRAMING_LENGTH, 7, 0},
        {POST11, CL "7, 7\r\n", 0, FRAMING_LENGTH, 7, 0},
        {POST11, TE "chunked\r\n", 0, FRAMING_CHUNKED, 0, 0},
        {POST11, TE "CHUNKED\r\n", 0, FRAMING_CHUNKED, 0, 0},
        {POST11, TE ", chunked,\r\n", 0, FRAMING_CHUNKED, 0, 0},
    };
    check_all(cases, COUNT_OF(cases), true);
}

/* shows 9112-6.3-3 9112-6.3-4 9112-6.1-11 */
static void ambiguous_requests_are_refused(void **state)
{
    (void)state;
    const struct framing_case cases[] = {
        {POST11, CL "3\r\n" TE "chunked\r\n", FRAMING_FAULT_LENGTH_AND_CODING, 0, 0, 0},
        {POST11, TE "chunked\r\n" CL "0\r\n", FRAMING_FAULT_LENGTH_AND_CODING, 0, 0, 0},
        {POST11, CL "3\r\n" TE "gzip\r\n", FRAMING_FAULT_LENGTH_AND_CODING, 0, 0, 0},
        {POST11, CL "\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "+3\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "-3\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "3 3\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "0x3\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "3.0\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "\"3\"\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "3,\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL ",3\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "3\r\n" CL "\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
        {POST11, CL "9223372036854775808\r\n", FRAMING_FAULT_LENGTH_OVERFLOW, 0, 0, 0},
        {POST11, CL "18446744073709551617\r\n", FRAMING_FAULT_LENGTH_OVERFLOW, 0, 0, 0},
        {POST11, CL "3, 4\r\n", FRAMING_FAULT_LENGTHS_DIFFER, 0, 0, 0},
        {POST11, CL "3\r\n" CL "4\r\n", FRAMING_FAULT_LENGTHS_DIFFER, 0, 0, 0},
        {"POST / HTTP/1.0\r\n", TE "chunked\r\n", FRAMING_FAULT_CODING_IN_OLD_VERSION, 0, 0, 0},
        {POST11, TE "chunked, chunked\r\n", FRAMING_FAULT_CHUNKED_REPEATED, 0, 0, 0},
        {POST11, TE "chunked\r\n" TE "chunked\r\n", FRAMING_FAULT_CHUNKED_REPEATED, 0, 0, 0},
        {POST11, TE "chunked, gzip\r\n", FRAMING_FAULT_CHUNKED_NOT_LAST, 0, 0, 0},
        {POST11, TE "chunked\r\n" TE "identity\r\n", FRAMING_FAULT_CHUNKED_NOT_LAST, 0, 0, 0},
        {POST11, TE "gzip\r\n", FRAMING_FAULT_CHUNKED_NOT_LAST, 0, 0, 0},
        {POST11, TE "identity\r\n", FRAMING_FAULT_CHUNKED_NOT_LAST, 0, 0, 0},
        {POST11, TE "xchunked\r\n", FRAMING_FAULT_CHUNKED_NOT_LAST, 0, 0, 0},
        {POST11, TE "gzip, chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, 0},
        {POST11, TE "gzip;q=1\r\n" TE "chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, 0},
        {POST11, TE "identity, chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, 0},
        {POST11, TE "\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE ",\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "chunked;a=b\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "chunked;\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "\"chunked\"\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "chu nked\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "chunked \x80\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "gzip;a=\"x, chunked\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "gzip;; ;, chunked\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, 0},
        {POST11, TE "gzip ; a = \"x, \\\"y\" ;b=c, chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0,
         0},
    };
    check_all(cases, COUNT_OF(cases), true);
}

static void connect_has_no_content_rfc9110_9_3_6(void **state)
{
    (void)state;
    const char *connect = "CONNECT a.example:443 HTTP/1.1\r\n";
    const struct framing_case cases[] = {
        {connect, "", 0, FRAMING_NONE, 0, 0},
        {connect, CL "0\r\n", 0, FRAMING_NONE, 0, 0},
        {connect, CL "1\r\n", FRAMING_FAULT_CONNECT_CONTENT, 0, 0, 0},
        {connect, TE "chunked\r\n", FRAMING_FAULT_CONNECT_CONTENT, 0, 0, 0},
        {connect, CL "0\r\n" TE "chunked\r\n", FRAMING_FAULT_CONNECT_CONTENT, 0, 0, 0},
        {connect, CL "x\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, 0},
    };
    check_all(cases, COUNT_OF(cases), true);
}

/* shows 9112-6.3-4 9112-6.1-4 */
static void responses_are_framed_as_rfc9112_6_3_says(void **state)
{
    (void)state;
    const struct framing_case cases[] = {
        {OK11, "", 0, FRAMING_CLOSE, 0, METHOD_GET},
        {OK11, CL "5\r\n", 0, FRAMING_LENGTH, 5, METHOD_GET},
        {OK11, CL "5, 5\r\n", 0, FRAMING_LENGTH, 5, METHOD_GET},
        {OK11, TE "chunked\r\n", 0, FRAMING_CHUNKED, 0, METHOD_POST},
        {OK11, TE "identity\r\n", 0, FRAMING_CLOSE, 0, METHOD_GET},
        {OK11, TE "gzip\r\n", 0, FRAMING_CLOSE, 0, METHOD_GET},
        {OK11, TE "gzip, x-own;p=1\r\n", 0, FRAMING_CLOSE, 0, METHOD_GET},
        {"HTTP/1.0 200 OK\r\n", CL "5\r\n", 0, FRAMING_LENGTH, 5, METHOD_GET},
        {"HTTP/1.1 205 R\r\n", CL "0\r\n", 0, FRAMING_LENGTH, 0, METHOD_GET},
        {"HTTP/1.1 407 P\r\n", CL "5\r\n", 0, FRAMING_LENGTH, 5, METHOD_CONNECT},
    };
    check_all(cases, COUNT_OF(cases), false);
}

/* shows 9112-6.3-1 9110-9.3.6-6 9110-6-1 */
static void some_responses_never_have_content(void **state)
{
    (void)state;
    const struct framing_case cases[] = {
        {OK11, CL "5\r\n", 0, FRAMING_NONE, 0, METHOD_HEAD},
        {OK11, TE "chunked\r\n", 0, FRAMING_NONE, 0, METHOD_HEAD},
        {OK11, TE "gzip, chunked\r\n", 0, FRAMING_NONE, 0, METHOD_HEAD},
        {"HTTP/1.1 103 E\r\n", CL "5\r\n", 0, FRAMING_NONE, 0, METHOD_GET},
        {"HTTP/1.1 101 S\r\n", "", 0, FRAMING_NONE, 0, METHOD_GET},
        {"HTTP/1.1 204 N\r\n", CL "5\r\n", 0, FRAMING_NONE, 0, METHOD_GET},
        {"HTTP/1.1 304 N\r\n", CL "5\r\n", 0, FRAMING_NONE, 0, METHOD_GET},
        {OK11, CL "5\r\n" TE "gzip\r\n", 0, FRAMING_NONE, 0, METHOD_CONNECT},
        {"HTTP/1.1 299 N\r\n", "", 0, FRAMING_NONE, 0, METHOD_CONNECT},
        {"HTTP/1.1 103 E\r\n", CL "x\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, METHOD_CONNECT},
        /* what could not be sent on is refused even there */
        {"HTTP/1.1 304 N\r\n", CL "5\r\n" CL "6\r\n", FRAMING_FAULT_LENGTHS_DIFFER, 0, 0,
         METHOD_GET},
        {OK11, CL "x\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, METHOD_HEAD},
    };
    check_all(cases, COUNT_OF(cases), false);
}

/* shows 9112-6.3-2 9112-6.3-4 */
static void ambiguous_responses_are_refused(void **state)
{
    (void)state;
    const struct framing_case cases[] = {
        {OK11, CL "5\r\n" TE "chunked\r\n", FRAMING_FAULT_LENGTH_AND_CODING, 0, 0, METHOD_GET},
        {OK11, CL "5\r\n" CL "6\r\n", FRAMING_FAULT_LENGTHS_DIFFER, 0, 0, METHOD_GET},
        {OK11, CL "5;\r\n", FRAMING_FAULT_BAD_LENGTH, 0, 0, METHOD_GET},
        {OK11, CL "99999999999999999999\r\n", FRAMING_FAULT_LENGTH_OVERFLOW, 0, 0, METHOD_GET},
        {"HTTP/1.0 200 O\r\n", TE "chunked\r\n", FRAMING_FAULT_CODING_IN_OLD_VERSION, 0, 0,
         METHOD_GET},
        {OK11, TE "chunked, chunked\r\n", FRAMING_FAULT_CHUNKED_REPEATED, 0, 0, METHOD_GET},
        {OK11, TE "gzip, chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, METHOD_GET},
        {OK11, TE "identity, chunked\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, METHOD_GET},
        {OK11, TE "gzip, identity\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, METHOD_GET},
        {OK11, TE "chunked, gzip\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, METHOD_GET},
        {OK11, TE "chunked, identity\r\n", FRAMING_FAULT_CODING_UNKNOWN, 0, 0, METHOD_GET},
        {OK11, TE "\r\n", FRAMING_FAULT_BAD_CODING, 0, 0, METHOD_GET},
    };
    check_all(cases, COUNT_OF(cases), false);
}

/* Who reads a list otherwise than its sender wrote it ends the content elsewhere: a parameter is a word behind a name,
 * and its quotes are closed (RFC 9112 §7, RFC 9110 §5.6.6). */
static void parameters_of_codings_are_whole(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "x;a=\"y, chunked",
        "x;a=\"y",
        "x;a=\"y\\",
        "x;a=\"y\"z",
        "x;a=y\"z, chunked\"",
        "x;a=y z",
        "x;a=",
        "x;a",
        "x;=y",
        "x;",
        "x;;a=y",
        "x;a=y;",
        "x;a=\"y\"\"z\"",
        "x;a b=c",
        "x;a==b",
        "x;\"a\"=b",
        "x;a=(y)",
    };
    static const char *const whole[] = {
        "x;a=y",        "x ; a = y\t;b=\"\"",  "x;a=\"y, chunked\"", "x;a=\"\\\"\\\\\"",
        "x;a=\"\xe4\"", "y, x;a=\"b;c=d\", z", "x;a=b;a=b",
    };
    char fields[100];
    for (size_t i = 0; i < COUNT_OF(broken) + COUNT_OF(whole); i++) {
        bool is_whole = i >= COUNT_OF(broken);
        (void)snprintf(fields, sizeof(fields), TE "%s\r\n",
                       is_whole ? whole[i - COUNT_OF(broken)] : broken[i]);
        const struct framing_case test = {
            OK11,          fields, is_whole ? FRAMING_FAULT_NONE : FRAMING_FAULT_BAD_CODING,
            FRAMING_CLOSE, 0,      METHOD_GET};
        check_all(&test, 1, false);
    }
}

static void every_fault_has_its_answer(void **state)
{
    (void)state;
    assert_int_equal(framing_fault_status(FRAMING_FAULT_LENGTHS_DIFFER), 400);
    assert_int_equal(framing_fault_status(FRAMING_FAULT_CODING_UNKNOWN), 501);
    assert_string_equal(framing_fault_text(FRAMING_FAULT_BAD_LENGTH),
                        "Content-Length is not a number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_framed_as_rfc9112_6_3_says),
        cmocka_unit_test(ambiguous_requests_are_refused),
        cmocka_unit_test(connect_has_no_content_rfc9110_9_3_6),
        cmocka_unit_test(responses_are_framed_as_rfc9112_6_3_says),
        cmocka_unit_test(some_responses_never_have_content),
        cmocka_unit_test(ambiguous_responses_are_refused),
        cmocka_unit_test(parameters_of_codings_are_whole),
        cmocka_unit_test(every_fault_has_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
