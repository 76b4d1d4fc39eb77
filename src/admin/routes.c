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
#include "admin/metrics.h"
#include "admin/overview.h"
#include "admin/pac.h"
#include "admin/policy.h"
#include "admin/requests.h"
#include "admin/transactions.h"
#include "admin/tunnels.h"
#include "base/check.h"
#include "base/text.h"
#include "config/snapshot.h"

enum { ROUTES_DOORS_MAX = 256, ROUTES_TEXT_MAX = 2048, ROUTES_FAULT_MAX = 300 };

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
    const char *takes; /* names in its query, with blanks between; NULL: not looked at here */
};

static void serve_index(const struct call *call);
static void serve_health(const struct call *call);
static void serve_ready(const struct call *call);
static void serve_pac(const struct call *call);

static const struct route routes[] = {
    {"/", ROUTE_READ, serve_index, "the dashboard, for a browser; for others this list", NULL},
    {"/healthz", ROUTE_READ, serve_health, "200 while the process serves", NULL},
    {"/readyz", ROUTE_READ, serve_ready, "200; 503 while draining", NULL},
    {"/metrics", ROUTE_READ, metrics_show, "counters, in the text format of Prometheus", NULL},
    {"/proxy.pac", ROUTE_READ, serve_pac, "proxy auto-configuration for browsers", NULL},
    {ASSETS_PREFIX, ROUTE_READ, assets_serve, "the dashboard and the files it is made of", NULL},
    {"/api/v1/tunnels", ROUTE_READ, tunnels_list,
     "open tunnels and their phases so far, as JSON; ?limit=N&after=NEXT&age=TIME&filter=TERMS",
     "limit after age filter"},
    {"/api/v1/requests", ROUTE_READ, requests_list,
     "requests in flight and their phases so far, as JSON; "
     "?limit=N&after=NEXT&age=TIME&filter=TERMS",
     "limit after age filter"},
    {"/api/v1/transactions", ROUTE_READ, transactions_list,
     "the last transactions, as JSON; ?limit=N&before=SEQ&filter=TERMS", "limit before filter"},
    {"/api/v1/events", ROUTE_READ, events_follow,
     "transactions as they end, as server-sent events; ?after=SEQ&filter=TERMS", "after filter"},
    {"/api/v1/overview", ROUTE_READ, overview_show,
     "what they say together, by minute, second and destination, as JSON; ?minutes=N", "minutes"},
    {"/api/v1/har", ROUTE_READ, transactions_har,
     "the last transactions as HAR 1.2; ?limit=N&filter=TERMS&ids=ID,ID", "limit filter ids"},
    {"/api/v1/policy", ROUTE_SECRET, policy_show,
     "rules and settings that decide, as JSON; needs the token", NULL},
    {"/api/v1/explain", ROUTE_SECRET, explaining_show,
     "what would become of a request, and why; ?target=URL; needs the token", NULL},
    {"/api/v1/tunnels/", ROUTE_CHANGE, tunnels_kill,
     "DELETE with an id ends that tunnel; needs the token", NULL},
};

/* ---- answers ---- */

static void call_fail_guard(const struct call *call, enum guard_verdict verdict)
{
    struct answer answer = {.status = guard_status(verdict)};
    if (answer.status == 401)
        answer.authenticate = "Bearer realm=\"fairlead\"";
    call_fail(call->exchange, call->wants_json, &answer, guard_word(verdict),
              slice_from_string(guard_text(verdict)));
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

static bool route_takes(const struct route *route, struct slice name)
{
    struct slice rest = slice_from_string(route->takes);
    struct slice word;
    while (slice_next_part(&rest, ' ', &word)) {
        if (slice_equals(word, name))
            return true;
    }
    return false;
}

/* A name that is not known would else be ignored, and one with a slip of the finger answered with everything. */
static bool route_check_query(const struct call *call, const struct route *route)
{
    char words[ROUTES_FAULT_MAX];
    struct text text = text_on(words, sizeof(words));
    struct answer answer = {.status = 400};
    struct slice rest = call->query;
    struct slice part;
    while (route->takes != NULL && slice_next_part(&rest, '&', &part)) {
        struct slice name = slice_first(part, slice_find(part, '='));
        if (part.len == 0 || route_takes(route, name))
            continue;
        text_add_format(&text, "%s takes no parameter \"", route->path);
        text_add_log(&text, slice_first(name, 40), '"');
        text_add_format(&text, "\"; it takes: %s", route->takes);
        call_fail(call->exchange, call->wants_json, &answer, "bad_parameter", text_slice(&text));
        return false;
    }
    return true;
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
    if (verdict != GUARD_PASS)
        call_fail_guard(call, verdict);
    else if (route_check_query(call, route))
        route->serve(call);
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
