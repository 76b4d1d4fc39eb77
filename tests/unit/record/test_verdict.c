#include "verdict_test.h"

#include <string.h>

/* An exchange of a second, of which each phase took a little. */
#define WHOLE                                                                                      \
    {MARK_C_FIRST, 0}, {MARK_C_HEAD, 10}, {MARK_U_DNS0, 20}, {MARK_U_DNS1, 40}, {MARK_U_SYN0, 40}, \
        {MARK_U_SYN1, 70}, {MARK_U_TX0, 80}, {MARK_U_TX1, 90}, {MARK_U_RX0, 190},                  \
        {MARK_U_RX1, 590}, {MARK_D_TX0, 200}, {MARK_D_TX1, 990},                                   \
    {                                                                                              \
        MARK_X_END, 1000                                                                           \
    }

/* ---- exchanges ---- */

static void what_is_fast_has_no_verdict(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_X_END, 99});
    memset(&verdict, 'x', sizeof(verdict));
    assert_false(verdict_judge(&record, &verdict));
    assert_int_equal(((const char *)&verdict)[0], 'x');
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_X_END, 100});
    judge();
    begin_record(RECORD_EXCHANGE, NULL, 0);
    assert_false(verdict_judge(&record, &verdict));
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 300}, {MARK_X_END, 100});
    assert_false(verdict_judge(&record, &verdict));
}

/* Nothing is known of the legs: each phase is its side's. */
static void phases_are_shared_out(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, WHOLE);
    judge();
    assert_share(SLOW_CLIENT, 10 + 400);
    assert_share(SLOW_DNS, 20);
    assert_share(SLOW_UPSTREAM_NETWORK, 30);
    assert_share(SLOW_ORIGIN, 10 + 100 + 400);
    assert_share(SLOW_PROXY, 10 + 10 + 10);
    assert_slow(SLOW_ORIGIN);
    assert_int_equal(verdict.total_us, US(1000));
}

/* Marks between two microseconds do not get lost, and none counts twice. */
static void shares_add_up_to_the_phase_as_it_is_shown(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, WHOLE);
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        if (timeline_has(&record.timeline, (enum mark)mark))
            record.timeline.at_ns[mark] += (uint64_t)(mark * 377 % 1000);
    }
    struct timeline cut;
    uint64_t total_ns;
    timeline_cut(&record.timeline, &cut);
    assert_true(timeline_phase(&cut, PHASE_TOTAL, &total_ns));
    judge();
    assert_int_equal(verdict.total_us * NS_PER_US, total_ns);
}

static void a_slow_head_is_the_clients_but_for_a_round_trip(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 400}, {MARK_X_END, 410});
    record.client_tcp = leg(30);
    judge();
    assert_share(SLOW_CLIENT, 370);
    assert_share(SLOW_CLIENT_NETWORK, 30);
    record.client_tcp.out_of_order = 1; /* a segment was lost: 200 ms */
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 230);
    assert_slow(SLOW_CLIENT_NETWORK);
    record.client_use = 2; /* perhaps long ago */
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 30);
}

static void a_head_that_never_comes_is_the_clients(void **state)
{
    (void)state;
    RECORD(RECORD_LOCAL, {MARK_C_FIRST, 0}, {MARK_D_TX0, 5000}, {MARK_D_TX1, 5000},
           {MARK_X_END, 5001});
    judge();
    assert_share(SLOW_CLIENT, 5000);
    assert_share(SLOW_PROXY, 1);
}

static void dns_that_fails_is_the_name_servers(void **state)
{
    (void)state;
    RECORD(RECORD_LOCAL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_DNS0, 0}, {MARK_D_TX0, 5000},
           {MARK_D_TX1, 5000}, {MARK_X_END, 5000});
    judge();
    assert_share(SLOW_DNS, 5000);
    assert_slow(SLOW_DNS);
}

