/* Every system call of the data path on sockets and pipes.
 *
 * One place, so that a fault can be put in here and nowhere else, and so that errno is turned into a status
 * once: EAGAIN is ST_AGAIN, a lack of descriptors, memory or ports is ST_LIMIT, and what is left is ST_IO
 * with errno as the kernel set it. Options that only make things better (TCP_NODELAY, time-outs, congestion
 * control) are hints: a kernel without one still serves.
 *
 * Signals: socket_send never raises SIGPIPE; splice(2) has no flag for that, so the process ignores it.
 *
 * Not done here: deciding when to try, buffering, waiting. Callers try first and then watch. */

#include "io/socket.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { SOCKET_ACCEPT_TRIES = 64, SOCKET_PROBES = 3 };

/* A hint: its failure harms nothing. */
static void socket_set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void socket_set_user_timeout(int fd, unsigned user_timeout_ms)
{
    if (user_timeout_ms > 0)
        socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
}

static void socket_set_keepalive(int fd, unsigned keepalive_s)
{
    socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, keepalive_s > 0);
    if (keepalive_s == 0)
        return;
    socket_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s);
    socket_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)keepalive_s / 4 + 1);
    socket_set(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCKET_PROBES);
}

/* An unknown name was warned of at the start. */
static void socket_set_congestion(int fd, const char *congestion)
{
    if (congestion != NULL && congestion[0] != '\0')
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
                         (socklen_t)strlen(congestion));
}

/* Urgent data at its place in the stream (RFC 6093 §5). Before the first byte: a receive that meets such a byte
 * without it skips the byte. */
static void socket_keep_urgent(int fd)
{
    socket_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

/* Close without losing errno. */
static enum status socket_fail(int *fd)
{
    int error = errno;
    socket_close(fd);
    errno = error;
    return ST_IO;
}

/* The result of a call that could not make a descriptor. */
static enum status socket_no_descriptor(void)
{
    bool is_limit = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return is_limit ? ST_LIMIT : ST_IO;
}

/* ---- listening ---- */

enum status socket_listen(const struct inet_endpoint *endpoint,
                          const struct socket_listen_options *options, int *ret_fd)
{
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(endpoint, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ST_IO;
    socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options->reuse_port)
        socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (endpoint->addr.family == INET_V6)
        socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_v6);
    socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    socket_keep_urgent(fd); /* a client may come before a worker tunes this, and inherits it */
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, options->backlog) < 0)
        return socket_fail(&fd);
    *ret_fd = fd;
    return ST_OK;
}

/* Does anybody have this path? Only a refusal says that nobody does: a socket of another type says EPROTOTYPE. */
static bool socket_unix_is_live(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    int got = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    bool is_live = got == 0 || errno != ECONNREFUSED;
    (void)close(fd);
    return is_live;
}

enum status socket_listen_unix(struct slice path, unsigned mode, int backlog, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.len == 0 || path.len >= sizeof(address.sun_path))
        return ST_LIMIT;
    memcpy(address.sun_path, path.at, path.len);
    struct stat found;
    if (lstat(address.sun_path, &found) == 0 && S_ISSOCK(found.st_mode)) {
        if (socket_unix_is_live(&address)) {
            errno = EADDRINUSE;
            return ST_IO;
        }
        (void)unlink(address.sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ST_IO;
    /* On Linux the file gets the mode of the socket less the umask. A chmod of the path afterwards could be
     * led elsewhere by whoever owns the folder. */
    (void)fchmod(fd, mode);
    mode_t mask = umask(0);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    (void)umask(mask);
    if (bound < 0 || listen(fd, backlog) < 0)
        return socket_fail(&fd);
    *ret_fd = fd;
    return ST_OK;
}

enum status socket_accept(int listener, int *ret_fd, struct inet_endpoint *ret_peer)
{
    struct sockaddr_storage address;
    for (int tries = 0; tries < SOCKET_ACCEPT_TRIES; tries++) {
        socklen_t len = sizeof(address);
        int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            *ret_fd = fd;
            *ret_peer = inet_from_sockaddr((struct sockaddr *)&address, len);
            return ST_OK;
        }
        switch (errno) {
        case EAGAIN: return ST_AGAIN;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: return ST_LIMIT;
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EPERM: continue;
        default: return ST_IO;
        }
    }
    return ST_IO; /* more of the kind may wait: better to rest */
}

/* ---- dialling ---- */

