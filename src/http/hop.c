/* What concerns one connection alone.
 *
 * The options of Connection are read once a head into a set of known tokens and a short list of other names;
 * the answer for each field is then a bit test, and a walk over that list for the rare rest. The list is
 * bounded, so that no head can make the walk quadratic.
 *
 * RFC 9110 §7.6.1 asks that every field that Connection names be removed. A few are kept all the same: those
 * that the proxy acts on or writes anew, because a peer that could make us lose Host, Content-Length or Via
 * could change routing, framing or loop detection behind us. Everything else that is named goes, even where
 * naming it is foolish; that is the peer's wish.
 *
 * Trailer is not connection-level (§6.6.2): it goes on with the trailers that it announces. */
#include "http/hop.h"

#include "base/check.h"
#include "http/syntax.h"

/* Removed always: §7.6.1; §11.7 for the proxy's own authentication. */
static const uint64_t always_removed =
    (uint64_t)1 << TOKEN_CONNECTION | (uint64_t)1 << TOKEN_KEEP_ALIVE |
    (uint64_t)1 << TOKEN_PROXY_CONNECTION | (uint64_t)1 << TOKEN_TE |
    (uint64_t)1 << TOKEN_TRANSFER_ENCODING | (uint64_t)1 << TOKEN_UPGRADE |
    (uint64_t)1 << TOKEN_HTTP2_SETTINGS | (uint64_t)1 << TOKEN_PROXY_AUTHENTICATE |
    (uint64_t)1 << TOKEN_PROXY_AUTHENTICATION_INFO | (uint64_t)1 << TOKEN_PROXY_AUTHORIZATION;

/* Kept even when Connection names them. */
static const uint64_t always_kept =
    (uint64_t)1 << TOKEN_HOST | (uint64_t)1 << TOKEN_CONTENT_LENGTH | (uint64_t)1 << TOKEN_DATE |
    (uint64_t)1 << TOKEN_EXPECT | (uint64_t)1 << TOKEN_MAX_FORWARDS | (uint64_t)1 << TOKEN_TRAILER |
    (uint64_t)1 << TOKEN_VIA;

/* What a trailer section must not say (§6.5.1). */
static const uint64_t never_in_trailers =
    (uint64_t)1 << TOKEN_HOST | (uint64_t)1 << TOKEN_CONTENT_LENGTH | (uint64_t)1 << TOKEN_TRAILER |
    (uint64_t)1 << TOKEN_MAX_FORWARDS | (uint64_t)1 << TOKEN_EXPECT | (uint64_t)1 << TOKEN_VIA |
    (uint64_t)1 << TOKEN_CONTENT_ENCODING | (uint64_t)1 << TOKEN_CONTENT_TYPE |
    (uint64_t)1 << TOKEN_CONTENT_RANGE | (uint64_t)1 << TOKEN_CACHE_CONTROL |
    (uint64_t)1 << TOKEN_AUTHORIZATION | (uint64_t)1 << TOKEN_COOKIE |
    (uint64_t)1 << TOKEN_SET_COOKIE | (uint64_t)1 << TOKEN_WWW_AUTHENTICATE |
    (uint64_t)1 << TOKEN_LOCATION | (uint64_t)1 << TOKEN_DATE | (uint64_t)1 << TOKEN_AGE |
    (uint64_t)1 << TOKEN_EXPIRES | (uint64_t)1 << TOKEN_RANGE | (uint64_t)1 << TOKEN_PRAGMA |
    (uint64_t)1 << TOKEN_RETRY_AFTER | (uint64_t)1 << TOKEN_VARY |
    (uint64_t)1 << TOKEN_IF_MODIFIED_SINCE | (uint64_t)1 << TOKEN_IF_NONE_MATCH |
    (uint64_t)1 << TOKEN_FORWARDED | (uint64_t)1 << TOKEN_X_FORWARDED_FOR |
    (uint64_t)1 << TOKEN_X_FORWARDED_HOST | (uint64_t)1 << TOKEN_X_FORWARDED_PROTO;

