/* From the newest back, as many as were asked for; then in the order in which they came. One walk, and two forms in
 * which it is written: our own, and HAR.
 *
 *   finds --(enough, or no more)--> writes --(all)--> given to its exchange
 *                                    |   ^
 *                                    `---' (too long: the newer half)
 *
 * The store may be long and the filter costly, and the admin worker has other things to do: a part of it is made in
 * each turn. Records that go meanwhile are missing. */

#include "admin/transactions.h"

#include "admin/lent.h"
#include "base/check.h"
#include "base/clock.h"
#include "http/media.h"
#include "report/access_log.h"
#include "report/har.h"
#include "report/recent.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LIST_DEFAULT = 100,
    LIST_BYTES = 16 << 20,
    LIST_TAIL = 128,
    HAR_BYTES = 16 << 20,
    HAR_IDS = TRANSACTIONS_LIMIT,
    ID_DIGITS = 16,
    LISTING_LATE_S = 10,
};

static_assert((int)TRANSACTION_ROOM > (int)ACCESS_LOG_LINE_MAX, "a line and its number");

void transaction_add(const struct record *record, uint64_t sequence, struct text *into)
{
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    access_log_add(record, &style, into);
    into->len -= sizeof("}\n") - 1;
    text_add_format(into, ",\"seq\":%llu}", (unsigned long long)sequence);
}

enum listing_fate { LISTING_GOES_ON, LISTING_DONE, LISTING_FAILED };

struct listing;

/* How it is written. */
struct form {
    void (*begin)(struct text *into);
    size_t room; /* that one record and the end take */
    void (*add)(struct listing *listing, uint64_t sequence);
    void (*end)(struct listing *listing);
};

/* An answer that is being made. */
struct listing {
    struct link link; /* in admin->listings */
    struct task task;
    struct admin *admin;
    struct loop *loop;
    struct exchange *exchange;
    bool wants_json; /* an error */
    uint64_t begun_ns;
    struct recent *recent;
    struct record *record; /* scratch */
    struct filter filter;
    uint64_t ids[HAR_IDS]; /* of records: these only, where there are some */
    size_t id_count;
    /* What it finds: the newest first. */
    uint64_t at;  /* those from here on were looked at */
    uint64_t end; /* and those before this one are not there */
    uint64_t found[TRANSACTIONS_LIMIT];
    size_t found_count;
    size_t limit;
    bool is_found;
    /* What it writes: the oldest first. */
    const struct form *form;
    size_t left;     /* of what was found */
    uint64_t oldest; /* that is written; 0: none yet */
    struct text text;
    size_t room_max;
};

static bool listing_wants(const struct listing *listing)
{
    bool is_wanted = listing->id_count == 0;
    for (size_t i = 0; i < listing->id_count && !is_wanted; i++)
        is_wanted = listing->ids[i] == listing->record->id;
    return is_wanted && filter_match(&listing->filter, listing->record);
}

/* Room for one more. False: the answer is as long as it may get, or memory is out. */
static bool listing_grow(struct listing *listing, size_t room)
{
    struct text *text = &listing->text;
    if (text->cap - text->len >= room)
        return true;
    size_t cap = text->cap == 0 ? 4 * room : 2 * text->cap;
    cap = cap < listing->room_max ? cap : listing->room_max;
    char *body = cap >= text->len + room ? realloc(text->at, cap) : NULL;
    if (body == NULL)
        return false;
    text->at = body;
    text->cap = cap;
    return true;
}

/* ---- the two forms ---- */

static void list_begin(struct text *into)
{
    text_add(into, SLICE("{\"v\":1,\"transactions\":["));
}

static void list_add(struct listing *listing, uint64_t sequence)
{
    text_add(&listing->text, listing->oldest == 0 ? SLICE("\n") : SLICE(",\n"));
    transaction_add(listing->record, sequence, &listing->text);
}

static void list_end(struct listing *listing)
{
    struct recent_span span = recent_span(listing->recent);
    text_add_format(&listing->text, "\n],\"oldest\":%llu,\"newest\":%llu,\"left_out\":%llu}\n",
                    (unsigned long long)listing->oldest, (unsigned long long)span.newest,
                    (unsigned long long)span.left_out);
}

