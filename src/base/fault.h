#ifndef FAIRLEAD_BASE_FAULT_H
#define FAIRLEAD_BASE_FAULT_H

#include "base/random.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Faults on purpose, in a build with -Dfaults=true. Its linker puts our own functions between the program and the
 * system calls of the data path, the heap and the libraries' heaps (fault_calls.c of each folder that makes such
 * calls); blocks and objects, which mostly come from a list of free ones, ask themselves. Each asks for its next fault
 * here. In any other build the question is a constant, and no code is left of it.
 *
 * A thread has faults from fault_begin on. The schedule stands in the environment: words of NAME=RATE.
 *
 *     seed=7                    the row of random numbers
 *     recv=0.05                 of a hundred calls five, of all the kinds that befall this call
 *     recv.short=0.05           of one kind: fail, short, late, interrupted
 *     all=0.01  all.short=0.1   every call
 *     harmless=0.02             every call, but only the kinds that neither a peer nor an operator may notice:
 *                               all but fail
 *
 * Later words win. Same seed, same thread number and same order of calls: same faults. */

/* A call, and which kinds befall it: F fail, S short, L late, I interrupted. */
#define FAULT_CALLS_EACH(X) \
    X(accept, F S L I)      \
    X(socket, F)            \
    X(bind, F)              \
    X(connect, F I)         \
    X(getsockopt, F)        \
    X(getsockname, F)       \
    X(setsockopt, F)        \
    X(recv, F S L I)        \
    X(send, F S L I)        \
    X(splice, F S L I)      \
    X(pipe, F)              \
    X(fcntl, F)             \
    X(shutdown, F)          \
    X(epoll_ctl, F)         \
    X(epoll_wait, S L I)    \
    X(open, F)              \
    X(stat, F)              \
    X(read, F S L I)        \
    X(write, F S L I)       \
    X(poll, L I)            \
    X(close, I)             \
    X(clock, F)             \
    X(block, F)             \
    X(slab, F)              \
    X(heap, F)              \
    X(tls_heap, F)          \
    X(dns_heap, F)

enum fault_call {
#define X(name, kinds) FAULT_CALL_##name,
    FAULT_CALLS_EACH(X)
#undef X
        FAULT_CALLS
};

enum fault_kind {
    FAULT_NONE,
    FAULT_FAIL,  /* as if the peer or the kernel refused; of the wall clock: it steps by hours */
    FAULT_SHORT, /* less than there is */
    FAULT_LATE,  /* nothing now; the poller tells again */
    FAULT_INTERRUPTED, /* as if by a signal */
    FAULT_KINDS
};

#define FAULT_VARIABLE "FAIRLEAD_FAULTS"
/* Names a file to which a process with faults appends, at its end, a line "CALL.KIND COUNT" for each kind that
 * befell each call. */
#define FAULT_REPORT_VARIABLE "FAIRLEAD_FAULTS_REPORT"

/* Of how many calls a rate speaks: a million, and each part that a call's kinds may halve or third it into. */
#define FAULT_SCALE 12000000U

struct fault_schedule {
    uint64_t seed;
    uint32_t rate[FAULT_CALLS][FAULT_KINDS]; /* of FAULT_SCALE calls */
};

/* Errors: ST_BAD for a word that is no call, a kind that does not befall it, or a rate that is not from 0 to 1. */
enum status fault_schedule_parse(const char *text, struct fault_schedule *ret_schedule) MUST_USE;
/* What befalls the next call. */
enum fault_kind fault_draw(const struct fault_schedule *schedule, struct random *random,
                           enum fault_call call);

/* Thread numbers that are no worker's. */
enum { FAULT_THREAD_RECORDER = 1000 };

#ifdef FAIRLEAD_FAULTS
/* From now on this thread has faults; `thread` makes its row differ from those of others. Aborts where the
 * environment's schedule is not one. */
void fault_begin(unsigned thread);
/* From now on it has none. Only for tests. */
void fault_end(void);
enum fault_kind fault_next(enum fault_call call);
/* One of the errors that the call may fail with, in errno. */
void fault_set_errno(const int *errors, size_t count);
/* Below `bound`, of this thread's row. */
uint64_t fault_below(uint64_t bound);
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
#endif

#endif
