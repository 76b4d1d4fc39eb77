/* The shares of a transaction's time.
 *
 * A cursor goes from the first byte to the end over the marks in the order in which they happen, so that each
 * microsecond belongs to one piece, and each piece is shared out whole:
 *
 *     V1  The shares add up to the total, whatever a record holds: marks out of order, counters that went backwards.
 *     V2  A piece that began and did not end lasts until the proxy gave up, and is its side's.
 *     V3  What the kernel says decides between a peer and the way to it, within one piece. It never makes a piece
 *         longer.
 *
 * Marks are cut to microseconds first, and all that follows is whole numbers.
 *
 * What is sent to a peer tells much: the kernel counts how long its window was full (it did not read) and what had to
 * be sent again. What a peer sends tells less, since losses before us are counted by the peer. There the kind of
 * segments decides: a sender whose data wait for the way sends full ones. */
#include "record/verdict.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/number.h"

#include <assert.h>

enum {
    /* The least time after which a segment is sent again where no other one follows. */
    LOSS_US = 200 * 1000,
    BLOAT_US = 50 * 1000,     /* a queue on the way that holds less is no cause */
    FLIGHT_BYTES = 14 * 1024, /* goes out before anything is acknowledged (RFC 6928) */
    /* So long a kernel keeps an acknowledgement back (RFC 9293 §3.8.6.3 allows 500 ms). */
    DELAYED_ACK_US = 40 * 1000,
    FULL_SEGMENTS = 16, /* less tells nothing of how full they are */
};

static const char *const slow_words[] = {
#define X(name, word, meaning) [SLOW_##name] = word,
    SLOW_SIDES(X)
#undef X
        [SLOW_NONE] = "none",
};
static_assert(COUNT_OF(slow_words) == SLOW_COUNT + 1, "every side has a word");

/* One of the two connections. */
struct leg {
    const struct record_tcp *tcp;
    enum slow_side peer;
    enum slow_side way;
    bool is_known;
    bool is_own;        /* the counters tell of this transaction alone */
    uint64_t rtt_us;    /* a round trip; 0: not known */
    uint64_t sent_us;   /* time of what is sent to the peer, shared out as the way's so far */
    uint64_t unread_us; /* and as the peer's, since it did not read */
};

struct judge {
    const struct record *record;
    struct timeline cut;
    const uint64_t *at; /* of `cut` */
    uint64_t cursor_ns;
    uint64_t end_ns;
    uint64_t limited_us; /* not shared out yet */
    uint64_t names_us;   /* likewise: of stalled_by_dns_ns */
    struct leg client;
    struct leg upstream;
    uint64_t *share_us;
};

/* a * b, or the largest number. */
static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* `us` times `part` of `whole`, downwards; at most `us`. */
static uint64_t portion(uint64_t us, uint64_t part, uint64_t whole)
{
    if (part >= whole)
        return whole == 0 ? 0 : us;
    return u64_least(us, (uint64_t)((double)us * ((double)part / (double)whole)));
}

static bool has_opened(const struct record *record)
{
    return record->timeline.at_ns[MARK_T_OPEN] != 0;
}

/* ---- legs ---- */

static struct leg leg_of(const struct record_tcp *tcp, bool is_own, enum slow_side peer,
                         enum slow_side way)
{
    uint64_t rtt_us = tcp->min_rtt_us != 0 ? tcp->min_rtt_us : tcp->rtt_us;
    return (struct leg){tcp, peer, way, tcp->is_known != 0, is_own, rtt_us, 0, 0};
}

/* The window was full, yet a round trip took far longer than it can: what filled it was a queue on the way. */
static bool leg_is_bloated(const struct leg *leg)
{
    const struct record_tcp *tcp = leg->tcp;
    return tcp->min_rtt_us != 0 && tcp->rtt_us >= 2 * (uint64_t)tcp->min_rtt_us &&
           tcp->rtt_us - tcp->min_rtt_us >= BLOAT_US;
}

static uint64_t leg_rwnd_us(const struct leg *leg)
{
    return leg_is_bloated(leg) ? 0 : u64_least(leg->tcp->rwnd_limited_us, leg->tcp->busy_us);
}

