#ifndef FAIRLEAD_PROXY_HANDLER_H
#define FAIRLEAD_PROXY_HANDLER_H

#include "base/inet.h"
#include "base/slice.h"
#include "http/head.h"

struct exchange;
struct loop;
struct resolver;
struct snapshot;

/* A request as a handler sees it; good during the call. */
struct handler_request {
    const struct head *head;
    const struct snapshot *snapshot; /* the one that the exchange pinned */
    struct loop *loop;               /* of the worker that asks */
    struct inet_endpoint client;     /* INET_NONE: a Unix socket */
    struct inet_endpoint listener;   /* our side of that connection */
    struct resolver *resolver;       /* of the same worker */
};

/* What the body of a long answer goes on with, piece by piece: asked when the client has taken the piece before. Nobody
 * says when it ends, so a client that ends its direction is taken for gone, though it might only be half-closed: else
 * its place would be kept until something is said to it. */
struct answer_source {
    /* The next piece, never empty, good until the next call. Errors: ST_AGAIN none now, and exchange_go_on will be
     * called when there is; ST_EOF that was all. */
    enum status (*next)(struct answer_source *source, struct slice *ret_piece);
};

/* A field of an answer. */
struct answer_field {
    const char *name; /* static */
    const char *value;
};

/* An answer. Strings are copied and may be NULL. */
struct answer {
    unsigned status;
    const char *type;                  /* Content-Type */
    const char *allow;                 /* Allow, of a 405 */
    const char *authenticate;          /* WWW-Authenticate, of a 401 */
    const char *cache;                 /* Cache-Control; NULL: no-store */
    const char *etag;                  /* ETag, with its quotes */
    const struct answer_field *fields; /* further ones, up to one without a name; or NULL */
    struct slice body;
    bool is_lent; /* `body` stays until the exchange is forgotten; else it is copied: 192 KiB */
    /* What comes behind `body`, until the exchange is forgotten; NULL: nothing, and its length is told. */
    struct answer_source *source;
};

/* Something that answers an exchange itself instead of forwarding it: the admin surface. */
struct handler {
    /* Answer: call exchange_answer once, at once or in any later turn, unless the exchange is forgotten. */
    void (*answer)(const struct handler *handler, struct exchange *exchange,
                   const struct handler_request *request);
    /* The exchange has ended, answered or not; its pointer means nothing any more. Called for each one that
     * was asked about, and for others of this listener. NULL: nothing to do. */
    void (*forget)(const struct handler *handler, struct exchange *exchange);
    /* Messages that will come back to the worker's loop are under way: it may not be destroyed yet.
     * NULL: never. */
    bool (*is_waiting)(const struct handler *handler);
    void *owner;
};

/* Give the answer. Thread: the worker's own. */
void exchange_answer(struct exchange *exchange, const struct answer *answer);
/* The source of its answer has more. Thread: the worker's own. */
void exchange_go_on(struct exchange *exchange);
/* Its client took too long over the answer that was given: end it in a later turn, unless all is taken by then. Thread:
 * the worker's own. */
void exchange_cut(struct exchange *exchange);

#endif
