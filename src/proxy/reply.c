/* Answers made here: refusals, errors, the help page, OPTIONS and TRACE at Max-Forwards 0; and how these and what a
 * handler answers go out.
 *
 * Each names phase, cause, elapsed time and, for a refusal, the rule, the reason and the way to change it: in the
 * reason phrase (all that clients show of a refused CONNECT), in Proxy-Status (RFC 9209), and in a short body
 * as text, JSON or HTML by Accept. A refusal that nothing changes says so. Whatever a peer chose is escaped for where
 * it stands. */

#include "proxy/exchange_internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/media.h"
#include "http/proxy_status.h"
#include "http/status_code.h"

#include <string.h>

enum { REPLY_BODY_MAX = 4096, REPLY_FIELD_MAX = 2048, REPLY_REASON_MAX = 480 };

/* The weight of an element of Accept in thousandths (RFC 9110 §12.4.2). One that cannot be read is 0. */
static unsigned reply_weight(struct slice element)
{
    struct slice part;
    while (slice_next_part(&element, ';', &part)) {
        struct slice value = slice_trim(part);
        if (!slice_starts_with_nocase(value, SLICE("q=")))
            continue;
        value = slice_from(value, 2);
        bool is_sound = value.len >= 1 && value.len <= 5 && char_is_digit(value.at[0]) &&
                        (value.len == 1 || value.at[1] == '.');
        unsigned weight = is_sound ? (unsigned)(value.at[0] - '0') * 1000 : 0;
        unsigned unit = 100;
        for (size_t i = 2; is_sound && i < value.len; i++, unit /= 10)
            weight += char_is_digit(value.at[i]) ? (unsigned)(value.at[i] - '0') * unit : 0;
        return weight;
    }
    return 1000;
}

/* What Accept likes best of what there is; the first of equals, and text where it names none. */
enum reply_format reply_format_for(const struct exchange *x)
{
    static const struct slice types[] = {
        [REPLY_TEXT] = {"text/plain", 10},
        [REPLY_JSON] = {"application/json", 16},
        [REPLY_HTML] = {"text/html", 9},
    };
    const struct field *accept = fields_find(&x->request->fields, TOKEN_ACCEPT);
    enum reply_format best = REPLY_TEXT;
    unsigned best_weight = 0;
    struct slice rest = accept == NULL ? SLICE_NONE : accept->value;
    struct slice element;
    while (slice_next_element(&rest, &element)) {
        unsigned weight = reply_weight(element);
        for (size_t type = 0; type < COUNT_OF(types); type++) {
            if (weight > best_weight && slice_starts_with_nocase(element, types[type])) {
                best = (enum reply_format)type;
                best_weight = weight;
            }
        }
    }
    return best;
}

/* The phase in which it failed, for people. */
static const char *reply_phase(const struct exchange *x)
{
    const struct timeline *t = &x->timeline;
    if (x->is_head_bad)
        return phase_word(PHASE_RECEIVE);
    if (timeline_has(t, MARK_U_RX0))
        return phase_word(PHASE_LOAD);
    if (timeline_has(t, MARK_U_TX1))
        return phase_word(PHASE_WAIT);
    if (timeline_has(t, MARK_U_TX0))
        return phase_word(PHASE_SEND);
    if (timeline_has(t, MARK_U_TLS0))
        return phase_word(PHASE_TLS);
    if (timeline_has(t, MARK_U_SYN0))
        return phase_word(PHASE_CONNECT);
    if (timeline_has(t, MARK_U_DNS0))
        return phase_word(PHASE_DNS);
    return "decide";
}

/* Of a refusal: is its rule named neither by the detail nor as a limit? */
static bool reply_names_rule(const struct exchange *x)
{
    return x->rule[0] != '\0' && strcmp(x->rule, x->detail) != 0 &&
           strcmp(x->rule, failure_setting(x->cause, x->status)) != 0;
}

