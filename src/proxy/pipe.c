/* Moving bytes one way: by copy while traffic is small, by splice while it is bulk.
 *
 * The loop below makes one receive and one send a round and stops at a short receive, since the
 * transport's ready bits say when another makes sense. A limit of rounds and bytes keeps one busy tunnel from
 * starving the others of its worker. */

#include "proxy/pipe.h"

#include "base/check.h"
#include "base/clock.h"
#include "proxy/share.h"

#include <string.h>

/* A splice of less than PIPE_TRICKLE is slower than a copy. */
enum { PIPE_ROUNDS = 8, PIPE_TRICKLE = 4096 };

void pipe_init(struct pipe *pipe, struct transport *from, struct transport *to,
               const struct pipe_means *means)
{
    *pipe = (struct pipe){.from = from, .to = to, .means = means};
    pipe->may_splice = transport_is_plain(from) && transport_is_plain(to);
}

void pipe_done(struct pipe *pipe)
{
    kernel_pipe_give(pipe->means->kernels, &pipe->kernel);
    block_unref(&pipe->block);
    pipe->held_len = 0;
}

/* Bytes came. */
static void pipe_stamp(struct pipe *pipe)
{
    pipe->last_ns = clock_monotonic_ns();
    if (pipe->first_ns == 0)
        pipe->first_ns = pipe->last_ns;
}

static void pipe_end_from(struct pipe *pipe)
{
    pipe->from_ended = true;
    pipe->ended_ns = clock_monotonic_ns();
}

enum status pipe_preload(struct pipe *pipe, struct slice bytes)
{
    CHECK(pipe->block == NULL);
    if (bytes.len == 0)
        return ST_OK;
    if (pipe->first_ns == 0)
        pipe_stamp(pipe);
    pipe->block = block_create(pipe->means->shared->blocks, bytes.len);
    if (pipe->block == NULL)
        return ST_NOMEM;
    memcpy(pipe->block->data, bytes.at, bytes.len);
    pipe->held_at = 0;
    pipe->held_len = (uint32_t)bytes.len;
    return ST_OK;
}

struct slice pipe_held(const struct pipe *pipe)
{
    return pipe->held_len == 0 ? SLICE_NONE
                               : slice_of(pipe->block->data + pipe->held_at, pipe->held_len);
}

/* Send from `bytes`; gives how much was taken. */
static enum status pipe_send(struct pipe *pipe, struct slice bytes, size_t *ret_sent)
{
    struct iovec iov = {(void *)(uintptr_t)bytes.at, bytes.len};
    size_t sent = 0;
    enum status status = transport_send(pipe->to, &iov, 1, &sent);
    if (status == ST_OK) {
        pipe->bytes += sent;
        *ret_sent = sent;
    }
    return status;
}

/* Send what is held. ST_OK when nothing is left. */
static enum status pipe_unload(struct pipe *pipe)
{
    while (pipe->held_len > 0) {
        size_t sent = 0;
        enum status status = pipe_send(pipe, pipe_held(pipe), &sent);
        if (status != ST_OK)
            return status;
        pipe->held_at = (pipe->held_at + (uint32_t)sent) & 0xffffff;
        pipe->held_len -= (uint32_t)sent;
    }
    block_unref(&pipe->block);
    return ST_OK;
}

static enum budget_rate pipe_way(const struct pipe *pipe)
{
    return pipe->is_up ? BUDGET_UP : BUDGET_DOWN;
}

/* How much may be received now; 0: its budget lets none pass. */
static size_t pipe_allowance(const struct pipe *pipe)
{
    uint64_t wait_ns;
    if (pipe->budget == NULL)
        return SIZE_MAX;
    return budget_may_move(pipe->budget, pipe_way(pipe), clock_monotonic_ns(), &wait_ns);
}

static void pipe_charge(const struct pipe *pipe, size_t bytes)
{
    if (pipe->budget != NULL)
        budget_moved(pipe->budget, pipe_way(pipe), bytes, pipe->last_ns);
}

/* Else whoever opens tunnels faster than they may carry would have as much as he likes. */
void pipe_meter(struct pipe *pipe, const struct budget *budget)
{
    pipe->budget = budget;
    pipe_charge(pipe, pipe->held_len);
}

