#include "record_test.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/timeline.h"

#include <string.h>

enum { BASE = 1000000000, WALL = 2000000000 };

#define MS(n) ((uint64_t)(n)*NS_PER_MS)

/* A timeline that began at BASE, with marks at milliseconds behind it. */
struct set_mark {
    enum mark mark;
    uint64_t at_ms;
};

static struct timeline timeline_with(const struct set_mark *marks, size_t count)
{
    struct timeline timeline;
    clock_freeze(BASE, WALL);
    timeline_begin(&timeline);
    for (size_t i = 0; i < count; i++)
        timeline_mark_at(&timeline, marks[i].mark, BASE + MS(marks[i].at_ms));
    clock_restore();
    return timeline;
}

#define TIMELINE(...)                                     \
    timeline_with((const struct set_mark[]){__VA_ARGS__}, \
                  COUNT_OF(((const struct set_mark[]){__VA_ARGS__})))

static void assert_phase(const struct timeline *timeline, enum phase phase, uint64_t ms)
{
    uint64_t ns = 0;
    assert_true(timeline_phase(timeline, phase, &ns));
    assert_int_equal(ns, MS(ms));
}

static void assert_absent(const struct timeline *timeline, enum phase phase)
{
    uint64_t ns = 4711;
    assert_false(timeline_phase(timeline, phase, &ns));
    assert_int_equal(ns, 4711);
}

static void an_empty_timeline_has_no_phase(void **state)
{
    (void)state;
    struct timeline timeline;
    timeline_begin(&timeline);
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        assert_absent(&timeline, (enum phase)phase);
}

static void the_first_writer_of_a_mark_wins(void **state)
{
    (void)state;
    struct timeline timeline;
    clock_freeze(BASE, WALL);
    timeline_begin(&timeline);
    clock_advance(MS(1));
    timeline_mark(&timeline, MARK_C_FIRST);
    clock_advance(MS(1));
    timeline_mark(&timeline, MARK_C_FIRST);
    timeline_mark_at(&timeline, MARK_C_FIRST, BASE + MS(9));
    assert_int_equal(timeline.at_ns[MARK_C_FIRST], BASE + MS(1));
    clock_restore();
}

static void a_mark_at_time_zero_is_no_mark(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_C_FIRST, 1});
    timeline_mark_at(&timeline, MARK_C_HEAD, 0);
    assert_false(timeline_has(&timeline, MARK_C_HEAD));
}

static void a_cleared_mark_may_be_set_again(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_U_SYN0, 1});
    timeline_clear(&timeline, MARK_U_SYN0);
    assert_false(timeline_has(&timeline, MARK_U_SYN0));
    timeline_mark_at(&timeline, MARK_U_SYN0, BASE + MS(5));
    assert_int_equal(timeline.at_ns[MARK_U_SYN0], BASE + MS(5));
}

static void a_plain_exchange_on_a_new_connection_has_every_phase(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE(
        {MARK_C_ACCEPT, 1}, {MARK_C_TLS, 4}, {MARK_C_FIRST, 5}, {MARK_C_HEAD, 7}, {MARK_P_SLOT, 8},
        {MARK_U_DNS0, 8}, {MARK_U_DNS1, 20}, {MARK_U_SYN0, 21}, {MARK_U_SYN1, 36},
        {MARK_U_TLS0, 36}, {MARK_U_TLS1, 53}, {MARK_U_TX0, 54}, {MARK_U_TX1, 56}, {MARK_U_RX0, 156},
        {MARK_U_RX1, 160}, {MARK_D_TX1, 165}, {MARK_X_END, 168});
    assert_phase(&timeline, PHASE_CLIENT_TLS, 3);
    assert_phase(&timeline, PHASE_RECEIVE, 2);
    assert_phase(&timeline, PHASE_BLOCKED, 1);
    assert_phase(&timeline, PHASE_DNS, 12);
    assert_phase(&timeline, PHASE_CONNECT, 15);
    assert_phase(&timeline, PHASE_TLS, 17);
    assert_absent(&timeline, PHASE_PARENT);
    assert_phase(&timeline, PHASE_SEND, 2);
    assert_phase(&timeline, PHASE_WAIT, 100);
    assert_phase(&timeline, PHASE_LOAD, 4);
    assert_phase(&timeline, PHASE_DELIVER, 5);
    assert_absent(&timeline, PHASE_TUNNEL);
    assert_phase(&timeline, PHASE_CLOSE, 3);
    assert_phase(&timeline, PHASE_TOTAL, 163);
}

