/* Requests that a handler answers instead of an origin: the admin listener's way. */
#include "sim/expect.h"

#include "proxy/exchange.h"
#include "proxy/handler.h"

#define LIMITS "timeouts: { client_head: 300ms }"
#define GET    "GET /page HTTP/1.1\r\nHost: x\r\n\r\n"

static struct exchange *asked; /* the last one, until it is forgotten */

static void note(const struct handler *handler, struct exchange *exchange,
                 const struct handler_request *request)
{
    (void)handler, (void)request;
    asked = exchange;
}

static void forget(const struct handler *handler, struct exchange *exchange)
{
    (void)handler;
    if (asked == exchange)
        asked = NULL;
}

static const struct handler careful = {.answer = note, .forget = forget};
static const struct handler careless = {.answer = note};

static struct world *world_with(const struct handler *handler)
{
    struct world *world = world_create(LIMITS);
    world->proxy.handler = handler;
    asked = NULL;
    return world;
}

static void answer(struct world *world, unsigned status, const char *body)
{
    exchange_answer(asked, &(struct answer){.status = status,
                                            .type = "text/plain",
                                            .allow = status == 405 ? "GET" : NULL,
                                            .authenticate = status == 401 ? "Basic" : NULL,
                                            .body = slice_from_string(body)});
    world_settle(world);
}

/* An answer may come in any later turn, and the connection goes on behind it. */
static void test_an_answer_may_come_later(void **state)
{
    (void)state;
    struct world *world = world_with(&careful);
    struct peer *client = world_client(world);
    peer_say(client, GET);
    world_advance(world, 60000);
    peer_hears_nothing(client);
    answer(world, 405, "no");
    expect_field(peer_hears_head(client, "HTTP/1.1 405 Method Not Allowed"), "Allow", "GET");
    peer_hears(client, "no");
    assert_null(asked);
    peer_say(client, GET);
    answer(world, 401, "");
    expect_field(peer_hears_head(client, "HTTP/1.1 401 Unauthorized"), "WWW-Authenticate", "Basic");
}

/* A client that goes away is not answered; the handler hears of it and of nothing else. */
static void test_a_client_that_goes_away_is_forgotten(void **state)
{
    (void)state;
    struct world *world = world_with(&careful);
    struct peer *client = world_client(world);
    peer_say(client, GET);
    assert_non_null(asked);
    peer_reset(client);
    assert_null(asked);
    const struct record *record = world_record(world);
    expect_text(record, record->cause, "client_gone");
}

/* What is no request is refused without asking the handler, and so is a head that does not come. */
static void test_a_handler_is_asked_about_requests_only(void **state)
{
    (void)state;
    struct world *world = world_with(&careful);
    struct peer *client = world_client(world);
    peer_say(client, "GET /page HTTP/1.1\r\nHost : x\r\n\r\n");
    (void)peer_hears_head(client, "HTTP/1.1 400 Bad Request");
    client = world_client(world);
    peer_say(client, "GET /pa");
    world_advance(world, 300);
    (void)peer_hears_head(client, "HTTP/1.1 408 Request Timeout");
    assert_null(asked);
}

/* A handler that keeps nothing need not hear of ends. */
static void test_a_handler_need_not_hear_of_ends(void **state)
{
    (void)state;
    struct world *world = world_with(&careless);
    struct peer *client = world_client(world);
    peer_say(client, GET);
    answer(world, 200, "page");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "page");
}

/* An answer that its client does not read waits outside, and comes whole; one whose client goes away ends. */
static void test_a_large_answer_waits_for_its_client(void **state)
{
    (void)state;
    enum { BODY = 200000 };
    static char body[BODY + 1];
    memset(body, 'b', BODY);
    for (int goes = 0; goes <= 1; goes++) {
        struct world *world = world_with(&careful);
        struct peer *client = world_client(world);
        peer_set_room(client, 1000);
        peer_deafen(client);
        peer_say(client, GET);
        exchange_answer(asked, &(struct answer){.status = 200,
                                                .type = "text/plain",
                                                .body = slice_of(body, BODY),
                                                .is_lent = true});
        world_settle(world);
        assert_non_null(asked); /* what was lent is still needed */
        if (goes) {
            peer_reset(client);
        } else {
            peer_listen(client);
            (void)peer_hears_head(client, "HTTP/1.1 200 OK");
            peer_hears(client, body);
        }
        assert_null(asked);
        world_finish();
    }
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_an_answer_may_come_later),
        PLAY(test_a_client_that_goes_away_is_forgotten),
        PLAY(test_a_handler_is_asked_about_requests_only),
        PLAY(test_a_handler_need_not_hear_of_ends),
        PLAY(test_a_large_answer_waits_for_its_client),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
