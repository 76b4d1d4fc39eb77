/* The way of a client, in steps. Each waits for the connection or its timer and then enters the next:
 *
 *     without another proxy                                       ask ── load ── part
 *     through one:   open ── (shake proxy) ── (connect) ── (shake origin) ── ask ── load
 *
 *     open          a tunnel of the worker to the other proxy, so that its name, its addresses and the connect are seen
 *                   as always; from then on the transport is the connection to that proxy
 *     shake proxy   TLS with it, where it speaks that
 *     connect       its own tunnel, for https and for HOST:PORT, which ends here
 *     shake origin  TLS with the origin, inside of that
 *     ask           the request is sent, and the head of the answer awaited
 *     load          its body
 *     part          the worker ends the connection; who went away just before could look like one who did not stay
 *
 * TLS is a transport over a transport, and HTTP a codec over that, as in the worker; so what a peer may send is bounded
 * as it is there. Each step has the time that the worker has for its like. Only what goes through the worker as a
 * request is left to its limits, which end in an answer. */

#include "view/probe.h"

#include "base/clock.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "view/probe_internal.h"
#include "view/signals.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    KEEP_BYTES = 1 << 20,
    PIECES_A_TURN = 16,
};

/* ---- events ---- */

static void on_transport(struct transport *transport)
{
    struct probe *probe = transport->owner;
    CHECK_TAG(probe, PROBE_TAG);
    loop_queue(probe->probes->loop, &probe->task);
}

static void on_timer(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    CHECK_TAG(probe, PROBE_TAG);
    probe->is_late = true;
    loop_queue(probe->probes->loop, &probe->task);
}

/* Whoever has its whole answer only waits for the worker. */
static void probe_give_up(struct probe *probe)
{
    if (probe->step == PROBE_PART)
        probe_end(probe);
    else
        probe_fail(probe, CAUSE_CLIENT_GONE, "");
}

static void on_whole_timer(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, whole);
    CHECK_TAG(probe, PROBE_TAG);
    probe_give_up(probe);
}

static void on_signal(struct watch *watch, unsigned ready)
{
    struct probes *probes = CONTAINER_OF(watch, struct probes, signals);
    int number = signals_read(watch->fd);
    (void)ready;
    if (number == 0 || probes->signal != 0)
        return;
    probes->signal = number;
    probes->stopped_ns = clock_monotonic_ns();
}

void probe_allow(struct probe *probe, uint64_t ns)
{
    probe->is_late = false;
    timer_set_in(probe->probes->loop, &probe->timer, ns);
}

/* ---- ends ---- */

void probe_end(struct probe *probe)
{
    bool is_abort = probe->sight->cause != CAUSE_NONE;
    timeline_mark(&probe->sight->timeline, MARK_X_END);
    timer_cancel(&probe->timer);
    timer_cancel(&probe->whole);
    task_cancel(&probe->task);
    probe_drop_codec(probe, is_abort);
    transport_close(&probe->transport, is_abort);
    probe->step = PROBE_OVER;
    probe->probes->running--;
}

void probe_fail(struct probe *probe, enum cause cause, const char *detail)
{
    struct sight *sight = probe->sight;
    char said[SIGHT_DETAIL_MAX];
    sight->cause = cause;
    sight->is_of_proxy = probe->step <= PROBE_CONNECT || !aim_is_tls(probe->aim);
    if (probe->step == PROBE_LOAD)
        probe_note_body_end(probe); /* as far as it came */
    memcpy(said, sight->detail, sizeof(said));
    (void)snprintf(sight->detail, sizeof(sight->detail), "%s%s%.240s", detail,
                   detail[0] != '\0' && said[0] != '\0' ? "; its answer: " : "", said);
    probe_end(probe);
}

static const char *shaking_words(const struct probe *probe)
{
    const char *fault = transport_fault(probe->transport);
    return fault[0] != '\0' ? fault : "the connection ended during the handshake";
}

