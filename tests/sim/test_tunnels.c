/* Tunnels: marks and phases, and the ends of both directions in every order. */
#include "sim/scene.h"

/* Both directions hold 200,000 bytes that the other side has not read yet. */
static void scene_load(struct scene *s)
{
    peer_deafen(s->client);
    peer_deafen(s->origin);
    peer_say_pattern(s->client, 200000);
    peer_say_pattern(s->origin, 200000);
}

/* A tunnel's marks and phases are those of the script. */
static void test_a_tunnel_is_timed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 3, .connect_ms = 4});
    struct peer *client = world_client(world);
    peer_say(client, CONNECT);
    world_advance(world, 7);
    (void)peer_hears_head(client, OPENED);
    struct peer *origin = world_origin(world);
    world_advance(world, 10);
    peer_say(client, "hello");
    world_advance(world, 10);
    peer_say(origin, "hi");
    world_advance(world, 10);
    peer_say(client, "bye");
    world_advance(world, 10);
    peer_fin(client);
    world_advance(world, 10);
    peer_fin(origin);
    const struct record *record = world_record(world);
    expect_phases(record, "receive 0 blocked 0 dns 3 connect 4 tunnel 50 close 20 total 57");
    expect_end(record, "tunnel 200 done client");
    assert_int_equal(mark_ms(record, MARK_T_OPEN), 7);
    assert_int_equal(mark_ms(record, MARK_T_UP), 17);
    assert_int_equal(mark_ms(record, MARK_T_DOWN), 27);
    assert_int_equal(mark_ms(record, MARK_T_LAST), 37);
    assert_int_equal(mark_ms(record, MARK_X_FIN_C), 47);
    assert_int_equal(mark_ms(record, MARK_X_FIN_U), 57);
    assert_int_equal(record->request_body_bytes, 8);
    assert_int_equal(record->response_body_bytes, 2);
    peer_hears(origin, "hellobye");
    peer_hears(client, "hi");
}

/* A tunnel without a byte has no first and no last byte, and closes from its opening on. */
static void test_an_unused_tunnel_has_no_byte_marks(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    world_advance(s.world, 12);
    peer_fin(s.origin);
    peer_fin(s.client);
    const struct record *record = world_record(s.world);
    expect_phases(record, "receive 0 blocked 0 dns 0 connect 0 tunnel 12 close 12 total 12");
    expect_end(record, "tunnel 200 done upstream");
    assert_int_equal(mark_ms(record, MARK_T_UP), -1);
    assert_int_equal(mark_ms(record, MARK_T_DOWN), -1);
    assert_int_equal(mark_ms(record, MARK_T_LAST), -1);
}

/* What a client sends right behind CONNECT goes through the tunnel, before what follows. */
static void test_early_bytes_go_through(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.connect_ms = 5});
    struct peer *client = world_client(world);
    peer_say(client, CONNECT "early ");
    world_advance(world, 2);
    peer_say(client, "more ");
    world_advance(world, 3);
    peer_say(client, "late");
    peer_hears(world_origin(world), "early more late");
}

/* A client that ends its direction while the origin is still being reached gets its tunnel all the same. */
static void test_an_end_before_the_tunnel_opens(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.connect_ms = 20});
    struct peer *client = world_client(world);
    peer_say(client, CONNECT "question");
    world_advance(world, 10);
    peer_fin(client);
    world_advance(world, 10);
    (void)peer_hears_head(client, OPENED);
    struct peer *origin = world_origin(world);
    peer_hears(origin, "question");
    peer_ended_at(origin, 20);
    peer_say(origin, "answer");
    peer_fin(origin);
    peer_hears(client, "answer");
    expect_end(world_record(world), "tunnel 200 done client");
}

