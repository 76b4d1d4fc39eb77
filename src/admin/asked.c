/* The parts of a question and of its answer, in the order in which both sides use them. What an answer says is the
 * gate's (policy/explain). */

#include "admin/asked.h"

#include "http/syntax.h"
#include "http/target.h"
#include "policy/explain.h"
#include "policy/explain_json.h"

#include <string.h>

/* ---- the question ---- */

static bool add_name(struct slice *list, size_t *count, struct slice name)
{
    if (*count == ASKED_LIST_MAX)
        return false;
    list[(*count)++] = name;
    return true;
}

bool asked_add_group(struct asked *asked, struct slice name)
{
    struct identity *who = &asked->question.who;
    who->groups = asked->groups;
    return add_name(asked->groups, &who->group_count, name);
}

bool asked_add_certificate(struct asked *asked, struct slice text)
{
    struct identity *who = &asked->question.who;
    bool is_subject = slice_find(text, '=') < slice_find(text, ':');
    who->cert_names = asked->names;
    if (!is_subject)
        return add_name(asked->names, &who->cert_name_count, text);
    who->cert_subject = text;
    return true;
}

bool asked_set_from(struct asked *asked, struct slice text)
{
    return inet_addr_parse(text, &asked->question.client) == ST_OK;
}

bool asked_set_at(struct asked *asked, struct slice text)
{
    uint64_t seconds = 0;
    bool is_time = slice_to_u64(text, INT64_MAX, &seconds) == ST_OK && seconds > 0;
    asked->question.at_s = (int64_t)seconds;
    return is_time;
}

enum asked_target asked_read_target(struct asked *asked, const char **ret_why)
{
    struct gate_question *question = &asked->question;
    struct slice colon = SLICE("://");
    bool is_url = memmem(asked->target.at, asked->target.len, colon.at, colon.len) != NULL;
    struct target target;
    if (question->method.len == 0)
        question->method = is_url ? SLICE("GET") : SLICE("CONNECT");
    enum method method = method_of(question->method);
    if (!syntax_is_token(question->method)) {
        *ret_why = "the method holds a byte that is not allowed";
        return ASKED_WRONG;
    }
    if (is_url == (method == METHOD_CONNECT)) {
        *ret_why = is_url ? "CONNECT goes to HOST:PORT, not to a URL"
                          : "a method other than CONNECT needs a URL";
        return ASKED_WRONG;
    }
    enum target_fault fault = target_parse(asked->target, method, &target);
    if (fault != TARGET_FAULT_NONE) {
        bool is_host = target.host_fault != HOST_FINE;
        if (fault == TARGET_FAULT_NO_PORT) { /* such as "example.com": nobody would ask so */
            *ret_why = "name a URL or HOST:PORT";
            return ASKED_WRONG;
        }
        *ret_why = is_host ? host_fault_text(target.host_fault) : target_fault_text(fault);
        return ASKED_REFUSED;
    }
    bool is_connect = target.form == TARGET_AUTHORITY;
    if (!is_connect && target.scheme != SCHEME_HTTP && target.scheme != SCHEME_HTTPS) {
        *ret_why = "only http and https are forwarded";
        return ASKED_WRONG;
    }
    asked->host = target.host;
    question->host = &asked->host;
    question->port = target_port(&target);
    question->is_connect = is_connect;
    question->scheme = is_connect                     ? SLICE_NONE
                       : target.scheme == SCHEME_HTTP ? SLICE("http")
                                                      : SLICE("https");
    question->path = target.path_and_query;
    return ASKED_FINE;
}

/* ---- the answer ---- */

void asked_put_question(const struct asked *asked, FILE *out)
{
    const struct gate_question *question = &asked->question;
    char from[INET_ADDR_TEXT] = "";
    if (question->client.family != INET_NONE)
        (void)inet_addr_format(&question->client, from);
    (void)fputs("{\"v\":1,\n\"asked\":{\"method\":", out);
    explain_json_string(question->method, out);
    (void)fputs(",\"target\":", out);
    explain_json_string(asked->target, out);
    (void)fputs(",\"user\":", out);
    explain_json_string(question->who.user, out);
    (void)fputs(",\"from\":", out);
    explain_json_string(slice_from_string(from), out);
    (void)fputs("},\n", out);
}

bool asked_put_request(const struct asked *asked, const struct gate *gate, FILE *out)
{
    if (!asked->wants_json)
        return explain_request(gate, &asked->question, asked->wants_all, out);
    bool passes = explain_json_request(gate, &asked->question, asked->wants_all, out);
    (void)fputs(passes ? ",\n" : ",\n\"lookup\":null,\n", out);
    return passes;
}

static bool put_address(const struct asked *asked, const struct gate *gate,
                        const struct inet_addr *addr, FILE *out)
{
    struct inet_endpoint endpoint = {.addr = *addr, .port = asked->question.port};
    if (!asked->wants_json)
        return explain_address(gate, &asked->question, &endpoint, out);
    (void)fputs(asked->passed + asked->refused == 0 ? "\n" : ",\n", out);
    return explain_json_address(gate, &asked->question, &endpoint, out);
}

void asked_put_addresses(struct asked *asked, const struct gate *gate,
                         const struct question *answer, FILE *out)
{
    if (asked->wants_json)
        (void)fprintf(out, "\"lookup\":{\"source\":\"%s\",\"addresses\":[", asked_source(answer));
    for (int i = HALF_COUNT - 1; i >= 0; i--) {
        const struct question_half *half = &answer->half[i];
        for (size_t j = 0; j < half->count && j < ASKED_ADDRESSES_MAX; j++) {
            if (put_address(asked, gate, &half->addr[j], out))
                asked->passed++;
            else
                asked->refused++;
        }
    }
    if (asked->wants_json)
        (void)fputs("\n]},\n", out);
}

const char *asked_source(const struct question *answer)
{
    enum dns_source source = DNS_NONE;
    for (int i = 0; i < HALF_COUNT; i++) {
        if (answer->half[i].count > 0)
            source = answer->half[i].source;
    }
    return source == DNS_LITERAL ? "given"
           : source == DNS_HOSTS ? "hosts file"
           : source == DNS_NONE  ? "none found"
                                 : "name server";
}

bool asked_judge(const struct asked *asked, bool skips_mixed, char *ret_reason)
{
    size_t count = asked->passed + asked->refused;
    bool is_mixed = asked->passed > 0 && asked->refused > 0;
    bool passes = asked->passed > 0 && (!is_mixed || skips_mixed);
    const char *verdict = passes ? "passes" : "refused";
    if (count == 0)
        (void)snprintf(ret_reason, ASKED_REASON, "no address is known: it would fail");
    else if (is_mixed)
        (void)snprintf(ret_reason, ASKED_REASON,
                       "%s: of %zu addresses %zu are refused, and egress.mixed is %s", verdict,
                       count, asked->refused, skips_mixed ? "skip" : "refuse");
    else
        (void)snprintf(ret_reason, ASKED_REASON, "%s", verdict);
    return passes;
}

void asked_put_verdict(bool passes, const char *reason, FILE *out)
{
    (void)fprintf(out, "\"passes\":%s,\"reason\":\"%s\"}\n", passes ? "true" : "false", reason);
}

void asked_put_refusal(const char *reason, FILE *out)
{
    (void)fputs("\"status\":400,\n", out);
    asked_put_verdict(false, reason, out);
}
