/* How bytes are cut into pieces changes nothing: requests and responses split at every position, and one byte at
 * a time, give what they give in one piece. */
#include "sim/expect.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE    0        /* in one piece */
#define BYTEWISE SIZE_MAX /* one byte at a time */
#define ANSWER   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct exchange_case {
    const char *request;
    const char *response; /* NULL: the origin is not asked */
    bool ends;            /* the origin ends behind it */
};

struct scene {
    struct world *world;
    struct peer *origin; /* NULL, or one that may be used again */
};

/* What each side heard of the other. */
struct outcome {
    char *at_origin;
    char *at_client;
};

static void outcome_done(struct outcome *outcome)
{
    free(outcome->at_origin);
    free(outcome->at_client);
}

static void say_in_pieces(struct peer *peer, const char *text, size_t cut)
{
    size_t len = strlen(text);
    if (cut != BYTEWISE) {
        if (cut > 0)
            peer_say_bytes(peer, text, cut);
        peer_say_bytes(peer, text + cut, len - cut);
        return;
    }
    for (size_t i = 0; i < len; i++)
        peer_say_bytes(peer, text + i, 1);
}

static char *take_heard(struct peer *peer)
{
    char *plain = unchunked(peer->heard);
    peer->heard_len = 0;
    peer->heard[0] = '\0';
    return plain;
}

static struct outcome scene_run(struct scene *s, const struct exchange_case *c, size_t request_cut,
                                size_t response_cut)
{
    struct outcome outcome = {NULL, NULL};
    struct peer *client = world_client(s->world);
    say_in_pieces(client, c->request, request_cut);
    if (c->response != NULL) {
        if (world_has_origin(s->world))
            s->origin = world_origin(s->world);
        outcome.at_origin = take_heard(s->origin);
        say_in_pieces(s->origin, c->response, response_cut);
        if (c->ends)
            peer_fin(s->origin);
    }
    outcome.at_client = take_heard(client);
    (void)world_record(s->world);
    peer_close(client);
    return outcome;
}

static void expect_same(const struct outcome *is, const struct outcome *expected, size_t cut)
{
    bool same = strcmp(is->at_client, expected->at_client) == 0 &&
                (expected->at_origin == NULL || strcmp(is->at_origin, expected->at_origin) == 0);
    if (same)
        return;
    print_error("cut at %zu:\n", cut);
    assert_string_equal(is->at_client, expected->at_client);
    assert_string_equal(is->at_origin, expected->at_origin);
}

static void cut_everywhere(const struct exchange_case *c, bool is_request)
{
    struct scene s = {.world = world_create("")};
    struct outcome expected = scene_run(&s, c, WHOLE, WHOLE);
    size_t len = strlen(is_request ? c->request : c->response);
    for (size_t i = 1; i <= len; i++) {
        size_t cut = i == len ? BYTEWISE : i;
        struct outcome is = scene_run(&s, c, is_request ? cut : WHOLE, is_request ? WHOLE : cut);
        expect_same(&is, &expected, cut);
        outcome_done(&is);
    }
    outcome_done(&expected);
    world_finish();
}

#define FIELDS "Host: a.test\r\nX-One: 1\r\nConnection: x-two\r\nX-Two: 2\r\nAccept: */*\r\n"

