/* The life of the privileged parent and its child.
 *
 *                    fork                up                 SIGHUP: bundle sent
 *     (start) ──> STARTING ─────────> SERVING ─────────────────────────────> RELOADING
 *                  ^    │ died           │  ^                                   │
 *       time is up │    v                │  └──── adopted, refused, or given up ┤
 *     (or SIGHUP)  │  RESTING <──────────┴─────────────── died ─────────────────┘
 *                  └────┘
 *     any ── SIGTERM ──> DRAINING ── second SIGTERM, or it takes too long ──> ENDING ── died ──> (end)
 *
 *     P1  `good` is what a new child starts with: the last bundle that a child has served. `candidate` waits
 *         for a child's word; it becomes good, or is dropped and its new addresses with it.
 *     P2  Signals only set facts; parent_act does what is due in the state that it finds.
 *     P3  The child obeys the channel alone, so that a signal to the whole group (a terminal's Ctrl-C, a
 *         service manager) is not taken twice. It sees the end of the channel when we die, and drains.
 *     P4  A reload that is not answered in time is given up, so that others may follow. A late answer to it counts
 *         no more; where it says that the bundle is served, the configuration is loaded again, so that both
 *         processes have the same. So it is where the next reload waits already: that one may be refused.
 *     P5  Nothing that the child says is trusted: frames are checked, its words are printed escaped, and one
 *         that breaks the rules is ended.
 *
 * A child that dies is started again (child.c). One that never served even the first bundle ends us, with its
 * exit code.
 *
 * While we drain we hold no listening socket: new connections are refused, and not left to wait. */

#include "server/parent.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"
#include "report/diag.h"
#include "server/bundle_wire.h"
#include "server/channel.h"
#include "server/child.h"
#include "server/notify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    NO_FORK_MS = 10000,    /* until a fork that failed is tried again */
    DRAIN_GRACE_MS = 5000, /* beyond the configured time, for the child to end by itself */
    END_GRACE_MS = 3000,   /* then it is killed */
    FRAMES_A_TURN = 16,    /* a child that floods us does not keep us from the signals */
    ANSWER_MS = 10000,     /* a reload without an answer so long is said; SIGTERM still works */
    GIVE_UP_MS = 20000,    /* after that, until it is given up */
};

enum parent_state {
    PARENT_STARTING,
    PARENT_SERVING,
    PARENT_RELOADING,
    PARENT_RESTING,
    PARENT_DRAINING,
    PARENT_ENDING,
    PARENT_OVER,
};

struct parent {
    const struct parent_options *options;
    enum parent_state state;
    struct bundle *good;      /* P1 */
    struct bundle *candidate; /* P1 */
    struct child child;
    uint32_t serial;
    uint32_t given_up; /* no answer counts up to this serial (P4) */
    bool is_late_said; /* of this reload */
    uint64_t wake_ns;  /* when the state has waited long enough; 0: never */
    int exit_code;
    /* Facts (P2). */
    bool wants_reload;
    bool wants_files; /* a reload of the files alone */
    bool wants_reopen;
    bool candidate_reopens; /* wants_reopen, which is met once `candidate` is taken with its log */
    unsigned end_count;     /* SIGTERM, SIGINT */
};

static void parent_enter(struct parent *parent, enum parent_state state, uint64_t wait_ms)
{
    parent->state = state;
    parent->wake_ns = wait_ms == 0 ? 0 : clock_monotonic_ns() + wait_ms * NS_PER_MS;
}

/* ---- bundles ---- */

static void candidate_take(struct parent *parent)
{
    bool is_first = parent->good == NULL;
    parent->candidate_reopens = false;
    if (parent->candidate == NULL) {
        diag_say(NULL, DIAG_NOTICE, "the serving process serves again");
        return;
    }
    if (!is_first) {
        bundle_commit(parent->candidate, parent->good);
        diag_say(NULL, DIAG_NOTICE, "reloaded");
        maker_settle(parent->options->maker);
        maker_warn_unchanged(parent->options->maker, parent->candidate->config);
    }
    bundle_destroy(&parent->good);
    parent->good = parent->candidate;
    parent->candidate = NULL;
    diag_set_level(parent->good->config->log.diagnostics);
    bundle_say_listens(parent->good);
    if (is_first)
        bundle_say_hint(parent->good);
    notify_ready();
}

/* Without a word. The log is still to be opened again, where it was to be. */
static void candidate_forget(struct parent *parent)
{
    if (parent->candidate == NULL)
        return;
    bundle_remove_files(parent->candidate, parent->good);
    bundle_destroy(&parent->candidate);
    parent->wants_reopen = parent->wants_reopen || parent->candidate_reopens;
    parent->candidate_reopens = false;
}

