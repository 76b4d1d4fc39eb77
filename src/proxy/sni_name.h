#ifndef FAIRLEAD_PROXY_SNI_NAME_H
#define FAIRLEAD_PROXY_SNI_NAME_H

#include "base/arena.h"
#include "base/slab.h"
#include "base/text.h"
#include "upstream/engine.h"

/* A name that a ClientHello asks for where an address was dialled. It passes where the same client might have asked for
 * the name itself, and where that leads to the address.
 *
 *   made --ask--> refused by the gate, or known at once
 *          +----> waiting for the name servers --judge--> fine, or wrong
 *
 *   N1  the name is judged by the request stage before it is looked up: what no rule lets pass is told to no name
 *       server.
 *   N2  everything is decided under the snapshot of the request that dialled.
 *
 * One for each guarded tunnel to an address, until its ClientHello was judged. */

/* Who asked for the address, and where. */
struct sni_asked {
    struct gate_question question; /* of the request; copied with all that it borrows */
    struct snapshot *snapshot;     /* it was decided under; pinned */
    struct snapshot *accepted; /* the client came in under, where the listener's name is; pinned */
};

enum sni_name_verdict {
    SNI_NAME_WAITS,
    SNI_NAME_FINE,
    SNI_NAME_WRONG, /* `why` says so */
};

struct sni_name {
    /* What only observes would have refused it; lives as long as this. Empty: nothing. */
    struct slice would_deny;
    uint64_t asked_ns; /* monotonic: when name servers were asked; 0: not yet */
    /* private */
    struct gate_question asked;
    struct host host;
    struct inet_addr dialled;
    struct snapshot *snapshot;
    struct snapshot *accepted;
    struct arena arena; /* what the client's connection owned */
    struct question question;
    void *owner;
    void (*on_answer)(void *owner);
};

/* `on_answer` runs in a task once sni_name_judge may know more. Errors: NULL out of memory. */
struct sni_name *sni_name_create(struct slab *slab, struct block_pool *blocks,
                                 const struct sni_asked *asked, void *owner,
                                 void (*on_answer)(void *owner)) MUST_USE;
/* *name is NULL afterwards; no callback comes. Takes a pointer to NULL. */
void sni_name_destroy(struct slab *slab, struct sni_name **name);

/* Ask the gate about `host`, then the resolver for addresses of the family that was dialled. Once for each. */
enum sni_name_verdict sni_name_ask(struct sni_name *name, struct engine *engine,
                                   const struct host *host, struct text *why);
/* Look at what the resolver said. */
enum sni_name_verdict sni_name_judge(struct sni_name *name, struct text *why);
/* The words for a time that is over. */
void sni_name_tell_late(const struct sni_name *name, struct text *why);
/* When the resolver's time is over, monotonic; 0: it was not asked. */
uint64_t sni_name_due_ns(const struct sni_name *name);

#endif
