#ifndef FAIRLEAD_CODEC_H1_INTERNAL_H
#define FAIRLEAD_CODEC_H1_INTERNAL_H

#include "codec/h1_codec.h"

/* The parts of the HTTP/1 codec: h1_codec.c has the connection, h1_recv.c and h1_send.c the two ends of its stream.
 * What they do for the stream is told in codec/stream.h. */

static inline struct h1_codec *h1_codec_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct h1_codec, stream);
}

static inline const struct h1_codec *h1_codec_view(const struct stream *stream)
{
    const char *at = (const char *)stream;
    return (const struct h1_codec *)(const void *)(at - offsetof(struct h1_codec, stream));
}

/* Receive what is there of the next head, for recv_head to find. */
void h1_receive_ahead(struct h1_codec *codec);
enum status h1_recv_head(struct stream *stream, struct head **ret_head, struct framing *ret_body);
enum status h1_recv_body(struct stream *stream, struct slice *ret_view);
void h1_consume(struct stream *stream, size_t len);
uint64_t h1_recv_splice_max(const struct stream *stream);
enum status h1_recv_splice(struct stream *stream, int pipe, size_t cap, size_t *ret_len);
const struct fields *h1_recv_trailers(struct stream *stream);

enum status h1_send_head(struct stream *stream, const struct head *head, struct framing body);
enum status h1_send_body(struct stream *stream, struct slice bytes, size_t *ret_taken);
bool h1_may_send_splice(const struct stream *stream);
enum status h1_send_splice(struct stream *stream, int pipe, size_t len, size_t *ret_taken);
enum status h1_send_end(struct stream *stream, const struct fields *trailers);

#endif
