/* A worker: everything it owns is made before its thread begins and freed after it ended; in between only
 * messages reach it. */

#include "server/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "io/socket.h"
#include "net/hosts.h"
#include "net/listener.h"
#include "net/tcp.h"
#include "proxy/client.h"
#include "proxy/relief.h"
#include "record/ring.h"
#include "report/diag.h"
#include "upstream/pool.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKER_KEEP_BYTES = 8 << 20,
    WORKER_TRIM_BYTES = 256 << 10, /* freed in all: worth asking the heap to give it back */
    WORKER_BLOCKS_PART = 4,
    WORKER_SESSIONS = 1024,
    WORKER_LISTENERS_MAX = 64,
};

static const uint64_t worker_tidy_ns = NS_PER_S;
static const uint64_t worker_pressure_ns = 20 * NS_PER_MS;
static const uint64_t worker_look_ns =
    5 * NS_PER_S; /* as long as something is open that may give something back */

struct worker_listener {
    struct worker *worker;
    struct listener *listener;
    struct worker_listen listen;
    struct inet_endpoint bound; /* ours of every connection, unless it is the unspecified address */
};

struct worker {
    struct worker_options options;
    pthread_t thread;
    bool is_started;
    struct loop *loop;
    struct block_pool *blocks;
    struct addr_source *sources;
    struct engine engine;
    struct proxy proxy;
    struct worker_listener listeners[WORKER_LISTENERS_MAX];
    size_t listener_count;
    struct timer retry; /* set while one of the listeners is not watched */
    struct timer look;  /* at the ceiling, while something is open; never set where there is none */
    struct timer tidy;  /* set by what begins and what ends, and while something is open */
    size_t untrimmed_bytes; /* of blocks, freed since the heap was asked */
};

enum order_kind { ORDER_ADOPT, ORDER_USE_GATE, ORDER_CLOSE, ORDER_DRAIN, ORDER_STOP };

/* A message with its answer: the main thread waits on `done`. */
struct order {
    struct message message;
    enum order_kind kind;
    struct worker *worker;
    struct snapshot *snapshot;
    bool keeps_pool;
    const struct worker_listen *listens;
    size_t listen_count;
    enum status status;
    int error; /* errno of the worker, where `status` is ST_IO */
    pthread_mutex_t lock;
    pthread_cond_t condition;
    bool is_done;
};

static void worker_tidy_soon(struct worker *worker)
{
    if (!timer_is_set(&worker->tidy))
        timer_set_in(worker->loop, &worker->tidy, worker_tidy_ns);
}

/* Give back what was not needed since the last time: what a crowd left goes with the second time after it. */
static void worker_tidy(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, tidy);
    struct engine *engine = &worker->engine;
    bool has_more = proxy_tidy(&worker->proxy);
    has_more = pool_tidy(engine->pool) || has_more;
    has_more = resolver_tidy(engine->resolver) || has_more;
    has_more = tls_scratch_tidy(engine->tls_scratch) || has_more;
    has_more = slab_tidy(&engine->tcp_slab) || has_more;
    bool has_blocks = false;
    worker->untrimmed_bytes += block_pool_tidy(worker->blocks, &has_blocks);
    if (worker->untrimmed_bytes >= WORKER_TRIM_BYTES) {
        worker->untrimmed_bytes = 0;
        (void)malloc_trim(0);
    }
    if (worker->options.ring != NULL)
        ring_tidy(worker->options.ring);
    if (has_more || has_blocks)
        worker_tidy_soon(worker);
    else if (!worker_is_idle(worker) || counter_get(engine->counters, COUNT_POOL_IDLE) > 0)
        timer_set_in(worker->loop, &worker->tidy, worker_look_ns);
}

static struct record *worker_on_record_room(struct proxy *proxy)
{
    struct worker *worker = proxy->owner;
    struct ring *ring = worker->options.ring;
    return ring == NULL ? NULL : ring_room(ring, sizeof(struct record));
}

static void worker_on_record(struct proxy *proxy, const struct record *record)
{
    struct worker *worker = proxy->owner;
    worker_tidy_soon(worker);
    if (worker->options.ring == NULL)
        return;
    (void)ring_put(worker->options.ring, record, record->size); /* a full ring counts and is said */
    recorder_wake(worker->options.recorder);
}

/* Memory is short. */
static void worker_on_relief(struct proxy *proxy)
{
    struct worker *worker = proxy->owner;
    struct engine *engine = &worker->engine;
    bool has_blocks = false;
    (void)proxy_tidy(proxy);
    (void)pool_tidy(engine->pool);
    (void)tls_scratch_tidy(engine->tls_scratch);
    (void)slab_tidy(&engine->tcp_slab);
    (void)block_pool_tidy(worker->blocks, &has_blocks);
    if (worker->options.ring != NULL)
        ring_tidy(worker->options.ring);
}

