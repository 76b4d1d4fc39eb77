#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/socket.h"
#include "net/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct slab slab;
    struct transport *transport;
    int peer_fd;
    unsigned news;
};

static void on_ready(struct transport *transport)
{
    struct fixture *f = transport->owner;
    f->news++;
}

static void begin(struct fixture *f)
{
    int ends[2];
    *f = (struct fixture){0};
    tcp_slab_init(&f->slab);
    assert_int_equal(loop_create(&f->loop), ST_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(
        tcp_create(f->loop, &f->slab, ends[0], WATCH_READ | WATCH_WRITE, &f->transport), ST_OK);
    transport_listen(f->transport, f, on_ready);
    f->peer_fd = ends[1];
}

static void end(struct fixture *f)
{
    transport_close(&f->transport, /* is_abort= */ false);
    assert_null(f->transport);
    (void)loop_turn(f->loop, 0);
    socket_close(&f->peer_fd);
    loop_destroy(&f->loop);
    slab_done(&f->slab);
}

static void turn(struct fixture *f)
{
    (void)loop_turn(f->loop, 0);
}

/* T1: a short receive clears READ, and the next bytes set it again. */
static void test_read_bit(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[16];
    size_t len = 0;
    begin(&f);
    assert_true(f.transport->ready & WATCH_READ);
    assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_AGAIN);
    assert_false(f.transport->ready & WATCH_READ);

    assert_int_equal(write(f.peer_fd, "abcdef", 6), 6);
    turn(&f);
    assert_true(f.news > 0);
    assert_true(f.transport->ready & WATCH_READ);
    assert_int_equal(transport_recv(f.transport, bytes, 4, &len), ST_OK);
    assert_int_equal(len, 4);
    assert_true(f.transport->ready & WATCH_READ); /* it was filled: there may be more */
    assert_int_equal(transport_recv(f.transport, bytes, 4, &len), ST_OK);
    assert_int_equal(len, 2);
    assert_false(f.transport->ready & WATCH_READ);
    end(&f);
}

/* T1 for a look: where nothing is there, the next one need not ask; what comes then is seen. */
static void test_look(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(f.transport->ready & WATCH_READ);
    assert_true(transport_is_quiet(f.transport, LOOK_IF_TOLD));
    assert_false(f.transport->ready & WATCH_READ);
    assert_int_equal(write(f.peer_fd, "a", 1), 1);
    assert_true(transport_is_quiet(f.transport, LOOK_IF_TOLD)); /* nobody told */
    assert_false(transport_is_quiet(f.transport, LOOK_ASK));
    turn(&f);
    assert_true(f.transport->ready & WATCH_READ);
    assert_false(transport_is_quiet(f.transport, LOOK_IF_TOLD));
    end(&f);
}

/* After the peer's end was seen a short receive leaves READ set, since no further news will come. */
static void test_end_is_not_missed(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[16];
    size_t len = 0;
    begin(&f);
    assert_int_equal(write(f.peer_fd, "abc", 3), 3);
    assert_int_equal(shutdown(f.peer_fd, SHUT_WR), 0);
    turn(&f);
    assert_true(f.transport->ready & WATCH_HANGUP);
    assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_OK);
    assert_true(f.transport->ready & WATCH_READ);
    assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_EOF);
    end(&f);
}

/* T2: a short send clears WRITE, and room sets it again. */
static void test_write_bit(void **state)
{
    (void)state;
    static char bulk[65536];
    struct fixture f;
    begin(&f);
    const struct iovec iov = {bulk, sizeof(bulk)};
    size_t len = 0;
    while (f.transport->ready & WATCH_WRITE)
        (void)transport_send(f.transport, &iov, 1, &len); /* the bit tells */
    turn(&f);
    assert_false(f.transport->ready & WATCH_WRITE);
    while (read(f.peer_fd, bulk, sizeof(bulk)) > 0)
        continue;
    turn(&f);
    assert_true(f.transport->ready & WATCH_WRITE);
    end(&f);
}

static void open_pipe(int ends[2])
{
    size_t bytes = 0;
    assert_int_equal(socket_pipe(65536, ends, &bytes), ST_OK);
    assert_true(bytes >= 65536);
}

