/* A record as an entry of HAR 1.2.
 *
 * HAR wants `time` to be the sum of its phases, with `ssl` inside of `connect`. Our phases need not add up, since what
 * lies between them belongs to none. So an entry is laid along one line, from the complete request head to the last
 * response byte, at whole microseconds, and each phase is the piece between two points:
 *
 *     start ── dns ── connect (with parent_tls, parent, ssl) ── ready ── send ── wait ── receive ── end
 *
 *     A1  A point is never before the one before it, so no piece is negative, and all of them make up `time`.
 *     A2  What lies between the start and `ready` and is neither dns nor connect is `blocked`.
 *     A3  What did not happen is -1, but for send, wait and receive, which must be there: they are 0.
 *     A4  What was given up lasted until then: a look-up is dns; a connect, and what belongs to it, connect.
 *
 * Waiting for an answer that never came is `wait`, though the timeline has no such phase: it was waited. What lies
 * outside of the line (the client's own sending, the last bytes to it, closing) is in members with an underscore, and
 * so is what HAR has no word for. */

#include "report/har.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/number.h"
#include "http/status_code.h"
#include "record/verdict.h"
#include "report/access_log_internal.h"

#include <errno.h>
#include <time.h>

/* ---- The line of an entry ---- */

/* Monotonic, of a timeline that is cut to microseconds. */
struct points {
    uint64_t start, dns0, dns1, connect0, connect1, ready, sent, answered, end;
    uint64_t ssl_ns;
    bool has_dns, has_connect, has_ssl;
};

static uint64_t first_present(uint64_t a, uint64_t b)
{
    return a != 0 ? a : b;
}

/* `at` between the two; `least` where it never happened. */
static uint64_t between(uint64_t at, uint64_t least, uint64_t most)
{
    return at < least ? least : at > most ? most : at;
}

static uint64_t point_of_start(const struct timeline *timeline)
{
    const uint64_t *at = timeline->at_ns;
    uint64_t first = first_present(at[MARK_C_FIRST], at[MARK_C_ACCEPT]);
    return first_present(first_present(at[MARK_C_HEAD], first), timeline->base_ns);
}

/* Where the upstream was ready, or the answer of the proxy itself began. */
static uint64_t point_of_ready(const struct record *record, const uint64_t *at)
{
    if (record->kind == RECORD_TUNNEL)
        return at[MARK_T_OPEN];
    return first_present(first_present(at[MARK_U_TX0], at[MARK_D_TX0]), at[MARK_X_END]);
}

/* What comes behind `ready`. */
static void point_at_rest(const struct record *record, const uint64_t *at, struct points *points)
{
    uint64_t given_up = first_present(at[MARK_D_TX0], at[MARK_X_END]);
    points->sent = points->answered = points->ready;
    points->end = u64_most(at[MARK_T_LAST], points->ready);
    if (record->kind == RECORD_TUNNEL)
        return;
    if (at[MARK_U_TX0] != 0) {
        uint64_t answered = first_present(at[MARK_U_RX0], given_up);
        uint64_t sent = first_present(at[MARK_U_TX1], answered);
        points->answered = u64_most(answered, points->ready);
        points->sent = between(sent, points->ready, points->answered);
    }
    uint64_t last = at[MARK_U_RX0] != 0 ? at[MARK_U_RX1] : at[MARK_D_TX1];
    if (record->kind == RECORD_UPGRADE)
        last = u64_most(last, at[MARK_T_LAST]);
    points->end = u64_most(first_present(last, at[MARK_X_END]), points->answered);
}

/* A4: set the end of the phase that was given up. */
static void end_unfinished(const struct record *record, struct timeline *timeline)
{
    static const uint8_t ends[PHASE_COUNT] = {[PHASE_DNS] = MARK_U_DNS1,
                                              [PHASE_CONNECT] = MARK_U_SYN1,
                                              [PHASE_PARENT_TLS] = MARK_U_PT1,
                                              [PHASE_PARENT] = MARK_U_PX1,
                                              [PHASE_TLS] = MARK_U_TLS1};
    enum phase phase;
    uint64_t begin_ns, end_ns;
    if (record_unfinished(record, timeline, &phase, &begin_ns, &end_ns) && ends[phase] != 0)
        timeline_mark_at(timeline, (enum mark)ends[phase], end_ns);
}

