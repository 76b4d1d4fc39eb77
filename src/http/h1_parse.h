#ifndef FAIRLEAD_HTTP_H1_PARSE_H
#define FAIRLEAD_HTTP_H1_PARSE_H

#include "http/head.h"

#include <stddef.h>
#include <stdint.h>

/* Caps of one message; all of them above 0. */
struct h1_limits {
    uint32_t head_bytes;   /* start line, fields and empty line; also of a trailer section */
    uint32_t field_count;  /* field lines; also of a trailer section */
    uint32_t target_bytes; /* request-target */
};

/* What is wrong with HTTP/1 bytes. X(NAME, status, "sentence")
 * `status` answers a request; a bad response is always 502. */
#define H1_FAULTS(X)                                                                    \
    X(NONE, 0, "no fault")                                                              \
    X(BAD_REQUEST_LINE, 400, "the request line is malformed")                           \
    X(BAD_STATUS_LINE, 400, "the status line is malformed")                             \
    X(BAD_VERSION, 505, "the protocol version is not HTTP/1.x")                         \
    X(TARGET_TOO_LONG, 414, "the request target is too long")                           \
    X(HEAD_TOO_LARGE, 431, "the message head is too large")                             \
    X(TOO_MANY_FIELDS, 431, "the message has too many header fields")                   \
    X(TOO_MANY_EMPTY_LINES, 400, "too many empty lines stand before the request line")  \
    X(BARE_CR, 400, "a carriage return stands without a line feed")                     \
    X(BARE_LF, 400, "a line ends in a line feed without a carriage return")             \
    X(OBS_FOLD, 400, "a field line is folded")                                          \
    X(FIELD_NAME, 400, "a field name is empty or holds a byte that is not allowed")     \
    X(SPACE_BEFORE_COLON, 400, "white space stands between a field name and its colon") \
    X(NO_COLON, 400, "a field line has no colon")                                       \
    X(FIELD_VALUE, 400, "a field value holds a control byte")                           \
    X(CHUNK_SIZE, 400, "a chunk size is malformed")                                     \
    X(CHUNK_SIZE_OVERFLOW, 400, "a chunk size is too large")                            \
    X(CHUNK_EXTENSION, 400, "a chunk extension is malformed")                           \
    X(CHUNK_EXTENSION_TOO_LONG, 400, "the chunk extensions are too long")               \
    X(CHUNK_END, 400, "a chunk does not end where its size says")                       \
    X(TRAILER_FIELD, 400, "a trailer names a field of framing or routing")              \
    X(NO_MEMORY, 503, "the memory of the message is used up")

enum h1_fault {
#define X(name, status, sentence) H1_FAULT_##name,
    H1_FAULTS(X)
#undef X
};

/* The status that answers a request with this fault. */
unsigned h1_fault_status(enum h1_fault fault);
/* A sentence without a full stop; static storage. */
const char *h1_fault_text(enum h1_fault fault);

/* How far the incomplete input of one message was looked at. Cleared by the caller before each message;
 * it makes a peer that sends single bytes cost time in proportion to the bytes. Holds no pointer, so
 * the input may move between calls as long as its bytes stay. */
struct h1_progress {
    /* private */
    size_t scanned; /* bytes that are known not to hold the end */
    size_t parsed;  /* input length at the last full parse */
};

/* Empty lines that are skipped before a request line (RFC 9112 §2.2). */
enum { H1_EMPTY_LINES_MAX = 2 };

/* Parse the request head at the front of `input`, which holds all bytes since the message began.
 * `head` was given to head_init; its field list is filled anew at every call. The slices of `head` borrow
 * `input`. *ret_consumed is the length of the head, empty lines included.
 * Result: ST_OK; ST_AGAIN where the head is not complete (call again with the same bytes and more);
 * ST_BAD, ST_LIMIT or ST_NOMEM with *ret_fault set. Without ST_OK `head` holds what was understood (is_request,
 * method, target, version, as far as they are whole and sound), the rest is empty, for the answer and the log.
 * Faults inside an incomplete head may be found only when more bytes have come.
 * Spec: RFC 9112 §2.2, §3, §5, without the leniencies that it permits; bare LF is refused. */
enum status h1_parse_request(struct slice input, const struct h1_limits *limits,
                             struct h1_progress *progress, struct head *head, size_t *ret_consumed,
                             enum h1_fault *ret_fault) MUST_USE;

/* The same for a response head (RFC 9112 §4). White space before a colon is removed (§5.1), the reason
 * may be empty and its space may be missing. No empty line may stand before the status line. */
enum status h1_parse_response(struct slice input, const struct h1_limits *limits,
                              struct h1_progress *progress, struct head *head, size_t *ret_consumed,
                              enum h1_fault *ret_fault) MUST_USE;

/* The trailer section of a request, behind the last chunk, with its closing empty line (RFC 9112 §7.1.2). Fields of
 * framing and routing (Content-Length, Transfer-Encoding, Host) are H1_FAULT_TRAILER_FIELD; what else may
 * not be passed on is told by hop_trailer_may_pass. `fields` was given to fields_init. */
enum status h1_parse_request_trailers(struct slice input, const struct h1_limits *limits,
                                      struct h1_progress *progress, struct fields *fields,
                                      size_t *ret_consumed, enum h1_fault *ret_fault) MUST_USE;

/* The same of a response, with the leniency of h1_parse_response. */
enum status h1_parse_response_trailers(struct slice input, const struct h1_limits *limits,
                                       struct h1_progress *progress, struct fields *fields,
                                       size_t *ret_consumed, enum h1_fault *ret_fault) MUST_USE;

#endif