static void worker_look(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, look);
    relief_look(&worker->proxy, 0);
    if (!worker_is_idle(worker))
        timer_set_in(worker->loop, &worker->look, worker_pressure_ns);
}

static void worker_on_client(struct proxy *proxy)
{
    struct worker *worker = proxy->owner;
    if (worker->engine.ceiling != NULL && !timer_is_set(&worker->look))
        timer_set_in(worker->loop, &worker->look, worker_pressure_ns);
}

static void worker_on_tunnel(struct proxy *proxy)
{
    worker_tidy_soon(proxy->owner);
}

static void worker_on_room(struct proxy *proxy)
{
    struct worker *worker = proxy->owner;
    worker_tidy_soon(worker);
    for (size_t i = 0; i < worker->listener_count; i++) {
        if (worker->listeners[i].listener != NULL)
            listener_resume(worker->listeners[i].listener);
    }
}

static void worker_on_accept(void *owner, int fd, const struct inet_endpoint *peer)
{
    struct worker_listener *from = owner;
    struct worker *worker = from->worker;
    const struct snapshot *snapshot = worker->engine.snapshot;
    bool is_any = inet_addr_is_unspecified(&from->bound.addr);
    struct client_door door = {.peer = *peer, .local = is_any ? socket_local(fd) : from->bound};
    worker_tidy_soon(worker);
    int index = from->listen.index;
    if (index >= 0) {
        door.listen = &snapshot->config->listen[index];
        door.tls_server = snapshot->tls_server[index];
    }
    struct crew *crew = worker->options.crew;
    if (crew == NULL || !crew_hand_over(crew, worker->options.id, &door, fd))
        client_accept(&worker->proxy, &door, fd);
}

static void worker_close_listeners(struct worker *worker)
{
    timer_cancel(&worker->retry);
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_destroy(&worker->listeners[i].listener);
    worker->listener_count = 0;
}

/* Accepted sockets inherit these. */
static void worker_tune_listener(const struct worker *worker, const struct worker_listen *listen)
{
    const struct config *config = worker->engine.snapshot->config;
    const struct socket_tuning tuning = {
        .keepalive_s = (unsigned)((config->tcp.keepalive_ns + NS_PER_S - 1) / NS_PER_S),
        .user_timeout_ms = (unsigned)(config->tcp.user_timeout_ns / NS_PER_MS),
        .congestion = config->tcp.congestion_client,
    };
    socket_tune_listener(listen->fd, &tuning);
}

static enum status worker_watch_listener(struct worker_listener *mine)
{
    struct worker *worker = mine->worker;
    struct listener_options options = {
        .fd = mine->listen.fd,
        .is_shared = mine->listen.is_shared,
        .counters = worker->engine.counters,
        .owner = mine,
        .on_accept = worker_on_accept,
    };
    return listener_create(worker->loop, &options, &mine->listener);
}

/* Those that could not be watched: clients wait in their queues, and nobody else takes them out. */
static void worker_retry_listeners(struct timer *timer)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, retry);
    bool is_missing = false;
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct worker_listener *mine = &worker->listeners[i];
        if (mine->listener == NULL && worker_watch_listener(mine) != ST_OK)
            is_missing = true;
    }
    if (is_missing)
        timer_set_in(worker->loop, &worker->retry, LISTENER_RETRY_MS * NS_PER_MS);
}

/* As many as can be had at once; the order tells of the last one that cannot, which is tried again. */
static void worker_take_listeners(struct worker *worker, struct order *order)
{
    const struct worker_listen *listens = order->listens;
    worker_close_listeners(worker);
    for (size_t i = 0; i < order->listen_count && i < WORKER_LISTENERS_MAX; i++) {
        struct worker_listener *mine = &worker->listeners[worker->listener_count++];
        *mine = (struct worker_listener){
            .worker = worker, .listen = listens[i], .bound = socket_local(listens[i].fd)};
        worker_tune_listener(worker, &listens[i]);
        enum status status = worker_watch_listener(mine);
        if (status == ST_OK)
            continue;
        order->status = status;
        order->error = errno;
        timer_set_in(worker->loop, &worker->retry, LISTENER_RETRY_MS * NS_PER_MS);
    }
}

static void order_finish(struct order *order)
{
    (void)pthread_mutex_lock(&order->lock);
    order->is_done = true;
    (void)pthread_cond_signal(&order->condition);
    (void)pthread_mutex_unlock(&order->lock);
}

static void worker_use_snapshot(struct worker *worker, struct snapshot *snapshot)
{
    struct snapshot *old = worker->engine.snapshot;
    worker->engine.snapshot = snapshot_ref(snapshot);
    proxy_take_limits(&worker->proxy);
    snapshot_unref(&old);
}

