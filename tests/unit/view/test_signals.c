#include "view_test.h"

#include "view/signals.h"

#include <signal.h>

static volatile sig_atomic_t heard;

static void hear(int number)
{
    heard = number;
}

/* A signal waits to be read, and is read once. */
static void a_signal_is_read(void **state)
{
    (void)state;
    int fd = signals_take();
    assert_true(fd >= 0);
    assert_int_equal(signals_read(fd), 0);
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(signals_read(fd), SIGINT);
    assert_int_equal(signals_read(fd), 0);
    assert_int_equal(signals_give(fd), 0);
}

/* What was not read is not lost, and what comes later goes its usual way. */
static void what_is_left_is_given_back(void **state)
{
    (void)state;
    int fd = signals_take();
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(signals_give(fd), SIGTERM);
    assert_int_equal(heard, 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(heard, SIGTERM);
}

static void no_descriptor_has_none(void **state)
{
    (void)state;
    assert_int_equal(signals_read(-1), 0);
    assert_int_equal(signals_give(-1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_read),
        cmocka_unit_test(what_is_left_is_given_back),
        cmocka_unit_test(no_descriptor_has_none),
    };
    struct sigaction action = {.sa_handler = hear};
    if (sigaction(SIGTERM, &action, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
