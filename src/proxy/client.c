/* Downstream connections.
 *
 * Events and the timer only queue the task, which looks at the state and goes on. A connection waits in five ways
 * (PROXY header, handshake, head, next request, linger), and one timer serves all of them, since only one is ever
 * pending. While exchanges are open they have waits of their own. */

#include "proxy/client.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/clock.h"
#include "identity/peer.h"
#include "io/socket.h"
#include "net/proxy_protocol.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_sniff.h"
#include "proxy/exchange.h"
#include "proxy/relief.h"
#include "report/diag.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    CLIENT_TAG = TAG('c', 'l', 'n', 't'),
    CLIENT_LINGER_MS = 2000,
    CLIENT_LINGER_BYTES = 1 << 20,
    CLIENT_REQUESTS_A_RUN = 16,
    CLIENT_OVER_MAX = 64,   /* beyond a budget, a worker, and told so */
    CLIENT_COST = 8 * 1024, /* memory of a new one, about; the ceiling is asked more exactly */
    CLIENT_COST_TLS = 64 * 1024,
    CLIENT_TOLD_LISTENERS = 64, /* beyond them, two share what they may say */
    CLIENT_HEAD_GRACE_S = 2,    /* before limits.head_rate counts */
    CLIENT_OVER_MS = 2000, /* for each wait of who is over a limit: others want to be told, too */
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
    client->limited_since_ns = 0;
    link_remove(&client->wait_link);
    if (state != CLIENT_CLOSED) {
        client->waits_since_ns = loop_now_ns(client_loop(client));
        list_append(&client->proxy->waiting, &client->wait_link);
    }
    if (client->is_over && limit_ns > CLIENT_OVER_MS * NS_PER_MS)
        limit_ns = CLIENT_OVER_MS * NS_PER_MS;
    if (limit_ns > 0)
        timer_set_in(client_loop(client), &client->timer, limit_ns);
}

/* Others come first, mostly: what it will look at is there by then. */
static void client_wake(struct client *client)
{
    CHECK_TAG(client, CLIENT_TAG);
    loop_queue(client_loop(client), &client->task);
    cache_want(client, offsetof(struct client, h1)); /* of that its transport asked */
}

static void client_on_ready(struct transport *transport)
{
    client_wake(transport->owner);
}

/* In a crowd all is received before the first of it is looked at. What is metered waits for its turn. */
static void client_on_codec_ready(struct codec *codec)
{
    struct client *client = codec->owner;
    if (client->state == CLIENT_SERVING && !client->budget.is_metered &&
        loop_is_crowded(client_loop(client)))
        codec->ops->receive_ahead(codec);
    client_wake(client);
}

/* ---- birth ---- */

static void client_begin_codec(struct client *client)
{
    struct h1_limits limits = engine_head_limits(client_config(client));
    h1_codec_init(&client->h1, H1_SERVER, client->transport, &client->proxy->engine->shared,
                  &limits);
    client->transport = NULL;
    client->codec = &client->h1.codec;
    client->codec->owner = client;
    client->codec->on_ready = client_on_codec_ready;
    if (client->proxy->is_draining)
        client_drain(client);
}

/* The client hears nothing of it, so the operator must: a line for each listener now and then. */
static void client_tell_refused(const struct snapshot *snapshot, const struct config_listen *listen,
                                const struct inet_addr *addr)
{
    static struct diag_site sites[CLIENT_TOLD_LISTENERS]; /* of all workers */
    CHECK(listen != NULL); /* only Unix sockets are without one, and let in */
    size_t index = (size_t)(listen - snapshot->config->listen) % COUNT_OF(sites);
    struct inet_addr plain = inet_addr_unmap(addr);
    char words[INET_ADDR_TEXT];
    inet_addr_format(&plain, words);
    diag_say_rarely(&sites[index], DIAG_NOTICE,
                    "client %s was refused at listener %.*s: it is in no range of clients.allow; "
                    "to let it in: --allow-clients %s",
                    words, (int)listen->name.len, listen->name.at, words);
}

/* `listen` is in `snapshot`. */
static bool client_may_connect(const struct proxy *proxy, const struct snapshot *snapshot,
                               const struct config_listen *listen, const struct inet_endpoint *peer)
{
    if (proxy->handler != NULL || gate_client(proxy->engine->snapshot->gate, &peer->addr))
        return true;
    client_tell_refused(snapshot, listen, &peer->addr);
    return false;
}

