/* A record as one JSON object in one line. docs/log.md describes each member; a change there and here goes
 * together, and one that takes a member away raises JSON_VERSION.
 *
 *     J1  The line is ASCII: whatever is not, and every control byte, is a \u escape. A byte that is not part
 *         of valid UTF-8 becomes the escape of its value.
 *     J2  A member that has nothing to say is absent.
 *     J3  Times are rounded once: each mark is cut to whole microseconds from the base, and phases are
 *         differences of the cut marks, so that they fit each other exactly.
 *
 * Written with plain copies instead of printf, since the JSON log is meant to be on under load. */
#include "report/access_log_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/verdict.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define JSON_VERSION "1"

/* ---- Values ---- */

/* text_add, in place for the usual case. */
static inline void put(struct text *into, struct slice s)
{
    if (into->cap - into->len < s.len) {
        text_add(into, s);
        return;
    }
    memcpy(into->at + into->len, s.at, s.len);
    into->len += s.len;
}

static inline void put_char(struct text *into, char c)
{
    put(into, slice_of(&c, 1));
}

/* "00" to "99". */
static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

enum { DIGITS_MAX = 20 };

static unsigned digit_count(uint64_t value)
{
    unsigned count = 1;
    for (; value >= 1000; value /= 1000)
        count += 3;
    return count + (value >= 10) + (value >= 100);
}

/* Decimal, with at least `width` digits, in place and two in a step: a line has a hundred numbers. */
static void put_digits(struct text *into, uint64_t value, unsigned width)
{
    unsigned count = digit_count(value);
    count = count < width ? width : count;
    if (into->cap - into->len < DIGITS_MAX) {
        text_add_format(into, "%0*llu", (int)width, (unsigned long long)value);
        return;
    }
    char *at = into->at + into->len + count;
    into->len += count;
    for (; count >= 2; count -= 2, value /= 100) {
        const char *two = two_digits + 2 * (value % 100);
        *--at = two[1];
        *--at = two[0];
    }
    if (count == 1)
        *--at = (char)('0' + value % 10);
}

static void put_number(struct text *into, uint64_t value)
{
    put_digits(into, value, 1);
}

/* The code point at the front of `s` and its length in bytes; length 0 where it is not valid UTF-8
 * (RFC 3629 §4). */
static size_t utf8_decode(struct slice s, uint32_t *ret_code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s.at[0];
    size_t len = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (len == 0 || len > s.len)
        return 0;
    uint32_t code = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if ((c & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c & 0x3fu);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < least[len] || code > 0x10ffff || is_surrogate)
        return 0;
    *ret_code = code;
    return len;
}

static void add_unicode_escape(struct text *into, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u'};
    for (int i = 0; i < 4; i++)
        escape[2 + i] = digits[unit >> (12 - 4 * i) & 0xf];
    put(into, slice_of(escape, sizeof(escape)));
}

/* Escape what stands at the front; returns how many bytes that was. */
static size_t add_escaped(struct text *into, struct slice s)
{
    unsigned char c = (unsigned char)s.at[0];
    if (c == '"' || c == '\\') {
        char pair[2] = {'\\', (char)c};
        put(into, slice_of(pair, sizeof(pair)));
        return 1;
    }
    uint32_t code = 0;
    size_t len = c < 0x80 ? 0 : utf8_decode(s, &code);
    if (len == 0) {
        add_unicode_escape(into, c);
        return 1;
    }
    if (code < 0x10000) {
        add_unicode_escape(into, code);
        return len;
    }
    add_unicode_escape(into, 0xd800 + ((code - 0x10000) >> 10));
    add_unicode_escape(into, 0xdc00 + ((code - 0x10000) & 0x3ff));
    return len;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Is one of the eight bytes of `word` 0? Right for words whose bytes are all below 0x80. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & EACH_BYTE(0x80);
}

/* How many bytes at the front need no escape: eight in a step. */
static size_t plain_run(struct slice s)
{
    size_t run = 0;
    for (; run + 8 <= s.len; run += 8) {
        uint64_t word;
        memcpy(&word, s.at + run, 8);
        bool is_ascii = (word & EACH_BYTE(0x80)) == 0;
        uint64_t odd = (word - EACH_BYTE(0x20)) & EACH_BYTE(0x80);
        odd |= zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\')) |
               zero_bytes(word ^ EACH_BYTE(0x7f));
        if (!is_ascii || odd != 0)
            break;
    }
    while (run < s.len && is_plain(s.at[run]))
        run++;
    return run;
}

