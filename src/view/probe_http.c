/* Requests and answers of a probe. A codec lies on what was reached while one is asked for and heard, and its limits
 * are those of the configuration for any head. Interim answers are counted, since they may be sent for ever. */

#include "view/probe_internal.h"

#include "http/method.h"
#include "http/status_code.h"
#include "net/tls.h"
#include "upstream/engine.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_ARENA_MAX = 65536, INTERIM_MAX = 100 };

/* ---- the request ---- */

static void on_stream(struct stream *stream)
{
    struct probe *probe = stream->owner;
    CHECK_TAG(probe, PROBE_TAG);
    loop_queue(probe->probes->loop, &probe->task);
}

void probe_drop_codec(struct probe *probe, bool is_abort)
{
    if (probe->stream == NULL)
        return;
    struct codec *codec = &probe->h1.codec;
    (void)codec->ops->release(codec, probe->stream); /* nothing follows, whatever it says */
    codec->ops->close(codec, is_abort);
    probe->stream = NULL;
}

/* A request; the fields are those that differ. */
struct probe_request {
    enum method method;
    struct slice method_name, target, host, user_agent;
    bool is_for_proxy; /* who wants to know who asks */
    bool is_final;     /* no other follows */
};

static enum status add_fields(const struct probe_request *request, const struct other_proxy *proxy,
                              struct fields *fields)
{
    const struct {
        enum token token;
        struct slice name, value;
        bool is_there;
    } rows[] = {
        {TOKEN_HOST, SLICE("Host"), request->host, true},
        {TOKEN_PROXY_AUTHORIZATION, SLICE("Proxy-Authorization"), slice_from_string(proxy->field),
         request->is_for_proxy && proxy->field[0] != '\0'},
        {TOKEN_USER_AGENT, SLICE("User-Agent"), request->user_agent, true},
        {TOKEN_OTHER, SLICE("Accept"), SLICE("*/*"), request->is_final},
        {TOKEN_CONNECTION, SLICE("Connection"), SLICE("close"), request->is_final},
    };
    enum status status = ST_OK;
    for (size_t i = 0; i < COUNT_OF(rows) && status == ST_OK; i++) {
        if (rows[i].is_there)
            status = fields_add_token(fields, rows[i].token, rows[i].name, rows[i].value);
    }
    return status;
}

static enum status put_head(struct probe *probe, const struct probe_request *request,
                            struct arena *arena)
{
    struct head head;
    bool has_body = request->method == METHOD_POST || request->method == METHOD_PUT ||
                    request->method == METHOD_PATCH;
    struct framing body = {.kind = has_body ? FRAMING_LENGTH : FRAMING_NONE};
    head_init(&head, arena);
    head.is_request = true;
    head.major = head.minor = 1;
    head.method = request->method;
    head.method_name = request->method_name;
    head.target = request->target;
    enum status status = add_fields(request, probe->probes->proxy, &head.fields);
    if (status == ST_OK)
        status = probe->stream->ops->send_head(probe->stream, &head, body);
    return status == ST_OK ? probe->stream->ops->send_end(probe->stream, NULL) : status;
}

/* Speak HTTP on what was reached. False: failed. */
static bool begin_asking(struct probe *probe, enum probe_step step,
                         const struct probe_request *request, struct arena *arena)
{
    struct h1_limits limits = engine_head_limits(probe_config(probe));
    h1_codec_init(&probe->h1, H1_CLIENT, probe->transport, &probe->probes->shared, &limits);
    probe->transport = NULL;
    probe->step = step;
    probe->is_sent = false;
    probe->interim_count = 0;
    CHECK(probe->h1.codec.ops->open(&probe->h1.codec, &probe->stream) == ST_OK); /* the first */
    probe->stream->on_ready = on_stream;
    probe->stream->owner = probe;
    probe->stream->ops->expect(probe->stream, request->method);
    if (step > PROBE_OPEN && probe_has_via(probe))
        probe_allow(probe, probe_config(probe)->timeouts.response_head_ns);
    if (put_head(probe, request, arena) == ST_OK)
        return true;
    probe_fail(probe, CAUSE_SHED, "");
    return false;
}

static bool ask_to_open(struct probe *probe, struct arena *arena)
{
    char number[24];
    struct text text = text_on(number, sizeof(number));
    struct slice through = slice_from_string(probe->probes->proxy->authority);
    text_add_u64(&text, probe->number);
    struct probe_request request = {.method = METHOD_CONNECT,
                                    .method_name = SLICE("CONNECT"),
                                    .target = through,
                                    .host = through,
                                    .user_agent = text_slice(&text)};
    return begin_asking(probe, PROBE_OPEN, &request, arena);
}