/* The handshake is over, whatever came of it. */
static void probe_mark_shaken(struct probe *probe)
{
    struct timeline *timeline = &probe->sight->timeline;
    if (probe->step == PROBE_SHAKE_PROXY)
        timeline_mark(timeline, MARK_U_PT1);
    if (probe->step == PROBE_SHAKE_ORIGIN)
        timeline_mark(timeline, MARK_U_TLS1);
}

static void probe_fail_late(struct probe *probe)
{
    static const enum cause causes[] = {[PROBE_SHAKE_PROXY] = CAUSE_TLS_TIMEOUT,
                                        [PROBE_CONNECT] = CAUSE_RESPONSE_TIMEOUT,
                                        [PROBE_SHAKE_ORIGIN] = CAUSE_TLS_TIMEOUT,
                                        [PROBE_ASK] = CAUSE_RESPONSE_TIMEOUT,
                                        [PROBE_LOAD] = CAUSE_RESPONSE_STALLED};
    probe_mark_shaken(probe);
    probe->sight->is_late = true;
    probe_fail(probe, causes[probe->step], "");
}

/* ---- TLS ---- */

/* False: failed. */
static bool probe_begin_tls(struct probe *probe, const struct host *host)
{
    struct probes *probes = probe->probes;
    struct transport *lower = probe->transport;
    bool is_proxy = probe->step == PROBE_SHAKE_PROXY;
    char key[AIM_AUTHORITY_MAX + 10];
    struct text session_key = text_on(key, sizeof(key));
    text_add_format(&session_key, "%s %s", is_proxy ? "proxy" : "origin",
                    is_proxy ? probes->proxy->authority : probe->aim->authority);
    struct tls_connect_options options = {
        .host = host, .sessions = probes->tls_sessions, .session_key = text_slice(&session_key)};
    probe->transport = NULL;
    if (tls_connect_create(probes->tls_scratch, &lower, lab_snapshot(probes->lab)->tls_client,
                           &options, &probe->transport) != ST_OK) {
        transport_close(&lower, /* is_abort= */ true);
        probe_fail(probe, CAUSE_SHED, "");
        return false;
    }
    transport_listen(probe->transport, probe, on_transport);
    timeline_mark(&probe->sight->timeline, is_proxy ? MARK_U_PT0 : MARK_U_TLS0);
    probe_allow(probe, probe_config(probe)->timeouts.upstream_tls_ns);
    return true;
}

/* True: the hands are shaken. */
static bool probe_shake(struct probe *probe)
{
    enum status status = transport_handshake(probe->transport);
    if (status == ST_AGAIN)
        return false;
    probe_mark_shaken(probe);
    if (status == ST_OK) {
        *(probe->step == PROBE_SHAKE_PROXY ? &probe->sight->proxy_tls : &probe->sight->tls) =
            tls_record(probe->transport);
        return true;
    }
    const char *verdict = tls_verify_error(probe->transport);
    probe->sight->is_untrusted = tls_is_untrusted(probe->transport);
    if (verdict != NULL)
        probe_fail(probe, CAUSE_TLS_CERTIFICATE, verdict);
    else
        probe_fail(probe,
                   tls_peer_alert(probe->transport) >= 0 ? CAUSE_TLS_ALERT : CAUSE_TLS_PROTOCOL,
                   shaking_words(probe));
    return false;
}

/* ---- the steps: true where the next one may go on at once ---- */

/* The proxy is there, in clear or behind TLS. */
static bool probe_enter_proxy(struct probe *probe)
{
    bool is_tunnelled = probe->aim->is_tunnel || aim_is_tls(probe->aim);
    return is_tunnelled ? probe_ask_for_tunnel(probe) : probe_ask_for_it(probe);
}

static bool step_open(struct probe *probe)
{
    const struct other_proxy *proxy = probe->probes->proxy;
    const struct head *head = probe_hear(probe);
    if (head == NULL)
        return false;
    if (head->status != 200) {
        probe_end(probe); /* the worker's record tells why */
        return false;
    }
    if (!probe_take_tunnel(probe, proxy->is_tls ? PROBE_SHAKE_PROXY : PROBE_OPEN))
        return false;
    return proxy->is_tls ? probe_begin_tls(probe, &proxy->host) : probe_enter_proxy(probe);
}

