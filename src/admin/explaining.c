/* One question at a time, since each may ask a name server; what that takes is bounded. The answer is lent (lent.c), so
 * that whoever reads it slowly keeps nobody from asking.
 *
 *   asked --(target, words)--> request stage --(refused)--> answered
 *     |                            `--(passes)--> looked up --(all answers)--> address stage --> answered
 *     `--(the exchange ends)--> forgotten, until it is answered
 *
 * What is asked stands in the query, with escapes (RFC 3986 §2.1), as the options of `fairlead explain` have it:
 * target, method, user, group, from, listener, certificate, at, all, json. Groups that are not named are those that the
 * users of this process give the user. The command takes its exit status from the verdict, which is the last line of a
 * text and a member of an object. */

#include "admin/explaining.h"

#include "admin/asked.h"
#include "admin/lent.h"
#include "base/check.h"
#include "config/snapshot.h"
#include "http/media.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 8192, ANSWER_MAX = 1 << 20 };

struct explaining {
    struct admin *admin;
    struct loop *loop;
    struct grave grave;
    struct exchange *exchange;
    bool fails_as_json;
    const struct snapshot *snapshot; /* pinned by the exchange */
    FILE *out;                       /* into `body` */
    char *body;
    size_t body_len;
    struct asked asked;
    struct question lookup;
    struct text words; /* what was asked, without escapes; in `room` */
    char room[ROOM];
};

static void explaining_bury(struct grave *grave)
{
    free(CONTAINER_OF(grave, struct explaining, grave));
}

/* Another question may come. */
static void explaining_end(struct explaining *explaining)
{
    explaining->admin->explaining = NULL;
    question_cancel(&explaining->lookup);
    if (explaining->out != NULL)
        (void)fclose(explaining->out); /* nobody waits for it */
    free(explaining->body);
    explaining->grave.bury = explaining_bury;
    loop_bury(explaining->loop, &explaining->grave);
}

void explaining_forget(struct admin *admin, struct exchange *exchange)
{
    if (admin->explaining != NULL && admin->explaining->exchange == exchange)
        explaining_end(admin->explaining);
}

/* ---- what is asked ---- */

/* A value without its escapes. False: one is none, or there is no room. */
static bool unescape(struct explaining *explaining, struct slice value, struct slice *ret_text)
{
    struct text *words = &explaining->words;
    size_t begin = words->len;
    if (!query_decode(value, /* is_form= */ false, words))
        return false;
    *ret_text = slice_from(text_slice(words), begin);
    return true;
}

/* False: the value is none for it, or the name is unknown. */
static bool take_part(struct explaining *explaining, struct slice name, struct slice text)
{
    struct asked *asked = &explaining->asked;
    struct gate_question *question = &asked->question;
    if (slice_equals(name, SLICE("target")))
        asked->target = text;
    else if (slice_equals(name, SLICE("method")))
        question->method = text;
    else if (slice_equals(name, SLICE("user")))
        question->who.user = text;
    else if (slice_equals(name, SLICE("group")))
        return asked_add_group(asked, text);
    else if (slice_equals(name, SLICE("from")))
        return asked_set_from(asked, text);
    else if (slice_equals(name, SLICE("listener")))
        question->listener = text;
    else if (slice_equals(name, SLICE("certificate")))
        return asked_add_certificate(asked, text);
    else if (slice_equals(name, SLICE("at")))
        return asked_set_at(asked, text);
    else if (slice_equals(name, SLICE("all")))
        asked->wants_all = true;
    else if (slice_equals(name, SLICE("json")))
        asked->wants_json = true;
    else
        return false;
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
    return explaining->asked.target.len > 0;
}