/* Did what was sent need more than a flight, or a second try? Then the time until it was acknowledged counts; else that
 * may be an acknowledgement which its kernel delayed. */
static bool leg_is_heavy(const struct leg *leg, uint64_t sent_bytes)
{
    return leg->is_own && (leg->tcp->retransmits > 0 || sent_bytes > FLIGHT_BYTES);
}

/* Did the peer send full segments, so that its data waited for the way? A lost one comes twice and counts once. */
static bool leg_brings_full(const struct leg *leg)
{
    const struct record_tcp *tcp = leg->tcp;
    uint64_t room = times(tcp->data_segments_in, tcp->mss_in);
    uint64_t missing = tcp->out_of_order > 0 ? room / 8 : room / 32;
    return tcp->data_segments_in >= FULL_SEGMENTS && tcp->data_bytes_in >= room - missing;
}

/* How long the way may have needed for `rounds` questions and their answers. */
static uint64_t leg_path_us(const struct leg *leg, uint64_t rounds, uint64_t sent_bytes)
{
    uint64_t path_us = times(rounds, leg->rtt_us);
    if (!leg_is_heavy(leg, sent_bytes))
        return path_us;
    uint64_t used_us = plus(leg_rwnd_us(leg), leg->sent_us);
    uint64_t sending_us = leg->tcp->busy_us > used_us ? leg->tcp->busy_us - used_us : 0;
    return u64_most(path_us, sending_us);
}

/* ---- sharing out ---- */

/* Give `us` of what is left to a side; gives how much that was. */
static uint64_t give(struct judge *judge, enum slow_side side, uint64_t *left_us, uint64_t us)
{
    uint64_t given_us = u64_least(*left_us, us);
    judge->share_us[side] += given_us;
    *left_us -= given_us;
    return given_us;
}

static void give_all(struct judge *judge, enum slow_side side, uint64_t us)
{
    judge->share_us[side] += us;
}

/* Time in which a peer did not take what there was for it. */
static void give_sending(struct judge *judge, struct leg *leg, uint64_t us)
{
    uint64_t busy_us = leg->tcp->busy_us;
    uint64_t rwnd_us = leg_rwnd_us(leg);
    uint64_t left_us = us;
    if (leg->is_known && busy_us > 0) {
        uint64_t sndbuf_us = u64_least(leg->tcp->sndbuf_limited_us, busy_us - rwnd_us);
        uint64_t peer_us = portion(us, rwnd_us, busy_us);
        uint64_t ours_us = portion(us, sndbuf_us, busy_us);
        (void)give(judge, SLOW_PROXY, &left_us, ours_us);
        leg->sent_us += give(judge, leg->way, &left_us, us - u64_least(us, plus(peer_us, ours_us)));
    }
    leg->unread_us += left_us;
    give_all(judge, leg->peer, left_us);
}

/* Time in which bytes of a peer were waited for, in the middle of what it says; `quiet_us` of it nothing came. */
static void give_receiving(struct judge *judge, const struct leg *leg, uint64_t us,
                           const struct record_pace *pace)
{
    uint64_t quiet_us = u64_least(us, pace->quiet_ns / NS_PER_US);
    uint64_t flowing_us = us - quiet_us;
    if (leg->is_known) {
        uint64_t lost_us = leg->is_own ? times(leg->tcp->out_of_order, LOSS_US) : 0;
        (void)give(judge, leg->way, &quiet_us, plus(times(pace->pauses, leg->rtt_us), lost_us));
        if (leg_brings_full(leg))
            (void)give(judge, leg->way, &flowing_us, flowing_us);
    }
    give_all(judge, leg->peer, plus(quiet_us, flowing_us));
}

/* Time in which the origin was asked `rounds` times, and thought. */
static void give_thinking(struct judge *judge, uint64_t us, uint64_t rounds)
{
    struct leg *leg = &judge->upstream;
    uint64_t left_us = us;
    if (leg->is_known)
        leg->sent_us += give(judge, leg->way, &left_us,
                             leg_path_us(leg, rounds, judge->record->upstream_out_bytes));
    give_all(judge, leg->peer, left_us);
}

static void give_limited(struct judge *judge, uint64_t *left_us)
{
    judge->limited_us -= give(judge, SLOW_PROXY, left_us, judge->limited_us);
}

