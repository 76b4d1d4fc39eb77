#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "net/listener.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MANY = 80 };

static size_t accept_calls;

/* Stands before the C library's, and counts. */
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
    accept_calls++;
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, len, flags);
}

struct fixture {
    struct loop *loop;
    int fd;
    struct inet_endpoint address;
    struct listener *listener;
    struct counters counters;
    size_t accepted;
    bool ends_itself;
    int clients[2 * MANY];
    size_t client_count;
};

static void on_accept(void *owner, int fd, const struct inet_endpoint *peer)
{
    struct fixture *f = owner;
    assert_true(inet_addr_is_loopback(&peer->addr));
    socket_close(&fd);
    f->accepted++;
    if (f->ends_itself)
        listener_destroy(&f->listener);
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    accept_calls = 0;
    assert_int_equal(loop_create(&f->loop), ST_OK);
    struct inet_endpoint any = {.port = 0};
    assert_int_equal(inet_addr_parse(SLICE("127.0.0.1"), &any.addr), ST_OK);
    struct socket_listen_options options = {.backlog = 128};
    assert_int_equal(socket_listen(&any, &options, &f->fd), ST_OK);
    f->address = socket_local(f->fd);
}

static void listen_now(struct fixture *f, unsigned batch, bool is_shared)
{
    struct listener_options options = {
        .fd = f->fd,
        .is_shared = is_shared,
        .batch = batch,
        .counters = &f->counters,
        .owner = f,
        .on_accept = on_accept,
    };
    assert_int_equal(listener_create(f->loop, &options, &f->listener), ST_OK);
}

/* A blocking connect over loopback ends when the kernel has queued the connection. */
static void connect_clients(struct fixture *f, size_t count)
{
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(&f->address, &address);
    for (size_t i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
        f->clients[f->client_count++] = fd;
    }
}

static void end(struct fixture *f)
{
    listener_destroy(&f->listener);
    (void)loop_turn(f->loop, 0);
    for (size_t i = 0; i < f->client_count; i++) {
        close(f->clients[i]);
    }
    socket_close(&f->fd);
    loop_destroy(&f->loop);
}

static void turn_until(struct fixture *f, size_t accepted)
{
    for (int i = 0; i < 1000 && f->accepted < accepted; i++) {
        (void)loop_turn(f->loop, 0);
    }
    assert_int_equal(f->accepted, accepted);
}

static void what_waited_before_and_what_comes_later_is_accepted(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    connect_clients(&f, 3);
    listen_now(&f, 0, /* is_shared= */ false);
    turn_until(&f, 3);
    connect_clients(&f, MANY - 3);
    turn_until(&f, MANY);
    end(&f);
}

static void a_small_batch_goes_on_until_all_are_accepted(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    listen_now(&f, 2, /* is_shared= */ true);
    connect_clients(&f, 21);
    turn_until(&f, 21);
    end(&f);
}

/* Nobody asks whether another one waits behind a connection that comes alone, nor behind the next. */
static void one_alone_costs_one_call(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    listen_now(&f, 0, /* is_shared= */ false);
    (void)loop_turn(f.loop, 0);
    for (size_t i = 1; i <= 10; i++) {
        connect_clients(&f, 1);
        turn_until(&f, i);
        assert_int_equal(loop_turn(f.loop, 0), 0); /* nothing runs */
        assert_int_equal(accept_calls, i);
    }
    end(&f);
}

/* A burst is taken in a few turns: 1, 1 and 2 more, then twice as many in each, up to the batch. */
static void a_burst_takes_few_turns(void **state)
{
    struct fixture f;
    (void)state;
    static const size_t after[] = {1, 2, 4, 8, 16, 32, 64, MANY};
    begin(&f);
    listen_now(&f, 0, /* is_shared= */ true);
    (void)loop_turn(f.loop, 0);
    (void)loop_turn(f.loop, 0);
    connect_clients(&f, MANY);
    for (size_t i = 0; i < COUNT_OF(after); i++) {
        (void)loop_turn(f.loop, 0);
        assert_int_equal(f.accepted, after[i]);
    }
    assert_int_equal(accept_calls, MANY + 1); /* the last turn expected more than there were */
    (void)loop_turn(f.loop, 0);
    connect_clients(&f, 20); /* it expects as many as there were */
    (void)loop_turn(f.loop, 0);
    assert_int_equal(f.accepted, MANY + 16);
    end(&f);
}