static void candidate_drop(struct parent *parent)
{
    if (parent->candidate == NULL)
        return;
    candidate_forget(parent);
    if (parent->good == NULL)
        return;
    diag_say(NULL, DIAG_ERROR, "reload failed: the old configuration stays");
    notify_ready();
}

/* ---- the child ---- */

/* In the new process. */
static void parent_become_child(void *owner, int channel)
{
    struct parent *parent = owner;
    const struct parent_options *options = parent->options;
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    struct bundle *bundle = parent->candidate != NULL ? parent->candidate : parent->good;
    bundle_note_served(bundle, parent->good);
    if (bundle == parent->candidate)
        bundle_destroy(&parent->good); /* wipes the keys that it does not need */
    if (privileges_drop(options->user, &fault) != ST_OK) {
        diag_say(NULL, DIAG_ERROR, "%s", text_string(&fault));
        exit(1);
    }
    exit(options->serve(options, bundle, channel));
}

static void parent_start(struct parent *parent)
{
    parent->given_up = 0; /* another child, another channel */
    if (child_start(&parent->child, parent_become_child, parent) == ST_OK) {
        parent_enter(parent, PARENT_STARTING, 0);
        return;
    }
    diag_say(NULL, DIAG_ERROR, "the serving process cannot be started: %s", strerror(errno));
    parent->exit_code = 1;
    if (parent->good == NULL)
        parent_enter(parent, PARENT_OVER, 0);
    else
        parent_enter(parent, PARENT_RESTING, NO_FORK_MS);
}

/* The child is gone. */
static void parent_lose_child(struct parent *parent, int status)
{
    socket_close(&parent->child.channel);
    parent->exit_code = child_code(status);
    if (parent->state == PARENT_DRAINING || parent->state == PARENT_ENDING) {
        parent_enter(parent, PARENT_OVER, 0);
    } else if (parent->good == NULL) { /* it never served */
        if (parent->exit_code > 128)
            diag_say(NULL, DIAG_ERROR, "the serving process was killed by signal %d at the start",
                     parent->exit_code - 128);
        parent->exit_code = parent->exit_code == 0 ? 1 : parent->exit_code;
        parent_enter(parent, PARENT_OVER, 0);
    } else {
        uint64_t rest_ms = child_mourn(&parent->child, status, parent->state != PARENT_STARTING);
        candidate_drop(parent);
        if (rest_ms > 0)
            parent_enter(parent, PARENT_RESTING, rest_ms);
        else
            parent_start(parent);
    }
}

/* ---- what the child says ---- */

/* A word about a reload that was given up (P4)? */
static bool parent_is_late_answer(const struct parent *parent, const struct channel_frame *frame)
{
    return (frame->kind == CHANNEL_ADOPTED || frame->kind == CHANNEL_REFUSED) &&
           frame->serial > 0 && frame->serial <= parent->given_up &&
           (parent->state == PARENT_SERVING || parent->state == PARENT_RELOADING);
}

static void parent_on_late_answer(struct parent *parent, const struct channel_frame *frame)
{
    if (frame->kind == CHANNEL_REFUSED)
        return; /* nothing has changed */
    diag_say(NULL, DIAG_WARNING,
             "the serving process has taken up a reload that was given up: reloading once more");
    parent->wants_reload = true;
}

static void parent_on_frame(struct parent *parent, const struct channel_frame *frame)
{
    bool is_starting = parent->state == PARENT_STARTING;
    bool is_reloading = parent->state == PARENT_RELOADING && frame->serial == parent->serial;
    if (parent_is_late_answer(parent, frame)) {
        parent_on_late_answer(parent, frame);
        return;
    }
    if (frame->kind == CHANNEL_REFUSED && (is_starting || is_reloading)) {
        diag_say(NULL, DIAG_ERROR, "%.*s", (int)frame->text_len, frame->text);
        if (is_reloading)
            candidate_drop(parent);
    } else if (frame->kind == CHANNEL_UP && is_starting) {
        candidate_take(parent);
    } else if (frame->kind == CHANNEL_ADOPTED && is_reloading) {
        candidate_take(parent);
    } else if (parent->state == PARENT_STARTING || parent->state == PARENT_SERVING ||
               parent->state == PARENT_RELOADING) {
        diag_say(NULL, DIAG_ERROR, "the serving process breaks the rules of the channel");
        child_kill(&parent->child);
        return;
    }
    if (frame->kind == CHANNEL_REFUSED && is_starting) {
        socket_close(&parent->child.channel); /* it has nothing to add, and ends by itself */
        parent_enter(parent, PARENT_STARTING, END_GRACE_MS);
    } else if (is_starting || is_reloading) {
        parent_enter(parent, PARENT_SERVING, 0);
    }
}

