/* Marks, attempts and what else of a line of the JSON log is counted from its base, read back. The base may stand
 * behind them: until it is known they are kept as views. */

#include "report/record_json_internal.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

enum {
    ERRNO_MAX = 200, /* no machine has more */
    ERRNO_NAMELESS = 4095,
};

/* Microseconds from the base, negative before it; kept as monotonic time. */
static bool mark_into(struct reader *reader, const struct json_value *value, uint64_t *ret_at_ns)
{
    struct json_value size = *value;
    uint64_t base_ns = reader->record->timeline.base_ns;
    uint64_t us = 0;
    bool is_before = value->kind == JSON_NUMBER && value->raw.at[0] == '-';
    if (is_before)
        size.raw = slice_from(size.raw, 1);
    if (!reader_number(reader, &size, RECORD_OFFSET_MAX_US, &us))
        return false;
    if (is_before && us * NS_PER_US >= base_ns)
        return reader_fail(reader, "that is before the clock began");
    uint64_t at_ns = is_before ? base_ns - us * NS_PER_US : base_ns + us * NS_PER_US;
    *ret_at_ns = at_ns != 0 ? at_ns : 1; /* a mark at 0 would be none */
    return true;
}

bool reader_marks(struct reader *reader)
{
    static const char *const words[MARK_COUNT] = {
#define X(name, word, meaning) [MARK_##name] = word,
        TIMELINE_MARKS(X)
#undef X
    };
    struct json_value part;
    uint64_t *at_ns = reader->record->timeline.at_ns;
    while (json_next_member(&reader->marks, &reader->member, &part)) {
        size_t mark = 0;
        while (mark < MARK_COUNT && !slice_equals(reader->member, slice_from_string(words[mark])))
            mark++;
        reader->at = part.raw.at;
        if (mark == MARK_COUNT)
            continue;
        if (at_ns[mark] != 0)
            return reader_fail(reader, "it stands there twice");
        if (!mark_into(reader, &part, &at_ns[mark]))
            return false;
    }
    return true;
}

/* The number of an error by its name; one without a name where it has none. */
static int errno_of(struct slice name)
{
    for (int number = 1; number < ERRNO_MAX; number++) {
        const char *known = strerrorname_np(number);
        if (known != NULL && slice_equals(name, slice_from_string(known)))
            return number;
    }
    return ERRNO_NAMELESS;
}

static bool read_result(struct reader *reader, const struct json_value *value, int *ret_error)
{
    static const char *const words[] = {"connected", "failed", "cancelled", "refused", "trying"};
    static const int errors[] = {0, ERRNO_NAMELESS, ECANCELED, EACCES, EINPROGRESS};
    uint8_t number = 0;
    if (!reader_word(reader, value, words, COUNT_OF(words), &number))
        return false;
    *ret_error = errors[number];
    return true;
}

static bool read_attempt(struct reader *reader, struct json_value value,
                         struct record_attempt *attempt)
{
    struct json_value part;
    struct slice error = SLICE_NONE;
    bool has_result = false;
    while (json_next_member(&value, &reader->member, &part)) {
        struct slice key = reader->member;
        bool is_good = true;
        reader->at = part.raw.at;
        if (slice_equals(key, SLICE("peer")))
            is_good = reader_endpoint(reader, &part, &attempt->peer);
        else if (slice_equals(key, SLICE("begin_us")))
            is_good = mark_into(reader, &part, &attempt->begin_ns);
        else if (slice_equals(key, SLICE("end_us")))
            is_good = mark_into(reader, &part, &attempt->end_ns);
        else if (slice_equals(key, SLICE("error")))
            error = part.raw;
        else if (slice_equals(key, SLICE("result")))
            is_good = has_result = read_result(reader, &part, &attempt->os_error);
        if (!is_good)
            return false;
    }
    if (attempt->os_error == ERRNO_NAMELESS && error.len > 0)
        attempt->os_error = errno_of(error);
    return has_result || reader_fail(reader, "its result is missing");
}

bool reader_attempts(struct reader *reader)
{
    struct json_value part;
    struct record *record = reader->record;
    while (json_next_element(&reader->attempts, &part)) {
        reader->member = SLICE("attempts");
        reader->at = part.raw.at;
        if (record->attempt_count == RECORD_ATTEMPTS_MAX)
            return reader_fail(reader, "more of them than a record holds");
        if (part.kind != JSON_OBJECT)
            return reader_fail(reader, "an object is expected");
        if (!read_attempt(reader, part, &record->attempts[record->attempt_count]))
            return false;
        record->attempt_count++;
    }
    return true;
}

/* What passed since the record before is kept as what had passed by then. */
bool reader_since(struct reader *reader)
{
    struct json_value part;
    uint64_t up_bytes = 0;
    uint64_t down_bytes = 0;
    struct record *record = reader->record;
    while (json_next_member(&reader->since, &reader->member, &part)) {
        bool is_good = true;
        reader->at = part.raw.at;
        if (slice_equals(reader->member, SLICE("at_us")))
            is_good = mark_into(reader, &part, &record->told_ns);
        else if (slice_equals(reader->member, SLICE("request_body")))
            is_good = reader_u64(reader, &part, &up_bytes);
        else if (slice_equals(reader->member, SLICE("response_body")))
            is_good = reader_u64(reader, &part, &down_bytes);
        if (!is_good)
            return false;
    }
    if (up_bytes > record->request_body_bytes || down_bytes > record->response_body_bytes)
        return reader_fail(reader, "more than passed in all");
    record->told_up_bytes = record->request_body_bytes - up_bytes;
    record->told_down_bytes = record->response_body_bytes - down_bytes;
    return true;
}

bool reader_now(struct reader *reader)
{
    reader->member = SLICE("now_us");
    reader->at = reader->now.raw.at;
    return reader->now.raw.len == 0 || mark_into(reader, &reader->now, &reader->record->now_ns);
}

bool reader_keep_now(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* it has its own */
    reader->now = *value;
    return value->kind == JSON_NUMBER || reader_fail(reader, "a whole number is expected");
}

bool reader_keep_since(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* its members have their own */
    reader->since = *value;
    return value->kind == JSON_OBJECT || reader_fail(reader, "an object is expected");
}

bool reader_keep_marks(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* each mark has its own */
    reader->marks = *value;
    return value->kind == JSON_OBJECT || reader_fail(reader, "an object is expected");
}

bool reader_keep_attempts(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* each attempt has its own */
    reader->attempts = *value;
    return value->kind == JSON_ARRAY || reader_fail(reader, "a list is expected");
}
