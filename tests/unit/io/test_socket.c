#include "../base/base_test.h"

#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static const struct socket_dial_options plain = {0};
static const struct socket_listen_options listening = {.backlog = 16};

static struct inet_endpoint endpoint_of(const char *text)
{
    struct inet_endpoint endpoint;
    assert_int_equal(inet_endpoint_parse(slice_from_string(text), &endpoint), ST_OK);
    return endpoint;
}

static bool wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, 10000) == 1;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void check_descriptor(int fd)
{
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static bool has_ipv6(void)
{
    struct inet_endpoint any = endpoint_of("[::1]:0");
    int fd;
    if (socket_listen(&any, &listening, &fd) != ST_OK)
        return false;
    socket_close(&fd);
    return true;
}

/* A listener on loopback, a client and the accepted end. */
struct trio {
    int listener;
    int client;
    int server;
    struct inet_endpoint at;
    struct inet_endpoint peer;
};

static void trio_begin(struct trio *trio, const char *at)
{
    struct inet_endpoint any = endpoint_of(at);
    assert_int_equal(socket_listen(&any, &listening, &trio->listener), ST_OK);
    trio->at = socket_local(trio->listener);
    assert_int_equal(socket_dial(&trio->at, &plain, &trio->client), ST_OK);
    assert_true(wait_for(trio->client, POLLOUT));
    assert_int_equal(socket_error(trio->client), 0);
    assert_true(wait_for(trio->listener, POLLIN));
    assert_int_equal(socket_accept(trio->listener, &trio->server, &trio->peer), ST_OK);
}

static void trio_end(struct trio *trio)
{
    socket_close(&trio->listener);
    socket_close(&trio->client);
    socket_close(&trio->server);
}

static enum status send_text(int fd, const char *text, size_t *ret_len)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    return socket_send(fd, &iov, 1, ret_len);
}

/* ---- connections ---- */

static void a_connection_knows_both_ends(void **state)
{
    (void)state;
    static const char *const places[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct trio trio;
        if (i == 1 && !has_ipv6())
            skip();
        trio_begin(&trio, places[i]);
        struct inet_endpoint client = socket_local(trio.client);
        struct inet_endpoint server = socket_local(trio.server);
        assert_true(trio.at.port != 0);
        assert_true(inet_endpoint_equals(&server, &trio.at));
        assert_true(inet_endpoint_equals(&client, &trio.peer));
        trio_end(&trio);
        assert_int_equal(trio.client, -1);
    }
}

static void all_descriptors_are_nonblocking_and_closed_on_exec(void **state)
{
    (void)state;
    struct trio trio;
    int ends[2];
    size_t bytes;
    trio_begin(&trio, "127.0.0.1:0");
    check_descriptor(trio.listener);
    check_descriptor(trio.client);
    check_descriptor(trio.server);
    assert_int_equal(socket_pipe(65536, ends, &bytes), ST_OK);
    check_descriptor(ends[0]);
    check_descriptor(ends[1]);
    socket_close(&ends[0]);
    socket_close(&ends[1]);
    trio_end(&trio);
}

/* Who dialled may send once before it has to say so. */
static void both_ends_send_without_delay(void **state)
{
    (void)state;
    struct trio trio;
    trio_begin(&trio, "127.0.0.1:0");
    assert_int_equal(option(trio.server, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(trio.client, IPPROTO_TCP, TCP_NODELAY), 0);
    socket_set_nodelay(trio.client);
    assert_int_equal(option(trio.client, IPPROTO_TCP, TCP_NODELAY), 1);
    trio_end(&trio);
}

/* From the beginning: when an urgent byte is told of, a receive may have skipped it. */
static void a_dialled_connection_keeps_urgent_data_at_its_place(void **state)
{
    (void)state;
    struct trio trio;
    trio_begin(&trio, "127.0.0.1:0");
    assert_int_equal(option(trio.client, SOL_SOCKET, SO_OOBINLINE), 1);
    trio_end(&trio);
}

static void accept_says_when_nothing_waits(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    struct inet_endpoint peer;
    int listener;
    int fd = -7;
    assert_int_equal(socket_listen(&any, &listening, &listener), ST_OK);
    assert_int_equal(socket_accept(listener, &fd, &peer), ST_AGAIN);
    assert_int_equal(fd, -7);
    socket_close(&listener);
}

static unsigned aborts_to_come;

/* Stands before the C library's, and ends as many calls as the test asks for. */
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *len, int flags)
{
    if (aborts_to_come > 0) {
        aborts_to_come--;
        errno = ECONNABORTED;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address.__sockaddr__, len, flags);
}

