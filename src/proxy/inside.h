#ifndef FAIRLEAD_PROXY_INSIDE_H
#define FAIRLEAD_PROXY_INSIDE_H

#include "net/tls_watch.h"
#include "record/shelf.h"
#include "upstream/engine.h"

/* What is seen of the TLS inside a tunnel, from its first byte to its first response, and how its record comes to know
 * it. One for each tunnel of which bytes came, from a slab, until nothing more is to be seen; most tunnels are rid of
 * it within their first milliseconds. What the ClientHello says goes into the record when it was read, all else at the
 * end. */

struct inside;

struct inside_room {
    struct engine *engine;
    struct slab slab;
    struct record_shelf *shelf;
    struct record *scratch;
};

/* `shelf` and `scratch` outlive it. */
void inside_room_init(struct inside_room *room, struct engine *engine, struct record_shelf *shelf,
                      struct record *scratch);
void inside_room_done(struct inside_room *room);
/* As slab_tidy. */
bool inside_room_tidy(struct inside_room *room);

/* `quiet_ns` as for tls_watch_init. Errors: NULL out of memory. */
struct inside *inside_create(struct inside_room *room, uint64_t quiet_ns) MUST_USE;
/* *inside is NULL afterwards. Takes a pointer to NULL. What it found is lost but for the record that has it. */
void inside_destroy(struct inside_room *room, struct inside **inside);

/* Bytes of one side, which came at `at_ns`; the scratch of the engine may be written over. `kept` is the tunnel's
 * record. False: there is nothing more to be seen. After an alert it is true: what follows is no exchange. */
bool inside_see(struct inside_room *room, struct inside *inside, enum tls_watch_side side,
                struct slice bytes, uint64_t at_ns, struct record_kept *kept);
/* Is there more to be learnt from this side? */
bool inside_wants(const struct inside *inside, enum tls_watch_side side);
/* Has the client asked for something, so that what follows are exchanges? */
bool inside_is_asked(const struct inside *inside);
/* What was found, into a record of the tunnel. */
void inside_tell(const struct inside *inside, struct record *record);
/* The same into the record on its shelf. */
void inside_join(struct inside_room *room, const struct inside *inside, struct record_kept *kept);

#endif
