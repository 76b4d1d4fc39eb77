/* The life of an exchange, as a list of steps that reads from top to bottom.
 *
 *   check     the request's target, host and expectations are sound; else an answer of our own
 *   handle    a handler answers instead (the admin listener)
 *   decide    the gate on name, port and client
 *   acquire   a pooled connection, or reaching the origin: name, addresses (each through the gate),
 *             connect, TLS
 *   open      CONNECT only: 200, then both ends become a tunnel
 *   send      the request head, written anew
 *   forward   both bodies, interim responses, the response head; 101 becomes a tunnel
 *   reply     a locally made answer goes out
 *   finish    record, connections given back
 *
 * Each step is straight code between two waits; NEXT_WAIT returns to the loop, and any event runs the same
 * step again. Events only queue the task (architecture: events record, one place acts).
 *
 * A failure before a final head was sent downstream becomes an answer (or one retry, RFC 9110 §9.2.2); later
 * it can only be shown by cutting the connection. */

#include "proxy/exchange.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/hop.h"
#include "http/method.h"
#include "proxy/handler.h"

#include <stdio.h>
#include <string.h>

enum { EXCHANGE_TAG = TAG('x', 'c', 'h', 'g'), FORWARD_ROUNDS = 16 };

#define STEPS(X) \
    X(check) X(handle) X(decide) X(acquire) X(open) X(send) X(forward) X(reply) X(finish)

struct step {
    const char *name;
    enum next (*run)(struct exchange *);
};
#define X(name) static enum next step_##name(struct exchange *x);
STEPS(X)
#undef X
#define X(name) static const struct step at_##name = {#name, step_##name};
STEPS(X)
#undef X

static const struct config *exchange_config(const struct exchange *x)
{
    return x->snapshot->config;
}

static struct loop *exchange_loop(const struct exchange *x)
{
    return x->proxy->engine->loop;
}

static struct stream *exchange_down(struct exchange *x)
{
    return &x->client->h1.stream;
}

static struct stream *exchange_up(struct exchange *x)
{
    return &x->up->h1.stream;
}

static enum next exchange_enter(struct exchange *x, const struct step *step)
{
    x->step = step;
    timer_cancel(&x->timer);
    return NEXT_GO_ON;
}

/* The whole engine. */
static void exchange_run(struct exchange *x)
{
    enum next next = NEXT_GO_ON;
    while (next == NEXT_GO_ON)
        next = x->step->run(x);
}

static void exchange_run_task(struct task *task)
{
    struct exchange *x = CONTAINER_OF(task, struct exchange, task);
    CHECK_TAG(x, EXCHANGE_TAG);
    exchange_run(x);
}

void exchange_wake(struct exchange *x)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    loop_queue(exchange_loop(x), &x->task);
}

static void exchange_on_up_ready(struct transport *transport)
{
    exchange_wake(transport->owner);
}

void exchange_fail(struct exchange *x, enum cause cause, const char *detail)
{
    if (x->cause != CAUSE_NONE)
        return;
    x->cause = cause;
    (void)snprintf(x->detail, sizeof(x->detail), "%s", detail == NULL ? "" : detail);
}

/* A failure: answered where no final head went down yet, shown by a cut connection otherwise. */
static enum next exchange_give_up(struct exchange *x, enum cause cause, const char *detail)
{
    exchange_fail(x, cause, detail);
    upstream_destroy(&x->up, /* is_abort= */ true);
    bool can_answer = !x->response_head_done && failure_row(x->cause)->status != 0;
    return exchange_enter(x, can_answer ? &at_reply : &at_finish);
}

/* ---- timers ---- */

static void exchange_time_out(struct timer *timer)
{
    struct exchange *x = CONTAINER_OF(timer, struct exchange, timer);
    CHECK_TAG(x, EXCHANGE_TAG);
    const struct config *config = exchange_config(x);
    x->end = END_TIMEOUT;
    if (x->step == &at_forward) {
        uint64_t limit = !x->response_head_done && x->request_sent
                             ? config->timeouts.response_head_ns
                             : config->timeouts.body_stall_ns;
        if (x->progress_ns + limit > loop_now_ns(exchange_loop(x))) {
            x->end = END_NONE;
            timer_set(exchange_loop(x), &x->timer, x->progress_ns + limit);
            return;
        }
        enum cause cause = CAUSE_RESPONSE_TIMEOUT;
        if (x->paused_down_ns != 0)
            cause = CAUSE_CLIENT_STALLED;
        else if (x->response_head_done)
            cause = CAUSE_RESPONSE_STALLED;
        else if (!x->request_done && x->paused_up_ns == 0)
            cause = CAUSE_BODY_TIMEOUT;
        (void)exchange_give_up(x, cause, "");
    } else {
        (void)exchange_enter(x, &at_finish);
        exchange_fail(x, CAUSE_CLIENT_STALLED, "");
    }
    exchange_wake(x);
}

