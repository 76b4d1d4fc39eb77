/* Frames with descriptors over a socket pair.
 *
 *     C1  SOCK_SEQPACKET keeps frames whole: there is no half of one, and nothing to reassemble.
 *     C2  A frame is checked before anybody sees it: size, kind, length of its text, flags of the kernel.
 *     C3  Descriptors of a frame that is refused are closed, and so are those that the kernel cut off.
 *     C4  Sending waits for room, but not for ever: the other side may hang. */

#include "server/channel.h"

#include "base/check.h"
#include "io/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum status channel_pair(int ret_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends) < 0
               ? ST_IO
               : ST_OK;
}

void channel_message_close(struct channel_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++)
        socket_close(&message->fds[i]);
    message->fd_count = 0;
}

/* ---- sending ---- */

static enum status channel_await_room(int channel)
{
    struct pollfd room = {.fd = channel, .events = POLLOUT};
    int ready = poll(&room, 1, CHANNEL_PATIENCE_MS);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0 || (ready < 0 && errno == EINTR) ? ST_OK : ST_IO;
}

enum status channel_send(int channel, const struct channel_frame *frame, const int *fds,
                         unsigned fd_count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)] = {0};
    struct channel_frame copy = *frame;
    struct iovec part = {&copy, sizeof(copy)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK(fd_count <= CHANNEL_FDS_MAX && frame->text_len <= CHANNEL_TEXT_MAX);
    if (fd_count > 0) {
        packet.msg_control = control;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (sendmsg(channel, &packet, MSG_NOSIGNAL) == (ssize_t)sizeof(copy))
            return ST_OK;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || channel_await_room(channel) != ST_OK)
            return ST_IO;
    }
}

enum status channel_say(int channel, enum channel_kind kind, uint32_t serial)
{
    struct channel_frame frame = {.kind = kind, .serial = serial};
    return channel_send(channel, &frame, NULL, 0);
}

/* ---- receiving ---- */

static void channel_take_fds(struct msghdr *packet, struct channel_message *message)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header != NULL;
         header = CMSG_NXTHDR(packet, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        CHECK(message->fd_count + count <= CHANNEL_FDS_MAX); /* there was no room for more */
        memcpy(message->fds + message->fd_count, CMSG_DATA(header), count * sizeof(int));
        message->fd_count += (unsigned)count;
    }
}

static bool channel_is_frame(const struct msghdr *packet, ssize_t got,
                             const struct channel_frame *frame)
{
    return got == (ssize_t)sizeof(*frame) && (packet->msg_flags & MSG_TRUNC) == 0 &&
           frame->kind > 0 && frame->kind < CHANNEL_KIND_END && frame->text_len <= CHANNEL_TEXT_MAX;
}

enum status channel_recv(int channel, bool takes_fds, struct channel_message *ret_message)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
    struct iovec part = {&ret_message->frame, sizeof(ret_message->frame)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got;
    ret_message->fd_count = 0;
    do {
        packet.msg_control = takes_fds ? control : NULL;
        packet.msg_controllen = takes_fds ? sizeof(control) : 0;
        got = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? ST_AGAIN : errno == ECONNRESET ? ST_EOF : ST_IO;
    if (got == 0)
        return ST_EOF;
    channel_take_fds(&packet, ret_message);
    bool is_frame = channel_is_frame(&packet, got, &ret_message->frame);
    bool is_cut = (packet.msg_flags & MSG_CTRUNC) != 0;
    if (is_frame && !is_cut)
        return ST_OK;
    channel_message_close(ret_message);
    return is_frame && takes_fds ? ST_LIMIT : ST_BAD;
}
