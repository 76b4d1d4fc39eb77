/* Time limits and failures on the origin's leg: at their millisecond, with status and Proxy-Status. */
#include "sim/expect.h"

#include <stdio.h>

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define POST   "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* Reaching fails with this cause after 20 ms: what the client is told then. */
static void expect_failure(struct way way, const char *target, const char *status_line,
                           const char *token, const char *word)
{
    char request[200];
    struct world *world = world_create("");
    way.dns_ms = 20;
    world_way(world, way);
    struct peer *client = world_client(world);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", target);
    peer_say(client, request);
    world_advance(world, 19);
    peer_hears_nothing(client);
    world_advance(world, 1);
    const char *head = peer_hears_head(client, status_line);
    expect_field_has(head, "Proxy-Status", token);
    const struct record *record = world_record(world);
    expect_text(record, record->cause, word);
    expect_text(record, record->token, token);
    assert_true(peer_is_open(client)); /* the failure is not the client's: it may ask on */
    world_finish();
}

/* Every way to fail before a connection stands has its status and its Proxy-Status error (RFC 9209 §2.3). */
static void test_failures_to_reach_are_told(void **state)
{
    (void)state;
    static const struct {
        enum dial_cause cause;
        const char *status_line;
        const char *token;
        const char *word;
    } rows[] = {
        {DIAL_DNS_NXDOMAIN, "HTTP/1.1 502 Bad Gateway", "dns_error", "dns_not_found"},
        {DIAL_DNS_NODATA, "HTTP/1.1 502 Bad Gateway", "dns_error", "dns_no_address"},
        {DIAL_DNS_TIMEOUT, "HTTP/1.1 504 Gateway Timeout", "dns_timeout", "dns_timeout"},
        {DIAL_DNS_SERVFAIL, "HTTP/1.1 502 Bad Gateway", "dns_error", "dns_error"},
        {DIAL_DNS_REFUSED, "HTTP/1.1 502 Bad Gateway", "dns_error", "dns_error"},
        {DIAL_DNS_ERROR, "HTTP/1.1 502 Bad Gateway", "dns_error", "dns_error"},
        {DIAL_CONNECT_REFUSED, "HTTP/1.1 502 Bad Gateway", "connection_refused", "connect_refused"},
        {DIAL_CONNECT_UNREACHABLE, "HTTP/1.1 502 Bad Gateway", "destination_ip_unroutable",
         "connect_unreachable"},
        {DIAL_CONNECT_TIMEOUT, "HTTP/1.1 504 Gateway Timeout", "connection_timeout",
         "connect_timeout"},
        {DIAL_CONNECT_RESET, "HTTP/1.1 502 Bad Gateway", "connection_terminated", "connect_reset"},
        {DIAL_CONNECT_LIMIT, "HTTP/1.1 503 Service Unavailable", "connection_limit_reached",
         "connect_limit"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_failure((struct way){.fails = rows[i].cause}, "http://a.test/", rows[i].status_line,
                       rows[i].token, rows[i].word);
}

/* The same for TLS with the origin. */
static void test_failures_of_tls_are_told(void **state)
{
    (void)state;
    expect_failure((struct way){.ends = REACH_TLS_CERTIFICATE}, "https://a.test/",
                   "HTTP/1.1 502 Bad Gateway", "tls_certificate_error", "tls_certificate");
    expect_failure((struct way){.ends = REACH_TLS_FAILED}, "https://a.test/",
                   "HTTP/1.1 502 Bad Gateway", "tls_protocol_error", "tls_protocol");
    expect_failure((struct way){.ends = REACH_TLS_TIMEOUT}, "https://a.test/",
                   "HTTP/1.1 504 Gateway Timeout", "connection_timeout", "tls_timeout");
    expect_failure((struct way){.ends = REACH_TLS_ALERT}, "https://a.test/",
                   "HTTP/1.1 502 Bad Gateway", "tls_alert_received", "tls_alert");
}

/* Without memory for the connection the proxy says that it is its own fault, and closes nothing. */
static void test_a_connection_without_memory_is_shed(void **state)
{
    (void)state;
    expect_failure((struct way){.ends = REACH_NO_MEMORY}, "https://a.test/",
                   "HTTP/1.1 503 Service Unavailable", "proxy_internal_error", "shed");
}

/* A client that goes away while its origin is being reached ends the exchange and the reaching. */
static void test_a_client_gone_while_reaching(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.is_silent = true});
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 15);
    peer_reset(client);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 0 rst client");
    expect_text(record, record->cause, "client_gone");
    assert_int_equal(mark_ms(record, MARK_X_FIN_C), 15);
    assert_true(list_is_empty(&world->reaching));
}

