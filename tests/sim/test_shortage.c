/* Memory runs out at every place where some is asked for.
 *
 * This program is linked so that each call of the functions that give memory on the request path comes through here
 * (--wrap in meson.build). A play is repeated with the first call refused, then the second, until there is no such
 * call left; and the same once more with every call refused from there on.
 *
 * Whatever is refused, the client hears what it hears with memory, or is told 503, or its connection ends before it has
 * heard all; there is one record for each request; the next client is served; and nothing is left. */
#include "sim/expect.h"

#include "base/arena.h"
#include "base/slab.h"
#include "proxy/handler.h"

#include <stdio.h>

/* ---- the calls ---- */

static struct {
    unsigned asked;   /* calls so far */
    unsigned refused; /* which of them, from 1; 0: none */
    bool is_for_good; /* and all that follow */
} memory;

static bool memory_is_short(void)
{
    memory.asked++;
    if (memory.refused == 0)
        return false;
    return memory.is_for_good ? memory.asked >= memory.refused : memory.asked == memory.refused;
}

struct slice __real_arena_copy(struct arena *arena, struct slice s);
struct slice __wrap_arena_copy(struct arena *arena, struct slice s);
struct slice __wrap_arena_copy(struct arena *arena, struct slice s)
{
    return memory_is_short() ? SLICE_NONE : __real_arena_copy(arena, s);
}

void *__real_arena_alloc(struct arena *arena, size_t len);
void *__wrap_arena_alloc(struct arena *arena, size_t len);
void *__wrap_arena_alloc(struct arena *arena, size_t len)
{
    return memory_is_short() ? NULL : __real_arena_alloc(arena, len);
}

struct block *__real_block_create(struct block_pool *pool, size_t min_bytes);
struct block *__wrap_block_create(struct block_pool *pool, size_t min_bytes);
struct block *__wrap_block_create(struct block_pool *pool, size_t min_bytes)
{
    return memory_is_short() ? NULL : __real_block_create(pool, min_bytes);
}

void *__real_slab_alloc(struct slab *slab);
void *__wrap_slab_alloc(struct slab *slab);
void *__wrap_slab_alloc(struct slab *slab)
{
    return memory_is_short() ? NULL : __real_slab_alloc(slab);
}

/* ---- the plays: both peers go on as if nothing had happened ---- */

#define LIMITS                                                                                \
    "forwarded: forwarded\ntimeouts: {client_head: 300ms, body_stall: 500ms, response_head: " \
    "700ms}"
#define OK       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HOST     "Host: a.test\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

struct scene {
    struct world *world;
    struct peer *client;
    struct peer *origin; /* the last one that was reached; NULL: none */
};

static void client_says(struct scene *s, const char *text)
{
    peer_say(s->client, text);
    while (world_has_origin(s->world))
        s->origin = world_origin(s->world);
}

static void origin_says(struct scene *s, const char *text)
{
    if (s->origin != NULL && s->origin->end != NULL)
        peer_say(s->origin, text);
}

static void play_get(struct scene *s)
{
    client_says(s, "GET http://a.test?query HTTP/1.1\r\n" HOST "\r\n");
    origin_says(s, OK);
    client_says(s, "GET https://a.test/ HTTP/1.1\r\n" HOST
                   "Forwarded: for=x\r\nForwarded: for=y\r\n\r\n");
    origin_says(s, OK);
}

/* All heads and bodies come in pieces, with what makes heads longer. */
static void play_pieces(struct scene *s)
{
    client_says(s, "POST http://a.test/ HTTP/1.1\r\n" HOST "Connection: x-mine\r\n");
    client_says(s, "X-Mine: 1\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0123");
    client_says(s, "4\r\n0\r\nX-Sum: 1\r\n");
    client_says(s, "Trailer: 2\r\n\r\n");
    origin_says(s, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTrans");
    origin_says(s, "fer-Encoding: chunked\r\nConnection: y\r\nY: z\r\n\r\n5\r\n01");
    origin_says(s, "234\r\n0\r\nX-Sum: 1\r\n");
    origin_says(s, "X-More: 1\r\n\r\n");
}

static void play_many_fields(struct scene *s)
{
    char fields[60 * 16 + 1] = "";
    for (int i = 0; i < 60; i++)
        (void)snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields),
                       "X-%02d: value\r\n", i);
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST);
    client_says(s, fields);
    client_says(s, "\r\n");
    origin_says(s, "HTTP/1.1 200 OK\r\n");
    origin_says(s, fields);
    origin_says(s, "Content-Length: 2\r\n\r\nok");
}