/* The groups that this process would give the user. */
static void find_groups(struct explaining *explaining)
{
    struct identity *who = &explaining->asked.question.who;
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

/* All of it to who asked. */
static void explaining_answer(struct explaining *explaining)
{
    struct call call = {.admin = explaining->admin,
                        .exchange = explaining->exchange,
                        .wants_json = explaining->fails_as_json};
    bool is_json = explaining->asked.wants_json;
    int result = fclose(explaining->out);
    explaining->out = NULL;
    bool is_whole = result == 0 && explaining->body_len <= ANSWER_MAX;
    char *body = explaining->body;
    size_t len = explaining->body_len;
    if (is_whole)
        explaining->body = NULL; /* lent */
    explaining_end(explaining);
    if (is_whole)
        lent_answer(&call, LENT_EXPLANATIONS, is_json ? MEDIA_JSON : MEDIA_TEXT, body, len);
    else
        answer_failure(&call, 503, "memory", "out of memory, or too long: ask without all");
}

/* The last line of a text begins with the verdict. */
static void put_verdict(struct explaining *explaining, bool passes, const char *reason)
{
    if (explaining->asked.wants_json)
        asked_put_verdict(passes, reason, explaining->out);
    else
        (void)fprintf(explaining->out, "\n%s\n", reason);
    explaining_answer(explaining);
}

static void explain_found(struct explaining *explaining)
{
    char reason[ASKED_REASON];
    const struct snapshot *snapshot = explaining->snapshot;
    struct asked *asked = &explaining->asked;
    asked_put_addresses(asked, snapshot->gate, &explaining->lookup, explaining->out);
    bool passes = asked_judge(asked, snapshot->config->egress.skips_mixed, reason);
    bool is_found = asked->passed + asked->refused > 0 || asked->wants_json;
    put_verdict(explaining, passes, is_found ? reason : "refused: no address is known");
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
    struct asked *asked = &explaining->asked;
    if (asked->wants_json)
        asked_put_question(asked, explaining->out);
    else
        (void)fputs("request\n", explaining->out);
    if (!asked_put_request(asked, gate, explaining->out)) {
        put_verdict(explaining, false, "refused");
        return;
    }
    if (!asked->wants_json)
        (void)fputs("\naddresses\n", explaining->out);
    if (resolver_ask(resolver, &explaining->lookup, &asked->host, asks, explaining, on_answer) ==
        ST_OK)
        explain_found(explaining);
}

/* The place of one that is asked. False: the exchange was told why. */
static bool explaining_begin(struct explaining *explaining, const struct call *call)
{
    struct admin *admin = call->admin;
    if (admin->explaining != NULL) {
        answer_failure(call, 503, "busy", "one such question at a time; ask again");
        return false;
    }
    if (!lent_has_room(call, LENT_EXPLANATIONS, 0))
        return false;
    explaining->out = open_memstream(&explaining->body, &explaining->body_len);
    if (explaining->out == NULL) {
        answer_failure(call, 503, "memory", "out of memory");
        return false;
    }
    admin->explaining = explaining;
    explaining->admin = admin;
    explaining->loop = call->request->loop;
    explaining->fails_as_json = call->wants_json;
    explaining->exchange = call->exchange;
    explaining->snapshot = call->request->snapshot;
    return true;
}

/* What is no question is refused before it takes a place that another may wait for. */
void explaining_show(const struct call *call)
{
    struct explaining *explaining = calloc(1, sizeof(*explaining));
    const char *fault = "name a target, and beside it only what fairlead explain knows";
    enum asked_target is = ASKED_WRONG;
    if (explaining == NULL) {
        answer_failure(call, 503, "memory", "out of memory");
        return;
    }
    explaining->words = text_on(explaining->room, sizeof(explaining->room));
    if (take_query(explaining, call->query))
        is = asked_read_target(&explaining->asked, &fault);
    bool is_answered = is == ASKED_FINE || (is == ASKED_REFUSED && explaining->asked.wants_json);
    if (!is_answered)
        answer_failure(call, 400, "bad_question", fault);
    if (!is_answered || !explaining_begin(explaining, call)) {
        free(explaining);
        return;
    }
    if (is == ASKED_FINE) {
        find_groups(explaining);
        explain_all(explaining, call->request->resolver);
    } else {
        asked_put_question(&explaining->asked, explaining->out);
        asked_put_refusal(fault, explaining->out);
        explaining_answer(explaining);
    }
}
