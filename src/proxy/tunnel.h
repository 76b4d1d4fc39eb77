#ifndef FAIRLEAD_PROXY_TUNNEL_H
#define FAIRLEAD_PROXY_TUNNEL_H

#include "base/slab.h"
#include "proxy/inside.h"
#include "proxy/pipe.h"
#include "proxy/sni_guard.h"
#include "record/shelf.h"
#include "upstream/engine.h"

/* Two pipes between two byte ends: what a CONNECT or an upgrade becomes.
 *
 *   open --(one end of file passed on)--> half closed --(the other)--> ended
 *     |            |
 *     +--(reset, error, idle, lifetime, drain, kill)--> ended
 *
 *   T1  each direction ends by itself: an end of file becomes a shutdown after the last byte, and the
 *       reverse direction goes on as long as it makes progress.
 *   T2  a reset of one side becomes a reset of the other, and never an end in order.
 *   T3  an idle tunnel holds no buffer and no kernel pipe: in clear it costs less than 1 KiB of memory in all, the
 *       two transports and its record included; 128 bytes more while its TLS has shaken hands and asked nothing.
 *   T4  a TLS 1.2 side that ends gets our end at once; what still comes for it is thrown away, and is no
 *       progress (RFC 5246 §7.2.1).
 *   T5  of a guarded tunnel no byte of the client goes to the origin before its ClientHello was judged; afterwards it
 *       is a tunnel like any other. What the origin says passes at once.
 *   T6  whoever looks at its TLS sees bytes after they went on, and no longer than there is something to be seen; then
 *       it is spliced again. */

struct tunnel_limits {
    uint64_t idle_ns;
    uint64_t half_closed_ns; /* without progress */
    uint64_t lifetime_ns;    /* 0: none */
};

/* What the tunnels of one worker share. */
struct tunnel_room {
    struct engine *engine;
    struct pipe_means means; /* borrowed */
    struct slab slab;
    struct sni_room sni;
    struct inside_room inside;
    struct record_shelf shelf; /* the records of open tunnels so far */
    struct link open;          /* all tunnels, oldest first */
    struct record *scratch;    /* borrowed: where a record is completed */
    /* Called once a tunnel has ended, with its finished record, which is good during the call only. */
    void (*on_ended)(struct tunnel_room *room, struct record *record);
    /* Called with a record of one that is open, which is good during the call only. NULL: nobody wants to know. */
    void (*on_told)(struct tunnel_room *room, struct record *record);
    /* Called before the client hears that its guard refuses the tunnel. NULL: nobody wants to know. */
    void (*on_refused)(struct tunnel_room *room, const struct sni_guard *guard);
};

struct tunnel;

/* `pipes` and `scratch` outlive the room. */
void tunnel_room_init(struct tunnel_room *room, struct engine *engine,
                      struct kernel_pipe_pool *pipes, struct record *scratch,
                      void (*on_ended)(struct tunnel_room *, struct record *));
/* No tunnel is open, and those that ended are buried. */
void tunnel_room_done(struct tunnel_room *room);

/* Pack the records of those that are open, and as slab_tidy. Due a while after a tunnel began or ended. */
bool tunnel_room_tidy(struct tunnel_room *room);

/* Start a tunnel. Takes over both transports and copies the record so far; `from_client` and `from_origin` are bytes
 * that were read already; `sni` is what its ClientHello is held against, copied, NULL: nothing; `budget` is moved to
 * it: its places, and the client's connection, are given back at its end. Errors: ST_NOMEM, both transports are closed,
 * and the budget stays with the caller. */
enum status tunnel_start(struct tunnel_room *room, struct transport **client,
                         struct transport **origin, struct slice from_client,
                         struct slice from_origin, const struct record *record,
                         const struct tunnel_limits *limits, const struct sni_wanted *sni,
                         struct budget *budget) MUST_USE;
/* Other limits from now on, of which the tunnels keep nothing but what their bytes may cost. */
void tunnel_room_take_limits(struct tunnel_room *room, const struct budget_rules *rules);
/* Tell of each that has moved bytes since it was told of, where the configuration wants to know of open ones. */
void tunnel_room_tell_all(struct tunnel_room *room);
/* End all tunnels now: END_DRAIN. */
void tunnel_room_end_all(struct tunnel_room *room);
/* End the tunnel whose record has this id with resets on both sides, END_KILLED. False: it is not here. */
bool tunnel_room_kill(struct tunnel_room *room, uint64_t id);
/* Walk: when the tunnel behind `link` of room->open was opened (the mark t_open), and the id of its record. */
uint64_t tunnel_opened_ns(struct link *link, uint64_t *ret_id);
/* Walk: the record of the tunnel behind `link` of room->open as it stands now, for listings. */
void tunnel_describe(struct link *link, struct record *into);

#endif
