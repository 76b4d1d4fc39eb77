/* Each object of a line has a table: the name of a member, who reads it, and where it goes. What a mark is can only be
 * said when the base is known, so marks and attempts are kept as views and read at the end.
 *
 * A member that comes twice makes the line a bad one: which of the two counts would be the choice of whoever forged it. */

#include "report/record_json_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "report/tls_cipher.h"

#include <errno.h>
#include <time.h>

enum {
    LINE_VERSION = 1,
    MEMBERS_MAX = 64,
    ERRNO_MAX = 200, /* no machine has more */
    ERRNO_NAMELESS = 4095,
};

/* A base, and a mark from it, stay within these, so that no sum of theirs wraps around. */
static const uint64_t base_max_ns = UINT64_C(1) << 62;
static const uint64_t offset_max_us = UINT64_C(1) << 51;

struct member {
    struct slice name;
    bool (*read)(struct reader *reader, const struct json_value *value, void *place);
    size_t place; /* in the record */
};

/* What reads no place of its own gets the record. */
#define MEMBER(name, reader, field)                                      \
    {                                                                    \
        {name, sizeof(name) - 1}, reader, offsetof(struct record, field) \
    }
#define PART(name, reader)                  \
    {                                       \
        {name, sizeof(name) - 1}, reader, 0 \
    }

