/* Things that meet: in one turn, in one queue, or before it was their time. */
#include "sim/expect.h"

#include "sim/scene.h"

#include <stdio.h>

#define GET  "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define NONE "HTTP/1.1 204 No Content\r\n\r\n"

/* ---- the last of many ---- */

static struct transport_ops breaking;
static const struct transport_ops *whole;
static unsigned sends_left;
static bool was_broken;

static enum status break_after(struct transport *transport, const struct iovec *iov, int count,
                               size_t *ret_len)
{
    if (sends_left == 0) {
        was_broken = true;
        return ST_IO;
    }
    sends_left--;
    return whole->send(transport, iov, count, ret_len);
}

/* The proxy's sends to this peer fail after so many. */
static void peer_break(struct peer *peer, unsigned sends)
{
    struct transport *near = &peer->end->peer->base;
    whole = near->ops;
    breaking = *whole;
    breaking.send = break_after;
    near->ops = &breaking;
    sends_left = sends;
    was_broken = false;
}

static enum status break_receive(struct transport *transport, void *into, size_t cap,
                                 size_t *ret_len)
{
    (void)transport, (void)into, (void)cap, (void)ret_len;
    return ST_IO;
}

/* The proxy's receives from this peer fail, before the poller has told why. */
static void peer_break_receives(struct peer *peer)
{
    struct transport *near = &peer->end->peer->base;
    breaking = *near->ops;
    breaking.recv = break_receive;
    near->ops = &breaking;
}

/* Whichever of many pipelined requests, all answered here, meets a broken connection: the client ends with it. */
static void test_any_answer_may_be_the_last(void **state)
{
    (void)state;
    unsigned broken = 0;
    for (unsigned sends = 0; sends < 40; sends++) {
        struct world *world = world_create("");
        struct peer *client = world_client(world);
        peer_break(client, sends);
        world_hold(world);
        for (int i = 0; i < 40; i++)
            peer_say(client, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        world_go(world);
        assert_int_equal(world->proxy.client_count, was_broken ? 0 : 1);
        broken += was_broken;
        world_finish();
    }
    assert_true(broken > 20); /* more than a client answers in one run */
}

/* ---- queues ---- */

/* A chunked body of `size` in chunks of `step`. */
static void say_chunks(struct peer *peer, size_t size, size_t step)
{
    char line[32];
    for (size_t at = 0; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        (void)snprintf(line, sizeof(line), "%zx\r\n", len);
        peer_say(peer, line);
        peer_say_pattern_from(peer, at, len);
        peer_say(peer, "\r\n");
    }
    peer_say(peer, "0\r\n\r\n");
}

/* Chunks of any size behind a large head, for a client that reads at once or late, with little room or much: all of
 * them come, and no time passes that nobody needs. */
static void test_chunks_behind_a_queue_arrive_whole(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 100, 4000, 4096, 5000, 70000};
    static const size_t rooms[] = {64, 5000, 65536, 1 << 20};
    enum { SIZE = 100000, CASES = COUNT_OF(steps) * COUNT_OF(rooms) * 4 };
    static char field[9000];
    memset(field, 'f', sizeof(field) - 1);
    for (size_t i = 0; i < CASES; i++) {
        size_t step = steps[i % COUNT_OF(steps)];
        size_t size = step == 1 ? 20000 : SIZE;
        bool is_late = i / COUNT_OF(steps) / COUNT_OF(rooms) % 2 == 1;
        bool is_held = i / COUNT_OF(steps) / COUNT_OF(rooms) / 2 == 1;
        struct world *world = world_create("");
        world->room = 1 << 20;
        struct peer *client = world_client(world);
        peer_say(client, GET);
        struct peer *origin = world_origin(world);
        peer_set_room(client, rooms[i / COUNT_OF(steps) % COUNT_OF(rooms)]);
        if (is_late)
            peer_deafen(client);
        if (is_held)
            world_hold(world);
        peer_say(origin, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: ");
        peer_say(origin, field);
        peer_say(origin, "\r\n\r\n");
        say_chunks(origin, size, step);
        world_go(world);
        peer_listen(client);
        char *plain = unchunked(client->heard);
        const char *body = strstr(plain, "\r\n\r\n") + 4;
        assert_int_equal(strlen(body), size);
        expect_pattern(body, 0, size);
        free(plain);
        assert_true(peer_is_open(client));
        expect_end(world_record(world), "exchange 200 done -");
        world_finish();
    }
}

/* ---- Expect ---- */

/* A client that was not told to go on and sends its body all the same waits for no 100 any more: the limit for a
 * response head does not hold while the body flows (RFC 9110 §10.1.1). */
static void test_a_body_that_flows_waits_for_no_100(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: {response_head: 3s, body_stall: 5s}");
    struct peer *client = world_client(world);
    peer_say(client, "PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
                     "Content-Length: 10\r\n\r\n");
    struct peer *origin = world_origin(world);
    for (int i = 0; i < 10; i++) {
        world_advance(world, 1000);
        peer_say(client, "x");
    }
    peer_say(origin, NONE);
    (void)peer_hears_head(client, "HTTP/1.1 204 No Content");
    expect_end(world_record(world), "exchange 204 done -");
}

/* ---- too early, and too late ---- */

/* A client that breaks off behind the head of an early answer, and not in order, gets no more of it. */
static void test_an_upload_that_breaks_behind_its_answer(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client,
             "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nabc");
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "POST / HTTP/1.1");
    peer_say(origin, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\n01234");
    (void)peer_hears_head(client, "HTTP/1.1 413 Content Too Large");
    peer_break_receives(client);
    peer_say(client, "def");
    assert_false(peer_is_open(origin));
    assert_false(peer_is_open(client));
    expect_end(world_record(world), "exchange 413 error client");
}

