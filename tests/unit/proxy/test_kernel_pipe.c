#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/kernel_pipe.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

struct fixture {
    struct counters counters;
    struct kernel_pipe_pool pool;
};

static struct fixture begin(void)
{
    return (struct fixture){.pool = {.spare_count = 0}};
}

static uint64_t open_count(const struct fixture *f)
{
    return counter_get(&f->counters, COUNT_PIPES);
}

/* The last one that was given back, and was empty, is the next to be taken. */
static void an_empty_pipe_is_kept(void **state)
{
    (void)state;
    struct fixture f = begin();
    kernel_pipe_pool_init(&f.pool, &f.counters);
    struct kernel_pipe *pipe = kernel_pipe_take(&f.pool);
    assert_non_null(pipe);
    int fd = pipe->ends[0];
    assert_int_equal(pipe->len, 0);
    assert_int_equal(fcntl(pipe->ends[1], F_GETPIPE_SZ), pipe->cap);
    kernel_pipe_give(&f.pool, &pipe);
    assert_null(pipe);
    kernel_pipe_give(&f.pool, &pipe); /* of nothing */
    assert_int_equal(open_count(&f), 1);
    pipe = kernel_pipe_take(&f.pool);
    assert_int_equal(pipe->ends[0], fd);
    kernel_pipe_give(&f.pool, &pipe);
    kernel_pipe_pool_done(&f.pool);
    assert_int_equal(open_count(&f), 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* What it holds is of a transfer that broke off, and must not come out in another one. */
static void a_pipe_with_bytes_is_closed(void **state)
{
    (void)state;
    struct fixture f = begin();
    kernel_pipe_pool_init(&f.pool, &f.counters);
    struct kernel_pipe *pipe = kernel_pipe_take(&f.pool);
    assert_int_equal(write(pipe->ends[1], "secret", 6), 6);
    pipe->len = 6;
    kernel_pipe_give(&f.pool, &pipe);
    assert_int_equal(open_count(&f), 0);
    char byte;
    pipe = kernel_pipe_take(&f.pool);
    assert_int_equal(pipe->len, 0);
    assert_int_equal(read(pipe->ends[0], &byte, 1), -1);
    kernel_pipe_give(&f.pool, &pipe);
    kernel_pipe_pool_done(&f.pool);
}

/* The first are large, the others smaller, and there is a last one; of those given back some are kept. */
static void their_number_is_bounded(void **state)
{
    (void)state;
    struct kernel_pipe *taken[KERNEL_PIPES_MAX];
    struct fixture f = begin();
    kernel_pipe_pool_init(&f.pool, &f.counters);
    size_t large = 0;
    for (size_t i = 0; i < KERNEL_PIPES_MAX; i++) {
        taken[i] = kernel_pipe_take(&f.pool);
        if (taken[i] == NULL) /* the allowance of this user is used up */
            skip();
        large += taken[i]->cap == KERNEL_PIPE_LARGE_BYTES;
    }
    assert_true(large <= KERNEL_PIPES_LARGE);
    assert_null(kernel_pipe_take(&f.pool));
    assert_int_equal(open_count(&f), KERNEL_PIPES_MAX);
    for (size_t i = 0; i < KERNEL_PIPES_MAX; i++)
        kernel_pipe_give(&f.pool, &taken[i]);
    assert_int_equal(open_count(&f), KERNEL_PIPES_SPARE);
    kernel_pipe_pool_done(&f.pool);
    assert_int_equal(open_count(&f), 0);
    assert_int_equal(f.pool.large_count, 0);
}

static bool tidy(struct fixture *f)
{
    bool has_more = false;
    for (int i = 0; i < KERNEL_PIPES_TIDY; i++)
        has_more = kernel_pipe_pool_tidy(&f->pool);
    return has_more;
}

/* What was not needed in a round of calls is closed, and the last used are kept. */
static void idle_ones_are_closed(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct kernel_pipe *taken[COUNT];
    struct fixture f = begin();
    kernel_pipe_pool_init(&f.pool, &f.counters);
    assert_false(tidy(&f));
    for (size_t i = 0; i < COUNT; i++)
        taken[i] = kernel_pipe_take(&f.pool);
    assert_false(tidy(&f)); /* all are in use */
    assert_int_equal(open_count(&f), COUNT);
    int last = taken[COUNT - 1]->ends[0];
    for (size_t i = 0; i < COUNT; i++)
        kernel_pipe_give(&f.pool, &taken[i]);
    assert_true(tidy(&f)); /* they were in use since the last call */
    assert_int_equal(open_count(&f), COUNT);
    for (size_t i = 0; i < 2; i++)
        taken[i] = kernel_pipe_take(&f.pool);
    for (size_t i = 2; i > 0; i--)
        kernel_pipe_give(&f.pool, &taken[i - 1]);
    assert_true(tidy(&f));
    assert_int_equal(open_count(&f), 2);
    taken[0] = kernel_pipe_take(&f.pool);
    assert_int_equal(taken[0]->ends[0], last);
    kernel_pipe_give(&f.pool, &taken[0]);
    assert_true(tidy(&f));
    assert_int_equal(open_count(&f), 1);
    assert_false(tidy(&f));
    assert_int_equal(open_count(&f), 0);
    taken[0] = kernel_pipe_take(&f.pool);
    assert_non_null(taken[0]);
    kernel_pipe_give(&f.pool, &taken[0]);
    kernel_pipe_pool_done(&f.pool);
    assert_int_equal(open_count(&f), 0);
}

/* Without a descriptor there is none; the kernel is not asked again at once, and nothing is lost for later. */
static void without_descriptors_there_is_none(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct rlimit before, none;
    kernel_pipe_pool_init(&f.pool, &f.counters);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct kernel_pipe *pipe = kernel_pipe_take(&f.pool);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(pipe);
    assert_int_equal(open_count(&f), 0);
    assert_null(kernel_pipe_take(&f.pool));
    for (size_t i = 0; pipe == NULL && i < 1000; i++)
        pipe = kernel_pipe_take(&f.pool);
    kernel_pipe_give(&f.pool, &pipe);
    for (size_t i = 0; i < 2 * KERNEL_PIPES_MAX; i++) {
        pipe = kernel_pipe_take(&f.pool);
        assert_non_null(pipe);
        kernel_pipe_give(&f.pool, &pipe);
    }
    kernel_pipe_pool_done(&f.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_pipe_is_kept),
        cmocka_unit_test(a_pipe_with_bytes_is_closed),
        cmocka_unit_test(their_number_is_bounded),
        cmocka_unit_test(idle_ones_are_closed),
        cmocka_unit_test(without_descriptors_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
