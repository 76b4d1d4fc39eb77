/* What bandwidth lets pass, at its millisecond. */
#include "sim/expect.h"

#include <stdio.h>

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define LONG   "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX: "
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* Bytes; those of the depth go at once. */
enum { RATE = 16 * 1024, DEPTH = 16 * 1024, FIELD = 24 * 1024 };

/* Bytes that the proxy has not received of this peer. */
static size_t unread(const struct peer *peer)
{
    return peer->end->peer->len;
}

static size_t say_long_head(struct peer *client)
{
    static char head[sizeof(LONG) + FIELD + sizeof("\r\n\r\n")];
    int len = snprintf(head, sizeof(head), LONG "%0*d\r\n\r\n", (int)FIELD, 0);
    assert_true(len > 0 && (size_t)len < sizeof(head));
    peer_say(client, head);
    return (size_t)len;
}

/* A head may be more than the bandwidth has. What its client says next is not even received before that is paid for,
 * however much else the turn brings. */
static void test_a_client_in_debt_is_not_read(void **state)
{
    (void)state;
    struct world *world = world_create("limits: { per_client: { bandwidth: 16KiB/s } }");
    struct peer *client = world_client(world);
    size_t said = say_long_head(client);
    struct peer *origin = world_origin(world);
    peer_say(origin, ANSWER);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "ok");
    assert_int_equal(mark_ms(world_record(world), MARK_X_END), 0);

    peer_say(client, GET);
    world_advance(world, (said - DEPTH) * 1000 / RATE);
    assert_int_equal(unread(client), strlen(GET));
    world_advance(world, 1);
    assert_int_equal(unread(client), 0);
    peer_say(origin, ANSWER);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
}

/* A message is over with its last byte, also where that is the last one that the bandwidth lets pass. */
static void test_the_last_byte_is_the_end(void **state)
{
    (void)state;
    size_t at_once = 0;
    for (size_t body = DEPTH - 256; body < DEPTH; body++) {
        struct world *world = world_create("limits: { per_client: { bandwidth: 16KiB/s } }");
        struct peer *client = world_client(world);
        peer_say(client, GET);
        struct peer *origin = world_origin(world);
        char head[64];
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
        peer_say(origin, head);
        peer_say_pattern(origin, body);
        world_advance(world, 5000);
        (void)peer_hears_head(client, "HTTP/1.1 200 OK");
        peer_hears_pattern(client, 0, body);
        assert_int_equal(mark_ms(world_record(world), MARK_X_END), client->heard_ms);
        at_once += client->heard_ms == 0;
        world_finish();
    }
    assert_in_range(at_once, 1, 255); /* so one of them used up just what there was */
}

int main(void)
{
    const struct CMUnitTest plays[] = {PLAY(test_a_client_in_debt_is_not_read),
                                       PLAY(test_the_last_byte_is_the_end)};
    return cmocka_run_group_tests(plays, NULL, NULL);
}
