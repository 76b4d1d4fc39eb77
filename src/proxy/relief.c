/* What is idle: connections to origins that wait for use, and clients that have not said a whole request. Of these go
 * first those that hold a part of one, since it lies in our memory, and then those that say nothing; in each case those
 * that have waited longest. So a newcomer who speaks at once gets the place of one who does not.
 *
 * Exchanges that run have data in our memory, too, and nobody is let in where they take all of it. Where it is short,
 * those go of which nothing moves, the longest first: soon where their client has more connections than a newcomer
 * could be let in with, and where nobody is let in any more, after a while whoever's they are.
 *
 * Two things may run short: the process's memory (budget/ceiling), and the worker's data blocks (limits.buffer_bytes,
 * or its part of the ceiling). */

#include "proxy/relief.h"

#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/exchange_internal.h"
#include "upstream/pool.h"

#include <malloc.h>

enum {
    RELIEF_CLIENTS = 32, /* closed at a look, of each kind */
    RELIEF_WAITED_MS = 100,
    RELIEF_TRIM_MS = 50,
    RELIEF_MEMORY_PERCENT = 80, /* from here on something is done */
    RELIEF_BLOCKS_PERCENT = 60,
    RELIEF_SHORT_PERCENT = 80, /* newcomers must be modest */
    RELIEF_FULL_PERCENT = 98,  /* and nobody is let in */
    RELIEF_MODEST = 16,
    RELIEF_STEP_PERCENT = 4, /* after which it halves */
    RELIEF_STALLED_MS = 1000,
    RELIEF_STALLED_FULL_MS = 250, /* where nobody is let in */
    RELIEF_STALLED_LONG_MS = 5000,
    RELIEF_SCAN = 256, /* exchanges at a look */
};

static void relief_close(struct proxy *proxy, struct link *waiting, uint64_t since_ns)
{
    int closed = 0;
    LIST_EACH(link, waiting) {
        struct client *client = CONTAINER_OF(link, struct client, wait_link);
        if (client->waits_since_ns > since_ns || closed++ == RELIEF_CLIENTS)
            return;
        counter_add(proxy->engine->counters, COUNT_RELIEVED, 1);
        client_close(client, /* is_abort= */ true);
    }
}

/* As many connections may a client have to be let in with another one; 0: nobody is. */
static unsigned relief_modest(const struct proxy *proxy)
{
    unsigned steps = (proxy->pressure - RELIEF_SHORT_PERCENT) / RELIEF_STEP_PERCENT;
    return proxy->pressure < RELIEF_FULL_PERCENT ? (unsigned)RELIEF_MODEST >> steps : 0;
}

static void relief_end_stalled(struct proxy *proxy, uint64_t now_ns)
{
    unsigned modest = relief_modest(proxy);
    uint64_t least_ms = modest == 0 ? RELIEF_STALLED_FULL_MS : RELIEF_STALLED_MS;
    int looked_at = 0;
    int ended = 0;
    if (proxy->relieved_ns == now_ns) /* what came of it is not known before the next turn */
        return;
    proxy->relieved_ns = now_ns;
    LIST_EACH(link, &proxy->running) {
        struct exchange *x = CONTAINER_OF(link, struct exchange, running_link);
        uint64_t stalled_ns = now_ns - x->progress_ns;
        unsigned count = budget_open(&x->client->budget, BUDGET_CONNECTIONS, PARTY_CLIENT);
        bool is_greedy = count > (modest > 0 ? modest : 1);
        bool may_go =
            is_greedy || (modest == 0 && stalled_ns >= RELIEF_STALLED_LONG_MS * NS_PER_MS);
        if (looked_at++ == RELIEF_SCAN)
            return;
        if (x->step != STEP_forward || x->progress_ns == 0)
            continue;
        if (stalled_ns < least_ms * NS_PER_MS)
            return;
        if (x->is_unwanted || !may_go)
            continue;
        exchange_relieve(x);
        if (++ended == RELIEF_CLIENTS)
            return;
    }
}

/* What was freed goes back to the system: the kernel counts it as ours until then. */
static void relief_trim(struct proxy *proxy, uint64_t now_ns)
{
    if (proxy->trimmed_ns + RELIEF_TRIM_MS * NS_PER_MS > now_ns)
        return;
    proxy->trimmed_ns = now_ns;
    if (proxy->on_relief != NULL)
        proxy->on_relief(proxy);
    (void)malloc_trim(0);
}

void relief_look(struct proxy *proxy, size_t grown)
{
    struct engine *engine = proxy->engine;
    uint64_t now_ns = loop_now_ns(engine->loop);
    uint64_t since_ns = now_ns - RELIEF_WAITED_MS * NS_PER_MS;
    unsigned memory = ceiling_look(engine->ceiling, now_ns, grown);
    unsigned blocks = block_pool_percent(engine->shared.blocks);
    bool is_near = memory >= RELIEF_MEMORY_PERCENT;
    proxy->pressure = memory > blocks ? memory : blocks;
    /* Heads hold blocks from their first bytes on; who says nothing is let be for a moment. */
    if (is_near || blocks >= RELIEF_BLOCKS_PERCENT)
        relief_close(proxy, &proxy->begun, blocks >= RELIEF_BLOCKS_PERCENT ? now_ns : since_ns);
    if (proxy->pressure >= RELIEF_SHORT_PERCENT)
        relief_end_stalled(proxy, now_ns);
    if (!is_near)
        return;
    pool_flush(engine->pool);
    relief_close(proxy, &proxy->waiting, since_ns);
    relief_trim(proxy, now_ns);
}

/* The shorter it is, the fewer connections may a client have to be let in with another one; so each has some, and who
 * comes with a single one is served to the end. */
bool relief_lets_in(const struct proxy *proxy, const struct budget *budget)
{
    unsigned others = budget_open(budget, BUDGET_CONNECTIONS, PARTY_CLIENT);
    if (proxy->pressure < RELIEF_SHORT_PERCENT)
        return true;
    if ((budget->held[BUDGET_CONNECTIONS] & 1U << PARTY_CLIENT) != 0)
        others--;
    return others < relief_modest(proxy);
}
