#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/tcp.h"
#include "support/memory_pair.h"
#include "upstream/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A worker in small: a simulated loop, a frozen clock, and connections in memory. */
struct pool_test {
    struct loop *loop;
    struct engine engine;
    struct counters counters;
    struct host host;
    struct snapshot *begun_under; /* NULL: the engine's */
};

static void fail_at(struct config_errors *errors, const char *line)
{
    (void)errors;
    fail_msg("%s", line);
}

/* A snapshot of nothing but settings. */
static struct snapshot *snapshot_of(const char *yaml)
{
    struct config_errors errors = {.report = fail_at};
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    assert_non_null(snapshot);
    atomic_init(&snapshot->refs, 1);
    assert_int_equal(
        config_load("t.yaml", slice_from_string(yaml), 0, NULL, &errors, &snapshot->config), ST_OK);
    return snapshot;
}

static struct pool_test *test_begin(const char *yaml)
{
    struct pool_test *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    clock_freeze(1000 * NS_PER_S, 0);
    assert_int_equal(loop_create_simulated(&test->loop), ST_OK);
    test->engine.loop = test->loop;
    test->engine.counters = &test->counters;
    test->engine.snapshot = snapshot_of(yaml);
    test->engine.shared.blocks = block_pool_create(0, 0);
    test->engine.pool = pool_create(&test->engine);
    assert_non_null(test->engine.pool);
    assert_int_equal(host_parse(SLICE("origin.example"), &test->host), HOST_FINE);
    return test;
}

static void turn(struct pool_test *test)
{
    (void)loop_turn(test->loop, 0);
}

static uint64_t idle_count(struct pool_test *test)
{
    const struct counters *all[] = {&test->counters};
    return (uint64_t)counter_sum(all, 1, COUNT_POOL_IDLE);
}

/* The slabs inside the pool check that nothing is left. */
static void test_end(struct pool_test *test)
{
    pool_flush(test->engine.pool);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    pool_destroy(&test->engine.pool);
    turn(test);
    snapshot_unref(&test->engine.snapshot);
    block_pool_destroy(&test->engine.shared.blocks);
    loop_destroy(&test->loop);
    clock_restore();
    free(test);
}

static struct lease connect_over(struct pool_test *test, struct transport *transport,
                                 const char *host, uint16_t port, bool is_tls)
{
    struct host name;
    assert_int_equal(host_parse(slice_from_string(host), &name), HOST_FINE);
    struct reach reach = {
        .engine = &test->engine,
        .snapshot = test->begun_under != NULL ? test->begun_under : test->engine.snapshot,
        .host = &name,
        .port = port,
        .is_tls = is_tls,
        .transport = transport,
        .connect_end_ns = clock_monotonic_ns(),
    };
    struct lease lease = {0};
    assert_int_equal(pool_add(test->engine.pool, &reach, &lease), ST_OK);
    assert_non_null(lease.stream);
    assert_null(reach.transport);
    return lease;
}

/* A connection to the usual origin; *ret_far is the origin's end. */
static struct lease connect_to(struct pool_test *test, const char *host, uint16_t port, bool is_tls,
                               struct memory_end **ret_far)
{
    struct memory_end *near;
    struct memory_end *far;
    memory_pair_create(test->loop, 1000, &near, &far);
    near->base.ready &= ~(unsigned)WATCH_READ; /* all was read */
    if (ret_far != NULL)
        *ret_far = far;
    return connect_over(test, &near->base, host, port, is_tls);
}

static struct lease connect_here(struct pool_test *test, struct memory_end **ret_far)
{
    return connect_to(test, "origin.example", 80, false, ret_far);
}

/* As after an exchange that went well; gives its id. */
static uint64_t give_back(struct pool_test *test, struct lease lease)
{
    uint64_t id = lease.upstream->id;
    lease.upstream->h1.receiving = H1_RECV_ENDED;
    lease.upstream->h1.sending = H1_SEND_ENDED;
    pool_give(test->engine.pool, &lease);
    assert_null(lease.upstream);
    assert_null(lease.stream);
    return id;
}

static bool permit_all(void *owner, const struct inet_endpoint *peer)
{
    (void)peer;
    return owner == NULL;
}

static struct lease take(struct pool_test *test)
{
    struct lease lease = {0};
    bool is_there = pool_take(test->engine.pool, &test->host, 80, false, permit_all, NULL, &lease);
    assert_int_equal(is_there, lease.upstream != NULL);
    return lease;
}

