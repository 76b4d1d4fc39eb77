/* Sending: messages written anew.
 *
 * Heads and framing go into the wire's queue, body bytes as far as the peer takes them. A chunk is begun for what the
 * caller has at hand; if the peer takes less, the chunk stays open for what follows. */

#include "codec/h1_internal.h"

#include "base/check.h"
#include "base/text.h"
#include "http/h1_write.h"

/* How the body is framed (RFC 9112 §6). */
static void h1_write_framing(struct h1_writer *writer, const struct head *head, struct framing body)
{
    if (head->codings.len > 0)
        h1_write_field(writer, SLICE("Transfer-Encoding"), head->codings);
    if (body.kind == FRAMING_CHUNKED)
        h1_write_field(writer, SLICE("Transfer-Encoding"), SLICE("chunked"));
    else if (body.kind == FRAMING_LENGTH)
        h1_write_content_length(writer, body.length);
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

static enum status h1_write_head(const struct h1_codec *codec, const struct head *head,
                                 struct framing body, struct text *text)
{
    struct h1_writer writer;
    h1_write_begin(&writer, text);
    if (head->is_request)
        h1_write_request_line(&writer, head->method_name, head->target);
    else
        h1_write_status_line(&writer, head->status, head->reason);
    h1_write_fields(&writer, &head->fields);
    h1_write_framing(&writer, head, body);
    h1_write_options(codec, &writer, head);
    return h1_write_end(&writer);
}

/* Into the queue at once; a large head takes more than one try. */
static enum status h1_put_head(struct h1_codec *codec, const struct head *head, struct framing body)
{
    static const size_t wants[] = {BLOCK_SMALL - 64, BLOCK_MEDIUM - 64, CHAIN_PIECE_MAX};
    struct wire *wire = &codec->codec.wire;
    enum status status = ST_LIMIT;
    for (size_t i = 0; i < COUNT_OF(wants) && status == ST_LIMIT; i++) {
        size_t room = 0;
        char *at = wire_reserve(wire, wants[i], &room);
        if (at == NULL)
            return ST_NOMEM;
        struct text text = text_on(at, room);
        status = h1_write_head(codec, head, body, &text);
        wire_commit(wire, status == ST_OK ? text.len : 0);
    }
    return status;
}

enum status h1_send_head(struct stream *stream, const struct head *head, struct framing body)
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

/* Before a part of the body goes out: *len becomes what the chunk that is open has room for, or the length that was
 * announced; a chunk is begun where none is open. Errors: as send_body; ST_BAD there is no room at all. */
static enum status h1_begin_part(struct h1_codec *codec, size_t *len)
{
    CHECK(codec->sending == H1_SEND_BODY);
    if (*len == 0)
        return ST_BAD; /* an empty chunk would end the body */
    if (codec->send_body.kind == FRAMING_CHUNKED && codec->send_left == 0) {
        enum status status = ST_OK;
        if (codec->codec.wire.out.len >= WIRE_BACKLOG_MAX)
            status = wire_flush(&codec->codec.wire);
        if (status == ST_OK)
            status = h1_put_chunk_line(codec, *len);
        if (status != ST_OK)
            return status;
    }
    if (codec->send_body.kind != FRAMING_CLOSE && *len > codec->send_left)
        *len = (size_t)codec->send_left;
    return *len > 0 ? ST_OK : ST_BAD;
}

/* The peer took so many bytes of the body. */
static enum status h1_end_part(struct h1_codec *codec, size_t taken)
{
    codec->sent_body_bytes += taken;
    if (codec->send_body.kind != FRAMING_CLOSE)
        codec->send_left -= taken;
    if (codec->send_body.kind == FRAMING_CHUNKED && codec->send_left == 0)
        return wire_put(&codec->codec.wire, H1_CHUNK_CRLF);
    return ST_OK;
}

enum status h1_send_body(struct stream *stream, struct slice bytes, size_t *ret_taken)
{
    struct h1_codec *codec = h1_codec_of(stream);
    size_t len = bytes.len, taken = 0;
    enum status status = h1_begin_part(codec, &len);
    if (status == ST_OK)
        status = wire_send(&codec->codec.wire, slice_first(bytes, len), &taken);
    if (status != ST_OK)
        return status;
    *ret_taken = taken;
    return h1_end_part(codec, taken);
}

bool h1_may_send_splice(const struct stream *stream)
{
    return transport_is_plain(h1_codec_view(stream)->codec.wire.transport);
}

enum status h1_send_splice(struct stream *stream, int pipe, size_t len, size_t *ret_taken)
{
    struct h1_codec *codec = h1_codec_of(stream);
    size_t taken = 0;
    enum status status = h1_begin_part(codec, &len);
    if (status == ST_OK)
        status = wire_send_splice(&codec->codec.wire, pipe, len, &taken);
    if (status != ST_OK)
        return status;
    *ret_taken = taken;
    return h1_end_part(codec, taken);
}

enum status h1_send_end(struct stream *stream, const struct fields *trailers)
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
