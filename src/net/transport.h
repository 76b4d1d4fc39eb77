#ifndef FAIRLEAD_NET_TRANSPORT_H
#define FAIRLEAD_NET_TRANSPORT_H

#include "base/status.h"
#include "io/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* A byte stream to a peer: plain TCP or a Unix socket (net/tcp), TLS (net/tls), memory (tests/sim).
 *
 * Events only record: the poller sets `ready` bits and calls `on_ready`, whose owner queues a task; the
 * task then calls recv and send, which try first and say ST_AGAIN. `ready` keeps WATCH_READ until a
 * receive came up short, so that a caller can leave out a call that cannot succeed:
 *
 *     T1  WATCH_READ is set   <=> a recv may give something (bytes, end of file or an error).
 *     T2  WATCH_WRITE is set  <=> a send may take something.
 *     T3  a transport that returned ST_AGAIN calls on_ready when trying again makes sense.
 *     T4  after transport_close no callback comes and the object's memory is its own affair until the
 *         end of the turn (the loop's graveyard).
 *
 * Thread: the worker's own. */
struct transport;

/* When `is_quiet` asks the kernel besides what the transport knows by itself. */
enum transport_look {
    LOOK_IF_TOLD, /* where its last word was that there may be something (T1) */
    LOOK_ASK,     /* in any case: that word may be old */
};

struct transport_ops {
    /* Make the stream usable (TLS handshake). ST_OK from then on. Errors: ST_AGAIN, ST_EOF, ST_BAD
     * (transport_fault tells), ST_IO. */
    enum status (*handshake)(struct transport *);
    /* Bytes from the peer. Errors: ST_AGAIN; ST_EOF, the peer ended its direction in order (FIN, or
     * close_notify); ST_IO, a reset or a truncation (TLS without close_notify is ST_EOF with
     * `is_truncated` set); ST_BAD, TLS broke. */
    enum status (*recv)(struct transport *, void *into, size_t cap, size_t *ret_len);
    /* Hand over what fits. Errors: ST_AGAIN nothing was taken; ST_IO; ST_BAD. A TLS transport may take
     * bytes into its own bounded queue: see `flush`. */
    enum status (*send)(struct transport *, const struct iovec *iov, int count, size_t *ret_len);
    /* Push what the transport itself queued (ciphertext). ST_OK: nothing is left; ST_AGAIN: on_ready
     * will come; ST_IO. Plain transports have nothing queued. */
    enum status (*flush)(struct transport *);
    /* End our direction in order after what was sent: FIN, preceded by close_notify for TLS. Receiving
     * goes on. Errors: ST_AGAIN (call again when ready), ST_IO. No effect after ST_OK or ST_IO. */
    enum status (*shut)(struct transport *);
    /* Close both directions and bury the object at the end of the turn. `is_abort`: with a reset. */
    void (*close)(struct transport *, bool is_abort);
    /* Bytes from the peer into a kernel pipe, splice(2). NULL where the stream is none of the kernel's (TLS). Urgent
     * data and the end stop a splice as if nothing were there, so that only `recv` tells of them. Errors: ST_AGAIN
     * nothing came this way, and a recv may give something as far as T1 says so; ST_IO. */
    enum status (*recv_splice)(struct transport *, int pipe, size_t cap, size_t *ret_len);
    /* As `send`, of `len` bytes that are in a kernel pipe. NULL as above. */
    enum status (*send_splice)(struct transport *, int pipe, size_t len, size_t *ret_len);
    /* True where nothing of the peer is there that was not received: no byte, no end, no fault. Takes nothing; what it
     * finds, T1 knows afterwards. */
    bool (*is_quiet)(struct transport *, enum transport_look);
    /* What went wrong in words for people ("certificate has expired"), "" for nothing known; static or
     * owned by the transport. */
    const char *(*fault)(struct transport *);
};

struct transport {
    const struct transport_ops *ops;
    struct loop *loop;
    unsigned ready;    /* WATCH_READ, WATCH_WRITE, WATCH_HANGUP, WATCH_ERROR, WATCH_URGENT */
    bool is_truncated; /* TLS: the peer's end came without close_notify */
    bool is_broken;    /* a send failed: see transport_broke */
    bool ends_both;    /* TLS 1.2: its close_notify came, and it hears no more */
    bool is_end_told; /* TLS: a receive told of the peer's end, or of what broke; T1 does no more */
    int os_error;     /* errno of the ST_IO that ended it */
    void (*on_ready)(struct transport *); /* recorder: sets a bit, queues a task */
    void *owner;                          /* the receiver of on_ready; NULL: nobody listens */
};

static inline enum status transport_handshake(struct transport *t)
{
    return t->ops->handshake(t);
}
static inline enum status transport_recv(struct transport *t, void *into, size_t cap,
                                         size_t *ret_len)
{
    return t->ops->recv(t, into, cap, ret_len);
}
static inline enum status transport_send(struct transport *t, const struct iovec *iov, int count,
                                         size_t *ret_len)
{
    return t->ops->send(t, iov, count, ret_len);
}
static inline enum status transport_flush(struct transport *t)
{
    return t->ops->flush(t);
}
static inline enum status transport_shut(struct transport *t)
{
    return t->ops->shut(t);
}
/* Close and forget: *t is NULL afterwards. Takes a pointer to NULL. */
static inline void transport_close(struct transport **t, bool is_abort)
{
    if (*t != NULL)
        (*t)->ops->close(*t, is_abort);
    *t = NULL;
}
/* A send failed with this errno. The kernel tells of a reset once, and to a receive after that of an end of file;
 * `is_broken` says that it is none. EPIPE comes where the peer had ended its direction in order before. */
static inline void transport_broke(struct transport *t, int os_error)
{
    if (os_error != EPIPE || t->os_error == 0) /* which only says that something happened before */
        t->os_error = os_error;
    t->is_broken = t->is_broken || os_error != EPIPE;
}
/* It is the kernel's own stream: it can be spliced, and to close it says as much to the peer as to shut it. */
static inline bool transport_is_plain(const struct transport *t)
{
    return t->ops->recv_splice != NULL;
}
static inline enum status transport_recv_splice(struct transport *t, int pipe, size_t cap,
                                                size_t *ret_len)
{
    return t->ops->recv_splice(t, pipe, cap, ret_len);
}
static inline enum status transport_send_splice(struct transport *t, int pipe, size_t len,
                                                size_t *ret_len)
{
    return t->ops->send_splice(t, pipe, len, ret_len);
}
static inline bool transport_is_quiet(struct transport *t, enum transport_look look)
{
    return t->ops->is_quiet(t, look);
}
static inline const char *transport_fault(struct transport *t)
{
    return t->ops->fault(t);
}
/* One who received the end of the peer's direction hands the stream on: the next receive tells of it once more, and T1
 * says so. */
static inline void transport_hand_on_end(struct transport *t)
{
    t->is_end_told = false;
    t->ready |= WATCH_READ;
}
/* Who hears on_ready from now on. */
static inline void transport_listen(struct transport *t, void *owner,
                                    void (*on_ready)(struct transport *))
{
    t->owner = owner;
    t->on_ready = on_ready;
}

#endif