static void worker_obey(struct message *message)
{
    struct order *order = CONTAINER_OF(message, struct order, message);
    struct worker *worker = order->worker;
    switch (order->kind) {
    case ORDER_ADOPT:
        if (order->snapshot != worker->engine.snapshot) {
            worker_use_snapshot(worker, order->snapshot);
            if (order->keeps_pool)
                pool_adopt(worker->engine.pool);
            else
                pool_flush(worker->engine.pool);
            /* Those of contexts that are used no longer are never found again. */
            tls_sessions_clear(worker->engine.tls_sessions);
        }
        worker_take_listeners(worker, order);
        break;
    case ORDER_USE_GATE:
        worker_use_snapshot(worker, order->snapshot);
        pool_judge(worker->engine.pool);
        break;
    case ORDER_CLOSE: worker_close_listeners(worker); break;
    case ORDER_DRAIN:
        worker_close_listeners(worker);
        proxy_drain(&worker->proxy);
        pool_flush(worker->engine.pool);
        break;
    case ORDER_STOP:
        worker_close_listeners(worker);
        proxy_end_all(&worker->proxy);
        loop_stop(worker->loop);
        break;
    }
    order_finish(order);
}

static void worker_order(struct worker *worker, struct order *order)
{
    order->worker = worker;
    order->message.deliver = worker_obey;
    order->is_done = false;
    (void)pthread_mutex_init(&order->lock, NULL);
    (void)pthread_cond_init(&order->condition, NULL);
    loop_post(worker->loop, &order->message);
    (void)pthread_mutex_lock(&order->lock);
    while (!order->is_done)
        (void)pthread_cond_wait(&order->condition, &order->lock);
    (void)pthread_mutex_unlock(&order->lock);
    (void)pthread_cond_destroy(&order->condition);
    (void)pthread_mutex_destroy(&order->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    if (worker->options.handler == NULL) /* not the admin listener's, which tells how it went */
        fault_begin(worker->options.id);
    loop_run(worker->loop);
    return NULL;
}

/* Each worker has a table of its own, and each says it; the limit of the line keeps that short. */
static void worker_on_long_hosts(void)
{
    diag(DIAG_WARNING,
         "the hosts table has grown to %d MiB or more: names stay as they were before",
         HOSTS_FILE_MAX >> 20);
}

static enum status worker_make_engine(struct worker *worker)
{
    struct engine *engine = &worker->engine;
    const struct config *config = worker->options.snapshot->config;
    engine->loop = worker->loop;
    engine->counters = worker->options.counters;
    engine->worker = worker->options.id;
    engine->ledger = worker->options.ledger;
    engine->ceiling = worker->options.ceiling;
    engine->idle_max = worker->options.idle_max;
    engine->snapshot = snapshot_ref(worker->options.snapshot);
    engine->reach_start = reach_start;
    engine->reach_cancel = reach_cancel;
    engine->shared.blocks = worker->blocks;
    engine->shared.scratch_bytes = WIRE_SCRATCH;
    engine->shared.scratch = malloc(WIRE_SCRATCH);
    tcp_slab_init(&engine->tcp_slab);
    engine->tls_scratch = tls_scratch_create(worker->blocks);
    engine->tls_sessions = tls_sessions_create(WORKER_SESSIONS);
    engine->pool = pool_create(engine);
    if (engine->shared.scratch == NULL || engine->tls_scratch == NULL ||
        engine->tls_sessions == NULL || engine->pool == NULL)
        return ST_NOMEM;
    struct resolver_options options = {
        .servers = config->resolver.servers.at,
        .server_count = config->resolver.servers.count,
        .hosts_path = config->resolver.hosts_file.at,
        .cache_limit_count = config->resolver.cache_entries,
        .timeout_ns = config->timeouts.dns_ns,
        .on_long_hosts = worker_on_long_hosts,
    };
    enum status status =
        resolver_create(worker->loop, &options, engine->counters, &engine->resolver);
    worker->sources = addr_source_create();
    if (worker->sources == NULL)
        return ST_NOMEM;
    bool is_recorded = worker->options.dial != NULL;
    engine->dial = (struct dial_engine){
        .loop = worker->loop,
        .resolver = engine->resolver,
        .sources = worker->sources,
        .tcp_slab = &engine->tcp_slab,
        .counters = engine->counters,
        .open = is_recorded ? worker->options.dial : dial_open,
        .open_owner = worker->options.dial_owner,
    };
    return status;
}

/* Blocks are what grows fastest: under a ceiling all workers' have a quarter of it. */
static uint64_t worker_block_bytes(const struct worker_options *options)
{
    const struct config *config = options->snapshot->config;
    if (options->ceiling == NULL)
        return config->limits.buffer_bytes;
    uint64_t share = config->limits.memory_bytes / WORKER_BLOCKS_PART / options->worker_count;
    return share < config->limits.buffer_bytes ? share : config->limits.buffer_bytes;
}

enum status worker_create(const struct worker_options *options, struct worker **ret_worker)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return ST_NOMEM;
    worker->options = *options;
    timer_init(&worker->retry, worker_retry_listeners);
    timer_init(&worker->tidy, worker_tidy);
    timer_init(&worker->look, worker_look);
    enum status status = loop_create(&worker->loop);
    worker->blocks = block_pool_create(WORKER_KEEP_BYTES, worker_block_bytes(options));
    if (status == ST_OK && worker->blocks != NULL) {
        block_pool_publish(worker->blocks, &options->counters->value[COUNT_BLOCK_BYTES]);
        status = worker_make_engine(worker);
    }
    if (status == ST_OK)
        status = proxy_init(&worker->proxy, &worker->engine);
    worker->proxy.identify.verifier = options->verifier;
    worker->proxy.denials = options->denials;
    worker->proxy.handler = options->handler;
    worker->proxy.owner = worker;
    worker->proxy.on_record_room = worker_on_record_room;
    worker->proxy.on_record = worker_on_record;
    worker->proxy.on_client = worker_on_client;
    worker->proxy.on_tunnel = worker_on_tunnel;
    worker->proxy.on_room = worker_on_room;
    worker->proxy.on_relief = worker_on_relief;
    if (status == ST_OK)
        *ret_worker = worker;
    return status; /* a failure here ends the process: nothing is unwound */
}

