/* Tunnels: both pipes run in one task, ends are judged after each run.
 *
 * The record so far lies on a shelf (record/shelf), which packs it when the worker tidies up, so that a tunnel that
 * stays open costs little; the marks and counts it adds live in its pipes and are joined to the record when somebody
 * looks or when it ends.
 *
 * Timers: one for each tunnel, moved lazily. It carries the nearest of idle, half-closed and lifetime
 * limits; progress only writes a time. */

#include "proxy/tunnel.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "net/tcp.h"
#include "net/tcp_info.h"
#include "proxy/failure.h"
#include "proxy/pace.h"
#include "proxy/rhythm.h"
#include "proxy/share.h"

#include <assert.h>

enum { TUNNEL_TAG = TAG('t', 'u', 'n', 'l'), TUNNEL_DRAIN_ROUNDS = 8, TUNNEL_REMEDY = 160 };

struct tunnel {
    uint32_t tag;
    uint8_t ended_by;
    uint8_t end;
    bool is_late : 1; /* the timer fired */
    bool is_bulk : 1; /* its last run moved SHARE_FIRST or more */
    uint8_t told_age; /* its age when it was last to be told of, in intervals */
    struct tunnel_room *room;
    struct link link;
    struct timer timer;
    union { /* the grave begins where the task ends */
        struct task task;
        struct grave grave;
    };
    struct pipe up;   /* client to origin; both transports are the tunnel's */
    struct pipe down; /* origin to client */
    struct pace pace; /* where its time goes */
    struct tunnel_limits limits;
    uint64_t opened_ns;
    uint64_t progress_ns;
    uint64_t id; /* of the record */
    struct record_kept record;
    struct budget budget;
    uint64_t resume_ns;      /* when its budget lets more pass; 0: now */
    struct sni_guard *guard; /* NULL: the client's bytes go to the origin as they come */
    struct inside *inside;   /* what looks at them; NULL: nobody, or nothing came yet */
    struct rhythm rhythm;
};

static_assert(sizeof(struct tunnel) <= 528, "idle tunnels come by the thousand");

static void tunnel_run(struct task *task);
static void tunnel_time_out(struct timer *timer);
static void tunnel_show(struct pipe *pipe, struct slice bytes);
static void tunnel_tell_open(struct tunnel *tunnel);

void tunnel_room_init(struct tunnel_room *room, struct engine *engine,
                      struct kernel_pipe_pool *pipes, struct record *scratch,
                      void (*on_ended)(struct tunnel_room *, struct record *))
{
    room->engine = engine;
    room->means = (struct pipe_means){&engine->shared, pipes, tunnel_show};
    room->scratch = scratch;
    slab_init(&room->slab, sizeof(struct tunnel));
    sni_room_init(&room->sni);
    inside_room_init(&room->inside, engine, &room->shelf, scratch);
    record_shelf_init(&room->shelf);
    link_init(&room->open);
    room->on_ended = on_ended;
}

void tunnel_room_done(struct tunnel_room *room)
{
    CHECK(list_is_empty(&room->open));
    slab_done(&room->slab);
    sni_room_done(&room->sni);
    inside_room_done(&room->inside);
    record_shelf_done(&room->shelf);
}

bool tunnel_room_tidy(struct tunnel_room *room)
{
    bool has_more = slab_tidy(&room->slab);
    has_more = sni_room_tidy(&room->sni) || has_more;
    has_more = inside_room_tidy(&room->inside) || has_more;
    return record_shelf_tidy(&room->shelf) || has_more;
}

static void tunnel_on_ready(struct transport *transport)
{
    struct tunnel *tunnel = transport->owner;
    CHECK_TAG(tunnel, TUNNEL_TAG);
    struct loop *loop = tunnel->room->engine->loop;
    if (tunnel->is_bulk)
        loop_queue_later(loop, &tunnel->task);
    else
        loop_queue(loop, &tunnel->task);
}

/* Has a direction ended, or does it end? Where both have, the tunnel is over, unless one discards. */
static bool tunnel_is_half(const struct tunnel *tunnel)
{
    return tunnel->up.is_ended || tunnel->down.is_ended || tunnel->up.is_discarding ||
           tunnel->down.is_discarding;
}

/* 0: there is no guard, or it waits for nothing that has begun. */
static uint64_t tunnel_guard_due_ns(const struct tunnel *tunnel)
{
    return tunnel->guard == NULL ? 0 : sni_guard_due_ns(tunnel->guard);
}

/* While it is open it is told of at multiples of an interval from its opening on. 0: it is not. */
static uint64_t tunnel_interval_ns(const struct tunnel *tunnel)
{
    return tunnel->room->engine->snapshot->config->log.tell_every_ns;
}