static enum status add_option(struct hop *hop, struct slice option)
{
    if (!syntax_is_token(option))
        return ST_OK;
    enum token token = token_of(option);
    if (token != TOKEN_OTHER) {
        hop->tokens |= token_bit(token) & ~always_kept;
        hop->upgrade |= token == TOKEN_UPGRADE;
        return ST_OK;
    }
    if (slice_equals_nocase(option, SLICE("close"))) {
        hop->close = true;
        return ST_OK;
    }
    if (hop->name_count == HOP_NAMES_MAX)
        return ST_LIMIT;
    hop->names[hop->name_count++] = option;
    return ST_OK;
}

static enum status collect_connection(struct hop *hop, const struct fields *fields)
{
    const struct field *field = fields_find(fields, TOKEN_CONNECTION);
    for (; field != NULL; field = fields_find_next(fields, field)) {
        struct slice rest = field->value;
        struct slice option;
        while (slice_next_element(&rest, &option)) {
            enum status status = add_option(hop, option);
            if (status != ST_OK)
                return status;
        }
    }
    return ST_OK;
}

/* True where a list field with `token`, of which there is one, has an element that is `word`, parameters aside. */
static bool lines_hold(const struct fields *fields, enum token token, struct slice word)
{
    const struct field *field = fields_find(fields, token);
    for (; field != NULL; field = fields_find_next(fields, field)) {
        struct slice rest = field->value;
        struct slice element;
        while (slice_next_element(&rest, &element)) {
            struct slice name = slice_trim(slice_first(element, slice_find(element, ';')));
            if (slice_equals_nocase(name, word))
                return true;
        }
    }
    return false;
}

static inline bool list_holds(const struct fields *fields, enum token token, struct slice word)
{
    return fields_has(fields, token) && lines_hold(fields, token, word);
}

enum status hop_collect(const struct head *head, struct hop *ret_hop)
{
    const struct fields *fields = &head->fields;
    ret_hop->close = false;
    ret_hop->upgrade = false;
    ret_hop->name_count = 0;
    ret_hop->tokens = always_removed;
    enum status status = collect_connection(ret_hop, fields);
    if (status != ST_OK)
        return status;

    /* "keep-alive" is also the name of a field, so the option is looked for where it can be */
    ret_hop->keep_alive = list_holds(fields, TOKEN_CONNECTION, SLICE("keep-alive"));
    if (list_holds(fields, TOKEN_PROXY_CONNECTION, SLICE("close")))
        ret_hop->close = true;
    ret_hop->upgrade = ret_hop->upgrade && fields_has(fields, TOKEN_UPGRADE);
    ret_hop->te_trailers = list_holds(fields, TOKEN_TE, SLICE("trailers"));
    return ST_OK;
}

static bool is_named(const struct hop *hop, struct slice name)
{
    for (uint32_t i = 0; i < hop->name_count; i++) {
        if (slice_equals_nocase(hop->names[i], name))
            return true;
    }
    return false;
}

bool hop_is_connection_level(const struct hop *hop, const struct field *field)
{
    if (field->token != TOKEN_OTHER)
        return (hop->tokens & token_bit((enum token)field->token)) != 0;
    return hop->name_count > 0 && is_named(hop, field->name);
}

bool hop_trailer_may_pass(const struct hop *hop, const struct field *field)
{
    if (hop_is_connection_level(hop, field))
        return false;
    return field->token == TOKEN_OTHER ||
           (never_in_trailers & token_bit((enum token)field->token)) == 0;
}

bool hop_may_persist(const struct hop *hop, const struct head *head)
{
    if (hop->close)
        return false;
    if (head_is_modern(head))
        return true;
    return !head->is_request && hop->keep_alive;
}

bool hop_has_upgrade(const struct hop *hop, const struct head *head)
{
    return hop->upgrade && head_is_modern(head);
}

