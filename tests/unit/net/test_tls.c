#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_internal.h"
#include "net/tls_sniff.h"
#include "support/memory_pair.h"
#include "support/pki.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { ROOM = 256 * 1024, BULK = 1024 * 1024 };

/* ---- what all tests share ---- */

static struct pki authority;
static struct pki foreign_authority;
static struct pki server_pair;
static struct pki client_pair;
static struct tls_server_context *server_context;
static struct tls_client_context *client_context;
static char pattern[BULK];
static char received[BULK];

static struct tls_server_context *make_server(const struct tls_server_options *options)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_server_context *context = NULL;
    if (tls_server_context_create(options, &fault, &context) != ST_OK)
        fail_msg("%s", text_string(&fault));
    return context;
}

static struct tls_client_context *make_client(const struct tls_client_options *options)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_client_context *context = NULL;
    if (tls_client_context_create(options, &fault, &context) != ST_OK)
        fail_msg("%s", text_string(&fault));
    return context;
}

static int group_begin(void **state)
{
    (void)state;
    struct pki_options options = {
        .subject = "authority", .is_authority = true, .begin_days = -1, .end_days = 10};
    authority = pki_make(&options);
    options.subject = "foreign authority";
    foreign_authority = pki_make(&options);
    options = (struct pki_options){.subject = "proxy",
                                   .names = "DNS:proxy.example,IP:127.0.0.1,IP:::1",
                                   .issuer = &authority,
                                   .begin_days = -1,
                                   .end_days = 10};
    server_pair = pki_make(&options);
    options.subject = "somebody";
    options.names = NULL;
    client_pair = pki_make(&options);
    server_context = make_server(&(struct tls_server_options){
        .certificate = pki_certificate(&server_pair), .key = pki_key(&server_pair)});
    client_context = make_client(&(struct tls_client_options){.ca = pki_certificate(&authority)});
    for (size_t i = 0; i < BULK; i++) {
        pattern[i] = (char)(i * 31 + i / 251);
    }
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    tls_server_context_unref(&server_context);
    tls_client_context_unref(&client_context);
    pki_free(&authority);
    pki_free(&foreign_authority);
    pki_free(&server_pair);
    pki_free(&client_pair);
    return 0;
}

struct fixture {
    struct loop *loop;
    struct block_pool *pool;
    struct tls_scratch *scratch;
    struct memory_end *below_server;
    struct memory_end *below_client;
    struct transport *server;
    struct transport *client;
    int server_calls; /* of on_ready */
    int client_calls;
};

static void count_call(struct transport *transport)
{
    (*(int *)transport->owner)++;
}

static void begin_pair(struct fixture *f, size_t room)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(loop_create_simulated(&f->loop), ST_OK);
    f->pool = block_pool_create(1 << 20, 0);
    f->scratch = tls_scratch_create(f->pool);
    assert_non_null(f->scratch);
    memory_pair_create(f->loop, room, &f->below_server, &f->below_client);
}

static void add_server(struct fixture *f, struct tls_server_context *context)
{
    struct transport *lower = &f->below_server->base;
    assert_int_equal(tls_accept_create(f->scratch, &lower, context, &f->server), ST_OK);
    assert_null(lower);
    transport_listen(f->server, &f->server_calls, count_call);
}

static void add_client(struct fixture *f, struct tls_client_context *context, struct slice name,
                       struct tls_sessions *sessions)
{
    struct host host;
    assert_int_equal(host_parse(name, &host), HOST_FINE);
    struct transport *lower = &f->below_client->base;
    struct tls_connect_options options = {
        .host = &host, .sessions = sessions, .session_key = SLICE("https proxy.example 443")};
    assert_int_equal(tls_connect_create(f->scratch, &lower, context, &options, &f->client), ST_OK);
    transport_listen(f->client, &f->client_calls, count_call);
}

static void begin_with(struct fixture *f, struct tls_server_context *server,
                       struct tls_client_context *client, struct tls_sessions *sessions)
{
    begin_pair(f, ROOM);
    add_server(f, server);
    add_client(f, client, SLICE("proxy.example"), sessions);
}

static void turn(struct fixture *f)
{
    while (loop_turn(f->loop, 0) > 0) {
    }
}

static void end_pair(struct fixture *f)
{
    transport_close(&f->client, /* is_abort= */ false);
    transport_close(&f->server, /* is_abort= */ false);
    turn(f);
    assert_int_equal(block_pool_used(f->pool), 0);
    tls_scratch_destroy(&f->scratch);
    block_pool_destroy(&f->pool);
    loop_destroy(&f->loop);
}

