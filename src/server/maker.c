/* Making a bundle: one code path for a start and a reload, with and without a parent.
 *
 *     configuration file, flags ──> config ──┬──> files: certificates, keys, authorities, tokens
 *                                            ├──> log
 *                                            └──> addresses: taken over from the old bundle, or bound
 *
 *     M1  All or nothing: what fails leaves the old bundle as it was, and nothing open.
 *     M2  Addresses come last, since they are what others can see.
 *
 * Matching takes two rounds, since an address may have been asked for with port 0: first the listeners that
 * ask for what was asked before, then those that name what it became.
 *
 * A Unix socket is taken over only while its file is there and still leads to it; otherwise it is bound anew.
 *
 * The number of workers and what else the schema table marks for the start stay as they were;
 * maker_warn_unchanged says so. */

#include "server/maker.h"

#include "base/clock.h"
#include "report/diag.h"
#include "server/advice.h"
#include "server/file.h"
#include "server/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKER_LOOK_NS NS_PER_S
#define MAKER_OWED_NS (10 * NS_PER_S)

/* ---- configuration ---- */

static void report_line(struct config_errors *errors, const char *line)
{
    (void)errors;
    (void)fprintf(stderr, "fairlead: %s\n", line);
}

static void report_to_log(struct config_errors *errors, const char *line)
{
    (void)errors;
    diag_say(NULL, DIAG_ERROR, "%s", line);
}

/* At the start a person reads the errors; those of a reload are lines of a log among others, with date and level. */
static struct config_errors maker_errors(const struct maker *maker)
{
    return (struct config_errors){maker->running != NULL ? report_to_log : report_line, 0};
}

/* What was read from a stream is kept, since a reload cannot read it again. Errors: ST_IO, and it was said. */
static enum status maker_read_config(struct maker *maker, char **ret_text, size_t *ret_len)
{
    const char *name = config_file_flag(maker->argc, maker->argv);
    char words[800];
    struct text fault = text_on(words, sizeof(words));
    bool is_stream = false;
    enum status status = ST_OK;
    if (name == NULL)
        return ST_OK;
    if (maker->kept.at != NULL) {
        *ret_text = strndup(maker->kept.at, maker->kept.len);
        *ret_len = maker->kept.len;
        return *ret_text == NULL ? ST_NOMEM : ST_OK;
    }
    if (maker->stream != NULL) {
        diag_say(NULL, DIAG_NOTICE,
                 "%s cannot be read again: its text stays as it was at the start",
                 config_file_name(maker->argc, maker->argv));
    } else {
        text_add(&fault, SLICE("--config: "));
        status = file_read_config(name, ret_text, ret_len, &is_stream, &fault);
    }
    if (status != ST_OK) {
        struct config_errors errors = maker_errors(maker);
        errors.report(&errors, text_string(&fault));
        return status;
    }
    if (is_stream) {
        maker->stream = *ret_text;
        maker->stream_len = *ret_len;
    }
    if (maker->stream != NULL) {
        *ret_text = malloc(maker->stream_len + 1);
        *ret_len = maker->stream_len;
        if (*ret_text == NULL)
            return ST_NOMEM;
        memcpy(*ret_text, maker->stream, maker->stream_len + 1);
    }
    return ST_OK;
}

static struct config *maker_load_config(struct maker *maker, char **ret_text, size_t *ret_len)
{
    struct config_errors errors = maker_errors(maker);
    struct config *config = NULL;
    char *text = NULL;
    size_t len = 0;
    if (maker_read_config(maker, &text, &len) != ST_OK)
        return NULL;
    enum status status =
        config_load(config_file_name(maker->argc, maker->argv), slice_of(text, len), maker->argc,
                    maker->argv, &errors, &config);
    if (status != ST_OK) {
        free(text);
        return NULL;
    }
    *ret_text = text;
    *ret_len = len;
    return config;
}

/* ---- files that are followed ---- */

static const struct slice *maker_followed(const struct config *config, size_t index)
{
    return index == 0 ? &config->identity.users : &config->identity.tokens;
}

/* Before they are read, or a change in between would be missed. */
static void maker_mark_files(struct maker *maker, const struct config *config)
{
    maker->look_ns = 0;
    for (size_t i = 0; i < MAKER_FOLLOWED; i++) {
        const struct slice *path = maker_followed(config, i);
        maker->read_marks[i] = (struct file_mark){.is_present = false};
        if (path->len == 0)
            continue;
        if (file_mark_look(path->at, &maker->read_marks[i]) != ST_OK)
            maker->read_marks[i] = (struct file_mark){.is_present = false};
        maker->look_ns = clock_monotonic_ns() + MAKER_LOOK_NS;
    }
    memcpy(maker->seen_marks, maker->read_marks, sizeof(maker->seen_marks));
}

