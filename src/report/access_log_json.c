/* A record as one JSON object in one line. docs/log.md describes each member; a change there and here goes
 * together, and one that takes a member away raises JSON_VERSION.
 *
 *     J1  The line is ASCII: whatever is not, and every control byte, is a \u escape. A byte that is not part
 *         of valid UTF-8 becomes the escape of its value.
 *     J2  A member that has nothing to say is absent.
 *     J3  Times are rounded once: each mark is cut to whole microseconds from the base, and phases are
 *         differences of the cut marks, so that they fit each other exactly.
 *
 * Written with a pen of its own (json_pen.h) instead of printf, since the JSON log is meant to be on under load. */
#include "report/access_log_internal.h"
#include "report/json_pen.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/verdict.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define JSON_VERSION "1"

enum { ENDPOINT_V4_ROOM = INET_ENDPOINT_TEXT + JSON_DIGITS_MAX };

/* ---- Members ---- */

JSON_INLINE void add_text(struct text *into, struct slice key, const struct record *record,
                          struct record_text which)
{
    if (which.len == 0)
        return;
    json_put(into, key);
    json_put_string(into, record_get(record, which));
}

/* inet_endpoint_format goes through printf for IPv4, which would be a fifth of the whole line. */
static void put_endpoint_v4(struct text *into, const struct inet_endpoint *endpoint)
{
    char *at = into->at + into->len;
    *at++ = '"';
    for (size_t i = 0; i < 4; i++) {
        at = json_digits(at, endpoint->addr.bytes[i]);
        *at++ = i < 3 ? '.' : ':';
    }
    at = json_digits(at, endpoint->port);
    *at++ = '"';
    into->len = (size_t)(at - into->at);
}

JSON_INLINE void add_endpoint(struct text *into, struct slice key,
                              const struct inet_endpoint *endpoint)
{
    char address[INET_ENDPOINT_TEXT];
    if (endpoint->addr.family == INET_NONE)
        return;
    json_put(into, key);
    if (endpoint->addr.family == INET_V4 && json_has_room(into, ENDPOINT_V4_ROOM))
        put_endpoint_v4(into, endpoint);
    else
        json_put_string(into, slice_of(address, inet_endpoint_format(endpoint, address)));
}

/* A version of HTTP/1, whose minor number follows. */
#define HTTP_KEY(word) SLICE(",\"" word "\":\"1.")

JSON_INLINE void add_http_version(struct text *into, struct slice key, uint8_t minor)
{
    json_number(into, key, minor);
    json_put_char(into, '"');
}

/* ---- Parts of the record ---- */

enum { SECOND_LEN = 19, TIME_LEN = SECOND_LEN + 8 };

/* 2026-11-24T02:12:23. Lines come in the order of time, and a calendar costs as much as a third of one. */
static const char *second_text(uint64_t seconds)
{
    static _Thread_local struct {
        uint64_t seconds;
        char text[SECOND_LEN + 1];
    } last;
    if (last.text[0] == '\0' || last.seconds != seconds) {
        struct tm tm;
        time_t time = (time_t)seconds;
        /* Fails for no 64-bit count of nanoseconds, and gives a year of four digits. */
        (void)gmtime_r(&time, &tm);
        size_t len = strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S", &tm);
        CHECK(len == SECOND_LEN);
        last.seconds = seconds;
    }
    return last.text;
}

/* "2026-11-24T02:12:23.123456Z" */
static void add_time(struct text *into, uint64_t wall_ns)
{
    char spare[TIME_LEN + 2];
    json_put(into, JSON_KEY("time"));
    char *begin = json_begin(into, spare, sizeof(spare));
    char *at = begin + 1 + SECOND_LEN;
    /* Eight digits of which six are needed; what is written after them covers the zeros in front. */
    json_digits_eight(at - 1, (uint32_t)(wall_ns % NS_PER_S / NS_PER_US));
    begin[0] = '"';
    memcpy(begin + 1, second_text(wall_ns / NS_PER_S), SECOND_LEN);
    at[0] = '.';
    at[7] = 'Z';
    at[8] = '"';
    json_end(into, begin, at + 9);
}

