/* Bytes of one direction are followed by bytes of the same one, or of the other:
 *
 *     up, down     the client had spoken, the origin answered: it was awaited, unless that took so long that nobody
 *                  waits
 *     down, up     the client speaks next: what lies between is its own affair
 *     same again   it moves; or it paused, where RECORD_PAUSE_NS lie between; or the answer is still to come, where
 *                  what came down was none (session tickets of TLS)
 *
 * Time in which the receiver took nothing, or a limit let nothing pass, is none of the sender's: the gap begins behind
 * it. */
#include "proxy/pace.h"

#include "base/clock.h"
#include "base/number.h"
#include "io/loop.h"

static void add_us(uint32_t *sum, uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    *sum = us > UINT32_MAX - *sum ? UINT32_MAX : *sum + (uint32_t)us;
}

/* Something of it is here, or would be sent, and the receiver does not take it. */
static bool receiver_stalls(const struct pipe *pipe)
{
    bool holds = pipe->held_len > 0 || (pipe->kernel != NULL && pipe->kernel->len > 0);
    return !pipe->is_ended && !pipe->is_discarding &&
           (holds || (pipe->to->ready & WATCH_WRITE) == 0);
}

static void way_note_stall(struct pace_way *way, bool *is_stalled, const struct pipe *pipe)
{
    bool is_now = receiver_stalls(pipe);
    if (is_now == *is_stalled)
        return;
    uint64_t now_ns = clock_monotonic_ns();
    if (!is_now)
        add_us(&way->stalled_us, now_ns - way->turned_ns);
    *is_stalled = is_now;
    way->turned_ns = now_ns;
}

/* Between two pieces of one direction, but for what the receiver or a limit cost. */
static uint64_t way_gap_ns(const struct pace_way *way, bool is_stalled, uint64_t before_ns,
                           uint64_t now_ns)
{
    uint64_t since_ns = is_stalled ? before_ns : u64_most(before_ns, way->turned_ns);
    return now_ns > since_ns ? now_ns - since_ns : 0;
}

/* More of the same direction came. */
static void way_note_more(struct pace_way *way, bool is_stalled, uint64_t before_ns,
                          uint64_t now_ns)
{
    uint64_t gap_ns = way_gap_ns(way, is_stalled, before_ns, now_ns);
    if (before_ns == 0)
        return;
    if (gap_ns < RECORD_PAUSE_NS) {
        add_us(&way->moving_us, gap_ns);
        return;
    }
    add_us(&way->quiet_us, gap_ns);
    way->pauses += way->pauses < UINT32_MAX;
}

struct pace_before pace_look(const struct pipe *up, const struct pipe *down)
{
    return (struct pace_before){.up_ns = up->last_ns, .down_ns = down->last_ns};
}

void pace_note(struct pace *pace, const struct pipe *up, const struct pipe *down,
               struct pace_before before)
{
    if (up->last_ns != before.up_ns && before.up_ns >= before.down_ns)
        way_note_more(&pace->up, pace->is_up_stalled, before.up_ns, up->last_ns);
    bool is_more = down->last_ns != before.down_ns && before.down_ns >= before.up_ns;
    if (is_more && before.is_asked) {
        uint64_t wait_ns =
            way_gap_ns(&pace->down, pace->is_down_stalled, before.down_ns, down->last_ns);
        if (wait_ns < RECORD_IDLE_NS)
            add_us(&pace->awaited_us, wait_ns);
    } else if (is_more) {
        way_note_more(&pace->down, pace->is_down_stalled, before.down_ns, down->last_ns);
    }
    if (down->last_ns != before.down_ns && before.up_ns > before.down_ns) {
        uint64_t since_ns = u64_most(before.up_ns, pace->down.turned_ns);
        uint64_t wait_ns = down->last_ns > since_ns ? down->last_ns - since_ns : 0;
        pace->waits += pace->waits < UINT32_MAX;
        if (wait_ns < RECORD_IDLE_NS)
            add_us(&pace->awaited_us, wait_ns);
    }
    way_note_stall(&pace->up, &pace->is_up_stalled, up);
    way_note_stall(&pace->down, &pace->is_down_stalled, down);
}

void pace_resume(struct pace *pace, uint64_t at_ns)
{
    if (!pace->is_up_stalled)
        pace->up.turned_ns = at_ns;
    if (!pace->is_down_stalled)
        pace->down.turned_ns = at_ns;
}

void pace_limited(struct pace *pace, uint64_t begin_ns, uint64_t end_ns)
{
    if (end_ns <= begin_ns)
        return;
    add_us(&pace->limited_us, end_ns - begin_ns);
    pace_resume(pace, end_ns);
}

static uint64_t stalled_ns(const struct pace_way *way, bool is_stalled, uint64_t now_ns)
{
    uint64_t lasts_ns = is_stalled && now_ns > way->turned_ns ? now_ns - way->turned_ns : 0;
    return way->stalled_us * NS_PER_US + lasts_ns;
}

static struct record_pace pace_of(const struct pace_way *way)
{
    return (struct record_pace){way->moving_us * NS_PER_US, way->quiet_us * NS_PER_US, way->pauses};
}

void pace_tell(const struct pace *pace, uint64_t now_ns, struct record *record)
{
    record->stalled_by_client_ns = stalled_ns(&pace->down, pace->is_down_stalled, now_ns);
    record->stalled_by_upstream_ns = stalled_ns(&pace->up, pace->is_up_stalled, now_ns);
    record->stalled_by_limits_ns = pace->limited_us * NS_PER_US;
    record->client_pace = pace_of(&pace->up);
    record->upstream_pace = pace_of(&pace->down);
    record->awaited_ns = pace->awaited_us * NS_PER_US;
    record->waits = pace->waits;
}