static void far_close(struct memory_end *far)
{
    struct transport *transport = &far->base;
    transport_close(&transport, false);
}

/* The id of the next idle connection to that origin, which is closed at once; 0 for none. */
static uint64_t take_id(struct pool_test *test, const char *host, uint16_t port, bool is_tls)
{
    struct host name;
    assert_int_equal(host_parse(slice_from_string(host), &name), HOST_FINE);
    struct lease lease = {0};
    if (!pool_take(test->engine.pool, &name, port, is_tls, permit_all, NULL, &lease))
        return 0;
    uint64_t id = lease.upstream->id;
    pool_give(test->engine.pool, &lease); /* unused */
    return id;
}

static uint64_t take_here(struct pool_test *test)
{
    return take_id(test, "origin.example", 80, false);
}

/* The ends that the origin holds are closed with their peers gone. */
static void close_all(struct memory_end **ends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        far_close(ends[i]);
}

/* The connection given last is taken first, since it is the least likely to have gone. */
static void the_newest_is_taken_first(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *ends[3];
    struct lease leases[3];
    uint64_t ids[3];
    for (int i = 0; i < 3; i++)
        leases[i] = connect_here(test, &ends[i]);
    for (int i = 0; i < 3; i++)
        ids[i] = give_back(test, leases[i]);
    assert_int_equal(idle_count(test), 3);
    for (int i = 2; i >= 0; i--)
        assert_true(take_here(test) == ids[i]);
    assert_true(take_here(test) == 0);
    assert_int_equal(idle_count(test), 0);
    turn(test);
    close_all(ends, 3);
    test_end(test);
}

/* A taken connection is as it was, counts its uses, and is in no list until it is given again. */
static void a_taken_connection_is_leased(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *far;
    struct lease lease = connect_here(test, &far);
    const struct upstream *same = lease.upstream;
    assert_int_equal(lease.use, 1);
    give_back(test, lease);
    lease = take(test);
    assert_ptr_equal(lease.upstream, same);
    assert_int_equal(lease.use, 2);
    assert_false(lease.upstream->is_idle);
    assert_null(take(test).upstream);
    assert_int_equal(far->is_fin_in, false);
    give_back(test, lease);
    assert_int_equal(idle_count(test), 1);
    pool_flush(test->engine.pool);
    far_close(far);
    test_end(test);
}

/* Connections of another host, port or scheme are never given out (U3). */
static void origins_are_told_apart(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *ends[4];
    uint64_t host = give_back(test, connect_to(test, "other.example", 80, false, &ends[0]));
    uint64_t port = give_back(test, connect_to(test, "origin.example", 81, false, &ends[1]));
    uint64_t tls = give_back(test, connect_to(test, "origin.example", 80, true, &ends[2]));
    assert_true(take_here(test) == 0);
    uint64_t plain = give_back(test, connect_here(test, &ends[3]));
    assert_true(take_id(test, "origin.example", 80, true) == tls);
    assert_true(take_id(test, "origin.example", 80, true) == 0);
    assert_true(take_id(test, "origin.example", 81, false) == port);
    assert_true(take_id(test, "OTHER.example.", 80, false) == host);
    assert_true(take_here(test) == plain);
    turn(test);
    close_all(ends, 4);
    test_end(test);
}

/* Beyond the cap of an origin its own oldest goes, and no other's, once it was spare for a second. */
static void an_origin_keeps_so_many_and_no_more(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_per_origin: 2}");
    struct memory_end *ends[4];
    uint64_t ids[4];
    ids[0] = give_back(test, connect_to(test, "other.example", 80, false, &ends[0]));
    for (int i = 1; i < 4; i++)
        ids[i] = give_back(test, connect_here(test, &ends[i]));
    clock_advance(NS_PER_S - NS_PER_MS);
    turn(test);
    assert_int_equal(idle_count(test), 4);
    clock_advance(NS_PER_MS);
    turn(test);
    assert_int_equal(idle_count(test), 3);
    assert_true(ends[1]->is_fin_in);
    assert_false(ends[2]->is_fin_in);
    assert_true(take_here(test) == ids[3]);
    assert_true(take_here(test) == ids[2]);
    assert_true(take_here(test) == 0);
    assert_true(take_id(test, "other.example", 80, false) == ids[0]);
    turn(test);
    close_all(ends, 4);
    test_end(test);
}