static void connecting_is_the_networks_also_where_it_fails(void **state)
{
    (void)state;
    RECORD(RECORD_LOCAL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_DNS0, 0}, {MARK_U_DNS1, 10},
           {MARK_U_SYN0, 20}, {MARK_D_TX0, 5020}, {MARK_D_TX1, 5020}, {MARK_X_END, 5020});
    judge();
    assert_share(SLOW_DNS, 10);
    assert_share(SLOW_PROXY, 10);
    assert_share(SLOW_UPSTREAM_NETWORK, 5000);
    assert_slow(SLOW_UPSTREAM_NETWORK);
}

/* The addresses of the other family are awaited, and no attempt is under way. */
static void a_connect_that_waits_for_addresses_is_the_name_servers(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_DNS0, 0},
           {MARK_U_DNS1, 10}, {MARK_U_SYN0, 10}, {MARK_U_SYN1, 1010}, {MARK_X_END, 1010});
    record.stalled_by_dns_ns = MS(950);
    judge();
    assert_share(SLOW_DNS, 10 + 950);
    assert_share(SLOW_UPSTREAM_NETWORK, 50);
    assert_slow(SLOW_DNS);
    RECORD(RECORD_LOCAL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_DNS0, 0}, {MARK_U_DNS1, 0},
           {MARK_U_SYN0, 0}, {MARK_D_TX0, 2000}, {MARK_D_TX1, 2000}, {MARK_X_END, 2000});
    record.stalled_by_dns_ns = MS(1990); /* which never came */
    judge();
    assert_share(SLOW_DNS, 1990);
    assert_share(SLOW_UPSTREAM_NETWORK, 10);
}

static void a_handshake_is_the_origins_but_for_its_round_trips(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        bool resumed;
        uint64_t rounds;
    } rows[] = {{0x0304, false, 1},
                {0x0304, true, 1},
                {0x0303, false, 2},
                {0x0303, true, 1},
                {0, false, 1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TLS0, 0},
               {MARK_U_TLS1, 300}, {MARK_X_END, 300});
        record.upstream_tcp = leg(40);
        record.upstream_tls.version = rows[i].version;
        record.upstream_tls.resumed = rows[i].resumed;
        judge();
        assert_share(SLOW_UPSTREAM_NETWORK, 40 * rows[i].rounds);
        assert_share(SLOW_ORIGIN, 300 - 40 * rows[i].rounds);
    }
}

static void a_parent_proxy_counts_as_origin(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_PT0, 5}, {MARK_U_PT1, 50},
           {MARK_U_PX0, 60}, {MARK_U_PX1, 200}, {MARK_U_TLS0, 203}, {MARK_U_TLS1, 300},
           {MARK_X_END, 300});
    judge();
    assert_share(SLOW_PROXY, 5 + 10 + 3);
    assert_share(SLOW_ORIGIN, 45 + 140 + 97);
}

/* A GET that is waited for. */
static void begin_wait(uint64_t wait_ms)
{
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_TX1, 0},
           {MARK_U_RX0, wait_ms}, {MARK_U_RX1, wait_ms}, {MARK_D_TX0, wait_ms},
           {MARK_D_TX1, wait_ms}, {MARK_X_END, wait_ms});
}

static void a_wait_is_the_origins_but_for_a_round_trip(void **state)
{
    (void)state;
    begin_wait(300);
    record.upstream_tcp = leg(50);
    record.upstream_tcp.busy_us = US(90); /* a delayed acknowledgement */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 50);
    assert_share(SLOW_ORIGIN, 250);
    record.upstream_tcp.min_rtt_us = 0; /* not measured: the smoothed one will do */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 50);
    record.upstream_tcp.rtt_us = 0;
    judge();
    assert_share(SLOW_ORIGIN, 300);
    record.upstream_tcp.rtt_us = UINT32_MAX;
    judge();
    assert_share(SLOW_ORIGIN, 0);
}

static void a_request_that_was_lost_is_the_networks(void **state)
{
    (void)state;
    begin_wait(300);
    record.upstream_tcp = leg(50);
    record.upstream_tcp.retransmits = 1;
    record.upstream_tcp.busy_us = US(250);
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 250);
    assert_share(SLOW_ORIGIN, 50);
    record.upstream_use = 2; /* perhaps not this request */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 50);
}

