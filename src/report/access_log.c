/* One record as a line, in four formats. docs/log.md describes each. */

#include "report/access_log.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define RESET  "\033[0m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"

/* ---- JSON ---- */

static void json_name(struct text *text, const char *name)
{
    if (text->len > 0 && text->at[text->len - 1] != '{')
        text_add_char(text, ',');
    text_add_format(text, "\"%s\":", name);
}

static void json_text(struct text *text, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    json_name(text, name);
    text_add_char(text, '"');
    text_add_json(text, value);
    text_add_char(text, '"');
}

static void json_number(struct text *text, const char *name, uint64_t value)
{
    json_name(text, name);
    text_add_u64(text, value);
}

/* Microseconds with a fraction, rounded down to a tenth. */
static void json_us(struct text *text, const char *name, uint64_t ns)
{
    json_name(text, name);
    text_add_format(text, "%llu.%llu", (unsigned long long)(ns / NS_PER_US),
                    (unsigned long long)(ns % NS_PER_US / 100));
}

static void json_endpoint(struct text *text, const char *name, const struct inet_endpoint *endpoint)
{
    char address[INET_ENDPOINT_TEXT];
    if (endpoint->addr.family == INET_NONE)
        return;
    size_t len = inet_endpoint_format(endpoint, address);
    json_text(text, name, slice_of(address, len));
}

/* A time broken down, in UTC. */
static struct tm utc(uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    return tm;
}

static void json_tls(struct text *text, const char *name, const struct record_tls *tls)
{
    if (tls->version == 0)
        return;
    json_name(text, name);
    text_add_format(text, "{\"version\":\"%s\",\"cipher\":%u,\"resumed\":%s}",
                    tls->version == 0x0304 ? "1.3" : "1.2", tls->cipher,
                    tls->resumed ? "true" : "false");
}

static void json_phases(struct text *text, const struct record *record)
{
    json_name(text, "phases_us");
    text_add_char(text, '{');
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        uint64_t ns;
        if (timeline_phase(&record->timeline, (enum phase)phase, &ns))
            json_us(text, phase_word((enum phase)phase), ns);
    }
    text_add_char(text, '}');
}

/* Offsets from the first mark that this exchange has. */
static void json_marks(struct text *text, const struct record *record)
{
    const struct timeline *timeline = &record->timeline;
    uint64_t first = UINT64_MAX;
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        if (timeline->at_ns[mark] != 0 && timeline->at_ns[mark] < first)
            first = timeline->at_ns[mark];
    }
    json_number(text, "base_ns", first == UINT64_MAX ? 0 : first);
    json_name(text, "marks_us");
    text_add_char(text, '{');
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        if (timeline->at_ns[mark] != 0)
            json_us(text, mark_word((enum mark)mark), timeline->at_ns[mark] - first);
    }
    text_add_char(text, '}');
}

static void json_attempts(struct text *text, const struct record *record)
{
    if (record->attempt_count == 0)
        return;
    json_name(text, "attempts");
    text_add_char(text, '[');
    for (int i = 0; i < record->attempt_count && i < RECORD_ATTEMPTS_MAX; i++) {
        const struct record_attempt *attempt = &record->attempts[i];
        text_add(text, i > 0 ? SLICE(",{") : SLICE("{"));
        json_endpoint(text, "peer", &attempt->peer);
        if (attempt->end_ns > attempt->begin_ns)
            json_us(text, "took_us", attempt->end_ns - attempt->begin_ns);
        if (attempt->os_error != 0)
            json_text(text, "error", slice_from_string(strerrorname_np(attempt->os_error)));
        text_add_char(text, '}');
    }
    text_add_char(text, ']');
}

static void json_upstream(struct text *text, const struct record *record)
{
    json_endpoint(text, "upstream", &record->upstream);
    json_endpoint(text, "source", &record->source);
    json_tls(text, "upstream_tls", &record->upstream_tls);
    json_text(text, "dns_source", slice_from_string(dns_source_word(record->dns_source)));
    if (record->dns_answers > 0)
        json_number(text, "dns_answers", record->dns_answers);
    json_attempts(text, record);
    if (record->upstream_conn_id == 0)
        return;
    json_name(text, "upstream_connection");
    text_add_char(text, '{');
    json_number(text, "id", record->upstream_conn_id);
    json_number(text, "use", record->upstream_use);
    json_us(text, "age_us", record->upstream_age_ns);
    if (record->paid_dns_ns > 0)
        json_us(text, "paid_dns_us", record->paid_dns_ns);
    if (record->paid_connect_ns > 0)
        json_us(text, "paid_connect_us", record->paid_connect_ns);
    if (record->paid_tls_ns > 0)
        json_us(text, "paid_tls_us", record->paid_tls_ns);
    text_add_char(text, '}');
}

