/* The record of an exchange, filled from its facts in one place. */

#include "proxy/exchange_internal.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/clock.h"
#include "net/tcp_info.h"

#include <string.h>

enum { TELL_FIELD_MAX = 256, TELL_MESSAGE_MAX = 320, TELL_NAMES_MAX = 1024, TELL_HEAD_USUAL = 512 };

static struct slice tell_field(const struct exchange *x, enum token token)
{
    const struct field *field = fields_find(&x->request->fields, token);
    return field == NULL ? SLICE_NONE : field->value;
}

static void tell_request(const struct exchange *x, struct record *record)
{
    const struct head *request = x->request;
    bool keeps_query = x->snapshot->config->log.keeps_query;
    record->client_major = request->major;
    record->client_minor = request->minor;
    record_set(record, &record->method, request->method_name, 32);
    record_set_url(record, request->target, keeps_query);
    record_set(record, &record->host, exchange_host_name(x), HOST_MAX);
    record_set_referer(record, tell_field(x, TOKEN_REFERER), keeps_query);
    record_set(record, &record->user_agent, tell_field(x, TOKEN_USER_AGENT), TELL_FIELD_MAX);
}

/* The names with a line feed between two; none holds one. False: there is no room for all. */
static bool tell_list(struct record *record, struct record_text *which, const struct slice *names,
                      size_t count)
{
    char space[TELL_NAMES_MAX];
    struct text text = text_on(space, sizeof(space));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add_char(&text, '\n');
        text_add(&text, names[i]);
    }
    if (!text.is_cut)
        record_set(record, which, text_slice(&text), sizeof(space));
    return !text.is_cut && which->len == text.len;
}

/* What rules ask of a client beside its user. Last, so that it takes room from nothing else. */
static void tell_client(const struct exchange *x, struct record *record)
{
    const struct config_listen *listen = x->client->listen;
    const struct identity *who = &x->who;
    bool is_named = listen != NULL && (listen->has_name || listen->kind != LISTEN_TCP ||
                                       listen->proxy_from.count > 0);
    if (is_named)
        record_set(record, &record->listener_name, listen->name, TELL_FIELD_MAX);
    if (who->proof == IDENTITY_PEER)
        (void)tell_list(record, &record->groups, who->groups, who->group_count); /* always fits */
    if (who->cert_subject.len == 0 && who->cert_name_count == 0)
        return;
    record_set(record, &record->cert_subject, who->cert_subject, TELL_NAMES_MAX);
    if (record->cert_subject.len == who->cert_subject.len &&
        tell_list(record, &record->cert_names, who->cert_names, who->cert_name_count))
        return;
    record->cert_subject.len = record->cert_names.len = 0;
    record->certificate_is_cut = true;
}

/* Worth a system call for each leg? Until now, where it has not ended. A tunnel asks at its own end. */
static bool tell_is_slow(const struct exchange *x)
{
    const uint64_t *at = x->timeline.at_ns;
    if (at[MARK_T_OPEN] != 0)
        return false;
    uint64_t begin_ns = at[MARK_C_FIRST] != 0 ? at[MARK_C_FIRST] : at[MARK_C_ACCEPT];
    uint64_t end_ns = at[MARK_X_END] != 0 ? at[MARK_X_END] : loop_now_ns(exchange_loop(x));
    return begin_ns != 0 && end_ns >= begin_ns + RECORD_SLOW_NS;
}