/* Only an empty queue is ST_AGAIN: after many connections that were aborted more may wait. */
static void many_aborted_connections_are_not_an_empty_queue(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    struct inet_endpoint peer;
    int listener;
    int fd;
    assert_int_equal(socket_listen(&any, &listening, &listener), ST_OK);
    aborts_to_come = 10;
    assert_int_equal(socket_accept(listener, &fd, &peer), ST_AGAIN);
    aborts_to_come = 1000;
    assert_int_equal(socket_accept(listener, &fd, &peer), ST_IO);
    assert_int_equal(errno, ECONNABORTED);
    aborts_to_come = 0;
    socket_close(&listener);
}

static void running_out_of_descriptors_is_a_limit(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    struct inet_endpoint peer;
    struct rlimit old;
    size_t bytes;
    int listener;
    int client;
    int fd;
    int ends[2];
    assert_int_equal(socket_listen(&any, &listening, &listener), ST_OK);
    struct inet_endpoint at = socket_local(listener);
    assert_int_equal(socket_dial(&at, &plain, &client), ST_OK);
    assert_true(wait_for(listener, POLLIN));

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {0, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status accepted = socket_accept(listener, &fd, &peer);
    enum status dialled = socket_dial(&at, &plain, &fd);
    enum status piped = socket_pipe(65536, ends, &bytes);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);

    assert_int_equal(accepted, ST_LIMIT);
    assert_int_equal(dialled, ST_LIMIT);
    assert_int_equal(piped, ST_LIMIT);
    assert_int_equal(socket_accept(listener, &fd, &peer), ST_OK); /* nothing was lost */
    socket_close(&fd);
    socket_close(&client);
    socket_close(&listener);
}

static void an_address_in_use_is_said(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    int first;
    int second;
    assert_int_equal(socket_listen(&any, &listening, &first), ST_OK);
    struct inet_endpoint at = socket_local(first);
    errno = 0;
    assert_int_equal(socket_listen(&at, &listening, &second), ST_IO);
    assert_int_equal(errno, EADDRINUSE);
    socket_close(&first);
    assert_int_equal(socket_listen(&at, &listening, &second), ST_OK);
    socket_close(&second);
}

static void workers_share_an_address_with_reuse_port(void **state)
{
    (void)state;
    struct socket_listen_options shared = {.backlog = 16, .reuse_port = true};
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    int first;
    int second;
    assert_int_equal(socket_listen(&any, &shared, &first), ST_OK);
    struct inet_endpoint at = socket_local(first);
    assert_int_equal(socket_listen(&at, &shared, &second), ST_OK);
    socket_close(&first);
    socket_close(&second);
}

static void only_v6_is_as_asked(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("[::]:0");
    if (!has_ipv6())
        skip();
    for (int only = 0; only < 2; only++) {
        struct socket_listen_options options = {.backlog = 1, .only_v6 = only == 1};
        int fd;
        assert_int_equal(socket_listen(&any, &options, &fd), ST_OK);
        assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), only);
        socket_close(&fd);
    }
}

static void a_refused_connect_tells_its_cause(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    int fd;
    assert_int_equal(socket_listen(&any, &listening, &fd), ST_OK);
    struct inet_endpoint at = socket_local(fd);
    socket_close(&fd);
    enum status status = socket_dial(&at, &plain, &fd);
    if (status == ST_OK) {
        assert_true(wait_for(fd, POLLOUT));
        assert_int_equal(socket_error(fd), ECONNREFUSED);
        assert_int_equal(socket_error(fd), 0); /* asked once */
        socket_close(&fd);
    } else {
        assert_int_equal(status, ST_IO);
        assert_int_equal(errno, ECONNREFUSED);
    }
}

