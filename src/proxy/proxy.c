/* The set-up and the end of a worker's data plane. */

#include "proxy/proxy.h"

#include "base/check.h"
#include "base/clock.h"
#include "proxy/client.h"
#include "proxy/denials.h"
#include "proxy/exchange_internal.h"

#include <stdlib.h>

static void proxy_tunnel_ended(struct tunnel_room *room, struct record *record)
{
    struct proxy *proxy = CONTAINER_OF(room, struct proxy, tunnels);
    proxy->on_record(proxy, record);
    if (proxy->on_room != NULL)
        proxy->on_room(proxy);
}

/* What is told of an open one lies on its shelf as it was, until all is tidied up. */
static void proxy_tunnel_told(struct tunnel_room *room, struct record *record)
{
    struct proxy *proxy = CONTAINER_OF(room, struct proxy, tunnels);
    proxy->on_record(proxy, record);
    if (proxy->on_tunnel != NULL)
        proxy->on_tunnel(proxy);
}

/* The client was told 200 before; what it hears now is at most an alert. */
static void proxy_tunnel_refused(struct tunnel_room *room, const struct sni_guard *guard)
{
    const struct proxy *proxy = CONTAINER_OF(room, struct proxy, tunnels);
    if (proxy->denials == NULL || guard->asker == 0)
        return;
    struct denial denial = {.cause = CAUSE_SNI_REFUSED, .status = 200, .port = guard->port};
    char words[sizeof(denial.remedy)];
    struct text remedy = text_on(words, sizeof(words));
    sni_guard_add_remedy(guard, &remedy);
    denial_set(denial.method, sizeof(denial.method),
               guard->is_connect ? SLICE("CONNECT") : SLICE("upgrade"));
    denial_set(denial.host, sizeof(denial.host), host_slice(&guard->host));
    denial_set(denial.rule, sizeof(denial.rule), SLICE("egress.sni"));
    denial_set(denial.detail, sizeof(denial.detail), slice_from_string(guard->detail));
    denial_set(denial.remedy, sizeof(denial.remedy), text_slice(&remedy));
    denials_note(proxy->denials, guard->asker, &denial, clock_wall_ns());
}

enum status proxy_init(struct proxy *proxy, struct engine *engine)
{
    *proxy = (struct proxy){.engine = engine};
    proxy->record = malloc(sizeof(*proxy->record));
    if (proxy->record == NULL)
        return ST_NOMEM;
    identify_init(&proxy->identify);
    kernel_pipe_pool_init(&proxy->pipes, engine->counters);
    tunnel_room_init(&proxy->tunnels, engine, &proxy->pipes, proxy->record, proxy_tunnel_ended);
    proxy->tunnels.on_refused = proxy_tunnel_refused;
    proxy->tunnels.on_told = proxy_tunnel_told;
    slab_init(&proxy->client_slab, sizeof(struct client));
    slab_init_front(&proxy->exchange_slab, sizeof(struct exchange), EXCHANGE_FRONT);
    link_init(&proxy->clients);
    link_init(&proxy->running);
    link_init(&proxy->waiting);
    link_init(&proxy->begun);
    return ST_OK;
}

bool proxy_tidy(struct proxy *proxy)
{
    bool has_more = slab_tidy(&proxy->client_slab);
    has_more = slab_tidy(&proxy->exchange_slab) || has_more;
    has_more = kernel_pipe_pool_tidy(&proxy->pipes) || has_more;
    return tunnel_room_tidy(&proxy->tunnels) || has_more;
}

static void client_end_exchanges(struct client *client)
{
    LIST_EACH(link, &client->exchanges)
        exchange_end(CONTAINER_OF(link, struct exchange, client_link), END_DRAIN);
}

void proxy_end_all(struct proxy *proxy)
{
    LIST_EACH(link, &proxy->clients)
        client_end_exchanges(CONTAINER_OF(link, struct client, link));
    LIST_EACH(link, &proxy->clients)
        client_close(CONTAINER_OF(link, struct client, link), /* is_abort= */ true);
    tunnel_room_end_all(&proxy->tunnels);
}

/* What only a limit on bandwidth stalled may go on. */
static void client_wake_limited(struct client *client)
{
    LIST_EACH(link, &client->exchanges) {
        struct exchange *x = CONTAINER_OF(link, struct exchange, client_link);
        if (x->resume_ns != 0)
            exchange_wake(x);
    }
}

void proxy_take_limits(struct proxy *proxy)
{
    const struct budget_rules *rules = &proxy->engine->snapshot->config->limits.budget;
    LIST_EACH(link, &proxy->clients) {
        struct client *client = CONTAINER_OF(link, struct client, link);
        if (client_take_limits(client, rules))
            client_wake_limited(client);
    }
    tunnel_room_take_limits(&proxy->tunnels, rules);
}

void proxy_done(struct proxy *proxy)
{
    CHECK(proxy_is_empty(proxy));
    identify_done(&proxy->identify);
    tunnel_room_done(&proxy->tunnels);
    kernel_pipe_pool_done(&proxy->pipes);
    slab_done(&proxy->client_slab);
    slab_done(&proxy->exchange_slab);
    free(proxy->record);
}

void proxy_drain(struct proxy *proxy)
{
    proxy->is_draining = true;
    tunnel_room_tell_all(&proxy->tunnels);
    LIST_EACH(link, &proxy->clients)
        client_drain(CONTAINER_OF(link, struct client, link));
}

bool proxy_is_waiting(const struct proxy *proxy)
{
    return proxy->identify.inquiry_count > 0;
}

bool proxy_is_empty(const struct proxy *proxy)
{
    return proxy->client_count == 0 && list_is_empty(&proxy->tunnels.open);
}
