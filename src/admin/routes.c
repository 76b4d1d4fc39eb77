/* What the admin listener answers: a table of paths.
 *
 * In this order: the target must be sound, the guard must let the request read (guard.c), the path must be
 * one of the table, the method one of the path's; what changes something asks the guard once more. No answer
 * carries a CORS field, so no page of another origin reads one. */

#include "admin/routes.h"

#include "admin/assets.h"
#include "admin/events.h"
#include "admin/explaining.h"
#include "admin/guard.h"
#include "admin/inquiry.h"
#include "admin/lent.h"
#include "admin/overview.h"
#include "admin/pac.h"
#include "admin/policy.h"
#include "admin/requests.h"
#include "admin/transactions.h"
#include "admin/tunnels.h"
#include "base/check.h"
#include "base/text.h"
#include "config/snapshot.h"
#include "report/metrics_text.h"
#include "report/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_TYPE "text/plain; charset=utf-8"

enum { ROUTES_DOORS_MAX = 256, ROUTES_TEXT_MAX = 2048, ROUTES_WORKER_TEXT = 24 };

enum route_kind {
    ROUTE_READ,   /* GET and HEAD */
    ROUTE_SECRET, /* the same, with the token */
    ROUTE_CHANGE, /* DELETE, with the token */
};

struct route {
    const char *path; /* one that ends with '/' (but "/" itself) stands for all below */
    enum route_kind kind;
    void (*serve)(const struct call *call);
    const char *about;
};

static void serve_index(const struct call *call);
static void serve_health(const struct call *call);
static void serve_ready(const struct call *call);
static void serve_metrics(const struct call *call);
static void serve_pac(const struct call *call);

static const struct route routes[] = {
    {"/", ROUTE_READ, serve_index, "the dashboard, for a browser; for others this list"},
    {"/healthz", ROUTE_READ, serve_health, "200 while the process serves"},
    {"/readyz", ROUTE_READ, serve_ready, "200; 503 while draining"},
    {"/metrics", ROUTE_READ, serve_metrics, "counters, in the text format of Prometheus"},
    {"/proxy.pac", ROUTE_READ, serve_pac, "proxy auto-configuration for browsers"},
    {ASSETS_PREFIX, ROUTE_READ, assets_serve, "the dashboard and the files it is made of"},
    {"/api/v1/tunnels", ROUTE_READ, tunnels_list,
     "open tunnels and their phases so far, as JSON; ?limit=N&after=NEXT&age=TIME&filter=TERMS"},
    {"/api/v1/requests", ROUTE_READ, requests_list,
     "requests in flight and their phases so far, as JSON; "
     "?limit=N&after=NEXT&age=TIME&filter=TERMS"},
    {"/api/v1/transactions", ROUTE_READ, transactions_list,
     "the last transactions, as JSON; ?limit=N&before=SEQ&filter=TERMS"},
    {"/api/v1/events", ROUTE_READ, events_follow,
     "transactions as they end, as server-sent events; ?after=SEQ&filter=TERMS"},
    {"/api/v1/overview", ROUTE_READ, overview_show,
     "what they say together, by minute, second and destination, as JSON; ?minutes=N"},
    {"/api/v1/har", ROUTE_READ, transactions_har,
     "the last transactions as HAR 1.2; ?limit=N&filter=TERMS&ids=ID,ID"},
    {"/api/v1/policy", ROUTE_SECRET, policy_show,
     "rules and settings that decide, as JSON; needs the token"},
    {"/api/v1/explain", ROUTE_SECRET, explaining_show,
     "what would become of a request, and why; ?target=URL; needs the token"},
    {"/api/v1/tunnels/", ROUTE_CHANGE, tunnels_kill,
     "DELETE with an id ends that tunnel; needs the token"},
};

/* ---- answers ---- */