/* A connection of the pool turns out to be dead: what went out on it goes out again. */
static void play_again(struct scene *s)
{
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST "\r\n");
    origin_says(s, OK);
    client_says(s, "PUT http://a.test/ HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
    if (s->origin != NULL)
        peer_close(s->origin);
    client_says(s, "56789");
    origin_says(s, OK);
}

/* The same with a body that does not lie beside its head. */
static void play_much_again(struct scene *s)
{
    char body[4001] = "";
    memset(body, 'b', sizeof(body) - 1);
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST "\r\n");
    origin_says(s, OK);
    client_says(s, "PUT http://a.test/ HTTP/1.1\r\n" HOST "Content-Length: 4000\r\n\r\n");
    client_says(s, body);
    if (s->origin != NULL)
        peer_close(s->origin);
    client_says(s, "");
    origin_says(s, OK);
}

static void play_again_to_a_deaf_one(struct scene *s)
{
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST "\r\n");
    origin_says(s, OK);
    s->world->room = 20;
    s->world->makes_deaf = true;
    client_says(s, "PUT http://a.test/ HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
    if (s->origin != NULL)
        peer_close(s->origin);
    client_says(s, "56789");
    if (s->origin != NULL && s->origin->end != NULL)
        peer_listen(s->origin);
    origin_says(s, OK);
}

