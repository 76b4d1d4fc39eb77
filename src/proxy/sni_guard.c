/* Holding and judging the beginning of a tunnel. What is wrong is refused when it is known, and not before: a
 * ClientHello in pieces is no fault, a first byte that is no TLS is.
 *
 * An address that was asked for by itself has no name to compare: a ClientHello without a name is as good as none
 * there, and one with a name is refused, since what it names was never judged. */

#include "proxy/sni_guard.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "net/tls_hello.h"

#include <string.h>

static enum sni_result guard_blame(struct sni_guard *guard, const char *why)
{
    struct text text = text_on(guard->detail, sizeof(guard->detail));
    text_add(&text, slice_from_string(why));
    (void)text_string(&text);
    return guard->wanted.mode == SNI_ENFORCE ? SNI_REFUSES : SNI_PASSES;
}

struct sni_guard *sni_guard_create(struct slab *slab, const struct sni_wanted *wanted)
{
    struct sni_guard *guard = slab_alloc(slab);
    if (guard == NULL)
        return NULL;
    guard->wanted = *wanted;
    guard->block = NULL;
    guard->held_len = 0;
    guard->begun_ns = 0;
    guard->detail[0] = guard->name[0] = '\0';
    return guard;
}

void sni_guard_destroy(struct slab *slab, struct sni_guard **guard)
{
    if (*guard == NULL)
        return;
    block_unref(&(*guard)->block);
    slab_free(slab, *guard);
    *guard = NULL;
}

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
    guard->begun_ns = clock_monotonic_ns();
    return ST_OK;
}

void sni_guard_give_up(struct sni_guard *guard)
{
    (void)guard_blame(guard, tls_hello_text(TLS_HELLO_MORE));
}

/* ---- judging ---- */

/* The name that was asked for is another one. */
static enum sni_result guard_blame_name(struct sni_guard *guard, bool has_ech)
{
    char why[SNI_DETAIL];
    struct text text = text_on(why, sizeof(why));
    text_add(&text, SLICE("its SNI is "));
    text_add(&text, slice_first(slice_from_string(guard->name), 48));
    text_add(&text, SLICE(" and not "));
    text_add(&text, slice_first(host_slice(&guard->wanted.host), 48));
    if (has_ech)
        text_add(&text, SLICE("; of an encrypted one (ECH) the outer name counts"));
    return guard_blame(guard, text_string(&text));
}

static enum sni_result guard_judge_name(struct sni_guard *guard, const struct tls_hello *hello)
{
    const struct host *wanted = &guard->wanted.host;
    struct host named;
    if (!hello->has_name)
        return wanted->kind == HOST_NAME ? guard_blame(guard, "its ClientHello names no host (SNI)")
                                         : SNI_PASSES;
    if (host_parse(hello->name, &named) != HOST_FINE || named.kind != HOST_NAME)
        return guard_blame(guard, "its SNI is no host name");
    memcpy(guard->name, named.text, (size_t)named.len + 1);
    if (wanted->kind == HOST_NAME && slice_equals(host_slice(&named), host_slice(wanted)))
        return SNI_PASSES;
    return guard_blame_name(guard, hello->has_ech);
}

static enum sni_result guard_judge(struct sni_guard *guard, char *scratch)
{
    struct tls_hello hello;
    enum tls_hello_result result = tls_hello_read(sni_guard_held(guard), scratch, &hello);
    switch (result) {
    case TLS_HELLO_WHOLE: return guard_judge_name(guard, &hello);
    case TLS_HELLO_MORE:
        return guard->held_len < SNI_HELD_MAX
                   ? SNI_WAITS
                   : guard_blame(guard, tls_hello_text(TLS_HELLO_TOO_LONG));
    case TLS_HELLO_NOT_TLS:
        if (guard->wanted.tls_is_optional)
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
    if (status == ST_OK)
        guard->held_len += (uint32_t)got;
    if (guard->begun_ns == 0 && guard->held_len > 0)
        guard->begun_ns = clock_monotonic_ns();
    return status;
}

enum sni_result sni_guard_run(struct sni_guard *guard, struct transport *client,
                              struct block_pool *blocks, char *scratch)
{
    enum status status = ST_OK;
    while (status == ST_OK) {
        if (guard->detail[0] != '\0') /* given up, which lets pass */
            return SNI_PASSES;
        if (guard->held_len > 0) {
            enum sni_result result = guard_judge(guard, scratch);
            if (result != SNI_WAITS)
                return result;
        }
        status = guard_receive(guard, client, blocks);
    }
    if (guard->held_len == 0)
        block_unref(&guard->block);
    if (status == ST_AGAIN)
        return SNI_WAITS;
    if (status == ST_NOMEM)
        return SNI_SHED;
    if (status != ST_EOF)
        return SNI_BROKEN;
    return guard->held_len == 0 ? SNI_ENDED : guard_blame(guard, tls_hello_text(TLS_HELLO_MORE));
}