bool reader_fail(struct reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

/* ---- Values ---- */

static bool text_into(struct reader *reader, const struct json_value *value, char *room, size_t cap,
                      struct slice *ret_text)
{
    enum status status = json_text_into(value, room, cap, ret_text);
    if (status == ST_LIMIT)
        return reader_fail(reader, "longer than a record holds");
    return status == ST_OK || reader_fail(reader, "a text is expected");
}

bool reader_text(struct reader *reader, const struct json_value *value, void *place)
{
    char room[RECORD_TEXT_MAX];
    struct slice text;
    if (!text_into(reader, value, room, sizeof(room), &text))
        return false;
    record_set(reader->record, place, text, RECORD_TEXT_MAX);
    return true;
}

static bool read_url(struct reader *reader, const struct json_value *value, void *place)
{
    char room[RECORD_TEXT_MAX];
    struct slice text;
    struct record *record = reader->record;
    if (!text_into(reader, value, room, sizeof(room), &text))
        return false;
    record_set(record, place, text, RECORD_TEXT_MAX);
    record->url_is_cut = record->url_is_cut || record->url.len < text.len;
    return true;
}

bool reader_flag(struct reader *reader, const struct json_value *value, void *place)
{
    if (value->kind != JSON_TRUE && value->kind != JSON_FALSE)
        return reader_fail(reader, "true or false is expected");
    *(bool *)place = *(bool *)place || value->kind == JSON_TRUE;
    return true;
}

static bool number_into(struct reader *reader, const struct json_value *value, uint64_t max,
                        uint64_t *ret_number)
{
    enum status status = json_to_u64(value, max, ret_number);
    if (status == ST_LIMIT)
        return reader_fail(reader, "the number is too large");
    return status == ST_OK || reader_fail(reader, "a whole number is expected");
}

bool reader_u8(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t number = 0;
    if (!number_into(reader, value, UINT8_MAX, &number))
        return false;
    *(uint8_t *)place = (uint8_t)number;
    return true;
}

static bool read_u16(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t number = 0;
    if (!number_into(reader, value, UINT16_MAX, &number))
        return false;
    *(uint16_t *)place = (uint16_t)number;
    return true;
}

bool reader_u32(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t number = 0;
    if (!number_into(reader, value, UINT32_MAX, &number))
        return false;
    *(uint32_t *)place = (uint32_t)number;
    return true;
}

static bool read_u64(struct reader *reader, const struct json_value *value, void *place)
{
    return number_into(reader, value, UINT64_MAX, place);
}

/* Microseconds, kept as nanoseconds. */
bool reader_us(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t us = 0;
    if (!number_into(reader, value, offset_max_us, &us))
        return false;
    *(uint64_t *)place = us * NS_PER_US;
    return true;
}

static bool read_endpoint(struct reader *reader, const struct json_value *value, void *place)
{
    char room[INET_ENDPOINT_TEXT];
    struct slice text;
    return (json_text_into(value, room, sizeof(room), &text) == ST_OK &&
            inet_endpoint_parse(text, place) == ST_OK) ||
           reader_fail(reader, "an address with a port is expected");
}

/* One of `count` words; its number. */
static bool word_into(struct reader *reader, const struct json_value *value,
                      const char *const *words, size_t count, uint8_t *ret_number)
{
    for (size_t i = 0; i < count; i++) {
        bool is_word = words[i] != NULL && value->kind == JSON_STRING &&
                       slice_equals(value->raw, slice_from_string(words[i]));
        if (is_word) {
            *ret_number = (uint8_t)i;
            return true;
        }
    }
    return reader_fail(reader, "not one of the words that are known");
}

static bool read_kind(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {record_kind_word(RECORD_EXCHANGE), record_kind_word(RECORD_TUNNEL),
                           record_kind_word(RECORD_UPGRADE), record_kind_word(RECORD_LOCAL)};
    return word_into(reader, value, words, COUNT_OF(words), place);
}

static bool read_end(struct reader *reader, const struct json_value *value, void *place)
{
    static const char *const words[] = {
#define X(name, word, meaning) [END_##name] = word,
        RECORD_ENDS(X)
#undef X
    };
    return word_into(reader, value, words, COUNT_OF(words), place);
}

bool reader_leg(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {NULL, record_leg_word(LEG_CLIENT), record_leg_word(LEG_UPSTREAM),
                           record_leg_word(LEG_PROXY)};
    return word_into(reader, value, words, COUNT_OF(words), place);
}

static bool read_dns_source(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {NULL,
                           dns_source_word(DNS_LITERAL),
                           dns_source_word(DNS_HOSTS),
                           dns_source_word(DNS_CACHE),
                           dns_source_word(DNS_COALESCED),
                           dns_source_word(DNS_QUERY)};
    return word_into(reader, value, words, COUNT_OF(words), place);
}

static bool read_retry_reason(struct reader *reader, const struct json_value *value, void *place)
{
    static const char *const words[] = {NULL, "stale_pool"};
    return word_into(reader, value, words, COUNT_OF(words), place);
}

static bool read_version(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t version = 0;
    (void)place; /* nowhere: there is only one */
    return (json_to_u64(value, UINT32_MAX, &version) == ST_OK && version == LINE_VERSION) ||
           reader_fail(reader, "only version 1 is known");
}

static bool read_id(struct reader *reader, const struct json_value *value, void *place)
{
    return (value->kind == JSON_STRING && value->raw.len == 16 &&
            slice_hex_to_u64(value->raw, UINT64_MAX, place) == ST_OK) ||
           reader_fail(reader, "16 hexadecimal digits are expected");
}

/* "1.1" */
static bool minor_into(struct reader *reader, const struct json_value *value, uint8_t *ret_minor)
{
    uint64_t minor = 0;
    bool is_good = value->kind == JSON_STRING && slice_starts_with(value->raw, SLICE("1.")) &&
                   slice_to_u64(slice_from(value->raw, 2), UINT8_MAX, &minor) == ST_OK;
    *ret_minor = (uint8_t)minor;
    return is_good || reader_fail(reader, "a version such as \"1.1\" is expected");
}

static bool read_client_http(struct reader *reader, const struct json_value *value, void *place)
{
    reader->record->client_major = 1;
    return minor_into(reader, value, place);
}

static bool read_upstream_http(struct reader *reader, const struct json_value *value, void *place)
{
    return minor_into(reader, value, place);
}

/* Digits at `at`, or -1. */
static int digits_at(struct slice s, size_t at, size_t count)
{
    uint64_t value = 0;
    return slice_to_u64(slice_first(slice_from(s, at), count), 9999, &value) == ST_OK ? (int)value
                                                                                      : -1;
}

/* 2026-11-24T02:12:23.123456Z */
static bool read_time(struct reader *reader, const struct json_value *value, void *place)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    struct slice s = value->raw;
    uint64_t micros = 0;
    bool is_good = value->kind == JSON_STRING && s.len == sizeof(shape) - 1;
    for (size_t i = 0; is_good && i < s.len; i++)
        is_good = shape[i] == 'd' ? char_is_digit(s.at[i]) : s.at[i] == shape[i];
    if (!is_good || slice_to_u64(slice_first(slice_from(s, 20), 6), 999999, &micros) != ST_OK)
        return reader_fail(reader, "a time such as \"2026-11-24T02:12:23.123456Z\" is expected");
    struct tm tm = {.tm_year = digits_at(s, 0, 4) - 1900,
                    .tm_mon = digits_at(s, 5, 2) - 1,
                    .tm_mday = digits_at(s, 8, 2),
                    .tm_hour = digits_at(s, 11, 2),
                    .tm_min = digits_at(s, 14, 2),
                    .tm_sec = digits_at(s, 17, 2)};
    struct tm same = tm;
    time_t seconds = timegm(&same);
    is_good = seconds >= 0 && tm.tm_year < 600 && same.tm_mon == tm.tm_mon &&
              same.tm_mday == tm.tm_mday && same.tm_hour == tm.tm_hour &&
              same.tm_min == tm.tm_min && same.tm_sec == tm.tm_sec;
    if (!is_good)
        return reader_fail(reader, "there is no such time");
    *(uint64_t *)place = (uint64_t)seconds * NS_PER_S + micros * NS_PER_US;
    return true;
}