static void give_names(struct judge *judge, uint64_t *left_us)
{
    judge->names_us -= give(judge, SLOW_DNS, left_us, judge->names_us);
}

/* ---- pieces ---- */

/* Go on to `to_ns`, 0 for nowhere; gives how far that is. */
static uint64_t walk(struct judge *judge, uint64_t to_ns)
{
    to_ns = u64_least(to_ns, judge->end_ns);
    if (to_ns <= judge->cursor_ns)
        return 0;
    uint64_t us = (to_ns - judge->cursor_ns) / NS_PER_US;
    judge->cursor_ns = to_ns;
    return us;
}

/* Where a piece ends that has no end of its own: at the answer made here, or at the end of all (V2). */
static uint64_t end_of(const struct judge *judge, uint64_t end_ns)
{
    uint64_t answer_ns = judge->at[MARK_D_TX0];
    bool is_local = judge->record->kind == RECORD_LOCAL && answer_ns != 0;
    if (end_ns != 0)
        return end_ns;
    return is_local ? answer_ns : judge->end_ns;
}

static void judge_receive(struct judge *judge)
{
    const struct leg *leg = &judge->client;
    uint64_t left_us = walk(judge, end_of(judge, judge->at[MARK_C_HEAD]));
    uint64_t lost_us = leg->is_own ? times(leg->tcp->out_of_order, LOSS_US) : 0;
    if (leg->is_known)
        (void)give(judge, leg->way, &left_us, plus(leg->rtt_us, lost_us));
    give_all(judge, leg->peer, left_us);
}

static void judge_look_up(struct judge *judge)
{
    if (judge->at[MARK_U_DNS0] == 0)
        return;
    give_all(judge, SLOW_PROXY, walk(judge, judge->at[MARK_U_DNS0]));
    give_all(judge, SLOW_DNS, walk(judge, end_of(judge, judge->at[MARK_U_DNS1])));
}

/* A request that met a dead connection and is sent again: until the new one is asked for, the old one cost the time. */
static void judge_retry(struct judge *judge)
{
    const uint64_t *at = judge->at;
    if (judge->record->retries == 0 || at[MARK_P_SLOT] == 0)
        return;
    give_all(judge, SLOW_PROXY, walk(judge, at[MARK_P_SLOT]));
    uint64_t again_ns = at[MARK_U_DNS0] != 0 ? at[MARK_U_DNS0] : at[MARK_U_SYN0];
    give_all(judge, SLOW_UPSTREAM_NETWORK, walk(judge, again_ns != 0 ? again_ns : at[MARK_U_TX0]));
}

/* A question to the next hop, between two marks, that takes so many round trips; what lies before it is the proxy's. */
static void judge_asking(struct judge *judge, enum mark begin, enum mark end, uint64_t rounds)
{
    if (judge->at[begin] == 0)
        return;
    give_all(judge, SLOW_PROXY, walk(judge, judge->at[begin]));
    give_thinking(judge, walk(judge, end_of(judge, judge->at[end])), rounds);
}

/* TLS 1.3 takes a round trip, 1.2 two, or one where it resumes (RFC 8446 §2, RFC 5246 §7.3). */
static uint64_t handshake_rounds(const struct record_tls *tls)
{
    return tls->version != 0 && tls->version < 0x0304 && !tls->resumed ? 2 : 1;
}

/* What was waited for between attempts was the name of the host; an address that was asked for has none. */
static void judge_connect(struct judge *judge)
{
    const uint64_t *at = judge->at;
    if (at[MARK_U_SYN0] == 0)
        return;
    give_all(judge, SLOW_PROXY, walk(judge, at[MARK_U_SYN0]));
    uint64_t left_us = walk(judge, end_of(judge, at[MARK_U_SYN1]));
    if (at[MARK_U_DNS0] != 0)
        give_names(judge, &left_us);
    give_all(judge, SLOW_UPSTREAM_NETWORK, left_us);
}

static void judge_reach(struct judge *judge)
{
    judge_retry(judge);
    judge_look_up(judge);
    judge_connect(judge);
    judge_asking(judge, MARK_U_PT0, MARK_U_PT1, 1);
    judge_asking(judge, MARK_U_PX0, MARK_U_PX1, 1);
    judge_asking(judge, MARK_U_TLS0, MARK_U_TLS1, handshake_rounds(&judge->record->upstream_tls));
}

