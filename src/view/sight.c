/* The worker has seen a tunnel to the other proxy: name, addresses, connect. These stay. What it saw of the tunnel's
 * own life goes, and what the probe saw inside comes in its place. */

#include "view/sight.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

/* Where `words` begin; the length of the sentence if nowhere. */
static size_t find_words(struct slice sentence, struct slice words)
{
    size_t at = 0;
    while (at < sentence.len && !slice_starts_with(slice_from(sentence, at), words))
        at++;
    return at;
}

/* Sentences are about the destination, which for the worker is the other proxy. */
static void add_of_proxy(struct slice sentence, struct text *into)
{
    struct slice word = SLICE("destination");
    size_t at = find_words(sentence, word);
    text_add(into, slice_first(sentence, at));
    if (at < sentence.len)
        text_add(into, SLICE("proxy"));
    text_add(into, slice_from(sentence, at + word.len));
}

/* The proxy wants to know who asks, or believes it not. */
static void show_challenge(const struct other_proxy *proxy, struct record *record)
{
    bool has_asked = proxy->field[0] != '\0';
    enum cause cause = has_asked ? CAUSE_AUTH_FAILED : CAUSE_AUTH_NEEDED;
    record->end = END_REFUSED;
    record_set(record, &record->cause, slice_from_string(failure_row(cause)->word), 64);
    record_set(record, &record->detail, slice_from_string(failure_row(cause)->sentence), 128);
    if (!has_asked)
        record_set(record, &record->remedy,
                   proxy->is_tls ? SLICE("--proxy https://USER:PASSWORD@HOST:PORT")
                                 : SLICE("--proxy http://USER:PASSWORD@HOST:PORT"),
                   64);
}

/* What the proxy says of an answer that is none of the good ones. Of its words nothing is believed, and all is shown.
 * An answer to a request that does not say whose it is may be the origin's, and is one like any other. */
static void show_answer(const struct sight *sight, const struct aim *aim, struct record *record)
{
    char room[SIGHT_DETAIL_MAX + 100];
    struct text words = text_on(room, sizeof(room));
    bool is_plain = !aim->is_tunnel && !aim_is_tls(aim);
    text_add_format(&words, "%s: %s",
                    !is_plain           ? "The proxy does not open the tunnel"
                    : sight->is_refused ? "The proxy does not forward the request"
                                        : "The proxy answers",
                    sight->detail);
    if (sight->is_refused)
        record->end = END_ERROR;
    record_set(record, &record->detail, text_slice(&words), sizeof(room));
}

static void show_failure(const struct sight *sight, const struct aim *aim,
                         const struct other_proxy *proxy, struct record *record)
{
    char room[SIGHT_DETAIL_MAX + 600];
    struct text words = text_on(room, sizeof(room));
    struct slice sentence = slice_from_string(failure_row(sight->cause)->sentence);
    if (sight->is_of_proxy)
        add_of_proxy(sentence, &words);
    else
        text_add(&words, sentence);
    text_add_format(&words, ": %s", sight->is_of_proxy ? proxy->authority : aim->authority);
    if (sight->detail[0] != '\0')
        text_add_format(&words, ": %s", sight->detail);
    bool is_theirs = sight->cause == CAUSE_SEND_FAILED || sight->cause == CAUSE_NO_RESPONSE ||
                     sight->cause == CAUSE_RESPONSE_CUT || sight->cause == CAUSE_TLS_ALERT;
    record->end = sight->is_late ? END_TIMEOUT : END_ERROR;
    record->ended_by = is_theirs ? LEG_UPSTREAM : LEG_PROXY;
    record_set(record, &record->cause, slice_from_string(failure_row(sight->cause)->word), 64);
    record_set(record, &record->detail, text_slice(&words), sizeof(room));
}

static void show_end(const struct sight *sight, const struct aim *aim,
                     const struct other_proxy *proxy, struct record *record)
{
    record->end = END_DONE;
    record->ended_by = LEG_NONE;
    record->status = record->upstream_status = sight->status;
    record->upstream_minor = sight->minor;
    if (sight->cause != CAUSE_NONE)
        show_failure(sight, aim, proxy, record);
    else if (sight->status == 407 && (sight->is_refused || !aim_is_tls(aim)))
        show_challenge(proxy, record);
    else if (sight->detail[0] != '\0')
        show_answer(sight, aim, record);
}

static void forget_tunnel(struct record *record)
{
    static const enum mark of_tunnel[] = {MARK_D_TX0,   MARK_D_TX1,   MARK_T_OPEN,
                                          MARK_T_UP,    MARK_T_DOWN,  MARK_T_LAST,
                                          MARK_X_FIN_C, MARK_X_FIN_U, MARK_X_END};
    for (size_t i = 0; i < COUNT_OF(of_tunnel); i++)
        timeline_clear(&record->timeline, of_tunnel[i]);
    record->client_pace = record->upstream_pace = (struct record_pace){.pauses = 0};
    record->awaited_ns = record->waits = 0;
    record->request_body_bytes = 0;
}

/* The proxy was never reached. What the worker answers to that is no answer of a proxy. */
static void show_unreached(struct record *record)
{
    char room[SIGHT_DETAIL_MAX + 600];
    struct text words = text_on(room, sizeof(room));
    add_of_proxy(record_get(record, record->detail), &words);
    record_set(record, &record->detail, text_slice(&words), sizeof(room));
    record->status = 0;
    record->response_body_bytes = 0;
    record->token.len = 0;
}

void sight_show(const struct sight *sight, const struct aim *aim, const struct other_proxy *proxy,
                struct record *record)
{
    record->user_agent.len = record->rule.len = record->would_deny.len = 0;
    record_set(record, &record->method, aim->method, 32);
    record_set_url(record, aim->word, /* keep_query= */ true);
    record_set(record, &record->host, host_slice(&aim->target.host), HOST_MAX);
    if (record->kind != RECORD_TUNNEL) {
        show_unreached(record);
        return;
    }
    forget_tunnel(record);
    record->kind = aim->is_tunnel ? RECORD_TUNNEL : RECORD_EXCHANGE;
    record->response_body_bytes = sight->body_bytes;
    record->is_untrusted = sight->is_untrusted;
    record->parent_tls = sight->proxy_tls;
    record->upstream_tls = sight->tls;
    for (int mark = 0; mark < MARK_COUNT; mark++)
        timeline_mark_at(&record->timeline, (enum mark)mark, sight->timeline.at_ns[mark]);
    show_end(sight, aim, proxy, record);
}

void sight_show_hint(struct record *record)
{
    if (record->is_untrusted)
        record_set(record, &record->remedy, SLICE("--upstream-ca FILE"), 64);
}

bool sight_was_left(const struct record *record)
{
    return slice_equals(record_get(record, record->cause),
                        slice_from_string(failure_row(CAUSE_CLIENT_GONE)->word));
}

void sight_show_end(const struct sight_end *end, struct record *record)
{
    char room[SIGHT_DETAIL_MAX + 100];
    struct text words = text_on(room, sizeof(room));
    if (end->is_interrupted) {
        text_add(&words, SLICE("It was interrupted"));
    } else {
        text_add(&words, SLICE("It was not over after --max-time "));
        text_add_duration(&words, end->max_time_ns);
    }
    if (end->said[0] != '\0')
        text_add_format(&words, "; its answer: %s", end->said);
    record->end = end->is_interrupted ? END_KILLED : END_TIMEOUT;
    record->ended_by = LEG_CLIENT;
    record_set(record, &record->detail, text_slice(&words), sizeof(room));
}
