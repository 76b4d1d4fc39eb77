#ifndef FAIRLEAD_CODEC_STREAM_H
#define FAIRLEAD_CODEC_STREAM_H

#include "base/slice.h"
#include "base/status.h"
#include "http/framing.h"
#include "http/head.h"
#include "net/transport.h"

#include <stdbool.h>
#include <stdint.h>

/* One request and its response on a connection, whatever the HTTP version: the seam between the exchange
 * (what is forwarded) and the codec (how it is spelt on the wire).
 *
 * The exchange pulls: an event only says that asking again makes sense (the codec's owner is told and
 * queues its task); recv_* and send_* then do what they can and say ST_AGAIN. Back-pressure follows by
 * itself, since nobody pulls what he cannot pass on, and no callback ever runs under its own caller.
 *
 *   receive:  await head --> await body --> ended          (interim responses repeat the first step)
 *   send:     head --> body* --> end                       (interim responses repeat the first step)
 *
 * Invariants
 *   S1  a view from recv_body is good until consume, settle or the next recv_*.
 *   S2  after ST_BAD, ST_IO or an early ST_EOF the stream only takes what answers the fault, reset and release.
 *   S3  a message whose end was not sent is visibly cut short: reset, then the codec's release, see to it.
 *   S4  heads and framing are always taken whole; body bytes only as far as the peer takes them. */
struct stream;
struct stream_tally;

/* Why a message pair is given up. */
enum stream_why {
    STREAM_CUT,    /* it cannot be completed: what is queued may still go out */
    STREAM_CANCEL, /* nobody wants the rest, or takes it */
};

struct stream_ops {
    /* May be called while events are dispatched, once the head is awaited. Receive once, where no byte of it is here
     * yet: recv_head then goes on with the bytes, or tells of the end or the error, as if it had received itself. Not
     * over TLS, which may have to answer. */
    void (*receive_ahead)(struct stream *);
    /* The next head. The head and its slices live until the next message pair begins or detach. `*ret_body` is how its
     * body is framed. Errors: ST_AGAIN; ST_EOF no byte of a head came; ST_BAD and ST_LIMIT with
     * `stream->fault_status` and `fault_text` set, and ST_NOMEM where a head has begun; ST_IO. */
    enum status (*recv_head)(struct stream *, struct head **ret_head, struct framing *ret_body);
    /* The next bytes of the body. ST_EOF: the message is complete, trailers are at recv_trailers.
     * Errors: ST_AGAIN, ST_BAD broken framing, ST_IO cut short. */
    enum status (*recv_body)(struct stream *, struct slice *ret_view);
    void (*consume)(struct stream *, size_t len);
    /* How many of the next body bytes can go past the process, through a kernel pipe: as many as come as they are, none
     * of them in memory. 0: none, as over TLS, or none has come. */
    uint64_t (*recv_splice_max)(const struct stream *);
    /* Receive and consume up to `cap`, at most recv_splice_max, of them into an empty kernel pipe. Errors: ST_AGAIN
     * nothing came this way, but recv_body may give something; ST_IO. */
    enum status (*recv_splice)(struct stream *, int pipe, size_t cap, size_t *ret_len);
    /* Trailers of a complete message; NULL where there are none. */
    const struct fields *(*recv_trailers)(struct stream *);
    /* Queue a head. It is written anew from its parts; the fields for `body`, for what the head says besides
     * its fields and for the end of the connection are added. Errors: ST_NOMEM, ST_LIMIT. */
    enum status (*send_head)(struct stream *, const struct head *, struct framing body);
    /* Send body bytes; takes what fits. Errors: ST_AGAIN, ST_IO. */
    enum status (*send_body)(struct stream *, struct slice bytes, size_t *ret_taken);
    /* Whether body bytes can be sent from a kernel pipe. */
    bool (*may_send_splice)(const struct stream *);
    /* Send from the `len` body bytes that a kernel pipe holds. Errors: as send_body. */
    enum status (*send_splice)(struct stream *, int pipe, size_t len, size_t *ret_taken);
    /* The message is complete; `trailers` may be NULL. Errors: ST_NOMEM; ST_BAD fewer or more bytes
     * were sent than announced. */
    enum status (*send_end)(struct stream *, const struct fields *trailers);
    /* Something is queued that flush would push. */
    bool (*has_queued)(const struct stream *);
    /* Push everything queued. ST_OK: the kernel has it all. Errors: ST_AGAIN, ST_IO. */
    enum status (*flush)(struct stream *);
    /* The turn's work on this stream is done: nothing may stay in shared buffers. Errors: ST_NOMEM. */
    enum status (*settle)(struct stream *);
    /* Say what the next response answers, before it is received (RFC 9112 §6.3). Requesting end only. */
    void (*expect)(struct stream *, enum method asked);
    /* The loop saw a reset or an error of the peer: nothing that is sent can arrive any more. */
    bool (*is_gone)(const struct stream *);
    /* The same, or the end of its direction in order, whether or not what came before it was received. */
    bool (*has_ended)(const struct stream *);
    /* What this message pair amounts to so far. */
    void (*tally)(const struct stream *, struct stream_tally *ret_tally);
    /* Give this message pair up: neither message goes on, and the peer shall see that ours was cut short. */
    void (*reset)(struct stream *, enum stream_why);
    /* Leave HTTP: the byte stream beneath, which is the caller's from now on, and the bytes that were read
     * already; these are good until the next call on any stream of the worker. */
    struct transport *(*detach)(struct stream *, struct slice *ret_unread);
};

struct stream {
    const struct stream_ops *ops;
    /* Recorder of readiness: asking again makes sense. The receiver queues a task. Both are the exchange's,
     * from when it has the stream until it is released. */
    void (*on_ready)(struct stream *);
    void *owner;
    /* Why recv_head or recv_body failed: what answers a request, and in words (static;
     * NULL for no fault). */
    unsigned fault_status;
    const char *fault_text;
    bool is_read_out;  /* the received message is complete */
    bool is_peer_done; /* the peer ended its direction in order: no further message follows */
    /* Another message pair may follow here; cleared by whoever knows better, and told to the peer with the final
     * response head. */
    bool may_persist;
    /* When the first bytes of a head came that was not whole at once; 0 otherwise. */
    uint64_t begun_ns;
    /* When the last bytes of the head came; 0 where they came with what was before it. */
    uint64_t head_ns;
};

/* Bytes as on the wire, above TLS; bodies without their framing. */
struct stream_tally {
    uint64_t received_bytes; /* since the message pair began, looked at or not */
    uint64_t unread_bytes;   /* of these, not yet looked at */
    uint64_t sent_bytes;     /* taken by the transport */
    uint64_t received_ns;    /* monotonic: when the last bytes, or the end, came; 0 never */
    uint64_t received_body_bytes;
    uint64_t sent_body_bytes;
};

#endif