bool hop_expects_continue(const struct head *head, bool *ret_other)
{
    bool expects = false;
    bool other = false;
    const struct field *field = fields_find(&head->fields, TOKEN_EXPECT);
    for (; field != NULL && head_is_modern(head); field = fields_find_next(&head->fields, field)) {
        struct slice rest = field->value;
        struct slice element;
        while (slice_next_element(&rest, &element)) {
            bool is_continue = slice_equals_nocase(element, SLICE("100-continue"));
            expects = expects || is_continue;
            other = other || !is_continue;
        }
    }
    *ret_other = other;
    return expects;
}

enum status hop_max_forwards(const struct head *head, uint32_t *ret_value)
{
    const struct field *field = fields_find(&head->fields, TOKEN_MAX_FORWARDS);
    if (field == NULL)
        return ST_EOF;
    if (fields_find_next(&head->fields, field) != NULL)
        return ST_BAD;
    uint64_t value = UINT32_MAX;
    if (slice_to_u64(field->value, UINT32_MAX, &value) == ST_BAD)
        return ST_BAD;
    *ret_value = (uint32_t)value;
    return ST_OK;
}

/* Length of the Via element at the front. Commas in comments do not split (§5.6.5), which the common list
 * walk does not know. *ret_is_open: it ends inside of a comment. */
static size_t via_element_length(struct slice rest, bool *ret_is_open)
{
    size_t depth = 0;
    size_t i = 0;
    for (; i < rest.len && (depth > 0 || rest.at[i] != ','); i++) {
        char c = rest.at[i];
        if (c == '\\' && depth > 0)
            i++;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
    }
    *ret_is_open = depth > 0;
    return i;
}

/* received-protocol RWS received-by [ RWS comment ]: the second word. */
static struct slice via_received_by(struct slice element)
{
    size_t from = 0;
    while (from < element.len && element.at[from] != ' ' && element.at[from] != '\t')
        from++;
    while (from < element.len && (element.at[from] == ' ' || element.at[from] == '\t'))
        from++;
    size_t to = from;
    while (to < element.len && element.at[to] != ' ' && element.at[to] != '\t' &&
           element.at[to] != '(')
        to++;
    return slice_of(element.at + from, to - from);
}

/* A comment that nobody closes is none, or what a hop puts behind it would be hidden. */
static bool via_line_holds(struct slice rest, struct slice pseudonym)
{
    bool is_open = false;
    while (rest.len > 0) {
        size_t len = 0;
        if (!is_open)
            len = via_element_length(rest, &is_open);
        if (is_open)
            len = slice_find(rest, ',');
        struct slice element = slice_trim(slice_first(rest, len));
        if (slice_equals_nocase(via_received_by(element), pseudonym))
            return true;
        rest = slice_from(rest, len + 1);
    }
    return false;
}

bool hop_via_holds(const struct fields *fields, struct slice pseudonym)
{
    const struct field *field = fields_find(fields, TOKEN_VIA);
    for (; field != NULL; field = fields_find_next(fields, field)) {
        if (via_line_holds(field->value, pseudonym))
            return true;
    }
    return false;
}

enum status hop_add_via(struct fields *fields, const struct head *received, struct slice pseudonym)
{
    const struct slice start = SLICE("Via: 1.1 ");
    const struct slice end = SLICE("\r\n");
    size_t name_len = sizeof("Via") - 1;
    DCHECK(syntax_is_value(pseudonym));
    size_t len = start.len + pseudonym.len + end.len;
    char *at = arena_alloc(fields->arena, len);
    if (at == NULL)
        return ST_NOMEM;
    memcpy(at, start.at, start.len);
    at[name_len + 2] = (char)('0' + received->major);
    at[name_len + 4] = (char)('0' + received->minor);
    memcpy(at + start.len, pseudonym.at, pseudonym.len);
    memcpy(at + len - end.len, end.at, end.len);
    const struct field via = {.name = slice_of(at, name_len),
                              .value = slice_of(at + name_len + 2, len - name_len - 2 - end.len),
                              .token = TOKEN_VIA,
                              .is_line = true};
    return fields_append(fields, &via);
}
