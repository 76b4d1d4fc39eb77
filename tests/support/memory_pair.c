/* A connection in memory, for tests of what stands on a transport.
 *
 * It is as strict as TCP on Linux where code could come to rely on more: a sender that was not refused is not
 * told of new room, and bytes that came before a reset can still be received. There is no delay: what is sent
 * lies at the peer at once. */
#include "support/memory_pair.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct memory_end *end_of(struct transport *transport)
{
    return CONTAINER_OF(transport, struct memory_end, base);
}

static void end_wake(struct memory_end *end, unsigned ready)
{
    if (end == NULL)
        return;
    end->base.ready |= ready;
    loop_queue(end->base.loop, &end->task);
}

static void run_wake(struct task *task)
{
    struct memory_end *end = CONTAINER_OF(task, struct memory_end, task);
    if (end->base.on_ready != NULL)
        end->base.on_ready(&end->base);
}

static enum status memory_handshake(struct transport *transport)
{
    (void)transport;
    return ST_OK;
}

static enum status memory_recv(struct transport *transport, void *into, size_t cap, size_t *ret_len)
{
    struct memory_end *end = end_of(transport);
    end->recv_calls++;
    /* Linux gives what came before the reset first, an end in order, too. */
    if (end->is_reset_in && end->len == 0 && (!end->is_fin_in || end->is_fin_told)) {
        end->base.os_error = ECONNRESET;
        return ST_IO;
    }
    if (end->len == 0) {
        end->base.ready &= ~(unsigned)WATCH_READ;
        end->is_fin_told = end->is_fin_in;
        return end->is_fin_in ? ST_EOF : ST_AGAIN;
    }
    size_t len = end->len < cap ? end->len : cap;
    if (end->recv_limit != 0 && len > end->recv_limit)
        len = end->recv_limit;
    memcpy(into, end->bytes, len);
    memmove(end->bytes, end->bytes + len, end->len - len);
    end->len -= len;
    if (end->len == 0 && !end->is_fin_in && !end->is_reset_in)
        end->base.ready &= ~(unsigned)WATCH_READ;
    if (end->peer != NULL && (end->peer->base.ready & WATCH_WRITE) == 0)
        end_wake(end->peer, WATCH_WRITE);
    *ret_len = len;
    return ST_OK;
}

static enum status memory_send(struct transport *transport, const struct iovec *iov, int count,
                               size_t *ret_len)
{
    struct memory_end *end = end_of(transport);
    struct memory_end *peer = end->peer;
    end->send_calls++;
    if (peer == NULL || end->is_reset_in) {
        end->base.os_error = EPIPE;
        return ST_IO;
    }
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        size_t room = peer->cap > peer->len ? peer->cap - peer->len : 0;
        size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;
        memcpy(peer->bytes + peer->len, iov[i].iov_base, part);
        peer->len += part;
        total += part;
        if (part < iov[i].iov_len)
            end->base.ready &= ~(unsigned)WATCH_WRITE;
    }
    if (total == 0)
        return ST_AGAIN;
    end->sent += total;
    end_wake(peer, WATCH_READ);
    *ret_len = total;
    return ST_OK;
}

static enum status memory_flush(struct transport *transport)
{
    return end_of(transport)->flush_says;
}

static enum status memory_shut(struct transport *transport)
{
    struct memory_end *end = end_of(transport);
    if (end->shut_says != ST_OK)
        return end->shut_says;
    if (end->peer == NULL)
        return ST_IO;
    end->peer->is_fin_in = true;
    end_wake(end->peer, WATCH_READ | WATCH_HANGUP);
    return ST_OK;
}

static void bury_end(struct grave *grave)
{
    struct memory_end *end = CONTAINER_OF(grave, struct memory_end, grave);
    free(end->bytes);
    free(end);
}

static void memory_close(struct transport *transport, bool is_abort)
{
    struct memory_end *end = end_of(transport);
    bool is_reset = is_abort || (end->resets_unread && end->len > 0);
    if (end->peer != NULL) {
        end->peer->is_fin_in = end->peer->is_fin_in || !is_reset;
        end->peer->is_reset_in = is_reset;
        end->peer->peer = NULL;
        end_wake(end->peer,
                 WATCH_READ | WATCH_WRITE | WATCH_HANGUP | (is_reset ? WATCH_ERROR : 0U));
    }
    task_cancel(&end->task);
    end->base.on_ready = NULL;
    loop_bury(end->base.loop, &end->grave);
}

/* Bits are all there is to ask. */
static bool memory_is_quiet(struct transport *transport, enum transport_look look)
{
    (void)look;
    return (transport->ready & (WATCH_READ | WATCH_HANGUP | WATCH_ERROR)) == 0;
}

static const char *memory_fault(struct transport *transport)
{
    (void)transport;
    return "";
}

static const struct transport_ops MEMORY_OPS = {
    .handshake = memory_handshake,
    .recv = memory_recv,
    .send = memory_send,
    .flush = memory_flush,
    .shut = memory_shut,
    .close = memory_close,
    .is_quiet = memory_is_quiet,
    .fault = memory_fault,
};

static struct memory_end *end_new(struct loop *loop, size_t room)
{
    struct memory_end *end = calloc(1, sizeof(*end));
    CHECK(end != NULL);
    end->bytes = malloc(room);
    CHECK(end->bytes != NULL);
    end->cap = room;
    end->base =
        (struct transport){.ops = &MEMORY_OPS, .loop = loop, .ready = WATCH_READ | WATCH_WRITE};
    task_init(&end->task, run_wake);
    end->grave.bury = bury_end;
    return end;
}

void memory_pair_create(struct loop *loop, size_t room, struct memory_end **ret_a,
                        struct memory_end **ret_b)
{
    struct memory_end *a = end_new(loop, room);
    struct memory_end *b = end_new(loop, room);
    a->peer = b;
    b->peer = a;
    *ret_a = a;
    *ret_b = b;
}

void memory_end_set_room(struct memory_end *end, size_t room)
{
    if (room > end->len) {
        char *bytes = realloc(end->bytes, room);
        CHECK(bytes != NULL);
        end->bytes = bytes;
    }
    bool is_more = room > end->cap;
    end->cap = room;
    if (is_more)
        end_wake(end->peer, WATCH_WRITE);
}
