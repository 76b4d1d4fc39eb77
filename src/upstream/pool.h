#ifndef FAIRLEAD_UPSTREAM_POOL_H
#define FAIRLEAD_UPSTREAM_POOL_H

#include "base/host.h"
#include "base/list.h"
#include "codec/h1_codec.h"
#include "upstream/engine.h"

/* Persistent connections to origins, per worker.
 *
 *   pool_add --> leased --pool_give--> idle --pool_take--> leased
 *   idle --(closed, unsolicited bytes, idle or too old, caps, drain)--> gone
 *
 * An exchange has a lease: one stream of a connection. Where the version has one stream at a time, as HTTP/1,
 * the connection is idle in the pool or leased once.
 *
 *   U1  a stream belongs to exactly one lease.
 *   U2  an idle connection that the loop has seen readable, or that a peek after a second of idleness
 *       shows closed, is never given out.
 *   U3  two connections are interchangeable only if scheme, canonical host, port and configuration (source
 *       address, TLS, TCP) are the same: the pool holds those of the present configuration only, since a
 *       reload flushes it. The address is judged by the gate again at each reuse.
 *   U4  where only the gate changes, the pool keeps what it lets pass: none to an address that it refuses. */

struct upstream {
    uint32_t tag;
    struct engine *engine;
    struct codec *codec; /* `h1` */
    struct h1_codec h1;
    struct pool_origin *origin; /* where it leads */
    struct link origin_link;    /* while idle */
    struct link age_link;       /* while idle */
    bool is_idle;
    bool is_stale;             /* idle, and seen readable */
    struct snapshot *snapshot; /* the base of what it was made under; pinned */
    struct inet_endpoint peer;
    struct inet_endpoint source;
    struct record_tls tls;
    uint64_t id;
    uint32_t uses; /* leases so far */
    uint64_t connected_ns;
    uint64_t idle_since_ns;
    uint64_t paid_dns_ns, paid_connect_ns, paid_tls_ns;
    struct grave grave;
};

/* What an exchange has of a connection. All zero: nothing. */
struct lease {
    struct upstream *upstream;
    struct stream *stream; /* its events are the holder's to set */
    uint32_t use;          /* which use of the connection this is, from 1 */
};

struct pool;

/* Errors: NULL out of memory. */
struct pool *pool_create(struct engine *engine);
/* Close everything that is idle. */
void pool_destroy(struct pool **pool);
/* Close all idle connections: drain and reload. */
void pool_flush(struct pool *pool);
/* As slab_tidy. */
bool pool_tidy(struct pool *pool);
/* Close idle connections to addresses that the engine's gate refuses: it has just changed. */
void pool_judge(struct pool *pool);
/* The engine's snapshot was replaced by one of its kin: idle connections stay, and let go of the old one. */
void pool_adopt(struct pool *pool);

/* The gate on the peer of an idle connection. */
typedef bool pool_permit_fn(void *owner, const struct inet_endpoint *peer);

/* Lease an idle connection to this origin, the newest whose peer `permit` lets pass; others stay for whom they are
 * open. False: there is none. */
bool pool_take(struct pool *pool, const struct host *host, uint16_t port, bool is_tls,
               pool_permit_fn *permit, void *owner, struct lease *ret_lease);
/* Lease a new connection, of a successful reach whose transport is taken over. Errors: ST_NOMEM, the
 * transport is closed. */
enum status pool_add(struct pool *pool, struct reach *reach, struct lease *ret_lease) MUST_USE;
/* The exchange is over: the connection idles, or is closed where nothing may follow. Whoever gave up resets the
 * stream before. *lease is zero after; takes one that is. */
void pool_give(struct pool *pool, struct lease *lease);

/* Why the connection broke, in words; "" for nothing known. Owned by the connection. */
const char *lease_fault(const struct lease *lease);
/* The origin ended TLS with an alert. */
bool lease_was_alerted(const struct lease *lease);

#endif
