/* An inquiry goes round the workers as an errand and answers its exchange when it is home again.
 *
 *   asked --(the exchange ends)--> orphan --(home)--> freed
 *     |  `--(late)--> answered 503, orphan
 *     `--(home)--> answered --(the exchange ends)--> freed
 *
 * An orphan goes on travelling and is freed at home: no worker ever has to be asked to let go of it, and a late
 * answer finds nobody to give itself to.
 *
 * Memory: an inquiry keeps at most `limit` records while it travels, and at most TUNNELS_ANSWER_BYTES of
 * text until the client has taken it; there are at most TUNNELS_INQUIRIES at once. */

#include "admin/tunnels.h"

#include "admin/oldest.h"
#include "base/check.h"
#include "base/clock.h"
#include "report/access_log.h"
#include "report/diag.h"

#include <stdlib.h>

enum {
    TUNNELS_INQUIRIES = 8,
    TUNNELS_ANSWER_BYTES = 4 << 20,
    TUNNELS_LATE_S = 5,
    TUNNELS_LOOK_MAX = 4096, /* tunnels that one worker looks at: some milliseconds */
    TUNNELS_TAIL = 96,       /* what stands behind the list */
};

struct inquiry {
    struct errand errand;
    /* The workers': which of them, errand.h says. */
    bool is_kill;
    bool is_found;
    uint64_t id;
    struct oldest oldest;
    struct filter filter;
    uint64_t after_ns,
        after_id; /* only what was opened later; of the same moment, with a higher id */
    /* The admin worker's alone. */
    struct admin *admin;
    struct link link; /* in admin->inquiries while `exchange` is set */
    struct timer timer;
    struct exchange *exchange; /* NULL: an orphan */
    bool is_away;
    bool wants_json;
    char *body; /* lent to the exchange */
};

static void inquiry_free(struct inquiry *inquiry)
{
    timer_cancel(&inquiry->timer);
    link_remove(&inquiry->link);
    oldest_done(&inquiry->oldest);
    free(inquiry->body);
    inquiry->admin->inquiry_count--;
    free(inquiry);
}

/* Nobody waits for it any more. */
static void inquiry_orphan(struct inquiry *inquiry)
{
    inquiry->exchange = NULL;
    link_remove(&inquiry->link);
    timer_cancel(&inquiry->timer);
    if (!inquiry->is_away)
        inquiry_free(inquiry);
}

void tunnels_forget(struct admin *admin, struct exchange *exchange)
{
    LIST_EACH(link, &admin->inquiries) {
        struct inquiry *inquiry = CONTAINER_OF(link, struct inquiry, link);
        if (inquiry->exchange == exchange) {
            inquiry_orphan(inquiry);
            return;
        }
    }
}

static void inquiry_time_out(struct timer *timer)
{
    struct inquiry *inquiry = CONTAINER_OF(timer, struct inquiry, timer);
    struct exchange *exchange = inquiry->exchange;
    struct answer answer = {.status = 503};
    bool wants_json = inquiry->wants_json;
    inquiry_orphan(inquiry);
    call_fail(exchange, wants_json, &answer, "late", SLICE("a worker does not answer"));
}

/* ---- at a worker ---- */

static bool list_visit(struct errand *errand, struct proxy *proxy)
{
    struct inquiry *inquiry = CONTAINER_OF(errand, struct inquiry, errand);
    struct oldest *oldest = &inquiry->oldest;
    unsigned looks = 0;
    LIST_EACH(link, &proxy->tunnels.open) {
        uint64_t id = 0;
        uint64_t opened_ns = tunnel_opened_ns(link, &id);
        bool was_listed = opened_ns == inquiry->after_ns ? id <= inquiry->after_id
                                                         : opened_ns < inquiry->after_ns;
        if (was_listed)
            continue;
        if (looks++ == TUNNELS_LOOK_MAX) {
            oldest->is_cut = true;
            break;
        }
        tunnel_snapshot(link, oldest_room(oldest));
        if (!filter_match(&inquiry->filter, oldest_room(oldest)))
            continue;
        if (!oldest_keep(oldest))
            break; /* the rest of this list is newer still */
    }
    return true;
}

static bool kill_visit(struct errand *errand, struct proxy *proxy)
{
    struct inquiry *inquiry = CONTAINER_OF(errand, struct inquiry, errand);
    inquiry->is_found = tunnel_room_kill(&proxy->tunnels, inquiry->id);
    return !inquiry->is_found;
}

/* ---- home again ---- */

/* Room for one more record. False: the answer is as long as it may get. */
static bool body_grow(struct inquiry *inquiry, struct text *text)
{
    if (text->cap - text->len >= ACCESS_LOG_LINE_MAX + TUNNELS_TAIL)
        return true;
    size_t cap = text->cap == 0 ? 2 * ACCESS_LOG_LINE_MAX : 2 * text->cap;
    char *body = cap <= TUNNELS_ANSWER_BYTES ? realloc(inquiry->body, cap) : NULL;
    if (body == NULL)
        return false;
    inquiry->body = text->at = body;
    text->cap = cap;
    return true;
}