static bool ask_for_tunnel(struct probe *probe, struct arena *arena)
{
    struct slice authority = slice_from_string(probe->aim->authority);
    struct probe_request request = {.method = METHOD_CONNECT,
                                    .method_name = SLICE("CONNECT"),
                                    .target = authority,
                                    .host = authority,
                                    .user_agent = SLICE("fairlead/" FAIRLEAD_VERSION),
                                    .is_for_proxy = true};
    timeline_mark(&probe->sight->timeline, MARK_U_PX0);
    return begin_asking(probe, PROBE_CONNECT, &request, arena);
}

/* Absolute-form to whoever is a proxy, which without another one is the worker. */
static bool ask_for_it(struct probe *probe, struct arena *arena)
{
    const struct aim *aim = probe->aim;
    bool is_inside = probe_has_via(probe) && aim_is_tls(aim);
    enum method method = method_of(aim->method);
    struct slice origin_form = target_origin_form(&aim->target, method, arena);
    struct probe_request request = {.method = method,
                                    .method_name = aim->method,
                                    .target = is_inside ? origin_form : aim->word,
                                    .host = aim->is_tunnel ? aim->target.authority
                                                           : target_host_field(&aim->target),
                                    .user_agent = SLICE("fairlead/" FAIRLEAD_VERSION),
                                    .is_for_proxy = probe_has_via(probe) && !is_inside,
                                    .is_final = !aim->is_tunnel};
    timeline_mark(&probe->sight->timeline, MARK_U_TX0);
    return begin_asking(probe, PROBE_ASK, &request, arena);
}

/* The request is made in memory that lasts until it is queued. */
static bool ask_in_arena(struct probe *probe, bool (*ask)(struct probe *, struct arena *))
{
    struct arena arena;
    arena_init(&arena, probe->probes->blocks, HEAD_ARENA_MAX);
    bool is_begun = ask(probe, &arena);
    arena_done(&arena);
    return is_begun;
}

bool probe_ask_to_open(struct probe *probe)
{
    return ask_in_arena(probe, ask_to_open);
}

bool probe_ask_for_tunnel(struct probe *probe)
{
    return ask_in_arena(probe, ask_for_tunnel);
}

bool probe_ask_for_it(struct probe *probe)
{
    return ask_in_arena(probe, ask_for_it);
}

/* ---- the answer ---- */

void probe_flush(struct probe *probe)
{
    if (probe->is_sent || probe->stream->ops->flush(probe->stream) != ST_OK)
        return; /* an answer may be there all the same */
    probe->is_sent = true;
    if (probe->step == PROBE_ASK)
        timeline_mark(&probe->sight->timeline, MARK_U_TX1);
}

/* The bytes of an answer, which may be an interim one, began to come. */
static void mark_bytes(struct probe *probe, enum status status)
{
    struct stream_tally tally;
    struct timeline *timeline = &probe->sight->timeline;
    if (probe->step != PROBE_ASK || timeline_has(timeline, MARK_U_RX0))
        return;
    probe->stream->ops->tally(probe->stream, &tally);
    if (status == ST_OK || tally.unread_bytes > 0)
        timeline_mark_at(timeline, MARK_U_RX0, tally.received_ns);
}

/* The connection ended where a head should be, or what came is none. */
static void fail_head(struct probe *probe, enum status status)
{
    struct transport *transport = probe->h1.codec.wire.transport;
    const char *fault = probe->stream->fault_text;
    if (status == ST_NOMEM)
        probe_fail(probe, CAUSE_SHED, "");
    else if (status == ST_LIMIT)
        probe_fail(probe, CAUSE_RESPONSE_TOO_LARGE, fault);
    else if (status == ST_BAD)
        probe_fail(probe,
                   probe->stream->fault_status == 501 ? CAUSE_RESPONSE_CODING : CAUSE_BAD_RESPONSE,
                   fault);
    else if (tls_is_tls(transport) && tls_peer_alert(transport) >= 0)
        probe_fail(probe, CAUSE_TLS_ALERT, transport_fault(transport));
    else
        probe_fail(probe, probe->is_sent ? CAUSE_NO_RESPONSE : CAUSE_SEND_FAILED,
                   transport_fault(transport));
}