/* What more clients than the cap want again and again is not opened again and again. */
static void what_is_wanted_within_a_second_stays(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_per_origin: 1}");
    struct memory_end *ends[3];
    struct lease leases[3];
    for (int i = 0; i < 3; i++)
        leases[i] = connect_here(test, &ends[i]);
    for (int second = 0; second < 5; second++) {
        for (int i = 0; i < 3; i++)
            (void)give_back(test, leases[i]);
        assert_int_equal(idle_count(test), 3);
        for (int i = 0; i < 3; i++)
            assert_non_null((leases[i] = take(test)).upstream);
        clock_advance(NS_PER_S);
        turn(test);
    }
    for (int i = 0; i < 3; i++)
        (void)give_back(test, leases[i]);
    clock_advance(2 * NS_PER_S);
    turn(test);
    assert_int_equal(idle_count(test), 1);
    assert_true(loop_next_deadline_ns(test->loop) > clock_monotonic_ns() + 10 * NS_PER_S);
    turn(test);
    close_all(ends, 3);
    test_end(test);
}

/* Beyond the total cap the connection goes that was idle longest, whose ever it is. */
static void all_origins_together_keep_so_many(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_total: 2}");
    struct memory_end *ends[3];
    (void)give_back(test, connect_to(test, "a.example", 80, false, &ends[0]));
    uint64_t b = give_back(test, connect_to(test, "b.example", 80, false, &ends[1]));
    uint64_t c = give_back(test, connect_to(test, "c.example", 80, false, &ends[2]));
    assert_int_equal(idle_count(test), 2);
    assert_true(take_id(test, "a.example", 80, false) == 0);
    assert_true(take_id(test, "b.example", 80, false) == b);
    assert_true(take_id(test, "c.example", 80, false) == c);
    turn(test);
    close_all(ends, 3);
    test_end(test);
}

/* What an origin has above its own cap pushes out none of the others'. */
static void a_burst_to_one_origin_leaves_the_others(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_per_origin: 1, pool_total: 3}");
    struct memory_end *ends[5];
    uint64_t other = give_back(test, connect_to(test, "other.example", 80, false, &ends[0]));
    for (int i = 1; i < 5; i++)
        (void)give_back(test, connect_here(test, &ends[i]));
    assert_int_equal(idle_count(test), 3);
    assert_true(take_id(test, "other.example", 80, false) == other);
    turn(test);
    close_all(ends, 5);
    test_end(test);
}

/* A cap of 0 keeps nothing, whichever of the two it is. */
static void a_cap_of_zero_keeps_nothing(void **state)
{
    (void)state;
    static const char *const settings[] = {"limits: {pool_total: 0}",
                                           "limits: {pool_per_origin: 0}"};
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        struct pool_test *test = test_begin(settings[i]);
        struct memory_end *far;
        (void)give_back(test, connect_here(test, &far));
        assert_int_equal(idle_count(test), 0);
        assert_true(far->is_fin_in);
        turn(test);
        far_close(far);
        test_end(test);
    }
}

/* An idle connection is closed when its time is over, not a moment earlier, each at its own time. */
static void idle_connections_expire_one_by_one(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("timeouts: {upstream_keepalive: 10s}");
    struct memory_end *ends[2];
    (void)give_back(test, connect_to(test, "a.example", 80, false, &ends[0]));
    clock_advance(4 * NS_PER_S);
    turn(test);
    uint64_t b = give_back(test, connect_to(test, "b.example", 80, false, &ends[1]));
    clock_advance(6 * NS_PER_S - NS_PER_MS);
    turn(test);
    assert_int_equal(idle_count(test), 2);
    clock_advance(NS_PER_MS);
    turn(test);
    assert_int_equal(idle_count(test), 1);
    assert_true(ends[0]->is_fin_in);
    assert_false(ends[1]->is_fin_in);
    /* The timer waits for the other. */
    assert_true(loop_next_deadline_ns(test->loop) >= 1014 * NS_PER_S);
    clock_advance(4 * NS_PER_S);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    assert_true(take_id(test, "b.example", 80, false) != b);
    assert_true(loop_next_deadline_ns(test->loop) == UINT64_MAX);
    close_all(ends, 2);
    test_end(test);
}

