/* Each stream has a place in the store of recent records and reads on from there when its client has taken what it was
 * given. So a slow client costs its buffer and nothing more: what the store has no more when it comes back is counted
 * and told to it.
 *
 *   events_follow --> waiting --(the tick)--> asked for a piece --> waiting ... --(the client goes)--> gone
 *
 * Records come from another thread, so nobody is woken for one: one timer asks all streams ten times a second, which is
 * as often as a person can see. It runs only while there are streams. A drain goes on to be told; streams end with the
 * process. One that has much to read, with a costly filter, reads a part of it and goes on in a later turn. */

#include "admin/events.h"

#include "admin/transactions.h"
#include "base/check.h"
#include "base/clock.h"
#include "report/recent.h"

#include <stdlib.h>

enum {
    TICK_MS = 100,
    KEEP_ALIVE_TICKS = 50,
    BUFFER_BYTES = 128 * 1024,
    EVENT_ROOM = TRANSACTION_ROOM + 128,
};

struct event_stream {
    struct answer_source source;
    struct link link; /* in admin->streams */
    struct admin *admin;
    struct exchange *exchange;
    uint64_t read; /* sequence of the last record that was looked at */
    /* As the store counted when that was kept; UINT64_MAX: it is not in the store any more, so that is not known. */
    uint64_t left_out;
    uint64_t untold; /* left out, and not said yet */
    uint64_t second; /* of the overview, told last */
    unsigned quiet_ticks;
    struct filter filter;
    struct task task;      /* queued: it has read its part of a turn, and asks for the next one */
    uint64_t turn;         /* of the loop, */
    uint64_t until_ns;     /* in which it reads so long */
    struct record *record; /* scratch */
    char *buffer;
    struct text text; /* on it: the piece that is being made */
};

static void stream_free(struct event_stream *stream)
{
    link_remove(&stream->link);
    task_cancel(&stream->task);
    free(stream->record);
    free(stream->buffer);
    free(stream);
}

void events_forget(struct admin *admin, const struct exchange *exchange)
{
    LIST_EACH(link, &admin->streams) {
        struct event_stream *stream = CONTAINER_OF(link, struct event_stream, link);
        if (stream->exchange != exchange)
            continue;
        stream_free(stream);
        if (list_is_empty(&admin->streams))
            timer_cancel(&admin->tick);
        return;
    }
}

/* ---- what is said ---- */

static void add_hello(struct event_stream *stream, const struct recent_span *span)
{
    text_add_format(&stream->text,
                    "event: hello\ndata: {\"v\":1,\"version\":\"" FAIRLEAD_VERSION
                    "\",\"seq\":%llu,\"wall_ms\":%llu}\n\n",
                    (unsigned long long)span->newest,
                    (unsigned long long)(clock_wall_ns() / NS_PER_MS));
}

static void add_left_out(struct event_stream *stream)
{
    if (stream->untold == 0)
        return;
    text_add_format(&stream->text, "event: left_out\ndata: {\"count\":%llu}\n\n",
                    (unsigned long long)stream->untold);
    stream->untold = 0;
}

static void add_transaction(struct event_stream *stream, uint64_t sequence)
{
    text_add_format(&stream->text,
                    "event: transaction\nid: %llu\ndata: ", (unsigned long long)sequence);
    transaction_add(stream->record, sequence, &stream->text);
    text_add(&stream->text, SLICE("\n\n"));
}

/* The next record that is there. False: none has come. */
static bool stream_read(struct event_stream *stream, uint64_t *ret_sequence)
{
    struct recent *recent = stream->admin->recent;
    struct recent_span span = recent_span(recent);
    struct recent_place place;
    uint64_t next = stream->read + 1;
    if (next > span.newest)
        return false;
    if (next < span.oldest) {
        stream->untold += span.oldest - next;
        next = span.oldest;
    }
    if (!recent_get(recent, next, stream->record, &place))
        return false; /* it has just gone; the next look counts it */
    stream->read = next;
    if (stream->left_out != UINT64_MAX)
        stream->untold += place.left_out - stream->left_out;
    stream->left_out = place.left_out;
    *ret_sequence = next;
    return true;
}

static void stream_go_on(struct task *task)
{
    exchange_go_on(CONTAINER_OF(task, struct event_stream, task)->exchange);
}

/* As much as there is room for, and time. */
static void stream_read_on(struct event_stream *stream)
{
    struct loop *loop = stream->admin->tick_loop;
    uint64_t sequence = 0;
    if (stream->turn != loop_turn_count(loop)) {
        stream->turn = loop_turn_count(loop);
        stream->until_ns = clock_monotonic_ns() + CALL_PART_NS;
    }
    while (stream->text.cap - stream->text.len >= EVENT_ROOM && stream_read(stream, &sequence)) {
        if (filter_match(&stream->filter, stream->record)) {
            add_left_out(stream);
            add_transaction(stream, sequence);
        }
        if (clock_monotonic_ns() >= stream->until_ns) {
            loop_queue_later(loop, &stream->task);
            return;
        }
    }
}

