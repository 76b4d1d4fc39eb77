/* The process lists its open tunnels page by page, each as a line of the log (/api/v1/tunnels); here the new gate is
 * asked about each, as the request that opened it was asked about by the old one.
 *
 * What may differ from a request that came now, and how that is read:
 *
 *     the listener    by its address in the new configuration, since it may have another name there
 *     groups          those that the new users and tokens give the user, or of a process those that were recorded
 *     credentials     still good where the user is still known, and there are users at all
 *     the time        now
 *     the address     the one that the tunnel is connected to; nothing is looked up
 *     the ClientHello was judged or not when it came; egress.sni is about new ones
 *
 * It is the operator who decides over them: nothing here is read by a process that serves. */

#include "server/diff_tunnels.h"

#include "base/check.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PAGES_MAX = 100000,
    EMPTY_MAX = 16, /* pages in a row; nothing is filtered, so a process has few */
    NEXT_MAX = 64,
    WORDS = 1024,
    PATH_ROOM = 128
};

/* ---- the question ---- */

static bool listen_has(const struct config_listen *listen, const struct inet_endpoint *local,
                       bool is_exact)
{
    bool is_same = is_exact ? inet_addr_equals(&listen->endpoint.addr, &local->addr)
                            : inet_addr_is_unspecified(&listen->endpoint.addr);
    return listen->kind == LISTEN_TCP && listen->endpoint.port == local->port && is_same;
}

/* The name of the listener that the client came to, as the new configuration calls it. */
static struct slice find_listener(const struct config *config, const struct log_line *line)
{
    for (int pass = 0; pass < 2 && line->listener.addr.family != INET_NONE; pass++) {
        for (size_t i = 0; i < config->listen_count; i++) {
            if (listen_has(&config->listen[i], &line->listener, /* is_exact= */ pass == 0))
                return config->listen[i].name;
        }
    }
    return line->listener_name;
}

static void ask_who(const struct snapshot *snapshot, const struct log_line *line,
                    struct identity *who)
{
    const struct roster_member *member =
        line->user.len > 0 ? roster_find(snapshot->roster, line->user) : NULL;
    who->user = line->user;
    who->groups = member != NULL ? member->groups : line->groups;
    who->group_count = member != NULL ? member->group_count : line->group_count;
    who->cert_subject = line->cert_subject;
    who->cert_names = line->cert_names;
    who->cert_name_count = line->cert_name_count;
}

/* Would it be asked for credentials that it cannot have? */
static bool is_unknown(const struct snapshot *snapshot, const struct log_line *line,
                       struct text *why)
{
    const struct config *config = snapshot->config;
    bool is_listed_only =
        config->identity.certificate == CERTIFICATE_OFF && !config->identity.takes_peer;
    if (line->user.len == 0) {
        if (config_identity_is_required(config))
            text_add(why, SLICE("identity.required: it did not say who asks"));
        return config_identity_is_required(config);
    }
    bool is_gone = config_identity_is_on(config) && is_listed_only &&
                   roster_find(snapshot->roster, line->user) == NULL;
    if (is_gone)
        text_add(why, SLICE("identity: its user is not known any more"));
    return is_gone;
}

static bool has_certificate_rules(const struct config *config)
{
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        if (config->policy.rules[i].certificates.count > 0)
            return true;
    }
    return false;
}

static const char *what_is_missing(const struct snapshot *snapshot, const struct log_line *line)
{
    if (!line->has_target || line->upstream.addr.family == INET_NONE)
        return "where it goes to is not listed";
    if (line->url_is_cut)
        return "its path is listed in part only";
    if (line->certificate_is_cut && has_certificate_rules(snapshot->config))
        return "its certificate has too many names to be listed";
    return NULL;
}

enum tunnel_verdict diff_judge_tunnel(const struct snapshot *snapshot, const struct log_line *line,
                                      struct text *why)
{
    const struct target *target = &line->target;
    const char *missing = what_is_missing(snapshot, line);
    if (missing != NULL) {
        text_add(why, slice_from_string(missing));
        return TUNNEL_UNCLEAR;
    }
    bool is_connect = target->form == TARGET_AUTHORITY;
    struct gate_answer answer = {.rule = ""};
    struct gate_question question = {
        .host = &target->host,
        .port = target_port(target),
        .is_connect = is_connect,
        .client = line->client.addr,
        .listener = find_listener(snapshot->config, line),
        .method = line->method,
        .scheme = is_connect                       ? SLICE_NONE
                  : target->scheme == SCHEME_HTTPS ? SLICE("https")
                                                   : SLICE("http"),
        .path = is_connect ? SLICE_NONE : target->path_and_query,
    };
    ask_who(snapshot, line, &question.who);
    if (is_unknown(snapshot, line, why))
        return TUNNEL_REFUSED;
    if (gate_request(snapshot->gate, &question, &answer) &&
        gate_address(snapshot->gate, &question, &line->upstream, &answer))
        return TUNNEL_PASSES;
    text_add(why, slice_from_string(answer.rule));
    return TUNNEL_REFUSED;
}

