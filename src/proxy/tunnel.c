/* The life of tunnels: both pipes run in one task, ends are judged after each run. What the bytes are is not asked here
 * (tunnel_look.c), nor what is told of them (tunnel_tell.c).
 *
 * Timers: one for each tunnel, moved lazily. It carries the nearest of idle, half-closed and lifetime
 * limits; progress only writes a time. */

#include "proxy/tunnel_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "net/tcp.h"
#include "proxy/share.h"

static void tunnel_run(struct task *task);
static void tunnel_time_out(struct timer *timer);

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

/* ---- limits ---- */

/* Has a direction ended, or does it end? Where both have, the tunnel is over, unless one discards. */
static bool tunnel_is_half(const struct tunnel *tunnel)
{
    return tunnel->up.is_ended || tunnel->down.is_ended || tunnel->up.is_discarding ||
           tunnel->down.is_discarding;
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

void tunnel_arm_anew(struct tunnel *tunnel)
{
    timer_cancel(&tunnel->timer);
    tunnel_arm(tunnel);
}

/* It would go on, but for its budget: that is no idleness. */
static void tunnel_await_budget(struct tunnel *tunnel, bool up, bool down)
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
    tunnel_arm_anew(tunnel);
}

/* Whatever comes of this run: what was stalled until now was not idle, and there may be nothing left that waits. */
static void tunnel_end_limited(struct tunnel *tunnel)
{
    if (tunnel->resume_ns == 0)
        return;
    tunnel->resume_ns = 0;
    pace_limited(&tunnel->pace, tunnel->progress_ns, loop_now_ns(tunnel->room->engine->loop));
    tunnel->progress_ns = loop_now_ns(tunnel->room->engine->loop);
}

/* ---- life ---- */

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
    tunnel_note_rhythm(tunnel, 0, 0);
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

static void tunnel_bury(struct grave *grave)
{
    struct tunnel *tunnel = CONTAINER_OF(grave, struct tunnel, grave);
    slab_free(&tunnel->room->slab, tunnel);
}

void tunnel_finish(struct tunnel *tunnel, enum record_leg by, enum record_end end, enum cause cause)
{
    struct tunnel_room *room = tunnel->room;
    bool is_abort = end != END_DONE;
    if (tunnel->end == END_NONE || is_abort) {
        tunnel->end = (uint8_t)end;
        tunnel->ended_by = (uint8_t)by;
    }
    tunnel_tell(tunnel, room->scratch);
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

void tunnel_break(struct tunnel *tunnel, enum record_leg by, struct pipe *from)
{
    if (from->ended_ns == 0)
        from->ended_ns = clock_monotonic_ns();
    tunnel_finish(tunnel, by, END_RST, CAUSE_NONE);
}

static void tunnel_run(struct task *task)
{
    struct tunnel *tunnel = CONTAINER_OF(task, struct tunnel, task);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    bool is_guarded = false;
    struct tunnel_tally before = tunnel_tally(tunnel);
    tunnel_end_limited(tunnel);
    if (tunnel->guard != NULL && !tunnel->up.is_discarding && !tunnel_guard(tunnel, &is_guarded))
        return;
    bool was_half = tunnel_is_half(tunnel);
    tunnel->up.is_last = tunnel->down.is_ended && !tunnel->down.is_discarding;
    enum pipe_result up = is_guarded ? PIPE_WAITING : pipe_run(&tunnel->up);
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
        tunnel_arm_anew(tunnel);
    }
    if (up == PIPE_LIMITED || down == PIPE_LIMITED)
        tunnel_await_budget(tunnel, up == PIPE_LIMITED, down == PIPE_LIMITED);
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