/* Once a second, where anything happened in it. */
static void add_second(struct event_stream *stream)
{
    uint64_t second = overview_second();
    struct text *text = &stream->text;
    size_t before = text->len;
    if (second == stream->second || text->cap - before < OVERVIEW_SPAN_ROOM + 64)
        return;
    stream->second = second;
    text_add(text, SLICE("event: overview\ndata: "));
    if (overview_add_second(stream->admin->overview, text))
        text_add(text, SLICE("\n\n"));
    else
        text->len = before;
}

static enum status stream_next(struct answer_source *source, struct slice *ret_piece)
{
    struct event_stream *stream = CONTAINER_OF(source, struct event_stream, source);
    stream->text.len = 0;
    if (link_is_linked(&stream->task.link))
        return ST_AGAIN;
    stream_read_on(stream);
    add_left_out(stream);
    add_second(stream);
    if (stream->text.len == 0 && stream->quiet_ticks >= KEEP_ALIVE_TICKS)
        text_add(&stream->text, SLICE(": nothing new\n\n"));
    if (stream->text.len == 0)
        return ST_AGAIN;
    stream->quiet_ticks = 0;
    *ret_piece = text_slice(&stream->text);
    return ST_OK;
}

static void events_tick(struct timer *timer)
{
    struct admin *admin = CONTAINER_OF(timer, struct admin, tick);
    LIST_EACH(link, &admin->streams) {
        struct event_stream *stream = CONTAINER_OF(link, struct event_stream, link);
        stream->quiet_ticks++;
        exchange_go_on(stream->exchange);
    }
    timer_set_in(admin->tick_loop, &admin->tick, TICK_MS * NS_PER_MS);
}

/* ---- beginning ---- */

/* Where it begins. False: `after` is no number. */
static bool read_after(const struct call *call, const struct recent_span *span, uint64_t *ret_after)
{
    struct slice value;
    *ret_after = span->newest;
    if (!query_find(call->query, SLICE("after"), &value))
        return true;
    if (slice_to_u64(value, UINT64_MAX, ret_after) != ST_OK)
        return false;
    if (*ret_after >= span->first - 1 && *ret_after <= span->newest)
        return true;
    /* Of a process that is no more: all that this one has is news. Its clock may have been ahead. */
    *ret_after = *ret_after < span->first ? span->first - 1 : span->newest;
    return true;
}

/* NULL: too many, or no memory, and the exchange was told. */
static struct event_stream *stream_create(const struct call *call)
{
    struct event_stream *stream = NULL;
    size_t count = 0;
    LIST_EACH(link, &call->admin->streams)
        count++;
    if (count < EVENTS_STREAMS)
        stream = calloc(1, sizeof(*stream));
    if (stream != NULL) {
        link_init(&stream->link);
        task_init(&stream->task, stream_go_on);
        stream->record = malloc(sizeof(*stream->record));
        stream->buffer = malloc(BUFFER_BYTES);
    }
    if (stream != NULL && stream->record != NULL && stream->buffer != NULL)
        return stream;
    if (stream != NULL)
        stream_free(stream);
    struct answer answer = {.status = 503};
    call_fail(call->exchange, call->wants_json, &answer, "busy",
              SLICE("too many follow the events already"));
    return NULL;
}

/* What was left out before the record that it begins behind. */
static uint64_t stream_left_out(struct event_stream *stream, const struct recent_span *span)
{
    struct recent_place place;
    if (stream->read == span->newest)
        return span->left_out;
    if (recent_get(stream->admin->recent, stream->read, stream->record, &place))
        return place.left_out;
    return UINT64_MAX;
}

void events_follow(const struct call *call)
{
    struct admin *admin = call->admin;
    struct recent_span span = recent_span(admin->recent);
    uint64_t after = 0;
    if (!read_after(call, &span, &after)) {
        struct answer answer = {.status = 400};
        call_fail(call->exchange, call->wants_json, &answer, "bad_after",
                  SLICE("after is the \"seq\" of a transaction"));
        return;
    }
    struct filter filter;
    struct event_stream *stream = query_filter(call, &filter) ? stream_create(call) : NULL;
    if (stream == NULL)
        return;
    stream->filter = filter;
    stream->source.next = stream_next;
    stream->admin = admin;
    stream->exchange = call->exchange;
    stream->text = text_on(stream->buffer, BUFFER_BYTES);
    stream->read = after;
    stream->second = overview_second();
    stream->turn = UINT64_MAX;
    stream->left_out = stream_left_out(stream, &span);
    add_hello(stream, &span);
    if (list_is_empty(&admin->streams)) {
        admin->tick_loop = call->request->loop;
        timer_set_in(admin->tick_loop, &admin->tick, TICK_MS * NS_PER_MS);
    }
    list_append(&admin->streams, &stream->link);
    struct answer answer = {.status = 200,
                            .type = "text/event-stream",
                            .body = text_slice(&stream->text),
                            .source = &stream->source};
    exchange_answer(call->exchange, &answer);
}

void events_init(struct admin *admin)
{
    link_init(&admin->streams);
    timer_init(&admin->tick, events_tick);
}