/* An origin that does not answer is given up when the limit has passed since the request was sent. */
static void test_no_response_in_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 800ms, body_stall: 500ms }");
    world_way(world, (struct way){.connect_ms = 30});
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 829);
    peer_hears_nothing(client);
    world_advance(world, 1);
    const char *head = peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    expect_field_has(head, "Proxy-Status", "error=http_response_timeout");
    const struct record *record = world_record(world);
    expect_end(record, "local 504 timeout proxy");
    expect_text(record, record->cause, "response_timeout");
    peer_reset_at(world_origin(world), 830);
}

/* The time of an upload is not the origin's: its limit counts from the last byte sent. */
static void test_the_wait_counts_from_the_last_byte_sent(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 300ms, body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, POST "2\r\n\r\na");
    world_advance(world, 400);
    peer_say(client, "b");
    world_advance(world, 299);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    assert_int_equal(client->heard_ms, 700);
}

/* What the client sends meanwhile, a pipelined request, gives the origin no more time. */
static void test_a_pipelined_request_gives_no_more_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 800ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 600);
    peer_say(client, GET);
    world_advance(world, 199);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
}

/* A response head that trickles in does not move its limit. */
static void test_a_trickling_response_head_gets_no_more_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 300ms, body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nX: ");
    for (int i = 0; i < 100 && client->heard_total == 0; i++) {
        world_advance(world, 10);
        peer_say(origin, "y");
    }
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    assert_int_equal(client->heard_ms, 300);
}

/* An interim response shows that the origin is at work: the limit counts from it. */
static void test_an_interim_response_gives_more_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 300ms, body_stall: 100ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 250);
    peer_say(origin, "HTTP/1.1 102 Processing\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 102 Processing");
    world_advance(world, 299);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
}

/* One that an HTTP/1.0 client does not get gives no more time, or an origin could keep an exchange for ever whose
 * client nobody would miss. */
static void test_an_interim_response_that_is_dropped_gives_none(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 300ms, body_stall: 100ms }");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.0\r\n\r\n");
    struct peer *origin = world_origin(world);
    for (int i = 0; i < 29; i++) {
        world_advance(world, 10);
        peer_say(origin, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    peer_hears_nothing(client);
    world_advance(world, 10);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
}

/* A client that holds its body back for a 100 that does not come waits as long as for a response. */
static void test_no_continue_in_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { response_head: 300ms, body_stall: 100ms }");
    struct peer *client = world_client(world);
    peer_say(client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n"
                     "Expect: 100-continue\r\n\r\n");
    world_advance(world, 299);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    const struct record *record = world_record(world);
    expect_text(record, record->cause, "response_timeout");
}

/* An upload that stalls behind an early answer ends the exchange; the answer was whole. */
static void test_an_upload_that_stalls_behind_its_answer(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, POST "10\r\n\r\nabc");
    struct peer *origin = world_origin(world);
    world_advance(world, 100);
    peer_say(origin, ANSWER);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "ok");
    world_advance(world, 499);
    assert_true(peer_is_open(client));
    world_advance(world, 1);
    peer_ended_at(client, 600);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 200 timeout proxy");
    expect_text(record, record->cause, "body_timeout");
}

/* A body that stalls ends the connection at the limit, short of the length that was announced. */
static void test_a_body_that_stalls_is_visibly_cut(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms, response_head: 100ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 50);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    world_advance(world, 70);
    peer_say(origin, "d");
    world_advance(world, 499);
    assert_true(peer_is_open(client));
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "abcd");
    peer_ended_at(client, 620);
    peer_reset_at(origin, 620);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 200 timeout proxy");
    expect_text(record, record->cause, "response_stalled");
}

/* A chunked body that stalls goes without its last chunk. */
static void test_a_chunked_body_that_stalls_is_visibly_cut(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    peer_say(world_origin(world),
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    world_advance(world, 500);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "3\r\nabc\r\n");
    peer_ended_at(client, 500);
}

/* A body that only the connection's end would end is cut with a reset: an end in order would lie. */
static void test_a_close_framed_body_that_stalls_is_reset(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.0\r\n\r\n");
    peer_say(world_origin(world), "HTTP/1.1 200 OK\r\n\r\nabc");
    world_advance(world, 499);
    assert_true(peer_is_open(client));
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_reset_at(client, 500);
}

