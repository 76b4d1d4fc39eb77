/* A reused connection that was already closed: what is sent again, and what is not (RFC 9110 §9.2.2, RFC 9112
 * §9.3.1). */
#include "sim/expect.h"

#include <stdio.h>
#include <string.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct scene {
    struct world *world;
    struct peer *client;
    struct peer *stale; /* an origin's pooled connection that died without the proxy knowing */
};

/* A client that was served once, 300 ms ago. */
static struct scene scene_open(void)
{
    struct scene s = {.world = world_create("")};
    world_way(s.world, (struct way){.dns_ms = 5, .connect_ms = 6});
    world_way(s.world, (struct way){.dns_ms = 7, .connect_ms = 8});
    s.client = world_client(s.world);
    peer_say(s.client, "GET http://a.test/first HTTP/1.1\r\nHost: a.test\r\n\r\n");
    world_advance(s.world, 11);
    s.stale = world_origin(s.world);
    (void)peer_hears_head(s.stale, "GET /first HTTP/1.1");
    peer_say(s.stale, ANSWER);
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    peer_hears(s.client, "ok");
    (void)world_record(s.world);
    world_advance(s.world, 300);
    return s;
}

static void scene_ask(struct scene *s, const char *method, const char *rest)
{
    char request[300];
    (void)snprintf(request, sizeof(request), "%s http://a.test/ HTTP/1.1\r\nHost: a.test\r\n%.200s",
                   method, rest);
    peer_say(s->client, request);
    assert_true(s->stale->heard_len > 0);
}

/* shows 9110-9.2.2-2 */
/* Methods that are idempotent and have no body are sent once more on a new connection; the record says so. */
static void test_idempotent_requests_are_sent_again(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "HEAD", "DELETE", "OPTIONS", "PUT"};
    for (size_t i = 0; i < COUNT_OF(methods) * 2; i++) {
        bool is_reset = i % 2 == 1;
        struct scene s = scene_open();
        scene_ask(&s, methods[i / 2], "\r\n");
        world_advance(s.world, 4);
        if (is_reset)
            peer_reset(s.stale);
        else
            peer_close(s.stale);
        world_advance(s.world, 15);
        peer_say(world_origin(s.world), "HTTP/1.1 204 No Content\r\n\r\n");
        (void)peer_hears_head(s.client, "HTTP/1.1 204 No Content");
        const struct record *record = world_record(s.world);
        expect_phases(record, "receive 0 blocked 0 dns 7 connect 8 send 0 wait 0 load 0 deliver 0 "
                              "close 0 total 19");
        expect_end(record, "exchange 204 done -");
        assert_int_equal(record->retries, 1);
        assert_true(record->retry_was_stale_pool);
        assert_int_equal(record->upstream_use, 1);
        assert_int_equal(counter_get(&s.world->counters, COUNT_RETRIES), 1);
        world_finish();
    }
}

static void expect_no_retry(struct scene *s, const char *word)
{
    (void)peer_hears_head(s->client, "HTTP/1.1 502 Bad Gateway");
    const struct record *record = world_record(s->world);
    expect_text(record, record->cause, word);
    assert_int_equal(record->retries, 0);
    assert_int_equal(s->world->reached_count, 1);
}

/* shows 9110-9.2.2-1 9110-9.2.2-2 */
/* POST is never sent again: the origin may have acted on it. */
static void test_post_is_never_sent_again(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct scene s = scene_open();
        scene_ask(&s, "POST", i < 2 ? "\r\n" : "Content-Length: 1\r\n\r\nx");
        if (i % 2 == 0)
            peer_reset(s.stale);
        else
            peer_close(s.stale);
        expect_no_retry(&s, "no_response");
        world_finish();
    }
}

/* The second connection hears the whole request, and answers. */
static void expect_sent_again(struct scene *s, const char *body)
{
    world_advance(s->world, 15);
    struct peer *origin = world_origin(s->world);
    (void)peer_hears_head(origin, "PUT / HTTP/1.1");
    peer_hears(origin, body);
    peer_say(origin, ANSWER);
    (void)peer_hears_head(s->client, "HTTP/1.1 200 OK");
    peer_hears(s->client, "ok");
    const struct record *record = world_record(s->world);
    assert_int_equal(record->retries, 1);
    expect_end(record, "exchange 200 done -");
}

/* A small body is kept until the origin answers, and goes out again whole: by length, in chunks, and with its
 * trailers. */
