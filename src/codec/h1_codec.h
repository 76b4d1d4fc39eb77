#ifndef FAIRLEAD_CODEC_H1_CODEC_H
#define FAIRLEAD_CODEC_H1_CODEC_H

#include "base/arena.h"
#include "base/check.h"
#include "codec/codec.h"
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
    struct codec codec;
    struct stream stream; /* the only one */
    enum h1_role role;
    struct h1_limits limits;
    bool is_leased;   /* an exchange has the stream */
    bool is_draining; /* the present exchange is the last */
    bool is_broken;   /* the message that is sent was cut where only a reset shows it */

    /* receiving */
    enum h1_receiving receiving;
    enum status ahead;  /* of a receive ahead of recv_head, only in H1_RECV_HEAD; ST_AGAIN: none */
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

/* Take over `transport`; `limits` are those of received heads. */
void h1_codec_init(struct h1_codec *codec, enum h1_role role, struct transport *transport,
                   struct wire_shared *shared, const struct h1_limits *limits);

#endif
