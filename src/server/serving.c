/* The serving threads over their life.
 *
 *     begin    compile the bundle -> recorder -> workers -> admin worker -> listeners handed out
 *     adopt    compile the new one -> each worker changes over between two turns -> close the old
 *     address  read our own addresses -> the same snapshot with another gate -> each worker changes over
 *     drain    workers stop accepting, sockets are closed, what is open goes on
 *     end      the admin worker, then the workers that it asks, then the recorder that they feed
 *
 *     V1  Nothing is opened here: descriptors and contents of files come with the bundle.
 *     V2  A bundle that does not compile changes nothing.
 *     V3  Old descriptors are closed after every worker has left them.
 *     V4  Contents of files are wiped as soon as the snapshot is made. */

#include "server/serving.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "proxy/denials.h"
#include "record/ring.h"
#include "report/diag.h"
#include "server/compile.h"
#include "server/privileges.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING_BYTES = 4 << 20, HISTORY_PART = 16 };

/* ---- what a bundle says ---- */

static struct access_log_style log_style(const struct config *config)
{
    bool is_terminal = slice_equals(config->log.file, SLICE("-")) && isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    bool has_color = is_terminal && (no_color == NULL || no_color[0] == '\0');
    enum access_log_format format = config->log.has_format ? config->log.format
                                    : is_terminal          ? ACCESS_LOG_LINE
                                                           : ACCESS_LOG_JSON;
    return (struct access_log_style){.format = format, .has_color = has_color};
}

/* The log's descriptor, which is the recorder's from now on. */
static int take_log(struct bundle *bundle)
{
    int fd = bundle->log_fd;
    bundle->log_fd = -1;
    return bundle->log == BUNDLE_LOG_STDOUT ? STDOUT_FILENO : fd;
}

/* What is opened in the floor is said each time it is. */
static void say_exceptions(const struct config *config)
{
    for (size_t i = 0; i < config->egress.floor_exceptions.count; i++) {
        char address[INET_ENDPOINT_TEXT];
        const struct inet_endpoint *exception = &config->egress.floor_exceptions.at[i];
        if (exception->port == 0)
            inet_addr_format(&exception->addr, address);
        else
            inet_endpoint_format(exception, address);
        diag(DIAG_WARNING, "egress.floor_exceptions opens %s", address);
    }
    for (size_t i = 0; i < config->egress.floor_names.count; i++)
        diag(DIAG_WARNING, "egress.floor_exceptions opens the name %s",
             config->egress.floor_names.at[i].at);
}

/* Certificates that are served although they are not good today, since they were served before. */
static void say_expired(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->config->listen_count; i++) {
        const struct config_listen *listen = &snapshot->config->listen[i];
        char words[700];
        struct text text = text_on(words, sizeof(words));
        config_add_origin(snapshot->config, &listen->certificate, &text);
        text_add(&text, listen->certificate);
        text_add(&text, SLICE(": "));
        if (snapshot->tls_server[i] != NULL &&
            tls_server_context_check_dates(snapshot->tls_server[i], &text) != ST_OK)
            diag_say(NULL, DIAG_WARNING, "%s; it is served on, since it was served before",
                     text_string(&text));
    }
}

/* *interfaces gets the addresses of this machine that the snapshot's gate refuses, for
 * serving_take_addresses; nothing where this fails. */
static enum status serving_compile(struct serving *serving, struct bundle *bundle,
                                   struct interfaces *interfaces, struct text *fault,
                                   struct snapshot **ret_snapshot)
{
    enum status status = interfaces_read(interfaces, fault);
    if (status == ST_OK)
        status = compile_snapshot(bundle, interfaces, serving->snapshot, serving->tickets,
                                  slice_from_string(serving->via), fault, ret_snapshot);
    bundle_forget_files(bundle);
    if (status != ST_OK && fault->len == 0)
        text_add_format(fault, "out of memory");
    if (status != ST_OK) {
        interfaces_done(interfaces);
        return status;
    }
    say_exceptions((*ret_snapshot)->config);
    say_expired(*ret_snapshot);
    return ST_OK;
}

/* All workers decide by these; *interfaces is empty afterwards. */
static void serving_take_addresses(struct serving *serving, struct interfaces *interfaces)
{
    interfaces_done(&serving->interfaces);
    serving->interfaces = *interfaces;
    *interfaces = (struct interfaces){0};
    atomic_store_explicit(&serving->admin.address_count, serving->interfaces.count,
                          memory_order_relaxed);
}

