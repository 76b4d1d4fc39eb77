#ifndef FAIRLEAD_BASE_BLOCK_H
#define FAIRLEAD_BASE_BLOCK_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Refcounted data blocks in a few sizes, from a pool that belongs to one thread.
 *
 * The pool keeps returned blocks on free lists, up to `keep_bytes` in all, and hands the memory back
 * beyond that, and what block_pool_tidy finds; in the steady state nothing is asked of the heap. Counts are plain
 * integers: a block never crosses a thread. */
struct block_pool;

enum { BLOCK_SMALL = 4096, BLOCK_MEDIUM = 16384, BLOCK_LARGE = 65536, BLOCK_HUGE = 262144 };

struct block {
    uint32_t tag;
    uint32_t refs;
    uint32_t size;           /* usable bytes at `data` */
    struct block_pool *pool; /* where it goes back to */
    struct block *next_free; /* private */
    char data[];
};

/* Create a pool. `limit_bytes`: all blocks in use together, 0 for no limit. Errors: NULL out of memory. */
struct block_pool *block_pool_create(size_t keep_bytes, size_t limit_bytes);
/* Every block must be back. Takes NULL. */
void block_pool_destroy(struct block_pool **pool);
/* Bytes handed out at present, and bytes kept on the free lists; for tests. */
size_t block_pool_used(const struct block_pool *pool);
size_t block_pool_kept(const struct block_pool *pool);
/* How much of the limit is handed out, in percent; 0 where there is no limit. */
unsigned block_pool_percent(const struct block_pool *pool);

/* Free what lay on the free lists ever since the last call; call it now and then. Gives the bytes that were freed, and
 * tells whether the next call may free more. */
size_t block_pool_tidy(struct block_pool *pool, bool *ret_has_more);

/* Where the bytes handed out are written at each change, for readers of other threads; outlives the pool. */
void block_pool_publish(struct block_pool *pool, _Atomic uint64_t *used_bytes);

/* A block of at least `min_bytes` (at most BLOCK_HUGE) with one reference; its content is undefined.
 * Errors: NULL out of memory or beyond the pool's limit. */
struct block *block_create(struct block_pool *pool, size_t min_bytes) MUST_USE;
struct block *block_ref(struct block *block);
/* Give one reference back; *block is NULL afterwards. Takes a pointer to NULL. */
void block_unref(struct block **block);

#endif
