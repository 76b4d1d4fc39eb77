#ifndef FAIRLEAD_TESTS_SIM_PEER_H
#define FAIRLEAD_TESTS_SIM_PEER_H

#include "sim/world.h"
#include "support/memory_pair.h"

/* A client or an origin: the far end of one of the proxy's connections, in the play's hands. It hears whatever
 * comes as soon as it comes, unless it was told not to read. */
struct peer {
    struct link link;        /* in world->peers */
    struct link origin_link; /* in world->origins */
    struct world *world;
    unsigned number;        /* in the order in which they came, for traces */
    struct memory_end *end; /* NULL once this side closed */
    /* what is still to be said */
    char *unsaid;
    size_t unsaid_len;
    size_t unsaid_cap;
    bool is_ending; /* and then a FIN */
    /* what was heard and not yet taken; terminated */
    char *heard;
    size_t heard_len;
    size_t heard_cap;
    uint64_t heard_total;
    bool is_deaf;
    /* the proxy's end of its direction */
    bool saw_fin;
    bool saw_reset;
    uint64_t heard_ms; /* world_ms of the last byte */
    uint64_t ended_ms; /* world_ms of the FIN or reset */
};

/* Say it; what the connection does not hold waits here until it does. */
void peer_say(struct peer *peer, const char *text);
void peer_say_bytes(struct peer *peer, const char *bytes, size_t len);
/* `len` bytes of a pattern that peer_hears_pattern knows: printable, and every offset looks different. */
void peer_say_pattern(struct peer *peer, size_t len);
void peer_say_pattern_from(struct peer *peer, size_t offset, size_t len);
/* End this direction after what was said: FIN. */
void peer_fin(struct peer *peer);
/* Close at once: with a reset, or in order (which resets where something is unread). */
void peer_reset(struct peer *peer);
void peer_close(struct peer *peer);
/* Stop and go on reading. */
void peer_deafen(struct peer *peer);
void peer_listen(struct peer *peer);
/* Read up to `len` bytes, though deaf. */
void peer_read(struct peer *peer, size_t len);
/* How much may wait at this end. */
void peer_set_room(struct peer *peer, size_t room);

/* What was heard since the last time is exactly this. */
void peer_hears(struct peer *peer, const char *text);
void peer_hears_nothing(struct peer *peer);
/* A head that begins with this line was heard; takes the head away. The text is good until the next call. */
const char *peer_hears_head(struct peer *peer, const char *first_line);
/* `len` bytes of the pattern of peer_say_pattern, from `offset` on, and nothing else. */
void peer_hears_pattern(struct peer *peer, size_t offset, size_t len);
void expect_pattern(const char *bytes, size_t offset, size_t len);
/* The proxy ended its direction in order at this time, or reset the connection. */
void peer_ended_at(const struct peer *peer, uint64_t ms);
void peer_reset_at(const struct peer *peer, uint64_t ms);
static inline bool peer_is_open(const struct peer *peer)
{
    return !peer->saw_fin && !peer->saw_reset;
}

#endif
