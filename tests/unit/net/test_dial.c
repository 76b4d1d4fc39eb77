#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "dns_server.h"
#include "net/dial.h"
#include "net/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

enum { TURNS_MAX = 2000, FILLERS = 4 };

/* The name "a.test" has what the test says. On one port: 127.0.0.2 accepts, 127.0.0.1 swallows every SYN
 * (its backlog is full), 127.0.0.3 and beyond refuse. */
struct fixture {
    struct loop *loop;
    struct dns_server server;
    struct counters counters;
    struct slab tcp_slab;
    struct dial_engine engine;
    struct dial dial;
    struct dial_request request;
    struct host host;
    int good_fd;
    int deaf_fd;
    int filler_fd[FILLERS];
    uint16_t port;
    unsigned done;
    bool is_starting;
    const char *refused; /* the gate refuses this address */
    unsigned judged;
};

static bool permit(void *owner, const struct inet_endpoint *endpoint)
{
    struct fixture *f = owner;
    char text[INET_ADDR_TEXT];
    (void)inet_addr_format(&endpoint->addr, text);
    f->judged++;
    return f->refused == NULL || strcmp(text, f->refused) != 0;
}

static void on_done(void *owner, struct dial *dial)
{
    struct fixture *f = owner;
    assert_false(f->is_starting);
    assert_ptr_equal(dial, &f->dial);
    f->done++;
}

/* -1 where somebody else has the port. */
static int listen_on(uint8_t last, uint16_t port, int backlog)
{
    struct inet_endpoint endpoint = {.addr = {INET_V4, {127, 0, 0, last}}, .port = port};
    struct socket_listen_options options = {.backlog = backlog};
    int fd = -1;
    return socket_listen(&endpoint, &options, &fd) == ST_OK ? fd : -1;
}

/* A port that is free on both addresses. */
static void listen_on_both(struct fixture *f)
{
    f->deaf_fd = -1;
    for (int tries = 0; tries < 100 && f->deaf_fd < 0; tries++) {
        f->good_fd = listen_on(2, 0, 8);
        assert_true(f->good_fd >= 0);
        f->port = socket_local(f->good_fd).port;
        f->deaf_fd = listen_on(1, f->port, 0);
        if (f->deaf_fd < 0)
            socket_close(&f->good_fd);
    }
    assert_true(f->deaf_fd >= 0);
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    clock_freeze(1000 * NS_PER_S, 1000 * NS_PER_S);
    assert_int_equal(loop_create(&f->loop), ST_OK);
    dns_server_start(&f->server, f->loop);
    struct resolver_options options = {
        .hosts_path = "", .servers = &f->server.address, .server_count = 1};
    tcp_slab_init(&f->tcp_slab);
    f->engine = (struct dial_engine){
        .loop = f->loop, .tcp_slab = &f->tcp_slab, .counters = &f->counters, .open = dial_open};
    assert_int_equal(resolver_create(f->loop, &options, &f->counters, &f->engine.resolver), ST_OK);

    listen_on_both(f);
    const struct socket_dial_options plain = {0};
    const struct inet_endpoint deaf = socket_local(f->deaf_fd);
    for (size_t i = 0; i < FILLERS; i++)
        assert_int_equal(socket_dial(&deaf, &plain, &f->filler_fd[i]), ST_OK);
    /* It is deaf once the first of them is there, which on a busy machine is not at once. */
    struct pollfd first = {.fd = f->filler_fd[0], .events = POLLOUT};
    assert_int_equal(poll(&first, 1, 10000), 1);
    f->request = (struct dial_request){
        .host = &f->host,
        .port = f->port,
        .deadline_ns = clock_monotonic_ns() + 10 * NS_PER_S,
        .owner = f,
        .permit = permit,
        .on_done = on_done,
    };
}

static void end(struct fixture *f)
{
    dial_cancel(&f->dial);
    dial_cancel(&f->dial);
    resolver_destroy(&f->engine.resolver);
    addr_source_destroy(&f->engine.sources);
    for (size_t i = 0; i < FILLERS; i++)
        socket_close(&f->filler_fd[i]);
    socket_close(&f->good_fd);
    socket_close(&f->deaf_fd);
    dns_server_stop(&f->server);
    (void)loop_turn(f->loop, 0); /* buries the transports */
    slab_done(&f->tcp_slab);
    loop_destroy(&f->loop);
    clock_restore();
}