void call_fail(struct exchange *exchange, bool wants_json, const struct answer *answer,
               const char *word, struct slice message)
{
    char body[ROUTES_TEXT_MAX];
    struct text text = text_on(body, sizeof(body));
    struct answer whole = *answer;
    whole.type = wants_json ? "application/json" : TEXT_TYPE;
    if (wants_json) {
        text_add_format(&text, "{\"v\":1,\"status\":%u,\"error\":\"%s\",\"message\":\"",
                        answer->status, word);
        text_add_json(&text, message);
        text_add(&text, SLICE("\"}\n"));
    } else {
        text_add(&text, message);
        text_add_char(&text, '\n');
    }
    whole.body = text_slice(&text);
    exchange_answer(exchange, &whole);
}

static void call_fail_guard(const struct call *call, enum guard_verdict verdict)
{
    struct answer answer = {.status = guard_status(verdict)};
    if (answer.status == 401)
        answer.authenticate = "Bearer realm=\"fairlead\"";
    call_fail(call->exchange, call->wants_json, &answer, guard_word(verdict),
              slice_from_string(guard_text(verdict)));
}

static void call_answer_text(const struct call *call, unsigned status, struct slice body)
{
    struct answer answer = {.status = status, .type = TEXT_TYPE, .body = body};
    exchange_answer(call->exchange, &answer);
}

static void serve_index(const struct call *call)
{
    if (assets_wants_page(call->request->head)) {
        assets_serve(call);
        return;
    }
    char body[ROUTES_TEXT_MAX];
    struct text text = text_on(body, sizeof(body));
    text_add(&text, SLICE("fairlead " FAIRLEAD_VERSION "\n\n"));
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        text_add_format(&text, "%s%s  %s\n", routes[i].path,
                        routes[i].kind == ROUTE_CHANGE ? "ID" : "", routes[i].about);
    call_answer_text(call, 200, text_slice(&text));
}

static void serve_health(const struct call *call)
{
    call_answer_text(call, 200, SLICE("ok\n"));
}

static void serve_ready(const struct call *call)
{
    if (atomic_load_explicit(&call->admin->is_draining, memory_order_relaxed))
        call_answer_text(call, 503, SLICE("draining\n"));
    else
        call_answer_text(call, 200, SLICE("ready\n"));
}

/* Refused by a full ring, or formatted and not written. */
static uint64_t count_lost_records(const struct admin *admin)
{
    if (admin->recorder == NULL)
        return 0;
    struct recorder_stats stats = recorder_stats(admin->recorder);
    return stats.dropped + stats.lost;
}

enum { METRICS_EXTRAS = 8 + 2 * ERRAND_STOPS_MAX + 2 * (OVERVIEW_WORDS + 1) + SLOW_GUILTY_COUNT };

/* The figures of one scrape that are no counters. */
struct extras {
    struct metrics_extra at[METRICS_EXTRAS];
    size_t count;
    char workers[ERRAND_STOPS_MAX][ROUTES_WORKER_TEXT];
    struct overview_word rules[OVERVIEW_WORDS + 1];
    struct overview_word causes[OVERVIEW_WORDS + 1];
    struct histogram phases[PHASE_COUNT];
};

static void extras_add(struct extras *extras, const struct metrics_extra *extra)
{
    CHECK(extras->count < METRICS_EXTRAS);
    extras->at[extras->count++] = *extra;
}

static void extras_add_process(struct extras *extras, const struct admin *admin)
{
    const struct metrics_extra figures[] = {
        {.name = "records_lost_total",
         .help = "Records that are not in the access log: it was written too slowly, or failed",
         .kind = COUNTER,
         .number = count_lost_records(admin)},
        {.name = "live_left_out_total",
         .help = "Transactions that the live views do not have, since too many ended in a second",
         .kind = COUNTER,
         .number = recent_span(admin->recent).left_out},
        {.name = "own_addresses",
         .help = "Addresses of this machine, which are never dialled",
         .kind = GAUGE,
         .number = atomic_load_explicit(&admin->address_count, memory_order_relaxed)},
        {.name = "own_address_changes_total",
         .help = "Times these were found to be others than before",
         .kind = COUNTER,
         .number = atomic_load_explicit(&admin->address_changes, memory_order_relaxed)},
        {.name = "build_info",
         .help = "Always 1; the version is its label",
         .kind = GAUGE,
         .label = "version",
         .value = SLICE(FAIRLEAD_VERSION),
         .number = 1},
    };
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        extras_add(extras, &figures[i]);
}