/* How many intervals it is old. */
static uint64_t tunnel_age(const struct tunnel *tunnel, uint64_t interval_ns)
{
    uint64_t now_ns = loop_now_ns(tunnel->room->engine->loop);
    return now_ns > tunnel->opened_ns ? (now_ns - tunnel->opened_ns) / interval_ns : 0;
}

/* 0: it is not told of. */
static uint64_t tunnel_next_told_ns(const struct tunnel *tunnel)
{
    uint64_t interval_ns = tunnel_interval_ns(tunnel);
    return interval_ns == 0
               ? 0
               : tunnel->opened_ns + (tunnel_age(tunnel, interval_ns) + 1) * interval_ns;
}

static void tunnel_arm(struct tunnel *tunnel)
{
    uint64_t quiet =
        tunnel_is_half(tunnel) ? tunnel->limits.half_closed_ns : tunnel->limits.idle_ns;
    uint64_t deadline = tunnel->progress_ns + quiet;
    if (tunnel->limits.lifetime_ns > 0 && tunnel->opened_ns + tunnel->limits.lifetime_ns < deadline)
        deadline = tunnel->opened_ns + tunnel->limits.lifetime_ns;
    uint64_t guard_ns = tunnel_guard_due_ns(tunnel);
    if (guard_ns != 0 && guard_ns < deadline)
        deadline = guard_ns;
    if (tunnel->resume_ns != 0 && tunnel->resume_ns < deadline)
        deadline = tunnel->resume_ns;
    uint64_t told_ns = tunnel_next_told_ns(tunnel);
    if (told_ns != 0 && told_ns < deadline)
        deadline = told_ns;
    timer_set(tunnel->room->engine->loop, &tunnel->timer, deadline);
}

/* It would go on, but for its budget: that is no idleness. */
static void tunnel_hold(struct tunnel *tunnel, bool up, bool down)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t waits_ns[2] = {UINT64_MAX, UINT64_MAX};
    if (up && budget_may_move(&tunnel->budget, BUDGET_UP, now_ns, &waits_ns[0]) > 0)
        waits_ns[0] = 0;
    if (down && budget_may_move(&tunnel->budget, BUDGET_DOWN, now_ns, &waits_ns[1]) > 0)
        waits_ns[1] = 0;
    uint64_t wait_ns = waits_ns[0] < waits_ns[1] ? waits_ns[0] : waits_ns[1];
    tunnel->progress_ns = now_ns;
    tunnel->resume_ns = now_ns + wait_ns + 1;
    timer_cancel(&tunnel->timer);
    tunnel_arm(tunnel);
}

/* Whatever comes of this run: what was held up until now was not idle, and there may be nothing left to hold. */
static void tunnel_end_hold(struct tunnel *tunnel)
{
    if (tunnel->resume_ns == 0)
        return;
    tunnel->resume_ns = 0;
    pace_held(&tunnel->pace, tunnel->progress_ns, loop_now_ns(tunnel->room->engine->loop));
    tunnel->progress_ns = loop_now_ns(tunnel->room->engine->loop);
}

static void tunnel_on_name(void *owner)
{
    struct tunnel *tunnel = owner;
    CHECK_TAG(tunnel, TUNNEL_TAG);
    loop_queue(tunnel->room->engine->loop, &tunnel->task);
}

/* What came of the client already: to the pipe, or to the guard before it. */
static enum status tunnel_load(struct tunnel *tunnel, struct slice from_client,
                               const struct sni_wanted *sni)
{
    struct tunnel_room *room = tunnel->room;
    if (sni == NULL)
        return pipe_preload(&tunnel->up, from_client);
    struct block_pool *blocks = room->engine->shared.blocks;
    tunnel->guard = sni_guard_create(&room->sni, blocks, sni, tunnel, tunnel_on_name);
    if (tunnel->guard == NULL)
        return ST_NOMEM;
    return sni_guard_add(tunnel->guard, blocks, from_client);
}

/* ---- what is inside ---- */

/* Nothing more is to be seen. */
static void tunnel_end_inside(struct tunnel *tunnel)
{
    struct inside_room *room = &tunnel->room->inside;
    tunnel->up.is_shown = tunnel->down.is_shown = false;
    if (tunnel->inside == NULL)
        return;
    inside_join(room, tunnel->inside, &tunnel->record);
    inside_destroy(room, &tunnel->inside);
}

