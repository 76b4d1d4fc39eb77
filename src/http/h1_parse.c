/* The HTTP/1 head parser.
 *
 * One pass over the bytes with one class table; every slice of the result borrows the input. A head is parsed
 * at once when it has come whole, which is nearly always. One that has not is parsed again from its first
 * byte, but only when that can tell something new: a line end that closes the head or is bare has come, or
 * the input has doubled. So the work stays in proportion to the bytes however small the pieces are, and
 * no half-made state is kept that would break when the input moves.
 *
 * The input is cut to limits->head_bytes first; "not complete" there means too large. So the scanners need to
 * know one end only and nothing beyond the cap is ever looked at.
 *
 * Strict (RFC 9112 §2.2, §3, §5): none of the permitted leniencies towards bare LF, bare CR, folded lines,
 * several spaces in the start line, white space before a colon in requests. What one recipient takes
 * and another does not is where smuggling begins.
 *
 * It does not look into values: framing.c, target.c and hop.c do. Rejected: resuming in the middle of a
 * line (more states, slices that must be moved), scanners written for one kind of processor. */
#include "http/h1_parse.h"

#include "base/check.h"
#include "http/syntax.h"

enum { PLAIN_NAME_MAX = 64 }; /* where no colon is found so near, take_field looks */

struct parser {
    const char *at;
    const char *end;
    const struct h1_limits *limits;
    struct fields *fields;
    enum h1_fault fault;
    bool is_response;
};

struct fault_row {
    unsigned status;
    const char *sentence;
};

static const struct fault_row fault_rows[] = {
#define X(name, status, sentence) [H1_FAULT_##name] = {status, sentence},
    H1_FAULTS(X)
#undef X
};

unsigned h1_fault_status(enum h1_fault fault)
{
    return fault_rows[fault].status;
}

const char *h1_fault_text(enum h1_fault fault)
{
    return fault_rows[fault].sentence;
}

static enum status bad(struct parser *p, enum h1_fault fault)
{
    p->fault = fault;
    return ST_BAD;
}

static enum status over_limit(struct parser *p, enum h1_fault fault)
{
    p->fault = fault;
    return ST_LIMIT;
}

/* CRLF; `otherwise` is the fault where something else stands here. */
static enum status take_line_end(struct parser *p, enum h1_fault otherwise)
{
    if (p->at == p->end)
        return ST_AGAIN;
    if (*p->at == '\n')
        return bad(p, H1_FAULT_BARE_LF);
    if (*p->at != '\r')
        return bad(p, otherwise);
    if (p->end - p->at < 2)
        return ST_AGAIN;
    if (p->at[1] != '\n')
        return bad(p, H1_FAULT_BARE_CR);
    p->at += 2;
    return ST_OK;
}

static enum status take_char(struct parser *p, char c, enum h1_fault otherwise)
{
    if (p->at == p->end)
        return ST_AGAIN;
    if (*p->at != c)
        return bad(p, otherwise);
    p->at++;
    return ST_OK;
}

static enum status take_digit(struct parser *p, enum h1_fault otherwise, uint8_t *ret_digit)
{
    if (p->at == p->end)
        return ST_AGAIN;
    if (!char_is_digit(*p->at))
        return bad(p, otherwise);
    *ret_digit = (uint8_t)(*p->at++ - '0');
    return ST_OK;
}

/* The longest runs of bytes of a class; may be empty. */
static inline struct slice take_token(struct parser *p)
{
    const char *from = p->at;
    const char *at = from;
    while (at < p->end && syntax_is(*at, SYNTAX_TOKEN))
        at++;
    p->at = at;
    return slice_of(from, (size_t)(at - from));
}

static inline struct slice take_value(struct parser *p)
{
    struct slice run = slice_of(p->at, syntax_value_span(p->at, p->end));
    p->at += run.len;
    return run;
}

static inline struct slice take_target_bytes(struct parser *p)
{
    struct slice run = slice_of(p->at, syntax_target_span(p->at, p->end));
    p->at += run.len;
    return run;
}

