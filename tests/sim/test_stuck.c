/* Tunnels over transports that queue, as TLS does: what was taken may still have to go out when the end comes. */
#include "sim/scene.h"

/* The proxy's own end of a peer's connection. */
static struct memory_end *near_end(const struct peer *peer)
{
    return peer->end->peer;
}

static void unstick(struct world *world, struct memory_end *near)
{
    near->flush_says = near->shut_says = ST_OK;
    near->base.on_ready(&near->base);
    world_settle(world);
}

/* An end goes on once all before it went out, and not earlier. */
static void test_an_end_waits_for_the_queue(void **state)
{
    (void)state;
    for (int is_shut = 0; is_shut <= 1; is_shut++) {
        struct scene s = scene_open("");
        struct memory_end *near = near_end(s.client);
        *(is_shut ? &near->shut_says : &near->flush_says) = ST_AGAIN;
        peer_say(s.origin, "last words");
        peer_fin(s.origin);
        peer_hears(s.client, "last words");
        assert_true(peer_is_open(s.client));
        unstick(s.world, near);
        peer_ended_at(s.client, 0);
        peer_fin(s.client);
        expect_end(world_record(s.world), "tunnel 200 done upstream");
        world_finish();
    }
}

/* A queue that cannot go out is a broken connection, whether an end waits behind it or not. */
static void test_a_queue_that_breaks(void **state)
{
    (void)state;
    for (int has_end = 0; has_end <= 1; has_end++) {
        struct scene s = scene_open("");
        near_end(s.client)->flush_says = ST_IO;
        if (has_end)
            peer_fin(s.origin);
        else
            peer_say(s.origin, "words");
        peer_reset_at(s.origin, 0);
        expect_end(world_record(s.world), "tunnel 200 rst client");
        world_finish();
    }
}

/* A side that ended both directions (TLS 1.2) and whose queue is full: what comes for it is thrown away meanwhile, and
 * the tunnel ends with the other side, whether our end reached the first or not. */
static void test_what_comes_for_an_ended_side_is_dropped(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool is_client = i / 2 == 1;
        bool breaks = i % 2 == 1;
        struct scene s = scene_open("");
        struct peer *ended = is_client ? s.client : s.origin;
        struct peer *other = is_client ? s.origin : s.client;
        struct memory_end *near = near_end(ended);
        near->base.ends_both = true;
        near->flush_says = ST_AGAIN;
        peer_fin(ended);
        peer_ended_at(other, 0);
        assert_true(peer_is_open(ended));
        peer_say_pattern(other, 3000000); /* more than one run takes */
        assert_int_equal(near_end(other)->len, 0);
        peer_hears_nothing(ended);
        if (breaks) {
            near->flush_says = ST_IO;
            near->base.on_ready(&near->base);
            world_settle(s.world);
        } else {
            unstick(s.world, near);
            peer_ended_at(ended, 0);
        }
        assert_false(world_has_record(s.world));
        peer_fin(other);
        expect_end(world_record(s.world),
                   is_client ? "tunnel 200 done client" : "tunnel 200 done upstream");
        world_finish();
    }
}

/* The end of a client that comes before our end is with such an origin does not end the tunnel. */
static void test_both_ends_wait_for_the_queue(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    struct memory_end *near = near_end(s.origin);
    near->base.ends_both = true;
    near->flush_says = ST_AGAIN;
    peer_fin(s.origin);
    peer_fin(s.client);
    /* There is nothing but its end: no reason to look again. */
    near_end(s.client)->base.ready |= WATCH_READ;
    near->base.on_ready(&near->base);
    world_settle(s.world);
    assert_false(world_has_record(s.world));
    unstick(s.world, near);
    peer_ended_at(s.origin, 0);
    expect_end(world_record(s.world), "tunnel 200 done upstream");
}

/* A client that is cut off (TLS without close_notify) while what it sent is thrown away ends the tunnel as cut. */
static void test_a_cut_while_dropping(void **state)
{
    (void)state;
    struct scene s = scene_open("");
    struct memory_end *near = near_end(s.origin);
    near->base.ends_both = true;
    peer_fin(s.origin);
    near_end(s.client)->base.is_truncated = true;
    peer_fin(s.client);
    expect_end(world_record(s.world), "tunnel 200 rst client");
}

/* Where neither end has gone out yet the tunnel is half closed all the same: that limit holds, and not the one for
 * idle tunnels. */
static void test_ends_that_do_not_go_out_are_ends(void **state)
{
    (void)state;
    for (int is_client = 0; is_client <= 1; is_client++) {
        struct scene s = scene_open("timeouts: {tunnel_idle: 2s, tunnel_half_closed: 300ms}");
        struct peer *ended = is_client ? s.client : s.origin;
        near_end(ended)->base.ends_both = true;
        near_end(s.client)->flush_says = near_end(s.origin)->flush_says = ST_AGAIN;
        peer_fin(ended);
        world_advance(s.world, 299);
        assert_false(world_has_record(s.world));
        world_advance(s.world, 1);
        const struct record *record = world_record(s.world);
        expect_end(record, "tunnel 200 timeout proxy");
        expect_text(record, record->cause, "tunnel_half_closed");
        world_finish();
    }
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_an_end_waits_for_the_queue),
        PLAY(test_a_queue_that_breaks),
        PLAY(test_what_comes_for_an_ended_side_is_dropped),
        PLAY(test_both_ends_wait_for_the_queue),
        PLAY(test_a_cut_while_dropping),
        PLAY(test_ends_that_do_not_go_out_are_ends),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