enum status socket_dial(const struct inet_endpoint *endpoint,
                        const struct socket_dial_options *options, int *ret_fd)
{
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(endpoint, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return socket_no_descriptor();
    socket_keep_urgent(fd);
    socket_set_user_timeout(fd, options->user_timeout_ms);
    socket_set_congestion(fd, options->congestion);
    if (options->source != NULL && options->source->family == endpoint->addr.family) {
        struct inet_endpoint source = {.addr = *options->source};
        struct sockaddr_storage from;
        socklen_t from_len = inet_to_sockaddr(&source, &from);
        socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (bind(fd, (struct sockaddr *)&from, from_len) < 0)
            return socket_fail(&fd);
    }
    int got = connect(fd, (struct sockaddr *)&address, len);
    if (got < 0 && errno != EINPROGRESS && errno != EINTR) { /* EINTR: it goes on (POSIX) */
        bool is_out_of_ports = errno == EADDRNOTAVAIL || errno == EAGAIN;
        (void)socket_fail(&fd);
        return is_out_of_ports ? ST_LIMIT : ST_IO;
    }
    *ret_fd = fd;
    return ST_OK;
}

void socket_set_nodelay(int fd)
{
    socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

bool socket_was_closed_unix(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t len = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX)
        return false;
    struct pollfd look = {.fd = fd};
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR)) == POLLHUP;
}

enum status socket_peer_of(int fd, struct socket_peer *ret_peer)
{
    struct ucred who = {.pid = 0};
    socklen_t len = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.uid == (uid_t)-1)
        return ST_IO;
    *ret_peer = (struct socket_peer){who.pid, who.uid, who.gid};
    return ST_OK;
}

struct inet_endpoint socket_local(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return (struct inet_endpoint){0};
    return inet_from_sockaddr((struct sockaddr *)&address, len);
}

/* The congestion control that a new socket has. */
static void socket_restore_congestion(int fd)
{
    char name[32] = "";
    socklen_t len = sizeof(name) - 1;
    int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fresh >= 0 && getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0)
        socket_set_congestion(fd, name);
    socket_close(&fresh);
}

void socket_tune_listener(int fd, const struct socket_tuning *tuning)
{
    socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)tuning->user_timeout_ms);
    socket_keep_urgent(fd);
    socket_set_keepalive(fd, tuning->keepalive_s);
    if (tuning->congestion[0] != '\0')
        socket_set_congestion(fd, tuning->congestion);
    else
        socket_restore_congestion(fd);
}

/* ---- bytes ---- */

static enum status socket_received(ssize_t got, size_t *ret_len)
{
    if (got > 0) {
        *ret_len = (size_t)got;
        return ST_OK;
    }
    if (got == 0)
        return ST_EOF;
    return errno == EAGAIN ? ST_AGAIN : ST_IO;
}

static enum status socket_recv_flags(int fd, void *into, size_t cap, int flags, size_t *ret_len)
{
    DCHECK(cap > 0); /* or nothing would look like the end of file */
    ssize_t got;
    do
        got = recv(fd, into, cap, flags);
    while (got < 0 && errno == EINTR);
    return socket_received(got, ret_len);
}

enum status socket_recv(int fd, void *into, size_t cap, size_t *ret_len)
{
    return socket_recv_flags(fd, into, cap, 0, ret_len);
}

enum status socket_peek(int fd, void *into, size_t cap, size_t *ret_len)
{
    return socket_recv_flags(fd, into, cap, MSG_PEEK, ret_len);
}

enum status socket_send(int fd, const struct iovec *iov, int count, size_t *ret_len)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = count == 1 ? send(fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL)
                          : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? ST_AGAIN : ST_IO;
    *ret_len = (size_t)sent;
    return ST_OK;
}

enum status socket_splice(int from, int to, size_t max, size_t *ret_len)
{
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    ssize_t moved;
    do
        moved = splice(from, NULL, to, NULL, max, flags);
    while (moved < 0 && errno == EINTR);
    return socket_received(moved, ret_len);
}

enum status socket_pipe(size_t want_bytes, int ret_ends[2], size_t *ret_bytes)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return socket_no_descriptor();
    /* Refused beyond the user's allowance, where less may do. */
    for (size_t size = want_bytes; size > PIPE_BUF && fcntl(ends[1], F_SETPIPE_SZ, (int)size) < 0;)
        size /= 4;
    int got = fcntl(ends[1], F_GETPIPE_SZ);
    memcpy(ret_ends, ends, sizeof(ends));
    *ret_bytes = got < 0 ? 0 : (size_t)got;
    return ST_OK;
}

/* ---- ends ---- */

enum status socket_shutdown(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? ST_IO : ST_OK;
}

void socket_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void socket_reset(int *fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    socket_close(fd);
}
