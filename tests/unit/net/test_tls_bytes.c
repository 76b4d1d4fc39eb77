#include "tls_test.h"

#include "base/clock.h"
#include "net/tcp.h"
#include "net/tls_internal.h"
#include "net/tls_stream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- bytes ---- */

static void small_pieces_become_one_record_and_one_send(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    char one[] = "HTTP/1.1 200 OK\r\n";
    char two[] = "\r\n";
    char three[] = "body";
    struct iovec iov[] = {{one, 17}, {NULL, 0}, {two, 2}, {three, 4}};
    size_t len = 0;
    size_t calls = f.below_server->send_calls;
    size_t sent = f.below_server->sent;
    assert_int_equal(transport_send(f.server, iov, 4, &len), ST_OK);
    assert_int_equal(len, 23);
    assert_int_equal(f.below_server->send_calls, calls + 1);
    assert_int_equal(f.below_server->sent - sent, 23 + 22); /* header, type and tag of one record */
    expect(f.client, SLICE("HTTP/1.1 200 OK\r\n\r\nbody"));
    end_pair(&f);
}

/* Bulk costs few calls below: a send makes several records, and a call that has room for them receives as many as the
 * library's buffer holds at a time, whole ones, whatever their length in this version. */
static void expect_few_calls(struct tls_client_context *client)
{
    struct fixture f;
    begin_with(&f, server_context, client, NULL);
    shake_well(&f);
    expect_status(f.client, ST_AGAIN); /* takes the ticket */
    size_t len = 0;
    size_t calls = f.below_server->send_calls;
    assert_int_equal(send_bytes(f.server, pattern, BULK, &len), ST_OK);
    assert_int_equal(len, TLS_SEND_MAX);
    assert_int_equal(f.below_server->send_calls, calls + 1);
    turn(&f);
    calls = f.below_client->recv_calls;
    assert_int_equal(transport_recv(f.client, received, BULK, &len), ST_OK);
    assert_int_equal(len, TLS_SEND_MAX);
    assert_memory_equal(received, pattern, len);
    assert_false((f.client->ready & WATCH_READ) != 0);
    assert_int_equal(f.below_client->recv_calls - calls,
                     TLS_SEND_MAX / TLS_RECORD / TLS_READ_RECORDS);
    end_pair(&f);
}

static void several_records_go_with_one_call_below(void **state)
{
    (void)state;
    struct tls_client_context *old =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority)});
    assert_int_equal(SSL_CTX_set_max_proto_version(old->ssl, TLS1_2_VERSION), 1);
    expect_few_calls(client_context);
    expect_few_calls(old);
    tls_client_context_unref(&old);
}

/* A call gives no more than there is room for, however much lies below, and leaves the rest there but for what the
 * library's buffer holds. */
static void a_call_reads_no_more_than_it_has_room_for(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN); /* takes the ticket */
    size_t len = 0;
    assert_int_equal(send_bytes(f.server, pattern, TLS_SEND_MAX, &len), ST_OK);
    turn(&f);
    size_t below = f.below_client->len;
    assert_int_equal(transport_recv(f.client, received, TLS_RECORD, &len), ST_OK);
    assert_int_equal(len, TLS_RECORD);
    assert_true(below - f.below_client->len <= TLS_READ_RECORDS * TLS_RECORD_1_3);
    assert_true((f.client->ready & WATCH_READ) != 0);
    assert_int_equal(transport_recv(f.client, received, BULK, &len), ST_OK);
    assert_int_equal(len, TLS_SEND_MAX - TLS_RECORD);
    assert_memory_equal(received, pattern + TLS_RECORD, len);
    end_pair(&f);
}

static void decrypted_bytes_that_did_not_fit_keep_the_read_bit(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    send_all(f.server, SLICE("0123456789"));
    turn(&f);
    char into[4];
    size_t len = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(transport_recv(f.client, into, sizeof(into), &len), ST_OK);
        assert_int_equal(len, 4);
        assert_true((f.client->ready & WATCH_READ) != 0);
    }
    assert_int_equal(transport_recv(f.client, into, sizeof(into), &len), ST_OK);
    assert_int_equal(len, 2);
    assert_false((f.client->ready & WATCH_READ) != 0);
    expect_status(f.client, ST_AGAIN);
    end_pair(&f);
}