static void find_points(const struct record *record, const struct timeline *whole,
                        struct points *points)
{
    struct timeline ended = *whole;
    const struct timeline *timeline = &ended;
    const uint64_t *at = timeline->at_ns;
    end_unfinished(record, &ended);
    uint64_t beyond = u64_most(at[MARK_U_PT1], at[MARK_U_PX1]);
    uint64_t connected = u64_most(at[MARK_U_SYN1], u64_most(at[MARK_U_TLS1], beyond));
    points->has_dns = at[MARK_U_DNS0] != 0 && at[MARK_U_DNS1] != 0;
    points->has_connect = at[MARK_U_SYN0] != 0 && at[MARK_U_SYN1] != 0;
    points->start = point_of_start(timeline);
    points->ready = u64_most(point_of_ready(record, at), points->start);
    points->dns0 = points->dns1 = points->start;
    if (points->has_dns) {
        points->dns0 = between(at[MARK_U_DNS0], points->start, points->ready);
        points->dns1 = between(at[MARK_U_DNS1], points->dns0, points->ready);
    }
    points->connect0 = points->connect1 = points->dns1;
    if (points->has_connect) {
        points->connect0 = between(at[MARK_U_SYN0], points->dns1, points->ready);
        points->connect1 = between(connected, points->connect0, points->ready);
    }
    points->has_ssl = points->has_connect && timeline_phase(timeline, PHASE_TLS, &points->ssl_ns);
    if (points->has_ssl && points->ssl_ns > points->connect1 - points->connect0)
        points->ssl_ns = points->connect1 - points->connect0;
    point_at_rest(record, at, points);
}

/* ---- Members ---- */

static void add_string(struct text *into, const char *key, struct slice value)
{
    text_add_format(into, ",\"%s\":\"", key);
    text_add_json(into, value);
    text_add_char(into, '"');
}

/* Absent where there is none. */
static void add_text(struct text *into, const char *key, const struct record *record,
                     struct record_text which)
{
    if (which.len > 0)
        add_string(into, key, record_get(record, which));
}

static void add_number(struct text *into, const char *key, uint64_t value)
{
    text_add_format(into, ",\"%s\":%llu", key, (unsigned long long)value);
}

/* Milliseconds with their microseconds. */
static void add_ms(struct text *into, const char *key, uint64_t ns)
{
    unsigned long long us = ns / NS_PER_US;
    text_add_format(into, ",\"%s\":%llu.%03llu", key, us / 1000, us % 1000);
}

static void add_ms_if(struct text *into, const char *key, bool is_there, uint64_t ns)
{
    if (is_there)
        add_ms(into, key, ns);
    else
        text_add_format(into, ",\"%s\":-1", key);
}

static void add_phase(struct text *into, const char *key, const struct timeline *timeline,
                      enum phase phase)
{
    uint64_t ns;
    if (timeline_phase(timeline, phase, &ns))
        add_ms(into, key, ns);
}

static void add_address(struct text *into, const char *key, const struct inet_endpoint *endpoint)
{
    if (endpoint->addr.family == INET_NONE)
        return;
    text_add_format(into, ",\"%s\":\"", key);
    access_log_add_address(endpoint, into);
    text_add_char(into, '"');
}

/* 2026-11-24T02:12:23.123456Z */
static void add_date(struct text *into, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    text_add_format(into, "\"startedDateTime\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\"",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (unsigned)(wall_ns % NS_PER_S / NS_PER_US));
}

/* ---- URLs ---- */

static bool is_hex(char c)
{
    return char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'f');
}

