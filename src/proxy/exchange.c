/* The life of an exchange, as a list of steps that reads from top to bottom.
 *
 *   check     the request's target, host and expectations are sound; else an answer of our own  (check.c)
 *   handle    a handler answers instead (the admin listener)                          (reply.c)
 *   admit     the client's budget has room for it, whatever the answer; else 429 or 503  (admit.c)
 *   identify  who asks: certificate, process, credentials; else 407                   (identify.c)
 *   decide    the gate on name, port and client; the asker's own refusals are shown    (check.c; denials_page.c)
 *   charge    and so has the user's; a tunnel has its place                             (admit.c)
 *   acquire   a pooled connection, or reaching the origin: name, addresses (each through the gate),
 *             connect, TLS                                                             (acquire.c)
 *   open      CONNECT only: 200, then both ends become a tunnel
 *   send      the request head, written anew
 *   forward   both bodies, interim responses, the response head; 101 becomes a tunnel  (forward.c;
 *             once more on a new connection: retry.c)
 *   reply     a locally made answer goes out                                           (reply.c)
 *   finish    record, connections given back
 *
 * Each step is straight code between two waits; NEXT_WAIT returns to the loop, and any event runs the same
 * step again; NEXT_ROUND does so for one round of the turn. Events only queue the task (architecture: events
 * record, one place acts); so does the one timer, which carries the deadline of the present wait.
 *
 * A failure before a final head was sent downstream becomes an answer (or one retry, RFC 9110 §9.2.2); later
 * it can only be shown by cutting the connection. */

#include "proxy/exchange_internal.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/clock.h"
#include "upstream/versions.h"

#include <stdio.h>
#include <string.h>

/* The arena holds a head that is written, or trailers, with as many fields as limits.head_fields can be. */
enum { EXCHANGE_ARENA_BYTES = 1024 * 1024 };

static enum next (*const steps[])(struct exchange *) = {
#define X(name) [STEP_##name] = step_##name,
    STEPS(X)
#undef X
};

enum next exchange_enter(struct exchange *x, enum step step)
{
    x->step = step;
    x->progress_ns = 0;
    timer_cancel(&x->timer);
    return NEXT_GO_ON;
}

/* The deadline of the present wait is over. */
static enum next exchange_end_late(struct exchange *x)
{
    x->end = END_TIMEOUT;
    if (x->step == STEP_forward)
        return exchange_give_up(x, forward_late_cause(x), "");
    exchange_fail(x, CAUSE_CLIENT_STALLED, "");
    return exchange_enter(x, STEP_finish);
}

/* What moved in the same turn counts. */
static enum next exchange_judge_unwanted(struct exchange *x)
{
    x->is_unwanted = false;
    if (x->step != STEP_forward || x->progress_ns == loop_now_ns(exchange_loop(x)))
        return NEXT_WAIT;
    counter_add(x->proxy->engine->counters, COUNT_RELIEVED, 1);
    admit_blame_memory(x);
    return exchange_give_up(x, CAUSE_MEMORY, "");
}

/* A step waits: may it? */
static enum next exchange_judge_wait(struct exchange *x, bool is_late)
{
    bool waits_still =
        is_late && timer_is_set(&x->timer) && x->timer.deadline_ns <= loop_now_ns(exchange_loop(x));
    bool is_overdue = x->is_overdue && x->step == STEP_reply;
    if (waits_still || is_overdue)
        return exchange_end_late(x);
    return x->is_unwanted ? exchange_judge_unwanted(x) : NEXT_WAIT;
}

/* The whole engine. Of a deadline that passed the step hears nothing: what came in the same turn counts, and only a
 * wait that goes on as before is over. Neither that nor whether it is unwanted is judged before the step is through. */
static void exchange_run(struct exchange *x)
{
    bool is_late = x->is_late;
    enum next next = NEXT_GO_ON;
    x->is_late = false;
    while (next == NEXT_GO_ON) {
        next = steps[x->step](x);
        if (next == NEXT_WAIT)
            next = exchange_judge_wait(x, is_late);
        else if (next == NEXT_ROUND)
            x->is_late = is_late;
    }
}

