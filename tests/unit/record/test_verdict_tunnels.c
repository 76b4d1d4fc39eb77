#include "verdict_test.h"

/* A tunnel of ten seconds, open after 100 ms. */
#define TUNNEL                                                                                    \
    {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_SYN0, 0}, {MARK_U_SYN1, 90}, {MARK_T_OPEN, 100}, \
        {MARK_T_UP, 110}, {MARK_T_DOWN, 120}, {MARK_T_LAST, 9000},                                \
    {                                                                                             \
        MARK_X_END, 10000                                                                         \
    }

static void a_tunnel_in_which_nothing_is_slow_was_idle(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.timeline.at_ns[MARK_U_SYN1] = record.timeline.at_ns[MARK_U_SYN0];
    record.timeline.at_ns[MARK_T_OPEN] = BASE + MS(10);
    record.awaited_ns = MS(10);
    record.waits = 1;
    judge();
    assert_share(SLOW_ORIGIN, 10);
    assert_share(SLOW_PROXY, 10);
    assert_share(SLOW_IDLE, 9980);
    assert_slow(SLOW_NONE);
    assert_string_equal(slow_word(verdict.slow), "none");
}

static void a_tunnel_waits_for_the_origin_but_for_its_round_trips(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.upstream_tcp = leg(20);
    record.client_tcp = leg(30);
    record.awaited_ns = MS(1000);
    record.waits = 4;
    judge();
    assert_share(SLOW_ORIGIN, 1000 - 80);
    assert_share(SLOW_UPSTREAM_NETWORK, 90 + 80);
    assert_share(SLOW_CLIENT_NETWORK, 120);
    assert_slow(SLOW_ORIGIN);
}

static void an_origin_that_speaks_first_is_waited_for(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_T_OPEN, 0}, {MARK_T_DOWN, 700},
           {MARK_T_UP, 701}, {MARK_T_LAST, 701}, {MARK_X_END, 800});
    judge();
    assert_share(SLOW_ORIGIN, 700);
    record.timeline.at_ns[MARK_T_DOWN] = BASE + MS(20000); /* nobody waits so long */
    record.timeline.at_ns[MARK_T_UP] = record.timeline.at_ns[MARK_X_END] = BASE + MS(20001);
    judge();
    assert_share(SLOW_ORIGIN, 0);
    assert_slow(SLOW_NONE);
}

static void an_origin_that_never_speaks_is_waited_for(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_T_OPEN, 0}, {MARK_T_UP, 100},
           {MARK_T_LAST, 100}, {MARK_X_END, 8000});
    judge();
    assert_share(SLOW_ORIGIN, 7900);
    assert_share(SLOW_IDLE, 100);
}

static void bytes_of_a_tunnel_that_move_slowly_are_the_origins_or_its_networks(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.upstream_tcp = leg(10);
    record.upstream_pace = (struct record_pace){MS(2000), MS(3000), 4};
    judge();
    assert_share(SLOW_ORIGIN, 2000); /* and pauses are nobody's */
    brings(&record.upstream_tcp, 100, 100 * FULL);
    record.upstream_tcp.out_of_order = 5;
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 90 + 2000 + 40 + 1000);
    assert_slow(SLOW_UPSTREAM_NETWORK);
}

static void what_a_tunnels_client_does_not_take_is_its_own(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.client_tcp = leg(10);
    record.client_out_bytes = 1000000;
    record.stalled_by_client_ns = MS(1000);
    record.client_tcp.busy_us = record.client_tcp.rwnd_limited_us = US(3000);
    judge();
    assert_share(SLOW_CLIENT, 3000); /* 2000 of it for what lay in the send buffer */
    record.client_tcp.rwnd_limited_us = 0;
    judge();
    assert_share(SLOW_CLIENT_NETWORK,
                 3000 - 40); /* the last acknowledgement may have been kept back */
    record.stalled_by_client_ns = 0;
    record.stalled_by_upstream_ns = MS(1000);
    record.upstream_tcp = record.client_tcp;
    record.client_tcp = leg(10);
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 90 + 1000);
}

/* An origin that says something now and then: each time the client's kernel may keep its last acknowledgement back. */
static void acknowledgements_that_are_kept_back_are_nobodys(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.client_tcp = leg(0);
    record.client_out_bytes = 1000000;
    record.upstream_pace.pauses = 4;
    record.client_tcp.busy_us = US(5 * 40);
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 0);
    record.client_tcp.busy_us = US(5 * 40 + 700);
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 700);
    assert_slow(SLOW_CLIENT_NETWORK);
}

