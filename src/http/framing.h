#ifndef FAIRLEAD_HTTP_FRAMING_H
#define FAIRLEAD_HTTP_FRAMING_H

#include "http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a message's content is: RFC 9112 §6.3, decided here and nowhere else. */

enum framing_kind {
    FRAMING_NONE,    /* no content, whatever the fields say */
    FRAMING_LENGTH,  /* `length` bytes; may be 0 */
    FRAMING_CHUNKED, /* chunked transfer coding */
    FRAMING_CLOSE,   /* a response that ends with its connection */
};

struct framing {
    enum framing_kind kind;
    uint64_t length; /* for FRAMING_LENGTH */
    bool
        is_coded; /* FRAMING_CLOSE of a response: other transfer codings are still on the content */
};

/* X(NAME, status, "sentence"); `status` answers a request, a bad response is always 502. */
#define FRAMING_FAULTS(X)                                                                  \
    X(NONE, 0, "no fault")                                                                 \
    X(LENGTH_AND_CODING, 400, "the message has both Content-Length and Transfer-Encoding") \
    X(BAD_LENGTH, 400, "Content-Length is not a number")                                   \
    X(LENGTH_OVERFLOW, 400, "Content-Length is too large")                                 \
    X(LENGTHS_DIFFER, 400, "the message has different values of Content-Length")           \
    X(BAD_CODING, 400, "Transfer-Encoding is malformed")                                   \
    X(CODING_IN_OLD_VERSION, 400, "Transfer-Encoding stands in a message of HTTP/1.0")     \
    X(CHUNKED_REPEATED, 400, "chunked is applied more than once")                          \
    X(CHUNKED_NOT_LAST, 400, "the last transfer coding of a request is not chunked")       \
    X(CODING_UNKNOWN, 501, "the message has a transfer coding other than chunked")         \
    X(CONNECT_CONTENT, 400, "a CONNECT request has content")

enum framing_fault {
#define X(name, status, sentence) FRAMING_FAULT_##name,
    FRAMING_FAULTS(X)
#undef X
};

unsigned framing_fault_status(enum framing_fault fault);
/* A sentence without a full stop; static storage. */
const char *framing_fault_text(enum framing_fault fault);

/* Requests are FRAMING_NONE, FRAMING_LENGTH or FRAMING_CHUNKED. A Content-Length that repeats one value is
 * taken as that value; who forwards the message writes Content-Length anew from `length`. */
enum framing_fault framing_of_request(const struct head *head,
                                      struct framing *ret_framing) MUST_USE;

/* Responses. HEAD, 1xx, 204, 304 and 2xx to CONNECT have no content; their Content-Length is still checked
 * (not for CONNECT) and stays among the fields. Codings without chunked are read to the close (RFC 9112 §6.3); chunked
 * among others is CODING_UNKNOWN, since it is not sure where the content ends. */
enum framing_fault framing_of_response(const struct head *head, enum method request_method,
                                       struct framing *ret_framing) MUST_USE;

#endif
