/* Reaching an origin: the dial, then TLS where it is wanted.
 *
 * The dial's end, the handshake's events and its timer only queue the task; the task goes on from where it
 * is, and what came in the same turn as the timer counts. All
 * facts of the way are copied out, so that the exchange never looks into a dial. */

#include "upstream/reach.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "upstream/engine.h"

#include <stdio.h>
#include <string.h>

static void reach_finish(struct reach *reach, enum reach_result result)
{
    reach->result = result;
    reach->is_handed = true;
    timer_cancel(&reach->timer);
    if (result != REACH_OK)
        transport_close(&reach->transport, /* is_abort= */ true);
    reach->on_done(reach);
}

/* The gate is the caller's; the dial knows only this reach. */
static bool reach_permit(void *owner, const struct inet_endpoint *endpoint)
{
    struct reach *reach = owner;
    return reach->permit(reach->owner, endpoint);
}

static void reach_on_dialled(void *owner, struct dial *dial)
{
    (void)dial;
    struct reach *reach = owner;
    reach->is_dialled = true;
    loop_queue(reach->engine->loop, &reach->task);
}

static void reach_on_ready(struct transport *transport)
{
    struct reach *reach = transport->owner;
    loop_queue(reach->engine->loop, &reach->task);
}

static void reach_time_out(struct timer *timer)
{
    struct reach *reach = CONTAINER_OF(timer, struct reach, timer);
    reach->is_late = true;
    loop_queue(reach->engine->loop, &reach->task);
}

static void reach_end_late(struct reach *reach)
{
    (void)snprintf(reach->detail, sizeof(reach->detail), "%.60s", reach->host->text);
    reach->tls_end_ns = clock_monotonic_ns();
    reach_finish(reach, REACH_TLS_TIMEOUT);
}

static void reach_copy_facts(struct reach *reach)
{
    const struct dial *dial = &reach->dial;
    reach->dial_cause = dial->cause;
    reach->peer = dial->peer;
    reach->source = dial->local;
    reach->dns_source = (uint8_t)dial->dns_source;
    reach->dns_answers = dial->dns_answers;
    reach->dns_begin_ns = dial->dns_begin_ns;
    reach->dns_end_ns = dial->dns_end_ns;
    reach->connect_begin_ns = dial->connect_begin_ns;
    reach->connect_end_ns = dial->connect_end_ns;
    reach->names_ns = dial_names_ns(dial);
    reach->attempt_count = dial->attempt_count;
    memcpy(reach->attempts, dial->attempts, dial->attempt_count * sizeof(dial->attempts[0]));
}

/* Who failed, and what that says beyond the cause that the exchange makes of it. */
static void reach_tell_dial(struct reach *reach)
{
    enum dial_cause cause = reach->dial.cause;
    bool is_connect = cause >= DIAL_CONNECT_REFUSED;
    bool says_more = cause == DIAL_DNS_SERVFAIL || cause == DIAL_DNS_REFUSED;
    struct text text = text_on(reach->detail, sizeof(reach->detail));
    bool is_bracketed = is_connect && reach->host->kind == HOST_IPV6;
    text_add_format(&text, is_bracketed ? "[%.60s]" : "%.60s", reach->host->text);
    if (is_connect)
        text_add_format(&text, ":%u", reach->port);
    if (says_more)
        text_add_format(&text, ": %s", dial_cause_text(cause));
    (void)text_string(&text);
}

/* The dial ended: a plain transport, or the begin of TLS. False: ended. */
static bool reach_begin_transport(struct reach *reach)
{
    reach->is_dialled = false;
    reach_copy_facts(reach);
    if (reach->dial.cause != DIAL_CONNECTED) {
        reach_tell_dial(reach);
        reach_finish(reach, REACH_DIAL_FAILED);
        return false;
    }
    struct engine *engine = reach->engine;
    reach->transport = dial_take(&reach->dial);
    if (!reach->is_tls) {
        reach_finish(reach, REACH_OK);
        return false;
    }
    struct transport *lower = reach->transport;
    reach->transport = NULL;
    int len = snprintf(reach->session_key, sizeof(reach->session_key), "%s:%u", reach->host->text,
                       reach->port);
    struct tls_connect_options options = {
        .host = reach->host,
        .sessions = engine->tls_sessions,
        .session_key = slice_of(reach->session_key, len < 0 ? 0 : (size_t)len),
    };
    enum status status = tls_connect_create(
        engine->tls_scratch, &lower, reach->snapshot->tls_client, &options, &reach->transport);
    if (status != ST_OK) {
        transport_close(&lower, /* is_abort= */ true);
        reach_finish(reach, REACH_NO_MEMORY);
        return false;
    }
    transport_listen(reach->transport, reach, reach_on_ready);
    reach->tls_begin_ns = clock_monotonic_ns();
    timer_set_in(engine->loop, &reach->timer, reach->snapshot->config->timeouts.upstream_tls_ns);
    return true;
}