static void json_bytes(struct text *text, const struct record *record)
{
    json_name(text, "bytes");
    text_add_char(text, '{');
    json_number(text, "client_in", record->client_in_bytes);
    json_number(text, "client_out", record->client_out_bytes);
    json_number(text, "upstream_in", record->upstream_in_bytes);
    json_number(text, "upstream_out", record->upstream_out_bytes);
    json_number(text, "request_body", record->request_body_bytes);
    json_number(text, "response_body", record->response_body_bytes);
    text_add_char(text, '}');
}

static void json_words(struct text *text, const struct record *record)
{
    json_text(text, "method", record_get(record, record->method));
    json_text(text, "url", record_get(record, record->url));
    if (record->url_is_cut) {
        json_name(text, "url_cut");
        text_add(text, SLICE("true"));
    }
    json_text(text, "host", record_get(record, record->host));
    json_text(text, "user", record_get(record, record->user));
    json_text(text, "rule", record_get(record, record->rule));
    json_text(text, "cause", record_get(record, record->cause));
    json_text(text, "error", record_get(record, record->token));
    json_text(text, "detail", record_get(record, record->detail));
    json_text(text, "user_agent", record_get(record, record->user_agent));
    json_text(text, "referer", record_get(record, record->referer));
}

static void access_log_json(struct text *text, const struct record *record)
{
    text_add_char(text, '{');
    json_number(text, "v", 1);
    json_name(text, "time");
    text_add_char(text, '"');
    struct tm tm = utc(record->timeline.wall_ns);
    text_add_format(text, "%04d-%02d-%02dT%02d:%02d:%02d.%06lluZ\"", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (unsigned long long)(record->timeline.wall_ns % NS_PER_S / NS_PER_US));
    json_name(text, "id");
    text_add_format(text, "\"%016llx\"", (unsigned long long)record->id);
    json_text(text, "kind", slice_from_string(record_kind_word(record->kind)));
    json_number(text, "worker", record->worker);
    json_words(text, record);
    if (record->status != 0)
        json_number(text, "status", record->status);
    json_endpoint(text, "client", &record->client);
    json_endpoint(text, "listener", &record->listener);
    json_tls(text, "client_tls", &record->client_tls);
    json_name(text, "client_connection");
    text_add_char(text, '{');
    json_number(text, "id", record->client_conn_id);
    json_number(text, "use", record->client_use);
    text_add_char(text, '}');
    json_upstream(text, record);
    if (record->retries > 0)
        json_number(text, "retries", record->retries);
    json_bytes(text, record);
    if (record->stalled_by_client_ns > 0)
        json_us(text, "stalled_by_client_us", record->stalled_by_client_ns);
    if (record->stalled_by_upstream_ns > 0)
        json_us(text, "stalled_by_upstream_us", record->stalled_by_upstream_ns);
    json_text(text, "end", slice_from_string(record_end_word(record->end)));
    if (record->ended_by != LEG_NONE)
        json_text(text, "ended_by", slice_from_string(record_leg_word(record->ended_by)));
    json_phases(text, record);
    json_marks(text, record);
    text_add_char(text, '}');
}

/* ---- the line for people ---- */

static void line_colour(struct text *text, bool has_colour, const char *colour)
{
    if (has_colour)
        text_add(text, slice_from_string(colour));
}

static void line_phase(struct text *text, const struct record *record, enum phase phase,
                       const char *name, bool has_colour)
{
    uint64_t ns;
    if (!timeline_phase(&record->timeline, phase, &ns))
        return;
    line_colour(text, has_colour, DIM);
    text_add_format(text, " %s ", name);
    line_colour(text, has_colour, RESET);
    text_add_duration(text, ns);
}

static const char *line_status_colour(const struct record *record)
{
    if (record->status == 0 || record->status >= 500)
        return RED;
    return record->status >= 400 ? YELLOW : GREEN;
}

static void add_line(struct text *text, const struct record *record, bool has_colour)
{
    uint64_t total = 0;
    struct tm tm = utc(record->timeline.wall_ns);
    text_add_format(text, "%02d:%02d:%02d ", tm.tm_hour, tm.tm_min, tm.tm_sec);
    line_colour(text, has_colour, line_status_colour(record));
    if (record->status != 0)
        text_add_format(text, "%3u ", record->status);
    else
        text_add(text, SLICE("--- "));
    line_colour(text, has_colour, RESET);
    struct slice method = record_get(record, record->method);
    text_add_log(text, method.len > 0 ? method : SLICE("-"), '\0');
    text_add_char(text, ' ');
    line_colour(text, has_colour, CYAN);
    text_add_log(text, slice_first(record_get(record, record->url), 60), '\0');
    line_colour(text, has_colour, RESET);
    if (record_get(record, record->url).len > 60)
        text_add(text, SLICE("..."));
    text_add_char(text, ' ');
    text_add_size(text, record->response_body_bytes);
    if (timeline_phase(&record->timeline, PHASE_TOTAL, &total)) {
        text_add_char(text, ' ');
        text_add_duration(text, total);
    }
    text_add(text, SLICE(" |"));
    line_phase(text, record, PHASE_DNS, "dns", has_colour);
    line_phase(text, record, PHASE_CONNECT, "connect", has_colour);
    line_phase(text, record, PHASE_TLS, "tls", has_colour);
    line_phase(text, record, PHASE_SEND, "send", has_colour);
    line_phase(text, record, PHASE_WAIT, "wait", has_colour);
    line_phase(text, record, PHASE_LOAD, "load", has_colour);
    line_phase(text, record, PHASE_TUNNEL, "tunnel", has_colour);
    if (record->upstream_use > 1)
        text_add_format(text, " (reused, use %u)", record->upstream_use);
    if (record->cause.len > 0) {
        text_add_char(text, ' ');
        line_colour(text, has_colour, line_status_colour(record));
        text_add_log(text, record_get(record, record->cause), '\0');
        line_colour(text, has_colour, RESET);
        text_add_char(text, ' ');
        text_add_log(text, record_get(record, record->detail), '\0');
    }
    text_add_char(text, '\n');
}