/* The request's body on its way. A client that holds it back for a 100 (Continue), or that never sent a byte although
 * it was answered, waited for the origin. */
static void judge_send(struct judge *judge)
{
    const struct record *record = judge->record;
    const uint64_t *at = judge->at;
    uint64_t sent_ns = at[MARK_U_TX1];
    if (sent_ns == 0 || (at[MARK_U_RX0] != 0 && at[MARK_U_RX0] < sent_ns))
        sent_ns = at[MARK_U_RX0];
    give_all(judge, SLOW_PROXY, walk(judge, at[MARK_U_TX0]));
    uint64_t left_us = walk(judge, end_of(judge, sent_ns));
    uint64_t held_us = u64_least(left_us, record->held_ns / NS_PER_US);
    give_thinking(judge, held_us, 1);
    left_us -= held_us;
    if (record->request_body_bytes == 0 && sent_ns != 0 && sent_ns == at[MARK_U_RX0]) {
        give_thinking(judge, left_us, 1);
        return;
    }
    give_limited(judge, &left_us);
    bool has_body = record->request_body_bytes > 0 || sent_ns == 0;
    uint64_t stalled_us =
        has_body ? u64_least(left_us, record->stalled_by_upstream_ns / NS_PER_US) : left_us;
    give_sending(judge, &judge->upstream, stalled_us);
    give_receiving(judge, &judge->client, left_us - stalled_us, &record->client_pace);
}

static void judge_load(struct judge *judge)
{
    const struct record *record = judge->record;
    uint64_t left_us = walk(judge, end_of(judge, judge->at[MARK_U_RX1]));
    give_limited(judge, &left_us);
    uint64_t stalled_us = u64_least(left_us, record->stalled_by_client_ns / NS_PER_US);
    give_sending(judge, &judge->client, stalled_us);
    give_receiving(judge, &judge->upstream, left_us - stalled_us, &record->upstream_pace);
}

static void judge_deliver(struct judge *judge)
{
    uint64_t left_us = walk(judge, end_of(judge, judge->at[MARK_D_TX1]));
    give_limited(judge, &left_us);
    give_sending(judge, &judge->client, left_us);
}

static void judge_messages(struct judge *judge)
{
    const uint64_t *at = judge->at;
    if (at[MARK_U_TX0] != 0) {
        judge_send(judge);
        give_thinking(judge, walk(judge, end_of(judge, at[MARK_U_RX0])), 1);
        if (at[MARK_U_RX0] != 0)
            judge_load(judge);
    }
    give_all(judge, SLOW_PROXY, walk(judge, u64_most(at[MARK_D_TX0], at[MARK_U_RX1])));
    if (at[MARK_D_TX0] != 0)
        judge_deliver(judge);
    /* An early answer is through, and the rest of the request is not. */
    if (at[MARK_U_TX0] != 0 && (at[MARK_U_TX1] == 0 || at[MARK_U_TX1] > judge->cursor_ns))
        give_receiving(judge, &judge->client, walk(judge, end_of(judge, at[MARK_U_TX1])),
                       &judge->record->client_pace);
}

/* ---- tunnels ---- */

/* What lies in send buffers is taken later: how long the kernel was at it, beyond what is shared out already, and
 * beyond what acknowledgements may have been delayed: the last of each of `bursts`. */
static void tunnel_backlog(struct judge *judge, const struct leg *leg, uint64_t sent_bytes,
                           uint64_t bursts, uint64_t *left_us)
{
    if (!leg->is_known || !leg_is_heavy(leg, sent_bytes))
        return;
    uint64_t rwnd_us = leg_rwnd_us(leg);
    if (rwnd_us > leg->unread_us)
        (void)give(judge, leg->peer, left_us, rwnd_us - leg->unread_us);
    uint64_t path_us = leg_path_us(leg, 0, sent_bytes);
    uint64_t delayed_us = times(bursts, DELAYED_ACK_US);
    if (path_us > delayed_us)
        (void)give(judge, leg->way, left_us, path_us - delayed_us);
}

