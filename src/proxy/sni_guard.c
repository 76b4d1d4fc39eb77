/* Holding and judging the beginning of a tunnel. What is wrong is refused when it is known, and not before: a
 * ClientHello in pieces is no fault, a first byte that is no TLS is.
 *
 * An address that was asked for by itself has no name to compare: a ClientHello without a name passes there, and one
 * with a name where that name is let pass as well and leads to the address (proxy/sni_name). */

#include "proxy/sni_guard.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/tls_hello.h"

#include <string.h>

/* ---- life ---- */

void sni_room_init(struct sni_room *room)
{
    slab_init(&room->guards, sizeof(struct sni_guard));
    slab_init(&room->names, sizeof(struct sni_name));
}

void sni_room_done(struct sni_room *room)
{
    slab_done(&room->guards);
    slab_done(&room->names);
}

bool sni_room_tidy(struct sni_room *room)
{
    bool has_more = slab_tidy(&room->guards);
    return slab_tidy(&room->names) || has_more;
}

struct sni_guard *sni_guard_create(struct sni_room *room, struct block_pool *blocks,
                                   const struct sni_wanted *wanted, void *owner,
                                   void (*on_answer)(void *owner))
{
    struct sni_guard *guard = slab_alloc(&room->guards);
    if (guard == NULL)
        return NULL;
    *guard = (struct sni_guard){.mode = wanted->mode,
                                .tls_is_optional = wanted->tls_is_optional,
                                .is_connect = wanted->asked->question.is_connect,
                                .port = wanted->asked->question.port,
                                .host = *wanted->asked->question.host,
                                .hello_ns = wanted->hello_ns,
                                .asker = wanted->asker};
    if (guard->host.kind == HOST_NAME)
        return guard;
    guard->other = sni_name_create(&room->names, blocks, wanted->asked, owner, on_answer);
    if (guard->other == NULL)
        sni_guard_destroy(room, &guard);
    return guard;
}

void sni_guard_destroy(struct sni_room *room, struct sni_guard **guard)
{
    if (*guard == NULL)
        return;
    block_unref(&(*guard)->block);
    sni_name_destroy(&room->names, &(*guard)->other);
    slab_free(&room->guards, *guard);
    *guard = NULL;
}

/* ---- what is held ---- */

struct slice sni_guard_held(const struct sni_guard *guard)
{
    return guard->block == NULL ? SLICE_NONE : slice_of(guard->block->data, guard->held_len);
}

/* Room for more: a small block first, since most are small. False: out of memory, or full. */
static bool guard_make_room(struct sni_guard *guard, struct block_pool *blocks)
{
    if (guard->block != NULL && guard->held_len < guard->block->size)
        return guard->held_len < SNI_HELD_MAX;
    struct block *block =
        block_create(blocks, guard->block == NULL ? BLOCK_SMALL : guard->block->size + 1);
    if (block == NULL)
        return false;
    if (guard->block != NULL)
        memcpy(block->data, guard->block->data, guard->held_len);
    block_unref(&guard->block);
    guard->block = block;
    return true;
}

enum status sni_guard_add(struct sni_guard *guard, struct block_pool *blocks, struct slice bytes)
{
    CHECK(guard->block == NULL);
    if (bytes.len == 0)
        return ST_OK;
    guard->block = block_create(blocks, bytes.len > BLOCK_SMALL ? bytes.len : BLOCK_SMALL);
    if (guard->block == NULL)
        return ST_NOMEM;
    memcpy(guard->block->data, bytes.at, bytes.len);
    guard->held_len = (uint32_t)bytes.len;
    guard->begun_ns = guard->last_ns = clock_monotonic_ns();
    return ST_OK;
}

void sni_guard_add_remedy(const struct sni_guard *guard, struct text *into)
{
    bool is_no_tls = strcmp(guard->detail, tls_hello_text(TLS_HELLO_NOT_TLS)) == 0;
    if (guard->name[0] != '\0')
        text_add_format(into, "ask for the CONNECT to %s, or egress.sni: log", guard->name);
    else
        text_add(into, is_no_tls
                           ? SLICE("tls: optional in the rule that allows it, or egress.sni: log")
                           : SLICE("egress.sni: log"));
}

/* ---- judging ---- */

static enum sni_result guard_blamed(const struct sni_guard *guard)
{
    return guard->mode == SNI_ENFORCE ? SNI_REFUSES : SNI_PASSES;
}

static enum sni_result guard_blame(struct sni_guard *guard, const char *why)
{
    struct text text = text_on(guard->detail, sizeof(guard->detail));
    text_add(&text, slice_from_string(why));
    (void)text_string(&text);
    return guard_blamed(guard);
}

uint64_t sni_guard_due_ns(const struct sni_guard *guard)
{
    if (guard->begun_ns == 0 || guard->detail[0] != '\0')
        return 0;
    return guard->is_asking ? sni_name_due_ns(guard->other) : guard->begun_ns + guard->hello_ns;
}

void sni_guard_give_up(struct sni_guard *guard)
{
    if (!guard->is_asking) {
        (void)guard_blame(guard, tls_hello_text(TLS_HELLO_MORE));
        return;
    }
    guard->heard_ns = clock_monotonic_ns();
    struct text text = text_on(guard->detail, sizeof(guard->detail));
    sni_name_tell_late(guard->other, &text);
    (void)text_string(&text);
}

uint64_t sni_guard_asking_ns(const struct sni_guard *guard)
{
    uint64_t end_ns = guard->heard_ns;
    if (end_ns == 0 && guard->is_asking)
        end_ns = clock_monotonic_ns();
    return end_ns == 0 ? 0 : end_ns - guard->other->asked_ns;
}