/* A figure of each worker: what it has open, so that an uneven spread is seen, and what it used. */
static void extras_add_workers(struct extras *extras, const struct admin *admin,
                               struct metrics_extra extra,
                               uint64_t (*figure)(const struct admin *, size_t worker))
{
    for (size_t i = 0; i < admin->counter_count; i++) {
        int len = snprintf(extras->workers[i], ROUTES_WORKER_TEXT, "%zu", i);
        extra.value = slice_of(extras->workers[i], (size_t)len);
        extra.number = figure(admin, i);
        extras_add(extras, &extra);
    }
}

static uint64_t worker_open(const struct admin *admin, size_t worker)
{
    return counter_open(admin->counters[worker]);
}

static void extras_add_words(struct extras *extras, const struct metrics_extra *extra,
                             const struct overview_word *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct metrics_extra each = *extra;
        each.value = words[i].word;
        each.number = words[i].count;
        extras_add(extras, &each);
    }
}

/* All of them, also where there were none: a rate needs a beginning. */
static void extras_add_slow(struct extras *extras, const struct admin *admin)
{
    struct metrics_extra each = {.name = "slow_transactions_total",
                                 .help = "Transactions that took 100 ms or more, by who was slow",
                                 .kind = COUNTER,
                                 .label = "side"};
    uint64_t counts[SLOW_GUILTY_COUNT];
    overview_slow(admin->overview, counts);
    for (int side = 0; side < SLOW_GUILTY_COUNT; side++) {
        each.value = slice_from_string(slow_word((enum slow_side)side));
        each.number = counts[side];
        extras_add(extras, &each);
    }
}

static void extras_collect(struct extras *extras, const struct admin *admin)
{
    static const struct metrics_extra open = {.name = "worker_connections",
                                              .help =
                                                  "Client connections and tunnels open, by worker",
                                              .kind = GAUGE,
                                              .label = "worker"};
    static const struct metrics_extra used = {.name = "worker_cpu_seconds_total",
                                              .help = "CPU time used, by worker",
                                              .kind = COUNTER,
                                              .label = "worker",
                                              .decimals = 9};
    static const struct metrics_extra rules = {
        .name = "rule_refusals_total",
        .help = "Transactions refused, by rule; the first 128 rules, then \"(others)\"",
        .kind = COUNTER,
        .label = "rule"};
    static const struct metrics_extra causes = {.name = "cause_failures_total",
                                                .help = "Transactions that failed, by cause",
                                                .kind = COUNTER,
                                                .label = "cause"};
    extras_add_process(extras, admin);
    extras_add_workers(extras, admin, open, worker_open);
    extras_add_workers(extras, admin, used, overview_worker_ns);
    extras_add_words(extras, &rules, extras->rules, overview_rules(admin->overview, extras->rules));
    extras_add_words(extras, &causes, extras->causes,
                     overview_causes(admin->overview, extras->causes));
    extras_add_slow(extras, admin);
    overview_phases(admin->overview, extras->phases);
}

