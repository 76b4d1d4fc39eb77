/* What stands between the program and the system calls of the data path, in a build with faults (base/fault.h). The
 * linker turns each call of ours into __wrap_NAME, and __real_NAME into the call; libraries keep theirs.
 *
 * What is injected is what Linux may do. A kernel does not interrupt a call that does not sleep, but another one
 * may, and no caller may care. What it cannot do is left out: short datagrams, a linger that is refused, a close
 * that leaves the descriptor open.
 *
 * Callers watch for edges, and take a short or late call for the kernel's word. So its descriptor is noted, and
 * its watch is armed again before the next wait, which makes the kernel tell of its state anew. */

#include "base/check.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALLS_EACH(X)                                                                      \
    X(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags))         \
    X(int, socket, (int domain, int type, int protocol))                                   \
    X(int, bind, (int fd, const struct sockaddr *address, socklen_t len))                  \
    X(int, connect, (int fd, const struct sockaddr *address, socklen_t len))               \
    X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len))         \
    X(int, getsockname, (int fd, struct sockaddr *address, socklen_t *len))                \
    X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len))    \
    X(ssize_t, recv, (int fd, void *into, size_t cap, int flags))                          \
    X(ssize_t, recvfrom,                                                                   \
      (int fd, void *into, size_t cap, int flags, struct sockaddr *address,                \
       socklen_t *address_len))                                                            \
    X(ssize_t, send, (int fd, const void *bytes, size_t len, int flags))                   \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))                 \
    X(ssize_t, splice,                                                                     \
      (int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags))        \
    X(int, pipe2, (int ends[2], int flags))                                                \
    X(int, shutdown, (int fd, int how))                                                    \
    X(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event))       \
    X(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout_ms)) \
    X(ssize_t, read, (int fd, void *into, size_t cap))                                     \
    X(ssize_t, write, (int fd, const void *bytes, size_t len))                             \
    X(int, poll, (struct pollfd * fds, nfds_t count, int timeout_ms))                      \
    X(int, close, (int fd))                                                                \
    X(int, stat, (const char *path, struct stat *ret))                                     \
    X(int, stat64, (const char *path, struct stat *ret))

#define X(type, name, parameters)  \
    type __real_##name parameters; \
    type __wrap_##name parameters;
CALLS_EACH(X)
#undef X
int __real_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __real_fcntl64(int fd, int command, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);

static int fails_with(int error)
{
    errno = error;
    return -1;
}

#define FAILS_WITH_ONE_OF(...)                                          \
    (fault_set_errno((const int[]){__VA_ARGS__},                        \
                     sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), \
     -1)

/* ---- what is told again ---- */

enum { LATE_FDS = 65536 };

static _Thread_local struct {
    struct {
        struct epoll_event event;
        int epoll; /* plus one; 0: it is not watched */
        bool is_noted;
    } watches[LATE_FDS]; /* by descriptor */
    int noted[LATE_FDS];
    unsigned noted_count;
} late;

static void late_note(int fd)
{
    CHECK(fd >= 0 && fd < LATE_FDS);
    if (!late.watches[fd].is_noted)
        late.noted[late.noted_count++] = fd;
    late.watches[fd].is_noted = true;
}

/* A watch that is gone meanwhile is an error here, and need not be told. */
static void late_tell(void)
{
    while (late.noted_count > 0) {
        int fd = late.noted[--late.noted_count];
        int epoll = late.watches[fd].epoll - 1;
        struct epoll_event event = late.watches[fd].event;
        late.watches[fd].is_noted = false;
        if (epoll < 0)
            continue;
        if ((event.events & EPOLLEXCLUSIVE) == 0) {
            (void)__real_epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
        } else if (__real_epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0) {
            /* It had room just now. */
            CHECK(__real_epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
        }
    }
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && fault_next(FAULT_CALL_epoll_ctl) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(ENOMEM, ENOSPC);
    int result = __real_epoll_ctl(epoll, operation, fd, event);
    if (fd >= 0 && fd < LATE_FDS && operation == EPOLL_CTL_DEL) {
        late.watches[fd].epoll = 0;
    } else if (fd >= 0 && fd < LATE_FDS && result == 0) {
        late.watches[fd].epoll = epoll + 1;
        late.watches[fd].event = *event;
    }
    return result;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    late_tell();
    switch (fault_next(FAULT_CALL_epoll_wait)) {
    case FAULT_SHORT: count = 1; break;
    case FAULT_LATE: return 0;
    case FAULT_INTERRUPTED: return fails_with(EINTR);
    case FAULT_FAIL:
    case FAULT_NONE:
    case FAULT_KINDS: break;
    }
    return __real_epoll_wait(epoll, events, count, timeout_ms);
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < LATE_FDS)
        late.watches[fd].epoll = 0;
    int result = __real_close(fd);
    return fault_next(FAULT_CALL_close) == FAULT_NONE ? result : fails_with(EINTR);
}

