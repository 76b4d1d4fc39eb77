#ifndef FAIRLEAD_SERVER_CHANNEL_H
#define FAIRLEAD_SERVER_CHANNEL_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Framed messages between the privileged parent and the serving process, over a SOCK_SEQPACKET pair. One
 * frame is one packet of fixed size, with up to CHANNEL_FDS_MAX descriptors. Neither end trusts the other's
 * bytes: a frame that is not exactly one of these is ST_BAD. */

enum { CHANNEL_FDS_MAX = 64, CHANNEL_TEXT_MAX = 1000, CHANNEL_PATIENCE_MS = 10000 };

enum channel_kind {
    CHANNEL_BUNDLE = 1, /* down: a bundle begins; with the memory of its texts */
    CHANNEL_MORE,       /* down: descriptors that belong to it */
    CHANNEL_LOG,        /* down: with the log, opened again */
    CHANNEL_DRAIN,      /* down: stop accepting, let what runs finish, and end */
    CHANNEL_END,        /* down: end at once */
    CHANNEL_UP,         /* up: the first bundle is served */
    CHANNEL_ADOPTED,    /* up: bundle `serial` is served */
    CHANNEL_REFUSED,    /* up: it is not, `text` tells why; the old one still is */
    CHANNEL_KIND_END
};

struct channel_frame {
    uint32_t kind;
    uint32_t serial;   /* CHANNEL_BUNDLE, _MORE, _ADOPTED, _REFUSED */
    uint64_t bytes;    /* CHANNEL_BUNDLE: in its memory */
    uint32_t fd_count; /* CHANNEL_BUNDLE: descriptors to come with CHANNEL_MORE */
    uint32_t text_len; /* CHANNEL_REFUSED */
    char text[CHANNEL_TEXT_MAX];
};

/* What came, with descriptors that are the receiver's. */
struct channel_message {
    struct channel_frame frame;
    int fds[CHANNEL_FDS_MAX];
    unsigned fd_count;
};

/* Both ends close-on-exec and non-blocking. Errors: ST_IO. */
enum status channel_pair(int ret_ends[2]) MUST_USE;
/* Waits at most CHANNEL_PATIENCE_MS for room. Errors: ST_IO, errno tells (ETIMEDOUT, EPIPE, ...). */
enum status channel_send(int channel, const struct channel_frame *frame, const int *fds,
                         unsigned fd_count) MUST_USE;
/* A frame alone. Errors: as channel_send. */
enum status channel_say(int channel, enum channel_kind kind, uint32_t serial) MUST_USE;
/* Does not wait. Without `takes_fds` those that come are closed by the kernel.
 * Errors: ST_AGAIN, ST_EOF, ST_IO, ST_LIMIT a frame, which can be read, but there was no room for all of its
 * descriptors (this process has no more, say), ST_BAD not a frame. After the last two none is left open. */
enum status channel_recv(int channel, bool takes_fds, struct channel_message *ret_message) MUST_USE;
void channel_message_close(struct channel_message *message);

#endif