static void tunnel_show(struct pipe *pipe, struct slice bytes)
{
    struct tunnel *tunnel = pipe->is_up ? CONTAINER_OF(pipe, struct tunnel, up)
                                        : CONTAINER_OF(pipe, struct tunnel, down);
    struct inside_room *room = &tunnel->room->inside;
    enum tls_watch_side side = pipe->is_up ? TLS_WATCH_CLIENT : TLS_WATCH_SERVER;
    if (bytes.len == 0)
        return;
    if (tunnel->inside == NULL && tls_watch_may_begin(side, bytes))
        tunnel->inside = inside_create(room, rhythm_quiet_ns(&tunnel->rhythm));
    bool goes_on = tunnel->inside != NULL &&
                   inside_see(room, tunnel->inside, side, bytes, pipe->last_ns, &tunnel->record);
    if (!goes_on) {
        tunnel_end_inside(tunnel);
        return;
    }
    tunnel->up.is_shown = inside_wants(tunnel->inside, TLS_WATCH_CLIENT);
    tunnel->down.is_shown = inside_wants(tunnel->inside, TLS_WATCH_SERVER);
}

/* Note who spoke in a run, or before the first; the pipe towards the origin runs first. `up_ns` and `down_ns` are when
 * each side had spoken last before it. */
static void tunnel_note_rhythm(struct tunnel *tunnel, uint64_t up_ns, uint64_t down_ns)
{
    uint64_t last_ns = up_ns > down_ns ? up_ns : down_ns;
    bool counts = tunnel->inside == NULL || inside_is_asked(tunnel->inside);
    if (tunnel->rhythm.quiet_us == 0)
        return;
    if (last_ns == 0)
        last_ns = tunnel->opened_ns;
    if (tunnel->up.last_ns != up_ns) {
        rhythm_note(&tunnel->rhythm, /* is_client= */ true, counts, last_ns, tunnel->up.last_ns);
        last_ns = tunnel->up.last_ns;
    }
    if (tunnel->down.last_ns != down_ns)
        rhythm_note(&tunnel->rhythm, /* is_client= */ false, counts, last_ns, tunnel->down.last_ns);
}

/* Look at what comes, and at what came already. An upgrade is no TLS, but has a rhythm. */
static void tunnel_begin_inside(struct tunnel *tunnel, const struct record *record)
{
    uint64_t connect_ns = 0;
    if (tunnel->room->engine->snapshot->config->log.inside == LOG_INSIDE_OFF)
        return;
    (void)timeline_phase(&record->timeline, PHASE_CONNECT, &connect_ns);
    rhythm_init(&tunnel->rhythm, connect_ns);
    tunnel->up.is_shown = tunnel->down.is_shown = record->kind == RECORD_TUNNEL;
    if (tunnel->up.is_shown)
        tunnel_show(&tunnel->up, pipe_held(&tunnel->up));
    if (tunnel->down.is_shown)
        tunnel_show(&tunnel->down, pipe_held(&tunnel->down));
    tunnel_note_rhythm(tunnel, 0, 0);
}

/* ---- life ---- */

enum status tunnel_start(struct tunnel_room *room, struct transport **client,
                         struct transport **origin, struct slice from_client,
                         struct slice from_origin, const struct record *record,
                         const struct tunnel_limits *limits, const struct sni_wanted *sni,
                         struct budget *budget)
{
    struct tunnel *tunnel = slab_alloc(&room->slab);
    if (tunnel == NULL)
        goto shed;
    *tunnel = (struct tunnel){.tag = TUNNEL_TAG, .room = room, .limits = *limits, .id = record->id};
    if (record_shelf_put(&room->shelf, record, &tunnel->record) != ST_OK)
        goto shed;
    pipe_init(&tunnel->up, *client, *origin, &room->means);
    pipe_init(&tunnel->down, *origin, *client, &room->means);
    if (tunnel_load(tunnel, from_client, sni) != ST_OK ||
        pipe_preload(&tunnel->down, from_origin) != ST_OK) {
        pipe_done(&tunnel->up);
        pipe_done(&tunnel->down);
        goto shed;
    }
    transport_listen(*client, tunnel, tunnel_on_ready);
    transport_listen(*origin, tunnel, tunnel_on_ready);
    *client = *origin = NULL;
    budget_move(budget, &tunnel->budget);
    tunnel->up.is_up = true;
    const struct budget *metered = tunnel->budget.is_metered ? &tunnel->budget : NULL;
    pipe_meter(&tunnel->up, metered);
    pipe_meter(&tunnel->down, metered);
    tunnel->progress_ns = loop_now_ns(room->engine->loop);
    tunnel->opened_ns = record->timeline.at_ns[MARK_T_OPEN];
    task_init(&tunnel->task, tunnel_run);
    timer_init(&tunnel->timer, tunnel_time_out);
    list_append(&room->open, &tunnel->link);
    counter_add(room->engine->counters, COUNT_TUNNELS, 1);
    counter_add(room->engine->counters, COUNT_TUNNELS_OPEN, 1);
    tunnel_begin_inside(tunnel, record);
    tunnel_arm(tunnel);
    bool has_held = tunnel->guard != NULL && tunnel->guard->held_len > 0;
    if (room->engine->snapshot->config->log.tells_open)
        tunnel_tell_open(tunnel);
    if (has_held || !pipe_is_idle(&tunnel->up) || !pipe_is_idle(&tunnel->down))
        loop_queue(room->engine->loop, &tunnel->task);
    return ST_OK;

shed:
    if (tunnel != NULL) {
        sni_guard_destroy(&room->sni, &tunnel->guard);
        record_shelf_drop(&room->shelf, &tunnel->record);
        slab_free(&room->slab, tunnel);
    }
    transport_close(client, /* is_abort= */ true);
    transport_close(origin, /* is_abort= */ true);
    return ST_NOMEM;
}