static void list_answer(struct inquiry *inquiry)
{
    struct oldest *oldest = &inquiry->oldest;
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    struct text text = text_on(NULL, 0);
    bool is_cut = oldest->is_cut;
    if (!body_grow(inquiry, &text)) {
        struct answer answer = {.status = 503};
        call_fail(inquiry->exchange, inquiry->wants_json, &answer, "memory",
                  SLICE("out of memory"));
        return;
    }
    size_t listed = 0;
    oldest_sort(oldest);
    text_add(&text, SLICE("{\"v\":1,\"tunnels\":[\n"));
    for (; listed < oldest->count; listed++) {
        if (!body_grow(inquiry, &text)) {
            is_cut = true;
            break;
        }
        if (listed > 0)
            text_add_char(&text, ',');
        access_log_add(oldest_at(oldest, listed), &style, &text);
    }
    text_add_format(&text, "],\"truncated\":%s", is_cut ? "true" : "false");
    if (is_cut && listed > 0) {
        const struct record *last = oldest_at(oldest, listed - 1);
        text_add_format(&text, ",\"next\":\"%016llx-%016llx\"",
                        (unsigned long long)last->timeline.at_ns[MARK_T_OPEN],
                        (unsigned long long)last->id);
    }
    text_add(&text, SLICE("}\n"));
    oldest_done(oldest);
    struct answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&text), .is_lent = true};
    exchange_answer(inquiry->exchange, &answer);
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
    struct answer answer = {.status = 200, .type = "application/json", .body = text_slice(&text)};
    exchange_answer(inquiry->exchange, &answer);
}

static void inquiry_on_home(struct errand *errand)
{
    struct inquiry *inquiry = CONTAINER_OF(errand, struct inquiry, errand);
    inquiry->is_away = false;
    if (inquiry->is_found)
        diag(DIAG_NOTICE, "tunnel %016llx was ended over the admin listener",
             (unsigned long long)inquiry->id);
    if (inquiry->exchange == NULL) {
        inquiry_free(inquiry);
        return;
    }
    timer_cancel(&inquiry->timer);
    if (inquiry->is_kill)
        kill_answer(inquiry);
    else
        list_answer(inquiry);
}

/* ---- asking ---- */

/* NULL: too many at once or no memory, and the exchange was told. */
static struct inquiry *inquiry_create(const struct call *call)
{
    struct admin *admin = call->admin;
    bool is_room = admin->inquiry_count < TUNNELS_INQUIRIES;
    struct inquiry *inquiry = is_room ? calloc(1, sizeof(*inquiry)) : NULL;
    if (inquiry == NULL) {
        struct answer answer = {.status = 503};
        call_fail(call->exchange, call->wants_json, &answer, "busy",
                  SLICE("too many inquiries at once; ask again"));
        return NULL;
    }
    admin->inquiry_count++;
    inquiry->admin = admin;
    inquiry->exchange = call->exchange;
    inquiry->wants_json = call->wants_json;
    link_init(&inquiry->link);
    timer_init(&inquiry->timer, inquiry_time_out);
    return inquiry;
}

static void inquiry_send(struct inquiry *inquiry, const struct call *call)
{
    struct loop *loop = call->request->loop;
    list_append(&call->admin->inquiries, &inquiry->link);
    timer_set_in(loop, &inquiry->timer, TUNNELS_LATE_S * NS_PER_S);
    inquiry->is_away = true;
    inquiry->errand.on_home = inquiry_on_home;
    errand_send(&call->admin->errands, &inquiry->errand, loop);
}

/* What "next" said: two numbers of 16 hexadecimal digits. True where nothing was said, too. */
static bool read_after(const struct call *call, uint64_t *ret_ns, uint64_t *ret_id)
{
    struct slice value;
    if (!query_find(call->query, SLICE("after"), &value))
        return true;
    return value.len == 33 && value.at[16] == '-' &&
           slice_hex_to_u64(slice_first(value, 16), UINT64_MAX, ret_ns) == ST_OK &&
           slice_hex_to_u64(slice_from(value, 17), UINT64_MAX, ret_id) == ST_OK;
}

void tunnels_list(const struct call *call)
{
    uint64_t limit = TUNNELS_LIMIT;
    uint64_t after_ns = 0;
    uint64_t after_id = 0;
    struct slice value;
    if (!read_after(call, &after_ns, &after_id)) {
        struct answer answer = {.status = 400};
        call_fail(call->exchange, call->wants_json, &answer, "bad_after",
                  SLICE("after is what \"next\" of the answer before said"));
        return;
    }
    bool is_good = !query_find(call->query, SLICE("limit"), &value) ||
                   (slice_to_u64(value, TUNNELS_LIMIT, &limit) == ST_OK && limit > 0);
    if (!is_good) {
        struct answer answer = {.status = 400};
        call_fail(call->exchange, call->wants_json, &answer, "bad_limit",
                  SLICE("limit is a number from 1 to 1000"));
        return;
    }
    struct filter filter;
    struct inquiry *inquiry = query_filter(call, &filter) ? inquiry_create(call) : NULL;
    if (inquiry == NULL)
        return;
    inquiry->filter = filter;
    if (oldest_init(&inquiry->oldest, limit) != ST_OK) {
        struct answer answer = {.status = 503};
        inquiry_free(inquiry);
        call_fail(call->exchange, call->wants_json, &answer, "memory", SLICE("out of memory"));
        return;
    }
    inquiry->after_ns = after_ns;
    inquiry->after_id = after_id;
    inquiry->errand.visit = list_visit;
    inquiry_send(inquiry, call);
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
    struct inquiry *inquiry = inquiry_create(call);
    if (inquiry == NULL)
        return;
    inquiry->is_kill = true;
    inquiry->id = id;
    inquiry->errand.visit = kill_visit;
    inquiry_send(inquiry, call);
}