/* An origin that takes no more of an upload and answers nothing is given up. */
static void test_an_origin_that_takes_no_upload(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, POST "1000000\r\n\r\n");
    struct peer *origin = world_origin(world);
    peer_deafen(origin);
    world_advance(world, 7);
    peer_say_pattern(client, 1000000);
    world_advance(world, 499);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    const struct record *record = world_record(world);
    expect_end(record, "local 504 timeout proxy");
    assert_int_equal(mark_ms(record, MARK_X_END), 507);
}

/* An idle pooled connection is closed when its time is up. */
static void test_a_pooled_connection_expires(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { upstream_keepalive: 900ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 8);
    peer_say(origin, ANSWER);
    world_advance(world, 899);
    assert_true(peer_is_open(origin));
    world_advance(world, 1);
    peer_ended_at(origin, 908);
}

/* Two pooled connections expire each at its own time. */
static void test_pooled_connections_expire_one_by_one(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { upstream_keepalive: 900ms }");
    struct peer *one = world_client(world);
    struct peer *two = world_client(world);
    peer_say(one, GET);
    peer_say(two, GET);
    struct peer *first = world_origin(world);
    struct peer *second = world_origin(world);
    peer_say(second, ANSWER);
    world_advance(world, 333);
    peer_say(first, ANSWER);
    world_advance(world, 2000);
    peer_ended_at(second, 900);
    peer_ended_at(first, 1233);
}

/* A connection is used again until it is as old as the limit says, and not after. */
static void test_an_old_connection_is_not_used_again(void **state)
{
    (void)state;
    struct world *world = world_create("limits: { pool_max_age: 400ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *old = world_origin(world);
    peer_say(old, ANSWER);
    world_advance(world, 399);
    peer_say(client, GET);
    peer_say(old, ANSWER);
    assert_int_equal(world->reached_count, 1);
    world_advance(world, 1);
    peer_say(client, GET);
    assert_int_equal(world->reached_count, 2);
    peer_ended_at(old, 400);
    peer_say(world_origin(world), ANSWER);
}

/* The same for an upload that is small enough to be queued whole: that the client sent it all is no delivery. */
static void test_an_origin_that_takes_no_small_upload(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    world->makes_deaf = true;
    struct peer *client = world_client(world);
    peer_listen(client);
    world->room = 30;
    peer_say(client, "PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc");
    world_advance(world, 499);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 504 Gateway Timeout");
    const struct record *record = world_record(world);
    expect_text(record, record->cause, "send_stalled");
}

/* An answer that came whole from an origin that goes away is not held up by the end of the upload, which that origin
 * did not take: the client may ask again at once. */
static void test_an_answer_with_close_ends_a_queued_upload(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world->makes_deaf = true;
    struct peer *client = world_client(world);
    peer_listen(client);
    world->room = 30;
    peer_say(client, "PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc");
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nConnection: close\r\n");
    peer_say(origin, "Content-Length: 2\r\n\r\nok");
    expect_field(peer_hears_head(client, "HTTP/1.1 200 OK"), "Connection", NULL);
    peer_hears(client, "ok");
    expect_end(world_record(world), "exchange 200 done -");
    peer_say(client, GET);
    assert_true(world_has_origin(world));
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_failures_to_reach_are_told),
        PLAY(test_failures_of_tls_are_told),
        PLAY(test_a_connection_without_memory_is_shed),
        PLAY(test_a_client_gone_while_reaching),
        PLAY(test_no_response_in_time),
        PLAY(test_the_wait_counts_from_the_last_byte_sent),
        PLAY(test_a_pipelined_request_gives_no_more_time),
        PLAY(test_a_trickling_response_head_gets_no_more_time),
        PLAY(test_an_interim_response_gives_more_time),
        PLAY(test_an_interim_response_that_is_dropped_gives_none),
        PLAY(test_no_continue_in_time),
        PLAY(test_an_upload_that_stalls_behind_its_answer),
        PLAY(test_a_body_that_stalls_is_visibly_cut),
        PLAY(test_a_chunked_body_that_stalls_is_visibly_cut),
        PLAY(test_a_close_framed_body_that_stalls_is_reset),
        PLAY(test_an_origin_that_takes_no_upload),
        PLAY(test_a_pooled_connection_expires),
        PLAY(test_pooled_connections_expire_one_by_one),
        PLAY(test_an_old_connection_is_not_used_again),
        PLAY(test_an_origin_that_takes_no_small_upload),
        PLAY(test_an_answer_with_close_ends_a_queued_upload),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