static const struct form list_form = {list_begin, TRANSACTION_ROOM + LIST_TAIL, list_add, list_end};

static void archive_add(struct listing *listing, uint64_t sequence)
{
    (void)sequence;
    har_add(listing->record, listing->oldest == 0, &listing->text);
}

static void archive_end(struct listing *listing)
{
    har_end(&listing->text);
}

static const struct form har_form = {har_begin, HAR_ENTRY_MAX + HAR_FRAME_MAX, archive_add,
                                     archive_end};

/* ---- making ---- */

/* Look at one more. */
static enum listing_fate listing_find(struct listing *listing)
{
    struct recent_place place;
    listing->is_found = listing->at <= listing->end || listing->found_count == listing->limit ||
                        !recent_get(listing->recent, --listing->at, listing->record, &place);
    if (!listing->is_found && listing_wants(listing))
        listing->found[listing->found_count++] = listing->at;
    return LISTING_GOES_ON;
}

static enum listing_fate listing_begin(struct listing *listing)
{
    listing->left = listing->found_count;
    listing->oldest = 0;
    listing->text.len = 0;
    if (!listing_grow(listing, HAR_ENTRY_MAX + 2 * HAR_FRAME_MAX))
        return LISTING_FAILED;
    listing->form->begin(&listing->text);
    return LISTING_GOES_ON;
}

/* Write one more. Where not all fit the newer half is tried, and so on: what came last is what is asked about. */
static enum listing_fate listing_write(struct listing *listing)
{
    struct recent_place place;
    if (listing->left == 0) {
        listing->form->end(listing);
        return LISTING_DONE;
    }
    uint64_t sequence = listing->found[--listing->left];
    if (!recent_get(listing->recent, sequence, listing->record, &place))
        return LISTING_GOES_ON; /* others had to go meanwhile */
    if (listing_grow(listing, listing->form->room)) {
        listing->form->add(listing, sequence);
        listing->oldest = listing->oldest == 0 ? sequence : listing->oldest;
        return LISTING_GOES_ON;
    }
    if (listing->found_count <= 1)
        return LISTING_FAILED;
    listing->found_count /= 2;
    return listing_begin(listing);
}

static enum listing_fate listing_step(struct listing *listing)
{
    if (listing->is_found)
        return listing_write(listing);
    enum listing_fate fate = listing_find(listing);
    return listing->is_found ? listing_begin(listing) : fate;
}

static void listing_free(struct listing *listing)
{
    if (link_is_linked(&listing->link))
        listing->admin->listing_count--;
    link_remove(&listing->link);
    task_cancel(&listing->task);
    free(listing->text.at);
    free(listing->record);
    free(listing);
}

void transactions_forget(struct admin *admin, const struct exchange *exchange)
{
    LIST_EACH(link, &admin->listings) {
        struct listing *listing = CONTAINER_OF(link, struct listing, link);
        if (listing->exchange == exchange) {
            listing_free(listing);
            return;
        }
    }
}

static void listing_answer(struct listing *listing, enum listing_fate fate)
{
    struct call call = {
        .admin = listing->admin, .exchange = listing->exchange, .wants_json = listing->wants_json};
    struct text text = listing->text;
    if (fate == LISTING_DONE)
        listing->text.at = NULL;
    else
        text.at = NULL;
    listing_free(listing);
    lent_answer(&call, LENT_LONG, MEDIA_JSON, text.at, text.len);
}

static void listing_fail_late(struct listing *listing)
{
    struct answer answer = {.status = 503};
    struct exchange *exchange = listing->exchange;
    bool wants_json = listing->wants_json;
    listing_free(listing);
    call_fail(exchange, wants_json, &answer, "late",
              SLICE("this takes too long; ask for less, or with a simpler filter"));
}

