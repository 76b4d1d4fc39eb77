/* One question at a time, since each may ask a name server.
 *
 *   asked --(target, words)--> request stage --(refused)--> answered
 *     |                            `--(passes)--> looked up --(all answers)--> address stage --> answered
 *     `--(the exchange ends)--> forgotten, in any state
 *
 * What is asked stands in the query, with escapes (RFC 3986 §2.1), as the options of `fairlead explain` have it: target,
 * method, user, group, from, listener, certificate, at, all. Groups that are not named are those that the users of this
 * process give the user. The last line of the answer is the verdict, which the command takes its exit status from. */

#include "admin/explaining.h"

#include "base/check.h"
#include "config/snapshot.h"
#include "net/resolver.h"
#include "policy/explain.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 32, ADDRESSES_MAX = 256, ROOM = 8192, ANSWER_MAX = 1 << 20 };

struct explaining {
    struct admin *admin;
    struct exchange *exchange;
    const struct snapshot *snapshot; /* pinned by the exchange */
    FILE *out;                       /* into `body` */
    char *body;
    size_t body_len;
    bool wants_all;
    struct slice target;
    struct host host;
    struct gate_question question;
    struct slice groups[NAMES_MAX], names[NAMES_MAX];
    struct question lookup;
    char room[ROOM]; /* what was asked, without escapes */
    size_t room_len;
};

static void explaining_free(struct explaining *explaining)
{
    explaining->admin->explaining = NULL;
    question_cancel(&explaining->lookup);
    if (explaining->out != NULL)
        (void)fclose(explaining->out); /* nobody waits for it */
    free(explaining->body);
    free(explaining);
}

void explaining_forget(struct admin *admin, struct exchange *exchange)
{
    if (admin->explaining != NULL && admin->explaining->exchange == exchange)
        explaining_free(admin->explaining);
}

/* ---- what is asked ---- */

/* A value without its escapes. False: one is none, or there is no room. */
static bool unescape(struct explaining *explaining, struct slice value, struct slice *ret_text)
{
    size_t begin = explaining->room_len;
    while (value.len > 0) {
        uint64_t byte = (unsigned char)value.at[0];
        bool is_escape = value.at[0] == '%';
        if (is_escape && (value.len < 3 || slice_hex_to_u64(slice_first(slice_from(value, 1), 2),
                                                            0xff, &byte) != ST_OK))
            return false;
        if (explaining->room_len == ROOM)
            return false;
        explaining->room[explaining->room_len++] = (char)byte;
        value = slice_from(value, is_escape ? 3 : 1);
    }
    *ret_text = slice_of(explaining->room + begin, explaining->room_len - begin);
    return true;
}

static bool add_name(struct slice *list, size_t *count, struct slice name)
{
    if (*count == NAMES_MAX)
        return false;
    list[(*count)++] = name;
    return true;
}

static bool take_certificate(struct explaining *explaining, struct slice text)
{
    struct identity *who = &explaining->question.who;
    who->cert_names = explaining->names;
    if (slice_find(text, '=') >= slice_find(text, ':'))
        return add_name(explaining->names, &who->cert_name_count, text);
    who->cert_subject = text;
    return true;
}

/* False: the value is none for it, or the name is unknown. */
static bool take_part(struct explaining *explaining, struct slice name, struct slice text)
{
    struct gate_question *question = &explaining->question;
    uint64_t seconds = 0;
    if (slice_equals(name, SLICE("target"))) {
        explaining->target = text;
    } else if (slice_equals(name, SLICE("method"))) {
        question->method = text;
    } else if (slice_equals(name, SLICE("user"))) {
        question->who.user = text;
    } else if (slice_equals(name, SLICE("group"))) {
        question->who.groups = explaining->groups;
        return add_name(explaining->groups, &question->who.group_count, text);
    } else if (slice_equals(name, SLICE("from"))) {
        return inet_addr_parse(text, &question->client) == ST_OK;
    } else if (slice_equals(name, SLICE("listener"))) {
        question->listener = text;
    } else if (slice_equals(name, SLICE("certificate"))) {
        return take_certificate(explaining, text);
    } else if (slice_equals(name, SLICE("at"))) {
        bool is_time = slice_to_u64(text, INT64_MAX, &seconds) == ST_OK && seconds > 0;
        question->at_s = (int64_t)seconds;
        return is_time;
    } else if (slice_equals(name, SLICE("all"))) {
        explaining->wants_all = true;
    } else {
        return false;
    }
    return true;
}

static bool take_query(struct explaining *explaining, struct slice query)
{
    struct slice part;
    while (slice_next_part(&query, '&', &part)) {
        struct slice value = part;
        struct slice name;
        struct slice text;
        if (!slice_next_part(&value, '=', &name) || !unescape(explaining, value, &text) ||
            !take_part(explaining, name, text))
            return false;
    }
    return explaining->target.len > 0;
}

