/* Proxy-Status members (RFC 9209), written as structured fields (RFC 8941).
 *
 * Values that come from elsewhere (details, rule names, next hops) are always written as sf-string: quotes
 * and backslashes escaped, bytes that a string cannot hold replaced by '?', so that no input can end the
 * string or the line. Only our own name may be a bare token. */
#include "http/proxy_status.h"

#include "http/syntax.h"

static const struct slice tokens[] = {[PROXY_ERROR_NONE] = {"", 0},
#define X(name, token) [PROXY_ERROR_##name] = {token, sizeof(token) - 1},
                                      PROXY_ERRORS(X)
#undef X
};

struct slice proxy_error_token(enum proxy_error error)
{
    return tokens[error];
}

/* RFC 8941 §3.3.3 */
static void write_string(struct text *text, struct slice s)
{
    text_add_char(text, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '"' || c == '\\')
            text_add_char(text, '\\');
        bool is_allowed = c == ' ' || syntax_is(c, SYNTAX_VCHAR);
        text_add_char(text, is_allowed ? c : '?');
    }
    text_add_char(text, '"');
}

/* sf-token (RFC 8941 §3.3.4) begins with a letter or '*'; ':' and '/' are not in our names. */
static bool is_sf_token(struct slice s)
{
    if (!syntax_is_token(s))
        return false;
    char first = char_lower(s.at[0]);
    return (first >= 'a' && first <= 'z') || first == '*';
}

static void write_string_parameter(struct text *text, struct slice key, struct slice value)
{
    if (slice_is_empty(value))
        return;
    text_add(text, SLICE("; "));
    text_add(text, key);
    text_add_char(text, '=');
    write_string(text, value);
}

void proxy_status_write(struct text *text, const struct proxy_status *status)
{
    if (is_sf_token(status->name))
        text_add(text, status->name);
    else
        write_string(text, status->name);
    if (status->error != PROXY_ERROR_NONE) {
        text_add(text, SLICE("; error="));
        text_add(text, tokens[status->error]);
    }
    if (status->received_status != 0) {
        text_add(text, SLICE("; received-status="));
        text_add_u64(text, status->received_status);
    }
    write_string_parameter(text, SLICE("rcode"), status->rcode);
    write_string_parameter(text, SLICE("next-hop"), status->next_hop);
    write_string_parameter(text, SLICE("details"), status->details);
    write_string_parameter(text, SLICE("rule"), status->rule);
    write_string_parameter(text, SLICE("exchange"), status->exchange_id);
}
