/* Refcounted blocks in four sizes with a stack of free ones each.
 *
 * Sizes are rounded up to a class so that a returned block serves the next request of its kind; the
 * newest is given first, since it may still be in the cache. Where it is not, whoever takes it does not wait: the stack
 * is an array, since a list through the blocks would have to be read from each. That was a twentieth of what a small
 * request costs outside of the kernel. Under AddressSanitizer the data of a kept block is
 * poisoned, so that a use after the last block_unref is seen. */

#include "base/block.h"

#include "base/check.h"
#include "base/fault.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_ASAN 1
#endif
#endif
#ifdef BLOCK_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len)   ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

enum { BLOCK_TAG = TAG('b', 'l', 'c', 'k'), BLOCK_CLASSES = 4, BLOCK_ROOM_FIRST = 16 };

static const uint32_t class_bytes[BLOCK_CLASSES] = {BLOCK_SMALL, BLOCK_MEDIUM, BLOCK_LARGE,
                                                    BLOCK_HUGE};

/* The blocks of a size. */
struct block_class {
    struct block **free; /* the newest last; has room for all that there are */
    size_t room;
    size_t made; /* all, free or not */
    size_t count;
    size_t spare; /* the least of `count` since block_pool_tidy: these were not needed */
};

struct block_pool {
    size_t keep_bytes;
    size_t limit_bytes;
    size_t used_bytes;
    size_t kept_bytes;
    /* NULL: nobody asks. Written by the pool's thread, relaxed, read by any. */
    _Atomic uint64_t *published;
    struct block_class classes[BLOCK_CLASSES];
};

struct block_pool *block_pool_create(size_t keep_bytes, size_t limit_bytes)
{
    struct block_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->keep_bytes = keep_bytes;
    pool->limit_bytes = limit_bytes;
    return pool;
}

void block_pool_destroy(struct block_pool **pool)
{
    if (*pool == NULL)
        return;
    CHECK((*pool)->used_bytes == 0);
    for (int i = 0; i < BLOCK_CLASSES; i++) {
        struct block_class *blocks = &(*pool)->classes[i];
        while (blocks->count > 0)
            free(blocks->free[--blocks->count]);
        free((void *)blocks->free);
    }
    free(*pool);
    *pool = NULL;
}

size_t block_pool_used(const struct block_pool *pool)
{
    return pool->used_bytes;
}

unsigned block_pool_percent(const struct block_pool *pool)
{
    return pool->limit_bytes < 100 ? 0 : (unsigned)(pool->used_bytes / (pool->limit_bytes / 100));
}

size_t block_pool_kept(const struct block_pool *pool)
{
    return pool->kept_bytes;
}

static void block_pool_set_used(struct block_pool *pool, size_t used_bytes)
{
    pool->used_bytes = used_bytes;
    if (pool->published != NULL)
        atomic_store_explicit(pool->published, used_bytes, memory_order_relaxed);
}

void block_pool_publish(struct block_pool *pool, _Atomic uint64_t *used_bytes)
{
    pool->published = used_bytes;
    block_pool_set_used(pool, pool->used_bytes);
}

static int block_class(size_t min_bytes)
{
    for (int i = 0; i < BLOCK_CLASSES; i++) {
        if (min_bytes <= class_bytes[i])
            return i;
    }
    return -1;
}

/* A kept block, or NULL. */
static struct block *block_pool_take(struct block_pool *pool, int class)
{
    struct block_class *blocks = &pool->classes[class];
    if (blocks->count == 0)
        return NULL;
    struct block *block = blocks->free[--blocks->count];
    if (blocks->count < blocks->spare)
        blocks->spare = blocks->count;
    pool->kept_bytes -= class_bytes[class];
    ASAN_UNPOISON_MEMORY_REGION(block->data, class_bytes[class]);
    return block;
}

/* False: out of memory, and all is as it was. */
static bool block_class_resize(struct block_class *blocks, size_t room)
{
    struct block **resized = realloc((void *)blocks->free, room * sizeof(*resized));
    if (resized == NULL)
        return false;
    blocks->free = resized;
    blocks->room = room;
    return true;
}

/* A new block, and the place in which it will be free; NULL out of memory. */
static struct block *block_pool_make(struct block_pool *pool, int class)
{
    struct block_class *blocks = &pool->classes[class];
    if (blocks->made == blocks->room &&
        !block_class_resize(blocks, 2 * blocks->room + BLOCK_ROOM_FIRST))
        return NULL;
    struct block *block = malloc(sizeof(*block) + class_bytes[class]);
    blocks->made += block != NULL;
    return block;
}

static void block_pool_drop(struct block_pool *pool, struct block *block)
{
    pool->classes[block->class].made--;
    free(block);
}

size_t block_pool_tidy(struct block_pool *pool, bool *ret_has_more)
{
    size_t kept = pool->kept_bytes;
    for (int class = 0; class < BLOCK_CLASSES; class ++) {
        struct block_class *blocks = &pool->classes[class];
        for (size_t spare = blocks->spare; spare > 0; spare--)
            block_pool_drop(pool, block_pool_take(pool, class));
        blocks->spare = blocks->count;
        if (blocks->made < blocks->room / 4)
            (void)block_class_resize(blocks, blocks->made + BLOCK_ROOM_FIRST);
    }
    *ret_has_more = pool->kept_bytes > 0;
    return kept - pool->kept_bytes;
}

struct block *block_create(struct block_pool *pool, size_t min_bytes)
{
    int class = block_class(min_bytes);
    if (class < 0 || fault_next(FAULT_CALL_block) != FAULT_NONE)
        return NULL;
    size_t size = class_bytes[class];
    if (pool->limit_bytes > 0 && pool->used_bytes + size > pool->limit_bytes)
        return NULL;
    struct block *block = block_pool_take(pool, class);
    if (block == NULL)
        block = block_pool_make(pool, class);
    if (block == NULL)
        return NULL;
    block->tag = BLOCK_TAG;
    block->refs = 1;
    block->size = (uint32_t)size;
    block->class = (uint32_t) class;
    block->pool = pool;
    block_pool_set_used(pool, pool->used_bytes + size);
    return block;
}

struct block *block_ref(struct block *block)
{
    CHECK_TAG(block, BLOCK_TAG);
    block->refs++;
    return block;
}

void block_unref(struct block **unref)
{
    struct block *block = *unref;
    *unref = NULL;
    if (block == NULL)
        return;
    CHECK_TAG(block, BLOCK_TAG);
    if (--block->refs > 0)
        return;
    struct block_pool *pool = block->pool;
    block_pool_set_used(pool, pool->used_bytes - block->size);
    block->tag = 0;
    if (pool->kept_bytes + block->size > pool->keep_bytes) {
        block_pool_drop(pool, block);
        return;
    }
    struct block_class *blocks = &pool->classes[block->class];
    blocks->free[blocks->count++] = block;
    pool->kept_bytes += block->size;
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
}
