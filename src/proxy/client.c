/* Downstream connections.
 *
 * Events set no state: they queue the client's task, or the exchange's while there is one. The task looks
 * at the state and goes on. A connection waits in four ways (handshake, head, next request, linger), and one
 * timer serves all of them, since only one is ever pending. */

#include "proxy/client.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "net/proxy_protocol.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_sniff.h"
#include "proxy/exchange.h"
#include "report/diag.h"

#include <stddef.h>

enum {
    CLIENT_TAG = TAG('c', 'l', 'n', 't'),
    CLIENT_LINGER_MS = 2000,
    CLIENT_LINGER_BYTES = 1 << 20,
    CLIENT_REQUESTS_A_RUN = 16,
};

static void client_run(struct task *task);
static void client_time_out(struct timer *timer);

static struct loop *client_loop(struct client *client)
{
    return client->proxy->engine->loop;
}

static const struct config *client_config(const struct client *client)
{
    return client->snapshot->config;
}

static void client_enter(struct client *client, enum client_state state, uint64_t limit_ns)
{
    client->state = state;
    timer_cancel(&client->timer);
    if (limit_ns > 0)
        timer_set_in(client_loop(client), &client->timer, limit_ns);
}

static void client_on_event(struct client *client)
{
    CHECK_TAG(client, CLIENT_TAG);
    if (client->exchange != NULL)
        exchange_wake(client->exchange);
    else
        loop_queue(client_loop(client), &client->task);
}

static void client_on_ready(struct transport *transport)
{
    client_on_event(transport->owner);
}

static void client_on_stream_ready(struct stream *stream)
{
    client_on_event(stream->owner);
}

/* ---- birth ---- */

static void client_begin_codec(struct client *client)
{
    const struct config *config = client_config(client);
    h1_codec_init(&client->h1, H1_SERVER, client->transport, &client->proxy->engine->shared);
    client->h1.limits = (struct h1_limits){(uint32_t)config->limits.head_bytes,
                                           (uint32_t)config->limits.head_fields,
                                           (uint32_t)config->limits.target_bytes};
    client->h1.stream.owner = client;
    client->h1.stream.on_ready = client_on_stream_ready;
    client->transport = NULL;
    client->has_codec = true;
}

static bool client_may_connect(struct proxy *proxy, const struct inet_endpoint *peer)
{
    const struct snapshot *snapshot = proxy->engine->snapshot;
    if (proxy->handler != NULL || peer->addr.family == INET_NONE)
        return true;
    return gate_client(snapshot->gate, &peer->addr);
}

static void client_begin_handshake(struct client *client)
{
    const struct config *config = client_config(client);
    if (client->tls_server == NULL) {
        client_enter(client, CLIENT_SERVING, config->timeouts.client_head_ns);
        return;
    }
    struct transport *lower = client->transport;
    client->transport = NULL;
    if (tls_accept_create(client->proxy->engine->tls_scratch, &lower, client->tls_server,
                          &client->transport) != ST_OK) {
        client->transport = lower;
        client_close(client, /* is_abort= */ true);
        return;
    }
    transport_listen(client->transport, client, client_on_ready);
    client_enter(client, CLIENT_HANDSHAKE, config->timeouts.client_tls_ns);
}

static void client_refuse(struct proxy *proxy, struct transport **transport)
{
    counter_add(proxy->engine->counters, COUNT_CONNECTIONS_REFUSED, 1);
    transport_close(transport, /* is_abort= */ false);
}

void client_adopt(struct proxy *proxy, const struct client_door *door, struct transport *transport)
{
    struct counters *counters = proxy->engine->counters;
    const struct config_listen *listen = door->listen;
    bool reads_header = listen != NULL && listen->proxy_from.count > 0;
    struct client *client = NULL;
    if (reads_header || client_may_connect(proxy, &door->peer))
        client = slab_alloc(&proxy->client_slab);
    if (client == NULL) {
        client_refuse(proxy, &transport);
        return;
    }
    client->tag = CLIENT_TAG;
    client->proxy = proxy;
    client->transport = transport;
    client->listen = listen;
    client->tls_server = door->tls_server;
    client->snapshot = snapshot_ref(proxy->engine->snapshot);
    client->peer = door->peer;
    client->local = door->local;
    client->id = engine_conn_id(proxy->engine);
    client->accepted_ns = clock_monotonic_ns();
    task_init(&client->task, client_run);
    timer_init(&client->timer, client_time_out);
    list_append(&proxy->clients, &client->link);
    proxy->client_count++;
    counter_add(counters, COUNT_CONNECTIONS, 1);
    counter_add(counters, COUNT_CONNECTIONS_OPEN, 1);
    transport_listen(transport, client, client_on_ready);
    if (reads_header)
        client_enter(client, CLIENT_PROXY_HEADER, client_config(client)->timeouts.client_head_ns);
    else
        client_begin_handshake(client);
    if (client->state != CLIENT_CLOSED)
        loop_queue(client_loop(client), &client->task);
}