/* T1 for a splice: nothing there clears READ, unless what stopped it may be the end, of which a receive tells. */
static void test_splice_in(void **state)
{
    (void)state;
    struct fixture f;
    int pipe[2];
    char bytes[16];
    size_t len = 0;
    begin(&f);
    open_pipe(pipe);
    assert_int_equal(write(f.peer_fd, "abcdef", 6), 6);
    turn(&f);
    assert_int_equal(transport_recv_splice(f.transport, pipe[1], 4, &len), ST_OK);
    assert_int_equal(len, 4);
    assert_int_equal(read(pipe[0], bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(transport_recv_splice(f.transport, pipe[1], 65536, &len), ST_OK);
    assert_int_equal(len, 2);
    assert_int_equal(read(pipe[0], bytes, sizeof(bytes)), 2);
    assert_true(f.transport->ready &
                WATCH_READ); /* a short splice may have been stopped by the pipe */
    assert_int_equal(transport_recv_splice(f.transport, pipe[1], 65536, &len), ST_AGAIN);
    assert_false(f.transport->ready & WATCH_READ);

    assert_int_equal(shutdown(f.peer_fd, SHUT_WR), 0);
    turn(&f);
    assert_int_equal(transport_recv_splice(f.transport, pipe[1], 65536, &len), ST_AGAIN);
    assert_true(f.transport->ready & WATCH_READ);
    assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_EOF);
    socket_close(&pipe[0]);
    socket_close(&pipe[1]);
    end(&f);
}

/* T2 for a splice; one that fails is remembered as a send is. */
static void test_splice_out(void **state)
{
    (void)state;
    static char bulk[65536];
    struct fixture f;
    int pipe[2];
    size_t len = 0;
    begin(&f);
    open_pipe(pipe);
    size_t in_pipe = 0, taken = 0;
    enum status status = ST_OK;
    while (status == ST_OK) {
        if (in_pipe == 0) {
            assert_int_equal(write(pipe[1], bulk, 32768), 32768);
            in_pipe = 32768;
        }
        status = transport_send_splice(f.transport, pipe[0], in_pipe, &len);
        in_pipe -= status == ST_OK ? len : 0;
        taken += status == ST_OK ? len : 0;
    }
    assert_int_equal(status, ST_AGAIN);
    assert_true(taken > 0);
    assert_false(f.transport->ready & WATCH_WRITE);
    while (read(f.peer_fd, bulk, sizeof(bulk)) > 0)
        continue;
    turn(&f);
    assert_true(f.transport->ready & WATCH_WRITE);
    assert_int_equal(transport_send_splice(f.transport, pipe[0], in_pipe, &len), ST_OK);
    while (len < in_pipe) { /* it may have taken a part */
        in_pipe -= len;
        assert_int_equal(transport_send_splice(f.transport, pipe[0], in_pipe, &len), ST_OK);
    }
    socket_close(&f.peer_fd);
    assert_int_equal(write(pipe[1], "x", 1), 1);
    assert_int_equal(transport_send_splice(f.transport, pipe[0], 1, &len), ST_IO);
    assert_int_equal(f.transport->os_error, EPIPE);
    socket_close(&pipe[0]);
    socket_close(&pipe[1]);
    end(&f);
}

/* Our end is an orderly end; receiving goes on. */
static void test_shut(void **state)
{
    (void)state;
    struct fixture f;
    char byte;
    size_t len = 0;
    begin(&f);
    assert_int_equal(transport_shut(f.transport), ST_OK);
    assert_int_equal(read(f.peer_fd, &byte, 1), 0);
    assert_int_equal(write(f.peer_fd, "x", 1), 1);
    assert_int_equal(transport_recv(f.transport, &byte, 1, &len), ST_OK);
    end(&f);
}

/* Like begin, over TCP on loopback. */
static void begin_tcp(struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    *f = (struct fixture){0};
    tcp_slab_init(&f->slab);
    assert_int_equal(loop_create(&f->loop), ST_OK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    f->peer_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->peer_fd, (struct sockaddr *)&address, len), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_int_equal(tcp_create(f->loop, &f->slab, fd, WATCH_READ | WATCH_WRITE, &f->transport),
                     ST_OK);
    transport_listen(f->transport, f, on_ready);
    socket_close(&listener);
}

static int no_delay(const struct transport *transport)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(tcp_fd(transport), IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    return value != 0;
}

/* The end of a first send that is more than one segment is not to wait either. */
static void test_a_long_first_send_is_not_delayed(void **state)
{
    (void)state;
    static char bytes[537];
    for (size_t over = 0; over < 2; over++) {
        struct fixture f;
        const struct iovec iov[] = {{bytes, 500}, {bytes, 36 + over}};
        size_t len = 0;
        begin_tcp(&f);
        struct transport *accepted = f.transport;
        assert_int_equal(
            tcp_create(f.loop, &f.slab, dup(tcp_fd(accepted)), /* ready= */ 0, &f.transport),
            ST_OK);
        assert_int_equal(transport_send(f.transport, iov, 2, &len), ST_OK);
        assert_int_equal(no_delay(f.transport), over == 1);
        transport_close(&accepted, /* is_abort= */ false);
        end(&f);
    }
}

/* A connection that was dialled sends its first bytes as they are; from the second send on, or where they come out of a
 * kernel pipe, the kernel is told not to wait. What was accepted has that of its listener. */
static void test_only_the_first_send_may_be_delayed(void **state)
{
    (void)state;
    for (int is_splice = 0; is_splice < 2; is_splice++) {
        struct fixture f;
        char bytes[4] = "abc";
        const struct iovec iov = {bytes, 1};
        size_t len = 0;
        int ends[2];
        begin_tcp(&f);
        struct transport *accepted = f.transport;
        assert_int_equal(
            tcp_create(f.loop, &f.slab, dup(tcp_fd(accepted)), /* ready= */ 0, &f.transport),
            ST_OK);
        assert_int_equal(transport_send(f.transport, &iov, 1, &len), ST_OK);
        assert_false(no_delay(f.transport));
        assert_int_equal(transport_send(accepted, &iov, 1, &len), ST_OK);
        assert_int_equal(transport_send(accepted, &iov, 1, &len), ST_OK);
        assert_false(no_delay(accepted));
        if (is_splice) {
            assert_int_equal(pipe(ends), 0);
            assert_int_equal(write(ends[1], "xyz", 3), 3);
            assert_int_equal(transport_send_splice(f.transport, ends[0], 3, &len), ST_OK);
            close(ends[0]);
            close(ends[1]);
        } else {
            assert_int_equal(transport_send(f.transport, &iov, 1, &len), ST_OK);
        }
        assert_true(no_delay(f.transport));
        transport_close(&accepted, /* is_abort= */ false);
        end(&f);
    }
}

/* The kernel reports a socket at each shutdown(2), also when it was shut before: an owner who shuts on every report has
 * rest after the first. */
static void test_to_shut_twice_is_no_news(void **state)
{
    (void)state;
    struct fixture f;
    begin_tcp(&f);
    turn(&f);
    assert_int_equal(transport_shut(f.transport), ST_OK);
    turn(&f);
    unsigned news = f.news;
    assert_int_equal(transport_shut(f.transport), ST_OK);
    turn(&f);
    assert_int_equal(f.news, news);
    end(&f);
}

/* The kernel tells of a reset once. Where a send was told, a receive after it takes what had come before, and then is
 * not told of an end in order, but where there was one. */
static void test_a_reset_is_no_end_in_order(void **state)
{
    (void)state;
    for (int is_in_order = 0; is_in_order < 2; is_in_order++) {
        struct fixture f;
        char bytes[16];
        const struct iovec iov = {bytes, 1};
        size_t len = 0;
        begin_tcp(&f);
        assert_int_equal(write(f.peer_fd, "abc", 3), 3);
        if (is_in_order) {
            struct pollfd look = {.fd = tcp_fd(f.transport), .events = POLLRDHUP};
            assert_int_equal(shutdown(f.peer_fd, SHUT_WR), 0);
            assert_int_equal(poll(&look, 1, 10000), 1); /* or the reset may go instead of it */
        }
        socket_reset(&f.peer_fd);
        assert_int_equal(transport_send(f.transport, &iov, 1, &len), ST_IO);
        assert_int_equal(f.transport->os_error, is_in_order ? EPIPE : ECONNRESET);
        assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_OK);
        assert_int_equal(len, 3);
        assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len),
                         is_in_order ? ST_EOF : ST_IO);
        end(&f);
    }
}

