/* Shutting down: what is open ends in order, and what does not end is ended. */
#include "sim/expect.h"

#include "upstream/pool.h"

#define GET     "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
#define ANSWER  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* As a worker does it: no new work, and pooled connections go. */
static void drain(struct world *world)
{
    proxy_drain(&world->proxy);
    pool_flush(world->engine.pool);
    world_settle(world);
}

/* A client between two requests is closed at once, and so is its origin's connection. */
static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, ANSWER);
    world_advance(world, 15);
    drain(world);
    peer_ended_at(client, 15);
    peer_ended_at(origin, 15);
    assert_true(proxy_is_empty(&world->proxy));
}

/* An exchange that is under way ends as it would, tells its client so and closes (RFC 9112 §9.6). */
static void test_an_open_exchange_ends_in_order(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    world_advance(world, 15);
    drain(world);
    assert_false(proxy_is_empty(&world->proxy));
    world_advance(world, 100);
    peer_say(origin, ANSWER);
    expect_field(peer_hears_head(client, "HTTP/1.1 200 OK"), "Connection", "close");
    peer_hears(client, "ok");
    peer_ended_at(client, 115);
    expect_end(world_record(world), "exchange 200 done -");
    peer_close(client);
    assert_true(proxy_is_empty(&world->proxy));
}

/* An exchange whose response head had gone before goes on to its end, and the connection closes behind it. */
static void test_a_response_under_way_is_completed(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    drain(world);
    world_advance(world, 100);
    peer_say(origin, "def");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "abcdef");
    peer_ended_at(client, 100);
}

/* A tunnel goes on while the proxy drains, and is reset when the time for that is over. */
static void test_a_tunnel_lasts_until_the_end(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, CONNECT);
    (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
    struct peer *origin = world_origin(world);
    drain(world);
    assert_false(proxy_is_empty(&world->proxy));
    world_advance(world, 20);
    peer_say(client, "still");
    peer_hears(origin, "still");
    world_advance(world, 20);
    proxy_end_all(&world->proxy);
    world_settle(world);
    peer_reset_at(client, 40);
    peer_reset_at(origin, 40);
    const struct record *record = world_record(world);
    expect_end(record, "tunnel 200 drain proxy");
    assert_int_equal(mark_ms(record, MARK_T_LAST), 20);
}

/* At the end every kind of open exchange is ended, with a record, whatever it waits for. */
static void test_the_end_ends_everything(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *waiting = world_client(world); /* for its response */
    struct peer *loading = world_client(world); /* its response */
    struct peer *sending = world_client(world); /* its upload */
    struct peer *reaching = world_client(world);
    struct peer *silent = world_client(world);
    peer_say(waiting, GET);
    peer_say(loading, GET);
    (void)world_origin(world);
    peer_say(world_origin(world), "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    peer_say(sending,
             "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nabc");
    world_way(world, (struct way){.is_silent = true});
    peer_say(reaching, GET);
    world_advance(world, 33);
    proxy_end_all(&world->proxy);
    world_settle(world);
    assert_true(proxy_is_empty(&world->proxy));
    peer_reset_at(waiting, 33);
    peer_reset_at(sending, 33);
    peer_reset_at(reaching, 33);
    assert_false(peer_is_open(loading));
    assert_false(peer_is_open(silent));
    for (int i = 0; i < 4; i++) {
        const struct record *record = world_record(world);
        assert_int_equal(record->end, END_DRAIN);
        assert_int_equal(record->ended_by, LEG_PROXY);
        expect_text(record, record->cause, "drained");
    }
    assert_false(world_has_record(world));
}

struct ender {
    struct task task;
    struct world *world;
    unsigned rounds; /* of this turn's tasks, until it ends everything */
};

static void run_ender(struct task *task)
{
    struct ender *ender = CONTAINER_OF(task, struct ender, task);
    if (ender->rounds-- == 0)
        proxy_end_all(&ender->world->proxy);
    else
        loop_queue(ender->world->loop, task);
}

/* Everything is ended so many rounds behind the answer; did the exchange end in order? */
static bool is_done_after(unsigned rounds)
{
    struct world *world = world_create("");
    struct ender ender = {.world = world, .rounds = rounds};
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    task_init(&ender.task, run_ender);
    world_hold(world);
    peer_say(origin, ANSWER);
    loop_queue(world->loop, &ender.task);
    world_go(world);
    const struct record *record = world_record(world);
    bool is_sent = mark_ms(record, MARK_D_TX1) >= 0;
    assert_int_equal(record->end, is_sent ? END_DONE : END_DRAIN);
    assert_int_equal(record->ended_by, is_sent ? LEG_NONE : LEG_PROXY);
    assert_false(world_has_record(world));
    world_finish();
    return is_sent;
}

/* An answer that was sent whole has ended in order, whatever round of the turn its exchange still waits for. */
static void test_the_end_between_rounds(void **state)
{
    (void)state;
    enum { ROUNDS = 6 };
    unsigned done = 0;
    for (unsigned rounds = 0; rounds < ROUNDS; rounds++)
        done += is_done_after(rounds);
    assert_in_range(done, 1, ROUNDS - 1);
}

/* While it drains, an answer made here closes its connection, too. */
static void test_local_answers_close(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    drain(world);
    peer_say(client, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_field(peer_hears_head(client, "HTTP/1.1 404 Not Found"), "Connection", "close");
    peer_ended_at(client, 0);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_idle_connections_are_closed),
        PLAY(test_an_open_exchange_ends_in_order),
        PLAY(test_a_response_under_way_is_completed),
        PLAY(test_a_tunnel_lasts_until_the_end),
        PLAY(test_the_end_ends_everything),
        PLAY(test_local_answers_close),
        PLAY(test_the_end_between_rounds),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