static void reach_shake_hands(struct reach *reach)
{
    enum status status = transport_handshake(reach->transport);
    if (status == ST_AGAIN)
        return;
    if (status == ST_OK) {
        reach->tls_end_ns = clock_monotonic_ns();
        reach->tls = tls_record(reach->transport);
        counter_add(reach->engine->counters, COUNT_UPSTREAM_TLS_HANDSHAKES, 1);
        reach_finish(reach, REACH_OK);
        return;
    }
    const char *verdict = tls_verify_error(reach->transport);
    bool is_alert = tls_peer_alert(reach->transport) >= 0;
    reach->is_untrusted = tls_is_untrusted(reach->transport);
    reach->tls_end_ns = clock_monotonic_ns();
    const char *fault = verdict != NULL ? verdict : transport_fault(reach->transport);
    (void)snprintf(reach->detail, sizeof(reach->detail), "%.60s: %.90s", reach->host->text,
                   fault[0] != '\0' ? fault : "the connection ended during the handshake");
    reach_finish(reach, verdict != NULL ? REACH_TLS_CERTIFICATE
                        : is_alert      ? REACH_TLS_ALERT
                                        : REACH_TLS_FAILED);
}

static void reach_run(struct task *task)
{
    struct reach *reach = CONTAINER_OF(task, struct reach, task);
    if (reach->is_handed)
        return;
    if (reach->is_dialled && !reach_begin_transport(reach))
        return;
    if (reach->transport != NULL)
        reach_shake_hands(reach);
    if (reach->is_late && !reach->is_handed)
        reach_end_late(reach);
}

void reach_start(struct reach *reach)
{
    struct engine *engine = reach->engine;
    const struct config *config = reach->snapshot->config;
    CHECK(!reach->is_started);
    reach->is_started = true;
    task_init(&reach->task, reach_run);
    timer_init(&reach->timer, reach_time_out);
    struct dial_request request = {
        .host = reach->host,
        .port = reach->port,
        .deadline_ns = loop_now_ns(engine->loop) + config->timeouts.connect_ns,
        .options =
            {
                .attempt_delay_ns = config->timeouts.connect_attempt_ns,
                .mixed = config->egress.skips_mixed ? DIAL_MIXED_SKIP : DIAL_MIXED_REFUSE,
                .asks_as_is = gate_denies_names(reach->snapshot->gate),
                .socket =
                    {
                        .source = &config->source,
                        .user_timeout_ms = (unsigned)(config->tcp.user_timeout_ns / NS_PER_MS),
                        .congestion = config->tcp.congestion_upstream,
                    },
            },
        .owner = reach,
        .permit = reach_permit,
        .on_done = reach_on_dialled,
    };
    dial_start(&reach->dial, &engine->dial, &request);
}

void reach_look(struct reach *reach)
{
    if (reach->dial.is_active)
        reach_copy_facts(reach);
}

void reach_mark(const struct reach *reach, struct timeline *timeline)
{
    timeline_mark_at(timeline, MARK_U_DNS0, reach->dns_begin_ns);
    timeline_mark_at(timeline, MARK_U_DNS1, reach->dns_end_ns);
    timeline_mark_at(timeline, MARK_U_SYN0, reach->connect_begin_ns);
    timeline_mark_at(timeline, MARK_U_SYN1, reach->connect_end_ns);
    timeline_mark_at(timeline, MARK_U_TLS0, reach->tls_begin_ns);
    timeline_mark_at(timeline, MARK_U_TLS1, reach->tls_end_ns);
}

void reach_cancel(struct reach *reach)
{
    if (!reach->is_started)
        return;
    dial_cancel(&reach->dial);
    timer_cancel(&reach->timer);
    task_cancel(&reach->task);
    transport_close(&reach->transport, /* is_abort= */ true);
    reach->is_started = false;
}
