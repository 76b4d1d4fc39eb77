/* The world of a play: the data plane of server/worker.c without threads, sockets and real time.
 *
 * The clock is frozen at a whole millisecond and moves only in world_advance, which stops at every deadline of
 * the loop's timers, so that each fires at its time and whatever follows from it happens before time goes on.
 * There is one world at a time; the teardown of the play finds it here. */
#include "sim/peer.h"

#include "policy/gate.h"
#include "proxy/client.h"
#include "upstream/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_TURNS_MAX = 100000, WORLD_BEGIN_MS = 1000000 };

static struct world *the_world;

struct record_node {
    struct link link;
    struct record record;
};

struct world *world_of(struct engine *engine)
{
    return CONTAINER_OF(engine, struct world, engine);
}

/* ---- making ---- */

static void report_fault(struct config_errors *errors, const char *line)
{
    (void)errors;
    print_error("%s\n", line);
}

static enum status read_no_file(struct snapshot_files *files, struct slice path, char **ret_text,
                                size_t *ret_len)
{
    (void)files, (void)path, (void)ret_text, (void)ret_len;
    return ST_IO;
}

static struct gate *make_gate(const struct config *config)
{
    struct gate_options options = {
        .allow = {config->egress.allow.at, config->egress.allow.count},
        .deny = {config->egress.deny.at, config->egress.deny.count},
        .allow_names = {config->egress.allow_names.at, config->egress.allow_names.count},
        .deny_names = {config->egress.deny_names.at, config->egress.deny_names.count},
        .clients = {config->clients.at, config->clients.count},
        .connect_ports = config->egress.connect_ports.at,
        .connect_port_count = config->egress.connect_ports.count,
        .connects_any_port = config->egress.connect_ports.is_any,
        .plain_ports = config->egress.plain_ports.at,
        .plain_port_count = config->egress.plain_ports.count,
        .plain_any_port = config->egress.plain_ports.is_any,
        .rules = config->policy.rules,
        .rule_count = config->policy.rule_count,
        .has_default = config->policy.has_default,
        .denies_by_default = config->policy.by_default == RULE_DENY,
        .observes = config->policy.observes,
    };
    struct gate *gate = NULL;
    size_t rule = 0;
    return gate_create(&options, NULL, &rule, &gate) == ST_OK ? gate : NULL;
}

/* Snapshots are only read, and costly to make (the system's certificates): one for each text of a program. */
static struct made {
    char *yaml;
    struct snapshot *snapshot;
} made[32];

static struct snapshot *make_snapshot(const char *yaml)
{
    struct made *place = made;
    for (; place->yaml != NULL; place++) {
        CHECK(place < made + COUNT_OF(made) - 1);
        if (strcmp(place->yaml, yaml) == 0)
            return snapshot_ref(place->snapshot);
    }
    struct config_errors errors = {.report = report_fault};
    struct config *config = NULL;
    CHECK(config_load("play.yaml", slice_from_string(yaml), 0, NULL, &errors, &config) == ST_OK);
    struct snapshot_files files = {.read = read_no_file};
    char words[300];
    struct text fault = text_on(words, sizeof(words));
    struct snapshot *snapshot = NULL;
    CHECK(snapshot_create(config, make_gate(config), &files, NULL, SLICE("sim"), &fault,
                          &snapshot) == ST_OK);
    place->yaml = strdup(yaml);
    place->snapshot = snapshot;
    return snapshot_ref(snapshot);
}

void world_trace(const struct world *world, const char *format, ...)
{
    if (getenv("SIM_TRACE") == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%6llu ms%s ", (unsigned long long)world_ms(world),
                  world->is_held ? "*" : " ");
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
}

static void keep_record(struct proxy *proxy, const struct record *record)
{
    struct world *world = proxy->owner;
    if (record->is_in_progress) {
        CHECK(record->size <= sizeof(world->told));
        memcpy(&world->told, record, record->size);
        world->told_count++;
        return;
    }
    struct record_node *node = calloc(1, sizeof(*node));
    CHECK(node != NULL && record->size <= sizeof(node->record));
    memcpy(&node->record, record, record->size);
    timeline_check(&record->timeline);
    struct slice cause = record_get(record, record->cause);
    world_trace(world, "record: %s %u %s %.*s", record_kind_word((enum record_kind)record->kind),
                record->status, record_end_word((enum record_end)record->end), (int)cause.len,
                cause.len > 0 ? cause.at : "");
    list_append(&world->records, &node->link);
    if (world->record_next == NULL)
        world->record_next = &node->link;
}

static void make_engine(struct world *world)
{
    struct engine *engine = &world->engine;
    engine->loop = world->loop;
    engine->counters = &world->counters;
    engine->snapshot = snapshot_ref(world->snapshot);
    engine->reach_start = way_start;
    engine->reach_cancel = way_cancel;
    engine->ledger = ledger_create();
    engine->shared.blocks = world->blocks;
    engine->shared.scratch_bytes = WIRE_SCRATCH;
    engine->shared.scratch = malloc(WIRE_SCRATCH);
    engine->pool = pool_create(engine);
    CHECK(engine->ledger != NULL && engine->shared.scratch != NULL && engine->pool != NULL);
}

