/* The plain transport: a stream socket in the loop, edge-triggered and registered once.
 *
 * The kernel reports each change of the socket once. What it reported is remembered in `ready` until a
 * call shows that it is used up: a receive that filled less than was asked for has emptied the socket,
 * a send that took less has filled it. Both then wait for the next edge without the system call that
 * could only say EAGAIN. Two exceptions: when the peer's end was seen (HANGUP or ERROR) no further edge
 * will come, so READ stays set until the end of file or the error was received; and a receive stops before
 * urgent data although more is there, so READ stays set until a receive says EAGAIN.
 *
 * What it does not do: time limits, counting, or telling an orderly end from a cut message; that is for
 * whoever knows the protocol. */

#include "net/tcp.h"

#include "base/check.h"
#include "io/socket.h"
#include "net/tls.h"

#include <assert.h>
#include <errno.h>

enum {
    TCP_TAG = TAG('t', 'c', 'p', ' '),
    TCP_ONE_SEGMENT = 536, /* fits into one whatever the path (RFC 9293 §3.7.1) */
};

struct tcp {
    uint32_t tag;
    bool is_shut;
    bool may_delay; /* dialled, and TCP_NODELAY is not set yet */
    bool has_sent;
    struct slab *slab;
    struct watch watch;
    struct grave grave;
    struct transport base;
};

static_assert(sizeof(struct tcp) <= 96, "each idle connection has one, each idle tunnel two");

static struct tcp *tcp_of(struct transport *transport)
{
    struct tcp *tcp = CONTAINER_OF(transport, struct tcp, base);
    CHECK_TAG(tcp, TCP_TAG);
    return tcp;
}

/* Recorder of the poller's news. */
static void tcp_on_ready(struct watch *watch, unsigned ready)
{
    struct tcp *tcp = CONTAINER_OF(watch, struct tcp, watch);
    CHECK_TAG(tcp, TCP_TAG);

    tcp->base.ready |= ready;
    if (ready & (WATCH_ERROR | WATCH_HANGUP))
        tcp->base.ready |= WATCH_READ;
    if (ready & WATCH_ERROR)
        tcp->base.ready |= WATCH_WRITE;
    if (tcp->base.on_ready != NULL)
        tcp->base.on_ready(&tcp->base);
}

static enum status tcp_handshake(struct transport *transport)
{
    (void)tcp_of(transport);
    return ST_OK;
}

static enum status tcp_recv(struct transport *transport, void *into, size_t cap, size_t *ret_len)
{
    struct tcp *tcp = tcp_of(transport);
    size_t len = 0;
    enum status status = socket_recv(tcp->watch.fd, into, cap, &len);

    if (status == ST_IO)
        transport->os_error = errno;
    if (status == ST_EOF && transport->is_broken)
        return ST_IO;
    if (status == ST_AGAIN)
        transport->ready &= ~(unsigned)(WATCH_READ | WATCH_URGENT);
    if (status != ST_OK)
        return status;
    if (len < cap && !(transport->ready & (WATCH_HANGUP | WATCH_ERROR | WATCH_URGENT)))
        transport->ready &= ~(unsigned)WATCH_READ;
    *ret_len = len;
    return ST_OK;
}

/* Before a small segment that may follow another: the kernel is not to wait until that one is acknowledged. */
static void tcp_set_nodelay(struct tcp *tcp)
{
    if (!tcp->may_delay)
        return;
    tcp->may_delay = false;
    socket_set_nodelay(tcp->watch.fd);
}

static enum status tcp_send(struct transport *transport, const struct iovec *iov, int count,
                            size_t *ret_len)
{
    struct tcp *tcp = tcp_of(transport);
    size_t wanted = 0;
    for (int i = 0; i < count; i++)
        wanted += iov[i].iov_len;

    if (tcp->has_sent || wanted > TCP_ONE_SEGMENT)
        tcp_set_nodelay(tcp);
    tcp->has_sent = true;
    size_t len = 0;
    enum status status = socket_send(tcp->watch.fd, iov, count, &len);
    if (status == ST_IO)
        transport_broke(transport, errno);
    if (status == ST_AGAIN)
        transport->ready &= ~(unsigned)WATCH_WRITE;
    if (status != ST_OK)
        return status;
    if (len < wanted)
        transport->ready &= ~(unsigned)WATCH_WRITE;
    *ret_len = len;
    return ST_OK;
}

static enum status tcp_flush(struct transport *transport)
{
    (void)tcp_of(transport);
    return ST_OK;
}

/* Once: each shutdown(2), also one that fails, makes the kernel report the socket anew, so that an owner who calls on
 * every report would never rest. */