static void a_pooled_exchange_has_no_dns_connect_or_tls(void **state)
{
    (void)state;
    struct timeline timeline =
        TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 1}, {MARK_P_SLOT, 3}, {MARK_U_TX0, 3},
                 {MARK_U_TX1, 3}, {MARK_U_RX0, 9}, {MARK_U_RX1, 9}, {MARK_X_END, 9});
    assert_absent(&timeline, PHASE_DNS);
    assert_absent(&timeline, PHASE_CONNECT);
    assert_absent(&timeline, PHASE_TLS);
    assert_phase(&timeline, PHASE_BLOCKED, 2);
    assert_phase(&timeline, PHASE_SEND, 0);
    assert_phase(&timeline, PHASE_WAIT, 6);
}

static void blocked_leaves_out_the_part_in_which_dns_ran(void **state)
{
    (void)state;
    struct timeline inside =
        TIMELINE({MARK_C_HEAD, 10}, {MARK_U_DNS0, 12}, {MARK_U_DNS1, 30}, {MARK_P_SLOT, 31});
    assert_phase(&inside, PHASE_BLOCKED, 3);
    struct timeline over_the_end =
        TIMELINE({MARK_C_HEAD, 10}, {MARK_U_DNS0, 12}, {MARK_U_DNS1, 40}, {MARK_P_SLOT, 31});
    assert_phase(&over_the_end, PHASE_BLOCKED, 2);
    struct timeline behind =
        TIMELINE({MARK_C_HEAD, 10}, {MARK_P_SLOT, 11}, {MARK_U_DNS0, 12}, {MARK_U_DNS1, 40});
    assert_phase(&behind, PHASE_BLOCKED, 1);
    struct timeline unanswered = TIMELINE({MARK_C_HEAD, 10}, {MARK_U_DNS0, 11}, {MARK_P_SLOT, 12});
    assert_phase(&unanswered, PHASE_BLOCKED, 2);
}

static void an_early_response_cuts_send_and_makes_wait_zero(void **state)
{
    (void)state;
    struct timeline late_upload = TIMELINE({MARK_U_TX0, 10}, {MARK_U_TX1, 90}, {MARK_U_RX0, 30});
    assert_phase(&late_upload, PHASE_SEND, 20);
    assert_phase(&late_upload, PHASE_WAIT, 0);
    struct timeline unfinished_upload = TIMELINE({MARK_U_TX0, 10}, {MARK_U_RX0, 30});
    assert_phase(&unfinished_upload, PHASE_SEND, 20);
    assert_phase(&unfinished_upload, PHASE_WAIT, 0);
}

static void a_request_that_was_never_answered_has_send_but_no_wait(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_U_TX0, 10}, {MARK_U_TX1, 12}, {MARK_X_END, 99});
    assert_phase(&timeline, PHASE_SEND, 2);
    assert_absent(&timeline, PHASE_WAIT);
    assert_absent(&timeline, PHASE_LOAD);
}

static void wait_ends_at_the_final_response_and_not_at_an_interim_one(void **state)
{
    (void)state;
    struct timeline timeline =
        TIMELINE({MARK_U_TX0, 1}, {MARK_U_TX1, 2}, {MARK_U_1XX, 5}, {MARK_U_RX0, 50});
    assert_phase(&timeline, PHASE_WAIT, 48);
}

static void a_phase_is_never_negative(void **state)
{
    (void)state;
    struct timeline timeline;
    clock_freeze(BASE, WALL);
    timeline_begin(&timeline);
    clock_restore();
    /* Marks in the reverse of their order: what the clock can never do, and callers could. */
    for (unsigned mark = 0; mark < MARK_COUNT; mark++)
        timeline_mark_at(&timeline, (enum mark)mark, BASE + MS(100) - mark);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        uint64_t ns = 0;
        assert_true(timeline_phase(&timeline, (enum phase)phase, &ns));
        assert_true(ns <= MS(100));
    }
}