/* A file that is being written looks different at each look, and is left alone until it does no more. One that is gone
 * for a moment or cannot be looked at has not changed. */
bool maker_sees_change(struct maker *maker, const struct config *config, uint64_t now_ns)
{
    bool has_changed = false;
    if (maker->look_ns == 0 || now_ns < maker->look_ns)
        return false;
    maker->look_ns = now_ns + MAKER_LOOK_NS;
    for (size_t i = 0; i < MAKER_FOLLOWED; i++) {
        const struct slice *path = maker_followed(config, i);
        struct file_mark mark;
        if (path->len == 0 || file_mark_look(path->at, &mark) != ST_OK || !mark.is_present)
            continue;
        bool rests = file_mark_equals(&mark, &maker->seen_marks[i]);
        maker->seen_marks[i] = mark;
        if (rests && !file_mark_equals(&mark, &maker->read_marks[i])) {
            maker->read_marks[i] = mark; /* also where it cannot be used */
            has_changed = true;
        }
    }
    bool is_due = has_changed || (maker->owed_ns != 0 && now_ns >= maker->owed_ns);
    if (is_due)
        maker->owed_ns = now_ns + MAKER_OWED_NS;
    return is_due;
}

void maker_settle(struct maker *maker)
{
    maker->owed_ns = 0;
}

int maker_wait_ms(const struct maker *maker, uint64_t now_ns, int wait_ms)
{
    if (maker->look_ns == 0)
        return wait_ms;
    int look_ms = maker->look_ns > now_ns ? (int)((maker->look_ns - now_ns) / NS_PER_MS) + 1 : 0;
    return wait_ms < 0 || look_ms < wait_ms ? look_ms : wait_ms;
}

/* ---- files ---- */

/* It could not be opened, and errno tells why. */
static void explain_refusal(const char *path, unsigned may, struct text *fault)
{
    if (errno == EACCES)
        sandbox_explain(path, may, fault);
}

/* `setting` of the bundle's configuration names `path`. */
static enum status maker_read(struct bundle *bundle, const void *setting, const struct slice *path,
                              size_t max, struct text *fault)
{
    char *text = NULL;
    size_t len = 0;
    if (path->len == 0 || bundle_find_file(bundle, *path) != NULL)
        return ST_OK;
    config_add_origin(bundle->config, setting, fault);
    enum status status = file_read(path->at, max, &text, &len, fault);
    if (status != ST_OK) {
        explain_refusal(path->at, LANDLOCK_MAY_READ, fault);
        return status;
    }
    char *name = strdup(path->at);
    if (name == NULL) {
        explicit_bzero(text, len);
        free(text);
        return ST_NOMEM;
    }
    status = bundle_add_file(bundle, name, text, len);
    if (status != ST_OK)
        text_add_format(fault, "%s: the files of this configuration are too large together",
                        path->at);
    else
        fault->len = 0;
    return status;
}

static enum status maker_read_file(struct bundle *bundle, const struct slice *path,
                                   struct text *fault)
{
    return maker_read(bundle, path, path, FILE_BYTES_MAX, fault);
}

static enum status maker_read_lists(struct bundle *bundle, struct text *fault)
{
    const struct config *config = bundle->config;
    enum status status = ST_OK;
    for (size_t i = 0; i < config->policy.rule_count; i++) {
        const struct gate_names *lists = &config->policy.rules[i].to_lists;
        for (size_t j = 0; j < lists->count && status == ST_OK; j++)
            status = maker_read(bundle, lists, &lists->at[j], FILE_LIST_BYTES_MAX, fault);
    }
    return status;
}

/* All that the configuration names. */
static enum status maker_read_files(struct bundle *bundle, struct text *fault)
{
    const struct config *config = bundle->config;
    enum status status = maker_read_file(bundle, &config->tls_upstream.ca_file, fault);
    for (size_t i = 0; i < MAKER_FOLLOWED && status == ST_OK; i++) {
        const struct slice *path = maker_followed(config, i);
        status = maker_read(bundle, path, path, FILE_USERS_BYTES_MAX, fault);
    }
    if (status == ST_OK)
        status = maker_read_file(bundle, &config->admin.token_file, fault);
    for (size_t i = 0; i < config->listen_count && status == ST_OK; i++) {
        const struct config_listen *listen = &config->listen[i];
        if (!listen->is_tls)
            continue;
        status = maker_read_file(bundle, &listen->certificate, fault);
        if (status == ST_OK)
            status = maker_read_file(bundle, &listen->key, fault);
        if (status == ST_OK)
            status = maker_read_file(bundle, &listen->client_ca, fault);
    }
    return status == ST_OK ? maker_read_lists(bundle, fault) : status;
}

