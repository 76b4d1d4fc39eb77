/* What is told of a request while it is in flight: the phase that it is in, whom it waits for, and that looking changes
 * nothing. */
#include "sim/expect.h"

#include "proxy/client.h"
#include "proxy/exchange.h"
#include "record/verdict.h"

#define GET    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 9\r\n\r\n"

static struct record seen;

static unsigned look_at(const struct client *client)
{
    unsigned count = 0;
    LIST_EACH(link, &client->exchanges) {
        uint64_t id = 0;
        uint64_t begun_ns = exchange_begun_ns(link, &id);
        exchange_describe(link, &seen);
        assert_int_equal(seen.id, id);
        assert_int_equal(seen.timeline.at_ns[MARK_C_FIRST], begun_ns);
        count++;
    }
    return count;
}

/* The only request in flight. */
static const struct record *look(struct world *world)
{
    unsigned count = 0;
    LIST_EACH(link, &world->proxy.clients)
        count += look_at(CONTAINER_OF(link, struct client, link));
    assert_int_equal(count, 1);
    assert_true(record_is_in_flight(&seen) && seen.end == END_NONE && seen.ended_by == LEG_NONE);
    assert_int_equal(seen.now_ns, clock_monotonic_ns());
    return &seen;
}

/* It is in this phase, for so long. */
static void expect_now(struct world *world, enum phase wanted, uint64_t ms)
{
    enum phase phase;
    uint64_t since_ns;
    const struct record *record = look(world);
    assert_true(timeline_phase_now(&record->timeline, &phase, &since_ns));
    assert_string_equal(phase_word(phase), phase_word(wanted));
    assert_int_equal(record->now_ns - since_ns, ms * NS_PER_MS);
}

static void expect_slow(struct world *world, enum slow_side wanted)
{
    struct verdict verdict;
    assert_true(verdict_judge(look(world), &verdict));
    assert_string_equal(slow_word(verdict.slow), slow_word(wanted));
}

/* From the name to the last byte. */
static void test_the_phase_is_told(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 70, .connect_ms = 110, .tls_ms = 40});
    struct peer *client = world_client(world);
    peer_set_room(client, 60);
    peer_say(client,
             "POST https://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\nabc");
    world_advance(world, 60);
    expect_now(world, PHASE_DNS, 60);
    world_advance(world, 20);
    expect_now(world, PHASE_CONNECT, 10);
    world_advance(world, 110);
    expect_now(world, PHASE_TLS, 10);
    world_advance(world, 40);
    expect_now(world, PHASE_SEND, 10);
    assert_int_equal(seen.request_body_bytes, 3);
    assert_true(seen.upstream_conn_id != 0 && seen.upstream.port == 443);
    peer_say(client, "def");
    world_advance(world, 500);
    expect_now(world, PHASE_WAIT, 500);
    assert_int_equal(seen.client_pace.pauses, 0); /* it has nothing more to say */
    assert_int_equal(seen.status, 0);
    expect_slow(world, SLOW_ORIGIN);
    struct peer *origin = world_origin(world);
    peer_say(origin, ANSWER "one");
    world_advance(world, 10);
    expect_now(world, PHASE_LOAD, 10);
    assert_true(seen.status == 200 && seen.response_body_bytes == 3);
    peer_deafen(client);
    peer_say(origin, "twosix");
    world_advance(world, 5);
    peer_listen(client);
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "onetwosix");
    assert_int_equal(world_record(world)->id, seen.id);
}

/* A CONNECT is one until its tunnel is open. */
static void test_a_connect_is_one_until_it_is_a_tunnel(void **state)
{
    (void)state;
    struct world *world = world_create("");
    world_way(world, (struct way){.dns_ms = 7, .connect_ms = 200});
    struct peer *client = world_client(world);
    peer_say(client, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    world_advance(world, 150);
    expect_now(world, PHASE_CONNECT, 143);
    expect_slow(world, SLOW_UPSTREAM_NETWORK);
    world_advance(world, 57);
    (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
    assert_true(list_is_empty(&world->proxy.clients));
    assert_false(list_is_empty(&world->proxy.tunnels.open));
}

/* A transfer that stands still: whoever is waited for is named, though the pause is not over. */
static void test_a_pause_counts_while_it_lasts(void **state)
{
    (void)state;
    struct world *world = world_create("");
    struct peer *client = world_client(world);
    peer_say(client, GET);
    struct peer *origin = world_origin(world);
    peer_say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    peer_say_pattern(origin, 1000);
    world_advance(world, 300);
    expect_now(world, PHASE_LOAD, 300);
    assert_int_equal(seen.upstream_pace.quiet_ns, 300 * NS_PER_MS);
    assert_int_equal(seen.upstream_pace.pauses, 1);
    expect_slow(world, SLOW_ORIGIN);
    peer_deafen(client);
    peer_say_pattern_from(origin, 1000, 299000);
    world_advance(world, 700);
    expect_slow(world, SLOW_CLIENT);
    assert_int_equal(seen.stalled_by_client_ns, 700 * NS_PER_MS);
    assert_int_equal(seen.upstream_pace.quiet_ns, 300 * NS_PER_MS);
    peer_listen(client);
    const struct record *record = world_record(world);
    assert_int_equal(record->stalled_by_client_ns, 700 * NS_PER_MS);
    assert_int_equal(record->upstream_pace.quiet_ns, 300 * NS_PER_MS);
    assert_int_equal(record->upstream_pace.pauses, 1);
}

static void pass(struct world *world, unsigned ms, bool is_looked_at)
{
    for (unsigned i = 0; i < ms; i++) {
        world_advance(world, 1);
        if (is_looked_at)
            (void)look(world);
    }
}

/* The second request of a connection, sent again since that of the pool died; looked at all the time, or never. */
static struct record live(bool is_looked_at)
{
    struct world *world = world_create("");
    world_way(world, (struct way){.connect_ms = 5});
    world_way(world, (struct way){.dns_ms = 3, .connect_ms = 5});
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 5);
    struct peer *stale = world_origin(world);
    peer_say(stale, ANSWER "onetwosix");
    (void)world_record(world);
    peer_say(client, GET);
    pass(world, 4, is_looked_at);
    peer_reset(stale);
    pass(world, 20, is_looked_at);
    struct peer *origin = world_origin(world);
    peer_say(origin, ANSWER "one");
    pass(world, 120, is_looked_at);
    peer_say(origin, "twosix");
    struct record record = *world_record(world);
    assert_int_equal(record.retries, 1);
    world_finish();
    return record;
}

static void test_looking_changes_nothing(void **state)
{
    (void)state;
    struct record looked = live(true);
    struct record unseen = live(false);
    assert_int_equal(looked.size, unseen.size);
    assert_memory_equal(&looked, &unseen, looked.size);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_the_phase_is_told),
        PLAY(test_a_connect_is_one_until_it_is_a_tunnel),
        PLAY(test_a_pause_counts_while_it_lasts),
        PLAY(test_looking_changes_nothing),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