/* What no URL may hold (RFC 3986 §2) becomes %XX. */
static void add_url_bytes(struct text *into, struct slice url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.at[i];
        bool is_escape =
            c == '%' && i + 2 < url.len && is_hex(url.at[i + 1]) && is_hex(url.at[i + 2]);
        bool is_fine =
            is_escape || (c > 0x20 && c < 0x7f && c != '%' && c != '"' && c != '\\' && c != '<' &&
                          c != '>' && c != '^' && c != '`' && c != '{' && c != '|' && c != '}');
        if (is_fine)
            text_add_char(into, (char)c);
        else
            text_add_format(into, "%%%02X", c);
    }
}

/* A tunnel has a scheme of its own, since nobody knows what is in it. */
static void add_url(const struct record *record, struct text *into)
{
    struct slice url = record_get(record, record->url);
    bool is_connect = slice_equals(record_get(record, record->method), SLICE("CONNECT"));
    bool has_scheme = slice_starts_with_nocase(url, SLICE("http://")) ||
                      slice_starts_with_nocase(url, SLICE("https://"));
    text_add(into, SLICE(",\"url\":\""));
    if (is_connect && url.len > 0)
        text_add(into, SLICE("connect://"));
    else if (!has_scheme)
        text_add(into, SLICE("about:invalid#"));
    add_url_bytes(into, url);
    text_add_char(into, '"');
}

/* ---- Parts of an entry ---- */

static void add_version(struct text *into, const char *key, bool is_known, uint8_t minor)
{
    if (is_known)
        text_add_format(into, ",\"%s\":\"HTTP/1.%u\"", key, minor);
    else
        text_add_format(into, ",\"%s\":\"unknown\"", key);
}

static void add_header(struct text *into, const char *name, const struct record *record,
                       struct record_text which)
{
    if (which.len == 0)
        return;
    text_add(into, into->at[into->len - 1] == '[' ? SLICE("{\"name\":\"") : SLICE(",{\"name\":\""));
    text_add(into, slice_from_string(name));
    text_add(into, SLICE("\",\"value\":\""));
    text_add_json(into, record_get(record, which));
    text_add(into, SLICE("\"}"));
}

static void add_request(const struct record *record, struct text *into)
{
    struct slice method = record_get(record, record->method);
    text_add(into, SLICE(",\"request\":{\"method\":\""));
    text_add_json(into, method.len > 0 ? method : SLICE("-"));
    text_add_char(into, '"');
    add_url(record, into);
    add_version(into, "httpVersion", record->client_major > 0, record->client_minor);
    text_add(into, SLICE(",\"cookies\":[],\"headers\":["));
    add_header(into, "Referer", record, record->referer);
    add_header(into, "User-Agent", record, record->user_agent);
    text_add(into, SLICE("],\"queryString\":[],\"headersSize\":-1"));
    add_number(into, "bodySize",
               record_is_tunnel(record) ? record->client_in_bytes : record->request_body_bytes);
    text_add_char(into, '}');
}

static void add_response(const struct record *record, struct text *into)
{
    uint64_t bytes =
        record_is_tunnel(record) ? record->client_out_bytes : record->response_body_bytes;
    text_add_format(into, ",\"response\":{\"status\":%u", record->status);
    add_string(into, "statusText", status_code_reason(record->status));
    add_version(into, "httpVersion", record->status != 0,
                record->upstream_status != 0 ? record->upstream_minor : 1);
    text_add(into, SLICE(",\"cookies\":[],\"headers\":[],\"content\":{\"mimeType\":\"x-unknown\""));
    add_number(into, "size", bytes);
    text_add(into, SLICE("},\"redirectURL\":\"\",\"headersSize\":-1"));
    add_number(into, "bodySize", bytes);
    text_add(into, SLICE("},\"cache\":{}"));
}

