/* Only in a build with faults: c-ares where the system does not give what it needs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "dns_server.h"
#include "net/resolver.h"

#include <stdlib.h>

enum { TURNS_MAX = 200 };

static struct {
    struct loop *loop;
    struct resolver *resolver;
    struct dns_server server;
    struct counters counters;
    struct question question;
    unsigned answers;
} test;

static void on_answer(struct question *question, int half)
{
    (void)question;
    (void)half;
    test.answers++;
}

static int begin(void **state)
{
    (void)state;
    clock_freeze(1000 * NS_PER_S, 1000 * NS_PER_S);
    memset(&test, 0, sizeof(test));
    assert_int_equal(loop_create(&test.loop), ST_OK);
    dns_server_start(&test.server, test.loop);
    dns_server_add(
        &test.server,
        (struct dns_rule){.name = "a.test", .type = RR_A, .address = {"192.0.2.1"}, .ttl = 60});
    struct resolver_options options = {
        .hosts_path = "", .servers = &test.server.address, .server_count = 1};
    assert_int_equal(resolver_create(test.loop, &options, &test.counters, &test.resolver), ST_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    question_cancel(&test.question);
    resolver_destroy(&test.resolver);
    dns_server_stop(&test.server);
    loop_destroy(&test.loop);
    clock_restore();
    return 0;
}

/* Ask with these faults, and no longer; the answer's result. Out of memory is an answer, too. */
static enum answer_result ask(const char *schedule)
{
    struct host host;
    assert_int_equal(host_parse(SLICE("a.test"), &host), HOST_FINE);
    assert_int_equal(setenv(FAULT_VARIABLE, schedule, 1), 0);
    fault_begin(0);
    enum status status =
        resolver_ask(test.resolver, &test.question, &host, ASK_V4, NULL, on_answer);
    fault_end();
    assert_true(status == ST_OK || status == ST_AGAIN || status == ST_NOMEM);
    if (status == ST_NOMEM)
        return ANSWER_ERROR;
    uint64_t until_ns = clock_monotonic_ns() + NS_PER_S;
    while (!test.question.half[HALF_V4].is_answered && clock_monotonic_ns() < until_ns) {
        (void)loop_turn(test.loop, NS_PER_MS);
        clock_advance(5 * NS_PER_MS);
    }
    assert_true(test.question.half[HALF_V4].is_answered); /* within a second of the frozen clock */
    return test.question.half[HALF_V4].result;
}

/* A socket that cannot be watched is looked at all the same. */
static void an_answer_on_a_socket_that_nobody_watches_is_found(void **state)
{
    (void)state;
    assert_int_equal(ask("epoll_ctl.fail=1"), ANSWER_FOUND);
    question_cancel(&test.question);
    assert_int_equal(ask("heap.fail=1"), ANSWER_FOUND);
}

/* Without a socket, or without memory in the library, there is an answer at once, which is not remembered. */
static void without_a_socket_or_memory_it_fails_at_once(void **state)
{
    (void)state;
    assert_int_not_equal(ask("socket.fail=1"), ANSWER_FOUND);
    question_cancel(&test.question);
    assert_int_not_equal(ask("dns_heap.fail=1"), ANSWER_FOUND);
    question_cancel(&test.question);
    assert_int_equal(ask("socket.fail=0"), ANSWER_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_answer_on_a_socket_that_nobody_watches_is_found),
        TEST(without_a_socket_or_memory_it_fails_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