static enum status tcp_shut(struct transport *transport)
{
    struct tcp *tcp = tcp_of(transport);
    if (tcp->is_shut)
        return ST_OK;
    tcp->is_shut = true;
    enum status status = socket_shutdown(tcp->watch.fd);
    if (status == ST_IO)
        transport->os_error = errno;
    return status;
}

static void tcp_bury(struct grave *grave)
{
    struct tcp *tcp = CONTAINER_OF(grave, struct tcp, grave);
    tcp->tag = 0;
    slab_free(tcp->slab, tcp);
}

static void tcp_close(struct transport *transport, bool is_abort)
{
    struct tcp *tcp = tcp_of(transport);
    CHECK(tcp->watch.fd >= 0); /* closed once */

    int fd = tcp->watch.fd;
    loop_unwatch(transport->loop, &tcp->watch, /* is_closing= */ true);
    tcp->watch.fd = -1;
    if (is_abort)
        socket_reset(&fd);
    else
        socket_close(&fd);
    transport_listen(transport, NULL, NULL);
    loop_bury(transport->loop, &tcp->grave);
}

static enum status tcp_recv_splice(struct transport *transport, int pipe, size_t cap,
                                   size_t *ret_len)
{
    enum status status = socket_splice(tcp_of(transport)->watch.fd, pipe, cap, ret_len);
    if (status == ST_OK)
        return ST_OK;
    if (status == ST_IO)
        transport->os_error = errno;
    bool may_have_more =
        status == ST_EOF || (transport->ready & (WATCH_HANGUP | WATCH_ERROR | WATCH_URGENT)) != 0;
    if (status == ST_AGAIN && !may_have_more)
        transport->ready &= ~(unsigned)WATCH_READ;
    return status == ST_EOF ? ST_AGAIN : status;
}

static enum status tcp_send_splice(struct transport *transport, int pipe, size_t len,
                                   size_t *ret_len)
{
    struct tcp *tcp = tcp_of(transport);
    tcp_set_nodelay(tcp); /* what is in the pipe may go out in several pieces */
    enum status status = socket_splice(pipe, tcp->watch.fd, len, ret_len);
    if (status == ST_AGAIN)
        transport->ready &= ~(unsigned)WATCH_WRITE;
    if (status == ST_IO)
        transport_broke(transport, errno);
    return status;
}

static bool tcp_is_quiet(struct transport *transport, enum transport_look look)
{
    char byte;
    size_t len = 0;
    if ((transport->ready & (WATCH_HANGUP | WATCH_ERROR)) != 0)
        return false;
    bool asks = look == LOOK_ASK || (transport->ready & WATCH_READ) != 0;
    if (!asks)
        return true;
    if (socket_peek(tcp_fd(transport), &byte, 1, &len) != ST_AGAIN)
        return false;
    transport->ready &= ~(unsigned)(WATCH_READ | WATCH_URGENT);
    return true;
}

static const char *tcp_fault(struct transport *transport)
{
    if (transport->os_error == 0)
        return "";
    const char *text = strerrordesc_np(transport->os_error);
    return text != NULL ? text : "";
}

static const struct transport_ops tcp_ops = {
    .handshake = tcp_handshake,
    .recv = tcp_recv,
    .send = tcp_send,
    .flush = tcp_flush,
    .shut = tcp_shut,
    .close = tcp_close,
    .recv_splice = tcp_recv_splice,
    .send_splice = tcp_send_splice,
    .is_quiet = tcp_is_quiet,
    .fault = tcp_fault,
};

void tcp_slab_init(struct slab *slab)
{
    slab_init(slab, sizeof(struct tcp));
}

enum status tcp_create(struct loop *loop, struct slab *slab, int fd, unsigned ready,
                       struct transport **ret_transport)
{
    struct tcp *tcp = slab_alloc(slab);
    if (tcp == NULL) {
        socket_close(&fd);
        return ST_NOMEM;
    }
    *tcp = (struct tcp){
        .tag = TCP_TAG,
        .may_delay = ready == 0,
        .slab = slab,
        .watch = {.fd = -1, .on_ready = tcp_on_ready},
        .grave = {.bury = tcp_bury},
        .base = {.ops = &tcp_ops, .loop = loop, .ready = ready},
    };
    enum status status = loop_watch(loop, &tcp->watch, fd, WATCH_READ | WATCH_WRITE);
    if (status != ST_OK) {
        int error = errno;
        slab_free(slab, tcp);
        socket_close(&fd);
        errno = error;
        return status;
    }
    *ret_transport = &tcp->base;
    return ST_OK;
}

int tcp_fd(const struct transport *transport)
{
    while (transport != NULL && tls_is_tls(transport))
        transport = tls_lower(transport);
    if (transport == NULL || transport->ops != &tcp_ops)
        return -1;
    const char *at = (const char *)transport - offsetof(struct tcp, base);
    return ((const struct tcp *)(const void *)at)->watch.fd;
}