void exchange_relieve(struct exchange *x)
{
    x->is_unwanted = true;
    exchange_wake(x);
}

static void exchange_run_task(struct task *task)
{
    struct exchange *x = CONTAINER_OF(task, struct exchange, task);
    CHECK_TAG(x, EXCHANGE_TAG);
    x->run_ns = 0;
    exchange_run(x);
}

/* Others come first, mostly: what it will look at is there by then. */
void exchange_wake(struct exchange *x)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    loop_queue(exchange_loop(x), &x->task);
    cache_want(x, EXCHANGE_FRONT + sizeof(x->timeline));
}

void exchange_wake_later(struct exchange *x)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    loop_queue_later(exchange_loop(x), &x->task);
}

bool exchange_client_left(struct exchange *x)
{
    const struct stream *down = x->down;
    if (!down->ops->has_ended(down))
        return false;
    timeline_mark(&x->timeline, MARK_X_FIN_C);
    return down->ops->is_gone(down);
}

static void exchange_time_out(struct timer *timer)
{
    struct exchange *x = CONTAINER_OF(timer, struct exchange, timer);
    CHECK_TAG(x, EXCHANGE_TAG);
    x->is_late = true;
    exchange_wake(x);
}

static void count_to(struct exchange *x, enum counter counter, uint64_t total, uint64_t *counted)
{
    DCHECK(total >= *counted);
    counter_add(x->proxy->engine->counters, counter, total - *counted);
    *counted = total;
}

/* What moved on both legs, as the record tells it. */
static struct exchange_bytes bytes_moved(const struct exchange *x, const struct stream_tally *down,
                                         const struct stream_tally *up)
{
    return (struct exchange_bytes){
        .client_in = down->received_bytes - (x->is_head_bad ? 0 : down->unread_bytes),
        .client_out = down->sent_bytes,
        .upstream_in = x->leg.in_bytes + up->received_bytes - up->unread_bytes,
        .upstream_out = x->leg.out_bytes + up->sent_bytes,
    };
}

/* Tell the metrics what moved since the last time. */
static void count_bytes(struct exchange *x, const struct exchange_bytes *moved)
{
    struct exchange_bytes *counted = &x->counted;
    struct budget *budget = &x->client->budget;
    if (budget->is_metered) {
        uint64_t now_ns = loop_now_ns(exchange_loop(x));
        budget_moved(budget, BUDGET_UP, moved->client_in - counted->client_in, now_ns);
        budget_moved(budget, BUDGET_DOWN, moved->client_out - counted->client_out, now_ns);
    }
    count_to(x, COUNT_CLIENT_IN_BYTES, moved->client_in, &counted->client_in);
    count_to(x, COUNT_CLIENT_OUT_BYTES, moved->client_out, &counted->client_out);
    count_to(x, COUNT_UPSTREAM_IN_BYTES, moved->upstream_in, &counted->upstream_in);
    count_to(x, COUNT_UPSTREAM_OUT_BYTES, moved->upstream_out, &counted->upstream_out);
}

void exchange_progress(struct exchange *x)
{
    struct stream_tally down;
    struct stream_tally up = {0};
    x->down->ops->tally(x->down, &down);
    if (x->lease.stream != NULL)
        x->lease.stream->ops->tally(x->lease.stream, &up);
    uint64_t moved = down.received_bytes + down.sent_bytes + up.received_bytes + up.sent_bytes;
    if (moved != x->moved_bytes || x->progress_ns == 0) {
        x->moved_bytes = moved;
        x->progress_ns = loop_now_ns(exchange_loop(x));
        link_remove(&x->running_link);
        list_append(&x->proxy->running, &x->running_link);
        struct exchange_bytes bytes = bytes_moved(x, &down, &up);
        count_bytes(x, &bytes);
    }
    timer_set(exchange_loop(x), &x->timer,
              x->step == STEP_forward
                  ? forward_deadline_ns(x)
                  : x->progress_ns + exchange_config(x)->timeouts.body_stall_ns);
}