/* ---- formats of others ---- */

static void add_client(struct text *text, const struct record *record)
{
    char address[INET_ADDR_TEXT];
    size_t len = inet_addr_format(&record->client.addr, address);
    text_add(text, slice_of(address, len));
}

static void add_or_dash(struct text *text, struct slice value, char quote)
{
    if (value.len == 0)
        text_add_char(text, '-');
    else
        text_add_log(text, value, quote);
}

static void add_combined(struct text *text, const struct record *record)
{
    add_client(text, record);
    text_add(text, SLICE(" - "));
    add_or_dash(text, record_get(record, record->user), ' ');
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm = utc(record->timeline.wall_ns);
    text_add_format(text, " [%02d/%s/%04d:%02d:%02d:%02d +0000] \"", tm.tm_mday,
                    months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    add_or_dash(text, record_get(record, record->method), '"');
    text_add_char(text, ' ');
    add_or_dash(text, record_get(record, record->url), '"');
    text_add_format(text, " HTTP/1.%u\" %u %llu \"", record->client_minor, record->status,
                    (unsigned long long)record->response_body_bytes);
    add_or_dash(text, record_get(record, record->referer), '"');
    text_add(text, SLICE("\" \""));
    add_or_dash(text, record_get(record, record->user_agent), '"');
    text_add(text, SLICE("\"\n"));
}

static void add_squid(struct text *text, const struct record *record)
{
    uint64_t total = 0;
    (void)timeline_phase(&record->timeline, PHASE_TOTAL, &total);
    uint64_t end_ns = record->timeline.wall_ns + total;
    char peer[INET_ADDR_TEXT] = "-";
    if (record->upstream.addr.family != INET_NONE)
        inet_addr_format(&record->upstream.addr, peer);
    text_add_format(text, "%llu.%03llu %6llu ", (unsigned long long)(end_ns / NS_PER_S),
                    (unsigned long long)(end_ns % NS_PER_S / NS_PER_MS),
                    (unsigned long long)(total / NS_PER_MS));
    add_client(text, record);
    const char *result = record->end == END_REFUSED      ? "TCP_DENIED"
                         : record->kind == RECORD_TUNNEL ? "TCP_TUNNEL"
                         : record->kind == RECORD_LOCAL  ? "NONE"
                                                         : "TCP_MISS";
    text_add_format(text, " %s/%03u %llu ", result, record->status,
                    (unsigned long long)record->client_out_bytes);
    add_or_dash(text, record_get(record, record->method), ' ');
    text_add_char(text, ' ');
    add_or_dash(text, record_get(record, record->url), ' ');
    text_add_char(text, ' ');
    add_or_dash(text, record_get(record, record->user), ' ');
    bool is_direct = record->upstream.addr.family != INET_NONE;
    text_add_format(text, " %s/%s -\n", is_direct ? "HIER_DIRECT" : "HIER_NONE", peer);
}

void access_log_add(const struct record *record, const struct access_log_style *style,
                    struct text *into)
{
    switch (style->format) {
    case ACCESS_LOG_LINE: add_line(into, record, style->has_color); break;
    case ACCESS_LOG_JSON:
        access_log_json(into, record);
        text_add_char(into, '\n');
        break;
    case ACCESS_LOG_COMBINED: add_combined(into, record); break;
    case ACCESS_LOG_SQUID: add_squid(into, record); break;
    case ACCESS_LOG_FORMAT_COUNT: break;
    }
}

static const char *const format_words[] = {
#define X(name, word) word,
    ACCESS_LOG_FORMATS(X)
#undef X
};

const char *access_log_format_word(enum access_log_format format)
{
    return format_words[format];
}

bool access_log_format_find(struct slice word, enum access_log_format *ret_format)
{
    for (int i = 0; i < ACCESS_LOG_FORMAT_COUNT; i++) {
        if (slice_equals(word, slice_from_string(format_words[i]))) {
            *ret_format = (enum access_log_format)i;
            return true;
        }
    }
    return false;
}