/* The end that came in one receive with the last bytes is known before anybody asks for more, and without the
 * kernel. */
static void an_end_behind_bytes_is_no_quiet(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN); /* takes the ticket */
    assert_true(transport_is_quiet(f.client, LOOK_ASK));
    send_all(f.server, SLICE("last"));
    struct tls *peer = CONTAINER_OF(f.server, struct tls, base);
    tls_cork(peer);
    assert_int_equal(SSL_shutdown(peer->ssl), 0); /* close_notify alone */
    tls_uncork(peer);
    turn(&f);
    struct transport *lower = tls_lower(f.client);
    assert_true((lower->ready & WATCH_READ) != 0); /* all of it lies below */
    assert_false(transport_is_quiet(f.client, LOOK_IF_TOLD));
    char into[16];
    size_t len = 0;
    assert_int_equal(transport_recv(f.client, into, 2, &len), ST_OK);
    assert_false((lower->ready & WATCH_READ) != 0); /* the rest is here: nobody is asked */
    assert_false(transport_is_quiet(f.client, LOOK_IF_TOLD));
    assert_int_equal(transport_recv(f.client, into, sizeof(into), &len), ST_OK);
    assert_int_equal(len, 2);
    assert_false((lower->ready & WATCH_READ) != 0);
    assert_false(transport_is_quiet(f.client, LOOK_IF_TOLD));
    end_pair(&f);
}

/* Somebody else's task: how often the server's end had been told to go on when it ran. */
struct other {
    struct task task;
    const struct fixture *fixture;
    int calls_before;
};

static void run_other(struct task *task)
{
    struct other *other = CONTAINER_OF(task, struct other, task);
    other->calls_before = other->fixture->server_calls;
}

/* A handshake of any length, or records that hold next to nothing, could keep the library reading: one call reads a
 * bounded amount, says so, and the owner is told to go on, behind what others have to do. */
static void an_endless_handshake_is_read_in_parts(void **state)
{
    static const char head[] = {22, 3, 1,      64, 0,
                                1,  1, '\xff', 0}; /* a ClientHello of 130,816 bytes */
    static char record[5 + TLS_RECORD];
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    memcpy(record, head, sizeof(head));
    for (int i = 0; i < 7; i++) {
        size_t len = 0;
        struct iovec iov = {record, sizeof(record)};
        assert_int_equal(transport_send(&f.below_client->base, &iov, 1, &len), ST_OK);
        assert_int_equal(len, sizeof(record));
        memset(record + 5, 0, 4);
    }
    turn(&f);
    size_t left = f.below_server->len;
    assert_int_equal(transport_handshake(f.server), ST_AGAIN);
    assert_int_equal(left - f.below_server->len, TLS_READ_MAX);
    assert_true((f.server->ready & WATCH_READ) != 0);
    int calls = f.server_calls;
    struct other other = {.fixture = &f, .calls_before = -1};
    task_init(&other.task, run_other);
    loop_queue(f.loop, &other.task);
    turn(&f);
    assert_int_equal(other.calls_before, calls);
    assert_true(f.server_calls > calls);
    assert_int_equal(transport_handshake(f.server), ST_AGAIN);
    assert_int_equal(f.below_server->len, 0);
    struct transport *lower = &f.below_client->base;
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

static void tiny_records_are_read_in_parts(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN); /* takes the ticket */
    size_t sent = 0;
    for (; f.below_server->len < 3 * TLS_READ_MAX; sent++)
        send_all(f.client, SLICE("x"));
    turn(&f);
    unsigned parts = 0;
    for (size_t got = 0; got < sent; parts++) {
        size_t len = 0;
        size_t left = f.below_server->len;
        assert_int_equal(transport_recv(f.server, received, sizeof(received), &len), ST_OK);
        assert_true(left - f.below_server->len <= TLS_READ_MAX + len);
        got += len;
    }
    assert_in_range(parts, 3, 4);
    end_pair(&f);
}

static void send_content(struct fixture *f, size_t len)
{
    size_t got = 0;
    send_all(f->client, slice_of(pattern, len));
    turn(f);
    assert_int_equal(transport_recv(f->server, received, sizeof(received), &got), ST_OK);
    assert_int_equal(got, len);
}

