/* From the watch to the record. A record lies on its shelf while its tunnel is open, so a change of its texts is a copy
 * there and back. It is made once, for those of the ClientHello, which are good only while that is shown. What comes at
 * the end has no text, and is written where the record lies, unless that is packed by then. */

#include "proxy/inside.h"

#include "base/check.h"
#include "base/host.h"
#include "net/tls_ja4.h"

enum { ALPN_TEXT_MAX = 128 };

struct inside {
    struct tls_watch watch;
};

void inside_room_init(struct inside_room *room, struct engine *engine, struct record_shelf *shelf,
                      struct record *scratch)
{
    *room = (struct inside_room){.engine = engine, .shelf = shelf, .scratch = scratch};
    slab_init(&room->slab, sizeof(struct inside));
}

void inside_room_done(struct inside_room *room)
{
    slab_done(&room->slab);
}

bool inside_room_tidy(struct inside_room *room)
{
    return slab_tidy(&room->slab);
}

struct inside *inside_create(struct inside_room *room, uint64_t quiet_ns)
{
    struct inside *inside = slab_alloc(&room->slab);
    if (inside != NULL)
        tls_watch_init(&inside->watch, quiet_ns);
    return inside;
}

/* What came of the handshake, once. */
static void inside_count(const struct inside *inside, struct counters *counters)
{
    const struct tls_watch_facts *facts = &inside->watch.facts;
    if (facts->alert_by != TLS_WATCH_BY_NOBODY)
        counter_add(counters, COUNT_TUNNEL_TLS_ALERTS, 1);
    else if (facts->done_ns != 0)
        counter_add(counters, COUNT_TUNNEL_TLS_HANDSHAKES, 1);
}

void inside_destroy(struct inside_room *room, struct inside **inside)
{
    if (*inside == NULL)
        return;
    inside_count(*inside, room->engine->counters);
    tls_watch_done(&(*inside)->watch);
    slab_free(&room->slab, *inside);
    *inside = NULL;
}

/* ---- the ClientHello ---- */

static bool is_printable(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] <= ' ' || name.at[i] > '~')
            return false;
    }
    return true;
}

/* Names of protocols as a list of the record; those that are no text are GREASE (RFC 8701 §3.1). */
static void tell_alpn(struct slice alpn, struct record *record)
{
    char space[ALPN_TEXT_MAX];
    struct text text = text_on(space, sizeof(space));
    struct slice name;
    while (tls_hello_next_name(&alpn, &name)) {
        bool has_room = text.len + 1 + name.len <= sizeof(space);
        if (!has_room || !is_printable(name))
            continue;
        if (text.len > 0)
            text_add_char(&text, '\n');
        text_add(&text, name);
    }
    record_set(record, &record->alpn, text_slice(&text), ALPN_TEXT_MAX);
}

static void tell_hello(const struct tls_hello *hello, bool has_ja4, struct record *record)
{
    struct host named;
    char ja4[TLS_JA4_TEXT];
    bool is_new = record->sni.len == 0 && hello->has_name; /* a guard may have told it before */
    if (is_new && host_parse(hello->name, &named) == HOST_FINE)
        record_set(record, &record->sni, host_slice(&named), HOST_MAX);
    tell_alpn(hello->alpn, record);
    if (has_ja4 && tls_ja4(hello, ja4))
        record_set(record, &record->ja4, slice_of(ja4, sizeof(ja4)), sizeof(ja4));
}

/* What a watch tells of its ClientHello, and to whom. */
struct inside_hearing {
    struct inside_room *room;
    struct record_kept *kept;
};

static void inside_renew(struct inside_room *room, struct record_kept *kept)
{
    record_seal(room->scratch);
    record_shelf_renew(room->shelf, room->scratch,
                       kept); /* without memory, the tunnel tells less */
}

static void inside_on_hello(void *owner, const struct tls_hello *hello)
{
    struct inside_hearing *hearing = owner;
    struct inside_room *room = hearing->room;
    if (!record_is_kept(hearing->kept))
        return;
    record_shelf_get(hearing->kept, room->scratch);
    tell_hello(hello, room->engine->snapshot->config->log.inside == LOG_INSIDE_JA4, room->scratch);
    inside_renew(room, hearing->kept);
}

