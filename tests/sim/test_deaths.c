/* A peer that dies at any byte: an origin at every byte of a response, a client at every byte of a request. It ends in
 * order, resets, falls silent, or says nonsense from there on.
 *
 * Whatever happens, the other side is told: an answer of ours where no response had begun, else a message that can
 * be seen to be cut short (RFC 9112 §8). Nothing that is not whole looks whole, and nothing is left. */
#include "sim/expect.h"

#include "http/framing.h"
#include "http/h1_chunk.h"

enum death { DEATH_END, DEATH_RESET, DEATH_SILENCE, DEATH_NONSENSE, DEATHS };

/* How a message came. */
enum came { CAME_NOTHING, CAME_PART, CAME_WHOLE };

#define LIMITS "timeouts: {client_head: 300ms, body_stall: 500ms, response_head: 700ms}"

static void die(struct peer *peer, enum death death)
{
    switch (death) {
    case DEATH_END: peer_close(peer); break;
    case DEATH_RESET: peer_reset(peer); break;
    case DEATH_SILENCE: world_advance(peer->world, 5000); break;
    case DEATH_NONSENSE:
        peer_say_bytes(peer, "\0\xff\r\r\n", 5);
        peer_close(peer);
        break;
    case DEATHS: break;
    }
}

/* ---- reading what was heard ---- */

static bool chunked_is_whole(struct slice rest)
{
    struct h1_chunk chunk;
    h1_chunk_init(&chunk);
    for (;;) {
        size_t used = 0;
        struct slice data = SLICE_NONE;
        if (rest.len == 0)
            return false;
        enum status status = h1_chunk_next(&chunk, rest, &used, &data);
        assert_true(status == ST_OK || status == ST_AGAIN || status == ST_EOF);
        rest = slice_from(rest, used);
        if (status == ST_EOF) /* "\r\n", or trailers and that */
            return rest.len >= 2 && rest.at[rest.len - 2] == '\r' &&
                   rest.at[rest.len - 1] == '\n' &&
                   (rest.len == 2 || rest.at[rest.len - 3] == '\n');
        if (status == ST_AGAIN)
            return false;
    }
}

/* How the first final message that this peer heard came. `*ret_status` is 0 for requests and where there is none. */
static enum came how_it_came(const struct peer *peer, bool is_request, enum method asked,
                             unsigned *ret_status)
{
    struct block_pool *blocks = block_pool_create(0, 0);
    struct h1_limits limits = {65536, 1000, 32768};
    struct slice heard = slice_of(peer->heard, peer->heard_len);
    enum came came = heard.len > 0 ? CAME_PART : CAME_NOTHING;
    struct arena arena;
    struct head head;
    *ret_status = 0;
    arena_init(&arena, blocks, 1 << 20);
    do {
        struct h1_progress progress = {0};
        enum h1_fault fault = H1_FAULT_NONE;
        struct framing body;
        size_t used = 0;
        head_init(&head, &arena);
        enum status status =
            heard.len == 0 ? ST_AGAIN
            : is_request   ? h1_parse_request(heard, &limits, &progress, &head, &used, &fault)
                           : h1_parse_response(heard, &limits, &progress, &head, &used, &fault);
        assert_true(status == ST_OK || status == ST_AGAIN);
        if (status == ST_AGAIN)
            break;
        assert_int_equal(is_request ? framing_of_request(&head, &body)
                                    : framing_of_response(&head, asked, &body),
                         FRAMING_FAULT_NONE);
        heard = slice_from(heard, used);
        *ret_status = head.status;
        bool is_whole = body.kind == FRAMING_NONE ||
                        (body.kind == FRAMING_LENGTH && heard.len >= body.length) ||
                        (body.kind == FRAMING_CLOSE && peer->saw_fin && !peer->saw_reset) ||
                        (body.kind == FRAMING_CHUNKED && chunked_is_whole(heard));
        came = is_whole ? CAME_WHOLE : CAME_PART;
    } while (!is_request && head_is_interim(&head) && head.status != 101);
    arena_done(&arena);
    block_pool_destroy(&blocks);
    return came;
}

/* ---- an origin dies ---- */

struct response_case {
    const char *request;
    enum method asked;
    const char *response;
    /* From so many bytes on the response is whole, if the origin then ends in order. */
    size_t whole_from;
};

static const char get11[] = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
static const char get10[] = "GET http://a.test/ HTTP/1.0\r\n\r\n";
static const char head11[] = "HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";

#define OK     "HTTP/1.1 200 OK\r\n"
#define LENGTH OK "Content-Length: 10\r\n\r\n0123456789"
#define CHUNKED \
    OK "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\nX-Sum: 1\r\n\r\n"
#define CLOSED  OK "X: y\r\n\r\n0123456789"
#define INTERIM "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" LENGTH
#define NONE    "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"
#define OLD     "HTTP/1.0 200 OK\r\n\r\n0123456789"

