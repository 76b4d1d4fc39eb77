#ifndef FAIRLEAD_VIEW_PROBE_H
#define FAIRLEAD_VIEW_PROBE_H

#include "view/aim.h"
#include "view/lab.h"
#include "view/other_proxy.h"
#include "view/sight.h"

/* Clients of the lab: each asks for one thing, and reads and drops what comes. Through another proxy they do what a client
 * of it does, and see what the worker does not. Within the limits of the configuration each comes to an end, but for a body
 * that keeps coming. */

enum { PROBES_MAX = 256 };

/* What they share: a loop in the thread of the command, and memory. */
struct probes {
    /* private */
    struct lab *lab;
    const struct other_proxy *proxy;
    struct loop *loop;
    struct block_pool *blocks;
    struct wire_shared shared;
    struct slab tcp_slab;
    struct tls_scratch *tls_scratch;
    size_t running;
};

/* Errors: ST_IO, ST_NOMEM. probes_end in any case; the lab and `proxy` outlive it. */
enum status probes_begin(struct probes *probes, struct lab *lab,
                         const struct other_proxy *proxy) MUST_USE;
/* Go for `count` aims, at most PROBES_MAX and all at once, until each has its whole answer or fails; a tunnel is closed as
 * soon as it is open. With another proxy each writes into one of `sights`, whose number, counted from `first`, is the
 * User-Agent of the tunnel's record. Errors: ST_IO, ST_NOMEM: no connection to the worker. */
enum status probes_run(struct probes *probes, const struct aim *aims, size_t count,
                       struct sight *sights, size_t first) MUST_USE;
void probes_end(struct probes *probes);

#endif
