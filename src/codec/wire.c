/* Buffered bytes over a transport.
 *
 * Heads need contiguous memory that lives as long as their exchange, so they are received into a block
 * of the worker's pool; bodies do not, so they are received into one large scratch buffer that stays hot
 * in the cache and belongs to nobody. Only what the other side could not take is copied into a block.
 *
 * Rejected: a buffer per connection (memory of idle connections), and scatter input over several small
 * blocks (heads would have to be joined again). */

#include "codec/wire.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/tls.h"

#include <string.h>

void wire_init(struct wire *wire, struct transport *transport, struct wire_shared *shared)
{
    *wire = (struct wire){.transport = transport, .shared = shared};
    chain_init(&wire->out, shared->blocks);
}

void wire_done(struct wire *wire, bool is_abort)
{
    bool is_in_order = !is_abort && wire->transport != NULL && chain_is_empty(&wire->out);
    if (is_in_order && tls_is_tls(wire->transport)) /* closing a plain one says as much */
        (void)transport_shut(wire->transport);      /* what cannot go out at once never will */
    transport_close(&wire->transport, is_abort);
    chain_clear(&wire->out);
    block_unref(&wire->block);
    wire->in = SLICE_NONE;
}

/* Room behind `in` in a block of our own; NULL when out of memory. */
static char *wire_make_room(struct wire *wire, size_t *ret_room)
{
    struct block *block = wire->block;
    if (block != NULL && wire->in.len == 0 && block->refs == 1)
        wire->in.at = block->data;
    if (block != NULL) {
        size_t used = (size_t)(wire->in.at - block->data) + wire->in.len;
        if (used + 512 < block->size) {
            *ret_room = block->size - used;
            return block->data + used;
        }
    }
    size_t want = wire->in.len * 2 > BLOCK_MEDIUM ? wire->in.len * 2 : BLOCK_MEDIUM;
    struct block *fresh = block_create(wire->shared->blocks, want > BLOCK_HUGE ? BLOCK_HUGE : want);
    if (fresh == NULL)
        return NULL;
    if (wire->in.len > 0)
        memcpy(fresh->data, wire->in.at, wire->in.len);
    block_unref(&wire->block);
    wire->block = fresh;
    wire->in.at = fresh->data;
    *ret_room = fresh->size - wire->in.len;
    return fresh->data + wire->in.len;
}

/* What a receive came to, stamped: marks tell when bytes came, not when they were understood. */
static enum status wire_received(struct wire *wire, enum status status, size_t got)
{
    if (status == ST_OK)
        wire->in_bytes += got;
    if (status == ST_EOF)
        wire->is_eof = true;
    if (status == ST_OK || status == ST_EOF)
        wire->received_ns = clock_monotonic_ns();
    return status;
}

static enum status wire_receive(struct wire *wire, char *into, size_t room, size_t *ret_got)
{
    enum status status = transport_recv(wire->transport, into, room, ret_got);
    return wire_received(wire, status, *ret_got);
}

bool wire_is_dry(const struct wire *wire)
{
    return (wire->transport->ready & WATCH_READ) == 0;
}

enum status wire_fill(struct wire *wire, size_t max_bytes)
{
    if (wire->in.len >= max_bytes || wire->in.len >= BLOCK_HUGE / 2)
        return ST_LIMIT;
    if (wire_is_dry(wire))
        return ST_AGAIN;
    size_t room = 0;
    char *into = wire_make_room(wire, &room);
    if (into == NULL)
        return ST_NOMEM;
    size_t got = 0;
    enum status status = wire_receive(wire, into, room, &got);
    if (status == ST_OK)
        wire->in.len += got;
    return status;
}

enum status wire_fill_scratch(struct wire *wire)
{
    DCHECK(wire->in.len == 0);
    block_unref(&wire->block);
    if (wire_is_dry(wire))
        return ST_AGAIN;
    size_t room = wire->shared->scratch_bytes, got = 0;
    if (!wire->is_bulk && room > WIRE_SCRATCH_FIRST)
        room = WIRE_SCRATCH_FIRST;
    enum status status = wire_receive(wire, wire->shared->scratch, room, &got);
    wire->is_bulk = status == ST_OK && got >= WIRE_SCRATCH_FIRST;
    if (status == ST_OK)
        wire->in = slice_of(wire->shared->scratch, got);
    return status;
}