/* When the last byte came, of either side. */
static uint64_t tunnel_last_ns(const struct tunnel *tunnel)
{
    return tunnel->up.last_ns > tunnel->down.last_ns ? tunnel->up.last_ns : tunnel->down.last_ns;
}

/* The record as it stands now: what it was at the beginning, and what the pipes know. */
static void tunnel_tell(const struct tunnel *tunnel, struct record *record)
{
    if (record_is_kept(&tunnel->record)) {
        record_shelf_get(&tunnel->record, record);
    } else { /* there was no memory to keep it in */
        record_begin(record);
        record->kind = RECORD_TUNNEL;
        record->id = tunnel->id;
    }
    record->client_in_bytes += tunnel->up.bytes;
    record->upstream_out_bytes += tunnel->up.bytes;
    record->upstream_in_bytes += tunnel->down.bytes;
    record->client_out_bytes += tunnel->down.bytes;
    record->request_body_bytes = tunnel->up.bytes;
    record->response_body_bytes = tunnel->down.bytes;
    timeline_mark_at(&record->timeline, MARK_T_UP, tunnel->up.first_ns);
    timeline_mark_at(&record->timeline, MARK_T_DOWN, tunnel->down.first_ns);
    timeline_mark_at(&record->timeline, MARK_T_LAST, tunnel_last_ns(tunnel));
    timeline_mark_at(&record->timeline, MARK_X_FIN_C, tunnel->up.ended_ns);
    timeline_mark_at(&record->timeline, MARK_X_FIN_U, tunnel->down.ended_ns);
    if (tunnel->inside != NULL)
        inside_tell(tunnel->inside, record);
    record->inside.turns = tunnel->rhythm.turns;
    record->inside.idle_ns = tunnel->rhythm.idle_ns;
    pace_tell(&tunnel->pace, loop_now_ns(tunnel->room->engine->loop), record);
}

/* The kernel's figures of both legs, while they are open, of a tunnel that lived long enough to be slow. */
static void tunnel_tell_tcp(const struct tunnel *tunnel, struct record *record)
{
    if (loop_now_ns(tunnel->room->engine->loop) < tunnel->opened_ns + RECORD_SLOW_NS)
        return;
    tcp_info_read(tunnel->up.from, &record->client_tcp);
    tcp_info_read(tunnel->up.to, &record->upstream_tcp);
}

/* What the guard knows of the ClientHello. */
static void tunnel_tell_guard(const struct sni_guard *guard, struct record *record)
{
    struct slice detail = slice_from_string(guard->detail);
    struct slice observed = sni_guard_would_deny(guard);
    record_set(record, &record->sni, slice_from_string(guard->name), HOST_MAX);
    if (observed.len > 0)
        record_set(record, &record->would_deny, observed, 64);
    if (detail.len == 0)
        return;
    bool is_refused = guard->mode == SNI_ENFORCE;
    record_set(record, is_refused ? &record->rule : &record->would_deny, SLICE("egress.sni"), 64);
    record_set(record, &record->detail, detail, SNI_DETAIL);
    if (!is_refused)
        return;
    char words[TUNNEL_REMEDY];
    struct text remedy = text_on(words, sizeof(words));
    sni_guard_add_remedy(guard, &remedy);
    record_set(record, &record->remedy, text_slice(&remedy), sizeof(words));
}

void tunnel_describe(struct link *link, struct record *into)
{
    struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    tunnel_tell(tunnel, into);
    tunnel_tell_tcp(tunnel, into);
    into->end = END_NONE; /* half-closed is not ended: the marks tell of it */
    into->ended_by = LEG_NONE;
    into->is_in_progress = true;
    into->now_ns = clock_monotonic_ns();
}

