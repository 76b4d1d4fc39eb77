/* A heap with the newest on top: while it is full, an older record takes the place of that one. One slot more
 * than is kept holds the record that is being looked at. Slots that were never written cost no memory, since
 * the kernel gives pages at the first write. */

#include "admin/oldest.h"

#include "base/check.h"

#include <stdlib.h>

static bool record_is_newer(const struct record *a, const struct record *b)
{
    uint64_t a_ns = a->timeline.at_ns[MARK_T_OPEN];
    uint64_t b_ns = b->timeline.at_ns[MARK_T_OPEN];
    return a_ns == b_ns ? a->id > b->id : a_ns > b_ns;
}

static void heap_swap(struct record **heap, size_t a, size_t b)
{
    struct record *kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

static void heap_rise(struct record **heap, size_t at)
{
    for (size_t up = (at - 1) / 2; at > 0 && record_is_newer(heap[at], heap[up]);
         up = (at - 1) / 2) {
        heap_swap(heap, at, up);
        at = up;
    }
}

static void heap_sink(struct record **heap, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t newest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (record_is_newer(heap[child], heap[newest]))
                newest = child;
        }
        if (newest == at)
            return;
        heap_swap(heap, at, newest);
        at = newest;
    }
}

enum status oldest_init(struct oldest *oldest, size_t limit)
{
    *oldest = (struct oldest){.limit = limit};
    oldest->slots = malloc((limit + 1) * sizeof(*oldest->slots));
    oldest->heap = malloc((limit + 1) * sizeof(struct record *));
    if (oldest->slots == NULL || oldest->heap == NULL) {
        oldest_done(oldest);
        return ST_NOMEM;
    }
    for (size_t i = 0; i <= limit; i++)
        oldest->heap[i] = &oldest->slots[i];
    return ST_OK;
}

void oldest_done(struct oldest *oldest)
{
    free(oldest->slots);
    free(oldest->heap);
    *oldest = (struct oldest){.limit = 0};
}

struct record *oldest_room(struct oldest *oldest)
{
    return oldest->heap[oldest->count];
}

bool oldest_keep(struct oldest *oldest)
{
    struct record **heap = oldest->heap;
    if (oldest->count < oldest->limit) {
        heap_rise(heap, oldest->count++);
        return true;
    }
    oldest->is_cut = true;
    if (oldest->limit == 0 || record_is_newer(heap[oldest->count], heap[0]))
        return false;
    heap_swap(heap, 0, oldest->count);
    heap_sink(heap, oldest->count);
    return true;
}

void oldest_sort(struct oldest *oldest)
{
    for (size_t left = oldest->count; left > 1; left--) {
        heap_swap(oldest->heap, 0, left - 1);
        heap_sink(oldest->heap, left - 1);
    }
}

const struct record *oldest_at(const struct oldest *oldest, size_t index)
{
    CHECK(index < oldest->count);
    return oldest->heap[index];
}
