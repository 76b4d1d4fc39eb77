/* Whole connections: what clients and origins say, in any pieces and any order, with ends, resets, pauses and time
 * between, against the simulated proxy.
 *
 * The input is a script of steps (see run_step). Some say what the fuzzer likes, some say sound messages whose bodies
 * are bytes from 128 on that tell who said them; what the fuzzer says has no such bytes. Afterwards:
 *
 *   - what every origin heard is a row of requests, and what every client heard a row of responses, each framed as
 *     it says; only the last may be cut short
 *   - no client heard more final responses than it made requests
 *   - no message holds the marks of two peers
 *   - nothing is left: no object, no block, no timer */

#include "fuzz/fuzz_http.h"

#include "http/framing.h"
#include "http/h1_chunk.h"
#include "sim/peer.h"
#include "upstream/pool.h"

#include <stdio.h>

enum {
    PEERS_MAX = 16,
    CLIENTS_MAX = 4,
    STEPS_MAX = 200,
    MARK = 128,
    SAID_MAX = 65536,
    ENDS_MAX = 60
};

/* What the proxy sends may be larger than what it takes. */
static const struct h1_limits wide = {
    .head_bytes = 1 << 20, .field_count = 10000, .target_bytes = 1 << 20};

struct player {
    struct peer *peer;
    bool is_client;
    char *said; /* a client's bytes */
    size_t said_len;
};

struct play {
    struct world *world;
    struct player players[PEERS_MAX];
    unsigned count;
    unsigned clients;
    const uint8_t *at;
    const uint8_t *end;
};

static unsigned take(struct play *play)
{
    return play->at < play->end ? *play->at++ : 0;
}

static void add_player(struct play *play, struct peer *peer, bool is_client)
{
    play->players[play->count++] = (struct player){.peer = peer, .is_client = is_client};
}

static void find_origins(struct play *play)
{
    while (world_has_origin(play->world)) {
        struct peer *origin = world_origin(play->world);
        if (play->count < PEERS_MAX)
            add_player(play, origin, /* is_client= */ false);
        else
            peer_reset(origin);
    }
}

/* ---- the steps ---- */

static void say(struct player *player, const char *bytes, size_t len)
{
    if (player->peer->end == NULL || player->peer->is_ending || player->said_len + len > SAID_MAX)
        return;
    if (player->is_client) {
        player->said = realloc(player->said, player->said_len + len + 1);
        CHECK(player->said != NULL);
        memcpy(player->said + player->said_len, bytes, len);
        player->said_len += len;
    }
    peer_say_bytes(player->peer, bytes, len);
}

/* What the fuzzer likes, without marks, and without a V: so only the proxy says "Via". */
static void say_wild(struct play *play, struct player *player)
{
    char bytes[256];
    size_t len = take(play);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(take(play) & 127);
    for (size_t i = 0; i < len; i++)
        bytes[i] = bytes[i] == 'V' ? 'v' : bytes[i];
    say(player, bytes, len);
}

static void say_marks(struct player *player, unsigned which, size_t len)
{
    char marks[512];
    memset(marks, (int)(MARK + which), sizeof(marks));
    say(player, marks, len < sizeof(marks) ? len : sizeof(marks));
}

static const char *const requests[] = {
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET http://a.test/ HTTP/1.0\r\n\r\n",
    "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "PUT http://a.test/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length:9\r\n\r\n",
    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: ",
};

static const char *const responses[] = {
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: ",
};

/* A sound head; the last of each list has a length and as many marks behind it. */
static void say_head(struct play *play, struct player *player, unsigned which)
{
    char text[64];
    const char *const *list = player->is_client ? requests : responses;
    unsigned row = take(play) % COUNT_OF(requests);
    say(player, list[row], strlen(list[row]));
    if (row < COUNT_OF(requests) - 1)
        return;
    size_t len = take(play);
    say(player, text, (size_t)snprintf(text, sizeof(text), "%zu\r\n\r\n", len));
    say_marks(player, which, len);
}

static void say_chunk(struct play *play, struct player *player, unsigned which)
{
    char line[16];
    size_t len = take(play);
    say(player, line, (size_t)snprintf(line, sizeof(line), "%zx\r\n", len));
    say_marks(player, which, len);
    say(player, "\r\n", 2);
}