/* "; to allow it: ...", behind what says why. */
static void reply_add_remedy(const struct exchange *x, struct text *text)
{
    if (x->remedy[0] != '\0')
        text_add_format(text, "; to allow it: %s", x->remedy);
    else if (x->rule[0] != '\0')
        text_add(text, SLICE("; nothing allows it"));
}

static void reply_text_body(struct exchange *x, struct text *text, uint64_t elapsed_ns)
{
    text_add(text, SLICE("fairlead: "));
    failure_add_message(x->cause, x->detail, text);
    text_add(text, SLICE(".\n"));
    if (reply_names_rule(x))
        text_add_format(text, "The rule is %s.\n", x->rule);
    if (x->remedy[0] != '\0')
        text_add_format(text, "To allow it: %s\n", x->remedy);
    else if (x->rule[0] != '\0')
        text_add(text, SLICE("Nothing allows it.\n"));
    const char *setting = failure_setting(x->cause, x->status);
    if (setting[0] != '\0')
        text_add_format(text, "The limit is %s of the configuration.\n", setting);
    text_add_format(text, "phase %s, after ", reply_phase(x));
    text_add_duration(text, elapsed_ns);
    text_add_format(text, ", exchange %016llx\n", (unsigned long long)x->id);
}

static void reply_json_member(struct text *text, const char *name, struct slice value, bool is_last)
{
    text_add_format(text, "\"%s\":\"", name);
    text_add_json(text, value);
    text_add(text, is_last ? SLICE("\"}\n") : SLICE("\","));
}

static void reply_json_body(struct exchange *x, struct text *text, uint64_t elapsed_ns)
{
    const struct failure_row *row = failure_row(x->cause);
    char id[20];
    struct text id_text = text_on(id, sizeof(id));
    text_add_format(&id_text, "%016llx", (unsigned long long)x->id);
    text_add_format(text, "{\"status\":%u,\"elapsed_ms\":%llu,", x->status,
                    (unsigned long long)(elapsed_ns / NS_PER_MS));
    reply_json_member(text, "cause", slice_from_string(row->word), false);
    reply_json_member(text, "error", slice_from_string(row->token), false);
    reply_json_member(text, "reason", slice_from_string(row->sentence), false);
    if (x->detail[0] != '\0' && strcmp(x->rule, x->detail) != 0)
        reply_json_member(text, "detail", slice_from_string(x->detail), false);
    if (x->rule[0] != '\0')
        reply_json_member(text, "rule", slice_from_string(x->rule), false);
    if (x->remedy[0] != '\0')
        reply_json_member(text, "remedy", slice_from_string(x->remedy), false);
    else if (x->rule[0] != '\0')
        text_add(text, SLICE("\"remedy\":null,"));
    const char *setting = failure_setting(x->cause, x->status);
    if (setting[0] != '\0')
        reply_json_member(text, "setting", slice_from_string(setting), false);
    reply_json_member(text, "phase", slice_from_string(reply_phase(x)), false);
    reply_json_member(text, "exchange", text_slice(&id_text), true);
}

static void reply_html_body(struct exchange *x, struct text *text, uint64_t elapsed_ns)
{
    const struct failure_row *row = failure_row(x->cause);
    text_add_format(text, REPLY_PAGE("%u %s") "<h1>%s</h1>", x->status, row->sentence,
                    row->sentence);
    if (x->detail[0] != '\0') {
        text_add(text, SLICE("<p>"));
        text_add_html(text, slice_from_string(x->detail));
        text_add(text, SLICE("</p>"));
    }
    if (reply_names_rule(x)) {
        text_add(text, SLICE("<p>The rule is <code>"));
        text_add_html(text, slice_from_string(x->rule));
        text_add(text, SLICE("</code>.</p>"));
    }
    if (x->remedy[0] != '\0') {
        text_add(text, SLICE("<p>To allow it: <code>"));
        text_add_html(text, slice_from_string(x->remedy));
        text_add(text, SLICE("</code></p>"));
    } else if (x->rule[0] != '\0') {
        text_add(text, SLICE("<p>Nothing allows it.</p>"));
    }
    const char *setting = failure_setting(x->cause, x->status);
    if (setting[0] != '\0')
        text_add_format(text, "<p>The limit is <code>%s</code> of the configuration.</p>", setting);
    text_add_format(text, "<p><small>fairlead &middot; phase %s, after ", reply_phase(x));
    text_add_duration(text, elapsed_ns);
    text_add_format(text, " &middot; exchange %016llx</small></p></body></html>\n",
                    (unsigned long long)x->id);
}

