/* A request is on no list of its own, since that would cost each of them: whoever asks has the clients looked through,
 * which stand in the order in which they came. So there are two passes, and a list that is cut can tell where it goes
 * on:
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

/* The oldest so far, each by its link in client->exchanges. */
struct candidates {
    struct least least;
    bool is_cut; /* there were more */
    struct least_item items[REQUESTS_LOOK_MAX];
};

static void walk(const struct inquiry *inquiry, const struct client *client, uint64_t now_ns,
                 struct candidates *all)
{
    LIST_EACH(link, &client->exchanges) {
        struct inquiry_place place = {.id = 0};
        place.begin_ns = exchange_begun_ns(link, &place.id);
        if (!inquiry_wants(inquiry, place, now_ns))
            continue;
        all->is_cut = all->is_cut || all->least.count == REQUESTS_LOOK_MAX;
        if (least_wants(&all->least, place.begin_ns, place.id))
            (void)least_put(&all->least, (struct least_item){place.begin_ns, place.id, link});
    }
}

static struct inquiry_place place_of(const struct least_item *item)
{
    return (struct inquiry_place){item->key, item->tie};
}

/* False: that is enough. */
static bool look(struct inquiry *inquiry, const struct least_item *item)
{
    struct oldest *oldest = &inquiry->oldest;
    if (!oldest_wants(oldest, item->key, item->tie))
        return false; /* nor those behind it */
    exchange_describe(item->what, oldest_room(oldest));
    if (filter_match(&inquiry->filter, oldest_room(oldest)))
        (void)oldest_keep(oldest);
    return inquiry_looks_on(inquiry, place_of(item));
}

static void list_visit(struct inquiry *inquiry, struct proxy *proxy, uint64_t now_ns)
{
    struct candidates *all = inquiry->scratch;
    unsigned steps = 0;
    size_t looks = 0;
    all->least = (struct least){.items = all->items, .limit = REQUESTS_LOOK_MAX};
    all->is_cut = false;
    LIST_EACH(link, &proxy->clients) {
        walk(inquiry, CONTAINER_OF(link, struct client, link), now_ns, all);
        if (!inquiry_walks_on(inquiry, &steps))
            break;
    }
    least_sort(&all->least);
    while (looks < all->least.count && look(inquiry, &all->items[looks]))
        looks++;
    if (all->is_cut && looks == all->least.count)
        inquiry_end_at(inquiry, place_of(&all->items[looks - 1]));
}

void requests_list(const struct call *call)
{
    static const struct inquiry_kind kind = {.member = "requests",
                                             .begin = MARK_C_FIRST,
                                             .scratch_bytes = sizeof(struct candidates),
                                             .visit = list_visit};
    inquiry_list(call, &kind);
}
