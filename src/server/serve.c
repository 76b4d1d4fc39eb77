/* The life of the process.
 *
 *     started without privileges               started as root
 *
 *     flags, file ──> bundle                   flags, file ──> bundle
 *           │                                        │
 *       SERVING <───┐                            parent (parent.c) ── fork ──> child: drops root
 *        │  │ HUP ──┘ a new bundle, made here      │                              │
 *        │  │ USR1 ─> the log opened again         │ HUP, USR1: bundle, log       │
 *        │ TERM                                    ├───── over the channel ───> SERVING
 *        v                                         │ TERM: drain, end             │
 *     DRAINING ── idle, late, or TERM again        └─────────────────────────> DRAINING
 *        v                                                                        v
 *      ENDED                                     waits for it                   ENDED
 *
 * Both columns serve from bundles and adopt them by the same code (serving.c); they differ in who makes them.
 *
 *     S1  Signals are blocked before any thread begins, and read from a signalfd by the main thread alone.
 *     S2  Under a parent the channel commands; signals are the parent's to judge, until it is gone. Its end
 *         is an order to drain, and then signals count here.
 *     S3  A reload that fails in any part leaves everything as it was.
 *     S4  A bundle is answered once. Where a frame of it is no good, it is refused, and what else comes of it is
 *         dropped without a word.
 *     S5  The kernel tells of changes of our own addresses from before they are first read, to our end. */

#include "server/serve.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "report/diag.h"
#include "server/address_watch.h"
#include "server/advice.h"
#include "server/bundle_wire.h"
#include "server/compile.h"
#include "server/file.h"
#include "server/notify.h"
#include "server/parent.h"
#include "server/sandbox.h"
#include "server/sandbox_check.h"
#include "server/serving.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BROKEN_RULES "what the parent sent breaks the rules"

enum { DRAIN_LOOK_MS = 20, FAULT_TEXT = 900 };

enum process_state { PROCESS_SERVING, PROCESS_DRAINING, PROCESS_ENDED };

/* The serving process. */
struct process {
    enum process_state state;
    struct serving serving;
    struct address_watch watch;
    struct maker *maker;
    int signals;
    int channel; /* to the parent; -1: nobody is above us */
    bool has_parent;
    struct bundle_receipt receipt;
    uint32_t refused; /* the last bundle that was refused before it was whole (S4); 0: none */
    uint64_t drain_until_ns;
};

/* ---- reload ---- */

static void process_reload(struct process *process, bool reads_config)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct bundle *bundle = NULL;
    const struct bundle *old = process->serving.bundle;
    notify_reloading();
    enum status status = reads_config ? maker_make(process->maker, old, &bundle)
                                      : maker_make_again(process->maker, old, &bundle);
    if (status == ST_OK) {
        if (serving_adopt(&process->serving, bundle, /* owns_files= */ true, &fault) == ST_OK) {
            diag_say(NULL, DIAG_NOTICE, "reloaded");
            maker_settle(process->maker);
            maker_warn_unchanged(process->maker, process->serving.snapshot->config);
            bundle_say_listens(process->serving.bundle);
            notify_ready();
            return;
        }
        diag_say(NULL, DIAG_ERROR, "%s", text_string(&fault));
        bundle_remove_files(bundle, old);
        bundle_destroy(&bundle);
    }
    diag_say(NULL, DIAG_ERROR, "reload failed: the old configuration stays");
    notify_ready();
}

static void process_set_log(struct process *process, int fd)
{
    serving_set_log(&process->serving, fd);
    maker_say_reopened();
}

static void process_reopen(struct process *process)
{
    int fd = -1;
    if (maker_reopen_log(process->serving.snapshot->config, &fd) == ST_OK && fd >= 0)
        process_set_log(process, fd);
}

