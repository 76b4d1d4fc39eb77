#ifndef FAIRLEAD_BASE_CHAIN_H
#define FAIRLEAD_BASE_CHAIN_H

#include "base/block.h"
#include "base/slice.h"

#include <stdbool.h>
#include <sys/uio.h>

enum { CHAIN_PIECE_MAX = BLOCK_HUGE - 64 };

/* A queue of bytes held in blocks of a pool: appended at the end, taken from the front.
 * An empty chain holds no block. Embedded by its owner. */
struct chain {
    struct block_pool *pool;
    size_t len; /* bytes queued */
    /* private */
    struct chain_piece *first;
    struct chain_piece *last;
};

void chain_init(struct chain *chain, struct block_pool *pool);
/* Drop all bytes and give the blocks back. The chain may be used again. */
void chain_clear(struct chain *chain);

static inline bool chain_is_empty(const struct chain *chain)
{
    return chain->len == 0;
}

/* Copy `bytes` to the end. Errors: ST_NOMEM, with nothing appended. */
enum status chain_append(struct chain *chain, struct slice bytes) MUST_USE;
/* Room for at least `want` (at most CHAIN_PIECE_MAX) bytes to be written behind the last one; chain_commit follows, and
 * nothing before it. Errors: NULL out of memory. */
char *chain_reserve(struct chain *chain, size_t want, size_t *ret_room) MUST_USE;
/* The first `len` bytes of the room are there now; 0 gives it up. */
void chain_commit(struct chain *chain, size_t len);
/* Fill `iov` with up to `max` pieces from the front; returns how many. */
int chain_iovec(const struct chain *chain, struct iovec *iov, int max);
/* Drop `len` bytes (at most chain->len) from the front. */
void chain_consume(struct chain *chain, size_t len);

#endif
