#ifndef FAIRLEAD_PROXY_HANDLER_H
#define FAIRLEAD_PROXY_HANDLER_H

#include "base/slice.h"
#include "http/head.h"

struct exchange;

/* Something that answers an exchange itself instead of forwarding it: the admin surface. */
struct handler {
    /* Answer, now or later: exchange_answer must be called once, in any later step of the loop or at
     * once. `path` is the origin-form target. */
    void (*answer)(const struct handler *handler, struct exchange *exchange,
                   const struct head *request, struct slice path);
    void *owner;
};

/* Give the answer. `type` is static; `body` is copied (at most 256 KiB, the rest is cut).
 * Thread: the worker's own. */
void exchange_answer(struct exchange *exchange, unsigned status, const char *type,
                     struct slice body);

#endif
