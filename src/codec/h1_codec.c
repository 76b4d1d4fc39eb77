/* HTTP/1.x as a stream, and the connection beneath: one stream, leased to one exchange after the other; what release
 * finds says whether another may follow. */

#include "codec/h1_internal.h"

#include "base/cache.h"
#include "base/check.h"

enum { H1_ARENA_CAP = 512 * 1024 };

static const struct stream_ops h1_stream_ops;
static const struct codec_ops h1_codec_ops;

static struct h1_codec *h1_of(struct codec *codec)
{
    return CONTAINER_OF(codec, struct h1_codec, codec);
}

/* Recorder: whoever has the stream hears that the transport is ready, else the codec's owner. */
static void h1_on_ready(struct transport *transport)
{
    struct h1_codec *codec = transport->owner;
    cache_want(codec, sizeof(*codec)); /* by whoever hears of it, once the events are dispatched */
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
                               .ahead = ST_AGAIN,
                               .limits = *limits};
    wire_init(&codec->codec.wire, transport, shared);
    transport_listen(transport, codec, h1_on_ready);
    arena_init(&codec->arena, shared->blocks, H1_ARENA_CAP);
    head_init(&codec->head, &codec->arena);
}

/* ---- the stream, but for messages ---- */

static bool h1_has_queued(const struct stream *stream)
{
    return !chain_is_empty(&h1_codec_view(stream)->codec.wire.out);
}

static enum status h1_flush(struct stream *stream)
{
    return wire_flush(&h1_codec_of(stream)->codec.wire);
}

static enum status h1_settle(struct stream *stream)
{
    return wire_settle(&h1_codec_of(stream)->codec.wire);
}

static void h1_stream_receive_ahead(struct stream *stream)
{
    h1_receive_ahead(h1_codec_of(stream));
}

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

static bool h1_has_ended(const struct stream *stream)
{
    const struct h1_codec *codec = h1_codec_view(stream);
    return (codec->codec.wire.transport->ready & (WATCH_HANGUP | WATCH_ERROR)) != 0;
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
    .receive_ahead = h1_stream_receive_ahead,
    .recv_head = h1_recv_head,
    .recv_body = h1_recv_body,
    .consume = h1_consume,
    .recv_splice_max = h1_recv_splice_max,
    .recv_splice = h1_recv_splice,
    .recv_trailers = h1_recv_trailers,
    .send_head = h1_send_head,
    .send_body = h1_send_body,
    .may_send_splice = h1_may_send_splice,
    .send_splice = h1_send_splice,
    .send_end = h1_send_end,
    .has_queued = h1_has_queued,
    .flush = h1_flush,
    .settle = h1_settle,
    .expect = h1_expect,
    .is_gone = h1_is_gone,
    .has_ended = h1_has_ended,
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
    if (wire->in.len == 0)
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
    head_init(&codec->head, &codec->arena);
    codec->hop = NULL;
    codec->stream.fault_text = NULL;
    codec->stream.is_read_out = false;
    codec->stream.begun_ns = 0;
    codec->stream.head_ns = 0;
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
 * nobody to ask. A splice takes a body alone and leaves them in the kernel. What comes later is is_usable's to find.
 * Behind a request its client's next ones are read first. */
static bool h1_has_unasked(const struct h1_codec *codec)
{
    const struct wire *wire = &codec->codec.wire;
    if (codec->role == H1_SERVER)
        return false;
    return wire->in.len > 0 || !transport_is_quiet(wire->transport, LOOK_IF_TOLD);
}

/* Both messages ended, nobody said close, and all that was sent is with the kernel. */
static bool h1_may_go_on(const struct h1_codec *codec)
{
    return codec->stream.may_persist && codec->receiving == H1_RECV_ENDED &&
           codec->sending == H1_SEND_ENDED && !codec->is_draining && !codec->codec.wire.is_eof &&
           !h1_has_unasked(codec) && chain_is_empty(&codec->codec.wire.out);
}

static void h1_codec_receive_ahead(struct codec *base)
{
    h1_receive_ahead(h1_of(base));
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
    .receive_ahead = h1_codec_receive_ahead,
    .accept = h1_accept,
    .accept_late = h1_accept_late,
    .open = h1_open,
    .release = h1_release,
    .drain = h1_drain,
    .is_usable = h1_is_usable,
    .close = h1_close,
};
