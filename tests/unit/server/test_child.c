#include "server_test.h"

#include "base/clock.h"
#include "report/diag.h"
#include "server/channel.h"
#include "server/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

/* A child, and where messages go. Deaths are waited for at the channel, which ends with the process. */
static struct {
    struct child child;
    int nowhere;
} test;

static int begin(void **state)
{
    (void)state;
    child_init(&test.child);
    test.nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    diag_set_output(test.nowhere);
    return test.nowhere >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    diag_set_output(STDERR_FILENO);
    (void)close(test.nowhere);
    if (test.child.channel >= 0)
        (void)close(test.child.channel);
    return 0;
}

static void await_end(void)
{
    struct pollfd end_of_channel = {.fd = test.child.channel, .events = 0};
    assert_int_equal(poll(&end_of_channel, 1, 10000), 1);
}

static int collect(void)
{
    int status = -1;
    await_end();
    while (!child_collect(&test.child, &status))
        (void)poll(NULL, 0, 1); /* the channel ends a moment before the process */
    assert_int_equal(test.child.pid, 0);
    return status;
}

static void say_and_end(void *owner, int channel)
{
    int *code = owner;
    _exit(channel_say(channel, CHANNEL_UP, 7) == ST_OK ? *code : 99);
}

static void wait_for_ever(void *owner, int channel)
{
    (void)owner;
    (void)channel;
    for (;;)
        (void)pause();
}

static void a_child_has_a_channel_and_an_exit_code(void **state)
{
    (void)state;
    int code = 3;
    int status;
    static struct channel_message message;
    assert_false(child_collect(&test.child, &status));
    assert_int_equal(child_start(&test.child, say_and_end, &code), ST_OK);
    status = collect();
    assert_int_equal(child_code(status), 3);
    assert_int_equal(channel_recv(test.child.channel, /* takes_fds= */ false, &message), ST_OK);
    assert_int_equal(message.frame.serial, 7);
    assert_int_equal(channel_recv(test.child.channel, /* takes_fds= */ false, &message), ST_EOF);
}

static void a_death_that_the_kernel_forgot_is_one(void **state)
{
    (void)state;
    int code = 3;
    struct sigaction before;
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGCHLD, &ignored, &before), 0);
    enum status started = child_start(&test.child, say_and_end, &code);
    int status = started == ST_OK ? collect() : -1;
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    assert_int_equal(started, ST_OK);
    assert_int_equal(child_code(status), 1);
}

static void a_child_is_killed(void **state)
{
    (void)state;
    int status;
    assert_int_equal(child_start(&test.child, wait_for_ever, NULL), ST_OK);
    assert_false(child_collect(&test.child, &status));
    child_kill(&test.child);
    assert_int_equal(child_code(collect()), 128 + SIGKILL);
    child_kill(&test.child); /* none is there: nobody is hit */
}

static void deaths_in_a_row_make_the_pause_longer(void **state)
{
    (void)state;
    const uint64_t pauses_ms[] = {0,    100,  200,   400,   800,   1600,
                                  3200, 6400, 10000, 10000, 10000, 10000};
    test.child.started_ns = clock_monotonic_ns();
    for (size_t i = 0; i < COUNT_OF(pauses_ms); i++)
        assert_int_equal(child_mourn(&test.child, SIGKILL, i % 2 == 0), pauses_ms[i]);
}

static void an_old_one_is_forgiven(void **state)
{
    (void)state;
    clock_freeze(1000 * NS_PER_S, 0);
    test.child.started_ns = clock_monotonic_ns();
    for (int i = 0; i < 5; i++)
        (void)child_mourn(&test.child, SIGKILL, true);
    clock_advance(9 * NS_PER_S);
    assert_int_equal(child_mourn(&test.child, SIGKILL, true), 1600);
    clock_advance(NS_PER_S);
    assert_int_equal(child_mourn(&test.child, SIGKILL, false), 3200); /* old, but never served */
    assert_int_equal(child_mourn(&test.child, SIGKILL, true), 0);
    assert_int_equal(test.child.young_deaths, 1);
    clock_restore();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_has_a_channel_and_an_exit_code),
        TEST(a_death_that_the_kernel_forgot_is_one),
        TEST(a_child_is_killed),
        TEST(deaths_in_a_row_make_the_pause_longer),
        TEST(an_old_one_is_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