static void tunnel_stalled(struct judge *judge, struct leg *leg, uint64_t *left_us, uint64_t ns)
{
    uint64_t us = u64_least(*left_us, ns / NS_PER_US);
    give_sending(judge, leg, us);
    *left_us -= us;
}

/* Pauses between pieces are nobody's, but for what losses explain, and slow starts. */
static void tunnel_moving(struct judge *judge, const struct leg *leg,
                          const struct record_pace *pace, uint64_t *left_us)
{
    static const struct record_pace none;
    uint64_t us = u64_least(*left_us, pace->moving_ns / NS_PER_US);
    give_receiving(judge, leg, us, &none);
    *left_us -= us;
    uint64_t quiet_us = u64_least(*left_us, pace->quiet_ns / NS_PER_US);
    if (!leg->is_known || !leg_brings_full(leg))
        return;
    uint64_t lost_us =
        plus(times(pace->pauses, leg->rtt_us), times(leg->tcp->out_of_order, LOSS_US));
    (void)give(judge, leg->way, left_us, u64_least(quiet_us, lost_us));
}

/* How long the client waited for the origin, and how often: also for one that speaks first, and for one that never
 * did. */
static uint64_t tunnel_awaited_us(const struct judge *judge, uint64_t *ret_rounds)
{
    const uint64_t *at = judge->at;
    uint64_t awaited_us = judge->record->awaited_ns / NS_PER_US;
    uint64_t begin_ns = 0;
    uint64_t end_ns = 0;
    if (at[MARK_T_DOWN] != 0 && (at[MARK_T_UP] == 0 || at[MARK_T_DOWN] < at[MARK_T_UP])) {
        begin_ns = at[MARK_T_OPEN];
        end_ns = at[MARK_T_DOWN];
    } else if (at[MARK_T_UP] != 0 && at[MARK_T_DOWN] == 0) {
        begin_ns = u64_most(at[MARK_T_LAST], at[MARK_T_CH]);
        end_ns = judge->end_ns;
    }
    bool has_waited = end_ns > begin_ns && end_ns - begin_ns < RECORD_IDLE_NS;
    *ret_rounds = judge->record->waits + has_waited;
    return plus(awaited_us, has_waited ? (end_ns - begin_ns) / NS_PER_US : 0);
}

/* The request for an upgrade and the wait for its 101. Bytes, stalls and pace are the tunnel's, so what sending it took
 * is the client's. */
static void judge_upgrade(struct judge *judge)
{
    if (judge->record->kind != RECORD_UPGRADE)
        return;
    judge->upstream.is_own = false;
    give_all(judge, SLOW_PROXY, walk(judge, judge->at[MARK_U_TX0]));
    uint64_t sent_us = walk(judge, judge->at[MARK_U_TX1]);
    uint64_t held_us = u64_least(sent_us, judge->record->held_ns / NS_PER_US);
    give_all(judge, SLOW_CLIENT, sent_us - held_us);
    give_thinking(judge, held_us, 1);
    give_thinking(judge, walk(judge, judge->at[MARK_U_RX0]), 1);
    judge->upstream.is_own = true;
}

/* Life of a tunnel: what is known is shared out, in this order, and the rest is idle. */
static void judge_tunnel(struct judge *judge)
{
    const struct record *record = judge->record;
    judge_upgrade(judge);
    give_all(judge, SLOW_PROXY, walk(judge, judge->at[MARK_T_OPEN]));
    uint64_t left_us = walk(judge, judge->end_ns);
    give_limited(judge, &left_us);
    give_names(judge, &left_us);
    tunnel_stalled(judge, &judge->client, &left_us, record->stalled_by_client_ns);
    tunnel_stalled(judge, &judge->upstream, &left_us, record->stalled_by_upstream_ns);
    uint64_t rounds;
    uint64_t awaited_us = u64_least(left_us, tunnel_awaited_us(judge, &rounds));
    left_us -= awaited_us;
    give_thinking(judge, awaited_us, rounds);
    tunnel_moving(judge, &judge->upstream, &record->upstream_pace, &left_us);
    tunnel_moving(judge, &judge->client, &record->client_pace, &left_us);
    tunnel_backlog(judge, &judge->client, record->client_out_bytes,
                   plus(record->upstream_pace.pauses, 1), &left_us);
    tunnel_backlog(judge, &judge->upstream, record->upstream_out_bytes,
                   plus(record->client_pace.pauses, 1), &left_us);
    if (judge->client.is_known)
        (void)give(judge, SLOW_CLIENT_NETWORK, &left_us,
                   times(record->waits, judge->client.rtt_us));
    give_all(judge, SLOW_IDLE, left_us);
}

