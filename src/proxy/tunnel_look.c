/* Two look at the bytes of a tunnel, and nobody else does.
 *
 *   the guard   (proxy/sni_guard) has the client's first bytes before the pipe does, until they are a ClientHello that
 *               was judged. Then it hands them over and is gone, or the tunnel is refused.
 *   the inside  (proxy/inside) is shown bytes of both sides after they went on, as long as their TLS shows
 *               something. */

#include "proxy/tunnel_internal.h"

#include "base/check.h"

enum { LOOK_DRAIN_ROUNDS = 8 };

/* ---- the guard ---- */

static void tunnel_on_name(void *owner)
{
    struct tunnel *tunnel = owner;
    CHECK_TAG(tunnel, TUNNEL_TAG);
    loop_queue(tunnel->room->engine->loop, &tunnel->task);
}

enum status tunnel_load(struct tunnel *tunnel, struct slice from_client,
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
    for (int i = 0; i < LOOK_DRAIN_ROUNDS && status == ST_OK; i++) {
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
    uint64_t heard_ns = tunnel->guard->heard_ns;
    if (heard_ns != 0)
        pace_resume(&tunnel->pace, heard_ns);
    if (tunnel->up.is_shown)
        tunnel_show_at(&tunnel->up, pipe_held(&tunnel->up),
                       heard_ns != 0 ? heard_ns : tunnel->up.last_ns);
    if (tunnel->guard->detail[0] != '\0' || sni_guard_would_deny(tunnel->guard).len > 0)
        counter_add(room->engine->counters, COUNT_WOULD_DENY, 1);
    sni_guard_destroy(&room->sni, &tunnel->guard);
    return status;
}

bool tunnel_guard(struct tunnel *tunnel, bool *ret_waits)
{
    struct engine *engine = tunnel->room->engine;
    uint64_t due_ns = tunnel_guard_due_ns(tunnel);
    enum sni_result result = sni_guard_run(tunnel->guard, engine, tunnel->up.from);
    *ret_waits = result == SNI_WAITS;
    switch (result) {
    case SNI_WAITS:
        if (due_ns != tunnel_guard_due_ns(tunnel))
            tunnel_arm_anew(tunnel);
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

void tunnel_show(struct pipe *pipe, struct slice bytes)
{
    tunnel_show_at(pipe, bytes, pipe->last_ns);
}

void tunnel_show_at(struct pipe *pipe, struct slice bytes, uint64_t at_ns)
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
                   inside_see(room, tunnel->inside, side, bytes, at_ns, &tunnel->record);
    if (!goes_on) {
        tunnel_end_inside(tunnel);
        return;
    }
    tunnel->up.is_shown = inside_wants(tunnel->inside, TLS_WATCH_CLIENT);
    tunnel->down.is_shown = inside_wants(tunnel->inside, TLS_WATCH_SERVER);
}

void tunnel_begin_inside(struct tunnel *tunnel, const struct record *record)
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
}