enum status worker_start(struct worker *worker)
{
    worker->is_started = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    return worker->is_started ? ST_OK : ST_IO;
}

clockid_t worker_clock(const struct worker *worker)
{
    clockid_t clock = CLOCK_MONOTONIC;
    (void)pthread_getcpuclockid(worker->thread, &clock); /* Linux has one for each thread */
    return clock;
}

struct loop *worker_loop(struct worker *worker)
{
    return worker->loop;
}

struct proxy *worker_proxy(struct worker *worker)
{
    return &worker->proxy;
}

enum status worker_adopt(struct worker *worker, struct snapshot *snapshot, bool keeps_pool,
                         const struct worker_listen *listens, size_t count)
{
    struct order order = {.kind = ORDER_ADOPT,
                          .snapshot = snapshot,
                          .keeps_pool = keeps_pool,
                          .listens = listens,
                          .listen_count = count};
    worker_order(worker, &order);
    errno = order.error;
    return order.status;
}

void worker_use_gate(struct worker *worker, struct snapshot *snapshot)
{
    struct order order = {.kind = ORDER_USE_GATE, .snapshot = snapshot};
    worker_order(worker, &order);
}

void worker_close(struct worker *worker)
{
    struct order order = {.kind = ORDER_CLOSE};
    if (worker != NULL)
        worker_order(worker, &order);
}

void worker_drain(struct worker *worker)
{
    struct order order = {.kind = ORDER_DRAIN};
    worker_order(worker, &order);
}

/* Bury what the stop closed, and let messages that are under way to this loop come back. */
static void worker_settle(struct worker *worker)
{
    const struct handler *handler = worker->options.handler;
    (void)loop_turn(worker->loop, 0);
    while (proxy_is_waiting(&worker->proxy) ||
           (handler != NULL && handler->is_waiting != NULL && handler->is_waiting(handler)))
        (void)loop_turn(worker->loop, UINT64_MAX);
}

bool worker_is_idle(const struct worker *worker)
{
    const struct counters *counters = worker->options.counters;
    const struct crew *crew = worker->options.crew;
    return (crew == NULL || !crew_awaits(crew, worker->options.id)) && counter_open(counters) == 0;
}

void worker_stop(struct worker **stop)
{
    struct worker *worker = *stop;
    *stop = NULL;
    if (worker == NULL)
        return;
    struct order order = {.kind = ORDER_STOP};
    worker_order(worker, &order);
    (void)pthread_join(worker->thread, NULL);
    struct engine *engine = &worker->engine;
    pool_flush(engine->pool); /* what was given back while draining */
    worker_settle(worker);
    pool_destroy(&engine->pool);
    proxy_done(&worker->proxy);
    resolver_destroy(&engine->resolver);
    addr_source_destroy(&worker->sources);
    tls_sessions_destroy(&engine->tls_sessions);
    tls_scratch_destroy(&engine->tls_scratch);
    slab_done(&engine->tcp_slab);
    snapshot_unref(&engine->snapshot);
    loop_destroy(&worker->loop);
    free(engine->shared.scratch);
    block_pool_destroy(&worker->blocks);
    free(worker);
}
