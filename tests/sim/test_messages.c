/* Messages through the whole proxy: framing towards other versions, and ends of connections in the middle. */
#include "sim/expect.h"

#include <stdlib.h>
#include <string.h>

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define GET_10 "GET http://a.test/ HTTP/1.0\r\n\r\n"

struct scene {
    struct world *world;
    struct peer *client;
    struct peer *origin;
};

/* A request that reached its origin. */
static struct scene scene_ask(const char *request)
{
    struct scene s = {.world = world_create("")};
    s.client = world_client(s.world);
    peer_say(s.client, request);
    s.origin = world_origin(s.world);
    return s;
}

/* Responses to HEAD, 204 and 304 have no body whatever their fields say; the connections stay (RFC 9112 §6.3). */
static void test_responses_without_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *status_line;
    } rows[] = {
        {"HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "HTTP/1.1 200 OK"},
        {GET, "HTTP/1.1 304 Not Modified"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scene s = scene_ask(rows[i].request);
        peer_say(s.origin, rows[i].status_line);
        peer_say(s.origin, "\r\nContent-Length: 5\r\n\r\n");
        expect_field(peer_hears_head(s.client, rows[i].status_line), "Content-Length", "5");
        peer_say(s.client, GET);
        peer_say(s.origin, "HTTP/1.1 204 No Content\r\n\r\n");
        const char *head = peer_hears_head(s.client, "HTTP/1.1 204 No Content");
        expect_field(head, "Content-Length", NULL);
        expect_field(head, "Transfer-Encoding", NULL);
        assert_int_equal(s.world->reached_count, 1);
        world_finish();
    }
}

/* A chunked response goes to an HTTP/1.0 client unchunked, ended by the connection's end (RFC 9112 §6.1). */
static void test_chunked_to_an_old_client(void **state)
{
    (void)state;
    struct scene s = scene_ask(GET_10);
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    const char *head = peer_hears_head(s.client, "HTTP/1.1 200 OK");
    expect_field(head, "Transfer-Encoding", NULL);
    expect_field(head, "Content-Length", NULL);
    expect_field(head, "Connection", "close");
    peer_hears(s.client, "abc");
    world_advance(s.world, 5);
    peer_say(s.origin, "3\r\ndef\r\n0\r\nX: y\r\n\r\n");
    peer_hears(s.client, "def");
    peer_ended_at(s.client, 5);
}

/* shows 9112-6.3-9 */
/* A response that its connection's end ends becomes chunked for an HTTP/1.1 client, who may then ask on. */
static void test_close_delimited_becomes_chunked(void **state)
{
    (void)state;
    struct scene s = scene_ask(GET);
    peer_say(s.origin, "HTTP/1.1 200 OK\r\n\r\nabc");
    expect_field(peer_hears_head(s.client, "HTTP/1.1 200 OK"), "Transfer-Encoding", "chunked");
    peer_hears(s.client, "3\r\nabc\r\n");
    peer_fin(s.origin);
    peer_hears(s.client, "0\r\n\r\n");
    assert_true(peer_is_open(s.client));
    peer_say(s.client, GET);
    assert_int_equal(s.world->reached_count, 2);
    peer_say(world_origin(s.world), "HTTP/1.1 204 No Content\r\n\r\n");
    (void)peer_hears_head(s.client, "HTTP/1.1 204 No Content");
}

/* shows 9112-8-1 9112-6.3-8 */
/* A response that its connection's end ends, and that a reset ends, is visibly cut for either client. */
static void test_a_reset_is_no_end_of_a_body(void **state)
{
    (void)state;
    for (int is_old = 0; is_old < 2; is_old++) {
        struct scene s = scene_ask(is_old ? GET_10 : GET);
        peer_say(s.origin, "HTTP/1.1 200 OK\r\n\r\nabc");
        (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
        peer_hears(s.client, is_old ? "abc" : "3\r\nabc\r\n");
        world_advance(s.world, 4);
        peer_reset(s.origin);
        peer_hears_nothing(s.client);
        if (is_old)
            peer_reset_at(s.client, 4);
        else
            peer_ended_at(s.client, 4);
        const struct record *record = world_record(s.world);
        expect_end(record, "exchange 200 rst upstream");
        expect_text(record, record->cause, "response_cut");
        assert_int_equal(mark_ms(record, MARK_X_FIN_U), 4);
        world_finish();
    }
}

/* A response that ends before its length is reached is cut, and nothing hides it (RFC 9112 §8). */
static void test_a_short_response_is_visibly_cut(void **state)
{
    (void)state;
    struct scene s = scene_ask(GET);
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    peer_fin(s.origin);
    expect_field(peer_hears_head(s.client, "HTTP/1.1 200 OK"), "Content-Length", "10");
    peer_hears(s.client, "abc");
    peer_ended_at(s.client, 0);
    const struct record *record = world_record(s.world);
    expect_text(record, record->cause, "response_cut");
}

/* Interim responses go to HTTP/1.1 clients, in order, and not to HTTP/1.0 clients (RFC 9110 §15.2). */
static void test_interim_responses(void **state)
{
    (void)state;
    for (int is_old = 0; is_old < 2; is_old++) {
        struct scene s = scene_ask(is_old ? GET_10 : GET);
        peer_say(s.origin, "HTTP/1.1 102 Processing\r\n\r\n");
        peer_say(s.origin, "HTTP/1.1 103 Early Hints\r\n\r\n");
        peer_say(s.origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if (!is_old) {
            (void)peer_hears_head(s.client, "HTTP/1.1 102 Processing");
            (void)peer_hears_head(s.client, "HTTP/1.1 103 Early Hints");
        }
        (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
        peer_hears(s.client, "ok");
        world_finish();
    }
}

/* Expect: 100-continue is passed on, the origin's 100 comes back, then the body flows (RFC 9110 §10.1.1). */
static void test_expect_continue(void **state)
{
    (void)state;
    struct scene s = scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                               "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    expect_field(peer_hears_head(s.origin, "POST / HTTP/1.1"), "Expect", "100-continue");
    peer_hears_nothing(s.client);
    peer_say(s.origin, "HTTP/1.1 100 Continue\r\n\r\n");
    (void)peer_hears_head(s.client, "HTTP/1.1 100 Continue");
    peer_say(s.client, "body");
    peer_hears(s.origin, "body");
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
}

/* Trailers of both directions are passed on behind the last chunk. */
static void test_trailers(void **state)
{
    (void)state;
    struct scene s = scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n2\r\nup\r\n0\r\nA: b\r\n\r\n");
    (void)peer_hears_head(s.origin, "POST / HTTP/1.1");
    peer_hears(s.origin, "2\r\nup\r\n0\r\nA: b\r\n\r\n");
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "4\r\ndown\r\n0\r\nC: d\r\n\r\n");
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    peer_hears(s.client, "4\r\ndown\r\n0\r\nC: d\r\n\r\n");
}

/* Pipelined requests to different origins are answered in order, also where the second could be faster. */
static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
                     "GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n"
                     "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    struct peer *a = world_origin(world);
    assert_false(world_has_origin(world));
    world_advance(world, 30);
    peer_say(a, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    struct peer *b = world_origin(world);
    peer_say(b, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 201 Created");
    (void)peer_hears_head(client, "HTTP/1.1 202 Accepted");
    (void)peer_hears_head(client, "HTTP/1.1 404 Not Found");
    expect_phases(world_record(world), "receive 0 blocked 0 dns 0 connect 0 send 0 wait 30 load 0 "
                                       "deliver 0 close 0 total 30");
    assert_int_equal(mark_ms(world_record(world), MARK_C_FIRST), 30); /* when it was looked at */
}

/* A client that ends its direction behind its request still gets the whole answer, and then the end. */
static void test_a_client_that_half_closes_gets_its_answer(void **state)
{
    (void)state;
    struct scene s = scene_ask(GET);
    peer_fin(s.client);
    world_advance(s.world, 50);
    assert_true(peer_is_open(s.client));
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    world_advance(s.world, 10);
    peer_say(s.origin, "def");
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    peer_hears(s.client, "abcdef");
    peer_ended_at(s.client, 60);
    expect_end(world_record(s.world), "exchange 200 done -");
    assert_int_equal(s.world->proxy.client_count, 0);
}

/* The same where request and end come in one turn, and for an upload. */
static void test_request_and_end_in_one_turn(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    world_hold(world);
    peer_say(client,
             "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc");
    peer_fin(client);
    world_go(world);
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "POST / HTTP/1.1");
    peer_hears(origin, "abc");
    assert_true(peer_is_open(origin));
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "ok");
    assert_int_equal(world->proxy.client_count, 0);
}

/* shows 9112-6.3-8 */
/* An upload that ends before its length is a request that was cut: the origin must not take it for whole. */
static void test_a_cut_upload_is_no_request(void **state)
{
    (void)state;
    struct scene s = scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    (void)peer_hears_head(s.origin, "POST / HTTP/1.1");
    world_advance(s.world, 9);
    peer_fin(s.client);
    peer_hears(s.origin, "3\r\nabc\r\n");
    peer_reset_at(s.origin, 9);
    (void)peer_hears_head(s.client, "HTTP/1.1 400 Bad Request");
    const struct record *record = world_record(s.world);
    expect_text(record, record->cause, "request_cut");
    assert_int_equal(mark_ms(record, MARK_X_FIN_C), 9);
    assert_int_equal(record->ended_by, LEG_CLIENT);
}

/* A client that ends in the middle of a head is closed without an answer or an exchange. */
static void test_a_head_that_is_cut(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HT");
    peer_fin(client);
    peer_hears_nothing(client);
    assert_false(peer_is_open(client));
    assert_int_equal(world->proxy.client_count, 0);
}

/* A client that resets in the middle of its answer ends the exchange, and the origin's connection with it. */
static void test_a_client_that_resets(void **state)
{
    (void)state;
    struct scene s = scene_ask(GET);
    peer_say(s.origin, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    world_advance(s.world, 6);
    peer_reset(s.client);
    peer_reset_at(s.origin, 6);
    const struct record *record = world_record(s.world);
    expect_end(record, "exchange 200 rst client");
    expect_text(record, record->cause, "client_gone");
}

/* An upload that was read whole when an early answer ended is still sent to its end. */
static void test_an_early_answer_does_not_cut_an_upload(void **state)
{
    (void)state;
    static const char chunks[] = "1e\r\n012345678901234567890123456789\r\n0\r\n\r\n";
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    world->room = 20;
    peer_say(client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "POST / HTTP/1.1");
    peer_deafen(origin);
    peer_say(client, chunks);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    world_advance(world, 10);
    peer_listen(origin);
    peer_hears(origin, chunks);
    assert_int_equal(counter_get(&world->counters, COUNT_POOL_IDLE), 1);
    assert_int_equal(mark_ms(world_record(world), MARK_U_TX1), 10);
}

/* shows 9112-9.5-4 */
/* An origin that answers and closes its connection before the upload ended: the answer reaches the client. */
static void test_an_early_answer_and_a_closed_origin(void **state)
{
    (void)state;
    struct scene s = scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                               "Content-Length: 100\r\n\r\nabc");
    peer_say(s.origin, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n"
                       "Connection: close\r\n\r\nbig");
    peer_close(s.origin);
    (void)peer_hears_head(s.client, "HTTP/1.1 413 Content Too Large");
    peer_hears(s.client, "big");
    peer_say(s.client, "more of the upload");
    assert_false(s.client->saw_reset);
}

/* Trailers of which none may pass leave no trace (RFC 9110 §6.5.1). */
static void test_trailers_that_may_not_pass(void **state)
{
    (void)state;
    struct scene s =
        scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n2\r\nup\r\n0\r\nContent-Type: x\r\n\r\n");
    (void)peer_hears_head(s.origin, "POST / HTTP/1.1");
    peer_hears(s.origin, "2\r\nup\r\n0\r\n\r\n");
}

/* The client is the last element of one Forwarded field; one that came empty adds none (RFC 7239 §4). */
static void test_forwarded_is_one_list(void **state)
{
    (void)state;
    struct world *world = world_create("forwarded: forwarded");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nForwarded:\r\n"
                     "Forwarded: for=192.0.2.1\r\n\r\n");
    const char *head = peer_hears_head(world_origin(world), "GET / HTTP/1.1");
    expect_field_has(head, "Forwarded", "for=192.0.2.1, for=");
    assert_ptr_equal(strstr(head, "Forwarded:"), strstr(head, "Forwarded: for=192.0.2.1, for="));
}

/* An origin that was found to take no more of the request before its answer was read: nothing but the end of the
 * client's connection can follow, and the answer says so (RFC 9110 §10.1.1, RFC 9112 §9.6). */
static void test_an_answer_of_a_deaf_origin_says_close(void **state)
{
    (void)state;
    struct scene s = scene_ask("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                               "Content-Length: 100\r\n\r\nabc");
    world_hold(s.world);
    peer_say(s.client, "more");
    peer_say(s.origin, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    peer_close(s.origin);
    world_go(s.world);
    expect_field(peer_hears_head(s.client, "HTTP/1.1 413 Content Too Large"), "Connection",
                 "close");
    peer_hears(s.client, "big");
    peer_ended_at(s.client, 0);
}

/* A client that is told early and ends its upload gets the rest of what it is told. */
static void test_an_upload_that_ends_behind_its_answer(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "Content-Length: 1000\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nabc",
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct world *world = world_create("");
        struct peer *client = world_client(world);
        peer_say(client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n");
        peer_say(client, bodies[i]);
        struct peer *origin = world_origin(world);
        (void)peer_hears_head(origin, "POST / HTTP/1.1");
        peer_say(origin, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\n01234");
        (void)peer_hears_head(client, "HTTP/1.1 413 Content Too Large");
        peer_hears(client, "01234");
        peer_fin(client);
        world_advance(world, 10);
        assert_true(peer_is_open(origin));
        peer_say(origin, "56789");
        peer_hears(client, "56789");
        peer_ended_at(client, 10);
        peer_ended_at(origin, 10);
        const struct record *record = world_record(world);
        expect_end(record, "exchange 413 done -");
        assert_int_equal(record->request_body_bytes, 3);
        world_finish();
    }
}

/* Fields for which there is no memory, more than the settings allow: 503, which says so, and no bare reset. */
static void test_a_head_beyond_the_memory_is_answered_503(void **state)
{
    (void)state;
    struct world *world = world_create("limits: { head_fields: 1999 }");
    struct config *config = (struct config *)(uintptr_t)world->snapshot->config;
    config->limits.head_fields = 10000;
    struct peer *client = world_client(world);
    world_hold(world);
    peer_say(client, "HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n");
    for (int i = 0; i < 5000; i++)
        peer_say(client, "a: b\r\n");
    peer_say(client, "\r\n");
    world_go(world);
    const char *head = peer_hears_head(client, "HTTP/1.1 503 Service Unavailable");
    expect_field(head, "Connection", "close");
    expect_field_has(head, "Proxy-Status", "error=proxy_internal_error");
    peer_hears_nothing(client);
    const struct record *record = world_record(world);
    expect_end(record, "local 503 error -");
    expect_text(record, record->cause, "shed");
    expect_text(record, record->method, "HEAD");
    config->limits.head_fields = 1999;
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_responses_without_a_body),
        PLAY(test_chunked_to_an_old_client),
        PLAY(test_close_delimited_becomes_chunked),
        PLAY(test_a_reset_is_no_end_of_a_body),
        PLAY(test_a_short_response_is_visibly_cut),
        PLAY(test_interim_responses),
        PLAY(test_expect_continue),
        PLAY(test_trailers),
        PLAY(test_pipelined_requests_are_answered_in_order),
        PLAY(test_a_client_that_half_closes_gets_its_answer),
        PLAY(test_request_and_end_in_one_turn),
        PLAY(test_a_cut_upload_is_no_request),
        PLAY(test_a_head_that_is_cut),
        PLAY(test_a_client_that_resets),
        PLAY(test_an_early_answer_does_not_cut_an_upload),
        PLAY(test_an_early_answer_and_a_closed_origin),
        PLAY(test_trailers_that_may_not_pass),
        PLAY(test_forwarded_is_one_list),
        PLAY(test_an_answer_of_a_deaf_origin_says_close),
        PLAY(test_an_upload_that_ends_behind_its_answer),
        PLAY(test_a_head_beyond_the_memory_is_answered_503),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
