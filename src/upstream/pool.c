/* Idle connections by origin, newest first, with caps. Those above the cap of an origin are spare: they go once nobody
 * has wanted them for a second, since a turn of the loop may free as many connections as the next one takes again.
 *
 * An origin's entry lives as long as a connection to it, leased ones included, so that giving one back looks nothing
 * up. All idle connections also stand in one list ordered by the time they became idle; one timer walks its old end.
 * Events of idle connections only mark them stale and queue the sweep. */

#include "upstream/pool.h"

#include "base/cache.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/slab.h"
#include "base/table.h"

#include <stdlib.h>

enum { UPSTREAM_TAG = TAG('u', 'p', 's', 't'), POOL_PEEK_AFTER_MS = 1000, POOL_SPARE_MS = 1000 };

struct pool_origin {
    struct link idle; /* newest first */
    uint64_t hash;
    uint32_t open_count; /* connections, idle or leased */
    uint32_t idle_count;
    uint16_t port;
    bool is_tls;
    struct host host; /* last: it is long, and most are short */
};

/* What each lease looks at stands first. */
struct pool {
    struct engine *engine;
    struct table origins;
    struct link by_age; /* longest idle first */
    uint32_t idle_count;
    bool has_spare; /* an origin may have more than its cap */
    struct timer timer;
    struct task sweep;
    struct slab origin_slab;
    struct slab upstream_slab;
};

struct pool_key {
    const struct host *host;
    uint16_t port;
    bool is_tls;
};

static bool pool_match(const void *entry, const void *key)
{
    const struct pool_origin *origin = entry;
    const struct pool_key *wanted = key;
    return origin->port == wanted->port && origin->is_tls == wanted->is_tls &&
           slice_equals(host_slice(&origin->host), host_slice(wanted->host));
}

static uint64_t pool_hash(const struct pool_key *key)
{
    return table_hash(host_slice(key->host)) ^ ((uint64_t)key->port << 1 | key->is_tls);
}

/* Take a connection out of the idle lists. */
static void pool_detach(struct pool *pool, struct upstream *upstream)
{
    link_remove(&upstream->origin_link);
    link_remove(&upstream->age_link);
    upstream->is_idle = false;
    upstream->origin->idle_count--;
    pool->idle_count--;
    counter_sub(pool->engine->counters, COUNT_POOL_IDLE, 1);
}

/* A connection to this origin is closed. */
static void pool_leave(struct pool *pool, struct pool_origin *origin)
{
    if (--origin->open_count > 0)
        return;
    table_remove(&pool->origins, origin->hash, origin);
    slab_free(&pool->origin_slab, origin);
}

static void upstream_bury(struct grave *grave)
{
    struct upstream *upstream = CONTAINER_OF(grave, struct upstream, grave);
    slab_free(&upstream->engine->pool->upstream_slab, upstream);
}

static void upstream_close(struct upstream *upstream, bool is_abort)
{
    CHECK_TAG(upstream, UPSTREAM_TAG);
    CHECK(!upstream->is_idle);
    upstream->tag = 0;
    pool_leave(upstream->engine->pool, upstream->origin);
    upstream->origin = NULL;
    upstream->codec->ops->close(upstream->codec, is_abort);
    snapshot_unref(&upstream->snapshot);
    upstream->grave.bury = upstream_bury;
    loop_bury(upstream->engine->loop, &upstream->grave);
}

static void pool_close(struct pool *pool, struct upstream *upstream)
{
    pool_detach(pool, upstream);
    upstream_close(upstream, /* is_abort= */ false);
}

static struct upstream *pool_oldest(struct pool *pool)
{
    struct link *first = list_first(&pool->by_age);
    return first == NULL ? NULL : CONTAINER_OF(first, struct upstream, age_link);
}

/* Set the timer for what is to be closed next. */
static void pool_wait(struct pool *pool, uint64_t now)
{
    const struct upstream *oldest = pool_oldest(pool);
    uint64_t limit = pool->engine->snapshot->config->timeouts.upstream_keepalive_ns;
    if (oldest == NULL)
        return;
    uint64_t due_ns = oldest->idle_since_ns + limit;
    uint64_t spare_due_ns = now + POOL_SPARE_MS * NS_PER_MS;
    timer_set(pool->engine->loop, &pool->timer,
              pool->has_spare && spare_due_ns < due_ns ? spare_due_ns : due_ns);
}