struct world *world_create_small(const char *yaml, size_t block_bytes)
{
    CHECK(the_world == NULL);
    struct world *world = calloc(1, sizeof(*world));
    CHECK(world != NULL);
    the_world = world;
    world->began_ns = WORLD_BEGIN_MS * NS_PER_MS;
    clock_freeze(world->began_ns, 1700000000 * NS_PER_S);
    world->room = WORLD_ROOM;
    link_init(&world->peers);
    link_init(&world->origins);
    link_init(&world->reaching);
    link_init(&world->records);
    world->snapshot = make_snapshot(yaml);
    if (block_bytes == 0)
        block_bytes = world->snapshot->config->limits.buffer_bytes;
    world->blocks = block_pool_create(0, block_bytes);
    CHECK(world->blocks != NULL && loop_create_simulated(&world->loop) == ST_OK);
    if (getenv("SIM_CROWD") != NULL)
        loop_simulate_crowd(world->loop);
    make_engine(world);
    CHECK(proxy_init(&world->proxy, &world->engine) == ST_OK);
    world->proxy.owner = world;
    world->proxy.on_record = keep_record;
    return world;
}

void world_reconfigure(struct world *world, const char *yaml)
{
    snapshot_unref(&world->engine.snapshot);
    snapshot_unref(&world->snapshot);
    world->snapshot = make_snapshot(yaml);
    world->engine.snapshot = snapshot_ref(world->snapshot);
}

struct world *world_create(const char *yaml)
{
    return world_create_small(yaml, 0);
}

/* ---- unmaking ---- */

static void check_nothing_left(struct world *world)
{
    static const enum counter gauges[] = {COUNT_CONNECTIONS_OPEN, COUNT_REQUESTS_OPEN,
                                          COUNT_TUNNELS_OPEN, COUNT_POOL_IDLE};
    assert_true(proxy_is_empty(&world->proxy));
    assert_int_equal(world->proxy.client_slab.used, 0);
    assert_int_equal(world->proxy.exchange_slab.used, 0);
    assert_int_equal(world->proxy.tunnels.slab.used, 0);
    assert_int_equal(block_pool_used(world->blocks), 0);
    assert_true(list_is_empty(&world->reaching));
    for (size_t i = 0; i < COUNT_OF(gauges); i++)
        assert_int_equal(counter_get(&world->counters, gauges[i]), 0);
    /* Ours, the engine's and that of `made`. */
    assert_int_equal(atomic_load(&world->snapshot->refs), 3);
    assert_true(loop_next_deadline_ns(world->loop) == UINT64_MAX);
}

void world_finish(void)
{
    struct world *world = the_world;
    the_world = NULL;
    if (world == NULL)
        return;
    proxy_end_all(&world->proxy);
    pool_flush(world->engine.pool);
    peer_destroy_all(world);
    while (loop_turn(world->loop, 0) > 0)
        continue;
    pool_destroy(&world->engine.pool);
    check_nothing_left(world);
    proxy_done(&world->proxy);
    ledger_destroy(&world->engine.ledger);
    loop_destroy(&world->loop);
    snapshot_unref(&world->engine.snapshot);
    snapshot_unref(&world->snapshot);
    free(world->engine.shared.scratch);
    block_pool_destroy(&world->blocks);
    LIST_EACH(link, &world->records)
        free(CONTAINER_OF(link, struct record_node, link));
    free(world);
    clock_restore();
}

int world_end(void **state)
{
    (void)state;
    world_finish();
    return 0;
}

/* ---- time ---- */

void world_settle(struct world *world)
{
    for (int i = 0; i < WORLD_TURNS_MAX; i++) {
        if (loop_turn(world->loop, 0) == 0)
            return;
    }
    fail_msg("the loop is busy without end");
}

void world_advance(struct world *world, uint64_t ms)
{
    assert_false(world->is_held);
    uint64_t end_ns = clock_monotonic_ns() + ms * NS_PER_MS;
    world_settle(world);
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        uint64_t next = loop_next_deadline_ns(world->loop);
        if (next <= now) /* set for now: the wheel's next tick */
            next = now + 1;
        if (next > end_ns)
            break;
        uint64_t tick_ns = (next + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
        clock_advance(tick_ns - now);
        world_settle(world);
    }
    clock_advance(end_ns - clock_monotonic_ns());
    world_settle(world);
}

uint64_t world_ms(const struct world *world)
{
    return (clock_monotonic_ns() - world->began_ns) / NS_PER_MS;
}

void world_hold(struct world *world)
{
    world->is_held = true;
}

void world_go(struct world *world)
{
    world->is_held = false;
    world_settle(world);
}

/* ---- who takes part, and what came of it ---- */

struct peer *world_client(struct world *world)
{
    struct transport *transport = NULL;
    struct peer *peer = peer_create(world, &transport);
    struct client_door door = {.listen = &world->snapshot->config->listen[0]};
    CHECK(inet_endpoint_parse(SLICE("127.0.0.1:50000"), &door.peer) == ST_OK);
    CHECK(inet_endpoint_parse(SLICE("127.0.0.1:3128"), &door.local) == ST_OK);
    client_adopt(&world->proxy, &door, transport);
    if (!world->is_held)
        world_settle(world);
    return peer;
}

bool world_has_origin(const struct world *world)
{
    return !list_is_empty(&world->origins);
}

struct peer *world_origin(struct world *world)
{
    struct link *link = list_first(&world->origins);
    if (link == NULL)
        fail_msg("no connection reached an origin");
    link_remove(link);
    return CONTAINER_OF(link, struct peer, origin_link);
}

bool world_has_record(const struct world *world)
{
    return world->record_next != NULL;
}

const struct record *world_record(struct world *world)
{
    struct link *link = world->record_next;
    if (link == NULL)
        fail_msg("there is no record");
    world->record_next = link->next == &world->records ? NULL : link->next;
    return &CONTAINER_OF(link, struct record_node, link)->record;
}

size_t world_held_bytes(const struct world *world)
{
    return block_pool_used(world->blocks);
}
