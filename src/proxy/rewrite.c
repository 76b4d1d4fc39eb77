/* Rewriting heads: what is removed, what is added, what stays as the sender wrote it.
 *
 * Field order, spelling and values are kept. Removed are the connection-level fields and all that
 * Connection names (RFC 9110 §7.6.1); Host is written anew from what was checked; Via is appended (§7.6.3); a
 * missing Date is added (§6.6.1). The head is a new list in the exchange's arena whose slices borrow the
 * received one. Framing, Upgrade and Connection are no fields here: the codec writes them. */

#include "proxy/exchange_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/status_code.h"

static enum status rewrite_add(struct head *head, enum token token, struct slice value)
{
    return fields_add_token(&head->fields, token, token_name(token), value);
}

/* Host as it was checked: mostly the very line that came, which then goes out with its neighbours. */
static enum status rewrite_add_host(const struct exchange *x, struct head *head)
{
    struct slice host = target_host_field(&x->target);
    const struct field *came = fields_find(&x->request->fields, TOKEN_HOST);
    if (came != NULL && slice_equals(came->value, host))
        return fields_append(&head->fields, came);
    return rewrite_add(head, TOKEN_HOST, host);
}

/* Our own number in place of what Max-Forwards said (RFC 9110 §7.6.2). */
static enum status rewrite_add_max_forwards(struct exchange *x, struct head *head)
{
    uint32_t left = 0;
    if (hop_max_forwards(x->request, &left) != ST_OK)
        return ST_OK;
    CHECK(left > 0); /* else it was answered here */
    char digits[16];
    struct text text = text_on(digits, sizeof(digits));
    text_add_u64(&text, left - 1);
    struct slice copy = arena_copy(&x->arena, text_slice(&text));
    return copy.at == NULL ? ST_NOMEM : rewrite_add(head, TOKEN_MAX_FORWARDS, copy);
}

/* Which field tells the origin who asked; TOKEN_OTHER for none. */
static enum token rewrite_forwarded_token(const struct exchange *x)
{
    enum token token = TOKEN_OTHER;
    switch (exchange_config(x)->forwarded) {
    case FORWARDED_OFF: break;
    case FORWARDED_X: token = TOKEN_X_FORWARDED_FOR; break;
    case FORWARDED_STANDARD: token = TOKEN_FORWARDED; break;
    }
    return token;
}

/* The client as the last element of that field's list (RFC 7239 §4, §6). */
static void rewrite_forwarded_client(const struct exchange *x, enum token token, struct text *text)
{
    char address[INET_ADDR_TEXT];
    const struct inet_addr *addr = &x->client->peer.addr;
    bool is_standard = token == TOKEN_FORWARDED;
    inet_addr_format(addr, address);
    if (is_standard)
        text_add(text, SLICE("for="));
    if (addr->family == INET_NONE) /* a Unix socket */
        text_add(text, SLICE("unknown"));
    else if (is_standard && addr->family == INET_V6)
        text_add_format(text, "\"[%s]\"", address);
    else
        text_add(text, slice_from_string(address));
}

/* One field with all elements that came and ours behind them: some readers look at the first line only. A line with
 * an open quote is left out, since it would swallow what follows. */
static enum status rewrite_add_forwarded(struct exchange *x, struct head *head)
{
    enum token token = rewrite_forwarded_token(x);
    if (token == TOKEN_OTHER)
        return ST_OK;
    size_t room = INET_ADDR_TEXT + 16;
    const struct field *first = fields_find(&x->request->fields, token);
    if (first != NULL && hop_is_connection_level(x->request->hop, first))
        first = NULL;
    for (const struct field *f = first; f != NULL; f = fields_find_next(&x->request->fields, f))
        room += f->value.len + 2;
    char *memory = arena_alloc(&x->arena, room);
    if (memory == NULL)
        return ST_NOMEM;
    struct text text = text_on(memory, room);
    for (const struct field *f = first; f != NULL; f = fields_find_next(&x->request->fields, f)) {
        if (f->value.len == 0 || slice_has_open_quote(f->value))
            continue;
        text_add(&text, f->value);
        text_add(&text, SLICE(", "));
    }
    rewrite_forwarded_client(x, token, &text);
    return rewrite_add(head, token, text_slice(&text));
}

/* Fields of the request that are written anew or not at all. */
static bool rewrite_drops_request_field(const struct exchange *x, const struct field *field)
{
    if (hop_is_connection_level(x->request->hop, field))
        return true;
    switch ((enum token)field->token) {
    case TOKEN_HOST:
    case TOKEN_CONTENT_LENGTH: return true;
    case TOKEN_MAX_FORWARDS: return x->method == METHOD_TRACE || x->method == METHOD_OPTIONS;
    case TOKEN_EXPECT: return !x->wants_continue;
    case TOKEN_FORWARDED:
    case TOKEN_X_FORWARDED_FOR: return field->token == rewrite_forwarded_token(x);
    default: return false;
    }
}

