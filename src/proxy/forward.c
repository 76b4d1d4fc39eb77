/* Both messages of an exchange on their way: request body up, response heads and body down.
 *
 * Each run pushes what can be pushed both ways and waits; whoever cannot send is not received from, which is
 * the whole back-pressure. The time in which one side stalled the other is counted by side.
 *
 * Waits and their limits: for the response head, from the moment when the request was sent (or the last
 * interim response came, or the client began to hold its body back): timeouts.response_head. For any byte
 * to move otherwise: timeouts.body_stall. */

#include "proxy/exchange_internal.h"

#include "base/clock.h"
#include "proxy/share.h"
#include "upstream/versions.h"

enum {
    FORWARD_ROUNDS = 16,
    FORWARD_SPLICE_MIN = 32 * 1024, /* a splice of less is dearer than a copy */
};

static const uint64_t forward_window_ns = 10 * NS_PER_S; /* of limits.body_rate */

/* ---- waits ---- */

/* Nothing but the origin's next head is waited for. */
static bool forward_awaits_head(const struct exchange *x)
{
    return !x->response_head_done && (x->request_sent || x->awaits_continue);
}

/* Whichever comes first: the limit of the present wait, or the end of what only a budget stalls. */
uint64_t forward_deadline_ns(const struct exchange *x)
{
    const struct config *config = exchange_config(x);
    uint64_t limit_ns = forward_awaits_head(x) ? x->waiting_ns + config->timeouts.response_head_ns
                                               : x->progress_ns + config->timeouts.body_stall_ns;
    if (x->resume_ns != 0)
        return x->resume_ns;
    if (x->slow_since_ns != 0 && x->slow_since_ns + forward_window_ns < limit_ns)
        return x->slow_since_ns + forward_window_ns;
    return limit_ns;
}

enum cause forward_late_cause(const struct exchange *x)
{
    if (forward_awaits_head(x))
        return CAUSE_RESPONSE_TIMEOUT;
    if (x->response_flow.stalled_since_ns != 0 || (x->response_done && !x->response_sent))
        return CAUSE_CLIENT_STALLED;
    if (x->response_head_done && !x->response_done)
        return CAUSE_RESPONSE_STALLED;
    if (x->request_flow.stalled_since_ns != 0 || x->request_done || x->is_up_deaf)
        return CAUSE_SEND_STALLED;
    return CAUSE_BODY_TIMEOUT;
}

/* ---- moving ---- */

static enum next forward_up_failed(struct exchange *x, enum cause cause, const char *detail)
{
    if (retry_begin(x))
        return exchange_enter(x, STEP_acquire);
    timeline_mark(&x->timeline, MARK_X_FIN_U);
    x->ended_by = LEG_UPSTREAM;
    return exchange_give_up(x, cause, detail);
}

/* Count the time in which it is stalled, since the receiver takes nothing. */
static void flow_stall(struct flow *flow, bool is_stalled)
{
    if (is_stalled && flow->stalled_since_ns == 0) {
        flow->stalled_since_ns = clock_monotonic_ns();
    } else if (!is_stalled && flow->stalled_since_ns != 0) {
        flow->last_ns = clock_monotonic_ns();
        flow->stalled_ns += flow->last_ns - flow->stalled_since_ns;
        flow->stalled_since_ns = 0;
    }
}

/* The same where a limit on bandwidth lets nothing pass. */
static void flow_limit(struct flow *flow, bool is_limited)
{
    if (is_limited && flow->limited_since_ns == 0) {
        flow->limited_since_ns = clock_monotonic_ns();
    } else if (!is_limited && flow->limited_since_ns != 0) {
        flow->last_ns = clock_monotonic_ns();
        flow->limited_ns += flow->last_ns - flow->limited_since_ns;
        flow->limited_since_ns = 0;
    }
}

/* Bytes or the end came; before the first of them, the sender could speak from `begin_ns` on. */
static void flow_came(struct flow *flow, uint64_t begin_ns, uint64_t now_ns)
{
    uint64_t before_ns = flow->last_ns != 0 ? flow->last_ns : begin_ns;
    if (before_ns != 0 && now_ns >= before_ns + RECORD_PAUSE_NS) {
        flow->quiet_ns += now_ns - before_ns;
        flow->pauses++;
    }
    flow->last_ns = now_ns;
}