/* What is to be told of the lease, with the bytes of the legs before it. False: there is none. */
static bool tell_lease(const struct exchange *x, struct exchange_leg *ret_leg)
{
    const struct upstream *up = x->lease.upstream;
    const struct stream *stream = x->lease.stream;
    struct stream_tally tally;
    if (up == NULL)
        return false;
    uint64_t taken_ns = x->timeline.at_ns[MARK_P_SLOT];
    stream->ops->tally(stream, &tally);
    *ret_leg = (struct exchange_leg){
        .peer = up->peer,
        .source = up->source,
        .tls = up->tls,
        .conn_id = up->id,
        .use = x->lease.use,
        .age_ns = taken_ns > up->connected_ns ? taken_ns - up->connected_ns : 0,
        .paid_dns_ns = up->paid_dns_ns,
        .paid_connect_ns = up->paid_connect_ns,
        .paid_tls_ns = up->paid_tls_ns,
        .in_bytes = x->leg.in_bytes + tally.received_bytes - tally.unread_bytes,
        .out_bytes = x->leg.out_bytes + tally.sent_bytes,
    };
    if (tell_is_slow(x))
        tcp_info_read(up->codec->wire.transport, &ret_leg->tcp);
    return true;
}

void exchange_note_upstream(struct exchange *x)
{
    (void)tell_lease(x, &x->leg);
}

static void tell_upstream(const struct exchange_leg *leg, struct record *record)
{
    if (leg->conn_id == 0)
        return;
    record->upstream = leg->peer;
    record->source = leg->source;
    record->upstream_tls = leg->tls;
    record->upstream_conn_id = leg->conn_id;
    record->upstream_use = leg->use;
    record->upstream_age_ns = leg->age_ns;
    record->paid_dns_ns = leg->paid_dns_ns;
    record->paid_connect_ns = leg->paid_connect_ns;
    record->paid_tls_ns = leg->paid_tls_ns;
    record->upstream_in_bytes = leg->in_bytes;
    record->upstream_out_bytes = leg->out_bytes;
    record->upstream_tcp = leg->tcp;
}

/* The way to the origin, if one was made or tried. */
static void tell_reach(const struct reach *reach, struct record *record)
{
    record->upstream = reach->peer;
    record->dns_source = reach->dns_source;
    record->dns_answers = reach->dns_answers;
    record->stalled_by_dns_ns = reach->names_ns;
    record->attempt_count = reach->attempt_count;
    record->is_untrusted = reach->is_untrusted;
    memcpy(record->attempts, reach->attempts, reach->attempt_count * sizeof(reach->attempts[0]));
}

static struct record_pace tell_pace(const struct flow *flow)
{
    return (struct record_pace){.quiet_ns = flow->quiet_ns, .pauses = flow->pauses};
}

static void tell_failure(const struct exchange *x, struct record *record)
{
    const struct failure_row *row = failure_row(x->cause);
    char message[TELL_MESSAGE_MAX];
    struct text text = text_on(message, sizeof(message));
    record_set(record, &record->cause, slice_from_string(row->word), 64);
    if (x->is_local)
        record_set(record, &record->token, slice_from_string(row->token), 64);
    failure_add_message(x->cause, exchange_detail(x), &text);
    record_set(record, &record->detail, text_slice(&text), sizeof(message));
}

/* All but the upstream leg. */
static void tell_facts(const struct exchange *x, struct record *record)
{
    const struct client *client = x->client;
    struct stream_tally tally;
    x->down->ops->tally(x->down, &tally);
    record_begin(record);
    record->kind = x->is_local ? RECORD_LOCAL : RECORD_EXCHANGE;
    record->id = x->id;
    record->worker = x->proxy->engine->worker;
    record->status = x->response_head_done ? x->status : 0;
    record->end = x->end;
    record->ended_by = x->ended_by;
    record->client = client->peer;
    record->listener = client->local;
    record->client_conn_id = client->id;
    record->client_use = client->uses;
    record->client_tls = client->tls;
    record->client_in_bytes = tally.received_bytes;
    if (!x->is_head_bad) /* else what came is what was refused */
        record->client_in_bytes -= tally.unread_bytes;
    record->client_out_bytes = tally.sent_bytes;
    record->request_body_bytes = tally.received_body_bytes;
    record->response_body_bytes = tally.sent_body_bytes;
    record->upstream_status = x->upstream_status;
    record->upstream_minor = x->upstream_minor;
    record->stalled_by_client_ns = x->response_flow.stalled_ns;
    record->stalled_by_upstream_ns = x->request_flow.stalled_ns;
    record->stalled_by_limits_ns = x->request_flow.limited_ns + x->response_flow.limited_ns;
    record->held_ns = x->held_ns;
    record->client_pace = tell_pace(&x->request_flow);
    record->upstream_pace = tell_pace(&x->response_flow);
    record->retries = x->has_retried ? 1 : 0;
    record->retry_was_stale_pool = x->has_retried;
    record->timeline = x->timeline;
    if (x->has_reached)
        tell_reach(&x->reach, record);
    if (tell_is_slow(x))
        tcp_info_read(client->codec->wire.transport, &record->client_tcp);
    tell_request(x, record);
    record_set(record, &record->user, x->who.user, TELL_FIELD_MAX);
    struct slice rule = x->rule[0] != '\0' ? slice_from_string(x->rule) : x->allowed_by;
    record_set(record, &record->rule, rule, sizeof(x->words.rule));
    if (x->rule[0] == '\0')
        record_set(record, &record->would_deny, x->would_deny, sizeof(x->words.rule));
    record_set(record, &record->remedy, slice_from_string(x->remedy), sizeof(x->words.remedy));
    if (x->cause != CAUSE_NONE)
        tell_failure(x, record);
    tell_client(x, record);
}

