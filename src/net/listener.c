/* Accepting connections: one descriptor, one loop, bounded batches.
 *
 * The watch is level-triggered: the poller reports as long as something waits, so that nobody has to ask the kernel
 * whether its queue is empty, which would be one more system call for each connection that comes alone. A task
 * accepts as many as are expected: one, and twice as many each time that it found what it expected and the loop's very
 * next look at all that is ready tells it again, up to `batch`. One that found the queue empty expects as many as it
 * got. So a burst is taken in large steps, also where so many others are ready that such a look takes many turns, and
 * connections that are already here have their turn between them.
 *
 *     L1  Not paused  <=>  the descriptor is watched.
 *     L2  Paused  <=>  the timer is set.
 *
 * Out of descriptors or memory, and errors that nobody can name, pause for LISTENER_RETRY_MS instead of
 * spinning: what waits stays in the kernel's queue. The watch ends meanwhile, since it would report in every turn (one
 * with EPOLLEXCLUSIVE cannot be changed).
 *
 * Not done here: opening and closing of the listening descriptor, connection caps. */
#include "net/listener.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/socket.h"

#include <stdlib.h>

struct listener {
    uint32_t tag;
    struct loop *loop;
    struct listener_options options;
    struct watch watch;
    struct task task;
    struct timer timer;
    struct grave grave;
    unsigned expected;  /* how many the next run accepts */
    uint64_t last_look; /* of the loop, when the last one ran */
    bool is_paused;     /* out of descriptors or memory */
    bool has_ended;     /* destroyed, maybe inside on_accept; the memory lasts for the turn */
};

#define TAG_LISTENER TAG('l', 's', 't', 'n')

static enum status listener_watch(struct listener *listener)
{
    unsigned ask = WATCH_READ | WATCH_LEVEL;
    if (listener->options.is_shared)
        ask |= WATCH_EXCLUSIVE;
    return loop_watch(listener->loop, &listener->watch, listener->options.fd, ask);
}

static void listener_pause(struct listener *listener)
{
    listener->is_paused = true;
    loop_unwatch(listener->loop, &listener->watch, /* is_closing= */ false);
    timer_set_in(listener->loop, &listener->timer, LISTENER_RETRY_MS * NS_PER_MS);
}

/* One connection; false where this batch is over. */
static bool accept_one(struct listener *listener)
{
    int fd = -1;
    struct inet_endpoint peer;
    enum status status = socket_accept(listener->options.fd, &fd, &peer);
    if (status == ST_OK) {
        listener->options.on_accept(listener->options.owner, fd, &peer);
        return !listener->has_ended;
    }
    if (status == ST_AGAIN)
        return false;
    if (status == ST_LIMIT && listener->options.counters != NULL)
        counter_add(listener->options.counters, COUNT_ACCEPT_PAUSES, 1);
    listener_pause(listener);
    return false;
}

static void run_accept(struct task *task)
{
    struct listener *listener = CONTAINER_OF(task, struct listener, task);
    CHECK_TAG(listener, TAG_LISTENER);
    if (listener->is_paused)
        return;
    uint64_t look = loop_look_count(listener->loop);
    bool follows = look <= listener->last_look + 1;
    listener->last_look = look;
    for (unsigned i = 0; i < listener->expected; i++) {
        if (!accept_one(listener)) {
            listener->expected = i > 0 ? i : 1;
            return;
        }
    }
    if (follows && listener->expected <= listener->options.batch / 2)
        listener->expected *= 2;
}

static void on_ready(struct watch *watch, unsigned ready)
{
    (void)ready; /* errors are found by accepting */
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);
    CHECK_TAG(listener, TAG_LISTENER);
    loop_queue(listener->loop, &listener->task);
}

static void on_timer(struct timer *timer)
{
    listener_resume(CONTAINER_OF(timer, struct listener, timer));
}

static void bury_listener(struct grave *grave)
{
    struct listener *listener = CONTAINER_OF(grave, struct listener, grave);
    listener->tag = 0;
    free(listener);
}

enum status listener_create(struct loop *loop, const struct listener_options *options,
                            struct listener **ret_listener)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return ST_NOMEM;
    listener->tag = TAG_LISTENER;
    listener->loop = loop;
    listener->options = *options;
    if (options->batch == 0)
        listener->options.batch = LISTENER_BATCH;
    listener->expected = 1;
    listener->watch = (struct watch){.fd = -1, .on_ready = on_ready};
    task_init(&listener->task, run_accept);
    timer_init(&listener->timer, on_timer);
    listener->grave.bury = bury_listener;
    enum status status = listener_watch(listener);
    if (status != ST_OK) {
        free(listener);
        return status;
    }
    *ret_listener = listener;
    return ST_OK;
}

void listener_destroy(struct listener **listener)
{
    struct listener *gone = *listener;
    *listener = NULL;
    if (gone == NULL)
        return;
    CHECK_TAG(gone, TAG_LISTENER);
    CHECK(!gone->has_ended);
    gone->has_ended = true;
    loop_unwatch(gone->loop, &gone->watch, /* is_closing= */ false);
    task_cancel(&gone->task);
    timer_cancel(&gone->timer);
    loop_bury(gone->loop, &gone->grave);
}

void listener_resume(struct listener *listener)
{
    CHECK_TAG(listener, TAG_LISTENER);
    if (!listener->is_paused)
        return;
    if (listener_watch(listener) != ST_OK) {
        timer_set_in(listener->loop, &listener->timer, LISTENER_RETRY_MS * NS_PER_MS);
        return;
    }
    listener->is_paused = false;
    timer_cancel(&listener->timer);
}
