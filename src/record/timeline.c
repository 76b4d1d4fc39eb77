/* Marks, and the one place where they are subtracted.
 *
 * A mark is the monotonic time of an event and is written once; 0 says that the event never happened. A
 * phase is a span between two marks. Each phase states its span in timeline_span; timeline_phase does the
 * rest, so that the two promises of a phase hold for all of them:
 *
 *     T1  A phase of which one end never happened is absent, never zero.
 *     T2  A phase is never negative: a span whose end lies before its begin has length 0.
 *
 * What is not a plain pair of marks, and why:
 *
 *     blocked  c_head -> p_slot less the part in which DNS ran, since that part is shown as DNS.
 *     send     ends at u_rx0 where the origin answers before the upload is through (early response).
 *     wait     begins at u_tx1, and is 0 for an early response: nobody waited.
 *     close    begins at the last byte that was delivered: the later one of d_tx1 and t_last; for a tunnel
 *              without a byte, at t_open.
 *     total    begins at c_first; at c_accept for a client that never sent a byte.
 *
 * The phases need not add up to the total: time for policy, and between the steps, belongs to none. Views
 * that need an exact sum (HAR) put the rest where their format wants it. */
#include "record/timeline.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/number.h"

#include <assert.h>
#include <string.h>

static const char *const phase_words[] = {
#define X(name, word) [PHASE_##name] = word,
    TIMELINE_PHASES(X)
#undef X
};
static_assert(COUNT_OF(phase_words) == PHASE_COUNT, "every phase has a name");

void timeline_begin(struct timeline *timeline)
{
    memset(timeline, 0, sizeof(*timeline));
    timeline->base_ns = clock_monotonic_ns();
    timeline->wall_ns = clock_wall_ns();
}

void timeline_mark(struct timeline *timeline, enum mark mark)
{
    if (timeline->at_ns[mark] == 0)
        timeline->at_ns[mark] = clock_monotonic_ns();
}

void timeline_mark_at(struct timeline *timeline, enum mark mark, uint64_t at_ns)
{
    if (timeline->at_ns[mark] == 0)
        timeline->at_ns[mark] = at_ns;
}

void timeline_clear(struct timeline *timeline, enum mark mark)
{
    timeline->at_ns[mark] = 0;
}

/* From `begin_ns` to `end_ns`; absent where one of them is 0. */
struct span {
    uint64_t begin_ns;
    uint64_t end_ns;
};

/* The earlier one of two marks of which either may be missing. */
static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 ? a : u64_least(a, b);
}

static struct span span_of_wait(const uint64_t *at)
{
    uint64_t answered = at[MARK_U_RX0];
    if (at[MARK_U_TX0] == 0 || answered == 0)
        return (struct span){0, 0};
    return (struct span){first_of(at[MARK_U_TX1], answered), answered};
}

static uint64_t last_byte(const uint64_t *at)
{
    uint64_t last = u64_most(at[MARK_D_TX1], at[MARK_T_LAST]);
    return u64_most(last, at[MARK_T_OPEN]);
}

static struct span timeline_span(const uint64_t *at, enum phase phase)
{
    switch (phase) {
    case PHASE_CLIENT_TLS: return (struct span){at[MARK_C_ACCEPT], at[MARK_C_TLS]};
    case PHASE_RECEIVE: return (struct span){at[MARK_C_FIRST], at[MARK_C_HEAD]};
    case PHASE_BLOCKED: return (struct span){at[MARK_C_HEAD], at[MARK_P_SLOT]};
    case PHASE_DNS: return (struct span){at[MARK_U_DNS0], at[MARK_U_DNS1]};
    case PHASE_CONNECT: return (struct span){at[MARK_U_SYN0], at[MARK_U_SYN1]};
    case PHASE_PARENT_TLS: return (struct span){at[MARK_U_PT0], at[MARK_U_PT1]};
    case PHASE_PARENT: return (struct span){at[MARK_U_PX0], at[MARK_U_PX1]};
    case PHASE_TLS: return (struct span){at[MARK_U_TLS0], at[MARK_U_TLS1]};
    case PHASE_SEND: return (struct span){at[MARK_U_TX0], first_of(at[MARK_U_TX1], at[MARK_U_RX0])};
    case PHASE_WAIT: return span_of_wait(at);
    case PHASE_LOAD: return (struct span){at[MARK_U_RX0], at[MARK_U_RX1]};
    case PHASE_DELIVER: return (struct span){at[MARK_U_RX1], at[MARK_D_TX1]};
    case PHASE_INSIDE_HELLO: return (struct span){at[MARK_T_CH], at[MARK_T_SH]};
    case PHASE_INSIDE_TLS: return (struct span){at[MARK_T_CH], at[MARK_T_HS]};
    case PHASE_INSIDE_WAIT: return (struct span){at[MARK_T_REQ], at[MARK_T_RSP]};
    case PHASE_TUNNEL: return (struct span){at[MARK_T_OPEN], at[MARK_X_END]};
    case PHASE_CLOSE: return (struct span){last_byte(at), at[MARK_X_END]};
    case PHASE_TOTAL:
        return (struct span){at[MARK_C_FIRST] != 0 ? at[MARK_C_FIRST] : at[MARK_C_ACCEPT],
                             at[MARK_X_END]};
    case PHASE_COUNT: break;
    }
    return (struct span){0, 0};
}