/* ---- the log ---- */

static enum bundle_log log_kind(const struct config *config)
{
    if (slice_equals(config->log.file, SLICE("off")))
        return BUNDLE_LOG_OFF;
    return slice_equals(config->log.file, SLICE("-")) ? BUNDLE_LOG_STDOUT : BUNDLE_LOG_FILE;
}

static enum status maker_open_log(struct bundle *bundle, struct text *fault)
{
    bundle->log = log_kind(bundle->config);
    if (bundle->log != BUNDLE_LOG_FILE)
        return ST_OK;
    config_add_origin(bundle->config, &bundle->config->log.file, fault);
    enum status status = file_open_log(bundle->config->log.file.at, &bundle->log_fd, fault);
    if (status == ST_OK)
        fault->len = 0;
    else
        explain_refusal(bundle->config->log.file.at, LANDLOCK_MAY_LOG, fault);
    return status;
}

enum status maker_reopen_log(const struct config *config, int *ret_fd)
{
    char words[600];
    struct text fault = text_on(words, sizeof(words));
    *ret_fd = -1;
    if (log_kind(config) != BUNDLE_LOG_FILE)
        return ST_OK;
    config_add_origin(config, &config->log.file, &fault);
    enum status status = file_open_log(config->log.file.at, ret_fd, &fault);
    if (status != ST_OK)
        diag_say(NULL, DIAG_ERROR, "the access log cannot be opened again, the old file stays: %s",
                 text_string(&fault));
    return status;
}

void maker_say_reopened(void)
{
    diag_say(NULL, DIAG_NOTICE, "the access log is open again");
}

/* ---- addresses ---- */

/* Can whoever names it still reach it? A Unix socket whose file was removed or replaced hears nobody. */
static bool is_reachable(const struct opening *opening)
{
    struct stat facts;
    return opening->kind != LISTEN_UNIX || opening->inode == 0 ||
           (lstat(opening->path, &facts) == 0 && S_ISSOCK(facts.st_mode) &&
            facts.st_dev == opening->device && facts.st_ino == opening->inode);
}

/* Is it what `listen` asks for, as it was asked for before? */
static bool is_asked(const struct opening *opening, const struct config_listen *listen)
{
    return opening_is_asked(opening, listen) && is_reachable(opening);
}

/* Which address of `old` each listener takes over; SIZE_MAX: none. */
static void match_listens(const struct config *config, const struct bundle *old, size_t *from)
{
    bool is_taken[BUNDLE_LISTENS_MAX] = {false};
    for (size_t i = 0; i < config->listen_count; i++)
        from[i] = SIZE_MAX;
    for (int round = 0; round < 2 && old != NULL; round++) {
        for (size_t i = 0; i < config->listen_count; i++) {
            for (size_t j = 0; j < old->listen_count && from[i] == SIZE_MAX; j++) {
                bool fits = round == 0 ? is_asked(&old->listens[j], &config->listen[i])
                                       : opening_is_at(&old->listens[j], &config->listen[i]);
                if (!fits || is_taken[j])
                    continue;
                from[i] = j;
                is_taken[j] = true;
            }
        }
    }
}

static bool overlaps_own(const struct config_listen *listen, const struct bundle *old)
{
    for (size_t i = 0; old != NULL && i < old->listen_count; i++) {
        if (opening_overlaps(&old->listens[i], listen))
            return true;
    }
    return old != NULL && old->admin.count > 0 && opening_overlaps(&old->admin, listen);
}

