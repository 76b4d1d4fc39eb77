#include "server_test.h"

#include "server/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct {
    int ends[2];
    size_t fds; /* open before the test */
    struct channel_message message;
} test;

static int begin(void **state)
{
    (void)state;
    test.fds = count_fds();
    return channel_pair(test.ends) == ST_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (test.ends[i] >= 0)
            (void)close(test.ends[i]);
    }
    assert_int_equal(count_fds(), test.fds);
    return 0;
}

static enum status receive(void)
{
    return channel_recv(test.ends[1], /* takes_fds= */ true, &test.message);
}

/* A packet as a broken sender would make it. */
static void send_raw(const void *bytes, size_t len, unsigned fd_count)
{
    static _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 200)];
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        packet.msg_control = control;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (unsigned i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(header) + i * sizeof(int), &test.ends[0], sizeof(int));
    }
    assert_int_equal(sendmsg(test.ends[0], &packet, 0), len);
}

static void a_frame_arrives_as_it_was_sent(void **state)
{
    (void)state;
    struct channel_frame frame = {.kind = CHANNEL_REFUSED, .serial = 7, .text_len = 4};
    memcpy(frame.text, "why?", 4);
    assert_int_equal(channel_send(test.ends[0], &frame, NULL, 0), ST_OK);
    assert_int_equal(channel_say(test.ends[0], CHANNEL_UP, 9), ST_OK);
    assert_int_equal(receive(), ST_OK);
    assert_memory_equal(&test.message.frame, &frame, sizeof(frame));
    assert_int_equal(test.message.fd_count, 0);
    assert_int_equal(receive(), ST_OK);
    assert_int_equal(test.message.frame.kind, CHANNEL_UP);
    assert_int_equal(receive(), ST_AGAIN);
}

static void descriptors_come_along_and_close_on_exec(void **state)
{
    (void)state;
    int fds[CHANNEL_FDS_MAX];
    struct channel_frame frame = {.kind = CHANNEL_MORE};
    for (int i = 0; i < CHANNEL_FDS_MAX; i++)
        fds[i] = test.ends[0];
    assert_int_equal(channel_send(test.ends[0], &frame, fds, CHANNEL_FDS_MAX), ST_OK);
    assert_int_equal(receive(), ST_OK);
    assert_int_equal(test.message.fd_count, CHANNEL_FDS_MAX);
    for (int i = 0; i < CHANNEL_FDS_MAX; i++)
        assert_int_equal(fcntl(test.message.fds[i], F_GETFD), FD_CLOEXEC);
    channel_message_close(&test.message);
    assert_int_equal(test.message.fd_count, 0);
}

static void who_takes_no_descriptors_gets_none(void **state)
{
    (void)state;
    struct channel_frame frame = {.kind = CHANNEL_UP};
    assert_int_equal(channel_send(test.ends[0], &frame, test.ends, 1), ST_OK);
    assert_int_equal(channel_recv(test.ends[1], /* takes_fds= */ false, &test.message), ST_BAD);
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    static char bytes[2 * sizeof(struct channel_frame)];
    struct channel_frame frame = {.kind = CHANNEL_UP};
    const size_t lengths[] = {1, sizeof(frame) - 1, sizeof(frame) + 1, sizeof(bytes)};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        memcpy(bytes, &frame, sizeof(frame));
        send_raw(bytes, lengths[i], 3);
        assert_int_equal(receive(), ST_BAD);
    }
    const struct channel_frame wrong[] = {
        {.kind = 0},
        {.kind = CHANNEL_KIND_END},
        {.kind = UINT32_MAX},
        {.kind = CHANNEL_REFUSED, .text_len = CHANNEL_TEXT_MAX + 1},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        send_raw(&wrong[i], sizeof(wrong[i]), 2);
        assert_int_equal(receive(), ST_BAD);
        assert_int_equal(test.message.fd_count, 0);
    }
}

static void more_descriptors_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    struct channel_frame frame = {.kind = CHANNEL_MORE, .serial = 5};
    send_raw(&frame, sizeof(frame), CHANNEL_FDS_MAX + 10);
    assert_int_equal(receive(), ST_LIMIT);
    assert_int_equal(test.message.fd_count, 0);
    assert_int_equal(test.message.frame.serial, 5);
}

static void a_frame_is_told_when_this_process_is_out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit before;
    struct channel_frame frame = {.kind = CHANNEL_BUNDLE, .serial = 6};
    assert_int_equal(channel_send(test.ends[0], &frame, test.ends, 2), ST_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status status = receive();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, ST_LIMIT);
    assert_int_equal(test.message.fd_count, 0);
    assert_int_equal(test.message.frame.kind, CHANNEL_BUNDLE);
    assert_int_equal(test.message.frame.serial, 6);
}

static void the_other_end_may_go(void **state)
{
    (void)state;
    assert_int_equal(channel_say(test.ends[0], CHANNEL_DRAIN, 0), ST_OK);
    (void)close(test.ends[0]);
    test.ends[0] = -1;
    assert_int_equal(receive(), ST_OK);
    assert_int_equal(receive(), ST_EOF);
    assert_int_equal(channel_say(test.ends[1], CHANNEL_UP, 0), ST_IO);
    assert_int_equal(errno, EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_frame_arrives_as_it_was_sent),
        TEST(descriptors_come_along_and_close_on_exec),
        TEST(who_takes_no_descriptors_gets_none),
        TEST(what_is_no_frame_is_refused),
        TEST(more_descriptors_than_there_is_room_for_are_refused),
        TEST(a_frame_is_told_when_this_process_is_out_of_descriptors),
        TEST(the_other_end_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