/* One round by copy, of `most` bytes. ST_OK: go on; ST_AGAIN: wait; ST_EOF: `from` ended. */
static enum status pipe_copy_round(struct pipe *pipe, size_t most, bool *ret_is_sending)
{
    *ret_is_sending = false;
    size_t got = 0;
    size_t room = pipe->is_bulk ? pipe->means->shared->scratch_bytes : SHARE_FIRST;
    room = most < room ? most : room;
    enum status status = transport_recv(pipe->from, pipe->means->shared->scratch, room, &got);
    if (status != ST_OK)
        return status;
    pipe_stamp(pipe);
    pipe_charge(pipe, got);
    *ret_is_sending = true;
    struct slice rest = slice_of(pipe->means->shared->scratch, got);
    while (rest.len > 0) {
        size_t sent = 0;
        status = pipe_send(pipe, rest, &sent);
        if (status == ST_AGAIN)
            break;
        if (status != ST_OK)
            return status;
        rest = slice_from(rest, sent);
    }
    if (rest.len > 0)
        status = pipe_preload(pipe, rest) == ST_OK ? ST_AGAIN : ST_NOMEM;
    else
        pipe->is_bulk = got >= SHARE_FIRST;
    if (pipe->is_shown)
        pipe->means->show(pipe, slice_of(pipe->means->shared->scratch, got));
    return status;
}

/* Push what the kernel pipe holds. ST_OK when it is empty. */
static enum status pipe_push(struct pipe *pipe)
{
    struct kernel_pipe *kernel = pipe->kernel;
    while (kernel->len > 0) {
        size_t moved = 0;
        enum status status = transport_send_splice(pipe->to, kernel->ends[0], kernel->len, &moved);
        if (status != ST_OK)
            return status;
        kernel->len -= moved;
        pipe->bytes += moved;
    }
    return ST_OK;
}

/* One round by splice; results as pipe_copy_round. */
static enum status pipe_splice_round(struct pipe *pipe, size_t most, bool *ret_is_sending)
{
    struct kernel_pipe *kernel = pipe->kernel;
    *ret_is_sending = true;
    enum status status = pipe_push(pipe);
    if (status != ST_OK)
        return status;
    *ret_is_sending = false;
    status = transport_recv_splice(pipe->from, kernel->ends[1],
                                   most < kernel->cap ? most : kernel->cap, &kernel->len);
    if (status != ST_OK)
        kernel_pipe_give(pipe->means->kernels, &pipe->kernel);
    if (status == ST_AGAIN && (pipe->from->ready & WATCH_READ) != 0)
        return pipe_copy_round(pipe, most, ret_is_sending);
    if (status != ST_OK)
        return status;
    pipe->is_bulk = kernel->len >= PIPE_TRICKLE;
    pipe_stamp(pipe);
    pipe_charge(pipe, kernel->len);
    *ret_is_sending = true;
    return pipe_push(pipe);
}

/* Choose between copy and splice for the next round. */
static bool pipe_wants_splice(struct pipe *pipe)
{
    if (pipe->kernel != NULL && pipe->kernel->len > 0)
        return true;
    if (!pipe->is_bulk || !pipe->may_splice || pipe->is_shown)
        kernel_pipe_give(pipe->means->kernels, &pipe->kernel);
    else if (pipe->kernel == NULL)
        pipe->kernel = kernel_pipe_take(pipe->means->kernels);
    return pipe->kernel != NULL;
}

/* Nothing moves before more comes. */
static bool pipe_is_dry(const struct pipe *pipe)
{
    return (pipe->kernel == NULL || pipe->kernel->len == 0) &&
           (pipe->from->ready & WATCH_READ) == 0;
}

/* After the last byte: the end of file goes on. */
static enum pipe_result pipe_finish(struct pipe *pipe)
{
    enum status status = transport_flush(pipe->to);
    if (status != ST_OK)
        return status == ST_AGAIN ? PIPE_WAITING : PIPE_TO_FAILED;
    /* A receiver that is gone by now has missed no byte, only our good-bye. */
    if (transport_shut(pipe->to) == ST_AGAIN)
        return PIPE_WAITING;
    pipe->is_ended = true;
    return PIPE_ENDED;
}

/* After the last byte of the last direction: closing `to`, which comes now, says as much as an end of file. */
static bool pipe_may_close(const struct pipe *pipe)
{
    return pipe->is_last && transport_is_plain(pipe->to);
}

/* The transport's own queue must be empty before more is received. */
static enum pipe_result pipe_settle_output(struct pipe *pipe)
{
    enum status status = transport_flush(pipe->to);
    return status == ST_OK || status == ST_AGAIN ? PIPE_WAITING : PIPE_TO_FAILED;
}