/* The client does not hold its body back any longer: it was told 100 (Continue), or did not wait for that. */
static void forward_end_hold(struct exchange *x)
{
    if (x->held_since_ns == 0)
        return;
    x->held_ns = clock_monotonic_ns() - x->held_since_ns;
    x->held_since_ns = 0;
}

/* Since when the sender of this body can speak: the client, which may wait for 100 (Continue), or the origin. */
static uint64_t forward_begin_ns(const struct exchange *x, const struct flow *flow)
{
    const uint64_t *at = x->timeline.at_ns;
    return flow == &x->response_flow ? at[MARK_U_RX0] : at[MARK_U_TX0] + x->held_ns;
}

enum pump {
    PUMP_WAIT,
    PUMP_BUSY, /* there may be more to move */
    PUMP_DONE,
    PUMP_FROM_FAILED,
    PUMP_TO_FAILED,
    PUMP_SHED
};

/* The end of a message, with those of its trailers that may pass. */
static enum pump forward_end(struct exchange *x, struct stream *from, struct stream *to)
{
    const struct hop *hop = from == x->down ? x->request->hop : x->response_hop;
    const struct fields *trailers = from->ops->recv_trailers(from);
    enum status status = ST_OK;
    if (trailers != NULL)
        status = rewrite_trailers(x, hop, trailers, &trailers);
    if (status == ST_OK)
        status = to->ops->send_end(to, trailers);
    if (status == ST_NOMEM)
        return PUMP_SHED;
    return status == ST_OK ? PUMP_DONE : PUMP_TO_FAILED;
}

/* These bytes of it went out. A client that sends them does not wait for 100 (Continue) any more. */
static void forward_note_request_body(struct exchange *x, struct slice bytes)
{
    x->awaits_continue = false;
    forward_end_hold(x);
    retry_keep(x, bytes);
}

/* What a send came to. */
static enum pump flow_sent(struct flow *flow, enum status status)
{
    if (status != ST_OK && status != ST_AGAIN)
        return status == ST_NOMEM ? PUMP_SHED : PUMP_TO_FAILED;
    flow_stall(flow, status == ST_AGAIN);
    return status == ST_AGAIN ? PUMP_WAIT : PUMP_BUSY;
}

/* One receive and one send, by copy, of `most` bytes; counts what was taken. */
static enum pump forward_copy(struct exchange *x, struct stream *from, struct stream *to,
                              struct flow *flow, size_t most, size_t *moved)
{
    struct slice view = SLICE_NONE;
    enum status status = from->ops->recv_body(from, &view);
    if (status == ST_AGAIN)
        return PUMP_WAIT;
    if (status == ST_EOF)
        return forward_end(x, from, to);
    if (status != ST_OK)
        return status == ST_NOMEM ? PUMP_SHED : PUMP_FROM_FAILED;
    size_t taken = 0;
    view = slice_first(view, most < view.len ? most : view.len);
    status = to->ops->send_body(to, view, &taken);
    if (status == ST_OK) {
        if (from == x->down)
            forward_note_request_body(x, slice_first(view, taken));
        from->ops->consume(from, taken);
        *moved += taken;
    }
    return flow_sent(flow, status);
}

/* Send from the kernel pipe. */
static enum pump flow_push(struct flow *flow, struct stream *to, size_t *moved)
{
    size_t taken = 0;
    enum status status = to->ops->send_splice(to, flow->pipe->ends[0], flow->pipe->len, &taken);
    if (status == ST_OK) {
        flow->pipe->len -= taken;
        *moved += taken;
    }
    return flow_sent(flow, status);
}

/* Whether so much of the body is still to come as it is that a splice is worth its calls. */
static bool forward_wants_splice(struct exchange *x, struct stream *from, struct stream *to,
                                 struct flow *flow)
{
    if (flow->trickles || from->ops->recv_splice_max(from) < FORWARD_SPLICE_MIN ||
        !to->ops->may_send_splice(to))
        return false;
    if (flow->pipe == NULL)
        flow->pipe = kernel_pipe_take(&x->proxy->pipes);
    return flow->pipe != NULL;
}