static void add_rule(struct fixture *f, unsigned type, const char *first, const char *second)
{
    dns_server_add(&f->server, (struct dns_rule){.name = "a.test",
                                                 .type = type,
                                                 .address = {first, second},
                                                 .ttl = 60,
                                                 .soa_minimum = 60});
}

static void start(struct fixture *f, const char *host)
{
    assert_int_equal(host_parse(slice_from_string(host), &f->host), HOST_FINE);
    f->is_starting = true;
    dial_start(&f->dial, &f->engine, &f->request);
    f->is_starting = false;
}

static void turn(struct fixture *f)
{
    (void)loop_turn(f->loop, 5 * NS_PER_MS);
}

static void await_done(struct fixture *f, enum dial_cause cause)
{
    for (int i = 0; i < TURNS_MAX && f->done == 0; i++)
        turn(f);
    assert_int_equal(f->done, 1);
    assert_string_equal(dial_cause_text(f->dial.cause), dial_cause_text(cause));
}

static void await_attempts(struct fixture *f, uint32_t count)
{
    for (int i = 0; i < TURNS_MAX && f->dial.attempt_total < count; i++)
        turn(f);
    assert_int_equal(f->dial.attempt_total, count);
}

static void await_half(struct fixture *f, int half)
{
    for (int i = 0; i < TURNS_MAX && !f->dial.question.half[half].is_answered; i++)
        turn(f);
    assert_true(f->dial.question.half[half].is_answered);
}

/* A literal is dialled at once, without a look-up. */
static void test_literal(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f, "127.0.0.2");
    assert_int_equal(f.dial.attempt_total, 1);
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.dns_begin_ns, 0);
    assert_int_equal(f.dial.dns_source, DNS_LITERAL);
    assert_int_equal(f.dial.peer.port, f.port);
    assert_int_equal(f.dial.attempts[0].os_error, 0);
    struct transport *won = dial_take(&f.dial);
    assert_non_null(won);
    assert_int_equal(won->ready, WATCH_WRITE); /* nothing was heard of the peer yet */
    int fd = tcp_fd(won);
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x7f000002);
    struct inet_endpoint local = socket_local(fd);
    assert_true(inet_endpoint_equals(&f.dial.local, &local));
    assert_null(dial_take(&f.dial));
    transport_close(&won, /* is_abort= */ false);
    end(&f);
}

/* An IPv4 address in IPv6 clothes is judged and dialled as what it is. */
static void test_mapped_literal(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "127.0.0.2";
    start(&f, "[::ffff:127.0.0.2]");
    await_done(&f, DIAL_DENIED);
    assert_int_equal(f.dial.denied.addr.family, INET_V4);
    assert_int_equal(f.dial.attempt_total, 0);
    end(&f);
}

static void test_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f, "127.0.0.3");
    await_done(&f, DIAL_CONNECT_REFUSED);
    assert_int_equal(f.dial.os_error, ECONNREFUSED);
    assert_int_equal(f.dial.attempts[0].os_error, ECONNREFUSED);
    assert_int_equal(counter_get(&f.counters, COUNT_CONNECT_FAILURES), 1);
    end(&f);
}

/* A name: A and AAAA asked, the address reached, the marks in order. */
static void test_name(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.2", NULL);
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.dns_source, DNS_QUERY);
    assert_int_equal(f.dial.dns_answers, 1);
    assert_true(f.dial.dns_begin_ns != 0 && f.dial.dns_end_ns >= f.dial.dns_begin_ns);
    assert_true(f.dial.connect_begin_ns >= f.dial.dns_end_ns);
    assert_int_equal(f.server.question_count, 2);
    end(&f);
}

/* RFC 8305 §5: the next attempt begins after the attempt delay, not before; the loser is closed. */
static void test_attempt_delay(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.1", "127.0.0.2");
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_attempts(&f, 1);
    clock_advance(249 * NS_PER_MS);
    turn(&f);
    assert_int_equal(f.dial.attempt_total, 1);
    clock_advance(2 * NS_PER_MS);
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.attempt_count, 2);
    assert_int_equal(f.dial.attempts[0].os_error, ECANCELED);
    assert_int_equal(f.dial.attempts[0].end_ns, 0);
    assert_int_equal(f.dial.attempts[1].os_error, 0);
    assert_int_equal(f.dial.peer.addr.bytes[3], 2);
    end(&f);
}

