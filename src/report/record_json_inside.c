/* What was seen inside a tunnel, read back from a line of the JSON log. */

#include "report/record_json_internal.h"

static bool flag_into(struct reader *reader, const struct json_value *value, uint16_t flag)
{
    bool is_set = false;
    if (!reader_flag(reader, value, &is_set))
        return false;
    if (is_set)
        reader->record->inside.flags = (uint16_t)(reader->record->inside.flags | flag);
    return true;
}

/* Which of the flags has this word; 0: none. */
static uint16_t inside_flag(struct slice word)
{
    for (int bit = 0; bit < INSIDE_BIT_COUNT; bit++) {
        if (slice_equals(word, slice_from_string(record_inside_word((enum record_inside_bit)bit))))
            return (uint16_t)(1 << bit);
    }
    return 0;
}

/* The name of an alert is that of its code. */
static bool read_alert(struct reader *reader, struct json_value value)
{
    struct json_value part;
    struct slice key;
    struct record_inside *inside = &reader->record->inside;
    if (value.kind != JSON_OBJECT)
        return reader_fail(reader, "an object is expected");
    while (json_next_member(&value, &key, &part)) {
        bool is_good = true;
        if (slice_equals(key, SLICE("by")))
            is_good = reader_leg(reader, &part, &inside->alert_by);
        else if (slice_equals(key, SLICE("code")))
            is_good = reader_u8(reader, &part, &inside->alert);
        else if (slice_equals(key, SLICE("encrypted")))
            is_good = flag_into(reader, &part, INSIDE_ALERT_HIDDEN);
        if (!is_good)
            return false;
    }
    return true;
}

/* Only what was estimated is more than the marks say. */
static bool read_confidence(struct reader *reader, struct json_value value)
{
    struct json_value part;
    struct slice key;
    uint16_t *flags = &reader->record->inside.flags;
    if (value.kind != JSON_OBJECT)
        return reader_fail(reader, "an object is expected");
    while (json_next_member(&value, &key, &part)) {
        bool is_estimated = part.kind == JSON_STRING && slice_equals(part.raw, SLICE("estimated"));
        if (is_estimated && slice_equals(key, SLICE("handshake")))
            *flags = (uint16_t)(*flags | INSIDE_HANDSHAKE_ESTIMATED);
        if (is_estimated && slice_equals(key, SLICE("request")))
            *flags = (uint16_t)(*flags | INSIDE_HANDSHAKE_ESTIMATED);
        if (is_estimated && slice_equals(key, SLICE("response")))
            *flags = (uint16_t)(*flags | INSIDE_RESPONSE_ESTIMATED);
    }
    return true;
}

static bool read_inside_member(struct reader *reader, struct slice key,
                               const struct json_value *value)
{
    struct record *record = reader->record;
    struct record_inside *inside = &record->inside;
    if (slice_equals(key, SLICE("version")))
        return reader_tls_version(reader, value, &inside->version);
    if (slice_equals(key, SLICE("offered")))
        return reader_tls_version(reader, value, &inside->offered);
    if (slice_equals(key, SLICE("cipher")))
        return reader_hex(value, &inside->cipher) ||
               reader_fail(reader, "a number such as \"0x1301\" is expected");
    if (slice_equals(key, SLICE("alpn")))
        return reader_list(reader, value, &record->alpn);
    if (slice_equals(key, SLICE("ja4")))
        return reader_text(reader, value, &record->ja4);
    if (slice_equals(key, SLICE("turns")))
        return reader_u32(reader, value, &inside->turns);
    if (slice_equals(key, SLICE("idle_us")))
        return reader_us(reader, value, &inside->idle_ns);
    if (slice_equals(key, SLICE("alert")))
        return read_alert(reader, *value);
    if (slice_equals(key, SLICE("confidence")))
        return read_confidence(reader, *value);
    uint16_t flag = inside_flag(key);
    return flag == 0 || flag_into(reader, value, flag);
}

bool reader_inside(struct reader *reader, const struct json_value *value, void *place)
{
    struct json_value rest = *value;
    struct json_value part;
    (void)place; /* its members have their own */
    if (value->kind != JSON_OBJECT)
        return reader_fail(reader, "an object is expected");
    while (json_next_member(&rest, &reader->member, &part)) {
        reader->at = part.raw.at;
        if (!read_inside_member(reader, reader->member, &part))
            return false;
    }
    return true;
}
