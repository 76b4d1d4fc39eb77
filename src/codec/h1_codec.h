#ifndef FAIRLEAD_CODEC_H1_CODEC_H
#define FAIRLEAD_CODEC_H1_CODEC_H

#include "base/arena.h"
#include "base/check.h"
#include "codec/stream.h"
#include "codec/wire.h"
#include "http/h1_chunk.h"
#include "http/h1_parse.h"
#include "http/hop.h"

/* HTTP/1.x on one connection (RFC 9112): one stream at a time, in order.
 *
 * A server codec receives requests and sends responses, a client codec the reverse; everything else is
 * the same. The message length of both directions is decided by http/framing alone. */

enum h1_role { H1_SERVER, H1_CLIENT };

/* The receiving end of a message, and the sending one. */
enum h1_receiving { H1_RECV_HEAD, H1_RECV_BODY, H1_RECV_TRAILERS, H1_RECV_ENDED, H1_RECV_FAILED };
enum h1_sending { H1_SEND_HEAD, H1_SEND_BODY, H1_SEND_ENDED };

struct h1_codec {
    struct stream stream; /* first: the codec is its only stream */
    enum h1_role role;
    struct wire wire;
    struct h1_limits limits;

    /* receiving */
    enum h1_receiving receiving;
    struct arena arena; /* fields of the head and trailers */
    struct head head;
    struct hop *hop;             /* of the head; in the arena */
    struct block *head_block;    /* keeps the head's slices alive */
    struct block *trailer_block; /* and those of the trailers */
    struct h1_progress progress;
    struct framing body;
    uint64_t body_left; /* of a length-framed body */
    size_t decoded;     /* bytes at the front of `in` that are body data already decoded */
    struct h1_chunk chunk;
    struct fields trailers;
    uint64_t received_body_bytes;
    enum method asked; /* client: the method that the next response answers */

    /* sending */
    enum h1_sending sending;
    struct framing send_body;
    uint64_t send_left; /* of a length-framed body, or of the chunk begun */
    uint64_t sent_body_bytes;

    uint64_t in_before_bytes; /* the wire's counts where this message pair began */
    uint64_t out_before_bytes;
};

/* Take over `transport`. */
void h1_codec_init(struct h1_codec *codec, enum h1_role role, struct transport *transport,
                   struct wire_shared *shared);
/* Close the transport and give everything back. */
void h1_codec_done(struct h1_codec *codec, bool is_abort);
/* Make ready for the next message pair on the same connection. Both messages must have ended. */
void h1_codec_next(struct h1_codec *codec);
/* Both messages ended, the input is read out, and the connection may carry another exchange. */
bool h1_codec_is_reusable(const struct h1_codec *codec);
static inline struct h1_codec *h1_codec_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct h1_codec, stream);
}

static inline const struct h1_codec *h1_codec_view(const struct stream *stream)
{
    return (const struct h1_codec *)(const void *)stream; /* its first member */
}

#endif