/* The budget is used up. What was received counts already, and goes on. */
static enum pipe_result pipe_stop(struct pipe *pipe)
{
    enum status status = pipe->kernel == NULL ? ST_OK : pipe_push(pipe);
    if (status != ST_OK && status != ST_AGAIN)
        return PIPE_TO_FAILED;
    if (pipe_settle_output(pipe) != PIPE_WAITING)
        return PIPE_TO_FAILED;
    if (status == ST_AGAIN)
        return PIPE_WAITING;
    if (!pipe_is_dry(pipe))
        return PIPE_LIMITED;
    kernel_pipe_give(pipe->means->kernels, &pipe->kernel);
    return PIPE_WAITING;
}

void pipe_discard(struct pipe *pipe)
{
    CHECK(!pipe->is_ended && !pipe->is_discarding);
    pipe->is_discarding = true;
    pipe_done(pipe);
}

/* The run of a pipe that discards. */
static enum pipe_result pipe_drain(struct pipe *pipe)
{
    if (!pipe->is_ended && pipe_finish(pipe) == PIPE_TO_FAILED)
        pipe->is_ended = true; /* it is gone, as it may (RFC 5246 §7.2.1) */
    enum status status = pipe->from_ended ? ST_AGAIN : ST_OK;
    for (int round = 0; status == ST_OK && round < PIPE_ROUNDS; round++) {
        size_t got = 0;
        if ((pipe->from->ready & WATCH_READ) == 0)
            break;
        status = transport_recv(pipe->from, pipe->means->shared->scratch,
                                pipe->means->shared->scratch_bytes, &got);
    }
    if (status == ST_EOF && !pipe->from->is_truncated)
        pipe_end_from(pipe);
    else if (status != ST_OK && status != ST_AGAIN)
        return PIPE_FROM_FAILED;
    if (pipe->is_ended && pipe->from_ended)
        return PIPE_ENDED;
    return (pipe->from->ready & WATCH_READ) != 0 && !pipe->from_ended ? PIPE_BUSY : PIPE_WAITING;
}

/* A transport that is not plain may have a queue of its own. */
bool pipe_is_idle(const struct pipe *pipe)
{
    return pipe->may_splice && pipe->held_len == 0 && pipe->kernel == NULL && !pipe->from_ended &&
           !pipe->is_discarding && (pipe->from->ready & WATCH_READ) == 0;
}

enum pipe_result pipe_run(struct pipe *pipe)
{
    if (pipe_is_idle(pipe))
        return PIPE_WAITING;
    if (pipe->is_discarding)
        return pipe_drain(pipe);
    if (pipe->is_ended)
        return PIPE_ENDED;
    enum status status = pipe_unload(pipe);
    if (status != ST_OK)
        return status == ST_AGAIN ? PIPE_WAITING : PIPE_TO_FAILED;

    uint64_t share_end = pipe->bytes + (pipe->is_bulk ? SHARE_BULK : SHARE_FIRST);
    for (int round = 0; !pipe->from_ended && round < PIPE_ROUNDS && pipe->bytes < share_end;
         round++) {
        bool is_sending = false;
        if (pipe_is_dry(pipe)) {
            kernel_pipe_give(pipe->means->kernels, &pipe->kernel); /* idle: it holds nothing (T3) */
            return pipe_settle_output(pipe);
        }
        size_t most = pipe_allowance(pipe);
        if (most == 0)
            return pipe_stop(pipe);
        if (pipe_wants_splice(pipe))
            status = pipe_splice_round(pipe, most, &is_sending);
        else
            status = pipe_copy_round(pipe, most, &is_sending);
        if (status == ST_AGAIN)
            return pipe_settle_output(pipe);
        if (status == ST_EOF && !is_sending && pipe->from->is_truncated)
            return PIPE_FROM_FAILED; /* TLS without close_notify: cut, not ended (RFC 8446 §6.1) */
        if (status == ST_EOF && !is_sending) {
            pipe_end_from(pipe);
        } else if (status == ST_NOMEM) {
            return PIPE_SHED;
        } else if (status != ST_OK) {
            return is_sending ? PIPE_TO_FAILED : PIPE_FROM_FAILED;
        }
    }
    if (!pipe->from_ended)
        return PIPE_BUSY;
    if (!pipe_may_close(pipe))
        return pipe_finish(pipe);
    pipe->is_ended = true;
    return PIPE_ENDED;
}