static void test_a_small_body_is_sent_again(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        const char *body;
    } cases[] = {
        {"Content-Length: 3\r\n\r\nabc", "abc"},
        {"Content-Length: 0\r\n\r\n", ""},
        {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n",
         "5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases) * 2; i++) {
        struct scene s = scene_open();
        scene_ask(&s, "PUT", cases[i / 2].rest);
        if (i % 2 == 0)
            peer_reset(s.stale);
        else
            peer_close(s.stale);
        expect_sent_again(&s, cases[i / 2].body);
        world_finish();
    }
}

/* What of the body comes after the connection failed goes out behind what was kept. */
static void test_a_body_in_two_parts_is_sent_again(void **state)
{
    (void)state;
    struct scene s = scene_open();
    scene_ask(&s, "PUT", "Content-Length: 6\r\n\r\nabc");
    peer_close(s.stale);
    world_advance(s.world, 15);
    peer_say(s.client, "def");
    expect_sent_again(&s, "abcdef");
    world_finish();
}

/* A body larger than what is kept is gone; so the request is not sent again. */
static void test_a_large_body_is_not_sent_again(void **state)
{
    (void)state;
    enum { KEPT = 16384 };
    static char rest[KEPT + 300];
    for (int is_chunked = 0; is_chunked <= 1; is_chunked++) {
        struct scene s = scene_open();
        (void)snprintf(rest, sizeof(rest),
                       is_chunked ? "Transfer-Encoding: chunked\r\n\r\n%x\r\n"
                                  : "Content-Length: %u\r\n\r\n",
                       KEPT + 1);
        scene_ask(&s, "PUT", rest);
        memset(rest, 'b', KEPT + 1);
        rest[KEPT + 1] = '\0';
        peer_say(s.client, rest);
        peer_say(s.client, is_chunked ? "\r\n0\r\n\r\n" : "");
        peer_close(s.stale);
        expect_no_retry(&s, "no_response");
        world_finish();
    }
}

/* An answer that comes before the kept body has gone out again leaves it whole: its memory is nobody else's. */
static void test_an_early_answer_leaves_the_kept_body(void **state)
{
    (void)state;
    enum { BODY = 12000, ROOM = 4096 };
    static char rest[BODY + 300];
    struct scene s = scene_open();
    scene_ask(&s, "PUT", "Content-Length: 12000\r\n\r\n");
    memset(rest, 'b', BODY);
    peer_say(s.client, rest);
    s.world->room = ROOM;
    s.world->makes_deaf = true;
    peer_close(s.stale);
    world_advance(s.world, 15);
    struct peer *origin = world_origin(s.world);
    peer_say(origin, ANSWER);
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    s.world->room = WORLD_ROOM;
    static char secret[BODY];
    memset(secret, 's', BODY - 1);
    for (int i = 0; i < 8; i++) { /* whoever needs a block now gets that one, if it is free */
        struct peer *other = world_client(s.world);
        peer_say(other, "GET http://b.test/ HTTP/1.1\r\nSecret: ");
        peer_say(other, secret);
    }
    peer_listen(origin);
    (void)peer_hears_head(origin, "PUT / HTTP/1.1");
    peer_hears(origin, rest);
}

/* Once a byte of a response came, nothing is sent again. */
static void test_no_retry_after_a_response_byte(void **state)
{
    (void)state;
    struct scene s = scene_open();
    scene_ask(&s, "GET", "\r\n");
    peer_say(s.stale, "H");
    peer_close(s.stale);
    expect_no_retry(&s, "no_response");
}

/* Once an interim response came, nothing is sent again. */
static void test_no_retry_after_an_interim_response(void **state)
{
    (void)state;
    struct scene s = scene_open();
    scene_ask(&s, "GET", "\r\n");
    peer_say(s.stale, "HTTP/1.1 103 Early Hints\r\n\r\n");
    (void)peer_hears_head(s.client, "HTTP/1.1 103 Early Hints");
    peer_close(s.stale);
    expect_no_retry(&s, "no_response");
}

/* shows 9110-9.2.2-3 */
/* A new connection that fails is not tried again, nor is a retry that fails. */
static void test_once_is_enough(void **state)
{
    (void)state;
    struct scene s = scene_open();
    scene_ask(&s, "GET", "\r\n");
    peer_close(s.stale);
    world_advance(s.world, 15);
    peer_close(world_origin(s.world));
    (void)peer_hears_head(s.client, "HTTP/1.1 502 Bad Gateway");
    assert_int_equal(s.world->reached_count, 2);
    assert_int_equal(world_record(s.world)->retries, 1);
}

