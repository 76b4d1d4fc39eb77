/* Back-pressure: what one side does not take is not read from the other, and idle connections hold nothing. */
#include "sim/expect.h"

#include <stdlib.h>
#include <string.h>

#define GET     "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"

enum {
    BULK = 10000000,
    /* one receive into the scratch that could not be passed on, in the block that holds it, and a head */
    HELD_MAX = BLOCK_HUGE + BLOCK_MEDIUM,
};

/* shows 9112-9.5-3 */
/* A client that reads nothing costs a bounded number of bytes; when it reads, all of them come. */
static void test_a_response_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_deafen(client);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
    peer_say_pattern(origin, BULK);
    assert_in_range(world_held_bytes(world), 1, HELD_MAX);
    assert_true(origin->unsaid_len > BULK - HELD_MAX - 3 * WORLD_ROOM);
    world_advance(world, 1000);
    for (int i = 0; i < 20; i++) {
        peer_read(client, 10000);
        assert_in_range(world_held_bytes(world), 0, HELD_MAX);
    }
    peer_listen(client);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears_pattern(client, 0, BULK);
    assert_int_equal(world_record(world)->response_body_bytes, BULK);
}

/* shows 9112-9.5-3 */
/* The same for an upload that its origin does not read. */
static void test_an_upload_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
                     "Content-Length: 10000000\r\n\r\n");
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "POST / HTTP/1.1");
    peer_deafen(origin);
    peer_say_pattern(client, BULK);
    assert_in_range(world_held_bytes(world), 1, HELD_MAX);
    peer_listen(origin);
    peer_hears_pattern(origin, 0, BULK);
    peer_say(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(world_record(world)->request_body_bytes, BULK);
}

/* A chunked response keeps its framing under back-pressure, however little is read at a time. */
static void test_chunks_under_pressure(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world->room = 3000;
    struct peer *client = world_client(world);
    peer_deafen(client);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\n\r\n");
    peer_say_pattern(origin, 100000);
    peer_fin(origin);
    while (client->heard_len < 7 ||
           strcmp(client->heard + client->heard_len - 7, "\r\n0\r\n\r\n") != 0) {
        size_t before = client->heard_total;
        peer_read(client, 777);
        assert_true(client->heard_total > before);
    }
    char *plain = unchunked(client->heard);
    const char *body = strstr(plain, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), 100000);
    client->heard_len = 100000;
    memcpy(client->heard, body, 100001);
    peer_hears_pattern(client, 0, 100000);
    free(plain);
}

/* Bulk in both directions of a tunnel is bounded and complete. */
static void test_a_tunnel_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, CONNECT);
    (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
    struct peer *origin = world_origin(world);
    peer_deafen(client);
    peer_deafen(origin);
    peer_say_pattern(client, BULK);
    peer_say_pattern(origin, BULK);
    assert_in_range(world_held_bytes(world), 1, 2 * BLOCK_HUGE);
    peer_listen(client);
    peer_hears_pattern(client, 0, BULK);
    peer_listen(origin);
    peer_hears_pattern(origin, 0, BULK);
    assert_int_equal(world_held_bytes(world), 0); /* an idle tunnel holds no buffer */
}

/* Many exchanges that stall at once keep their bytes apart: nothing stays in the shared scratch. */
static void test_stalled_exchanges_do_not_mix(void **state)
{
    (void)state;
    enum { MANY = 40, EACH = 300000 };
    struct world *world = world_create("");
    struct peer *clients[MANY];
    struct peer *origins[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = world_client(world);
        peer_deafen(clients[i]);
        peer_say(clients[i], GET);
        origins[i] = world_origin(world);
    }
    world_hold(world);
    for (int i = 0; i < MANY; i++) {
        peer_say(origins[i], "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        peer_say_pattern(origins[i], EACH);
    }
    world_go(world);
    assert_in_range(world_held_bytes(world), 1, (size_t)MANY * HELD_MAX);
    world_hold(world);
    for (int i = 0; i < MANY; i++)
        peer_listen(clients[i]);
    world_go(world);
    for (int i = 0; i < MANY; i++) {
        (void)peer_hears_head(clients[i], "HTTP/1.1 200 OK");
        peer_hears_pattern(clients[i], 0, EACH);
    }
}

#define HINTS \
    "HTTP/1.1 103 Early Hints\r\nLink: </a-path/to-a-style.css>; rel=preload; as=style\r\n\r\n"

/* An origin that floods a client with interim responses, which it does not read, costs a bounded number of bytes. */
static void test_interim_responses_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_deafen(client);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    for (int i = 0; i < 20000; i++) {
        peer_say(origin, HINTS);
        assert_true(world_held_bytes(world) <= HELD_MAX);
    }
    assert_true(origin->unsaid_len > 0);
}

