#include "admin_test.h"

#include "admin/events.h"
#include "admin/routes.h"
#include "base/clock.h"
#include "config/snapshot.h"
#include "proxy/client.h"
#include "proxy/exchange.h"

/* Requests to the whole surface, with two workers on simulated loops, and exchange_answer played by us: the
 * order of events that a busy machine might show is chosen here. */

#define TOKEN "0123456789abcdef"

struct play {
    struct admin admin;
    struct loop *home;
    struct loop *workers[2];
    struct proxy proxies[2];
    struct config config;
    struct snapshot snapshot;
    struct asked asked;
    /* what was answered */
    unsigned answers;
    unsigned status;
    char type[64];
    char allow[64];
    char authenticate[64];
    char body[32768];
    struct answer_source *source;
    unsigned wakes;
};

/* The exchange of a play is the play. */
void exchange_answer(struct exchange *exchange, const struct answer *answer)
{
    struct play *play = (struct play *)(void *)exchange;
    struct text body = text_on(play->body, sizeof(play->body));
    text_add(&body, answer->body);
    (void)text_string(&body);
    play->answers++;
    play->status = answer->status;
    (void)snprintf(play->type, sizeof(play->type), "%s", answer->type);
    (void)snprintf(play->allow, sizeof(play->allow), "%s", answer->allow ? answer->allow : "");
    (void)snprintf(play->authenticate, sizeof(play->authenticate), "%s",
                   answer->authenticate ? answer->authenticate : "");
    play->source = answer->source;
}

void exchange_go_on(struct exchange *exchange)
{
    ((struct play *)(void *)exchange)->wakes++;
}

/* A request in flight of a play. */
struct flight {
    struct link link; /* in client->exchanges */
    uint64_t begun_ns;
    uint64_t id;
    const char *host;
};

static unsigned snapshots; /* that were made */

uint64_t exchange_begun_ns(struct link *link, uint64_t *ret_id)
{
    const struct flight *flight = CONTAINER_OF(link, struct flight, link);
    *ret_id = flight->id;
    return flight->begun_ns;
}

void exchange_describe(struct link *link, struct record *into)
{
    const struct flight *flight = CONTAINER_OF(link, struct flight, link);
    snapshots++;
    record_begin(into);
    into->id = flight->id;
    into->is_in_progress = true;
    into->timeline.at_ns[MARK_C_FIRST] = flight->begun_ns;
    into->now_ns = clock_monotonic_ns();
    record_set(into, &into->host, slice_from_string(flight->host), 100);
    record_seal(into);
}

static struct exchange *exchange_of(struct play *play)
{
    return (struct exchange *)(void *)play;
}

static int play_begin(void **state)
{
    struct play *play = calloc(1, sizeof(*play));
    assert_non_null(play);
    clock_freeze(1000 * NS_PER_S, 1000 * NS_PER_S);
    admin_init(&play->admin);
    assert_int_equal(loop_create_simulated(&play->home), ST_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(loop_create_simulated(&play->workers[i]), ST_OK);
        link_init(&play->proxies[i].tunnels.open);
        link_init(&play->proxies[i].clients);
        play->admin.errands.stops[i] = (struct errand_stop){play->workers[i], &play->proxies[i]};
    }
    play->admin.errands.stop_count = 2;
    play->admin.recent = recent_create(RECENT_BYTES_MIN, 1);
    play->admin.overview = overview_create();
    assert_true(play->admin.recent != NULL && play->admin.overview != NULL);
    play->snapshot.config = &play->config;
    play->snapshot.admin_token = SLICE(TOKEN);
    *state = play;
    return 0;
}

static int play_end(void **state)
{
    struct play *play = *state;
    const struct handler *handler = &play->admin.handler;
    handler->forget(handler, exchange_of(play));
    assert_false(handler->is_waiting(handler));
    assert_int_equal(play->admin.inquiry_count, 0);
    for (size_t i = 0; i < 2; i++)
        loop_destroy(&play->workers[i]);
    loop_destroy(&play->home);
    recent_destroy(&play->admin.recent);
    overview_destroy(&play->admin.overview);
    clock_restore();
    free(play);
    return 0;
}

