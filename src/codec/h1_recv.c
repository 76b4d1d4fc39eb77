/* Receiving: heads parsed in place, bodies handed on as views.
 *
 * A head is parsed where it was received; its slices stay good because the codec keeps a reference on the block
 * until the stream is released. A body is never copied here: recv_body gives a view of the input, and consume drops it.
 * Of a chunked body the decoder eats the framing, and `decoded` says how many bytes at the front of the input are
 * data that it has passed already. */

#include "codec/h1_internal.h"

#include "base/check.h"
#include "net/tls.h"

enum { H1_TRAILERS_MAX = 16384 };

/* The message that is received is complete. */
static void h1_end_message(struct h1_codec *codec)
{
    codec->receiving = H1_RECV_ENDED;
    codec->stream.is_read_out = true;
}

static enum status h1_fail(struct h1_codec *codec, enum status status)
{
    codec->receiving = H1_RECV_FAILED;
    codec->stream.may_persist = false;
    return status;
}

static void h1_note_fault(struct h1_codec *codec, enum h1_fault fault)
{
    codec->stream.fault_status = h1_fault_status(fault);
    codec->stream.fault_text = h1_fault_text(fault);
}

/* A head has come, or begun to, and there is no room for it. */
static enum status h1_no_memory(struct h1_codec *codec)
{
    h1_note_fault(codec, H1_FAULT_NO_MEMORY);
    return h1_fail(codec, ST_NOMEM);
}

/* The end of the connection where a head should be. */
static enum status h1_head_cut(struct h1_codec *codec, enum status status)
{
    bool is_between = codec->codec.wire.in.len == 0;
    (void)h1_fail(codec, status);
    if (status == ST_EOF && !is_between)
        return ST_IO;
    return status;
}

/* What a receive came to: an orderly end is remembered for whoever asks whether more can follow, and a
 * transport that broke (TLS) is no fault of the message. */
static enum status h1_received(struct h1_codec *codec, enum status status)
{
    codec->stream.is_peer_done = codec->codec.wire.is_eof;
    return status == ST_BAD ? ST_IO : status;
}

static enum status h1_fill(struct h1_codec *codec, size_t max_bytes)
{
    return h1_received(codec, wire_fill(&codec->codec.wire, max_bytes));
}

/* Unread bytes beyond which no head is waited for; its end, or what is behind it, may be among the last. */
static size_t h1_head_most(const struct h1_codec *codec)
{
    return codec->limits.head_bytes + 1024;
}

static enum status h1_fill_scratch(struct h1_codec *codec)
{
    return h1_received(codec, wire_fill_scratch(&codec->codec.wire));
}

void h1_receive_ahead(struct h1_codec *codec)
{
    const struct wire *wire = &codec->codec.wire;
    bool is_next = codec->receiving == H1_RECV_HEAD && codec->ahead == ST_AGAIN;
    if (!is_next || wire->in.len > 0 || tls_is_tls(wire->transport))
        return;
    enum status status = h1_fill(codec, h1_head_most(codec));
    if (status == ST_OK || status == ST_EOF || status == ST_IO)
        codec->ahead = status;
}

/* The next bytes of a head, received now or before. */
static enum status h1_fill_head(struct h1_codec *codec)
{
    enum status ahead = codec->ahead;
    codec->ahead = ST_AGAIN;
    return ahead != ST_AGAIN ? ahead : h1_fill(codec, h1_head_most(codec));
}

static enum status h1_parse_head(struct h1_codec *codec, size_t *ret_used)
{
    struct head *head = &codec->head;
    enum h1_fault fault = H1_FAULT_NONE;
    enum status status;
    if (codec->role == H1_SERVER)
        status = h1_parse_request(codec->codec.wire.in, &codec->limits, &codec->progress, head,
                                  ret_used, &fault);
    else
        status = h1_parse_response(codec->codec.wire.in, &codec->limits, &codec->progress, head,
                                   ret_used, &fault);
    if (status != ST_OK && status != ST_AGAIN)
        h1_note_fault(codec, fault);
    return status;
}

