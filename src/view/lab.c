/* What differs from a start stands in lab_edit.
 *
 *     flags, file ──> maker ──> bundle ──> lab_edit ──> compile ──> snapshot ──> worker ──> ring ──> recorder ──> keep
 */

#include "view/lab.h"

#include "base/check.h"
#include "base/clock.h"
#include "server/compile.h"
#include "server/lone.h"
#include "server/privileges.h"
#include "view/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RING_BYTES = 4 << 20, FAULT_TEXT = 900, HALF_CLOSED_MS = 50, TUNNEL_IDLE_S = 24 * 3600 };

/* Nobody says who asks, a URL is shown as it was given, and a tunnel is only opened. */
static void lab_edit(struct config *config)
{
    config->identity.says_required = true;
    config->identity.required = REQUIRED_FALSE;
    config->identity.takes_peer = false;
    config->log.keeps_query = true;
    config->timeouts.tunnel_half_closed_ns = HALF_CLOSED_MS * NS_PER_MS;
}

/* Runs in the recorder's thread. */
static void keep_record(void *owner, const struct record *record)
{
    struct lab *lab = owner;
    CHECK(pthread_mutex_lock(&lab->lock) == 0);
    if (lab->count < lab->cap && !record->is_in_progress)
        memcpy(&lab->records[lab->count++], record, record->size);
    CHECK(pthread_cond_signal(&lab->changed) == 0);
    CHECK(pthread_mutex_unlock(&lab->lock) == 0);
}

/* Everything passes, also what the tables of the gate shut, such as bad ports. Own addresses and listeners are not
 * named to the gate. Nothing is looked at inside of tunnels, and who asks for them has limits on time of his own. */
static void lab_open(struct bundle *bundle)
{
    static const struct egress_tables none = {.ranges = NULL};
    struct config *config = bundle->config;
    bundle->tables = &none;
    config->egress.allow = (struct config_prefixes){NULL, 0};
    config->egress.deny = (struct config_prefixes){NULL, 0};
    config->egress.deny_names = (struct config_strings){NULL, 0};
    config->egress.connect_ports.is_any = true;
    config->egress.sni = SNI_OFF;
    config->log.inside = LOG_INSIDE_OFF;
    config->timeouts.tunnel_idle_ns = TUNNEL_IDLE_S * NS_PER_S;
    config->timeouts.tunnel_lifetime_ns = 0;
    config->policy.by_default = RULE_ALLOW;
    config->policy.has_default = true;
    config->policy.observes = true;
}

static int lab_compile(struct lab *lab, bool is_open)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    lab_edit(lab->bundle->config);
    if (is_open) {
        lab_open(lab->bundle);
    } else {
        if (interfaces_read(&lab->interfaces, &fault) != ST_OK)
            return view_complain(VIEW_TRACE, text_string(&fault), "");
        lone_describe(lab->bundle);
    }
    enum status status = compile_snapshot(lab->bundle, &lab->interfaces, NULL, NULL,
                                          SLICE("fairlead"), &fault, &lab->snapshot);
    if (status == ST_OK)
        return 0;
    return view_complain(VIEW_TRACE, fault.len > 0 ? text_string(&fault) : "out of memory", "");
}

/* No byte of a peer is read as root. */
static int lab_drop_root(const struct config *config)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct privileges_user user;
    if (!privileges_are_held())
        return 0;
    const char *name = config->run_as.len > 0 ? config->run_as.at : "";
    if (privileges_find_user(name, &user, &fault) != ST_OK ||
        privileges_drop(&user, &fault) != ST_OK)
        return view_complain(VIEW_TRACE, text_string(&fault), "");
    return 0;
}

static int lab_start(struct lab *lab)
{
    struct worker_options options = {.snapshot = lab->snapshot};
    lab->ring = ring_create(RING_BYTES);
    lab->counters = calloc(1, sizeof(*lab->counters));
    if (lab->ring == NULL || lab->counters == NULL)
        return view_complain(VIEW_TRACE, "out of memory", "");
    struct recorder_options recording = {
        .rings = &lab->ring, .ring_count = 1, .fd = -1, .on_record = keep_record, .owner = lab};
    lab->recorder = recorder_create(&recording);
    options.counters = lab->counters;
    options.ring = lab->ring;
    options.recorder = lab->recorder;
    if (lab->recorder == NULL || worker_create(&options, &lab->worker) != ST_OK)
        return view_complain(VIEW_TRACE, "its worker cannot be made", "");
    if (worker_start(lab->worker) == ST_OK)
        return 0;
    lab->worker = NULL; /* half of one: nothing is unwound, the process ends */
    return view_complain(VIEW_TRACE, "its worker cannot start", "");
}

int lab_begin(struct lab *lab, int argc, const char *const *argv, size_t most, bool is_open)
{
    *lab = (struct lab){.cap = most};
    CHECK(pthread_mutex_init(&lab->lock, NULL) == 0);
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&lab->changed, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    /* A splice to a client that has gone is an error like any other. */
    (void)signal(SIGPIPE, SIG_IGN);
    maker_init(&lab->maker, argc, argv);
    lab->records = calloc(most, sizeof(*lab->records));
    if (lab->records == NULL)
        return view_complain(VIEW_TRACE, "out of memory", "");
    if (maker_make_files(&lab->maker, &lab->bundle) != ST_OK)
        return 2;
    int code = lab_compile(lab, is_open);
    if (code == 0)
        code = lab_drop_root(lab->snapshot->config);
    return code != 0 ? code : lab_start(lab);
}

const struct snapshot *lab_snapshot(const struct lab *lab)
{
    return lab->snapshot;
}

enum status lab_connect(struct lab *lab, int *ret_fd)
{
    return lone_connect(lab->worker, ret_fd);
}

struct record *lab_wait(struct lab *lab, size_t count, uint64_t until_ns, size_t *ret_count)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                             .tv_nsec = (long)(until_ns % NS_PER_S)};
    int error = 0;
    CHECK(pthread_mutex_lock(&lab->lock) == 0);
    while (lab->count < count && error == 0)
        error = pthread_cond_timedwait(&lab->changed, &lab->lock, &until);
    *ret_count = lab->count;
    CHECK(pthread_mutex_unlock(&lab->lock) == 0);
    return lab->records;
}

void lab_end(struct lab *lab)
{
    worker_stop(&lab->worker);
    recorder_stop(&lab->recorder);
    ring_destroy(&lab->ring);
    snapshot_unref(&lab->snapshot);
    bundle_destroy(&lab->bundle);
    interfaces_done(&lab->interfaces);
    maker_done(&lab->maker);
    free(lab->counters);
    free(lab->records);
    CHECK(pthread_cond_destroy(&lab->changed) == 0);
    CHECK(pthread_mutex_destroy(&lab->lock) == 0);
    lab->counters = NULL;
    lab->records = NULL;
}
