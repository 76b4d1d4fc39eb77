#ifndef FAIRLEAD_NET_LISTENER_H
#define FAIRLEAD_NET_LISTENER_H

#include "base/inet.h"
#include "io/loop.h"
#include "record/counter.h"

/* Accepts connections from one listening descriptor in one loop, in bounded batches.
 *
 * A lack of descriptors or memory pauses it, for LISTENER_RETRY_MS or until listener_resume says that
 * something was freed. */
struct listener;

enum { LISTENER_BATCH = 32, LISTENER_RETRY_MS = 100 };

struct listener_options {
    int fd; /* listening and non-blocking; stays the caller's, and open until listener_destroy */
    bool is_shared; /* other loops watch it too: EPOLLEXCLUSIVE */
    unsigned batch; /* accepts in one go before others have their turn; 0: LISTENER_BATCH */
    struct counters *counters; /* where pauses are counted; NULL: nowhere */
    void *owner;
    /* A connection; `fd` is the receiver's from now on. It runs in a task and may call any function
     * below, listener_destroy as well. */
    void (*on_accept)(void *owner, int fd, const struct inet_endpoint *peer);
};

/* Begin to accept; what waits already is accepted first. Errors: ST_IO, ST_NOMEM. */
enum status listener_create(struct loop *loop, const struct listener_options *options,
                            struct listener **ret_listener) MUST_USE;
/* Stop accepting: no callback comes after this. *listener is NULL afterwards; takes a pointer to NULL.
 * What waits in the kernel's queue stays there for whoever shares the descriptor. */
void listener_destroy(struct listener **listener);

/* A descriptor was closed: try again at once if they had run out. Cheap otherwise. */
void listener_resume(struct listener *listener);

#endif