static void update_keys(struct tls *tls, int type)
{
    tls_cork(tls);
    assert_int_equal(SSL_key_update(tls->ssl, type), 1);
    assert_int_equal(SSL_do_handshake(tls->ssl), 1);
    tls_uncork(tls);
}

/* They cost more than content does, and no limit meets them (RFC 8446 §4.6.3 sets none): who sends many is cut off,
 * before all of what the library holds was read. */
static void a_flood_of_key_updates_is_cut_off(void **state)
{
    static const int types[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct fixture f;
        begin(&f);
        expect_status(f.client, ST_AGAIN); /* takes the ticket */
        expect_status(f.server, ST_AGAIN);
        for (int k = 0; k < 1000; k++)
            update_keys(CONTAINER_OF(f.client, struct tls, base), types[i]);
        send_all(f.client, SLICE("at last"));
        turn(&f);
        expect_status(f.server, ST_BAD);
        check_fault(f.server, "too many TLS messages without content");
        assert_in_range(CONTAINER_OF(f.server, struct tls, base)->chatter, TLS_CHATTER_MAX + 1,
                        TLS_CHATTER_MAX + 4);
        char byte = 'x';
        size_t len = 0;
        assert_int_equal(send_bytes(f.server, &byte, 1, &len), ST_BAD);
        end_pair(&f);
    }
}

/* One now and then, for ever, is what they are for. */
static void key_updates_among_content_are_fine(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    for (unsigned k = 0; k < 3 * TLS_CHATTER_MAX; k++) {
        update_keys(CONTAINER_OF(f.client, struct tls, base), SSL_KEY_UPDATE_REQUESTED);
        send_content(&f, TLS_RECORD);
        expect_status(f.client, ST_AGAIN);
    }
    end_pair(&f);
}

/* Move BULK bytes from server to client, the client reading `step` at a time. */
static void move_bulk(struct fixture *f, size_t step)
{
    size_t sent = 0;
    size_t got = 0;
    for (int rounds = 0; got < BULK; rounds++) {
        assert_true(rounds < 4 * BULK);
        size_t len = 0;
        enum status status = ST_AGAIN;
        if (sent < BULK && (f->server->ready & WATCH_WRITE) != 0)
            status = send_bytes(f->server, pattern + sent, BULK - sent, &len);
        if (status == ST_OK)
            sent += len;
        assert_true(status == ST_OK || status == ST_AGAIN);
        assert_true(block_pool_used(f->pool) <= 2 * TLS_QUEUE_MAX);
        turn(f);
        size_t want = BULK - got < step ? BULK - got : step;
        if ((f->client->ready & WATCH_READ) != 0 &&
            transport_recv(f->client, received + got, want, &len) == ST_OK)
            got += len;
        turn(f);
    }
    assert_int_equal(sent, BULK);
    assert_memory_equal(received, pattern, BULK);
    expect_status(f->client, ST_AGAIN);
    assert_int_equal(transport_flush(f->server), ST_OK);
    assert_int_equal(block_pool_used(f->pool), 0);
}

static void bulk_goes_through_a_narrow_transport_whole_and_bounded(void **state)
{
    (void)state;
    static const size_t ROOMS[] = {ROOM, 40000, 777};
    static const size_t STEPS[] = {BULK, 16384, 1000};
    for (size_t i = 0; i < COUNT_OF(ROOMS); i++) {
        struct fixture f;
        begin_pair(&f, ROOM);
        add_server(&f, server_context);
        add_client(&f, client_context, SLICE("proxy.example"), NULL);
        shake_well(&f);
        expect_status(f.client, ST_AGAIN);
        memory_end_set_room(f.below_client, ROOMS[i]);
        move_bulk(&f, STEPS[i]);
        end_pair(&f);
    }
}