/* shows 9112-7.1-1 */
/* A request split anywhere reaches the origin, or is refused, as if it had come in one piece. */
static void test_requests(void **state)
{
    (void)state;
    static const struct exchange_case cases[] = {
        {"GET http://a.test/x?y HTTP/1.1\r\n" FIELDS "\r\n", ANSWER, false},
        {"\r\nGET http://a.test/ HTTP/1.0\r\n" FIELDS "\r\n", ANSWER, false},
        {"POST http://a.test/ HTTP/1.1\r\n" FIELDS "Content-Length: 11\r\n\r\nhello world", ANSWER,
         false},
        {"PUT http://a.test/ HTTP/1.1\r\n" FIELDS "Transfer-Encoding: chunked\r\n\r\n"
         "5;x=\"a;b\"\r\nhello\r\n006\r\n world\r\n0\r\nTrail: er\r\nX: y\r\n\r\n",
         ANSWER, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cut_everywhere(&cases[i], /* is_request= */ true);
}

/* The same for requests that are answered here. */
static void test_refused_requests(void **state)
{
    (void)state;
    static const struct exchange_case cases[] = {
        {"GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\nHost: c.test\r\n\r\n", NULL, false},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", NULL, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene s = {.world = world_create("")};
        struct outcome expected = scene_run(&s, &cases[i], WHOLE, WHOLE);
        char *line_end = strstr(expected.at_client, "\r\n");
        assert_non_null(line_end);
        size_t line_len = (size_t)(line_end - expected.at_client);
        for (size_t cut = 1; cut < strlen(cases[i].request); cut++) {
            struct outcome is = scene_run(&s, &cases[i], cut, WHOLE);
            assert_memory_equal(is.at_client, expected.at_client, line_len);
            outcome_done(&is);
        }
        outcome_done(&expected);
        world_finish();
    }
}

#define GET "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"

/* shows 9112-7.1-1 */
/* A response split anywhere reaches the client as if it had come in one piece. */
static void test_responses(void **state)
{
    (void)state;
    static const struct exchange_case cases[] = {
        {GET, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 11\r\nX: y\r\n\r\nhello world", false},
        {GET,
         "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5;x=\"a;b\"\r\nhello\r\n006\r\n world\r\n0\r\nTrail: er\r\nX: y\r\n\r\n",
         false},
        {GET, "HTTP/1.0 200 OK\r\nDate: x\r\n\r\nhello world", true},
        {GET,
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
         "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok",
         false},
        {GET, "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", false},
        {GET, "HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 77\r\n\r\n", false},
        {"HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 77\r\n\r\n", false},
        {"GET http://a.test/ HTTP/1.0\r\n\r\n",
         "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cut_everywhere(&cases[i], /* is_request= */ false);
}

/* CONNECT and the first bytes behind it, split anywhere: the tunnel carries them all, in order. */
static void test_connect(void **state)
{
    (void)state;
    static const char text[] = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\nearly bytes";
    struct world *world = world_create("");
    for (size_t cut = 1; cut <= sizeof(text) - 1; cut++) {
        struct peer *client = world_client(world);
        say_in_pieces(client, text, cut == sizeof(text) - 1 ? BYTEWISE : cut);
        struct peer *origin = world_origin(world);
        (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
        peer_hears(origin, "early bytes");
        peer_fin(client);
        peer_fin(origin);
        assert_int_equal(world_record(world)->request_body_bytes, 11);
    }
}

/* Two requests in one stream of bytes, split anywhere, are two exchanges in order. */
static void test_two_requests(void **state)
{
    (void)state;
    static const char text[] =
        "POST http://a.test/1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\noneGET "
        "http://a.test/2 HTTP/1.1\r\nHost: a.test\r\n\r\n";
    struct world *world = world_create("");
    struct peer *origin = NULL;
    for (size_t cut = 1; cut <= sizeof(text) - 1; cut++) {
        struct peer *client = world_client(world);
        say_in_pieces(client, text, cut == sizeof(text) - 1 ? BYTEWISE : cut);
        if (origin == NULL)
            origin = world_origin(world);
        (void)peer_hears_head(origin, "POST /1 HTTP/1.1");
        peer_hears(origin, "one");
        peer_say(origin, "HTTP/1.1 200 One\r\nContent-Length: 1\r\n\r\n1");
        (void)peer_hears_head(origin, "GET /2 HTTP/1.1");
        peer_say(origin, "HTTP/1.1 200 Two\r\nContent-Length: 1\r\n\r\n2");
        (void)peer_hears_head(client, "HTTP/1.1 200 One");
        assert_int_equal(client->heard[0], '1');
        assert_non_null(strstr(client->heard, "HTTP/1.1 200 Two\r\n"));
        assert_int_equal(world_record(world)->client_use, 1);
        assert_int_equal(world_record(world)->client_use, 2);
        peer_close(client);
    }
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_requests), PLAY(test_refused_requests), PLAY(test_responses),
        PLAY(test_connect),  PLAY(test_two_requests),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
