#ifndef FAIRLEAD_PROXY_KERNEL_PIPE_H
#define FAIRLEAD_PROXY_KERNEL_PIPE_H

#include "record/counter.h"

#include <stdbool.h>
#include <stddef.h>

/* Pipes of the kernel, through which bulk goes from one socket to the other without being copied, splice(2).
 *
 *   closed --take--> in use --give, empty--> spare --take--> in use
 *                       +----give, with bytes in it----> closed
 *   spare --not needed for a while--> closed
 *
 * A worker has a bounded number. Whoever has none, or no more comes, copies. Thread: the worker's own. */

enum {
    KERNEL_PIPES_MAX = 128,  /* in use together */
    KERNEL_PIPES_SPARE = 16, /* open, and waiting to be used */
    KERNEL_PIPES_TIDY = 4,
    /* The first ones are large, as the kernel's allowance for a user is bounded (pipe-user-pages-soft in pipe(7)). */
    KERNEL_PIPES_LARGE = 16,
    KERNEL_PIPE_LARGE_BYTES = 1024 * 1024,
    KERNEL_PIPE_BYTES = 256 * 1024,
};

struct kernel_pipe {
    int ends[2];              /* to read from, and to write to; -1 while closed */
    size_t len;               /* bytes in it: kept by its user */
    size_t cap;               /* what one splice may ask for */
    struct kernel_pipe *next; /* private */
};

struct kernel_pipe_pool {
    struct kernel_pipe pipes[KERNEL_PIPES_MAX];
    struct kernel_pipe *spare;
    struct kernel_pipe *closed;
    unsigned spare_count;
    unsigned
        idle_count; /* the least of it in this round of KERNEL_PIPES_TIDY calls: these were not needed */
    unsigned tidy_calls;  /* in this round */
    unsigned large_count; /* open ones of KERNEL_PIPE_LARGE_BYTES */
    unsigned holdoff; /* so many takes are refused without asking the kernel, which just refused */
    struct counters *counters; /* the worker's */
};

void kernel_pipe_pool_init(struct kernel_pipe_pool *pool, struct counters *counters);
/* None is in use. */
void kernel_pipe_pool_done(struct kernel_pipe_pool *pool);
/* Close what lay spare for KERNEL_PIPES_TIDY calls, as the kernel's allowance is all workers' together; call it now and
 * then. True where later calls may close more. */
bool kernel_pipe_pool_tidy(struct kernel_pipe_pool *pool);
/* An empty pipe, for kernel_pipe_give; NULL where there is none that would be quicker than a copy. */
struct kernel_pipe *kernel_pipe_take(struct kernel_pipe_pool *pool);
/* Give it back: *pipe is NULL afterwards. Takes a pointer to NULL. */
void kernel_pipe_give(struct kernel_pipe_pool *pool, struct kernel_pipe **pipe);

#endif
