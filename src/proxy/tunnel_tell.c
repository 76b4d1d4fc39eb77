/* What is told of a tunnel: when it was opened, from time to time while it is open, when somebody asks, and at its end.
 *
 * The record so far lies on a shelf (record/shelf), which packs it when the worker tidies up, so that a tunnel that
 * stays open costs little; the marks and counts it adds live in its pipes and are joined to the record when somebody
 * looks or when it ends. */

#include "proxy/tunnel_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/tcp_info.h"

enum { TELL_REMEDY = 160 };

/* ---- the record ---- */

/* When the last byte came, of either side. */
static uint64_t tunnel_last_ns(const struct tunnel *tunnel)
{
    return tunnel->up.last_ns > tunnel->down.last_ns ? tunnel->up.last_ns : tunnel->down.last_ns;
}

/* The kernel's figures of both legs, while they are open, of a tunnel that lived long enough to be slow. */
static void tunnel_tell_tcp(const struct tunnel *tunnel, struct record *record)
{
    if (loop_now_ns(tunnel->room->engine->loop) < tunnel->opened_ns + RECORD_SLOW_NS)
        return;
    tcp_info_read(tunnel->up.from, &record->client_tcp);
    tcp_info_read(tunnel->up.to, &record->upstream_tcp);
}

void tunnel_tell(const struct tunnel *tunnel, struct record *record)
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
    tunnel_tell_tcp(tunnel, record);
}

void tunnel_tell_guard(const struct sni_guard *guard, struct record *record)
{
    struct slice detail = slice_from_string(guard->detail);
    struct slice observed = sni_guard_would_deny(guard);
    record_set(record, &record->sni, slice_from_string(guard->name), HOST_MAX);
    record->stalled_by_dns_ns += sni_guard_asking_ns(guard);
    if (observed.len > 0)
        record_set(record, &record->would_deny, observed, 64);
    if (detail.len == 0)
        return;
    bool is_refused = guard->mode == SNI_ENFORCE;
    record_set(record, is_refused ? &record->rule : &record->would_deny, SLICE("egress.sni"), 64);
    record_set(record, &record->detail, detail, SNI_DETAIL);
    if (!is_refused)
        return;
    record->would_deny = (struct record_text){0}; /* it did not pass */
    char words[TELL_REMEDY];
    struct text remedy = text_on(words, sizeof(words));
    sni_guard_add_remedy(guard, &remedy);
    record_set(record, &record->remedy, text_slice(&remedy), sizeof(words));
}

void tunnel_describe(struct link *link, struct record *into)
{
    struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    tunnel_tell(tunnel, into);
    if (tunnel->guard != NULL)
        into->stalled_by_dns_ns += sni_guard_asking_ns(tunnel->guard);
    into->end = END_NONE; /* half-closed is not ended: the marks tell of it */
    into->ended_by = LEG_NONE;
    into->is_in_progress = true;
    into->now_ns = clock_monotonic_ns();
}

void tunnel_hand_in(struct tunnel *tunnel, enum cause cause)
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

uint64_t tunnel_opened_ns(struct link *link, uint64_t *ret_id)
{
    const struct tunnel *tunnel = CONTAINER_OF(link, struct tunnel, link);
    CHECK_TAG(tunnel, TUNNEL_TAG);
    *ret_id = tunnel->id;
    return tunnel->opened_ns;
}

/* ---- while it is open ---- */

/* The record before this one stands in its own, so that differences can be told. */
void tunnel_tell_open(struct tunnel *tunnel)
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

uint64_t tunnel_next_told_ns(const struct tunnel *tunnel)
{
    uint64_t interval_ns = tunnel_interval_ns(tunnel);
    return interval_ns == 0
               ? 0
               : tunnel->opened_ns + (tunnel_age(tunnel, interval_ns) + 1) * interval_ns;
}

void tunnel_tell_if_due(struct tunnel *tunnel)
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