/* Tell of it while it is open. The record before this one stands in its own, so that differences can be told. */
static void tunnel_tell_open(struct tunnel *tunnel)
{
    struct tunnel_room *room = tunnel->room;
    struct record *record = room->scratch;
    if (room->on_told == NULL || !record_is_kept(&tunnel->record))
        return;
    tunnel_describe(&tunnel->link, record);
    room->on_told(room, record);
    uint64_t told_ns = record->now_ns;
    record_shelf_get(&tunnel->record, record);
    record->told_ns = told_ns;
    record->told_up_bytes = tunnel->up.bytes;
    record->told_down_bytes = tunnel->down.bytes;
    record_shelf_renew(&room->shelf, record, &tunnel->record);
}

/* The same, where bytes came since. */
static void tunnel_tell_news(struct tunnel *tunnel)
{
    struct record *record = tunnel->room->scratch;
    if (!record_is_kept(&tunnel->record))
        return;
    record_shelf_get(&tunnel->record, record);
    if (tunnel->up.bytes != record->told_up_bytes || tunnel->down.bytes != record->told_down_bytes)
        tunnel_tell_open(tunnel);
}

static void tunnel_tell_if_due(struct tunnel *tunnel)
{
    uint64_t interval_ns = tunnel_interval_ns(tunnel);
    uint8_t age = interval_ns == 0 ? 0 : (uint8_t)tunnel_age(tunnel, interval_ns);
    if (age != tunnel->told_age)
        tunnel_tell_news(tunnel);
    tunnel->told_age = age;
}

void tunnel_room_tell_all(struct tunnel_room *room)
{
    const struct config *config = room->engine->snapshot->config;
    if (config->log.tells_open || config->log.tell_every_ns != 0)
        LIST_EACH(link, &room->open)
            tunnel_tell_news(CONTAINER_OF(link, struct tunnel, link));
}

static void tunnel_bury(struct grave *grave)
{
    struct tunnel *tunnel = CONTAINER_OF(grave, struct tunnel, grave);
    slab_free(&tunnel->room->slab, tunnel);
}

/* The finished record, in the scratch. */
static void tunnel_hand_in(struct tunnel *tunnel, enum cause cause)
{
    struct tunnel_room *room = tunnel->room;
    struct record *record = room->scratch;
    if (tunnel->guard != NULL)
        tunnel_tell_guard(tunnel->guard, record);
    timeline_mark(&record->timeline, MARK_X_END);
    record->ended_by = tunnel->ended_by;
    record->end = tunnel->end;
    if (cause != CAUSE_NONE) {
        const struct failure_row *row = failure_row(cause);
        record_set(record, &record->cause, slice_from_string(row->word), 64);
        if (record->detail.len == 0)
            record_set(record, &record->detail, slice_from_string(row->sentence), 128);
    }
    if (tunnel->guard != NULL || cause != CAUSE_NONE)
        record_seal(record);
    room->on_ended(room, record);
}

static void tunnel_finish(struct tunnel *tunnel, enum record_leg by, enum record_end end,
                          enum cause cause)
{
    struct tunnel_room *room = tunnel->room;
    bool is_abort = end != END_DONE;
    if (tunnel->end == END_NONE || is_abort) {
        tunnel->end = (uint8_t)end;
        tunnel->ended_by = (uint8_t)by;
    }
    tunnel_tell(tunnel, room->scratch);
    tunnel_tell_tcp(tunnel, room->scratch);
    pipe_done(&tunnel->up);
    pipe_done(&tunnel->down);
    transport_close(&tunnel->up.from, is_abort && end != END_REFUSED);
    transport_close(&tunnel->up.to, is_abort);
    timer_cancel(&tunnel->timer);
    task_cancel(&tunnel->task);
    link_remove(&tunnel->link);
    tunnel->tag = 0;
    counter_sub(room->engine->counters, COUNT_TUNNELS_OPEN, 1);
    budget_leave(&tunnel->budget);
    tunnel_hand_in(tunnel, cause);
    sni_guard_destroy(&room->sni, &tunnel->guard);
    inside_destroy(&room->inside, &tunnel->inside);
    record_shelf_drop(&room->shelf, &tunnel->record);
    tunnel->grave.bury = tunnel_bury;
    loop_bury(room->engine->loop, &tunnel->grave);
}

static void tunnel_time_out(struct timer *timer)
{
    struct tunnel *tunnel = CONTAINER_OF(timer, struct tunnel, timer);
    tunnel->is_late = true;
    loop_queue(tunnel->room->engine->loop, &tunnel->task);
}