static void a_full_transport_takes_no_more_until_the_queue_has_left(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN);
    memory_end_set_room(f.below_client, 1000);
    size_t len = 0;
    assert_int_equal(send_bytes(f.server, pattern, 5000, &len), ST_OK);
    assert_int_equal(len, 5000);
    assert_false((f.server->ready & WATCH_WRITE) != 0);
    assert_int_equal(send_bytes(f.server, pattern, 5000, &len), ST_AGAIN);
    assert_int_equal(transport_flush(f.server), ST_AGAIN);
    assert_true(block_pool_used(f.pool) > 0);
    turn(&f);
    int calls = f.server_calls;
    memory_end_set_room(f.below_client, ROOM);
    turn(&f); /* the queue leaves by itself, and the owner hears of it */
    assert_true(f.server_calls > calls);
    assert_true((f.server->ready & WATCH_WRITE) != 0);
    assert_int_equal(transport_flush(f.server), ST_OK);
    assert_int_equal(block_pool_used(f.pool), 0);
    assert_int_equal(transport_recv(f.client, received, BULK, &len), ST_OK);
    assert_int_equal(len, 5000);
    end_pair(&f);
}

static void tls_runs_over_tls(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN);
    struct transport *outer_server = f.server;
    struct transport *outer_client = f.client;
    struct host host;
    assert_int_equal(host_parse(SLICE("proxy.example"), &host), HOST_FINE);
    struct tls_connect_options options = {.host = &host};
    assert_int_equal(tls_accept_create(f.scratch, &outer_server, server_context, &f.server), ST_OK);
    assert_int_equal(
        tls_connect_create(f.scratch, &outer_client, client_context, &options, &f.client), ST_OK);
    transport_listen(f.server, &f.server_calls, count_call);
    transport_listen(f.client, &f.client_calls, count_call);
    shake_well(&f);
    expect_status(f.client, ST_AGAIN);
    memory_end_set_room(f.below_client, 5000);
    move_bulk(&f, BULK);
    assert_int_equal(transport_shut(f.server), ST_OK);
    turn(&f);
    expect_status(f.client, ST_EOF);
    assert_false(f.client->is_truncated);
    end_pair(&f);
}

/* Both ends over a real socket pair with small buffers, in a real loop. */
static void bulk_goes_through_sockets(void **state)
{
    (void)state;
    struct fixture f = {0};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    int small = 8192;
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    assert_int_equal(loop_create(&f.loop), ST_OK);
    f.pool = block_pool_create(1 << 20, 0);
    f.scratch = tls_scratch_create(f.pool);
    struct transport *lower = NULL;
    struct slab slab;
    struct host host;
    tcp_slab_init(&slab);
    assert_int_equal(host_parse(SLICE("proxy.example"), &host), HOST_FINE);
    struct tls_connect_options options = {.host = &host};
    assert_int_equal(tcp_create(f.loop, &slab, fds[0], WATCH_READ | WATCH_WRITE, &lower), ST_OK);
    assert_int_equal(tls_accept_create(f.scratch, &lower, server_context, &f.server), ST_OK);
    assert_int_equal(tcp_create(f.loop, &slab, fds[1], WATCH_READ | WATCH_WRITE, &lower), ST_OK);
    assert_int_equal(tls_connect_create(f.scratch, &lower, client_context, &options, &f.client),
                     ST_OK);
    transport_listen(f.server, &f.server_calls, count_call);
    transport_listen(f.client, &f.client_calls, count_call);
    shake_well(&f);
    expect_status(f.client, ST_AGAIN);
    move_bulk(&f, 65536);
    assert_int_equal(transport_shut(f.server), ST_OK);
    turn(&f);
    expect_status(f.client, ST_EOF);
    assert_false(f.client->is_truncated);
    send_all(f.client, SLICE("half open"));
    turn(&f);
    expect(f.server, SLICE("half open"));
    end_pair(&f);
    slab_done(&slab);
}

/* The server has sent as much as one send takes, and the client's side takes none of it. */
static void begin_with_a_full_send(struct fixture *f)
{
    size_t len = 0;
    begin(f);
    expect_status(f->client, ST_AGAIN);
    memory_end_set_room(f->below_client, 1);
    assert_int_equal(send_bytes(f->server, pattern, TLS_SEND_MAX, &len), ST_OK);
}

/* Each direction goes on by itself: what one send leaves in the queue holds no reading. */
static void one_send_holds_no_reading(void **state)
{
    struct fixture f;
    (void)state;
    begin_with_a_full_send(&f);
    send_all(f.client, SLICE("more"));
    turn(&f);
    expect(f.server, SLICE("more"));
    end_pair(&f);
}