/* ---- the verdict ---- */

static uint64_t last_mark_ns(const uint64_t *at)
{
    uint64_t last_ns = 0;
    for (size_t i = 0; i < MARK_COUNT; i++)
        last_ns = u64_most(last_ns, at[i]);
    return last_ns;
}

static enum slow_side slowest(const struct verdict *verdict)
{
    enum slow_side slow = SLOW_CLIENT;
    for (int side = SLOW_CLIENT; side < SLOW_GUILTY_COUNT; side++) {
        if (verdict->share_us[side] > verdict->share_us[slow])
            slow = (enum slow_side)side;
    }
    /* Of a tunnel that was idle it must be that side alone who was slow: ever so little would be the largest share. */
    uint64_t idle_us = verdict->share_us[SLOW_IDLE];
    uint64_t slow_us = idle_us > 0 ? verdict->share_us[slow] : verdict->total_us;
    return slow_us < RECORD_SLOW_NS / NS_PER_US ? SLOW_NONE : slow;
}

/* How long it took in all; 0 where there is no begin. `at` are the marks, cut or not. */
static uint64_t span_ns(const struct record *record, const uint64_t *at, uint64_t *ret_begin_ns,
                        uint64_t *ret_end_ns)
{
    *ret_begin_ns = at[MARK_C_FIRST] != 0 ? at[MARK_C_FIRST] : at[MARK_C_ACCEPT];
    *ret_end_ns = at[MARK_X_END] != 0 ? at[MARK_X_END] : last_mark_ns(at);
    if (record_is_in_flight(record)) {
        uint64_t now_us = (uint64_t)timeline_offset_us(&record->timeline, record->now_ns);
        *ret_end_ns = u64_most(*ret_end_ns, record->timeline.base_ns + now_us * NS_PER_US);
    }
    return *ret_begin_ns == 0 || *ret_end_ns < *ret_begin_ns ? 0 : *ret_end_ns - *ret_begin_ns;
}

bool verdict_judge(const struct record *record, struct verdict *ret_verdict)
{
    /* Most records need not be looked at more closely: cut marks are at most a microsecond further apart. */
    uint64_t begin_ns, end_ns;
    if (span_ns(record, record->timeline.at_ns, &begin_ns, &end_ns) < RECORD_SLOW_NS - NS_PER_US)
        return false;
    struct verdict verdict = {.slow = SLOW_NONE};
    struct judge judge = {.record = record, .share_us = verdict.share_us};
    timeline_cut(&record->timeline, &judge.cut);
    judge.at = judge.cut.at_ns;
    verdict.total_us = span_ns(record, judge.at, &judge.cursor_ns, &judge.end_ns) / NS_PER_US;
    if (verdict.total_us < RECORD_SLOW_NS / NS_PER_US)
        return false;
    bool tunnels = has_opened(record);
    judge.names_us = record->stalled_by_dns_ns / NS_PER_US;
    judge.limited_us = record->stalled_by_limits_ns / NS_PER_US;
    judge.client = leg_of(&record->client_tcp, tunnels || record->client_use <= 1, SLOW_CLIENT,
                          SLOW_CLIENT_NETWORK);
    judge.upstream = leg_of(&record->upstream_tcp, tunnels || record->upstream_use <= 1,
                            SLOW_ORIGIN, SLOW_UPSTREAM_NETWORK);

    judge_receive(&judge);
    judge_reach(&judge);
    if (tunnels)
        judge_tunnel(&judge);
    else
        judge_messages(&judge);
    give_all(&judge, SLOW_PROXY, walk(&judge, judge.end_ns));
    verdict.slow = slowest(&verdict);
    *ret_verdict = verdict;
    return true;
}

const char *slow_word(enum slow_side side)
{
    return slow_words[side];
}
