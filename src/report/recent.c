/* A ring of bytes for the records, and one of places that says where each lies.
 *
 *     bytes    | 7 ........ | 8 ..... | (unused) |  <- 5 and 6 had to go for 9
 *     places   [5 % n] [6 % n] [7 % n] ...
 *
 *     N1  records with the sequences oldest ... newest are whole, and lie in this order, once around.
 *     N2  a record lies in one piece: what is left at the end of the bytes is not used.
 *
 * One lock, held for the copying of one record: the writer is the recorder, which no request waits for. */

#include "report/recent.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_RECENT = TAG('r', 'c', 'n', 't'),
    RECORD_LEAST = offsetof(struct record, text), /* bytes of the smallest record */
    ALIGNED = 8,
    PER_MS = 4096, /* more than are kept of a millisecond */
};

/* Where a record lies. */
struct place {
    size_t at;
    uint32_t size;
    uint64_t left_out;
};

struct recent {
    uint32_t tag;
    pthread_mutex_t lock; /* of all that follows */
    size_t bytes;
    size_t place_count;
    char *store;
    struct place *places;
    uint64_t first, oldest, newest; /* sequences; newest < oldest: none is there */
    uint64_t left_out;
    /* The present second, as records tell it, and how many were kept of it. */
    uint64_t second;
    unsigned plain_count, notable_count;
};

/* ---- life ---- */

uint64_t recent_first(uint64_t wall_ns)
{
    return wall_ns / NS_PER_MS * PER_MS;
}

struct recent *recent_create(size_t bytes, uint64_t first)
{
    CHECK(bytes >= RECENT_BYTES_MIN && first > 0);
    struct recent *recent = calloc(1, sizeof(*recent));
    if (recent == NULL)
        return NULL;
    recent->tag = TAG_RECENT;
    recent->bytes = bytes;
    recent->first = recent->oldest = first;
    recent->newest = first - 1;
    recent->place_count = bytes / RECORD_LEAST + 1;
    (void)pthread_mutex_init(&recent->lock, NULL); /* a plain one cannot fail */
    recent->store = malloc(bytes);
    recent->places = calloc(recent->place_count, sizeof(struct place));
    if (recent->store == NULL || recent->places == NULL)
        recent_destroy(&recent);
    return recent;
}

void recent_destroy(struct recent **recent)
{
    struct recent *old = *recent;
    if (old == NULL)
        return;
    CHECK_TAG(old, TAG_RECENT);
    *recent = NULL;
    (void)pthread_mutex_destroy(&old->lock);
    free(old->store);
    free(old->places);
    old->tag = 0;
    free(old);
}

/* ---- writing ---- */

/* Worth a place of its own where there are too many. */
static bool record_is_notable(const struct record *record)
{
    uint64_t total_ns = 0;
    bool is_slow = record->kind != RECORD_TUNNEL &&
                   timeline_phase(&record->timeline, PHASE_TOTAL, &total_ns) &&
                   total_ns >= NS_PER_S;
    return is_slow || record->cause.len > 0 || record->would_deny.len > 0;
}

/* When it was made: the last thing that it tells of. */
static uint64_t record_second(const struct record *record)
{
    uint64_t end_ns = record->timeline.at_ns[MARK_X_END];
    if (record->is_in_progress)
        end_ns = record->now_ns;
    return (end_ns != 0 ? end_ns : record->timeline.base_ns) / NS_PER_S;
}

static bool recent_has_place(struct recent *recent, const struct record *record)
{
    uint64_t second = record_second(record);
    if (second > recent->second) { /* those of several workers are not in order */
        recent->second = second;
        recent->plain_count = recent->notable_count = 0;
    }
    if (recent->plain_count < RECENT_PLAIN_MAX) {
        recent->plain_count++;
        return true;
    }
    if (recent->notable_count == RECENT_NOTABLE_MAX || !record_is_notable(record))
        return false;
    recent->notable_count++;
    return true;
}

static struct place *recent_place(const struct recent *recent, uint64_t sequence)
{
    return &recent->places[sequence % recent->place_count];
}

/* Let records go until `size` bytes in one piece are free; where they begin (N2). */
static size_t recent_make_room(struct recent *recent, size_t size)
{
    size_t at = 0;
    bool is_empty = recent->newest < recent->oldest;
    if (!is_empty) {
        const struct place *last = recent_place(recent, recent->newest);
        at = last->at + (last->size + ALIGNED - 1) / ALIGNED * ALIGNED;
    }
    bool wraps = at + size > recent->bytes;
    while (!is_empty && recent->oldest < recent->newest) {
        const struct place *first = recent_place(recent, recent->oldest);
        bool is_behind = first->at >= at; /* it was written the last time around */
        bool is_in_way = wraps ? is_behind || first->at < size : is_behind && first->at < at + size;
        bool is_place_taken = recent->newest - recent->oldest + 2 > recent->place_count;
        if (!is_in_way && !is_place_taken)
            break;
        recent->oldest++;
    }
    return wraps ? 0 : at;
}

void recent_put(struct recent *recent, const struct record *record)
{
    CHECK_TAG(recent, TAG_RECENT);
    (void)pthread_mutex_lock(&recent->lock);
    if (recent_has_place(recent, record)) {
        size_t at = recent_make_room(recent, record->size);
        recent->newest++;
        *recent_place(recent, recent->newest) = (struct place){at, record->size, recent->left_out};
        memcpy(recent->store + at, record, record->size);
    } else {
        recent->left_out++;
    }
    (void)pthread_mutex_unlock(&recent->lock);
}

/* ---- reading ---- */

struct recent_span recent_span(struct recent *recent)
{
    CHECK_TAG(recent, TAG_RECENT);
    (void)pthread_mutex_lock(&recent->lock);
    struct recent_span span = {recent->first, recent->oldest, recent->newest, recent->left_out};
    (void)pthread_mutex_unlock(&recent->lock);
    return span;
}

bool recent_get(struct recent *recent, uint64_t sequence, struct record *into,
                struct recent_place *ret_place)
{
    CHECK_TAG(recent, TAG_RECENT);
    (void)pthread_mutex_lock(&recent->lock);
    bool is_there = sequence >= recent->oldest && sequence <= recent->newest;
    if (is_there) {
        const struct place *place = recent_place(recent, sequence);
        memcpy(into, recent->store + place->at, place->size);
        *ret_place = (struct recent_place){sequence, place->left_out};
    }
    (void)pthread_mutex_unlock(&recent->lock);
    return is_there;
}