static uint64_t span_length(struct span span)
{
    return span.end_ns > span.begin_ns ? span.end_ns - span.begin_ns : 0;
}

static uint64_t span_overlap(struct span a, struct span b)
{
    if (b.begin_ns == 0 || b.end_ns == 0)
        return 0;
    return span_length(
        (struct span){u64_most(a.begin_ns, b.begin_ns), u64_least(a.end_ns, b.end_ns)});
}

bool timeline_phase(const struct timeline *timeline, enum phase phase, uint64_t *ret_ns)
{
    struct span span = timeline_span(timeline->at_ns, phase);
    if (span.begin_ns == 0 || span.end_ns == 0)
        return false;
    uint64_t length = span_length(span);
    if (phase == PHASE_BLOCKED)
        length -= span_overlap(span, timeline_span(timeline->at_ns, PHASE_DNS));
    *ret_ns = length;
    return true;
}

/* The phases of a request that can be under way, the last ones first: each from its first mark to its second. */
static const struct {
    uint8_t phase;
    uint8_t begin;
    uint8_t end;
} open_phases[] = {
    {PHASE_DELIVER, MARK_U_RX1, MARK_D_TX1},    {PHASE_LOAD, MARK_U_RX0, MARK_U_RX1},
    {PHASE_DELIVER, MARK_D_TX0, MARK_D_TX1}, /* an answer of our own */
    {PHASE_WAIT, MARK_U_TX1, MARK_U_RX0},       {PHASE_SEND, MARK_U_TX0, MARK_U_TX1},
    {PHASE_TLS, MARK_U_TLS0, MARK_U_TLS1},      {PHASE_PARENT, MARK_U_PX0, MARK_U_PX1},
    {PHASE_PARENT_TLS, MARK_U_PT0, MARK_U_PT1}, {PHASE_CONNECT, MARK_U_SYN0, MARK_U_SYN1},
    {PHASE_DNS, MARK_U_DNS0, MARK_U_DNS1},      {PHASE_BLOCKED, MARK_C_HEAD, MARK_P_SLOT},
    {PHASE_RECEIVE, MARK_C_FIRST, MARK_C_HEAD},
};

bool timeline_phase_now(const struct timeline *timeline, enum phase *ret_phase,
                        uint64_t *ret_since_ns)
{
    const uint64_t *at = timeline->at_ns;
    for (size_t i = 0; i < COUNT_OF(open_phases); i++) {
        if (at[open_phases[i].begin] == 0 || at[open_phases[i].end] != 0)
            continue;
        *ret_phase = (enum phase)open_phases[i].phase;
        *ret_since_ns = at[open_phases[i].begin];
        return true;
    }
    return false;
}

