/* Time limits on the client's leg, each at its millisecond and not one earlier. */
#include "sim/expect.h"

#include <stdio.h>

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define POST   "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { LINGER_MS = 2000 };

/* A client that never says a byte is closed without an answer. */
static void test_a_silent_client_is_closed(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { client_head: 300ms }");
    struct peer *client = world_client(world);
    world_advance(world, 299);
    assert_true(peer_is_open(client));
    world_advance(world, 1);
    peer_hears_nothing(client);
    peer_ended_at(client, 300);
    assert_false(world_has_record(world));
}

/* A head that began and does not end is answered 408, counted from its first byte (RFC 9110 §15.5.9). */
static void test_a_head_that_stalls_is_answered_408(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { client_head: 300ms }");
    struct peer *client = world_client(world);
    world_advance(world, 20);
    peer_say(client, "GET http://a.test/ HT");
    world_advance(world, 299);
    peer_hears_nothing(client);
    world_advance(world, 1);
    const char *head = peer_hears_head(client, "HTTP/1.1 408 Request Timeout");
    expect_field(head, "Connection", "close");
    expect_field_has(head, "Proxy-Status", "error=http_request_error");
    assert_non_null(strstr(client->heard, "phase receive, after 300ms"));
    peer_ended_at(client, 320);
    const struct record *record = world_record(world);
    assert_int_equal(record->status, 408);
    expect_text(record, record->cause, "head_timeout");
}

/* The record of a head that came too late says that a limit of the proxy ended it. */
static void test_a_head_that_stalls_is_recorded_as_timeout(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { client_head: 300ms }");
    peer_say(world_client(world), "GET http://a.test/ HT");
    world_advance(world, 300);
    expect_end(world_record(world), "local 408 timeout proxy");
}

/* Bytes that trickle in do not move the limit of a head. */
static void test_a_trickling_head_gets_no_more_time(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { client_head: 300ms }");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nX: ");
    for (int i = 0; i < 40; i++) {
        world_advance(world, 10);
        if (!peer_is_open(client))
            break;
        peer_say(client, "y");
    }
    (void)peer_hears_head(client, "HTTP/1.1 408 Request Timeout");
    assert_int_equal(client->ended_ms, 300);
}

/* shows 9112-9.5-1 */
/* An idle connection is closed without an answer (RFC 9112 §9.5). */
static void test_an_idle_connection_is_closed(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { keepalive: 700ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 9);
    peer_say(world_origin(world), ANSWER);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    world_advance(world, 699);
    assert_true(peer_is_open(client));
    world_advance(world, 1);
    peer_hears(client, "ok");
    peer_ended_at(client, 709);
}

/* A second head has the time of a head, not what is left of the idle time. */
static void test_a_second_head_has_its_own_limit(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { keepalive: 700ms, client_head: 300ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    peer_say(world_origin(world), ANSWER);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "ok");
    world_advance(world, 690);
    peer_say(client, "GET http");
    world_advance(world, 299);
    peer_hears_nothing(client);
    world_advance(world, 1);
    (void)peer_hears_head(client, "HTTP/1.1 408 Request Timeout");
    assert_int_equal(client->heard_ms, 990);
}

/* Empty lines before a request do not hold a connection open (RFC 9112 §2.2). */
static void test_empty_lines_do_not_hold_a_connection(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { client_head: 300ms }");
    struct peer *client = world_client(world);
    for (int i = 0; i < 100 && peer_is_open(client); i++) {
        world_advance(world, 50);
        peer_say(client, "\r\n");
    }
    assert_false(peer_is_open(client));
    assert_true(client->ended_ms <= 350);
}

/* An upload that stalls is answered 408, counted from its last byte. */
static void test_an_upload_that_stalls_is_answered_408(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, POST "10\r\n\r\nabc");
    world_advance(world, 40);
    peer_say(client, "d");
    world_advance(world, 499);
    peer_hears_nothing(client);
    world_advance(world, 1);
    const char *head = peer_hears_head(client, "HTTP/1.1 408 Request Timeout");
    expect_field(head, "Connection", "close");
    assert_int_equal(client->heard_ms, 540);
    peer_reset_at(world_origin(world), 540);
    const struct record *record = world_record(world);
    expect_end(record, "local 408 timeout proxy");
    expect_text(record, record->cause, "body_timeout");
}

