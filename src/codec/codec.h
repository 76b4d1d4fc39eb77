#ifndef FAIRLEAD_CODEC_CODEC_H
#define FAIRLEAD_CODEC_CODEC_H

#include "codec/stream.h"
#include "codec/wire.h"

/* What is spoken on one connection, whatever the HTTP version: the seam between whoever owns a connection
 * (proxy/client, upstream/pool) and the protocol. Exchanges know the streams only.
 *
 *   server:  accept --> stream --> release          client:  open --> stream --> release
 *
 * HTTP/1 has one stream at a time, so the next accept or open waits for the release; a version that
 * multiplexes has many.
 *
 * Invariants
 *   K1  a stream is its exchange's from accept or open to release, and so are its events; all others are told
 *       to the codec's owner.
 *   K2  after release said CODEC_ENDS or CODEC_BREAKS no stream is given any more. The owner ends the
 *       connection once the last exchange on it is over. */
struct codec;

/* What becomes of the connection; later ones win. */
enum codec_fate {
    CODEC_LASTS,  /* another stream may follow */
    CODEC_ENDS,   /* nothing may follow; what is queued still goes out, and the end is in order */
    CODEC_BREAKS, /* what was sent is cut short, and only a reset shows it */
};

struct codec_ops {
    /* Server; may be called while events are dispatched. Receive once, where no byte of the next request is here yet:
     * accept then goes on with the bytes, or tells of the end or the error, as if it had received itself. Not over TLS,
     * which may have to answer. */
    void (*receive_ahead)(struct codec *);
    /* Server: the next request. ST_OK: stream, head and framing. ST_BAD, ST_LIMIT, and ST_NOMEM where a head has
     * begun: a stream whose `fault_status` and `fault_text` are to be answered, and in *ret_head what was
     * understood of the request: what could not be is empty there. Errors: ST_AGAIN, also while as many are open
     * as can be; ST_EOF, the peer ended in order between two requests; ST_IO; ST_NOMEM, no stream is given. */
    enum status (*accept)(struct codec *, struct stream **ret_stream, struct head **ret_head,
                          struct framing *ret_body);
    /* Server: a request head began, and took too long. A stream to say so on, and what was understood of the
     * request; NULL where nothing can be said. */
    struct stream *(*accept_late)(struct codec *, struct head **ret_head);
    /* Client: a stream for a request. Errors: ST_AGAIN, as many are open as can be. */
    enum status (*open)(struct codec *, struct stream **ret_stream);
    /* The exchange on this stream is over. The stream is not used any more. */
    enum codec_fate (*release)(struct codec *, struct stream *);
    /* No request is taken after those that are open, and the peer is told as the version does. */
    void (*drain)(struct codec *);
    /* Client, no stream is open: a request may be sent. `must_ask`: what was heard of the peer so far may
     * be old, ask the kernel. */
    bool (*is_usable)(const struct codec *, bool must_ask);
    /* Close the connection and give everything back. */
    void (*close)(struct codec *, bool is_abort);
};

struct codec {
    const struct codec_ops *ops;
    struct wire wire; /* its transport is NULL once a stream was detached */
    /* Recorder of readiness that is no stream's. */
    void (*on_ready)(struct codec *);
    void *owner;
};

#endif
