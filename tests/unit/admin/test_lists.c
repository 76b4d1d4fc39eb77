#include "play.h"

/* The lists of what is open in the workers, and what bounds them. */

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

/* "?after=NEXT" of the answer before, and more. False: it has none. */
static bool go_on(const struct play *play, const char *more, char into[80])
{
    const char *next = strstr(play->body, "\"next\":\"");
    if (next != NULL)
        (void)snprintf(into, 80, "?after=%.33s%s", next + 8, more);
    return next != NULL;
}

static void workers_rest(struct play *play)
{
    clock_advance(NS_PER_S);
    (void)loop_turn(play->home, 0);
}

/* A worker stops when its time is over, whatever was found, and the answer tells where to go on: nothing is listed
 * twice, nothing is left out, and what stands behind a place that was not looked at comes later. */
static void a_costly_look_ends_and_goes_on(void **state)
{
    struct play *play = *state;
    struct flights flights;
    char query[80];
    flights_begin(play, &flights);
    link_remove(
        &flights.at[2].link); /* the youngest: to the other worker, which is done with it soon */
    list_append(&flights.clients[1].exchanges, &flights.at[2].link);
    snapshot_ns = 6 * NS_PER_MS;
    assert_flights(play, "", "24", true);
    assert_int_equal(snapshots, 2);
    assert_true(go_on(play, "", query));
    workers_rest(play);
    assert_flights(play, query, "13", false);
    workers_rest(play);
    assert_flights(play, "?filter=host=a.example", "", true);
    assert_true(go_on(play, "&filter=host=a.example", query));
    workers_rest(play);
    assert_flights(play, query, "13", false);
    flights_end(play, &flights);
}

/* The same where the worker that is asked first has only what is younger. */
static void what_stands_behind_a_cut_comes_later(void **state)
{
    struct play *play = *state;
    struct flights flights;
    char query[80];
    flights_begin(play, &flights);
    for (size_t i = 0; i < 4; i++) {
        link_remove(&flights.at[i].link);
        list_append(&flights.clients[i == 2 ? 0 : 1].exchanges, &flights.at[i].link);
    }
    snapshot_ns = 6 * NS_PER_MS;
    assert_flights(play, "", "24", true);
    assert_true(go_on(play, "", query));
    workers_rest(play);
    assert_flights(play, query, "13", false);
    flights_end(play, &flights);
}

/* Nobody waits for it: neither that worker nor the next one works on. */
static void a_list_that_nobody_waits_for_stops(void **state)
{
    struct play *play = *state;
    struct flights flights;
    flights_begin(play, &flights);
    link_remove(&flights.at[3].link);
    list_append(&flights.clients[1].exchanges, &flights.at[3].link);
    leaves_at_a_snapshot = play;
    ask(play, "GET /api/v1/requests", "");
    turn_all(play);
    assert_int_equal(snapshots, 1);
    assert_int_equal(play->answers, 0);
    assert_int_equal(play->admin.inquiry_count, 0);
    flights_end(play, &flights);
}

/* One list at a time is away, and workers that had to work for one have time for themselves before the next. */
static void workers_rest_between_costly_lists(void **state)
{
    struct play *play = *state;
    struct flights flights;
    flights_begin(play, &flights);
    snapshot_ns = 6 * NS_PER_MS;
    for (int i = 0; i < 2; i++)
        ask(play, "GET /api/v1/requests", "");
    turn_all(play);
    assert_int_equal(play->answers, 1);
    assert_int_equal(snapshots, 2);
    clock_advance(47 * NS_PER_MS);
    for (int i = 0; i < 2; i++)
        turn_all(play);
    assert_int_equal(snapshots, 2);
    clock_advance(2 * NS_PER_MS);
    for (int i = 0; i < 2; i++)
        turn_all(play);
    assert_int_equal(snapshots, 4);
    assert_int_equal(play->answers, 2);
    leave(play);
    flights_end(play, &flights);
}

static struct client *crowd_begin(struct play *play, size_t count)
{
    struct client *crowd = calloc(count, sizeof(*crowd));
    assert_non_null(crowd);
    for (size_t i = 0; i < count; i++) {
        link_init(&crowd[i].exchanges);
        list_append(&play->proxies[0].clients, &crowd[i].link);
    }
    return crowd;
}

static void crowd_end(struct client *crowd, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        link_remove(&crowd[i].link);
        link_remove(&crowd[i].exchanges);
    }
    free(crowd);
}

/* However many clients rest, the one that hangs is found. */
static void clients_that_rest_hide_nothing(void **state)
{
    struct play *play = *state;
    enum { CLIENTS = 16385 };
    struct client *crowd = crowd_begin(play, CLIENTS);
    struct flight last = {.begun_ns = clock_monotonic_ns() - NS_PER_S, .id = 9, .host = "a"};
    list_append(&crowd[CLIENTS - 1].exchanges, &last.link);
    assert_flights(play, "", "9", false);
    crowd_end(crowd, CLIENTS);
}

/* Of so many that even to go past them takes long the rest is left out. That is said, and no place to go on at, since
 * what was left out may stand anywhere. */