static bool origin_has_spare(const struct pool *pool, const struct pool_origin *origin)
{
    return origin->idle_count > pool->engine->snapshot->config->limits.pool_per_origin;
}

static struct upstream *origin_oldest(const struct pool_origin *origin)
{
    return CONTAINER_OF(origin->idle.prev, struct upstream, origin_link);
}

/* Close what nobody wants, and see whether any is left. */
static void pool_close_spare(struct pool *pool, uint64_t now)
{
    pool->has_spare = false;
    LIST_EACH(link, &pool->by_age) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, age_link);
        if (!origin_has_spare(pool, upstream->origin))
            continue;
        if (upstream->idle_since_ns + POOL_SPARE_MS * NS_PER_MS <= now)
            pool_close(pool, upstream);
        else
            pool->has_spare = true;
    }
}

/* Close what idled for too long, and set the timer for the next. */
static void pool_expire(struct timer *timer)
{
    struct pool *pool = CONTAINER_OF(timer, struct pool, timer);
    uint64_t now = loop_now_ns(pool->engine->loop);
    uint64_t limit = pool->engine->snapshot->config->timeouts.upstream_keepalive_ns;
    struct upstream *oldest;
    while ((oldest = pool_oldest(pool)) != NULL && oldest->idle_since_ns + limit <= now)
        pool_close(pool, oldest);
    if (pool->has_spare)
        pool_close_spare(pool, now);
    pool_wait(pool, now);
}

static void pool_sweep(struct task *task)
{
    struct pool *pool = CONTAINER_OF(task, struct pool, sweep);
    LIST_EACH(link, &pool->by_age) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, age_link);
        if (upstream->is_stale)
            pool_close(pool, upstream);
    }
}

/* An event of an idle connection: closed, or bytes that nobody asked for, or nothing of note. */
static void pool_on_ready(struct codec *codec)
{
    struct upstream *upstream = codec->owner;
    CHECK_TAG(upstream, UPSTREAM_TAG);
    if (codec->ops->is_usable(codec, /* must_ask= */ false))
        return;
    upstream->is_stale = true;
    loop_queue(upstream->engine->loop, &upstream->engine->pool->sweep);
}

struct pool *pool_create(struct engine *engine)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->engine = engine;
    table_init(&pool->origins);
    slab_init(&pool->origin_slab, sizeof(struct pool_origin));
    slab_init(&pool->upstream_slab, sizeof(struct upstream));
    link_init(&pool->by_age);
    timer_init(&pool->timer, pool_expire);
    task_init(&pool->sweep, pool_sweep);
    return pool;
}

bool pool_tidy(struct pool *pool)
{
    bool has_more = slab_tidy(&pool->origin_slab);
    return slab_tidy(&pool->upstream_slab) || has_more;
}

void pool_flush(struct pool *pool)
{
    struct upstream *oldest;
    while ((oldest = pool_oldest(pool)) != NULL)
        pool_close(pool, oldest);
}

static bool pool_may_reach(const struct pool *pool, const struct upstream *upstream)
{
    struct gate_answer answer;
    return gate_address(pool->engine->snapshot->gate, NULL, &upstream->peer, &answer);
}

/* It pins no snapshot that others are done with, and a large list of users with it. */
static void upstream_move(struct upstream *upstream, struct snapshot *now)
{
    struct snapshot *before = upstream->snapshot;
    if (before == snapshot_base(now)) /* all but always */
        return;
    upstream->snapshot = snapshot_ref(snapshot_base(now));
    snapshot_unref(&before);
}

void pool_adopt(struct pool *pool)
{
    LIST_EACH(link, &pool->by_age) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, age_link);
        upstream_move(upstream, pool->engine->snapshot);
    }
}

void pool_judge(struct pool *pool)
{
    LIST_EACH(link, &pool->by_age) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, age_link);
        if (!pool_may_reach(pool, upstream))
            pool_close(pool, upstream);
    }
}