static bool step_shake_proxy(struct probe *probe)
{
    return probe_shake(probe) && probe_enter_proxy(probe);
}

static bool step_connect(struct probe *probe)
{
    const struct head *head = probe_hear(probe);
    if (head == NULL)
        return false;
    bool is_refused = head->status >= 300;
    probe_mark_received(probe, MARK_U_PX1);
    if (!is_refused && !probe->aim->is_tunnel)
        return probe_take_tunnel(probe, PROBE_SHAKE_ORIGIN) &&
               probe_begin_tls(probe, &probe->aim->target.host);
    probe_note_answer(probe, head);
    if (is_refused)
        probe_note_words(probe, head);
    else
        probe_mark_received(probe, MARK_T_OPEN);
    probe_end(probe);
    return false;
}

static bool step_shake_origin(struct probe *probe)
{
    return probe_shake(probe) && probe_ask_for_it(probe);
}

static bool step_ask(struct probe *probe)
{
    const struct head *head = probe_hear(probe);
    if (head == NULL)
        return false;
    probe_mark_received(probe, MARK_U_RXH);
    probe_note_answer(probe, head);
    if (probe->aim->is_tunnel) {
        probe_end(probe); /* the worker's: it is open, or refused */
        return false;
    }
    if (head->status >= 400 && probe_has_via(probe) && !aim_is_tls(probe->aim))
        probe_note_words(probe, head);
    probe->step = PROBE_LOAD;
    if (probe_has_via(probe))
        probe_allow(probe, probe_config(probe)->timeouts.body_stall_ns);
    return true;
}

static void probe_fail_body(struct probe *probe, enum status status)
{
    const char *fault = probe->stream->fault_text;
    if (status == ST_NOMEM)
        probe_fail(probe, CAUSE_SHED, "");
    else if (fault != NULL)
        probe_fail(probe, CAUSE_BAD_RESPONSE, fault);
    else
        probe_fail(probe, CAUSE_RESPONSE_CUT, transport_fault(probe->h1.codec.wire.transport));
}

static bool probe_end_load(struct probe *probe)
{
    struct slice unread;
    probe_mark_received(probe, MARK_U_RX1);
    probe_note_body_end(probe);
    if (probe_has_via(probe) || !probe->is_sent) {
        probe_end(probe);
        return false;
    }
    probe->transport = probe->stream->ops->detach(probe->stream, &unread);
    probe_drop_codec(probe, /* is_abort= */ false);
    transport_listen(probe->transport, probe, on_transport);
    probe->step = PROBE_PART;
    return true;
}

static bool step_load(struct probe *probe)
{
    struct slice view;
    struct stream *stream = probe->stream;
    probe_flush(probe);
    for (int i = 0; i < PIECES_A_TURN; i++) {
        enum status status = stream->ops->recv_body(stream, &view);
        if (status == ST_AGAIN)
            return false;
        if (status != ST_OK && status != ST_EOF) {
            probe_fail_body(probe, status);
            return false;
        }
        if (status == ST_EOF)
            return probe_end_load(probe);
        probe->sight->body_bytes += view.len;
        probe_note_body(probe, view);
        stream->ops->consume(stream, view.len);
        if (probe_has_via(probe))
            probe_allow(probe, probe_config(probe)->timeouts.body_stall_ns);
    }
    loop_queue_later(probe->probes->loop, &probe->task);
    return false;
}

static bool step_part(struct probe *probe)
{
    char dropped[64];
    size_t len = 0;
    enum status status = transport_recv(probe->transport, dropped, sizeof(dropped), &len);
    if (status != ST_OK && status != ST_AGAIN)
        probe_end(probe);
    return status == ST_OK;
}