/* The users file or that of tokens has changed. Under a parent it is the parent who looks and reads. */
static void process_follow_files(struct process *process)
{
    if (process->has_parent || process->state != PROCESS_SERVING ||
        !maker_sees_change(process->maker, process->serving.snapshot->config, clock_monotonic_ns()))
        return;
    diag_say(NULL, DIAG_NOTICE, "the users or tokens have changed: reading them");
    process_reload(process, /* reads_config= */ false);
}

/* ---- drain ---- */

/* Forward only: SERVING, DRAINING, ENDED. */
static void process_enter(struct process *process, enum process_state state)
{
    CHECK(state > process->state);
    process->state = state;
    if (state != PROCESS_DRAINING)
        return;
    if (!process->has_parent)
        notify_stopping();
    serving_drain(&process->serving);
    process->drain_until_ns =
        clock_monotonic_ns() + process->serving.snapshot->config->timeouts.drain_ns;
    serving_say_drain(&process->serving);
}

static void process_drain(struct process *process)
{
    if (process->state == PROCESS_SERVING)
        process_enter(process, PROCESS_DRAINING);
}

/* ---- the parent's orders ---- */

static void process_answer(struct process *process, enum channel_kind kind, uint32_t serial,
                           struct text *fault)
{
    struct channel_frame frame = {.kind = kind, .serial = serial};
    if (fault != NULL) {
        size_t len = fault->len < CHANNEL_TEXT_MAX ? fault->len : CHANNEL_TEXT_MAX;
        memcpy(frame.text, fault->at, len);
        frame.text_len = (uint32_t)len;
    }
    if (channel_send(process->channel, &frame, NULL, 0) != ST_OK)
        diag_say(NULL, DIAG_WARNING, "the parent does not listen: %s", strerror(errno));
}

static void process_adopt(struct process *process, uint32_t serial)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct bundle *bundle = NULL;
    enum status status = bundle_receipt_take(&process->receipt, process->maker->argc,
                                             process->maker->argv, &bundle, &fault);
    if (status == ST_OK)
        status = serving_adopt(&process->serving, bundle, /* owns_files= */ false, &fault);
    if (status == ST_OK) {
        process_answer(process, CHANNEL_ADOPTED, serial, NULL);
        return;
    }
    bundle_destroy(&bundle);
    process_answer(process, CHANNEL_REFUSED, serial, &fault);
}

/* A bundle that cannot become whole (S4). */
static void process_refuse(struct process *process, uint32_t serial, const char *words)
{
    char room[FAULT_TEXT];
    struct text fault = text_on(room, sizeof(room));
    bundle_receipt_drop(&process->receipt);
    if (process->state != PROCESS_SERVING || serial == process->refused)
        return;
    process->refused = serial;
    text_add(&fault, slice_from_string(words));
    process_answer(process, CHANNEL_REFUSED, serial, &fault);
}

static void process_on_bundle(struct process *process, struct channel_message *message)
{
    uint32_t serial = message->frame.serial;
    if (process->state != PROCESS_SERVING || serial == process->refused) {
        channel_message_close(message);
        return;
    }
    enum status status = bundle_receipt_add(&process->receipt, message);
    if (status == ST_OK) {
        process_adopt(process, serial);
    } else if (status != ST_AGAIN) {
        process_refuse(process, serial, status == ST_NOMEM ? "out of memory" : BROKEN_RULES);
    }
}

/* The descriptors of an order did not all come: the kernel cuts off what a process has no numbers left for. */
static void process_miss(struct process *process, const struct channel_frame *frame)
{
    if (frame->kind == CHANNEL_BUNDLE || frame->kind == CHANNEL_MORE)
        process_refuse(process, frame->serial,
                       "the serving process is out of descriptors (its limit of open files)");
    else if (frame->kind == CHANNEL_LOG)
        diag_say(NULL, DIAG_ERROR,
                 "the serving process is out of descriptors: it goes on writing to the old log");
}