/* ---- bytes ---- */

static bool is_datagram(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);
    return __real_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

/* What befalls a call that moves bytes: *count becomes 1 where it is short. True: it is over, with errno set. */
static bool bytes_befall(enum fault_call call, int fd, size_t *count)
{
    switch (fault_next(call)) {
    case FAULT_FAIL:
        call == FAULT_CALL_send
            ? fault_set_errno((const int[]){EPIPE, ECONNRESET, ETIMEDOUT}, 3)
            : fault_set_errno((const int[]){ECONNRESET, ETIMEDOUT, EHOSTUNREACH}, 3);
        return true;
    case FAULT_SHORT:
        if (is_datagram(fd))
            return false;
        late_note(fd);
        *count = 1;
        return false;
    case FAULT_LATE:
        late_note(fd);
        errno = EAGAIN;
        return true;
    case FAULT_INTERRUPTED: errno = EINTR; return true;
    case FAULT_NONE:
    case FAULT_KINDS: break;
    }
    return false;
}

ssize_t __wrap_recv(int fd, void *into, size_t cap, int flags)
{
    return bytes_befall(FAULT_CALL_recv, fd, &cap) ? -1 : __real_recv(fd, into, cap, flags);
}

ssize_t __wrap_recvfrom(int fd, void *into, size_t cap, int flags, struct sockaddr *address,
                        socklen_t *address_len)
{
    if (bytes_befall(FAULT_CALL_recv, fd, &cap))
        return -1;
    return __real_recvfrom(fd, into, cap, flags, address, address_len);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    return bytes_befall(FAULT_CALL_send, fd, &len) ? -1 : __real_send(fd, bytes, len, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t len = 0;
    if (bytes_befall(FAULT_CALL_send, fd, &len))
        return -1;
    struct iovec first = {message->msg_iov[0].iov_base, 1};
    struct msghdr piece = *message;
    if (len == 1 && message->msg_iov[0].iov_len > 0) {
        piece.msg_iov = &first;
        piece.msg_iovlen = 1;
    }
    return __real_sendmsg(fd, &piece, flags);
}

ssize_t __wrap_splice(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
    size_t count = len;
    bool is_over = bytes_befall(FAULT_CALL_splice, from, &count);
    if (count != len || (is_over && errno == EAGAIN))
        late_note(to);
    return is_over ? -1 : __real_splice(from, from_at, to, to_at, count, flags);
}

/* An eventfd, known by its eight bytes, may only be late. */
ssize_t __wrap_read(int fd, void *into, size_t cap)
{
    enum fault_kind kind = fault_next(FAULT_CALL_read);
    bool is_event = cap == sizeof(uint64_t);
    if (is_event && kind == FAULT_LATE) {
        late_note(fd);
        return fails_with(EAGAIN);
    }
    if (!is_event && kind == FAULT_FAIL)
        return fails_with(EIO);
    if (!is_event && kind == FAULT_INTERRUPTED)
        return fails_with(EINTR);
    if (!is_event && kind == FAULT_SHORT)
        cap = 1;
    return __real_read(fd, into, cap);
}

static bool may_be_late(int fd)
{
    return (__real_fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    switch (len == sizeof(uint64_t) ? FAULT_NONE : fault_next(FAULT_CALL_write)) {
    case FAULT_FAIL: return FAILS_WITH_ONE_OF(ENOSPC, EIO, EDQUOT);
    case FAULT_SHORT: len = 1; break;
    case FAULT_LATE:
        if (may_be_late(fd))
            return fails_with(EAGAIN);
        break;
    case FAULT_INTERRUPTED: return fails_with(EINTR);
    case FAULT_NONE:
    case FAULT_KINDS: break;
    }
    return __real_write(fd, bytes, len);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    switch (timeout_ms == 0 ? FAULT_NONE : fault_next(FAULT_CALL_poll)) {
    case FAULT_LATE: return 0;
    case FAULT_INTERRUPTED: return fails_with(EINTR);
    case FAULT_FAIL:
    case FAULT_SHORT:
    case FAULT_NONE:
    case FAULT_KINDS: break;
    }
    return __real_poll(fds, count, timeout_ms);
}

/* ---- connections ---- */

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    switch (fault_next(FAULT_CALL_accept)) {
    case FAULT_FAIL: return FAILS_WITH_ONE_OF(EMFILE, ENFILE, ENOBUFS, ENOMEM);
    case FAULT_SHORT: return fails_with(ECONNABORTED); /* one that went away before */
    case FAULT_LATE: late_note(fd); return fails_with(EAGAIN);
    case FAULT_INTERRUPTED: return fails_with(EINTR);
    case FAULT_NONE:
    case FAULT_KINDS: break;
    }
    return __real_accept4(fd, address, len, flags);
}

int __wrap_socket(int domain, int type, int protocol)
{
    if (fault_next(FAULT_CALL_socket) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(EMFILE, ENFILE, ENOBUFS, ENOMEM);
    return __real_socket(domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (fault_next(FAULT_CALL_bind) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(EADDRINUSE, EADDRNOTAVAIL, ENOBUFS);
    return __real_bind(fd, address, len);
}

/* Where it is interrupted, it goes on (POSIX). */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    enum fault_kind kind = fault_next(FAULT_CALL_connect);
    if (kind == FAULT_FAIL)
        return FAILS_WITH_ONE_OF(ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, EAGAIN, ENOBUFS);
    int result = __real_connect(fd, address, len);
    if (kind == FAULT_INTERRUPTED && result < 0 && errno == EINPROGRESS)
        errno = EINTR;
    return result;
}

/* Only the question what became of a connect. */
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    bool is_error = level == SOL_SOCKET && name == SO_ERROR;
    if (is_error && fault_next(FAULT_CALL_getsockopt) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENOBUFS);
    return __real_getsockopt(fd, level, name, value, len);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    if (fault_next(FAULT_CALL_getsockname) != FAULT_NONE)
        return fails_with(ENOBUFS);
    return __real_getsockname(fd, address, len);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    bool may_fail = level != SOL_SOCKET || name != SO_LINGER;
    if (may_fail && fault_next(FAULT_CALL_setsockopt) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(ENOBUFS, ENOMEM, EPERM);
    return __real_setsockopt(fd, level, name, value, len);
}

/* As if a reset had come: nothing else fails here. */
int __wrap_shutdown(int fd, int how)
{
    if (fault_next(FAULT_CALL_shutdown) != FAULT_NONE) {
        struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        (void)__real_connect(fd, &nobody, sizeof(nobody));
    }
    return __real_shutdown(fd, how);
}

/* ---- pipes and files ---- */

int __wrap_pipe2(int ends[2], int flags)
{
    if (fault_next(FAULT_CALL_pipe) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(EMFILE, ENFILE, ENOMEM);
    return __real_pipe2(ends, flags);
}

static int fcntl_long(int fd, int command, long value)
{
    if (command == F_SETPIPE_SZ && fault_next(FAULT_CALL_fcntl) != FAULT_NONE)
        return fails_with(EPERM);
    return __real_fcntl(fd, command, value);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    /* Of ours each one fits; where there is none it is not looked at. */
    long value = va_arg(rest, long);
    va_end(rest);
    return fcntl_long(fd, command, value);
}

int __wrap_fcntl64(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    long value = va_arg(rest, long);
    va_end(rest);
    return fcntl_long(fd, command, value);
}

static int open_mode(const char *path, int flags, unsigned mode)
{
    if (fault_next(FAULT_CALL_open) != FAULT_NONE)
        return FAILS_WITH_ONE_OF(EMFILE, ENFILE, ENOMEM, EIO);
    return __real_open(path, flags, mode);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    return open_mode(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    unsigned mode = va_arg(rest, unsigned);
    va_end(rest);
    return open_mode(path, flags, mode);
}

static bool stat_fails(void)
{
    if (fault_next(FAULT_CALL_stat) == FAULT_NONE)
        return false;
    fault_set_errno((const int[]){ENOMEM, EIO}, 2);
    return true;
}

int __wrap_stat(const char *path, struct stat *ret)
{
    return stat_fails() ? -1 : __real_stat(path, ret);
}

int __wrap_stat64(const char *path, struct stat *ret)
{
    return stat_fails() ? -1 : __real_stat(path, ret);
}
