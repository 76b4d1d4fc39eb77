/* The list of a worker is sorted by age, so a look at it ends where younger ones would only be thrown away. */

#include "admin/tunnels.h"

#include "admin/inquiry.h"
#include "http/media.h"
#include "report/diag.h"

/* False: that is enough. */
static bool look(struct inquiry *inquiry, struct link *link, struct inquiry_place place)
{
    struct oldest *oldest = &inquiry->oldest;
    tunnel_describe(link, oldest_room(oldest));
    if (filter_match(&inquiry->filter, oldest_room(oldest)) && !oldest_keep(oldest))
        return false; /* the rest of this list is newer still */
    return inquiry_looks_on(inquiry, place);
}

static void list_visit(struct inquiry *inquiry, struct proxy *proxy, uint64_t now_ns)
{
    unsigned steps = 0;
    LIST_EACH(link, &proxy->tunnels.open) {
        struct inquiry_place place;
        place.begin_ns = tunnel_opened_ns(link, &place.id);
        if (inquiry_wants(inquiry, place, now_ns) ? !look(inquiry, link, place)
                                                  : !inquiry_walks_on(inquiry, &steps))
            break;
    }
}

void tunnels_list(const struct call *call)
{
    static const struct inquiry_kind kind = {
        .member = "tunnels", .begin = MARK_T_OPEN, .visit = list_visit};
    inquiry_list(call, &kind);
}

static bool kill_visit(struct errand *errand, struct proxy *proxy)
{
    struct inquiry *inquiry = inquiry_of(errand);
    inquiry->is_found = tunnel_room_kill(&proxy->tunnels, inquiry->id);
    if (inquiry->is_found)
        diag(DIAG_NOTICE, "tunnel %016llx was ended over the admin listener",
             (unsigned long long)inquiry->id);
    return !inquiry->is_found;
}

static void kill_answer(struct inquiry *inquiry)
{
    if (!inquiry->is_found) {
        struct answer answer = {.status = 404};
        call_fail(inquiry->exchange, inquiry->wants_json, &answer, "no_such_tunnel",
                  SLICE("no open tunnel has this id"));
        return;
    }
    char body[64];
    struct text text = text_on(body, sizeof(body));
    text_add_format(&text, "{\"v\":1,\"killed\":\"%016llx\"}\n", (unsigned long long)inquiry->id);
    struct answer answer = {.status = 200, .type = MEDIA_JSON, .body = text_slice(&text)};
    exchange_answer(inquiry->exchange, &answer);
}

void tunnels_kill(const struct call *call)
{
    uint64_t id = 0;
    if (call->rest.len != 16 || slice_hex_to_u64(call->rest, UINT64_MAX, &id) != ST_OK) {
        struct answer answer = {.status = 400};
        call_fail(call->exchange, call->wants_json, &answer, "bad_id",
                  SLICE("the id of a tunnel is 16 hexadecimal digits"));
        return;
    }
    struct inquiry *inquiry = inquiry_create(call, kill_answer);
    if (inquiry == NULL)
        return;
    inquiry->id = id;
    inquiry->errand.visit = kill_visit;
    inquiry_send(inquiry, call);
}
