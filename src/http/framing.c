/* How long the content is (RFC 9112 §6.3), for requests and responses, in one place.
 *
 * Everything that two readers could take differently is refused: both fields, values that differ, codings
 * that we do not know, codings in HTTP/1.0. The only reading left is the one that the writer puts
 * on the other connection, from struct framing and not from the fields.
 *
 *   request                                   response
 *   CONNECT            none (content: fault)  2xx to CONNECT      none, fields not looked at
 *   both fields        fault                  HEAD, 1xx, 204, 304 none, fields still checked
 *   chunked alone      chunked                both fields         fault
 *   other + chunked    501                    chunked alone       chunked
 *   last not chunked   fault                  chunked elsewhere   fault
 *   Content-Length     length                 others, identity    close
 *   nothing            none                   Content-Length      length
 *                                             nothing             close
 *
 * A response may end in another coding than chunked, and then with its connection. Who passes it on must keep that
 * coding, or the content would be another one.
 */
#include "http/framing.h"

#include "http/status_code.h"
#include "http/syntax.h"

struct fault_row {
    unsigned status;
    const char *sentence;
};

static const struct fault_row fault_rows[] = {
#define X(name, status, sentence) [FRAMING_FAULT_##name] = {status, sentence},
    FRAMING_FAULTS(X)
#undef X
};

unsigned framing_fault_status(enum framing_fault fault)
{
    return fault_rows[fault].status;
}

const char *framing_fault_text(enum framing_fault fault)
{
    return fault_rows[fault].sentence;
}

/* What Content-Length and Transfer-Encoding say, read but not judged. */
struct reading {
    bool has_length;
    uint64_t length;
    bool has_coding;
    unsigned chunked_count;
    unsigned other_count; /* codings other than chunked and identity */
    bool identity_is_there;
    bool last_is_chunked;
};

static enum framing_fault read_length(struct reading *reading, struct slice digits)
{
    uint64_t value = 0;
    enum status status = slice_to_u64(digits, INT64_MAX, &value);
    if (status != ST_OK)
        return status == ST_LIMIT ? FRAMING_FAULT_LENGTH_OVERFLOW : FRAMING_FAULT_BAD_LENGTH;
    if (reading->has_length && reading->length != value)
        return FRAMING_FAULT_LENGTHS_DIFFER;
    reading->has_length = true;
    reading->length = value;
    return FRAMING_FAULT_NONE;
}

/* Several lines, or a list in one line, are fine as long as they say the same (RFC 9112 §6.3, item 5).
 * An empty list element is not a number. */
static enum framing_fault read_lengths(struct reading *reading, const struct fields *fields)
{
    const struct field *field = fields_find(fields, TOKEN_CONTENT_LENGTH);
    for (; field != NULL; field = fields_find_next(fields, field)) {
        struct slice rest = field->value;
        bool is_last = false;
        while (!is_last) {
            size_t comma = slice_find(rest, ',');
            is_last = comma == rest.len;
            enum framing_fault fault = read_length(reading, slice_trim(slice_first(rest, comma)));
            if (fault != FRAMING_FAULT_NONE)
                return fault;
            rest = slice_from(rest, comma + 1);
        }
    }
    return FRAMING_FAULT_NONE;
}

/* ";" OWS token BWS "=" BWS ( token / quoted-string ), taken off the front. */
static bool take_parameter(struct slice *rest)
{
    if (rest->at[0] != ';')
        return false;
    struct slice name = slice_trim(slice_from(*rest, 1));
    struct slice equals = slice_trim(slice_from(name, syntax_token_span(name)));
    if (equals.len == name.len || equals.len == 0 || equals.at[0] != '=')
        return false;
    struct slice value = slice_trim(slice_from(equals, 1));
    size_t len = syntax_word_span(value);
    *rest = slice_trim(slice_from(value, len));
    return len > 0;
}

/* token *( OWS ";" OWS parameter ). Nobody here knows what a parameter means, but a response's go on, and a quote that
 * is open would hide from one reader what another one sees behind it. */
static enum framing_fault read_coding(struct reading *reading, struct slice element)
{
    size_t semicolon = slice_find(element, ';');
    struct slice name = slice_trim(slice_first(element, semicolon));
    if (!syntax_is_token(name))
        return FRAMING_FAULT_BAD_CODING;
    reading->last_is_chunked = slice_equals_nocase(name, SLICE("chunked"));
    if (reading->last_is_chunked && semicolon != element.len)
        return FRAMING_FAULT_BAD_CODING; /* chunked has no parameters, RFC 9112 §7.1 */
    for (struct slice rest = slice_from(element, semicolon); rest.len > 0;) {
        if (!take_parameter(&rest))
            return FRAMING_FAULT_BAD_CODING;
    }
    if (reading->last_is_chunked)
        reading->chunked_count++;
    else if (slice_equals_nocase(name, SLICE("identity")))
        reading->identity_is_there = true;
    else
        reading->other_count++;
    return FRAMING_FAULT_NONE;
}