/* Both handshakes until neither goes on; *ret_... are the last results. */
static void shake(struct fixture *f, enum status *ret_server, enum status *ret_client)
{
    *ret_server = *ret_client = ST_AGAIN;
    for (int i = 0; i < 10; i++) {
        if (*ret_client == ST_AGAIN)
            *ret_client = transport_handshake(f->client);
        turn(f);
        if (*ret_server == ST_AGAIN)
            *ret_server = transport_handshake(f->server);
        turn(f);
    }
}

static void shake_well(struct fixture *f)
{
    enum status server = ST_AGAIN;
    enum status client = ST_AGAIN;
    shake(f, &server, &client);
    if (client != ST_OK || server != ST_OK)
        fail_msg("client: %s, server: %s", transport_fault(f->client), transport_fault(f->server));
}

static void begin(struct fixture *f)
{
    begin_with(f, server_context, client_context, NULL);
    shake_well(f);
}

static enum status send_bytes(struct transport *transport, const char *at, size_t len,
                              size_t *ret_len)
{
    union {
        const char *at;
        void *base;
    } bytes = {.at = at};
    struct iovec iov = {bytes.base, len};
    return transport_send(transport, &iov, 1, ret_len);
}

static void send_all(struct transport *transport, struct slice bytes)
{
    size_t len = 0;
    assert_int_equal(send_bytes(transport, bytes.at, bytes.len, &len), ST_OK);
    assert_int_equal(len, bytes.len);
}

static void expect(struct transport *transport, struct slice bytes)
{
    char into[1024];
    size_t len = 0;
    assert_int_equal(transport_recv(transport, into, sizeof(into), &len), ST_OK);
    assert_int_equal(len, bytes.len);
    assert_memory_equal(into, bytes.at, len);
}

static void expect_status(struct transport *transport, enum status status)
{
    char into[64];
    size_t len = 0;
    assert_string_equal(status_name(transport_recv(transport, into, sizeof(into), &len)),
                        status_name(status));
}

static void check_fault(struct transport *transport, const char *words)
{
    if (strstr(transport_fault(transport), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", transport_fault(transport), words);
}

/* ---- handshake and facts ---- */

static void a_handshake_leaves_the_facts_on_both_ends(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    assert_true(tls_is_tls(f.server));
    assert_false(tls_is_tls(tls_lower(f.server)));
    assert_int_equal(tls_version(f.server), 0x0304);
    assert_string_equal(tls_version_text(f.client), "TLSv1.3");
    assert_int_equal(tls_cipher(f.client), 0x1301);
    assert_string_equal(tls_cipher_text(f.server), "TLS_AES_128_GCM_SHA256");
    assert_true(slice_equals(tls_sni(f.server), SLICE("proxy.example")));
    assert_true(slice_equals(tls_alpn(f.client), SLICE("http/1.1")));
    assert_true(slice_equals(tls_alpn(f.server), SLICE("http/1.1")));
    assert_false(tls_is_resumed(f.client));
    assert_null(tls_verify_error(f.client));
    char memory[100];
    struct text subject = text_on(memory, sizeof(memory));
    assert_true(tls_peer_subject(f.client, &subject));
    assert_string_equal(text_string(&subject), "CN=proxy");
    assert_false(tls_peer_subject(f.server, &subject));
    end_pair(&f);
}

static void an_address_is_verified_as_one_and_never_sent_as_a_name(void **state)
{
    (void)state;
    const struct slice ADDRESSES[] = {SLICE("127.0.0.1"), SLICE("[::1]")};
    for (size_t i = 0; i < COUNT_OF(ADDRESSES); i++) {
        struct fixture f;
        begin_pair(&f, ROOM);
        add_server(&f, server_context);
        add_client(&f, client_context, ADDRESSES[i], NULL);
        shake_well(&f);
        assert_int_equal(tls_sni(f.server).len, 0);
        end_pair(&f);
    }
}

static void check_client_refuses(struct tls_client_context *context, struct slice name,
                                 const char *words)
{
    struct fixture f;
    enum status server = ST_OK;
    enum status client = ST_OK;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    add_client(&f, context, name, NULL);
    shake(&f, &server, &client);
    assert_int_equal(client, ST_BAD);
    check_fault(f.client, words);
    assert_non_null(tls_verify_error(f.client));
    assert_int_equal(server, ST_BAD);
    assert_true(tls_peer_alert(f.server) > 0);
    check_fault(f.server, "the peer refused with the alert");
    expect_status(f.client, ST_BAD);
    end_pair(&f);
}

static void a_certificate_that_is_not_good_is_refused_with_the_reason(void **state)
{
    (void)state;
    check_client_refuses(client_context, SLICE("other.example"), "not valid for other.example");
    check_client_refuses(client_context, SLICE("127.0.0.2"), "not valid for 127.0.0.2");
    struct tls_client_context *foreign =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&foreign_authority)});
    check_client_refuses(foreign, SLICE("proxy.example"),
                         "the server's certificate was refused: its issuer is not trusted here");
    tls_client_context_unref(&foreign);
}