static void serve_metrics(const struct call *call)
{
    const struct admin *admin = call->admin;
    if (!lent_has_room(call, LENT_FIGURES, 0))
        return;
    struct extras *extras = calloc(1, sizeof(*extras));
    struct text text = text_on(NULL, 0);
    if (extras != NULL) {
        extras_collect(extras, admin);
        size_t room = metrics_text_room(extras->at, extras->count) + METRICS_PHASES_ROOM;
        text = text_on(malloc(room), room);
    }
    if (text.at != NULL) {
        metrics_text_add(admin->counters, admin->counter_count, extras->at, extras->count, &text);
        metrics_text_add_phases(extras->phases, &text);
        CHECK(!text.is_cut);
    }
    free(extras);
    lent_answer(call, LENT_FIGURES, METRICS_TEXT_TYPE, text.at, text.len);
}

static void serve_pac(const struct call *call)
{
    const struct snapshot *snapshot = call->request->snapshot;
    struct pac_door doors[ROUTES_DOORS_MAX];
    struct pac_client client = {.peer = call->request->client,
                                .host = call->target.has_host ? &call->target.host : NULL};
    size_t count = snapshot->config->listen_count;
    if (count > COUNT_OF(doors))
        count = COUNT_OF(doors);
    for (size_t i = 0; i < count; i++)
        doors[i] = (struct pac_door){snapshot->bound[i], snapshot->config->listen[i].is_tls};
    char body[PAC_ROOM];
    struct text text = text_on(body, sizeof(body));
    if (pac_add(doors, count, &client, &text)) {
        struct answer answer = {
            .status = 200, .type = "application/x-ns-proxy-autoconfig", .body = text_slice(&text)};
        exchange_answer(call->exchange, &answer);
    } else {
        struct answer answer = {.status = 404};
        call_fail(call->exchange, call->wants_json, &answer, "no_listener", text_slice(&text));
    }
}

/* ---- the way to them ---- */

bool query_find(struct slice query, struct slice name, struct slice *ret_value)
{
    struct slice part;
    while (slice_next_part(&query, '&', &part)) {
        struct slice value = part;
        struct slice key;
        if (slice_next_part(&value, '=', &key) && slice_equals(key, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Percent-decoded, with '+' for a blank as forms write it. False: a '%' without its two digits, or too long. */
static bool query_decode(struct slice value, struct text *into)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i] == '+' ? ' ' : value.at[i];
        uint64_t byte = 0;
        if (c == '%') {
            struct slice digits = slice_first(slice_from(value, i + 1), 2);
            if (digits.len != 2 || slice_hex_to_u64(digits, UINT8_MAX, &byte) != ST_OK)
                return false;
            c = (char)byte;
            i += 2;
        }
        text_add_char(into, c);
    }
    return !into->is_cut;
}

bool query_filter(const struct call *call, struct filter *ret_filter)
{
    char words[FILTER_TEXT_MAX + 1];
    char why[FILTER_WHY_MAX];
    struct text text = text_on(words, sizeof(words));
    struct text reason = text_on(why, sizeof(why));
    struct slice value = SLICE_NONE;
    (void)query_find(call->query, SLICE("filter"), &value);
    if (!query_decode(value, &text))
        text_add(&reason,
                 SLICE("the filter is too long, or a '%' in it has no two digits behind it"));
    else if (filter_parse(text_slice(&text), ret_filter, &reason) == ST_OK)
        return true;
    struct answer answer = {.status = 400};
    call_fail(call->exchange, call->wants_json, &answer, "bad_filter", text_slice(&reason));
    return false;
}

/* Of text and JSON the one that Accept names first. */
static bool head_prefers_json(const struct head *head)
{
    const struct field *accept = fields_find(&head->fields, TOKEN_ACCEPT);
    struct slice rest = accept == NULL ? SLICE_NONE : accept->value;
    struct slice element;
    while (slice_next_element(&rest, &element)) {
        if (slice_starts_with_nocase(element, SLICE("application/json")))
            return true;
        if (slice_starts_with_nocase(element, SLICE("text/")))
            return false;
    }
    return false;
}

static const struct route *route_find(struct slice path, struct slice *ret_rest)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        struct slice mine = slice_from_string(routes[i].path);
        bool is_prefix = mine.len > 1 && mine.at[mine.len - 1] == '/';
        if (is_prefix ? slice_starts_with(path, mine) : slice_equals(path, mine)) {
            *ret_rest = slice_from(path, mine.len);
            return &routes[i];
        }
    }
    return NULL;
}

