#include "play.h"

/* Requests to the whole surface, but for the lists of what is open. */

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

static void a_kill_needs_token_field_and_id(void **state)
{
    struct play *play = *state;
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", "");
    assert_answer(play, 401, "Bearer");
    assert_string_equal(play->authenticate, "Bearer realm=\"fairlead\"");
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", "Authorization: Bearer " TOKEN "\r\n");
    assert_answer(play, 403, "X-Fairlead");
    ask(play, "DELETE /api/v1/tunnels/1", KILL_FIELDS);
    assert_answer(play, 400, "16 hexadecimal digits");
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", KILL_FIELDS);
    turn_all(play);
    assert_answer(play, 404, "no open tunnel has this id");
    play->snapshot.admin_token = SLICE_NONE;
    ask(play, "DELETE /api/v1/tunnels/0001000000000001", KILL_FIELDS);
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

/* Looking through what is kept takes long: other questions are answered in between, and the answer is whole. */
static void a_long_look_at_transactions_is_made_in_parts(void **state)
{
    struct play *play = *state;
    unsigned turns = 0;
    for (uint64_t id = 1; id <= 20; id++)
        put_transaction(play, id);
    for (int goes = 0; goes <= 1; goes++) {
        ask(play, "GET /api/v1/transactions?filter=id=0000000000000002", "");
        clock_creep(NS_PER_MS);
        leave(play);
        ask(play, "GET /api/v1/transactions?filter=id=0000000000000002", "");
        assert_int_equal(play->answers, 0);
        if (goes)
            leave(play);
        for (turns = 0; play->answers == 0 && turns < 100; turns++)
            (void)loop_turn(play->home, 0);
        clock_creep(0);
        assert_true(goes ? play->answers == 0 : turns >= 5 && turns < 30);
        assert_int_equal(play->admin.listing_count, 0);
        if (!goes)
            assert_answer(play, 200, "\"oldest\":2,\"newest\":20,");
        leave(play);
    }
}

/* There is an end to it, and to how many there are. */
static void looks_at_transactions_are_few_and_end(void **state)
{
    struct play *play = *state;
    for (uint64_t id = 1; id <= 20; id++)
        put_transaction(play, id);
    clock_creep(NS_PER_S);
    for (int i = 0; i < 4; i++) {
        ask(play, "GET /api/v1/har", "");
        assert_int_equal(play->answers, 0);
    }
    ask(play, "GET /api/v1/transactions", "");
    assert_answer(play, 503, "ask again");
    for (unsigned i = 0; i < 100; i++)
        (void)loop_turn(play->home, 0);
    clock_creep(0);
    assert_int_equal(play->answers, 5);
    assert_int_equal(play->status, 503);
    assert_non_null(strstr(play->body, "this takes too long"));
    assert_int_equal(play->admin.listing_count, 0);
}

/* So is a stream that has much to read: it asks to be asked in a later turn, and not before. */
static void a_stream_reads_a_part_each_turn(void **state)
{
    struct play *play = *state;
    unsigned turns = 0;
    for (uint64_t id = 1; id <= 20; id++)
        put_transaction(play, id);
    ask(play, "GET /api/v1/events?after=0&filter=id=0000000000000014", "");
    clock_creep(NS_PER_MS);
    while (read_piece(play) == ST_AGAIN) {
        unsigned wakes = play->wakes;
        uint64_t before_ns = clock_monotonic_ns();
        assert_int_equal(read_piece(play), ST_AGAIN);
        assert_int_equal(clock_monotonic_ns(), before_ns + NS_PER_MS); /* nothing was done */
        (void)loop_turn(play->home, 0);
        assert_int_equal(play->wakes, wakes + 1);
        assert_true(turns++ < 30);
    }
    assert_true(turns >= 5);
    assert_non_null(strstr(play->body, "id: 20\n"));
    clock_creep(0);
    leave(play);
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
        PLAY(paths_queries_and_methods_are_told_apart),
        PLAY(not_ready_while_draining),
        PLAY(an_error_is_json_where_that_is_wanted),
        PLAY(a_kill_needs_token_field_and_id),
        PLAY(the_last_transactions_are_listed),
        PLAY(events_tell_what_comes),
        PLAY(the_overview_is_told_whole_and_each_second),
        PLAY(a_long_look_at_transactions_is_made_in_parts),
        PLAY(looks_at_transactions_are_few_and_end),
        PLAY(a_stream_reads_a_part_each_turn),
        PLAY(events_begin_behind_what_was_seen),
        PLAY(events_say_what_is_missing),
        PLAY(what_live_views_lack_is_a_metric),
        PLAY(a_quiet_stream_is_kept_alive),
        PLAY(streams_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
