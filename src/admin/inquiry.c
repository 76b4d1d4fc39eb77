/* An inquiry goes round the workers as an errand and answers its exchange when it is home again.
 *
 *   asked --(the exchange ends)--> orphan --(home)--> freed
 *     |  `--(late)--> answered 503, orphan
 *     `--(home)--> answered --(the exchange ends)--> freed
 *
 * An orphan goes on travelling and is freed at home: no worker ever has to be asked to let go of it, and a late
 * answer finds nobody to give itself to.
 *
 * Memory: an inquiry keeps at most `limit` records while it travels, and at most INQUIRY_ANSWER_BYTES of
 * text until the client has taken it; there are at most INQUIRIES at once. */

#include "admin/inquiry.h"

#include "base/check.h"
#include "base/clock.h"
#include "report/access_log.h"

#include <stdlib.h>

enum {
    INQUIRIES = 8,
    INQUIRY_ANSWER_BYTES = 4 << 20,
    INQUIRY_LATE_S = 5,
    INQUIRY_TAIL = 96, /* what stands behind the list */
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

void inquiry_forget(struct admin *admin, const struct exchange *exchange)
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

bool inquiry_wants(const struct inquiry *inquiry, uint64_t begin_ns, uint64_t id, uint64_t now_ns)
{
    bool was_listed =
        begin_ns == inquiry->after_ns ? id <= inquiry->after_id : begin_ns < inquiry->after_ns;
    bool is_old =
        inquiry->age_ns == 0 || (now_ns >= begin_ns && now_ns - begin_ns >= inquiry->age_ns);
    return !was_listed && is_old;
}

/* ---- home again ---- */

/* Room for one more record. False: the answer is as long as it may get. */
static bool body_grow(struct inquiry *inquiry, struct text *text)
{
    if (text->cap - text->len >= ACCESS_LOG_LINE_MAX + INQUIRY_TAIL)
        return true;
    size_t cap = text->cap == 0 ? 2 * ACCESS_LOG_LINE_MAX : 2 * text->cap;
    char *body = cap <= INQUIRY_ANSWER_BYTES ? realloc(inquiry->body, cap) : NULL;
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
    text_add_format(&text, "{\"v\":1,\"%s\":[\n", inquiry->member);
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
                        (unsigned long long)oldest_begin_ns(oldest, last),
                        (unsigned long long)last->id);
    }
    text_add(&text, SLICE("}\n"));
    oldest_done(oldest);
    struct answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&text), .is_lent = true};
    exchange_answer(inquiry->exchange, &answer);
}

static void inquiry_on_home(struct errand *errand)
{
    struct inquiry *inquiry = inquiry_of(errand);
    inquiry->is_away = false;
    if (inquiry->exchange == NULL) {
        inquiry_free(inquiry);
        return;
    }
    timer_cancel(&inquiry->timer);
    inquiry->answer(inquiry);
}

/* ---- asking ---- */

struct inquiry *inquiry_create(const struct call *call, void (*answer)(struct inquiry *inquiry))
{
    struct admin *admin = call->admin;
    bool is_room = admin->inquiry_count < INQUIRIES;
    struct inquiry *inquiry = is_room ? calloc(1, sizeof(*inquiry)) : NULL;
    if (inquiry == NULL) {
        struct answer busy = {.status = 503};
        call_fail(call->exchange, call->wants_json, &busy, "busy",
                  SLICE("too many inquiries at once; ask again"));
        return NULL;
    }
    admin->inquiry_count++;
    inquiry->admin = admin;
    inquiry->exchange = call->exchange;
    inquiry->wants_json = call->wants_json;
    inquiry->answer = answer;
    link_init(&inquiry->link);
    timer_init(&inquiry->timer, inquiry_time_out);
    return inquiry;
}

void inquiry_send(struct inquiry *inquiry, const struct call *call)
{
    struct loop *loop = call->request->loop;
    list_append(&call->admin->inquiries, &inquiry->link);
    timer_set_in(loop, &inquiry->timer, INQUIRY_LATE_S * NS_PER_S);
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

/* False: one of them is wrong, and the exchange was told. */
static bool read_numbers(const struct call *call, struct inquiry *into, uint64_t *ret_limit)
{
    struct slice value;
    struct answer refusal = {.status = 400};
    const char *word = NULL;
    struct slice message = SLICE_NONE;
    if (!read_after(call, &into->after_ns, &into->after_id)) {
        word = "bad_after";
        message = SLICE("after is what \"next\" of the answer before said");
    } else if (query_find(call->query, SLICE("limit"), &value) &&
               (slice_to_u64(value, INQUIRY_LIMIT, ret_limit) != ST_OK || *ret_limit == 0)) {
        word = "bad_limit";
        message = SLICE("limit is a number from 1 to 1000");
    } else if (query_find(call->query, SLICE("age"), &value) &&
               !filter_read_duration(value, &into->age_ns)) {
        word = "bad_age";
        message = SLICE("age is a duration such as 500ms");
    }
    if (word != NULL)
        call_fail(call->exchange, call->wants_json, &refusal, word, message);
    return word == NULL;
}

void inquiry_list(const struct call *call, const struct inquiry_kind *kind)
{
    uint64_t limit = INQUIRY_LIMIT;
    struct inquiry asked = {.after_ns = 0};
    if (!read_numbers(call, &asked, &limit) || !query_filter(call, &asked.filter))
        return;
    struct inquiry *inquiry = inquiry_create(call, list_answer);
    if (inquiry == NULL)
        return;
    if (oldest_init(&inquiry->oldest, kind->begin, limit) != ST_OK) {
        struct answer answer = {.status = 503};
        inquiry_free(inquiry);
        call_fail(call->exchange, call->wants_json, &answer, "memory", SLICE("out of memory"));
        return;
    }
    inquiry->filter = asked.filter;
    inquiry->after_ns = asked.after_ns;
    inquiry->after_id = asked.after_id;
    inquiry->age_ns = asked.age_ns;
    inquiry->member = kind->member;
    inquiry->errand.visit = kind->visit;
    inquiry_send(inquiry, call);
}