/* ---- failures ---- */

const char *exchange_detail(const struct exchange *x)
{
    return strcmp(x->detail, x->rule) == 0 ? "" : x->detail;
}

/* A copy of words; for none, as most exchanges have, the room is not touched. */
static const char *copy_words(char *room, size_t size, const char *words)
{
    if (words[0] == '\0')
        return "";
    (void)snprintf(room, size, "%s", words);
    return room;
}

void exchange_blame(struct exchange *x, const char *rule, const char *remedy)
{
    x->rule = copy_words(x->words.rule, sizeof(x->words.rule), rule);
    x->remedy = copy_words(x->words.remedy, sizeof(x->words.remedy), remedy);
}

void exchange_fail(struct exchange *x, enum cause cause, const char *detail)
{
    CHECK(detail != NULL);
    if (x->cause != CAUSE_NONE)
        return;
    x->cause = cause;
    x->detail = copy_words(x->words.detail, sizeof(x->words.detail), detail);
}

enum next exchange_refuse(struct exchange *x, enum cause cause, const char *detail)
{
    /* What follows may not be what it seems (RFC 9112 §11.2). Behind a CONNECT that may be bytes of the
     * tunnel, sent before the answer came, and whoever chose them would speak to us as the client. */
    if (cause == CAUSE_BAD_TARGET || cause == CAUSE_BAD_REQUEST || x->method == METHOD_CONNECT)
        x->down->may_persist = false;
    exchange_fail(x, cause, detail);
    return exchange_enter(x, STEP_reply);
}

void exchange_drop_upstream(struct exchange *x)
{
    struct stream *up = x->lease.stream;
    if (up == NULL)
        return;
    exchange_note_upstream(x);
    forward_release(x);
    up->ops->reset(up, STREAM_CANCEL);
    pool_give(x->proxy->engine->pool, &x->lease);
}

enum next exchange_give_up(struct exchange *x, enum cause cause, const char *detail)
{
    exchange_fail(x, cause, detail);
    exchange_drop_upstream(x);
    bool can_answer = !x->response_head_done && failure_row(x->cause)->status != 0;
    return exchange_enter(x, can_answer ? STEP_reply : STEP_finish);
}

/* ---- birth ---- */

void exchange_on_stream_ready(struct stream *stream)
{
    struct exchange *x = stream->owner;
    bool awaits_head = stream == x->lease.stream && !x->response_head_done &&
                       timeline_has(&x->timeline, MARK_U_TXH); /* else it answers nothing */
    if (awaits_head && loop_is_crowded(exchange_loop(x)))
        stream->ops->receive_ahead(stream); /* all, before the first of it is looked at */
    if (x->is_bulk)
        exchange_wake_later(x);
    else
        exchange_wake(x);
}

static struct exchange *exchange_create(struct client *client, struct stream *down,
                                        const struct head *head)
{
    struct proxy *proxy = client->proxy;
    struct exchange *x = slab_alloc(&proxy->exchange_slab);
    if (x == NULL)
        return NULL;
    x->tag = EXCHANGE_TAG;
    x->client = client;
    x->proxy = proxy;
    x->down = down;
    x->snapshot = snapshot_ref(proxy->engine->snapshot);
    x->request = head;
    x->method = head->method;
    x->id = engine_conn_id(proxy->engine);
    target_init(&x->target);
    exchange_leg_init(&x->leg);
    x->detail = x->rule = x->remedy = "";
    task_init(&x->task, exchange_run_task);
    timer_init(&x->timer, exchange_time_out);
    arena_init(&x->arena, proxy->engine->shared.blocks, EXCHANGE_ARENA_BYTES);
    list_append(&client->exchanges, &x->client_link);
    link_init(&x->running_link);
    down->owner = x;
    down->on_ready = exchange_on_stream_ready;
    x->run_ns = down->head_ns != 0 ? down->head_ns : clock_monotonic_ns();
    timeline_begin_at(&x->timeline, x->run_ns, loop_wall_ns(proxy->engine->loop, x->run_ns));
    if (client->uses == 1) {
        timeline_mark_at(&x->timeline, MARK_C_ACCEPT, client->accepted_ns);
        timeline_mark_at(&x->timeline, MARK_C_TLS, client->tls_done_ns);
    }
    timeline_mark_at(&x->timeline, MARK_C_FIRST,
                     down->begun_ns != 0 ? down->begun_ns : x->timeline.base_ns);
    counter_add(proxy->engine->counters, COUNT_REQUESTS, 1);
    counter_add(proxy->engine->counters, COUNT_REQUESTS_OPEN, 1);
    return x;
}