static void run_step(struct play *play)
{
    unsigned op = take(play);
    struct world *world = play->world;
    if (play->clients == 0 ||
        (op % 16 == 0 && play->clients < CLIENTS_MAX && play->count < PEERS_MAX)) {
        world->room = 64U << (take(play) % 11);
        play->clients++;
        add_player(play, world_client(world), /* is_client= */ true);
        return;
    }
    unsigned which = (op >> 4) % play->count;
    struct player *player = &play->players[which];
    switch (op % 16) {
    case 1: peer_fin(player->peer); break;
    case 2: peer_reset(player->peer); break;
    case 3: peer_close(player->peer); break;
    case 4: peer_deafen(player->peer); break;
    case 5: peer_listen(player->peer); break;
    case 6: world_hold(world); break;
    case 7: world_go(world); break;
    case 8:
        world_go(world);
        world_advance(world, take(play) * 4);
        break;
    case 9: pool_flush(world->engine.pool); break;
    case 10: say_marks(player, which, take(play)); break;
    case 11: say_chunk(play, player, which); break;
    case 12: say_wild(play, player); break;
    default: say_head(play, player, which); break;
    }
}

/* ---- what must hold of what was heard ---- */

/* All marks in a message are of one peer. */
static void check_marks(struct slice message)
{
    unsigned mark = 0;
    for (size_t i = 0; i < message.len; i++) {
        unsigned byte = (unsigned char)message.at[i];
        if (byte < MARK)
            continue;
        CHECK(mark == 0 || mark == byte);
        mark = byte;
    }
}

/* Where the trailers at the front of `rest` end; 0 where they do not. */
static size_t trailers_length(struct slice rest)
{
    for (size_t i = 0; i + 1 < rest.len; i++) {
        bool begins_line = i == 0 || rest.at[i - 1] == '\n';
        if (begins_line && rest.at[i] == '\r' && rest.at[i + 1] == '\n')
            return i + 2;
    }
    return 0;
}

/* The length of a body and its trailers at the front of `rest`; all of it where it is cut short. ST_AGAIN: it is
 * cut short; ST_BAD: it is malformed. */
static enum status measure_body(struct framing body, struct slice rest, size_t *ret_len)
{
    *ret_len = body.kind == FRAMING_NONE ? 0 : rest.len;
    if (body.kind == FRAMING_NONE)
        return ST_OK;
    if (body.kind == FRAMING_LENGTH && body.length <= rest.len) {
        *ret_len = (size_t)body.length;
        return ST_OK;
    }
    if (body.kind != FRAMING_CHUNKED)
        return ST_AGAIN;
    struct h1_chunk chunk;
    struct slice left = rest;
    enum status status = ST_OK;
    h1_chunk_init(&chunk);
    while (status == ST_OK) {
        size_t used = 0;
        struct slice data = SLICE_NONE;
        if (left.len == 0)
            return ST_AGAIN;
        status = h1_chunk_next(&chunk, left, &used, &data);
        if (status == ST_BAD || status == ST_LIMIT)
            return ST_BAD;
        left = slice_from(left, used);
    }
    size_t trailers = status == ST_EOF ? trailers_length(left) : 0;
    if (trailers == 0)
        return ST_AGAIN;
    *ret_len = rest.len - left.len + trailers;
    return ST_OK;
}

/* The next message that the proxy sent; `*rest` is what is behind it. False: what is left is no whole head. */
static bool next_message(struct fuzz_http *fuzz, struct slice *rest, bool is_request,
                         enum method asked, struct head *head)
{
    size_t used = 0;
    size_t len = 0;
    struct framing body;
    struct h1_progress progress = {0};
    enum h1_fault fault = H1_FAULT_NONE;
    if (rest->len == 0)
        return false;
    head_init(head, &fuzz->arena);
    enum status status = is_request
                             ? h1_parse_request(*rest, &wide, &progress, head, &used, &fault)
                             : h1_parse_response(*rest, &wide, &progress, head, &used, &fault);
    CHECK(status == ST_OK || status == ST_AGAIN);
    if (status == ST_AGAIN)
        return false;
    enum framing_fault framing =
        is_request ? framing_of_request(head, &body) : framing_of_response(head, asked, &body);
    CHECK(framing == FRAMING_FAULT_NONE);
    CHECK(measure_body(body, slice_from(*rest, used), &len) != ST_BAD);
    check_marks(slice_first(*rest, used + len));
    *rest = slice_from(*rest, used + len);
    return true;
}

