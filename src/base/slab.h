#ifndef FAIRLEAD_BASE_SLAB_H
#define FAIRLEAD_BASE_SLAB_H

#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Fixed-size objects of one kind, for one thread, in pages of SLAB_PAGE_BYTES from the kernel.
 * Returned objects are used again, newest first. Pages go back with slab_tidy and slab_done. Under AddressSanitizer
 * each object is of the heap and goes back at once, so that a use after free is seen.
 * The slab stays where it is from slab_init to slab_done: its pages link to it. */
enum { SLAB_PAGE_BYTES = 64 * 1024, SLAB_OBJECT_MAX = SLAB_PAGE_BYTES - 64 };

struct slab {
    size_t object_bytes;
    size_t front_bytes; /* what slab_alloc clears */
    size_t used;        /* objects handed out */
    /* private */
    size_t free_count;   /* objects of all pages that are not handed out */
    size_t spare;        /* the least of it since slab_tidy: these were not needed */
    size_t page_objects; /* what a page holds */
    struct link roomy;   /* pages with a free object: those in use, then the empty ones */
};

/* `object_bytes`: at most SLAB_OBJECT_MAX. */
void slab_init(struct slab *slab, size_t object_bytes);
/* For large objects whose end is seldom used, and is set where it is: only the first `front_bytes` are cleared. */
void slab_init_front(struct slab *slab, size_t object_bytes, size_t front_bytes);
/* Every object must be back. */
void slab_done(struct slab *slab);
/* An object, cleared but for what is behind its front. Errors: NULL out of memory. */
void *slab_alloc(struct slab *slab) MUST_USE;
void slab_free(struct slab *slab, void *object);
/* Give back the empty pages that were not needed since the last call; call it now and then. True where there are other
 * empty pages, so that the next call may find more. */
bool slab_tidy(struct slab *slab);

#endif