/* An origin that speaks first and ends at once: its bytes and its end come behind the 200. */
static void test_an_origin_that_ends_at_once(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_set_room(client, 10);
    peer_deafen(client);
    peer_say(client, CONNECT);
    struct peer *origin = world_origin(world);
    peer_say_pattern(origin, 100000);
    peer_fin(origin);
    peer_set_room(client, WORLD_ROOM);
    peer_listen(client);
    (void)peer_hears_head(client, OPENED);
    peer_hears_pattern(client, 0, 100000);
    assert_true(client->saw_fin);
}

/* An upgrade is a tunnel behind a response: 101 is passed on with the bytes behind it. */
static void test_an_upgrade_is_a_tunnel(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\n\r\n");
    struct peer *origin = world_origin(world);
    expect_field(peer_hears_head(origin, "GET /ws HTTP/1.1"), "Upgrade", "websocket");
    world_advance(world, 6);
    peer_say(origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\n\r\nfirst");
    expect_field(peer_hears_head(client, "HTTP/1.1 101 Switching Protocols"), "Upgrade",
                 "websocket");
    peer_hears(client, "first");
    world_advance(world, 3);
    peer_say(client, "up");
    peer_hears(origin, "up");
    peer_fin(client);
    peer_fin(origin);
    const struct record *record = world_record(world);
    expect_end(record, "upgrade 101 done client");
    assert_int_equal(mark_ms(record, MARK_T_OPEN), 6);
    assert_int_equal(mark_ms(record, MARK_T_DOWN), 6);
    assert_int_equal(mark_ms(record, MARK_T_UP), 9);
}

/* The client ends first: its bytes and its end reach the origin, whose answer still reaches the client. */
static void test_the_client_ends_first(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    peer_say(s.client, "question");
    peer_fin(s.client);
    peer_hears(s.origin, "question");
    peer_ended_at(s.origin, 0);
    world_advance(s.world, 30);
    peer_say(s.origin, "answer");
    peer_hears(s.client, "answer");
    assert_true(peer_is_open(s.client));
    world_advance(s.world, 10);
    peer_fin(s.origin);
    peer_ended_at(s.client, 40);
    expect_end(world_record(s.world), "tunnel 200 done client");
}

/* The origin ends first: the client may still send. */
static void test_the_origin_ends_first(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    peer_say(s.origin, "greeting");
    peer_fin(s.origin);
    peer_hears(s.client, "greeting");
    peer_ended_at(s.client, 0);
    world_advance(s.world, 30);
    peer_say(s.client, "more");
    peer_hears(s.origin, "more");
    assert_true(peer_is_open(s.origin));
    peer_fin(s.client);
    peer_ended_at(s.origin, 30);
    expect_end(world_record(s.world), "tunnel 200 done upstream");
}

/* Both end in the same turn with bytes under way: nothing is lost, both ends are in order. */
static void test_both_end_at_once(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    world_hold(s.world);
    peer_say(s.client, "up");
    peer_fin(s.client);
    peer_say(s.origin, "down");
    peer_fin(s.origin);
    world_go(s.world);
    peer_hears(s.origin, "up");
    peer_hears(s.client, "down");
    peer_ended_at(s.origin, 0);
    peer_ended_at(s.client, 0);
    const struct record *record = world_record(s.world);
    assert_int_equal(record->end, END_DONE);
    assert_int_equal(mark_ms(record, MARK_X_FIN_C), 0);
    assert_int_equal(mark_ms(record, MARK_X_FIN_U), 0);
}

/* An end behind held bytes is passed on after the last of them, in whichever order the sides read. */
static void test_ends_wait_for_held_bytes(void **state)
{
    (void)state;
    for (int origin_reads_first = 0; origin_reads_first < 2; origin_reads_first++) {
        struct scene s = scene_open("");
        scene_load(&s);
        peer_fin(s.client);
        peer_fin(s.origin);
        world_advance(s.world, 20);
        struct peer *first = origin_reads_first ? s.origin : s.client;
        struct peer *second = origin_reads_first ? s.client : s.origin;
        peer_listen(first);
        peer_hears_pattern(first, 0, 200000);
        peer_ended_at(first, 20);
        assert_false(world_has_record(s.world));
        world_advance(s.world, 20);
        peer_listen(second);
        peer_hears_pattern(second, 0, 200000);
        peer_ended_at(second, 40);
        const struct record *record = world_record(s.world);
        assert_int_equal(record->end, END_DONE);
        assert_int_equal(mark_ms(record, MARK_T_LAST), 40);
        world_finish();
    }
}

/* The client ends while the origin's bytes are held: those still reach it. */
static void test_held_bytes_survive_the_other_end(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    peer_deafen(s.client);
    peer_say_pattern(s.origin, 200000);
    peer_fin(s.client);
    peer_ended_at(s.origin, 0);
    world_advance(s.world, 20);
    peer_fin(s.origin);
    peer_listen(s.client);
    peer_hears_pattern(s.client, 0, 200000);
    peer_ended_at(s.client, 20);
    expect_end(world_record(s.world), "tunnel 200 done client");
}

/* A reset of one side becomes a reset of the other, at once. */
static void test_a_reset_is_passed_on(void **state)
{
    (void)state;
    for (int is_client = 0; is_client < 2; is_client++) {
        struct scene s = scene_open("");
        peer_say(s.client, "up");
        peer_say(s.origin, "down");
        world_advance(s.world, 25);
        peer_reset(is_client ? s.client : s.origin);
        peer_reset_at(is_client ? s.origin : s.client, 25);
        const struct record *record = world_record(s.world);
        expect_end(record, is_client ? "tunnel 200 rst client" : "tunnel 200 rst upstream");
        assert_int_equal(mark_ms(record, is_client ? MARK_X_FIN_C : MARK_X_FIN_U), 25);
        assert_int_equal(mark_ms(record, is_client ? MARK_X_FIN_U : MARK_X_FIN_C), -1);
        world_finish();
    }
}

/* A reset also ends a tunnel that holds bytes for both sides. */
static void test_a_reset_ends_a_loaded_tunnel(void **state)
{
    (void)state;
    for (int is_client = 0; is_client < 2; is_client++) {
        struct scene s = scene_open("");
        scene_load(&s);
        assert_true(world_held_bytes(s.world) > 0);
        world_advance(s.world, 25);
        peer_reset(is_client ? s.client : s.origin);
        const struct record *record = world_record(s.world);
        expect_end(record, is_client ? "tunnel 200 rst client" : "tunnel 200 rst upstream");
        assert_int_equal(mark_ms(record, MARK_X_END), 25);
        assert_int_equal(world_held_bytes(s.world), 0);
        struct peer *other = is_client ? s.origin : s.client;
        peer_listen(other);
        assert_true(other->saw_reset);
        world_finish();
    }
}

/* A reset by the side that had ended in order before ends the tunnel as a reset. */
static void test_a_reset_after_an_end(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    peer_fin(s.client);
    world_advance(s.world, 5);
    peer_say(s.origin, "x");
    world_advance(s.world, 5);
    peer_reset(s.client);
    peer_reset_at(s.origin, 10);
    const struct record *record = world_record(s.world);
    expect_end(record, "tunnel 200 rst client");
    assert_int_equal(mark_ms(record, MARK_X_FIN_C), 0);
}

/* Upgrade means nothing with CONNECT: a tunnel it is, and 200 opens it (RFC 9110 §9.3.6). */
static void test_connect_is_no_upgrade(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\n\r\nhello");
    (void)peer_hears_head(client, OPENED);
    struct peer *origin = world_origin(world);
    peer_hears(origin, "hello");
    peer_fin(client);
    peer_fin(origin);
    expect_end(world_record(world), "tunnel 200 done client");
}

/* A client that does not take the 200 of its CONNECT has body_stall for it; then both ends are cut. */
static void test_an_opening_that_nobody_takes(void **state)
{
    (void)state;
    struct world *world = world_create("timeouts: { body_stall: 500ms }");
    struct peer *client = world_client(world);
    peer_set_room(client, 10);
    peer_deafen(client);
    peer_say(client, CONNECT);
    struct peer *origin = world_origin(world);
    world_advance(world, 499);
    assert_false(world_has_record(world));
    world_advance(world, 1);
    peer_reset_at(origin, 500);
    peer_listen(client);
    assert_true(client->saw_reset);
    const struct record *record = world_record(world);
    expect_end(record, "exchange 200 timeout proxy");
    expect_text(record, record->cause, "client_stalled");
}

/* A 101 that the client has no room for waits; the tunnel opens behind it. */
static void test_an_upgrade_waits_for_its_client(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_set_room(client, 10);
    peer_deafen(client);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                     "Upgrade: x\r\n\r\n");
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
                     "first");
    assert_int_equal(counter_get(&world->counters, COUNT_TUNNELS_OPEN), 0);
    peer_listen(client);
    assert_int_equal(counter_get(&world->counters, COUNT_TUNNELS_OPEN), 1);
    (void)peer_hears_head(client, "HTTP/1.1 101 Switching Protocols");
    peer_hears(client, "first");
}