static void play_expect(struct scene *s)
{
    client_says(s, "PUT http://a.test/ HTTP/1.1\r\n" HOST
                   "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    origin_says(s, "HTTP/1.1 100 Continue\r\n\r\n");
    client_says(s, "ab");
    origin_says(s, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    /* known to speak HTTP/1.0 by now: the 100 is ours */
    client_says(s, "PUT http://a.test/ HTTP/1.1\r\n" HOST
                   "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    client_says(s, "ab");
    origin_says(s, OK);
}

static void play_options(struct scene *s)
{
    client_says(s, "OPTIONS http://a.test/ HTTP/1.1\r\n" HOST "Max-Forwards: 3\r\n\r\n");
    origin_says(s, OK);
    client_says(s, "TRACE http://a.test/ HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n\r\n");
    client_says(s, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
    client_says(s,
                "GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n");
}

static void play_no_request(struct scene *s)
{
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST "Host: b.test\r\n\r\n");
}

static void play_half_a_head(struct scene *s)
{
    client_says(s, "GET http://a.test/ HTTP/1.1\r\nHo");
    world_advance(s->world, 300);
}

static void play_tunnel(struct scene *s)
{
    s->world->room = 40;
    client_says(s,
                "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\nfrom the client at once");
    origin_says(s, "from the origin");
    client_says(s, " and later, more than there is room for at the far end of it");
    origin_says(s, " and later, more than there is room for at the far end of it");
}

/* Its record is longer than most. */
static void play_long_upgrade(struct scene *s)
{
    char path[2001] = "";
    memset(path, 'p', sizeof(path) - 1);
    client_says(s, "GET http://a.test/");
    client_says(s, path);
    client_says(s, " HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n\r\n");
    origin_says(s, UPGRADED "hello");
}

static void play_upgrade(struct scene *s)
{
    client_says(s,
                "GET http://a.test/ HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n\r\n");
    origin_says(s, UPGRADED "hello");
    client_says(s, "hello");
}

/* Neither reads for a while: what was received already is kept. */
static void play_deaf(struct scene *s)
{
    s->world->makes_deaf = true;
    s->world->room = 60;
    client_says(s, "POST http://a.test/ HTTP/1.1\r\n" HOST "Content-Length: 200\r\n\r\n");
    peer_say_pattern(s->client, 200);
    peer_deafen(s->client);
    if (s->origin != NULL && s->origin->end != NULL)
        peer_listen(s->origin);
    origin_says(s, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload; as=style\r\n\r\n");
    origin_says(s, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n");
    if (s->origin != NULL && s->origin->end != NULL)
        peer_say_pattern(s->origin, 200);
    peer_listen(s->client);
}

/* The client alone does not, and the response has begun. */
static void play_deaf_client(struct scene *s)
{
    peer_set_room(s->client, 60);
    peer_deafen(s->client);
    client_says(s, "GET http://a.test/ HTTP/1.1\r\n" HOST "\r\n");
    origin_says(s, "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
    if (s->origin != NULL && s->origin->end != NULL)
        peer_say_pattern(s->origin, 20000);
    peer_listen(s->client);
    if (s->origin != NULL && s->origin->end != NULL)
        peer_say_pattern_from(s->origin, 20000, 20000);
}

/* A handler answers at once, with all that an answer may have. */
static void handle(const struct handler *handler, struct exchange *exchange,
                   const struct handler_request *request)
{
    (void)handler, (void)request;
    exchange_answer(exchange, &(struct answer){.status = 405,
                                               .type = "text/plain",
                                               .allow = "GET",
                                               .authenticate = "Basic",
                                               .body = SLICE("a body")});
}

static void play_handled(struct scene *s)
{
    static const struct handler handler = {.answer = handle};
    s->world->proxy.handler = &handler;
    client_says(s, "POST /page HTTP/1.1\r\n" HOST "\r\n");
    client_says(s, "HEAD /page HTTP/1.1\r\n" HOST "\r\n");
    s->world->proxy.handler = NULL;
}

static const struct play {
    void (*run)(struct scene *s);
    const char *also; /* what a client may be told besides 503 */
} plays[] = {
    {play_get, NULL},
    {play_pieces, NULL},
    {play_many_fields, NULL},
    {play_again, "HTTP/1.1 502 "}, /* what was not kept is not sent again */
    {play_much_again, "HTTP/1.1 502 "},
    {play_again_to_a_deaf_one, "HTTP/1.1 502 "},
    {play_expect, NULL},
    {play_options, "HTTP/1.1 403 Forbidden\r\n"}, /* without the words of the rule */
    {play_no_request, NULL},
    {play_half_a_head, NULL},
    {play_tunnel, NULL},
    {play_long_upgrade, NULL},
    {play_upgrade, NULL},
    {play_deaf, NULL},
    {play_deaf_client, NULL},
    {play_handled, NULL},
};

/* ---- what holds ---- */

/* There is memory again: a new client is served. */
static void expect_goes_on(struct world *world)
{
    world->room = WORLD_ROOM;
    world->makes_deaf = false;
    struct peer *next = world_client(world);
    peer_say(next, "GET http://next.test/ HTTP/1.1\r\nHost: next.test\r\n\r\n");
    peer_say(world_origin(world), "HTTP/1.1 204 No Content\r\n\r\n");
    (void)peer_hears_head(next, "HTTP/1.1 204 No Content");
}

static void expect_told(const struct peer *client, const char *usual, const char *also)
{
    bool is_usual = strcmp(client->heard, usual) == 0;
    bool is_cut = !peer_is_open(client) && strncmp(client->heard, usual, client->heard_len) == 0;
    bool is_told = strstr(client->heard, "HTTP/1.1 503 ") != NULL ||
                   (also != NULL && strstr(client->heard, also) != NULL);
    if (!is_usual && !is_cut && !is_told)
        fail_msg("call %u refused%s: the client hears \"%s\" and its connection is %s",
                 memory.refused, memory.is_for_good ? " and all that follow" : "", client->heard,
                 peer_is_open(client) ? "open" : "ended");
}

/* The play with this call refused. Gives what the client heard, or looks at it where `usual` says what it should. */
static char *play_once(const struct play *play, unsigned refused, bool is_for_good,
                       const char *usual)
{
    struct scene s = {.world = world_create(LIMITS)};
    memory.asked = 0;
    memory.refused = refused;
    memory.is_for_good = is_for_good;
    s.client = world_client(s.world);
    play->run(&s);
    world_advance(s.world, 5000);
    if (usual != NULL)
        expect_told(s.client, usual, play->also);
    memory.refused = 0;
    unsigned asked = memory.asked;
    char *heard = strdup(s.client->heard);
    expect_goes_on(s.world);
    uint64_t records = 0;
    for (; world_has_record(s.world); records++)
        (void)world_record(s.world);
    assert_int_equal(records + counter_get(&s.world->counters, COUNT_TUNNELS_OPEN),
                     counter_get(&s.world->counters, COUNT_REQUESTS));
    world_finish();
    memory.asked = asked;
    return heard;
}

static void play_all(bool is_for_good)
{
    for (const struct play *play = plays; play < plays + COUNT_OF(plays); play++) {
        char *usual = play_once(play, 0, false, NULL);
        assert_true(strlen(usual) > 0);
        for (unsigned refused = 1; refused == 1 || memory.asked >= refused - 1; refused++)
            free(play_once(play, refused, is_for_good, usual));
        free(usual);
    }
}

static void test_one_call_is_refused(void **state)
{
    (void)state;
    play_all(/* is_for_good= */ false);
}

static void test_all_calls_are_refused_from_one_on(void **state)
{
    (void)state;
    play_all(/* is_for_good= */ true);
}

int main(void)
{
    static const struct CMUnitTest all[] = {
        PLAY(test_one_call_is_refused),
        PLAY(test_all_calls_are_refused_from_one_on),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
