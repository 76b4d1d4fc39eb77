#ifndef FAIRLEAD_ADMIN_ROUTES_H
#define FAIRLEAD_ADMIN_ROUTES_H

#include "admin/errand.h"
#include "proxy/handler.h"
#include "record/counter.h"
#include "report/overview.h"
#include "report/recent.h"
#include "report/recorder.h"

#include <stdatomic.h>
#include <time.h>

/* How much CPU time the workers had used at the last look, and in what part of the time they were busy before it. */
struct admin_load {
    uint64_t at_ns; /* monotonic; 0: nobody has looked */
    uint64_t used_ns[ERRAND_STOPS_MAX];
    uint16_t permille[ERRAND_STOPS_MAX];
};

/* The admin surface; docs/admin.md describes each path. Its own listener and worker, whose handler this is.
 *
 * The server fills `counters` and `errands.stops` before the admin worker begins, and ends the admin worker
 * before the workers that it asks. */
struct admin {
    struct handler handler;
    const struct counters *counters[ERRAND_STOPS_MAX]; /* of all workers */
    size_t counter_count;
    const struct recorder *recorder; /* set before the admin worker begins, or NULL */
    struct recent *recent;           /* likewise, and never NULL */
    struct overview *overview;       /* likewise, and never NULL */
    clockid_t
        worker_clocks[ERRAND_STOPS_MAX]; /* CPU time of each worker's thread; complete likewise */
    struct admin_load load;              /* thread: the admin worker's */
    struct errands errands;
    struct link inquiries; /* to the workers, whose asker still waits; thread: the admin worker's */
    size_t inquiry_count;  /* of these and of the orphans; likewise */
    struct link list_line; /* those for a list that have not set out; likewise */
    struct timer list_rest; /* none sets out before; likewise */
    bool is_list_away;      /* likewise */
    struct link lent;       /* long answers on their way; thread: the admin worker's */
    struct link listings;   /* of transactions that are being made; likewise */
    size_t listing_count;   /* likewise */
    struct link streams;    /* of events; likewise */
    struct timer tick;      /* asks them for more; set while there are some */
    struct loop *tick_loop;
    struct explaining *explaining; /* likewise; NULL: none is being answered */
    /* Writer of these: main; reader: the admin worker; relaxed, nothing hangs on them. */
    _Atomic bool is_draining;
    _Atomic uint64_t address_count; /* addresses of this machine, which the gate refuses */
    _Atomic uint64_t address_changes;
};

void admin_init(struct admin *admin);

#endif
