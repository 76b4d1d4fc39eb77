/* What an asker sees of its own refusals: which are noted, under whom, and the page that shows them.
 *
 * The page is asked for as the rest of the proxy is: who must show credentials shows them here (step identify), and
 * gets 407 otherwise. Only then is it known whose refusals are looked up.
 *
 * A page of another site could have its own name resolve to our address (DNS rebinding), make a browser ask, and read
 * the answer, which tells where this client was refused. The browser then sends that name in Host, and by itself it
 * sends no credentials for a proxy. So in clear the name must be an address or localhost, unless credentials were
 * shown; over TLS the certificate would not fit. */

#include "proxy/exchange_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/media.h"
#include "io/socket.h"
#include "net/tcp.h"
#include "proxy/denials.h"

#include <string.h>
#include <time.h>

/* Of an escaped byte there are six at most. */
enum {
    PAGE_HEAD_ROOM = 4096,
    PAGE_ONE_ROOM = 6 * (int)sizeof(struct denial) + 512,
    PAGE_WHO = 320,
    PAGE_TIME = 24,
};

#define DENIALS_PATH "/.well-known/fairlead/denials"

/* ---- whose ---- */

/* Of a Unix socket: who connected it. False: the kernel does not tell. */
static bool asker_uid(const struct client *client, uint32_t *ret_uid)
{
    struct socket_peer peer;
    if (socket_peer_of(tcp_fd(client->codec->wire.transport), &peer) != ST_OK)
        return false;
    *ret_uid = peer.uid;
    return true;
}

/* Refused before it was known who that is, and not as nobody: who else has this address is not to read it. */
static bool asker_is_unproven(const struct exchange *x)
{
    bool shows_who = fields_find(&x->request->fields, TOKEN_PROXY_AUTHORIZATION) != NULL ||
                     x->client->certificate != NULL;
    return !x->was_looked_at && shows_who && config_identity_is_on(exchange_config(x));
}

uint64_t denials_asker(const struct exchange *x)
{
    const struct client *client = x->client;
    uint32_t uid = 0;
    if (x->who.user.len > 0)
        return denials_asker_user(x->who.user);
    if (config_identity_is_required(exchange_config(x)) || asker_is_unproven(x))
        return 0;
    if (client->peer.addr.family != INET_NONE)
        return denials_asker_addr(&client->peer.addr);
    return asker_uid(client, &uid) ? denials_asker_uid(uid) : 0;
}

/* The same in words, for the page. */
static void add_asker(const struct exchange *x, struct text *text)
{
    const struct client *client = x->client;
    struct inet_addr addr = inet_addr_unmap(&client->peer.addr);
    char words[INET_ADDR_TEXT];
    uint32_t uid = 0;
    if (x->who.user.len > 0) {
        text_add(text, SLICE("user "));
        text_add(text, x->who.user);
    } else if (addr.family != INET_NONE) {
        if (addr.family == INET_V6)
            memset(addr.bytes + 8, 0, 8);
        text_add(text, SLICE("client "));
        text_add(text, slice_of(words, inet_addr_format(&addr, words)));
        text_add(text, addr.family == INET_V6 ? SLICE("/64") : SLICE(""));
    } else if (asker_uid(client, &uid)) {
        text_add_format(text, "uid %u", uid);
    }
}

/* ---- noting ---- */

static struct slice scheme_word(const struct exchange *x)
{
    return x->target.form == TARGET_AUTHORITY ? SLICE("")
           : x->is_tls                        ? SLICE("https")
                                              : SLICE("http");
}

void denials_note_exchange(const struct exchange *x)
{
    if (x->proxy->denials == NULL || x->wants_denials || !failure_is_denial(x->cause))
        return;
    uint64_t asker = denials_asker(x);
    if (asker == 0)
        return;
    struct denial denial = {
        .cause = (uint8_t)x->cause, .status = failure_row(x->cause)->status, .port = x->port};
    denial_set(denial.scheme, sizeof(denial.scheme), scheme_word(x));
    denial_set(denial.method, sizeof(denial.method), x->request->method_name);
    denial_set(denial.host, sizeof(denial.host), exchange_host_name(x));
    denial_set(denial.rule, sizeof(denial.rule), slice_from_string(x->rule));
    denial_set(denial.detail, sizeof(denial.detail), slice_from_string(exchange_detail(x)));
    denial_set(denial.remedy, sizeof(denial.remedy), slice_from_string(x->remedy));
    denials_note(x->proxy->denials, asker, &denial, clock_wall_ns());
}