/* What the library answers by itself is bounded: behind a send that nobody takes, each key update that is asked for
 * adds to the queue, until reading waits for it to leave. */
static void a_long_queue_holds_reading_until_it_has_left(void **state)
{
    struct fixture f;
    (void)state;
    begin_with_a_full_send(&f);
    struct tls *peer = CONTAINER_OF(f.client, struct tls, base);
    bool is_held = false;
    for (int i = 0; i < 1000 && !is_held; i++) {
        update_keys(peer, SSL_KEY_UPDATE_REQUESTED);
        turn(&f);
        expect_status(f.server, ST_AGAIN);
        send_all(f.client, slice_of(pattern, TLS_RECORD)); /* which pays for it */
        turn(&f);
        size_t len = 0;
        is_held = transport_recv(f.server, received, sizeof(received), &len) == ST_AGAIN;
    }
    assert_true(f.below_server->len > 0);
    assert_true(is_held);
    assert_false((f.server->ready & WATCH_READ) != 0);
    memory_end_set_room(f.below_client, ROOM);
    turn(&f);
    assert_true((f.server->ready & WATCH_READ) != 0);
    size_t len = 0;
    assert_int_equal(transport_recv(f.server, received, sizeof(received), &len), ST_OK);
    assert_int_equal(len, TLS_RECORD);
    end_pair(&f);
}

/* Who received an end may hand the stream on: whoever has it next meets the end, whatever was sent meanwhile. */
static void an_end_that_is_handed_on_is_told_again(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN);
    assert_int_equal(transport_shut(f.client), ST_OK);
    turn(&f);
    expect_status(f.server, ST_EOF);
    assert_false((f.server->ready & WATCH_READ) != 0);
    transport_hand_on_end(f.server);
    send_all(f.server, SLICE("more"));
    turn(&f);
    assert_true((f.server->ready & WATCH_READ) != 0);
    expect_status(f.server, ST_EOF);
    assert_false((f.server->ready & WATCH_READ) != 0);
    expect(f.client, SLICE("more"));
    end_pair(&f);
}

/* ---- TLS 1.2 ---- */

static void tls_1_2_resumes_and_half_closes_too(void **state)
{
    (void)state;
    struct tls_client_context *old =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority)});
    assert_int_equal(SSL_CTX_set_max_proto_version(old->ssl, TLS1_2_VERSION), 1);
    struct tls_sessions *sessions = tls_sessions_create(1);
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        begin_with(&f, server_context, old, sessions);
        shake_well(&f);
        assert_int_equal(tls_record(f.server).version, 0x0303);
        assert_int_equal(tls_record(f.server).cipher, 0xc02b); /* ECDHE, ECDSA, AES-128-GCM */
        assert_int_equal(tls_record(f.client).resumed, i > 0);
        assert_true(slice_equals(tls_sni(f.server), SLICE("proxy.example")));
        send_all(f.client, SLICE("request"));
        assert_int_equal(transport_shut(f.client), ST_OK);
        turn(&f);
        expect(f.server, SLICE("request"));
        expect_status(f.server, ST_EOF);
        assert_true(f.server->ends_both); /* RFC 5246 §7.2.1; whoever owns it decides */
        send_all(f.server, SLICE("answer"));
        turn(&f);
        expect(f.client, SLICE("answer"));
        end_pair(&f);
    }
    assert_int_equal(tls_sessions_count(sessions), 1);
    tls_sessions_destroy(&sessions);
    tls_client_context_unref(&old);
}

/* ---- ends ---- */

/* shows 9112-9.8-3 */
static void close_notify_ends_one_direction_and_the_other_goes_on(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    send_all(f.client, SLICE("last words"));
    assert_int_equal(transport_shut(f.client), ST_OK);
    turn(&f);
    expect(f.server, SLICE("last words"));
    assert_true((f.server->ready & WATCH_READ) != 0);
    expect_status(f.server, ST_EOF);
    assert_false(f.server->is_truncated);
    assert_false((f.server->ready & WATCH_READ) != 0);
    send_all(f.server, SLICE("a late answer"));
    turn(&f);
    expect(f.client, SLICE("a late answer"));
    assert_int_equal(transport_shut(f.server), ST_OK);
    turn(&f);
    expect_status(f.client, ST_EOF);
    assert_false(f.client->is_truncated);
    end_pair(&f);
}

