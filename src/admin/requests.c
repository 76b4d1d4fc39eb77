/* A request is on no list of its own, since that would cost each of them: whoever asks has the clients looked through. Most
 * of these may be idle, and they stand in the order in which they came, so all are looked at, up to a bound; a record is
 * made only of a request that is old enough to be kept. */

#include "admin/requests.h"

#include "admin/inquiry.h"
#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

enum {
    REQUESTS_CLIENTS_MAX = 16384, /* that one worker looks at: a few milliseconds */
    REQUESTS_LOOK_MAX = 4096,     /* records that it makes */
};

/* False: enough records were made, and the walk ends. */
static bool client_visit(struct inquiry *inquiry, struct client *client, uint64_t now_ns,
                         unsigned *looks)
{
    struct oldest *oldest = &inquiry->oldest;
    LIST_EACH(link, &client->exchanges) {
        uint64_t id = 0;
        uint64_t begun_ns = exchange_begun_ns(link, &id);
        if (!inquiry_wants(inquiry, begun_ns, id, now_ns) || !oldest_wants(oldest, begun_ns, id))
            continue;
        if ((*looks)++ == REQUESTS_LOOK_MAX)
            return false;
        exchange_describe(link, oldest_room(oldest));
        if (filter_match(&inquiry->filter, oldest_room(oldest)))
            (void)oldest_keep(oldest);
    }
    return true;
}

static bool list_visit(struct errand *errand, struct proxy *proxy)
{
    struct inquiry *inquiry = inquiry_of(errand);
    uint64_t now_ns = clock_monotonic_ns();
    unsigned clients = 0;
    unsigned looks = 0;
    LIST_EACH(link, &proxy->clients) {
        bool goes_on =
            clients++ < REQUESTS_CLIENTS_MAX &&
            client_visit(inquiry, CONTAINER_OF(link, struct client, link), now_ns, &looks);
        if (goes_on)
            continue;
        inquiry->oldest.is_cut = true;
        break;
    }
    return true;
}

void requests_list(const struct call *call)
{
    static const struct inquiry_kind kind = {"requests", MARK_C_FIRST, list_visit};
    inquiry_list(call, &kind);
}