/* 16 hexadecimal digits, since a JSON number holds only 53 bits. */
static void add_id(struct text *into, uint64_t id)
{
    char spare[18];
    json_put(into, JSON_KEY("id"));
    char *begin = json_begin(into, spare, sizeof(spare));
    begin[0] = begin[17] = '"';
    json_digits_hex(begin + 1, id);
    json_end(into, begin, begin + sizeof(spare));
}

static void add_what(const struct record *record, struct text *into)
{
    add_text(into, JSON_KEY("method"), record, record->method);
    add_text(into, JSON_KEY("url"), record, record->url);
    json_flag(into, JSON_KEY("url_cut"), record->url_is_cut);
    add_text(into, JSON_KEY("host"), record, record->host);
    if (record->client_major > 0)
        add_http_version(into, HTTP_KEY("http"), record->client_minor);
    add_text(into, JSON_KEY("user"), record, record->user);
    add_text(into, JSON_KEY("referer"), record, record->referer);
    add_text(into, JSON_KEY("user_agent"), record, record->user_agent);
}

/* The texts of a list, which has a line feed between two. */
static void put_list(struct text *into, struct slice rest)
{
    struct slice name;
    json_put_char(into, '[');
    while (slice_next_part(&rest, '\n', &name)) {
        json_put_string(into, name);
        if (rest.len > 0)
            json_put_char(into, ',');
    }
    json_put_char(into, ']');
}

JSON_INLINE void add_list(struct text *into, struct slice key, const struct record *record,
                          struct record_text which)
{
    if (which.len == 0)
        return;
    json_put(into, key);
    put_list(into, record_get(record, which));
}

static void add_client(const struct record *record, struct text *into)
{
    add_text(into, JSON_KEY("listener_name"), record, record->listener_name);
    add_list(into, JSON_KEY("groups"), record, record->groups);
    struct json_object object = json_open(into, JSON_KEY("client_certificate"));
    add_text(into, JSON_KEY("subject"), record, record->cert_subject);
    add_list(into, JSON_KEY("names"), record, record->cert_names);
    json_flag(into, JSON_KEY("cut"), record->certificate_is_cut);
    json_close(into, object);
}

static void add_outcome(const struct record *record, struct text *into)
{
    json_count(into, JSON_KEY("status"), record->status);
    if (record->upstream_status != 0) {
        json_number(into, JSON_KEY("upstream_status"), record->upstream_status);
        add_http_version(into, HTTP_KEY("upstream_http"), record->upstream_minor);
    }
    if (record->end != END_NONE)
        json_word(into, JSON_KEY("end"), record_end_word((enum record_end)record->end));
    if (record->ended_by != LEG_NONE)
        json_word(into, JSON_KEY("ended_by"), record_leg_word((enum record_leg)record->ended_by));
    add_text(into, JSON_KEY("sni"), record, record->sni);
    add_text(into, JSON_KEY("rule"), record, record->rule);
    add_text(into, JSON_KEY("would_deny"), record, record->would_deny);
    add_text(into, JSON_KEY("remedy"), record, record->remedy);
    add_text(into, JSON_KEY("cause"), record, record->cause);
    add_text(into, JSON_KEY("error"), record, record->token);
    add_text(into, JSON_KEY("detail"), record, record->detail);
    json_count(into, JSON_KEY("retries"), record->retries);
    if (record->retry_was_stale_pool)
        json_word(into, JSON_KEY("retry_reason"), "stale_pool");
}

static void add_connections(const struct record *record, struct text *into)
{
    struct json_object object = json_open(into, JSON_KEY("client_conn"));
    if (record->client_conn_id != 0) {
        json_number(into, JSON_KEY("id"), record->client_conn_id);
        json_number(into, JSON_KEY("use"), record->client_use);
    }
    json_close(into, object);
    if (record->upstream_conn_id == 0)
        return;
    object = json_open(into, JSON_KEY("upstream_conn"));
    json_number(into, JSON_KEY("id"), record->upstream_conn_id);
    json_number(into, JSON_KEY("use"), record->upstream_use);
    if (record->upstream_use > 1) {
        json_number(into, JSON_KEY("age_us"), record->upstream_age_ns / NS_PER_US);
        json_count(into, JSON_KEY("paid_dns_us"), record->paid_dns_ns / NS_PER_US);
        json_count(into, JSON_KEY("paid_connect_us"), record->paid_connect_ns / NS_PER_US);
        json_count(into, JSON_KEY("paid_tls_us"), record->paid_tls_ns / NS_PER_US);
    }
    json_close(into, object);
}

