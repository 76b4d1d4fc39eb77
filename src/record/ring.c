/* One writer, one reader, no lock.
 *
 * Messages lie one behind the other with a length in front, padded to 8 bytes; a message never wraps: where it
 * would, a length of all ones sends the reader to the start. The writer publishes with a release store of its
 * position, the reader frees with a release store of its own; each reads the other's with acquire.
 *
 * A message may be made where it will lie. Until it is put, its room is like any that is free: the reader does not know
 * of it, and the next message may take it.
 *
 * Where the writer finds the ring empty it begins at the start of the memory again: `base` is the position that lies
 * there. The reader looks at `base` only while a message is there, and the writer sets it only while none is, so that
 * `written` and `read` order the two. Without that each record would go to memory that was not touched for long, and
 * all of the ring would be resident after a few thousand of them. */

#include "record/ring.h"

#include "base/cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RING_ALIGN = 8 };
#define RING_SKIP UINT32_MAX

struct ring {
    _Alignas(64) _Atomic uint64_t written; /* writer: the writer; reader: the reader */
    _Alignas(64) _Atomic uint64_t read;    /* writer: the reader; reader: the writer */
    _Alignas(64) _Atomic uint64_t refused; /* writer: the writer; readers: any */
    uint64_t size;
    uint64_t base;    /* the writer's, while the ring is empty: the position of bytes[0] */
    uint64_t touched; /* the writer's: bytes from the start that may be resident */
    uint64_t room; /* the writer's, behind ring_room: the position of the message that may be put */
    char *bytes;
};

static uint64_t ring_padded(uint64_t len)
{
    return (len + RING_ALIGN + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

struct ring *ring_create(size_t bytes)
{
    uint64_t size = 4096;
    while (size < bytes)
        size *= 2;
    struct ring *ring = aligned_alloc(64, sizeof(*ring));
    if (ring == NULL)
        return NULL;
    memset(ring, 0, sizeof(*ring));
    ring->size = size;
    ring->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring->bytes == MAP_FAILED) {
        free(ring);
        return NULL;
    }
    return ring;
}

void ring_destroy(struct ring **ring)
{
    if (*ring == NULL)
        return;
    (void)munmap((*ring)->bytes, (*ring)->size);
    free(*ring);
    *ring = NULL;
}

static uint64_t ring_offset(const struct ring *ring, uint64_t position)
{
    return (position - ring->base) & (ring->size - 1);
}

/* Where the message at a position lies. */
static char *ring_message(const struct ring *ring, uint64_t position)
{
    return ring->bytes + ring_offset(ring, position) + RING_ALIGN;
}

void *ring_room(struct ring *ring, uint32_t max)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    uint64_t need = ring_padded(max);
    if (read == written)
        ring->base = written;
    uint64_t at = ring_offset(ring, written);
    uint64_t skip = ring->size - at < need ? ring->size - at : 0;
    if (max == RING_SKIP || ring->size - (written - read) < need + skip)
        return NULL;
    if (skip > 0) {
        uint32_t mark = RING_SKIP;
        memcpy(ring->bytes + at, &mark, sizeof(mark));
    }
    ring->room = written + skip;
    return ring_message(ring, ring->room);
}

/* What lies in the room is a message from now on. */
static void ring_publish(struct ring *ring, uint32_t len)
{
    uint64_t at = ring_offset(ring, ring->room);
    uint64_t need = ring_padded(len);
    if (ring->touched < at + need)
        ring->touched = at + need;
    memcpy(ring->bytes + at, &len, sizeof(len));
    atomic_store_explicit(&ring->written, ring->room + need, memory_order_release);
    if (ring->size - (at + need) >= need)
        cache_want(ring->bytes + at + need, need); /* the next one is about as long */
}

bool ring_put(struct ring *ring, const void *message, uint32_t len)
{
    if (message != ring_message(ring, ring->room)) {
        void *room = ring_room(ring, len);
        if (room == NULL) {
            uint64_t refused = atomic_load_explicit(&ring->refused, memory_order_relaxed);
            atomic_store_explicit(&ring->refused, refused + 1, memory_order_relaxed);
            return false;
        }
        memcpy(room, message, len);
    }
    ring_publish(ring, len);
    return true;
}

/* Step over the mark at the end of the buffer, if it is there; the position of the next message. */
static uint64_t ring_skip(struct ring *ring, uint64_t read, uint32_t *ret_len)
{
    uint64_t at = ring_offset(ring, read);
    memcpy(ret_len, ring->bytes + at, sizeof(*ret_len));
    if (*ret_len != RING_SKIP)
        return read;
    read += ring->size - at;
    memcpy(ret_len, ring->bytes, sizeof(*ret_len));
    return read;
}

const void *ring_peek(struct ring *ring, uint32_t *ret_len)
{
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&ring->written, memory_order_acquire))
        return NULL;
    read = ring_skip(ring, read, ret_len);
    return ring_message(ring, read);
}

void ring_drop(struct ring *ring)
{
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    uint32_t len;
    read = ring_skip(ring, read, &len);
    atomic_store_explicit(&ring->read, read + ring_padded(len), memory_order_release);
}

void ring_tidy(struct ring *ring)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    if (read != written || ring->touched <= RING_WARM)
        return;
    (void)madvise(ring->bytes + RING_WARM, ring->size - RING_WARM, MADV_DONTNEED);
    ring->touched = RING_WARM;
}

uint64_t ring_refused(const struct ring *ring)
{
    return atomic_load_explicit(&ring->refused, memory_order_relaxed);
}