struct slice sni_guard_would_deny(const struct sni_guard *guard)
{
    return guard->other == NULL ? SLICE_NONE : guard->other->would_deny;
}

static const char ech_note[] = "; of an encrypted one (ECH) the outer name counts";

/* The name that was asked for is another one. */
static enum sni_result guard_blame_name(struct sni_guard *guard)
{
    char why[SNI_DETAIL];
    struct text text = text_on(why, sizeof(why));
    text_add(&text, SLICE("its SNI is "));
    text_add(&text, slice_first(slice_from_string(guard->name), 48));
    text_add(&text, SLICE(" and not "));
    text_add(&text, slice_first(host_slice(&guard->host), 48));
    if (guard->has_ech)
        text_add(&text, slice_from_string(ech_note));
    return guard_blame(guard, text_string(&text));
}

/* What came of a name for an address. */
static enum sni_result guard_end_asking(struct sni_guard *guard, enum sni_name_verdict verdict,
                                        struct text *why)
{
    guard->is_asking = verdict == SNI_NAME_WAITS;
    if (guard->is_asking)
        return SNI_WAITS;
    if (verdict == SNI_NAME_FINE)
        return SNI_PASSES;
    if (guard->has_ech)
        text_add(why, slice_from_string(ech_note));
    return guard_blame(guard, text_string(why));
}

static enum sni_result guard_ask(struct sni_guard *guard, struct engine *engine,
                                 const struct host *named)
{
    char why[SNI_DETAIL];
    struct text text = text_on(why, sizeof(why));
    return guard_end_asking(guard, sni_name_ask(guard->other, engine, named, &text), &text);
}

static enum sni_result guard_hear(struct sni_guard *guard)
{
    char why[SNI_DETAIL];
    struct text text = text_on(why, sizeof(why));
    enum sni_result result = guard_end_asking(guard, sni_name_judge(guard->other, &text), &text);
    if (result != SNI_WAITS)
        guard->heard_ns = clock_monotonic_ns();
    return result;
}

static enum sni_result guard_judge_name(struct sni_guard *guard, struct engine *engine,
                                        const struct tls_hello *hello)
{
    struct host named;
    if (!hello->has_name)
        return guard->other == NULL ? guard_blame(guard, "its ClientHello names no host (SNI)")
                                    : SNI_PASSES;
    if (host_parse(hello->name, &named) != HOST_FINE || named.kind != HOST_NAME)
        return guard_blame(guard, "its SNI is no host name");
    memcpy(guard->name, named.text, (size_t)named.len + 1);
    guard->has_ech = hello->has_ech;
    if (guard->other != NULL)
        return guard_ask(guard, engine, &named);
    return slice_equals(host_slice(&named), host_slice(&guard->host)) ? SNI_PASSES
                                                                      : guard_blame_name(guard);
}

static enum sni_result guard_judge(struct sni_guard *guard, struct engine *engine)
{
    struct tls_hello hello;
    enum tls_hello_result result =
        tls_hello_read(sni_guard_held(guard), engine->shared.scratch, &hello);
    switch (result) {
    case TLS_HELLO_WHOLE: return guard_judge_name(guard, engine, &hello);
    case TLS_HELLO_MORE:
        return guard->held_len < SNI_HELD_MAX
                   ? SNI_WAITS
                   : guard_blame(guard, tls_hello_text(TLS_HELLO_TOO_LONG));
    case TLS_HELLO_NOT_TLS:
        if (guard->tls_is_optional)
            return SNI_PASSES;
        break;
    case TLS_HELLO_MALFORMED:
    case TLS_HELLO_TOO_LONG: break;
    }
    return guard_blame(guard, tls_hello_text(result));
}

/* One receive. ST_LIMIT: nothing more is taken. */
static enum status guard_receive(struct sni_guard *guard, struct transport *client,
                                 struct block_pool *blocks)
{
    size_t got = 0;
    if (guard->held_len >= SNI_HELD_MAX)
        return ST_LIMIT;
    if (!guard_make_room(guard, blocks))
        return ST_NOMEM;
    enum status status = transport_recv(client, guard->block->data + guard->held_len,
                                        guard->block->size - guard->held_len, &got);
    if (status != ST_OK)
        return status;
    guard->held_len += (uint32_t)got;
    guard->last_ns = clock_monotonic_ns();
    if (guard->begun_ns == 0)
        guard->begun_ns = guard->last_ns;
    return ST_OK;
}

enum sni_result sni_guard_run(struct sni_guard *guard, struct engine *engine,
                              struct transport *client)
{
    enum status status = ST_OK;
    if (guard->detail[0] != '\0') /* given up */
        return guard_blamed(guard);
    if (guard->is_asking)
        return guard_hear(guard);
    while (status == ST_OK) {
        if (guard->held_len > 0) {
            enum sni_result result = guard_judge(guard, engine);
            if (result != SNI_WAITS || guard->is_asking)
                return result;
        }
        status = guard_receive(guard, client, engine->shared.blocks);
    }
    if (guard->held_len == 0)
        block_unref(&guard->block);
    if (status == ST_AGAIN)
        return SNI_WAITS;
    if (status == ST_NOMEM)
        return SNI_SHED;
    if (status != ST_EOF)
        return SNI_BROKEN;
    transport_hand_on_end(client);
    return guard->held_len == 0 ? SNI_ENDED : guard_blame(guard, tls_hello_text(TLS_HELLO_MORE));
}