static void a_required_client_certificate_is_asked_for_and_verified(void **state)
{
    struct fixture f;
    (void)state;
    struct tls_server_context *strict =
        make_server(&(struct tls_server_options){.certificate = pki_certificate(&server_pair),
                                                 .key = pki_key(&server_pair),
                                                 .client_ca = pki_certificate(&authority),
                                                 .client_cert_is_required = true});
    struct tls_client_context *known =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority),
                                                 .certificate = pki_certificate(&client_pair),
                                                 .key = pki_key(&client_pair)});
    begin_with(&f, strict, known, NULL);
    shake_well(&f);
    char memory[100];
    struct text subject = text_on(memory, sizeof(memory));
    assert_true(tls_peer_subject(f.server, &subject));
    assert_string_equal(text_string(&subject), "CN=somebody");
    end_pair(&f);

    enum status server = ST_OK;
    enum status client = ST_OK;
    begin_with(&f, strict, client_context, NULL);
    shake(&f, &server, &client);
    assert_int_equal(server, ST_BAD);
    check_fault(f.server, "the client showed no certificate, and one is required");
    expect_status(f.client, ST_BAD); /* a TLS 1.3 client finds out when it reads */
    assert_int_equal(tls_peer_alert(f.client), 116);
    end_pair(&f);
    tls_server_context_unref(&strict);
    tls_client_context_unref(&known);
}

static void a_handshake_works_byte_by_byte(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    f.below_server->recv_limit = 1;
    f.below_client->recv_limit = 1;
    add_server(&f, server_context);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    shake_well(&f);
    send_all(f.client, SLICE("one byte at a time"));
    expect(f.server, SLICE("one byte at a time"));
    end_pair(&f);
}

static void an_end_inside_the_handshake_is_told(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("\x16\x03\x01\x01"));
    transport_close(&lower, /* is_abort= */ false);
    assert_int_equal(transport_handshake(f.server), ST_EOF);
    assert_true(f.server->is_truncated);
    check_fault(f.server, "closed the connection during the handshake");
    end_pair(&f);
}

static void clear_http_on_a_tls_port_is_recognised_and_can_be_answered(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("CONNECT a.example:443 HTTP/1.1\r\n"));
    assert_int_equal(transport_handshake(f.server), ST_BAD);
    assert_true(tls_peer_spoke_http(f.server));
    check_fault(f.server, "the client speaks clear HTTP on a port that speaks TLS");
    assert_int_equal(f.below_server->sent, 0);
    struct transport *clear = tls_take_lower(&f.server);
    assert_null(f.server);
    send_all(clear, tls_sniff_clear_answer());
    expect(lower, tls_sniff_clear_answer());
    transport_close(&clear, /* is_abort= */ false);
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