void exchange_tell_soon(const struct exchange *x)
{
    const struct fields *fields = &x->request->fields;
    cache_want(fields->at, fields->count * sizeof(fields->at[0]));
    cache_want(x->request->method_name.at, TELL_HEAD_USUAL);
}

void exchange_tell(const struct exchange *x, struct record *record)
{
    struct exchange_leg leased;
    const struct exchange_leg *leg = tell_lease(x, &leased) ? &leased : &x->leg;
    tell_facts(x, record);
    tell_upstream(leg, record);
    record_seal(record);
}

uint64_t exchange_begun_ns(struct link *link, uint64_t *ret_id)
{
    const struct exchange *x = CONTAINER_OF(link, struct exchange, client_link);
    *ret_id = x->id;
    return x->timeline.at_ns[MARK_C_FIRST];
}

static uint64_t tell_since(uint64_t begin_ns, uint64_t now_ns)
{
    return begin_ns != 0 && now_ns > begin_ns ? now_ns - begin_ns : 0;
}

/* Stalls and pauses that last count as if they ended now, so that it shows whom a transfer that stands still waits
 * for. Who has said all does not pause. */
static void tell_flow_so_far(const struct flow *flow, bool is_done, uint64_t now_ns,
                             uint64_t *stalled_ns, struct record *record, struct record_pace *pace)
{
    uint64_t quiet_ns = tell_since(flow->last_ns, now_ns);
    *stalled_ns += tell_since(flow->stalled_since_ns, now_ns);
    record->stalled_by_limits_ns += tell_since(flow->limited_since_ns, now_ns);
    if (is_done || flow->stalled_since_ns != 0 || flow->limited_since_ns != 0 ||
        quiet_ns < RECORD_PAUSE_NS)
        return;
    pace->quiet_ns += quiet_ns;
    pace->pauses++;
}

void exchange_describe(struct link *link, struct record *into)
{
    struct exchange *x = CONTAINER_OF(link, struct exchange, client_link);
    uint64_t now_ns = clock_monotonic_ns();
    if (x->is_reaching)
        reach_look(&x->reach);
    exchange_tell(x, into);
    if (x->is_reaching)
        reach_mark(&x->reach, &into->timeline);
    tell_flow_so_far(&x->request_flow, x->request_done, now_ns, &into->stalled_by_upstream_ns, into,
                     &into->client_pace);
    tell_flow_so_far(&x->response_flow, x->response_done, now_ns, &into->stalled_by_client_ns, into,
                     &into->upstream_pace);
    into->held_ns += tell_since(x->held_since_ns, now_ns);
    into->end = END_NONE; /* a limit that passed is not the end yet */
    into->ended_by = LEG_NONE;
    into->is_in_progress = true;
    into->now_ns = now_ns;
}