/* Restart the clock of the present phase; moving it later is cheap. */
static void exchange_progress(struct exchange *x)
{
    const struct config *config = exchange_config(x);
    x->progress_ns = loop_now_ns(exchange_loop(x));
    uint64_t limit = x->step == &at_forward && x->request_sent && !x->response_head_done
                         ? config->timeouts.response_head_ns
                         : config->timeouts.body_stall_ns;
    if (!timer_is_set(&x->timer))
        timer_set(exchange_loop(x), &x->timer, x->progress_ns + limit);
}

/* ---- birth ---- */

static struct exchange *exchange_create(struct client *client, const struct head *head,
                                        struct framing body)
{
    struct proxy *proxy = client->proxy;
    struct exchange *x = slab_alloc(&proxy->exchange_slab);
    if (x == NULL)
        return NULL;
    x->tag = EXCHANGE_TAG;
    x->client = client;
    x->proxy = proxy;
    x->snapshot = snapshot_ref(proxy->engine->snapshot);
    x->request = head;
    x->request_body = body;
    x->id = engine_conn_id(proxy->engine);
    task_init(&x->task, exchange_run_task);
    timer_init(&x->timer, exchange_time_out);
    arena_init(&x->arena, proxy->engine->shared.blocks, (size_t)512 * 1024);
    client->exchange = x;
    timeline_begin(&x->timeline);
    if (client->uses == 1) {
        timeline_mark_at(&x->timeline, MARK_C_ACCEPT, client->accepted_ns);
        timeline_mark_at(&x->timeline, MARK_C_TLS, client->tls_done_ns);
    }
    timeline_mark_at(&x->timeline, MARK_C_FIRST,
                     client->h1.head_begun_ns != 0 ? client->h1.head_begun_ns
                                                   : x->timeline.base_ns);
    client->h1.head_begun_ns = 0;
    client->h1.is_head_begun = false;
    if (head != NULL)
        timeline_mark_at(&x->timeline, MARK_C_HEAD, x->timeline.base_ns);
    counter_add(proxy->engine->counters, COUNT_REQUESTS, 1);
    counter_add(proxy->engine->counters, COUNT_REQUESTS_OPEN, 1);
    return x;
}

bool exchange_begin(struct client *client, const struct head *head, struct framing body)
{
    struct exchange *x = exchange_create(client, head, body);
    if (x == NULL)
        return false;
    x->step = &at_check;
    if (head == NULL) {
        const struct stream *stream = &client->h1.stream;
        exchange_fail(x, CAUSE_BAD_REQUEST, stream->fault_text);
        x->status = (uint16_t)stream->fault_status;
        x->step = &at_reply;
    }
    exchange_run(x);
    return true;
}

bool exchange_begin_timed_out(struct client *client)
{
    struct exchange *x = exchange_create(client, NULL, (struct framing){0});
    if (x == NULL)
        return false;
    exchange_fail(x, CAUSE_HEAD_TIMEOUT, "");
    x->step = &at_reply;
    exchange_run(x);
    return true;
}

/* ---- check ---- */

/* Max-Forwards: 0 of TRACE and OPTIONS is answered here (RFC 9110 §7.6.2). */
static bool check_max_forwards(struct exchange *x)
{
    if (x->method != METHOD_TRACE && x->method != METHOD_OPTIONS)
        return false;
    uint32_t left = 0;
    return hop_max_forwards(x->request, &left) == ST_OK && left == 0;
}

static enum next check_fail(struct exchange *x, enum cause cause, const char *detail)
{
    if (cause == CAUSE_BAD_TARGET || cause == CAUSE_BAD_REQUEST)
        x->client_persists = false; /* what follows may not be what it seems (RFC 9112 §11.2) */
    exchange_fail(x, cause, detail);
    return exchange_enter(x, &at_reply);
}

