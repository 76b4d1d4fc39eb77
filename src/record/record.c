/* Filling a record, and its words.
 *
 * Texts are copied one behind the other into `text`; a record_text names its bytes by offset and length, so
 * a record may be copied, and cut to `size`, without a pointer to mend. A text that is set again uses its
 * old place where it fits. What finds no room is cut silently, except for URLs, which say so.
 *
 * Not done here: escaping. A record holds what the peer sent; whoever prints it escapes it. */
#include "record/record.h"

#include "base/check.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(RECORD_TEXT_MAX <= UINT16_MAX, "offsets of texts are 16 bits wide");

void record_begin(struct record *record)
{
    memset(record, 0, offsetof(struct record, attempts));
}

void record_set(struct record *record, struct record_text *which, struct slice value, size_t max)
{
    struct slice kept = slice_first(value, max);
    bool fits_old_place = kept.len <= which->len;
    if (!fits_old_place) {
        kept = slice_first(kept, (size_t)RECORD_TEXT_MAX - record->text_len);
        which->at = record->text_len;
        record->text_len = (uint16_t)(record->text_len + kept.len);
    }
    which->len = (uint16_t)kept.len;
    if (kept.len > 0)
        memmove(record->text + which->at, kept.at, kept.len);
}

/* Index behind the scheme, its colon and the slashes, of which a mistyped URL has one or three; 0 where there
 * is no such thing. */
static size_t url_authority_at(struct slice url)
{
    size_t colon = slice_find(url, ':');
    size_t at = colon + 1;
    while (at < url.len && url.at[at] == '/')
        at++;
    return colon < url.len && at > colon + 1 ? at : 0;
}

/* Where the credentials in front of the host begin and end; an empty range where there are none. */
static void url_find_userinfo(struct slice url, size_t *ret_begin, size_t *ret_end)
{
    *ret_begin = *ret_end = 0;
    if (slice_find(url, '@') == url.len)
        return;
    size_t begin = url_authority_at(url);
    size_t end = begin;
    size_t behind = begin;
    for (; end < url.len; end++) {
        char c = url.at[end];
        if (c == '/' || c == '?' || c == '#')
            break;
        if (c == '@')
            behind = end + 1;
    }
    *ret_begin = begin;
    *ret_end = behind;
}

/* What may be kept of a URL: all before the credentials, all behind them, and a sign in place of the query
 * (and of a fragment). Where that is all of it, it is given back itself; else at most `room` bytes are written. */
static struct slice url_clean(struct slice url, bool keep_query, char *into, size_t room,
                              size_t *ret_whole)
{
    struct slice parts[3] = {url, SLICE_NONE, SLICE_NONE};
    size_t begin;
    size_t end;
    url_find_userinfo(url, &begin, &end);
    parts[0] = slice_first(url, begin);
    parts[1] = slice_from(url, end);
    if (!keep_query) {
        size_t query = slice_find(parts[1], '?');
        size_t fragment = slice_find(parts[1], '#');
        size_t secret = query < fragment ? query : fragment;
        if (secret < parts[1].len)
            parts[2] = SLICE("?-");
        parts[1] = slice_first(parts[1], secret);
    }
    *ret_whole = parts[0].len + parts[1].len + parts[2].len;
    if (parts[1].len == url.len)
        return url;

    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct slice piece = slice_first(parts[i], room - len);
        if (piece.len > 0)
            memcpy(into + len, piece.at, piece.len);
        len += piece.len;
    }
    return slice_of(into, len);
}

void record_set_url(struct record *record, struct slice url, bool keep_query)
{
    char room[RECORD_URL_MAX];
    size_t whole;
    struct slice clean = url_clean(url, keep_query, room, sizeof(room), &whole);
    record_set(record, &record->url, clean, RECORD_URL_MAX);
    record->url_is_cut = record->url.len < whole;
}

void record_set_referer(struct record *record, struct slice url, bool keep_query)
{
    char room[RECORD_REFERER_MAX];
    size_t whole;
    struct slice clean = url_clean(url, keep_query, room, sizeof(room), &whole);
    record_set(record, &record->referer, clean, RECORD_REFERER_MAX);
}

struct slice record_get(const struct record *record, struct record_text which)
{
    DCHECK(which.at + which.len <= record->text_len);
    return slice_of(record->text + which.at, which.len);
}

void record_seal(struct record *record)
{
    record->size = (uint32_t)(offsetof(struct record, text) + record->text_len);
}

const char *record_kind_word(enum record_kind kind)
{
    switch (kind) {
    case RECORD_EXCHANGE: return "exchange";
    case RECORD_TUNNEL: return "tunnel";
    case RECORD_UPGRADE: return "upgrade";
    case RECORD_LOCAL: return "local";
    }
    return "-";
}

const char *record_leg_word(enum record_leg leg)
{
    switch (leg) {
    case LEG_NONE: return "-";
    case LEG_CLIENT: return "client";
    case LEG_UPSTREAM: return "upstream";
    case LEG_PROXY: return "proxy";
    }
    return "-";
}

const char *record_end_word(enum record_end end)
{
    switch (end) {
#define X(name, word, meaning) \
    case END_##name: return word;
        RECORD_ENDS(X)
#undef X
    }
    return "-";
}

const char *dns_source_word(enum dns_source source)
{
    switch (source) {
    case DNS_NONE: return "-";
    case DNS_LITERAL: return "literal";
    case DNS_HOSTS: return "hosts";
    case DNS_CACHE: return "cache";
    case DNS_COALESCED: return "coalesced";
    case DNS_QUERY: return "query";
    }
    return "-";
}

const char *record_inside_word(enum record_inside_bit bit)
{
    static const char *const words[] = {
#define X(name, word, meaning) word,
        RECORD_INSIDE_FLAGS(X)
#undef X
    };
    static_assert(COUNT_OF(words) == INSIDE_BIT_COUNT, "every flag has a word");
    return words[bit];
}

const char *record_attempt_word(const struct record_attempt *attempt)
{
    if (attempt->os_error == ECANCELED)
        return "cancelled";
    if (attempt->os_error == EACCES && attempt->begin_ns == 0)
        return "refused";
    if (attempt->os_error == EINPROGRESS && attempt->end_ns == 0)
        return "trying";
    if (attempt->os_error != 0)
        return "failed";
    return attempt->end_ns != 0 ? "connected" : "cancelled";
}

const char *record_alert_word(uint8_t code)
{
    switch (code) {
    case 0: return "close_notify";
    case 10: return "unexpected_message";
    case 20: return "bad_record_mac";
    case 22: return "record_overflow";
    case 40: return "handshake_failure";
    case 42: return "bad_certificate";
    case 43: return "unsupported_certificate";
    case 44: return "certificate_revoked";
    case 45: return "certificate_expired";
    case 46: return "certificate_unknown";
    case 47: return "illegal_parameter";
    case 48: return "unknown_ca";
    case 49: return "access_denied";
    case 50: return "decode_error";
    case 51: return "decrypt_error";
    case 70: return "protocol_version";
    case 71: return "insufficient_security";
    case 80: return "internal_error";
    case 86: return "inappropriate_fallback";
    case 90: return "user_canceled";
    case 109: return "missing_extension";
    case 110: return "unsupported_extension";
    case 112: return "unrecognized_name";
    case 113: return "bad_certificate_status_response";
    case 115: return "unknown_psk_identity";
    case 116: return "certificate_required";
    case 120: return "no_application_protocol";
    case 121: return "ech_required";
    default: return NULL;
    }
}