/* One receive into the kernel pipe and one send from it. PUMP_DONE: nothing came this way. */
static enum pump forward_splice(struct exchange *x, struct stream *from, struct stream *to,
                                struct flow *flow, size_t most, size_t *moved)
{
    struct kernel_pipe *pipe = flow->pipe;
    uint64_t max = from->ops->recv_splice_max(from);
    size_t cap = pipe->cap < SHARE_BULK ? pipe->cap : SHARE_BULK;
    cap = most < cap ? most : cap;
    if (max < cap)
        cap = (size_t)max;
    enum status status = from->ops->recv_splice(from, pipe->ends[1], cap, &pipe->len);
    if (status == ST_AGAIN)
        return PUMP_DONE;
    if (status != ST_OK)
        return PUMP_FROM_FAILED;
    flow->trickles = pipe->len < FORWARD_SPLICE_MIN;
    if (from == x->down) {
        x->awaits_continue = false;
        forward_end_hold(x);
        retry_forget(x);
    }
    return flow_push(flow, to, moved);
}

static enum pump forward_round(struct exchange *x, struct stream *from, struct stream *to,
                               struct flow *flow, size_t most, size_t *moved)
{
    if (flow->pipe != NULL && flow->pipe->len > 0)
        return flow_push(flow, to, moved);
    if (forward_wants_splice(x, from, to, flow)) {
        enum pump pump = forward_splice(x, from, to, flow, most, moved);
        if (pump != PUMP_DONE)
            return pump;
    }
    return forward_copy(x, from, to, flow, most, moved);
}

/* How much of a body may be moved; 0: its budget lets none pass. To end a message of which all went out moves
 * nothing. */
static size_t forward_allowance(struct exchange *x, const struct stream *from,
                                const struct flow *flow)
{
    bool holds_some = flow->pipe != NULL && flow->pipe->len > 0;
    if (from->is_read_out && !holds_some)
        return SIZE_MAX;
    return admit_bytes(x, from == x->down ? BUDGET_UP : BUDGET_DOWN);
}

/* Move a body from one stream to the other, as far as the budget lets it. Between two runs only a receiver that is slow
 * makes it hold a pipe. */
static enum pump forward_pump(struct exchange *x, struct stream *from, struct stream *to,
                              size_t share, struct flow *flow)
{
    size_t moved = 0;
    enum pump pump = PUMP_BUSY;
    size_t most = forward_allowance(x, from, flow);
    flow_limit(flow, most == 0);
    if (most == 0)
        return PUMP_WAIT;
    for (int round = 0;
         pump == PUMP_BUSY && round < FORWARD_ROUNDS && moved <= share && moved < most; round++)
        pump = forward_round(x, from, to, flow, most - moved, &moved);
    if (moved > 0 || pump == PUMP_DONE)
        flow_came(flow, forward_begin_ns(x, flow), loop_now_ns(exchange_loop(x)));
    x->is_bulk |= moved >= SHARE_FIRST;
    flow->trickles &= moved < SHARE_FIRST;
    bool holds_some = flow->pipe != NULL && flow->pipe->len > 0;
    if (!holds_some || (pump != PUMP_WAIT && pump != PUMP_BUSY))
        kernel_pipe_give(&x->proxy->pipes, &flow->pipe);
    return pump;
}

void forward_release(struct exchange *x)
{
    forward_end_hold(x);
    flow_stall(&x->request_flow, false);
    flow_stall(&x->response_flow, false);
    flow_limit(&x->request_flow, false);
    flow_limit(&x->response_flow, false);
    kernel_pipe_give(&x->proxy->pipes, &x->request_flow.pipe);
    kernel_pipe_give(&x->proxy->pipes, &x->response_flow.pipe);
}

/* Marks of what came are those of the receive that brought it. */
static void forward_mark_received(struct exchange *x, enum mark mark)
{
    struct stream_tally up;
    x->lease.stream->ops->tally(x->lease.stream, &up);
    timeline_mark_at(&x->timeline, mark, up.received_ns);
}