/* Target and Host (RFC 9112 §3.2, §3.3). NEXT_WAIT: sound, go on checking. */
static enum next check_target(struct exchange *x)
{
    enum target_fault fault = target_of_head(x->request, &x->target);
    if (fault != TARGET_FAULT_NONE) {
        bool is_host = x->target.host_fault != HOST_FINE;
        return check_fail(x, CAUSE_BAD_TARGET,
                          is_host ? host_fault_text(x->target.host_fault)
                                  : target_fault_text(fault));
    }
    if (x->target.form == TARGET_ASTERISK)
        return exchange_enter(x, &at_reply);
    if (x->target.form == TARGET_ORIGIN)
        return check_fail(
            x, slice_equals(x->target.path_and_query, SLICE("/")) ? CAUSE_HELP : CAUSE_NOT_HERE,
            "send requests in absolute-form, or CONNECT");
    if (x->target.scheme == SCHEME_OTHER)
        return check_fail(x, CAUSE_SCHEME, "");
    x->host = x->target.host;
    x->port = target_port(&x->target);
    x->is_tls = x->target.scheme == SCHEME_HTTPS;
    return NEXT_WAIT;
}

static enum next step_check(struct exchange *x)
{
    const struct head *request = x->request;
    x->method = request->method;
    if (hop_collect(request, &x->hop) != ST_OK)
        return check_fail(x, CAUSE_BAD_REQUEST, "Connection names too many fields");
    x->client_persists = hop_may_persist(&x->hop, request);
    if (x->proxy->handler != NULL)
        return exchange_enter(x, &at_handle);
    enum next next = check_target(x);
    if (next != NEXT_WAIT)
        return next;
    if (hop_via_holds(&request->fields, x->snapshot->via))
        return check_fail(x, CAUSE_LOOP, "its Via field names this proxy");
    bool is_other = false;
    x->wants_continue = hop_expects_continue(request, &is_other);
    if (is_other)
        return check_fail(x, CAUSE_EXPECTATION, "");
    if (check_max_forwards(x))
        return exchange_enter(x, &at_reply);
    x->is_upgrade = hop_upgrade(&x->hop, request).len > 0 && x->method != METHOD_CONNECT &&
                    x->request_body.kind == FRAMING_NONE;
    return exchange_enter(x, &at_decide);
}

static enum next step_handle(struct exchange *x)
{
    x->is_local = true;
    x->step = &at_reply;
    const struct handler *handler = x->proxy->handler;
    handler->answer(handler, x, x->request, x->request->target);
    return NEXT_WAIT;
}

void exchange_answer(struct exchange *x, unsigned status, const char *type, struct slice body)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    if (reply_send(x, status, type, body) != ST_OK)
        exchange_fail(x, CAUSE_SHED, "");
    exchange_wake(x);
}

/* ---- decide ---- */

static enum next step_decide(struct exchange *x)
{
    struct gate_question question = {
        .host = &x->host,
        .port = x->port,
        .is_connect = x->target.form == TARGET_AUTHORITY,
        .client = x->client->peer.addr,
    };
    struct gate_answer answer;
    bool is_allowed = gate_request(x->snapshot->gate, &question, &answer);
    timeline_mark(&x->timeline, MARK_P_POLICY);
    if (is_allowed)
        return exchange_enter(x, &at_acquire);
    (void)snprintf(x->rule, sizeof(x->rule), "%s", answer.rule);
    (void)snprintf(x->remedy, sizeof(x->remedy), "%s", answer.remedy);
    return check_fail(x, CAUSE_REFUSED, answer.rule);
}

/* ---- acquire ---- */

static bool acquire_permit(void *owner, const struct inet_endpoint *endpoint)
{
    struct exchange *x = owner;
    struct gate_answer answer;
    if (gate_address(x->snapshot->gate, endpoint, &answer))
        return true;
    (void)snprintf(x->rule, sizeof(x->rule), "%s", answer.rule);
    (void)snprintf(x->remedy, sizeof(x->remedy), "%s", answer.remedy);
    return false;
}

static void acquire_on_done(struct reach *reach)
{
    exchange_wake(reach->owner);
}

static void acquire_take(struct exchange *x, struct upstream *up, bool is_reused)
{
    x->up = up;
    x->was_reused = is_reused;
    up->uses++;
    x->up_in_before = up->h1.wire.in_bytes;
    x->up_out_before = up->h1.wire.out_bytes;
    h1_codec_next(&up->h1);
    const struct config *config = exchange_config(x);
    up->h1.limits = (struct h1_limits){(uint32_t)config->limits.head_bytes,
                                       (uint32_t)config->limits.head_fields,
                                       (uint32_t)config->limits.target_bytes};
    transport_listen(up->h1.wire.transport, x, exchange_on_up_ready);
}