static void a_walk_that_takes_long_is_told(void **state)
{
    struct play *play = *state;
    enum { CLIENTS = 600 };
    struct client *crowd = crowd_begin(play, CLIENTS);
    struct flight last = {.begun_ns = clock_monotonic_ns() - NS_PER_S, .id = 9, .host = "a"};
    list_append(&crowd[CLIENTS - 1].exchanges, &last.link);
    clock_creep(11 * NS_PER_MS);
    ask(play, "GET /api/v1/requests", "");
    turn_all(play);
    assert_answer(play, 200, "{\"v\":1,\"requests\":[\n],\"truncated\":true}\n");
    leave(play);
    clock_creep(0);
    crowd_end(crowd, CLIENTS);
}

/* More requests than a worker makes records of: all are found, page by page, though the youngest come first. */
static void a_look_at_many_goes_on(void **state)
{
    struct play *play = *state;
    enum { FLIGHTS = 5000 };
    char query[80];
    struct client *crowd = crowd_begin(play, 1);
    struct flight *flights = calloc(FLIGHTS, sizeof(*flights));
    assert_non_null(flights);
    for (size_t i = 0; i < FLIGHTS; i++) {
        flights[i] = (struct flight){.begun_ns = clock_monotonic_ns() - i - 1, .host = "a.example"};
        flights[i].id = i;
        list_append(&crowd[0].exchanges, &flights[i].link);
    }
    flights[1].host = "b.example";
    flights[FLIGHTS - 1].host = "b.example";
    snapshots = 0;
    assert_flights(play, "?filter=host=b.example", "7", true);
    assert_int_equal(snapshots, 4096);
    assert_true(go_on(play, "&filter=host=b.example", query));
    assert_flights(play, query, "1", false);
    assert_int_equal(snapshots, FLIGHTS);
    crowd_end(crowd, 1);
    free(flights);
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
        text_add_format(&text, "GET /api/v1/tunnels?age=1s&limit=%s", bad[i]);
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

/* Lists that have not been answered leave room for a kill. */
static void too_many_at_once_are_refused(void **state)
{
    struct play *play = *state;
    for (int i = 0; i < 8; i++) {
        ask(play, "GET /api/v1/tunnels", "");
        assert_int_equal(play->answers, 0);
    }
    ask(play, "GET /api/v1/requests", "");
    assert_answer(play, 503, "too many");
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", KILL_FIELDS);
    assert_int_equal(play->answers, 0);
    for (int i = 0; i < 9; i++)
        turn_all(play);
    assert_int_equal(play->answers, 9);
    assert_int_equal(play->admin.inquiry_count, 0);
    for (int i = 0; i < 8; i++)
        leave(play);
    ask(play, "GET /api/v1/tunnels", "");
    turn_all(play);
    assert_answer(play, 200, "tunnels");
}

/* Readers that do not read keep their places for two seconds; after that whoever asks next gets the oldest one. Kills
 * and other kinds of answers do not wait for them at all. */
static void readers_that_do_not_read_lose_their_place(void **state)
{
    struct play *play = *state;
    static const struct {
        const char *target;
        int places;
    } kinds[] = {{"GET /api/v1/tunnels", 8}, {"GET /api/v1/transactions", 4}, {"GET /metrics", 32}};
    int lent = 0;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        for (int i = 0; i < kinds[kind].places; i++, lent++) {
            ask(play, kinds[kind].target, "");
            turn_all(play);
            assert_int_equal(play->status, 200);
        }
        ask(play, kinds[kind].target, "");
        assert_answer(play, 503, "ask again");
    }
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", KILL_FIELDS);
    turn_all(play);
    assert_answer(play, 404, "no open tunnel has this id");
    clock_advance(2 * NS_PER_S);
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++, lent++) {
        assert_int_equal(cuts, kind);
        ask(play, kinds[kind].target, "");
        turn_all(play);
        assert_int_equal(play->status, 200);
        assert_int_equal(cuts, kind + 1);
    }
    for (int i = 0; i < lent; i++) {
        assert_false(list_is_empty(&play->admin.lent));
        leave(play);
    }
    assert_true(list_is_empty(&play->admin.lent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAY(a_list_of_no_tunnels_is_empty),
        PLAY(requests_of_all_workers_are_listed_oldest_first),
        PLAY(a_short_list_costs_little),
        PLAY(a_list_goes_on_behind_its_limit),
        PLAY(a_costly_look_ends_and_goes_on),
        PLAY(what_stands_behind_a_cut_comes_later),
        PLAY(a_list_that_nobody_waits_for_stops),
        PLAY(workers_rest_between_costly_lists),
        PLAY(clients_that_rest_hide_nothing),
        PLAY(a_walk_that_takes_long_is_told),
        PLAY(a_look_at_many_goes_on),
        PLAY(a_bad_age_is_refused),
        PLAY(a_bad_limit_is_refused),
        PLAY(a_client_that_left_is_not_answered),
        PLAY(a_worker_that_does_not_turn_is_given_up),
        PLAY(too_many_at_once_are_refused),
        PLAY(readers_that_do_not_read_lose_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