void pool_destroy(struct pool **pool)
{
    if (*pool == NULL)
        return;
    pool_flush(*pool);
    timer_cancel(&(*pool)->timer);
    task_cancel(&(*pool)->sweep);
    table_done(&(*pool)->origins);
    slab_done(&(*pool)->origin_slab);
    slab_done(&(*pool)->upstream_slab);
    free(*pool);
    *pool = NULL;
}

/* Still as it was when it became idle? */
static bool pool_is_alive(struct pool *pool, struct upstream *upstream, uint64_t now)
{
    const struct config *config = pool->engine->snapshot->config;
    bool is_long_idle = now - upstream->idle_since_ns >= POOL_PEEK_AFTER_MS * NS_PER_MS;
    return !upstream->is_stale && upstream->connected_ns + config->limits.pool_max_age_ns > now &&
           upstream->codec->ops->is_usable(upstream->codec, is_long_idle);
}

/* False: the connection takes no stream. */
static bool upstream_lease(struct upstream *upstream, struct lease *ret_lease)
{
    struct stream *stream = NULL;
    if (upstream->codec->ops->open(upstream->codec, &stream) != ST_OK)
        return false;
    upstream->uses++;
    cache_want(upstream, sizeof(*upstream)); /* the head that goes out is made first */
    *ret_lease = (struct lease){upstream, stream, upstream->uses};
    return true;
}

/* The newest idle connection of the origin whose peer `permit` lets pass, or NULL. */
static struct upstream *origin_find(const struct pool_origin *origin, pool_permit_fn *permit,
                                    void *owner)
{
    for (struct link *link = origin->idle.next; link != &origin->idle; link = link->next) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, origin_link);
        if (permit(owner, &upstream->peer))
            return upstream;
    }
    return NULL;
}

bool pool_take(struct pool *pool, const struct host *host, uint16_t port, bool is_tls,
               pool_permit_fn *permit, void *owner, struct lease *ret_lease)
{
    struct pool_key key = {host, port, is_tls};
    uint64_t now = loop_now_ns(pool->engine->loop);
    struct pool_origin *origin;
    struct upstream *upstream;
    while ((origin = table_find(&pool->origins, pool_hash(&key), pool_match, &key)) != NULL &&
           (upstream = origin_find(origin, permit, owner)) != NULL) {
        bool is_usable = pool_is_alive(pool, upstream, now);
        pool_detach(pool, upstream);
        if (is_usable && upstream_lease(upstream, ret_lease))
            return true;
        upstream_close(upstream, /* is_abort= */ false);
    }
    return false;
}

/* The entry of an origin, for one more connection. NULL out of memory. */
static struct pool_origin *pool_enter(struct pool *pool, const struct reach *reach)
{
    struct pool_key key = {reach->host, reach->port, reach->is_tls};
    uint64_t hash = pool_hash(&key);
    struct pool_origin *origin = table_find(&pool->origins, hash, pool_match, &key);
    if (origin != NULL) {
        origin->open_count++;
        return origin;
    }
    origin = slab_alloc(&pool->origin_slab);
    if (origin == NULL)
        return NULL;
    link_init(&origin->idle);
    origin->hash = hash;
    origin->open_count = 1;
    origin->host = *reach->host;
    origin->port = reach->port;
    origin->is_tls = reach->is_tls;
    if (table_add(&pool->origins, hash, origin) == ST_OK)
        return origin;
    slab_free(&pool->origin_slab, origin);
    return NULL;
}

/* How many may be idle in all. */
static uint64_t pool_total(const struct pool *pool)
{
    uint64_t total = pool->engine->snapshot->config->limits.pool_total;
    uint32_t idle_max = pool->engine->idle_max;
    return idle_max > 0 && idle_max < total ? idle_max : total;
}