static void parent_hear(struct parent *parent)
{
    static struct channel_message message;
    for (int i = 0; i < FRAMES_A_TURN && parent->child.channel >= 0; i++) {
        enum status status = channel_recv(parent->child.channel, /* takes_fds= */ false, &message);
        if (status == ST_AGAIN)
            return;
        if (status == ST_OK) {
            parent_on_frame(parent, &message.frame);
            continue;
        }
        if (status == ST_BAD)
            child_kill(&parent->child);
        socket_close(&parent->child.channel); /* its death is told by SIGCHLD */
    }
}

/* ---- what is due ---- */

static void parent_reload(struct parent *parent)
{
    bool reads_config = parent->wants_reload || parent->good == NULL;
    parent->wants_reload = parent->wants_files = false;
    notify_reloading();
    candidate_forget(parent); /* of a reload in a pause whose child could not be started */
    struct maker *maker = parent->options->maker;
    enum status status = reads_config ? maker_make(maker, parent->good, &parent->candidate)
                                      : maker_make_again(maker, parent->good, &parent->candidate);
    if (status != ST_OK) {
        diag_say(NULL, DIAG_ERROR, "reload failed: the old configuration stays");
        notify_ready();
        return;
    }
    parent->candidate_reopens = parent->wants_reopen;
    parent->wants_reopen = false;
    if (parent->state == PARENT_RESTING) {
        parent_start(parent); /* the new child tells whether it is good */
        return;
    }
    if (bundle_send(parent->candidate, parent->child.channel, ++parent->serial) == ST_OK) {
        parent->is_late_said = false;
        parent_enter(parent, PARENT_RELOADING, ANSWER_MS);
        return;
    }
    diag_say(NULL, DIAG_ERROR, "the serving process cannot be told: %s", strerror(errno));
    candidate_drop(parent);
}

/* The child has not answered. */
static void parent_lose_patience(struct parent *parent)
{
    if (!parent->is_late_said) {
        diag_say(NULL, DIAG_WARNING, "the serving process has not answered the reload yet");
        parent->is_late_said = true;
        parent_enter(parent, PARENT_RELOADING, GIVE_UP_MS);
        return;
    }
    diag_say(NULL, DIAG_ERROR, "the serving process does not answer the reload: it is given up");
    parent->given_up = parent->serial;
    candidate_drop(parent);
    parent_enter(parent, PARENT_SERVING, 0);
}

static void parent_reopen(struct parent *parent)
{
    int fd = -1;
    parent->wants_reopen = false;
    if (parent->good == NULL) /* it ends before it ever served */
        return;
    if (maker_reopen_log(parent->good->config, &fd) != ST_OK || fd < 0)
        return;
    struct channel_frame frame = {.kind = CHANNEL_LOG};
    bool is_heard = parent->state == PARENT_SERVING || parent->state == PARENT_DRAINING;
    if (!is_heard || parent->child.channel < 0)
        maker_say_reopened(); /* the next child has it from the start; one that serves says so itself */
    else if (channel_send(parent->child.channel, &frame, &fd, 1) != ST_OK)
        diag_say(NULL, DIAG_ERROR, "the serving process cannot be told: %s", strerror(errno));
    socket_close(&parent->good->log_fd);
    parent->good->log_fd = fd;
}

static void parent_drain(struct parent *parent)
{
    const struct bundle *now = parent->good != NULL ? parent->good : parent->candidate;
    uint64_t drain_ms = now->config->timeouts.drain_ns / NS_PER_MS;
    notify_stopping();
    if (parent->child.pid == 0) {
        parent->exit_code = 0;
        parent_enter(parent, PARENT_OVER, 0);
        return;
    }
    /* Where that fails, it is dying already, or killed in the end. */
    bool is_told = channel_say(parent->child.channel, CHANNEL_DRAIN, 0) == ST_OK;
    if (parent->good != NULL)
        bundle_close_listens(parent->good);
    if (parent->candidate != NULL)
        bundle_close_listens(parent->candidate);
    parent_enter(parent, PARENT_DRAINING, is_told ? drain_ms + DRAIN_GRACE_MS : 1);
}

static void parent_end_child(struct parent *parent)
{
    bool is_told = channel_say(parent->child.channel, CHANNEL_END, 0) == ST_OK;
    parent_enter(parent, PARENT_ENDING, is_told ? END_GRACE_MS : END_GRACE_MS / 10);
}

static void parent_kill(struct parent *parent)
{
    diag_say(NULL, DIAG_ERROR, "the serving process does not end: it is killed");
    child_kill(&parent->child);
    parent->wake_ns = 0;
}