/* "HTTP/1.x" (RFC 9112 §2.3). */
static enum status take_version(struct parser *p, struct head *head, enum h1_fault otherwise)
{
    const struct slice usual = SLICE("HTTP/1.1");
    if ((size_t)(p->end - p->at) > usual.len && memcmp(p->at, usual.at, usual.len) == 0) {
        head->major = head->minor = 1;
        p->at += usual.len;
        return ST_OK;
    }
    const struct slice name = SLICE("HTTP/");
    for (size_t i = 0; i < name.len; i++) {
        enum status status = take_char(p, name.at[i], otherwise);
        if (status != ST_OK)
            return status;
    }
    uint8_t major = 0;
    uint8_t minor = 0;
    enum status status = take_digit(p, otherwise, &major);
    if (status == ST_OK && major != 1)
        return bad(p, H1_FAULT_BAD_VERSION);
    if (status == ST_OK)
        status = take_char(p, '.', otherwise);
    if (status == ST_OK)
        status = take_digit(p, otherwise, &minor);
    if (status != ST_OK)
        return status;
    head->major = major;
    head->minor = minor;
    return ST_OK;
}

/* Empty lines before a request line (RFC 9112 §2.2). */
static enum status skip_empty_lines(struct parser *p)
{
    for (int lines = 0; p->at < p->end && (*p->at == '\r' || *p->at == '\n'); lines++) {
        if (lines == H1_EMPTY_LINES_MAX)
            return bad(p, H1_FAULT_TOO_MANY_EMPTY_LINES);
        enum status status = take_line_end(p, H1_FAULT_BAD_REQUEST_LINE);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

static enum status take_target(struct parser *p, struct head *head)
{
    struct slice target = take_target_bytes(p);
    if (target.len > p->limits->target_bytes)
        return over_limit(p, H1_FAULT_TARGET_TOO_LONG);
    if (p->at == p->end)
        return ST_AGAIN;
    if (slice_is_empty(target))
        return bad(p, H1_FAULT_BAD_REQUEST_LINE);
    head->target = target;
    return take_char(p, ' ', H1_FAULT_BAD_REQUEST_LINE);
}

/* method SP request-target SP HTTP-version CRLF (RFC 9112 §3) */
static enum status take_request_line(struct parser *p, struct head *head)
{
    enum status status = skip_empty_lines(p);
    if (status != ST_OK)
        return status;

    struct slice method = take_token(p);
    if (p->at == p->end)
        return ST_AGAIN;
    if (slice_is_empty(method))
        return bad(p, H1_FAULT_BAD_REQUEST_LINE);
    status = take_char(p, ' ', H1_FAULT_BAD_REQUEST_LINE);
    if (status != ST_OK)
        return status;
    head->method_name = method;
    head->method = method_of(method);

    status = take_target(p, head);
    if (status == ST_OK)
        status = take_version(p, head, H1_FAULT_BAD_REQUEST_LINE);
    if (status == ST_OK)
        status = take_line_end(p, H1_FAULT_BAD_REQUEST_LINE);
    if (status == ST_BAD && p->fault == H1_FAULT_BAD_REQUEST_LINE) {
        head->target = SLICE_NONE; /* what was taken for one may be its beginning */
        head->major = head->minor = 0;
    }
    return status;
}

static enum status take_status_code(struct parser *p, struct head *head)
{
    unsigned code = 0;
    for (int i = 0; i < 3; i++) {
        uint8_t digit = 0;
        enum status status = take_digit(p, H1_FAULT_BAD_STATUS_LINE, &digit);
        if (status != ST_OK)
            return status;
        code = code * 10 + digit;
    }
    if (code < 100)
        return bad(p, H1_FAULT_BAD_STATUS_LINE);
    head->status = (uint16_t)code;
    return ST_OK;
}

/* HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 §4) */
static enum status take_status_line(struct parser *p, struct head *head)
{
    enum status status = take_version(p, head, H1_FAULT_BAD_STATUS_LINE);
    if (status == ST_OK)
        status = take_char(p, ' ', H1_FAULT_BAD_STATUS_LINE);
    if (status == ST_OK)
        status = take_status_code(p, head);
    if (status != ST_OK)
        return status;
    if (p->at == p->end)
        return ST_AGAIN;
    if (*p->at == ' ') {
        p->at++;
        head->reason = take_value(p);
    }
    return take_line_end(p, H1_FAULT_BAD_STATUS_LINE);
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What ended a field name that no colon follows. */
static enum status bad_name(struct parser *p, bool is_empty)
{
    if (*p->at == '\r' || *p->at == '\n') {
        enum status status = take_line_end(p, H1_FAULT_NO_COLON);
        return status == ST_OK ? bad(p, H1_FAULT_NO_COLON) : status;
    }
    return bad(p,
               !is_empty && is_blank(*p->at) ? H1_FAULT_SPACE_BEFORE_COLON : H1_FAULT_FIELD_NAME);
}

static enum status take_field_name(struct parser *p, struct slice *ret_name)
{
    struct slice name = take_token(p);
    /* RFC 9112 §5.1: removed from responses, refused in requests */
    while (p->is_response && name.len > 0 && p->at < p->end && is_blank(*p->at))
        p->at++;
    if (p->at == p->end)
        return ST_AGAIN;
    if (*p->at != ':' || name.len == 0)
        return bad_name(p, name.len == 0);
    p->at++;
    *ret_name = name;
    return ST_OK;
}

/* Of bytes that are no controls but HTAB: not white space. */
static inline bool is_visible(char c)
{
    return (unsigned char)c > ' ';
}

/* The usual line, "name: value CRLF" whole and with nothing odd about it. False takes nothing: what is wrong or
 * unusual, take_field says. The name is looked up before its bytes are looked at, since a name that is known is a
 * token. */
static inline bool take_plain_field(struct parser *p, struct field *ret_field)
{
    const char *end = p->end;
    size_t left = (size_t)(end - p->at);
    size_t far = left < PLAIN_NAME_MAX ? left : PLAIN_NAME_MAX;
    struct slice name = slice_of(p->at, syntax_find_colon(p->at, p->at + far));
    if (left < name.len + sizeof(": x\r\n") - 1)
        return false;
    const char *value = name.at + name.len + 2;
    if (memcmp(value - 2, ": ", 2) != 0 || !is_visible(value[0]))
        return false;
    enum token token = token_of(name);
    if (token == TOKEN_OTHER && !syntax_is_token(name))
        return false;
    size_t len = syntax_value_span(value, end);
    const char *stop = value + len;
    if (end - stop < 2 || memcmp(stop, "\r\n", 2) != 0 || !is_visible(stop[-1]))
        return false; /* of an empty value, stop[-1] is the blank before it */
    *ret_field = (struct field){
        .name = name, .value = slice_of(value, len), .token = (uint8_t)token, .is_line = true};
    p->at = stop + 2;
    return true;
}

static enum status add_field(struct parser *p, const struct field *field)
{
    if (p->fields->count == p->limits->field_count)
        return over_limit(p, H1_FAULT_TOO_MANY_FIELDS);
    enum status status = fields_append(p->fields, field);
    if (status != ST_OK)
        p->fault = H1_FAULT_NO_MEMORY;
    return status;
}

/* field-name ":" OWS field-value OWS CRLF (RFC 9112 §5) */
static enum status take_field(struct parser *p)
{
    struct slice name = SLICE_NONE;
    enum status status = take_field_name(p, &name);
    if (status != ST_OK)
        return status;

    while (p->at < p->end && is_blank(*p->at))
        p->at++;
    struct slice value = take_value(p);
    status = take_line_end(p, H1_FAULT_FIELD_VALUE);
    if (status != ST_OK)
        return status;
    while (value.len > 0 && is_blank(value.at[value.len - 1]))
        value.len--;

    const struct field field = {.name = name, .value = value, .token = (uint8_t)token_of(name)};
    return add_field(p, &field);
}

/* All field lines and the empty line behind them. */
static enum status take_fields(struct parser *p)
{
    enum status status = ST_OK;
    while (status == ST_OK) {
        struct field field;
        if (take_plain_field(p, &field))
            status = add_field(p, &field);
        else if (p->at == p->end)
            status = ST_AGAIN;
        else if (*p->at == '\r' || *p->at == '\n')
            return take_line_end(p, H1_FAULT_FIELD_NAME);
        else if (is_blank(*p->at))
            status = bad(p, H1_FAULT_OBS_FOLD);
        else
            status = take_field(p);
    }
    return status;
}

/* True where a full parse of the input can tell more than the last one did. */
static bool is_worth_a_parse(struct slice input, size_t cap, struct h1_progress *progress)
{
    if (input.len == 0)
        return false;
    if (progress->parsed == 0 || input.len >= cap || input.len / 2 >= progress->parsed)
        return true;
    for (size_t i = progress->scanned; i < input.len; i++) {
        i += slice_find(slice_from(input, i), '\n');
        if (i == input.len)
            break;
        /* i is behind what was parsed; of one byte and then two a parse was worth while above. */
        CHECK(i >= 2);
        if (input.at[i - 1] != '\r' || input.at[i - 2] == '\n')
            return true;
    }
    progress->scanned = input.len;
    return false;
}

static struct parser parser_on(struct slice input, const struct h1_limits *limits,
                               struct fields *fields)
{
    size_t len = input.len < limits->head_bytes ? input.len : limits->head_bytes;
    fields_clear(fields);
    return (struct parser){
        .at = input.at, .end = input.at + len, .limits = limits, .fields = fields};
}

/* Turn the outcome of a parse into the answer; nothing of an unfinished field list is left to see. */
static enum status conclude(struct parser *p, struct slice input, struct h1_progress *progress,
                            enum status status, size_t *ret_consumed, enum h1_fault *ret_fault)
{
    if (status == ST_AGAIN && input.len >= p->limits->head_bytes)
        status = over_limit(p, H1_FAULT_HEAD_TOO_LARGE);
    if (status == ST_OK) {
        *ret_consumed = (size_t)(p->at - input.at);
        return ST_OK;
    }
    fields_clear(p->fields);
    if (status == ST_AGAIN)
        *progress = (struct h1_progress){.scanned = input.len, .parsed = input.len};
    else
        *ret_fault = p->fault;
    return status;
}

/* A cleared head that keeps the memory of its field list. */
static void restart(struct head *head, bool is_request)
{
    *head = (struct head){.is_request = is_request, .fields = head->fields};
}

enum status h1_parse_request(struct slice input, const struct h1_limits *limits,
                             struct h1_progress *progress, struct head *head, size_t *ret_consumed,
                             enum h1_fault *ret_fault)
{
    if (!is_worth_a_parse(input, limits->head_bytes, progress))
        return ST_AGAIN;
    restart(head, /* is_request= */ true);
    struct parser p = parser_on(input, limits, &head->fields);
    enum status status = take_request_line(&p, head);
    if (status == ST_OK)
        status = take_fields(&p);
    return conclude(&p, input, progress, status, ret_consumed, ret_fault);
}

enum status h1_parse_response(struct slice input, const struct h1_limits *limits,
                              struct h1_progress *progress, struct head *head, size_t *ret_consumed,
                              enum h1_fault *ret_fault)
{
    if (!is_worth_a_parse(input, limits->head_bytes, progress))
        return ST_AGAIN;
    restart(head, /* is_request= */ false);
    struct parser p = parser_on(input, limits, &head->fields);
    p.is_response = true;
    enum status status = take_status_line(&p, head);
    if (status == ST_OK)
        status = take_fields(&p);
    return conclude(&p, input, progress, status, ret_consumed, ret_fault);
}

/* RFC 9110 §6.5.1: what decides about framing and routing cannot come behind the content. */
static enum status check_trailers(struct parser *p)
{
    const uint64_t forbidden = token_bit(TOKEN_CONTENT_LENGTH) |
                               token_bit(TOKEN_TRANSFER_ENCODING) | token_bit(TOKEN_HOST);
    return (p->fields->seen & forbidden) == 0 ? ST_OK : bad(p, H1_FAULT_TRAILER_FIELD);
}

static enum status take_trailers(struct parser *p)
{
    enum status status = take_fields(p);
    return status == ST_OK ? check_trailers(p) : status;
}

enum status h1_parse_request_trailers(struct slice input, const struct h1_limits *limits,
                                      struct h1_progress *progress, struct fields *fields,
                                      size_t *ret_consumed, enum h1_fault *ret_fault)
{
    if (!is_worth_a_parse(input, limits->head_bytes, progress))
        return ST_AGAIN;
    struct parser p = parser_on(input, limits, fields);
    return conclude(&p, input, progress, take_trailers(&p), ret_consumed, ret_fault);
}

enum status h1_parse_response_trailers(struct slice input, const struct h1_limits *limits,
                                       struct h1_progress *progress, struct fields *fields,
                                       size_t *ret_consumed, enum h1_fault *ret_fault)
{
    if (!is_worth_a_parse(input, limits->head_bytes, progress))
        return ST_AGAIN;
    struct parser p = parser_on(input, limits, fields);
    p.is_response = true;
    return conclude(&p, input, progress, take_trailers(&p), ret_consumed, ret_fault);
}
