/* The anatomy of exchanges, to the millisecond: docs/timing.md says what each phase is. */
#include "sim/expect.h"

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define POST   "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
#define ANSWER "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 9\r\n\r\n"

/* Each phase of an exchange is what the script says, and those that did not happen are absent. */
static void test_every_phase_is_exact(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 7, .connect_ms = 11});
    struct peer *client = world_client(world);
    world_advance(world, 5);
    peer_say(client, GET);
    world_advance(world, 18);
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "GET / HTTP/1.1");
    world_advance(world, 42);
    peer_say(origin, ANSWER "one");
    world_advance(world, 10);
    peer_say(origin, "two");
    world_advance(world, 20);
    peer_say(origin, "six");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "onetwosix");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 7 connect 11 send 0 wait 42 load 30 deliver 0 "
                          "close 0 total 90");
    expect_end(record, "exchange 200 done -");
    assert_int_equal(mark_ms(record, MARK_C_ACCEPT), 0);
    assert_int_equal(mark_ms(record, MARK_C_FIRST), 5);
    assert_int_equal(record->attempts[0].end_ns - record->attempts[0].begin_ns, 11 * NS_PER_MS);
}

/* A reused connection has no dns and no connect phase, and names what its first user paid. */
static void test_a_reused_connection_was_paid_before(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 7, .connect_ms = 11});
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 18);
    struct peer *origin = world_origin(world);
    peer_say(origin, ANSWER "onetwosix");
    const struct record *first = world_record(world);
    world_advance(world, 300);
    peer_say(client, GET);
    world_advance(world, 4);
    peer_say(origin, ANSWER "onetwosix");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 send 0 wait 4 load 0 deliver 0 close 0 total 4");
    assert_int_equal(world->reached_count, 1);
    assert_int_equal(record->upstream_conn_id, first->upstream_conn_id);
    assert_int_equal(record->upstream_use, 2);
    assert_int_equal(record->client_use, 2);
    assert_int_equal(mark_ms(record, MARK_C_ACCEPT), -1);
    assert_int_equal(record->paid_dns_ns, 7 * NS_PER_MS);
    assert_int_equal(record->paid_connect_ns, 11 * NS_PER_MS);
    assert_int_equal(record->paid_tls_ns, 0);
    assert_int_equal(record->attempt_count, 0);
}

/* A target that is an address has no dns phase. */
static void test_a_literal_has_no_dns(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 7, .connect_ms = 11});
    peer_say(world_client(world),
             "GET http://93.184.216.34/ HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n");
    world_advance(world, 11);
    peer_say(world_origin(world), ANSWER "onetwosix");
    expect_phases(world_record(world), "receive 0 blocked 0 connect 11 send 0 wait 0 load 0 "
                                       "deliver 0 close 0 total 11");
}

/* TLS with the origin is a phase of its own, behind connect. */
static void test_tls_is_its_own_phase(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 1, .connect_ms = 2, .tls_ms = 40});
    peer_say(world_client(world), "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    world_advance(world, 43);
    peer_say(world_origin(world), ANSWER "onetwosix");
    expect_phases(world_record(world), "receive 0 blocked 0 dns 1 connect 2 tls 40 send 0 wait 0 "
                                       "load 0 deliver 0 close 0 total 43");
}

/* A head that comes in pieces makes the receive phase: from its first byte to its end. */
static void test_a_slow_head_is_received(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    world_advance(world, 3);
    peer_say(client, "GET http://a.test/ HT");
    world_advance(world, 15);
    peer_say(client, "TP/1.1\r\nHost: a.test\r\n");
    world_advance(world, 15);
    peer_say(client, "\r\n");
    peer_say(world_origin(world), ANSWER "onetwosix");
    expect_phases(world_record(world), "receive 30 blocked 0 dns 0 connect 0 send 0 wait 0 load 0 "
                                       "deliver 0 close 0 total 30");
}

/* Send lasts until the last byte of the body is taken, wait begins there. */
static void test_an_upload_is_sent(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, POST "6\r\n\r\nabc");
    world_advance(world, 12);
    peer_say(client, "def");
    world_advance(world, 30);
    peer_say(world_origin(world), ANSWER "onetwosix");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 send 12 wait 30 load 0 deliver 0 "
                          "close 0 total 42");
    assert_int_equal(mark_ms(record, MARK_C_BODY), 12);
    assert_int_equal(record->request_body_bytes, 6);
}

/* An answer that comes before the upload ended cuts send, and nobody waited. */
static void test_an_early_response_cuts_send(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, POST "6\r\n\r\nabc");
    world_advance(world, 5);
    peer_say(world_origin(world), ANSWER "onetwosix");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    world_advance(world, 10);
    peer_say(client, "def");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 send 5 wait 0 load 0 deliver 0 "
                          "close 10 total 15");
    assert_int_equal(mark_ms(record, MARK_U_TX1), 15);
    expect_end(record, "exchange 200 done -");
}

/* Wait ends at the first byte of the final response; interim responses have a mark of their own. */
static void test_wait_ends_at_the_final_response(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 10);
    peer_say(origin, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    expect_field(peer_hears_head(client, "HTTP/1.1 103 Early Hints"), "Link", "</x>");
    world_advance(world, 20);
    peer_say(origin, ANSWER "onetwosix");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 send 0 wait 30 load 0 deliver 0 "
                          "close 0 total 30");
    assert_int_equal(mark_ms(record, MARK_U_1XX), 10);
}

