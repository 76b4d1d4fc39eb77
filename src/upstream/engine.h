#ifndef FAIRLEAD_UPSTREAM_ENGINE_H
#define FAIRLEAD_UPSTREAM_ENGINE_H

#include "base/random.h"
#include "base/slab.h"
#include "budget/ceiling.h"
#include "budget/ledger.h"
#include "codec/h1_codec.h"
#include "config/snapshot.h"
#include "io/loop.h"
#include "net/dial.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "record/counter.h"
#include "upstream/reach.h"
#include "upstream/versions.h"

/* What a worker lends to everything above. One a worker, never shared between threads.
 *
 * `reach_start` and `reach_cancel` are pointers so that simulated tests can answer without sockets. */
struct engine {
    struct loop *loop;
    struct wire_shared shared;
    struct slab tcp_slab; /* plain transports */
    struct resolver *resolver;
    struct dial_engine dial;
    struct tls_scratch *tls_scratch;
    struct tls_sessions *tls_sessions;
    struct pool *pool;
    struct versions versions;
    struct counters *counters;
    struct ledger *ledger;     /* of all workers; NULL: nothing is limited */
    struct ceiling *ceiling;   /* of all workers; NULL: there is none */
    struct snapshot *snapshot; /* current; exchanges pin the one they began with */
    uint16_t worker;
    /* Idle connections that its descriptors allow, beside limits.pool_total; 0: any number. */
    uint32_t idle_max;
    uint64_t next_conn_id;
    void (*reach_start)(struct reach *);
    void (*reach_cancel)(struct reach *);
};

/* What heads of either side may have, by the configuration. */
static inline struct h1_limits engine_head_limits(const struct config *config)
{
    return (struct h1_limits){(uint32_t)config->limits.head_bytes,
                              (uint32_t)config->limits.head_fields,
                              (uint32_t)config->limits.target_bytes};
}

/* A number for a connection, unique in the process, and below 2^53: what reads JSON as JavaScript does keeps it
 * whole. */
static inline uint64_t engine_conn_id(struct engine *engine)
{
    return ((uint64_t)engine->worker + 1) << 44 | ++engine->next_conn_id;
}

#endif