static void route_fail_unknown(const struct call *call)
{
    char words[ROUTES_TEXT_MAX / 2];
    struct text text = text_on(words, sizeof(words));
    struct answer answer = {.status = 404};
    text_add(&text, SLICE("no such path; there are:"));
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        text_add_format(&text, " %s", routes[i].path);
    call_fail(call->exchange, call->wants_json, &answer, "not_found", text_slice(&text));
}

static void route_call(struct call *call, const struct guard_question *question)
{
    const struct route *route = route_find(call->path, &call->rest);
    enum method method = call->request->head->method;
    if (route == NULL) {
        route_fail_unknown(call);
        return;
    }
    bool is_change = route->kind == ROUTE_CHANGE;
    bool is_mine =
        is_change ? method == METHOD_DELETE : method == METHOD_GET || method == METHOD_HEAD;
    if (!is_mine) {
        struct answer answer = {.status = 405, .allow = is_change ? "DELETE" : "GET, HEAD"};
        call_fail(call->exchange, call->wants_json, &answer, "method_not_allowed",
                  slice_from_string(is_change ? "DELETE only" : "GET and HEAD only"));
        return;
    }
    enum guard_verdict verdict = is_change                     ? guard_change(question)
                                 : route->kind == ROUTE_SECRET ? guard_secret(question)
                                                               : GUARD_PASS;
    if (verdict == GUARD_PASS)
        route->serve(call);
    else
        call_fail_guard(call, verdict);
}

static void admin_answer(const struct handler *handler, struct exchange *exchange,
                         const struct handler_request *request)
{
    struct call call = {.admin = handler->owner,
                        .exchange = exchange,
                        .request = request,
                        .wants_json = head_prefers_json(request->head)};
    enum target_fault fault = target_of_head(request->head, &call.target);
    if (fault != TARGET_FAULT_NONE) {
        struct answer answer = {.status = 400};
        call_fail(exchange, call.wants_json, &answer, "bad_request",
                  slice_from_string(target_fault_text(fault)));
        return;
    }
    struct guard_question question = {.request = request->head,
                                      .target = &call.target,
                                      .client = request->client,
                                      .listener = request->listener,
                                      .token = request->snapshot->admin_token};
    struct slice path = call.target.path_and_query;
    size_t mark = slice_find(path, '?');
    call.path = slice_first(path, mark);
    call.query = slice_from(path, mark + 1);
    bool is_page = assets_has_path(call.path, assets_wants_page(request->head));
    enum guard_verdict verdict = is_page ? guard_page(&question) : guard_read(&question);
    if (verdict != GUARD_PASS) {
        call_fail_guard(&call, verdict);
        return;
    }
    route_call(&call, &question);
}

static void admin_forget(const struct handler *handler, struct exchange *exchange)
{
    inquiry_forget(handler->owner, exchange);
    lent_forget(handler->owner, exchange);
    transactions_forget(handler->owner, exchange);
    events_forget(handler->owner, exchange);
    explaining_forget(handler->owner, exchange);
}

static bool admin_is_waiting(const struct handler *handler)
{
    const struct admin *admin = handler->owner;
    return admin->errands.away_count > 0;
}

void admin_init(struct admin *admin)
{
    *admin = (struct admin){.handler = {admin_answer, admin_forget, admin_is_waiting, admin}};
    inquiry_init(admin);
    link_init(&admin->lent);
    link_init(&admin->listings);
    events_init(admin);
    atomic_init(&admin->is_draining, false);
    atomic_init(&admin->address_count, 0);
    atomic_init(&admin->address_changes, 0);
}
