#ifndef FAIRLEAD_BASE_ARENA_H
#define FAIRLEAD_BASE_ARENA_H

#include "base/block.h"
#include "base/slice.h"

/* Bump memory for one exchange, made of blocks of the worker's pool, with a hard cap.
 * Nothing is freed singly; arena_done gives everything back at once. Embedded by its owner. */
struct arena {
    struct block_pool *pool;
    size_t cap;  /* bytes that may be asked for in all */
    size_t used; /* bytes asked for so far */
    /* private */
    struct arena_piece *pieces; /* newest first */
    char *at;
    char *end;
};

/* Starts empty, holding no block. */
void arena_init(struct arena *arena, struct block_pool *pool, size_t cap);
void arena_done(struct arena *arena);

/* The first `len` bytes of an empty arena come from `memory`, which lasts until arena_done. */
static inline void arena_lend(struct arena *arena, void *memory, size_t len)
{
    arena->at = memory;
    arena->end = arena->at + len;
}

/* `len` bytes aligned for any type, not cleared. Errors: NULL beyond the cap or out of memory.
 * One request is at most BLOCK_HUGE less a small header. */
void *arena_alloc(struct arena *arena, size_t len) MUST_USE;

/* A copy of `s` in the arena; ret->at is NULL where arena_alloc fails. */
struct slice arena_copy(struct arena *arena, struct slice s) MUST_USE;

#endif