/* A deadline passed; what came in the same turn counts. */
static void tunnel_judge_late(struct tunnel *tunnel)
{
    tunnel->is_late = false;
    tunnel_tell_if_due(tunnel);
    tunnel_arm(tunnel);
    uint64_t now = loop_now_ns(tunnel->room->engine->loop);
    if (tunnel->timer.deadline_ns > now)
        return; /* there was progress since it was set */
    enum cause cause = tunnel_is_half(tunnel) ? CAUSE_TUNNEL_HALF_CLOSED : CAUSE_TUNNEL_IDLE;
    bool is_hello = tunnel->guard != NULL && tunnel->guard->begun_ns != 0;
    /* The log lets pass, and a name that nobody knows in time is refused as any other that does not fit. */
    if (is_hello && (tunnel->guard->mode == SNI_LOG || tunnel->guard->is_asking)) {
        sni_guard_give_up(tunnel->guard);
        loop_queue(tunnel->room->engine->loop, &tunnel->task);
        return;
    }
    if (is_hello)
        cause = CAUSE_HELLO_TIMEOUT;
    if (tunnel->limits.lifetime_ns > 0 && tunnel->opened_ns + tunnel->limits.lifetime_ns <= now)
        cause = CAUSE_TUNNEL_LIFETIME;
    tunnel_finish(tunnel, LEG_PROXY, END_TIMEOUT, cause);
}

/* What went each way, and when the last of it came. */
struct tunnel_tally {
    uint64_t up, down;
    struct pace_before pace;
};

static struct tunnel_tally tunnel_tally(const struct tunnel *tunnel)
{
    struct pace_before pace = pace_look(&tunnel->up, &tunnel->down);
    pace.is_asked = tunnel->inside != NULL && inside_is_asked(tunnel->inside);
    return (struct tunnel_tally){tunnel->up.bytes, tunnel->down.bytes, pace};
}

/* Note progress and ends after a run, and tell the metrics; `before` is what had gone before it. */
static void tunnel_note(struct tunnel *tunnel, struct tunnel_tally before)
{
    struct counters *counters = tunnel->room->engine->counters;
    uint64_t up = tunnel->up.bytes - before.up;
    uint64_t down = tunnel->down.bytes - before.down;
    tunnel->is_bulk = up + down >= SHARE_FIRST;
    pace_note(&tunnel->pace, &tunnel->up, &tunnel->down, before.pace);
    if (up + down > 0)
        tunnel->progress_ns = loop_now_ns(tunnel->room->engine->loop);
    tunnel_note_rhythm(tunnel, before.pace.up_ns, before.pace.down_ns);
    if (up > 0) {
        counter_add(counters, COUNT_CLIENT_IN_BYTES, up);
        counter_add(counters, COUNT_UPSTREAM_OUT_BYTES, up);
    }
    if (down > 0) {
        counter_add(counters, COUNT_UPSTREAM_IN_BYTES, down);
        counter_add(counters, COUNT_CLIENT_OUT_BYTES, down);
    }
    if (tunnel->end == END_NONE && (tunnel->up.from_ended || tunnel->down.from_ended)) {
        tunnel->end = END_DONE;
        tunnel->ended_by = tunnel->up.from_ended ? LEG_CLIENT : LEG_UPSTREAM;
    }
}

/* A side whose end was passed on, and that did not get ours: an error can only be its reset. As long as
 * bytes of it wait for the other side they come first. */
static bool tunnel_was_reset(const struct pipe *from, const struct pipe *to)
{
    return from->is_ended && !to->is_ended && (from->from->ready & WATCH_ERROR) != 0;
}

/* Did this side close a Unix socket? It hears no more, but what it sent is whole: over TCP such a close would show
 * as an end of file, and as a reset only once it is answered. */
static bool tunnel_was_closed(const struct transport *side, enum pipe_result sending)
{
    if ((side->ready & WATCH_ERROR) == 0 && sending != PIPE_TO_FAILED)
        return false;
    int fd = tcp_fd(side);
    return fd >= 0 && socket_was_closed_unix(fd);
}

/* A side that ended both directions by its end (TLS 1.2, a Unix socket) gets ours at once, and nothing more.
 * `sending` is how the run towards it went. */
static bool tunnel_stops(const struct pipe *from, struct pipe *to, enum pipe_result sending)
{
    if (to->is_ended || to->is_discarding)
        return false;
    bool ends_both = from->from_ended && from->from->ends_both;
    if (!ends_both && !tunnel_was_closed(from->from, sending))
        return false;
    pipe_discard(to);
    return true;
}