static void add_string(struct text *into, struct slice s)
{
    put_char(into, '"');
    while (s.len > 0) {
        size_t run = plain_run(s);
        put(into, slice_first(s, run));
        s = slice_from(s, run);
        if (s.len > 0)
            s = slice_from(s, add_escaped(into, s));
    }
    put_char(into, '"');
}

static void add_signed(struct text *into, int64_t value)
{
    if (value < 0)
        put_char(into, '-');
    put_number(into, value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value);
}

/* ---- Members: a key brings the comma before it, but for the first one after a brace ---- */

/* A key with all that stands around it, so that it is one copy. */
#define KEY_INIT(word)                                 \
    {                                                  \
        ",\"" word "\":", sizeof(",\"" word "\":") - 1 \
    }
#define KEY(word) ((struct slice)KEY_INIT(word))

static void add_key(struct text *into, struct slice key)
{
    bool is_first = into->len > 0 && into->at[into->len - 1] == '{';
    put(into, slice_from(key, is_first ? 1 : 0));
}

static void add_number(struct text *into, struct slice key, uint64_t value)
{
    add_key(into, key);
    put_number(into, value);
}

/* Absent where it is 0. */
static void add_count(struct text *into, struct slice key, uint64_t value)
{
    if (value != 0)
        add_number(into, key, value);
}

static void add_word(struct text *into, struct slice key, const char *word)
{
    add_key(into, key);
    add_string(into, slice_from_string(word));
}

static void add_flag(struct text *into, struct slice key, bool is_set)
{
    if (!is_set)
        return;
    add_key(into, key);
    put(into, SLICE("true"));
}

static void add_text(struct text *into, struct slice key, const struct record *record,
                     struct record_text which)
{
    if (which.len == 0)
        return;
    add_key(into, key);
    add_string(into, record_get(record, which));
}

/* inet_endpoint_format goes through printf for IPv4, which would be a fifth of the whole line. */
static void put_endpoint_v4(struct text *into, const struct inet_endpoint *endpoint)
{
    static const char marks[4] = {'"', '.', '.', '.'};
    for (size_t i = 0; i < sizeof(marks); i++) {
        put_char(into, marks[i]);
        put_number(into, endpoint->addr.bytes[i]);
    }
    put_char(into, ':');
    put_number(into, endpoint->port);
    put_char(into, '"');
}

static void add_endpoint(struct text *into, struct slice key, const struct inet_endpoint *endpoint)
{
    char address[INET_ENDPOINT_TEXT];
    if (endpoint->addr.family == INET_NONE)
        return;
    add_key(into, key);
    if (endpoint->addr.family == INET_V4)
        put_endpoint_v4(into, endpoint);
    else
        add_string(into, slice_of(address, inet_endpoint_format(endpoint, address)));
}

static void add_http_version(struct text *into, struct slice key, uint8_t minor)
{
    add_key(into, key);
    put(into, SLICE("\"1."));
    put_number(into, minor);
    put_char(into, '"');
}

static void open_object(struct text *into, struct slice key)
{
    add_key(into, key);
    put_char(into, '{');
}

/* Close the object that began behind `begin`; an empty one is taken back with its key. */
static void close_object(struct text *into, size_t begin)
{
    if (into->len > 0 && into->at[into->len - 1] == '{' && !into->is_cut)
        into->len = begin;
    else
        put_char(into, '}');
}

/* ---- Parts of the record ---- */

static void put_digits_behind(struct text *into, char mark, uint64_t value, unsigned width)
{
    put_char(into, mark);
    put_digits(into, value, width);
}

/* 2026-11-24T02:12:23.123456Z */
static void add_time(struct text *into, struct slice key, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    add_key(into, key);
    put_digits_behind(into, '"', (unsigned)tm.tm_year + 1900, 4);
    put_digits_behind(into, '-', (unsigned)tm.tm_mon + 1, 2);
    put_digits_behind(into, '-', (unsigned)tm.tm_mday, 2);
    put_digits_behind(into, 'T', (unsigned)tm.tm_hour, 2);
    put_digits_behind(into, ':', (unsigned)tm.tm_min, 2);
    put_digits_behind(into, ':', (unsigned)tm.tm_sec, 2);
    put_digits_behind(into, '.', wall_ns % NS_PER_S / NS_PER_US, 6);
    put(into, SLICE("Z\""));
}