static void a_tunnel_lasts_from_its_opening_to_its_end(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_C_FIRST, 1}, {MARK_T_OPEN, 40}, {MARK_D_TX1, 40},
                                        {MARK_T_LAST, 900}, {MARK_X_END, 960});
    assert_phase(&timeline, PHASE_TUNNEL, 920);
    assert_phase(&timeline, PHASE_CLOSE, 60);
    assert_phase(&timeline, PHASE_TOTAL, 959);
    assert_absent(&timeline, PHASE_LOAD);
}

static void close_of_a_tunnel_without_a_byte_begins_at_its_opening(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_T_OPEN, 40}, {MARK_X_END, 100});
    assert_phase(&timeline, PHASE_CLOSE, 60);
}

static void an_open_tunnel_has_no_tunnel_phase_yet(void **state)
{
    (void)state;
    struct timeline timeline =
        TIMELINE({MARK_C_FIRST, 1}, {MARK_U_SYN0, 2}, {MARK_U_SYN1, 5}, {MARK_T_OPEN, 6});
    assert_phase(&timeline, PHASE_CONNECT, 3);
    assert_absent(&timeline, PHASE_TUNNEL);
    assert_absent(&timeline, PHASE_TOTAL);
}

static void assert_now(const struct timeline *timeline, enum phase wanted, uint64_t since_ms)
{
    enum phase phase;
    uint64_t since_ns;
    assert_true(timeline_phase_now(timeline, &phase, &since_ns));
    assert_string_equal(phase_word(phase), phase_word(wanted));
    assert_int_equal(since_ns, BASE + MS(since_ms));
}

/* Mark after mark, the phase that has begun last and is not over. */
static void a_request_in_flight_is_in_the_phase_that_began_last(void **state)
{
    (void)state;
    static const struct {
        enum mark mark;
        enum phase phase; /* PHASE_COUNT: between two */
        uint64_t since_ms;
    } steps[] = {
        {MARK_C_FIRST, PHASE_RECEIVE, 1},  {MARK_C_HEAD, PHASE_BLOCKED, 2},
        {MARK_P_POLICY, PHASE_BLOCKED, 2}, {MARK_P_SLOT, PHASE_COUNT, 0},
        {MARK_U_DNS0, PHASE_DNS, 5},       {MARK_U_DNS1, PHASE_COUNT, 0},
        {MARK_U_SYN0, PHASE_CONNECT, 7},   {MARK_U_SYN1, PHASE_COUNT, 0},
        {MARK_U_PT0, PHASE_PARENT_TLS, 9}, {MARK_U_PT1, PHASE_COUNT, 0},
        {MARK_U_PX0, PHASE_PARENT, 11},    {MARK_U_PX1, PHASE_COUNT, 0},
        {MARK_U_TLS0, PHASE_TLS, 13},      {MARK_U_TLS1, PHASE_COUNT, 0},
        {MARK_U_TX0, PHASE_SEND, 15},      {MARK_U_TXH, PHASE_SEND, 15},
        {MARK_U_TX1, PHASE_WAIT, 17},      {MARK_U_1XX, PHASE_WAIT, 17},
        {MARK_U_RX0, PHASE_LOAD, 19},      {MARK_U_RXH, PHASE_LOAD, 19},
        {MARK_D_TX0, PHASE_LOAD, 19},      {MARK_U_RX1, PHASE_DELIVER, 22},
        {MARK_D_TX1, PHASE_COUNT, 0},
    };
    struct timeline timeline = TIMELINE({MARK_C_ACCEPT, 0});
    enum phase phase;
    uint64_t since_ns;
    assert_false(timeline_phase_now(&timeline, &phase, &since_ns));
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        timeline_mark_at(&timeline, steps[i].mark, BASE + MS(i + 1));
        if (steps[i].phase == PHASE_COUNT)
            assert_false(timeline_phase_now(&timeline, &phase, &since_ns));
        else
            assert_now(&timeline, steps[i].phase, steps[i].since_ms);
    }
}