/* Most runs: neither side has ended, broke or is late, so that nothing is left to judge. */
static bool tunnel_goes_on(const struct tunnel *tunnel)
{
    const struct pipe *up = &tunnel->up;
    const struct pipe *down = &tunnel->down;
    unsigned ready = up->from->ready | down->from->ready;
    return !up->from_ended && !down->from_ended && !tunnel_is_half(tunnel) && !tunnel->is_late &&
           (ready & WATCH_ERROR) == 0;
}

/* A side broke: that is its end, unless it had ended in order before. */
static void tunnel_break(struct tunnel *tunnel, enum record_leg by, struct pipe *from)
{
    if (from->ended_ns == 0)
        from->ended_ns = clock_monotonic_ns();
    tunnel_finish(tunnel, by, END_RST, CAUSE_NONE);
}

/* ---- the guard ---- */

/* Tell the client in the words of its own protocol, where it speaks TLS and has heard nothing of the origin yet:
 * a fatal alert, unrecognized_name (RFC 6066 §3). */
static void tunnel_alert(struct tunnel *tunnel)
{
    static const char alert[] = {21, 3, 3, 0, 2, 2, 112};
    struct slice held = sni_guard_held(tunnel->guard);
    struct iovec iov = {(void *)(uintptr_t)alert, sizeof(alert)};
    size_t sent = 0;
    bool is_tls = held.len > 0 && held.at[0] == 22;
    if (!is_tls || tunnel->down.bytes > 0)
        return;
    (void)transport_send(tunnel->up.from, &iov, 1, &sent);
    /* What lies unread would make the close a reset, which overtakes the alert (RFC 9112 §9.6). */
    struct wire_shared *shared = &tunnel->room->engine->shared;
    enum status status = ST_OK;
    for (int i = 0; i < TUNNEL_DRAIN_ROUNDS && status == ST_OK; i++) {
        size_t got = 0;
        status = transport_recv(tunnel->up.from, shared->scratch, shared->scratch_bytes, &got);
    }
}

static void tunnel_refuse(struct tunnel *tunnel)
{
    struct tunnel_room *room = tunnel->room;
    counter_add(room->engine->counters, COUNT_REFUSALS, 1);
    if (room->on_refused != NULL)
        room->on_refused(room, tunnel->guard);
    tunnel_alert(tunnel);
    tunnel_finish(tunnel, LEG_PROXY, END_REFUSED, CAUSE_SNI_REFUSED);
}

/* The record has what was found, and the pipe the bytes. */
static enum status tunnel_release(struct tunnel *tunnel)
{
    struct tunnel_room *room = tunnel->room;
    struct record *record = room->scratch;
    record_shelf_get(&tunnel->record, record);
    tunnel_tell_guard(tunnel->guard, record);
    record_seal(record);
    record_shelf_renew(&room->shelf, record, &tunnel->record);
    enum status status = pipe_preload(&tunnel->up, sni_guard_held(tunnel->guard));
    pipe_meter(&tunnel->up, tunnel->up.budget);
    if (tunnel->guard->begun_ns != 0) {
        tunnel->up.first_ns = tunnel->guard->begun_ns;
        tunnel->up.last_ns = tunnel->guard->last_ns;
    }
    if (tunnel->up.is_shown)
        tunnel_show(&tunnel->up, pipe_held(&tunnel->up));
    if (tunnel->guard->detail[0] != '\0' || sni_guard_would_deny(tunnel->guard).len > 0)
        counter_add(room->engine->counters, COUNT_WOULD_DENY, 1);
    sni_guard_destroy(&room->sni, &tunnel->guard);
    return status;
}

/* Look at what the client says. False: the tunnel is no more. *ret_waits: its pipe is not to run yet. */
static bool tunnel_guard(struct tunnel *tunnel, bool *ret_waits)
{
    struct engine *engine = tunnel->room->engine;
    uint64_t due_ns = tunnel_guard_due_ns(tunnel);
    enum sni_result result = sni_guard_run(tunnel->guard, engine, tunnel->up.from);
    *ret_waits = result == SNI_WAITS;
    switch (result) {
    case SNI_WAITS:
        if (due_ns != tunnel_guard_due_ns(tunnel)) {
            timer_cancel(&tunnel->timer);
            tunnel_arm(tunnel);
        }
        return true;
    case SNI_PASSES:
    case SNI_ENDED: /* the pipe meets the end again */
        if (tunnel_release(tunnel) == ST_OK)
            return true;
        tunnel_finish(tunnel, LEG_PROXY, END_ERROR, CAUSE_SHED);
        return false;
    case SNI_REFUSES: tunnel_refuse(tunnel); return false;
    case SNI_SHED: tunnel_finish(tunnel, LEG_PROXY, END_ERROR, CAUSE_SHED); return false;
    case SNI_BROKEN: tunnel_break(tunnel, LEG_CLIENT, &tunnel->up); return false;
    }
    return true;
}