/* The largest share of an idle tunnel is somebody's, however little it is. */
static void who_had_little_of_an_idle_tunnel_is_not_named(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 60}, {MARK_T_OPEN, 60}, {MARK_T_UP, 70},
           {MARK_T_DOWN, 80}, {MARK_T_LAST, 80}, {MARK_X_END, 9000});
    record.awaited_ns = MS(99);
    record.waits = 1;
    judge();
    assert_share(SLOW_CLIENT, 60);
    assert_share(SLOW_ORIGIN, 99);
    assert_slow(SLOW_NONE);
    record.awaited_ns = MS(100);
    judge();
    assert_slow(SLOW_ORIGIN);
}

static void an_open_tunnel_is_judged_up_to_its_last_byte(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, TUNNEL);
    record.timeline.at_ns[MARK_X_END] = 0;
    record.is_in_progress = true;
    record.awaited_ns = MS(1000);
    judge();
    assert_int_equal(verdict.total_us, US(9000));
    assert_share(SLOW_ORIGIN, 1000);
}

/* The client's bytes were held back meanwhile. */
static void who_looks_up_the_name_in_a_tunnel_is_its_name_server(void **state)
{
    (void)state;
    RECORD(RECORD_TUNNEL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_T_OPEN, 0}, {MARK_T_UP, 100},
           {MARK_T_CH, 400}, {MARK_T_DOWN, 450}, {MARK_T_LAST, 450}, {MARK_X_END, 500});
    record.stalled_by_dns_ns = MS(300);
    record.awaited_ns = MS(50);
    record.waits = 1;
    judge();
    assert_share(SLOW_DNS, 300);
    assert_share(SLOW_ORIGIN, 50);
    assert_share(SLOW_IDLE, 150);
    assert_slow(SLOW_DNS);

    RECORD(RECORD_TUNNEL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_T_OPEN, 0}, {MARK_T_UP, 100},
           {MARK_T_LAST, 100}, {MARK_T_CH, 400}, {MARK_X_END, 600});
    record.stalled_by_dns_ns = MS(300);
    judge();
    assert_share(SLOW_DNS, 300);
    assert_share(SLOW_ORIGIN, 200); /* which never said a word */
    assert_share(SLOW_IDLE, 100);
}

/* A GET that asks for another protocol, and what comes behind it. */
static void an_upgrade_that_is_waited_for_is_the_origins(void **state)
{
    (void)state;
    RECORD(RECORD_UPGRADE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 10}, {MARK_U_TX1, 10},
           {MARK_U_RX0, 510}, {MARK_D_TX0, 510}, {MARK_D_TX1, 520}, {MARK_T_OPEN, 520},
           {MARK_T_UP, 520}, {MARK_T_DOWN, 620}, {MARK_T_LAST, 620}, {MARK_X_END, 1000});
    record.awaited_ns = MS(100);
    record.waits = 1;
    judge();
    assert_share(SLOW_PROXY, 10 + 10);
    assert_share(SLOW_ORIGIN, 500 + 100);
    assert_share(SLOW_IDLE, 380);
    assert_slow(SLOW_ORIGIN);
    record.upstream_tcp = leg(40);
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 40 + 40);
    record.upstream_out_bytes = 1000000; /* what the tunnel sent tells nothing of the request */
    record.upstream_tcp.busy_us = US(600);
    judge();
    assert_share(SLOW_ORIGIN, 500 - 40);
}

/* With content, which the client sends late. */
static void the_request_for_an_upgrade_is_sent_by_the_client(void **state)
{
    (void)state;
    RECORD(RECORD_UPGRADE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_TX1, 300},
           {MARK_U_RX0, 400}, {MARK_D_TX0, 400}, {MARK_D_TX1, 400}, {MARK_T_OPEN, 400},
           {MARK_X_END, 400});
    record.request_body_bytes = 10;
    judge();
    assert_share(SLOW_CLIENT, 300);
    assert_share(SLOW_ORIGIN, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tunnel_in_which_nothing_is_slow_was_idle),
        cmocka_unit_test(a_tunnel_waits_for_the_origin_but_for_its_round_trips),
        cmocka_unit_test(an_origin_that_speaks_first_is_waited_for),
        cmocka_unit_test(an_origin_that_never_speaks_is_waited_for),
        cmocka_unit_test(bytes_of_a_tunnel_that_move_slowly_are_the_origins_or_its_networks),
        cmocka_unit_test(what_a_tunnels_client_does_not_take_is_its_own),
        cmocka_unit_test(acknowledgements_that_are_kept_back_are_nobodys),
        cmocka_unit_test(who_had_little_of_an_idle_tunnel_is_not_named),
        cmocka_unit_test(who_looks_up_the_name_in_a_tunnel_is_its_name_server),
        cmocka_unit_test(an_upgrade_that_is_waited_for_is_the_origins),
        cmocka_unit_test(the_request_for_an_upgrade_is_sent_by_the_client),
        cmocka_unit_test(an_open_tunnel_is_judged_up_to_its_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