static enum framing_fault read_codings(struct reading *reading, const struct fields *fields)
{
    unsigned count = 0;
    const struct field *field = fields_find(fields, TOKEN_TRANSFER_ENCODING);
    reading->has_coding = field != NULL;
    for (; field != NULL; field = fields_find_next(fields, field)) {
        struct slice rest = field->value;
        struct slice element;
        while (slice_next_element(&rest, &element)) {
            enum framing_fault fault = read_coding(reading, element);
            if (fault != FRAMING_FAULT_NONE)
                return fault;
            count++;
        }
    }
    return reading->has_coding && count == 0 ? FRAMING_FAULT_BAD_CODING : FRAMING_FAULT_NONE;
}

/* What is wrong in a message of either kind. */
static enum framing_fault read_fields(struct reading *reading, const struct head *head)
{
    *reading = (struct reading){.has_length = false};
    enum framing_fault fault = read_lengths(reading, &head->fields);
    if (fault == FRAMING_FAULT_NONE)
        fault = read_codings(reading, &head->fields);
    if (fault != FRAMING_FAULT_NONE)
        return fault;
    if (reading->has_length && reading->has_coding)
        return FRAMING_FAULT_LENGTH_AND_CODING;
    if (reading->has_coding && !head_is_modern(head))
        return FRAMING_FAULT_CODING_IN_OLD_VERSION; /* RFC 9112 §6.1 */
    if (reading->chunked_count > 1)
        return FRAMING_FAULT_CHUNKED_REPEATED;
    return FRAMING_FAULT_NONE;
}

/* RFC 9110 §9.3.6: content of a CONNECT request has no meaning, and its bytes would be taken as the
 * tunnel's by one reader and as content by another. */
static enum framing_fault connect_framing(const struct head *head, struct framing *ret_framing)
{
    struct reading reading = {.has_length = false};
    if (fields_has(&head->fields, TOKEN_TRANSFER_ENCODING))
        return FRAMING_FAULT_CONNECT_CONTENT;
    enum framing_fault fault = read_lengths(&reading, &head->fields);
    if (fault != FRAMING_FAULT_NONE)
        return fault;
    if (reading.length > 0)
        return FRAMING_FAULT_CONNECT_CONTENT;
    *ret_framing = (struct framing){.kind = FRAMING_NONE};
    return FRAMING_FAULT_NONE;
}

enum framing_fault framing_of_request(const struct head *head, struct framing *ret_framing)
{
    if (head->method == METHOD_CONNECT)
        return connect_framing(head, ret_framing);
    struct reading reading;
    enum framing_fault fault = read_fields(&reading, head);
    if (fault != FRAMING_FAULT_NONE)
        return fault;
    if (reading.has_coding && !reading.last_is_chunked)
        return FRAMING_FAULT_CHUNKED_NOT_LAST;
    if (reading.other_count > 0 || reading.identity_is_there)
        return FRAMING_FAULT_CODING_UNKNOWN;

    if (reading.has_coding)
        *ret_framing = (struct framing){.kind = FRAMING_CHUNKED};
    else if (reading.has_length)
        *ret_framing = (struct framing){.kind = FRAMING_LENGTH, .length = reading.length};
    else
        *ret_framing = (struct framing){.kind = FRAMING_NONE};
    return FRAMING_FAULT_NONE;
}

/* The content of a response that may have one. */
static enum framing_fault content_framing(const struct reading *reading,
                                          struct framing *ret_framing)
{
    bool is_chunked = reading->chunked_count > 0;
    bool is_coded = reading->other_count > 0;
    if ((is_chunked || is_coded) && reading->identity_is_there)
        return FRAMING_FAULT_CODING_UNKNOWN;
    if (is_chunked && is_coded)
        return FRAMING_FAULT_CODING_UNKNOWN;
    if (is_chunked)
        *ret_framing = (struct framing){.kind = FRAMING_CHUNKED};
    else if (reading->has_length)
        *ret_framing = (struct framing){.kind = FRAMING_LENGTH, .length = reading->length};
    else
        *ret_framing = (struct framing){.kind = FRAMING_CLOSE, .is_coded = is_coded};
    return FRAMING_FAULT_NONE;
}

enum framing_fault framing_of_response(const struct head *head, enum method request_method,
                                       struct framing *ret_framing)
{
    bool is_tunnel = request_method == METHOD_CONNECT && head->status >= 200 && head->status < 300;
    if (is_tunnel) {
        *ret_framing = (struct framing){.kind = FRAMING_NONE};
        return FRAMING_FAULT_NONE;
    }
    struct reading reading;
    enum framing_fault fault = read_fields(&reading, head);
    if (fault != FRAMING_FAULT_NONE)
        return fault;
    if (request_method != METHOD_HEAD && !status_code_is_bodiless(head->status))
        return content_framing(&reading, ret_framing);
    *ret_framing = (struct framing){.kind = FRAMING_NONE};
    return FRAMING_FAULT_NONE;
}
