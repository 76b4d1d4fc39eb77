#ifndef FAIRLEAD_VIEW_LAB_H
#define FAIRLEAD_VIEW_LAB_H

#include "config/snapshot.h"
#include "record/ring.h"
#include "report/recorder.h"
#include "server/interfaces.h"
#include "server/maker.h"
#include "server/worker.h"

#include <pthread.h>

/* A worker of a command that makes real transactions: the configuration is read and compiled as a start does it, all
 * goes through its gate, names are looked up and addresses dialled. It listens nowhere and writes no log; the records
 * are kept. Who asks has no address and no name. Started as root, the process becomes another user before it has a
 * thread. */

struct lab {
    /* private */
    struct maker maker;
    struct bundle *bundle;
    struct interfaces interfaces;
    struct snapshot *snapshot;
    struct worker *worker;
    struct counters *counters;
    struct ring *ring;
    struct recorder *recorder;
    pthread_mutex_t lock; /* of what follows: the recorder's thread writes it */
    pthread_cond_t changed;
    struct record *records;
    size_t count, cap;
};

/* Begin; it keeps the first `most` records. `argc`/`argv`: flags of the configuration, borrowed. `is_open`: whatever is
 * asked for passes, since somebody else decides. Faults are said. Returns 0, or the exit code. lab_end in any case. */
int lab_begin(struct lab *lab, int argc, const char *const *argv, size_t most, bool is_open);
/* What it works under. */
const struct snapshot *lab_snapshot(const struct lab *lab);
/* A new client: its end of the connection, which is the caller's and does not block. Errors: ST_IO, ST_NOMEM. */
enum status lab_connect(struct lab *lab, int *ret_fd) MUST_USE;
/* Wait for so many records, until `until_ns` (monotonic); those that are there, in the order in which they ended. They
 * are the caller's to change once nothing is asked any more, and there until lab_end. */
struct record *lab_wait(struct lab *lab, size_t count, uint64_t until_ns, size_t *ret_count);
/* Safe on a half-begun one. */
void lab_end(struct lab *lab);

#endif