static void dial_options_reach_the_socket(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    struct inet_endpoint source = endpoint_of("127.0.0.9:1");
    struct socket_dial_options options = {
        .source = &source.addr, .user_timeout_ms = 7000, .congestion = "reno"};
    struct inet_addr none = {0};
    char congestion[16] = "";
    socklen_t len = sizeof(congestion);
    int listener;
    int fd;
    assert_int_equal(socket_listen(&any, &listening, &listener), ST_OK);
    struct inet_endpoint at = socket_local(listener);
    assert_int_equal(socket_dial(&at, &options, &fd), ST_OK);
    struct inet_endpoint local = socket_local(fd);
    assert_true(inet_addr_equals(&local.addr, &source.addr));
    assert_true(local.port != 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */), 1);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &len), 0);
    assert_string_equal(congestion, "reno");
    socket_close(&fd);

    options = (struct socket_dial_options){.source = &none};
    assert_int_equal(socket_dial(&at, &options, &fd), ST_OK);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    socket_close(&fd);
    socket_close(&listener);
}

/* Time-outs, probes and congestion control of a listening socket are those of every accepted one. */
static void accepted_sockets_inherit_options(void **state)
{
    (void)state;
    struct inet_endpoint any = endpoint_of("127.0.0.1:0");
    struct socket_dial_options dialling = {0};
    struct inet_endpoint peer;
    char congestion[16] = "";
    socklen_t len = sizeof(congestion);
    int listener;
    int client;
    int fd;
    assert_int_equal(socket_listen(&any, &listening, &listener), ST_OK);
    const struct socket_tuning tuning = {7, 7000, "reno"};
    socket_tune_listener(listener, &tuning);
    struct inet_endpoint at = socket_local(listener);
    assert_int_equal(socket_dial(&at, &dialling, &client), ST_OK);
    while (socket_accept(listener, &fd, &peer) == ST_AGAIN)
        (void)poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 5000);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &len), 0);
    assert_string_equal(congestion, "reno");
    socket_close(&fd);
    socket_close(&client);
    socket_close(&listener);
}

static void a_source_that_is_not_ours_fails(void **state)
{
    (void)state;
    struct inet_endpoint at = endpoint_of("127.0.0.1:9");
    struct inet_endpoint source = endpoint_of("192.0.2.1:1");
    struct socket_dial_options options = {.source = &source.addr};
    int fd = -7;
    assert_int_equal(socket_dial(&at, &options, &fd), ST_IO);
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_int_equal(fd, -7);
}

/* ---- Unix sockets ---- */

static void make_path(char *into, size_t cap, const char *name)
{
    const char *folder = getenv("TMPDIR");
    int len = snprintf(into, cap, "%s/fairlead-%ld-%s", folder != NULL ? folder : "/tmp",
                       (long)getpid(), name);
    assert_true(len > 0 && (size_t)len < cap);
    (void)unlink(into);
}

static int dial_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void a_unix_listener_has_its_mode_and_no_address(void **state)
{
    (void)state;
    char path[100];
    struct inet_endpoint peer;
    struct stat found;
    int listener;
    int fd;
    make_path(path, sizeof(path), "mode");
    mode_t old = umask(0);
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &listener), ST_OK);
    (void)umask(old);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    check_descriptor(listener);
    int client = dial_unix(path);
    assert_true(client >= 0);
    assert_int_equal(socket_accept(listener, &fd, &peer), ST_OK);
    assert_int_equal(peer.addr.family, INET_NONE);
    socket_close(&fd);
    socket_close(&client);
    socket_close(&listener);
    assert_int_equal(unlink(path), 0);
}

static void a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    (void)state;
    char path[100];
    int first;
    int second;
    make_path(path, sizeof(path), "stale");
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &first), ST_OK);
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &second), ST_IO);
    assert_int_equal(errno, EADDRINUSE);
    socket_close(&first);
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &second), ST_OK);
    int client = dial_unix(path);
    assert_true(client >= 0);
    socket_close(&client);
    socket_close(&second);
    assert_int_equal(unlink(path), 0);
}

