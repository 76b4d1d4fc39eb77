/* Time limits of tunnels, each at its millisecond and not one earlier. */
#include "sim/scene.h"

static void expect_open_at(const struct scene *s, uint64_t ms)
{
    assert_int_equal(world_ms(s->world), ms);
    assert_false(world_has_record(s->world));
}

static void expect_timed_out_at(struct scene *s, uint64_t ms, const char *cause)
{
    const struct record *record = world_record(s->world);
    expect_end(record, "tunnel 200 timeout proxy");
    expect_text(record, record->cause, cause);
    assert_int_equal(mark_ms(record, MARK_X_END), ms);
    assert_int_equal(world_held_bytes(s->world), 0);
}

/* A tunnel without a byte ends when it was idle for as long as it may. */
static void test_an_idle_tunnel_ends(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s }");
    world_advance(s.world, 4999);
    expect_open_at(&s, 4999);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 5000, "tunnel_idle");
    peer_reset_at(s.client, 5000);
    peer_reset_at(s.origin, 5000);
}

/* Told of at multiples of the interval from its opening on, and only where bytes came; each record has the bytes of the
 * one before it. */
static void test_an_open_tunnel_is_told_of(void **state)
{
    (void)state;
    struct scene s = scene_open("log: { tunnels: { every: 10s } }\ntimeouts: { tunnel_idle: 5m }");
    struct world *world = s.world;
    world_advance(world, 4000);
    peer_say(s.client, "abc");
    world_advance(world, 5999);
    assert_int_equal(world->told_count, 0);
    world_advance(world, 1);
    assert_int_equal(world->told_count, 1);
    assert_int_equal(world->told.request_body_bytes, 3);
    assert_int_equal(world->told.told_ns, 0);
    uint64_t first_ns = world->told.now_ns;

    world_advance(world, 10000); /* nothing new */
    assert_int_equal(world->told_count, 1);
    peer_say(s.origin, "de");
    world_advance(world, 9999);
    assert_int_equal(world->told_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->told_count, 2);
    assert_int_equal(world->told.response_body_bytes, 2);
    assert_int_equal(world->told.told_ns, first_ns);
    assert_int_equal(world->told.told_up_bytes, 3);
    assert_int_equal(world->told.told_down_bytes, 0);

    uint64_t second_ns = world->told.now_ns;
    peer_reset(s.client);
    const struct record *record = world_record(world); /* the last one tells what was told, too */
    assert_int_equal(record->told_ns, second_ns);
    assert_int_equal(record->told_down_bytes, 2);
    assert_int_equal(record->now_ns, 0);
}

/* It may be told of when it opens, and where a drain begins. */
static void test_an_opening_and_a_drain_are_told(void **state)
{
    (void)state;
    struct scene s = scene_open("log: { tunnels: { open: on, every: 1h } }");
    assert_int_equal(s.world->told_count, 1);
    assert_int_equal(s.world->told.request_body_bytes, 0);
    peer_say(s.client, "abc");
    proxy_drain(&s.world->proxy);
    assert_int_equal(s.world->told_count, 2);
    assert_int_equal(s.world->told.request_body_bytes, 3);
}

/* Every byte in either direction begins the idle time anew. */
static void test_bytes_keep_a_tunnel(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s }");
    world_advance(s.world, 4000);
    peer_say(s.client, "a");
    world_advance(s.world, 4500);
    peer_say(s.origin, "b");
    world_advance(s.world, 4999);
    expect_open_at(&s, 13499);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 13500, "tunnel_idle");
}

/* A half-closed tunnel ends when it made no progress for as long as it may. */
static void test_a_half_closed_tunnel_ends(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s, tunnel_half_closed: 1s }");
    world_advance(s.world, 300);
    peer_say(s.client, "q");
    peer_fin(s.client);
    world_advance(s.world, 999);
    expect_open_at(&s, 1299);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 1300, "tunnel_half_closed");
}

/* The half-closed limit counts from the end, also where the last byte is long ago. */
static void test_the_half_closed_limit_counts_from_the_end(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s, tunnel_half_closed: 1s }");
    world_advance(s.world, 3000);
    peer_fin(s.client);
    world_advance(s.world, 999);
    expect_open_at(&s, 3999);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 4000, "tunnel_half_closed");
}

/* A half-closed tunnel that makes progress goes on. */
static void test_progress_keeps_a_half_closed_tunnel(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s, tunnel_half_closed: 1s }");
    peer_fin(s.client);
    for (int i = 0; i < 20; i++) {
        world_advance(s.world, 900);
        peer_say(s.origin, "x");
    }
    peer_hears(s.client, "xxxxxxxxxxxxxxxxxxxx");
    world_advance(s.world, 999);
    expect_open_at(&s, 18999);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 19000, "tunnel_half_closed");
}

/* A tunnel whose end is held behind bytes that nobody reads is not half closed yet, but idle. */
static void test_held_bytes_are_not_progress(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s, tunnel_half_closed: 1s }");
    peer_deafen(s.origin);
    world_advance(s.world, 100);
    peer_say_pattern(s.client, 200000);
    peer_fin(s.client);
    assert_true(world_held_bytes(s.world) > 0);
    world_advance(s.world, 4999);
    expect_open_at(&s, 5099);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 5100, "tunnel_idle");
}

/* A lifetime ends a tunnel that is never idle. */
static void test_a_lifetime_ends_a_busy_tunnel(void **state)
{
    (void)state;
    struct scene s = scene_open("timeouts: { tunnel_idle: 5s, tunnel_lifetime: 8s }");
    for (int i = 0; i < 7; i++) {
        world_advance(s.world, 1000);
        peer_say(s.client, "x");
    }
    world_advance(s.world, 999);
    expect_open_at(&s, 7999);
    world_advance(s.world, 1);
    expect_timed_out_at(&s, 8000, "tunnel_lifetime");
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_an_idle_tunnel_ends),
        PLAY(test_an_open_tunnel_is_told_of),
        PLAY(test_an_opening_and_a_drain_are_told),
        PLAY(test_bytes_keep_a_tunnel),
        PLAY(test_a_half_closed_tunnel_ends),
        PLAY(test_the_half_closed_limit_counts_from_the_end),
        PLAY(test_progress_keeps_a_half_closed_tunnel),
        PLAY(test_held_bytes_are_not_progress),
        PLAY(test_a_lifetime_ends_a_busy_tunnel),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