/* shows 9112-9.8-1 */
static void an_end_of_file_without_close_notify_is_a_truncation(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    send_all(f.client, SLICE("half a mess"));
    transport_close(&f.client, /* is_abort= */ false);
    turn(&f);
    expect(f.server, SLICE("half a mess"));
    expect_status(f.server, ST_EOF);
    assert_true(f.server->is_truncated);
    expect_status(f.server, ST_EOF);
    end_pair(&f);
}

static void sending_goes_on_after_an_end_of_file_without_close_notify(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_int_equal(transport_shut(tls_lower(f.client)), ST_OK);
    turn(&f);
    expect_status(f.server, ST_EOF);
    assert_true(f.server->is_truncated);
    send_all(f.server, SLICE("still here"));
    turn(&f);
    expect(f.client, SLICE("still here"));
    end_pair(&f);
}

static void a_reset_is_an_error_of_the_system(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    transport_close(&f.client, /* is_abort= */ true);
    turn(&f);
    expect_status(f.server, ST_IO);
    assert_int_equal(f.server->os_error, ECONNRESET);
    size_t len = 0;
    assert_int_equal(send_bytes(f.server, "x", 1, &len), ST_IO);
    end_pair(&f);
}

static void a_damaged_record_breaks_the_connection(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    send_all(f.client, SLICE("precious"));
    f.below_server->bytes[f.below_server->len - 1] ^= 1;
    turn(&f);
    expect_status(f.server, ST_BAD);
    check_fault(f.server, "a record was damaged on its way");
    end_pair(&f);
}

static void shut_waits_for_what_is_queued(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN);
    memory_end_set_room(f.below_client, 100);
    size_t len = 0;
    assert_int_equal(send_bytes(f.server, pattern, 3000, &len), ST_OK);
    assert_int_equal(transport_shut(f.server), ST_AGAIN);
    memory_end_set_room(f.below_client, ROOM);
    turn(&f);
    assert_int_equal(transport_shut(f.server), ST_OK);
    turn(&f);
    assert_int_equal(transport_recv(f.client, received, BULK, &len), ST_OK);
    assert_int_equal(len, 3000);
    expect_status(f.client, ST_EOF);
    assert_false(f.client->is_truncated);
    end_pair(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_pieces_become_one_record_and_one_send),
        cmocka_unit_test(several_records_go_with_one_call_below),
        cmocka_unit_test(a_call_reads_no_more_than_it_has_room_for),
        cmocka_unit_test(decrypted_bytes_that_did_not_fit_keep_the_read_bit),
        cmocka_unit_test(an_end_behind_bytes_is_no_quiet),
        cmocka_unit_test(an_endless_handshake_is_read_in_parts),
        cmocka_unit_test(tiny_records_are_read_in_parts),
        cmocka_unit_test(an_end_that_is_handed_on_is_told_again),
        cmocka_unit_test(a_flood_of_key_updates_is_cut_off),
        cmocka_unit_test(key_updates_among_content_are_fine),
        cmocka_unit_test(bulk_goes_through_a_narrow_transport_whole_and_bounded),
        cmocka_unit_test(a_full_transport_takes_no_more_until_the_queue_has_left),
        cmocka_unit_test(tls_runs_over_tls),
        cmocka_unit_test(bulk_goes_through_sockets),
        cmocka_unit_test(one_send_holds_no_reading),
        cmocka_unit_test(a_long_queue_holds_reading_until_it_has_left),
        cmocka_unit_test(tls_1_2_resumes_and_half_closes_too),
        cmocka_unit_test(close_notify_ends_one_direction_and_the_other_goes_on),
        cmocka_unit_test(an_end_of_file_without_close_notify_is_a_truncation),
        cmocka_unit_test(sending_goes_on_after_an_end_of_file_without_close_notify),
        cmocka_unit_test(a_reset_is_an_error_of_the_system),
        cmocka_unit_test(a_damaged_record_breaks_the_connection),
        cmocka_unit_test(shut_waits_for_what_is_queued),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
