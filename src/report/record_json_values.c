/* Single values of a line of the JSON log, read back: texts, numbers, words, addresses, times, versions. */

#include "report/record_json_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "report/tls_cipher.h"

#include <time.h>

enum { LINE_VERSION = 1 };

/* No sum of a base and a mark from it (RECORD_OFFSET_MAX_US) wraps around. */
static const uint64_t base_max_ns = UINT64_C(1) << 62;

bool reader_fail(struct reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

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

bool reader_url(struct reader *reader, const struct json_value *value, void *place)
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

bool reader_number(struct reader *reader, const struct json_value *value, uint64_t max,
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
    if (!reader_number(reader, value, UINT8_MAX, &number))
        return false;
    *(uint8_t *)place = (uint8_t)number;
    return true;
}

bool reader_u16(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t number = 0;
    if (!reader_number(reader, value, UINT16_MAX, &number))
        return false;
    *(uint16_t *)place = (uint16_t)number;
    return true;
}

bool reader_u32(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t number = 0;
    if (!reader_number(reader, value, UINT32_MAX, &number))
        return false;
    *(uint32_t *)place = (uint32_t)number;
    return true;
}

bool reader_u64(struct reader *reader, const struct json_value *value, void *place)
{
    return reader_number(reader, value, UINT64_MAX, place);
}

bool reader_us(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t us = 0;
    if (!reader_number(reader, value, RECORD_OFFSET_MAX_US, &us))
        return false;
    *(uint64_t *)place = us * NS_PER_US;
    return true;
}

bool reader_endpoint(struct reader *reader, const struct json_value *value, void *place)
{
    char room[INET_ENDPOINT_TEXT];
    struct slice text;
    return (json_text_into(value, room, sizeof(room), &text) == ST_OK &&
            inet_endpoint_parse(text, place) == ST_OK) ||
           reader_fail(reader, "an address with a port is expected");
}

bool reader_word(struct reader *reader, const struct json_value *value, const char *const *words,
                 size_t count, uint8_t *ret_number)
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

bool reader_kind(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {record_kind_word(RECORD_EXCHANGE), record_kind_word(RECORD_TUNNEL),
                           record_kind_word(RECORD_UPGRADE), record_kind_word(RECORD_LOCAL)};
    return reader_word(reader, value, words, COUNT_OF(words), place);
}

bool reader_end(struct reader *reader, const struct json_value *value, void *place)
{
    static const char *const words[] = {
#define X(name, word, meaning) [END_##name] = word,
        RECORD_ENDS(X)
#undef X
    };
    return reader_word(reader, value, words, COUNT_OF(words), place);
}

bool reader_leg(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {NULL, record_leg_word(LEG_CLIENT), record_leg_word(LEG_UPSTREAM),
                           record_leg_word(LEG_PROXY)};
    return reader_word(reader, value, words, COUNT_OF(words), place);
}

bool reader_dns_source(struct reader *reader, const struct json_value *value, void *place)
{
    const char *words[] = {NULL,
                           dns_source_word(DNS_LITERAL),
                           dns_source_word(DNS_HOSTS),
                           dns_source_word(DNS_CACHE),
                           dns_source_word(DNS_COALESCED),
                           dns_source_word(DNS_QUERY)};
    return reader_word(reader, value, words, COUNT_OF(words), place);
}

bool reader_retry_reason(struct reader *reader, const struct json_value *value, void *place)
{
    static const char *const words[] = {NULL, "stale_pool"};
    return reader_word(reader, value, words, COUNT_OF(words), place);
}

bool reader_version(struct reader *reader, const struct json_value *value, void *place)
{
    uint64_t version = 0;
    (void)place; /* nowhere: there is only one */
    return (json_to_u64(value, UINT32_MAX, &version) == ST_OK && version == LINE_VERSION) ||
           reader_fail(reader, "only version 1 is known");
}

bool reader_id(struct reader *reader, const struct json_value *value, void *place)
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

bool reader_client_http(struct reader *reader, const struct json_value *value, void *place)
{
    reader->record->client_major = 1;
    return minor_into(reader, value, place);
}

bool reader_upstream_http(struct reader *reader, const struct json_value *value, void *place)
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
bool reader_time(struct reader *reader, const struct json_value *value, void *place)
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

bool reader_base(struct reader *reader, const struct json_value *value, void *place)
{
    return reader_number(reader, value, base_max_ns, place);
}

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
bool reader_tls(struct reader *reader, const struct json_value *value, void *place)
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