enum status rewrite_request(struct exchange *x, struct head *head, struct framing *ret_body)
{
    const struct head *request = x->request;
    head_init(head, &x->arena);
    head->is_request = true;
    head->major = head->minor = 1;
    head->method = request->method;
    head->method_name = request->method_name;
    head->target = target_origin_form(&x->target, request->method, &x->arena);
    if (head->target.at == NULL)
        return ST_NOMEM;
    head->takes_trailers = request->takes_trailers;
    if (x->is_upgrade)
        head->upgrade = request->upgrade;
    enum status status = rewrite_add_host(x, head);
    FIELDS_EACH(field, &request->fields) {
        if (status == ST_OK && !rewrite_drops_request_field(x, field))
            status = fields_append(&head->fields, field);
    }
    if (status == ST_OK && (x->method == METHOD_TRACE || x->method == METHOD_OPTIONS))
        status = rewrite_add_max_forwards(x, head);
    if (status == ST_OK)
        status = hop_add_via(&head->fields, request, x->snapshot->via);
    if (status == ST_OK)
        status = rewrite_add_forwarded(x, head);
    *ret_body = x->request_body;
    return status;
}

/* How the body goes to the client: as it came where the client's version can, else by the connection's
 * end; a body that came by the connection's end goes chunked where it can, so that its end is sure. */
static struct framing rewrite_response_framing(const struct exchange *x, struct framing body)
{
    bool is_modern = head_is_modern(x->request);
    if (body.kind == FRAMING_CHUNKED && !is_modern)
        return (struct framing){.kind = FRAMING_CLOSE};
    if (body.kind == FRAMING_CLOSE && is_modern)
        return (struct framing){.kind = FRAMING_CHUNKED};
    return body;
}

static enum status rewrite_add_date(struct exchange *x, struct head *head)
{
    char date[CLOCK_HTTP_DATE_TEXT];
    clock_http_date(clock_wall_ns(), date);
    struct slice copy = arena_copy(&x->arena, slice_from_string(date));
    return copy.at == NULL ? ST_NOMEM : rewrite_add(head, TOKEN_DATE, copy);
}

/* Content-Length of a response without content: once, as one number, however often the origin said it (RFC
 * 9110 §8.6). Framing has seen to it that all are the same. */
static enum status rewrite_add_told_length(struct head *head, const struct field *field)
{
    if (fields_has(&head->fields, TOKEN_CONTENT_LENGTH))
        return ST_OK;
    struct slice value = slice_trim(slice_first(field->value, slice_find(field->value, ',')));
    return fields_add_token(&head->fields, TOKEN_CONTENT_LENGTH, field->name, value);
}

enum status rewrite_response(struct exchange *x, const struct head *response, struct framing body,
                             struct head *head, struct framing *ret_body)
{
    /* an early answer behind which the rest of the request has nowhere to go (RFC 9110 §10.1.1) */
    bool is_early = !head_is_interim(response) && !x->request_done;
    if (is_early && (x->is_up_deaf || !x->lease.stream->may_persist))
        x->down->may_persist = false;
    head_init(head, &x->arena);
    head->status = response->status;
    head->reason = response->reason;
    head->major = head->minor = 1;
    head->upgrade = response->upgrade;
    head->codings = response->codings;
    *ret_body = rewrite_response_framing(x, body);
    bool has_body = body.kind != FRAMING_NONE;
    /* RFC 9110 §8.6: no Content-Length in 1xx and 204. Of HEAD and 304 it tells of another response. */
    bool drops_length = has_body || response->status < 200 || response->status == 204;
    enum status status = ST_OK;
    FIELDS_EACH(field, &response->fields) {
        if (status != ST_OK || hop_is_connection_level(response->hop, field))
            continue;
        if (field->token == TOKEN_CONTENT_LENGTH)
            status = drops_length ? ST_OK : rewrite_add_told_length(head, field);
        else
            status = fields_append(&head->fields, field);
    }
    if (status == ST_OK && !head_is_interim(response) && !fields_has(&response->fields, TOKEN_DATE))
        status = rewrite_add_date(x, head);
    if (status == ST_OK)
        status = hop_add_via(&head->fields, response, x->snapshot->via);
    if (status == ST_OK && !head_is_interim(response))
        status = annotate_response(x, head);
    return status;
}

enum status rewrite_trailers(struct exchange *x, const struct hop *hop,
                             const struct fields *trailers, const struct fields **ret_trailers)
{
    struct fields *passing = arena_alloc(&x->arena, sizeof(*passing));
    if (passing == NULL)
        return ST_NOMEM;
    fields_init(passing, &x->arena);
    FIELDS_EACH(field, trailers) {
        if (!hop_trailer_may_pass(hop, field))
            continue;
        enum status status = fields_append(passing, field);
        if (status != ST_OK)
            return status;
    }
    *ret_trailers = passing->count > 0 ? passing : NULL;
    return ST_OK;
}