/* The last byte of the request body may have come with its head. */
static void forward_mark_body(struct exchange *x)
{
    struct stream_tally down;
    x->down->ops->tally(x->down, &down);
    uint64_t head_ns = x->timeline.at_ns[MARK_C_HEAD];
    timeline_mark_at(&x->timeline, MARK_C_BODY,
                     down.received_ns > head_ns ? down.received_ns : head_ns);
}

/* What went out on a connection that failed, and then what was not read yet. */
static enum pump forward_pump_request(struct exchange *x, struct stream *up, size_t share)
{
    bool is_again = x->resend.len > 0;
    while (x->resend.len > 0) {
        size_t taken = 0;
        enum status status = up->ops->send_body(up, x->resend, &taken);
        if (status == ST_AGAIN)
            return PUMP_WAIT;
        if (status != ST_OK)
            return status == ST_NOMEM ? PUMP_SHED : PUMP_TO_FAILED;
        x->resend = slice_from(x->resend, taken);
    }
    if (is_again)
        retry_done(x); /* there is no second retry */
    return forward_pump(x, x->down, up, share, &x->request_flow);
}

/* The body broke off: its framing did, or the client ended it. One who was told early and ended in order still reads
 * what it is told. */
static enum next forward_request_failed(struct exchange *x)
{
    struct stream *down = x->down;
    timeline_mark(&x->timeline, MARK_X_FIN_C);
    if (x->response_head_done && down->fault_text == NULL && down->is_peer_done) {
        x->is_request_cut = true;
        down->may_persist = false;
        x->lease.stream->may_persist = false;
        return NEXT_WAIT;
    }
    x->ended_by = LEG_CLIENT;
    x->fault_status = (uint16_t)down->fault_status;
    if (down->fault_text != NULL)
        return exchange_give_up(x, CAUSE_BAD_REQUEST, down->fault_text);
    return exchange_give_up(x, CAUSE_REQUEST_CUT, "");
}

/* Where the turn brought several things, others come first: what is next is left for the next round of this turn. So
 * one kind of work is done for all of them in a row, and its code, the kernel's as well, is in the cache. What a budget
 * meters is counted before others look. True: it is left, and the task is queued. */
static bool forward_leaves(struct exchange *x)
{
    bool is_queued = link_is_linked(&x->task.link); /* perhaps for a later turn */
    if (is_queued || x->is_bulk || x->client->budget.is_metered ||
        !loop_is_crowded(exchange_loop(x)))
        return false;
    exchange_wake(x);
    return true;
}

/* What is queued is sent once all was received, so that the sends stand in a row: each runs the receiver's side in the
 * kernel and wakes it, and several find it awake. `waits` is that of this direction: what waited for a round goes out
 * in it, whatever became of the other. */
static bool forward_sends_next(struct exchange *x, const struct stream *to, bool *waits)
{
    *waits = !*waits && to->ops->has_queued(to) && forward_leaves(x);
    return *waits;
}

/* The request body and its last flush. */
static enum next forward_request(struct exchange *x, size_t share)
{
    struct stream *up = x->lease.stream;
    if (!x->request_done && !x->is_up_deaf && !x->is_request_cut) {
        enum pump pump = forward_pump_request(x, up, share);
        if (pump == PUMP_FROM_FAILED)
            return forward_request_failed(x);
        if (pump == PUMP_SHED)
            return exchange_give_up(x, CAUSE_SHED, "");
        if (pump == PUMP_TO_FAILED) {
            x->is_up_deaf = true; /* an early response may still be there to read */
            return NEXT_WAIT;
        }
        if (pump == PUMP_BUSY)
            exchange_wake_later(x);
        x->request_done = pump == PUMP_DONE;
        if (x->request_done) {
            forward_end_hold(x);
            forward_mark_body(x);
        }
    }
    if (x->request_sent)
        return NEXT_WAIT;
    if (forward_sends_next(x, up, &x->request_waits))
        return NEXT_ROUND;
    enum status status = up->ops->flush(up);
    if (status != ST_OK && status != ST_AGAIN)
        x->is_up_deaf = true;
    if (status == ST_OK) {
        uint64_t now_ns = clock_monotonic_ns();
        timeline_mark_at(&x->timeline, MARK_U_TXH, now_ns);
        if (x->request_done) {
            timeline_mark_at(&x->timeline, MARK_U_TX1, now_ns);
            x->request_sent = true;
            x->waiting_ns = loop_now_ns(exchange_loop(x));
        }
    }
    return NEXT_WAIT;
}

