#ifndef FAIRLEAD_SERVER_WORKER_H
#define FAIRLEAD_SERVER_WORKER_H

#include "config/snapshot.h"
#include "proxy/handler.h"
#include "proxy/proxy.h"
#include "record/counter.h"
#include "report/recorder.h"

#include "server/crew.h"
#include <time.h>

/* One thread that serves: a loop, its listeners, its pools and its data plane; nothing is shared with other
 * workers but what is only read. */
struct worker;

/* A listening descriptor for a worker; `index` is that of config->listen, or -1 for the admin listener. */
struct worker_listen {
    int fd; /* stays the server's */
    int index;
    bool is_shared;
};

struct worker_options {
    uint16_t id;
    struct snapshot *snapshot; /* a reference is taken */
    struct counters *counters;
    struct ring *ring; /* NULL: its exchanges are not recorded (admin) */
    struct recorder *recorder;
    const struct handler *handler; /* NULL: forwards */
    struct crew *crew; /* it is the member `id` before it accepts; NULL: it keeps its clients */
    uint32_t idle_max; /* of engine.h */
    /* `open` and `open_owner` of net/dial.h, for the self-test; NULL: sockets. */
    enum status (*dial)(void *owner, const struct inet_endpoint *endpoint,
                        const struct socket_dial_options *options, int *ret_fd);
    void *dial_owner;
    struct verifier *verifier; /* judges credentials for all of them */
    struct ledger *ledger;     /* of all of them; NULL: nothing is limited */
    struct ceiling *ceiling;   /* of all of them; NULL: there is none */
    unsigned worker_count;     /* who share the ceiling */
    struct denials *denials;   /* notes refusals for all of them; NULL: none are noted */
};

/* Errors: ST_NOMEM, ST_IO. */
enum status worker_create(const struct worker_options *options,
                          struct worker **ret_worker) MUST_USE;
/* Begin the thread. Errors: ST_IO. */
enum status worker_start(struct worker *worker) MUST_USE;
/* What the admin worker's errands need; borrowed. The data plane is for messages in that loop alone. */
struct loop *worker_loop(struct worker *worker);
/* The clock of the CPU time that its thread has used. Good from worker_start to worker_stop. */
clockid_t worker_clock(const struct worker *worker);
struct proxy *worker_proxy(struct worker *worker);
/* Take over a new snapshot and listeners between two turns. Both are copied, a reference is taken. Before
 * worker_start it takes effect when the thread begins. `keeps_pool`: it differs in users and tokens alone, so that idle
 * connections stay. Waits until the worker has done so.
 * Errors: ST_IO with errno, ST_NOMEM a listener cannot be watched, which is tried again until the next order, so that
 * its descriptor must stay open; everything else was taken over. Thread: main. */
enum status worker_adopt(struct worker *worker, struct snapshot *snapshot, bool keeps_pool,
                         const struct worker_listen *listens, size_t count) MUST_USE;
/* The same as worker_adopt for a snapshot that differs in the gate alone: listeners stay, and so do those idle
 * connections that the gate lets pass. Thread: main. */
void worker_use_gate(struct worker *worker, struct snapshot *snapshot);
/* Stop accepting. What others shall have has been sent to them when this returns. Takes NULL. Thread: main. */
void worker_close(struct worker *worker);
/* Stop accepting, let what is open end. Thread: main. */
void worker_drain(struct worker *worker);
/* No client and no tunnel is left or on its way. Thread: any. */
bool worker_is_idle(const struct worker *worker);
/* End what is open, end the thread, free. A worker whose handler asks others ends before these do; a crew stops
 * accepting (worker_close) before its first member is stopped.
 * Thread: main. */
void worker_stop(struct worker **worker);

#endif