/* And where a receive was told, a send after it only says that something happened before. */
static void test_a_reset_stays_the_reason(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[16];
    const struct iovec iov = {bytes, 1};
    size_t len = 0;
    begin_tcp(&f);
    socket_reset(&f.peer_fd);
    turn(&f);
    assert_int_equal(transport_recv(f.transport, bytes, sizeof(bytes), &len), ST_IO);
    assert_int_equal(f.transport->os_error, ECONNRESET);
    assert_int_equal(transport_send(f.transport, &iov, 1, &len), ST_IO);
    assert_int_equal(f.transport->os_error, ECONNRESET);
    end(&f);
}

/* T4: nobody hears anything after the close, also not of what the poller knew already. */
static void test_close(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(tcp_fd(f.transport) >= 0);
    assert_true(transport_is_plain(f.transport));
    assert_string_equal(transport_fault(f.transport), "");
    assert_int_equal(write(f.peer_fd, "x", 1), 1);
    transport_close(&f.transport, /* is_abort= */ true);
    turn(&f);
    assert_int_equal(f.news, 0);
    end(&f);
}

/* A descriptor that cannot be watched makes no transport. */
static void test_unwatchable(void **state)
{
    (void)state;
    struct loop *loop = NULL;
    struct slab slab;
    struct transport *transport = NULL;
    tcp_slab_init(&slab);
    assert_int_equal(loop_create(&loop), ST_OK);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int closed = fd;
    socket_close(&fd);
    assert_int_equal(tcp_create(loop, &slab, closed, WATCH_READ | WATCH_WRITE, &transport), ST_IO);
    assert_null(transport);
    loop_destroy(&loop);
    slab_done(&slab);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does: splice(2) raises it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_bit),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_end_is_not_missed),
        cmocka_unit_test(test_write_bit),
        cmocka_unit_test(test_splice_in),
        cmocka_unit_test(test_splice_out),
        cmocka_unit_test(test_shut),
        cmocka_unit_test(test_to_shut_twice_is_no_news),
        cmocka_unit_test(test_a_long_first_send_is_not_delayed),
        cmocka_unit_test(test_only_the_first_send_may_be_delayed),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_unwatchable),
        cmocka_unit_test(test_a_reset_is_no_end_in_order),
        cmocka_unit_test(test_a_reset_stays_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