static bool read_base(struct reader *reader, const struct json_value *value, void *place)
{
    return number_into(reader, value, base_max_ns, place);
}

/* ---- Objects ---- */

static bool read_members(struct reader *reader, const struct json_value *value,
                         const struct member *table, size_t count)
{
    struct json_value rest = *value;
    struct json_value part;
    struct slice key;
    uint64_t seen = 0;
    CHECK(count <= MEMBERS_MAX);
    if (value->kind != JSON_OBJECT)
        return reader_fail(reader, "an object is expected");
    while (json_next_member(&rest, &key, &part)) {
        size_t i = 0;
        while (i < count && !slice_equals(key, table[i].name))
            i++;
        reader->member = key;
        reader->at = part.raw.at;
        if (i == count)
            continue;
        if ((seen >> i & 1) != 0)
            return reader_fail(reader, "it stands there twice");
        seen |= UINT64_C(1) << i;
        if (!table[i].read(reader, &part, (char *)reader->record + table[i].place))
            return false;
    }
    return true;
}

/* A list of texts, kept with a line feed between two. */
bool reader_list(struct reader *reader, const struct json_value *value, void *place)
{
    char room[RECORD_TEXT_MAX];
    struct text joined = text_on(room, sizeof(room));
    struct json_value list = *value;
    struct json_value part;
    struct slice name;
    if (value->kind != JSON_ARRAY)
        return reader_fail(reader, "a list is expected");
    while (json_next_element(&list, &part)) {
        if (joined.len > 0)
            text_add_char(&joined, '\n');
        if (joined.is_cut)
            return reader_fail(reader, "longer than a record holds");
        if (!text_into(reader, &part, room + joined.len, sizeof(room) - joined.len, &name))
            return false;
        if (name.len == 0 || slice_find(name, '\n') < name.len)
            return reader_fail(reader, "a text in it is empty or has a line feed");
        joined.len += name.len;
    }
    record_set(reader->record, place, text_slice(&joined), RECORD_TEXT_MAX);
    return true;
}

static const struct member certificate_members[] = {
    MEMBER("subject", reader_text, cert_subject),
    MEMBER("names", reader_list, cert_names),
    MEMBER("cut", reader_flag, certificate_is_cut),
};

static const struct member client_conn_members[] = {
    MEMBER("id", read_u64, client_conn_id),
    MEMBER("use", reader_u32, client_use),
};

static const struct member upstream_conn_members[] = {
    MEMBER("id", read_u64, upstream_conn_id),
    MEMBER("use", reader_u32, upstream_use),
    MEMBER("age_us", reader_us, upstream_age_ns),
    MEMBER("paid_dns_us", reader_us, paid_dns_ns),
    MEMBER("paid_connect_us", reader_us, paid_connect_ns),
    MEMBER("paid_tls_us", reader_us, paid_tls_ns),
};

static const struct member dns_members[] = {
    MEMBER("source", read_dns_source, dns_source),
    MEMBER("answers", reader_u8, dns_answers),
};

static const struct member bytes_members[] = {
    MEMBER("client_in", read_u64, client_in_bytes),
    MEMBER("client_out", read_u64, client_out_bytes),
    MEMBER("upstream_out", read_u64, upstream_out_bytes),
    MEMBER("upstream_in", read_u64, upstream_in_bytes),
    MEMBER("request_body", read_u64, request_body_bytes),
    MEMBER("response_body", read_u64, response_body_bytes),
};

