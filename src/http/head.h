#ifndef FAIRLEAD_HTTP_HEAD_H
#define FAIRLEAD_HTTP_HEAD_H

#include "http/fields.h"
#include "http/method.h"

#include <stdbool.h>
#include <stdint.h>

/* The head of a request or response, whatever protocol version carried it.
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
