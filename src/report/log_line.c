/* A line is one object; the members that somebody wants are in a table, the others are stepped over. A member that
 * comes twice makes the line a bad one: which of the two counts would be the choice of whoever forged it. */

#include "report/log_line.h"

#include "base/json.h"
#include "base/text.h"

enum { LOG_LINE_VERSION = 1 };

enum member_kind { MEMBER_TEXT, MEMBER_ENDPOINT, MEMBER_NUMBER, MEMBER_FLAG };

struct member {
    struct slice name;
    enum member_kind kind;
    size_t place;
};

#define MEMBER(name, kind, field)                                                 \
    {                                                                             \
        {name, sizeof(name) - 1}, MEMBER_##kind, offsetof(struct log_line, field) \
    }

static const struct member members[] = {
    MEMBER("time", TEXT, time),
    MEMBER("in_progress", FLAG, is_in_progress),
    MEMBER("client", ENDPOINT, client),
    MEMBER("listener", ENDPOINT, listener),
    MEMBER("listener_name", TEXT, listener_name),
    MEMBER("method", TEXT, method),
    MEMBER("url", TEXT, url),
    MEMBER("url_cut", FLAG, url_is_cut),
    MEMBER("host", TEXT, host),
    MEMBER("user", TEXT, user),
    MEMBER("status", NUMBER, status),
    MEMBER("end", TEXT, end),
    MEMBER("rule", TEXT, rule),
    MEMBER("would_deny", TEXT, would_deny),
    MEMBER("cause", TEXT, cause),
    MEMBER("upstream", ENDPOINT, upstream),
};

/* Members that are looked at by themselves. */
enum { SEEN_VERSION, SEEN_KIND, SEEN_ID, SEEN_CERTIFICATE, SEEN_GROUPS, SEEN_OTHERS };

struct reader {
    struct log_line *line;
    struct text room;
    uint32_t seen; /* bits: SEEN_..., then the members of the table */
    const char *fault;
};