/* A datagram socket that somebody holds says EPROTOTYPE, and is not taken away. */
static void a_live_socket_of_another_type_is_left_alone(void **state)
{
    (void)state;
    char path[100];
    struct stat before;
    struct stat after;
    int fd = -1;
    make_path(path, sizeof(path), "datagram");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int holder = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(holder, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &fd), ST_IO);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    (void)close(holder);
    assert_int_equal(unlink(path), 0);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    char path[100];
    struct stat found;
    int fd;
    make_path(path, sizeof(path), "file");
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    (void)close(file);
    assert_int_equal(socket_listen_unix(slice_from_string(path), 0600, 4, &fd), ST_IO);
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISREG(found.st_mode));
    assert_int_equal(unlink(path), 0);
}

static void a_path_that_is_too_long_is_a_limit(void **state)
{
    (void)state;
    char path[200];
    int fd;
    memset(path, 'x', sizeof(path));
    assert_int_equal(socket_listen_unix(slice_of(path, sizeof(path)), 0600, 4, &fd), ST_LIMIT);
    assert_int_equal(socket_listen_unix(slice_of(path, 108), 0600, 4, &fd), ST_LIMIT);
    assert_int_equal(socket_listen_unix(SLICE_NONE, 0600, 4, &fd), ST_LIMIT);
}

/* ---- bytes ---- */