/* An attempt that fails lets the next one begin at once. */
static void test_failure_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.3", "127.0.0.2");
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECTED); /* the clock stands still */
    assert_int_equal(f.dial.attempts[0].os_error, ECONNREFUSED);
    assert_int_equal(f.dial.attempts[1].os_error, 0);
    end(&f);
}

/* RFC 8305 §3: an A answer waits 50 ms for AAAA, and not longer. */
static void test_resolution_delay(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.2", NULL);
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "a.test", .type = RR_AAAA, .is_silent = true});
    start(&f, "a.test");
    await_half(&f, HALF_V4);
    turn(&f);
    clock_advance(48 * NS_PER_MS);
    turn(&f);
    assert_int_equal(f.dial.attempt_total, 0);
    clock_advance(3 * NS_PER_MS);
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.dns_end_ns - f.dial.dns_begin_ns, 51 * NS_PER_MS); /* it waited */
    end(&f);
}

/* An answer without an address was waited for as well. */
static void test_an_empty_answer_is_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.2", NULL);
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "a.test", .type = RR_AAAA, .is_held = true});
    start(&f, "a.test");
    await_half(&f, HALF_V4);
    clock_advance(40 * NS_PER_MS);
    dns_server_release(&f.server);
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.dns_end_ns - f.dial.dns_begin_ns, 40 * NS_PER_MS);
    assert_int_equal(dial_names_ns(&f.dial), 0);
    end(&f);
}

/* a.test has an A that refuses: begin, and turn until it has. */
static void start_and_fail(struct fixture *f)
{
    start(f, "a.test");
    await_half(f, HALF_V4);
    turn(f);
    clock_advance(51 * NS_PER_MS);
    await_attempts(f, 1);
    for (int i = 0; i < TURNS_MAX && f->dial.attempts[0].end_ns == 0; i++)
        turn(f);
}

/* Where all that is known failed, the other family is waited for: neither a look-up's time nor a connect's. */
static void test_waiting_for_the_other_family(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.3", NULL);
    dns_server_add(&f.server, (struct dns_rule){.name = "a.test",
                                                .type = RR_AAAA,
                                                .address = {"::ffff:127.0.0.2"},
                                                .ttl = 60,
                                                .is_held = true});
    start_and_fail(&f);
    clock_advance(300 * NS_PER_MS);
    assert_int_equal(dial_names_ns(&f.dial), 300 * NS_PER_MS);
    dns_server_release(&f.server);
    await_done(&f, DIAL_CONNECTED);
    clock_advance(10 * NS_PER_MS);
    assert_int_equal(dial_names_ns(&f.dial), 300 * NS_PER_MS);
    assert_int_equal(f.dial.dns_end_ns - f.dial.dns_begin_ns, 51 * NS_PER_MS);
    dial_cancel(&f.dial);
    end(&f);
}

/* Likewise where it never comes. */
static void test_waiting_in_vain_for_the_other_family(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.3", NULL);
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "a.test", .type = RR_AAAA, .is_silent = true});
    start_and_fail(&f);
    clock_advance(10 * NS_PER_S);
    await_done(&f, DIAL_CONNECT_REFUSED);
    assert_int_equal(dial_names_ns(&f.dial), 10 * NS_PER_S);
    end(&f);
}

/* One refused address ends the dial, before any attempt. */
static void test_mixed_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "127.0.0.9";
    add_rule(&f, RR_A, "127.0.0.2", "127.0.0.9");
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_done(&f, DIAL_DENIED);
    assert_int_equal(f.dial.attempt_total, 0);
    assert_int_equal(f.dial.denied.addr.bytes[3], 9);
    assert_int_equal(f.dial.attempts[0].os_error, EACCES);
    assert_int_equal(f.dial.attempts[0].begin_ns, 0);
    end(&f);
}

/* A refused address in the later answer ends a race that is under way. */
static void test_mixed_later_answer(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "::1";
    add_rule(&f, RR_A, "127.0.0.1", NULL);
    dns_server_add(
        &f.server,
        (struct dns_rule){
            .name = "a.test", .type = RR_AAAA, .address = {"::1"}, .ttl = 60, .is_held = true});
    start(&f, "a.test");
    await_half(&f, HALF_V4);
    turn(&f);
    clock_advance(51 * NS_PER_MS);
    await_attempts(&f, 1);
    dns_server_release(&f.server);
    await_done(&f, DIAL_DENIED);
    assert_int_equal(f.dial.attempts[0].os_error, ECANCELED);
    assert_null(dial_take(&f.dial));
    end(&f);
}