/* The target as a request would have it. NULL: fine; else why not. */
static const char *read_target(struct explaining *explaining)
{
    struct gate_question *question = &explaining->question;
    struct slice colon = SLICE("://");
    bool is_url =
        memmem(explaining->target.at, explaining->target.len, colon.at, colon.len) != NULL;
    struct target target;
    if (question->method.len == 0)
        question->method = is_url ? SLICE("GET") : SLICE("CONNECT");
    enum method method = method_of(question->method);
    if (is_url == (method == METHOD_CONNECT))
        return "CONNECT goes to HOST:PORT, and other methods to a URL";
    enum target_fault fault = target_parse(explaining->target, method, &target);
    if (fault != TARGET_FAULT_NONE)
        return target.host_fault != HOST_FINE ? host_fault_text(target.host_fault)
                                              : target_fault_text(fault);
    bool is_connect = target.form == TARGET_AUTHORITY;
    if (!is_connect && target.scheme != SCHEME_HTTP && target.scheme != SCHEME_HTTPS)
        return "only http and https are forwarded";
    explaining->host = target.host;
    question->host = &explaining->host;
    question->port = target_port(&target);
    question->is_connect = is_connect;
    question->scheme = is_connect                     ? SLICE_NONE
                       : target.scheme == SCHEME_HTTP ? SLICE("http")
                                                      : SLICE("https");
    question->path = target.path_and_query;
    return NULL;
}

/* The groups that this process would give the user. */
static void find_groups(struct explaining *explaining)
{
    struct identity *who = &explaining->question.who;
    const struct roster_member *member =
        who->user.len > 0 ? roster_find(explaining->snapshot->roster, who->user) : NULL;
    if (who->group_count > 0 || member == NULL)
        return;
    who->groups = member->groups;
    who->group_count = member->group_count;
}

/* ---- answers ---- */

static void answer_failure(const struct call *call, unsigned status, const char *word,
                           const char *message)
{
    struct answer answer = {.status = status};
    call_fail(call->exchange, call->wants_json, &answer, word, slice_from_string(message));
}

/* The verdict, and all of it to who asked. */
static void explaining_answer(struct explaining *explaining, bool passes, const char *why)
{
    (void)fprintf(explaining->out, "\n%s%s\n", passes ? "passes" : "refused", why);
    int result = fclose(explaining->out);
    explaining->out = NULL;
    bool is_whole = result == 0 && explaining->body_len <= ANSWER_MAX;
    struct answer answer = {
        .status = is_whole ? 200 : 503,
        .type = "text/plain; charset=utf-8",
        .body = is_whole ? slice_of(explaining->body, explaining->body_len)
                         : SLICE("out of memory, or too long: ask without all\n"),
        .is_lent = true,
    };
    exchange_answer(explaining->exchange, &answer); /* may not be touched any more */
}

static void explain_found(struct explaining *explaining)
{
    char words[128] = "";
    size_t passed = 0;
    size_t refused = 0;
    for (int i = HALF_COUNT - 1; i >= 0; i--) {
        const struct question_half *half = &explaining->lookup.half[i];
        for (size_t j = 0; j < half->count && j < ADDRESSES_MAX; j++) {
            struct inet_endpoint endpoint = {.addr = half->addr[j],
                                             .port = explaining->question.port};
            bool passes = explain_address(explaining->snapshot->gate, &explaining->question,
                                          &endpoint, explaining->out);
            passed += passes ? 1 : 0;
            refused += passes ? 0 : 1;
        }
    }
    bool skips = explaining->snapshot->config->egress.skips_mixed;
    bool passes = passed > 0 && (refused == 0 || skips);
    if (passed + refused == 0)
        (void)snprintf(words, sizeof(words), ": no address is known");
    else if (passed > 0 && refused > 0)
        (void)snprintf(words, sizeof(words),
                       ": of %zu addresses %zu are refused, and egress.mixed is %s",
                       passed + refused, refused, skips ? "skip" : "refuse");
    explaining_answer(explaining, passes, words);
}

static void on_answer(struct question *question, int half)
{
    struct explaining *explaining = question->owner;
    (void)half;
    for (int i = 0; i < HALF_COUNT; i++) {
        if (question->half[i].is_wanted && !question->half[i].is_answered)
            return;
    }
    explain_found(explaining);
}

static void explain_all(struct explaining *explaining, struct resolver *resolver)
{
    const struct gate *gate = explaining->snapshot->gate;
    unsigned asks = ASK_BOTH | (gate_denies_names(gate) ? ASK_AS_IS : 0);
    (void)fputs("request\n", explaining->out);
    if (!explain_request(gate, &explaining->question, explaining->wants_all, explaining->out)) {
        explaining_answer(explaining, false, "");
        return;
    }
    (void)fputs("\naddresses\n", explaining->out);
    if (resolver_ask(resolver, &explaining->lookup, &explaining->host, asks, explaining,
                     on_answer) == ST_OK)
        explain_found(explaining);
}

/* NULL: the exchange was told why. */
static struct explaining *explaining_create(const struct call *call)
{
    struct admin *admin = call->admin;
    struct explaining *explaining =
        admin->explaining == NULL ? calloc(1, sizeof(*explaining)) : NULL;
    if (explaining == NULL) {
        answer_failure(call, 503, "busy", "one such question at a time; ask again");
        return NULL;
    }
    admin->explaining = explaining;
    explaining->admin = admin;
    explaining->exchange = call->exchange;
    explaining->snapshot = call->request->snapshot;
    explaining->out = open_memstream(&explaining->body, &explaining->body_len);
    if (explaining->out != NULL)
        return explaining;
    explaining_free(explaining);
    answer_failure(call, 503, "memory", "out of memory");
    return NULL;
}

void explaining_show(const struct call *call)
{
    struct explaining *explaining = explaining_create(call);
    if (explaining == NULL)
        return;
    const char *fault = take_query(explaining, call->query)
                            ? read_target(explaining)
                            : "name a target, and beside it only what fairlead explain knows";
    if (fault != NULL) {
        explaining_free(explaining);
        answer_failure(call, 400, "bad_question", fault);
        return;
    }
    find_groups(explaining);
    explain_all(explaining, call->request->resolver);
}
