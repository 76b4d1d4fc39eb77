#ifndef FAIRLEAD_BASE_FAULT_H
#define FAIRLEAD_BASE_FAULT_H

#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Faults on purpose. A build with -Dfaults=true asks before each call of the data path whether it shall fail, be
 * short, or be late; in any other build the question is a constant and no code is left of it.
 *
 * A thread has faults from fault_begin on. The schedule is read from the environment, as
 * "seed=7 all=0.01 recv=0.05 slab=0". Same seed, same thread number and same order of calls: same faults. */

#define FAULT_CALLS_EACH(X) \
    X(accept) X(dial) X(recv) X(send) X(splice) X(pipe) X(shutdown) X(watch) X(block) X(slab)

enum fault_call {
#define X(name) FAULT_CALL_##name,
    FAULT_CALLS_EACH(X)
#undef X
        FAULT_CALLS
};

enum fault_kind {
    FAULT_NONE,
    FAULT_FAIL,  /* as if the peer or the kernel refused */
    FAULT_SHORT, /* less than there is */
    FAULT_LATE,  /* nothing now; the poller tells again */
};

#define FAULT_VARIABLE "FAIRLEAD_FAULTS"

struct fault_schedule {
    uint64_t seed;
    uint32_t per_million[FAULT_CALLS];
};

/* Errors: ST_BAD for a word that is no call, or a rate that is not from 0 to 1. */
enum status fault_schedule_parse(const char *text, struct fault_schedule *ret_schedule) MUST_USE;
/* What befalls the next call; failing, being short and being late are equally likely. */
enum fault_kind fault_draw(const struct fault_schedule *schedule, struct random *random,
                           enum fault_call call);

#ifdef FAIRLEAD_FAULTS
/* From now on this thread has faults; `thread` makes its row differ from those of others. Aborts where the
 * environment's schedule is not one. */
void fault_begin(unsigned thread);
enum fault_kind fault_next(enum fault_call call);
/* The poller shall tell this descriptor's state anew: its caller takes a short or late call for the kernel's. */
void fault_note_late(int fd);
/* The next descriptor that was noted; false: there is none. */
bool fault_take_late(int *ret_fd);
#else
static inline void fault_begin(unsigned thread)
{
    (void)thread;
}
static inline enum fault_kind fault_next(enum fault_call call)
{
    (void)call;
    return FAULT_NONE;
}
static inline void fault_note_late(int fd)
{
    (void)fd;
}
static inline bool fault_take_late(int *ret_fd)
{
    (void)ret_fd;
    return false;
}
#endif

#endif