/* A response to HEAD and one that ends with its connection are whole once their head is. */
static const struct response_case response_cases[] = {
    {get11, METHOD_GET, LENGTH, sizeof(LENGTH) - 1},
    {get11, METHOD_GET, CHUNKED, sizeof(CHUNKED) - 1},
    {get11, METHOD_GET, CLOSED, sizeof(CLOSED) - 11},
    {get11, METHOD_GET, INTERIM, sizeof(INTERIM) - 1},
    {get11, METHOD_GET, NONE, sizeof(NONE) - 1},
    {get11, METHOD_GET, OLD, sizeof(OLD) - 11},
    {get10, METHOD_GET, LENGTH, sizeof(LENGTH) - 1},
    {get10, METHOD_GET, CHUNKED, sizeof(CHUNKED) - 1},
    {get10, METHOD_GET, CLOSED, sizeof(CLOSED) - 11},
    {head11, METHOD_HEAD, LENGTH, sizeof(LENGTH) - 11},
};

static void origin_dies(const struct response_case *c, size_t at, enum death death)
{
    struct world *world = world_create(LIMITS);
    struct peer *client = world_client(world);
    peer_say(client, c->request);
    struct peer *origin = world_origin(world);
    if (at > 0)
        peer_say_bytes(origin, c->response, at);
    die(origin, death);
    world_advance(world, 5000);

    unsigned status = 0;
    enum came came = how_it_came(client, /* is_request= */ false, c->asked, &status);
    bool is_ours = status == 502 || status == 504;
    bool is_closed_framing = strstr(c->response, "0123456789") != NULL && c->asked == METHOD_GET &&
                             strstr(c->response, "Content-Length") == NULL;
    bool is_whole = at >= c->whole_from && (death == DEATH_END || !is_closed_framing);
    /* nonsense is as good as any byte of a body that ends with its connection */
    is_whole = is_whole || (is_closed_framing && death == DEATH_NONSENSE && at >= c->whole_from);
    if (is_whole)
        assert_true(came == CAME_WHOLE && !is_ours);
    else if (is_ours)
        assert_int_equal(came, CAME_WHOLE);
    else if (death == DEATH_NONSENSE && at < c->whole_from && came == CAME_WHOLE)
        assert_true(c->whole_from - at <= 5); /* it stood in for the last bytes of the body */
    else
        assert_int_equal(came, CAME_PART);
    /* A response that began to come is never replaced by another: the client is cut off. */
    if (came == CAME_PART)
        assert_false(peer_is_open(client));
    assert_int_equal(counter_get(&world->counters, COUNT_REQUESTS), 1);
    assert_int_not_equal(world_record(world)->end, END_NONE);
    world_finish();
}

static void test_an_origin_dies_at_any_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(response_cases); i++) {
        const struct response_case *c = &response_cases[i];
        for (size_t at = 0; at <= strlen(c->response); at++) {
            for (enum death death = DEATH_END; death < DEATHS; death++)
                origin_dies(c, at, death);
        }
    }
}

/* ---- a client dies ---- */

static const char *const request_cases[] = {
    "GET http://a.test/path HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n",
    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n0123456789",
    ("POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\n01234\r\n5\r\n56789\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "PUT http://a.test/ HTTP/1.0\r\nContent-Length: 10\r\n\r\n0123456789",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
};

static void client_dies(const char *request, size_t at, enum death death)
{
    struct world *world = world_create(LIMITS);
    struct peer *client = world_client(world);
    bool is_whole = at == strlen(request);
    if (at > 0)
        peer_say_bytes(client, request, at);
    struct peer *origin = world_has_origin(world) ? world_origin(world) : NULL;
    die(client, death);
    world_advance(world, 5000);

    unsigned status = 0;
    bool is_connect = request[0] == 'C';
    if (is_connect && !is_whole)
        assert_null(origin);
    if (origin != NULL && !is_connect) {
        enum came came = how_it_came(origin, /* is_request= */ true, METHOD_OTHER, &status);
        /* What came whole had nonsense for the last bytes of its body. */
        if (!is_whole && came == CAME_WHOLE)
            assert_int_equal(death, DEATH_NONSENSE);
        if (came == CAME_PART)
            assert_false(peer_is_open(origin));
    }
    bool is_answered =
        how_it_came(client, /* is_request= */ false, METHOD_GET, &status) == CAME_WHOLE;
    /* 400 for what is no request, 408 for what is late; 502 and 504 are the origin's. */
    if (!is_whole && is_answered)
        assert_true(status == 400 || status == 408 || status == 502 || status == 504);
    world_finish();
}

static void test_a_client_dies_at_any_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(request_cases); i++) {
        for (size_t at = 0; at <= strlen(request_cases[i]); at++) {
            for (enum death death = DEATH_END; death < DEATHS; death++)
                client_dies(request_cases[i], at, death);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_an_origin_dies_at_any_byte),
        PLAY(test_a_client_dies_at_any_byte),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
