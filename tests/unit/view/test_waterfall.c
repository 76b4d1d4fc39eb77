#include "view_test.h"

#include "view/waterfall.h"

#include <errno.h>
#include <stdio.h>

static struct record record;
static char room[WATERFALL_MAX + 1];
static const struct screen plain = {.columns = 80};

#define BASE_NS (1000 * NS_PER_S)
#define MS(n)   ((uint64_t)(n)*NS_PER_MS)

static void mark(enum mark which, uint64_t after_ns)
{
    timeline_mark_at(&record.timeline, which, BASE_NS + after_ns);
}

static void make_exchange(void)
{
    record_begin(&record);
    record.timeline.base_ns = BASE_NS;
    record.kind = RECORD_EXCHANGE;
    record.end = END_DONE;
    record.status = 200;
    record.response_body_bytes = 1230;
    record.dns_source = DNS_QUERY;
    record.dns_answers = 2;
    record.upstream_use = 1;
    record.attempt_count = 1;
    assert_int_equal(inet_endpoint_parse(SLICE("192.0.2.1:80"), &record.upstream), ST_OK);
    record.attempts[0] =
        (struct record_attempt){.peer = record.upstream, .begin_ns = BASE_NS + MS(20)};
    record.attempts[0].end_ns = BASE_NS + MS(40);
    record_set(&record, &record.method, SLICE("GET"), 10);
    record_set(&record, &record.url, SLICE("http://a.example/"), 100);
    mark(MARK_C_FIRST, 0);
    mark(MARK_C_HEAD, 0);
    mark(MARK_U_DNS0, 0);
    mark(MARK_U_DNS1, MS(20));
    mark(MARK_U_SYN0, MS(20));
    mark(MARK_U_SYN1, MS(40));
    mark(MARK_U_TX0, MS(40));
    mark(MARK_U_TX1, MS(40));
    mark(MARK_U_RX0, MS(90));
    mark(MARK_U_RX1, MS(100));
    mark(MARK_X_END, MS(100));
}

static const char *draw(const struct screen *screen, uint64_t axis_ns)
{
    struct text text = text_on(room, sizeof(room));
    waterfall_add(&record, axis_ns, screen, &text);
    assert_false(text.is_cut);
    return text_string(&text);
}

/* Bars lie where their time lay, on an axis of 34 cells. */
static void bars_lie_on_the_axis(void **state)
{
    (void)state;
    make_exchange();
    assert_string_equal(draw(&plain, MS(100)),
                        "GET http://a.example/  200  1.23KB in 100ms\n"
                        "new connection to 192.0.2.1:80\n"
                        "  dns        #######                            20.0ms  query, 2 found\n"
                        "  connect          #######                      20.0ms\n"
                        "  send                    |                        0us\n"
                        "  wait                    #################     50.0ms\n"
                        "  load                                    ###   10.0ms\n"
                        "  slow: origin 60.0ms of 100ms\n");
    assert_true(waterfall_is_good(&record));
    assert_int_equal(waterfall_length(&record), MS(100));
}

/* It happened, and took no time. */
static void a_load_of_no_length_says_why(void **state)
{
    (void)state;
    make_exchange();
    record.timeline.at_ns[MARK_U_RX1] = record.timeline.at_ns[MARK_U_RX0];
    assert_non_null(strstr(draw(&plain, MS(100)), " 0us  came in one piece\n"));
    record.timeline.at_ns[MARK_U_RX1] = 0;
    assert_null(strstr(draw(&plain, MS(100)), "load"));
}

/* Nobody was slow of what took less than 100 ms, or of a tunnel that was idle. */
static void what_was_quick_names_nobody(void **state)
{
    (void)state;
    make_exchange();
    record.timeline.at_ns[MARK_X_END] = record.timeline.at_ns[MARK_U_RX1] = 0;
    mark(MARK_X_END, MS(99));
    assert_null(strstr(draw(&plain, MS(100)), "slow"));
    make_exchange();
    record.kind = RECORD_TUNNEL;
    record.timeline.at_ns[MARK_X_END] = record.timeline.at_ns[MARK_U_RX1] = 0;
    record.timeline.at_ns[MARK_U_TX0] = record.timeline.at_ns[MARK_U_RX0] = 0;
    mark(MARK_T_OPEN, MS(41));
    mark(MARK_X_END, MS(30000));
    assert_null(strstr(draw(&plain, MS(100)), "slow"));
}