static enum status reply_add(struct exchange *x, struct head *head, enum token token,
                             struct slice value)
{
    struct slice copy = arena_copy(&x->arena, value);
    if (copy.at == NULL)
        return ST_NOMEM;
    return fields_add_token(&head->fields, token, token_name(token), copy);
}

static enum status reply_add_proxy_status(struct exchange *x, struct head *head)
{
    char field[REPLY_FIELD_MAX];
    char id[20];
    char message[REPLY_FIELD_MAX / 4];
    struct text id_text = text_on(id, sizeof(id));
    text_add_format(&id_text, "%016llx", (unsigned long long)x->id);
    struct text text = text_on(field, sizeof(field));
    struct text details = text_on(message, sizeof(message));
    const struct failure_row *row = failure_row(x->cause);
    failure_add_message(x->cause, exchange_detail(x), &details);
    reply_add_remedy(x, &details);
    struct proxy_status status = {
        .name = x->snapshot->via,
        .details = text_slice(&details),
        .rule = slice_from_string(x->rule),
        .exchange_id = text_slice(&id_text),
    };
    if (x->cause == CAUSE_NONE)
        status.error = PROXY_ERROR_PROXY_INTERNAL_RESPONSE;
    for (int error = PROXY_ERROR_NONE; error <= (int)PROXY_ERROR_PROXY_LOOP_DETECTED; error++) {
        struct slice token = proxy_error_token((enum proxy_error)error);
        if (x->cause != CAUSE_NONE && slice_equals(token, slice_from_string(row->token)))
            status.error = (enum proxy_error)error;
    }
    proxy_status_write(&text, &status);
    return reply_add(x, head, TOKEN_PROXY_STATUS, text_slice(&text));
}

/* The reason phrase of a failure: all that a client shows of a refused CONNECT. */
static struct slice reply_reason(struct exchange *x)
{
    if (x->rule[0] == '\0')
        return SLICE_NONE;
    char reason[REPLY_REASON_MAX];
    struct text text = text_on(reason, sizeof(reason));
    text_add(&text, status_code_reason(x->status));
    text_add(&text, SLICE(": "));
    failure_add_message(x->cause, exchange_detail(x), &text);
    text_add_format(&text, " (%s", x->rule);
    reply_add_remedy(x, &text);
    text_add_char(&text, ')');
    return arena_copy(&x->arena, text_slice(&text));
}

static enum status reply_add_string(struct exchange *x, struct head *head, enum token token,
                                    const char *value)
{
    return value == NULL ? ST_OK : reply_add(x, head, token, slice_from_string(value));
}

static enum status reply_add_number(struct exchange *x, struct head *head, enum token token,
                                    uint64_t number)
{
    char digits[24];
    struct text text = text_on(digits, sizeof(digits));
    text_add_u64(&text, number);
    return reply_add(x, head, token, text_slice(&text));
}

