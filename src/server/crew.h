#ifndef FAIRLEAD_SERVER_CREW_H
#define FAIRLEAD_SERVER_CREW_H

#include "proxy/client.h"
#include "proxy/proxy.h"
#include "record/counter.h"
#include "server/bundle.h"

#include <stdatomic.h>

/* The workers that forward, and how clients are spread over them.
 *
 * The kernel chooses who accepts: by a hash of the addresses where each worker has a socket of its own, by who sleeps
 * where they share one. Of many short connections each gets its part; of a few long ones one worker may get most. So
 * who accepts a client while another has fewer open hands it over, by a message to that loop. */

struct crew_member {
    struct loop *loop;
    struct proxy *proxy;
    struct counters *counters;
    _Atomic uint32_t coming; /* clients on their way to it */
    unsigned kept;           /* clients since it last looked at the others; its own thread's */
};

struct crew {
    unsigned count;
    struct crew_member members[BUNDLE_WORKERS_MAX];
};

/* One more member; all are there before the first one accepts. Thread: main. */
void crew_add(struct crew *crew, struct loop *loop, struct proxy *proxy, struct counters *counters);
/* Hand an accepted client to the member that has the least open, where `self` has clearly more; `fd` and what `door`
 * borrows of the engine's snapshot go with it. False: it stays. Thread: that of `self`. */
bool crew_hand_over(struct crew *crew, unsigned self, const struct client_door *door, int fd);
/* Is a client on its way to this member? Thread: any. */
bool crew_awaits(const struct crew *crew, unsigned member);

#endif
