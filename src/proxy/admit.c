/* What a client, its range, its user and everybody may have open and ask for (budget/ledger): a newcomer that meets a
 * limit is refused with the limit's name, and what is open goes on.
 *
 *   admit    its connection, where there was no room for it at first; and one more request
 *   charge   the same for its user, who is known now; and a tunnel's place
 *
 * Requests are charged before anything is asked of anybody for them, those of the user when he is known. */

#include "proxy/exchange_internal.h"

#include "base/clock.h"
#include "proxy/relief.h"

#include <stdio.h>

enum { ADMIT_RETRY_S = 5 };

/* `which` counts the refusals for this kind of limit. */
static enum next refuse(struct exchange *x, enum counter which,
                        const struct budget_refusal *refusal)
{
    char detail[64];
    char remedy[sizeof(x->words.remedy)];
    uint64_t wait_ns = refusal->wait_ns;
    (void)snprintf(detail, sizeof(detail), wait_ns > 0 ? "%llu a second" : "%llu are open",
                   (unsigned long long)refusal->limit);
    (void)snprintf(remedy, sizeof(remedy), "raise %s", refusal->key);
    exchange_blame(x, refusal->key, remedy);
    x->retry_after_s =
        wait_ns > 0 ? (uint32_t)((wait_ns + NS_PER_S - 1) / NS_PER_S) : ADMIT_RETRY_S;
    counter_add(x->proxy->engine->counters, which, 1);
    x->cause = CAUSE_NONE; /* whatever the check had to say: nobody was told it */
    return exchange_refuse(x, refusal->party == PARTY_ALL ? CAUSE_BUSY : CAUSE_OVER_BUDGET, detail);
}

void admit_blame_memory(struct exchange *x)
{
    exchange_blame(x, "limits.memory", "raise limits.memory");
    x->retry_after_s = ADMIT_RETRY_S;
}

static enum next refuse_for_memory(struct exchange *x)
{
    admit_blame_memory(x);
    counter_add(x->proxy->engine->counters, COUNT_SHORT_OF_MEMORY, 1);
    return exchange_refuse(x, CAUSE_MEMORY, "");
}

enum next step_admit(struct exchange *x)
{
    struct client *client = x->client;
    struct budget *budget = &client->budget;
    struct budget_refusal refusal;
    if (!client_count(client, &refusal)) {
        x->down->may_persist = false;
        return refuse(x, COUNT_OVER_CONNECTIONS, &refusal);
    }
    if (budget_ask(budget, PARTIES_CLIENT, loop_now_ns(exchange_loop(x)), &refusal) != ST_OK)
        return refuse(x, COUNT_OVER_REQUESTS, &refusal);
    return exchange_enter(x, x->is_answered ? STEP_reply : STEP_identify);
}

/* What his user may do; false where it is refused. */
static bool charge_user(struct exchange *x)
{
    struct budget *budget = &x->client->budget;
    struct budget_refusal refusal;
    if (budget_set_user(budget, x->who.user) != ST_OK) {
        (void)exchange_refuse(x, CAUSE_SHED, "");
        return false;
    }
    uint64_t now_ns = loop_now_ns(exchange_loop(x));
    if (budget_take(budget, BUDGET_CONNECTIONS, PARTIES_USER, &refusal) != ST_OK) {
        (void)refuse(x, COUNT_OVER_CONNECTIONS, &refusal);
        return false;
    }
    if (budget_ask(budget, PARTIES_USER, now_ns, &refusal) != ST_OK) {
        (void)refuse(x, COUNT_OVER_REQUESTS, &refusal);
        return false;
    }
    return true;
}

enum next step_charge(struct exchange *x)
{
    struct budget *budget = &x->client->budget;
    struct budget_refusal refusal;
    bool wants_tunnel = x->method == METHOD_CONNECT || x->is_upgrade;
    bool has_user = x->who.user.len > 0 || budget->of[PARTY_USER] != NULL;
    if (has_user && !charge_user(x))
        return NEXT_GO_ON; /* to the answer */
    if (wants_tunnel)
        relief_look(x->proxy, 0); /* the last look may be old where no client came since */
    if (wants_tunnel && !relief_lets_in(x->proxy, budget))
        return refuse_for_memory(x);
    if (wants_tunnel && budget_take(budget, BUDGET_TUNNELS, PARTIES_EVERY, &refusal) != ST_OK)
        return refuse(x, COUNT_OVER_TUNNELS, &refusal);
    return exchange_enter(x, STEP_acquire);
}

/* ---- bandwidth ---- */

size_t admit_bytes(struct exchange *x, enum budget_rate way)
{
    const struct budget *budget = &x->client->budget;
    uint64_t wait_ns = 0;
    if (!budget->is_metered)
        return SIZE_MAX;
    uint64_t now_ns = clock_monotonic_ns();
    size_t bytes = budget_may_move(budget, way, now_ns, &wait_ns);
    if (bytes == 0 && (x->resume_ns == 0 || now_ns + wait_ns < x->resume_ns))
        x->resume_ns = now_ns + wait_ns;
    return bytes;
}