/* ---- what is said ---- */

struct count {
    size_t open, refused, unclear, ended, gone, failed;
};

static void print_escaped(struct slice words)
{
    char space[4 * WORDS];
    struct text text = text_on(space, sizeof(space));
    text_add_log(&text, slice_first(words, WORDS), '"');
    (void)fwrite(space, 1, text.len, stdout);
}

static void print_tunnel(const struct log_line *line, enum tunnel_verdict verdict,
                         const struct text *why)
{
    char client[INET_ENDPOINT_TEXT] = "a Unix socket";
    char upstream[INET_ENDPOINT_TEXT] = "?";
    if (line->client.addr.family != INET_NONE)
        (void)inet_endpoint_format(&line->client, client);
    if (line->upstream.addr.family != INET_NONE)
        (void)inet_endpoint_format(&line->upstream, upstream);
    (void)printf("  %016llx  ", (unsigned long long)line->id);
    if (line->user.len > 0) {
        print_escaped(line->user);
        (void)fputs(" at ", stdout);
    }
    (void)printf("%s to ", client);
    print_escaped(line->url);
    (void)printf(" (%s)\n    %s: ", upstream, verdict == TUNNEL_REFUSED ? "refused" : "unclear");
    print_escaped(text_slice(why));
    (void)fputc('\n', stdout);
}

/* ---- ending one ---- */

static void end_tunnel(const struct admin_client *client, uint64_t id, struct count *count)
{
    char path[PATH_ROOM];
    char words[WORDS];
    struct text fault = text_on(words, sizeof(words));
    struct admin_reply reply = {.status = 0};
    (void)snprintf(path, sizeof(path), "/api/v1/tunnels/%016llx", (unsigned long long)id);
    enum status status = admin_ask(client, "DELETE", path, &fault, &reply);
    if (status == ST_OK && (reply.status == 200 || reply.status == 404)) {
        count->ended += reply.status == 200 ? 1 : 0;
        count->gone += reply.status == 404 ? 1 : 0;
        (void)puts(reply.status == 200 ? "    ended" : "    had ended already");
    } else {
        count->failed++;
        (void)fputs("    not ended: ", stdout);
        print_escaped(status == ST_OK
                          ? slice_trim(slice_first(reply.body, slice_find(reply.body, '\n')))
                          : text_slice(&fault));
        (void)fputc('\n', stdout);
    }
    if (status == ST_OK)
        free(reply.text);
}

/* ---- pages ---- */

struct inspection {
    const struct admin_client *client;
    const struct snapshot *snapshot;
    bool kills;
    bool is_cut;          /* the last page is not the end of the list */
    unsigned empty_pages; /* the last ones */
    struct count count;
    struct log_line line; /* large */
};

static enum status inspect_one(struct inspection *inspection, const struct json_value *tunnel)
{
    char words[WORDS];
    struct text why = text_on(words, sizeof(words));
    const char *fault = NULL;
    struct log_line *line = &inspection->line;
    /* The value is what stands between the braces; a line has them. */
    if (tunnel->kind != JSON_OBJECT ||
        log_line_read(slice_of(tunnel->raw.at - 1, tunnel->raw.len + 2), line, &fault) != ST_OK)
        return ST_BAD;
    inspection->count.open++;
    enum tunnel_verdict verdict = diff_judge_tunnel(inspection->snapshot, line, &why);
    if (verdict == TUNNEL_PASSES)
        return ST_OK;
    print_tunnel(line, verdict, &why);
    if (verdict == TUNNEL_UNCLEAR) {
        inspection->count.unclear++;
        return ST_OK;
    }
    inspection->count.refused++;
    if (inspection->kills)
        end_tunnel(inspection->client, line->id, &inspection->count);
    return ST_OK;
}