bool timeline_phase_cut_off(const struct timeline *timeline, enum phase *ret_phase,
                            uint64_t *ret_begin_ns, uint64_t *ret_end_ns)
{
    const uint64_t *at = timeline->at_ns;
    struct timeline given_up = *timeline;
    if (at[MARK_X_END] == 0)
        return false;
    *ret_end_ns = at[MARK_X_END];
    if (at[MARK_U_RX0] == 0 && at[MARK_D_TX0] != 0) { /* an answer of our own */
        *ret_end_ns = at[MARK_D_TX0];
        given_up.at_ns[MARK_D_TX0] = 0;
    }
    return timeline_phase_now(&given_up, ret_phase, ret_begin_ns) &&
           *ret_end_ns >= *ret_begin_ns + NS_PER_MS;
}

int64_t timeline_offset_us(const struct timeline *timeline, uint64_t at_ns)
{
    if (at_ns >= timeline->base_ns)
        return (int64_t)((at_ns - timeline->base_ns) / NS_PER_US);
    return -(int64_t)((timeline->base_ns - at_ns + NS_PER_US - 1) / NS_PER_US);
}

void timeline_cut(const struct timeline *timeline, struct timeline *ret_cut)
{
    *ret_cut = *timeline;
    for (size_t i = 0; i < MARK_COUNT; i++) {
        if (timeline->at_ns[i] == 0)
            continue;
        uint64_t us = (uint64_t)timeline_offset_us(timeline, timeline->at_ns[i]);
        ret_cut->at_ns[i] = timeline->base_ns + us * NS_PER_US;
    }
}

uint64_t timeline_wall_ns(const struct timeline *timeline, enum mark mark)
{
    uint64_t at = timeline->at_ns[mark];
    /* Unsigned wrap-around makes marks before the base (an earlier accept) come out right. */
    return at == 0 ? 0 : timeline->wall_ns + (at - timeline->base_ns);
}

bool timeline_bounds(const struct timeline *timeline, enum phase phase, uint64_t *ret_begin_ns,
                     uint64_t *ret_end_ns)
{
    struct span span = timeline_span(timeline->at_ns, phase);
    if (span.begin_ns == 0 || span.end_ns == 0)
        return false;
    *ret_begin_ns = span.begin_ns;
    *ret_end_ns = u64_most(span.begin_ns, span.end_ns);
    return true;
}

const char *phase_word(enum phase phase)
{
    return phase_words[phase];
}

#ifdef FAIRLEAD_CHECKS
/* Pairs in which the first mark, where both are there, never lies behind the second. What may really
 * overlap is not here: upload and response, DNS and connect, early tunnel bytes. */
static const struct {
    uint8_t first;
    uint8_t second;
} mark_orders[] = {
    {MARK_C_ACCEPT, MARK_C_TLS}, {MARK_C_ACCEPT, MARK_C_FIRST}, {MARK_C_FIRST, MARK_C_HEAD},
    {MARK_C_HEAD, MARK_C_BODY},  {MARK_C_HEAD, MARK_P_POLICY},  {MARK_C_HEAD, MARK_P_SLOT},
    {MARK_U_DNS0, MARK_U_DNS1},  {MARK_U_SYN0, MARK_U_SYN1},    {MARK_U_TLS0, MARK_U_TLS1},
    {MARK_U_PT0, MARK_U_PT1},    {MARK_U_PX0, MARK_U_PX1},      {MARK_U_TX0, MARK_U_TXH},
    {MARK_U_TXH, MARK_U_TX1},    {MARK_U_TX1, MARK_U_TXD},      {MARK_U_1XX, MARK_U_RX0},
    {MARK_U_RX0, MARK_U_RXH},    {MARK_U_RXH, MARK_U_RX1},      {MARK_D_TX0, MARK_D_TX1},
    {MARK_T_CH, MARK_T_SH},      {MARK_T_SH, MARK_T_HS},        {MARK_T_REQ, MARK_T_RSP},
};

void timeline_check(const struct timeline *timeline)
{
    const uint64_t *at = timeline->at_ns;
    for (size_t i = 0; i < COUNT_OF(mark_orders); i++) {
        uint64_t first = at[mark_orders[i].first];
        uint64_t second = at[mark_orders[i].second];
        CHECK(first == 0 || second == 0 || first <= second);
    }
    for (int mark = 0; mark < MARK_COUNT; mark++)
        CHECK(at[MARK_X_END] == 0 || at[mark] <= at[MARK_X_END]);
}
#else
void timeline_check(const struct timeline *timeline)
{
    (void)timeline; /* only in debug builds */
}
#endif