static bool fail(struct reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

/* False: it was there before. */
static bool see(struct reader *reader, size_t bit)
{
    if ((reader->seen >> bit & 1) != 0)
        return fail(reader, "a member stands in it twice");
    reader->seen |= UINT32_C(1) << bit;
    return true;
}

static bool read_text(struct reader *reader, const struct json_value *value, struct slice *ret_text)
{
    struct text *room = &reader->room;
    if (json_text_into(value, room->at + room->len, room->cap - room->len, ret_text) != ST_OK)
        return fail(reader, "a member is no text where one is expected");
    room->len += ret_text->len;
    return true;
}

static bool read_member(struct reader *reader, const struct member *member,
                        const struct json_value *value)
{
    void *at = (char *)reader->line + member->place;
    struct slice words;
    switch (member->kind) {
    case MEMBER_TEXT: return read_text(reader, value, at);
    case MEMBER_ENDPOINT:
        if (!read_text(reader, value, &words))
            return false;
        return inet_endpoint_parse(words, at) == ST_OK ||
               fail(reader, "a member is no address with a port where one is expected");
    case MEMBER_NUMBER:
        return json_to_u64(value, UINT32_MAX, at) == ST_OK ||
               fail(reader, "a member is no number where one is expected");
    case MEMBER_FLAG: *(bool *)at = value->kind == JSON_TRUE; return true;
    }
    return false;
}

static bool read_kind(struct reader *reader, const struct json_value *value)
{
    struct slice word;
    if (!read_text(reader, value, &word))
        return false;
    for (int kind = RECORD_EXCHANGE; kind <= RECORD_LOCAL; kind++) {
        if (slice_equals(word, slice_from_string(record_kind_word((enum record_kind)kind)))) {
            reader->line->kind = (enum record_kind)kind;
            return true;
        }
    }
    return fail(reader, "its kind is unknown");
}

static bool read_id(struct reader *reader, const struct json_value *value)
{
    struct slice digits;
    if (!read_text(reader, value, &digits))
        return false;
    return (digits.len == 16 && slice_hex_to_u64(digits, UINT64_MAX, &reader->line->id) == ST_OK) ||
           fail(reader, "its id is not 16 hexadecimal digits");
}

static bool read_version(struct reader *reader, const struct json_value *value)
{
    uint64_t version = 0;
    if (json_to_u64(value, UINT32_MAX, &version) != ST_OK || version != LOG_LINE_VERSION)
        return fail(reader, "its version is not 1");
    return true;
}

static bool read_list(struct reader *reader, struct json_value list, struct slice *into,
                      size_t *count)
{
    struct json_value name;
    while (json_next_element(&list, &name)) {
        if (*count == LOG_LINE_NAMES_MAX)
            return fail(reader, "a list in it is too long");
        if (!read_text(reader, &name, &into[*count]))
            return false;
        (*count)++;
    }
    return true;
}

/* {"subject":"...","names":["...",...]} */
static bool read_certificate(struct reader *reader, struct json_value value)
{
    struct log_line *line = reader->line;
    struct slice key;
    struct json_value part;
    while (json_next_member(&value, &key, &part)) {
        if (slice_equals(key, SLICE("subject")) && !read_text(reader, &part, &line->cert_subject))
            return false;
        if (slice_equals(key, SLICE("names")) &&
            !read_list(reader, part, line->cert_names, &line->cert_name_count))
            return false;
        if (slice_equals(key, SLICE("cut")))
            line->certificate_is_cut = part.kind == JSON_TRUE;
    }
    return true;
}

static bool read_any(struct reader *reader, struct slice key, const struct json_value *value)
{
    if (slice_equals(key, SLICE("v")))
        return see(reader, SEEN_VERSION) && read_version(reader, value);
    if (slice_equals(key, SLICE("kind")))
        return see(reader, SEEN_KIND) && read_kind(reader, value);
    if (slice_equals(key, SLICE("id")))
        return see(reader, SEEN_ID) && read_id(reader, value);
    if (slice_equals(key, SLICE("client_certificate")))
        return see(reader, SEEN_CERTIFICATE) && read_certificate(reader, *value);
    if (slice_equals(key, SLICE("groups")))
        return see(reader, SEEN_GROUPS) &&
               read_list(reader, *value, reader->line->groups, &reader->line->group_count);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (slice_equals(key, members[i].name))
            return see(reader, SEEN_OTHERS + i) && read_member(reader, &members[i], value);
    }
    return true;
}

static bool read_target(struct reader *reader)
{
    struct log_line *line = reader->line;
    if (line->url.len == 0)
        return true;
    line->has_target =
        target_parse(line->url, method_of(line->method), &line->target) == TARGET_FAULT_NONE &&
        line->target.has_host;
    bool is_other = line->has_target && line->host.len > 0 &&
                    !slice_equals(line->host, host_slice(&line->target.host));
    return !is_other || fail(reader, "its url and its host differ");
}

static bool read_object(struct reader *reader, struct json_value object)
{
    struct slice key;
    struct json_value value;
    while (json_next_member(&object, &key, &value)) {
        if (!read_any(reader, key, &value))
            return false;
    }
    if ((reader->seen >> SEEN_VERSION & 1) == 0 || (reader->seen >> SEEN_KIND & 1) == 0)
        return fail(reader, "it is no line of the access log: \"v\" or \"kind\" is missing");
    return read_target(reader);
}

enum status log_line_read(struct slice text, struct log_line *into, const char **ret_fault)
{
    struct reader reader = {.line = into};
    struct json_value value;
    memset(into, 0, offsetof(struct log_line, room));
    reader.room = text_on(into->room, sizeof(into->room));
    bool is_good = false;
    if (text.len > LOG_LINE_MAX)
        (void)fail(&reader, "it is longer than 65536 bytes");
    else if (json_check(text, &value) != ST_OK)
        (void)fail(&reader, "it is no JSON");
    else if (value.kind != JSON_OBJECT)
        (void)fail(&reader, "it is no JSON object");
    else
        is_good = read_object(&reader, value);
    if (!is_good)
        *ret_fault = reader.fault;
    return is_good ? ST_OK : ST_BAD;
}
