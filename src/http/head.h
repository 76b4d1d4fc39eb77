#ifndef FAIRLEAD_HTTP_HEAD_H
#define FAIRLEAD_HTTP_HEAD_H

#include "http/fields.h"
#include "http/method.h"

#include <stdbool.h>
#include <stdint.h>

struct hop;

/* The head of a request or response, whatever protocol version carried it.
 *
 * What a version says of the connection and of the body's length is no field here: whoever receives a head
 * lifts it to `hop` and what stands behind it, and to the framing beside the head; whoever sends one writes it
 * as its version does.
 * Ownership: all slices borrow the bytes that were parsed; only the field list is in the arena. */
struct head {
    bool is_request;
    uint8_t major; /* 1 for HTTP/1.x */
    uint8_t minor;
    /* requests */
    enum method method;
    struct slice method_name; /* as written */
    struct slice target;      /* as written; http/target.h understands it */
    /* responses */
    uint16_t status;     /* 100 to 999 */
    struct slice reason; /* may be empty */
    /* both */
    struct fields fields;
    const struct hop
        *hop; /* what to remove before it is forwarded; NULL: a head that is made here */
    struct slice
        upgrade; /* the protocols that are asked for, switched to or demanded (RFC 9110 §7.8), or empty */
    struct slice
        codings; /* transfer codings on the content besides chunked, or empty (RFC 9112 §6.1) */
    bool takes_trailers; /* the sender understands trailer fields (RFC 9110 §10.1.4) */
};

/* A cleared head whose fields will lie in `arena`. */
static inline void head_init(struct head *head, struct arena *arena)
{
    *head = (struct head){.is_request = false};
    fields_init(&head->fields, arena);
}

/* HTTP/1.1 or later: persistent by default, knows chunked and 1xx. */
static inline bool head_is_modern(const struct head *head)
{
    return head->major > 1 || (head->major == 1 && head->minor >= 1);
}

static inline bool head_is_interim(const struct head *head)
{
    return head->status >= 100 && head->status < 200;
}

#endif