static enum status h1_frame(struct h1_codec *codec)
{
    enum framing_fault fault = codec->role == H1_SERVER
                                   ? framing_of_request(&codec->head, &codec->body)
                                   : framing_of_response(&codec->head, codec->asked, &codec->body);
    if (fault == FRAMING_FAULT_NONE)
        return ST_OK;
    codec->stream.fault_status = framing_fault_status(fault);
    codec->stream.fault_text = framing_fault_text(fault);
    return ST_BAD;
}

static enum status h1_refuse(struct h1_codec *codec, const char *why)
{
    codec->stream.fault_status = 400;
    codec->stream.fault_text = why;
    return ST_BAD;
}

/* What the head says of the connection (RFC 9110 §7.6.1), and of the content besides its framing. */
static enum status h1_read_options(struct h1_codec *codec)
{
    struct head *head = &codec->head;
    if (codec->hop == NULL) /* else that of an interim response */
        codec->hop = arena_alloc(&codec->arena, sizeof(*codec->hop));
    if (codec->hop == NULL)
        return h1_no_memory(codec);
    if (hop_collect(head, codec->hop) != ST_OK)
        return h1_refuse(codec, "Connection names too many fields");
    if (!hop_may_persist(codec->hop, head))
        codec->stream.may_persist = false;
    head->hop = codec->hop;
    head->takes_trailers = codec->hop->te_trailers;
    head->upgrade = SLICE_NONE;
    head->codings = SLICE_NONE;
    if (codec->body.is_coded) { /* one line of it can be passed on as it is */
        const struct field *codings = fields_find(&head->fields, TOKEN_TRANSFER_ENCODING);
        if (fields_find_next(&head->fields, codings) != NULL)
            return h1_refuse(codec, "Transfer-Encoding has several lines");
        head->codings = codings->value;
    }
    bool has_upgrade = head->is_request ? hop_has_upgrade(codec->hop, head)
                                        : head->status == 101 || head->status == 426;
    if (has_upgrade && fields_join(&head->fields, TOKEN_UPGRADE, &head->upgrade) != ST_OK)
        return h1_no_memory(codec);
    return ST_OK;
}

/* After a complete head: how its body is received. */
static void h1_begin_body(struct h1_codec *codec)
{
    codec->receiving = H1_RECV_BODY;
    codec->body_left = codec->body.length;
    codec->decoded = 0;
    fields_init(&codec->trailers, &codec->arena);
    if (codec->body.kind == FRAMING_CHUNKED)
        h1_chunk_init(&codec->chunk);
    if (codec->body.kind == FRAMING_NONE ||
        (codec->body.kind == FRAMING_LENGTH && codec->body_left == 0))
        h1_end_message(codec);
    if (codec->body.kind == FRAMING_CLOSE)
        codec->stream.may_persist = false;
}

