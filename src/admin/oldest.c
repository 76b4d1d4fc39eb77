/* A heap with the newest on top: while it is full, an older record takes the place of that one. One slot more
 * than is kept holds the record that is being looked at. Slots that were never written cost no memory, since
 * the kernel gives pages at the first write. */

#include "admin/oldest.h"

#include "base/check.h"

#include <stdlib.h>

uint64_t oldest_begin_ns(const struct oldest *oldest, const struct record *record)
{
    return record->timeline.at_ns[oldest->begin];
}

/* Is the record newer than one that began then? */
static bool is_newer(const struct oldest *oldest, const struct record *record, uint64_t begin_ns,
                     uint64_t id)
{
    uint64_t record_ns = oldest_begin_ns(oldest, record);
    return record_ns == begin_ns ? record->id > id : record_ns > begin_ns;
}

static bool is_newer_than(const struct oldest *oldest, size_t at, size_t other)
{
    const struct record *record = oldest->heap[other];
    return is_newer(oldest, oldest->heap[at], oldest_begin_ns(oldest, record), record->id);
}

static void heap_swap(struct record **heap, size_t a, size_t b)
{
    struct record *kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

static void heap_rise(struct oldest *oldest, size_t at)
{
    for (size_t up = (at - 1) / 2; at > 0 && is_newer_than(oldest, at, up); up = (at - 1) / 2) {
        heap_swap(oldest->heap, at, up);
        at = up;
    }
}

static void heap_sink(struct oldest *oldest, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t newest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_newer_than(oldest, child, newest))
                newest = child;
        }
        if (newest == at)
            return;
        heap_swap(oldest->heap, at, newest);
        at = newest;
    }
}

enum status oldest_init(struct oldest *oldest, enum mark begin, size_t limit)
{
    *oldest = (struct oldest){.begin = begin, .limit = limit};
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

bool oldest_wants(struct oldest *oldest, uint64_t begin_ns, uint64_t id)
{
    if (oldest->count < oldest->limit)
        return true;
    oldest->is_cut = true;
    return oldest->limit > 0 && is_newer(oldest, oldest->heap[0], begin_ns, id);
}

bool oldest_keep(struct oldest *oldest)
{
    const struct record *record = oldest->heap[oldest->count];
    if (oldest->count < oldest->limit) {
        heap_rise(oldest, oldest->count++);
        return true;
    }
    if (!oldest_wants(oldest, oldest_begin_ns(oldest, record), record->id))
        return false;
    heap_swap(oldest->heap, 0, oldest->count);
    heap_sink(oldest, oldest->count);
    return true;
}

void oldest_sort(struct oldest *oldest)
{
    for (size_t left = oldest->count; left > 1; left--) {
        heap_swap(oldest->heap, 0, left - 1);
        heap_sink(oldest, left - 1);
    }
}

const struct record *oldest_at(const struct oldest *oldest, size_t index)
{
    CHECK(index < oldest->count);
    return oldest->heap[index];
}