/* Who is behind a Unix socket, where that matters: once, and by the number that connected. */
static void client_meet_process(struct client *client)
{
    const struct config *config = client_config(client);
    bool is_unix = client->peer.addr.family == INET_NONE;
    if (!is_unix || client->proxy->handler != NULL || !config_identity_is_on(config))
        return;
    client->process = malloc(sizeof(*client->process));
    if (client->process != NULL &&
        peer_process_read(tcp_fd(client->transport), config->identity.takes_peer,
                          client->process) == ST_OK)
        return;
    free(client->process);
    client->process = NULL;
}

bool client_count(struct client *client, struct budget_refusal *ret_refusal)
{
    if (budget_take(&client->budget, BUDGET_CONNECTIONS, PARTIES_CLIENT, ret_refusal) != ST_OK)
        return false;
    client->proxy->over_count -= client->is_over;
    client->is_over = false;
    return true;
}

/* Its accounts, once it is known who it is. False: there is no room, not even to tell it so. */
static bool client_enroll(struct client *client)
{
    struct proxy *proxy = client->proxy;
    struct budget_refusal refusal;
    uint32_t uid = client->process != NULL ? client->process->uid : 0;
    if (proxy->handler != NULL || proxy->engine->ledger == NULL)
        return true;
    if (budget_join(proxy->engine->ledger, &proxy->engine->snapshot->config->limits.budget,
                    &client->peer.addr, uid, &client->budget) != ST_OK)
        return false;
    if (!relief_lets_in(proxy, &client->budget)) {
        counter_add(proxy->engine->counters, COUNT_SHORT_OF_MEMORY, 1);
        return false;
    }
    if (client_count(client, &refusal))
        return true;
    if (proxy->over_count == CLIENT_OVER_MAX) {
        counter_add(proxy->engine->counters, COUNT_OVER_CONNECTIONS, 1);
        return false;
    }
    proxy->over_count++;
    client->is_over = true;
    return true;
}

static void client_begin_handshake(struct client *client)
{
    if (!client_enroll(client)) {
        counter_add(client->proxy->engine->counters, COUNT_CONNECTIONS_REFUSED, 1);
        client_close(client, /* is_abort= */ true);
        return;
    }
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
    relief_look(proxy, door->tls_server != NULL ? CLIENT_COST_TLS : CLIENT_COST);
    if (proxy->on_client != NULL)
        proxy->on_client(proxy);
    if (reads_header || client_may_connect(proxy, proxy->engine->snapshot, listen, &door->peer))
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
    link_init(&client->exchanges);
    link_init(&client->wait_link);
    list_append(&proxy->clients, &client->link);
    proxy->client_count++;
    counter_add(counters, COUNT_CONNECTIONS, 1);
    counter_add(counters, COUNT_CONNECTIONS_OPEN, 1);
    transport_listen(transport, client, client_on_ready);
    client_meet_process(client);
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
    if (tcp_create(proxy->engine->loop, &proxy->engine->tcp_slab, fd, WATCH_READ | WATCH_WRITE,
                   &transport) == ST_OK)
        client_adopt(proxy, door, transport);
    else
        client_refuse(proxy, &transport);
}

/* ---- the steps before HTTP ---- */

/* What went wrong before HTTP is counted and said by its kind; nobody is left to answer. */
static void client_fail_header(struct client *client, const char *why)
{
    char peer[INET_ENDPOINT_TEXT];
    inet_endpoint_format(&client->peer, peer);
    counter_add(client->proxy->engine->counters, COUNT_CLIENT_PROXY_FAILURES, 1);
    diag(DIAG_NOTICE, "PROXY header of client %s failed: %s", peer, why);
    client_close(client, /* is_abort= */ true);
}

/* Look at the PROXY header without taking it, since what follows may be TLS. False: it is not whole yet, or the
 * connection has ended. */
static bool client_look_at_header(struct client *client)
{
    char bytes[PROXY_HEADER_V2_MAX];
    size_t len = 0;
    size_t used = 0;
    if (!config_prefixes_contain(&client->listen->proxy_from, &client->peer.addr)) {
        client_fail_header(client, "its sender is not configured (proxy_protocol.from)");
        return false;
    }
    enum status status = socket_peek(tcp_fd(client->transport), bytes, sizeof(bytes), &len);
    struct proxy_header header;
    if (status == ST_OK)
        status = proxy_header_parse(slice_of(bytes, len), &header, &used);
    if (status == ST_AGAIN) {
        client->transport->ready &= ~(unsigned)WATCH_READ;
    } else if (status == ST_BAD || status == ST_LIMIT) {
        client_fail_header(client, status == ST_BAD ? "what came is none" : "it is too long");
    } else if (status != ST_OK) { /* gone, such as a look whether somebody listens */
        client_close(client, /* is_abort= */ true);
    }
    if (status != ST_OK)
        return false;
    client->header_left = (uint16_t)used;
    if (!header.is_local && header.source.addr.family != INET_NONE)
        client->peer = header.source;
    return true;
}