/* At once, and not when something moves: others look at what is left of the bandwidth meanwhile. */
static void count_head(struct exchange *x)
{
    struct stream_tally down;
    struct stream_tally up = {0};
    if (!x->client->budget.is_metered)
        return;
    x->down->ops->tally(x->down, &down);
    struct exchange_bytes bytes = bytes_moved(x, &down, &up);
    count_bytes(x, &bytes);
}

bool exchange_begin(struct client *client, struct stream *down, const struct head *head,
                    struct framing body)
{
    struct exchange *x = exchange_create(client, down, head);
    if (x == NULL)
        return false;
    x->request_body = body;
    if (down->fault_text != NULL) {
        enum cause cause = down->fault_status == 503 ? CAUSE_SHED : CAUSE_BAD_REQUEST;
        exchange_fail(x, cause, down->fault_text);
        x->fault_status = (uint16_t)down->fault_status;
        x->is_head_bad = true;
        x->step = STEP_reply;
    } else {
        timeline_mark_at(&x->timeline, MARK_C_HEAD, x->timeline.base_ns);
        x->step = STEP_check;
    }
    count_head(x);
    exchange_run(x);
    return true;
}

bool exchange_begin_late(struct client *client, struct stream *down, const struct head *head,
                         enum cause cause, const char *rule)
{
    struct exchange *x = exchange_create(client, down, head);
    if (x == NULL)
        return false;
    x->is_head_bad = true;
    exchange_fail(x, cause, rule);
    exchange_blame(x, rule, "");
    if (cause == CAUSE_OVER_BUDGET)
        x->retry_after_s = 1;
    else
        x->end = END_TIMEOUT;
    x->step = STEP_reply;
    exchange_run(x);
    return true;
}

/* ---- counting ---- */

static void finish_count(struct exchange *x, const struct record *record)
{
    struct counters *counters = x->proxy->engine->counters;
    struct exchange_bytes bytes = {record->client_in_bytes, record->client_out_bytes,
                                   record->upstream_in_bytes, record->upstream_out_bytes};
    count_bytes(x, &bytes);
    if (x->status >= 200 && x->status < 600 && x->response_head_done)
        counter_add(counters, (enum counter)(COUNT_RESPONSES_2XX + x->status / 100 - 2), 1);
    if (failure_is_refusal(x->cause))
        counter_add(counters, COUNT_REFUSALS, 1);
    else if (x->cause != CAUSE_NONE)
        counter_add(counters, COUNT_FAILURES, 1);
    if (x->would_deny.len > 0 && x->rule[0] == '\0')
        counter_add(counters, COUNT_WOULD_DENY, 1);
}

/* ---- open: CONNECT, or 101 ---- */