void client_accept(struct proxy *proxy, const struct client_door *door, int fd)
{
    struct transport *transport = NULL;
    if (tcp_create(proxy->engine->loop, &proxy->engine->tcp_slab, fd, &transport) == ST_OK)
        client_adopt(proxy, door, transport);
    else
        client_refuse(proxy, &transport);
}

/* ---- the steps before HTTP ---- */

/* Read exactly the PROXY header: look first, since what follows may be TLS. */
static void client_read_proxy_header(struct client *client)
{
    char bytes[PROXY_HEADER_V2_MAX];
    size_t len = 0;
    size_t used = 0;
    int fd = tcp_fd(client->transport);
    bool is_trusted = config_prefixes_contain(&client->listen->proxy_from, &client->peer.addr);
    enum status status = is_trusted ? socket_peek(fd, bytes, sizeof(bytes), &len) : ST_BAD;
    struct proxy_header header;
    if (status == ST_OK)
        status = proxy_header_parse(slice_of(bytes, len), &header, &used);
    if (status == ST_AGAIN) {
        client->transport->ready &= ~(unsigned)WATCH_READ;
        return;
    }
    if (status == ST_OK)
        status = socket_recv(fd, bytes, used, &len);
    if (status != ST_OK || len != used) {
        char peer[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&client->peer, peer);
        diag(DIAG_WARNING, "connection from %s without a valid PROXY header closed%s", peer,
             is_trusted ? "" : ": its sender is not configured");
        client_close(client, /* is_abort= */ true);
        return;
    }
    if (!header.is_local && header.source.addr.family != INET_NONE)
        client->peer = header.source;
    if (!client_may_connect(client->proxy, &client->peer)) {
        counter_add(client->proxy->engine->counters, COUNT_CONNECTIONS_REFUSED, 1);
        client_close(client, /* is_abort= */ true);
        return;
    }
    client_begin_handshake(client);
}

/* A clear request on a port that speaks TLS is told so, in clear. */
static void client_tell_tls(struct client *client)
{
    client->transport = tls_take_lower(&client->transport);
    client_begin_codec(client);
    if (wire_put(&client->h1.wire, tls_sniff_clear_answer()) != ST_OK) {
        client_close(client, /* is_abort= */ true);
        return;
    }
    client_enter(client, CLIENT_LINGERING, CLIENT_LINGER_MS * NS_PER_MS);
}

static void client_shake_hands(struct client *client)
{
    enum status status = transport_handshake(client->transport);
    struct counters *counters = client->proxy->engine->counters;
    if (status == ST_AGAIN)
        return;
    if (status != ST_OK) {
        counter_add(counters, COUNT_CLIENT_TLS_FAILURES, 1);
        char peer[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&client->peer, peer);
        bool is_http = tls_peer_spoke_http(client->transport);
        if (status == ST_BAD)
            diag(DIAG_NOTICE, "TLS with client %s failed: %s", peer,
                 is_http ? "it spoke HTTP in clear on a TLS listener"
                         : transport_fault(client->transport));
        if (is_http)
            client_tell_tls(client);
        else
            client_close(client, /* is_abort= */ false);
        return;
    }
    counter_add(counters, COUNT_CLIENT_TLS_HANDSHAKES, 1);
    client->tls_done_ns = clock_monotonic_ns();
    client->tls = (struct record_tls){tls_version(client->transport), tls_cipher(client->transport),
                                      tls_is_resumed(client->transport)};
    client_enter(client, CLIENT_SERVING, client_config(client)->timeouts.client_head_ns);
}

/* ---- serving ---- */

/* A ClientHello on a port in clear. It is answered as what it is to us, no request: "wrong version number",
 * which TLS libraries make of that, is understood better than an alert. */
static bool client_got_tls(const struct client *client)
{
    return client->uses == 0 && tls_sniff_is_tls(client->h1.wire.in);
}

/* The next request of this connection, as far as it is there. False when there is nothing to do now. */
static bool client_next_request(struct client *client)
{
    struct head *head = NULL;
    struct framing body;
    enum status status = client->h1.stream.ops->recv_head(&client->h1.stream, &head, &body);
    bool has_begun = client->h1.wire.in.len > 0;
    if (status == ST_AGAIN) {
        if (has_begun && !client->is_head_begun) {
            client->is_head_begun = true;
            client_enter(client, CLIENT_SERVING, client_config(client)->timeouts.client_head_ns);
        }
        if (client->proxy->is_draining && !has_begun && client->uses > 0)
            client_close(client, /* is_abort= */ false);
        else if (wire_settle(&client->h1.wire) != ST_OK)
            client_close(client, /* is_abort= */ true);
        return false;
    }
    if (status == ST_EOF || status == ST_IO || status == ST_NOMEM) {
        client_close(client, /* is_abort= */ status != ST_EOF);
        return false;
    }
    if (client_got_tls(client)) {
        char peer[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&client->peer, peer);
        diag(DIAG_NOTICE, "client %s spoke TLS on a listener in clear", peer);
        client->h1.stream.fault_text =
            "this is TLS, and the port speaks HTTP in clear: use http:// in the proxy address";
    }
    timer_cancel(&client->timer);
    client->is_head_begun = false;
    client->uses++;
    if (!exchange_begin(client, &client->h1.stream, status == ST_OK ? head : NULL, body)) {
        client_close(client, /* is_abort= */ true);
        return false;
    }
    return client->exchange == NULL;
}