static void a_clear_server_is_recognised_by_the_client(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    assert_int_equal(transport_handshake(f.client), ST_AGAIN);
    struct transport *lower = &f.below_server->base;
    send_all(lower, SLICE("HTTP/1.1 400 Bad Request\r\n"));
    assert_int_equal(transport_handshake(f.client), ST_BAD);
    check_fault(f.client, "the server speaks clear HTTP, not TLS");
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

static void junk_is_no_tls(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_server(&f, server_context);
    struct transport *lower = &f.below_client->base;
    send_all(lower, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    assert_int_equal(transport_handshake(f.server), ST_BAD);
    assert_false(tls_peer_spoke_http(f.server));
    check_fault(f.server, "the peer does not speak TLS");
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

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

static void several_records_leave_with_one_send_and_arrive_with_one_receive(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN); /* takes the ticket */
    size_t len = 0;
    size_t calls = f.below_server->send_calls;
    assert_int_equal(send_bytes(f.server, pattern, BULK, &len), ST_OK);
    assert_int_equal(len, TLS_SEND_MAX);
    assert_int_equal(f.below_server->send_calls, calls + 1);
    turn(&f);
    calls = f.below_client->recv_calls;
    size_t total = 0;
    while ((f.client->ready & WATCH_READ) != 0) {
        if (transport_recv(f.client, received + total, BULK - total, &len) != ST_OK)
            break;
        total += len;
    }
    assert_int_equal(total, TLS_SEND_MAX);
    assert_memory_equal(received, pattern, total);
    assert_in_range(f.below_client->recv_calls - calls, 1, 2);
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
    assert_int_equal(tcp_create(f.loop, &slab, fds[0], &lower), ST_OK);
    assert_int_equal(tls_accept_create(f.scratch, &lower, server_context, &f.server), ST_OK);
    assert_int_equal(tcp_create(f.loop, &slab, fds[1], &lower), ST_OK);
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

/* Reading may answer (key updates), so a peer that takes nothing is not read from without end. */
static void a_long_queue_holds_reading_until_it_has_left(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect_status(f.client, ST_AGAIN);
    memory_end_set_room(f.below_client, 1);
    size_t len = 0;
    assert_int_equal(send_bytes(f.server, pattern, TLS_SEND_MAX, &len), ST_OK);
    send_all(f.client, SLICE("more"));
    turn(&f);
    /* The queue is beyond what lets reading go on: the bytes stay below. */
    expect_status(f.server, ST_AGAIN);
    assert_true(f.below_server->len > 0);
    assert_false((f.server->ready & WATCH_READ) != 0);
    memory_end_set_room(f.below_client, ROOM);
    turn(&f);
    assert_true((f.server->ready & WATCH_READ) != 0);
    expect(f.server, SLICE("more"));
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
        assert_int_equal(tls_version(f.server), 0x0303);
        assert_int_equal(tls_cipher(f.server), 0xc02b); /* ECDHE, ECDSA, AES-128-GCM */
        assert_int_equal(tls_is_resumed(f.client), i > 0);
        assert_true(slice_equals(tls_sni(f.server), SLICE("proxy.example")));
        send_all(f.client, SLICE("request"));
        assert_int_equal(transport_shut(f.client), ST_OK);
        turn(&f);
        expect(f.server, SLICE("request"));
        expect_status(f.server, ST_EOF);
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

/* ---- sessions ---- */

/* One connection; true where it resumed. The client reads, so that it gets its ticket. */
static bool connect_once(struct tls_server_context *server, struct tls_client_context *client,
                         struct tls_sessions *sessions)
{
    struct fixture f;
    begin_with(&f, server, client, sessions);
    shake_well(&f);
    expect_status(f.client, ST_AGAIN);
    bool is_resumed = tls_is_resumed(f.client);
    assert_int_equal(is_resumed, tls_is_resumed(f.server));
    end_pair(&f);
    return is_resumed;
}

static void a_session_is_resumed_under_its_key_and_context_only(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(10);
    struct tls_client_context *reloaded =
        make_client(&(struct tls_client_options){.ca = pki_certificate(&authority)});
    assert_false(connect_once(server_context, client_context, sessions));
    assert_int_equal(tls_sessions_count(sessions), 1);
    assert_true(connect_once(server_context, client_context, sessions));
    assert_int_equal(tls_sessions_count(sessions), 1); /* used once, and replaced */
    assert_false(connect_once(server_context, reloaded, sessions));
    tls_sessions_clear(sessions);
    assert_int_equal(tls_sessions_count(sessions), 0);
    assert_false(connect_once(server_context, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_client_context_unref(&reloaded);
}

static void tickets_outlive_a_reload_but_not_two_rotations(void **state)
{
    (void)state;
    clock_freeze(NS_PER_S, clock_wall_ns());
    struct tls_tickets *tickets = tls_tickets_create();
    struct tls_server_options options = {.certificate = pki_certificate(&server_pair),
                                         .key = pki_key(&server_pair),
                                         .tickets = tickets};
    struct tls_server_context *before = make_server(&options);
    struct tls_server_context *after = make_server(&options);
    tls_tickets_unref(&tickets);
    struct tls_sessions *sessions = tls_sessions_create(10);
    assert_false(connect_once(before, client_context, sessions));
    assert_true(connect_once(after, client_context, sessions));
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    assert_true(connect_once(after, client_context, sessions)); /* the previous key opens it */
    assert_true(connect_once(after, client_context, sessions));
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    struct tls_sessions *empty = tls_sessions_create(10);
    assert_false(connect_once(after, client_context, empty)); /* rotates */
    clock_advance((TLS_TICKET_PERIOD_S + 1) * NS_PER_S);
    assert_false(connect_once(after, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_sessions_destroy(&empty);
    tls_server_context_unref(&before);
    tls_server_context_unref(&after);
    clock_restore();
}

static void a_ticket_carries_no_verdict_into_stricter_rules(void **state)
{
    (void)state;
    struct tls_tickets *tickets = tls_tickets_create();
    struct tls_server_options options = {.certificate = pki_certificate(&server_pair),
                                         .key = pki_key(&server_pair),
                                         .tickets = tickets};
    struct tls_server_context *lax = make_server(&options);
    options.client_ca = pki_certificate(&authority);
    struct tls_server_context *asking = make_server(&options);
    struct tls_sessions *sessions = tls_sessions_create(10);
    assert_false(connect_once(lax, client_context, sessions));
    assert_false(connect_once(asking, client_context, sessions));
    tls_sessions_destroy(&sessions);
    tls_server_context_unref(&lax);
    tls_server_context_unref(&asking);
    tls_tickets_unref(&tickets);
}

/* ---- first bytes ---- */

static void the_first_byte_tells_tls_from_http(void **state)
{
    (void)state;
    assert_true(tls_sniff_is_tls(SLICE("\x16")));
    assert_true(tls_sniff_is_tls(SLICE("\x16\x03\x01")));
    assert_false(tls_sniff_is_tls(SLICE("\x16\x04")));
    assert_false(tls_sniff_is_tls(SLICE_NONE));
    assert_false(tls_sniff_is_tls(SLICE("GET")));
    assert_true(tls_sniff_is_http(SLICE("G")));
    assert_false(tls_sniff_is_http(SLICE("\x16")));
    assert_false(tls_sniff_is_http(SLICE_NONE));
    assert_int_equal(tls_sniff_alert().len, 7);
}

static void a_tls_client_on_a_clear_port_understands_the_alert(void **state)
{
    struct fixture f;
    (void)state;
    begin_pair(&f, ROOM);
    add_client(&f, client_context, SLICE("proxy.example"), NULL);
    assert_int_equal(transport_handshake(f.client), ST_AGAIN);
    assert_true(tls_sniff_is_tls(slice_of(f.below_server->bytes, f.below_server->len)));
    struct transport *lower = &f.below_server->base;
    send_all(lower, tls_sniff_alert());
    assert_int_equal(transport_handshake(f.client), ST_BAD);
    assert_int_equal(tls_peer_alert(f.client), 40);
    check_fault(f.client, "alert \"handshake failure\"");
    transport_close(&lower, /* is_abort= */ false);
    end_pair(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_leaves_the_facts_on_both_ends),
        cmocka_unit_test(an_address_is_verified_as_one_and_never_sent_as_a_name),
        cmocka_unit_test(a_certificate_that_is_not_good_is_refused_with_the_reason),
        cmocka_unit_test(a_required_client_certificate_is_asked_for_and_verified),
        cmocka_unit_test(a_handshake_works_byte_by_byte),
        cmocka_unit_test(an_end_inside_the_handshake_is_told),
        cmocka_unit_test(clear_http_on_a_tls_port_is_recognised_and_can_be_answered),
        cmocka_unit_test(a_clear_server_is_recognised_by_the_client),
        cmocka_unit_test(junk_is_no_tls),
        cmocka_unit_test(small_pieces_become_one_record_and_one_send),
        cmocka_unit_test(several_records_leave_with_one_send_and_arrive_with_one_receive),
        cmocka_unit_test(decrypted_bytes_that_did_not_fit_keep_the_read_bit),
        cmocka_unit_test(bulk_goes_through_a_narrow_transport_whole_and_bounded),
        cmocka_unit_test(a_full_transport_takes_no_more_until_the_queue_has_left),
        cmocka_unit_test(tls_runs_over_tls),
        cmocka_unit_test(bulk_goes_through_sockets),
        cmocka_unit_test(a_long_queue_holds_reading_until_it_has_left),
        cmocka_unit_test(tls_1_2_resumes_and_half_closes_too),
        cmocka_unit_test(close_notify_ends_one_direction_and_the_other_goes_on),
        cmocka_unit_test(an_end_of_file_without_close_notify_is_a_truncation),
        cmocka_unit_test(sending_goes_on_after_an_end_of_file_without_close_notify),
        cmocka_unit_test(a_reset_is_an_error_of_the_system),
        cmocka_unit_test(a_damaged_record_breaks_the_connection),
        cmocka_unit_test(shut_waits_for_what_is_queued),
        cmocka_unit_test(a_session_is_resumed_under_its_key_and_context_only),
        cmocka_unit_test(tickets_outlive_a_reload_but_not_two_rotations),
        cmocka_unit_test(a_ticket_carries_no_verdict_into_stricter_rules),
        cmocka_unit_test(the_first_byte_tells_tls_from_http),
        cmocka_unit_test(a_tls_client_on_a_clear_port_understands_the_alert),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
