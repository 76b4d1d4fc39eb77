/* The private instance.
 *
 *     flags, file ──> maker ──> bundle ──> instance_edit ──> compile ──> snapshot ──> worker
 *                     (as check: nothing is opened)                                     ^
 *     instance_connect ──> a socket pair ── message ──> client_accept ──────────────────┘
 *
 * The only difference on the way out is the worker's `dial`: the recorder (outside.h) instead of a socket.
 *
 * Thread: all of this is for the one that began it. */

#include "selftest/instance.h"

#include "base/check.h"
#include "server/compile.h"
#include "server/lone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FAULT_TEXT = 900 };

static void report_line(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)fprintf(stderr, "fairlead: %s\n", line);
}

/* ---- the configuration ---- */

static const struct inet_prefix every_v6[] = {{.addr = {.family = INET_V6}, .bits = 0}};
static const struct inet_prefix every[] = {{.addr = {.family = INET_V4}, .bits = 0},
                                           {.addr = {.family = INET_V6}, .bits = 0}};

/* Everything that is not as given: the world is the one of the self-test, and ranges are opened where that is asked
 * for. An outgoing address would keep the other family from being tried. Lists are borrowed: they outlive it. */
static void instance_edit(struct instance *instance, struct config *config,
                          enum instance_ranges ranges)
{
    config->resolver.servers = (struct config_endpoints){&instance->outside->server, 1};
    config->resolver.hosts_file = slice_from_string(instance->hosts_path);
    config->source = (struct inet_addr){.family = INET_NONE};
    config->identity.says_required = true; /* tries are made by nobody */
    config->identity.required = REQUIRED_FALSE;
    config->identity.takes_peer = false;
    /* The lists are only read; the configuration's own are not const, since a loader fills them. */
    if (ranges == RANGES_V6_OPEN)
        config->egress.allow =
            (struct config_prefixes){(struct inet_prefix *)(uintptr_t)every_v6, 1};
    if (ranges == RANGES_ALL_OPEN)
        config->egress.allow = (struct config_prefixes){(struct inet_prefix *)(uintptr_t)every, 2};
}

/* The configuration once more: the one before went into a snapshot. */
static enum status instance_reload(struct instance *instance)
{
    struct config_errors errors = {report_line, 0};
    const struct maker *maker = &instance->maker;
    struct bundle *bundle = instance->bundle;
    if (bundle->config != NULL)
        return ST_OK;
    return config_load(config_file_name(maker->argc, maker->argv),
                       slice_of(bundle->text, bundle->len), maker->argc, maker->argv, &errors,
                       &bundle->config);
}

/* `deny` with one more, which the caller frees. */
static struct inet_prefix *deny_more(struct config_prefixes *deny, const struct inet_prefix *more)
{
    struct inet_prefix *at = calloc(deny->count + 1, sizeof(*at));
    if (at == NULL)
        return NULL;
    if (deny->count > 0)
        memcpy(at, deny->at, deny->count * sizeof(*at));
    at[deny->count] = *more;
    *deny = (struct config_prefixes){at, deny->count + 1};
    return at;
}

static enum status instance_compile(struct instance *instance, enum instance_ranges ranges,
                                    const struct inet_prefix *denied,
                                    struct snapshot **ret_snapshot)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    enum status status = instance_reload(instance);
    if (status != ST_OK)
        return status;
    struct config *config = instance->bundle->config;
    struct config_prefixes given = config->egress.deny;
    struct inet_prefix *more = NULL;
    instance_edit(instance, config, ranges);
    lone_describe(instance->bundle);
    instance->bundle->tables = instance->tables;
    if (denied != NULL)
        more = deny_more(&config->egress.deny, denied);
    status = compile_snapshot(instance->bundle, &instance->interfaces, NULL, NULL,
                              SLICE("fairlead"), &fault, ret_snapshot);
    if (status != ST_OK)
        (void)fprintf(stderr, "fairlead: %s\n",
                      fault.len > 0 ? text_string(&fault) : "out of memory");
    else
        (*ret_snapshot)->config->egress.deny = given; /* the gate has its copy */
    free(more);
    return status;
}