static enum next forward_pass_head(struct exchange *x, const struct head *response,
                                   struct framing body)
{
    struct stream *down = x->down;
    struct head head;
    struct framing down_body;
    bool is_interim = response->status < 200 && response->status != 101;
    if (is_interim) {
        forward_mark_received(x, MARK_U_1XX);
        if (x->request->minor == 0)
            return NEXT_GO_ON; /* RFC 9110 §15.2: not to an HTTP/1.0 client */
        counter_add(x->proxy->engine->counters, COUNT_RESPONSES_1XX, 1);
    } else {
        forward_mark_received(x, MARK_U_RXH);
        timeline_mark_at(&x->timeline, MARK_D_TX0, x->lease.stream->head_ns);
        timeline_mark(&x->timeline, MARK_D_TX0); /* it lay there while an interim one went out */
        x->status = response->status;
    }
    char room[REWRITE_ROOM];
    arena_lend(&x->arena, room, sizeof(room));
    enum status status = rewrite_response(x, response, body, &head, &down_body);
    if (status == ST_OK)
        status = down->ops->send_head(down, &head, down_body);
    arena_done(&x->arena);
    if (status != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    if (is_interim)
        return NEXT_GO_ON;
    x->response_head_done = true;
    x->response_hop = response->hop;
    return NEXT_GO_ON;
}

/* First bytes of a final response: marked when they come, also where an interim one came with them. */
static void forward_mark_bytes(struct exchange *x, enum status status)
{
    struct stream_tally up;
    if (timeline_has(&x->timeline, MARK_U_RX0))
        return;
    x->lease.stream->ops->tally(x->lease.stream, &up);
    if (status == ST_OK || up.unread_bytes > 0)
        timeline_mark_at(&x->timeline, MARK_U_RX0, up.received_ns);
}

/* What a response head says of the origin and of the wait for it. */
static void forward_learn(struct exchange *x, const struct head *response)
{
    x->upstream_status = response->status;
    x->upstream_minor = response->minor;
    x->awaits_continue = false;
    if (response->status == 100 || !head_is_interim(response))
        forward_end_hold(x);
    /* One that the client does not get gives no more time: that client could be gone, and would not be missed. */
    if (!head_is_interim(response) || x->request->minor > 0)
        x->waiting_ns = loop_now_ns(exchange_loop(x));
    retry_forget(x);
    exchange_tell_soon(x);
    if (!head_is_interim(response))
        versions_note(&x->proxy->engine->versions, x->host, x->port, !head_is_modern(response));
}

/* After an interim response: the next one only once the client's kernel has this one, or a client that does
 * not read would make us keep all that come; and not too many in one go. */
static enum next forward_after_interim(struct exchange *x, int *round)
{
    timeline_clear(&x->timeline, MARK_U_RX0); /* that was not the final one */
    enum status status = x->down->ops->flush(x->down);
    if (status != ST_OK && status != ST_AGAIN)
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    if (status == ST_OK && ++*round < FORWARD_ROUNDS)
        return NEXT_GO_ON;
    if (status == ST_OK)
        exchange_wake_later(x);
    return NEXT_WAIT;
}

/* The connection ended where a response head should be. */
static enum next forward_no_head(struct exchange *x, enum status status)
{
    if (status == ST_NOMEM)
        return exchange_give_up(x, CAUSE_SHED, "");
    enum cause cause = x->request_sent ? CAUSE_NO_RESPONSE : CAUSE_SEND_FAILED;
    if (lease_was_alerted(&x->lease))
        cause = CAUSE_TLS_ALERT;
    return forward_up_failed(x, cause, lease_fault(&x->lease));
}

/* A transfer coding that is none of ours has an error of its own (RFC 9209 §2.3.24). */
static enum cause forward_bad_cause(const struct stream *up)
{
    return up->fault_status == 501 ? CAUSE_RESPONSE_CODING : CAUSE_BAD_RESPONSE;
}

static bool forward_has_protocol(struct slice list, struct slice protocol)
{
    struct slice element;
    while (slice_next_element(&list, &element)) {
        if (slice_equals_nocase(element, protocol))
            return true;
    }
    return false;
}

enum { FORWARD_PROTOCOLS_MAX = 16 };

/* A switch is to protocols that the client asked for, and names them (RFC 9110 §7.8, §15.2.2). What is wrong
 * with this one; NULL: nothing. */
static const char *forward_upgrade_misfit(const struct exchange *x, const struct head *response)
{
    if (!x->is_upgrade)
        return "101 to a request without Upgrade";
    if (!x->request_sent)
        return "101 before the request was read";
    struct slice rest = response->upgrade;
    struct slice element;
    unsigned count = 0;
    while (slice_next_element(&rest, &element)) {
        if (++count > FORWARD_PROTOCOLS_MAX) /* each is looked for in a list as long as a head */
            return "101 with too many protocols";
        if (!forward_has_protocol(x->request->upgrade, element))
            return "101 with a protocol that was not asked for";
    }
    return count > 0 ? NULL : "101 without a protocol";
}

/* Interim and final response heads. NEXT_GO_ON: a final head is done. */
static enum next forward_response_heads(struct exchange *x)
{
    struct stream *up = x->lease.stream;
    int round = 0;
    if (!x->response_head_done && x->down->ops->flush(x->down) == ST_AGAIN)
        return NEXT_WAIT; /* an interim response still waits */
    while (!x->response_head_done) {
        struct head *response = NULL;
        struct framing body;
        enum status status = up->ops->recv_head(up, &response, &body);
        forward_mark_bytes(x, status);
        if (status == ST_AGAIN)
            return NEXT_WAIT;
        if (status == ST_BAD)
            return exchange_give_up(x, forward_bad_cause(up), up->fault_text);
        if (status == ST_LIMIT)
            return exchange_give_up(x, CAUSE_RESPONSE_TOO_LARGE, up->fault_text);
        if (status != ST_OK)
            return forward_no_head(x, status);
        forward_learn(x, response);
        const char *misfit = response->status == 101 ? forward_upgrade_misfit(x, response) : NULL;
        if (misfit != NULL)
            return exchange_give_up(x, CAUSE_UPGRADE_FAILED, misfit);
        if (response->codings.len > 0 && !head_is_modern(x->request))
            return exchange_give_up(x, CAUSE_RESPONSE_CODING,
                                    "a transfer coding that an HTTP/1.0 client does not know");
        enum next next = forward_pass_head(x, response, body);
        if (x->step == STEP_forward && !x->response_head_done)
            next = forward_after_interim(x, &round);
        if (next != NEXT_GO_ON || x->step != STEP_forward)
            return next;
    }
    return NEXT_GO_ON;
}

/* A body broke off: its framing did, or its connection. */
static enum next forward_response_failed(struct exchange *x)
{
    const struct stream *up = x->lease.stream;
    x->ended_by = LEG_UPSTREAM;
    if (up->fault_text != NULL)
        return exchange_give_up(x, CAUSE_BAD_RESPONSE, up->fault_text);
    timeline_mark(&x->timeline, MARK_X_FIN_U);
    x->end = up->is_peer_done ? END_NONE : END_RST;
    return exchange_give_up(x, CAUSE_RESPONSE_CUT, lease_fault(&x->lease));
}

/* All was sent. The books are closed once that is true of the others, too. */
static enum next forward_finish(struct exchange *x)
{
    struct stream *up = x->lease.stream;
    (void)exchange_enter(x, STEP_finish);
    if (!forward_leaves(x))
        return NEXT_GO_ON;
    if (up->ops->settle(up) != ST_OK)
        up->may_persist = false; /* what nobody asked for came behind the response, and is lost */
    return NEXT_ROUND;
}

static enum next forward_response(struct exchange *x, size_t share)
{
    struct stream *down = x->down;
    if (!x->response_done) {
        enum pump pump = forward_pump(x, x->lease.stream, down, share, &x->response_flow);
        if (pump == PUMP_FROM_FAILED)
            return forward_response_failed(x);
        if (pump == PUMP_SHED)
            return exchange_give_up(x, CAUSE_SHED, "");
        if (pump == PUMP_TO_FAILED)
            return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
        if (pump == PUMP_BUSY)
            exchange_wake_later(x);
        x->response_done = pump == PUMP_DONE;
        if (x->response_done)
            forward_mark_received(x, MARK_U_RX1);
    }
    if (forward_sends_next(x, down, &x->response_waits))
        return NEXT_ROUND;
    enum status status = down->ops->flush(down);
    if (status != ST_OK && status != ST_AGAIN)
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    if (status == ST_OK && x->response_done) {
        uint64_t now_ns = clock_monotonic_ns();
        timeline_mark_at(&x->timeline, MARK_D_TX1, now_ns);
        x->response_sent = true;
        /* An answer may come before the request was sent whole; the rest follows if both go on. */
        bool goes_on =
            !x->request_sent && !x->is_up_deaf && down->may_persist && x->lease.stream->may_persist;
        if (goes_on)
            return NEXT_WAIT;
        timeline_mark_at(&x->timeline, MARK_X_END, now_ns);
        return forward_finish(x);
    }
    return NEXT_WAIT;
}

/* Is it the client, and neither the origin nor a budget, for whom bytes wait? */
static bool forward_awaits_client(const struct exchange *x)
{
    bool sends = !x->request_done && !x->is_up_deaf && !x->awaits_continue &&
                 x->request_flow.stalled_since_ns == 0;
    bool takes = x->response_flow.stalled_since_ns != 0 || (x->response_done && !x->response_sent);
    return (sends || takes) && x->resume_ns == 0;
}

/* limits.body_rate: has a client moved too little for the whole of a window, in which nothing but it was waited for? */
static bool forward_is_slow(struct exchange *x)
{
    uint64_t rate = exchange_config(x)->limits.body_rate;
    uint64_t now_ns = loop_now_ns(exchange_loop(x));
    if (rate == 0)
        return false;
    if (!forward_awaits_client(x)) {
        x->slow_since_ns = 0;
        return false;
    }
    bool is_over = x->slow_since_ns != 0 && now_ns >= x->slow_since_ns + forward_window_ns;
    /* Each byte is counted on both legs. */
    bool is_slow =
        is_over && (x->moved_bytes - x->slow_moved) / 2 < rate * (forward_window_ns / NS_PER_S);
    if (is_over || x->slow_since_ns == 0) {
        x->slow_since_ns = now_ns;
        x->slow_moved = x->moved_bytes;
    }
    return is_slow;
}

/* Before others run. Downstream is settled once the request's part of a run is done: nothing comes there later. */
static enum next forward_settle(struct exchange *x, enum next next)
{
    struct stream *up = x->lease.stream;
    if (up->ops->settle(up) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    if (next == NEXT_ROUND)
        return next;
    bool is_slow = forward_is_slow(x);
    exchange_progress(x);
    if (!is_slow)
        return NEXT_WAIT;
    x->end = END_TIMEOUT;
    return exchange_give_up(x, x->request_done ? CAUSE_CLIENT_STALLED : CAUSE_TOO_SLOW, "");
}

enum next step_forward(struct exchange *x)
{
    size_t share = x->is_bulk ? SHARE_BULK : SHARE_FIRST;
    x->is_bulk = false;
    x->resume_ns = 0;
    if (exchange_client_left(x))
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    enum next next = forward_request(x, share);
    if (next == NEXT_GO_ON)
        return next;
    if (x->down->ops->settle(x->down) != ST_OK)
        return exchange_give_up(x, CAUSE_SHED, "");
    if (next == NEXT_ROUND)
        return next; /* upstream's turn has not come */
    next = forward_response_heads(x);
    if (next == NEXT_WAIT)
        return forward_settle(x, next);
    if (x->step != STEP_forward)
        return NEXT_GO_ON;
    if (x->status == 101) {
        enum status status = x->down->ops->flush(x->down);
        if (status == ST_AGAIN)
            return forward_settle(x, NEXT_WAIT);
        return status == ST_OK ? exchange_become_tunnel(x, RECORD_UPGRADE)
                               : exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    }
    next = forward_response(x, share);
    return x->step == STEP_forward ? forward_settle(x, next) : next;
}