/* ---- asking ---- */

static bool is_localhost(const struct host *host)
{
    return slice_equals(host_slice(host), SLICE("localhost"));
}

/* Is the absolute target the very address that the client is connected to, or localhost with its port? */
static bool names_us(const struct exchange *x)
{
    const struct target *target = &x->target;
    const struct inet_endpoint *local = &x->client->local;
    bool is_tls = x->client->tls_server != NULL;
    if (target->scheme != (is_tls ? SCHEME_HTTPS : SCHEME_HTTP) ||
        target_port(target) != local->port)
        return false;
    if (target->host.kind == HOST_NAME)
        return is_localhost(&target->host);
    struct inet_addr ours = inet_addr_unmap(&local->addr);
    struct inet_addr named = inet_addr_unmap(&target->host.addr);
    return inet_addr_equals(&named, &ours);
}

bool denials_page_is_meant(const struct exchange *x)
{
    const struct slice ours = SLICE(DENIALS_PATH);
    struct slice path = x->target.path_and_query;
    if (x->proxy->denials == NULL || !slice_starts_with(path, ours))
        return false;
    if (path.len > ours.len && path.at[ours.len] != '?')
        return false;
    return x->target.form == TARGET_ORIGIN || names_us(x); /* other forms have no path */
}

bool denials_page_may_show(const struct exchange *x)
{
    const struct target *target = &x->target;
    bool has_shown = x->who.proof == IDENTITY_BASIC || x->who.proof == IDENTITY_BEARER;
    if (has_shown || x->client->tls_server != NULL || x->client->peer.addr.family == INET_NONE)
        return true;
    return !target->has_host || target->host.kind != HOST_NAME || is_localhost(&target->host);
}

/* ---- showing ---- */

/* 2026-11-24T02:12:23Z */
static struct slice time_words(uint64_t wall_ns, char into[PAGE_TIME])
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    return slice_of(into, strftime(into, PAGE_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm));
}

/* "http://a.example:80", or "a.example:443" for CONNECT. */
static void add_target(const struct denial *denial, struct text *text)
{
    bool is_ipv6 = strchr(denial->host, ':') != NULL;
    text_add_format(text, "%s%s%s%s%s:%u", denial->scheme, denial->scheme[0] != '\0' ? "://" : "",
                    is_ipv6 ? "[" : "", denial->host, is_ipv6 ? "]" : "", denial->port);
}

static void text_one(const struct denial *denial, struct text *text)
{
    char words[PAGE_TIME];
    text_add_char(text, '\n');
    text_add(text, time_words(denial->at_ns, words));
    text_add_format(text, " %u %s ", denial->status, denial->method);
    add_target(denial, text);
    if (denial->count > 1)
        text_add_format(text, " (%llu times)", (unsigned long long)denial->count);
    text_add_format(text, "\n  rule: %s\n  reason: ", denial->rule);
    failure_add_message((enum cause)denial->cause, denial->detail, text);
    text_add_format(
        text, denial->remedy[0] != '\0' ? "\n  to allow it: %s\n" : "\n  nothing allows it%s\n",
        denial->remedy);
}

static void json_string(struct text *text, const char *name, const char *value)
{
    text_add_format(text, ",\"%s\":\"", name);
    text_add_json(text, slice_from_string(value));
    text_add_char(text, '"');
}

static void json_one(const struct denial *denial, struct text *text)
{
    const struct failure_row *row = failure_row((enum cause)denial->cause);
    char words[PAGE_TIME];
    text_add(text, SLICE("{\"time\":\""));
    text_add(text, time_words(denial->at_ns, words));
    text_add_format(text, "\",\"count\":%llu", (unsigned long long)denial->count);
    json_string(text, "method", denial->method);
    if (denial->scheme[0] != '\0')
        json_string(text, "scheme", denial->scheme);
    json_string(text, "host", denial->host);
    text_add_format(text, ",\"port\":%u,\"status\":%u", denial->port, denial->status);
    json_string(text, "cause", row->word);
    if (row->token[0] != '\0')
        json_string(text, "error", row->token);
    json_string(text, "rule", denial->rule);
    json_string(text, "reason", row->sentence);
    if (denial->detail[0] != '\0')
        json_string(text, "detail", denial->detail);
    if (denial->remedy[0] != '\0')
        json_string(text, "remedy", denial->remedy);
    else
        text_add(text, SLICE(",\"remedy\":null"));
    text_add_char(text, '}');
}