/* 101 before the whole request is with the origin: what waits of it would come into the tunnel. */
static void test_an_early_101_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    world->makes_deaf = true;
    world->room = 64;
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                     "Upgrade: x\r\n\r\n");
    peer_say(world_origin(world),
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 502 Bad Gateway");
}

/* An origin that ends with its response, in the same turn, has left nothing to use again. */
static void test_an_end_with_the_response_is_seen(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_hold(world);
    peer_say(origin, NONE);
    peer_fin(origin);
    world_go(world);
    (void)peer_hears_head(client, "HTTP/1.1 204 No Content");
    assert_int_equal(counter_get(&world->counters, COUNT_POOL_IDLE), 0);
    assert_false(peer_is_open(origin));
}

/* What comes in the turn in which a deadline passes is not late: a worker that was held up ends nobody. */
static void test_bytes_win_over_a_deadline(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: {client_head: 1s, response_head: 1s}");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\n");
    world_hold(world);
    clock_advance(2 * NS_PER_S);
    peer_say(client, "Host: a.test\r\n\r\n");
    world_go(world);
    struct peer *origin = world_origin(world);
    world_hold(world);
    clock_advance(2 * NS_PER_S);
    peer_say(origin, NONE);
    world_go(world);
    (void)peer_hears_head(client, "HTTP/1.1 204 No Content");
}

static void test_bytes_of_a_tunnel_win_over_its_limit(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: {tunnel_idle: 1s}");
    world_hold(s.world);
    clock_advance(2 * NS_PER_S);
    peer_say(s.client, "still here");
    world_go(s.world);
    peer_hears(s.origin, "still here");
    assert_true(peer_is_open(s.client));
}

/* ---- faults ---- */

/* RFC 6585 §5 holds for fields behind the body as well. */
static void test_trailers_that_are_too_large_are_431(void **state)
{
    (void)state;
    static char field[20000];
    memset(field, 'f', sizeof(field) - 1);
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client,
             "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\nX: ");
    peer_say(client, field);
    (void)peer_hears_head(client, "HTTP/1.1 431 Request Header Fields Too Large");
}

/* A tunnel that finds no memory for what its receiver does not take ends by our fault, and says so. */
static void test_a_shortage_is_no_reset_of_a_peer(void **state)
{
    (void)state;
    struct world *world = world_create_small("", 3 * BLOCK_MEDIUM);
    struct peer *client = world_client(world);
    peer_say(client, CONNECT);
    (void)peer_hears_head(client, OPENED);
    struct peer *origin = world_origin(world);
    peer_deafen(client);
    peer_say_pattern(origin, 200000);
    const struct record *record = world_record(world);
    expect_end(record, "tunnel 200 error proxy");
    expect_text(record, record->cause, "shed");
}

/* A client whose connection breaks when 101 is due gets no tunnel; its origin is let go. */
static void test_an_upgrade_for_a_broken_client(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                     "Upgrade: x\r\n\r\n");
    struct peer *origin = world_origin(world);
    peer_break(client, 0);
    peer_say(origin,
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_false(peer_is_open(origin));
    assert_false(peer_is_open(client));
    const struct record *record = world_record(world);
    expect_text(record, record->cause, "client_gone");
    assert_int_equal(counter_get(&world->counters, COUNT_TUNNELS), 0);
}

/* An origin that takes nothing more may have answered: that is waited for, and then it is the origin's fault. */
static void test_a_deaf_origin_may_still_answer(void **state)
{
    (void)state;
    for (int answers = 0; answers <= 1; answers++) {
        struct world *world = world_create("timeouts: {body_stall: 500ms}");
        struct peer *client = world_client(world);
        peer_say(client,
                 "PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n");
        struct peer *origin = world_origin(world);
        peer_break(origin, 0);
        peer_say(client, "abc");
        if (answers)
            peer_say(origin, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
        else
            world_advance(world, 500);
        (void)peer_hears_head(client, answers ? "HTTP/1.1 413 Content Too Large"
                                              : "HTTP/1.1 504 Gateway Timeout");
        const struct record *record = world_record(world);
        expect_text(record, record->cause, answers ? "" : "send_stalled");
        world_finish();
    }
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_any_answer_may_be_the_last),
        PLAY(test_chunks_behind_a_queue_arrive_whole),
        PLAY(test_a_body_that_flows_waits_for_no_100),
        PLAY(test_an_upload_that_breaks_behind_its_answer),
        PLAY(test_an_early_101_is_refused),
        PLAY(test_an_end_with_the_response_is_seen),
        PLAY(test_bytes_win_over_a_deadline),
        PLAY(test_bytes_of_a_tunnel_win_over_its_limit),
        PLAY(test_trailers_that_are_too_large_are_431),
        PLAY(test_a_shortage_is_no_reset_of_a_peer),
        PLAY(test_an_upgrade_for_a_broken_client),
        PLAY(test_a_deaf_origin_may_still_answer),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