static enum cause acquire_cause(const struct reach *reach)
{
    static const enum cause causes[] = {
        [DIAL_DNS_NXDOMAIN] = CAUSE_DNS_NOT_FOUND,
        [DIAL_DNS_NODATA] = CAUSE_DNS_NO_ADDRESS,
        [DIAL_DNS_TIMEOUT] = CAUSE_DNS_TIMEOUT,
        [DIAL_DNS_SERVFAIL] = CAUSE_DNS_ERROR,
        [DIAL_DNS_REFUSED] = CAUSE_DNS_ERROR,
        [DIAL_DNS_ERROR] = CAUSE_DNS_ERROR,
        [DIAL_DENIED] = CAUSE_REFUSED_ADDRESS,
        [DIAL_CONNECT_REFUSED] = CAUSE_CONNECT_REFUSED,
        [DIAL_CONNECT_UNREACHABLE] = CAUSE_CONNECT_UNREACHABLE,
        [DIAL_CONNECT_TIMEOUT] = CAUSE_CONNECT_TIMEOUT,
        [DIAL_CONNECT_RESET] = CAUSE_CONNECT_RESET,
        [DIAL_CONNECT_ERROR] = CAUSE_CONNECT_UNREACHABLE,
        [DIAL_CONNECT_LIMIT] = CAUSE_CONNECT_LIMIT,
    };
    switch (reach->result) {
    case REACH_TLS_CERTIFICATE: return CAUSE_TLS_CERTIFICATE;
    case REACH_TLS_FAILED: return CAUSE_TLS_PROTOCOL;
    case REACH_TLS_TIMEOUT: return CAUSE_TLS_TIMEOUT;
    case REACH_NO_MEMORY: return CAUSE_SHED;
    case REACH_DIAL_FAILED:
    case REACH_OK: break;
    }
    enum cause cause = CAUSE_NONE;
    if ((size_t)reach->dial_cause < COUNT_OF(causes))
        cause = causes[reach->dial_cause];
    return cause == CAUSE_NONE ? CAUSE_CONNECT_UNREACHABLE : cause;
}

static enum next acquire_finish_reach(struct exchange *x)
{
    struct reach *reach = &x->reach;
    x->is_reaching = false;
    timeline_mark_at(&x->timeline, MARK_U_DNS0, reach->dns_begin_ns);
    timeline_mark_at(&x->timeline, MARK_U_DNS1, reach->dns_end_ns);
    timeline_mark_at(&x->timeline, MARK_U_SYN0, reach->connect_begin_ns);
    timeline_mark_at(&x->timeline, MARK_U_SYN1, reach->connect_end_ns);
    timeline_mark_at(&x->timeline, MARK_U_TLS0, reach->tls_begin_ns);
    timeline_mark_at(&x->timeline, MARK_U_TLS1, reach->tls_end_ns);
    if (reach->result != REACH_OK) {
        enum cause cause = acquire_cause(reach);
        counter_add(x->proxy->engine->counters, COUNT_CONNECT_FAILURES, 1);
        x->proxy->engine->reach_cancel(reach);
        return check_fail(x, cause, cause == CAUSE_REFUSED_ADDRESS ? x->rule : reach->detail);
    }
    x->rule[0] = x->remedy[0] = '\0';
    struct upstream *up = upstream_create(x->proxy->engine, reach);
    x->proxy->engine->reach_cancel(reach);
    if (up == NULL)
        return check_fail(x, CAUSE_SHED, "");
    acquire_take(x, up, /* is_reused= */ false);
    return exchange_enter(x, x->target.form == TARGET_AUTHORITY ? &at_open : &at_send);
}

/* Is the client still there while nothing can be sent to it? Bytes that it sends early stay unread. */
static bool client_has_gone(struct exchange *x)
{
    const struct transport *transport = x->client->h1.wire.transport;
    return (transport->ready & WATCH_ERROR) != 0;
}

