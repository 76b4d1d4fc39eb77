/* An inquiry goes round the workers as an errand and answers its exchange when it is home again.
 *
 *   asked --(lists: the one before is home)--> away --(home)--> answered, freed
 *     |                                         |
 *     `--(the exchange ends)--> freed           `--(the exchange ends, or late: 503)--> orphan --(home)--> freed
 *
 * An orphan stops at whoever has it and is freed at home: a late answer finds nobody to give itself to.
 *
 * What a list costs is paid by workers that forward, whatever filter somebody thought of. So a visit ends after LOOK_NS
 * of processor time, and the answer tells where to go on; one list at a time goes round; and none sets out before the
 * workers had REST times as long for themselves as the longest visit of the one before. Work in smaller parts was
 * considered: what a worker has changes between two turns, so a place in the middle of it is hard to keep, and the
 * whole would cost as much.
 *
 * Memory: an inquiry keeps at most `limit` records while it is asked, and gives at most INQUIRY_ANSWER_BYTES of text to
 * lent.c, which bounds what clients have not taken yet; there are at most INQUIRIES lists at once, and as many of all
 * kinds as leave some for changes. */

#include "admin/inquiry.h"

#include "admin/lent.h"
#include "base/check.h"
#include "base/clock.h"
#include "http/media.h"
#include "report/access_log.h"

#include <stdlib.h>

enum {
    INQUIRIES = 8,
    INQUIRIES_RESERVED = 4, /* for changes, beyond those */
    INQUIRY_ANSWER_BYTES = 4 << 20,
    INQUIRY_LATE_S = 5,
    INQUIRY_TAIL = 96, /* what stands behind the list */
    WALK_STEPS = 256,  /* between two looks at the clock */
    REST = 4,
};

#define LOOK_NS (5 * NS_PER_MS)
#define WALK_NS (20 * NS_PER_MS)

static void inquiry_free(struct inquiry *inquiry)
{
    timer_cancel(&inquiry->timer);
    link_remove(&inquiry->link);
    link_remove(&inquiry->line_link);
    oldest_done(&inquiry->oldest);
    free(inquiry->scratch);
    inquiry->admin->inquiry_count--;
    free(inquiry);
}

/* Nobody waits for it any more. */
static void inquiry_orphan(struct inquiry *inquiry)
{
    inquiry->exchange = NULL;
    atomic_store_explicit(&inquiry->is_orphan, true, memory_order_relaxed);
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

/* Does `place` stand behind `other`? */
static bool place_is_behind(struct inquiry_place place, struct inquiry_place other)
{
    return place.begin_ns == other.begin_ns ? place.id > other.id : place.begin_ns > other.begin_ns;
}

bool inquiry_wants(const struct inquiry *inquiry, struct inquiry_place place, uint64_t now_ns)
{
    bool is_old = inquiry->age_ns == 0 ||
                  (now_ns >= place.begin_ns && now_ns - place.begin_ns >= inquiry->age_ns);
    return is_old && place_is_behind(place, inquiry->after) &&
           !place_is_behind(place, inquiry->seen);
}

static bool inquiry_is_orphan(struct inquiry *inquiry)
{
    return atomic_load_explicit(&inquiry->is_orphan, memory_order_relaxed);
}

bool inquiry_walks_on(struct inquiry *inquiry, unsigned *steps)
{
    if (++*steps % WALK_STEPS != 0)
        return true;
    if (!stint_is_over(&inquiry->walk, clock_monotonic_ns()) && !inquiry_is_orphan(inquiry))
        return true;
    inquiry->is_blind = true;
    return false;
}

bool inquiry_looks_on(struct inquiry *inquiry, struct inquiry_place place)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (!inquiry->has_looked)
        stint_begin(&inquiry->look, now_ns, LOOK_NS);
    inquiry->has_looked = true;
    if (!stint_is_over(&inquiry->look, now_ns) && !inquiry_is_orphan(inquiry))
        return true;
    inquiry_end_at(inquiry, place);
    return false;
}

void inquiry_end_at(struct inquiry *inquiry, struct inquiry_place place)
{
    if (place_is_behind(inquiry->seen, place))
        inquiry->seen = place;
}

