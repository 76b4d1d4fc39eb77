/* Slots for the records that are kept, and one for the record that is being looked at: where that one is kept, the slot
 * of the one that makes room for it is free next. Slots that were never written cost no memory, since the kernel gives
 * pages at the first write. */

#include "admin/oldest.h"

#include "base/check.h"

#include <stdlib.h>

uint64_t oldest_begin_ns(const struct oldest *oldest, const struct record *record)
{
    return record->timeline.at_ns[oldest->begin];
}

enum status oldest_init(struct oldest *oldest, enum mark begin, size_t limit)
{
    *oldest = (struct oldest){.begin = begin, .least.limit = limit};
    oldest->slots = malloc((limit + 1) * sizeof(*oldest->slots));
    oldest->least.items = malloc(limit * sizeof(*oldest->least.items));
    oldest->room = oldest->slots;
    if (oldest->slots != NULL && oldest->least.items != NULL)
        return ST_OK;
    oldest_done(oldest);
    return ST_NOMEM;
}

void oldest_done(struct oldest *oldest)
{
    free(oldest->slots);
    free(oldest->least.items);
    *oldest = (struct oldest){.slots = NULL};
}

struct record *oldest_room(struct oldest *oldest)
{
    return oldest->room;
}

bool oldest_wants(struct oldest *oldest, uint64_t begin_ns, uint64_t id)
{
    const struct least *least = &oldest->least;
    oldest->is_cut = oldest->is_cut || least->count == least->limit;
    return least_wants(least, begin_ns, id);
}

bool oldest_keep(struct oldest *oldest)
{
    struct record *record = oldest->room;
    struct least_item item = {oldest_begin_ns(oldest, record), record->id, record};
    if (!oldest_wants(oldest, item.key, item.tie))
        return false;
    struct record *free_one = least_put(&oldest->least, item);
    oldest->room = free_one != NULL ? free_one : &oldest->slots[oldest->least.count];
    return true;
}

void oldest_sort(struct oldest *oldest)
{
    least_sort(&oldest->least);
}

const struct record *oldest_at(const struct oldest *oldest, size_t index)
{
    CHECK(index < oldest->least.count);
    return oldest->least.items[index].what;
}
