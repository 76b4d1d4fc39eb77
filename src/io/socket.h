#ifndef FAIRLEAD_IO_SOCKET_H
#define FAIRLEAD_IO_SOCKET_H

#include "base/inet.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* Every system call of the data path on a socket or pipe stands in socket.c, so that one place can be
 * made to fail, be short or be late. All descriptors are non-blocking and close-on-exec. EINTR is
 * retried inside; ST_IO leaves the cause in errno. */

/* ---- listening ---- */

struct socket_listen_options {
    int backlog;
    bool reuse_port; /* SO_REUSEPORT: one socket a worker */
    bool only_v6;    /* IPV6_V6ONLY for IPv6 addresses */
};

/* Bind and listen. TCP_NODELAY is set here, since accepted sockets inherit it.
 * Errors: ST_IO (EADDRINUSE, EACCES, ...). */
enum status socket_listen(const struct inet_endpoint *endpoint,
                          const struct socket_listen_options *options, int *ret_fd) MUST_USE;
/* A Unix stream socket at `path` (its owner-only mode is `mode`). A stale socket file, which nobody
 * answers, is replaced; a live one is EADDRINUSE. The umask of the process is changed for a moment.
 * Errors: ST_IO, ST_LIMIT path too long. */
enum status socket_listen_unix(struct slice path, unsigned mode, int backlog, int *ret_fd) MUST_USE;
/* Accept one connection; *ret_peer is INET_NONE for Unix sockets.
 * Errors: ST_AGAIN nothing waits, ST_LIMIT out of descriptors or memory (EMFILE, ENFILE, ENOBUFS,
 * ENOMEM), ST_IO others; ECONNABORTED and its kin are skipped inside, but 64 of them in a row are ST_IO:
 * more may wait. */
enum status socket_accept(int listener, int *ret_fd, struct inet_endpoint *ret_peer) MUST_USE;

/* ---- dialling ---- */

struct socket_dial_options {
    const struct inet_addr *source; /* NULL or INET_NONE: the kernel's choice */
    unsigned user_timeout_ms;       /* see socket_tuning; 0: the system's */
    const char *congestion;         /* TCP_CONGESTION; borrowed; NULL or "": the system's */
};

/* Begin a non-blocking connect, with urgent data at its place in the stream (RFC 6093 §5), and without TCP_NODELAY: see
 * socket_set_nodelay. ST_OK: *ret_fd is connected or in progress (then it becomes writable; ask socket_error).
 * Errors: ST_LIMIT out of descriptors, ST_IO. */
enum status socket_dial(const struct inet_endpoint *endpoint,
                        const struct socket_dial_options *options, int *ret_fd) MUST_USE;
/* TCP_NODELAY. A first send that is one segment needs none: only data that was not acknowledged yet holds a small
 * segment back (RFC 9293 §3.7.4), and many connections send but once. */
void socket_set_nodelay(int fd);
/* The pending error of a socket (SO_ERROR), 0 for none. */
int socket_error(int fd);
/* Did the peer of a Unix socket close it, or end both directions, without a reset? False for other sockets: there a
 * full hang-up is either a reset or the end of both directions in order. Leaves the pending error where it is. */
bool socket_was_closed_unix(int fd);
/* Who connected a Unix socket, as the kernel noted it then (SO_PEERCRED); a pid of 0 is one that we cannot see. */
struct socket_peer {
    int32_t pid;
    uint32_t uid, gid;
};
/* Errors: ST_IO it is none, or the kernel does not tell. */
enum status socket_peer_of(int fd, struct socket_peer *ret_peer) MUST_USE;
/* Own address of a socket; INET_NONE for others. */
struct inet_endpoint socket_local(int fd);
/* What a listening socket hands on to the sockets it accepts. */
struct socket_tuning {
    /* Three probes after so long a silence, a quarter of it apart: a connection with nothing under way is found dead
     * only by them. 0: none. At most 32767. */
    unsigned keepalive_s;
    /* TCP_USER_TIMEOUT: a peer that takes no bytes for so long ends the connection. It may be gone, but Linux also
     * counts one that acknowledges and does not read (a window of zero). 0: the system's. */
    unsigned user_timeout_ms;
    const char *congestion; /* TCP_CONGESTION; borrowed; "": the system's */
};
/* All of it, as far as the kernel takes it, and urgent data at its place in the stream (RFC 6093 §5). The socket may
 * have been tuned before: 0 and "" bring the system's back. */
void socket_tune_listener(int fd, const struct socket_tuning *tuning);

/* ---- bytes ---- */

/* Errors: ST_AGAIN, ST_EOF, ST_IO. */
enum status socket_recv(int fd, void *into, size_t cap, size_t *ret_len) MUST_USE;
/* Look without taking. Errors: as socket_recv. */
enum status socket_peek(int fd, void *into, size_t cap, size_t *ret_len) MUST_USE;
/* Send what fits, with MSG_NOSIGNAL. Errors: ST_AGAIN, ST_IO. */
enum status socket_send(int fd, const struct iovec *iov, int count, size_t *ret_len) MUST_USE;
/* splice(2) from `from` to `to`, one of which is a pipe. Errors: ST_AGAIN, ST_EOF, ST_IO. */
enum status socket_splice(int from, int to, size_t max, size_t *ret_len) MUST_USE;
/* An empty non-blocking pipe enlarged towards `want_bytes`; *ret_bytes is what the kernel gave.
 * Errors: ST_LIMIT out of descriptors, ST_IO. */
enum status socket_pipe(size_t want_bytes, int ret_ends[2], size_t *ret_bytes) MUST_USE;

/* ---- ends ---- */

/* FIN after what is queued. Errors: ST_IO (the peer is gone). */
enum status socket_shutdown(int fd) MUST_USE;
/* Close; *fd is -1 afterwards. */
void socket_close(int *fd);
/* Close with a reset instead of an orderly end (SO_LINGER 0). */
void socket_reset(int *fd);

#endif