static void what_overlaps_is_in_the_later_phase(void **state)
{
    (void)state;
    struct timeline early = TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 2}, {MARK_P_SLOT, 2},
                                     {MARK_U_TX0, 3}, {MARK_U_RX0, 4});
    assert_now(&early, PHASE_LOAD, 4);
    timeline_mark_at(&early, MARK_U_RX1, BASE + MS(5));
    timeline_mark_at(&early, MARK_D_TX1, BASE + MS(5));
    assert_now(&early, PHASE_SEND, 3); /* the answer is through, and the upload goes on */
    struct timeline local = TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 2}, {MARK_D_TX0, 3});
    assert_now(&local, PHASE_DELIVER, 3);
}

static void the_total_of_a_silent_client_begins_at_accept(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_C_ACCEPT, 2}, {MARK_X_END, 12});
    assert_phase(&timeline, PHASE_TOTAL, 10);
}

static void wall_time_of_a_mark_keeps_its_distance_to_the_base(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_C_FIRST, 7});
    timeline_mark_at(&timeline, MARK_C_ACCEPT, BASE - MS(3));
    assert_int_equal(timeline_wall_ns(&timeline, MARK_C_FIRST), WALL + MS(7));
    assert_int_equal(timeline_wall_ns(&timeline, MARK_C_ACCEPT), WALL - MS(3));
    assert_int_equal(timeline_wall_ns(&timeline, MARK_X_END), 0);
}

static void words_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_string_equal(phase_word(PHASE_CLIENT_TLS), "client_tls");
    assert_string_equal(phase_word(PHASE_TOTAL), "total");
}

static void marks_in_order_pass_the_check(void **state)
{
    (void)state;
    struct timeline timeline = TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 1}, {MARK_X_END, 2});
    timeline_check(&timeline);
}

static void assert_cut_off(const struct timeline *timeline, enum phase wanted, uint64_t begin_ms,
                           uint64_t end_ms)
{
    enum phase phase;
    uint64_t begin_ns, end_ns;
    assert_true(timeline_phase_cut_off(timeline, &phase, &begin_ns, &end_ns));
    assert_string_equal(phase_word(phase), phase_word(wanted));
    assert_int_equal(begin_ns, BASE + MS(begin_ms));
    assert_int_equal(end_ns, BASE + MS(end_ms));
}

/* Up to the begin of an answer of our own; that of the origin is no such thing. */
static void what_was_given_up_was_in_a_phase(void **state)
{
    (void)state;
    enum phase phase;
    uint64_t begin_ns, end_ns;
    struct timeline waited =
        TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 1}, {MARK_P_SLOT, 1}, {MARK_U_TX0, 2},
                 {MARK_U_TX1, 3}, {MARK_D_TX0, 50}, {MARK_D_TX1, 51}, {MARK_X_END, 52});
    assert_cut_off(&waited, PHASE_WAIT, 3, 50);
    waited.at_ns[MARK_D_TX0] = BASE + MS(4) - 1; /* it must have lasted a millisecond */
    assert_false(timeline_phase_cut_off(&waited, &phase, &begin_ns, &end_ns));
    waited.at_ns[MARK_D_TX0] = waited.at_ns[MARK_D_TX1] = 0; /* the client went away */
    assert_cut_off(&waited, PHASE_WAIT, 3, 52);
    waited.at_ns[MARK_X_END] = 0;
    assert_false(timeline_phase_cut_off(&waited, &phase, &begin_ns, &end_ns));
    struct timeline broke_off =
        TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 1}, {MARK_P_SLOT, 1}, {MARK_U_TX0, 2},
                 {MARK_U_TX1, 3}, {MARK_U_RX0, 5}, {MARK_D_TX0, 6}, {MARK_X_END, 90});
    assert_cut_off(&broke_off, PHASE_LOAD, 5, 90);
    struct timeline good = TIMELINE({MARK_C_FIRST, 1}, {MARK_C_HEAD, 1}, {MARK_P_SLOT, 1},
                                    {MARK_D_TX0, 30}, {MARK_D_TX1, 30}, {MARK_X_END, 30});
    assert_false(timeline_phase_cut_off(&good, &phase, &begin_ns, &end_ns));
}

