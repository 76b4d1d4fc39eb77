#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/socket.h"
#include "net/tcp.h"
#include "net/tcp_info.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct slab slab;
    struct transport *transport;
    int peer_fd;
};

static void begin(struct fixture *f, int ours, int theirs)
{
    tcp_slab_init(&f->slab);
    f->peer_fd = theirs;
    assert_int_equal(loop_create(&f->loop), ST_OK);
    assert_int_equal(tcp_create(f->loop, &f->slab, ours, WATCH_READ | WATCH_WRITE, &f->transport),
                     ST_OK);
}

static void end(struct fixture *f)
{
    transport_close(&f->transport, /* is_abort= */ false);
    (void)loop_turn(f->loop, 0);
    socket_close(&f->peer_fd);
    loop_destroy(&f->loop);
    slab_done(&f->slab);
}

/* A connection over loopback; gives both its ends. */
static void connect_pair(int ends[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&at, sizeof(at)), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
    socket_close(&listener);
}

/* What came and went shows in the figures. */
static void a_connection_has_figures(void **state)
{
    (void)state;
    struct fixture f;
    struct record_tcp tcp;
    char byte[10];
    int ends[2];
    connect_pair(ends);
    assert_int_equal(write(ends[0], "0123456789", 10), 10);
    assert_int_equal(read(ends[1], byte, 10), 10);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    assert_int_equal(recv(ends[0], byte, 10, MSG_WAITALL), 10);
    begin(&f, ends[0], ends[1]);
    memset(&tcp, 0xff, sizeof(tcp));
    tcp_info_read(f.transport, &tcp);
    assert_int_equal(tcp.is_known, 1);
    assert_int_equal(tcp.data_bytes_in, 10);
    assert_int_equal(tcp.data_segments_in, 1);
    assert_int_equal(tcp.retransmits, 0);
    assert_true(tcp.segments_out > 0 && tcp.segments_in > 0);
    assert_true(tcp.mss_in > 1000); /* not the length of what came */
    assert_true(tcp.min_rtt_us > 0 && tcp.min_rtt_us < UINT32_MAX);
    end(&f);
}

/* Nothing is known, and nothing of before is left. */
static void what_is_no_tcp_has_none(void **state)
{
    (void)state;
    static const struct record_tcp none;
    struct fixture f;
    struct record_tcp tcp;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    begin(&f, ends[0], ends[1]);
    memset(&tcp, 0xff, sizeof(tcp));
    tcp_info_read(f.transport, &tcp);
    assert_memory_equal(&tcp, &none, sizeof(tcp));
    memset(&tcp, 0xff, sizeof(tcp));
    tcp_info_read(NULL, &tcp);
    assert_memory_equal(&tcp, &none, sizeof(tcp));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_has_figures),
        cmocka_unit_test(what_is_no_tcp_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