const struct head *probe_hear(struct probe *probe)
{
    struct head *head = NULL;
    struct framing body;
    struct timeline *timeline = &probe->sight->timeline;
    probe_flush(probe);
    for (;;) {
        enum status status = probe->stream->ops->recv_head(probe->stream, &head, &body);
        mark_bytes(probe, status);
        if (status == ST_AGAIN)
            return NULL;
        if (status != ST_OK) {
            fail_head(probe, status);
            return NULL;
        }
        if (head->status == 101) {
            probe_fail(probe, CAUSE_UPGRADE_FAILED, "101 to a request without Upgrade");
            return NULL;
        }
        if (!head_is_interim(head))
            return head;
        if (++probe->interim_count > INTERIM_MAX) {
            probe_fail(probe, CAUSE_BAD_RESPONSE, "more than 100 interim answers");
            return NULL;
        }
        if (probe->step == PROBE_ASK)
            timeline_mark_at(timeline, MARK_U_1XX, timeline->at_ns[MARK_U_RX0]);
        timeline_clear(timeline, MARK_U_RX0); /* that was not the final one */
    }
}

void probe_mark_received(struct probe *probe, enum mark mark)
{
    struct stream_tally tally;
    probe->stream->ops->tally(probe->stream, &tally);
    timeline_mark_at(&probe->sight->timeline, mark, tally.received_ns);
}

void probe_note_answer(struct probe *probe, const struct head *head)
{
    probe->sight->status = head->status;
    probe->sight->minor = head->minor;
}

/* What the other proxy says may be shown to anybody, and it may say what it was told. Of that a part tells as much,
 * which is what is left where the words are cut; so whatever begins like it is covered as far as it goes on like it. */
static void hide_credentials(char *words, const char *field)
{
    enum { LEAST = 4 }; /* digits of base64: three bytes */
    const char *token = strchr(field, ' ');
    if (token == NULL)
        return;
    token++;
    for (char *at = words; *at != '\0'; at++) {
        size_t same = 0;
        while (token[same] != '\0' && at[same] == token[same])
            same++;
        if (same >= LEAST)
            memset(at, '*', same);
    }
}

/* Does Proxy-Status say that a proxy made the answer, since it failed (RFC 9209 §2.1.1)? */
static bool says_error(struct slice status)
{
    while (status.len > 0 && !slice_starts_with(status, SLICE("error=")))
        status = slice_from(status, 1);
    return status.len > 0;
}

/* Its reason; or where that says no more than the status, Proxy-Status; or where there is none, a line of the body. */
void probe_note_words(struct probe *probe, const struct head *head)
{
    struct sight *sight = probe->sight;
    struct text words = text_on(sight->detail, sizeof(sight->detail));
    const struct field *more = fields_find_name(&head->fields, SLICE("Proxy-Status"));
    bool is_usual =
        head->reason.len == 0 || slice_equals(head->reason, status_code_reason(head->status));
    text_add_format(&words, "%u ", head->status);
    text_add(&words, head->reason);
    if (more != NULL && is_usual) {
        text_add(&words, SLICE("; "));
        text_add(&words, more->value);
    }
    (void)text_string(&words);
    hide_credentials(sight->detail, probe->probes->proxy->field);
    sight->is_refused = probe->step == PROBE_CONNECT || (more != NULL && says_error(more->value));
    if (more == NULL && is_usual)
        probe->body_kind = body_kind_of(head);
}

void probe_note_body(struct probe *probe, struct slice piece)
{
    size_t room = probe->body_kind == BODY_OPAQUE ? 0 : sizeof(probe->look) - probe->look_len;
    piece = slice_first(piece, room);
    if (piece.len > 0)
        memcpy(probe->look + probe->look_len, piece.at, piece.len);
    probe->look_len += piece.len;
}

void probe_note_body_end(struct probe *probe)
{
    struct sight *sight = probe->sight;
    char room[BODY_LINE_MAX + 10];
    struct text line = text_on(room, sizeof(room));
    size_t len = strlen(sight->detail);
    body_line_add(slice_of(probe->look, probe->look_len), probe->body_kind, &line);
    if (line.len == 0)
        return;
    (void)snprintf(sight->detail + len, sizeof(sight->detail) - len, ": %s", text_string(&line));
    hide_credentials(sight->detail, probe->probes->proxy->field);
}

bool probe_take_tunnel(struct probe *probe, enum probe_step next)
{
    bool is_tls = next == PROBE_SHAKE_PROXY || next == PROBE_SHAKE_ORIGIN;
    struct slice unread;
    if (!probe->is_sent) {
        probe_fail(probe, CAUSE_BAD_RESPONSE, "it came before the request was sent");
        return false;
    }
    struct transport *transport = probe->stream->ops->detach(probe->stream, &unread);
    bool is_quiet = unread.len == 0;
    probe_drop_codec(probe, /* is_abort= */ false);
    probe->transport = transport;
    probe->step = next;
    if (!is_quiet)
        probe_fail(probe, is_tls ? CAUSE_TLS_PROTOCOL : CAUSE_BAD_RESPONSE,
                   "the peer speaks before it is spoken to");
    return is_quiet;
}
