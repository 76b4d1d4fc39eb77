/* Plays that nobody wrote: peers that say, end, reset, stop reading and wait in an order drawn from a seed.
 *
 * Nothing is claimed of what comes of it but what always holds: no crash, no busy loop, nothing left at the end, a
 * bounded number of bytes held, one record for every request, and phases that fit into their total. */
#include "sim/expect.h"

#include "upstream/pool.h"

#include <stdio.h>

enum { CHAOS_STEPS = 60, CHAOS_SEEDS = 1500, CHAOS_CLIENTS = 4, CHAOS_PEERS = 24 };

static const char *const requests[] = {
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET http://b.test/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
    "POST http://b.test/ HTTP/1.1\r\nHost: b.test\r\nTransfer-Encoding: "
    "chunked\r\n\r\n3\r\nabc\r\n",
    "PUT http://a.test/ HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: "
    "4\r\n\r\n",
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    "CONNECT a.test:22 HTTP/1.1\r\nHost: a.test:22\r\n\r\n",
    "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
    "GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\nHost: c.test\r\n\r\n",
    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 7\r\n\r\nabc",
    "GET http://a.te",
    "st/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "defg",
    "4\r\ndefg\r\n",
    "0\r\n\r\n",
    "0\r\nTrail: er\r\n\r\n",
    "\r\n",
};

static const char *const responses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "HTTP/1.0 200 OK\r\n\r\nold",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "garbage\r\n\r\n",
    "HTTP/1.1 2",
    "00 OK\r\nContent-Length: 1\r\n\r\nx",
    "3\r\ndef\r\n",
    "0\r\n\r\n",
};

struct scene {
    struct world *world;
    struct peer *peers[CHAOS_PEERS];
    bool is_client[CHAOS_PEERS];
    unsigned count;
    unsigned clients;
};

static void scene_add(struct scene *s, struct peer *peer, bool is_client)
{
    s->is_client[s->count] = is_client;
    s->peers[s->count++] = peer;
}

static void scene_find_origins(struct scene *s)
{
    while (world_has_origin(s->world) && s->count < CHAOS_PEERS)
        scene_add(s, world_origin(s->world), /* is_client= */ false);
}

static void draw_way(struct world *world)
{
    static const enum dial_cause causes[] = {DIAL_NONE, DIAL_NONE, DIAL_NONE, DIAL_DNS_TIMEOUT,
                                             DIAL_CONNECT_REFUSED};
    if (world->way_count == WORLD_WAYS_MAX)
        world->way_count = world->way_next = 0;
    world_way(world, (struct way){.dns_ms = draw(3) * 10,
                                  .connect_ms = draw(3) * 10,
                                  .tls_ms = draw(30),
                                  .fails = causes[draw(COUNT_OF(causes))],
                                  .is_silent = draw(12) == 0,
                                  .address = draw(15) == 0 ? "127.0.0.1" : NULL});
}

static void draw_words(struct scene *s, unsigned which)
{
    struct peer *peer = s->peers[which];
    bool is_sound = draw(3) > 0; /* the sound ones come first in both lists */
    if (draw(12) == 0)
        peer_say_pattern(peer, 1 + draw(300000));
    else if (s->is_client[which])
        peer_say(peer, requests[draw(is_sound ? 8 : COUNT_OF(requests))]);
    else
        peer_say(peer, responses[draw(is_sound ? 6 : COUNT_OF(responses))]);
}

static void draw_step(struct scene *s)
{
    unsigned kind = draw(24);
    if (s->clients == 0 || (kind == 0 && s->clients < CHAOS_CLIENTS && s->count < CHAOS_PEERS)) {
        s->clients++;
        s->world->room = 200 + draw(4) * 20000;
        scene_add(s, world_client(s->world), /* is_client= */ true);
        return;
    }
    unsigned which = draw(s->count);
    struct peer *peer = s->peers[which];
    switch (kind) {
    case 1: peer_fin(peer); break;
    case 2: peer_reset(peer); break;
    case 3: peer_close(peer); break;
    case 4: peer_deafen(peer); break;
    case 5: peer_listen(peer); break;
    case 6: peer_read(peer, 1 + draw(5000)); break;
    case 7: world_hold(s->world); break;
    case 8:
    case 9:
    case 10: world_go(s->world); break;
    case 11:
    case 12:
    case 13:
        world_go(s->world);
        world_advance(s->world, draw(draw(4) == 0 ? 3000 : 60));
        break;
    case 14: pool_flush(s->world->engine.pool); break;
    case 15: draw_way(s->world); break;
    case 16:
        if (draw(20) == 0)
            proxy_drain(&s->world->proxy);
        break;
    default:
        if (peer->end != NULL && !peer->is_ending)
            draw_words(s, which);
        break;
    }
}

/* The phases of one exchange follow one another: together they are not longer than all of it. */
static void check_phases(const struct record *record)
{
    static const enum phase parts[] = {PHASE_RECEIVE, PHASE_DNS,  PHASE_CONNECT, PHASE_TLS,
                                       PHASE_SEND,    PHASE_WAIT, PHASE_LOAD,    PHASE_DELIVER};
    uint64_t sum = 0;
    uint64_t total = 0;
    assert_true(timeline_phase(&record->timeline, PHASE_TOTAL, &total));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        uint64_t ns = 0;
        if (timeline_phase(&record->timeline, parts[i], &ns))
            sum += ns;
    }
    assert_true(sum <= total);
    assert_true(record->stalled_by_client_ns <= total);
    assert_true(record->stalled_by_upstream_ns <= total);
    assert_int_not_equal(record->end, END_NONE);
}

static void play_chaos(size_t block_bytes)
{
    static const char yaml[] = "timeouts: { client_head: 300ms, body_stall: 500ms, response_head: "
                               "700ms, keepalive: 900ms, "
                               "upstream_keepalive: 400ms, tunnel_idle: 2s, tunnel_half_closed: "
                               "300ms, tunnel_lifetime: 5s }\n"
                               "limits: { pool_per_origin: 2, pool_max_age: 2s }";
    struct scene s = {.world = world_create_small(yaml, block_bytes)};
    for (int i = 0; i < CHAOS_STEPS; i++) {
        draw_step(&s);
        scene_find_origins(&s);
        assert_true(world_held_bytes(s.world) <= CHAOS_PEERS * 2 * (size_t)BLOCK_HUGE);
    }
    world_go(s.world);
    world_advance(s.world, 20000); /* every limit passes: nothing is open that still waits */
    assert_true(list_is_empty(&s.world->proxy.clients) || !list_is_empty(&s.world->reaching));
    proxy_end_all(&s.world->proxy);
    uint64_t records = 0;
    for (; world_has_record(s.world); records++)
        check_phases(world_record(s.world));
    assert_int_equal(records, counter_get(&s.world->counters, COUNT_REQUESTS));
}

static void play_with_memory(void)
{
    play_chaos(0);
}

static void play_without(void)
{
    play_chaos(16384 + draw(20) * 16384U);
}

/* Whatever happens, what always holds does. */
static void test_whatever_happens(void **state)
{
    (void)state;
    play_seeds(play_with_memory, CHAOS_SEEDS);
}

/* The same where data blocks run out again and again. */
static void test_whatever_happens_without_memory(void **state)
{
    (void)state;
    play_seeds(play_without, CHAOS_SEEDS);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_whatever_happens),
        PLAY(test_whatever_happens_without_memory),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
