/* Marks, and the one place where they are subtracted.
 *
 * A mark is the monotonic time of an event and is written once; 0 says that the event never happened. A
 * phase is a span between two marks. Each phase states its ends in phase_points; span_length and blocked_length do the
 * rest, of nanoseconds and of microseconds, so that the two promises of a phase hold for all of them:
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
    timeline_begin_at(timeline, clock_monotonic_ns(), clock_wall_ns());
}

void timeline_begin_at(struct timeline *timeline, uint64_t base_ns, uint64_t wall_ns)
{
    memset(timeline, 0, sizeof(*timeline));
    timeline->base_ns = base_ns;
    timeline->wall_ns = wall_ns;
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

/* Where a phase may begin or end: a mark, or what is made of several. */
enum point {
    POINT_SENT = MARK_COUNT, /* of a request: its last byte, or the answer that came before it */
    POINT_DELIVERED,         /* the last byte of all */
    POINT_FIRST,             /* the client's first byte, or else its connection */
    POINT_COUNT,
};

#define FROM_TO(begin, end)                         \
    {                                               \
        1ULL << (begin) | 1ULL << (end), begin, end \
    }
static const struct {
    uint64_t both; /* a bit for each */
    uint8_t begin;
    uint8_t end;
} phase_points[PHASE_COUNT] = {
    [PHASE_CLIENT_TLS] = FROM_TO(MARK_C_ACCEPT, MARK_C_TLS),
    [PHASE_RECEIVE] = FROM_TO(MARK_C_FIRST, MARK_C_HEAD),
    [PHASE_BLOCKED] = FROM_TO(MARK_C_HEAD, MARK_P_SLOT),
    [PHASE_DNS] = FROM_TO(MARK_U_DNS0, MARK_U_DNS1),
    [PHASE_CONNECT] = FROM_TO(MARK_U_SYN0, MARK_U_SYN1),
    [PHASE_PARENT_TLS] = FROM_TO(MARK_U_PT0, MARK_U_PT1),
    [PHASE_PARENT] = FROM_TO(MARK_U_PX0, MARK_U_PX1),
    [PHASE_TLS] = FROM_TO(MARK_U_TLS0, MARK_U_TLS1),
    [PHASE_SEND] = FROM_TO(MARK_U_TX0, POINT_SENT),
    [PHASE_WAIT] = FROM_TO(POINT_SENT, MARK_U_RX0),
    [PHASE_LOAD] = FROM_TO(MARK_U_RX0, MARK_U_RX1),
    [PHASE_DELIVER] = FROM_TO(MARK_U_RX1, MARK_D_TX1),
    [PHASE_INSIDE_HELLO] = FROM_TO(MARK_T_CH, MARK_T_SH),
    [PHASE_INSIDE_TLS] = FROM_TO(MARK_T_CH, MARK_T_HS),
    [PHASE_INSIDE_WAIT] = FROM_TO(MARK_T_REQ, MARK_T_RSP),
    [PHASE_TUNNEL] = FROM_TO(MARK_T_OPEN, MARK_X_END),
    [PHASE_CLOSE] = FROM_TO(POINT_DELIVERED, MARK_X_END),
    [PHASE_TOTAL] = FROM_TO(POINT_FIRST, MARK_X_END),
};
#undef FROM_TO

static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 ? a : u64_least(a, b);
}

/* When it was; 0: never. */
static inline uint64_t point_ns(const uint64_t *at, unsigned point)
{
    if (point < MARK_COUNT)
        return at[point];
    if (point == POINT_SENT)
        return at[MARK_U_TX0] == 0 ? 0 : first_of(at[MARK_U_TX1], at[MARK_U_RX0]);
    if (point == POINT_DELIVERED)
        return u64_most(u64_most(at[MARK_D_TX1], at[MARK_T_LAST]), at[MARK_T_OPEN]);
    return at[MARK_C_FIRST] != 0 ? at[MARK_C_FIRST] : at[MARK_C_ACCEPT];
}

/* Both ends of a phase that are there, in one unit or another: monotonic nanoseconds, or microseconds from the base,
 * which may be negative. */
