#ifndef FAIRLEAD_PROXY_PROXY_H
#define FAIRLEAD_PROXY_PROXY_H

#include "base/slab.h"
#include "proxy/identify.h"
#include "proxy/tunnel.h"
#include "record/record.h"
#include "upstream/engine.h"

/* The data plane of one worker: its clients, exchanges and tunnels. */

struct denials;
struct handler;

struct proxy {
    struct engine *engine;
    struct tunnel_room tunnels;
    struct kernel_pipe_pool pipes;
    struct slab client_slab;
    struct slab exchange_slab;
    struct link clients; /* every open client connection */
    struct link running; /* exchanges whose bodies are on their way; what moved longest ago first */
    struct link waiting; /* those without an exchange, the longest wait first */
    struct link begun;   /* and those of which a part of a head came */
    uint32_t client_count;
    uint32_t over_count;      /* clients that are open beyond a budget, to be told so */
    unsigned pressure;        /* how short memory is, in percent, at the last look (relief.c) */
    uint64_t trimmed_ns;      /* when memory was given back last for want of it */
    uint64_t relieved_ns;     /* and exchanges that stand still were given up */
    bool is_draining;         /* answer what is open, take nothing new */
    struct record *record;    /* scratch for the record that is being made */
    struct identify identify; /* who its clients are */
    struct denials
        *denials; /* where refusals are noted for who asked; NULL: nowhere (tests, admin) */
    const struct handler *handler; /* answers instead of forwarding: the admin listener; or NULL */
    /* Room for the next record that is finished, so that nobody copies it; it is given to on_record in the same turn,
     * or not used. NULL, or gives NULL: there is none, and records are made in `record`. */
    struct record *(*on_record_room)(struct proxy *);
    /* A record is finished; it is good during the call only. */
    void (*on_record)(struct proxy *, const struct record *);
    /* A client came, of its own or from another worker. NULL: nobody listens. */
    void (*on_client)(struct proxy *);
    /* A tunnel began: proxy_tidy makes it smaller once it has been open for a while. NULL: nobody listens. */
    void (*on_tunnel)(struct proxy *);
    /* A descriptor was freed: accepting may go on. */
    void (*on_room)(struct proxy *);
    /* Memory is short: give back what is not in use now. NULL: nobody listens. */
    void (*on_relief)(struct proxy *);
    void *owner;
};

/* Errors: ST_NOMEM. */
enum status proxy_init(struct proxy *proxy, struct engine *engine) MUST_USE;
/* Ends whatever is open. */
void proxy_done(struct proxy *proxy);
/* Give memory back that was not needed since the last call; as slab_tidy. */
bool proxy_tidy(struct proxy *proxy);
/* The engine has another snapshot: its limits hold for what is open, too. The one before is not needed for them any
 * more. */
void proxy_take_limits(struct proxy *proxy);
/* Close idle clients, and the others after their exchange. */
void proxy_drain(struct proxy *proxy);
/* Answers to it are under way from another thread: its loop may not be destroyed yet. */
bool proxy_is_waiting(const struct proxy *proxy);
/* Nothing is open any more. */
bool proxy_is_empty(const struct proxy *proxy);
/* End everything at once. */
void proxy_end_all(struct proxy *proxy);

#endif