/* ---- looking ---- */

bool inside_see(struct inside_room *room, struct inside *inside, enum tls_watch_side side,
                struct slice bytes, uint64_t at_ns, struct record_kept *kept)
{
    struct inside_hearing hearing = {room, kept};
    struct wire_shared *shared = &room->engine->shared;
    struct tls_watch_means means = {shared->blocks, shared->scratch, &hearing, inside_on_hello};
    tls_watch_see(&inside->watch, side, bytes, at_ns, &means);
    const struct tls_watch *watch = &inside->watch;
    return watch->state == TLS_WATCH_LOOKS || watch->facts.alert_by != TLS_WATCH_BY_NOBODY;
}

bool inside_wants(const struct inside *inside, enum tls_watch_side side)
{
    return tls_watch_wants(&inside->watch, side);
}

bool inside_is_asked(const struct inside *inside)
{
    return inside->watch.facts.request_ns != 0;
}

/* ---- telling ---- */

static uint16_t flag_if(bool is_set, enum record_inside_flag flag)
{
    return is_set ? (uint16_t)flag : 0;
}

static uint16_t tell_flags(const struct tls_watch_facts *facts)
{
    bool is_13 = facts->version >= 0x0304;
    bool guesses_end = is_13 && (facts->has_early_data || facts->asks_client);
    uint16_t flags = flag_if(facts->is_resumed, INSIDE_RESUMED);
    flags |= flag_if(facts->is_retried, INSIDE_HELLO_RETRY);
    flags |= flag_if(facts->has_early_data || facts->early_data_is_refused, INSIDE_EARLY_DATA);
    flags |= flag_if(facts->early_data_is_refused, INSIDE_EARLY_DATA_REFUSED);
    flags |= flag_if(facts->is_false_start, INSIDE_FALSE_START);
    flags |= flag_if(facts->asks_client, INSIDE_CERTIFICATE_ASKED);
    flags |= flag_if(facts->has_client_certificate, INSIDE_CLIENT_CERTIFICATE);
    flags |= flag_if(facts->has_ech, INSIDE_ECH);
    flags |= flag_if(facts->alert_is_hidden, INSIDE_ALERT_HIDDEN);
    flags |= flag_if(guesses_end, INSIDE_HANDSHAKE_ESTIMATED);
    flags |= flag_if(is_13 || facts->speaks_h2, INSIDE_RESPONSE_ESTIMATED);
    return flags;
}

static enum record_leg leg_of(enum tls_watch_by by)
{
    switch (by) {
    case TLS_WATCH_BY_NOBODY: return LEG_NONE;
    case TLS_WATCH_BY_CLIENT: return LEG_CLIENT;
    case TLS_WATCH_BY_SERVER: return LEG_UPSTREAM;
    }
    return LEG_NONE;
}

/* Sets no text: record_shelf_front. */
void inside_tell(const struct inside *inside, struct record *record)
{
    struct tls_watch_facts facts = tls_watch_facts(&inside->watch);
    if (facts.hello_ns == 0)
        return;
    record->inside.offered = facts.offered;
    record->inside.version = facts.version;
    record->inside.cipher = facts.version != 0 ? facts.cipher : 0;
    record->inside.flags = tell_flags(&facts);
    record->inside.alert = facts.alert;
    record->inside.alert_by = (uint8_t)leg_of((enum tls_watch_by)facts.alert_by);
    timeline_mark_at(&record->timeline, MARK_T_CH, facts.hello_ns);
    timeline_mark_at(&record->timeline, MARK_T_SH, facts.answer_ns);
    timeline_mark_at(&record->timeline, MARK_T_HS, facts.done_ns);
    timeline_mark_at(&record->timeline, MARK_T_REQ, facts.request_ns);
    timeline_mark_at(&record->timeline, MARK_T_RSP, facts.response_ns);
}

void inside_join(struct inside_room *room, const struct inside *inside, struct record_kept *kept)
{
    struct record *front = record_shelf_front(kept);
    if (!record_is_kept(kept) || inside->watch.facts.hello_ns == 0)
        return;
    if (front != NULL) {
        inside_tell(inside, front);
        return;
    }
    record_shelf_get(kept, room->scratch);
    inside_tell(inside, room->scratch);
    inside_renew(room, kept);
}