/* Take exactly the PROXY header, which one receive need not give whole. */
static void client_read_proxy_header(struct client *client)
{
    char bytes[PROXY_HEADER_V2_MAX];
    size_t len = 0;
    enum status status = ST_OK;
    if (client->header_left == 0 && !client_look_at_header(client))
        return;
    while (status == ST_OK && client->header_left > 0) {
        status = socket_recv(tcp_fd(client->transport), bytes, client->header_left, &len);
        if (status == ST_OK)
            client->header_left = (uint16_t)(client->header_left - len);
    }
    if (status == ST_AGAIN) {
        client->transport->ready &= ~(unsigned)WATCH_READ;
        return;
    }
    if (status != ST_OK) {
        client_close(client, /* is_abort= */ true);
        return;
    }
    counter_add(client->proxy->engine->counters, COUNT_CLIENT_PROXY_HEADERS, 1);
    if (!client_may_connect(client->proxy, client->snapshot, client->listen, &client->peer)) {
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
    if (wire_put(&client->codec->wire, tls_sniff_clear_answer()) != ST_OK) {
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
    client->tls = tls_record(client->transport);
    if (client->listen != NULL && client->listen->client_ca.len > 0 &&
        tls_identity_read(client->transport, &client->certificate) == ST_NOMEM) {
        client_close(client, /* is_abort= */ true);
        return;
    }
    client_enter(client, CLIENT_SERVING, client_config(client)->timeouts.client_head_ns);
}

/* ---- serving ---- */

/* It waits for no request any more: the exchange has waits of its own. */
static void client_begin_exchange(struct client *client)
{
    timer_cancel(&client->timer);
    link_remove(&client->wait_link);
    budget_give(&client->budget, BUDGET_HEADS);
    client->is_head_begun = false;
}

/* A ClientHello or SOCKS on a port for HTTP in clear. It is answered as what it is to us, no request: "wrong version
 * number", which TLS libraries make of that, is understood better than an alert. */
static void client_judge_fault(struct client *client, struct stream *stream)
{
    struct slice in = client->codec->wire.in;
    unsigned socks = tls_sniff_socks_version(in);
    if (client->uses > 0 || (socks == 0 && !tls_sniff_is_tls(in)))
        return;
    char peer[INET_ENDPOINT_TEXT];
    inet_endpoint_format(&client->peer, peer);
    if (socks == 0) {
        diag(DIAG_NOTICE, "client %s spoke TLS on a listener in clear", peer);
        stream->fault_text =
            "this is TLS, and the port speaks HTTP in clear: use http:// in the proxy address";
        return;
    }
    diag(DIAG_NOTICE, "client %s spoke SOCKS%u on a listener for HTTP", peer, socks);
    stream->fault_text =
        socks == 4 ? "this is SOCKS4, and the port speaks HTTP: use http:// in the proxy address"
                   : "this is SOCKS5, and the port speaks HTTP: use http:// in the proxy address";
}

/* Answer instead of waiting for the rest of a head. */
static void client_refuse_head(struct client *client, enum cause cause, const char *rule)
{
    struct head *head = NULL;
    struct stream *stream = client->codec->ops->accept_late(client->codec, &head);
    client->uses += stream != NULL;
    if (stream != NULL)
        client_begin_exchange(client);
    if (stream == NULL || !exchange_begin_late(client, stream, head, cause, rule))
        client_close(client, /* is_abort= */ false);
}

/* How long the head that has begun may take, as far as it has come (limits.head_rate). */
static uint64_t client_head_limit_ns(const struct client *client)
{
    const struct config *config = client_config(client);
    uint64_t rate = config->limits.head_rate;
    uint64_t limit_ns = config->timeouts.client_head_ns;
    if (rate == 0)
        return limit_ns;
    uint64_t slowest_ns =
        CLIENT_HEAD_GRACE_S * NS_PER_S + client->codec->wire.in.len * NS_PER_S / rate;
    return slowest_ns < limit_ns ? slowest_ns : limit_ns;
}

/* The first bytes of a head, which is not whole. False: there are too many such, and it is answered. */
static bool client_begin_head(struct client *client)
{
    struct budget_refusal refusal;
    client->is_head_begun = true;
    client->head_begun_ns = loop_now_ns(client_loop(client));
    if (budget_take(&client->budget, BUDGET_HEADS, 1U << PARTY_CLIENT, &refusal) != ST_OK) {
        counter_add(client->proxy->engine->counters, COUNT_OVER_HEADS, 1);
        client_refuse_head(client, CAUSE_OVER_BUDGET, refusal.key);
        return false;
    }
    client_enter(client, CLIENT_SERVING, client_head_limit_ns(client));
    link_remove(&client->wait_link);
    list_append(&client->proxy->begun, &client->wait_link);
    return true;
}

/* No request is there. */
static void client_await(struct client *client)
{
    if (!list_is_empty(&client->exchanges)) /* they have waits of their own */
        return;
    bool has_begun = client->codec->wire.in.len > 0;
    if (has_begun && !client->is_head_begun && !client_begin_head(client))
        return;
    if (client->proxy->is_draining && !has_begun && client->uses > 0)
        client_close(client, /* is_abort= */ false);
    else if (wire_settle(&client->codec->wire) != ST_OK)
        client_close(client, /* is_abort= */ true);
}

/* The wait that was interrupted goes on. */
static void client_end_limited(struct client *client, uint64_t now_ns)
{
    if (client->limited_since_ns == 0)
        return;
    uint64_t span_ns = now_ns - client->limited_since_ns;
    client->limited_since_ns = 0;
    client->head_begun_ns += span_ns;
    timer_cancel(&client->timer);
    if (client->due_ns != 0)
        timer_set(client_loop(client), &client->timer, client->due_ns + span_ns);
}

/* Heads, what comes with them and answers without a body are not measured out as bodies are: they may be more than the
 * bandwidth has, and then the next request waits until that is paid for. True: it does. */
static bool client_is_limited(struct client *client)
{
    const struct wire *wire = &client->codec->wire;
    uint64_t now_ns = loop_now_ns(client_loop(client));
    bool has_some = wire->in.len > 0 || !wire_is_dry(wire);
    bool may_be = client->budget.is_metered && list_is_empty(&client->exchanges) && has_some;
    uint64_t debt_ns = may_be ? budget_debt_ns(&client->budget, now_ns) : 0;
    if (debt_ns == 0) {
        client_end_limited(client, now_ns);
        return false;
    }
    if (client->limited_since_ns == 0) {
        client->limited_since_ns = now_ns;
        client->due_ns = client->timer.deadline_ns;
    }
    timer_cancel(&client->timer);
    timer_set_in(client_loop(client), &client->timer, debt_ns);
    return true;
}

/* The next request of this connection, if it is there. False when there is nothing to do now. */
static bool client_next_request(struct client *client)
{
    struct stream *stream = NULL;
    struct head *head = NULL;
    struct framing body = {.kind = FRAMING_NONE};
    if (client_is_limited(client))
        return false;
    enum status status = client->codec->ops->accept(client->codec, &stream, &head, &body);
    if (status == ST_AGAIN) {
        client_await(client);
        return false;
    }
    if (stream == NULL) {
        client_close(client, /* is_abort= */ status != ST_EOF);
        return false;
    }
    if (status != ST_OK)
        client_judge_fault(client, stream);
    client_begin_exchange(client);
    client->uses++;
    if (exchange_begin(client, stream, head, body))
        return true;
    client_close(client, /* is_abort= */ true);
    return false;
}

static void client_serve(struct client *client)
{
    if (client->codec == NULL)
        client_begin_codec(client);
    for (int i = 0; i < CLIENT_REQUESTS_A_RUN; i++) {
        if (client->state != CLIENT_SERVING || !client_next_request(client))
            return;
    }
    if (client->state == CLIENT_SERVING) /* the last one may have ended it */
        client_wake(client);
}

/* The last open exchange is over. */
static void client_go_on(struct client *client)
{
    if (client->fate == CODEC_BREAKS || client->codec->wire.transport == NULL) {
        client_close(client, /* is_abort= */ true);
        return;
    }
    if (client->fate == CODEC_LASTS) {
        client_enter(client, CLIENT_SERVING, client_config(client)->timeouts.keepalive_ns);
    } else {
        client->linger_bytes = 0;
        client_enter(client, CLIENT_LINGERING, CLIENT_LINGER_MS * NS_PER_MS);
    }
    client_wake(client);
}

void client_exchange_done(struct client *client, struct stream *stream)
{
    CHECK_TAG(client, CLIENT_TAG);
    enum codec_fate fate = client->codec->ops->release(client->codec, stream);
    if (fate > client->fate)
        client->fate = fate;
    if (list_is_empty(&client->exchanges))
        client_go_on(client);
    else
        client_wake(client); /* there is room for another stream */
}

void client_drain(struct client *client)
{
    if (client->codec != NULL)
        client->codec->ops->drain(client->codec);
    if (list_is_empty(&client->exchanges))
        client_wake(client);
}

bool client_take_limits(struct client *client, const struct budget_rules *rules)
{
    CHECK_TAG(client, CLIENT_TAG);
    uint64_t now_ns = loop_now_ns(client_loop(client));
    bool has_changed =
        budget_use_rules(&client->budget, rules, /* keeps= */ true, &client->peer.addr, now_ns);
    if (has_changed && client->limited_since_ns != 0)
        client_wake(client);
    return has_changed;
}

/* ---- death ---- */

/* RFC 9112 §9.6: shut down, read on for a bounded while, close. */
static void client_linger(struct client *client)
{
    struct wire *wire = &client->codec->wire;
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

static void client_end_late(struct client *client);

static void client_run(struct task *task)
{
    struct client *client = CONTAINER_OF(task, struct client, task);
    CHECK_TAG(client, CLIENT_TAG);
    bool is_late = client->is_late;
    client->is_late = false;
    if (client->state == CLIENT_PROXY_HEADER)
        client_read_proxy_header(client);
    if (client->state == CLIENT_HANDSHAKE)
        client_shake_hands(client);
    if (client->state == CLIENT_SERVING)
        client_serve(client);
    if (client->state == CLIENT_LINGERING)
        client_linger(client);
    /* What came in the same turn counts: a wait that went on has set the timer anew. */
    bool waits_still = client->state != CLIENT_CLOSED && list_is_empty(&client->exchanges) &&
                       !timer_is_set(&client->timer);
    if (is_late && waits_still)
        client_end_late(client);
}

static void client_time_out(struct timer *timer)
{
    struct client *client = CONTAINER_OF(timer, struct client, timer);
    client->is_late = client->limited_since_ns == 0;
    client_wake(client);
}

/* A head is not whole yet: it may have come further than when the timer was set. */
static void client_end_slow_head(struct client *client)
{
    uint64_t now_ns = loop_now_ns(client_loop(client));
    uint64_t begun_ns = client->is_head_begun ? client->head_begun_ns : client->waits_since_ns;
    uint64_t limit_ns = client_head_limit_ns(client);
    if (begun_ns + limit_ns > now_ns) {
        timer_set(client_loop(client), &client->timer, begun_ns + limit_ns);
        return;
    }
    bool is_slow = limit_ns < client_config(client)->timeouts.client_head_ns;
    client_refuse_head(client, is_slow ? CAUSE_TOO_SLOW : CAUSE_HEAD_TIMEOUT, "");
}

/* The present wait took too long. */
static void client_end_late(struct client *client)
{
    if (client->state == CLIENT_PROXY_HEADER) {
        client_fail_header(client, "it did not arrive in time");
        return;
    }
    if (client->state == CLIENT_HANDSHAKE) {
        char peer[INET_ENDPOINT_TEXT];
        inet_endpoint_format(&client->peer, peer);
        counter_add(client->proxy->engine->counters, COUNT_CLIENT_TLS_FAILURES, 1);
        diag(DIAG_NOTICE, "TLS with client %s failed: the handshake took too long", peer);
    }
    bool has_begun = client->codec != NULL && client->codec->wire.in.len > 0;
    if (client->state == CLIENT_SERVING && has_begun && !client->is_over)
        client_end_slow_head(client);
    else
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
    proxy->over_count -= client->is_over;
    budget_leave(&client->budget);
    snapshot_unref(&client->snapshot);
    tls_identity_free(&client->certificate);
    free(client->process);
    client->process = NULL;
    client->grave.bury = client_bury;
    loop_bury(client_loop(client), &client->grave);
    if (proxy->on_room != NULL)
        proxy->on_room(proxy);
}

void client_close(struct client *client, bool is_abort)
{
    CHECK_TAG(client, CLIENT_TAG);
    CHECK(list_is_empty(&client->exchanges));
    transport_close(&client->transport, is_abort);
    if (client->codec != NULL)
        client->codec->ops->close(client->codec, is_abort);
    client->codec = NULL;
    client_die(client);
}
