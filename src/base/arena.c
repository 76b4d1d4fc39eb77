/* Bump allocation over blocks; each piece header stands at the front of its block. What was lent has none.
 *
 * A request that finds no room in the newest block starts another; what is left of the old one is given up.
 * The cap counts what was asked for, not padding or what was given up, so that it does not depend on how
 * requests happen to fall into blocks. */

#include "base/arena.h"

#include "base/check.h"

struct arena_piece {
    struct arena_piece *older;
    struct block *block;
};

enum { ARENA_ALIGN = 16 };

void arena_init(struct arena *arena, struct block_pool *pool, size_t cap)
{
    *arena = (struct arena){.pool = pool, .cap = cap};
}

void arena_done(struct arena *arena)
{
    while (arena->pieces != NULL) {
        struct block *block = arena->pieces->block;
        arena->pieces = arena->pieces->older;
        block_unref(&block);
    }
    arena->at = arena->end = NULL;
    arena->used = 0;
}

static bool arena_grow(struct arena *arena, size_t len)
{
    struct block *block = block_create(arena->pool, len + sizeof(struct arena_piece) + ARENA_ALIGN);
    if (block == NULL)
        return false;
    struct arena_piece *piece = (struct arena_piece *)(void *)block->data;
    *piece = (struct arena_piece){arena->pieces, block};
    arena->pieces = piece;
    arena->at = block->data + sizeof(*piece);
    arena->end = block->data + block->size;
    return true;
}

void *arena_alloc(struct arena *arena, size_t len)
{
    if (len > BLOCK_HUGE || len > arena->cap - arena->used)
        return NULL;
    size_t pad = (size_t)(-(uintptr_t)arena->at & (ARENA_ALIGN - 1));
    if (arena->at == NULL || (size_t)(arena->end - arena->at) < len + pad) {
        if (!arena_grow(arena, len))
            return NULL;
        pad = (size_t)(-(uintptr_t)arena->at & (ARENA_ALIGN - 1));
    }
    char *at = arena->at + pad;
    arena->at = at + len;
    arena->used += len;
    return at;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *at = arena_alloc(arena, s.len + 1);
    if (at == NULL)
        return SLICE_NONE;
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    at[s.len] = '\0';
    return slice_of(at, s.len);
}