static enum status maker_open_listens(struct bundle *bundle, const struct maker *maker,
                                      const struct bundle *old, struct text *fault)
{
    const struct config *config = bundle->config;
    size_t from[BUNDLE_LISTENS_MAX];
    unsigned inherited = 0;
    enum status status = ST_OK;
    match_listens(config, old, from);
    for (size_t i = 0; i < config->listen_count && status == ST_OK; i++) {
        const struct config_listen *listen = &config->listen[i];
        struct opening *opening = &bundle->listens[i];
        fault->len = 0;
        config_add_origin(config, listen, fault);
        if (listen->kind == LISTEN_INHERITED)
            status = opening_take_inherited(opening, listen, &maker->inherited, inherited++, fault);
        else if (from[i] != SIZE_MAX)
            status = opening_share(opening, &old->listens[from[i]], listen, fault);
        else
            status = opening_open(opening, listen, bundle->worker_count, overlaps_own(listen, old),
                                  fault);
        bundle->listen_count = i + 1;
    }
    if (status == ST_OK)
        fault->len = 0;
    return status;
}

static enum status maker_open_admin(struct bundle *bundle, const struct bundle *old,
                                    struct text *fault)
{
    const struct config_listen *listen = &bundle->config->admin.listen;
    if (bundle->config->admin.is_off)
        return ST_OK;
    if (old != NULL && old->admin.count > 0 &&
        (is_asked(&old->admin, listen) || opening_is_at(&old->admin, listen)))
        return opening_share(&bundle->admin, &old->admin, listen, fault);
    config_add_origin(bundle->config, listen, fault);
    enum status status = opening_open(&bundle->admin, listen, 1, overlaps_own(listen, old), fault);
    if (status == ST_OK)
        fault->len = 0;
    else if (!config_is_set(bundle->config, listen)) /* who never asked for it may not know it */
        text_add(fault, SLICE("; --admin ADDR:PORT or admin.address names another, off none"));
    return status;
}

/* What the configuration could not judge of an inherited socket: it must not be open to everybody, and a Unix one
 * has no senders of PROXY headers. */
static enum status maker_judge_inherited(const struct bundle *bundle, size_t index,
                                         struct text *fault)
{
    const struct config *config = bundle->config;
    const struct config_listen *listen = &config->listen[index];
    const struct inet_addr *bound = &bundle->listens[index].bound.addr;
    if (config_is_open(config, listen, bound)) {
        config_add_origin(config, listen, fault);
        text_add(fault, SLICE("the inherited socket is not on loopback, so this would be an open "
                              "proxy; say who may connect (clients.allow, or --allow-clients "
                              "10.0.0.0/8)"));
        return ST_BAD;
    }
    if (bound->family == INET_NONE && listen->proxy_from.count > 0) {
        config_add_origin(config, &listen->proxy_from, fault);
        text_add(fault, SLICE("the inherited socket is a Unix socket, whose clients have no "
                              "address that could be in these ranges"));
        return ST_BAD;
    }
    return ST_OK;
}

static enum status maker_judge_all_inherited(const struct bundle *bundle, struct text *fault)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < bundle->listen_count && status == ST_OK; i++) {
        if (bundle->config->listen[i].kind == LISTEN_INHERITED)
            status = maker_judge_inherited(bundle, i, fault);
    }
    return status;
}

/* Whoever connects to a socket that nobody serves waits for good: so it is said, before an error can come of it. */
static void maker_warn_inherited(const struct maker *maker, const struct config *config)
{
    unsigned wanted = 0;
    for (size_t i = 0; i < config->listen_count; i++)
        wanted += config->listen[i].kind == LISTEN_INHERITED;
    for (unsigned i = wanted; i < maker->inherited.count; i++) {
        char words[OPENING_INHERITED_TEXT];
        opening_format_inherited(&maker->inherited, i, words);
        diag_say(NULL, DIAG_WARNING,
                 "%s was handed over (LISTEN_FDS), and no listener uses it: give one the address "
                 "inherited (--listen inherited), or do not hand it over",
                 words);
    }
    if (maker->inherited.left_out > 0)
        diag_say(NULL, DIAG_WARNING, "LISTEN_FDS: only %d sockets can be used, %u more are not",
                 OPENING_FDS_MAX, maker->inherited.left_out);
}

/* ---- the whole ---- */

/* Those that we may run on: a container or taskset(1) may leave us few of the machine's. */
static unsigned count_cores(void)
{
    cpu_set_t ours;
    if (sched_getaffinity(0, sizeof(ours), &ours) == 0)
        return (unsigned)CPU_COUNT(&ours);
    long cores = sysconf(_SC_NPROCESSORS_ONLN); /* more than the set has room for */
    return cores > 0 ? (unsigned)cores : 1;
}

static unsigned count_workers(const struct config *config)
{
    unsigned count = config->workers > 0 ? config->workers : count_cores();
    return count < BUNDLE_WORKERS_MAX ? count : BUNDLE_WORKERS_MAX;
}

