/* The way to an origin: an idle connection of the pool, or a new one.
 *
 * The gate judges every address: each candidate before the dial tries it, and the peer of a pooled
 * connection again before it is used, since the rules may have changed since it was made. */

#include "proxy/exchange_internal.h"

#include "base/check.h"

#include <assert.h>
#include <stdio.h>

static bool acquire_judge(struct exchange *x, const struct inet_endpoint *endpoint,
                          struct gate_answer *ret_answer)
{
    struct gate_question question = exchange_question(x);
    bool is_allowed = gate_address(x->snapshot->gate, &question, endpoint, ret_answer);
    if (is_allowed)
        exchange_note_answer(x, ret_answer);
    return is_allowed;
}

/* Of several addresses one more is refused: what may refuse the whole is kept. All must be opened, so one that nothing
 * opens counts for all, or (egress.mixed: skip) any of them. */
static void acquire_keep_refusal(struct exchange *x, const struct gate_answer *answer)
{
    bool is_first = !x->has_refused_address;
    bool is_any = x->snapshot->config->egress.skips_mixed;
    bool could_open = !is_first && x->words.remedy[0] != '\0';
    bool can_open = answer->remedy[0] != '\0';
    static_assert(sizeof(x->words.rule) == GATE_TEXT && sizeof(x->words.remedy) == GATE_TEXT,
                  "an answer fits");
    x->has_refused_address = true;
    if (is_first || (can_open != could_open && can_open == is_any)) {
        (void)snprintf(x->words.rule, GATE_TEXT, "%s", answer->rule);
        (void)snprintf(x->words.remedy, GATE_TEXT, "%s", answer->remedy);
    } else if (can_open && could_open && !is_any) {
        gate_join_remedies(x->words.remedy, answer->remedy);
    }
}

/* Of what a name leads to, before it is dialled. */
static bool acquire_permit(void *owner, const struct inet_endpoint *endpoint)
{
    struct exchange *x = owner;
    struct gate_answer answer;
    bool is_allowed = acquire_judge(x, endpoint, &answer);
    if (!is_allowed)
        acquire_keep_refusal(x, &answer);
    return is_allowed;
}

/* Of an idle connection, beside which there may be others, and a new one. */
static bool acquire_permit_idle(void *owner, const struct inet_endpoint *endpoint)
{
    struct gate_answer answer;
    return acquire_judge(owner, endpoint, &answer);
}

static void acquire_on_done(struct reach *reach)
{
    exchange_wake(reach->owner);
}

/* The exchange has a lease. */
static void acquire_begin(struct exchange *x, bool is_reused)
{
    retry_prepare(x, is_reused);
    x->lease.stream->owner = x;
    x->lease.stream->on_ready = exchange_on_stream_ready;
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
    case REACH_TLS_ALERT: return CAUSE_TLS_ALERT;
    case REACH_TLS_FAILED: return CAUSE_TLS_PROTOCOL;
    case REACH_TLS_TIMEOUT: return CAUSE_TLS_TIMEOUT;
    case REACH_NO_MEMORY: return CAUSE_SHED;
    case REACH_DIAL_FAILED:
    case REACH_OK: break;
    }
    CHECK((size_t)reach->dial_cause < COUNT_OF(causes));
    CHECK(causes[reach->dial_cause] != CAUSE_NONE);
    return causes[reach->dial_cause];
}

static enum next acquire_finish_reach(struct exchange *x)
{
    struct reach *reach = &x->reach;
    x->is_reaching = false;
    reach_mark(reach, &x->timeline);
    if (reach->result != REACH_OK) {
        enum cause cause = acquire_cause(reach);
        if (cause == CAUSE_REFUSED_ADDRESS) { /* else one that was skipped is not why it failed */
            CHECK(x->has_refused_address);
            x->rule = x->words.rule;
            x->remedy = x->words.remedy;
        }
        x->proxy->engine->reach_cancel(reach);
        return exchange_refuse(x, cause, cause == CAUSE_REFUSED_ADDRESS ? x->rule : reach->detail);
    }
    struct gate_answer answer;
    if (!acquire_judge(x, &reach->peer, &answer)) { /* the last answer may be of another */
        x->proxy->engine->reach_cancel(reach);
        exchange_blame(x, answer.rule, answer.remedy);
        return exchange_refuse(x, CAUSE_REFUSED_ADDRESS, x->rule);
    }
    enum status status = pool_add(x->proxy->engine->pool, reach, &x->lease);
    x->proxy->engine->reach_cancel(reach);
    if (status != ST_OK)
        return exchange_refuse(x, CAUSE_SHED, "");
    acquire_begin(x, /* is_reused= */ false);
    return exchange_enter(x, x->target.form == TARGET_AUTHORITY ? STEP_open : STEP_send);
}

void acquire_leave(struct exchange *x)
{
    if (!x->is_reaching)
        return;
    reach_look(&x->reach);
    reach_mark(&x->reach, &x->timeline);
    x->proxy->engine->reach_cancel(&x->reach);
    x->is_reaching = false;
}

enum next step_acquire(struct exchange *x)
{
    struct engine *engine = x->proxy->engine;
    if (x->is_reaching && !x->reach.is_handed) {
        if (!exchange_client_left(x))
            return NEXT_WAIT;
        acquire_leave(x);
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    }
    if (x->is_reaching)
        return acquire_finish_reach(x);
    if (x->down->ops->settle(x->down) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");

    bool is_tunnel = x->target.form == TARGET_AUTHORITY;
    /* Of the first try: what that took later is no wait of ours. It follows the decision at once, since new connections
     * need no slot so far. */
    timeline_mark_at(&x->timeline, MARK_P_SLOT, x->timeline.at_ns[MARK_P_POLICY]);
    bool may_reuse = !is_tunnel && !x->is_upgrade && !x->has_retried;
    if (may_reuse &&
        pool_take(engine->pool, x->host, x->port, x->is_tls, acquire_permit_idle, x, &x->lease)) {
        counter_add(engine->counters, COUNT_POOL_REUSES, 1);
        acquire_begin(x, /* is_reused= */ true);
        return exchange_enter(x, STEP_send);
    }
    struct reach *reach = &x->reach;
    reach_init(reach);
    reach->engine = engine;
    reach->snapshot = x->snapshot;
    reach->host = x->host;
    reach->port = x->port;
    reach->is_tls = x->is_tls;
    reach->permit = acquire_permit;
    reach->on_done = acquire_on_done;
    reach->owner = x;
    x->has_reached = x->is_reaching = true;
    x->has_refused_address = false;
    engine->reach_start(reach);
    return NEXT_WAIT;
}
