/* The cells of docs/tunnels.md that need an exact time: each state, each side, each limit, at its millisecond and not
 * one earlier. tests/e2e/tunnel/test_truth_table.py has the same states over sockets and TLS. */
#include "sim/expect.h"

#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"

enum { LOAD = 200000 };

enum cell_state {
    STATE_FRESH,
    STATE_SMALL,
    STATE_HELD,      /* the far side does not read */
    STATE_HELD_BOTH, /* nor does the near one */
    STATE_HALF_FAR,  /* the far side has ended its direction */
    STATE_HALF_NEAR, /* the near side has */
    STATE_STOPPED,   /* the near side has ended both: TLS 1.2 */
    STATES,
};

/* A tunnel in some state; `near` is the side that acts. */
struct cell {
    struct world *world;
    struct peer *near;
    struct peer *far;
    const char *near_leg;
    const char *far_leg;
    enum cell_state state;
};

/* As net/tls does it when a close_notify of TLS 1.2 comes; nothing is encrypted here. */
static void fin_both(struct peer *peer)
{
    peer->end->peer->base.ends_both = true;
    peer_fin(peer);
}

static void load(struct cell *cell)
{
    peer_deafen(cell->far);
    peer_say_pattern(cell->near, LOAD);
    if (cell->state != STATE_HELD_BOTH)
        return;
    peer_deafen(cell->near);
    peer_say_pattern(cell->far, LOAD);
}

static void enter(struct cell *cell)
{
    switch (cell->state) {
    case STATE_FRESH:
    case STATES: break;
    case STATE_SMALL:
        peer_say(cell->near, "near");
        peer_say(cell->far, "far");
        break;
    case STATE_HELD:
    case STATE_HELD_BOTH: load(cell); break;
    case STATE_HALF_FAR: peer_fin(cell->far); break;
    case STATE_HALF_NEAR: peer_fin(cell->near); break;
    case STATE_STOPPED: fin_both(cell->near); break;
    }
}

/* A tunnel that has been in its state since 100 ms. */
static struct cell cell_open(const char *yaml, enum cell_state state, bool is_client)
{
    struct cell cell = {.world = world_create(yaml), .state = state};
    struct peer *client = world_client(cell.world);
    peer_say(client, CONNECT);
    (void)peer_hears_head(client, "HTTP/1.1 200 Connection established");
    struct peer *origin = world_origin(cell.world);
    cell.near = is_client ? client : origin;
    cell.far = is_client ? origin : client;
    cell.near_leg = is_client ? "client" : "upstream";
    cell.far_leg = is_client ? "upstream" : "client";
    world_advance(cell.world, 100);
    enter(&cell);
    return cell;
}

/* Play each state in [first, last], near being the client and then the origin. */
static void each_cell(const char *yaml, enum cell_state first, enum cell_state last,
                      void (*play)(struct cell *))
{
    for (unsigned at = first; at <= last; at++) {
        for (int is_client = 0; is_client < 2; is_client++) {
            struct cell cell = cell_open(yaml, (enum cell_state)at, is_client);
            play(&cell);
            world_finish();
        }
    }
}

static void listen_all(struct cell *cell)
{
    peer_listen(cell->near);
    peer_listen(cell->far);
}

static void expect_done(struct cell *cell, const char *leg)
{
    const struct record *record = world_record(cell->world);
    assert_int_equal(record->end, END_DONE);
    assert_int_equal(record->ended_by, strcmp(leg, "client") == 0 ? LEG_CLIENT : LEG_UPSTREAM);
}

/* ---- limits ---- */

#define LIMITS "timeouts: { tunnel_idle: 5s, tunnel_half_closed: 2s, tunnel_lifetime: 20s }"

/* Nothing happens until one millisecond before `ms`; then both sides that are still open are reset. */
static void expect_limit(struct cell *cell, uint64_t ms, const char *cause)
{
    world_advance(cell->world, ms - 1 - world_ms(cell->world));
    assert_false(world_has_record(cell->world));
    world_advance(cell->world, 1);
    const struct record *record = world_record(cell->world);
    expect_end(record, "tunnel 200 timeout proxy");
    expect_text(record, record->cause, cause);
    assert_int_equal(mark_ms(record, MARK_X_END), ms);
    assert_int_equal(world_held_bytes(cell->world), 0);
    listen_all(cell);
    peer_reset_at(cell->near, ms);
    peer_reset_at(cell->far, ms);
}

static void play_idle(struct cell *cell)
{
    expect_limit(cell, cell->state == STATE_FRESH ? 5000 : 5100, "tunnel_idle");
}

/* Idle in each state that is not half-closed: also where bytes are held, for these make no progress. */
static void test_idle(void **state)
{
    (void)state;
    each_cell(LIMITS, STATE_FRESH, STATE_HELD_BOTH, play_idle);
}

static void play_half_closed(struct cell *cell)
{
    expect_limit(cell, 2100, "tunnel_half_closed");
}

/* Half-closed by either side, or both ended by one of them and not by the other. */
static void test_half_closed(void **state)
{
    (void)state;
    each_cell(LIMITS, STATE_HALF_FAR, STATE_STOPPED, play_half_closed);
}

static void play_lifetime(struct cell *cell)
{
    expect_limit(cell, 1500, "tunnel_lifetime");
}

/* A lifetime ends every state. */
static void test_lifetime(void **state)
{
    (void)state;
    each_cell("timeouts: { tunnel_lifetime: 1500ms }", STATE_FRESH, STATE_STOPPED, play_lifetime);
}