/* `next` is what follows, or "" where this was the last page. */
static enum status inspect_page(struct inspection *inspection, struct slice body, char *next)
{
    struct json_value page;
    struct json_value value;
    struct json_value tunnel;
    struct slice key;
    struct slice said = SLICE_NONE;
    char before[NEXT_MAX];
    memcpy(before, next, NEXT_MAX);
    inspection->is_cut = false;
    bool is_list = false;
    size_t open_before = inspection->count.open;
    if (json_check(body, &page) != ST_OK)
        return ST_BAD;
    while (json_next_member(&page, &key, &value)) {
        if (slice_equals(key, SLICE("truncated")))
            inspection->is_cut = value.kind == JSON_TRUE;
        if (slice_equals(key, SLICE("next")) &&
            json_text_into(&value, next, NEXT_MAX - 1, &said) != ST_OK)
            return ST_BAD;
        if (!slice_equals(key, SLICE("tunnels")))
            continue;
        is_list = value.kind == JSON_ARRAY;
        while (json_next_element(&value, &tunnel)) {
            if (inspect_one(inspection, &tunnel) != ST_OK)
                return ST_BAD;
        }
    }
    for (size_t i = 0; i < said.len; i++) {
        if (strchr("0123456789abcdef-", said.at[i]) == NULL || said.at[i] == '\0')
            return ST_BAD;
    }
    next[said.len] = '\0';
    inspection->empty_pages =
        inspection->count.open == open_before ? inspection->empty_pages + 1 : 0;
    bool goes_on = said.len == 0 || (strcmp(next, before) > 0 && /* else this would never end */
                                     inspection->empty_pages <= EMPTY_MAX);
    return is_list && goes_on ? ST_OK : ST_BAD;
}

static int complain(struct slice fault)
{
    (void)fprintf(stderr, "fairlead: check: --diff: %.*s\n", (int)fault.len, fault.at);
    return 1;
}

/* Errors: said, and not ST_OK. */
static enum status inspect_from(struct inspection *inspection, char *next)
{
    char path[PATH_ROOM];
    char words[WORDS];
    struct text fault = text_on(words, sizeof(words));
    struct admin_reply reply = {.status = 0};
    (void)snprintf(path, sizeof(path), "/api/v1/tunnels%s%s", next[0] != '\0' ? "?after=" : "",
                   next);
    enum status status = admin_ask(inspection->client, "GET", path, &fault, &reply);
    if (status == ST_OK && reply.status == 200)
        status = inspect_page(inspection, reply.body, next);
    else if (status == ST_OK)
        status = ST_IO;
    if (status != ST_OK && fault.len == 0) {
        text_add(&fault, SLICE("the list of open tunnels cannot be read: "));
        if (reply.status == 200)
            text_add(&fault, SLICE("what came is none"));
        else
            text_add_log(&fault, slice_first(reply.body, slice_find(reply.body, '\n')), '"');
    }
    free(reply.text);
    if (status != ST_OK)
        (void)complain(text_slice(&fault));
    return status;
}

static void print_count(const struct inspection *inspection)
{
    const struct count *count = &inspection->count;
    (void)printf("  %zu open, %zu would be refused", count->open, count->refused);
    if (count->unclear > 0)
        (void)printf(", %zu cannot be judged", count->unclear);
    if (inspection->kills)
        (void)printf(", %zu ended", count->ended);
    if (count->gone > 0)
        (void)printf(", %zu had ended already", count->gone);
    if (count->failed > 0)
        (void)printf(", %zu could not be ended", count->failed);
    (void)fputc('\n', stdout);
}

int diff_tunnels(const struct admin_client *client, const struct snapshot *snapshot, bool kills)
{
    char next[NEXT_MAX] = "";
    enum status status = ST_OK;
    struct inspection *inspection = calloc(1, sizeof(*inspection));
    if (inspection == NULL)
        return complain(SLICE("out of memory"));
    *inspection = (struct inspection){.client = client, .snapshot = snapshot, .kills = kills};
    (void)fputs("open tunnels\n", stdout);
    for (size_t page = 0; page < PAGES_MAX && status == ST_OK; page++) {
        status = inspect_from(inspection, next);
        if (next[0] == '\0')
            break;
    }
    if (status == ST_OK)
        print_count(inspection);
    int code = status == ST_OK && inspection->count.failed == 0 ? 0 : 1;
    if (status == ST_OK && inspection->is_cut)
        code =
            complain(SLICE("these are not all open tunnels: the process did not look at the rest"));
    free(inspection);
    return code;
}
