#ifndef FAIRLEAD_UPSTREAM_POOL_H
#define FAIRLEAD_UPSTREAM_POOL_H

#include "base/host.h"
#include "base/list.h"
#include "codec/h1_codec.h"
#include "upstream/engine.h"

/* Persistent connections to origins, per worker.
 *
 *   leased --pool_give--> idle --pool_take--> leased
 *   idle --(closed, unsolicited bytes, idle or too old, caps, drain)--> gone
 *
 *   U1  a connection is in the pool, or it belongs to exactly one exchange.
 *   U2  an idle connection that the loop has seen readable, or that a peek after a second of idleness
 *       shows closed, is never given out.
 *   U3  two connections are interchangeable only if scheme, canonical host, port and configuration (source
 *       address, TLS, TCP) are the same: the pool holds those of the present configuration only, since a
 *       reload flushes it. The address is judged by the gate again at each reuse. */

struct upstream {
    uint32_t tag;
    struct engine *engine;
    struct stream *stream; /* the one that is leased; of `h1` */
    struct h1_codec h1;
    struct pool_origin *origin; /* while idle; NULL while leased */
    struct link origin_link;
    struct link age_link;
    struct host host;
    uint16_t port;
    bool is_tls;
    bool is_stale;             /* idle, and seen readable */
    struct snapshot *snapshot; /* what it was made under; pinned */
    struct inet_endpoint peer;
    struct inet_endpoint source;
    struct record_tls tls;
    uint64_t id;
    uint32_t uses;
    uint64_t connected_ns;
    uint64_t idle_since_ns;
    uint64_t paid_dns_ns, paid_connect_ns, paid_tls_ns;
    struct grave grave;
};

struct pool;

/* `per_origin`, `total`: idle connections at most. Errors: NULL out of memory. */
struct pool *pool_create(struct engine *engine);
/* Close everything that is idle. */
void pool_destroy(struct pool **pool);
/* Close all idle connections: drain and reload. */
void pool_flush(struct pool *pool);

/* An idle connection to this origin, newest first, or NULL. The caller owns it, and sets the owner of its
 * stream. */
struct upstream *pool_take(struct pool *pool, const struct host *host, uint16_t port, bool is_tls);
/* Give a connection back after a clean exchange; it may be closed instead. *upstream is NULL after. */
void pool_give(struct pool *pool, struct upstream **upstream);

/* A new connection from a successful reach, leased; takes over its transport. Errors: NULL out of memory, the
 * transport is closed. */
struct upstream *upstream_create(struct engine *engine, struct reach *reach);
/* Why the connection broke, in words; "" for nothing known. Owned by the connection. */
const char *upstream_fault(const struct upstream *upstream);
/* The origin ended TLS with an alert. */
bool upstream_was_alerted(const struct upstream *upstream);
/* Close; *upstream is NULL after. */
void upstream_destroy(struct upstream **upstream, bool is_abort);

#endif