static void check_origin(struct fuzz_http *fuzz, const struct player *player)
{
    struct slice rest = slice_of(player->peer->heard, player->peer->heard_len);
    struct head head;
    if (rest.len == 0 || strstr(player->peer->heard, "\r\nVia: 1.") == NULL)
        return; /* a tunnel, whose client may say anything; or a head that is cut short */
    bool is_upgrade = false;
    while (!is_upgrade && next_message(fuzz, &rest, /* is_request= */ true, METHOD_OTHER, &head))
        is_upgrade = fields_has(&head.fields, TOKEN_UPGRADE);
}

/* The next request that a client said; `*said` is what is behind it. False: it is not whole, or not sound, so that
 * there may be one answer to it and none behind that. */
static bool next_request(struct fuzz_http *fuzz, struct slice *said, const struct h1_limits *limits,
                         enum method *ret_method)
{
    struct head head;
    struct framing body;
    size_t used = 0;
    size_t len = 0;
    struct h1_progress progress = {0};
    enum h1_fault fault = H1_FAULT_NONE;
    *ret_method = METHOD_OTHER;
    if (said->len == 0)
        return false;
    head_init(&head, &fuzz->arena);
    if (h1_parse_request(*said, limits, &progress, &head, &used, &fault) != ST_OK)
        return false;
    *ret_method = head.method;
    if (framing_of_request(&head, &body) != FRAMING_FAULT_NONE)
        return false;
    bool is_whole = measure_body(body, slice_from(*said, used), &len) == ST_OK;
    *said = slice_from(*said, used + len);
    return is_whole;
}

/* Responses answer requests one by one, in order, and none comes unasked. */
static void check_client(struct fuzz_http *fuzz, const struct player *player,
                         const struct h1_limits *limits)
{
    struct slice said = slice_of(player->said, player->said_len);
    struct slice heard = slice_of(player->peer->heard, player->peer->heard_len);
    bool is_sound = true;
    while (heard.len > 0) {
        CHECK(is_sound);
        enum method asked;
        is_sound = next_request(fuzz, &said, limits, &asked);
        struct head response;
        do {
            if (!next_message(fuzz, &heard, /* is_request= */ false, asked, &response))
                return;
        } while (response.status < 200 && response.status != 101);
        if (response.status == 101 || (asked == METHOD_CONNECT && response.status < 300))
            return; /* a tunnel */
    }
}

static void check_all(struct play *play)
{
    const struct config *config = play->world->snapshot->config;
    struct h1_limits limits = {(uint32_t)config->limits.head_bytes,
                               (uint32_t)config->limits.head_fields,
                               (uint32_t)config->limits.target_bytes};
    for (unsigned i = 0; i < play->count; i++) {
        struct fuzz_http fuzz;
        fuzz_http_begin(&fuzz);
        fuzz.arena.cap = SIZE_MAX;
        if (play->players[i].is_client)
            check_client(&fuzz, &play->players[i], &limits);
        else
            check_origin(&fuzz, &play->players[i]);
        fuzz_http_end(&fuzz);
    }
}

static bool is_over(const struct play *play)
{
    return list_is_empty(&play->world->proxy.clients) || !list_is_empty(&play->world->reaching);
}

/* Every limit passes, one request of a pipeline after the other. */
static void end_all(struct play *play)
{
    for (int i = 0; i < ENDS_MAX && (i == 0 || !is_over(play)); i++) {
        world_advance(play->world, 20000);
        find_origins(play);
    }
    CHECK(is_over(play));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char yaml[] = "timeouts: {client_head: 300ms, body_stall: 500ms, response_head: "
                               "700ms, keepalive: 900ms, upstream_keepalive: 400ms, tunnel_idle: "
                               "2s, tunnel_half_closed: 300ms, tunnel_lifetime: 5s}";
    struct play play = {.world = world_create(yaml), .at = data, .end = data + len};
    for (int steps = 0; steps < STEPS_MAX && play.at < play.end; steps++) {
        run_step(&play);
        find_origins(&play);
    }
    world_go(play.world);
    end_all(&play);
    check_all(&play);
    world_finish();
    for (unsigned i = 0; i < play.count; i++)
        free(play.players[i].said);
    return 0;
}
