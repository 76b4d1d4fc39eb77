/* Whether the request is sound, and whether it may pass: what is decided of it before anything goes to an origin, but
 * for who asks (identify.c) and what that one may have (admit.c). */

#include "proxy/exchange_internal.h"

#include "upstream/versions.h"

#include <stdio.h>

/* ---- check ---- */

/* Max-Forwards: 0 of TRACE and OPTIONS is answered here (RFC 9110 §7.6.2). */
static bool check_max_forwards(struct exchange *x)
{
    if (x->method != METHOD_TRACE && x->method != METHOD_OPTIONS)
        return false;
    uint32_t left = 0;
    return hop_max_forwards(x->request, &left) == ST_OK && left == 0;
}

static bool check_has_content(const struct exchange *x)
{
    const struct framing *body = &x->request_body;
    return body->kind == FRAMING_CHUNKED || (body->kind == FRAMING_LENGTH && body->length > 0);
}

/* Target and Host (RFC 9112 §3.2, §3.3). NEXT_WAIT: sound, go on checking. */
static enum next check_target(struct exchange *x)
{
    enum target_fault fault = target_of_head(x->request, &x->target);
    if (fault != TARGET_FAULT_NONE) {
        bool is_host = x->target.host_fault != HOST_FINE;
        return exchange_refuse(x, CAUSE_BAD_TARGET,
                               is_host ? host_fault_text(x->target.host_fault)
                                       : target_fault_text(fault));
    }
    if (x->target.form == TARGET_ASTERISK)
        return exchange_enter(x, STEP_reply);
    bool is_page = x->method == METHOD_GET || x->method == METHOD_HEAD;
    x->wants_denials = denials_page_is_meant(x);
    if (x->wants_denials)
        return is_page ? NEXT_WAIT : exchange_refuse(x, CAUSE_METHOD_NOT_ALLOWED, "");
    if (x->target.form == TARGET_ORIGIN && is_page &&
        slice_equals(x->target.path_and_query, SLICE("/")))
        return exchange_enter(x, STEP_reply); /* somebody looks at us with a browser */
    if (x->target.form == TARGET_ORIGIN)
        return exchange_refuse(x, CAUSE_NOT_HERE, "send requests in absolute-form, or CONNECT");
    if (x->target.scheme == SCHEME_OTHER)
        return exchange_refuse(x, CAUSE_SCHEME, "");
    x->host = &x->target.host;
    x->port = target_port(&x->target);
    x->is_tls = x->target.scheme == SCHEME_HTTPS;
    return NEXT_WAIT;
}

/* Enters the reply where there is an answer of our own. */
static enum next check_request(struct exchange *x)
{
    const struct head *request = x->request;
    enum next next = check_target(x);
    if (next != NEXT_WAIT)
        return next;
    if (hop_via_holds(&request->fields, x->snapshot->via))
        return exchange_refuse(x, CAUSE_LOOP, "its Via field names this proxy");
    bool is_other = false;
    x->wants_continue = hop_expects_continue(request, &is_other);
    if (is_other)
        return exchange_refuse(x, CAUSE_EXPECTATION, "");
    if (x->method == METHOD_TRACE && check_has_content(x))
        return exchange_refuse(x, CAUSE_BAD_REQUEST, "a TRACE request has content");
    if (check_max_forwards(x))
        return exchange_enter(x, STEP_reply);
    x->is_upgrade =
        request->upgrade.len > 0 && x->method != METHOD_CONNECT && !check_has_content(x);
    return NEXT_WAIT;
}

/* Answers of our own are for those that are admitted, too. */
enum next step_check(struct exchange *x)
{
    if (x->proxy->handler != NULL)
        return exchange_enter(x, STEP_handle);
    x->is_answered = check_request(x) == NEXT_GO_ON;
    return exchange_enter(x, STEP_admit);
}

/* ---- decide ---- */

struct gate_question exchange_question(const struct exchange *x)
{
    static const struct slice schemes[] = {
        [SCHEME_HTTP] = {"http", 4}, [SCHEME_HTTPS] = {"https", 5}};
    bool is_connect = x->target.form == TARGET_AUTHORITY;
    const struct config_listen *listen = x->client->listen;
    return (struct gate_question){
        .host = x->host,
        .port = x->port,
        .is_connect = is_connect,
        .client = x->client->peer.addr,
        .listener = listen != NULL ? listen->name : SLICE_NONE,
        .method = x->request->method_name,
        .scheme = is_connect ? SLICE_NONE : schemes[x->target.scheme],
        .path = is_connect ? SLICE_NONE : x->target.path_and_query,
        .who = x->who,
    };
}

void exchange_note_answer(struct exchange *x, const struct gate_answer *answer)
{
    if (!answer->has_judged)
        return;
    x->allowed_by = answer->allowed_by;
    x->would_deny = answer->would_deny;
    x->tls_is_optional = answer->tls_is_optional;
}

enum next step_decide(struct exchange *x)
{
    if (x->wants_denials)
        return denials_page_may_show(x)
                   ? exchange_enter(x, STEP_reply)
                   : exchange_refuse(x, CAUSE_NOT_HERE,
                                     "name the proxy by its address, or show credentials");
    struct gate_question question = exchange_question(x);
    struct gate_answer answer;
    bool is_allowed = gate_request(x->snapshot->gate, &question, &answer);
    exchange_note_answer(x, &answer);
    timeline_mark_at(&x->timeline, MARK_P_POLICY, x->run_ns);
    timeline_mark(&x->timeline, MARK_P_POLICY); /* it was waited for who asks */
    if (is_allowed && x->request_body.kind == FRAMING_CHUNKED &&
        versions_is_old(&x->proxy->engine->versions, x->host, x->port))
        return exchange_refuse(x, CAUSE_LENGTH_REQUIRED, ""); /* RFC 9112 §6.1 */
    if (is_allowed)
        return exchange_enter(x, STEP_charge);
    exchange_blame(x, answer.rule, answer.remedy);
    return exchange_refuse(x, CAUSE_REFUSED, answer.rule);
}
