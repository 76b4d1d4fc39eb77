/* Objects of one size, cut from pages that are mapped one by one.
 *
 * A page is aligned to its size, so that an object finds the head of its page. Objects are cut off as they are needed:
 * what was never handed out was never touched, and costs no memory. The heap was tried before: objects of many kinds
 * lie mixed there, those that stay hold on to what a crowd leaves, and each has a header.
 *
 *     S1  A page is in `roomy` <=> one of its objects is free, or was never cut off.
 *     S2  In `roomy` stand pages with objects handed out, then empty ones. A page that was full is put in front, and is
 *         filled first, so that those with few objects run empty.
 *
 * Pages do not go back as they become empty: the next crowd of a busy server comes within a millisecond. */

#include "base/slab.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/fault.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif

enum { SLAB_ALIGN = 8 }; /* no type of ours needs more */

struct slab_object {
    struct slab_object *next;
};

struct slab_page {
    struct link link; /* in `roomy`, or in no list */
    struct slab *slab;
    struct slab_object *free; /* those that came back */
    size_t used;              /* handed out */
    size_t cut;               /* cut off so far */
    _Alignas(SLAB_ALIGN) char objects[];
};

static_assert(SLAB_PAGE_BYTES - SLAB_OBJECT_MAX >= sizeof(struct slab_page), "a page has its head");

void slab_init(struct slab *slab, size_t object_bytes)
{
    slab_init_front(slab, object_bytes, object_bytes);
}

void slab_init_front(struct slab *slab, size_t object_bytes, size_t front_bytes)
{
    CHECK(object_bytes <= SLAB_OBJECT_MAX);
    *slab = (struct slab){.object_bytes = object_bytes, .front_bytes = front_bytes};
    if (slab->object_bytes < sizeof(struct slab_object))
        slab->object_bytes = sizeof(struct slab_object);
    slab->object_bytes = (slab->object_bytes + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
    slab->page_objects = (SLAB_PAGE_BYTES - sizeof(struct slab_page)) / slab->object_bytes;
    link_init(&slab->roomy);
}

#ifdef SLAB_ASAN

static void *slab_take(struct slab *slab)
{
    return malloc(slab->object_bytes);
}

static void slab_give(struct slab *slab, void *memory)
{
    (void)slab;
    free(memory);
}

void slab_done(struct slab *slab)
{
    CHECK(slab->used == 0);
}

bool slab_tidy(struct slab *slab)
{
    (void)slab;
    return false;
}

#else

/* Memory of twice the size has an aligned page in it; the rest goes back. */
static void *slab_map_aligned(void)
{
    char *at = mmap(NULL, 2 * (size_t)SLAB_PAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)at & (SLAB_PAGE_BYTES - 1);
    if (before > 0)
        (void)munmap(at, before);
    (void)munmap(at + before + SLAB_PAGE_BYTES, SLAB_PAGE_BYTES - before);
    return at + before;
}

/* The kernel puts a mapping next to the last one, so that most are aligned where one is. */
static void *slab_map(void)
{
    char *at =
        mmap(NULL, SLAB_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (((uintptr_t)at & (SLAB_PAGE_BYTES - 1)) == 0)
        return at;
    (void)munmap(at, SLAB_PAGE_BYTES);
    return slab_map_aligned();
}

static struct slab_page *slab_add_page(struct slab *slab)
{
    struct slab_page *page = slab_map();
    if (page == NULL)
        return NULL;
    page->slab = slab;
    list_append(&slab->roomy, &page->link);
    slab->free_count += slab->page_objects;
    return page;
}

static void slab_drop_page(struct slab *slab, struct slab_page *page)
{
    link_remove(&page->link);
    slab->free_count -= slab->page_objects;
    (void)munmap(page, SLAB_PAGE_BYTES);
}

static void *slab_take(struct slab *slab)
{
    struct link *roomy = list_first(&slab->roomy);
    struct slab_page *page =
        roomy != NULL ? CONTAINER_OF(roomy, struct slab_page, link) : slab_add_page(slab);
    if (page == NULL)
        return NULL;
    struct slab_object *object = page->free;
    if (object != NULL)
        page->free = object->next;
    else
        object = (void *)(page->objects + page->cut++ * slab->object_bytes);
    if (page->free != NULL)
        cache_want(page->free, slab->front_bytes); /* by whoever comes next */
    if (++page->used == slab->page_objects)
        link_remove(&page->link);
    if (--slab->free_count < slab->spare)
        slab->spare = slab->free_count;
    return object;
}

static void slab_give(struct slab *slab, void *memory)
{
    struct slab_object *object = memory;
    struct slab_page *page = (void *)((uintptr_t)memory & ~(uintptr_t)(SLAB_PAGE_BYTES - 1));
    CHECK(page->slab == slab);
    if (page->used == slab->page_objects)
        list_prepend(&slab->roomy, &page->link);
    object->next = page->free;
    page->free = object;
    slab->free_count++;
    if (--page->used == 0) {
        link_remove(&page->link);
        list_append(&slab->roomy, &page->link);
    }
}

/* The last of the empty pages, or NULL (S2). */
static struct slab_page *slab_empty_page(struct slab *slab)
{
    if (list_is_empty(&slab->roomy))
        return NULL;
    struct slab_page *page = CONTAINER_OF(slab->roomy.prev, struct slab_page, link);
    return page->used == 0 ? page : NULL;
}

bool slab_tidy(struct slab *slab)
{
    struct slab_page *page;
    while (slab->spare >= slab->page_objects && (page = slab_empty_page(slab)) != NULL) {
        slab->spare -= slab->page_objects;
        slab_drop_page(slab, page);
    }
    slab->spare = slab->free_count;
    return slab_empty_page(slab) != NULL;
}

void slab_done(struct slab *slab)
{
    CHECK(slab->used == 0);
    LIST_EACH(link, &slab->roomy)
        slab_drop_page(slab, CONTAINER_OF(link, struct slab_page, link));
}

#endif

void *slab_alloc(struct slab *slab)
{
    if (fault_next(FAULT_CALL_slab) != FAULT_NONE)
        return NULL;
    void *object = slab_take(slab);
    if (object == NULL)
        return NULL;
    slab->used++;
    memset(object, 0, slab->front_bytes);
    return object;
}

void slab_free(struct slab *slab, void *memory)
{
    CHECK(slab->used > 0);
    slab->used--;
    slab_give(slab, memory);
}