static const struct member stalled_members[] = {
    MEMBER("by_client", reader_us, stalled_by_client_ns),
    MEMBER("by_upstream", reader_us, stalled_by_upstream_ns),
    MEMBER("by_limits", reader_us, stalled_by_limits_ns),
};

#define PACE(way)                                                                                \
    {                                                                                            \
        MEMBER("moving_us", reader_us, way.moving_ns),                                           \
            MEMBER("quiet_us", reader_us, way.quiet_ns), MEMBER("pauses", read_u64, way.pauses), \
    }
static const struct member client_pace_members[] = PACE(client_pace);
static const struct member upstream_pace_members[] = PACE(upstream_pace);
#undef PACE

/* `is_known` is that there is an object. */
#define TCP(leg)                                                          \
    {                                                                     \
        MEMBER("rtt_us", reader_u32, leg.rtt_us),                         \
            MEMBER("rtt_var_us", reader_u32, leg.rtt_var_us),             \
            MEMBER("min_rtt_us", reader_u32, leg.min_rtt_us),             \
            MEMBER("retransmits", reader_u32, leg.retransmits),           \
            MEMBER("out_of_order", reader_u32, leg.out_of_order),         \
            MEMBER("segments_in", reader_u32, leg.segments_in),           \
            MEMBER("segments_out", reader_u32, leg.segments_out),         \
            MEMBER("data_segments_in", reader_u32, leg.data_segments_in), \
            MEMBER("data_bytes_in", read_u64, leg.data_bytes_in),         \
            MEMBER("mss_in", reader_u32, leg.mss_in),                     \
            MEMBER("delivery_rate", read_u64, leg.delivery_rate),         \
            MEMBER("busy_us", read_u64, leg.busy_us),                     \
            MEMBER("rwnd_limited_us", read_u64, leg.rwnd_limited_us),     \
            MEMBER("sndbuf_limited_us", read_u64, leg.sndbuf_limited_us), \
    }
static const struct member client_tcp_members[] = TCP(client_tcp);
static const struct member upstream_tcp_members[] = TCP(upstream_tcp);
#undef TCP

static bool read_client_tcp(struct reader *reader, const struct json_value *value, void *place)
{
    *(uint32_t *)place = 1;
    return read_members(reader, value, client_tcp_members, COUNT_OF(client_tcp_members));
}

static bool read_upstream_tcp(struct reader *reader, const struct json_value *value, void *place)
{
    *(uint32_t *)place = 1;
    return read_members(reader, value, upstream_tcp_members, COUNT_OF(upstream_tcp_members));
}

static const struct member tcp_legs_members[] = {
    MEMBER("client", read_client_tcp, client_tcp.is_known),
    MEMBER("upstream", read_upstream_tcp, upstream_tcp.is_known),
};

