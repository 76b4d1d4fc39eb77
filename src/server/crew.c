/* Handing clients over.
 *
 * What is open is counted, not what it does: an idle connection may be the busy one in a second. The spread that is let
 * be is one, and an eighth of the least, so that short connections, which come and go everywhere, stay where they are.
 *
 * A client arrives under the snapshot that it was accepted under, as if it had come a moment earlier: a reload may have
 * come between. Its message is in the mailbox before an order to stop, since all workers have stopped accepting before
 * the first one is told to (serving_end). */

#include "server/crew.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    CREW_MANY =
        64, /* who has so many open looks at the others only each CREW_LOOK times: their counters are far away */
    CREW_LOOK = 4,
};

struct handover {
    struct message message;
    struct crew_member *to;
    struct snapshot *snapshot; /* a reference */
    struct client_door door;
    int fd;
};

void crew_add(struct crew *crew, struct loop *loop, struct proxy *proxy, struct counters *counters)
{
    CHECK(crew->count < BUNDLE_WORKERS_MAX);
    struct crew_member *member = &crew->members[crew->count++];
    member->loop = loop;
    member->proxy = proxy;
    member->counters = counters;
}

static uint64_t crew_open(const struct crew_member *member)
{
    return counter_open(member->counters) +
           atomic_load_explicit(&member->coming, memory_order_relaxed);
}

/* The member with the least open, or NULL where `self` is as good. */
static struct crew_member *crew_choose(struct crew *crew, struct crew_member *self)
{
    uint64_t own = crew_open(self);
    if (own == 0 || (own >= CREW_MANY && ++self->kept < CREW_LOOK))
        return NULL;
    self->kept = 0;
    struct crew_member *best = NULL;
    uint64_t least = own;
    for (unsigned i = 0; i < crew->count; i++) {
        uint64_t open = crew_open(&crew->members[i]);
        if (open < least) {
            least = open;
            best = &crew->members[i];
        }
    }
    if (best == NULL || own <= least + 1 + least / 8)
        return NULL;
    self->kept = CREW_LOOK; /* there may be more */
    return best;
}

static void crew_arrive(struct message *message)
{
    struct handover *handover = CONTAINER_OF(message, struct handover, message);
    struct proxy *proxy = handover->to->proxy;
    struct engine *engine = proxy->engine;
    struct snapshot *present = engine->snapshot;
    engine->snapshot = handover->snapshot;
    client_accept(proxy, &handover->door, handover->fd);
    engine->snapshot = present;
    if (present != handover->snapshot) /* a reload since: its limits hold for all that is open */
        proxy_take_limits(proxy);
    (void)atomic_fetch_sub_explicit(&handover->to->coming, 1, memory_order_relaxed);
    if (proxy->is_draining) /* since it was sent */
        proxy_drain(proxy);
    snapshot_unref(&handover->snapshot);
    free(handover);
}

bool crew_hand_over(struct crew *crew, unsigned self, const struct client_door *door, int fd)
{
    struct crew_member *from = &crew->members[self];
    struct crew_member *to = crew_choose(crew, from);
    struct handover *handover = to == NULL ? NULL : malloc(sizeof(*handover));
    if (handover == NULL)
        return false;
    *handover = (struct handover){
        .message.deliver = crew_arrive,
        .to = to,
        .snapshot = snapshot_ref(from->proxy->engine->snapshot),
        .door = *door,
        .fd = fd,
    };
    (void)atomic_fetch_add_explicit(&to->coming, 1, memory_order_relaxed);
    counter_add(from->counters, COUNT_HANDOVERS, 1);
    loop_post(to->loop, &handover->message);
    return true;
}

bool crew_awaits(const struct crew *crew, unsigned member)
{
    return atomic_load_explicit(&crew->members[member].coming, memory_order_relaxed) > 0;
}