/* Where AAAA is there first, A is waited for as long as the reverse: it may refuse the whole. Nothing is dialled
 * meanwhile. */
static void test_mixed_first_answer_waits(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "127.0.0.9";
    add_rule(&f, RR_AAAA, "::1", NULL);
    dns_server_add(
        &f.server,
        (struct dns_rule){
            .name = "a.test", .type = RR_A, .address = {"127.0.0.9"}, .ttl = 60, .is_held = true});
    start(&f, "a.test");
    await_half(&f, HALF_V6);
    turn(&f);
    clock_advance(48 * NS_PER_MS);
    turn(&f);
    assert_int_equal(f.dial.attempt_total, 0);
    dns_server_release(&f.server);
    await_done(&f, DIAL_DENIED);
    assert_int_equal(f.dial.attempt_total, 0);
    end(&f);
}

/* A refusal waits for the other answer as a race does: the gate hears of all that must be opened. */
static void test_mixed_refusal_waits(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "::1";
    add_rule(&f, RR_AAAA, "::1", NULL);
    dns_server_add(
        &f.server,
        (struct dns_rule){
            .name = "a.test", .type = RR_A, .address = {"127.0.0.9"}, .ttl = 60, .is_held = true});
    start(&f, "a.test");
    await_half(&f, HALF_V6);
    turn(&f);
    clock_advance(48 * NS_PER_MS);
    turn(&f);
    assert_int_equal(f.done, 0);
    dns_server_release(&f.server);
    await_done(&f, DIAL_DENIED);
    assert_int_equal(f.judged, 2);
    assert_int_equal(f.dial.attempt_total, 0);
    end(&f);
}

/* It does not wait for longer, nor beyond the deadline, and says what it knows. */
static void test_mixed_refusal_does_not_wait_long(void **state)
{
    (void)state;
    struct fixture f;
    const uint64_t deadlines_ns[] = {10 * NS_PER_S, 20 * NS_PER_MS};
    for (size_t i = 0; i < COUNT_OF(deadlines_ns); i++) {
        begin(&f);
        f.refused = "127.0.0.9";
        f.request.deadline_ns = clock_monotonic_ns() + deadlines_ns[i];
        add_rule(&f, RR_A, "127.0.0.9", "127.0.0.2");
        dns_server_add(
            &f.server,
            (struct dns_rule){
                .name = "a.test", .type = RR_AAAA, .address = {"::1"}, .ttl = 60, .is_held = true});
        start(&f, "a.test");
        await_half(&f, HALF_V4);
        turn(&f);
        assert_int_equal(f.done, 0);
        clock_advance(i == 0 ? 51 * NS_PER_MS : 21 * NS_PER_MS);
        await_done(&f, DIAL_DENIED);
        assert_int_equal(f.judged, 2);
        assert_int_equal(f.dial.attempt_total, 0);
        assert_int_equal(f.dial.dns_source, DNS_QUERY);
        end(&f);
    }
}

/* With "skip" the permitted ones are dialled; none left is a refusal. */
static void test_mixed_skip(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.refused = "127.0.0.9";
    f.request.options.mixed = DIAL_MIXED_SKIP;
    add_rule(&f, RR_A, "127.0.0.9", "127.0.0.2");
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.denied_count, 1);
    dial_cancel(&f.dial);

    f.done = 0;
    start(&f, "127.0.0.9");
    await_done(&f, DIAL_DENIED);
    end(&f);
}

