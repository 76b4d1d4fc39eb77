#ifndef FAIRLEAD_FLOOR_RELAY_H
#define FAIRLEAD_FLOOR_RELAY_H

#include "common/channel.h"
#include "common/loop.h"

/* One direction. */
struct way {
    bool is_splicing, is_ended;
    int pipe[2];       /* both -1 while there is none */
    size_t pipe_bytes; /* bytes inside it */
    char *held;        /* received and not taken by the other side, or NULL; owned */
    size_t held_bytes, held_done;
};

struct relay;

struct side {
    struct watch watch; /* first: it is cast */
    struct relay *relay;
    struct channel channel;
    struct way way; /* from this side to the other */
};

/* Two sides and what moves between them. Embed it. */
struct relay {
    struct side client, origin;
    bool is_origin_kept; /* the client's end is not told to the origin, and ends the relay */
    /* Both directions have ended, or one broke. It closes the sides; the relay's memory stays, for the loop
     * may call once more. */
    void (*on_end)(struct relay *relay, bool is_clean);
};

/* Prepare for the loop; the sides' descriptors and channels are the caller's. */
void relay_init(struct relay *relay, void (*on_end)(struct relay *relay, bool is_clean));

/* Take over `fd`: in clear or, where there is a `context`, over TLS, which the side that `is_server` answers. */
void side_open(struct loop *loop, struct side *side, int fd,
               void (*on_event)(struct watch *, uint32_t), SSL_CTX *context, bool is_server);

/* The rest of a floor's main: listen on loopback, say the port, serve until a signal. */
void floor_serve(struct loop *loop, void (*on_connection)(struct watch *listener, uint32_t events));

/* Move all that can be moved. To be called on every event of either side. */
void relay_move(struct loop *loop, struct relay *relay);

/* Free what a direction holds; its pipe goes back to the others. */
void way_reset(struct way *way);

#endif
