#include "server_test.h"

#include "server/compile.h"
#include "server/maker.h"
#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>

/* One worker that serves from a bundle with one listener. */
static struct {
    struct maker maker;
    struct bundle *bundle;
    struct interfaces interfaces;
    struct snapshot *snapshot;
    struct counters counters;
    struct worker *worker;
} test;

static const char *const flags[] = {"--workers=1", "--admin=off", "--listen", "127.0.0.1:0",
                                    "--log-file=off"};

static int begin(void **state)
{
    (void)state;
    char words[400];
    struct text fault = text_on(words, sizeof(words));
    maker_init(&test.maker, COUNT_OF(flags), flags);
    assert_int_equal(maker_make(&test.maker, NULL, &test.bundle), ST_OK);
    assert_int_equal(interfaces_read(&test.interfaces, &fault), ST_OK);
    assert_int_equal(compile_snapshot(test.bundle, &test.interfaces, NULL, SLICE("test"), &fault,
                                      &test.snapshot),
                     ST_OK);
    struct worker_options options = {
        .snapshot = test.snapshot, .counters = &test.counters, .idle_max = 1};
    assert_int_equal(worker_create(&options, &test.worker), ST_OK);
    return worker_start(test.worker) == ST_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    worker_stop(&test.worker);
    snapshot_unref(&test.snapshot);
    interfaces_done(&test.interfaces);
    bundle_destroy(&test.bundle);
    maker_done(&test.maker);
    return 0;
}

static void a_worker_tells_of_a_listener_that_it_cannot_watch(void **state)
{
    (void)state;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* epoll takes no regular file */
    assert_true(file >= 0);
    const struct worker_listen listens[] = {{file, 0, false},
                                            {test.bundle->listens[0].fds[0], 0, false}};
    enum status status = worker_adopt(test.worker, test.snapshot, listens, COUNT_OF(listens));
    assert_int_equal(errno, EPERM);
    assert_int_equal(status, ST_IO);
    (void)close(file);
}

static void a_worker_that_watches_all_has_nothing_to_tell(void **state)
{
    (void)state;
    const struct worker_listen listen = {test.bundle->listens[0].fds[0], 0, false};
    for (int i = 0; i < 3; i++)
        assert_int_equal(worker_adopt(test.worker, test.snapshot, &listen, 1), ST_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_tells_of_a_listener_that_it_cannot_watch),
        TEST(a_worker_that_watches_all_has_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