/* A connection that was used meanwhile starts to idle anew. */
static void a_use_starts_the_time_anew(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("timeouts: {upstream_keepalive: 10s}");
    struct memory_end *far;
    (void)give_back(test, connect_here(test, &far));
    clock_advance(9 * NS_PER_S);
    turn(test);
    (void)give_back(test, take(test));
    clock_advance(9 * NS_PER_S);
    turn(test);
    assert_int_equal(idle_count(test), 1);
    clock_advance(NS_PER_S + NS_PER_MS);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    far_close(far);
    test_end(test);
}

/* A connection older than its greatest age is closed instead of taken, however fresh its last use. */
static void a_connection_has_a_greatest_age(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_max_age: 60s}\n"
                                        "timeouts: {upstream_keepalive: 1h}");
    struct memory_end *far;
    (void)give_back(test, connect_here(test, &far));
    clock_advance(60 * NS_PER_S - 1);
    turn(test);
    (void)give_back(test, take(test));
    clock_advance(1);
    turn(test);
    assert_null(take(test).upstream);
    assert_int_equal(idle_count(test), 0);
    assert_true(far->is_fin_in);
    turn(test);
    far_close(far);
    test_end(test);
}

/* An idle connection that the origin closes is swept away in the same turn (U2). */
static void a_closed_connection_is_swept(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *ends[2];
    (void)give_back(test, connect_here(test, &ends[0]));
    uint64_t other = give_back(test, connect_here(test, &ends[1]));
    far_close(ends[0]);
    turn(test);
    assert_int_equal(idle_count(test), 1);
    assert_true(take_here(test) == other);
    turn(test);
    far_close(ends[1]);
    test_end(test);
}

/* Bytes that nobody asked for make an idle connection unusable: they would answer the next request. */
static void unsolicited_bytes_end_a_connection(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *far;
    (void)give_back(test, connect_here(test, &far));
    char early[] = "HTTP/1.1 408 Request Timeout\r\n\r\n";
    size_t sent = 0;
    assert_int_equal(
        transport_send(&far->base, &(struct iovec){early, sizeof(early) - 1}, 1, &sent), ST_OK);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    assert_true(take_here(test) == 0);
    assert_true(far->is_fin_in);
    far_close(far);
    test_end(test);
}

/* Room to write again is no reason to drop a connection. */
static void room_to_write_is_no_reason(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *far;
    uint64_t id = give_back(test, connect_here(test, &far));
    memory_end_set_room(far, 2000); /* our end hears of it */
    turn(test);
    assert_int_equal(idle_count(test), 1);
    assert_true(take_here(test) == id);
    turn(test);
    far_close(far);
    test_end(test);
}

/* What did not end cleanly is closed, not kept: a half-read answer, a half-sent request, leftovers. */
static void an_unclean_exchange_closes_the_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pool_test *test = test_begin("");
        struct memory_end *far;
        struct lease lease = connect_here(test, &far);
        struct h1_codec *h1 = &lease.upstream->h1;
        h1->receiving = i == 0 ? H1_RECV_BODY : H1_RECV_ENDED;
        h1->sending = i == 1 ? H1_SEND_BODY : H1_SEND_ENDED;
        h1->stream.may_persist = i != 2;
        h1->codec.wire.is_eof = i == 3;
        pool_give(test->engine.pool, &lease);
        assert_null(lease.upstream);
        assert_int_equal(idle_count(test), 0);
        assert_true(far->is_fin_in);
        turn(test);
        far_close(far);
        test_end(test);
    }
}

/* A connection made under other settings is not kept, since gate and TLS may have changed (U3). */
static void a_connection_of_old_settings_is_not_kept(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *far;
    struct lease lease = connect_here(test, &far);
    struct snapshot *old = test->engine.snapshot;
    test->engine.snapshot = snapshot_of("");
    (void)give_back(test, lease);
    assert_int_equal(idle_count(test), 0);
    assert_true(far->is_fin_in);
    snapshot_unref(&old);
    turn(test);
    far_close(far);
    test_end(test);
}

/* Nor is one that was begun under them and came to stand after a reload. */
static void a_connection_begun_before_a_reload_is_not_kept(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *far;
    test->begun_under = test->engine.snapshot;
    test->engine.snapshot = snapshot_of("");
    (void)give_back(test, connect_here(test, &far));
    assert_int_equal(idle_count(test), 0);
    assert_true(far->is_fin_in);
    snapshot_unref(&test->begun_under);
    turn(test);
    far_close(far);
    test_end(test);
}