enum status h1_recv_head(struct stream *stream, struct head **ret_head, struct framing *ret_body)
{
    struct h1_codec *codec = h1_codec_of(stream);
    struct wire *wire = &codec->codec.wire;
    CHECK(codec->receiving == H1_RECV_HEAD);
    if (wire->in.len == 0 && wire_is_dry(wire) && codec->ahead == ST_AGAIN)
        return ST_AGAIN;
    size_t used = 0;
    enum status status = ST_AGAIN;
    uint64_t came_ns = 0;
    codec->stream.head_ns = 0;
    for (;;) {
        if (wire->in.len > 0 && wire->block == NULL && wire_settle(wire) != ST_OK)
            return h1_no_memory(codec);
        if (wire->in.len > 0 && codec->ahead == ST_AGAIN)
            status = h1_parse_head(codec, &used);
        if (status == ST_OK)
            break;
        if (status != ST_AGAIN)
            return h1_fail(codec, status);
        status = h1_fill_head(codec);
        if (status == ST_AGAIN && wire->in.len > 0 && codec->stream.begun_ns == 0)
            codec->stream.begun_ns = wire->received_ns;
        if (status == ST_NOMEM && wire->in.len > 0)
            return h1_no_memory(codec);
        if (status == ST_AGAIN || status == ST_NOMEM)
            return status;
        if (status == ST_LIMIT) {
            h1_note_fault(codec, H1_FAULT_HEAD_TOO_LARGE);
            return h1_fail(codec, ST_LIMIT);
        }
        if (status != ST_OK)
            return h1_head_cut(codec, status);
        came_ns = wire->received_ns;
        status = ST_AGAIN;
    }
    status = h1_frame(codec);
    if (status == ST_OK)
        status = h1_read_options(codec);
    if (status != ST_OK)
        return h1_fail(codec, status);
    block_unref(&codec->head_block);
    codec->head_block = block_ref(wire->block);
    wire_consume(wire, used);
    codec->stream.head_ns = came_ns;
    codec->progress = (struct h1_progress){0};
    h1_begin_body(codec);
    if (codec->role == H1_CLIENT && codec->head.status < 200 && codec->head.status != 101) {
        codec->receiving = H1_RECV_HEAD;
        codec->stream.is_read_out = false;
    }
    *ret_head = &codec->head;
    *ret_body = codec->body;
    return ST_OK;
}

/* The fields behind the last chunk. Their block is kept like that of the head. */
static enum status h1_recv_trailer_section(struct h1_codec *codec)
{
    struct wire *wire = &codec->codec.wire;
    for (;;) {
        size_t used = 0;
        enum h1_fault fault = H1_FAULT_NONE;
        enum status status = wire_settle(wire);
        if (status != ST_OK)
            return status;
        status = codec->role == H1_SERVER
                     ? h1_parse_request_trailers(wire->in, &codec->limits, &codec->progress,
                                                 &codec->trailers, &used, &fault)
                     : h1_parse_response_trailers(wire->in, &codec->limits, &codec->progress,
                                                  &codec->trailers, &used, &fault);
        if (status == ST_OK) {
            if (codec->trailers.count > 0)
                codec->trailer_block = block_ref(wire->block);
            wire_consume(wire, used);
            codec->progress = (struct h1_progress){0};
            h1_end_message(codec);
            return ST_EOF;
        }
        if (status == ST_NOMEM)
            return status;
        if (status != ST_AGAIN || wire->in.len > H1_TRAILERS_MAX) {
            h1_note_fault(codec, status == ST_AGAIN ? H1_FAULT_HEAD_TOO_LARGE : fault);
            return ST_BAD;
        }
        status = h1_fill(codec, H1_TRAILERS_MAX + 1);
        if (status != ST_OK)
            return status == ST_EOF ? ST_IO : status;
    }
}

static enum status h1_recv_chunked(struct h1_codec *codec, struct slice *ret_view)
{
    struct wire *wire = &codec->codec.wire;
    for (;;) {
        if (codec->decoded > 0) {
            *ret_view = slice_first(wire->in, codec->decoded);
            return ST_OK;
        }
        size_t used = 0;
        struct slice data = SLICE_NONE;
        enum status status = ST_AGAIN;
        if (wire->in.len > 0)
            status = h1_chunk_next(&codec->chunk, wire->in, &used, &data);
        if (status == ST_BAD || status == ST_LIMIT) {
            h1_note_fault(codec, codec->chunk.fault);
            return ST_BAD;
        }
        if (used > 0 || data.len > 0) {
            wire_consume(wire, used - data.len);
            codec->decoded = data.len;
        }
        if (status == ST_EOF) {
            codec->receiving = H1_RECV_TRAILERS;
            return h1_recv_trailer_section(codec);
        }
        if (codec->decoded > 0)
            continue;
        CHECK(wire->in.len == 0); /* the decoder eats all that is not data */
        status = h1_fill_scratch(codec);
        if (status != ST_OK)
            return status == ST_EOF ? ST_IO : status;
    }
}

