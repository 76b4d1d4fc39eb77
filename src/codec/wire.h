#ifndef FAIRLEAD_CODEC_WIRE_H
#define FAIRLEAD_CODEC_WIRE_H

#include "base/block.h"
#include "base/chain.h"
#include "base/slice.h"
#include "net/transport.h"

#include <stdbool.h>

/* The bytes of one connection on their way between its transport and a codec.
 *
 * Input: `in` are the bytes read and not yet used. They lie in `block`, or in the worker's shared scratch
 * buffer, which is only good until wire_settle: whoever reads calls it before the turn's next
 * connection runs. Output: `out` are the bytes written and not yet taken by the transport.
 *
 * Invariants
 *   W1  an idle wire (nothing in, nothing out) holds no block after wire_settle.
 *   W2  a block that somebody else references is never written below the end of `in`.
 *   W3  bytes leave in the order in which they were put. */

/* What all wires of a worker share. */
struct wire_shared {
    struct block_pool *blocks;
    char *scratch;
    size_t scratch_bytes;
};

enum {
    WIRE_SCRATCH = BLOCK_HUGE,
    WIRE_SCRATCH_FIRST = BLOCK_LARGE,
    WIRE_SMALL_BODY = 4096,
    WIRE_BACKLOG_MAX = 65536
};

struct wire {
    struct transport *transport; /* owned */
    struct wire_shared *shared;
    struct slice in;
    struct block *block; /* where `in` lies; NULL: in the scratch, or empty */
    struct chain out;
    uint64_t in_bytes;    /* received so far */
    uint64_t out_bytes;   /* taken by the transport so far */
    uint64_t received_ns; /* monotonic: the last receive that gave bytes or the end; 0 none */
    bool is_eof;          /* the peer ended its direction in order */
    bool is_bulk; /* the last receive into the scratch brought much, and all was passed on */
};

void wire_init(struct wire *wire, struct transport *transport, struct wire_shared *shared);
/* Close the transport and give all blocks back. Without `is_abort`, and with nothing left to send, the end is one
 * in order: close_notify comes before it (RFC 9112 §9.8). */
void wire_done(struct wire *wire, bool is_abort);

/* Receive once behind `in`, into a block that keeps `in` contiguous, up to `max_bytes` of unread input.
 * Errors: ST_AGAIN, ST_EOF, ST_IO, ST_BAD; ST_LIMIT at max_bytes; ST_NOMEM. */
enum status wire_fill(struct wire *wire, size_t max_bytes) MUST_USE;
/* Receive once into the shared scratch; only while `in` is empty. All of its room is used only where the last receive
 * filled what it had and the other side took it. Errors: as wire_fill. */
enum status wire_fill_scratch(struct wire *wire) MUST_USE;
/* Something may be there to be received, and nothing of it would have to go behind `in`: it can be spliced. */
bool wire_may_splice(const struct wire *wire);
/* A receive could only say that nothing is there (T1), which is a system call. */
bool wire_is_dry(const struct wire *wire);
/* Receive once, past the process, into an empty kernel pipe; only from a plain transport, and while `in` is empty.
 * Errors: as transport_recv_splice. */
enum status wire_recv_splice(struct wire *wire, int pipe, size_t cap, size_t *ret_len) MUST_USE;
/* Mark `len` bytes of the input as used. */
void wire_consume(struct wire *wire, size_t len);
/* Move unread bytes out of the scratch and let an empty block go. Errors: ST_NOMEM, the bytes are lost
 * and the connection must end. */
enum status wire_settle(struct wire *wire) MUST_USE;

/* Queue bytes of bounded length: heads and framing. Errors: ST_NOMEM. */
enum status wire_put(struct wire *wire, struct slice bytes) MUST_USE;
/* The queue's room for `want` bytes more, as chain_reserve and chain_commit. */
static inline char *MUST_USE wire_reserve(struct wire *wire, size_t want, size_t *ret_room)
{
    return chain_reserve(&wire->out, want, ret_room);
}

static inline void wire_commit(struct wire *wire, size_t len)
{
    chain_commit(&wire->out, len);
}

/* Send what is queued and then as much of `body` as is taken. Small bodies are queued, so that one send
 * carries head and body. Errors: ST_AGAIN nothing of `body` was taken; ST_IO, ST_BAD, ST_NOMEM. */
enum status wire_send(struct wire *wire, struct slice body, size_t *ret_taken) MUST_USE;
/* Send what is queued and then from the `len` bytes of a kernel pipe; only to a plain transport. Errors: as
 * wire_send. */
enum status wire_send_splice(struct wire *wire, int pipe, size_t len, size_t *ret_taken) MUST_USE;
/* Send what is queued. ST_OK: all of it reached the kernel. Errors: ST_AGAIN, ST_IO, ST_BAD. */
enum status wire_flush(struct wire *wire) MUST_USE;

#endif