/* Wait does not end at an interim response whose bytes come in two pieces. */
static void test_a_split_interim_response_is_not_the_final_one(void **state)
{
    (void)state;
    struct world *world = world_create("");
    peer_say(world_client(world), GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 10);
    peer_say(origin, "HTTP/1.1 103 Early");
    world_advance(world, 10);
    peer_say(origin, " Hints\r\n\r\n");
    world_advance(world, 10);
    peer_say(origin, ANSWER "onetwosix");
    expect_phases(world_record(world), "receive 0 blocked 0 dns 0 connect 0 send 0 wait 30 load 0 "
                                       "deliver 0 close 0 total 30");
}

/* Where interim response and the begin of the final one come together, wait ends with them. */
static void test_an_interim_and_a_final_response_in_one_piece(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 10);
    peer_say(origin, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20");
    world_advance(world, 10);
    peer_say(origin, "0 OK\r\nContent-Length: 0\r\n\r\n");
    expect_phases(world_record(world), "receive 0 blocked 0 dns 0 connect 0 send 0 wait 10 load 10 "
                                       "deliver 0 close 0 total 20");
}

/* A client that does not read is billed for the time: stalled_by_client. */
static void test_a_slow_reader_is_billed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_deafen(client);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    world_advance(world, 3);
    peer_say_pattern(origin, 200000);
    world_advance(world, 50);
    peer_listen(client);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears_pattern(client, 0, 200000);
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 send 0 wait 0 load 53 deliver 0 "
                          "close 0 total 53");
    assert_int_equal(record->stalled_by_client_ns, 50 * NS_PER_MS);
    assert_int_equal(record->stalled_by_upstream_ns, 0);
}

/* An origin that does not read is billed for the time: stalled_by_upstream, and send lasts as long. */
static void test_a_slow_origin_is_billed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, POST "200000\r\n\r\n");
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "POST / HTTP/1.1");
    peer_deafen(origin);
    world_advance(world, 4);
    peer_say_pattern(client, 200000);
    world_advance(world, 30);
    peer_listen(origin);
    peer_hears_pattern(origin, 0, 200000);
    peer_say(origin, ANSWER "onetwosix");
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 send 34 wait 0 load 0 deliver 0 "
                          "close 0 total 34");
    assert_int_equal(record->stalled_by_upstream_ns, 30 * NS_PER_MS);
    assert_int_equal(record->stalled_by_client_ns, 0);
}

/* Deliver is the time from the response's last byte until the client took it. */
static void test_delivery_lags(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_set_room(client, 40);
    peer_deafen(client);
    peer_say(client, GET);
    peer_say(world_origin(world), ANSWER "onetwosix");
    world_advance(world, 25);
    peer_listen(client);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "onetwosix");
    expect_phases(world_record(world), "receive 0 blocked 0 dns 0 connect 0 send 0 wait 0 load 0 "
                                       "deliver 25 close 0 total 25");
}

/* What is answered here has no upstream phase at all. */
static void test_a_refusal_has_no_upstream_phase(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "CONNECT a.test:22 HTTP/1.1\r\nHost: a.test:22\r\n\r\n");
    const char *head = strstr(client->heard, "HTTP/1.1 403 ");
    assert_non_null(head);
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 close 0 total 0");
    expect_end(record, "local 403 refused proxy");
    expect_text(record, record->cause, "refused");
    assert_int_equal(world->reached_count, 0);
}

/* An address that is refused was looked up, but not connected to. */
static void test_a_refused_address_was_resolved_only(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 6, .connect_ms = 9, .address = "127.0.0.1"});
    peer_say(world_client(world), GET);
    world_advance(world, 100);
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 6 close 0 total 6");
    expect_end(record, "local 403 refused proxy");
    expect_text(record, record->cause, "refused_address");
    assert_false(world_has_origin(world));
}

/* A connect that failed is a begun phase without an end, and so absent. */
static void test_a_failed_connect_is_no_phase(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 6, .connect_ms = 9, .fails = DIAL_CONNECT_REFUSED});
    peer_say(world_client(world), GET);
    world_advance(world, 100);
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 6 close 0 total 15");
    expect_end(record, "local 502 error -");
    assert_int_equal(mark_ms(record, MARK_U_SYN0), 6);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_every_phase_is_exact),
        PLAY(test_a_reused_connection_was_paid_before),
        PLAY(test_a_literal_has_no_dns),
        PLAY(test_tls_is_its_own_phase),
        PLAY(test_a_slow_head_is_received),
        PLAY(test_an_upload_is_sent),
        PLAY(test_an_early_response_cuts_send),
        PLAY(test_wait_ends_at_the_final_response),
        PLAY(test_a_split_interim_response_is_not_the_final_one),
        PLAY(test_an_interim_and_a_final_response_in_one_piece),
        PLAY(test_a_slow_reader_is_billed),
        PLAY(test_a_slow_origin_is_billed),
        PLAY(test_delivery_lags),
        PLAY(test_a_refusal_has_no_upstream_phase),
        PLAY(test_a_refused_address_was_resolved_only),
        PLAY(test_a_failed_connect_is_no_phase),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
