#ifndef FAIRLEAD_SERVER_SERVING_H
#define FAIRLEAD_SERVER_SERVING_H

#include "admin/routes.h"
#include "config/snapshot.h"
#include "server/bundle.h"
#include "server/interfaces.h"
#include "server/worker.h"

/* The threads that serve, and what they serve with: workers, the admin worker, the recorder. All functions
 * are for the main thread. Signals and the parent are serve.c's. */
struct serving {
    struct bundle *bundle; /* what is served now */
    struct snapshot *snapshot;
    uint64_t kins;                /* of snapshots so far */
    struct interfaces interfaces; /* what the snapshot's gate refuses as this machine */
    unsigned worker_count;
    struct worker *workers[BUNDLE_WORKERS_MAX];
    struct crew crew; /* of them */
    struct worker *admin_worker;
    struct counters *counters; /* one for each worker, the admin worker's last */
    struct ring *rings[BUNDLE_WORKERS_MAX];
    struct recorder *recorder;
    struct recent *recent;     /* the last records; fed by the recorder, read by the admin worker */
    struct overview *overview; /* what they say together; likewise */
    _Atomic bool
        is_watched; /* there is an admin listener; writer: main, reader: the recorder, relaxed */
    struct tls_tickets *tickets;
    struct verifier verifier;
    struct ledger *ledger;   /* what clients have open, over reloads */
    struct ceiling *ceiling; /* NULL: there is none */
    struct denials *denials;
    struct admin admin;
    char via[32]; /* our pseudonym where none is configured */
};

/* Compile the bundle and start all threads. The bundle is taken where this succeeds.
 * Errors: ST_BAD, ST_IO, ST_NOMEM, each with a fault; then the process must end. */
enum status serving_begin(struct serving *serving, struct bundle *bundle,
                          struct text *fault) MUST_USE;
/* Change over to another bundle, which is taken; the one before is closed. `owns_files`: socket files are
 * ours to remove, and not a parent's. A worker that cannot watch all of its listeners is said and goes on.
 * Errors: ST_BAD, ST_NOMEM with a fault; then nothing has changed and the bundle stays the caller's. */
enum status serving_adopt(struct serving *serving, struct bundle *bundle, bool owns_files,
                          struct text *fault) MUST_USE;
/* Read the addresses of this machine, and change over to a gate that refuses them, where they are others than
 * before; that is said. When this returns, every worker decides by it; exchanges that run finish by the old.
 * Errors: ST_IO, ST_LIMIT, ST_NOMEM with a fault; then nothing has changed. */
enum status serving_read_addresses(struct serving *serving, struct text *fault) MUST_USE;
/* The log goes to `fd` from now on, which is taken. */
void serving_set_log(struct serving *serving, int fd);
/* Say how much is open, if anything is. */
void serving_say_drain(const struct serving *serving);
/* Stop accepting; what is open goes on. */
void serving_drain(struct serving *serving);
bool serving_is_idle(const struct serving *serving);
/* End whatever is open, join all threads, free. Safe on a half-begun one. */
void serving_end(struct serving *serving);

#endif
