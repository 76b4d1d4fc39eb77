/* The request-target and Host.
 *
 * The form is told by the method and the first byte, then each form has one strict reader. Nothing is decoded
 * or normalised: the path goes on as it came, and only the host is made canonical, by base/host, so that
 * what policy sees is what is dialled.
 *
 * Refused by name: what RFC 9112 §3.2 has no place for (fragments, blanks, control and non-ASCII bytes), and what
 * has cheated parsers (user information, backslashes before the query, odd ports). A backslash in the query
 * passes, since browsers send it so; other bytes that a URI should escape pass as well.
 *
 * It does not know which schemes can be fetched or which ports are allowed: SCHEME_OTHER is returned with its
 * name, and nothing behind it is looked at. */
#include "http/target.h"

#include "base/check.h"
#include "http/syntax.h"

#include <stddef.h>
#include <string.h>

static const char *const fault_texts[] = {
#define X(name, sentence) [TARGET_FAULT_##name] = sentence,
    TARGET_FAULTS(X)
#undef X
};

const char *target_fault_text(enum target_fault fault)
{
    return fault_texts[fault];
}

/* Digits of a port; empty means that none was written (RFC 3986 §3.2.3). */
static enum target_fault parse_port(struct slice digits, uint16_t *ret_port)
{
    uint64_t value = 0;
    if (slice_is_empty(digits)) {
        *ret_port = 0;
        return TARGET_FAULT_NONE;
    }
    if (digits.len > 5 || slice_to_u64(digits, UINT16_MAX, &value) != ST_OK || value == 0)
        return TARGET_FAULT_BAD_PORT;
    *ret_port = (uint16_t)value;
    return TARGET_FAULT_NONE;
}

/* Length of the host in host [":" port]: to behind the bracket, else to the last colon. */
static size_t host_length(struct slice authority)
{
    CHECK(authority.len > 0);
    if (authority.at[0] == '[') {
        size_t bracket = slice_find(authority, ']');
        return bracket < authority.len ? bracket + 1 : authority.len;
    }
    return slice_find_last(authority, ':');
}

/* host [":" port] as in Host and authority-form. Port 0 where it is not written or empty. `ret_name` is the host as
 * written. */
static enum target_fault parse_authority(struct slice authority, struct slice *ret_name,
                                         struct host *ret_host, uint16_t *ret_port,
                                         enum host_fault *ret_host_fault)
{
    *ret_host_fault = HOST_FINE;
    if (slice_is_empty(authority))
        return TARGET_FAULT_NO_HOST;
    struct slice name = slice_first(authority, host_length(authority));
    struct slice rest = slice_from(authority, name.len);
    if (slice_is_empty(name))
        return TARGET_FAULT_NO_HOST;
    if (rest.len > 0 && rest.at[0] != ':')
        return TARGET_FAULT_BAD_HOST;
    enum target_fault fault = parse_port(slice_from(rest, 1), ret_port);
    if (fault != TARGET_FAULT_NONE)
        return fault;
    *ret_host_fault = host_parse(name, ret_host);
    if (*ret_host_fault != HOST_FINE)
        return TARGET_FAULT_BAD_HOST;
    *ret_name = name;
    return TARGET_FAULT_NONE;
}

/* Of an authority with a fault. No host and no port holds one of these bytes, but who sends it shall hear of that. */
static enum target_fault authority_fault(struct slice authority, enum target_fault fault)
{
    if (slice_find(authority, '@') < authority.len)
        return TARGET_FAULT_USERINFO;
    return slice_find(authority, '\\') < authority.len ? TARGET_FAULT_BACKSLASH : fault;
}

static enum target_fault set_authority(struct target *target, struct slice authority)
{
    enum host_fault host_fault = HOST_FINE;
    enum target_fault fault =
        parse_authority(authority, &target->host_name, &target->host, &target->port, &host_fault);
    if (fault != TARGET_FAULT_NONE) {
        fault = authority_fault(authority, fault);
        if (fault == TARGET_FAULT_BAD_HOST)
            target->host_fault = host_fault;
        return fault;
    }
    target->authority = authority;
    target->has_host = true;
    return TARGET_FAULT_NONE;
}

/* Bytes that no form has. */
static enum target_fault check_bytes(struct slice raw)
{
    if (syntax_is_uri(raw))
        return TARGET_FAULT_NONE;
    for (size_t i = 0; i < raw.len; i++) {
        if (!syntax_is(raw.at[i], SYNTAX_VCHAR))
            return TARGET_FAULT_BAD_BYTE;
        if (raw.at[i] == '#')
            return TARGET_FAULT_FRAGMENT;
    }
    return TARGET_FAULT_NONE;
}

static enum target_fault set_path(struct target *target, struct slice path_and_query)
{
    size_t backslash = slice_find(path_and_query, '\\');
    if (backslash < path_and_query.len && backslash < slice_find(path_and_query, '?'))
        return TARGET_FAULT_BACKSLASH;
    target->path_and_query = path_and_query;
    return TARGET_FAULT_NONE;
}

/* RFC 9112 §3.2.3: host ":" port, both needed. */
static enum target_fault parse_authority_form(struct slice raw, struct target *target)
{
    target->form = TARGET_AUTHORITY;
    if (slice_find(raw, '/') < raw.len || slice_find(raw, '?') < raw.len)
        return TARGET_FAULT_MALFORMED;
    enum target_fault fault = set_authority(target, raw);
    if (fault != TARGET_FAULT_NONE)
        return fault;
    return target->port == 0 ? TARGET_FAULT_NO_PORT : TARGET_FAULT_NONE;
}

/* ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), RFC 3986 §3.1 */
static bool is_scheme(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = char_lower(s.at[i]);
        bool is_letter = c >= 'a' && c <= 'z';
        bool is_other = char_is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_other))
            return false;
    }
    return s.len > 0;
}

static enum target_scheme scheme_of(struct slice name)
{
    if (slice_equals_nocase(name, SLICE("http")))
        return SCHEME_HTTP;
    return slice_equals_nocase(name, SLICE("https")) ? SCHEME_HTTPS : SCHEME_OTHER;
}

static enum target_fault parse_absolute_form(struct slice raw, struct target *target)
{
    target->form = TARGET_ABSOLUTE;
    size_t colon = slice_find(raw, ':');
    struct slice scheme = slice_first(raw, colon);
    target->scheme = scheme_of(scheme);
    if (colon == raw.len || (target->scheme == SCHEME_OTHER && !is_scheme(scheme)))
        return TARGET_FAULT_MALFORMED;
    struct slice rest = slice_from(raw, colon + 1);
    target->scheme_name = scheme;
    if (target->scheme == SCHEME_OTHER) {
        target->path_and_query = rest;
        return TARGET_FAULT_NONE;
    }

    if (!slice_starts_with(rest, SLICE("//")))
        return TARGET_FAULT_MALFORMED;
    rest = slice_from(rest, 2);
    size_t slash = slice_find(rest, '/');
    size_t query = slice_find(rest, '?');
    size_t end = slash < query ? slash : query;
    enum target_fault fault = set_authority(target, slice_first(rest, end));
    return fault != TARGET_FAULT_NONE ? fault : set_path(target, slice_from(rest, end));
}

/* All but the text of a host: most of the bytes, and has_host tells whether they are there. */
void target_init(struct target *target)
{
    memset(target, 0, offsetof(struct target, host));
}

enum target_fault target_parse(struct slice raw, enum method method, struct target *ret_target)
{
    target_init(ret_target);
    enum target_fault fault = check_bytes(raw);
    if (fault != TARGET_FAULT_NONE)
        return fault;
    if (slice_is_empty(raw))
        return TARGET_FAULT_MALFORMED;
    if (method == METHOD_CONNECT)
        return parse_authority_form(raw, ret_target);
    if (slice_equals(raw, SLICE("*"))) {
        ret_target->form = TARGET_ASTERISK;
        ret_target->path_and_query = raw;
        return method == METHOD_OPTIONS ? TARGET_FAULT_NONE : TARGET_FAULT_ASTERISK_METHOD;
    }
    if (raw.at[0] == '/')
        return set_path(ret_target, raw);
    return parse_absolute_form(raw, ret_target);
}

/* Read Host into `from_field`, whatever the form of the target (RFC 9112 §3.2). */
static enum target_fault read_host_field(const struct head *head, const struct target *target,
                                         struct target *from_field)
{
    const struct field *field = fields_find(&head->fields, TOKEN_HOST);
    if (field == NULL)
        return head_is_modern(head) ? TARGET_FAULT_HOST_FIELD_MISSING : TARGET_FAULT_NONE;
    if (fields_find_next(&head->fields, field) != NULL)
        return TARGET_FAULT_HOST_FIELD_REPEATED;
    if (slice_is_empty(field->value) || slice_equals(field->value, target->authority))
        return TARGET_FAULT_NONE; /* nothing to read, or read already */
    return set_authority(from_field, field->value) == TARGET_FAULT_NONE
               ? TARGET_FAULT_NONE
               : TARGET_FAULT_HOST_FIELD_BAD;
}

enum target_fault target_of_head(const struct head *head, struct target *ret_target)
{
    enum target_fault fault = target_parse(head->target, head->method, ret_target);
    if (fault != TARGET_FAULT_NONE)
        return fault;
    struct target from_field;
    target_init(&from_field);
    from_field.form = ret_target->form;
    fault = read_host_field(head, ret_target, &from_field);
    if (fault != TARGET_FAULT_NONE) {
        ret_target->host_fault = from_field.host_fault;
        return fault;
    }
    bool takes_field = ret_target->form == TARGET_ORIGIN || ret_target->form == TARGET_ASTERISK;
    if (!takes_field || !from_field.has_host)
        return TARGET_FAULT_NONE;
    from_field.path_and_query = ret_target->path_and_query;
    *ret_target = from_field;
    return TARGET_FAULT_NONE;
}

static uint16_t default_port(enum target_scheme scheme)
{
    switch (scheme) {
    case SCHEME_HTTP: return 80;
    case SCHEME_HTTPS: return 443;
    case SCHEME_NONE:
    case SCHEME_OTHER: break;
    }
    return 0;
}

uint16_t target_port(const struct target *target)
{
    return target->port != 0 ? target->port : default_port(target->scheme);
}

struct slice target_origin_form(const struct target *target, enum method method,
                                struct arena *arena)
{
    struct slice path = target->path_and_query;
    if (slice_is_empty(path))
        return method == METHOD_OPTIONS ? SLICE("*") : SLICE("/");
    if (path.at[0] != '?')
        return path;
    char *at = arena_alloc(arena, path.len + 1);
    if (at == NULL)
        return SLICE_NONE;
    at[0] = '/';
    memcpy(at + 1, path.at, path.len);
    return slice_of(at, path.len + 1);
}

struct slice target_host_field(const struct target *target)
{
    bool is_usual = target->port == 0 || target->port == default_port(target->scheme);
    return is_usual ? target->host_name : target->authority;
}
