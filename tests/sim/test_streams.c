/* Bytes arrive whole and in order, whatever the framing, the pieces, the room and the pauses: drawn from a seed. */
#include "sim/expect.h"

#include <stdio.h>

enum { STREAMS_SEEDS = 400, STREAMS_MAX = 300000 };

enum framed { FRAMED_LENGTH, FRAMED_CHUNKED, FRAMED_CLOSE, FRAMED_NOT };

/* One direction: a pattern of `total` bytes from one peer to the other. */
struct flow {
    struct peer *from;
    struct peer *to;
    enum framed framed;
    size_t total;
    size_t said;
    bool is_ended;
};

static size_t draw_total(void)
{
    return draw(4) == 0 ? draw(20) : draw(STREAMS_MAX);
}

static void flow_say_head(struct flow *flow, const char *first_lines)
{
    char field[64] = "";
    if (flow->framed == FRAMED_LENGTH)
        (void)snprintf(field, sizeof(field), "Content-Length: %zu\r\n", flow->total);
    if (flow->framed == FRAMED_CHUNKED)
        (void)snprintf(field, sizeof(field), "Transfer-Encoding: chunked\r\n");
    peer_say(flow->from, first_lines);
    peer_say(flow->from, field);
    peer_say(flow->from, "\r\n");
}

static void flow_say_end(struct flow *flow)
{
    flow->is_ended = true;
    if (flow->framed == FRAMED_CHUNKED)
        peer_say(flow->from, "0\r\n\r\n");
    if (flow->framed == FRAMED_CLOSE || flow->framed == FRAMED_NOT)
        peer_fin(flow->from);
}

static void flow_say(struct flow *flow)
{
    size_t left = flow->total - flow->said;
    if (left == 0) {
        flow_say_end(flow);
        return;
    }
    size_t len = 1 + draw(draw(3) == 0 ? 20 : 60000);
    len = len < left ? len : left;
    char line[24];
    (void)snprintf(line, sizeof(line), "%zx\r\n", len);
    if (flow->framed == FRAMED_CHUNKED)
        peer_say(flow->from, line);
    peer_say_pattern_from(flow->from, flow->said, len);
    if (flow->framed == FRAMED_CHUNKED)
        peer_say(flow->from, "\r\n");
    flow->said += len;
}

static void flow_step(struct world *world, struct flow *flow)
{
    switch (draw(10)) {
    case 0: peer_deafen(flow->to); break;
    case 1: peer_listen(flow->to); break;
    case 2: peer_read(flow->to, 1 + draw(20000)); break;
    case 3: world_hold(world); break;
    case 4:
    case 5: world_go(world); break;
    case 6:
        world_go(world);
        world_advance(world, draw(100));
        break;
    default:
        if (!flow->is_ended)
            flow_say(flow);
        break;
    }
}

static void flows_play(struct world *world, struct flow *flows, size_t count)
{
    bool goes_on = true;
    while (goes_on) {
        goes_on = false;
        flow_step(world, &flows[draw((unsigned)count)]);
        for (size_t i = 0; i < count; i++)
            goes_on = goes_on || !flows[i].is_ended;
    }
    world_go(world);
    for (size_t i = 0; i < count; i++)
        peer_listen(flows[i].to);
}

/* The message at `peer` is a head with this first line and the whole pattern. */
static void expect_message(struct peer *peer, const char *first_line, size_t total)
{
    char *plain = unchunked(peer->heard);
    char *body = strstr(plain, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strncmp(plain, first_line, strlen(first_line)), 0);
    body += 4;
    assert_int_equal(strlen(body), total);
    expect_pattern(body, 0, total);
    free(plain);
}

static void play_exchange(bool is_in_turn)
{
    struct world *world = world_create("");
    world->room = 200 + draw(3) * 30000;
    struct peer *client = world_client(world);
    bool is_old = draw(4) == 0;
    struct flow flows[2] = {
        {.from = client, .framed = (enum framed)draw(2), .total = draw_total()},
        {.to = client, .framed = (enum framed)draw(3), .total = draw_total()},
    };
    if (is_old)
        flows[0].framed = FRAMED_LENGTH;
    flow_say_head(&flows[0], is_old ? "POST http://a.test/ HTTP/1.0\r\n"
                                    : "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n");
    struct peer *origin = world_origin(world);
    flows[0].to = flows[1].from = origin;
    /* Where the response's end closes a connection, what is left of the upload may be dropped. */
    is_in_turn = is_in_turn || is_old || flows[1].framed == FRAMED_CLOSE;
    if (is_in_turn)
        flows_play(world, flows, 1);
    flow_say_head(&flows[1], "HTTP/1.1 200 OK\r\n");
    flows_play(world, flows + is_in_turn, 2 - is_in_turn);
    expect_message(origin, "POST / HTTP/1.1\r\n", flows[0].total);
    expect_message(client, "HTTP/1.1 200 OK\r\n", flows[1].total);
    const struct record *record = world_record(world);
    assert_int_equal(record->end, END_DONE);
    assert_int_equal(record->request_body_bytes, flows[0].total);
    assert_int_equal(record->response_body_bytes, flows[1].total);
}

static void play_in_turn(void)
{
    play_exchange(/* is_in_turn= */ true);
}

static void play_overlapping(void)
{
    play_exchange(/* is_in_turn= */ false);
}

static void play_tunnel(void)
{
    struct world *world = world_create("");
    world->room = 200 + draw(3) * 30000;
    struct peer *client = world_client(world);
    size_t early = draw(5000);
    struct flow flows[2] = {
        {.from = client, .framed = FRAMED_NOT, .total = early + draw_total(), .said = early},
        {.to = client, .framed = FRAMED_NOT, .total = draw_total()},
    };
    world_hold(world);
    peer_say(client, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
    peer_say_pattern(client, early);
    world_go(world);
    (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
    flows[0].to = flows[1].from = world_origin(world);
    flows_play(world, flows, 2);
    peer_hears_pattern(flows[0].to, 0, flows[0].total);
    peer_hears_pattern(flows[1].to, 0, flows[1].total);
    assert_true(client->saw_fin && flows[0].to->saw_fin);
    const struct record *record = world_record(world);
    assert_int_equal(record->end, END_DONE);
    assert_int_equal(record->request_body_bytes, flows[0].total);
    assert_int_equal(record->response_body_bytes, flows[1].total);
}

/* Both bodies of an exchange arrive whole. */
static void test_bodies_arrive_whole(void **state)
{
    (void)state;
    play_seeds(play_in_turn, STREAMS_SEEDS);
}

/* The same where they overlap: a response may end before the upload does, and both connections go on. */
static void test_overlapping_bodies_arrive_whole(void **state)
{
    (void)state;
    play_seeds(play_overlapping, STREAMS_SEEDS);
}

/* Both directions of a tunnel arrive whole, then their ends, both in order. */
static void test_tunnels_arrive_whole(void **state)
{
    (void)state;
    play_seeds(play_tunnel, STREAMS_SEEDS);
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_bodies_arrive_whole),
        PLAY(test_overlapping_bodies_arrive_whole),
        PLAY(test_tunnels_arrive_whole),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