/* shows 9112-9.5-2 */
/* A pooled connection that was seen to end is not used: there is nothing to retry. */
static void test_a_connection_seen_closed_is_not_used(void **state)
{
    (void)state;
    struct scene s = scene_open();
    peer_close(s.stale);
    assert_int_equal(counter_get(&s.world->counters, COUNT_POOL_IDLE), 0);
    peer_say(s.client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    world_advance(s.world, 15);
    peer_say(world_origin(s.world), ANSWER);
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    assert_int_equal(world_record(s.world)->retries, 0);
}

/* The end and the next request come in the same turn: the connection is not used either. */
static void test_an_end_in_the_same_turn_is_seen(void **state)
{
    (void)state;
    struct scene s = scene_open();
    world_hold(s.world);
    peer_close(s.stale);
    peer_say(s.client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    world_go(s.world);
    world_advance(s.world, 15);
    peer_say(world_origin(s.world), ANSWER);
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
    assert_int_equal(world_record(s.world)->retries, 0);
}

/* Bytes that nobody asked for make a pooled connection useless: they must not answer the next request. */
static void test_unsolicited_bytes_answer_nobody(void **state)
{
    (void)state;
    struct scene s = scene_open();
    peer_say(s.stale, "HTTP/1.1 200 Evil\r\nContent-Length: 0\r\n\r\n");
    assert_false(peer_is_open(s.stale));
    peer_say(s.client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    world_advance(s.world, 15);
    peer_say(world_origin(s.world), ANSWER);
    (void)peer_hears_head(s.client, "HTTP/1.1 200 OK");
}

/* A second connection that dies while the kept body goes out again ends the exchange: there is no third. */
static void test_a_second_death_amid_the_kept_body(void **state)
{
    (void)state;
    enum { BODY = 12000 };
    static char rest[BODY + 1];
    struct scene s = scene_open();
    scene_ask(&s, "PUT", "Content-Length: 12000\r\n\r\n");
    memset(rest, 'b', BODY);
    peer_say(s.client, rest);
    s.world->room = 4096;
    s.world->makes_deaf = true;
    peer_close(s.stale);
    world_advance(s.world, 15);
    peer_reset(world_origin(s.world));
    (void)peer_hears_head(s.client, "HTTP/1.1 502 Bad Gateway");
    const struct record *record = world_record(s.world);
    expect_text(record, record->cause, "send_failed");
    assert_int_equal(record->retries, 1);
    assert_int_equal(s.world->reached_count, 2);
}

/* A death in the turn in which the limit for the response passes is a death: the request is sent again. */
static void test_a_death_wins_over_a_deadline(void **state)
{
    (void)state;
    struct scene s = scene_open();
    scene_ask(&s, "PUT", "Content-Length: 3\r\n\r\nabc");
    world_hold(s.world);
    clock_advance(3600 * NS_PER_S);
    peer_close(s.stale);
    world_go(s.world);
    expect_sent_again(&s, "abc");
}

/* The gate is asked about a pooled connection as well, by the rules of now: what it refuses is not used, and stays for
 * those to whom it is open. */
static void test_the_gate_refuses_a_pooled_connection(void **state)
{
    (void)state;
    struct scene s = scene_open();
    world_reconfigure(s.world, "egress: { deny: [" WORLD_ADDRESS "] }");
    struct peer *client = world_client(s.world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
    world_advance(s.world, 15);
    (void)peer_hears_head(
        client,
        "HTTP/1.1 403 Forbidden: The destination address was refused by policy (deny " WORLD_ADDRESS
        "/32; to allow it: take " WORLD_ADDRESS "/32 out of egress.deny)");
    assert_true(peer_is_open(s.stale));
    const struct record *record = world_record(s.world);
    expect_text(record, record->cause, "refused_address");
    assert_int_equal(s.world->reached_count, 2);
    peer_close(s.client); /* it pins the configuration that it came under */
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_idempotent_requests_are_sent_again),
        PLAY(test_post_is_never_sent_again),
        PLAY(test_a_small_body_is_sent_again),
        PLAY(test_a_body_in_two_parts_is_sent_again),
        PLAY(test_a_large_body_is_not_sent_again),
        PLAY(test_an_early_answer_leaves_the_kept_body),
        PLAY(test_no_retry_after_a_response_byte),
        PLAY(test_no_retry_after_an_interim_response),
        PLAY(test_once_is_enough),
        PLAY(test_a_connection_seen_closed_is_not_used),
        PLAY(test_an_end_in_the_same_turn_is_seen),
        PLAY(test_unsolicited_bytes_answer_nobody),
        PLAY(test_a_second_death_amid_the_kept_body),
        PLAY(test_a_death_wins_over_a_deadline),
        PLAY(test_the_gate_refuses_a_pooled_connection),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
