#ifndef FAIRLEAD_BASE_SLAB_H
#define FAIRLEAD_BASE_SLAB_H

#include "base/status.h"

#include <stddef.h>

/* Fixed-size objects of one kind, for one thread: a free list.
 * Returned objects are used again, newest first; memory goes back at slab_done, and when more than `keep`
 * objects are free. Under AddressSanitizer nothing is kept, so that a use after free is seen. */
struct slab {
    size_t object_bytes;
    size_t front_bytes; /* what slab_alloc clears */
    size_t keep;
    size_t used; /* objects handed out */
    /* private */
    size_t free_count;
    struct slab_object *free;
};

void slab_init(struct slab *slab, size_t object_bytes, size_t keep);
/* For large objects whose end is seldom used, and is set where it is: only the first `front_bytes` are cleared. */
void slab_init_front(struct slab *slab, size_t object_bytes, size_t front_bytes, size_t keep);
/* Every object must be back. */
void slab_done(struct slab *slab);
/* An object, cleared but for what is behind its front. Errors: NULL out of memory. */
void *slab_alloc(struct slab *slab) MUST_USE;
void slab_free(struct slab *slab, void *object);

#endif