static void listing_run(struct task *task)
{
    struct listing *listing = CONTAINER_OF(task, struct listing, task);
    enum listing_fate fate = LISTING_GOES_ON;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t until_ns = now_ns + CALL_PART_NS;
    if (now_ns - listing->begun_ns >= LISTING_LATE_S * NS_PER_S) {
        listing_fail_late(listing);
        return;
    }
    while (fate == LISTING_GOES_ON && now_ns < until_ns) {
        fate = listing_step(listing);
        now_ns = clock_monotonic_ns();
    }
    if (fate == LISTING_GOES_ON)
        loop_queue_later(listing->loop, &listing->task);
    else
        listing_answer(listing, fate);
}

/* `listing` says what is asked for, and is taken. A short one is answered at once. */
static void listing_start(const struct call *call, struct listing *listing, uint64_t before,
                          const struct form *form)
{
    struct recent_span span = recent_span(call->admin->recent);
    listing->form = form;
    listing->at = before <= span.newest ? before : span.newest + 1;
    listing->end = span.oldest;
    list_append(&call->admin->listings, &listing->link);
    call->admin->listing_count++;
    listing_run(&listing->task);
}

/* ---- asking ---- */

/* What the query asks for, but for "before". NULL: the exchange was told why not. */
static struct listing *listing_create(const struct call *call, uint64_t limit, size_t room_max)
{
    struct slice value;
    struct answer refusal = {.status = 400};
    if (query_find(call->query, SLICE("limit"), &value) &&
        (slice_to_u64(value, TRANSACTIONS_LIMIT, &limit) != ST_OK || limit == 0)) {
        call_fail(call->exchange, call->wants_json, &refusal, "bad_limit",
                  SLICE("limit is a number from 1 to 1000"));
        return NULL;
    }
    struct filter filter;
    if (!query_filter(call, &filter) || !lent_has_room(call, LENT_LONG, call->admin->listing_count))
        return NULL;
    struct listing *listing = calloc(1, sizeof(*listing));
    struct record *record = malloc(sizeof(*record));
    if (listing == NULL || record == NULL) {
        free(listing);
        free(record);
        lent_answer(call, LENT_LONG, NULL, NULL, 0);
        return NULL;
    }
    link_init(&listing->link);
    task_init(&listing->task, listing_run);
    listing->admin = call->admin;
    listing->loop = call->request->loop;
    listing->exchange = call->exchange;
    listing->wants_json = call->wants_json;
    listing->begun_ns = clock_monotonic_ns();
    listing->recent = call->admin->recent;
    listing->record = record;
    listing->filter = filter;
    listing->limit = (size_t)limit;
    listing->room_max = room_max;
    return listing;
}

void transactions_list(const struct call *call)
{
    uint64_t before = UINT64_MAX;
    struct slice value;
    if (query_find(call->query, SLICE("before"), &value) &&
        slice_to_u64(value, UINT64_MAX, &before) != ST_OK) {
        struct answer refusal = {.status = 400};
        call_fail(call->exchange, call->wants_json, &refusal, "bad_before",
                  SLICE("before is the \"seq\" of a transaction"));
        return;
    }
    struct listing *listing = listing_create(call, LIST_DEFAULT, LIST_BYTES);
    if (listing != NULL)
        listing_start(call, listing, before, &list_form);
}

/* "ids=A,B": False: one is no id, or there are too many. */
static bool listing_read_ids(struct listing *listing, struct slice ids)
{
    struct slice id;
    while (slice_next_part(&ids, ',', &id)) {
        if (listing->id_count == HAR_IDS || id.len != ID_DIGITS ||
            slice_hex_to_u64(id, UINT64_MAX, &listing->ids[listing->id_count]) != ST_OK)
            return false;
        listing->id_count++;
    }
    return listing->id_count > 0;
}

void transactions_har(const struct call *call)
{
    struct slice value;
    struct listing *listing = listing_create(call, TRANSACTIONS_LIMIT, HAR_BYTES);
    if (listing == NULL)
        return;
    if (query_find(call->query, SLICE("ids"), &value) && !listing_read_ids(listing, value)) {
        struct answer refusal = {.status = 400};
        listing_free(listing);
        call_fail(call->exchange, call->wants_json, &refusal, "bad_ids",
                  SLICE("ids are up to 1000 of 16 hexadecimal digits, with commas"));
        return;
    }
    listing_start(call, listing, UINT64_MAX, &har_form);
}