JSON_INLINE void add_pace(struct text *into, struct slice key, const struct record_pace *pace)
{
    struct json_object object = json_open(into, key);
    json_count(into, JSON_KEY("moving_us"), pace->moving_ns / NS_PER_US);
    json_count(into, JSON_KEY("quiet_us"), pace->quiet_ns / NS_PER_US);
    json_count(into, JSON_KEY("pauses"), pace->pauses);
    json_close(into, object);
}

static void add_bytes(const struct record *record, struct text *into)
{
    struct json_object object = json_open(into, JSON_KEY("bytes"));
    json_number(into, JSON_KEY("client_in"), record->client_in_bytes);
    json_number(into, JSON_KEY("client_out"), record->client_out_bytes);
    json_number(into, JSON_KEY("upstream_out"), record->upstream_out_bytes);
    json_number(into, JSON_KEY("upstream_in"), record->upstream_in_bytes);
    json_number(into, JSON_KEY("request_body"), record->request_body_bytes);
    json_number(into, JSON_KEY("response_body"), record->response_body_bytes);
    json_close(into, object);
    object = json_open(into, JSON_KEY("stalled_us"));
    json_count(into, JSON_KEY("by_client"), record->stalled_by_client_ns / NS_PER_US);
    json_count(into, JSON_KEY("by_upstream"), record->stalled_by_upstream_ns / NS_PER_US);
    json_count(into, JSON_KEY("by_limits"), record->stalled_by_limits_ns / NS_PER_US);
    json_count(into, JSON_KEY("by_dns"), record->stalled_by_dns_ns / NS_PER_US);
    json_close(into, object);
    object = json_open(into, JSON_KEY("pace"));
    add_pace(into, JSON_KEY("client"), &record->client_pace);
    add_pace(into, JSON_KEY("upstream"), &record->upstream_pace);
    json_count(into, JSON_KEY("awaited_us"), record->awaited_ns / NS_PER_US);
    json_count(into, JSON_KEY("waits"), record->waits);
    json_count(into, JSON_KEY("held_us"), record->held_ns / NS_PER_US);
    json_close(into, object);
}

static void add_version(struct text *into, struct slice key, uint16_t version)
{
    json_put(into, key);
    if (version >= 0x0301 && version <= 0x0304)
        text_add_format(into, "\"1.%u\"", version - 0x0301u);
    else
        text_add_format(into, "\"0x%04x\"", version);
}

static void add_tls_members(struct text *into, const struct record_tls *tls)
{
    add_version(into, JSON_KEY("version"), tls->version);
    json_put(into, JSON_KEY("cipher"));
    text_add_format(into, "\"0x%04x\"", tls->cipher);
    if (tls->cipher_name != NULL)
        json_word(into, JSON_KEY("cipher_name"), tls->cipher_name);
    json_put(into, JSON_KEY("resumed"));
    json_put(into, tls->resumed ? SLICE("true") : SLICE("false"));
}

JSON_INLINE void add_tls(struct text *into, struct slice key, const struct record_tls *tls)
{
    if (tls->version == 0)
        return;
    struct json_object object = json_open(into, key);
    add_tls_members(into, tls);
    json_close(into, object);
}

/* Of what is open: when its record was made, and what passed in a tunnel since the record before; of its last record,
 * too. */
static void add_since(const struct record *record, struct text *into)
{
    if (record->now_ns != 0) {
        json_signed(into, JSON_KEY("now_us"),
                    timeline_offset_us(&record->timeline, record->now_ns));
    }
    if (record->told_ns == 0)
        return;
    struct json_object object = json_open(into, JSON_KEY("since"));
    json_signed(into, JSON_KEY("at_us"), timeline_offset_us(&record->timeline, record->told_ns));
    json_number(into, JSON_KEY("request_body"), record->request_body_bytes - record->told_up_bytes);
    json_number(into, JSON_KEY("response_body"),
                record->response_body_bytes - record->told_down_bytes);
    json_close(into, object);
}