/* As when the addresses of this machine are `ours`: another gate under the same settings. */
static void change_gate(struct pool_test *test, const struct inet_endpoint *ours)
{
    struct snapshot *old = test->engine.snapshot;
    test->engine.snapshot = snapshot_with_interfaces(old, &ours->addr, 1);
    assert_non_null(test->engine.snapshot);
    snapshot_unref(&old);
    pool_judge(test->engine.pool);
}

static struct pool_test *test_begin_with_gate(void)
{
    struct pool_test *test = test_begin("");
    size_t rule = 0;
    assert_int_equal(
        gate_create(&(struct gate_options){0}, NULL, &rule, &test->engine.snapshot->gate), ST_OK);
    assert_non_null(test->engine.snapshot->gate);
    return test;
}

static struct lease connect_to_peer(struct pool_test *test, const struct inet_endpoint *peer,
                                    struct memory_end **ret_far)
{
    struct lease lease = connect_here(test, ret_far);
    lease.upstream->peer = *peer;
    return lease;
}

static const struct inet_endpoint one = {.addr = {INET_V4, {1, 1, 1, 1}}, .port = 80};
static const struct inet_endpoint two = {.addr = {INET_V4, {2, 2, 2, 2}}, .port = 80};

/* Where an address becomes one of this machine, idle connections to it are closed, and no others. */
static void a_new_gate_closes_what_it_refuses(void **state)
{
    (void)state;
    struct pool_test *test = test_begin_with_gate();
    struct memory_end *ends[2];
    (void)give_back(test, connect_to_peer(test, &one, &ends[0]));
    uint64_t kept = give_back(test, connect_to_peer(test, &two, &ends[1]));
    change_gate(test, &one);
    turn(test);
    assert_true(ends[0]->is_fin_in);
    assert_false(ends[1]->is_fin_in);
    assert_int_equal(idle_count(test), 1);
    struct lease taken = take(test);
    assert_true(taken.upstream->id == kept);
    (void)give_back(test, taken);
    assert_int_equal(idle_count(test), 1);
    pool_flush(test->engine.pool);
    close_all(ends, 2);
    test_end(test);
}

/* One that was leased, or only came to stand, while the address became one of this machine is not kept. */
static void a_leased_connection_that_the_gate_refuses_is_not_kept(void **state)
{
    (void)state;
    struct pool_test *test = test_begin_with_gate();
    struct memory_end *ends[3];
    struct lease refused = connect_to_peer(test, &one, &ends[0]);
    struct lease fine = connect_to_peer(test, &two, &ends[1]);
    test->begun_under = snapshot_ref(test->engine.snapshot);
    change_gate(test, &one);
    struct lease late = connect_to_peer(test, &one, &ends[2]);
    assert_false(ends[0]->is_fin_in); /* its exchange goes on */
    (void)give_back(test, refused);
    (void)give_back(test, late);
    assert_int_equal(idle_count(test), 0);
    (void)give_back(test, fine);
    assert_int_equal(idle_count(test), 1);
    change_gate(test, &two);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    snapshot_unref(&test->begun_under);
    close_all(ends, 3);
    test_end(test);
}

/* Connections pin no gate: it may change many times in the life of one. */
static void a_connection_pins_no_gate(void **state)
{
    (void)state;
    struct pool_test *test = test_begin_with_gate();
    struct memory_end *far;
    change_gate(test, &one);
    (void)give_back(test, connect_to_peer(test, &two, &far));
    assert_int_equal(atomic_load(&test->engine.snapshot->refs), 1);
    pool_flush(test->engine.pool);
    turn(test);
    far_close(far);
    test_end(test);
}

/* A flush closes all that is idle, and nothing that is leased. */
static void a_flush_closes_what_is_idle(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("");
    struct memory_end *ends[3];
    struct lease leased = connect_here(test, &ends[0]);
    (void)give_back(test, connect_here(test, &ends[1]));
    (void)give_back(test, connect_to(test, "other.example", 80, false, &ends[2]));
    pool_flush(test->engine.pool);
    turn(test);
    assert_int_equal(idle_count(test), 0);
    assert_false(ends[0]->is_fin_in);
    assert_true(ends[1]->is_fin_in);
    assert_true(ends[2]->is_fin_in);
    (void)give_back(test, leased);
    assert_int_equal(idle_count(test), 1);
    pool_flush(test->engine.pool);
    close_all(ends, 3);
    test_end(test);
}