static void ask(struct play *play, const char *method_and_target, const char *fields)
{
    const struct handler *handler = &play->admin.handler;
    struct handler_request request = {.head = &play->asked.head,
                                      .snapshot = &play->snapshot,
                                      .loop = play->home,
                                      .client = endpoint_of("127.0.0.1:5000"),
                                      .listener = endpoint_of("127.0.0.1:3129")};
    char lines[512];
    struct text text = text_on(lines, sizeof(lines));
    text_add_format(&text, "Host: localhost\r\n%s", fields);
    play->answers = 0;
    asked_begin(&play->asked, method_and_target, text_string(&text));
    handler->answer(handler, exchange_of(play), &request);
    asked_end(&play->asked);
}

static void turn_all(struct play *play)
{
    for (size_t i = 0; i < 2; i++)
        (void)loop_turn(play->workers[i], 0);
    (void)loop_turn(play->home, 0);
}

static void assert_answer(const struct play *play, unsigned status, const char *words)
{
    assert_int_equal(play->answers, 1);
    assert_int_equal(play->status, status);
    if (strstr(play->body, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, play->body);
}

static void paths_queries_and_methods_are_told_apart(void **state)
{
    struct play *play = *state;
    ask(play, "GET /healthz?x=1", "");
    assert_answer(play, 200, "ok\n");
    ask(play, "HEAD /readyz", "");
    assert_answer(play, 200, "ready\n");
    ask(play, "GET http://localhost:3129/healthz", "");
    assert_answer(play, 200, "ok\n");
    ask(play, "GET /healthz/", "");
    assert_answer(play, 404, "/api/v1/tunnels");
    ask(play, "GET http://evil.test/healthz", "");
    assert_answer(play, 421, "Host");
    ask(play, "POST /healthz", "");
    assert_answer(play, 405, "GET and HEAD only");
    assert_string_equal(play->allow, "GET, HEAD");
    ask(play, "OPTIONS *", "");
    assert_int_equal(play->status, 404);
    ask(play, "GET /api/v1/tunnels/0001000000000001", "");
    assert_answer(play, 405, "DELETE only");
    assert_string_equal(play->allow, "DELETE");
}

static void not_ready_while_draining(void **state)
{
    struct play *play = *state;
    atomic_store(&play->admin.is_draining, true);
    ask(play, "GET /readyz", "");
    assert_answer(play, 503, "draining\n");
    ask(play, "GET /healthz", "");
    assert_answer(play, 200, "ok\n");
}

static void an_error_is_json_where_that_is_wanted(void **state)
{
    struct play *play = *state;
    ask(play, "GET /x", "Accept: application/json, text/html\r\n");
    assert_answer(play, 404,
                  "{\"v\":1,\"status\":404,\"error\":\"not_found\",\"message\":\"no such");
    assert_string_equal(play->type, "application/json");
    ask(play, "GET /x", "Accept: text/html, application/json\r\n");
    assert_answer(play, 404, "no such path; there are: / /healthz");
}

static void a_list_of_no_tunnels_is_empty(void **state)
{
    struct play *play = *state;
    ask(play, "GET /api/v1/tunnels", "");
    assert_int_equal(play->answers, 0);
    turn_all(play);
    assert_answer(play, 200, "{\"v\":1,\"tunnels\":[\n],\"truncated\":false}\n");
}

/* Clients of both workers, idle ones among them, and what they have in flight: 2 s to 8 s old. */
struct flights {
    struct client clients[4];
    struct flight at[4];
};

static void flights_begin(struct play *play, struct flights *flights)
{
    static const unsigned ages_s[] = {4, 8, 2, 6};
    memset(flights, 0, sizeof(*flights));
    for (size_t i = 0; i < 4; i++) {
        link_init(&flights->clients[i].exchanges);
        list_append(&play->proxies[i % 2].clients, &flights->clients[i].link);
    }
    for (size_t i = 0; i < 4; i++) {
        flights->at[i] = (struct flight){.begun_ns = clock_monotonic_ns() - ages_s[i] * NS_PER_S,
                                         .id = i + 1,
                                         .host = i % 2 == 0 ? "a.example" : "b.example"};
        list_append(&flights->clients[i / 2 * 2].exchanges, &flights->at[i].link);
    }
    snapshots = 0;
}

static void flights_end(struct play *play, struct flights *flights)
{
    for (size_t i = 0; i < 4; i++) {
        link_remove(&flights->at[i].link);
        link_remove(&flights->clients[i].link);
    }
    play->admin.handler.forget(&play->admin.handler, exchange_of(play));
}

/* The ids of the answer, and its "truncated". */
static void assert_flights(struct play *play, const char *query, const char *ids, bool is_cut)
{
    char target[200];
    char got[64] = "";
    struct text text = text_on(target, sizeof(target));
    struct text found = text_on(got, sizeof(got));
    text_add_format(&text, "GET /api/v1/requests%s", query);
    ask(play, text_string(&text), "");
    turn_all(play);
    assert_answer(play, 200, "{\"v\":1,\"requests\":[\n");
    for (const char *at = play->body; (at = strstr(at, "\"id\":\"")) != NULL; at += 22)
        text_add_char(&found, at[21]);
    assert_string_equal(text_string(&found), ids);
    assert_answer(play, 200,
                  is_cut ? "\"truncated\":true,\"next\":\"" : "],\"truncated\":false}\n");
    play->admin.handler.forget(&play->admin.handler, exchange_of(play));
}

static void requests_of_all_workers_are_listed_oldest_first(void **state)
{
    struct play *play = *state;
    struct flights flights;
    assert_flights(play, "", "", false);
    flights_begin(play, &flights);
    assert_flights(play, "", "2413", false);
    assert_flights(play, "?limit=2", "24", true);
    assert_flights(play, "?age=5s", "24", false);
    assert_flights(play, "?age=4s&filter=host=a.example", "1", false);
    assert_flights(play, "?filter=total>3s", "241", false);
    assert_flights(play, "?age=1h", "", false);
    flights_end(play, &flights);
}

/* No record is made of what would be thrown away. */
static void a_short_list_costs_little(void **state)
{
    struct play *play = *state;
    struct flights flights;
    flights_begin(play, &flights);
    flights.at[0].begun_ns -= 10 * NS_PER_S;
    assert_flights(play, "?limit=1", "1", true);
    assert_int_equal(snapshots, 1);
    flights_end(play, &flights);
}

static void a_list_goes_on_behind_its_limit(void **state)
{
    struct play *play = *state;
    struct flights flights;
    flights_begin(play, &flights);
    assert_flights(play, "?limit=3", "241", true);
    char query[64] = "?after=";
    memcpy(query + 7, strstr(play->body, "\"next\":\"") + 8, 33);
    assert_flights(play, query, "3", false);
    flights_end(play, &flights);
}

/* A worker looks at so many clients, and says that it had more. */
static void a_look_at_clients_is_bounded(void **state)
{
    struct play *play = *state;
    enum { CLIENTS = 16385 };
    struct client *crowd = calloc(CLIENTS, sizeof(*crowd));
    struct flight last = {.begun_ns = clock_monotonic_ns() - NS_PER_S, .id = 9, .host = "a"};
    assert_non_null(crowd);
    for (size_t i = 0; i < CLIENTS; i++) {
        link_init(&crowd[i].exchanges);
        list_append(&play->proxies[0].clients, &crowd[i].link);
    }
    list_append(&crowd[CLIENTS - 1].exchanges, &last.link);
    ask(play, "GET /api/v1/requests", "");
    turn_all(play);
    assert_answer(play, 200, "{\"v\":1,\"requests\":[\n],\"truncated\":true}\n");
    link_remove(&crowd[0].link);
    assert_flights(play, "", "9", false);
    for (size_t i = 0; i < CLIENTS; i++)
        link_remove(&crowd[i].link);
    link_remove(&last.link);
    free(crowd);
}

static void a_bad_age_is_refused(void **state)
{
    struct play *play = *state;
    ask(play, "GET /api/v1/requests?age=5", "");
    assert_answer(play, 400, "age is a duration such as 500ms");
    ask(play, "GET /api/v1/tunnels?age=", "");
    assert_answer(play, 400, "age is a duration");
}

static void a_bad_limit_is_refused(void **state)
{
    struct play *play = *state;
    static const char *const bad[] = {"0", "-1", "1001", "ten", "", "99999999999999999999", "1%30"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char target[100];
        struct text text = text_on(target, sizeof(target));
        text_add_format(&text, "GET /api/v1/tunnels?a=1&limit=%s", bad[i]);
        ask(play, text_string(&text), "");
        assert_answer(play, 400, "limit is a number from 1 to 1000");
    }
}

static void a_client_that_left_is_not_answered(void **state)
{
    struct play *play = *state;
    const struct handler *handler = &play->admin.handler;
    for (unsigned hops = 0; hops < 3; hops++) {
        ask(play, "GET /api/v1/tunnels", "");
        for (unsigned i = 0; i < hops; i++)
            (void)loop_turn(play->workers[i], 0);
        handler->forget(handler, exchange_of(play));
        assert_true(handler->is_waiting(handler));
        turn_all(play);
        assert_false(handler->is_waiting(handler));
        assert_int_equal(play->answers, 0);
        assert_int_equal(play->admin.inquiry_count, 0);
    }
}

static void a_worker_that_does_not_turn_is_given_up(void **state)
{
    struct play *play = *state;
    const struct handler *handler = &play->admin.handler;
    ask(play, "GET /api/v1/tunnels", "");
    (void)loop_turn(play->workers[0], 0);
    clock_advance(6 * NS_PER_S);
    (void)loop_turn(play->home, 0);
    assert_answer(play, 503, "a worker does not answer");
    handler->forget(handler, exchange_of(play));
    turn_all(play); /* the late answer finds nobody */
    assert_int_equal(play->answers, 1);
}

static void too_many_at_once_are_refused(void **state)
{
    struct play *play = *state;
    const struct handler *handler = &play->admin.handler;
    for (int i = 0; i < 8; i++) {
        ask(play, "GET /api/v1/tunnels", "");
        assert_int_equal(play->answers, 0);
        handler->forget(handler, exchange_of(play));
    }
    ask(play, "GET /api/v1/tunnels", "");
    assert_answer(play, 503, "too many");
    turn_all(play);
    ask(play, "GET /api/v1/tunnels", "");
    turn_all(play);
    assert_answer(play, 200, "tunnels");
}

static void a_kill_needs_token_field_and_id(void **state)
{
    struct play *play = *state;
    static const char *const good = "X-Fairlead: 1\r\nAuthorization: Bearer " TOKEN "\r\n";
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", "");
    assert_answer(play, 401, "Bearer");
    assert_string_equal(play->authenticate, "Bearer realm=\"fairlead\"");
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", "Authorization: Bearer " TOKEN "\r\n");
    assert_answer(play, 403, "X-Fairlead");
    ask(play, "DELETE /api/v1/tunnels/1", good);
    assert_answer(play, 400, "16 hexadecimal digits");
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", good);
    turn_all(play);
    assert_answer(play, 404, "no open tunnel has this id");
    play->snapshot.admin_token = SLICE_NONE;
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", good);
    assert_answer(play, 403, "admin.token_file");
}

/* ---- transactions, events ---- */

static void put_transaction(struct play *play, uint64_t id)
{
    static struct record record;
    record_begin(&record);
    record.kind = RECORD_EXCHANGE;
    record.id = id;
    timeline_begin(&record.timeline);
    timeline_mark(&record.timeline, MARK_C_FIRST);
    timeline_mark(&record.timeline, MARK_X_END);
    record_seal(&record);
    recent_put(play->admin.recent, &record);
}

static void leave(struct play *play)
{
    play->admin.handler.forget(&play->admin.handler, exchange_of(play));
}

static void the_last_transactions_are_listed(void **state)
{
    struct play *play = *state;
    ask(play, "GET /api/v1/transactions", "");
    assert_answer(play, 200,
                  "{\"v\":1,\"transactions\":[\n],\"oldest\":0,\"newest\":0,\"left_out\":0}");
    leave(play);
    for (uint64_t id = 1; id <= 3; id++)
        put_transaction(play, id);
    ask(play, "GET /api/v1/transactions?limit=2", "");
    assert_answer(play, 200, "\"id\":\"0000000000000003\"");
    assert_null(strstr(play->body, "\"id\":\"0000000000000001\""));
    assert_non_null(strstr(play->body, ",\"seq\":2},\n"));
    assert_non_null(strstr(play->body, "\"oldest\":2,\"newest\":3,"));
    leave(play);
    ask(play, "GET /api/v1/transactions?before=2", "");
    assert_answer(play, 200, "\"oldest\":1,\"newest\":3,");
    leave(play);
    ask(play, "GET /api/v1/transactions?before=x", "");
    assert_answer(play, 400, "before is");
    ask(play, "GET /api/v1/transactions?limit=1001", "");
    assert_answer(play, 400, "1 to 1000");
}

/* The next piece of a stream, in play->body. */
static enum status read_piece(struct play *play)
{
    struct slice piece = SLICE_NONE;
    enum status status = play->source->next(play->source, &piece);
    struct text body = text_on(play->body, sizeof(play->body));
    text_add(&body, piece);
    (void)text_string(&body);
    return status;
}

static void events_tell_what_comes(void **state)
{
    struct play *play = *state;
    put_transaction(play, 1);
    ask(play, "GET /api/v1/events", "");
    assert_answer(play, 200, "event: hello\ndata: {\"v\":1,\"version\":\"");
    assert_string_equal(play->type, "text/event-stream");
    assert_int_equal(read_piece(play), ST_AGAIN);
    put_transaction(play, 2);
    clock_advance(200 * NS_PER_MS);
    (void)loop_turn(play->home, 0);
    assert_int_equal(play->wakes, 1);
    assert_int_equal(read_piece(play), ST_OK);
    assert_non_null(strstr(play->body, "event: transaction\nid: 2\ndata: {\"v\":1,"));
    assert_non_null(strstr(play->body, "\"seq\":2}\n\n"));
    assert_int_equal(read_piece(play), ST_AGAIN);
    leave(play);
    clock_advance(200 * NS_PER_MS);
    (void)loop_turn(play->home, 0);
    assert_int_equal(play->wakes, 1);
}

static void the_overview_is_told_whole_and_each_second(void **state)
{
    struct play *play = *state;
    static struct record record;
    record_begin(&record);
    record.kind = RECORD_EXCHANGE;
    record_seal(&record);
    ask(play, "GET /api/v1/events", "");
    overview_put(play->admin.overview, &record);
    assert_int_equal(read_piece(play), ST_AGAIN);
    clock_advance(NS_PER_S);
    assert_int_equal(read_piece(play), ST_OK);
    assert_non_null(
        strstr(play->body, "event: overview\ndata: {\"t_ms\":1000000,\"transactions\":1,"));
    assert_int_equal(read_piece(play), ST_AGAIN);
    leave(play);
    ask(play, "GET /api/v1/overview?minutes=5", "");
    assert_answer(play, 200, "{\"v\":1,\"now_ms\":1001000,\"minutes\":[\n{\"t_ms\":");
    assert_non_null(strstr(play->body, "\"workers\":[]}\n"));
    leave(play);
    ask(play, "GET /api/v1/overview?minutes=1441", "");
    assert_answer(play, 400, "0 to 1440");
}

static void events_begin_behind_what_was_seen(void **state)
{
    struct play *play = *state;
    for (uint64_t id = 1; id <= 3; id++)
        put_transaction(play, id);
    ask(play, "GET /api/v1/events?after=2", "");
    assert_int_equal(read_piece(play), ST_OK);
    assert_non_null(strstr(play->body, "id: 3\n"));
    assert_null(strstr(play->body, "id: 2\n"));
    leave(play);
    ask(play, "GET /api/v1/events?after=99", ""); /* of a process before */
    assert_answer(play, 200, "hello");
    assert_int_equal(read_piece(play), ST_AGAIN);
    leave(play);
    ask(play, "GET /api/v1/events?after=x", "");
    assert_answer(play, 400, "after is");
}

/* Both what the store did not keep and what this reader was too late for. */
static void events_say_what_is_missing(void **state)
{
    struct play *play = *state;
    ask(play, "GET /api/v1/events", "");
    for (uint64_t id = 1; id <= RECENT_PLAIN_MAX + 5; id++)
        put_transaction(play, id);
    clock_advance(NS_PER_S);
    put_transaction(play, 9999);
    struct recent_span span = recent_span(play->admin.recent);
    assert_int_equal(span.left_out, 5);
    uint64_t told = 0, came = 0;
    struct slice piece = SLICE_NONE;
    while (play->source->next(play->source, &piece) == ST_OK) {
        struct slice line;
        while (slice_next_part(&piece, '\n', &line)) {
            uint64_t count = 0;
            came += slice_starts_with(line, SLICE("event: transaction"));
            if (!slice_starts_with(line, SLICE("data: {\"count\":")))
                continue;
            line = slice_from(line, sizeof("data: {\"count\":") - 1);
            assert_int_equal(slice_to_u64(slice_first(line, line.len - 1), UINT64_MAX, &count),
                             ST_OK);
            told += count;
        }
    }
    assert_true(came >= 20);
    assert_int_equal(came, span.newest - span.oldest + 1);
    assert_int_equal(told + came, RECENT_PLAIN_MAX + 6);
}

static void what_live_views_lack_is_a_metric(void **state)
{
    struct play *play = *state;
    for (uint64_t id = 1; id <= RECENT_PLAIN_MAX + 5; id++)
        put_transaction(play, id);
    ask(play, "GET /metrics", "");
    assert_answer(play, 200, "\nfairlead_live_left_out_total 5\n");
}

static void a_quiet_stream_is_kept_alive(void **state)
{
    struct play *play = *state;
    ask(play, "GET /api/v1/events", "");
    for (unsigned i = 0; i < 200; i++) {
        clock_advance(100 * NS_PER_MS);
        (void)loop_turn(play->home, 0);
        enum status status = read_piece(play);
        if (status == ST_OK) {
            assert_string_equal(play->body, ": nothing new\n\n");
            assert_true(i > 40);
            return;
        }
    }
    fail_msg("nothing came");
}

static void streams_are_few(void **state)
{
    struct play *play = *state;
    for (unsigned i = 0; i < EVENTS_STREAMS; i++) {
        ask(play, "GET /api/v1/events", "");
        assert_answer(play, 200, "hello");
    }
    ask(play, "GET /api/v1/events", "");
    assert_answer(play, 503, "too many");
    for (unsigned i = 1; i < EVENTS_STREAMS; i++)
        leave(play);
    leave(play);
    assert_true(list_is_empty(&play->admin.streams));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PLAY(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)
        PLAY(paths_queries_and_methods_are_told_apart),
        PLAY(not_ready_while_draining),
        PLAY(an_error_is_json_where_that_is_wanted),
        PLAY(a_list_of_no_tunnels_is_empty),
        PLAY(requests_of_all_workers_are_listed_oldest_first),
        PLAY(a_short_list_costs_little),
        PLAY(a_list_goes_on_behind_its_limit),
        PLAY(a_look_at_clients_is_bounded),
        PLAY(a_bad_age_is_refused),
        PLAY(a_bad_limit_is_refused),
        PLAY(a_client_that_left_is_not_answered),
        PLAY(a_worker_that_does_not_turn_is_given_up),
        PLAY(too_many_at_once_are_refused),
        PLAY(a_kill_needs_token_field_and_id),
        PLAY(the_last_transactions_are_listed),
        PLAY(events_tell_what_comes),
        PLAY(the_overview_is_told_whole_and_each_second),
        PLAY(events_begin_behind_what_was_seen),
        PLAY(events_say_what_is_missing),
        PLAY(what_live_views_lack_is_a_metric),
        PLAY(a_quiet_stream_is_kept_alive),
        PLAY(streams_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