/* 16 hexadecimal digits, since a JSON number holds only 53 bits. */
static void add_id(struct text *into, uint64_t id)
{
    static const char digits[] = "0123456789abcdef";
    char hex[16];
    for (size_t i = 0; i < sizeof(hex); i++)
        hex[i] = digits[id >> (60 - 4 * i) & 0xf];
    add_key(into, KEY("id"));
    add_string(into, slice_of(hex, sizeof(hex)));
}

static void add_what(const struct record *record, struct text *into)
{
    add_text(into, KEY("method"), record, record->method);
    add_text(into, KEY("url"), record, record->url);
    add_flag(into, KEY("url_cut"), record->url_is_cut);
    add_text(into, KEY("host"), record, record->host);
    if (record->client_major > 0)
        add_http_version(into, KEY("http"), record->client_minor);
    add_text(into, KEY("user"), record, record->user);
    add_text(into, KEY("referer"), record, record->referer);
    add_text(into, KEY("user_agent"), record, record->user_agent);
}

/* The texts of a list, which has a line feed between two. */
static void add_list(struct text *into, struct slice key, const struct record *record,
                     struct record_text which)
{
    struct slice rest = record_get(record, which);
    struct slice name;
    if (rest.len == 0)
        return;
    add_key(into, key);
    put_char(into, '[');
    while (slice_next_part(&rest, '\n', &name)) {
        add_string(into, name);
        if (rest.len > 0)
            put_char(into, ',');
    }
    put_char(into, ']');
}

static void add_client(const struct record *record, struct text *into)
{
    add_text(into, KEY("listener_name"), record, record->listener_name);
    add_list(into, KEY("groups"), record, record->groups);
    size_t begin = into->len;
    open_object(into, KEY("client_certificate"));
    add_text(into, KEY("subject"), record, record->cert_subject);
    add_list(into, KEY("names"), record, record->cert_names);
    add_flag(into, KEY("cut"), record->certificate_is_cut);
    close_object(into, begin);
}

static void add_outcome(const struct record *record, struct text *into)
{
    add_count(into, KEY("status"), record->status);
    if (record->upstream_status != 0) {
        add_number(into, KEY("upstream_status"), record->upstream_status);
        add_http_version(into, KEY("upstream_http"), record->upstream_minor);
    }
    if (record->end != END_NONE)
        add_word(into, KEY("end"), record_end_word((enum record_end)record->end));
    if (record->ended_by != LEG_NONE)
        add_word(into, KEY("ended_by"), record_leg_word((enum record_leg)record->ended_by));
    add_text(into, KEY("sni"), record, record->sni);
    add_text(into, KEY("rule"), record, record->rule);
    add_text(into, KEY("would_deny"), record, record->would_deny);
    add_text(into, KEY("remedy"), record, record->remedy);
    add_text(into, KEY("cause"), record, record->cause);
    add_text(into, KEY("error"), record, record->token);
    add_text(into, KEY("detail"), record, record->detail);
    add_count(into, KEY("retries"), record->retries);
    if (record->retry_was_stale_pool)
        add_word(into, KEY("retry_reason"), "stale_pool");
}

static void add_connections(const struct record *record, struct text *into)
{
    size_t begin = into->len;
    open_object(into, KEY("client_conn"));
    if (record->client_conn_id != 0) {
        add_number(into, KEY("id"), record->client_conn_id);
        add_number(into, KEY("use"), record->client_use);
    }
    close_object(into, begin);
    if (record->upstream_conn_id == 0)
        return;
    begin = into->len;
    open_object(into, KEY("upstream_conn"));
    add_number(into, KEY("id"), record->upstream_conn_id);
    add_number(into, KEY("use"), record->upstream_use);
    if (record->upstream_use > 1) {
        add_number(into, KEY("age_us"), record->upstream_age_ns / NS_PER_US);
        add_count(into, KEY("paid_dns_us"), record->paid_dns_ns / NS_PER_US);
        add_count(into, KEY("paid_connect_us"), record->paid_connect_ns / NS_PER_US);
        add_count(into, KEY("paid_tls_us"), record->paid_tls_ns / NS_PER_US);
    }
    close_object(into, begin);
}

static void add_pace(struct text *into, struct slice key, const struct record_pace *pace)
{
    size_t begin = into->len;
    open_object(into, key);
    add_count(into, KEY("moving_us"), pace->moving_ns / NS_PER_US);
    add_count(into, KEY("quiet_us"), pace->quiet_ns / NS_PER_US);
    add_count(into, KEY("pauses"), pace->pauses);
    close_object(into, begin);
}