/* Not even a frame: of a bundle that is on its way something may be missing now. */
static void process_on_nonsense(struct process *process)
{
    diag_say(NULL, DIAG_ERROR, BROKEN_RULES);
    if (process->receipt.memory >= 0)
        process_refuse(process, process->receipt.serial, BROKEN_RULES);
}

static void process_obey(struct process *process, struct channel_message *message)
{
    switch (message->frame.kind) {
    case CHANNEL_BUNDLE:
    case CHANNEL_MORE: process_on_bundle(process, message); return;
    case CHANNEL_LOG:
        if (message->fd_count == 1) {
            process_set_log(process, message->fds[0]);
            message->fd_count = 0;
        }
        break;
    case CHANNEL_DRAIN: process_drain(process); break;
    case CHANNEL_END: process_enter(process, PROCESS_ENDED); break;
    default: break; /* not for us */
    }
    channel_message_close(message);
}

static void process_listen(struct process *process)
{
    struct channel_message message;
    while (process->channel >= 0 && process->state != PROCESS_ENDED) {
        enum status status = channel_recv(process->channel, /* takes_fds= */ true, &message);
        if (status == ST_AGAIN)
            return;
        if (status == ST_OK) {
            process_obey(process, &message);
        } else if (status == ST_LIMIT) {
            process_miss(process, &message.frame);
        } else if (status == ST_BAD) {
            process_on_nonsense(process);
        } else {
            socket_close(&process->channel);
            diag_say(NULL, DIAG_ERROR, "the parent is gone: draining");
            process_drain(process);
        }
    }
}

/* ---- signals ---- */

static void process_on_signal(struct process *process, uint32_t number)
{
    bool is_end = number == SIGTERM || number == SIGINT;
    if (process->channel >= 0)
        return; /* S2 */
    if (is_end && process->state == PROCESS_DRAINING)
        process_enter(process, PROCESS_ENDED);
    else if (is_end)
        process_drain(process);
    else if (process->state == PROCESS_SERVING && number == SIGHUP)
        process_reload(process, /* reads_config= */ true);
    else if (number == SIGUSR1 && !process->has_parent)
        process_reopen(process);
}

/* ---- our own addresses ---- */

static void process_read_addresses(struct process *process)
{
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    address_watch_hear(&process->watch, clock_monotonic_ns());
    if (!address_watch_is_due(&process->watch, clock_monotonic_ns()))
        return;
    enum status status = serving_read_addresses(&process->serving, &fault);
    address_watch_note(&process->watch, clock_monotonic_ns(),
                       status == ST_OK ? NULL : text_string(&fault));
}

/* ---- the turn ---- */

static int process_wait_ms(const struct process *process)
{
    int wait_ms = address_watch_wait_ms(&process->watch, clock_monotonic_ns());
    if (!process->has_parent && process->state == PROCESS_SERVING)
        wait_ms = maker_wait_ms(process->maker, clock_monotonic_ns(), wait_ms);
    if (process->state != PROCESS_DRAINING)
        return wait_ms;
    return wait_ms < 0 || wait_ms > DRAIN_LOOK_MS ? DRAIN_LOOK_MS : wait_ms;
}