static void an_answer_that_never_comes_is_the_origins(void **state)
{
    (void)state;
    RECORD(RECORD_LOCAL, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_TX1, 0},
           {MARK_D_TX0, 9000}, {MARK_D_TX1, 9000}, {MARK_X_END, 9000});
    judge();
    assert_share(SLOW_ORIGIN, 9000);
}

static void a_dead_connection_of_the_pool_is_the_networks(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_P_SLOT, 5},
           {MARK_U_SYN0, 205}, {MARK_U_SYN1, 206}, {MARK_U_TX0, 206}, {MARK_U_TX1, 206},
           {MARK_U_RX0, 210}, {MARK_X_END, 210});
    record.retries = 1;
    judge();
    assert_share(SLOW_PROXY, 5);
    assert_share(SLOW_UPSTREAM_NETWORK, 201);
    record.timeline.at_ns[MARK_U_SYN0] = record.timeline.at_ns[MARK_U_SYN1] = 0;
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 201);
}

/* A response of a second. */
static void begin_load(void)
{
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_TX1, 0},
           {MARK_U_RX0, 0}, {MARK_U_RX1, 1000}, {MARK_D_TX0, 0}, {MARK_D_TX1, 1000},
           {MARK_X_END, 1000});
    record.client_tcp = leg(10);
    record.upstream_tcp = leg(10);
}

static void a_load_in_small_segments_is_the_origins(void **state)
{
    (void)state;
    begin_load();
    brings(&record.upstream_tcp, 100, 50000);
    judge();
    assert_share(SLOW_ORIGIN, 1000);
}

static void a_load_in_full_segments_is_the_networks(void **state)
{
    (void)state;
    begin_load();
    brings(&record.upstream_tcp, 100, 100 * FULL - 4000);
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 1000);
    assert_slow(SLOW_UPSTREAM_NETWORK);
    brings(&record.upstream_tcp, 100, 100 * FULL - 5000); /* more than a thirty-second is missing */
    judge();
    assert_share(SLOW_ORIGIN, 1000);
    record.upstream_tcp.out_of_order = 1; /* unless some came twice */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 1000);
    brings(&record.upstream_tcp, 15, 15 * FULL); /* too few to tell */
    judge();
    assert_share(SLOW_ORIGIN, 1000);
}

static void an_origin_that_pauses_is_slow_but_for_the_round_trips(void **state)
{
    (void)state;
    begin_load();
    brings(&record.upstream_tcp, 100, 100 * FULL);
    record.upstream_pace = (struct record_pace){.quiet_ns = MS(900), .pauses = 3};
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 100 + 3 * 10);
    assert_share(SLOW_ORIGIN, 900 - 3 * 10);
    record.upstream_tcp.out_of_order = 2; /* what was lost came 200 ms later */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 100 + 3 * 10 + 400);
}

static void a_client_that_does_not_read_is_slow(void **state)
{
    (void)state;
    begin_load();
    record.stalled_by_client_ns = MS(800);
    record.client_tcp.busy_us = US(900);
    record.client_tcp.rwnd_limited_us = US(900);
    judge();
    assert_share(SLOW_CLIENT, 800);
    assert_share(SLOW_ORIGIN, 200);
    assert_slow(SLOW_CLIENT);
}

static void what_a_client_takes_at_once_waits_for_its_network(void **state)
{
    (void)state;
    begin_load();
    record.stalled_by_client_ns = MS(800);
    record.client_tcp.busy_us = US(800);
    record.client_tcp.rwnd_limited_us = US(100);
    record.client_tcp.sndbuf_limited_us = US(200);
    judge();
    assert_share(SLOW_CLIENT, 100);
    assert_share(SLOW_PROXY, 200);
    assert_share(SLOW_CLIENT_NETWORK, 500);
    assert_slow(SLOW_CLIENT_NETWORK);
}