static void play_drain(struct cell *cell)
{
    proxy_drain(&cell->world->proxy);
    world_advance(cell->world, 700);
    assert_false(world_has_record(cell->world));
    proxy_end_all(&cell->world->proxy);
    world_settle(cell->world);
    expect_end(world_record(cell->world), "tunnel 200 drain proxy");
    listen_all(cell);
    peer_reset_at(cell->near, 800);
    peer_reset_at(cell->far, 800);
}

/* A drain touches no state before its end, which resets all of them. */
static void test_drain(void **state)
{
    (void)state;
    each_cell("", STATE_FRESH, STATE_STOPPED, play_drain);
}

/* ---- ends ---- */

static void play_fin(struct cell *cell)
{
    bool is_held = cell->state == STATE_HELD || cell->state == STATE_HELD_BOTH;
    world_advance(cell->world, 20);
    peer_fin(cell->near);
    world_advance(cell->world, 20);
    peer_listen(cell->far);
    peer_ended_at(cell->far, is_held ? 140 : 120);
    peer_listen(cell->near);
    if (cell->state == STATE_HALF_FAR) {
        peer_ended_at(cell->near, 100);
    } else {
        assert_true(peer_is_open(cell->near));
        peer_fin(cell->far);
        peer_ended_at(cell->near, 140);
    }
    expect_done(cell, cell->state == STATE_HALF_FAR ? cell->far_leg : cell->near_leg);
}

/* An end in order passes in its own turn, or in that in which the last held byte was taken. */
static void test_fin(void **state)
{
    (void)state;
    each_cell("", STATE_FRESH, STATE_HALF_FAR, play_fin);
}

static void play_reset(struct cell *cell)
{
    world_advance(cell->world, 20);
    peer_reset(cell->near);
    world_advance(cell->world, 20);
    bool is_waiting = cell->state == STATE_HELD;
    assert_int_equal(world_has_record(cell->world), !is_waiting);
    peer_listen(cell->far);
    peer_reset_at(cell->far, is_waiting ? 140 : cell->state == STATE_HELD_BOTH ? 140 : 120);
    const struct record *record = world_record(cell->world);
    assert_int_equal(record->end, END_RST);
    assert_int_equal(mark_ms(record, MARK_X_END), is_waiting ? 140 : 120);
}

/* A reset passes in its own turn, also behind an end in order. Where bytes of that side are held they go first, unless
 * the proxy meets the reset with bytes for that side: then nothing is left to wait for. */
static void test_reset(void **state)
{
    (void)state;
    each_cell("", STATE_FRESH, STATE_HALF_NEAR, play_reset);
}

/* ---- an end of both directions: RFC 5246 §7.2.1 ---- */

static void play_fin_both(struct cell *cell)
{
    bool is_held = cell->state == STATE_HELD || cell->state == STATE_HELD_BOTH;
    world_advance(cell->world, 20);
    fin_both(cell->near);
    world_advance(cell->world, 20);
    listen_all(cell);
    peer_ended_at(cell->near, is_held ? 140 : cell->state == STATE_HALF_FAR ? 100 : 120);
    peer_ended_at(cell->far, is_held ? 140 : 120);
    if (cell->state != STATE_HALF_FAR) {
        size_t heard = cell->near->heard_len;
        peer_say_pattern(cell->far, LOAD);
        assert_int_equal(cell->far->unsaid_len, 0); /* it is read, so that its end comes */
        assert_int_equal(cell->near->heard_len, heard);
        world_advance(cell->world, 20);
        peer_fin(cell->far);
    }
    expect_done(cell, cell->state == STATE_HALF_FAR ? cell->far_leg : cell->near_leg);
}

/* What it said arrives, then its end; it gets ours as soon as its own was received, and nothing after that. */
static void test_fin_both(void **state)
{
    (void)state;
    each_cell("", STATE_FRESH, STATE_HALF_FAR, play_fin_both);
}

static void play_pouring(struct cell *cell)
{
    for (int i = 0; i < 19; i++) {
        world_advance(cell->world, 100);
        peer_say_pattern(cell->far, LOAD);
    }
    expect_limit(cell, 2100, "tunnel_half_closed");
}

/* What nobody hears is no progress: a side that talks on for ever is reset at the limit. */
static void test_what_nobody_hears_is_no_progress(void **state)
{
    (void)state;
    each_cell(LIMITS, STATE_STOPPED, STATE_STOPPED, play_pouring);
}

/* A side that ended both directions and went away at once has lost nothing of what it said. */
static void test_ended_and_gone(void **state)
{
    (void)state;
    struct cell cell = cell_open("", STATE_FRESH, /* is_client= */ true);
    world_hold(cell.world);
    peer_say(cell.near, "last words");
    fin_both(cell.near);
    peer_say(cell.far, "unheard");
    peer_reset(cell.near);
    world_go(cell.world);
    peer_hears(cell.far, "last words");
    peer_ended_at(cell.far, 100);
    peer_fin(cell.far);
    expect_done(&cell, "client");
}

int main(void)
{
    static const struct CMUnitTest plays[] = {
        PLAY(test_idle),
        PLAY(test_half_closed),
        PLAY(test_lifetime),
        PLAY(test_drain),
        PLAY(test_fin),
        PLAY(test_reset),
        PLAY(test_fin_both),
        PLAY(test_what_nobody_hears_is_no_progress),
        PLAY(test_ended_and_gone),
    };
    return cmocka_run_group_tests(plays, NULL, NULL);
}