static void add_timings(const struct record *record, const struct timeline *timeline,
                        const struct points *points, struct text *into)
{
    const uint64_t *at = timeline->at_ns;
    uint64_t dns_ns = points->dns1 - points->dns0;
    uint64_t connect_ns = points->connect1 - points->connect0;
    uint64_t blocked_us = (points->ready - points->start - dns_ns - connect_ns) / NS_PER_US;
    text_add_format(into, ",\"timings\":{\"blocked\":%llu.%03llu",
                    (unsigned long long)blocked_us / 1000, (unsigned long long)blocked_us % 1000);
    add_ms_if(into, "dns", points->has_dns, dns_ns);
    add_ms_if(into, "connect", points->has_connect, connect_ns);
    add_ms_if(into, "ssl", points->has_ssl, points->ssl_ns);
    add_ms(into, "send", points->sent - points->ready);
    add_ms(into, "wait", points->answered - points->sent);
    add_ms(into, "receive", points->end - points->answered);

    add_phase(into, "_client_tls", timeline, PHASE_CLIENT_TLS);
    add_phase(into, "_client_send", timeline, PHASE_RECEIVE);
    add_phase(into, "_proxy_tls", timeline, PHASE_PARENT_TLS);
    add_phase(into, "_proxy", timeline, PHASE_PARENT);
    add_phase(into, "_deliver", timeline, PHASE_DELIVER);
    add_phase(into, "_tunnel", timeline, PHASE_TUNNEL);
    add_phase(into, "_inside_hello", timeline, PHASE_INSIDE_HELLO);
    add_phase(into, "_inside_tls", timeline, PHASE_INSIDE_TLS);
    add_phase(into, "_inside_wait", timeline, PHASE_INSIDE_WAIT);
    add_phase(into, "_close", timeline, PHASE_CLOSE);
    add_phase(into, "_total", timeline, PHASE_TOTAL);
    if (at[MARK_U_RX0] != 0 && at[MARK_U_TX1] > at[MARK_U_RX0])
        add_ms(into, "_send_overlap", at[MARK_U_TX1] - at[MARK_U_RX0]);
    if (at[MARK_U_1XX] > points->start)
        add_ms(into, "_first_interim", at[MARK_U_1XX] - points->start);
    if (record->stalled_by_client_ns >= NS_PER_US)
        add_ms(into, "_stalled_by_client", record->stalled_by_client_ns);
    if (record->stalled_by_upstream_ns >= NS_PER_US)
        add_ms(into, "_stalled_by_upstream", record->stalled_by_upstream_ns);
    text_add_char(into, '}');
}

/* What the connection is, and what its first exchange paid for it. */
static void add_connection(const struct record *record, struct text *into)
{
    add_address(into, "serverIPAddress", &record->upstream);
    if (record->upstream_conn_id == 0)
        return;
    text_add_format(into, ",\"connection\":\"%llu\"", (unsigned long long)record->upstream_conn_id);
    text_add_format(into, ",\"_conn\":{\"use\":%u", record->upstream_use);
    if (record->upstream_use > 1) {
        add_ms(into, "age", record->upstream_age_ns);
        if (record->paid_dns_ns != 0)
            add_ms(into, "orig_dns", record->paid_dns_ns);
        if (record->paid_connect_ns != 0)
            add_ms(into, "orig_connect", record->paid_connect_ns);
        if (record->paid_tls_ns != 0)
            add_ms(into, "orig_tls", record->paid_tls_ns);
    }
    text_add_char(into, '}');
}

static void add_offset(struct text *into, const char *key, uint64_t at_ns, uint64_t start_ns)
{
    int64_t us = (int64_t)(at_ns - start_ns) / (int64_t)NS_PER_US;
    uint64_t size = us < 0 ? (uint64_t)0 - (uint64_t)us : (uint64_t)us;
    text_add_format(into, ",\"%s\":%s%llu.%03llu", key, us < 0 ? "-" : "",
                    (unsigned long long)(size / 1000), (unsigned long long)(size % 1000));
}

