/* A heap with the greatest on top: while it is full, what is put in takes the place of that one. Sorted it is by taking
 * the top away, which goes to the end of what is left. */

#include "base/least.h"

#include "base/check.h"

static bool is_greater(const struct least_item *item, uint64_t key, uint64_t tie)
{
    return item->key == key ? item->tie > tie : item->key > key;
}

static void swap(struct least_item *a, struct least_item *b)
{
    struct least_item kept = *a;
    *a = *b;
    *b = kept;
}

static void rise(struct least_item *items, size_t at)
{
    for (size_t up = (at - 1) / 2; at > 0 && is_greater(&items[at], items[up].key, items[up].tie);
         up = (at - 1) / 2) {
        swap(&items[at], &items[up]);
        at = up;
    }
}

/* The top one, among `count`. */
static void sink(struct least_item *items, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t greatest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_greater(&items[child], items[greatest].key, items[greatest].tie))
                greatest = child;
        }
        if (greatest == at)
            return;
        swap(&items[at], &items[greatest]);
        at = greatest;
    }
}

bool least_wants(const struct least *least, uint64_t key, uint64_t tie)
{
    if (least->count < least->limit)
        return true;
    return least->limit > 0 && is_greater(&least->items[0], key, tie);
}

void *least_put(struct least *least, struct least_item item)
{
    struct least_item *items = least->items;
    CHECK(least->limit > 0);
    if (least->count < least->limit) {
        items[least->count] = item;
        rise(items, least->count++);
        return NULL;
    }
    void *dropped = items[0].what;
    items[0] = item;
    sink(items, least->count);
    return dropped;
}

void least_sort(struct least *least)
{
    for (size_t left = least->count; left > 1; left--) {
        swap(&least->items[0], &least->items[left - 1]);
        sink(least->items, left - 1);
    }
}