#define READ_OBJECT(name)                                                                       \
    static bool read_##name(struct reader *reader, const struct json_value *value, void *place) \
    {                                                                                           \
        (void)place; /* its members have their own */                                           \
        return read_members(reader, value, name##_members, COUNT_OF(name##_members));           \
    }
READ_OBJECT(certificate)
READ_OBJECT(client_conn)
READ_OBJECT(upstream_conn)
READ_OBJECT(dns)
READ_OBJECT(bytes)
READ_OBJECT(stalled)
READ_OBJECT(client_pace)
READ_OBJECT(upstream_pace)
READ_OBJECT(tcp_legs)

static const struct member pace_members[] = {
    PART("client", read_client_pace),
    PART("upstream", read_upstream_pace),
    MEMBER("awaited_us", reader_us, awaited_ns),
    MEMBER("waits", read_u64, waits),
};
READ_OBJECT(pace)
#undef READ_OBJECT

/* "0x1301" */
bool reader_hex(const struct json_value *value, uint16_t *ret_number)
{
    uint64_t number = 0;
    bool is_good = value->kind == JSON_STRING && value->raw.len == 6 &&
                   slice_starts_with(value->raw, SLICE("0x")) &&
                   slice_hex_to_u64(slice_from(value->raw, 2), UINT16_MAX, &number) == ST_OK;
    *ret_number = (uint16_t)number;
    return is_good;
}

bool reader_tls_version(struct reader *reader, const struct json_value *value, uint16_t *into)
{
    bool is_known = value->kind == JSON_STRING && value->raw.len == 3 &&
                    slice_starts_with(value->raw, SLICE("1.")) && value->raw.at[2] >= '0' &&
                    value->raw.at[2] <= '3';
    if (is_known) {
        *into = (uint16_t)(0x0301 + value->raw.at[2] - '0');
        return true;
    }
    return (reader_hex(value, into) && *into != 0) ||
           reader_fail(reader, "a version such as \"1.3\" is expected");
}

/* The name is that of the number, since a record points to constants only. */
static bool read_tls(struct reader *reader, const struct json_value *value, void *place)
{
    struct record_tls *tls = place;
    struct json_value rest = *value;
    struct json_value part;
    struct slice key;
    if (value->kind != JSON_OBJECT)
        return reader_fail(reader, "an object is expected");
    while (json_next_member(&rest, &key, &part)) {
        if (slice_equals(key, SLICE("version")) &&
            !reader_tls_version(reader, &part, &tls->version))
            return false;
        if (slice_equals(key, SLICE("cipher")) && !reader_hex(&part, &tls->cipher))
            return reader_fail(reader, "a number such as \"0x1301\" is expected");
        if (slice_equals(key, SLICE("cipher_name")))
            tls->cipher_name = "";
        if (slice_equals(key, SLICE("resumed")))
            tls->resumed = part.kind == JSON_TRUE;
    }
    if (tls->cipher_name != NULL)
        tls->cipher_name = tls_cipher_name(tls->cipher);
    return tls->version != 0 || reader_fail(reader, "its version is missing");
}

/* ---- Times ---- */

/* Microseconds from the base, negative before it; kept as monotonic time. */
static bool mark_into(struct reader *reader, const struct json_value *value, uint64_t *ret_at_ns)
{
    struct json_value size = *value;
    uint64_t base_ns = reader->record->timeline.base_ns;
    uint64_t us = 0;
    bool is_before = value->kind == JSON_NUMBER && value->raw.at[0] == '-';
    if (is_before)
        size.raw = slice_from(size.raw, 1);
    if (!number_into(reader, &size, offset_max_us, &us))
        return false;
    if (is_before && us * NS_PER_US >= base_ns)
        return reader_fail(reader, "that is before the clock began");
    uint64_t at_ns = is_before ? base_ns - us * NS_PER_US : base_ns + us * NS_PER_US;
    *ret_at_ns = at_ns != 0 ? at_ns : 1; /* a mark at 0 would be none */
    return true;
}

static bool read_marks(struct reader *reader)
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
    if (!word_into(reader, value, words, COUNT_OF(words), &number))
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
            is_good = read_endpoint(reader, &part, &attempt->peer);
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

static bool read_attempts(struct reader *reader)
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
static bool read_since(struct reader *reader)
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
            is_good = read_u64(reader, &part, &up_bytes);
        else if (slice_equals(reader->member, SLICE("response_body")))
            is_good = read_u64(reader, &part, &down_bytes);
        if (!is_good)
            return false;
    }
    if (up_bytes > record->request_body_bytes || down_bytes > record->response_body_bytes)
        return reader_fail(reader, "more than passed in all");
    record->told_up_bytes = record->request_body_bytes - up_bytes;
    record->told_down_bytes = record->response_body_bytes - down_bytes;
    return true;
}

static bool read_now(struct reader *reader)
{
    reader->member = SLICE("now_us");
    reader->at = reader->now.raw.at;
    return reader->now.raw.len == 0 || mark_into(reader, &reader->now, &reader->record->now_ns);
}

static bool keep_now(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* it has its own */
    reader->now = *value;
    return value->kind == JSON_NUMBER || reader_fail(reader, "a whole number is expected");
}

static bool keep_since(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* its members have their own */
    reader->since = *value;
    return value->kind == JSON_OBJECT || reader_fail(reader, "an object is expected");
}

static bool keep_marks(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* each mark has its own */
    reader->marks = *value;
    return value->kind == JSON_OBJECT || reader_fail(reader, "an object is expected");
}

static bool keep_attempts(struct reader *reader, const struct json_value *value, void *place)
{
    (void)place; /* each attempt has its own */
    reader->attempts = *value;
    return value->kind == JSON_ARRAY || reader_fail(reader, "a list is expected");
}

/* ---- The line ---- */