static enum next step_acquire(struct exchange *x)
{
    struct engine *engine = x->proxy->engine;
    if (x->is_reaching && !x->reach.is_handed) {
        if (!client_has_gone(x))
            return NEXT_WAIT;
        engine->reach_cancel(&x->reach);
        x->is_reaching = false;
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    }
    if (x->is_reaching)
        return acquire_finish_reach(x);
    if (wire_settle(&x->client->h1.wire) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");

    bool is_tunnel = x->target.form == TARGET_AUTHORITY;
    timeline_clear(&x->timeline, MARK_P_SLOT);
    timeline_mark(&x->timeline, MARK_P_SLOT);
    struct upstream *up = NULL;
    if (!is_tunnel && !x->is_upgrade && !x->may_not_reuse)
        up = pool_take(engine->pool, &x->host, x->port, x->is_tls);
    if (up != NULL && !acquire_permit(x, &up->peer)) {
        upstream_destroy(&up, /* is_abort= */ false);
        return check_fail(x, CAUSE_REFUSED_ADDRESS, x->rule);
    }
    if (up != NULL) {
        counter_add(engine->counters, COUNT_POOL_REUSES, 1);
        acquire_take(x, up, /* is_reused= */ true);
        return exchange_enter(x, &at_send);
    }
    x->reach = (struct reach){
        .engine = engine,
        .host = &x->host,
        .port = x->port,
        .is_tls = x->is_tls,
        .permit = acquire_permit,
        .on_done = acquire_on_done,
        .owner = x,
    };
    x->is_reaching = true;
    engine->reach_start(&x->reach);
    return NEXT_WAIT;
}

/* ---- open: CONNECT, or 101 ---- */

static enum next exchange_become_tunnel(struct exchange *x, enum record_kind kind)
{
    const struct config *config = exchange_config(x);
    struct tunnel_limits limits = {config->timeouts.tunnel_idle_ns,
                                   config->timeouts.tunnel_half_closed_ns,
                                   config->timeouts.tunnel_lifetime_ns};
    struct client *client = x->client;
    struct record *record = x->proxy->record;
    timeline_mark(&x->timeline, MARK_T_OPEN);
    exchange_tell(x, record);
    record->kind = (uint8_t)kind;
    record_seal(record);
    struct slice from_client;
    struct slice from_origin;
    struct transport *down = client_detach(client, &from_client);
    struct transport *up = h1_codec_detach(&x->up->h1, &from_origin);
    if (tunnel_start(&x->proxy->tunnels, &down, &up, from_client, from_origin, record, &limits) !=
        ST_OK)
        counter_add(x->proxy->engine->counters, COUNT_FAILURES, 1); /* both ends are closed */
    upstream_destroy(&x->up, /* is_abort= */ false);
    counter_add(x->proxy->engine->counters, COUNT_RESPONSES_2XX, 1);
    x->end = END_DONE;
    x->is_local = false;
    x->client = NULL;
    client_close(client, /* is_abort= */ false);
    return exchange_enter(x, &at_finish);
}

static enum next step_open(struct exchange *x)
{
    struct stream *down = exchange_down(x);
    if (!x->response_head_done) {
        struct head head = {.is_request = false, .status = 200, .major = 1, .minor = 1};
        head.reason = SLICE("Connection established");
        struct framing none = {.kind = FRAMING_NONE};
        if (down->ops->send_head(down, &head, none) != ST_OK)
            return exchange_give_up(x, CAUSE_SHED, "");
        x->response_head_done = true;
        x->status = 200;
        timeline_mark(&x->timeline, MARK_D_TX0);
        exchange_progress(x);
    }
    enum status status = down->ops->flush(down);
    if (status == ST_AGAIN)
        return NEXT_WAIT;
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    timeline_mark(&x->timeline, MARK_D_TX1);
    return exchange_become_tunnel(x, RECORD_TUNNEL);
}

/* ---- send ---- */

static enum next step_send(struct exchange *x)
{
    struct stream *up = exchange_up(x);
    struct head head;
    struct framing body;
    h1_codec_expect(&x->up->h1, x->method);
    enum status status = forward_request_head(x, &head, &body);
    if (status == ST_OK)
        status = up->ops->send_head(up, &head, body);
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    timeline_mark(&x->timeline, MARK_U_TX0);
    return exchange_enter(x, &at_forward);
}

/* ---- forward ---- */

/* Before any response byte, on a connection that had been used before, and nothing was consumed that could
 * not be sent again: once more on a new connection (RFC 9110 §9.2.2, RFC 9112 §9.3.1). */
static bool forward_may_retry(const struct exchange *x)
{
    return x->was_reused && !x->has_retried && !x->response_head_done &&
           x->up->h1.wire.in_bytes == x->up_in_before && method_is_idempotent(x->method) &&
           x->request_body.kind == FRAMING_NONE;
}

static enum next forward_up_failed(struct exchange *x, enum cause cause, const char *detail)
{
    if (!forward_may_retry(x)) {
        timeline_mark(&x->timeline, MARK_X_FIN_U);
        x->ended_by = LEG_UPSTREAM;
        return exchange_give_up(x, cause, detail);
    }
    upstream_destroy(&x->up, /* is_abort= */ true);
    x->has_retried = x->may_not_reuse = true;
    x->was_reused = false;
    x->request_done = x->request_sent = false;
    timeline_clear(&x->timeline, MARK_U_TX0);
    timeline_clear(&x->timeline, MARK_U_TXH);
    timeline_clear(&x->timeline, MARK_U_TX1);
    counter_add(x->proxy->engine->counters, COUNT_RETRIES, 1);
    return exchange_enter(x, &at_acquire);
}

/* Count the time during which the receiver held the sender up. */
static void forward_pause(uint64_t *paused_ns, uint64_t *sum_ns, bool is_paused)
{
    if (is_paused && *paused_ns == 0) {
        *paused_ns = clock_monotonic_ns();
    } else if (!is_paused && *paused_ns != 0) {
        *sum_ns += clock_monotonic_ns() - *paused_ns;
        *paused_ns = 0;
    }
}

enum pump { PUMP_WAIT, PUMP_BUSY, PUMP_DONE, PUMP_FROM_FAILED, PUMP_TO_FAILED };

/* Move a body from one stream to the other. */
static enum pump forward_pump(struct exchange *x, struct stream *from, struct stream *to,
                              uint64_t *paused_ns, uint64_t *stalled_ns)
{
    for (int round = 0; round < FORWARD_ROUNDS; round++) {
        struct slice view = SLICE_NONE;
        enum status status = from->ops->recv_body(from, &view);
        if (status == ST_AGAIN)
            return PUMP_WAIT;
        if (status == ST_EOF) {
            status = to->ops->send_end(to, from->ops->recv_trailers(from));
            return status == ST_OK ? PUMP_DONE : PUMP_TO_FAILED;
        }
        if (status != ST_OK)
            return PUMP_FROM_FAILED;
        size_t taken = 0;
        status = to->ops->send_body(to, view, &taken);
        if (status == ST_OK) {
            from->ops->consume(from, taken);
            exchange_progress(x);
        }
        if (status != ST_OK && status != ST_AGAIN)
            return PUMP_TO_FAILED;
        bool is_held = status == ST_AGAIN;
        forward_pause(paused_ns, stalled_ns, is_held);
        if (is_held)
            return PUMP_WAIT;
    }
    return PUMP_BUSY;
}

/* The request body and its last flush. */
static enum next forward_request(struct exchange *x)
{
    struct stream *up = exchange_up(x);
    if (!x->request_done && !x->is_up_deaf) {
        enum pump pump =
            forward_pump(x, exchange_down(x), up, &x->paused_up_ns, &x->stalled_by_upstream_ns);
        if (pump == PUMP_FROM_FAILED) {
            timeline_mark(&x->timeline, MARK_X_FIN_C);
            x->ended_by = LEG_CLIENT;
            if (exchange_down(x)->fault_text != NULL)
                return exchange_give_up(x, CAUSE_BAD_REQUEST, exchange_down(x)->fault_text);
            return exchange_give_up(x, CAUSE_REQUEST_CUT, "");
        }
        if (pump == PUMP_TO_FAILED) {
            x->is_up_deaf = true; /* an early response may still be there to read */
            return NEXT_WAIT;
        }
        if (pump == PUMP_BUSY)
            exchange_wake(x);
        x->request_done = pump == PUMP_DONE;
        if (x->request_done)
            timeline_mark(&x->timeline, MARK_C_BODY);
    }
    if (x->request_sent)
        return NEXT_WAIT;
    enum status status = up->ops->flush(up);
    if (status == ST_OK) {
        timeline_mark(&x->timeline, MARK_U_TXH);
        if (x->request_done) {
            timeline_mark(&x->timeline, MARK_U_TX1);
            x->request_sent = true;
            exchange_progress(x);
        }
    }
    return NEXT_WAIT;
}

static enum next forward_pass_head(struct exchange *x, const struct head *response,
                                   struct framing body)
{
    struct stream *down = exchange_down(x);
    struct head head;
    struct framing down_body;
    bool is_interim = response->status < 200 && response->status != 101;
    if (is_interim) {
        timeline_mark(&x->timeline, MARK_U_1XX);
        if (x->request->minor == 0)
            return NEXT_GO_ON; /* RFC 9110 §15.2: not to an HTTP/1.0 client */
        counter_add(x->proxy->engine->counters, COUNT_RESPONSES_1XX, 1);
    } else {
        timeline_mark(&x->timeline, MARK_U_RXH);
        timeline_mark(&x->timeline, MARK_D_TX0);
        x->status = response->status;
    }
    enum status status = forward_response_head(x, response, body, &head, &down_body);
    if (status == ST_OK)
        status = down->ops->send_head(down, &head, down_body);
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    if (is_interim) {
        status = down->ops->flush(down);
        if (status != ST_OK && status != ST_AGAIN)
            return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
        return NEXT_GO_ON;
    }
    x->response_head_done = true;
    x->is_close_framed = down_body.kind == FRAMING_CLOSE;
    return NEXT_GO_ON;
}

/* Interim and final response heads. NEXT_GO_ON: a final head is done. */
static enum next forward_response_heads(struct exchange *x)
{
    struct stream *up = exchange_up(x);
    while (!x->response_head_done) {
        struct head *response = NULL;
        struct framing body;
        uint64_t in_before = x->up->h1.wire.in_bytes;
        enum status status = up->ops->recv_head(up, &response, &body);
        if (x->up->h1.wire.in_bytes != in_before)
            timeline_mark(&x->timeline, MARK_U_RX0);
        if (status == ST_AGAIN)
            return NEXT_WAIT;
        if (status == ST_BAD)
            return exchange_give_up(x, CAUSE_BAD_RESPONSE, up->fault_text);
        if (status == ST_LIMIT)
            return exchange_give_up(x, CAUSE_RESPONSE_TOO_LARGE, up->fault_text);
        if (status != ST_OK)
            return forward_up_failed(x, CAUSE_NO_RESPONSE, "");
        exchange_progress(x);
        if (response->status == 101 && !x->is_upgrade)
            return exchange_give_up(x, CAUSE_BAD_RESPONSE, "101 to a request without Upgrade");
        enum next next = forward_pass_head(x, response, body);
        if (next != NEXT_GO_ON)
            return next;
        if (x->step != &at_forward)
            return NEXT_GO_ON;
        if (!x->response_head_done && x->up->h1.wire.in.len == 0)
            timeline_clear(&x->timeline, MARK_U_RX0); /* that was an interim response */
    }
    return NEXT_GO_ON;
}

static enum next forward_response(struct exchange *x)
{
    struct stream *down = exchange_down(x);
    if (!x->response_done) {
        enum pump pump =
            forward_pump(x, exchange_up(x), down, &x->paused_down_ns, &x->stalled_by_client_ns);
        if (pump == PUMP_FROM_FAILED) {
            timeline_mark(&x->timeline, MARK_X_FIN_U);
            x->ended_by = LEG_UPSTREAM;
            x->end = x->up->h1.wire.is_eof ? END_NONE : END_RST;
            return exchange_give_up(x, CAUSE_RESPONSE_CUT, "");
        }
        if (pump == PUMP_TO_FAILED)
            return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
        if (pump == PUMP_BUSY)
            exchange_wake(x);
        x->response_done = pump == PUMP_DONE;
        if (x->response_done)
            timeline_mark(&x->timeline, MARK_U_RX1);
    }
    enum status status = down->ops->flush(down);
    if (status != ST_OK && status != ST_AGAIN)
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    if (status == ST_OK && x->response_done) {
        timeline_mark(&x->timeline, MARK_D_TX1);
        x->response_sent = true;
        /* An answer may come before the request was sent whole; the rest follows if both go on. */
        bool goes_on =
            !x->request_done && !x->is_up_deaf && x->client_persists && x->up->h1.persists;
        return goes_on ? NEXT_WAIT : exchange_enter(x, &at_finish);
    }
    return NEXT_WAIT;
}

static enum next forward_settle(struct exchange *x)
{
    if (exchange_down(x)->ops->settle(exchange_down(x)) != ST_OK ||
        exchange_up(x)->ops->settle(exchange_up(x)) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    return NEXT_WAIT;
}

static enum next step_forward(struct exchange *x)
{
    exchange_progress(x);
    if (client_has_gone(x))
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    enum next next = forward_request(x);
    if (next != NEXT_WAIT)
        return next;
    if (exchange_down(x)->ops->settle(exchange_down(x)) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    next = forward_response_heads(x);
    if (next == NEXT_WAIT)
        return forward_settle(x);
    if (x->step != &at_forward)
        return NEXT_GO_ON;
    if (x->status == 101) {
        enum status status = exchange_down(x)->ops->flush(exchange_down(x));
        if (status == ST_AGAIN)
            return forward_settle(x);
        return status == ST_OK ? exchange_become_tunnel(x, RECORD_UPGRADE)
                               : exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    }
    next = forward_response(x);
    return next == NEXT_WAIT ? forward_settle(x) : next;
}

/* ---- reply ---- */

static enum next step_reply(struct exchange *x)
{
    struct stream *down = exchange_down(x);
    x->is_local = true;
    if (!x->response_head_done) {
        if (x->proxy->handler != NULL && x->cause == CAUSE_NONE && x->request != NULL)
            return NEXT_WAIT; /* the handler has not answered yet */
        if (reply_send_failure(x) != ST_OK)
            return exchange_enter(x, &at_finish);
    }
    exchange_progress(x);
    while (x->reply_body.len > 0) {
        size_t taken = 0;
        enum status status = down->ops->send_body(down, x->reply_body, &taken);
        if (status == ST_AGAIN)
            return NEXT_WAIT;
        if (status != ST_OK)
            return exchange_enter(x, &at_finish);
        x->reply_body = slice_from(x->reply_body, taken);
    }
    if (!x->response_done && down->ops->send_end(down, NULL) != ST_OK)
        return exchange_enter(x, &at_finish);
    x->response_done = true;
    enum status status = down->ops->flush(down);
    if (status == ST_AGAIN)
        return NEXT_WAIT;
    if (status == ST_OK) {
        timeline_mark(&x->timeline, MARK_D_TX1);
        x->response_sent = true;
    }
    return exchange_enter(x, &at_finish);
}

/* ---- finish ---- */

static void exchange_bury(struct grave *grave)
{
    struct exchange *x = CONTAINER_OF(grave, struct exchange, grave);
    slab_free(&x->proxy->exchange_slab, x);
}

/* May the client send another request on this connection? */
static bool finish_persists(const struct exchange *x)
{
    const struct h1_codec *h1 = &x->client->h1;
    return x->response_sent && x->client_persists && !x->is_close_framed &&
           h1->receiving == H1_RECV_ENDED && !h1->wire.is_eof;
}

/* An answer that was cut short: where its framing shows that, what is queued goes out and the end is in order;
 * where only the connection's end would end it, a reset shows it. */
static bool finish_must_reset(struct exchange *x)
{
    if (x->response_sent)
        return false;
    bool is_shown = x->response_head_done && !x->is_close_framed;
    enum status status = exchange_down(x)->ops->flush(exchange_down(x));
    return !is_shown || (status != ST_OK && status != ST_AGAIN) ||
           x->cause == CAUSE_CLIENT_STALLED || x->cause == CAUSE_CLIENT_GONE;
}

static void finish_count(struct exchange *x)
{
    struct counters *counters = x->proxy->engine->counters;
    counter_sub(counters, COUNT_REQUESTS_OPEN, 1);
    if (x->status >= 200 && x->status < 600 && x->response_head_done)
        counter_add(counters, (enum counter)(COUNT_RESPONSES_2XX + x->status / 100 - 2), 1);
    if (x->cause == CAUSE_REFUSED || x->cause == CAUSE_REFUSED_ADDRESS)
        counter_add(counters, COUNT_REFUSALS, 1);
    else if (x->cause != CAUSE_NONE)
        counter_add(counters, COUNT_FAILURES, 1);
}

static void finish_judge(struct exchange *x)
{
    if (x->end == END_TIMEOUT) {
        x->ended_by = LEG_PROXY;
    } else if (x->cause == CAUSE_REFUSED || x->cause == CAUSE_REFUSED_ADDRESS) {
        x->end = END_REFUSED;
        x->ended_by = LEG_PROXY;
    } else if (x->cause == CAUSE_CLIENT_GONE) {
        timeline_mark(&x->timeline, MARK_X_FIN_C);
        x->end = END_RST;
        x->ended_by = LEG_CLIENT;
    } else if (x->cause != CAUSE_NONE) {
        x->end = x->end == END_NONE ? END_ERROR : x->end;
    } else {
        x->end = END_DONE;
    }
}

static enum next step_finish(struct exchange *x)
{
    struct proxy *proxy = x->proxy;
    struct client *client = x->client;
    if (x->is_reaching)
        proxy->engine->reach_cancel(&x->reach);
    timer_cancel(&x->timer);
    task_cancel(&x->task);
    if (client != NULL) { /* not handed over to a tunnel */
        timeline_mark(&x->timeline, MARK_X_END);
        finish_judge(x);
        exchange_tell(x, proxy->record);
        record_seal(proxy->record);
        finish_count(x);
        proxy->on_record(proxy, proxy->record);
    } else {
        counter_sub(proxy->engine->counters, COUNT_REQUESTS_OPEN, 1);
    }
    if (x->up != NULL && x->response_done && x->request_done)
        pool_give(proxy->engine->pool, &x->up);
    else
        upstream_destroy(&x->up, /* is_abort= */ !x->response_done);
    bool persists = client != NULL && finish_persists(x);
    bool is_abort = client != NULL && finish_must_reset(x);
    x->tag = 0;
    arena_done(&x->arena);
    snapshot_unref(&x->snapshot);
    x->grave.bury = exchange_bury;
    loop_bury(proxy->engine->loop, &x->grave);
    if (client != NULL)
        client_exchange_done(client, persists, is_abort);
    return NEXT_GONE;
}

void exchange_end(struct exchange *x, enum record_end end)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    upstream_destroy(&x->up, /* is_abort= */ true);
    exchange_fail(x, CAUSE_DRAINED, "");
    x->end = (uint8_t)end;
    x->ended_by = LEG_PROXY;
    x->client_persists = false;
    (void)exchange_enter(x, &at_finish);
    exchange_run(x);
}