static void add_alert(const struct record_inside *inside, struct text *into)
{
    if (inside->alert_by == LEG_NONE)
        return;
    struct json_object object = json_open(into, JSON_KEY("alert"));
    json_word(into, JSON_KEY("by"), record_leg_word((enum record_leg)inside->alert_by));
    bool is_hidden = (inside->flags & INSIDE_ALERT_HIDDEN) != 0;
    json_flag(into, JSON_KEY("encrypted"), is_hidden);
    if (!is_hidden) {
        const char *name = record_alert_word(inside->alert);
        json_number(into, JSON_KEY("code"), inside->alert);
        if (name != NULL)
            json_word(into, JSON_KEY("name"), name);
    }
    json_close(into, object);
}

static const struct json_key inside_keys[] = {
#define X(name, word, meaning) JSON_KEY_INIT(word),
    RECORD_INSIDE_FLAGS(X)
#undef X
};

static void add_sureness(struct text *into, struct slice key, bool is_there, bool is_guess)
{
    if (is_there)
        json_word(into, key, is_guess ? "estimated" : "passive");
}

/* In TLS 1.3 these are told by the length of the client's records, but for a refusal that a HelloRetryRequest
 * implies. */
static uint16_t guessed_flags(const struct record_inside *inside)
{
    uint16_t flags = INSIDE_CERTIFICATE_ASKED | INSIDE_CLIENT_CERTIFICATE;
    if ((inside->flags & INSIDE_HANDSHAKE_ESTIMATED) == 0)
        return 0;
    if ((inside->flags & INSIDE_HELLO_RETRY) == 0)
        flags |= INSIDE_EARLY_DATA_REFUSED;
    return flags;
}

/* How sure it is; what is not there has none. */
static void add_confidence(const struct record *record, struct text *into)
{
    const struct record_inside *inside = &record->inside;
    const struct timeline *timeline = &record->timeline;
    bool guesses_end = (inside->flags & INSIDE_HANDSHAKE_ESTIMATED) != 0;
    uint16_t guesses = guessed_flags(inside);
    struct json_object object = json_open(into, JSON_KEY("confidence"));
    add_sureness(into, JSON_KEY("client_hello"), timeline_has(timeline, MARK_T_CH), false);
    add_sureness(into, JSON_KEY("answer"), timeline_has(timeline, MARK_T_SH), false);
    add_sureness(into, JSON_KEY("handshake"), timeline_has(timeline, MARK_T_HS), guesses_end);
    add_sureness(into, JSON_KEY("request"), timeline_has(timeline, MARK_T_REQ), guesses_end);
    add_sureness(into, JSON_KEY("response"), timeline_has(timeline, MARK_T_RSP),
                 (inside->flags & INSIDE_RESPONSE_ESTIMATED) != 0);
    for (int bit = 0; bit < INSIDE_BIT_COUNT; bit++)
        add_sureness(into, json_key_slice(&inside_keys[bit]), (inside->flags & 1 << bit) != 0,
                     (guesses & 1 << bit) != 0);
    add_sureness(into, JSON_KEY("alert"), inside->alert_by != LEG_NONE,
                 (inside->flags & INSIDE_ALERT_HIDDEN) != 0);
    add_sureness(into, JSON_KEY("turns"), inside->turns > 0, true);
    if (inside->idle_ns > 0)
        json_word(into, JSON_KEY("idle"), "exact");
    json_close(into, object);
}

/* Of a request nothing is, and there is much to look through. */
static bool has_inside(const struct record *record)
{
    const struct record_inside *inside = &record->inside;
    const struct timeline *timeline = &record->timeline;
    return inside->offered != 0 || inside->version != 0 || inside->flags != 0 ||
           inside->alert_by != LEG_NONE || inside->turns != 0 || inside->idle_ns != 0 ||
           record->alpn.len > 0 || record->ja4.len > 0 || timeline_has(timeline, MARK_T_CH) ||
           timeline_has(timeline, MARK_T_SH) || timeline_has(timeline, MARK_T_HS) ||
           timeline_has(timeline, MARK_T_REQ) || timeline_has(timeline, MARK_T_RSP);
}