/* The window was full since a queue on the way was. */
static void a_window_that_is_full_of_a_queue_is_no_fault_of_the_client(void **state)
{
    (void)state;
    begin_load();
    record.stalled_by_client_ns = MS(800);
    record.client_tcp.busy_us = record.client_tcp.rwnd_limited_us = US(800);
    record.client_tcp.rtt_us = US(60);
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 800);
    record.client_tcp.rtt_us = US(59); /* a queue of less than 50 ms */
    judge();
    assert_share(SLOW_CLIENT, 800);
}

static void a_client_of_which_nothing_is_known_is_slow_itself(void **state)
{
    (void)state;
    begin_load();
    record.client_tcp = (struct record_tcp){0}; /* a Unix socket */
    record.stalled_by_client_ns = MS(800);
    judge();
    assert_share(SLOW_CLIENT, 800);
    record.client_tcp.is_known = 1; /* never busy, and yet it did not take it */
    judge();
    assert_share(SLOW_CLIENT, 800);
}

static void last_bytes_wait_for_the_client(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, WHOLE);
    record.client_tcp = leg(0);
    record.client_tcp.busy_us = US(500);
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 400);
}

static void a_limit_on_bandwidth_is_the_proxys(void **state)
{
    (void)state;
    begin_load();
    record.stalled_by_limits_ns = MS(700);
    record.stalled_by_client_ns = MS(800);
    judge();
    assert_share(SLOW_PROXY, 700);
    assert_share(SLOW_CLIENT, 300);
    assert_slow(SLOW_PROXY);
}

/* Also while the client takes its last bytes. */
static void a_limit_goes_on_behind_the_load(void **state)
{
    (void)state;
    begin_load();
    record.timeline.at_ns[MARK_D_TX1] = record.timeline.at_ns[MARK_X_END] = BASE + MS(1300);
    record.stalled_by_limits_ns = MS(1200);
    judge();
    assert_share(SLOW_PROXY, 1200);
    assert_share(SLOW_CLIENT, 100);
}

/* Also where the first of it was passed on at once. */
static void a_response_that_breaks_off_is_the_origins(void **state)
{
    (void)state;
    begin_load();
    record.timeline.at_ns[MARK_U_RX1] = record.timeline.at_ns[MARK_D_TX1] = 0;
    judge();
    assert_share(SLOW_ORIGIN, 1000);
}

/* A POST whose body takes a second. */
static void begin_upload(void)
{
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0},
           {MARK_U_TX1, 1000}, {MARK_U_RX0, 1300}, {MARK_U_RX1, 1300}, {MARK_D_TX0, 1300},
           {MARK_D_TX1, 1300}, {MARK_X_END, 1300});
    record.client_tcp = leg(10);
    record.upstream_tcp = leg(10);
    record.request_body_bytes = record.upstream_out_bytes = 100000;
}

static void an_upload_waits_for_the_client_or_its_network(void **state)
{
    (void)state;
    begin_upload();
    judge();
    assert_share(SLOW_CLIENT, 1000);
    brings(&record.client_tcp, 100, 100 * FULL);
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 1000);
    record.client_pace = (struct record_pace){.quiet_ns = MS(600), .pauses = 1};
    judge();
    assert_share(SLOW_CLIENT_NETWORK, 400 + 10);
    assert_share(SLOW_CLIENT, 590);
}

static void an_upload_waits_for_the_origin_or_its_network(void **state)
{
    (void)state;
    begin_upload();
    record.stalled_by_upstream_ns = MS(1000);
    record.upstream_tcp.busy_us = record.upstream_tcp.rwnd_limited_us = US(1000);
    judge();
    assert_share(SLOW_ORIGIN, 1000 + 290);
    record.upstream_tcp.rwnd_limited_us = 0;
    record.upstream_tcp.busy_us = US(1200); /* 200 of it while the answer was waited for */
    judge();
    assert_share(SLOW_UPSTREAM_NETWORK, 1000 + 200);
    assert_share(SLOW_ORIGIN, 100);
}