void maker_init(struct maker *maker, int argc, const char *const *argv)
{
    *maker = (struct maker){.argc = argc, .argv = argv};
    opening_inherit(&maker->inherited);
}

void maker_done(struct maker *maker)
{
    config_destroy(&maker->running);
    free(maker->stream);
    maker->stream = NULL;
}

/* The first configuration is kept to compare others with. Errors: ST_NOMEM. */
static enum status maker_learn(struct maker *maker, const struct bundle *bundle)
{
    struct config_errors errors = maker_errors(maker);
    if (maker->running != NULL)
        return ST_OK;
    maker->worker_count = bundle->worker_count;
    return config_load("", slice_of(bundle->text, bundle->len), maker->argc, maker->argv, &errors,
                       &maker->running);
}

static enum status maker_begin(struct maker *maker, struct bundle **ret_bundle)
{
    char *text = NULL;
    size_t len = 0;
    struct config *config = maker_load_config(maker, &text, &len);
    if (config == NULL)
        return ST_BAD;
    unsigned worker_count = maker->running != NULL ? maker->worker_count : count_workers(config);
    *ret_bundle = bundle_create(config, text, len, worker_count);
    return *ret_bundle == NULL ? ST_NOMEM : ST_OK;
}

static enum status maker_end(struct bundle *bundle, enum status status, struct text *fault,
                             struct bundle **ret_bundle)
{
    if (status == ST_OK) {
        *ret_bundle = bundle;
        return ST_OK;
    }
    diag_say(NULL, DIAG_ERROR, "%s", fault->len > 0 ? text_string(fault) : "out of memory");
    bundle_destroy(&bundle);
    return status == ST_NOMEM ? ST_NOMEM : ST_IO;
}

static void say_warning(const char *line)
{
    diag_say(NULL, DIAG_WARNING, "%s", line);
}

enum status maker_make(struct maker *maker, const struct bundle *old, struct bundle **ret_bundle)
{
    char words[800];
    struct text fault = text_on(words, sizeof(words));
    struct bundle *bundle = NULL;
    enum status status = maker_begin(maker, &bundle);
    if (status != ST_OK)
        return status;
    maker_warn_inherited(maker, bundle->config);
    maker_mark_files(maker, bundle->config);
    status = maker_read_files(bundle, &fault);
    if (status == ST_OK)
        status = maker_open_log(bundle, &fault);
    if (status == ST_OK)
        status = maker_open_admin(bundle, old, &fault);
    if (status == ST_OK)
        status = maker_open_listens(bundle, maker, old, &fault);
    if (status == ST_OK)
        status = maker_judge_all_inherited(bundle, &fault);
    if (status == ST_OK)
        status = maker_learn(maker, bundle);
    if (status != ST_OK)
        bundle_remove_files(bundle, old);
    else
        advice_give(bundle->config, say_warning);
    return maker_end(bundle, status, &fault, ret_bundle);
}

enum status maker_make_again(struct maker *maker, const struct bundle *old,
                             struct bundle **ret_bundle)
{
    maker->kept = slice_of(old->text != NULL ? old->text : "", old->len);
    enum status status = maker_make(maker, old, ret_bundle);
    maker->kept = SLICE_NONE;
    if (status == ST_OK)
        (*ret_bundle)->is_followed = true;
    return status;
}

enum status maker_make_files(struct maker *maker, struct bundle **ret_bundle)
{
    char words[800];
    struct text fault = text_on(words, sizeof(words));
    struct bundle *bundle = NULL;
    enum status status = maker_begin(maker, &bundle);
    if (status != ST_OK)
        return status;
    status = maker_read_files(bundle, &fault);
    if (status == ST_OK) {
        *ret_bundle = bundle;
        return ST_OK;
    }
    (void)fprintf(stderr, "fairlead: %s\n", fault.len > 0 ? text_string(&fault) : "out of memory");
    bundle_destroy(&bundle);
    return status == ST_NOMEM ? ST_NOMEM : ST_IO;
}

static void warn_unchanged(void *owner, const char *key, const char *running, const char *wanted)
{
    (void)owner;
    diag_say(NULL, DIAG_WARNING, "%s: %s takes effect at the next start; until then it stays %s",
             key, wanted, running);
}

void maker_warn_unchanged(const struct maker *maker, const struct config *config)
{
    config_compare_start(maker->running, config, warn_unchanged, NULL);
}