/* The same, where they are others than before. */
static void serving_change_addresses(struct serving *serving, struct interfaces *interfaces)
{
    if (interfaces_are_equal(interfaces, &serving->interfaces)) {
        interfaces_done(interfaces);
        diag(DIAG_DEBUG, "addresses of this machine read: the same as before");
        return;
    }
    serving_take_addresses(serving, interfaces);
    (void)atomic_fetch_add_explicit(&serving->admin.address_changes, 1, memory_order_relaxed);
    diag(DIAG_INFO, "addresses of this machine changed: %zu are refused now",
         serving->interfaces.count);
}

static void note_failure(enum status status, enum status *ret_status, int *ret_error)
{
    if (status == ST_OK)
        return;
    *ret_status = status;
    *ret_error = errno;
}

/* Give each worker its listeners. Errors: ST_IO, ST_NOMEM with a fault, where one of them cannot be watched; all
 * that can be are. */
static enum status serving_hand_out(struct serving *serving, bool keeps_pools, struct text *fault)
{
    const struct bundle *bundle = serving->bundle;
    enum status status = ST_OK;
    int error = 0;
    for (unsigned w = 0; w < serving->worker_count; w++) {
        struct worker_listen listens[BUNDLE_LISTENS_MAX];
        for (size_t i = 0; i < bundle->listen_count; i++) {
            const struct opening *opening = &bundle->listens[i];
            bool is_shared = opening->count == 1 && serving->worker_count > 1;
            listens[i] = (struct worker_listen){opening->fds[opening->count == 1 ? 0 : w], (int)i,
                                                is_shared};
        }
        note_failure(worker_adopt(serving->workers[w], serving->snapshot, keeps_pools, listens,
                                  bundle->listen_count),
                     &status, &error);
    }
    struct worker_listen listen = {bundle->admin.fds[0], -1, false};
    note_failure(worker_adopt(serving->admin_worker, serving->snapshot, keeps_pools, &listen,
                              bundle->admin.count),
                 &status, &error);
    if (status != ST_OK)
        text_add_format(fault, "a worker cannot watch all of its listeners: %s",
                        status == ST_NOMEM ? "out of memory" : strerror(error));
    return status;
}

/* ---- begin ---- */

/* Idle connections to origins that one worker may keep: of all workers a quarter of the descriptors, or whoever
 * asks for many origins would leave none for the next client. */
static uint32_t serving_idle_max(const struct serving *serving)
{
    unsigned workers = serving->worker_count > 0 ? serving->worker_count : 1;
    uint64_t share = privileges_descriptors() / 4 / workers;
    if (share > UINT32_MAX)
        return UINT32_MAX;
    return share > 0 ? (uint32_t)share : 1;
}

static enum status serving_start_worker(struct serving *serving, unsigned id,
                                        const struct handler *handler, struct worker **ret_worker)
{
    struct worker_options options = {
        .id = (uint16_t)id,
        .snapshot = serving->snapshot,
        .counters = &serving->counters[id],
        .ring = handler == NULL ? serving->rings[id] : NULL,
        .recorder = serving->recorder,
        .handler = handler,
        .crew = handler == NULL ? &serving->crew : NULL,
        .idle_max = serving_idle_max(serving),
        .verifier = &serving->verifier,
        .ledger = handler == NULL ? serving->ledger : NULL,
        .ceiling = handler == NULL ? serving->ceiling : NULL,
        .worker_count = serving->worker_count,
        .denials = handler == NULL ? serving->denials : NULL,
    };
    struct worker *worker = NULL;
    enum status status = worker_create(&options, &worker);
    if (status == ST_OK)
        status = worker_start(worker);
    if (status == ST_OK)
        *ret_worker = worker;
    return status;
}

/* Thread: the recorder's. */
static void serving_on_record(void *owner, const struct record *record)
{
    struct serving *serving = owner;
    if (atomic_load_explicit(&serving->is_watched, memory_order_relaxed)) {
        recent_put(serving->recent, record);
        overview_put(serving->overview, record);
    }
}

/* What the admin surface shows. A ceiling on memory leaves it a sixteenth. */
static enum status serving_open_history(struct serving *serving)
{
    const struct config *config = serving->snapshot->config;
    uint64_t bytes = config->admin.history_bytes;
    uint64_t share = config->limits.memory_bytes / HISTORY_PART;
    atomic_store(&serving->is_watched, !config->admin.is_off);
    serving->recent = recent_create((size_t)(share != 0 && share < bytes ? share : bytes),
                                    recent_first(clock_wall_ns()));
    serving->overview = overview_create();
    serving->admin.recent = serving->recent;
    serving->admin.overview = serving->overview;
    return serving->recent == NULL || serving->overview == NULL ? ST_NOMEM : ST_OK;
}