/* A request that asks for an upgrade and for trailers names both of its options (RFC 9110 §7.6.1). */
static void test_an_upgrade_may_take_trailers(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, TE\r\n"
                     "Upgrade: x\r\nTE: trailers\r\n\r\n");
    const char *head = peer_hears_head(world_origin(world), "GET / HTTP/1.1");
    expect_field(head, "Connection", "Upgrade, TE");
    expect_field(head, "TE", "trailers");
}

static unsigned tunnels_begun;

static void count_tunnel(struct proxy *proxy)
{
    (void)proxy;
    tunnels_begun++;
}

/* A tunnel that begins says so, since its record is packed when the worker tidies up; nothing of it is lost by that. */
static void test_a_tunnel_that_stays_open_is_packed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct tunnel_room *room = &world->proxy.tunnels;
    struct record before;
    struct record after;
    tunnels_begun = 0;
    world->proxy.on_tunnel = count_tunnel;
    struct peer *client = world_client(world);
    peer_say(client, CONNECT);
    (void)peer_hears_head(client, OPENED);
    assert_int_equal(tunnels_begun, 1);
    assert_int_equal(room->shelf.fresh_count, 1);
    tunnel_describe(list_first(&room->open), &before);
    (void)proxy_tidy(&world->proxy);
    assert_int_equal(room->shelf.fresh_count, 0);
    tunnel_describe(list_first(&room->open), &after);
    assert_int_equal(after.size, before.size);
    assert_memory_equal(&after, &before, before.size);
    peer_say(client, "hello");
    struct peer *origin = world_origin(world);
    peer_hears(origin, "hello");
    peer_fin(client);
    peer_fin(origin);
    const struct record *record = world_record(world);
    assert_int_equal(record->id, before.id);
    assert_int_equal(record->request_body_bytes, 5);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_a_tunnel_is_timed),
        PLAY(test_an_unused_tunnel_has_no_byte_marks),
        PLAY(test_early_bytes_go_through),
        PLAY(test_an_end_before_the_tunnel_opens),
        PLAY(test_an_origin_that_ends_at_once),
        PLAY(test_an_upgrade_is_a_tunnel),
        PLAY(test_the_client_ends_first),
        PLAY(test_the_origin_ends_first),
        PLAY(test_both_end_at_once),
        PLAY(test_ends_wait_for_held_bytes),
        PLAY(test_held_bytes_survive_the_other_end),
        PLAY(test_a_reset_is_passed_on),
        PLAY(test_a_reset_ends_a_loaded_tunnel),
        PLAY(test_a_reset_after_an_end),
        PLAY(test_connect_is_no_upgrade),
        PLAY(test_an_opening_that_nobody_takes),
        PLAY(test_an_upgrade_waits_for_its_client),
        PLAY(test_an_upgrade_may_take_trailers),
        PLAY(test_a_tunnel_that_stays_open_is_packed),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