static void process_turn(struct process *process)
{
    struct signalfd_siginfo info;
    struct pollfd polled[] = {{.fd = process->signals, .events = POLLIN},
                              {.fd = process->channel, .events = POLLIN},
                              {.fd = process->watch.fd, .events = POLLIN}};
    (void)poll(polled, COUNT_OF(polled), process_wait_ms(process));
    process_read_addresses(process); /* first: what is asked for below is judged by them */
    process_listen(process);
    while (process->state != PROCESS_ENDED &&
           read(process->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        process_on_signal(process, info.ssi_signo);
    process_follow_files(process);
    if (process->state == PROCESS_DRAINING &&
        (serving_is_idle(&process->serving) || clock_monotonic_ns() >= process->drain_until_ns))
        process_enter(process, PROCESS_ENDED);
}

/* ---- the whole ---- */

/* The file that a reload of this process reads, or NULL. */
static const char *config_path(const struct maker *maker)
{
    return maker->stream == NULL ? config_file_flag(maker->argc, maker->argv) : NULL;
}

static enum status process_shut_in(const struct process *process, const struct bundle *bundle,
                                   struct text *fault)
{
    struct sandbox_facts facts;
    struct sandbox_options options = {
        .config = bundle->config,
        .config_path = process->has_parent ? NULL : config_path(process->maker),
        .has_parent = process->has_parent,
    };
    return sandbox_enter(&options, &facts, fault);
}

/* It never served; `bundle` is taken. */
static void process_fail(struct process *process, struct bundle *bundle, struct text *fault)
{
    if (process->has_parent) {
        process_answer(process, CHANNEL_REFUSED, 0, fault);
    } else {
        diag_say(NULL, DIAG_ERROR, "%s", text_string(fault));
        bundle_remove_files(bundle, NULL);
    }
    bundle_destroy(&bundle);
}

/* Serve from `bundle`, with or without a parent. */
static int process_run(struct process *process, struct bundle *bundle)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    bundle_receipt_init(&process->receipt);
    if (process_shut_in(process, bundle, &fault) != ST_OK) {
        process_fail(process, bundle, &fault);
        return 1;
    }
    address_watch_begin(&process->watch, clock_monotonic_ns()); /* before they are read */
    if (serving_begin(&process->serving, bundle, &fault) != ST_OK) {
        process_fail(process, bundle, &fault);
        address_watch_end(&process->watch);
        return 1;
    }
    if (process->has_parent) {
        process_answer(process, CHANNEL_UP, 0, NULL);
    } else {
        bundle_say_listens(bundle);
        bundle_say_hint(bundle);
        notify_ready();
    }
    while (process->state != PROCESS_ENDED)
        process_turn(process);
    /* The parent removes them, unless it is gone. */
    if (!process->has_parent || process->channel < 0)
        bundle_remove_files(process->serving.bundle, NULL);
    address_watch_end(&process->watch);
    serving_end(&process->serving);
    bundle_receipt_drop(&process->receipt);
    return 0;
}

static int serve_child(const struct parent_options *options, struct bundle *bundle, int channel)
{
    static struct process process;
    process = (struct process){.maker = options->maker,
                               .signals = options->signals,
                               .channel = channel,
                               .has_parent = true};
    return process_run(&process, bundle);
}

static const char *run_as(const struct config *config)
{
    return config->run_as.len > 0 ? config->run_as.at : "";
}

static int serve_under_parent(struct maker *maker, struct bundle *bundle, int signals)
{
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    struct privileges_user user;
    config_add_origin(bundle->config, &bundle->config->run_as, &fault);
    if (privileges_find_user(run_as(bundle->config), &user, &fault) != ST_OK) {
        diag_say(NULL, DIAG_ERROR, "%s", text_string(&fault));
        bundle_remove_files(bundle, NULL);
        bundle_destroy(&bundle);
        return 1;
    }
    struct parent_options options = {maker, &user, bundle, signals, serve_child};
    return parent_run(&options);
}

static int serve_alone(struct maker *maker, struct bundle *bundle, int signals)
{
    static struct process process;
    if (bundle->config->run_as.len > 0)
        diag_say(NULL, DIAG_WARNING, "run_as: not started as root, so it changes nothing");
    process = (struct process){.maker = maker, .signals = signals, .channel = -1};
    return process_run(&process, bundle);
}

/* Every signal that we act on, blocked in all threads to come (S1). -1: errno tells. */
static int serve_signals(void)
{
    sigset_t signals;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)signal(SIGPIPE, SIG_IGN);
    /* A starter that ignores it would keep deaths from the parent. */
    (void)sigaction(SIGCHLD, &plain, NULL);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigaddset(&signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void begin_making(struct maker *maker, int argc, const char *const *argv)
{
    const char *name = config_file_flag(argc, argv);
    maker_init(maker, argc, argv);
    opening_close_strangers(&maker->inherited, name != NULL ? file_stream_descriptor(name) : -1);
}

int serve(int argc, const char *const *argv)
{
    static struct maker maker;
    struct bundle *bundle = NULL;
    begin_making(&maker, argc, argv);
    int signals = serve_signals();
    privileges_raise_descriptors();
    diag_begin(DIAG_INFO);
    if (signals < 0) {
        diag_say(NULL, DIAG_ERROR, "no signals can be had: %s", strerror(errno));
        return 1;
    }
    enum status status = maker_make(&maker, NULL, &bundle);
    int code = status == ST_BAD ? 2 : 1;
    if (status == ST_OK)
        code = privileges_are_held() ? serve_under_parent(&maker, bundle, signals)
                                     : serve_alone(&maker, bundle, signals);
    maker_done(&maker);
    socket_close(&signals);
    return code;
}

static void say_advice(const char *line)
{
    (void)fprintf(stderr, "fairlead: warning: %s\n", line);
}

/* Compile with the addresses of this machine; faults are said. ST_BAD: of the configuration; others are of the
 * machine. */
static enum status compile_here(struct bundle *bundle, struct snapshot **ret_snapshot)
{
    struct interfaces interfaces = {0};
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    enum status status = interfaces_read(&interfaces, &fault);
    if (status == ST_OK && compile_snapshot(bundle, &interfaces, NULL, NULL, SLICE("fairlead"),
                                            &fault, ret_snapshot) != ST_OK)
        status = ST_BAD;
    interfaces_done(&interfaces);
    if (status != ST_OK)
        (void)fprintf(stderr, "fairlead: %s\n", text_string(&fault));
    return status;
}

int serve_compile(int argc, const char *const *argv, struct snapshot **ret_snapshot)
{
    struct maker maker;
    struct bundle *bundle = NULL;
    begin_making(&maker, argc, argv);
    enum status status = maker_make_files(&maker, &bundle);
    maker_done(&maker);
    if (status != ST_OK)
        return 2;
    status = compile_here(bundle, ret_snapshot);
    bundle_destroy(&bundle);
    return status == ST_OK ? 0 : 2;
}

static int check_sandbox(const struct config *config, const char *path)
{
    bool has_parent = privileges_are_held();
    struct sandbox_options options = {config, has_parent ? NULL : path, has_parent};
    return sandbox_check(&options, stdout);
}

int serve_check(int argc, const char *const *argv, enum serve_check what)
{
    struct maker maker;
    struct bundle *bundle = NULL;
    struct snapshot *snapshot = NULL;
    char words[FAULT_TEXT];
    struct text fault = text_on(words, sizeof(words));
    begin_making(&maker, argc, argv);
    enum status status = maker_make_files(&maker, &bundle);
    const char *path = config_path(&maker);
    maker_done(&maker);
    if (status != ST_OK)
        return 2;
    struct privileges_user user;
    config_add_origin(bundle->config, &bundle->config->run_as, &fault);
    if (privileges_are_held() &&
        privileges_find_user(run_as(bundle->config), &user, &fault) != ST_OK) {
        (void)fprintf(stderr, "fairlead: %s\n", text_string(&fault));
        bundle_destroy(&bundle);
        return 2;
    }
    fault.len = 0;
    advice_give(bundle->config, say_advice);
    int code = 0;
    if (what == SERVE_CHECK_PRINT)
        config_print(bundle->config, stdout);
    else if (what == SERVE_CHECK_SANDBOX)
        code = check_sandbox(bundle->config, path);
    status = compile_here(bundle, &snapshot);
    if (status == ST_OK && what == SERVE_CHECK_VERDICT)
        (void)fputs("fairlead: the configuration is good\n", stdout);
    snapshot_unref(&snapshot);
    bundle_destroy(&bundle);
    return status == ST_OK ? code : status == ST_BAD ? 2 : 1;
}
