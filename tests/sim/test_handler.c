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

enum { BODY = 200000 };
static char body[BODY + 1];

/* It was answered with `body`, which is lent, and takes nothing of it. */
static struct peer *client_that_does_not_read(struct world **ret_world)
{
    struct world *world = world_with(&careful);
    struct peer *client = world_client(world);
    memset(body, 'b', BODY);
    peer_set_room(client, 1000);
    peer_deafen(client);
    peer_say(client, GET);
    exchange_answer(asked, &(struct answer){.status = 200,
                                            .type = "text/plain",
                                            .body = slice_of(body, BODY),
                                            .is_lent = true});
    world_settle(world);
    *ret_world = world;
    return client;
}

/* An answer that its client does not read waits outside, and comes whole; one whose client goes away ends. */
static void test_a_large_answer_waits_for_its_client(void **state)
{
    (void)state;
    for (int goes = 0; goes <= 1; goes++) {
        struct world *world;
        struct peer *client = client_that_does_not_read(&world);
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

/* An answer that its client does not take can be ended, and the handler has back what it lent; one that is taken by
 * then ends as any other, and so does one that was not given yet. */
static void test_an_answer_that_is_not_taken_can_be_ended(void **state)
{
    (void)state;
    for (int reads = 0; reads <= 1; reads++) {
        struct world *world;
        struct peer *client = client_that_does_not_read(&world);
        assert_non_null(asked);
        if (reads) {
            peer_listen(client);
            peer_set_room(client, 2 * BODY);
        }
        if (asked != NULL)
            exchange_cut(asked);
        world_settle(world);
        assert_null(asked);
        const struct record *record = world_record(world);
        expect_text(record, record->cause, reads ? "" : "client_stalled");
        world_finish();
    }
}

/* Pieces are given as they come: none for now, unless `piece` is one. */
static struct slice piece;

static enum status give_piece(struct answer_source *source, struct slice *ret_piece)
{
    (void)source;
    if (piece.len == 0)
        return ST_AGAIN;
    *ret_piece = piece;
    piece = SLICE_NONE;
    return ST_OK;
}

/* A client that leaves an answer which goes on is gone at once, however it leaves, whether the answer waits for its
 * source or for the client; its place is free without a byte to be said to it. */
static void test_a_stream_ends_with_its_client(void **state)
{
    (void)state;
    enum { PIECE = 200000 };
    static char bytes[PIECE];
    void (*const leaves[])(struct peer *) = {peer_reset, peer_close, peer_fin};
    struct answer_source source = {.next = give_piece};
    memset(bytes, 'p', PIECE);
    for (size_t i = 0; i < 2 * COUNT_OF(leaves); i++) {
        struct world *world = world_with(&careful);
        struct peer *client = world_client(world);
        bool is_deaf = i >= COUNT_OF(leaves);
        peer_say(client, GET);
        exchange_answer(asked, &(struct answer){.status = 200, .type = "a/b", .source = &source});
        world_settle(world);
        (void)peer_hears_head(client, "HTTP/1.1 200 OK");
        if (is_deaf) {
            peer_set_room(client, 1000);
            peer_deafen(client);
            piece = slice_of(bytes, PIECE);
            exchange_go_on(asked);
            world_settle(world);
        }
        world_advance(world, 5000);
        assert_non_null(asked);
        leaves[i % COUNT_OF(leaves)](client);
        assert_null(asked);
        if (!is_deaf) {
            const struct record *record = world_record(world);
            expect_text(record, record->cause, "client_gone");
        }
        world_finish();
    }
}

/* Where the answer has its length a client may be half-closed, and gets it all. */
static void test_an_answer_comes_to_a_half_closed_client(void **state)
{
    (void)state;
    struct world *world = world_with(&careful);
    struct peer *client = world_client(world);
    peer_say(client, GET);
    peer_fin(client);
    world_advance(world, 1000);
    answer(world, 200, "page");
    (void)peer_hears_head(client, "HTTP/1.1 200 OK");
    peer_hears(client, "page");
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_an_answer_may_come_later),
        PLAY(test_a_client_that_goes_away_is_forgotten),
        PLAY(test_a_handler_is_asked_about_requests_only),
        PLAY(test_a_handler_need_not_hear_of_ends),
        PLAY(test_a_large_answer_waits_for_its_client),
        PLAY(test_an_answer_that_is_not_taken_can_be_ended),
        PLAY(test_a_stream_ends_with_its_client),
        PLAY(test_an_answer_comes_to_a_half_closed_client),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