static void a_client_that_was_told_to_wait_waited_for_the_origin(void **state)
{
    (void)state;
    begin_upload();
    timeline_mark_at(&record.timeline, MARK_U_1XX, BASE + MS(600));
    record.held_ns = MS(600);
    judge();
    assert_share(SLOW_CLIENT, 400);
    assert_share(SLOW_ORIGIN, 590 + 290);
    record.held_ns = MS(200); /* it did not wait any longer */
    judge();
    assert_share(SLOW_CLIENT, 800);
    assert_share(SLOW_ORIGIN, 190 + 290);

    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_RX0, 700},
           {MARK_U_RX1, 700}, {MARK_X_END, 700});
    judge();
    assert_share(SLOW_ORIGIN, 700);
}

/* One that comes in the middle of it, such as 103 (Early Hints), says nothing of whom the body waits for. */
static void an_interim_response_that_nobody_waits_for_changes_nothing(void **state)
{
    (void)state;
    begin_upload();
    timeline_mark_at(&record.timeline, MARK_U_1XX, BASE + MS(900));
    judge();
    assert_share(SLOW_CLIENT, 1000);
    assert_slow(SLOW_CLIENT);
}

static void the_rest_of_a_request_behind_an_early_answer_is_the_clients(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_U_TX0, 0}, {MARK_U_RX0, 10},
           {MARK_U_RX1, 10}, {MARK_D_TX0, 10}, {MARK_D_TX1, 10}, {MARK_U_TX1, 700},
           {MARK_X_END, 710});
    record.request_body_bytes = 10;
    judge();
    assert_share(SLOW_CLIENT, 700);
    assert_share(SLOW_PROXY, 10);
}

/* What it waits for, it waits for until now. */
static void a_request_in_flight_is_judged_up_to_now(void **state)
{
    (void)state;
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_P_SLOT, 0},
           {MARK_U_DNS0, 0});
    record.is_in_progress = true;
    record.now_ns = BASE + MS(99);
    assert_false(verdict_judge(&record, &verdict));
    record.now_ns = BASE + MS(3000) + 999;
    judge();
    assert_int_equal(verdict.total_us, US(3000));
    assert_int_equal(verdict.slow, SLOW_DNS);
    RECORD(RECORD_EXCHANGE, {MARK_C_FIRST, 0}, {MARK_C_HEAD, 0}, {MARK_P_SLOT, 0}, {MARK_U_SYN0, 0},
           {MARK_U_SYN1, 10}, {MARK_U_TX0, 10}, {MARK_U_TX1, 10});
    record.is_in_progress = true;
    record.now_ns = BASE + MS(500);
    judge();
    assert_int_equal(verdict.slow, SLOW_ORIGIN);
    assert_share(SLOW_ORIGIN, 490);
}

/* ---- whatever a record holds ---- */

static uint64_t dice = 4711;

static uint64_t roll(void)
{
    dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
    return dice >> 33;
}

/* A number of any size. */
static uint64_t anything(void)
{
    uint64_t value = roll() << 31 | roll();
    return roll() % 4 == 0 ? 0 : value >> roll() % 62;
}

static void roll_leg(struct record_tcp *tcp)
{
    unsigned char *bytes = (unsigned char *)tcp;
    for (size_t i = 0; i < sizeof(*tcp); i++)
        bytes[i] = (unsigned char)roll();
    if (roll() % 2 == 0)
        *tcp = (struct record_tcp){.is_known = 1,
                                   .min_rtt_us = (uint32_t)(roll() % 100000),
                                   .busy_us = roll() % 1000000,
                                   .rwnd_limited_us = roll() % 1000000,
                                   .sndbuf_limited_us = roll() % 1000000,
                                   .retransmits = (uint32_t)(roll() % 3)};
}