static void add_bytes(const struct record *record, struct text *into)
{
    size_t begin = into->len;
    open_object(into, KEY("bytes"));
    add_number(into, KEY("client_in"), record->client_in_bytes);
    add_number(into, KEY("client_out"), record->client_out_bytes);
    add_number(into, KEY("upstream_out"), record->upstream_out_bytes);
    add_number(into, KEY("upstream_in"), record->upstream_in_bytes);
    add_number(into, KEY("request_body"), record->request_body_bytes);
    add_number(into, KEY("response_body"), record->response_body_bytes);
    close_object(into, begin);
    begin = into->len;
    open_object(into, KEY("stalled_us"));
    add_count(into, KEY("by_client"), record->stalled_by_client_ns / NS_PER_US);
    add_count(into, KEY("by_upstream"), record->stalled_by_upstream_ns / NS_PER_US);
    add_count(into, KEY("by_limits"), record->held_ns / NS_PER_US);
    close_object(into, begin);
    begin = into->len;
    open_object(into, KEY("pace"));
    add_pace(into, KEY("client"), &record->client_pace);
    add_pace(into, KEY("upstream"), &record->upstream_pace);
    add_count(into, KEY("awaited_us"), record->awaited_ns / NS_PER_US);
    add_count(into, KEY("turns"), record->turns);
    close_object(into, begin);
}

static void add_version(struct text *into, struct slice key, uint16_t version)
{
    add_key(into, key);
    if (version >= 0x0301 && version <= 0x0304)
        text_add_format(into, "\"1.%u\"", version - 0x0301u);
    else
        text_add_format(into, "\"0x%04x\"", version);
}

static void add_tls(struct text *into, struct slice key, const struct record_tls *tls)
{
    if (tls->version == 0)
        return;
    size_t begin = into->len;
    open_object(into, key);
    add_version(into, KEY("version"), tls->version);
    add_key(into, KEY("cipher"));
    text_add_format(into, "\"0x%04x\"", tls->cipher);
    if (tls->cipher_name != NULL)
        add_word(into, KEY("cipher_name"), tls->cipher_name);
    add_key(into, KEY("resumed"));
    put(into, tls->resumed ? SLICE("true") : SLICE("false"));
    close_object(into, begin);
}

/* A snapshot of an open tunnel, and what passed since the record before; of its last record, too. */
static void add_since(const struct record *record, struct text *into)
{
    if (record->snapshot_ns != 0) {
        add_key(into, KEY("now_us"));
        add_signed(into, timeline_offset_us(&record->timeline, record->snapshot_ns));
    }
    if (record->told_ns == 0)
        return;
    size_t begin = into->len;
    open_object(into, KEY("since"));
    add_key(into, KEY("at_us"));
    add_signed(into, timeline_offset_us(&record->timeline, record->told_ns));
    add_number(into, KEY("request_body"), record->request_body_bytes - record->told_up_bytes);
    add_number(into, KEY("response_body"), record->response_body_bytes - record->told_down_bytes);
    close_object(into, begin);
}

static void add_alert(const struct record_inside *inside, struct text *into)
{
    if (inside->alert_by == LEG_NONE)
        return;
    size_t begin = into->len;
    open_object(into, KEY("alert"));
    add_word(into, KEY("by"), record_leg_word((enum record_leg)inside->alert_by));
    bool is_hidden = (inside->flags & INSIDE_ALERT_HIDDEN) != 0;
    add_flag(into, KEY("encrypted"), is_hidden);
    if (!is_hidden) {
        const char *name = record_alert_word(inside->alert);
        add_number(into, KEY("code"), inside->alert);
        if (name != NULL)
            add_word(into, KEY("name"), name);
    }
    close_object(into, begin);
}