/* After a second of idleness a socket is looked into: one that was closed unnoticed is not given out (U2),
 * and an open one is. */
static void a_peek_finds_what_the_loop_has_not_seen(void **state)
{
    (void)state;
    for (int is_closed = 0; is_closed <= 1; is_closed++) {
        struct pool_test *test = test_begin("");
        int pair[2];
        struct slab slab;
        struct transport *transport;
        char byte;
        size_t len;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
                         0);
        tcp_slab_init(&slab);
        assert_int_equal(
            tcp_create(test->loop, &slab, pair[0], WATCH_READ | WATCH_WRITE, &transport), ST_OK);
        assert_int_equal(transport_recv(transport, &byte, 1, &len), ST_AGAIN); /* all was read */
        uint64_t id = give_back(test, connect_over(test, transport, "origin.example", 80, false));
        if (is_closed)
            (void)close(pair[1]); /* nobody tells: the loop is simulated */
        clock_advance(NS_PER_S);
        turn(test);
        assert_true(take_here(test) == (is_closed ? 0 : id));
        assert_int_equal(idle_count(test), 0);
        turn(test);
        if (!is_closed)
            (void)close(pair[1]);
        test_end(test);
        slab_done(&slab);
    }
}

/* Entries of origins go with their last connection, so that thousands of names leave nothing behind. */
static void an_origin_without_connections_is_forgotten(void **state)
{
    (void)state;
    struct pool_test *test = test_begin("limits: {pool_total: 10}");
    for (int i = 0; i < 5000; i++) {
        char name[32];
        struct memory_end *far;
        (void)snprintf(name, sizeof(name), "h%d.example", i);
        (void)give_back(test, connect_to(test, name, 80, false, &far));
        if (i % 100 == 99)
            pool_flush(test->engine.pool);
        far_close(far);
        turn(test);
        assert_int_equal(idle_count(test), 0);
    }
    test_end(test); /* slab_done checks that all entries came back */
}

/* Numbers of connections are unique, and those of two workers never meet. */
static void numbers_of_connections_are_unique(void **state)
{
    (void)state;
    struct engine a = {.worker = 0};
    struct engine b = {.worker = 1};
    uint64_t first = engine_conn_id(&a);
    assert_true(first != 0);
    assert_true(engine_conn_id(&a) == first + 1);
    assert_true(engine_conn_id(&b) >> 44 != first >> 44);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_taken_first),
        cmocka_unit_test(a_taken_connection_is_leased),
        cmocka_unit_test(origins_are_told_apart),
        cmocka_unit_test(an_origin_keeps_so_many_and_no_more),
        cmocka_unit_test(what_is_wanted_within_a_second_stays),
        cmocka_unit_test(all_origins_together_keep_so_many),
        cmocka_unit_test(a_burst_to_one_origin_leaves_the_others),
        cmocka_unit_test(a_cap_of_zero_keeps_nothing),
        cmocka_unit_test(idle_connections_expire_one_by_one),
        cmocka_unit_test(a_use_starts_the_time_anew),
        cmocka_unit_test(a_connection_has_a_greatest_age),
        cmocka_unit_test(a_closed_connection_is_swept),
        cmocka_unit_test(unsolicited_bytes_end_a_connection),
        cmocka_unit_test(room_to_write_is_no_reason),
        cmocka_unit_test(an_unclean_exchange_closes_the_connection),
        cmocka_unit_test(a_connection_of_old_settings_is_not_kept),
        cmocka_unit_test(a_connection_begun_before_a_reload_is_not_kept),
        cmocka_unit_test(a_new_gate_closes_what_it_refuses),
        cmocka_unit_test(a_leased_connection_that_the_gate_refuses_is_not_kept),
        cmocka_unit_test(a_connection_pins_no_gate),
        cmocka_unit_test(a_flush_closes_what_is_idle),
        cmocka_unit_test(a_peek_finds_what_the_loop_has_not_seen),
        cmocka_unit_test(an_origin_without_connections_is_forgotten),
        cmocka_unit_test(numbers_of_connections_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