static enum status serving_start_recorder(struct serving *serving)
{
    struct recorder_options options = {
        .rings = serving->rings,
        .ring_count = serving->worker_count,
        .fd = take_log(serving->bundle),
        .style = log_style(serving->snapshot->config),
        .on_record = serving_on_record,
        .owner = serving,
    };
    for (unsigned i = 0; i < serving->worker_count; i++) {
        serving->rings[i] = ring_create(RING_BYTES);
        if (serving->rings[i] == NULL)
            return ST_NOMEM;
    }
    serving->recorder = recorder_create(&options);
    return serving->recorder == NULL ? ST_IO : ST_OK;
}

/* Hashes in flight take memory all at once, so that much is always kept free for them. */
static void serving_set_reserve(struct serving *serving)
{
    const struct roster *roster = serving->snapshot->roster;
    ceiling_set_reserve(serving->ceiling, HASHER_THREADS * roster_hash_bytes(roster));
}

static enum status serving_open_ledger(struct serving *serving)
{
    uint64_t bytes = serving->snapshot->config->limits.memory_bytes;
    serving->ledger = ledger_create();
    if (serving->ledger == NULL)
        return ST_NOMEM;
    enum status status = bytes > 0 ? ceiling_create(bytes, &serving->ceiling) : ST_OK;
    serving_set_reserve(serving);
    return status;
}

static enum status serving_start_threads(struct serving *serving)
{
    struct admin *admin = &serving->admin;
    enum status status = serving_open_ledger(serving);
    if (status == ST_OK)
        status = verifier_init(&serving->verifier, serving->ceiling);
    serving->denials = denials_create();
    if (status == ST_OK && serving->denials == NULL)
        status = ST_NOMEM;
    if (status == ST_OK)
        status = serving_open_history(serving);
    if (status == ST_OK)
        status = serving_start_recorder(serving);
    admin->recorder = serving->recorder;
    for (unsigned i = 0; i < serving->worker_count && status == ST_OK; i++) {
        status = serving_start_worker(serving, i, NULL, &serving->workers[i]);
        if (status != ST_OK)
            break;
        crew_add(&serving->crew, worker_loop(serving->workers[i]),
                 worker_proxy(serving->workers[i]), &serving->counters[i]);
        admin->worker_clocks[admin->counter_count] = worker_clock(serving->workers[i]);
        admin->counters[admin->counter_count++] = &serving->counters[i];
        admin->errands.stops[admin->errands.stop_count++] = (struct errand_stop){
            worker_loop(serving->workers[i]), worker_proxy(serving->workers[i])};
    }
    if (status == ST_OK) /* also where it is off: a reload may switch it on */
        status = serving_start_worker(serving, serving->worker_count, &serving->admin.handler,
                                      &serving->admin_worker);
    return status;
}

enum status serving_begin(struct serving *serving, struct bundle *bundle, struct text *fault)
{
    uint32_t tail;
    struct interfaces interfaces = {0};
    *serving = (struct serving){.worker_count = bundle->worker_count};
    admin_init(&serving->admin);
    random_secure(&tail, sizeof(tail));
    (void)snprintf(serving->via, sizeof(serving->via), "fairlead-%08x", tail);
    serving->counters = calloc(serving->worker_count + 1, sizeof(*serving->counters));
    serving->tickets = tls_tickets_create();
    if (serving->counters == NULL || serving->tickets == NULL) {
        text_add_format(fault, "out of memory");
        return ST_NOMEM;
    }
    enum status status = serving_compile(serving, bundle, &interfaces, fault, &serving->snapshot);
    if (status != ST_OK) {
        tls_tickets_unref(&serving->tickets); /* wiped, and what they hold given back */
        free(serving->counters);
        serving->counters = NULL;
        return status;
    }
    serving->snapshot->kin = ++serving->kins;
    serving_take_addresses(serving, &interfaces);
    diag_set_level(serving->snapshot->config->log.diagnostics);
    serving->bundle = bundle;
    status = serving_start_threads(serving);
    if (status != ST_OK) {
        serving->bundle = NULL; /* stays the caller's */
        text_add_format(fault, "a thread cannot start: %s",
                        status == ST_NOMEM ? "out of memory" : strerror(errno));
        return status;
    }
    status = serving_hand_out(serving, /* keeps_pools= */ false, fault);
    if (status != ST_OK) {
        serving->bundle = NULL; /* stays the caller's, who may close it once no thread watches it */
        serving_end(serving);
    }
    return status;
}

/* ---- change ---- */

