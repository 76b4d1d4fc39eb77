#ifndef FAIRLEAD_PROXY_PIPE_H
#define FAIRLEAD_PROXY_PIPE_H

#include "base/block.h"
#include "base/slice.h"
#include "budget/ledger.h"
#include "codec/wire.h"
#include "net/transport.h"
#include "proxy/kernel_pipe.h"

#include <stdbool.h>
#include <stdint.h>

/* One direction of a tunnel: bytes from one transport to another, in order, none lost.
 *
 * Small traffic is received into the worker's scratch and sent at once; what the receiver does not take
 * is held in a block, and nothing more is received until it went. Bulk goes by splice(2) through a kernel
 * pipe while both ends are plain. An idle pipe holds neither.
 *
 *   copy --(a receive of 64 KiB or more)--> splice --(a splice under 4 KiB)--> copy
 *
 *   P1  `held` and bytes in the kernel pipe are never both there: order is kept.
 *   P2  an end of file is passed on only after the last byte was taken.
 *   P3  after PIPE_ENDED nothing moves any more.
 *   P4  discarded bytes count neither as bytes nor as progress. */

enum pipe_result {
    PIPE_WAITING,     /* both ends did what they could */
    PIPE_LIMITED,     /* its budget is used up for now: run again when that lets more pass */
    PIPE_BUSY,        /* stopped for fairness: run again soon */
    PIPE_ENDED,       /* end of file passed on */
    PIPE_FROM_FAILED, /* receiving broke: reset, TLS error */
    PIPE_TO_FAILED,   /* sending broke */
    PIPE_SHED,        /* out of memory for what the receiver does not take */
};

struct pipe;

/* What the pipes of a worker share. */
struct pipe_means {
    struct wire_shared *shared;
    struct kernel_pipe_pool *kernels;
    /* Shows what came through a pipe that `is_shown`, once its receiver has what it takes of it: nobody waits for
     * whoever looks. The scratch may be written over. */
    void (*show)(struct pipe *pipe, struct slice bytes);
};

struct pipe {
    struct transport *from; /* owned by the tunnel */
    struct transport *to;
    const struct pipe_means *means;
    const struct budget *budget; /* charged for what is received; NULL: nothing limits it */
    uint64_t bytes;              /* taken by `to` so far */
    uint64_t first_ns;           /* monotonic: when the first byte came; 0 none did */
    uint64_t last_ns;            /* and the last one */
    uint64_t ended_ns;           /* and the end of file; set by the tunnel where it broke */
    struct kernel_pipe *kernel;  /* NULL while copying */
    struct block *block;         /* received, not yet taken: `held_len` bytes from `held_at` */
    uint32_t held_len;
    uint32_t held_at : 24;
    bool from_ended : 1;    /* end of file received */
    bool is_ended : 1;      /* and passed on */
    bool is_discarding : 1; /* `to` hears no more: what comes is thrown away */
    bool is_last : 1; /* the other direction is over: the tunnel closes both ends after this one */
    bool is_up : 1;   /* which way it is for the budget */
    bool may_splice : 1;
    bool is_shown : 1; /* somebody looks at its bytes: it copies; changed by whoever looks */
    bool is_bulk : 1;  /* the last round was large: splice the next */
};

/* `means` outlives the pipe. */
void pipe_init(struct pipe *pipe, struct transport *from, struct transport *to,
               const struct pipe_means *means);
void pipe_done(struct pipe *pipe);
/* Bytes that were read before the tunnel began. Errors: ST_NOMEM. */
enum status pipe_preload(struct pipe *pipe, struct slice bytes) MUST_USE;
/* What it receives counts in `budget` from now on, and what it is loaded with counts at once. NULL: in none. `budget`
 * outlives the pipe. */
void pipe_meter(struct pipe *pipe, const struct budget *budget);
/* The receiver hears no more: drop what it has not taken, end its direction now, and read `from` to its end, so that
 * what was sent the other way is not lost to a reset. Once, and not after PIPE_ENDED. */
void pipe_discard(struct pipe *pipe);
/* Nothing can be moved, nor is there an end to pass on, before the transports tell of more. May be false for a pipe of
 * which that is true, too. */
bool pipe_is_idle(const struct pipe *pipe);
/* What is held of what it was loaded with. */
struct slice pipe_held(const struct pipe *pipe);
/* Move what can be moved. */
enum pipe_result pipe_run(struct pipe *pipe);

#endif
