#include "tls_test.h"

#include "base/clock.h"

#include <stdlib.h>

struct pki authority;
struct pki foreign_authority;
struct pki server_pair;
struct pki client_pair;
struct tls_server_context *server_context;
struct tls_client_context *client_context;
char pattern[BULK];
char received[BULK];

struct tls_server_context *make_server(const struct tls_server_options *options)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_server_context *context = NULL;
    if (tls_server_context_create(options, &fault, &context) != ST_OK)
        fail_msg("%s", text_string(&fault));
    return context;
}

struct tls_client_context *make_client(const struct tls_client_options *options)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_client_context *context = NULL;
    if (tls_client_context_create(options, &fault, &context) != ST_OK)
        fail_msg("%s", text_string(&fault));
    return context;
}

int group_begin(void **state)
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

int group_end(void **state)
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

void count_call(struct transport *transport)
{
    (*(int *)transport->owner)++;
}

void begin_pair(struct fixture *f, size_t room)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(loop_create_simulated(&f->loop), ST_OK);
    f->pool = block_pool_create(1 << 20, 0);
    f->scratch = tls_scratch_create(f->pool);
    assert_non_null(f->scratch);
    memory_pair_create(f->loop, room, &f->below_server, &f->below_client);
}

void add_server(struct fixture *f, struct tls_server_context *context)
{
    struct transport *lower = &f->below_server->base;
    assert_int_equal(tls_accept_create(f->scratch, &lower, context, &f->server), ST_OK);
    assert_null(lower);
    transport_listen(f->server, &f->server_calls, count_call);
}

void add_client(struct fixture *f, struct tls_client_context *context, struct slice name,
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

void begin_with(struct fixture *f, struct tls_server_context *server,
                struct tls_client_context *client, struct tls_sessions *sessions)
{
    begin_pair(f, ROOM);
    add_server(f, server);
    add_client(f, client, SLICE("proxy.example"), sessions);
}

void turn(struct fixture *f)
{
    while (loop_turn(f->loop, 0) > 0) {
    }
}

void end_pair(struct fixture *f)
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
void shake(struct fixture *f, enum status *ret_server, enum status *ret_client)
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

void shake_well(struct fixture *f)
{
    enum status server = ST_AGAIN;
    enum status client = ST_AGAIN;
    shake(f, &server, &client);
    if (client != ST_OK || server != ST_OK)
        fail_msg("client: %s, server: %s", transport_fault(f->client), transport_fault(f->server));
}

void begin(struct fixture *f)
{
    begin_with(f, server_context, client_context, NULL);
    shake_well(f);
}

enum status send_bytes(struct transport *transport, const char *at, size_t len, size_t *ret_len)
{
    union {
        const char *at;
        void *base;
    } bytes = {.at = at};
    struct iovec iov = {bytes.base, len};
    return transport_send(transport, &iov, 1, ret_len);
}

void send_all(struct transport *transport, struct slice bytes)
{
    size_t len = 0;
    assert_int_equal(send_bytes(transport, bytes.at, bytes.len, &len), ST_OK);
    assert_int_equal(len, bytes.len);
}

void expect(struct transport *transport, struct slice bytes)
{
    char into[1024];
    size_t len = 0;
    assert_int_equal(transport_recv(transport, into, sizeof(into), &len), ST_OK);
    assert_int_equal(len, bytes.len);
    assert_memory_equal(into, bytes.at, len);
}

void expect_status(struct transport *transport, enum status status)
{
    char into[64];
    size_t len = 0;
    assert_int_equal(transport_recv(transport, into, sizeof(into), &len), status);
}

void check_fault(struct transport *transport, const char *words)
{
    if (strstr(transport_fault(transport), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", transport_fault(transport), words);
}