struct span {
    int64_t begin;
    int64_t end;
};

/* T2. */
static inline int64_t span_length(struct span span)
{
    return span.end > span.begin ? span.end - span.begin : 0;
}

static inline int64_t span_overlap(struct span a, struct span b)
{
    return span_length(
        (struct span){a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end});
}

/* How long PHASE_BLOCKED is where PHASE_DNS happened. */
static inline int64_t blocked_length(struct span blocked, struct span dns)
{
    return span_length(blocked) - span_overlap(blocked, dns);
}

/* T1: false where one end is missing. */
static inline bool phase_span(const uint64_t *at, enum phase phase, struct span *ret_span)
{
    uint64_t begin_ns = point_ns(at, phase_points[phase].begin);
    uint64_t end_ns = point_ns(at, phase_points[phase].end);
    *ret_span = (struct span){(int64_t)begin_ns, (int64_t)end_ns};
    return begin_ns != 0 && end_ns != 0;
}

static inline bool phase_ns(const uint64_t *at, enum phase phase, uint64_t *ret_ns)
{
    struct span span;
    struct span dns;
    if (!phase_span(at, phase, &span))
        return false;
    bool is_less = phase == PHASE_BLOCKED && phase_span(at, PHASE_DNS, &dns);
    *ret_ns = (uint64_t)(is_less ? blocked_length(span, dns) : span_length(span));
    return true;
}

bool timeline_phase(const struct timeline *timeline, enum phase phase, uint64_t *ret_ns)
{
    return phase_ns(timeline->at_ns, phase, ret_ns);
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

/* ---- All of it at once ---- */

static_assert((int)POINT_COUNT <= 64 && (int)PHASE_COUNT <= 64, "a bit each");
static_assert(COUNT_OF(((struct timeline_spread *)NULL)->mark_us) == POINT_COUNT, "a place each");

uint64_t timeline_phases(const struct timeline *timeline, uint64_t ret_ns[PHASE_COUNT])
{
    uint64_t phases = 0;
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
        if (phase_ns(timeline->at_ns, (enum phase)phase, &ret_ns[phase]))
            phases |= 1ULL << phase;
    }
    return phases;
}

static inline struct span spread_span(const int64_t *at, unsigned phase)
{
    return (struct span){at[phase_points[phase].begin], at[phase_points[phase].end]};
}

/* `points` has a bit for each whose time is there. */
static void spread_phases(struct timeline_spread *spread, uint64_t points)
{
    const int64_t *at = spread->mark_us;
    spread->phases = 0;
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
        uint64_t both = phase_points[phase].both;
        if ((points & both) != both)
            continue;
        spread->phases |= 1ULL << phase;
        spread->phase_us[phase] = span_length(spread_span(at, phase));
    }
    uint64_t overlapping = 1ULL << PHASE_BLOCKED | 1ULL << PHASE_DNS;
    if ((spread->phases & overlapping) == overlapping)
        spread->phase_us[PHASE_BLOCKED] =
            blocked_length(spread_span(at, PHASE_BLOCKED), spread_span(at, PHASE_DNS));
}

void timeline_spread(const struct timeline *timeline, struct timeline_spread *ret_spread)
{
    uint64_t set = 0;
    for (unsigned mark = 0; mark < MARK_COUNT; mark++) {
        if (timeline->at_ns[mark] == 0)
            continue;
        set |= 1ULL << mark;
        ret_spread->mark_us[mark] = timeline_offset_us(timeline, timeline->at_ns[mark]);
    }
    ret_spread->marks = set;
    for (unsigned point = MARK_COUNT; point < POINT_COUNT; point++) {
        uint64_t at_ns = point_ns(timeline->at_ns, point);
        set |= at_ns == 0 ? 0 : 1ULL << point;
        ret_spread->mark_us[point] = timeline_offset_us(timeline, at_ns);
    }
    spread_phases(ret_spread, set);
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
    struct span span;
    if (!phase_span(timeline->at_ns, phase, &span))
        return false;
    *ret_begin_ns = (uint64_t)span.begin;
    *ret_end_ns = (uint64_t)(span.begin + span_length(span));
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