/* Interim responses that are read are all passed on, however many there are, and the final one behind them. */
static void test_many_interim_responses(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    for (int i = 0; i < 5000; i++) {
        world_advance(world, 10000);
        peer_say(origin, HINTS);
        (void)peer_hears_head(client, "HTTP/1.1 103 Early Hints");
    }
    peer_say(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 204 No Content");
}

/* Requests that a client pipelines while the first waits are not read before their turn. */
static void test_pipelined_requests_wait_outside(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    for (int i = 0; i < 20000; i++)
        peer_say(client, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client->unsaid_len > 0);
    assert_in_range(world_held_bytes(world), 1, HELD_MAX);
    peer_say(origin, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(client->unsaid_len, 0);
    assert_int_equal(counter_get(&world->counters, COUNT_REQUESTS), 20001);
}

/* Pipelined requests whose answers the client does not read are not read either. */
static void test_answers_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_deafen(client);
    for (int i = 0; i < 20000; i++)
        peer_say(client, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_in_range(world_held_bytes(world), 1, HELD_MAX);
    assert_true(counter_get(&world->counters, COUNT_REQUESTS) < 1000);
    peer_listen(client);
    assert_int_equal(counter_get(&world->counters, COUNT_REQUESTS), 20000);
}

/* An idle client and an idle tunnel hold no block. */
static void test_idle_clients_and_tunnels_hold_nothing(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    assert_int_equal(world_held_bytes(world), 0);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer_close(origin);
    assert_int_equal(world_held_bytes(world), 0);
    peer_say(client, CONNECT);
    peer_say(client, "hello");
    peer_hears(world_origin(world), "hello");
    assert_int_equal(world_held_bytes(world), 0);
}

/* A request that waits for its answer holds its head and the list of its fields, and nothing of the head that went
 * out. */
static void test_a_request_in_flight_holds_its_head(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    (void)peer_hears_head(origin, "GET / HTTP/1.1");
    assert_int_equal(world_held_bytes(world), BLOCK_MEDIUM + BLOCK_SMALL);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(world_held_bytes(world), 0);
}

/* An idle pooled connection holds no block either, neither of its last head nor of its last body. */
static void test_idle_pooled_connections_hold_nothing(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_int_equal(world_held_bytes(world), 0);
    peer_deafen(client);
    peer_say(client, GET);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
    peer_say_pattern(origin, 500000);
    peer_listen(client);
    assert_int_equal(counter_get(&world->counters, COUNT_POOL_IDLE), 1);
    assert_int_equal(world_held_bytes(world), 0);
}

/* Out of the memory that all exchanges may use, newcomers are turned away, and those that have some go on. */
static void test_out_of_buffers_turns_newcomers_away(void **state)
{
    (void)state;
    struct world *world = world_create("limits: { buffer_bytes: 4MiB }");
    struct peer *first = NULL;
    for (int i = 0; i < 100; i++) {
        struct peer *client = world_client(world);
        peer_deafen(client);
        peer_say(client, GET);
        if (!world_has_origin(world)) {
            peer_listen(client);
            assert_false(peer_is_open(client));
            break;
        }
        struct peer *origin = world_origin(world);
        peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        peer_say_pattern(origin, 1000000);
        assert_in_range(world_held_bytes(world), 1, 4U << 20);
        first = first == NULL ? client : first;
    }
    assert_int_equal(world->proxy.client_count, world->reached_count);
    peer_listen(first);
    (void)peer_hears_head(first, "HTTP/1.1 200 OK");
    peer_hears_pattern(first, 0, 1000000);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_a_response_nobody_reads),
        PLAY(test_an_upload_nobody_reads),
        PLAY(test_chunks_under_pressure),
        PLAY(test_a_tunnel_nobody_reads),
        PLAY(test_stalled_exchanges_do_not_mix),
        PLAY(test_interim_responses_nobody_reads),
        PLAY(test_many_interim_responses),
        PLAY(test_pipelined_requests_wait_outside),
        PLAY(test_answers_nobody_reads),
        PLAY(test_idle_clients_and_tunnels_hold_nothing),
        PLAY(test_a_request_in_flight_holds_its_head),
        PLAY(test_idle_pooled_connections_hold_nothing),
        PLAY(test_out_of_buffers_turns_newcomers_away),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
