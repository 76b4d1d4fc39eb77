/* HTTP/1.x as a stream: heads parsed in place, bodies handed on as views, messages written anew.
 *
 * Receiving. A head is parsed where it was received; its slices stay good because the codec keeps a
 * reference on the block until the stream is released. A body is never copied here: recv_body gives a view of the
 * input, and consume drops it. Of a chunked body the decoder eats the framing, and `decoded` says how many
 * bytes at the front of the input are data that it has passed already.
 *
 * Sending. Heads and framing go into the wire's queue, body bytes as far as the peer takes them. A chunk is
 * begun for what the caller has at hand; if the peer takes less, the chunk stays open for what follows.
 *
 * The connection. One stream, leased to one exchange after the other; what release finds says whether another
 * may follow. */

#include "codec/h1_codec.h"

#include "base/check.h"
#include "base/text.h"
#include "http/h1_write.h"

enum { H1_ARENA_CAP = 512 * 1024, H1_TRAILERS_MAX = 16384 };

static const struct stream_ops h1_stream_ops;
static const struct codec_ops h1_codec_ops;

static struct h1_codec *h1_codec_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct h1_codec, stream);
}

static const struct h1_codec *h1_codec_view(const struct stream *stream)
{
    const char *at = (const char *)stream;
    return (const struct h1_codec *)(const void *)(at - offsetof(struct h1_codec, stream));
}

static struct h1_codec *h1_of(struct codec *codec)
{
    return CONTAINER_OF(codec, struct h1_codec, codec);
}

/* Recorder: whoever has the stream hears that the transport is ready, else the codec's owner. */
static void h1_on_ready(struct transport *transport)
{
    struct h1_codec *codec = transport->owner;
    if (codec->is_leased && codec->stream.on_ready != NULL)
        codec->stream.on_ready(&codec->stream);
    else if (!codec->is_leased && codec->codec.on_ready != NULL)
        codec->codec.on_ready(&codec->codec);
}

void h1_codec_init(struct h1_codec *codec, enum h1_role role, struct transport *transport,
                   struct wire_shared *shared, const struct h1_limits *limits)
{
    *codec = (struct h1_codec){.codec = {.ops = &h1_codec_ops},
                               .stream = {.ops = &h1_stream_ops, .may_persist = true},
                               .role = role,
                               .limits = *limits};
    wire_init(&codec->codec.wire, transport, shared);
    transport_listen(transport, codec, h1_on_ready);
    arena_init(&codec->arena, shared->blocks, H1_ARENA_CAP);
}

/* ---- receiving ---- */

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