/* Times in ms from the start of the entry. */
static void add_attempts(const struct record *record, uint64_t start_ns, struct text *into)
{
    size_t count = record->attempt_count;
    if (count > RECORD_ATTEMPTS_MAX)
        count = RECORD_ATTEMPTS_MAX;
    if (count == 0)
        return;
    text_add(into, SLICE(",\"_attempts\":["));
    for (size_t i = 0; i < count; i++) {
        const struct record_attempt *attempt = &record->attempts[i];
        const char *result = record_attempt_word(attempt);
        text_add_format(into, "%s{\"result\":\"%s\"", i > 0 ? "," : "", result);
        add_address(into, "address", &attempt->peer);
        if (attempt->begin_ns != 0)
            add_offset(into, "begin", attempt->begin_ns, start_ns);
        if (attempt->end_ns != 0)
            add_offset(into, "end", attempt->end_ns, start_ns);
        const char *error = result[0] == 'f' ? strerrorname_np(attempt->os_error) : NULL;
        if (error != NULL)
            add_string(into, "error", slice_from_string(error));
        text_add_char(into, '}');
    }
    text_add_char(into, ']');
}

/* Who was slow, and the shares of the time, which add up to `_total`. */
static void add_slow(const struct record *record, struct text *into)
{
    struct verdict verdict;
    if (!verdict_judge(record, &verdict))
        return;
    text_add_format(into, ",\"_slow\":{\"who\":\"%s\"", slow_word(verdict.slow));
    for (int side = 0; side < SLOW_COUNT; side++) {
        if (verdict.share_us[side] != 0)
            add_ms(into, slow_word((enum slow_side)side), verdict.share_us[side] * NS_PER_US);
    }
    text_add_char(into, '}');
}

static void add_own(const struct record *record, struct text *into)
{
    text_add_format(into, ",\"_id\":\"%016llx\",\"_kind\":\"%s\"", (unsigned long long)record->id,
                    record_kind_word((enum record_kind)record->kind));
    if (record->is_in_progress)
        text_add(into, SLICE(",\"_in_progress\":true"));
    if (record->end != END_NONE)
        add_string(into, "_end", slice_from_string(record_end_word((enum record_end)record->end)));
    if (record->ended_by != LEG_NONE)
        add_string(into, "_ended_by",
                   slice_from_string(record_leg_word((enum record_leg)record->ended_by)));
    add_text(into, "_cause", record, record->cause);
    add_text(into, "_detail", record, record->detail);
    add_text(into, "_rule", record, record->rule);
    add_text(into, "_would_deny", record, record->would_deny);
    add_text(into, "_user", record, record->user);
    add_text(into, "_sni", record, record->sni);
    add_address(into, "_client", &record->client);
    add_number(into, "_worker", record->worker);
    if (record->client_conn_id != 0)
        add_number(into, "_client_connection", record->client_conn_id);
    if (record->retries != 0)
        add_number(into, "_retries", record->retries);
    if (record->retry_was_stale_pool)
        text_add(into, SLICE(",\"_retry_reason\":\"stale_pool\""));
}

/* ---- The archive ---- */

void har_begin(struct text *into)
{
    text_add(into, SLICE("{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"Fairlead\","
                         "\"version\":\"" FAIRLEAD_VERSION "\"},\"entries\":[\n"));
}

void har_end(struct text *into)
{
    text_add(into, SLICE("\n]}}\n"));
}

void har_add(const struct record *record, bool is_first, struct text *into)
{
    struct timeline timeline;
    struct points points = {.ssl_ns = 0};
    timeline_cut(&record->timeline, &timeline);
    find_points(record, &timeline, &points);
    text_add(into, is_first ? SLICE("{") : SLICE(",\n{"));
    add_date(into, timeline.wall_ns + (points.start - timeline.base_ns));
    add_ms(into, "time", points.end - points.start);
    add_request(record, into);
    add_response(record, into);
    add_timings(record, &timeline, &points, into);
    add_connection(record, into);
    add_attempts(record, points.start, into);
    add_slow(record, into);
    add_own(record, into);
    text_add_char(into, '}');
}
