/* Refcounted blocks in four sizes with a free list each.
 *
 * Sizes are rounded up to a class so that a returned block serves the next request of its kind; the
 * newest is given first, since it is still in the cache. Under AddressSanitizer the data of a kept block is
 * poisoned, so that a use after the last block_unref is seen. */

#include "base/block.h"

#include "base/cache.h"
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

enum { BLOCK_TAG = TAG('b', 'l', 'c', 'k'), BLOCK_CLASSES = 4 };

static const uint32_t class_bytes[BLOCK_CLASSES] = {BLOCK_SMALL, BLOCK_MEDIUM, BLOCK_LARGE,
                                                    BLOCK_HUGE};

/* The free blocks of a size. */
struct block_class {
    struct block *first;
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
    struct block_class free[BLOCK_CLASSES];
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
        struct block *next;
        for (struct block *block = (*pool)->free[i].first; block != NULL; block = next) {
            next = block->next_free;
            free(block);
        }
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
    struct block_class *blocks = &pool->free[class];
    struct block *block = blocks->first;
    if (block == NULL)
        return NULL;
    blocks->first = block->next_free;
    cache_want(blocks->first, CACHE_LINE); /* by whoever takes it next */
    if (--blocks->count < blocks->spare)
        blocks->spare = blocks->count;
    pool->kept_bytes -= block->size;
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
    return block;
}

size_t block_pool_tidy(struct block_pool *pool, bool *ret_has_more)
{
    size_t kept = pool->kept_bytes;
    for (int class = 0; class < BLOCK_CLASSES; class ++) {
        struct block_class *blocks = &pool->free[class];
        for (size_t spare = blocks->spare; spare > 0; spare--)
            free(block_pool_take(pool, class));
        blocks->spare = blocks->count;
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
    if (block == NULL) {
        block = malloc(sizeof(*block) + size);
        if (block == NULL)
            return NULL;
    }
    block->tag = BLOCK_TAG;
    block->refs = 1;
    block->size = (uint32_t)size;
    block->pool = pool;
    block->next_free = NULL;
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
        free(block);
        return;
    }
    int class = block_class(block->size);
    block->next_free = pool->free[class].first;
    pool->free[class].first = block;
    pool->free[class].count++;
    pool->kept_bytes += block->size;
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
}