enum next exchange_become_tunnel(struct exchange *x, enum record_kind kind)
{
    const struct config *config = exchange_config(x);
    struct tunnel_limits limits = {config->timeouts.tunnel_idle_ns,
                                   config->timeouts.tunnel_half_closed_ns,
                                   config->timeouts.tunnel_lifetime_ns};
    /* An upgrade is not asked for TLS. Where TLS begins in it all the same, it is held against the request's host. */
    bool is_upgrade = kind == RECORD_UPGRADE;
    struct sni_asked asked = {exchange_question(x), x->snapshot, x->client->snapshot};
    struct sni_wanted sni = {config->egress.sni, x->tls_is_optional || is_upgrade,
                             config->timeouts.client_tls_ns, denials_asker(x), &asked};
    struct record *record = x->proxy->record;
    timeline_mark(&x->timeline, MARK_T_OPEN);
    exchange_tell(x, record);
    record->kind = (uint8_t)kind;
    finish_count(x, record);
    struct slice from_client;
    struct slice from_origin;
    struct transport *down = x->down->ops->detach(x->down, &from_client);
    struct transport *up = x->lease.stream->ops->detach(x->lease.stream, &from_origin);
    if (tunnel_start(&x->proxy->tunnels, &down, &up, from_client, from_origin, record, &limits,
                     sni.mode != SNI_OFF ? &sni : NULL,
                     &x->client->budget) != ST_OK) { /* both ends are closed */
        record->end = END_ERROR;
        x->proxy->on_record(x->proxy, record);
    } else if (x->proxy->on_tunnel != NULL) {
        x->proxy->on_tunnel(x->proxy);
    }
    x->is_tunnel = true;
    return exchange_enter(x, STEP_finish);
}

enum next step_open(struct exchange *x)
{
    struct stream *down = x->down;
    if (!x->response_head_done) {
        struct head head;
        struct framing none = {.kind = FRAMING_NONE};
        head_init(&head, &x->arena);
        head.status = 200;
        head.major = head.minor = 1;
        head.reason = SLICE("Connection established");
        if (annotate_response(x, &head) != ST_OK ||
            down->ops->send_head(down, &head, none) != ST_OK)
            return exchange_give_up(x, CAUSE_SHED, "");
        x->response_head_done = true;
        x->status = 200;
        timeline_mark(&x->timeline, MARK_D_TX0);
    }
    enum status status = down->ops->flush(down);
    if (status == ST_AGAIN) {
        exchange_progress(x);
        return NEXT_WAIT;
    }
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    timeline_mark(&x->timeline, MARK_D_TX1);
    timeline_mark_at(&x->timeline, MARK_T_OPEN, x->timeline.at_ns[MARK_D_TX1]);
    return exchange_become_tunnel(x, RECORD_TUNNEL);
}

/* ---- send ---- */

/* An origin that is known to speak HTTP/1.0 will send no 100 (Continue), so that the client would wait for
 * nothing: it gets one from here, and Expect is not passed on (RFC 9110 §10.1.1). */
static enum status send_continue(struct exchange *x)
{
    if (!versions_is_old(&x->proxy->engine->versions, x->host, x->port))
        return ST_OK;
    struct head head = {.is_request = false, .status = 100, .major = 1, .minor = 1};
    x->wants_continue = false;
    return x->down->ops->send_head(x->down, &head, (struct framing){.kind = FRAMING_NONE});
}

/* NTLM and Negotiate authenticate the connection and not the request (RFC 4559 §6). Of several lines the origin may
 * take any. */
static bool send_authenticates_connection(const struct exchange *x)
{
    const struct fields *fields = &x->request->fields;
    const struct field *field = fields_find(fields, TOKEN_AUTHORIZATION);
    for (; field != NULL; field = fields_find_next(fields, field)) {
        if (slice_starts_with_nocase(field->value, SLICE("NTLM")) ||
            slice_starts_with_nocase(field->value, SLICE("Negotiate")))
            return true;
    }
    return false;
}

enum next step_send(struct exchange *x)
{
    struct stream *up = x->lease.stream;
    struct head head;
    struct framing body;
    up->ops->expect(up, x->method);
    if (send_authenticates_connection(x))
        up->may_persist = false; /* or the next client would be taken for this one */
    enum status status = x->wants_continue ? send_continue(x) : ST_OK;
    char room[REWRITE_ROOM];
    arena_lend(&x->arena, room, sizeof(room));
    if (status == ST_OK)
        status = rewrite_request(x, &head, &body);
    if (status == ST_OK)
        status = up->ops->send_head(up, &head, body);
    arena_done(&x->arena);
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    timeline_mark(&x->timeline, MARK_U_TX0);
    x->awaits_continue = x->wants_continue;
    x->held_ns = 0;
    x->held_since_ns = x->wants_continue && x->resend.len == 0 ? x->timeline.at_ns[MARK_U_TX0] : 0;
    x->waiting_ns = loop_now_ns(exchange_loop(x));
    return exchange_enter(x, STEP_forward);
}