bool wire_may_splice(const struct wire *wire)
{
    return wire->in.len == 0 && transport_is_plain(wire->transport) && !wire_is_dry(wire);
}

enum status wire_recv_splice(struct wire *wire, int pipe, size_t cap, size_t *ret_len)
{
    DCHECK(wire_may_splice(wire));
    enum status status = transport_recv_splice(wire->transport, pipe, cap, ret_len);
    return wire_received(wire, status, *ret_len);
}

void wire_consume(struct wire *wire, size_t len)
{
    CHECK(len <= wire->in.len);
    if (len == 0)
        return; /* nothing was there, perhaps not even memory */
    wire->in.at += len;
    wire->in.len -= len;
}

enum status wire_settle(struct wire *wire)
{
    if (wire->in.len == 0) {
        block_unref(&wire->block);
        wire->in = SLICE_NONE;
        return ST_OK;
    }
    if (wire->block != NULL)
        return ST_OK;
    struct block *block = block_create(wire->shared->blocks, wire->in.len);
    if (block == NULL) {
        wire->in = SLICE_NONE;
        return ST_NOMEM;
    }
    memcpy(block->data, wire->in.at, wire->in.len);
    wire->is_bulk = false;
    wire->block = block;
    wire->in.at = block->data;
    return ST_OK;
}

enum status wire_put(struct wire *wire, struct slice bytes)
{
    return chain_append(&wire->out, bytes);
}

enum status wire_flush(struct wire *wire)
{
    while (!chain_is_empty(&wire->out)) {
        struct iovec iov[16];
        int count = chain_iovec(&wire->out, iov, 16);
        size_t sent = 0;
        enum status status = transport_send(wire->transport, iov, count, &sent);
        if (status != ST_OK)
            return status;
        wire->out_bytes += sent;
        chain_consume(&wire->out, sent);
    }
    return transport_flush(wire->transport);
}

/* One send of the queue and, where all of it finds room in the call, of a large body behind it. */
static enum status wire_send_part(struct wire *wire, struct slice body, size_t *ret_taken)
{
    struct iovec iov[17];
    size_t queued = 0;
    int count = chain_iovec(&wire->out, iov, 16);
    for (int i = 0; i < count; i++)
        queued += iov[i].iov_len;
    if (queued == wire->out.len) {
        iov[count].iov_base = (void *)(uintptr_t)body.at;
        iov[count++].iov_len = body.len;
    }
    size_t sent = 0;
    enum status status = transport_send(wire->transport, iov, count, &sent);
    if (status != ST_OK)
        return status;
    wire->out_bytes += sent;
    size_t from_queue = sent < queued ? sent : queued;
    chain_consume(&wire->out, from_queue);
    *ret_taken = sent - from_queue;
    return ST_OK;
}

/* Only the transport says when to wait, since only then an event will come. */
static enum status wire_send_through(struct wire *wire, struct slice body, size_t *ret_taken)
{
    size_t taken = 0;
    enum status status = ST_OK;
    while (status == ST_OK && taken == 0)
        status = wire_send_part(wire, body, &taken);
    if (status == ST_OK)
        *ret_taken = taken;
    return status;
}

enum status wire_send(struct wire *wire, struct slice body, size_t *ret_taken)
{
    if (body.len <= WIRE_SMALL_BODY && !chain_is_empty(&wire->out) &&
        wire->out.len < WIRE_BACKLOG_MAX) {
        enum status status = chain_append(&wire->out, body);
        if (status == ST_OK)
            *ret_taken = body.len;
        return status;
    }
    return wire_send_through(wire, body, ret_taken);
}

enum status wire_send_splice(struct wire *wire, int pipe, size_t len, size_t *ret_taken)
{
    enum status status = wire_flush(wire);
    if (status == ST_OK)
        status = transport_send_splice(wire->transport, pipe, len, ret_taken);
    if (status == ST_OK)
        wire->out_bytes += *ret_taken;
    return status;
}
