/* From the newest back, as many as were asked for; then in the order in which they came. */

#include "admin/transactions.h"

#include "admin/lent.h"
#include "base/check.h"
#include "report/access_log.h"
#include "report/recent.h"

#include <assert.h>
#include <stdlib.h>

enum { LIST_DEFAULT = 100, LIST_BYTES = 4 << 20, LIST_TAIL = 128 };

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
    uint64_t found[TRANSACTIONS_LIMIT];
    size_t found_count;
    size_t limit;
    struct text text;
};

/* Which ones: the newest first. */
static void listing_find(struct listing *listing, uint64_t before)
{
    struct recent_span span = recent_span(listing->recent);
    uint64_t at = before <= span.newest ? before : span.newest + 1;
    while (at > span.oldest && at > 1 && listing->found_count < listing->limit) {
        struct recent_place place;
        if (!recent_get(listing->recent, --at, listing->record, &place))
            break;
        if (filter_match(&listing->filter, listing->record))
            listing->found[listing->found_count++] = at;
    }
}

/* Room for one more. False: the answer is as long as it may get, or memory is out. */
static bool listing_grow(struct listing *listing)
{
    struct text *text = &listing->text;
    if (text->cap - text->len >= TRANSACTION_ROOM + LIST_TAIL)
        return true;
    size_t cap = text->cap == 0 ? (size_t)4 * TRANSACTION_ROOM : 2 * text->cap;
    char *body = cap <= LIST_BYTES ? realloc(text->at, cap) : NULL;
    if (body == NULL)
        return false;
    text->at = body;
    text->cap = cap;
    return true;
}

/* False: out of memory. Where not all fit the oldest are left out, and "oldest" says how far it goes. */
static bool listing_write(struct listing *listing)
{
    struct text *text = &listing->text;
    uint64_t oldest = 0;
    if (!listing_grow(listing))
        return false;
    text_add(text, SLICE("{\"v\":1,\"transactions\":["));
    for (size_t i = listing->found_count; i > 0; i--) {
        struct recent_place place;
        uint64_t sequence = listing->found[i - 1];
        if (!recent_get(listing->recent, sequence, listing->record, &place))
            continue; /* it had to go meanwhile */
        if (!listing_grow(listing))
            break;
        text_add(text, oldest == 0 ? SLICE("\n") : SLICE(",\n"));
        transaction_add(listing->record, sequence, text);
        oldest = oldest == 0 ? sequence : oldest;
    }
    struct recent_span span = recent_span(listing->recent);
    text_add_format(text, "\n],\"oldest\":%llu,\"newest\":%llu,\"left_out\":%llu}\n",
                    (unsigned long long)oldest, (unsigned long long)span.newest,
                    (unsigned long long)span.left_out);
    return true;
}

static void list_answer(const struct call *call, size_t limit, uint64_t before,
                        const struct filter *filter)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    struct record *record = malloc(sizeof(*record));
    char *body = NULL;
    size_t len = 0;
    if (listing != NULL && record != NULL) {
        listing->recent = call->admin->recent;
        listing->record = record;
        listing->filter = *filter;
        listing->limit = limit;
        listing_find(listing, before);
        if (listing_write(listing)) {
            body = listing->text.at;
            len = listing->text.len;
        } else {
            free(listing->text.at);
        }
    }
    free(listing);
    free(record);
    lent_answer(call, "application/json", body, len);
}

void transactions_list(const struct call *call)
{
    uint64_t limit = LIST_DEFAULT;
    uint64_t before = UINT64_MAX;
    struct slice value;
    struct answer refusal = {.status = 400};
    if (query_find(call->query, SLICE("limit"), &value) &&
        (slice_to_u64(value, TRANSACTIONS_LIMIT, &limit) != ST_OK || limit == 0)) {
        call_fail(call->exchange, call->wants_json, &refusal, "bad_limit",
                  SLICE("limit is a number from 1 to 1000"));
        return;
    }
    if (query_find(call->query, SLICE("before"), &value) &&
        slice_to_u64(value, UINT64_MAX, &before) != ST_OK) {
        call_fail(call->exchange, call->wants_json, &refusal, "bad_before",
                  SLICE("before is the \"seq\" of a transaction"));
        return;
    }
    struct filter filter;
    if (query_filter(call, &filter) && lent_has_room(call))
        list_answer(call, (size_t)limit, before, &filter);
}