static enum status h1_recv_plain(struct h1_codec *codec, struct slice *ret_view)
{
    struct wire *wire = &codec->codec.wire;
    bool is_counted = codec->body.kind == FRAMING_LENGTH;
    if (wire->in.len == 0) {
        enum status status = h1_fill_scratch(codec);
        if (status == ST_EOF && !is_counted) {
            if (wire->transport->is_truncated)
                return ST_IO;
            h1_end_message(codec);
            return ST_EOF;
        }
        if (status != ST_OK)
            return status == ST_EOF ? ST_IO : status;
    }
    *ret_view = is_counted && codec->body_left < wire->in.len
                    ? slice_first(wire->in, (size_t)codec->body_left)
                    : wire->in;
    return ST_OK;
}

enum status h1_recv_body(struct stream *stream, struct slice *ret_view)
{
    struct h1_codec *codec = h1_codec_of(stream);
    enum status status = ST_EOF;
    if (codec->receiving == H1_RECV_FAILED)
        return ST_BAD;
    if (codec->receiving == H1_RECV_ENDED)
        return ST_EOF;
    if (codec->receiving == H1_RECV_TRAILERS)
        status = h1_recv_trailer_section(codec);
    else if (codec->body.kind == FRAMING_CHUNKED)
        status = h1_recv_chunked(codec, ret_view);
    else
        status = h1_recv_plain(codec, ret_view);
    if (status != ST_OK && status != ST_EOF && status != ST_AGAIN)
        return h1_fail(codec, status);
    return status;
}

/* Of a body that is framed by its length, or by the end of the connection. */
static void h1_consume_plain(struct h1_codec *codec, size_t len)
{
    if (codec->body.kind != FRAMING_LENGTH)
        return;
    CHECK(len <= codec->body_left);
    codec->body_left -= len;
    if (codec->body_left == 0)
        h1_end_message(codec);
}

void h1_consume(struct stream *stream, size_t len)
{
    struct h1_codec *codec = h1_codec_of(stream);
    wire_consume(&codec->codec.wire, len);
    codec->received_body_bytes += len;
    if (codec->body.kind == FRAMING_CHUNKED) {
        CHECK(len <= codec->decoded);
        codec->decoded -= len;
    } else {
        h1_consume_plain(codec, len);
    }
}

uint64_t h1_recv_splice_max(const struct stream *stream)
{
    const struct h1_codec *codec = h1_codec_view(stream);
    if (codec->receiving != H1_RECV_BODY || !wire_may_splice(&codec->codec.wire))
        return 0;
    switch (codec->body.kind) {
    case FRAMING_LENGTH: return codec->body_left;
    case FRAMING_CHUNKED: return h1_chunk_left(&codec->chunk);
    case FRAMING_CLOSE: return UINT64_MAX;
    case FRAMING_NONE: break;
    }
    return 0;
}

enum status h1_recv_splice(struct stream *stream, int pipe, size_t cap, size_t *ret_len)
{
    struct h1_codec *codec = h1_codec_of(stream);
    DCHECK(cap <= h1_recv_splice_max(stream));
    enum status status = wire_recv_splice(&codec->codec.wire, pipe, cap, ret_len);
    if (status == ST_AGAIN)
        return ST_AGAIN;
    if (status != ST_OK)
        return h1_fail(codec, status);
    codec->received_body_bytes += *ret_len;
    if (codec->body.kind == FRAMING_CHUNKED)
        h1_chunk_skip(&codec->chunk, *ret_len);
    else
        h1_consume_plain(codec, *ret_len);
    return ST_OK;
}

const struct fields *h1_recv_trailers(struct stream *stream)
{
    struct h1_codec *codec = h1_codec_of(stream);
    bool has_some = codec->body.kind == FRAMING_CHUNKED && codec->trailers.count > 0;
    return has_some ? &codec->trailers : NULL;
}
