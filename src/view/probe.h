#ifndef FAIRLEAD_VIEW_PROBE_H
#define FAIRLEAD_VIEW_PROBE_H

#include "view/aim.h"
#include "view/lab.h"
#include "view/other_proxy.h"
#include "view/sight.h"

/* Clients of the lab: each asks for one thing, and reads and drops what comes. Through another proxy they do what a
 * client of it does, and see what the worker does not. Within the limits of the configuration each comes to an end, but
 * for a body that keeps coming; that ends with the time that is set, or with a signal. */

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
    struct tls_sessions *tls_sessions; /* so that later rounds resume, as the worker does */
    struct watch signals;
    uint64_t max_time_ns;
    size_t running;
    /* What came of them. */
    size_t begun;        /* probes, in all */
    int signal;          /* that ended them; 0: none */
    uint64_t stopped_ns; /* when, monotonic */
};

struct probes_options {
    struct lab *lab;
    const struct other_proxy *proxy; /* both outlive the probes */
    int signals;                     /* of signals_take */
    uint64_t max_time_ns;            /* that each has in all; 0: no limit */
};

/* Errors: ST_IO, ST_NOMEM. probes_end in any case. */
enum status probes_begin(struct probes *probes, const struct probes_options *options) MUST_USE;
/* Go for `count` aims, at most PROBES_MAX and all at once, until each has its whole answer, fails or is given up, which
 * all are when a signal comes; a tunnel is closed as soon as it is open. With another proxy each writes into one of
 * `sights`, whose number, counted from `first`, is the User-Agent of the tunnel's record. Errors: ST_IO, ST_NOMEM: no
 * connection to the worker. */
enum status probes_run(struct probes *probes, const struct aim *aims, size_t count,
                       struct sight *sights, size_t first) MUST_USE;
void probes_end(struct probes *probes);

#endif