static void test_names_fail(void **state)
{
    (void)state;
    const struct {
        unsigned rcode;
        enum dial_cause cause;
    } rows[] = {{0, DIAL_DNS_NODATA},
                {3, DIAL_DNS_NXDOMAIN},
                {2, DIAL_DNS_SERVFAIL},
                {5, DIAL_DNS_REFUSED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture f;
        begin(&f);
        struct dns_rule rule = {.name = "a.test", .type = RR_A, .rcode = rows[i].rcode};
        dns_server_add(&f.server, rule);
        rule.type = RR_AAAA;
        dns_server_add(&f.server, rule);
        start(&f, "a.test");
        await_done(&f, rows[i].cause);
        assert_true(f.dial.dns_end_ns != 0);
        end(&f);
    }
}

/* The deadline names what was waited for: a name server, or a peer. */
static void test_deadline(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.request.deadline_ns = clock_monotonic_ns() + NS_PER_S;
    start(&f, "127.0.0.1");
    turn(&f);
    clock_advance(1001 * NS_PER_MS);
    await_done(&f, DIAL_CONNECT_TIMEOUT);
    assert_int_equal(f.dial.attempts[0].os_error, ETIMEDOUT);
    assert_true(f.dial.attempts[0].end_ns != 0);

    dial_cancel(&f.dial);
    f.done = 0;
    f.request.deadline_ns = clock_monotonic_ns() + NS_PER_S;
    dns_server_add(&f.server, (struct dns_rule){.name = "a.test", .type = RR_A, .is_silent = true});
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "a.test", .type = RR_AAAA, .is_silent = true});
    start(&f, "a.test");
    turn(&f);
    clock_advance(1001 * NS_PER_MS);
    await_done(&f, DIAL_DNS_TIMEOUT);
    end(&f);
}

/* After a cancel no callback comes, whatever was under way. */
static void test_cancel(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.1", "127.0.0.2");
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    dial_cancel(&f.dial); /* while it asks */
    start(&f, "a.test");
    await_attempts(&f, 1);
    dial_cancel(&f.dial); /* while it races */
    start(&f, "127.0.0.2");
    dial_cancel(&f.dial); /* before its end is told */
    clock_advance(20 * NS_PER_S);
    for (int i = 0; i < 5; i++)
        turn(&f);
    assert_int_equal(f.done, 0);
    end(&f);
}

/* An outgoing address of one family makes the other unreachable, at once. */
static void test_source_family(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct inet_addr source = {INET_V4, {127, 0, 0, 5}};
    f.request.options.socket.source = &source;
    start(&f, "[::1]");
    await_done(&f, DIAL_CONNECT_UNREACHABLE);
    dial_cancel(&f.dial);
    f.done = 0;
    start(&f, "127.0.0.2");
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.local.addr.bytes[3], 5);
    end(&f);
}

/* RFC 8305 §4: families take turns, the preferred one first. */
static void test_interleaving(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_rule(&f, RR_A, "127.0.0.3", "127.0.0.4");
    dns_server_add(&f.server, (struct dns_rule){.name = "a.test",
                                                .type = RR_AAAA,
                                                .address = {"::1", "::ffff:127.0.0.5"},
                                                .ttl = 60});
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECT_REFUSED);
    assert_int_equal(f.dial.attempt_total, 4);
    assert_int_equal(f.judged, 4);
    assert_int_equal(f.dial.attempts[0].peer.addr.family, INET_V6);
    assert_int_equal(f.dial.attempts[1].peer.addr.family, INET_V4);
    end(&f);
}

static void add_many(struct fixture *f)
{
    struct dns_rule rule = {.name = "a.test",
                            .type = RR_A,
                            .address = {"127.0.0.10", "127.0.0.11", "127.0.0.12", "127.0.0.13",
                                        "127.0.0.14", "127.0.0.15", "127.0.0.16", "127.0.0.17",
                                        "127.0.0.18", "127.0.0.19"},
                            .ttl = 60};
    dns_server_add(&f->server, rule);
    add_rule(f, RR_AAAA, NULL, NULL);
}

/* More addresses than rows: all are tried, the rows stay within their number. */
static void test_many_refuse(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add_many(&f);
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECT_REFUSED);
    assert_int_equal(f.dial.attempt_total, 10);
    assert_int_equal(f.dial.attempt_count, RECORD_ATTEMPTS_MAX);
    assert_int_equal(f.dial.dns_answers, 10);
    end(&f);
}

/* D3: at most eight attempts live; the oldest gives way to one more. */
static void test_many_are_deaf(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    socket_close(&f.good_fd);
    socket_close(&f.deaf_fd);
    const struct inet_endpoint any = {.addr = {.family = INET_V4}, .port = f.port};
    const struct socket_listen_options options = {.backlog = 0};
    assert_int_equal(socket_listen(&any, &options, &f.deaf_fd), ST_OK);
    const struct inet_endpoint deaf = {.addr = {INET_V4, {127, 0, 0, 1}}, .port = f.port};
    const struct socket_dial_options plain = {0};
    for (size_t i = 0; i < FILLERS; i++) {
        socket_close(&f.filler_fd[i]);
        assert_int_equal(socket_dial(&deaf, &plain, &f.filler_fd[i]), ST_OK);
    }
    add_many(&f);
    start(&f, "a.test");
    for (uint32_t i = 1; i <= 10; i++) {
        await_attempts(&f, i);
        assert_true(f.dial.live_count <= RECORD_ATTEMPTS_MAX);
        clock_advance(251 * NS_PER_MS);
    }
    clock_advance(10 * NS_PER_S);
    await_done(&f, DIAL_CONNECT_TIMEOUT);
    assert_int_equal(f.dial.live_count, 0);
    end(&f);
}

