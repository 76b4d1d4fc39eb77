/* From the newest back, as many as were asked for; then in the order in which they came. One walk, and two forms in which
 * it is written: our own, and HAR. */

#include "admin/transactions.h"

#include "admin/lent.h"
#include "base/check.h"
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
};

static_assert((int)TRANSACTION_ROOM > (int)ACCESS_LOG_LINE_MAX, "a line and its number");

void transaction_add(const struct record *record, uint64_t sequence, struct text *into)
{
    struct access_log_style style = {.format = ACCESS_LOG_JSON};
    access_log_add(record, &style, into);
    into->len -= sizeof("}\n") - 1;
    text_add_format(into, ",\"seq\":%llu}", (unsigned long long)sequence);
}

/* An answer that is being made. */
struct listing {
    struct recent *recent;
    struct record *record; /* scratch */
    struct filter filter;
    uint64_t ids[HAR_IDS]; /* of records: these only, where there are some */
    size_t id_count;
    uint64_t found[TRANSACTIONS_LIMIT];
    size_t found_count;
    size_t limit;
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

/* Which ones: the newest first. */
static void listing_find(struct listing *listing, uint64_t before)
{
    struct recent_span span = recent_span(listing->recent);
    uint64_t at = before <= span.newest ? before : span.newest + 1;
    while (at > span.oldest && listing->found_count < listing->limit) {
        struct recent_place place;
        if (!recent_get(listing->recent, --at, listing->record, &place))
            break;
        if (listing_wants(listing))
            listing->found[listing->found_count++] = at;
    }
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

/* The next one behind *left, the oldest first; the number of it. 0: there is none left. */
static uint64_t listing_next(struct listing *listing, size_t *left)
{
    struct recent_place place;
    while (*left > 0) {
        uint64_t sequence = listing->found[--*left];
        if (recent_get(listing->recent, sequence, listing->record, &place))
            return sequence; /* others had to go meanwhile */
    }
    return 0;
}

/* False: not all fit. */
static bool listing_write(struct listing *listing)
{
    struct text *text = &listing->text;
    size_t left = listing->found_count;
    uint64_t oldest = 0;
    text_add(text, SLICE("{\"v\":1,\"transactions\":["));
    uint64_t sequence = listing_next(listing, &left);
    while (sequence != 0 && listing_grow(listing, TRANSACTION_ROOM + LIST_TAIL)) {
        text_add(text, oldest == 0 ? SLICE("\n") : SLICE(",\n"));
        transaction_add(listing->record, sequence, text);
        oldest = oldest == 0 ? sequence : oldest;
        sequence = listing_next(listing, &left);
    }
    struct recent_span span = recent_span(listing->recent);
    text_add_format(text, "\n],\"oldest\":%llu,\"newest\":%llu,\"left_out\":%llu}\n",
                    (unsigned long long)oldest, (unsigned long long)span.newest,
                    (unsigned long long)span.left_out);
    return sequence == 0;
}

/* The same as HAR. */
static bool listing_write_har(struct listing *listing)
{
    size_t left = listing->found_count;
    bool is_first = true;
    har_begin(&listing->text);
    uint64_t sequence = listing_next(listing, &left);
    while (sequence != 0 && listing_grow(listing, HAR_ENTRY_MAX + HAR_FRAME_MAX)) {
        har_add(listing->record, is_first, &listing->text);
        is_first = false;
        sequence = listing_next(listing, &left);
    }
    har_end(&listing->text);
    return sequence == 0;
}

/* Where not all fit the newer half is tried, and so on: what came last is what is asked about. False: out of memory. */
static bool listing_write_newest(struct listing *listing, bool (*write)(struct listing *))
{
    if (!listing_grow(listing, HAR_ENTRY_MAX + 2 * HAR_FRAME_MAX))
        return false;
    while (!write(listing)) {
        if (listing->found_count <= 1)
            return false;
        listing->found_count /= 2;
        listing->text.len = 0;
    }
    return true;
}

/* `listing` is filled but for the scratch, and is freed. */
static void listing_answer(const struct call *call, struct listing *listing, uint64_t before,
                           bool (*write)(struct listing *))
{
    char *body = NULL;
    size_t len = 0;
    listing->recent = call->admin->recent;
    listing->record = malloc(sizeof(*listing->record));
    if (listing->record != NULL) {
        listing_find(listing, before);
        if (listing_write_newest(listing, write)) {
            body = listing->text.at;
            len = listing->text.len;
        } else {
            free(listing->text.at);
        }
    }
    free(listing->record);
    free(listing);
    lent_answer(call, "application/json", body, len);
}

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
    if (!query_filter(call, &filter) || !lent_has_room(call, LENT_AT_ONCE))
        return NULL;
    struct listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        lent_answer(call, NULL, NULL, 0);
        return NULL;
    }
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
        listing_answer(call, listing, before, listing_write);
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
        free(listing);
        call_fail(call->exchange, call->wants_json, &refusal, "bad_ids",
                  SLICE("ids are up to 1000 of 16 hexadecimal digits, with commas"));
        return;
    }
    listing_answer(call, listing, UINT64_MAX, listing_write_har);
}