static void add_inside(const struct record *record, struct text *into)
{
    const struct record_inside *inside = &record->inside;
    if (!has_inside(record))
        return;
    struct json_object object = json_open(into, JSON_KEY("inside"));
    if (inside->version != 0) {
        add_version(into, JSON_KEY("version"), inside->version);
        json_put(into, JSON_KEY("cipher"));
        text_add_format(into, "\"0x%04x\"", inside->cipher);
    }
    if (inside->offered != 0)
        add_version(into, JSON_KEY("offered"), inside->offered);
    add_list(into, JSON_KEY("alpn"), record, record->alpn);
    for (int bit = 0; bit < INSIDE_BIT_COUNT; bit++)
        json_flag(into, json_key_slice(&inside_keys[bit]), (inside->flags & 1 << bit) != 0);
    add_alert(inside, into);
    add_text(into, JSON_KEY("ja4"), record, record->ja4);
    json_count(into, JSON_KEY("turns"), inside->turns);
    json_count(into, JSON_KEY("idle_us"), inside->idle_ns / NS_PER_US);
    add_confidence(record, into);
    json_close(into, object);
}

static void add_tcp_members(struct text *into, const struct record_tcp *tcp)
{
    json_count(into, JSON_KEY("rtt_us"), tcp->rtt_us);
    json_count(into, JSON_KEY("rtt_var_us"), tcp->rtt_var_us);
    json_count(into, JSON_KEY("min_rtt_us"), tcp->min_rtt_us);
    json_number(into, JSON_KEY("retransmits"), tcp->retransmits);
    json_number(into, JSON_KEY("out_of_order"), tcp->out_of_order);
    json_number(into, JSON_KEY("segments_in"), tcp->segments_in);
    json_number(into, JSON_KEY("segments_out"), tcp->segments_out);
    json_number(into, JSON_KEY("data_segments_in"), tcp->data_segments_in);
    json_number(into, JSON_KEY("data_bytes_in"), tcp->data_bytes_in);
    json_count(into, JSON_KEY("mss_in"), tcp->mss_in);
    json_count(into, JSON_KEY("delivery_rate"), tcp->delivery_rate);
    json_number(into, JSON_KEY("busy_us"), tcp->busy_us);
    json_number(into, JSON_KEY("rwnd_limited_us"), tcp->rwnd_limited_us);
    json_number(into, JSON_KEY("sndbuf_limited_us"), tcp->sndbuf_limited_us);
}

JSON_INLINE void add_tcp_leg(struct text *into, struct slice key, const struct record_tcp *tcp)
{
    if (tcp->is_known == 0)
        return;
    struct json_object object = json_open(into, key);
    add_tcp_members(into, tcp);
    json_close(into, object);
}

static void add_tcp(const struct record *record, struct text *into)
{
    struct json_object object = json_open(into, JSON_KEY("tcp"));
    add_tcp_leg(into, JSON_KEY("client"), &record->client_tcp);
    add_tcp_leg(into, JSON_KEY("upstream"), &record->upstream_tcp);
    json_close(into, object);
}

static void add_dns(const struct record *record, struct text *into)
{
    if (record->dns_source == DNS_NONE)
        return;
    struct json_object object = json_open(into, JSON_KEY("dns"));
    json_word(into, JSON_KEY("source"), dns_source_word((enum dns_source)record->dns_source));
    json_count(into, JSON_KEY("answers"), record->dns_answers);
    json_close(into, object);
}

/* ---- Times ---- */

static const struct json_key mark_keys[MARK_COUNT] = {
#define X(name, word, meaning) [MARK_##name] = JSON_KEY_INIT(word),
    TIMELINE_MARKS(X)
#undef X
};

static const struct json_key phase_keys[PHASE_COUNT] = {
#define X(name, word) [PHASE_##name] = JSON_KEY_INIT(word),
    TIMELINE_PHASES(X)
#undef X
};

/* Of a request in flight: the one that it is in. */
static void add_phase_now(const struct record *record, struct text *into)
{
    enum phase phase;
    uint64_t since_ns;
    if (record_is_in_flight(record) && timeline_phase_now(&record->timeline, &phase, &since_ns))
        json_word(into, JSON_KEY("phase"), phase_word(phase));
}

/* Of what was given up: the one that was not over. */
static void add_unfinished(const struct record *record, struct text *into)
{
    struct timeline cut;
    enum phase phase;
    uint64_t begin_ns, end_ns;
    if (record->cause.len == 0) /* most went well, and need not be cut for this */
        return;
    timeline_cut(&record->timeline, &cut);
    if (!record_unfinished(record, &cut, &phase, &begin_ns, &end_ns))
        return;
    struct json_object object = json_open(into, JSON_KEY("unfinished"));
    json_word(into, JSON_KEY("phase"), phase_word(phase));
    json_number(into, JSON_KEY("us"), (end_ns - begin_ns) / NS_PER_US);
    json_close(into, object);
}

