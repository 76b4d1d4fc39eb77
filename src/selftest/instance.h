#ifndef FAIRLEAD_SELFTEST_INSTANCE_H
#define FAIRLEAD_SELFTEST_INSTANCE_H

#include "config/snapshot.h"
#include "selftest/outside.h"
#include "server/interfaces.h"
#include "server/maker.h"
#include "server/worker.h"

/* The private instance: the given configuration, read and compiled as a start does it, under one worker. It binds
 * nothing, writes nothing, and its clients are socket pairs. What differs from a start stands in instance_edit. */

/* How far the configuration's ranges are opened, to see what holds behind the deny list. */
enum instance_ranges {
    RANGES_AS_GIVEN,
    RANGES_V6_OPEN,  /* egress.allow is ::/0 */
    RANGES_ALL_OPEN, /* egress.allow is 0.0.0.0/0 and ::/0 */
};

/* Embedded by its owner. */
struct instance {
    struct snapshot *snapshot; /* that the worker decides by */
    struct interfaces interfaces;
    const struct egress_tables
        *tables; /* of the gate that is made next; NULL: the built-in ones. Borrowed */
    /* private */
    struct maker maker;
    struct bundle *bundle;
    struct outside *outside;
    struct worker *worker;
    struct counters *counters;
    int hosts; /* the hosts table, in memory */
    char hosts_path[32];
};

/* `outside` is borrowed, and outlives it; so are the flags. `hosts` is the text of its hosts table. Faults are said.
 * Errors: ST_BAD the configuration is wrong, ST_IO something else is, ST_NOMEM. After any of them: instance_end. */
enum status instance_begin(struct instance *instance, int argc, const char *const *argv,
                           struct slice hosts, struct outside *outside) MUST_USE;
/* Decide by the configuration with these ranges from now on, as after a reload, and deny `denied` too; NULL: nothing
 * more. Errors: as instance_begin. */
enum status instance_use(struct instance *instance, enum instance_ranges ranges,
                         const struct inet_prefix *denied) MUST_USE;
/* Let this machine have one address more from now on. Errors: ST_NOMEM. */
enum status instance_add_address(struct instance *instance, const struct inet_addr *addr) MUST_USE;
/* A new client: its end of the connection, which is the caller's. Errors: ST_IO, ST_NOMEM. */
enum status instance_connect(struct instance *instance, int *ret_fd) MUST_USE;
/* Safe on a half-begun one. */
void instance_end(struct instance *instance);

#endif
