/* Apache's combined format and Squid's native one, for the tools that read them.
 *
 * Both are lines of fields between blanks, so a blank inside an unquoted field is escaped as well, and an
 * empty field is "-". The record of an open tunnel gives no line: these tools count lines.
 *
 * Squid's result codes name what a cache did; there is none here, so they are chosen by what ended the
 * exchange: TCP_MISS forwarded, TCP_TUNNEL tunnels, TCP_DENIED refused, NONE_NONE answered here otherwise;
 * with _ABORTED where the client left and _TIMEOUT where a limit ended it. */
#include "report/access_log_internal.h"

#include "base/clock.h"

#include <time.h>

/* A text between blanks. */
static void add_field(struct text *into, struct slice value)
{
    if (slice_is_empty(value))
        text_add_char(into, '-');
    else
        text_add_log(into, value, ' ');
}

/* A text between quotes. */
static void add_quoted(struct text *into, struct slice value)
{
    text_add_char(into, '"');
    if (slice_is_empty(value))
        text_add_char(into, '-');
    else
        text_add_log(into, value, '"');
    text_add_char(into, '"');
}

/* 24/Nov/2026:02:12:23 +0000 */
static void add_apache_date(struct text *into, uint64_t wall_ns)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    text_add_format(into, "[%02d/%s/%04d:%02d:%02d:%02d +0000]", tm.tm_mday, months[tm.tm_mon % 12],
                    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* "GET http://... HTTP/1.1", as far as it could be read; "-" for nothing. */
static void add_request_line(const struct record *record, struct text *into)
{
    if (record->method.len == 0) {
        add_quoted(into, SLICE_NONE);
        return;
    }
    text_add_char(into, '"');
    text_add_log(into, record_get(record, record->method), '"');
    if (record->url.len > 0) {
        text_add_char(into, ' ');
        text_add_log(into, record_get(record, record->url), '"');
    }
    if (record->client_major > 0)
        text_add_format(into, " HTTP/1.%u", record->client_minor);
    text_add_char(into, '"');
}

void access_log_add_combined(const struct record *record, struct text *into)
{
    if (record->is_in_progress)
        return;
    uint64_t body_bytes = record->response_body_bytes;
    access_log_add_address(&record->client, into);
    text_add(into, SLICE(" - "));
    add_field(into, record_get(record, record->user));
    text_add_char(into, ' ');
    add_apache_date(into, record->timeline.wall_ns);
    text_add_char(into, ' ');
    add_request_line(record, into);
    text_add_format(into, " %03u ", record->status);

    if (record_is_tunnel(record))
        body_bytes = record->client_out_bytes;
    if (body_bytes > 0)
        text_add_u64(into, body_bytes);
    else
        text_add_char(into, '-');
    text_add_char(into, ' ');
    add_quoted(into, record_get(record, record->referer));
    text_add_char(into, ' ');
    add_quoted(into, record_get(record, record->user_agent));
    text_add_char(into, '\n');
}

static const char *squid_result(const struct record *record)
{
    if (record->end == END_REFUSED)
        return "TCP_DENIED";
    switch ((enum record_kind)record->kind) {
    case RECORD_EXCHANGE: return "TCP_MISS";
    case RECORD_TUNNEL:
    case RECORD_UPGRADE: return "TCP_TUNNEL";
    case RECORD_LOCAL: break;
    }
    return "NONE_NONE";
}

/* What Squid adds for an exchange that did not reach its end. A client that leaves is a tunnel's usual
 * end. */
static const char *squid_suffix(const struct record *record)
{
    bool is_broken = record->end == END_FIN || record->end == END_RST;
    if (record->end == END_TIMEOUT)
        return "_TIMEOUT";
    if (record->kind == RECORD_EXCHANGE && is_broken && record->ended_by == LEG_CLIENT)
        return "_ABORTED";
    return "";
}

void access_log_add_squid(const struct record *record, struct text *into)
{
    if (record->is_in_progress)
        return;
    uint64_t end_ns = timeline_wall_ns(&record->timeline, MARK_X_END);
    uint64_t total_ns = 0;
    (void)timeline_phase(&record->timeline, PHASE_TOTAL, &total_ns); /* 0 where nothing came */
    if (end_ns == 0)
        end_ns = record->timeline.wall_ns;

    text_add_format(into, "%9llu.%03llu %6llu ", (unsigned long long)(end_ns / NS_PER_S),
                    (unsigned long long)(end_ns % NS_PER_S / NS_PER_MS),
                    (unsigned long long)(total_ns / NS_PER_MS));
    access_log_add_address(&record->client, into);
    text_add_format(into, " %s%s/%03u %llu ", squid_result(record), squid_suffix(record),
                    record->status, (unsigned long long)record->client_out_bytes);
    add_field(into, record_get(record, record->method));
    text_add_char(into, ' ');
    add_field(into, record_get(record, record->url));
    text_add_char(into, ' ');
    add_field(into, record_get(record, record->user));
    text_add(into, record->upstream.addr.family == INET_NONE ? SLICE(" HIER_NONE/")
                                                             : SLICE(" HIER_DIRECT/"));
    access_log_add_address(&record->upstream, into);
    text_add(into, SLICE(" -\n"));
}