/* V1: marks in any order, counters that went backwards. */
static void shares_add_up_whatever_a_record_holds(void **state)
{
    (void)state;
    unsigned judged = 0;
    for (int round = 0; round < 100000; round++) {
        begin_record((enum record_kind)(roll() % 4), NULL, 0);
        for (int mark = 0; mark < MARK_COUNT; mark++)
            if (roll() % 3 != 0)
                record.timeline.at_ns[mark] =
                    roll() % 50 == 0 ? anything() : BASE + roll() % MS(2000);
        roll_leg(&record.client_tcp);
        roll_leg(&record.upstream_tcp);
        record.client_use = (uint32_t)(roll() % 3);
        record.upstream_use = (uint32_t)(roll() % 3);
        record.retries = (uint8_t)(roll() % 2);
        record.stalled_by_client_ns = anything();
        record.stalled_by_upstream_ns = anything();
        record.stalled_by_limits_ns = anything();
        record.stalled_by_dns_ns = anything();
        record.held_ns = anything();
        record.awaited_ns = anything();
        record.waits = anything();
        record.client_pace = (struct record_pace){anything(), anything(), anything()};
        record.upstream_pace = (struct record_pace){anything(), anything(), anything()};
        record.client_out_bytes = anything();
        record.upstream_out_bytes = anything();
        record.request_body_bytes = anything();
        record.is_in_progress = roll() % 2;
        record.now_ns = roll() % 4 == 0 ? anything() : BASE + roll() % MS(2000);
        if (!verdict_judge(&record, &verdict))
            continue;
        judge();
        judged++;
    }
    assert_true(judged > 10000);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fast_has_no_verdict),
        cmocka_unit_test(phases_are_shared_out),
        cmocka_unit_test(shares_add_up_to_the_phase_as_it_is_shown),
        cmocka_unit_test(a_slow_head_is_the_clients_but_for_a_round_trip),
        cmocka_unit_test(a_head_that_never_comes_is_the_clients),
        cmocka_unit_test(dns_that_fails_is_the_name_servers),
        cmocka_unit_test(connecting_is_the_networks_also_where_it_fails),
        cmocka_unit_test(a_connect_that_waits_for_addresses_is_the_name_servers),
        cmocka_unit_test(a_handshake_is_the_origins_but_for_its_round_trips),
        cmocka_unit_test(a_parent_proxy_counts_as_origin),
        cmocka_unit_test(a_wait_is_the_origins_but_for_a_round_trip),
        cmocka_unit_test(a_request_that_was_lost_is_the_networks),
        cmocka_unit_test(an_answer_that_never_comes_is_the_origins),
        cmocka_unit_test(a_dead_connection_of_the_pool_is_the_networks),
        cmocka_unit_test(a_load_in_small_segments_is_the_origins),
        cmocka_unit_test(a_load_in_full_segments_is_the_networks),
        cmocka_unit_test(an_origin_that_pauses_is_slow_but_for_the_round_trips),
        cmocka_unit_test(a_client_that_does_not_read_is_slow),
        cmocka_unit_test(what_a_client_takes_at_once_waits_for_its_network),
        cmocka_unit_test(a_window_that_is_full_of_a_queue_is_no_fault_of_the_client),
        cmocka_unit_test(a_client_of_which_nothing_is_known_is_slow_itself),
        cmocka_unit_test(last_bytes_wait_for_the_client),
        cmocka_unit_test(a_limit_on_bandwidth_is_the_proxys),
        cmocka_unit_test(a_limit_goes_on_behind_the_load),
        cmocka_unit_test(a_response_that_breaks_off_is_the_origins),
        cmocka_unit_test(an_upload_waits_for_the_client_or_its_network),
        cmocka_unit_test(an_upload_waits_for_the_origin_or_its_network),
        cmocka_unit_test(a_client_that_was_told_to_wait_waited_for_the_origin),
        cmocka_unit_test(an_interim_response_that_nobody_waits_for_changes_nothing),
        cmocka_unit_test(the_rest_of_a_request_behind_an_early_answer_is_the_clients),
        cmocka_unit_test(a_request_in_flight_is_judged_up_to_now),
        cmocka_unit_test(shares_add_up_whatever_a_record_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