/* What only handlers say; none of their answers is for a browser to guess at. */
static enum status reply_add_handled(struct exchange *x, struct head *head,
                                     const struct answer *answer)
{
    enum status status = reply_add_string(x, head, TOKEN_ALLOW, answer->allow);
    if (status == ST_OK)
        status = reply_add_string(x, head, TOKEN_WWW_AUTHENTICATE, answer->authenticate);
    if (status == ST_OK)
        status = reply_add_string(x, head, TOKEN_ETAG, answer->etag);
    for (const struct answer_field *f = answer->fields; f != NULL && f->name != NULL; f++) {
        struct slice value = arena_copy(&x->arena, slice_from_string(f->value));
        if (status == ST_OK)
            status = value.at == NULL
                         ? ST_NOMEM
                         : fields_add(&head->fields, slice_from_string(f->name), value);
    }
    if (status == ST_OK && (x->proxy->handler != NULL || x->wants_denials))
        status = fields_add(&head->fields, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
    return status;
}

/* How the body goes: one that goes on has no length yet, and HTTP/1.0 ends it with the connection (RFC 9112 §6.3). */
static struct framing reply_framing(const struct exchange *x, const struct answer *answer)
{
    if (answer->source == NULL)
        return (struct framing){.kind = FRAMING_LENGTH, .length = answer->body.len};
    bool is_modern = x->request->major == 1 && x->request->minor >= 1;
    return (struct framing){.kind = is_modern ? FRAMING_CHUNKED : FRAMING_CLOSE};
}

enum status reply_send(struct exchange *x, const struct answer *answer)
{
    unsigned code = answer->status;
    struct slice body = answer->body;
    struct stream *down = x->down;
    struct head head;
    head_init(&head, &x->arena);
    head.status = (uint16_t)code;
    head.major = head.minor = 1;
    head.reason = x->cause == CAUSE_NONE ? SLICE_NONE : reply_reason(x);
    x->status = (uint16_t)code;
    x->is_local = true;
    if (!down->is_read_out)
        down->may_persist = false;

    char date[CLOCK_HTTP_DATE_TEXT];
    clock_http_date(clock_wall_ns(), date);
    enum status status = reply_add(x, &head, TOKEN_DATE, slice_from_string(date));
    if (status == ST_OK && (body.len > 0 || answer->source != NULL))
        status = reply_add_string(x, &head, TOKEN_CONTENT_TYPE, answer->type);
    if (status == ST_OK)
        status = reply_add_string(x, &head, TOKEN_CACHE_CONTROL,
                                  answer->cache != NULL ? answer->cache : "no-store");
    if (status == ST_OK && x->proxy->handler == NULL)
        status = reply_add_proxy_status(x, &head);
    if (status == ST_OK)
        status = reply_add_handled(x, &head, answer);
    if (status == ST_OK && code == 407)
        status = identify_challenge(x, &head);
    if (status == ST_OK && x->retry_after_s > 0)
        status = reply_add_number(x, &head, TOKEN_RETRY_AFTER, x->retry_after_s);
    struct framing framing = reply_framing(x, answer);
    x->reply_source = answer->source;
    if (x->method == METHOD_HEAD) { /* told of, not sent (RFC 9110 §9.3.2) */
        if (status == ST_OK && answer->source == NULL)
            status = reply_add_number(x, &head, TOKEN_CONTENT_LENGTH, body.len);
        framing = (struct framing){.kind = FRAMING_NONE};
        body = SLICE_NONE;
        x->reply_source = NULL;
    } else if (status_code_is_bodiless(code)) {
        framing = (struct framing){.kind = FRAMING_NONE};
    }
    x->reply_body = answer->is_lent ? body : arena_copy(&x->arena, body);
    if (status != ST_OK || (body.len > 0 && x->reply_body.at == NULL))
        return ST_NOMEM;
    status = down->ops->send_head(down, &head, framing);
    if (status != ST_OK)
        return status;
    x->response_head_done = true;
    timeline_mark(&x->timeline, MARK_D_TX0);
    return ST_OK;
}

/* What a person sees who opens the proxy's own address. */
static enum status reply_send_help(struct exchange *x)
{
    char body[REPLY_BODY_MAX];
    char address[INET_ENDPOINT_TEXT];
    struct text text = text_on(body, sizeof(body));
    bool is_html = reply_format_for(x) == REPLY_HTML;
    const char *scheme = x->client->tls_server != NULL ? "https" : "http";
    inet_endpoint_format(&x->client->local, address);
    bool is_unix = x->client->local.addr.family == INET_NONE;
    text_add(&text, is_html ? SLICE(REPLY_PAGE("Fairlead") "<h1>Fairlead</h1><p>") : SLICE(""));
    text_add(&text, SLICE("This is a forward proxy, not a web site. Name it to your client:\n"));
    text_add(&text, is_html ? SLICE("</p><pre>") : SLICE("\n  "));
    if (is_unix)
        text_add(&text, SLICE("GET http://example.com/ HTTP/1.1, to this socket"));
    else
        text_add_format(&text, "curl --proxy %s://%s http://example.com/", scheme, address);
    text_add(&text, is_html ? SLICE("</pre></body></html>\n") : SLICE("\n"));
    return reply_send(x, &(struct answer){.status = 200,
                                          .type = is_html ? MEDIA_HTML : MEDIA_TEXT,
                                          .body = text_slice(&text)});
}

/* Credentials are left out of the answer to TRACE (RFC 9110 §9.3.8). */
static bool reply_is_secret(const struct field *field)
{
    return field->token == TOKEN_PROXY_AUTHORIZATION || field->token == TOKEN_AUTHORIZATION ||
           field->token == TOKEN_COOKIE;
}

/* The request as it came. */
static enum status reply_send_trace(struct exchange *x)
{
    const struct head *request = x->request;
    size_t room = sizeof("TRACE  HTTP/1.1\r\n\r\n") + request->target.len;
    FIELDS_EACH(field, &request->fields)
        room += field->name.len + field->value.len + 4;
    char *memory = arena_alloc(&x->arena, room);
    if (memory == NULL)
        return ST_NOMEM;
    struct text text = text_on(memory, room);
    text_add(&text, SLICE("TRACE "));
    text_add(&text, request->target);
    text_add_format(&text, " HTTP/1.%u\r\n", request->minor);
    FIELDS_EACH(field, &request->fields) {
        if (reply_is_secret(field))
            continue;
        text_add(&text, field->name);
        text_add(&text, SLICE(": "));
        text_add(&text, field->value);
        text_add(&text, SLICE("\r\n"));
    }
    text_add(&text, SLICE("\r\n"));
    return reply_send(
        x, &(struct answer){
               .status = 200, .type = "message/http", .body = text_slice(&text), .is_lent = true});
}

/* The help page, the asker's last refusals; OPTIONS * and OPTIONS or TRACE with Max-Forwards 0: we are the last
 * recipient (RFC 9110 §7.6.2). */
static enum status reply_send_own(struct exchange *x)
{
    if (x->wants_denials)
        return denials_page_send(x);
    if (x->target.form == TARGET_ORIGIN)
        return reply_send_help(x);
    if (x->method == METHOD_TRACE)
        return reply_send_trace(x);
    return reply_send(x, &(struct answer){.status = 200});
}

/* The failure that was noted, or what is asked of ourselves. */
static enum status reply_send_failure(struct exchange *x)
{
    if (x->cause == CAUSE_NONE)
        return reply_send_own(x);
    const struct failure_row *row = failure_row(x->cause);
    bool is_fault = x->cause == CAUSE_BAD_REQUEST && x->fault_status != 0;
    x->status = is_fault ? x->fault_status : row->status;
    char body[REPLY_BODY_MAX];
    struct text text = text_on(body, sizeof(body));
    uint64_t elapsed_ns = clock_monotonic_ns() - x->timeline.at_ns[MARK_C_FIRST];
    const char *type = MEDIA_TEXT;
    switch (reply_format_for(x)) {
    case REPLY_TEXT: reply_text_body(x, &text, elapsed_ns); break;
    case REPLY_JSON:
        type = MEDIA_JSON;
        reply_json_body(x, &text, elapsed_ns);
        break;
    case REPLY_HTML:
        type = MEDIA_HTML;
        reply_html_body(x, &text, elapsed_ns);
        break;
    }
    struct answer answer = {.status = x->status, .type = type, .body = text_slice(&text)};
    if (x->cause == CAUSE_METHOD_NOT_ALLOWED)
        answer.allow = "GET, HEAD"; /* RFC 9110 §15.5.6 */
    return reply_send(x, &answer);
}

/* ---- the step: it goes out ---- */

/* Some more of the answer, where it goes on. False: not now. */
static bool reply_pull(struct exchange *x)
{
    while (x->reply_source != NULL && x->reply_body.len == 0) {
        enum status status = x->reply_source->next(x->reply_source, &x->reply_body);
        if (status == ST_AGAIN)
            return false;
        if (status != ST_OK)
            x->reply_source = NULL;
    }
    return true;
}

/* What is left of the answer. ST_OK: the kernel has it all, or there is no more now. */
static enum status reply_push(struct exchange *x)
{
    struct stream *down = x->down;
    bool has_all = reply_pull(x);
    while (x->reply_body.len > 0) {
        size_t taken = 0;
        enum status status = down->ops->send_body(down, x->reply_body, &taken);
        if (status != ST_OK)
            return status;
        x->reply_body = slice_from(x->reply_body, taken);
        has_all = reply_pull(x);
    }
    if (!has_all)
        return down->ops->flush(down);
    if (!x->response_done) {
        enum status status = down->ops->send_end(down, NULL);
        if (status != ST_OK)
            return status;
    }
    x->response_done = true;
    return down->ops->flush(down);
}

/* It goes on, once its client takes what there is or its source has more. */
static enum next reply_await_source(struct exchange *x, bool is_client_slow)
{
    if (x->down->ops->has_ended(x->down)) /* see answer_source */
        return exchange_give_up(x, CAUSE_CLIENT_GONE, "");
    if (!is_client_slow) { /* no limit is on the source */
        timer_cancel(&x->timer);
        x->progress_ns = 0;
    }
    return NEXT_WAIT;
}

enum next step_reply(struct exchange *x)
{
    x->is_local = true;
    if (!x->response_head_done) {
        if (x->proxy->handler != NULL && x->cause == CAUSE_NONE)
            return x->down->ops->is_gone(x->down) /* while the handler has not answered yet */
                       ? exchange_give_up(x, CAUSE_CLIENT_GONE, "")
                       : NEXT_WAIT;
        denials_note_exchange(x); /* first, so that whoever heard of it finds it */
        if (reply_send_failure(x) != ST_OK)
            return exchange_enter(x, STEP_finish);
    }
    enum status status = reply_push(x);
    exchange_progress(x);
    if (x->reply_source != NULL && (status == ST_AGAIN || status == ST_OK))
        return reply_await_source(x, status == ST_AGAIN);
    if (status == ST_AGAIN)
        return NEXT_WAIT;
    if (status == ST_OK) {
        timeline_mark(&x->timeline, MARK_D_TX1);
        x->response_sent = true;
    }
    return exchange_enter(x, STEP_finish);
}

/* ---- the handler's ---- */

enum next step_handle(struct exchange *x)
{
    x->is_local = true;
    (void)exchange_enter(x, STEP_reply); /* before it is asked, since it may answer at once */
    const struct handler *handler = x->proxy->handler;
    struct handler_request request = {x->request,       x->snapshot,
                                      exchange_loop(x), x->client->peer,
                                      x->client->local, x->proxy->engine->resolver};
    handler->answer(handler, x, &request);
    return NEXT_WAIT;
}

void exchange_answer(struct exchange *x, const struct answer *answer)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    if (reply_send(x, answer) != ST_OK)
        exchange_fail(x, CAUSE_SHED, "");
    exchange_wake(x);
}

void exchange_go_on(struct exchange *x)
{
    exchange_wake(x);
}

void exchange_cut(struct exchange *x)
{
    CHECK_TAG(x, EXCHANGE_TAG);
    x->is_overdue = true;
    exchange_wake(x);
}
