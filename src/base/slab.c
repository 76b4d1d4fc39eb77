/* Objects of one size on a free list.
 *
 * Each object is its own allocation at first and is kept for the next user; beyond `keep` free ones the
 * memory goes back. Pages of many objects were not worth their bookkeeping: an allocation happens only
 * while the number of live objects grows. */

#include "base/slab.h"

#include "base/check.h"
#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif

struct slab_object {
    struct slab_object *next;
};

void slab_init(struct slab *slab, size_t object_bytes, size_t keep)
{
    slab_init_front(slab, object_bytes, object_bytes, keep);
}

void slab_init_front(struct slab *slab, size_t object_bytes, size_t front_bytes, size_t keep)
{
    *slab = (struct slab){.object_bytes = object_bytes, .front_bytes = front_bytes, .keep = keep};
    if (slab->object_bytes < sizeof(struct slab_object))
        slab->object_bytes = sizeof(struct slab_object);
#ifdef SLAB_ASAN
    slab->keep = 0; /* let the sanitizer see every use after free */
#endif
}

void slab_done(struct slab *slab)
{
    CHECK(slab->used == 0);
    while (slab->free != NULL) {
        struct slab_object *object = slab->free;
        slab->free = object->next;
        free(object);
    }
    slab->free_count = 0;
}

void *slab_alloc(struct slab *slab)
{
    if (fault_next(FAULT_CALL_slab) != FAULT_NONE)
        return NULL;
    struct slab_object *object = slab->free;
    if (object != NULL) {
        slab->free = object->next;
        slab->free_count--;
    } else {
        object = malloc(slab->object_bytes);
        if (object == NULL)
            return NULL;
    }
    slab->used++;
    memset(object, 0, slab->front_bytes);
    return object;
}

void slab_free(struct slab *slab, void *memory)
{
    struct slab_object *object = memory;
    CHECK(slab->used > 0);
    slab->used--;
    if (slab->free_count >= slab->keep) {
        free(object);
        return;
    }
    object->next = slab->free;
    slab->free = object;
    slab->free_count++;
}
