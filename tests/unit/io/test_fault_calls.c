/* Only in a build with faults: what each call of the program then does. */

#include "../base/base_test.h"

#include "base/block.h"
#include "base/clock.h"
#include "base/fault.h"
#include "io/loop.h"
#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void begin(const char *schedule)
{
    assert_int_equal(setenv(FAULT_VARIABLE, schedule, 1), 0);
    fault_begin(0);
}

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void drop_pair(int pair[2])
{
    socket_close(&pair[0]);
    socket_close(&pair[1]);
}

static struct iovec bytes_of(const char *text)
{
    return (struct iovec){(void *)(uintptr_t)text, strlen(text)};
}

/* A short call moves one byte, and nothing of the rest is lost. */
static void a_call_is_short(void **state)
{
    (void)state;
    int pair[2];
    char got[8];
    size_t len = 0;
    struct iovec bytes[] = {bytes_of("abc"), bytes_of("def")};
    make_pair(pair);
    begin("all.short=1");
    assert_int_equal(socket_send(pair[0], bytes, 2, &len), ST_OK);
    assert_int_equal(len, 1);
    fault_end();
    assert_int_equal(socket_send(pair[0], bytes, 2, &len), ST_OK);
    begin("all.short=1");
    assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_OK);
    assert_int_equal(len, 1);
    fault_end();
    assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_OK);
    assert_int_equal(len, 6);
    assert_memory_equal(got, "abcdef", 6);
    drop_pair(pair);
}

struct heard {
    struct watch watch;
    unsigned count;
};

static void on_ready(struct watch *watch, unsigned ready)
{
    struct heard *heard = CONTAINER_OF(watch, struct heard, watch);
    heard->count += (ready & WATCH_READ) != 0;
}

/* What was late made no edge, and is told all the same: after each late call once. */
static void a_late_call_is_told_again(void **state)
{
    (void)state;
    int pair[2];
    char got[8];
    size_t len = 0;
    struct iovec bytes = bytes_of("abc");
    struct loop *loop = NULL;
    struct heard heard = {.watch = {-1, on_ready}};
    make_pair(pair);
    assert_int_equal(loop_create(&loop), ST_OK);
    assert_int_equal(loop_watch(loop, &heard.watch, pair[1], WATCH_READ), ST_OK);
    assert_int_equal(socket_send(pair[0], &bytes, 1, &len), ST_OK);
    (void)loop_turn(loop, 0);
    (void)loop_turn(loop, 0);
    assert_int_equal(heard.count, 1);

    begin("recv.late=1");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_AGAIN);
        (void)loop_turn(loop, 0);
        (void)loop_turn(loop, 0);
        assert_int_equal(heard.count, 2 + i);
    }
    fault_end();
    assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_OK);
    assert_int_equal(len, 3);
    loop_unwatch(loop, &heard.watch, false);
    loop_destroy(&loop);
    drop_pair(pair);
}

/* A call that signals interrupt is made until it is not. */
static void an_interrupted_call_is_made_again(void **state)
{
    (void)state;
    int pair[2];
    char got[8];
    size_t len = 0;
    struct iovec bytes = bytes_of("abc");
    make_pair(pair);
    begin("harmless=0 all.interrupted=0.9");
    assert_int_equal(socket_send(pair[0], &bytes, 1, &len), ST_OK);
    assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_OK);
    assert_int_equal(len, 3);
    fault_end();
    drop_pair(pair);
}

/* A call that fails says so with an error of its own. */
static void a_call_fails(void **state)
{
    (void)state;
    int pair[2];
    char got[8];
    size_t len = 0;
    int ends[2];
    int fd = -1;
    int one = 1;
    struct iovec bytes = bytes_of("abc");
    struct inet_endpoint endpoint = {.addr = {INET_V4, {127, 0, 0, 1}}, .port = 1};
    struct socket_dial_options plain = {0};
    struct block_pool *blocks = block_pool_create(0, 0);
    make_pair(pair);
    begin("all.fail=1");
    assert_int_equal(socket_send(pair[0], &bytes, 1, &len), ST_IO);
    assert_int_equal(socket_recv(pair[1], got, sizeof(got), &len), ST_IO);
    assert_int_equal(socket_splice(pair[1], pair[0], 10, &len), ST_IO);
    assert_int_equal(socket_pipe(65536, ends, &len), ST_LIMIT);
    assert_int_equal(socket_dial(&endpoint, &plain, &fd), ST_LIMIT);
    assert_int_equal(socket_local(pair[0]).addr.family, INET_NONE);
    assert_int_equal(socket_error(pair[0]) != 0, true);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), -1);
    assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
    assert_null(block_create(blocks, 1));
    assert_null(malloc(1));
    assert_null(calloc(1, 1));
    assert_null(realloc(NULL, 1));
    assert_null(strdup(""));
    fault_end();
    block_pool_destroy(&blocks);
    drop_pair(pair);
}

/* The wall clock steps, and the monotonic one does not. */
static void the_wall_clock_steps(void **state)
{
    (void)state;
    uint64_t monotonic_ns = clock_monotonic_ns();
    uint64_t wall_ns = clock_wall_ns();
    unsigned steps = 0;
    begin("seed=1 clock=1");
    for (unsigned i = 0; i < 20; i++) {
        int64_t by_ns = (int64_t)(clock_wall_ns() - wall_ns);
        steps += llabs(by_ns) > (int64_t)(600 * NS_PER_S);
    }
    fault_end();
    assert_in_range(steps, 15, 20);
    assert_in_range(clock_monotonic_ns() - monotonic_ns, 0, 600 * NS_PER_S);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_short),
        cmocka_unit_test(a_late_call_is_told_again),
        cmocka_unit_test(an_interrupted_call_is_made_again),
        cmocka_unit_test(a_call_fails),
        cmocka_unit_test(the_wall_clock_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