static void html_cell(struct text *text, const char *before, struct slice words, const char *behind)
{
    text_add(text, slice_from_string(before));
    text_add_html(text, words);
    text_add(text, slice_from_string(behind));
}

static void html_one(const struct denial *denial, struct text *text)
{
    char words[sizeof(struct denial) + 2 * DENIAL_TEXT];
    struct text part = text_on(words, sizeof(words));
    text_add_format(&part, "%s ", denial->method);
    add_target(denial, &part);
    html_cell(text, "<h2>", text_slice(&part), "</h2>");
    text_add(text, SLICE("<p>"));
    text_add(text, time_words(denial->at_ns, words));
    text_add_format(text, ", status %u", denial->status);
    if (denial->count > 1)
        text_add_format(text, ", %llu times", (unsigned long long)denial->count);
    part = text_on(words, sizeof(words));
    failure_add_message((enum cause)denial->cause, denial->detail, &part);
    html_cell(text, "</p><p>", text_slice(&part), ".</p>");
    html_cell(text, "<p>The rule is <code>", slice_from_string(denial->rule), "</code>.</p>");
    if (denial->remedy[0] != '\0')
        html_cell(text, "<p>To allow it: <code>", slice_from_string(denial->remedy), "</code></p>");
    else
        text_add(text, SLICE("<p>Nothing allows it.</p>"));
}

static void add_text(struct slice who, const struct denial *denials, size_t count,
                     struct text *text)
{
    text_add_format(text, "fairlead: %zu refusal%s of ", count, count == 1 ? "" : "s");
    text_add_log(text, who, '\0');
    text_add(text, count > 1 ? SLICE(", newest first\n") : SLICE("\n"));
    for (size_t i = 0; i < count; i++)
        text_one(&denials[i], text);
}

static void add_json(struct slice who, const struct denial *denials, size_t count,
                     struct text *text)
{
    text_add(text, SLICE("{\"v\":1,\"who\":\""));
    text_add_json(text, who);
    text_add(text, SLICE("\",\"denials\":["));
    for (size_t i = 0; i < count; i++) {
        text_add(text, i > 0 ? SLICE(",\n") : SLICE("\n"));
        json_one(&denials[i], text);
    }
    text_add(text, SLICE("\n]}\n"));
}

static void add_html(struct slice who, const struct denial *denials, size_t count,
                     struct text *text)
{
    text_add(text, SLICE(REPLY_PAGE("Refusals") "<h1>Refusals of "));
    text_add_html(text, who);
    text_add(text, count > 0 ? SLICE("</h1>") : SLICE("</h1><p>None.</p>"));
    for (size_t i = 0; i < count; i++)
        html_one(&denials[i], text);
    text_add(text, SLICE("</body></html>\n"));
}

enum status denials_page_send(struct exchange *x)
{
    static const struct {
        const char *type;
        void (*add)(struct slice who, const struct denial *denials, size_t count,
                    struct text *text);
    } forms[] = {
        [REPLY_TEXT] = {MEDIA_TEXT, add_text},
        [REPLY_JSON] = {MEDIA_JSON, add_json},
        [REPLY_HTML] = {MEDIA_HTML, add_html},
    };
    char words[PAGE_WHO];
    struct text who = text_on(words, sizeof(words));
    struct denial *denials = arena_alloc(&x->arena, DENIALS_EACH * sizeof(*denials));
    uint64_t asker = denials_asker(x);
    if (denials == NULL)
        return ST_NOMEM;
    size_t count = asker != 0 ? denials_copy(x->proxy->denials, asker, denials) : 0;
    size_t room = PAGE_HEAD_ROOM + count * PAGE_ONE_ROOM;
    char *memory = arena_alloc(&x->arena, room);
    if (memory == NULL)
        return ST_NOMEM;
    struct text body = text_on(memory, room);
    enum reply_format format = reply_format_for(x);
    add_asker(x, &who);
    forms[format].add(text_slice(&who), denials, count, &body);
    CHECK(!body.is_cut);
    struct answer answer = {
        .status = 200, .type = forms[format].type, .body = text_slice(&body), .is_lent = true};
    return reply_send(x, &answer);
}
