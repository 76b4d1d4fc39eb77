#ifndef FAIRLEAD_TESTS_SIM_WORLD_H
#define FAIRLEAD_TESTS_SIM_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "proxy/proxy.h"

/* One worker's data plane in memory, and its director: no socket, no name server, no time but that which the
 * play lets pass. See README.md for how a play is written.
 *
 * Every call that says or lets something happen turns the loop until nothing is left to do, without time
 * passing; world_hold puts that off, so that several things happen in the same turn. */

struct peer;

/* How the next origin is reached; all zero: found and connected at once. */
struct way {
    unsigned dns_ms; /* none where the request names an address */
    unsigned connect_ms;
    unsigned tls_ms;     /* https targets only; nothing is encrypted */
    const char *address; /* NULL: WORLD_ADDRESS */
    /* DIAL_NONE: it does not; DNS causes at the end of dns_ms, others of connect_ms. */
    enum dial_cause fails;
    enum reach_result ends; /* https targets only: how TLS ends */
    bool is_silent;         /* never answers */
};

#define WORLD_ADDRESS "93.184.216.34"

enum { WORLD_WAYS_MAX = 16, WORLD_ROOM = 65536 };

struct world {
    struct loop *loop;
    struct block_pool *blocks;
    struct counters counters;
    struct snapshot *snapshot;
    struct engine engine;
    struct proxy proxy;
    uint64_t began_ns;
    bool is_held;
    size_t room;     /* what each end of a new connection holds at most; WORLD_ROOM at first */
    bool makes_deaf; /* new peers do not read before peer_listen */
    struct link peers;
    unsigned peer_count;
    struct link origins; /* of these, those that world_origin has not given out */
    struct way ways[WORLD_WAYS_MAX];
    size_t way_count;
    size_t way_next;
    struct link reaching;
    size_t reached_count; /* how often an origin was to be reached */
    unsigned told_count;  /* snapshots of open tunnels, which are no records of world_record */
    struct record told;   /* the last one */
    struct link records;
    struct link *record_next; /* the first that world_record has not given out */
};

/* The world of this play, under a configuration in YAML ("" for the defaults). world_finish destroys it and asserts
 * that nothing of it is left: no object, no block, no gauge above 0. */
struct world *world_create(const char *yaml);
/* The same with less memory for data blocks than a configuration may say. */
struct world *world_create_small(const char *yaml, size_t block_bytes);
/* For a play that makes several; none need be there. */
void world_finish(void);
/* The teardown of each play. */
int world_end(void **state);
/* What begins from now on is under this configuration; the pool keeps its connections, unlike at a reload. */
void world_reconfigure(struct world *world, const char *yaml);
/* A row of a play's table. */
#define PLAY(function) cmocka_unit_test_teardown(function, world_end)

/* ---- time ---- */

/* Turn until nothing is left to do; time stands still. Fails where that never comes: a busy loop. */
void world_settle(struct world *world);
/* Let time pass, from deadline to deadline. */
void world_advance(struct world *world, uint64_t ms);
/* Milliseconds since the world began. */
uint64_t world_ms(const struct world *world);
/* Until world_go, nothing runs. */
void world_hold(struct world *world);
void world_go(struct world *world);

/* ---- who takes part ---- */

/* A client connects. */
struct peer *world_client(struct world *world);
/* The next way; ways are used up in order, and where there is none an origin is reached at once. */
void world_way(struct world *world, struct way way);
/* The next connection that reached an origin; fails where there is none. */
struct peer *world_origin(struct world *world);
bool world_has_origin(const struct world *world);

/* ---- what came of it ---- */

/* The next record; fails where there is none. Good until the world ends. */
const struct record *world_record(struct world *world);
bool world_has_record(const struct world *world);
/* Bytes of data blocks that the proxy holds. */
size_t world_held_bytes(const struct world *world);

/* ---- for the other files of tests/sim ---- */

void way_start(struct reach *reach);
void way_cancel(struct reach *reach);
/* A connection: `*ret_proxy_side` is the proxy's transport. */
struct peer *peer_create(struct world *world, struct transport **ret_proxy_side);
void peer_destroy_all(struct world *world);
/* With SIM_TRACE in the environment: a line of what a play does. */
void world_trace(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The world of the engine that lends this. */
struct world *world_of(struct engine *engine);

#endif
