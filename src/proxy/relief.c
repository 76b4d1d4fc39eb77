/* What is idle: connections to origins that wait for use, and clients that have not said a whole request. Of these go
 * first those that hold a part of one, since it lies in our memory, and then those that say nothing; in each case those
 * that have waited longest. So a newcomer who speaks at once gets the place of one who does not.
 *
 * Two things may run short: the process's memory (budget/ceiling), and the worker's data blocks (limits.buffer_bytes, or
 * its part of the ceiling). */

#include "proxy/relief.h"

#include "base/clock.h"
#include "proxy/client.h"
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
    unsigned steps = (proxy->pressure - RELIEF_SHORT_PERCENT) / RELIEF_STEP_PERCENT;
    return proxy->pressure < RELIEF_FULL_PERCENT && others < (unsigned)RELIEF_MODEST >> steps;
}