/* Some marks, in any order, some of them before the base. */
static struct timeline any_timeline(uint64_t *seed)
{
    struct timeline timeline = {.wall_ns = WALL, .base_ns = BASE};
    for (int mark = 0; mark < MARK_COUNT; mark++) {
        *seed = *seed * 6364136223846793005 + 1442695040888963407;
        bool is_set = (*seed >> 40 & 1) != 0;
        timeline.at_ns[mark] = is_set ? BASE - NS_PER_MS + (*seed >> 41) : 0;
    }
    return timeline;
}

static void all_phases_at_once_are_those_that_are_asked_for(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 1000; i++) {
        struct timeline timeline = any_timeline(&seed);
        uint64_t all_ns[PHASE_COUNT];
        uint64_t phases = timeline_phases(&timeline, all_ns);
        for (int phase = 0; phase < PHASE_COUNT; phase++) {
            uint64_t ns = 0;
            bool is_there = timeline_phase(&timeline, (enum phase)phase, &ns);
            assert_int_equal(phases >> phase & 1, is_there);
            assert_true(!is_there || all_ns[phase] == ns);
        }
        assert_int_equal(phases >> PHASE_COUNT, 0);
    }
}

static void a_spread_has_the_marks_and_phases_of_the_cut_timeline(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 1000; i++) {
        struct timeline timeline = any_timeline(&seed);
        struct timeline cut;
        struct timeline_spread spread;
        timeline_cut(&timeline, &cut);
        timeline_spread(&timeline, &spread);
        for (int mark = 0; mark < MARK_COUNT; mark++) {
            uint64_t at_ns = timeline.at_ns[mark];
            assert_int_equal(spread.marks >> mark & 1, at_ns != 0);
            assert_true(at_ns == 0 || spread.mark_us[mark] == timeline_offset_us(&timeline, at_ns));
        }
        for (int phase = 0; phase < PHASE_COUNT; phase++) {
            uint64_t ns = 0;
            bool is_there = timeline_phase(&cut, (enum phase)phase, &ns);
            assert_int_equal(spread.phases >> phase & 1, is_there);
            assert_true(!is_there || spread.phase_us[phase] == (int64_t)(ns / NS_PER_US));
        }
        assert_int_equal(spread.marks >> MARK_COUNT | spread.phases >> PHASE_COUNT, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_timeline_has_no_phase),
        cmocka_unit_test(the_first_writer_of_a_mark_wins),
        cmocka_unit_test(a_mark_at_time_zero_is_no_mark),
        cmocka_unit_test(a_cleared_mark_may_be_set_again),
        cmocka_unit_test(a_plain_exchange_on_a_new_connection_has_every_phase),
        cmocka_unit_test(a_pooled_exchange_has_no_dns_connect_or_tls),
        cmocka_unit_test(blocked_leaves_out_the_part_in_which_dns_ran),
        cmocka_unit_test(an_early_response_cuts_send_and_makes_wait_zero),
        cmocka_unit_test(a_request_that_was_never_answered_has_send_but_no_wait),
        cmocka_unit_test(wait_ends_at_the_final_response_and_not_at_an_interim_one),
        cmocka_unit_test(a_phase_is_never_negative),
        cmocka_unit_test(a_tunnel_lasts_from_its_opening_to_its_end),
        cmocka_unit_test(close_of_a_tunnel_without_a_byte_begins_at_its_opening),
        cmocka_unit_test(an_open_tunnel_has_no_tunnel_phase_yet),
        cmocka_unit_test(a_request_in_flight_is_in_the_phase_that_began_last),
        cmocka_unit_test(what_overlaps_is_in_the_later_phase),
        cmocka_unit_test(the_total_of_a_silent_client_begins_at_accept),
        cmocka_unit_test(wall_time_of_a_mark_keeps_its_distance_to_the_base),
        cmocka_unit_test(words_are_those_of_the_tables),
        cmocka_unit_test(marks_in_order_pass_the_check),
        cmocka_unit_test(what_was_given_up_was_in_a_phase),
        cmocka_unit_test(all_phases_at_once_are_those_that_are_asked_for),
        cmocka_unit_test(a_spread_has_the_marks_and_phases_of_the_cut_timeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