static void on_busy(struct watch *watch, unsigned ready)
{
    (void)watch;
    (void)ready;
}

/* Nor does it take more where so much else is ready that the listener is told of in every third turn only. */
static void a_burst_behind_a_crowd_does_too(void **state)
{
    enum { CROWD = 80 };
    struct fixture f;
    (void)state;
    static const size_t after[] = {1, 3, 7, 15, 31, 63, MANY};
    struct watch crowd[CROWD];
    begin(&f);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct watch){.fd = -1, .on_ready = on_busy};
        assert_int_equal(loop_watch(f.loop, &crowd[i], eventfd(1, 0), WATCH_READ | WATCH_LEVEL),
                         ST_OK);
    }
    listen_now(&f, 0, /* is_shared= */ true);
    connect_clients(&f, MANY);
    for (size_t i = 0; i < COUNT_OF(after); i++) {
        size_t before = f.accepted;
        for (int turn = 0; turn < 4 && f.accepted == before; turn++)
            (void)loop_turn(f.loop, 0);
        assert_int_equal(f.accepted, after[i]);
    }
    for (size_t i = 0; i < CROWD; i++) {
        int fd = crowd[i].fd;
        loop_unwatch(f.loop, &crowd[i], /* is_closing= */ true);
        assert_int_equal(close(fd), 0);
    }
    end(&f);
}

static void it_may_be_destroyed_inside_its_own_callback(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    f.ends_itself = true;
    listen_now(&f, 0, /* is_shared= */ false);
    connect_clients(&f, 3);
    turn_until(&f, 1);
    assert_null(f.listener);
    for (int i = 0; i < 5; i++) {
        (void)loop_turn(f.loop, 0);
    }
    assert_int_equal(f.accepted, 1);
    end(&f);
}

/* Leave no descriptor free; returns the limit as it was. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int free_fd = dup(0);
    assert_true(free_fd >= 0);
    close(free_fd);
    struct rlimit tight = {.rlim_cur = (rlim_t)free_fd, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    return before;
}

static void out_of_descriptors_pauses_without_spinning_and_a_freed_one_resumes(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    listen_now(&f, 0, /* is_shared= */ false);
    connect_clients(&f, 4);
    struct rlimit before = use_up_descriptors();
    for (int i = 0; i < 3; i++) {
        (void)loop_turn(f.loop, 0);
    }
    assert_int_equal(f.accepted, 0);
    assert_int_equal(counter_get(&f.counters, COUNT_ACCEPT_PAUSES), 1);
    assert_int_equal(loop_turn(f.loop, 0), 0); /* nothing runs */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    listener_resume(f.listener);
    turn_until(&f, 4);
    end(&f);
}

static void out_of_descriptors_ends_by_itself_after_a_while(void **state)
{
    struct fixture f;
    (void)state;
    clock_freeze(NS_PER_S, NS_PER_S);
    begin(&f);
    listen_now(&f, 0, /* is_shared= */ false);
    connect_clients(&f, 4);
    struct rlimit before = use_up_descriptors();
    for (int i = 0; i < 3; i++) {
        (void)loop_turn(f.loop, 0);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)loop_turn(f.loop, 0);
    assert_int_equal(f.accepted, 0);
    clock_advance((LISTENER_RETRY_MS + 2) * NS_PER_MS);
    turn_until(&f, 4);
    end(&f);
    clock_restore();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waited_before_and_what_comes_later_is_accepted),
        cmocka_unit_test(a_small_batch_goes_on_until_all_are_accepted),
        cmocka_unit_test(one_alone_costs_one_call),
        cmocka_unit_test(a_burst_takes_few_turns),
        cmocka_unit_test(a_burst_behind_a_crowd_does_too),
        cmocka_unit_test(it_may_be_destroyed_inside_its_own_callback),
        cmocka_unit_test(out_of_descriptors_pauses_without_spinning_and_a_freed_one_resumes),
        cmocka_unit_test(out_of_descriptors_ends_by_itself_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