/* How sure it is; what is not there has none. */
static void add_confidence(const struct record *record, struct text *into)
{
    const struct record_inside *inside = &record->inside;
    bool guesses_end = (inside->flags & INSIDE_HANDSHAKE_ESTIMATED) != 0;
    bool guesses_response = (inside->flags & INSIDE_RESPONSE_ESTIMATED) != 0;
    size_t begin = into->len;
    open_object(into, KEY("confidence"));
    if (timeline_has(&record->timeline, MARK_T_SH))
        add_word(into, KEY("hello"), "passive");
    if (timeline_has(&record->timeline, MARK_T_HS))
        add_word(into, KEY("handshake"), guesses_end ? "estimated" : "passive");
    if (timeline_has(&record->timeline, MARK_T_REQ))
        add_word(into, KEY("request"), guesses_end ? "estimated" : "passive");
    if (timeline_has(&record->timeline, MARK_T_RSP))
        add_word(into, KEY("response"), guesses_response ? "estimated" : "passive");
    if (inside->turns > 0)
        add_word(into, KEY("turns"), "estimated");
    if (inside->idle_ns > 0)
        add_word(into, KEY("idle"), "exact");
    close_object(into, begin);
}

static const struct slice inside_keys[] = {
#define X(name, word, meaning) KEY_INIT(word),
    RECORD_INSIDE_FLAGS(X)
#undef X
};

static void add_inside(const struct record *record, struct text *into)
{
    const struct record_inside *inside = &record->inside;
    size_t begin = into->len;
    open_object(into, KEY("inside"));
    if (inside->version != 0) {
        add_version(into, KEY("version"), inside->version);
        add_key(into, KEY("cipher"));
        text_add_format(into, "\"0x%04x\"", inside->cipher);
    }
    if (inside->offered != 0)
        add_version(into, KEY("offered"), inside->offered);
    add_list(into, KEY("alpn"), record, record->alpn);
    for (int bit = 0; bit < INSIDE_BIT_COUNT; bit++)
        add_flag(into, inside_keys[bit], (inside->flags & 1 << bit) != 0);
    add_alert(inside, into);
    add_text(into, KEY("ja4"), record, record->ja4);
    add_count(into, KEY("turns"), inside->turns);
    add_count(into, KEY("idle_us"), inside->idle_ns / NS_PER_US);
    add_confidence(record, into);
    close_object(into, begin);
}

static void add_tcp_leg(struct text *into, struct slice key, const struct record_tcp *tcp)
{
    size_t begin = into->len;
    if (tcp->is_known == 0)
        return;
    open_object(into, key);
    add_count(into, KEY("rtt_us"), tcp->rtt_us);
    add_count(into, KEY("rtt_var_us"), tcp->rtt_var_us);
    add_count(into, KEY("min_rtt_us"), tcp->min_rtt_us);
    add_number(into, KEY("retransmits"), tcp->retransmits);
    add_number(into, KEY("out_of_order"), tcp->out_of_order);
    add_number(into, KEY("segments_in"), tcp->segments_in);
    add_number(into, KEY("segments_out"), tcp->segments_out);
    add_number(into, KEY("data_segments_in"), tcp->data_segments_in);
    add_number(into, KEY("data_bytes_in"), tcp->data_bytes_in);
    add_count(into, KEY("mss_in"), tcp->mss_in);
    add_count(into, KEY("delivery_rate"), tcp->delivery_rate);
    add_number(into, KEY("busy_us"), tcp->busy_us);
    add_number(into, KEY("rwnd_limited_us"), tcp->rwnd_limited_us);
    add_number(into, KEY("sndbuf_limited_us"), tcp->sndbuf_limited_us);
    close_object(into, begin);
}

static void add_tcp(const struct record *record, struct text *into)
{
    size_t begin = into->len;
    open_object(into, KEY("tcp"));
    add_tcp_leg(into, KEY("client"), &record->client_tcp);
    add_tcp_leg(into, KEY("upstream"), &record->upstream_tcp);
    close_object(into, begin);
}

static void add_dns(const struct record *record, struct text *into)
{
    if (record->dns_source == DNS_NONE)
        return;
    size_t begin = into->len;
    open_object(into, KEY("dns"));
    add_word(into, KEY("source"), dns_source_word((enum dns_source)record->dns_source));
    add_count(into, KEY("answers"), record->dns_answers);
    close_object(into, begin);
}

/* ---- Times ---- */

static const struct slice mark_keys[MARK_COUNT] = {
#define X(name, word, meaning) [MARK_##name] = KEY_INIT(word),
    TIMELINE_MARKS(X)
#undef X
};

static const struct slice phase_keys[PHASE_COUNT] = {
#define X(name, word) [PHASE_##name] = KEY_INIT(word),
    TIMELINE_PHASES(X)
#undef X
};