static void tunnel_run(struct task *task)
{
    struct tunnel *tunnel = CONTAINER_OF(task, struct tunnel, task);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    bool is_held = false;
    struct tunnel_tally before = tunnel_tally(tunnel);
    tunnel_end_hold(tunnel);
    if (tunnel->guard != NULL && !tunnel->up.is_discarding && !tunnel_guard(tunnel, &is_held))
        return;
    bool was_half = tunnel_is_half(tunnel);
    tunnel->up.is_last = tunnel->down.is_ended && !tunnel->down.is_discarding;
    enum pipe_result up = is_held ? PIPE_WAITING : pipe_run(&tunnel->up);
    tunnel->down.is_last = tunnel->up.is_ended && !tunnel->up.is_discarding;
    enum pipe_result down = pipe_run(&tunnel->down);
    if (up == PIPE_WAITING && down == PIPE_WAITING && tunnel_goes_on(tunnel)) {
        tunnel_note(tunnel, before);
        return;
    }
    if (down != PIPE_FROM_FAILED && tunnel_stops(&tunnel->up, &tunnel->down, down))
        down = pipe_run(&tunnel->down);
    if (up != PIPE_FROM_FAILED && tunnel_stops(&tunnel->down, &tunnel->up, up))
        up = pipe_run(&tunnel->up);
    tunnel_note(tunnel, before);
    if (tunnel_was_reset(&tunnel->up, &tunnel->down))
        up = PIPE_FROM_FAILED;
    if (tunnel_was_reset(&tunnel->down, &tunnel->up))
        down = PIPE_FROM_FAILED;
    if (up == PIPE_SHED || down == PIPE_SHED) {
        tunnel_finish(tunnel, LEG_PROXY, END_ERROR, CAUSE_SHED);
        return;
    }
    if (up == PIPE_FROM_FAILED || down == PIPE_TO_FAILED) {
        tunnel_break(tunnel, LEG_CLIENT, &tunnel->up);
        return;
    }
    if (up == PIPE_TO_FAILED || down == PIPE_FROM_FAILED) {
        tunnel_break(tunnel, LEG_UPSTREAM, &tunnel->down);
        return;
    }
    if (up == PIPE_ENDED && down == PIPE_ENDED) {
        tunnel_finish(tunnel, tunnel->ended_by, END_DONE, CAUSE_NONE);
        return;
    }
    if (up == PIPE_BUSY || down == PIPE_BUSY)
        loop_queue_later(tunnel->room->engine->loop, &tunnel->task);
    if (!was_half && tunnel_is_half(tunnel)) {
        tunnel->progress_ns = loop_now_ns(tunnel->room->engine->loop); /* an end is progress, too */
        timer_cancel(&tunnel->timer);
        tunnel_arm(tunnel);
    }
    if (up == PIPE_HELD || down == PIPE_HELD)
        tunnel_hold(tunnel, up == PIPE_HELD, down == PIPE_HELD);
    if (tunnel->is_late)
        tunnel_judge_late(tunnel);
}

void tunnel_room_take_limits(struct tunnel_room *room, const struct budget_rules *rules)
{
    uint64_t now_ns = loop_now_ns(room->engine->loop);
    LIST_EACH(link, &room->open) {
        struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
        if (!budget_use_rules(&tunnel->budget, rules, /* keeps= */ false, NULL, now_ns))
            continue;
        const struct budget *metered = tunnel->budget.is_metered ? &tunnel->budget : NULL;
        tunnel->up.budget = tunnel->down.budget = metered;
        if (tunnel->resume_ns != 0)
            loop_queue(room->engine->loop, &tunnel->task);
    }
}

void tunnel_room_end_all(struct tunnel_room *room)
{
    LIST_EACH(link, &room->open)
        tunnel_finish(CONTAINER_OF(link, struct tunnel, link), LEG_PROXY, END_DRAIN, CAUSE_DRAINED);
}

bool tunnel_room_kill(struct tunnel_room *room, uint64_t id)
{
    LIST_EACH(link, &room->open) {
        struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
        if (tunnel->id != id)
            continue;
        tunnel_finish(tunnel, LEG_PROXY, END_KILLED, CAUSE_NONE);
        return true;
    }
    return false;
}

uint64_t tunnel_opened_ns(struct link *link, uint64_t *ret_id)
{
    const struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    *ret_id = tunnel->id;
    return tunnel->opened_ns;
}
