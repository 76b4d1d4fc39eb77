#ifndef FAIRLEAD_BUDGET_LIMITS_H
#define FAIRLEAD_BUDGET_LIMITS_H

#include "base/inet.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* What may be open at once and moved in a second, as the configuration says it. 0: any number. */
struct budget_limits {
    uint64_t connections;
    uint64_t tunnels;
    uint64_t heads;     /* requests whose head has begun and is not whole */
    uint64_t requests;  /* in a second */
    uint64_t bandwidth; /* bytes in a second, each way */
};

#define BUDGET_RATE_MAX (16ULL << 30) /* of bytes in a second */

/* Clients that have a budget together. */
struct budget_range {
    struct slice name;
    struct {
        struct inet_prefix *at;
        size_t count;
    } from;
    struct budget_limits limits;
};

/* For everybody. Immutable; lives as long as its configuration. */
struct budget_rules {
    struct budget_limits all; /* all clients together */
    struct budget_limits per_client;
    struct budget_limits per_user;
    struct budget_range *ranges; /* the first that holds a client is its own */
    size_t range_count;
};

#endif