/* ---- finish ---- */

static void exchange_bury(struct grave *grave)
{
    struct exchange *x = CONTAINER_OF(grave, struct exchange, grave);
    slab_free(&x->proxy->exchange_slab, x);
}

/* The way to the origin has limits of its own; who keeps them does not know of the exchange. */
static bool finish_is_late(const struct exchange *x)
{
    return x->end == END_NONE &&
           (x->cause == CAUSE_DNS_TIMEOUT || x->cause == CAUSE_CONNECT_TIMEOUT ||
            x->cause == CAUSE_TLS_TIMEOUT);
}

static void finish_judge(struct exchange *x)
{
    if (finish_is_late(x))
        x->end = END_TIMEOUT;
    if (x->end == END_TIMEOUT) {
        x->ended_by = LEG_PROXY;
    } else if (failure_is_refusal(x->cause)) {
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

/* The client sees that its answer is cut short. What is queued may still go out, and counts. */
static void finish_cut(struct exchange *x)
{
    bool is_deaf = x->cause == CAUSE_CLIENT_STALLED || x->cause == CAUSE_CLIENT_GONE;
    if (!x->is_tunnel && !x->response_sent)
        x->down->ops->reset(x->down, is_deaf ? STREAM_CANCEL : STREAM_CUT);
}

/* Both streams go back to their connections. */
static void finish_release(struct exchange *x)
{
    struct client *client = x->client;
    struct stream *down = x->down;
    struct stream *up = x->lease.stream;
    if (up != NULL && !x->is_tunnel && !x->response_done)
        up->ops->reset(up, STREAM_CANCEL);
    pool_give(x->proxy->engine->pool, &x->lease);
    budget_give(&client->budget, BUDGET_TUNNELS); /* a tunnel has taken them over */
    link_remove(&x->client_link);
    link_remove(&x->running_link);
    client_exchange_done(client, down);
}

/* Where the record is made: where it will be read, if there is room for one of any size. */
static struct record *finish_room(struct proxy *proxy)
{
    struct record *room = proxy->on_record_room != NULL ? proxy->on_record_room(proxy) : NULL;
    return room != NULL ? room : proxy->record;
}

enum next step_finish(struct exchange *x)
{
    struct proxy *proxy = x->proxy;
    acquire_leave(x);
    identify_leave(x);
    timer_cancel(&x->timer);
    task_cancel(&x->task);
    counter_sub(proxy->engine->counters, COUNT_REQUESTS_OPEN, 1);
    finish_cut(x);
    forward_release(x);
    if (!x->is_tunnel) {
        timeline_mark(&x->timeline, MARK_X_END);
        finish_judge(x);
        struct record *record = finish_room(proxy);
        exchange_tell(x, record);
        finish_count(x, record);
        proxy->on_record(proxy, record);
    }
    if (proxy->handler != NULL && proxy->handler->forget != NULL)
        proxy->handler->forget(proxy->handler, x);
    finish_release(x);
    x->tag = 0;
    retry_done(x);
    arena_done(&x->arena);
    snapshot_unref(&x->snapshot);
    x->grave.bury = exchange_bury;
    loop_bury(proxy->engine->loop, &x->grave);
    return NEXT_GONE;
}

void exchange_end(struct exchange *x, enum record_end end)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    x->down->may_persist = false;
    if (x->step != STEP_finish) { /* else all was sent, and it only waits for its round */
        exchange_drop_upstream(x);
        exchange_fail(x, CAUSE_DRAINED, "");
        x->end = (uint8_t)end;
        x->ended_by = LEG_PROXY;
        (void)exchange_enter(x, STEP_finish);
    }
    exchange_run(x);
}