static bool list_visit(struct errand *errand, struct proxy *proxy)
{
    struct inquiry *inquiry = inquiry_of(errand);
    uint64_t now_ns = clock_monotonic_ns();
    if (inquiry_is_orphan(inquiry))
        return false;
    stint_begin(&inquiry->walk, now_ns, WALK_NS);
    inquiry->has_looked = false;
    inquiry->kind->visit(inquiry, proxy, now_ns);
    uint64_t took_ns = clock_monotonic_ns() - now_ns;
    if (took_ns > inquiry->longest_ns)
        inquiry->longest_ns = took_ns;
    return true;
}

/* ---- home again ---- */

/* The answer to a list while it is written. */
struct page {
    struct text text; /* malloc'd */
    size_t listed;
    bool is_full;
};

/* Room for one more record. False: the answer is as long as it may get. */
static bool page_grow(struct page *page)
{
    struct text *text = &page->text;
    if (text->cap - text->len >= ACCESS_LOG_LINE_MAX + INQUIRY_TAIL)
        return true;
    size_t cap = text->cap == 0 ? 2 * ACCESS_LOG_LINE_MAX : 2 * text->cap;
    char *body = cap <= INQUIRY_ANSWER_BYTES ? realloc(text->at, cap) : NULL;
    if (body == NULL)
        return false;
    text->at = body;
    text->cap = cap;
    return true;
}

static struct inquiry_place place_of(const struct oldest *oldest, size_t index)
{
    const struct record *record = oldest_at(oldest, index);
    return (struct inquiry_place){oldest_begin_ns(oldest, record), record->id};
}

/* What is listed: nothing behind that what not all workers have looked at. */
static void page_add_records(struct page *page, const struct inquiry *inquiry)
{
    const struct oldest *oldest = &inquiry->oldest;
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    for (; page->listed < oldest->least.count; page->listed++) {
        if (place_is_behind(place_of(oldest, page->listed), inquiry->seen))
            return;
        if (!page_grow(page)) {
            page->is_full = true;
            return;
        }
        if (page->listed > 0)
            text_add_char(&page->text, ',');
        access_log_add(oldest_at(oldest, page->listed), &style, &page->text);
    }
}

/* Whether there is more, and behind which place: the last one that is listed, or that was looked at. */
static void page_add_rest(struct page *page, const struct inquiry *inquiry)
{
    const struct oldest *oldest = &inquiry->oldest;
    bool is_dropped = page->listed < oldest->least.count;
    bool is_short = inquiry->seen.begin_ns != UINT64_MAX;
    bool is_at_last = page->is_full || (oldest->is_cut && !is_dropped);
    bool is_cut = is_at_last || is_short || inquiry->is_blind;
    text_add_format(&page->text, "],\"truncated\":%s", is_cut ? "true" : "false");
    struct inquiry_place next =
        is_at_last && page->listed > 0 ? place_of(oldest, page->listed - 1) : inquiry->seen;
    if (is_cut && !inquiry->is_blind)
        text_add_format(&page->text, ",\"next\":\"%016llx-%016llx\"",
                        (unsigned long long)next.begin_ns, (unsigned long long)next.id);
    text_add(&page->text, SLICE("}\n"));
}

static void list_answer(struct inquiry *inquiry)
{
    struct page page = {.text = text_on(NULL, 0)};
    struct call call = {
        .admin = inquiry->admin, .exchange = inquiry->exchange, .wants_json = inquiry->wants_json};
    if (page_grow(&page)) {
        oldest_sort(&inquiry->oldest);
        text_add_format(&page.text, "{\"v\":1,\"%s\":[\n", inquiry->kind->member);
        page_add_records(&page, inquiry);
        page_add_rest(&page, inquiry);
    }
    lent_answer(&call, LENT_LISTS, MEDIA_JSON, page.text.at, page.text.len);
}

static void list_set_out(struct admin *admin);

static void inquiry_on_home(struct errand *errand)
{
    struct inquiry *inquiry = inquiry_of(errand);
    struct admin *admin = inquiry->admin;
    if (inquiry->kind != NULL) {
        uint64_t rest_ns = REST * inquiry->longest_ns;
        admin->is_list_away = false;
        if (rest_ns >= NS_PER_MS)
            timer_set(errand->home, &admin->list_rest, clock_monotonic_ns() + rest_ns);
    }
    inquiry->is_away = false;
    timer_cancel(&inquiry->timer);
    if (inquiry->exchange != NULL)
        inquiry->answer(inquiry);
    inquiry_free(inquiry);
    list_set_out(admin);
}