enum status serving_adopt(struct serving *serving, struct bundle *bundle, bool owns_files,
                          struct text *fault)
{
    struct snapshot *snapshot = NULL;
    struct interfaces interfaces = {0};
    if (bundle->worker_count != serving->worker_count) {
        text_add_format(fault, "it is for another number of workers");
        return ST_BAD;
    }
    enum status status = serving_compile(serving, bundle, &interfaces, fault, &snapshot);
    if (status != ST_OK)
        return status;
    struct bundle *old = serving->bundle;
    bool keeps_pools = bundle->is_followed && memcmp(snapshot->made_of, serving->snapshot->made_of,
                                                     sizeof(snapshot->made_of)) == 0;
    snapshot->kin = keeps_pools ? serving->snapshot->kin : ++serving->kins;
    snapshot_unref(&serving->snapshot);
    serving->snapshot = snapshot;
    serving_set_reserve(serving);
    serving->bundle = bundle;
    /* There is no way back: the listeners before are let go, and could not be watched again any better. */
    if (serving_hand_out(serving, keeps_pools, fault) != ST_OK) {
        diag_say(NULL, DIAG_ERROR, "%s; some clients wait until it can", text_string(fault));
        fault->len = 0;
    }
    serving_change_addresses(serving, &interfaces);
    if (owns_files)
        bundle_commit(bundle, old);
    bundle_destroy(&old);
    struct access_log_style style = log_style(snapshot->config);
    recorder_set_output(serving->recorder, take_log(bundle), &style);
    diag_set_level(snapshot->config->log.diagnostics);
    atomic_store(&serving->is_watched, !snapshot->config->admin.is_off);
    return ST_OK;
}

/* Each worker changes over; `snapshot` is taken. */
static void serving_use_gate(struct serving *serving, struct snapshot *snapshot)
{
    snapshot_unref(&serving->snapshot);
    serving->snapshot = snapshot;
    serving_set_reserve(serving);
    for (unsigned i = 0; i < serving->worker_count; i++)
        worker_use_gate(serving->workers[i], snapshot);
    worker_use_gate(serving->admin_worker, snapshot);
}

enum status serving_read_addresses(struct serving *serving, struct text *fault)
{
    struct interfaces interfaces = {0};
    enum status status = interfaces_read(&interfaces, fault);
    if (status != ST_OK)
        return status;
    if (!interfaces_are_equal(&interfaces, &serving->interfaces)) {
        struct snapshot *snapshot =
            snapshot_with_interfaces(serving->snapshot, interfaces.at, interfaces.count);
        if (snapshot == NULL) {
            interfaces_done(&interfaces);
            text_add_format(fault, "out of memory");
            return ST_NOMEM;
        }
        serving_use_gate(serving, snapshot);
    }
    serving_change_addresses(serving, &interfaces);
    return ST_OK;
}

void serving_set_log(struct serving *serving, int fd)
{
    recorder_set_output(serving->recorder, fd, NULL);
}

/* ---- end ---- */

void serving_say_drain(const struct serving *serving)
{
    uint64_t open = 0;
    for (unsigned i = 0; i < serving->worker_count; i++)
        open += counter_open(&serving->counters[i]);
    if (open > 0)
        diag(DIAG_NOTICE, "draining: %llu open, for %llu s at most; a second signal ends at once",
             (unsigned long long)open,
             (unsigned long long)(serving->snapshot->config->timeouts.drain_ns / NS_PER_S));
}

void serving_drain(struct serving *serving)
{
    atomic_store(&serving->admin.is_draining, true);
    for (unsigned i = 0; i < serving->worker_count; i++)
        worker_drain(serving->workers[i]);
    bundle_close_listens(serving->bundle);
}

bool serving_is_idle(const struct serving *serving)
{
    for (unsigned i = 0; i < serving->worker_count; i++) {
        if (!worker_is_idle(serving->workers[i]))
            return false;
    }
    return true;
}

void serving_end(struct serving *serving)
{
    worker_stop(&serving->admin_worker); /* first, since it asks the others */
    for (unsigned i = 0; i < serving->worker_count; i++)
        worker_close(serving->workers[i]);
    for (unsigned i = 0; i < serving->worker_count; i++)
        worker_stop(&serving->workers[i]);
    verifier_done(&serving->verifier);
    ledger_destroy(&serving->ledger);
    ceiling_destroy(&serving->ceiling);
    denials_destroy(&serving->denials);
    recorder_stop(&serving->recorder);
    recent_destroy(&serving->recent);
    overview_destroy(&serving->overview);
    for (unsigned i = 0; i < serving->worker_count; i++)
        ring_destroy(&serving->rings[i]);
    bundle_destroy(&serving->bundle);
    snapshot_unref(&serving->snapshot);
    interfaces_done(&serving->interfaces);
    tls_tickets_unref(&serving->tickets);
    free(serving->counters);
    serving->counters = NULL;
}