static void bytes_arrive_in_order_and_the_end_behind_them(void **state)
{
    (void)state;
    struct trio trio;
    struct iovec iov[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cd", 2}};
    char into[8];
    size_t len = 99;
    trio_begin(&trio, "127.0.0.1:0");
    assert_int_equal(socket_recv(trio.server, into, sizeof(into), &len), ST_AGAIN);
    assert_int_equal(socket_peek(trio.server, into, sizeof(into), &len), ST_AGAIN);
    assert_int_equal(len, 99);
    assert_int_equal(socket_send(trio.client, iov, 2, &len), ST_OK);
    assert_int_equal(len, 4);
    assert_int_equal(socket_shutdown(trio.client), ST_OK);
    assert_true(wait_for(trio.server, POLLRDHUP));
    assert_int_equal(socket_peek(trio.server, into, 2, &len), ST_OK);
    assert_slice(slice_of(into, len), "ab");
    assert_int_equal(socket_recv(trio.server, into, 3, &len), ST_OK);
    assert_slice(slice_of(into, len), "abc");
    assert_int_equal(socket_recv(trio.server, into, sizeof(into), &len), ST_OK);
    assert_slice(slice_of(into, len), "d");
    assert_int_equal(socket_recv(trio.server, into, sizeof(into), &len), ST_EOF);
    assert_int_equal(socket_peek(trio.server, into, sizeof(into), &len), ST_EOF);

    /* The other direction still works. */
    assert_int_equal(send_text(trio.server, "back", &len), ST_OK);
    assert_true(wait_for(trio.client, POLLIN));
    assert_int_equal(socket_recv(trio.client, into, sizeof(into), &len), ST_OK);
    assert_slice(slice_of(into, len), "back");
    trio_end(&trio);
}

static void a_full_socket_says_again(void **state)
{
    (void)state;
    static char block[65536];
    struct trio trio;
    struct iovec iov = {block, sizeof(block)};
    enum status status = ST_OK;
    size_t len;
    trio_begin(&trio, "127.0.0.1:0");
    for (int i = 0; i < 10000 && status == ST_OK; i++)
        status = socket_send(trio.client, &iov, 1, &len);
    assert_int_equal(status, ST_AGAIN);
    trio_end(&trio);
}

static void a_reset_is_an_error_and_no_end(void **state)
{
    (void)state;
    struct trio trio;
    char into[8];
    size_t len;
    trio_begin(&trio, "127.0.0.1:0");
    socket_reset(&trio.client);
    assert_int_equal(trio.client, -1);
    assert_true(wait_for(trio.server, POLLIN));
    assert_int_equal(socket_recv(trio.server, into, sizeof(into), &len), ST_IO);
    assert_int_equal(errno, ECONNRESET);
    /* And a send to it raises no signal, which would end this program. */
    assert_int_equal(send_text(trio.server, "x", &len), ST_IO);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(socket_shutdown(trio.server), ST_IO);
    trio_end(&trio);
}

static void splice_moves_bytes_through_a_pipe(void **state)
{
    (void)state;
    struct trio trio;
    char into[16];
    size_t len;
    size_t pipe_bytes;
    int ends[2];
    trio_begin(&trio, "127.0.0.1:0");
    assert_int_equal(socket_pipe(262144, ends, &pipe_bytes), ST_OK);
    assert_true(pipe_bytes >= 4096);
    assert_int_equal(socket_splice(trio.server, ends[1], 65536, &len), ST_AGAIN);
    assert_int_equal(socket_splice(ends[0], trio.server, 65536, &len), ST_AGAIN);
    assert_int_equal(send_text(trio.client, "through", &len), ST_OK);
    assert_int_equal(socket_shutdown(trio.client), ST_OK);
    assert_true(wait_for(trio.server, POLLRDHUP));
    assert_int_equal(socket_splice(trio.server, ends[1], 65536, &len), ST_OK);
    assert_int_equal(len, 7);
    assert_int_equal(socket_splice(ends[0], trio.server, len, &len), ST_OK);
    assert_int_equal(len, 7);
    assert_int_equal(socket_splice(trio.server, ends[1], 65536, &len), ST_EOF);
    assert_true(wait_for(trio.client, POLLIN));
    assert_int_equal(socket_recv(trio.client, into, sizeof(into), &len), ST_OK);
    assert_slice(slice_of(into, len), "through");
    socket_close(&ends[0]);
    socket_close(&ends[1]);
    trio_end(&trio);
}

static void what_is_no_socket_has_no_address(void **state)
{
    (void)state;
    int none = -1;
    assert_int_equal(socket_local(-1).addr.family, INET_NONE);
    assert_int_equal(socket_error(-1), EBADF);
    socket_close(&none);
    socket_reset(&none);
    assert_int_equal(none, -1);
}

/* What a reload switches off is off: listening sockets outlive their settings. */
static void a_listener_can_be_tuned_back(void **state)
{
    (void)state;
    struct inet_endpoint any = {.addr = {INET_V4, {127, 0, 0, 1}}};
    struct socket_listen_options options = {.backlog = 1};
    int fd = -1;
    assert_int_equal(socket_listen(&any, &options, &fd), ST_OK);
    const struct socket_tuning most = {32767, INT_MAX, ""};
    const struct socket_tuning none = {0, 0, ""};
    socket_tune_listener(fd, &(struct socket_tuning){30, 30000, "reno"});
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    socket_tune_listener(fd, &most);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 32767);
    socket_tune_listener(fd, &none);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    char own[16] = "";
    char fresh[16] = "";
    socklen_t len = sizeof(own) - 1;
    int other = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, own, &len), 0);
    len = sizeof(fresh) - 1;
    assert_int_equal(getsockopt(other, IPPROTO_TCP, TCP_CONGESTION, fresh, &len), 0);
    assert_string_equal(own, fresh);
    socket_close(&other);
    socket_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_knows_both_ends),
        cmocka_unit_test(all_descriptors_are_nonblocking_and_closed_on_exec),
        cmocka_unit_test(both_ends_send_without_delay),
        cmocka_unit_test(a_dialled_connection_keeps_urgent_data_at_its_place),
        cmocka_unit_test(accept_says_when_nothing_waits),
        cmocka_unit_test(many_aborted_connections_are_not_an_empty_queue),
        cmocka_unit_test(running_out_of_descriptors_is_a_limit),
        cmocka_unit_test(an_address_in_use_is_said),
        cmocka_unit_test(workers_share_an_address_with_reuse_port),
        cmocka_unit_test(only_v6_is_as_asked),
        cmocka_unit_test(a_refused_connect_tells_its_cause),
        cmocka_unit_test(dial_options_reach_the_socket),
        cmocka_unit_test(accepted_sockets_inherit_options),
        cmocka_unit_test(a_source_that_is_not_ours_fails),
        cmocka_unit_test(a_unix_listener_has_its_mode_and_no_address),
        cmocka_unit_test(a_live_socket_of_another_type_is_left_alone),
        cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(a_path_that_is_too_long_is_a_limit),
        cmocka_unit_test(bytes_arrive_in_order_and_the_end_behind_them),
        cmocka_unit_test(a_listener_can_be_tuned_back),
        cmocka_unit_test(a_full_socket_says_again),
        cmocka_unit_test(a_reset_is_an_error_and_no_end),
        cmocka_unit_test(splice_moves_bytes_through_a_pipe),
        cmocka_unit_test(what_is_no_socket_has_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
