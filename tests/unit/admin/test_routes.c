#include "admin_test.h"

#include "admin/routes.h"
#include "base/clock.h"
#include "config/snapshot.h"

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
    char body[4096];
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
        play->admin.errands.stops[i] = (struct errand_stop){play->workers[i], &play->proxies[i]};
    }
    play->admin.errands.stop_count = 2;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PLAY(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)
        PLAY(paths_queries_and_methods_are_told_apart),
        PLAY(not_ready_while_draining),
        PLAY(an_error_is_json_where_that_is_wanted),
        PLAY(a_list_of_no_tunnels_is_empty),
        PLAY(a_bad_limit_is_refused),
        PLAY(a_client_that_left_is_not_answered),
        PLAY(a_worker_that_does_not_turn_is_given_up),
        PLAY(too_many_at_once_are_refused),
        PLAY(a_kill_needs_token_field_and_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
