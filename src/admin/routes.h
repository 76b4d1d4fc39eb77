#ifndef FAIRLEAD_ADMIN_ROUTES_H
#define FAIRLEAD_ADMIN_ROUTES_H

#include "proxy/handler.h"
#include "record/counter.h"

#include <stdatomic.h>

/* The admin surface: health, metrics, proxy.pac. Its own listener and worker. */
struct admin {
    struct handler handler;
    const struct counters *counters[256]; /* of all workers */
    size_t counter_count;
    _Atomic bool is_draining; /* writer: main; reader: the admin worker */
    char proxy_address[64];   /* of the first listener, for proxy.pac */
    bool proxy_is_tls;
    bool checks_host; /* false on a Unix socket */
};

void admin_init(struct admin *admin);

#endif