static void client_serve(struct client *client)
{
    if (!client->has_codec)
        client_begin_codec(client);
    for (int i = 0; i < CLIENT_REQUESTS_A_RUN; i++) {
        if (client->state != CLIENT_SERVING || client->exchange != NULL)
            return;
        if (!client_next_request(client))
            return;
    }
    loop_queue(client_loop(client), &client->task);
}

void client_exchange_done(struct client *client, bool persists, bool is_abort)
{
    const struct config *config = client_config(client);
    client->exchange = NULL;
    if (is_abort) {
        client_close(client, /* is_abort= */ true);
        return;
    }
    if (persists && !client->proxy->is_draining) {
        h1_codec_next(&client->h1);
        client_enter(client, CLIENT_SERVING, config->timeouts.keepalive_ns);
        if (wire_settle(&client->h1.wire) != ST_OK)
            client_close(client, /* is_abort= */ true);
        else
            loop_queue(client_loop(client), &client->task);
        return;
    }
    client->linger_bytes = 0;
    client_enter(client, CLIENT_LINGERING, CLIENT_LINGER_MS * NS_PER_MS);
    loop_queue(client_loop(client), &client->task);
}

/* ---- death ---- */

/* RFC 9112 §9.6: shut down, read on for a bounded while, close. */
static void client_linger(struct client *client)
{
    struct wire *wire = &client->h1.wire;
    enum status status = wire_flush(wire);
    if (status == ST_OK)
        status = transport_shut(wire->transport);
    if (status == ST_AGAIN)
        return;
    wire_consume(wire, wire->in.len);
    while (status == ST_OK && client->linger_bytes < CLIENT_LINGER_BYTES) {
        status = wire_fill_scratch(wire);
        client->linger_bytes += wire->in.len;
        wire_consume(wire, wire->in.len);
    }
    if (status != ST_AGAIN)
        client_close(client, /* is_abort= */ false);
}

static void client_run(struct task *task)
{
    struct client *client = CONTAINER_OF(task, struct client, task);
    CHECK_TAG(client, CLIENT_TAG);
    if (client->state == CLIENT_PROXY_HEADER)
        client_read_proxy_header(client);
    if (client->state == CLIENT_HANDSHAKE)
        client_shake_hands(client);
    if (client->state == CLIENT_SERVING)
        client_serve(client);
    if (client->state == CLIENT_LINGERING)
        client_linger(client);
}

static void client_time_out(struct timer *timer)
{
    struct client *client = CONTAINER_OF(timer, struct client, timer);
    CHECK_TAG(client, CLIENT_TAG);
    bool has_begun = client->has_codec && client->h1.wire.in.len > 0;
    if (client->state == CLIENT_HANDSHAKE) {
        char peer[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&client->peer, peer);
        counter_add(client->proxy->engine->counters, COUNT_CLIENT_TLS_FAILURES, 1);
        diag(DIAG_NOTICE, "TLS with client %s failed: the handshake took too long", peer);
    }
    if (client->state == CLIENT_SERVING && has_begun) {
        client->uses++;
        if (exchange_begin_timed_out(client, &client->h1.stream))
            return;
    }
    client_close(client, /* is_abort= */ false);
}

static void client_bury(struct grave *grave)
{
    struct client *client = CONTAINER_OF(grave, struct client, grave);
    struct proxy *proxy = client->proxy;
    slab_free(&proxy->client_slab, client);
}

static void client_die(struct client *client)
{
    struct proxy *proxy = client->proxy;
    client_enter(client, CLIENT_CLOSED, 0);
    client->tag = 0;
    task_cancel(&client->task);
    link_remove(&client->link);
    proxy->client_count--;
    counter_sub(proxy->engine->counters, COUNT_CONNECTIONS_OPEN, 1);
    snapshot_unref(&client->snapshot);
    client->grave.bury = client_bury;
    loop_bury(client_loop(client), &client->grave);
    if (proxy->on_room != NULL)
        proxy->on_room(proxy);
}

void client_hand_over(struct client *client)
{
    client->exchange = NULL;
    client_close(client, /* is_abort= */ false);
}

void client_close(struct client *client, bool is_abort)
{
    CHECK_TAG(client, CLIENT_TAG);
    CHECK(client->exchange == NULL);
    transport_close(&client->transport, is_abort);
    if (client->has_codec)
        h1_codec_done(&client->h1, is_abort);
    client->has_codec = false;
    client_die(client);
}