/* A client that stops reading is reset: its answer is visibly cut. */
static void test_a_client_that_stops_reading_is_reset(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    peer_deafen(client);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    world_advance(world, 5);
    peer_say_pattern(origin, 1000000);
    world_advance(world, 60);
    peer_read(client, 30000); /* progress: the limit counts from here */
    world_advance(world, 499);
    assert_false(world_has_record(world));
    world_advance(world, 1);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 200 timeout proxy");
    expect_text(record, record->cause, "client_stalled");
    assert_int_equal(mark_ms(record, MARK_X_END), 565);
    peer_listen(client);
    assert_true(client->saw_reset);
}

/* A client that does not even take a local answer has body_stall for it, then two more seconds. */
static void test_a_client_that_takes_no_answer_is_closed(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_set_room(client, 10);
    peer_deafen(client);
    peer_say(client, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    world_advance(world, 499);
    assert_false(world_has_record(world));
    world_advance(world, 1);
    const struct record *record = world_record(world);
    expect_end(record, "local 404 timeout proxy");
    expect_text(record, record->cause, "not_here");
    world_advance(world, LINGER_MS - 1);
    assert_int_equal(world->proxy.client_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->proxy.client_count, 0);
    peer_listen(client);
    peer_hears(client, "HTTP/1.1 4"); /* visibly cut */
}

/* A client that was told of an error and does not close is closed after two seconds (RFC 9112 §9.6). */
static void test_lingering_ends(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    world_advance(world, 30);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nBad Field: x\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 400 Bad Request");
    peer_ended_at(client, 30);
    assert_int_equal(world->proxy.client_count, 1);
    world_advance(world, LINGER_MS - 1);
    assert_int_equal(world->proxy.client_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->proxy.client_count, 0);
}

/* While it lingers it reads a bounded number of bytes, and the answer is not lost to a reset. */
static void test_lingering_reads_a_bounded_amount(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nBad Field: x\r\n\r\n");
    peer_say_pattern(client, 500000);
    (void)peer_hears_head(client, "HTTP/1.1 400 Bad Request");
    assert_int_equal(client->unsaid_len, 0);
    assert_int_equal(world->proxy.client_count, 1);
    assert_false(client->saw_reset);
    peer_say_pattern(client, 2000000);
    assert_int_equal(world->proxy.client_count, 0);
    assert_int_equal(world_held_bytes(world), 0);
}

/* The same for an answer that is small enough to be queued whole: that it came whole is no delivery. */
static void test_a_client_that_takes_no_small_answer_is_reset(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_set_room(client, 10);
    peer_deafen(client);
    peer_say(client, GET);
    peer_say(world_origin(world), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    world_advance(world, 499);
    assert_false(world_has_record(world));
    world_advance(world, 1);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 200 timeout proxy");
    expect_text(record, record->cause, "client_stalled");
    peer_listen(client);
    peer_hears(client, "HTTP/1.1 2");
    assert_true(client->saw_reset);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_a_silent_client_is_closed),
        PLAY(test_a_head_that_stalls_is_answered_408),
        PLAY(test_a_head_that_stalls_is_recorded_as_timeout),
        PLAY(test_a_trickling_head_gets_no_more_time),
        PLAY(test_an_idle_connection_is_closed),
        PLAY(test_a_second_head_has_its_own_limit),
        PLAY(test_empty_lines_do_not_hold_a_connection),
        PLAY(test_an_upload_that_stalls_is_answered_408),
        PLAY(test_a_client_that_stops_reading_is_reset),
        PLAY(test_a_client_that_takes_no_answer_is_closed),
        PLAY(test_lingering_ends),
        PLAY(test_lingering_reads_a_bounded_amount),
        PLAY(test_a_client_that_takes_no_small_answer_is_reset),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
