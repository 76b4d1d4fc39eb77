/* The head writer.
 *
 * What was checked is what is sent: every message is written anew from its parts, and each part is looked
 * at once more here, so that whatever path it came by (another protocol version, configuration, a reply of
 * our own) it cannot hold a line end. Nothing of a part that fails is written. Lines that the parser found to stand as
 * they would be written are copied, as many at once as stand together and stay.
 *
 * It does not decide which fields go out; that is the caller's (http/hop.h, http/framing.h). */
#include "http/h1_write.h"

#include "http/status_code.h"
#include "http/syntax.h"

void h1_write_begin(struct h1_writer *writer, struct text *text)
{
    *writer = (struct h1_writer){text, text->is_cut ? ST_LIMIT : ST_OK};
}

/* Room for `len` more bytes, or NULL with ST_LIMIT noted. */
static char *reserve(struct h1_writer *writer, size_t len)
{
    struct text *text = writer->text;
    if (len > text->cap - text->len) {
        text->is_cut = true;
        writer->status = ST_LIMIT;
        return NULL;
    }
    char *at = text->at + text->len;
    text->len += len;
    return at;
}

static inline char *put(char *at, struct slice s)
{
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    return at + s.len;
}

static bool refuse_unless(struct h1_writer *writer, bool is_fine)
{
    if (writer->status == ST_OK && !is_fine)
        writer->status = ST_BAD;
    return writer->status == ST_OK;
}

static bool is_target(struct slice s)
{
    return s.len > 0 && syntax_target_span(s.at, s.at + s.len) == s.len;
}

void h1_write_request_line(struct h1_writer *writer, struct slice method, struct slice target)
{
    if (!refuse_unless(writer, syntax_is_token(method) && is_target(target)))
        return;
    const struct slice end = SLICE(" HTTP/1.1\r\n");
    char *at = reserve(writer, method.len + 1 + target.len + end.len);
    if (at == NULL)
        return;
    at = put(at, method);
    *at++ = ' ';
    at = put(at, target);
    (void)put(at, end); /* nothing follows */
}

void h1_write_status_line(struct h1_writer *writer, unsigned status, struct slice reason)
{
    if (slice_is_empty(reason))
        reason = status_code_reason(status);
    if (!refuse_unless(writer, status >= 100 && status <= 999 && syntax_is_value(reason)))
        return;
    char *at = reserve(writer, 9 + 4 + reason.len + 2);
    if (at == NULL)
        return;
    at = put(at, SLICE("HTTP/1.1 "));
    *at++ = (char)('0' + status / 100);
    *at++ = (char)('0' + status / 10 % 10);
    *at++ = (char)('0' + status % 10);
    *at++ = ' ';
    at = put(at, reason);
    (void)put(at, SLICE("\r\n")); /* nothing follows */
}

static inline void write_line(struct h1_writer *writer, struct slice name, struct slice value)
{
    char *at = reserve(writer, name.len + 2 + value.len + 2);
    if (at == NULL)
        return;
    at = put(at, name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, value);
    (void)put(at, SLICE("\r\n")); /* nothing follows */
}

void h1_write_field(struct h1_writer *writer, struct slice name, struct slice value)
{
    if (refuse_unless(writer, syntax_is_token(name) && syntax_is_value(value)))
        write_line(writer, name, value);
}

static inline const char *line_end(const struct field *field)
{
    return field->value.at + field->value.len + 2;
}

void h1_write_fields(struct h1_writer *writer, const struct fields *fields)
{
    const struct field *end = fields->count > 0 ? fields->at + fields->count : fields->at;
    for (const struct field *field = fields->at; field != end;) {
        const struct field *first = field++;
        if (!first->is_line) {
            bool is_token = first->token != TOKEN_OTHER || syntax_is_token(first->name);
            if (refuse_unless(writer, is_token && syntax_is_value(first->value)))
                write_line(writer, first->name, first->value);
            continue;
        }
        while (field != end && field->is_line && field->name.at == line_end(field - 1))
            field++;
        if (writer->status != ST_OK)
            return;
        size_t len = (size_t)(line_end(field - 1) - first->name.at);
        char *at = reserve(writer, len);
        if (at != NULL)
            memcpy(at, first->name.at, len);
    }
}

void h1_write_content_length(struct h1_writer *writer, uint64_t length)
{
    char digits[20];
    size_t from = sizeof(digits);
    do {
        digits[--from] = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
    if (writer->status == ST_OK)
        write_line(writer, SLICE("Content-Length"), slice_of(digits + from, sizeof(digits) - from));
}

enum status h1_write_end(struct h1_writer *writer)
{
    if (writer->status != ST_OK)
        return writer->status;
    char *at = reserve(writer, 2);
    if (at != NULL)
        (void)put(at, SLICE("\r\n")); /* nothing follows */
    return writer->status;
}
