#include "server_test.h"

#include "io/socket.h"
#include "server/compile.h"
#include "server/maker.h"
#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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
    assert_int_equal(compile_snapshot(test.bundle, &test.interfaces, NULL, NULL, SLICE("test"),
                                      &fault, &test.snapshot),
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
    enum status status =
        worker_adopt(test.worker, test.snapshot, false, listens, COUNT_OF(listens));
    assert_int_equal(errno, EPERM);
    assert_int_equal(status, ST_IO);
    assert_int_equal(worker_adopt(test.worker, test.snapshot, false, NULL, 0), ST_OK);
    (void)close(file);
}

/* It is tried again until it can be watched: who waits in its queue is served then. */
static void a_listener_that_could_not_be_watched_is_tried_again(void **state)
{
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int socket_fd = test.bundle->listens[0].fds[0];
    struct inet_endpoint bound = socket_local(socket_fd);
    struct socket_dial_options plain = {0};
    const struct worker_listen listen = {fd, 0, false};
    assert_int_equal(worker_adopt(test.worker, test.snapshot, false, &listen, 1), ST_IO);
    int client = -1;
    assert_int_equal(socket_dial(&bound, &plain, &client), ST_OK);
    struct pollfd closed = {.fd = client, .events = POLLIN};
    assert_int_equal(send(client, "?", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(dup3(socket_fd, fd, O_CLOEXEC), fd);
    assert_int_equal(poll(&closed, 1, 10000), 1); /* its end, or an answer */
    socket_close(&client);
    assert_int_equal(worker_adopt(test.worker, test.snapshot, false, NULL, 0), ST_OK);
    socket_close(&fd);
}

static void a_worker_that_watches_all_has_nothing_to_tell(void **state)
{
    (void)state;
    const struct worker_listen listen = {test.bundle->listens[0].fds[0], 0, false};
    for (int i = 0; i < 3; i++)
        assert_int_equal(worker_adopt(test.worker, test.snapshot, false, &listen, 1), ST_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_tells_of_a_listener_that_it_cannot_watch),
        TEST(a_listener_that_could_not_be_watched_is_tried_again),
        TEST(a_worker_that_watches_all_has_nothing_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