static enum status h1_fill_scratch(struct h1_codec *codec)
{
    return h1_received(codec, wire_fill_scratch(&codec->codec.wire));
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

static enum status h1_recv_head(struct stream *stream, struct head **ret_head,
                                struct framing *ret_body)
{
    struct h1_codec *codec = h1_codec_of(stream);
    struct wire *wire = &codec->codec.wire;
    CHECK(codec->receiving == H1_RECV_HEAD);
    size_t used = 0;
    enum status status = ST_AGAIN;
    if (codec->head.fields.arena == NULL)
        head_init(&codec->head, &codec->arena);
    for (;;) {
        if (wire->in.len > 0 && wire->block == NULL && wire_settle(wire) != ST_OK)
            return h1_no_memory(codec);
        if (wire->in.len > 0)
            status = h1_parse_head(codec, &used);
        if (status == ST_OK)
            break;
        if (status != ST_AGAIN)
            return h1_fail(codec, status);
        status = h1_fill(codec, codec->limits.head_bytes + 1024);
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

static enum status h1_recv_body(struct stream *stream, struct slice *ret_view)
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

static void h1_consume(struct stream *stream, size_t len)
{
    struct h1_codec *codec = h1_codec_of(stream);
    wire_consume(&codec->codec.wire, len);
    codec->received_body_bytes += len;
    if (codec->body.kind == FRAMING_CHUNKED) {
        CHECK(len <= codec->decoded);
        codec->decoded -= len;
    } else if (codec->body.kind == FRAMING_LENGTH) {
        CHECK(len <= codec->body_left);
        codec->body_left -= len;
        if (codec->body_left == 0)
            h1_end_message(codec);
    }
}

static const struct fields *h1_recv_trailers(struct stream *stream)
{
    struct h1_codec *codec = h1_codec_of(stream);
    bool has_some = codec->body.kind == FRAMING_CHUNKED && codec->trailers.count > 0;
    return has_some ? &codec->trailers : NULL;
}

/* ---- sending ---- */

/* How the body is framed (RFC 9112 §6). */
static void h1_write_framing(struct h1_writer *writer, const struct head *head, struct framing body)
{
    if (head->codings.len > 0)
        h1_write_field(writer, SLICE("Transfer-Encoding"), head->codings);
    if (body.kind == FRAMING_CHUNKED)
        h1_write_field(writer, SLICE("Transfer-Encoding"), SLICE("chunked"));
    else if (body.kind == FRAMING_LENGTH)
        h1_write_field_u64(writer, SLICE("Content-Length"), body.length);
}

/* Upgrade, TE and the Connection field that names them, and the end of the connection (RFC 9112 §9.6). */
static void h1_write_options(const struct h1_codec *codec, struct h1_writer *writer,
                             const struct head *head)
{
    bool is_upgrade = head->upgrade.len > 0 || head->status == 101;
    bool is_end = codec->role == H1_SERVER && !codec->stream.may_persist && head->status >= 200;
    if (is_end && codec->head.method == METHOD_CONNECT && head->status < 300)
        is_end = false; /* the connection goes on as a tunnel */
    if (head->upgrade.len > 0)
        h1_write_field(writer, SLICE("Upgrade"), head->upgrade);
    if (head->takes_trailers)
        h1_write_field(writer, SLICE("TE"), SLICE("trailers"));

    char options[sizeof("Upgrade, TE, close")];
    struct text text = text_on(options, sizeof(options));
    if (is_upgrade)
        text_add(&text, SLICE("Upgrade"));
    if (head->takes_trailers)
        text_add(&text, text.len > 0 ? SLICE(", TE") : SLICE("TE"));
    if (is_end)
        text_add(&text, text.len > 0 ? SLICE(", close") : SLICE("close"));
    if (text.len > 0)
        h1_write_field(writer, SLICE("Connection"), text_slice(&text));
}

static enum status h1_put_head(struct h1_codec *codec, const struct head *head, struct framing body)
{
    struct block *block = block_create(codec->codec.wire.shared->blocks, BLOCK_MEDIUM);
    enum status status = ST_NOMEM;
    for (size_t size = BLOCK_MEDIUM; block != NULL; size = BLOCK_HUGE) {
        struct text text = text_on(block->data, block->size);
        struct h1_writer writer;
        h1_write_begin(&writer, &text);
        if (head->is_request)
            h1_write_request_line(&writer, head->method_name, head->target);
        else
            h1_write_status_line(&writer, head->status, head->reason);
        FIELDS_EACH(field, &head->fields)
            h1_write_field(&writer, field->name, field->value);
        h1_write_framing(&writer, head, body);
        h1_write_options(codec, &writer, head);
        status = h1_write_end(&writer);
        if (status == ST_OK)
            status = wire_put(&codec->codec.wire, text_slice(&text));
        block_unref(&block);
        if (status == ST_LIMIT && size < BLOCK_HUGE)
            block = block_create(codec->codec.wire.shared->blocks, BLOCK_HUGE);
    }
    return status;
}

static enum status h1_send_head(struct stream *stream, const struct head *head, struct framing body)
{
    struct h1_codec *codec = h1_codec_of(stream);
    CHECK(codec->sending == H1_SEND_HEAD);
    if (codec->role == H1_SERVER && (body.kind == FRAMING_CLOSE || codec->is_draining))
        codec->stream.may_persist = false;
    enum status status = h1_put_head(codec, head, body);
    if (status != ST_OK)
        return status;
    if (!head->is_request && head->status < 200 && head->status != 101)
        return ST_OK;
    codec->sending = H1_SEND_BODY;
    codec->send_body = body;
    codec->send_left = body.kind == FRAMING_LENGTH ? body.length : 0;
    return ST_OK;
}

/* Begin a chunk for `len` bytes. */
static enum status h1_put_chunk_line(struct h1_codec *codec, size_t len)
{
    char line[H1_CHUNK_PREFIX_MAX];
    codec->send_left = len;
    return wire_put(&codec->codec.wire, slice_of(line, h1_chunk_prefix(len, line)));
}

static enum status h1_send_body(struct stream *stream, struct slice bytes, size_t *ret_taken)
{
    struct h1_codec *codec = h1_codec_of(stream);
    CHECK(codec->sending == H1_SEND_BODY);
    bool is_chunked = codec->send_body.kind == FRAMING_CHUNKED;
    if (bytes.len == 0)
        return ST_BAD; /* an empty chunk would end the body */
    if (is_chunked && codec->send_left == 0) {
        enum status status = ST_OK;
        if (codec->codec.wire.out.len >= WIRE_BACKLOG_MAX)
            status = wire_flush(&codec->codec.wire);
        if (status == ST_OK)
            status = h1_put_chunk_line(codec, bytes.len);
        if (status != ST_OK)
            return status;
    }
    if (codec->send_body.kind != FRAMING_CLOSE && bytes.len > codec->send_left)
        bytes = slice_first(bytes, (size_t)codec->send_left);
    if (bytes.len == 0)
        return ST_BAD;
    size_t taken = 0;
    enum status status = wire_send(&codec->codec.wire, bytes, &taken);
    if (status != ST_OK)
        return status;
    codec->sent_body_bytes += taken;
    if (codec->send_body.kind != FRAMING_CLOSE)
        codec->send_left -= taken;
    *ret_taken = taken;
    if (is_chunked && codec->send_left == 0)
        return wire_put(&codec->codec.wire, H1_CHUNK_CRLF);
    return ST_OK;
}

static enum status h1_send_end(struct stream *stream, const struct fields *trailers)
{
    struct h1_codec *codec = h1_codec_of(stream);
    CHECK(codec->sending == H1_SEND_BODY);
    if (codec->send_left > 0)
        return ST_BAD;
    codec->sending = H1_SEND_ENDED;
    if (codec->send_body.kind != FRAMING_CHUNKED)
        return ST_OK;
    enum status status = wire_put(&codec->codec.wire, H1_CHUNK_LAST);
    for (uint32_t i = 0; status == ST_OK && trailers != NULL && i < trailers->count; i++) {
        status = wire_put(&codec->codec.wire, trailers->at[i].name);
        if (status == ST_OK)
            status = wire_put(&codec->codec.wire, SLICE(": "));
        if (status == ST_OK)
            status = wire_put(&codec->codec.wire, trailers->at[i].value);
        if (status == ST_OK)
            status = wire_put(&codec->codec.wire, SLICE("\r\n"));
    }
    return status == ST_OK ? wire_put(&codec->codec.wire, H1_CHUNK_CRLF) : status;
}

static enum status h1_flush(struct stream *stream)
{
    return wire_flush(&h1_codec_of(stream)->codec.wire);
}

static enum status h1_settle(struct stream *stream)
{
    return wire_settle(&h1_codec_of(stream)->codec.wire);
}

/* ---- the rest of a stream ---- */

static void h1_expect(struct stream *stream, enum method asked)
{
    struct h1_codec *codec = h1_codec_of(stream);
    CHECK(codec->role == H1_CLIENT);
    codec->asked = asked;
}

static bool h1_is_gone(const struct stream *stream)
{
    const struct h1_codec *codec = h1_codec_view(stream);
    return (codec->codec.wire.transport->ready & WATCH_ERROR) != 0;
}

static void h1_tally(const struct stream *stream, struct stream_tally *ret_tally)
{
    const struct h1_codec *codec = h1_codec_view(stream);
    const struct wire *wire = &codec->codec.wire;
    *ret_tally = (struct stream_tally){
        .received_bytes = wire->in_bytes - codec->in_before_bytes,
        .unread_bytes = wire->in.len,
        .sent_bytes = wire->out_bytes - codec->out_before_bytes,
        .received_ns = wire->received_ns,
        .received_body_bytes = codec->received_body_bytes,
        .sent_body_bytes = codec->sent_body_bytes,
    };
}

/* Where the framing shows that the message is cut short, what is queued goes out and the connection ends in
 * order; where nothing but its end would end the message, or nobody takes it, a reset shows it. */
static void h1_reset(struct stream *stream, enum stream_why why)
{
    struct h1_codec *codec = h1_codec_of(stream);
    bool is_shown = codec->role == H1_SERVER && codec->sending != H1_SEND_HEAD &&
                    codec->send_body.kind != FRAMING_CLOSE;
    enum status status = is_shown ? wire_flush(&codec->codec.wire) : ST_IO;
    codec->stream.may_persist = false;
    codec->is_broken = why == STREAM_CANCEL || (status != ST_OK && status != ST_AGAIN);
}

static struct transport *h1_detach(struct stream *stream, struct slice *ret_unread)
{
    struct h1_codec *codec = h1_codec_of(stream);
    struct transport *transport = codec->codec.wire.transport;
    CHECK(chain_is_empty(&codec->codec.wire.out)); /* or it would be lost */
    codec->codec.wire.transport = NULL;
    transport_listen(transport, NULL, NULL);
    *ret_unread = codec->codec.wire.in;
    return transport;
}

static const struct stream_ops h1_stream_ops = {
    .recv_head = h1_recv_head,
    .recv_body = h1_recv_body,
    .consume = h1_consume,
    .recv_trailers = h1_recv_trailers,
    .send_head = h1_send_head,
    .send_body = h1_send_body,
    .send_end = h1_send_end,
    .flush = h1_flush,
    .settle = h1_settle,
    .expect = h1_expect,
    .is_gone = h1_is_gone,
    .tally = h1_tally,
    .reset = h1_reset,
    .detach = h1_detach,
};

/* ---- the connection ---- */

/* What is there to understand of a head that is at fault or late. It is parsed once more, since its bytes may have
 * moved. */
static struct head *h1_understand(struct h1_codec *codec)
{
    struct wire *wire = &codec->codec.wire;
    struct h1_progress progress = {0};
    size_t used = 0;
    enum h1_fault fault = H1_FAULT_NONE;
    if (wire->in.len == 0 || codec->head.fields.arena == NULL)
        head_init(&codec->head, &codec->arena);
    bool is_whole = wire->in.len > 0 && h1_parse_request(wire->in, &codec->limits, &progress,
                                                         &codec->head, &used, &fault) == ST_OK;
    if (!is_whole)
        fields_clear(&codec->head.fields);
    block_unref(&codec->head_block);
    if (wire->block != NULL)
        codec->head_block = block_ref(wire->block);
    return &codec->head;
}

static enum status h1_accept(struct codec *base, struct stream **ret_stream, struct head **ret_head,
                             struct framing *ret_body)
{
    struct h1_codec *codec = h1_of(base);
    CHECK(codec->role == H1_SERVER);
    if (codec->is_leased)
        return ST_AGAIN;
    enum status status = h1_recv_head(&codec->stream, ret_head, ret_body);
    bool is_fault = status != ST_OK && codec->stream.fault_text != NULL;
    if (is_fault)
        *ret_head = h1_understand(codec);
    if (status == ST_OK || is_fault) {
        codec->is_leased = true;
        *ret_stream = &codec->stream;
    }
    return status;
}

static struct stream *h1_accept_late(struct codec *base, struct head **ret_head)
{
    struct h1_codec *codec = h1_of(base);
    CHECK(!codec->is_leased);
    *ret_head = h1_understand(codec);
    codec->stream.may_persist = false;
    codec->is_leased = true;
    return &codec->stream;
}

static enum status h1_open(struct codec *base, struct stream **ret_stream)
{
    struct h1_codec *codec = h1_of(base);
    CHECK(codec->role == H1_CLIENT);
    if (codec->is_leased)
        return ST_AGAIN;
    codec->is_leased = true;
    *ret_stream = &codec->stream;
    return ST_OK;
}

/* Make ready for the next message pair. */
static void h1_begin_next(struct h1_codec *codec)
{
    block_unref(&codec->head_block);
    block_unref(&codec->trailer_block);
    arena_done(&codec->arena);
    arena_init(&codec->arena, codec->codec.wire.shared->blocks, H1_ARENA_CAP);
    codec->head = (struct head){.is_request = false};
    codec->hop = NULL;
    codec->stream.fault_text = NULL;
    codec->stream.is_read_out = false;
    codec->stream.begun_ns = 0;
    codec->in_before_bytes = codec->codec.wire.in_bytes - codec->codec.wire.in.len;
    codec->out_before_bytes = codec->codec.wire.out_bytes;
    codec->receiving = H1_RECV_HEAD;
    codec->sending = H1_SEND_HEAD;
    codec->progress = (struct h1_progress){0};
    codec->decoded = 0;
    codec->received_body_bytes = 0;
    codec->sent_body_bytes = 0;
    codec->asked = METHOD_OTHER;
}

/* Bytes behind a response would be taken for the next one's (RFC 9112 §9.2), and an end that came with it leaves
 * nobody to ask; what waits in the kernel is is_usable's to find. Behind a request its client's next ones are read
 * first. */
static bool h1_has_unasked(const struct h1_codec *codec)
{
    const struct wire *wire = &codec->codec.wire;
    if (codec->role == H1_SERVER)
        return false;
    return wire->in.len > 0 || !transport_is_quiet(wire->transport, LOOK_INSIDE);
}

/* Both messages ended, nobody said close, and all that was sent is with the kernel. */
static bool h1_may_go_on(const struct h1_codec *codec)
{
    return codec->stream.may_persist && codec->receiving == H1_RECV_ENDED &&
           codec->sending == H1_SEND_ENDED && !codec->is_draining && !codec->codec.wire.is_eof &&
           !h1_has_unasked(codec) && chain_is_empty(&codec->codec.wire.out);
}

static enum codec_fate h1_release(struct codec *base, struct stream *stream)
{
    struct h1_codec *codec = h1_of(base);
    CHECK(stream == &codec->stream && codec->is_leased);
    codec->is_leased = false;
    stream->on_ready = NULL;
    stream->owner = NULL;
    if (base->wire.transport == NULL) /* detached */
        return CODEC_ENDS;
    if (h1_may_go_on(codec)) {
        h1_begin_next(codec);
        return wire_settle(&base->wire) == ST_OK ? CODEC_LASTS : CODEC_BREAKS;
    }
    return codec->is_broken ? CODEC_BREAKS : CODEC_ENDS;
}

static void h1_drain(struct codec *base)
{
    h1_of(base)->is_draining = true;
}

/* Readable is as bad as closed: nothing was asked for. The bit may be left over from the last response. */
static bool h1_is_usable(const struct codec *base, bool must_ask)
{
    return transport_is_quiet(base->wire.transport, must_ask ? LOOK_ASK : LOOK_IF_TOLD);
}

static void h1_close(struct codec *base, bool is_abort)
{
    struct h1_codec *codec = h1_of(base);
    block_unref(&codec->head_block);
    block_unref(&codec->trailer_block);
    arena_done(&codec->arena);
    wire_done(&base->wire, is_abort);
}

static const struct codec_ops h1_codec_ops = {
    .accept = h1_accept,
    .accept_late = h1_accept_late,
    .open = h1_open,
    .release = h1_release,
    .drain = h1_drain,
    .is_usable = h1_is_usable,
    .close = h1_close,
};