static void add_times(const struct timeline *timeline, struct text *into)
{
    struct timeline cut;
    timeline_cut(timeline, &cut);
    size_t begin = into->len;
    open_object(into, KEY("phases_us"));
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        uint64_t ns;
        if (timeline_phase(&cut, (enum phase)phase, &ns))
            add_number(into, phase_keys[phase], ns / NS_PER_US);
    }
    close_object(into, begin);

    begin = into->len;
    open_object(into, KEY("marks_us"));
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        if (timeline->at_ns[mark] == 0)
            continue;
        add_key(into, mark_keys[mark]);
        add_signed(into, timeline_offset_us(timeline, timeline->at_ns[mark]));
    }
    close_object(into, begin);
}

static const struct slice slow_keys[SLOW_COUNT] = {
#define X(name, word, meaning) [SLOW_##name] = KEY_INIT(word),
    SLOW_SIDES(X)
#undef X
};

static void add_verdict(const struct record *record, struct text *into)
{
    struct verdict verdict;
    if (!verdict_judge(record, &verdict))
        return;
    size_t begin = into->len;
    open_object(into, KEY("verdict"));
    add_word(into, KEY("slow"), slow_word(verdict.slow));
    size_t shares = into->len;
    open_object(into, KEY("shares_us"));
    for (size_t side = 0; side < SLOW_COUNT; side++)
        add_count(into, slow_keys[side], verdict.share_us[side]);
    close_object(into, shares);
    close_object(into, begin);
}

const char *access_log_attempt_result(const struct record_attempt *attempt)
{
    if (attempt->os_error == ECANCELED)
        return "cancelled";
    if (attempt->os_error == EACCES && attempt->begin_ns == 0)
        return "refused";
    if (attempt->os_error != 0)
        return "failed";
    return attempt->end_ns != 0 ? "connected" : "cancelled";
}

static void add_attempt(const struct record_attempt *attempt, const struct timeline *timeline,
                        struct text *into)
{
    put(into, into->at[into->len - 1] == '[' ? SLICE("{") : SLICE(",{"));
    add_endpoint(into, KEY("peer"), &attempt->peer);
    if (attempt->begin_ns != 0) {
        add_key(into, KEY("begin_us"));
        add_signed(into, timeline_offset_us(timeline, attempt->begin_ns));
    }
    if (attempt->end_ns != 0) {
        add_key(into, KEY("end_us"));
        add_signed(into, timeline_offset_us(timeline, attempt->end_ns));
    }
    const char *result = access_log_attempt_result(attempt);
    add_word(into, KEY("result"), result);
    const char *name = strcmp(result, "failed") == 0 ? strerrorname_np(attempt->os_error) : NULL;
    if (name != NULL)
        add_word(into, KEY("error"), name);
    put_char(into, '}');
}

static void add_attempts(const struct record *record, struct text *into)
{
    size_t count = record->attempt_count;
    if (count == 0)
        return;
    if (count > RECORD_ATTEMPTS_MAX)
        count = RECORD_ATTEMPTS_MAX;
    add_key(into, KEY("attempts"));
    put_char(into, '[');
    for (size_t i = 0; i < count; i++)
        add_attempt(&record->attempts[i], &record->timeline, into);
    put_char(into, ']');
}

void access_log_add_json(const struct record *record, struct text *into)
{
    /* What and who. */
    put(into, SLICE("{\"v\":" JSON_VERSION));
    add_time(into, KEY("time"), record->timeline.wall_ns);
    add_number(into, KEY("base_ns"), record->timeline.base_ns);
    add_word(into, KEY("kind"), record_kind_word((enum record_kind)record->kind));
    add_flag(into, KEY("in_progress"), record->is_in_progress);
    add_id(into, record->id);
    add_number(into, KEY("worker"), record->worker);
    add_endpoint(into, KEY("client"), &record->client);
    add_endpoint(into, KEY("listener"), &record->listener);
    add_what(record, into);
    add_client(record, into);

    /* How it went. */
    add_outcome(record, into);
    add_endpoint(into, KEY("upstream"), &record->upstream);
    add_endpoint(into, KEY("source"), &record->source);
    add_connections(record, into);
    add_tls(into, KEY("client_tls"), &record->client_tls);
    add_tls(into, KEY("upstream_tls"), &record->upstream_tls);
    add_inside(record, into);
    add_dns(record, into);
    add_bytes(record, into);
    add_since(record, into);

    /* Where the time went. */
    add_times(&record->timeline, into);
    add_tcp(record, into);
    add_verdict(record, into);
    add_attempts(record, into);
    put(into, SLICE("}\n"));
}