/* The one place that acts (P2). */
static void parent_act(struct parent *parent)
{
    bool is_late = parent->wake_ns != 0 && clock_monotonic_ns() >= parent->wake_ns;
    switch (parent->state) {
    case PARENT_STARTING:
        if (parent->end_count > 0)
            parent_drain(parent);
        else if (is_late)
            parent_kill(parent);
        break;
    case PARENT_RELOADING:
        if (parent->end_count > 0)
            parent_drain(parent);
        else if (is_late)
            parent_lose_patience(parent);
        break;
    case PARENT_SERVING: /* is never late */
    case PARENT_RESTING:
        if (parent->end_count > 0)
            parent_drain(parent);
        else if (parent->wants_reload || parent->wants_files)
            parent_reload(parent);
        else if (parent->wants_reopen)
            parent_reopen(parent);
        else if (is_late)
            parent_start(parent);
        break;
    case PARENT_DRAINING:
        if (parent->end_count > 1 || is_late)
            parent_end_child(parent);
        else if (parent->wants_reopen)
            parent_reopen(parent);
        break;
    case PARENT_ENDING:
        if (is_late)
            parent_kill(parent);
        break;
    case PARENT_OVER: break;
    }
}

/* ---- waiting ---- */

static void parent_on_child(struct parent *parent)
{
    int status;
    if (!child_collect(&parent->child, &status))
        return;
    parent_hear(parent); /* its last words */
    parent_lose_child(parent, status);
}

static void parent_on_signals(struct parent *parent)
{
    struct signalfd_siginfo info;
    while (read(parent->options->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP: parent->wants_reload = true; break;
        case SIGUSR1: parent->wants_reopen = true; break;
        case SIGTERM:
        case SIGINT: parent->end_count++; break;
        case SIGCHLD: parent_on_child(parent); break;
        default: break;
        }
    }
}

static int wake_ms(const struct parent *parent, uint64_t now)
{
    if (parent->wake_ns == 0)
        return -1;
    if (parent->wake_ns <= now)
        return 0;
    uint64_t left_ms = (parent->wake_ns - now) / NS_PER_MS + 1;
    return left_ms < 1000000 ? (int)left_ms : 1000000;
}

static int wait_ms(const struct parent *parent)
{
    uint64_t now = clock_monotonic_ns();
    int ms = wake_ms(parent, now);
    return parent->state == PARENT_SERVING ? maker_wait_ms(parent->options->maker, now, ms) : ms;
}

/* The users file or that of tokens has changed. */
static void parent_follow_files(struct parent *parent)
{
    if (parent->state != PARENT_SERVING || parent->good == NULL ||
        !maker_sees_change(parent->options->maker, parent->good->config, clock_monotonic_ns()))
        return;
    diag_say(NULL, DIAG_NOTICE, "the users or tokens have changed: reading them");
    parent->wants_files = true;
}

/* Is there a fact that parent_act takes up in this state? */
static bool is_due(const struct parent *parent)
{
    if (parent->state == PARENT_DRAINING)
        return parent->wants_reopen;
    return (parent->state == PARENT_SERVING || parent->state == PARENT_RESTING) &&
           (parent->wants_reload || parent->wants_files || parent->wants_reopen);
}

static void parent_wait(struct parent *parent)
{
    struct pollfd polled[2] = {{.fd = parent->options->signals, .events = POLLIN},
                               {.fd = parent->child.channel, .events = POLLIN}};
    (void)poll(polled, 2, is_due(parent) ? 0 : wait_ms(parent));
    parent_hear(parent);
    parent_on_signals(parent);
    parent_follow_files(parent);
}

/* What it reads is the operator's, and frames of the child (P5); it keeps what it needs to be root to others. */
static void parent_shed(void)
{
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    uint64_t left;
    privileges_forbid_dumps();
    if (privileges_shed(PRIVILEGES_OF_PARENT, &left, &fault) != ST_OK)
        diag_say(NULL, DIAG_WARNING, "%s", text_string(&fault));
}

int parent_run(const struct parent_options *options)
{
    static struct parent parent;
    parent = (struct parent){.options = options, .candidate = options->bundle};
    child_init(&parent.child);
    parent_shed();
    parent_start(&parent);
    while (parent.state != PARENT_OVER) {
        enum parent_state before;
        parent_wait(&parent);
        do {
            before = parent.state;
            parent_act(&parent);
        } while (parent.state != before); /* what came while we acted may be due by now */
    }
    socket_close(&parent.child.channel);
    if (parent.candidate != NULL)
        bundle_remove_files(parent.candidate, NULL);
    if (parent.good != NULL)
        bundle_remove_files(parent.good, NULL);
    bundle_destroy(&parent.candidate);
    bundle_destroy(&parent.good);
    return parent.exit_code;
}
