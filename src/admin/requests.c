/* A request is on no list of its own, since that would cost each of them: whoever asks has the clients looked through, which
 * stand in the order in which they came. So there are two passes, and a list that is cut can tell where it goes on:
 *
 *   walk  past all clients, idle ones among them, to the oldest requests by when they began; nothing else is read.
 *   look  at these in that order: a record is made, and held against the filter, until the time is over.
 *
 * The links stay good from one to the other, since both are in one turn of the worker. */

#include "admin/requests.h"

#include "admin/inquiry.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

enum { REQUESTS_LOOK_MAX = 4096 }; /* records that one worker makes */

struct candidate {
    struct inquiry_place place;
    struct link *link; /* in client->exchanges */
};

/* The oldest so far: a heap with the newest on top. */
struct candidates {
    size_t count;
    bool is_cut; /* there were more */
    struct candidate heap[REQUESTS_LOOK_MAX];
};

static bool is_newer(const struct candidates *all, size_t at, size_t other)
{
    return inquiry_place_is_behind(all->heap[at].place, all->heap[other].place);
}

static void heap_swap(struct candidates *all, size_t a, size_t b)
{
    struct candidate kept = all->heap[a];
    all->heap[a] = all->heap[b];
    all->heap[b] = kept;
}

static void heap_rise(struct candidates *all, size_t at)
{
    for (size_t up = (at - 1) / 2; at > 0 && is_newer(all, at, up); up = (at - 1) / 2) {
        heap_swap(all, at, up);
        at = up;
    }
}

static void heap_sink(struct candidates *all, size_t count)
{
    size_t at = 0;
    for (;;) {
        size_t newest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_newer(all, child, newest))
                newest = child;
        }
        if (newest == at)
            return;
        heap_swap(all, at, newest);
        at = newest;
    }
}

static void candidates_add(struct candidates *all, const struct candidate *candidate)
{
    if (all->count < REQUESTS_LOOK_MAX) {
        all->heap[all->count] = *candidate;
        heap_rise(all, all->count++);
        return;
    }
    all->is_cut = true;
    if (inquiry_place_is_behind(candidate->place, all->heap[0].place))
        return;
    all->heap[0] = *candidate;
    heap_sink(all, all->count);
}

/* The oldest first, from now on. */
static void candidates_sort(struct candidates *all)
{
    for (size_t left = all->count; left > 1; left--) {
        heap_swap(all, 0, left - 1);
        heap_sink(all, left - 1);
    }
}

static void walk(const struct inquiry *inquiry, const struct client *client, uint64_t now_ns,
                 struct candidates *all)
{
    LIST_EACH(link, &client->exchanges) {
        struct candidate candidate = {.link = link};
        candidate.place.begin_ns = exchange_begun_ns(link, &candidate.place.id);
        if (inquiry_wants(inquiry, candidate.place, now_ns))
            candidates_add(all, &candidate);
    }
}

/* False: that is enough. */
static bool look(struct inquiry *inquiry, const struct candidate *candidate)
{
    struct oldest *oldest = &inquiry->oldest;
    if (!oldest_wants(oldest, candidate->place.begin_ns, candidate->place.id))
        return false; /* nor those behind it */
    exchange_describe(candidate->link, oldest_room(oldest));
    if (filter_match(&inquiry->filter, oldest_room(oldest)))
        (void)oldest_keep(oldest);
    return inquiry_looks_on(inquiry, candidate->place);
}

static void list_visit(struct inquiry *inquiry, struct proxy *proxy, uint64_t now_ns)
{
    struct candidates *all = inquiry->scratch;
    unsigned steps = 0;
    size_t looks = 0;
    all->count = 0;
    all->is_cut = false;
    LIST_EACH(link, &proxy->clients) {
        walk(inquiry, CONTAINER_OF(link, struct client, link), now_ns, all);
        if (!inquiry_walks_on(inquiry, &steps))
            break;
    }
    candidates_sort(all);
    while (looks < all->count && look(inquiry, &all->heap[looks]))
        looks++;
    if (all->is_cut && looks == all->count)
        inquiry_end_at(inquiry, all->heap[looks - 1].place);
}

void requests_list(const struct call *call)
{
    static const struct inquiry_kind kind = {.member = "requests",
                                             .begin = MARK_C_FIRST,
                                             .scratch_bytes = sizeof(struct candidates),
                                             .visit = list_visit};
    inquiry_list(call, &kind);
}