static const struct member line_members[] = {
    PART("v", read_version),
    MEMBER("time", read_time, timeline.wall_ns),
    MEMBER("base_ns", read_base, timeline.base_ns),
    MEMBER("kind", read_kind, kind),
    MEMBER("in_progress", reader_flag, is_in_progress),
    MEMBER("id", read_id, id),
    MEMBER("worker", read_u16, worker),
    MEMBER("client", read_endpoint, client),
    MEMBER("listener", read_endpoint, listener),
    MEMBER("listener_name", reader_text, listener_name),
    MEMBER("method", reader_text, method),
    MEMBER("url", read_url, url),
    MEMBER("url_cut", reader_flag, url_is_cut),
    MEMBER("host", reader_text, host),
    MEMBER("http", read_client_http, client_minor),
    MEMBER("user", reader_text, user),
    MEMBER("groups", reader_list, groups),
    PART("client_certificate", read_certificate),
    MEMBER("referer", reader_text, referer),
    MEMBER("user_agent", reader_text, user_agent),
    MEMBER("status", read_u16, status),
    MEMBER("upstream_status", read_u16, upstream_status),
    MEMBER("upstream_http", read_upstream_http, upstream_minor),
    MEMBER("end", read_end, end),
    MEMBER("ended_by", reader_leg, ended_by),
    MEMBER("sni", reader_text, sni),
    MEMBER("rule", reader_text, rule),
    MEMBER("would_deny", reader_text, would_deny),
    MEMBER("remedy", reader_text, remedy),
    MEMBER("cause", reader_text, cause),
    MEMBER("error", reader_text, token),
    MEMBER("detail", reader_text, detail),
    MEMBER("retries", reader_u8, retries),
    MEMBER("retry_reason", read_retry_reason, retry_was_stale_pool),
    MEMBER("upstream", read_endpoint, upstream),
    MEMBER("source", read_endpoint, source),
    PART("client_conn", read_client_conn),
    PART("upstream_conn", read_upstream_conn),
    MEMBER("client_tls", read_tls, client_tls),
    MEMBER("parent_tls", read_tls, parent_tls),
    MEMBER("upstream_tls", read_tls, upstream_tls),
    PART("dns", read_dns),
    PART("bytes", read_bytes),
    PART("stalled_us", read_stalled),
    PART("pace", read_pace),
    PART("tcp", read_tcp_legs),
    PART("inside", reader_inside),
    PART("now_us", keep_now),
    PART("since", keep_since),
    PART("marks_us", keep_marks),
    PART("attempts", keep_attempts),
};

static bool is_log_line(const struct json_value *value)
{
    struct json_value rest = *value;
    struct json_value part;
    struct slice key;
    bool has_version = false;
    bool has_kind = false;
    while (json_next_member(&rest, &key, &part)) {
        has_version = has_version || slice_equals(key, SLICE("v"));
        has_kind = has_kind || slice_equals(key, SLICE("kind"));
    }
    return has_version && has_kind;
}

static bool read_line(struct reader *reader, const struct json_value *value)
{
    if (value->kind != JSON_OBJECT)
        return reader_fail(reader, "it is no JSON object");
    if (!is_log_line(value))
        return reader_fail(reader, "it is no line of the access log: \"v\" or \"kind\" is missing");
    return read_members(reader, value, line_members, COUNT_OF(line_members)) &&
           read_marks(reader) && read_attempts(reader) && read_now(reader) && read_since(reader);
}

static enum status tell(const struct reader *reader, const char *at, struct text *why)
{
    enum { SHOWN = 24 };
    text_add_format(why, "column %zu: ", (size_t)(at - reader->line.at) + 1);
    if (reader->member.len > 0) {
        text_add_char(why, '"');
        text_add_log(why, slice_first(reader->member, SHOWN), '"');
        text_add(why, SLICE("\": "));
    }
    text_add(why, slice_from_string(reader->fault));
    return ST_BAD;
}

enum status record_json_read(struct slice line, struct record *ret_record, struct text *why)
{
    struct reader reader = {.line = line, .record = ret_record, .at = line.at};
    struct json_value value;
    size_t good = 0;
    record_begin(ret_record);
    if (line.len > RECORD_JSON_MAX) {
        (void)reader_fail(&reader, "it is longer than 65536 bytes");
        return tell(&reader, line.at, why);
    }
    if (json_check_at(line, &value, &good) != ST_OK) {
        (void)reader_fail(&reader, "it is no JSON");
        return tell(&reader, line.at + good, why);
    }
    if (!read_line(&reader, &value))
        return tell(&reader, reader.at, why);
    record_seal(ret_record);
    return ST_OK;
}