/* Idle from now on, within the caps. */
static void pool_put(struct pool *pool, struct upstream *upstream)
{
    struct pool_origin *origin = upstream->origin;
    upstream->is_idle = true;
    upstream->is_stale = false;
    upstream->idle_since_ns = loop_now_ns(pool->engine->loop);
    list_prepend(&origin->idle, &upstream->origin_link);
    list_append(&pool->by_age, &upstream->age_link);
    origin->idle_count++;
    pool->idle_count++;
    counter_add(pool->engine->counters, COUNT_POOL_IDLE, 1);
    if (pool->idle_count > pool_total(pool)) /* what is spare makes no other origin's go */
        pool_close(pool,
                   origin_has_spare(pool, origin) ? origin_oldest(origin) : pool_oldest(pool));
    bool is_first_spare = !pool->has_spare && origin_has_spare(pool, origin);
    pool->has_spare |= is_first_spare;
    if (is_first_spare || !timer_is_set(&pool->timer))
        pool_wait(pool, upstream->idle_since_ns);
}

/* Made under the present settings, and to where the present gate lets it go? */
static bool pool_fits(const struct pool *pool, struct upstream *upstream)
{
    struct snapshot *now = pool->engine->snapshot;
    if (!snapshot_is_kin(upstream->snapshot, now))
        return false;
    upstream_move(upstream, now);
    return now->base == NULL || pool_may_reach(pool, upstream);
}

void pool_give(struct pool *pool, struct lease *lease)
{
    if (lease->upstream == NULL)
        return;
    struct upstream *upstream = lease->upstream;
    CHECK_TAG(upstream, UPSTREAM_TAG);
    const struct config *config = pool->engine->snapshot->config;
    enum codec_fate fate = upstream->codec->ops->release(upstream->codec, lease->stream);
    *lease = (struct lease){0};
    if (fate == CODEC_LASTS && pool_fits(pool, upstream) && config->limits.pool_total > 0 &&
        config->limits.pool_per_origin > 0)
        pool_put(pool, upstream);
    else
        upstream_close(upstream, /* is_abort= */ fate == CODEC_BREAKS);
}

enum status pool_add(struct pool *pool, struct reach *reach, struct lease *ret_lease)
{
    struct engine *engine = pool->engine;
    struct h1_limits limits = engine_head_limits(reach->snapshot->config);
    struct pool_origin *origin = pool_enter(pool, reach);
    struct upstream *upstream = origin == NULL ? NULL : slab_alloc(&pool->upstream_slab);
    if (upstream == NULL) {
        if (origin != NULL)
            pool_leave(pool, origin);
        transport_close(&reach->transport, /* is_abort= */ false);
        return ST_NOMEM;
    }
    upstream->tag = UPSTREAM_TAG;
    upstream->engine = engine;
    link_init(&upstream->origin_link);
    link_init(&upstream->age_link);
    h1_codec_init(&upstream->h1, H1_CLIENT, reach->transport, &engine->shared, &limits);
    reach->transport = NULL;
    upstream->codec = &upstream->h1.codec;
    upstream->codec->owner = upstream;
    upstream->codec->on_ready = pool_on_ready;
    upstream->origin = origin;
    /* The base alone: a connection may outlive many gates. The pool takes no other than its own. */
    upstream->snapshot = snapshot_ref(snapshot_base(reach->snapshot));
    upstream->peer = reach->peer;
    upstream->source = reach->source;
    upstream->tls = reach->tls;
    upstream->id = engine_conn_id(engine);
    upstream->connected_ns = reach->tls_end_ns != 0 ? reach->tls_end_ns : reach->connect_end_ns;
    upstream->paid_dns_ns = reach->dns_end_ns - reach->dns_begin_ns;
    upstream->paid_connect_ns = reach->connect_end_ns - reach->connect_begin_ns;
    upstream->paid_tls_ns = reach->tls_end_ns - reach->tls_begin_ns;
    CHECK(upstream_lease(upstream, ret_lease)); /* a new one has none open */
    return ST_OK;
}

const char *lease_fault(const struct lease *lease)
{
    return transport_fault(lease->upstream->codec->wire.transport);
}

bool lease_was_alerted(const struct lease *lease)
{
    const struct transport *transport = lease->upstream->codec->wire.transport;
    return tls_is_tls(transport) && tls_peer_alert(transport) >= 0;
}