/* An attempt that fails at once takes no one's turn: the next begins at the same pace, though another is live. */
static void test_failure_at_once_is_no_turn(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "a.test",
                                     .type = RR_A,
                                     .address = {"127.0.0.1", "255.255.255.255", "127.0.0.2"},
                                     .ttl = 60});
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_attempts(&f, 1);
    clock_advance(251 * NS_PER_MS);
    await_done(&f, DIAL_CONNECTED);
    assert_int_equal(f.dial.attempt_total, 3);
    assert_int_equal(f.dial.attempts[0].os_error, ECANCELED);
    assert_true(f.dial.attempts[1].os_error > 0);
    assert_int_equal(f.dial.peer.addr.bytes[3], 2);
    end(&f);
}

/* A running attempt that fails makes the next one due, though another is live. */
static void test_failure_while_another_is_live(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, (struct dns_rule){.name = "a.test",
                                                .type = RR_A,
                                                .address = {"127.0.0.1", "127.0.0.3", "127.0.0.2"},
                                                .ttl = 60});
    add_rule(&f, RR_AAAA, NULL, NULL);
    start(&f, "a.test");
    await_attempts(&f, 1);
    clock_advance(251 * NS_PER_MS);
    await_done(&f, DIAL_CONNECTED); /* the clock stands still for the rest */
    assert_int_equal(f.dial.attempts[1].os_error, ECONNREFUSED);
    assert_int_equal(f.dial.peer.addr.bytes[3], 2);
    end(&f);
}

/* What no source address leads to (link-local without a zone) is tried last, not in turn. */
static void test_no_source_is_last(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.engine.sources = addr_source_create();
    assert_non_null(f.engine.sources);
    add_rule(&f, RR_A, "127.0.0.3", "127.0.0.4");
    add_rule(&f, RR_AAAA, "fe80::1", NULL);
    start(&f, "a.test");
    await_done(&f, DIAL_CONNECT_REFUSED);
    assert_int_equal(f.dial.attempt_total, 3);
    assert_int_equal(f.dial.attempts[2].peer.addr.family, INET_V6);
    end(&f);
}

/* Without any IPv6 address connect(2) says EADDRNOTAVAIL; that is no want of ports. Last: it leaves this process
 * in a network namespace whose loopback interface is down. */
static void test_no_address_is_no_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        end(&f);
        print_message("no network namespace can be made here\n");
        skip();
    }
    f.engine.sources = addr_source_create();
    assert_non_null(f.engine.sources);
    start(&f, "[::1]");
    await_done(&f, DIAL_CONNECT_UNREACHABLE);
    assert_int_equal(f.dial.attempts[0].os_error, f.dial.os_error);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),
        cmocka_unit_test(test_mapped_literal),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_attempt_delay),
        cmocka_unit_test(test_failure_is_not_waited_for),
        cmocka_unit_test(test_resolution_delay),
        cmocka_unit_test(test_an_empty_answer_is_waited_for),
        cmocka_unit_test(test_waiting_for_the_other_family),
        cmocka_unit_test(test_waiting_in_vain_for_the_other_family),
        cmocka_unit_test(test_mixed_is_refused),
        cmocka_unit_test(test_mixed_later_answer),
        cmocka_unit_test(test_mixed_first_answer_waits),
        cmocka_unit_test(test_mixed_refusal_waits),
        cmocka_unit_test(test_mixed_refusal_does_not_wait_long),
        cmocka_unit_test(test_mixed_skip),
        cmocka_unit_test(test_names_fail),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_source_family),
        cmocka_unit_test(test_interleaving),
        cmocka_unit_test(test_many_refuse),
        cmocka_unit_test(test_many_are_deaf),
        cmocka_unit_test(test_failure_at_once_is_no_turn),
        cmocka_unit_test(test_failure_while_another_is_live),
        cmocka_unit_test(test_no_source_is_last),
        cmocka_unit_test(test_no_address_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