/* ---- asking ---- */

/* `kind` NULL: a change. */
static struct inquiry *create(const struct call *call, const struct inquiry_kind *kind,
                              void (*answer)(struct inquiry *inquiry))
{
    struct admin *admin = call->admin;
    size_t most = kind != NULL ? INQUIRIES : INQUIRIES + INQUIRIES_RESERVED;
    bool is_room = admin->inquiry_count < most;
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
    inquiry->kind = kind;
    inquiry->answer = answer;
    inquiry->errand.home = call->request->loop;
    inquiry->errand.on_home = inquiry_on_home;
    atomic_init(&inquiry->is_orphan, false);
    link_init(&inquiry->link);
    link_init(&inquiry->line_link);
    timer_init(&inquiry->timer, inquiry_time_out);
    return inquiry;
}

struct inquiry *inquiry_create(const struct call *call, void (*answer)(struct inquiry *inquiry))
{
    return create(call, NULL, answer);
}

static void set_out(struct inquiry *inquiry)
{
    inquiry->is_away = true;
    errand_send(&inquiry->admin->errands, &inquiry->errand, inquiry->errand.home);
}

/* The next list, where none is away and the workers have rested. */
static void list_set_out(struct admin *admin)
{
    struct link *first = list_first(&admin->list_line);
    if (first == NULL || admin->is_list_away || timer_is_set(&admin->list_rest))
        return;
    link_remove(first);
    admin->is_list_away = true;
    set_out(CONTAINER_OF(first, struct inquiry, line_link));
}

static void list_rest_over(struct timer *timer)
{
    list_set_out(CONTAINER_OF(timer, struct admin, list_rest));
}

void inquiry_init(struct admin *admin)
{
    link_init(&admin->inquiries);
    link_init(&admin->list_line);
    timer_init(&admin->list_rest, list_rest_over);
}

void inquiry_send(struct inquiry *inquiry, const struct call *call)
{
    struct admin *admin = call->admin;
    list_append(&admin->inquiries, &inquiry->link);
    timer_set_in(call->request->loop, &inquiry->timer, INQUIRY_LATE_S * NS_PER_S);
    if (inquiry->kind == NULL) {
        set_out(inquiry);
        return;
    }
    list_append(&admin->list_line, &inquiry->line_link);
    list_set_out(admin);
}

/* What "next" said: two numbers of 16 hexadecimal digits. True where nothing was said, too. */
static bool read_after(const struct call *call, struct inquiry_place *ret_after)
{
    struct slice value;
    if (!query_find(call->query, SLICE("after"), &value))
        return true;
    return value.len == 33 && value.at[16] == '-' &&
           slice_hex_to_u64(slice_first(value, 16), UINT64_MAX, &ret_after->begin_ns) == ST_OK &&
           slice_hex_to_u64(slice_from(value, 17), UINT64_MAX, &ret_after->id) == ST_OK;
}

/* False: one of them is wrong, and the exchange was told. */
static bool read_numbers(const struct call *call, struct inquiry *into, uint64_t *ret_limit)
{
    struct slice value;
    struct answer refusal = {.status = 400};
    const char *word = NULL;
    struct slice message = SLICE_NONE;
    if (!read_after(call, &into->after)) {
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
    struct inquiry asked = {.age_ns = 0};
    if (!read_numbers(call, &asked, &limit) || !query_filter(call, &asked.filter) ||
        !lent_has_room(call, LENT_LISTS, 0))
        return;
    struct inquiry *inquiry = create(call, kind, list_answer);
    if (inquiry == NULL)
        return;
    if (kind->scratch_bytes > 0)
        inquiry->scratch = malloc(kind->scratch_bytes);
    bool is_short = kind->scratch_bytes > 0 && inquiry->scratch == NULL;
    if (is_short || oldest_init(&inquiry->oldest, kind->begin, limit) != ST_OK) {
        struct answer answer = {.status = 503};
        inquiry_free(inquiry);
        call_fail(call->exchange, call->wants_json, &answer, "memory", SLICE("out of memory"));
        return;
    }
    inquiry->filter = asked.filter;
    inquiry->after = asked.after;
    inquiry->age_ns = asked.age_ns;
    inquiry->seen = (struct inquiry_place){UINT64_MAX, UINT64_MAX};
    inquiry->errand.visit = list_visit;
    inquiry_send(inquiry, call);
}