static void probe_run(struct task *task)
{
    static bool (*const steps[])(struct probe *) = {
        [PROBE_OPEN] = step_open,       [PROBE_SHAKE_PROXY] = step_shake_proxy,
        [PROBE_CONNECT] = step_connect, [PROBE_SHAKE_ORIGIN] = step_shake_origin,
        [PROBE_ASK] = step_ask,         [PROBE_LOAD] = step_load,
        [PROBE_PART] = step_part,
    };
    struct probe *probe = CONTAINER_OF(task, struct probe, task);
    CHECK_TAG(probe, PROBE_TAG);
    while (probe->step != PROBE_OVER && steps[probe->step](probe))
        continue;
    if (probe->step != PROBE_OVER && probe->is_late)
        probe_fail_late(probe);
    if (probe->stream != NULL && probe->stream->ops->settle(probe->stream) != ST_OK)
        probe_fail(probe, CAUSE_SHED, "");
}

/* ---- all of them ---- */

static enum status probe_start(struct probe *probe, struct probes *probes)
{
    int fd = -1;
    enum status status = lab_connect(probes->lab, &fd);
    if (status == ST_OK)
        status = tcp_create(probes->loop, &probes->tcp_slab, fd, WATCH_READ | WATCH_WRITE,
                            &probe->transport);
    if (status != ST_OK)
        return status;
    probe->tag = PROBE_TAG;
    probe->probes = probes;
    probes->running++;
    probes->begun++;
    task_init(&probe->task, probe_run);
    timer_init(&probe->timer, on_timer);
    timer_init(&probe->whole, on_whole_timer);
    if (probes->max_time_ns != 0)
        timer_set_in(probes->loop, &probe->whole, probes->max_time_ns);
    timeline_begin(&probe->sight->timeline);
    if (probe_has_via(probe) ? probe_ask_to_open(probe) : probe_ask_for_it(probe))
        loop_queue(probes->loop, &probe->task);
    return ST_OK;
}

enum status probes_run(struct probes *probes, const struct aim *aims, size_t count,
                       struct sight *sights, size_t first)
{
    struct probe *all = calloc(count, sizeof(*all));
    enum status status = all == NULL ? ST_NOMEM : ST_OK;
    CHECK(count <= PROBES_MAX);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        all[i].aim = &aims[i];
        all[i].number = first + i;
        all[i].sight = &sights[first + i];
        status = probe_start(&all[i], probes);
    }
    while (status == ST_OK && probes->running > 0 && probes->signal == 0)
        (void)loop_turn(probes->loop, UINT64_MAX);
    for (size_t i = 0; i < count && all != NULL; i++) {
        if (all[i].tag != 0 && all[i].step != PROBE_OVER)
            probe_give_up(&all[i]);
    }
    (void)loop_turn(probes->loop, 0); /* what was closed is buried */
    free(all);
    return status;
}

enum status probes_begin(struct probes *probes, const struct probes_options *options)
{
    *probes = (struct probes){
        .lab = options->lab, .proxy = options->proxy, .max_time_ns = options->max_time_ns};
    probes->signals = (struct watch){.fd = -1, .on_ready = on_signal};
    tcp_slab_init(&probes->tcp_slab);
    probes->blocks = block_pool_create(KEEP_BYTES, /* limit_bytes= */ 0);
    probes->shared = (struct wire_shared){
        .blocks = probes->blocks, .scratch = malloc(WIRE_SCRATCH), .scratch_bytes = WIRE_SCRATCH};
    if (probes->blocks == NULL || probes->shared.scratch == NULL)
        return ST_NOMEM;
    probes->tls_scratch = tls_scratch_create(probes->blocks);
    probes->tls_sessions = tls_sessions_create(PROBES_MAX + 1);
    if (probes->tls_scratch == NULL || probes->tls_sessions == NULL ||
        loop_create(&probes->loop) != ST_OK)
        return ST_NOMEM;
    return loop_watch(probes->loop, &probes->signals, options->signals, WATCH_READ);
}

void probes_end(struct probes *probes)
{
    if (probes->signals.fd >= 0)
        loop_unwatch(probes->loop, &probes->signals, /* is_closing= */ false);
    loop_destroy(&probes->loop);
    tls_sessions_destroy(&probes->tls_sessions);
    tls_scratch_destroy(&probes->tls_scratch);
    slab_done(&probes->tcp_slab);
    free(probes->shared.scratch);
    block_pool_destroy(&probes->blocks);
}