static void add_times(const struct record *record, struct text *into)
{
    struct timeline_spread times;
    timeline_spread(&record->timeline, &times);
    json_numbers(into, JSON_KEY("phases_us"), phase_keys, times.phase_us, times.phases);
    json_numbers(into, JSON_KEY("marks_us"), mark_keys, times.mark_us, times.marks);
}

static const struct json_key slow_keys[SLOW_COUNT] = {
#define X(name, word, meaning) [SLOW_##name] = JSON_KEY_INIT(word),
    SLOW_SIDES(X)
#undef X
};

static void add_verdict(const struct record *record, struct text *into)
{
    struct verdict verdict;
    if (!verdict_judge(record, &verdict))
        return;
    struct json_object object = json_open(into, JSON_KEY("verdict"));
    json_word(into, JSON_KEY("slow"), slow_word(verdict.slow));
    struct json_object shares = json_open(into, JSON_KEY("shares_us"));
    for (size_t side = 0; side < SLOW_COUNT; side++)
        json_count(into, json_key_slice(&slow_keys[side]), verdict.share_us[side]);
    json_close(into, shares);
    json_close(into, object);
}

static void add_attempt(const struct record_attempt *attempt, const struct timeline *timeline,
                        struct text *into)
{
    struct json_object object = json_open_next(into);
    add_endpoint(into, JSON_KEY("peer"), &attempt->peer);
    if (attempt->begin_ns != 0) {
        json_signed(into, JSON_KEY("begin_us"), timeline_offset_us(timeline, attempt->begin_ns));
    }
    if (attempt->end_ns != 0) {
        json_signed(into, JSON_KEY("end_us"), timeline_offset_us(timeline, attempt->end_ns));
    }
    const char *result = record_attempt_word(attempt);
    json_word(into, JSON_KEY("result"), result);
    const char *name = strcmp(result, "failed") == 0 ? strerrorname_np(attempt->os_error) : NULL;
    if (name != NULL)
        json_word(into, JSON_KEY("error"), name);
    json_close(into, object);
}

static void add_attempts(const struct record *record, struct text *into)
{
    size_t count = record->attempt_count;
    if (count == 0)
        return;
    if (count > RECORD_ATTEMPTS_MAX)
        count = RECORD_ATTEMPTS_MAX;
    json_put(into, JSON_KEY("attempts"));
    json_put_char(into, '[');
    for (size_t i = 0; i < count; i++)
        add_attempt(&record->attempts[i], &record->timeline, into);
    json_put_char(into, ']');
}

void access_log_add_json(const struct record *record, struct text *into)
{
    /* What and who. */
    json_put(into, SLICE("{\"v\":" JSON_VERSION));
    add_time(into, record->timeline.wall_ns);
    json_number(into, JSON_KEY("base_ns"), record->timeline.base_ns);
    json_word(into, JSON_KEY("kind"), record_kind_word((enum record_kind)record->kind));
    json_flag(into, JSON_KEY("in_progress"), record->is_in_progress);
    add_id(into, record->id);
    json_number(into, JSON_KEY("worker"), record->worker);
    add_endpoint(into, JSON_KEY("client"), &record->client);
    add_endpoint(into, JSON_KEY("listener"), &record->listener);
    add_what(record, into);
    add_client(record, into);

    /* How it went. */
    add_outcome(record, into);
    add_endpoint(into, JSON_KEY("upstream"), &record->upstream);
    add_endpoint(into, JSON_KEY("source"), &record->source);
    add_connections(record, into);
    add_tls(into, JSON_KEY("client_tls"), &record->client_tls);
    add_tls(into, JSON_KEY("parent_tls"), &record->parent_tls);
    add_tls(into, JSON_KEY("upstream_tls"), &record->upstream_tls);
    add_inside(record, into);
    add_dns(record, into);
    add_bytes(record, into);
    add_since(record, into);

    /* Where the time went. */
    add_phase_now(record, into);
    add_unfinished(record, into);
    add_times(record, into);
    add_tcp(record, into);
    add_verdict(record, into);
    add_attempts(record, into);
    json_put(into, SLICE("}\n"));
}
