/* Each object of a line has a table: the name of a member, who reads it, and where it goes.
 *
 * A member that comes twice makes the line a bad one: which of the two counts would be the choice of whoever forged
 * it. */

#include "report/record_json_internal.h"

#include "base/check.h"

enum { MEMBERS_MAX = 64 };

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

static const struct member certificate_members[] = {
    MEMBER("subject", reader_text, cert_subject),
    MEMBER("names", reader_list, cert_names),
    MEMBER("cut", reader_flag, certificate_is_cut),
};

static const struct member client_conn_members[] = {
    MEMBER("id", reader_u64, client_conn_id),
    MEMBER("use", reader_u32, client_use),
};

static const struct member upstream_conn_members[] = {
    MEMBER("id", reader_u64, upstream_conn_id),
    MEMBER("use", reader_u32, upstream_use),
    MEMBER("age_us", reader_us, upstream_age_ns),
    MEMBER("paid_dns_us", reader_us, paid_dns_ns),
    MEMBER("paid_connect_us", reader_us, paid_connect_ns),
    MEMBER("paid_tls_us", reader_us, paid_tls_ns),
};

static const struct member dns_members[] = {
    MEMBER("source", reader_dns_source, dns_source),
    MEMBER("answers", reader_u8, dns_answers),
};

static const struct member bytes_members[] = {
    MEMBER("client_in", reader_u64, client_in_bytes),
    MEMBER("client_out", reader_u64, client_out_bytes),
    MEMBER("upstream_out", reader_u64, upstream_out_bytes),
    MEMBER("upstream_in", reader_u64, upstream_in_bytes),
    MEMBER("request_body", reader_u64, request_body_bytes),
    MEMBER("response_body", reader_u64, response_body_bytes),
};

static const struct member stalled_members[] = {
    MEMBER("by_client", reader_us, stalled_by_client_ns),
    MEMBER("by_upstream", reader_us, stalled_by_upstream_ns),
    MEMBER("by_limits", reader_us, stalled_by_limits_ns),
    MEMBER("by_dns", reader_us, stalled_by_dns_ns),
};

#define PACE(way)                                                                                  \
    {                                                                                              \
        MEMBER("moving_us", reader_us, way.moving_ns),                                             \
            MEMBER("quiet_us", reader_us, way.quiet_ns), MEMBER("pauses", reader_u64, way.pauses), \
    }
static const struct member client_pace_members[] = PACE(client_pace);
static const struct member upstream_pace_members[] = PACE(upstream_pace);
#undef PACE

/* `is_known` is that there is an object. */
#define TCP(leg)                                                            \
    {                                                                       \
        MEMBER("rtt_us", reader_u32, leg.rtt_us),                           \
            MEMBER("rtt_var_us", reader_u32, leg.rtt_var_us),               \
            MEMBER("min_rtt_us", reader_u32, leg.min_rtt_us),               \
            MEMBER("retransmits", reader_u32, leg.retransmits),             \
            MEMBER("out_of_order", reader_u32, leg.out_of_order),           \
            MEMBER("segments_in", reader_u32, leg.segments_in),             \
            MEMBER("segments_out", reader_u32, leg.segments_out),           \
            MEMBER("data_segments_in", reader_u32, leg.data_segments_in),   \
            MEMBER("data_bytes_in", reader_u64, leg.data_bytes_in),         \
            MEMBER("mss_in", reader_u32, leg.mss_in),                       \
            MEMBER("delivery_rate", reader_u64, leg.delivery_rate),         \
            MEMBER("busy_us", reader_u64, leg.busy_us),                     \
            MEMBER("rwnd_limited_us", reader_u64, leg.rwnd_limited_us),     \
            MEMBER("sndbuf_limited_us", reader_u64, leg.sndbuf_limited_us), \
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
    MEMBER("waits", reader_u64, waits),
    MEMBER("held_us", reader_us, held_ns),
};
READ_OBJECT(pace)
#undef READ_OBJECT

/* ---- The line ---- */

static const struct member line_members[] = {
    PART("v", reader_version),
    MEMBER("time", reader_time, timeline.wall_ns),
    MEMBER("base_ns", reader_base, timeline.base_ns),
    MEMBER("kind", reader_kind, kind),
    MEMBER("in_progress", reader_flag, is_in_progress),
    MEMBER("id", reader_id, id),
    MEMBER("worker", reader_u16, worker),
    MEMBER("client", reader_endpoint, client),
    MEMBER("listener", reader_endpoint, listener),
    MEMBER("listener_name", reader_text, listener_name),
    MEMBER("method", reader_text, method),
    MEMBER("url", reader_url, url),
    MEMBER("url_cut", reader_flag, url_is_cut),
    MEMBER("host", reader_text, host),
    MEMBER("http", reader_client_http, client_minor),
    MEMBER("user", reader_text, user),
    MEMBER("groups", reader_list, groups),
    PART("client_certificate", read_certificate),
    MEMBER("referer", reader_text, referer),
    MEMBER("user_agent", reader_text, user_agent),
    MEMBER("status", reader_u16, status),
    MEMBER("upstream_status", reader_u16, upstream_status),
    MEMBER("upstream_http", reader_upstream_http, upstream_minor),
    MEMBER("end", reader_end, end),
    MEMBER("ended_by", reader_leg, ended_by),
    MEMBER("sni", reader_text, sni),
    MEMBER("rule", reader_text, rule),
    MEMBER("would_deny", reader_text, would_deny),
    MEMBER("remedy", reader_text, remedy),
    MEMBER("cause", reader_text, cause),
    MEMBER("error", reader_text, token),
    MEMBER("detail", reader_text, detail),
    MEMBER("retries", reader_u8, retries),
    MEMBER("retry_reason", reader_retry_reason, retry_was_stale_pool),
    MEMBER("upstream", reader_endpoint, upstream),
    MEMBER("source", reader_endpoint, source),
    PART("client_conn", read_client_conn),
    PART("upstream_conn", read_upstream_conn),
    MEMBER("client_tls", reader_tls, client_tls),
    MEMBER("parent_tls", reader_tls, parent_tls),
    MEMBER("upstream_tls", reader_tls, upstream_tls),
    PART("dns", read_dns),
    PART("bytes", read_bytes),
    PART("stalled_us", read_stalled),
    PART("pace", read_pace),
    PART("tcp", read_tcp_legs),
    PART("inside", reader_inside),
    PART("now_us", reader_keep_now),
    PART("since", reader_keep_since),
    PART("marks_us", reader_keep_marks),
    PART("attempts", reader_keep_attempts),
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
           reader_marks(reader) && reader_attempts(reader) && reader_now(reader) &&
           reader_since(reader);
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