/* A scale that others need leaves room; one that is too small cuts, and nothing leaves its column. */
static void any_axis_keeps_the_width(void **state)
{
    (void)state;
    static const uint64_t axes[] = {0, 1, MS(1), MS(99), MS(100), MS(3333), UINT64_MAX};
    static const unsigned widths[] = {60, 80, 200};
    make_exchange();
    for (size_t i = 0; i < COUNT_OF(axes) * COUNT_OF(widths); i++) {
        struct screen screen = {.columns = widths[i % COUNT_OF(widths)]};
        const char *line = draw(&screen, axes[i / COUNT_OF(widths)]);
        while (*line != '\0') {
            size_t len = strcspn(line, "\n");
            assert_true(len <= screen.columns);
            line += len + 1;
        }
    }
}

static void attempts_and_failures_are_told(void **state)
{
    (void)state;
    make_exchange();
    record.kind = RECORD_LOCAL;
    record.end = END_ERROR;
    record.status = 502;
    record.attempt_count = 2;
    record.attempts[1] = record.attempts[0];
    record.attempts[1].os_error = ECONNREFUSED;
    record_set(&record, &record.detail, SLICE("Nobody \x1b[31m there"), 100);
    record_set(&record, &record.remedy, SLICE("--allow x"), 100);
    const char *seen = draw(&plain, MS(100));
    assert_non_null(strstr(seen, "error: Nobody \\x1b[31m there\nto allow it: --allow x\n"));
    assert_non_null(strstr(
        seen, "   ipv4            #######                      20.0ms  192.0.2.1 refused\n"));
    assert_false(waterfall_is_good(&record));
}

static void what_was_given_up_has_a_bar(void **state)
{
    (void)state;
    make_exchange();
    record.kind = RECORD_LOCAL;
    record.end = END_TIMEOUT;
    record.timeline.at_ns[MARK_U_RX0] = record.timeline.at_ns[MARK_U_RX1] = 0;
    mark(MARK_D_TX0, MS(100));
    record_set(&record, &record.cause, SLICE("response_timeout"), 100);
    const char *seen = draw(&plain, MS(100));
    const char *row = strstr(seen, "\n  wait ");
    assert_non_null(row);
    assert_non_null(strstr(row, "60.0ms  in vain\n"));
}

static void a_reused_connection_is_told(void **state)
{
    (void)state;
    make_exchange();
    record.upstream_use = 3;
    record.paid_connect_ns = MS(20);
    assert_non_null(
        strstr(draw(&plain, MS(100)),
               "reused connection to 192.0.2.1:80: request 3 on it; it had paid connect 20ms\n"));
}

/* The worst texts stay within the room, raw bytes of them never come. */
static void hostile_texts_fit(void **state)
{
    (void)state;
    char worst[1000];
    struct screen wide = {.columns = 200, .has_color = true, .is_utf8 = true};
    make_exchange();
    memset(worst, 0x02, sizeof(worst));
    record.kind = RECORD_LOCAL;
    record.attempt_count = RECORD_ATTEMPTS_MAX;
    for (size_t i = 1; i < RECORD_ATTEMPTS_MAX; i++)
        record.attempts[i] = record.attempts[0];
    record.url.len = record.method.len = 0;
    record_set(&record, &record.url, slice_of(worst, sizeof(worst)), sizeof(worst));
    record_set(&record, &record.method, slice_of(worst, 300), 300);
    record_set(&record, &record.detail, slice_of(worst, sizeof(worst)), sizeof(worst));
    record_set(&record, &record.remedy, slice_of(worst, sizeof(worst)), sizeof(worst));
    const char *seen = draw(&wide, 1);
    assert_null(strchr(seen, 0x02));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_lie_on_the_axis),
        cmocka_unit_test(a_load_of_no_length_says_why),
        cmocka_unit_test(what_was_quick_names_nobody),
        cmocka_unit_test(any_axis_keeps_the_width),
        cmocka_unit_test(attempts_and_failures_are_told),
        cmocka_unit_test(what_was_given_up_has_a_bar),
        cmocka_unit_test(a_reused_connection_is_told),
        cmocka_unit_test(hostile_texts_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