/* ---- the worker ---- */

static enum status instance_start(struct instance *instance)
{
    struct worker_options options = {
        .snapshot = instance->snapshot,
        .counters = instance->counters,
        .dial = outside_dial,
        .dial_owner = instance->outside,
    };
    enum status status = worker_create(&options, &instance->worker);
    if (status == ST_OK)
        status = worker_start(instance->worker);
    if (status != ST_OK) {
        (void)fprintf(stderr, "fairlead: the private instance cannot start\n");
        instance->worker = NULL; /* half of one: nothing is unwound, the process ends */
    }
    return status;
}

static enum status instance_keep_hosts(struct instance *instance, struct slice hosts)
{
    instance->hosts = memfd_create("hosts", MFD_CLOEXEC);
    if (instance->hosts < 0 || write(instance->hosts, hosts.at, hosts.len) != (ssize_t)hosts.len)
        return ST_IO;
    (void)snprintf(instance->hosts_path, sizeof(instance->hosts_path), "/proc/self/fd/%d",
                   instance->hosts);
    return ST_OK;
}

enum status instance_begin(struct instance *instance, int argc, const char *const *argv,
                           struct slice hosts, struct outside *outside)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    *instance = (struct instance){.outside = outside, .hosts = -1};
    maker_init(&instance->maker, argc, argv);
    enum status status = maker_make_files(&instance->maker, &instance->bundle);
    if (status != ST_OK)
        return status;
    status = instance_keep_hosts(instance, hosts);
    if (status == ST_OK)
        status = interfaces_read(&instance->interfaces, &fault);
    if (status != ST_OK) {
        (void)fprintf(stderr, "fairlead: %s\n",
                      fault.len > 0 ? text_string(&fault) : "no memory for a hosts table");
        return status;
    }
    instance->counters = calloc(1, sizeof(*instance->counters));
    if (instance->counters == NULL)
        return ST_NOMEM;
    status = instance_compile(instance, RANGES_AS_GIVEN, NULL, &instance->snapshot);
    return status == ST_OK ? instance_start(instance) : status;
}

/* The worker changes over; `snapshot` is taken. */
static void instance_take(struct instance *instance, struct snapshot *snapshot)
{
    snapshot_unref(&instance->snapshot);
    instance->snapshot = snapshot;
}

enum status instance_use(struct instance *instance, enum instance_ranges ranges,
                         const struct inet_prefix *denied)
{
    struct snapshot *snapshot = NULL;
    enum status status = instance_compile(instance, ranges, denied, &snapshot);
    if (status != ST_OK)
        return status;
    status = worker_adopt(instance->worker, snapshot, false, NULL, 0);
    instance_take(instance, snapshot);
    return status;
}

enum status instance_add_address(struct instance *instance, const struct inet_addr *addr)
{
    size_t count = instance->interfaces.count;
    struct inet_addr *all = calloc(count + 1, sizeof(*all));
    if (all == NULL)
        return ST_NOMEM;
    if (count > 0)
        memcpy(all, instance->interfaces.at, count * sizeof(*all));
    all[count] = *addr;
    struct snapshot *snapshot = snapshot_with_interfaces(instance->snapshot, all, count + 1);
    free(all);
    if (snapshot == NULL)
        return ST_NOMEM;
    worker_use_gate(instance->worker, snapshot);
    instance_take(instance, snapshot);
    return ST_OK;
}

enum status instance_connect(struct instance *instance, int *ret_fd)
{
    return lone_connect(instance->worker, ret_fd);
}

void instance_end(struct instance *instance)
{
    worker_stop(&instance->worker);
    snapshot_unref(&instance->snapshot);
    bundle_destroy(&instance->bundle);
    interfaces_done(&instance->interfaces);
    maker_done(&instance->maker);
    socket_close(&instance->hosts);
    free(instance->counters);
    instance->counters = NULL;
}
