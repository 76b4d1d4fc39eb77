/* From a host and a port to a connected socket (RFC 8305).
 *
 *     start ──> asking ──answer──> racing ──connected──> ended (CONNECTED)
 *                 │                  │
 *                 └── no address ────┴── all failed, deadline, an address refused ──> ended (cause)
 *
 * Answers, watches and timers only record; dial_run acts, in a task. Only what is known at once (a
 * literal, a cached answer) is acted upon under dial_start, and even then the end is told by the task.
 *
 * The race begins when both answers are there, or when the second is `resolution_delay_ns` late: it may hold an address
 * that refuses the whole. A refusal waits as long for it, so that `permit` hears of all that must be allowed. With
 * DIAL_MIXED_SKIP it begins when AAAA is there, when A is there and AAAA is known to be empty or useless (no route to
 * any IPv6 address), or when AAAA is late. Candidates not tried yet are sorted and interleaved anew with each answer;
 * the next one starts by the family that was not tried last.
 * Those that no source address leads to stand behind all others, whatever their family.
 *
 * An attempt that fails makes the next one due at once, be it under way or hardly begun. Only where the
 * lack is ours, of descriptors or ports, does the next one wait for the pace.
 *
 * Invariants:
 *     D1  no attempt is made to an address that `permit` has not allowed.
 *     D2  each address is judged when its answer arrives, also those for which there is no room among the
 *         candidates, before any candidate of that answer is tried; with DIAL_MIXED_REFUSE one refused address
 *         ends the dial, also in the middle of a race.
 *     D3  at most RECORD_ATTEMPTS_MAX attempts live; for one more the oldest is given up, which is by
 *         then seven attempt delays old.
 *     D4  after the end nothing is live: losers are closed, timers and questions cancelled.
 *
 * Rows of `attempts` are kept up to their number; beyond it the row of the oldest ended attempt is used
 * again, so that rows need not stand in order of time then.
 *
 * The causes of several failed attempts are weighed: "refused" tells more than "timed out", and this
 * more than "unreachable", which is what the family that the network lacks always says. */

#include "net/dial.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/number.h"
#include "net/addr_sort.h"
#include "net/tcp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const uint64_t dial_attempt_delay_ns = 250 * NS_PER_MS;
static const uint64_t dial_resolution_delay_ns = 50 * NS_PER_MS;

enum { DIAL_HALF_SHIFT = 15, DIAL_INDEX_MASK = 0x7fff };

static_assert((int)DNS_ADDRESSES_MAX <= (int)DIAL_INDEX_MASK + 1, "an index fits");
static_assert((int)DIAL_CANDIDATES_MAX <= (int)ADDR_SORT_MAX, "all can be sorted");
static_assert((int)DIAL_CANDIDATES_MAX <= UINT8_MAX, "they can be counted");

/* ---- causes ---- */

const char *dial_cause_text(enum dial_cause cause)
{
    switch (cause) {
#define X(name, sentence) \
    case DIAL_##name: return sentence;
        DIAL_CAUSES(X)
#undef X
    }
    return "";
}

static enum dial_cause dial_cause_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED: return DIAL_CONNECT_REFUSED;
    case ECONNRESET:
    case EPIPE: return DIAL_CONNECT_RESET;
    case ETIMEDOUT: return DIAL_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EADDRINUSE:
    case EADDRNOTAVAIL: return DIAL_CONNECT_LIMIT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EACCES:
    case EPERM:
    case EAFNOSUPPORT: return DIAL_CONNECT_UNREACHABLE;
    default: return DIAL_CONNECT_ERROR;
    }
}

/* How much a failed attempt tells, see above. */
static uint8_t dial_weight_of(enum dial_cause cause)
{
    if (cause == DIAL_CONNECT_LIMIT)
        return 6;
    if (cause == DIAL_CONNECT_REFUSED)
        return 5;
    if (cause == DIAL_CONNECT_RESET)
        return 4;
    if (cause == DIAL_CONNECT_TIMEOUT)
        return 3;
    return cause == DIAL_CONNECT_ERROR ? 2 : 1;
}

static enum dial_cause dial_cause_of_answer(enum answer_result result)
{
    switch (result) {
    case ANSWER_FOUND:
    case ANSWER_NODATA: return DIAL_DNS_NODATA;
    case ANSWER_NXDOMAIN: return DIAL_DNS_NXDOMAIN;
    case ANSWER_REFUSED: return DIAL_DNS_REFUSED;
    case ANSWER_ERROR: return DIAL_DNS_ERROR;
    case ANSWER_SERVFAIL: return DIAL_DNS_SERVFAIL;
    case ANSWER_TIMEOUT: return DIAL_DNS_TIMEOUT;
    }
    return DIAL_DNS_ERROR;
}

/* ---- the end ---- */

/* Close an attempt that is under way. `end_ns` 0: it lost the race. */
static void dial_attempt_close(struct dial *dial, unsigned row, int os_error, uint64_t end_ns)
{
    CHECK(dial->race[row].transport != NULL);
    transport_close(&dial->race[row].transport, /* is_abort= */ false);
    dial->attempts[row].os_error = os_error;
    dial->attempts[row].end_ns = end_ns;
    dial->live_count--;
}

static void dial_close_live(struct dial *dial, int os_error, uint64_t end_ns)
{
    for (unsigned row = 0; row < dial->attempt_count; row++)
        if (dial->race[row].transport != NULL)
            dial_attempt_close(dial, row, os_error, end_ns);
}

/* Nothing is under way after this (D4). */
static void dial_stop(struct dial *dial)
{
    dial_close_live(dial, ECANCELED, 0);
    timer_cancel(&dial->deadline);
    timer_cancel(&dial->pace);
    question_cancel(&dial->question);
}

/* An answer is not all that is waited for any more. */
static void dial_end_names(struct dial *dial, uint64_t now_ns)
{
    if (dial->names_since_ns != 0)
        dial->names_ns += now_ns - dial->names_since_ns;
    dial->names_since_ns = 0;
}

static void dial_end(struct dial *dial, enum dial_cause cause, int os_error)
{
    CHECK(dial->cause == DIAL_NONE && cause != DIAL_NONE);
    dial->cause = cause;
    dial->os_error = os_error;
    if (dial->names_since_ns != 0)
        dial_end_names(dial, clock_monotonic_ns());
    if (dial->dns_begin_ns == 0) /* a literal: nothing was looked up */
        dial->dns_end_ns = 0;
    dial_stop(dial);
    loop_queue(dial->engine->loop, &dial->task); /* tells on_done */
}

/* An attempt failed; the cause that tells most is remembered for the end. */
static void dial_note_failure(struct dial *dial, int os_error)
{
    enum dial_cause cause = dial_cause_of_errno(os_error);
    if (dial->engine->counters != NULL)
        counter_add(dial->engine->counters, COUNT_CONNECT_FAILURES, 1);
    if (dial_weight_of(cause) <= dial->failure_weight)
        return;
    dial->failure_weight = dial_weight_of(cause);
    dial->os_error = os_error;
}

static void dial_fail_names(struct dial *dial)
{
    enum answer_result worst = ANSWER_NODATA;
    for (int i = 0; i < HALF_COUNT; i++) {
        const struct question_half *half = &dial->question.half[i];
        if (half->is_wanted && half->is_answered && half->result > worst)
            worst = half->result;
    }
    dial->dns_end_ns = clock_monotonic_ns();
    dial_end(dial, dial_cause_of_answer(worst), 0);
}

/* ---- candidates ---- */

static struct inet_endpoint dial_endpoint_of(const struct dial *dial, int half, size_t index)
{
    struct inet_addr addr = inet_addr_unmap(&dial->question.half[half].addr[index]);
    return (struct inet_endpoint){.addr = addr, .port = dial->port};
}

static struct inet_endpoint dial_candidate(const struct dial *dial, uint16_t candidate)
{
    return dial_endpoint_of(dial, candidate >> DIAL_HALF_SHIFT, candidate & DIAL_INDEX_MASK);
}

/* The address stays in the record, as an attempt that was not made. */
static void dial_note_denied(struct dial *dial, const struct inet_endpoint *endpoint)
{
    if (dial->denied_count++ == 0)
        dial->denied = *endpoint;
    if (dial->attempt_count == RECORD_ATTEMPTS_MAX)
        return;
    unsigned row = dial->attempt_count++;
    dial->attempts[row] = (struct record_attempt){.peer = *endpoint, .os_error = EACCES};
    dial->race[row] = (struct dial_attempt){0};
}

/* First family first, then in turn (RFC 8305 §4), starting with another than the one tried last. */
static void dial_interleave(const struct inet_addr *addr, const uint8_t *order, size_t count,
                            uint8_t last_family, uint8_t *ret_order)
{
    bool is_used[ADDR_SORT_MAX] = {false};
    for (size_t filled = 0; filled < count; filled++) {
        size_t pick = count;
        for (size_t i = count; i-- > 0;)
            if (!is_used[i] && addr[order[i]].family != last_family)
                pick = i;
        for (size_t i = 0; pick == count; i++)
            if (!is_used[i])
                pick = i;
        is_used[pick] = true;
        ret_order[filled] = order[pick];
        last_family = addr[order[pick]].family;
    }
}

/* Does the kernel know a source address towards it, as far as we can ask? */
static bool dial_has_source(const struct dial *dial, const struct inet_addr *to)
{
    struct addr_source *sources = dial->engine->sources;
    return sources == NULL || addr_source_ask(sources, to).family != INET_NONE;
}

/* Order the candidates that were not tried yet. */
static void dial_sort(struct dial *dial)
{
    struct inet_addr addr[DIAL_CANDIDATES_MAX];
    uint16_t waiting[DIAL_CANDIDATES_MAX];
    uint8_t order[DIAL_CANDIDATES_MAX];
    uint8_t mixed[DIAL_CANDIDATES_MAX];
    uint16_t *rest = dial->candidates + dial->candidate_next;
    size_t count = (size_t)(dial->candidate_count - dial->candidate_next);

    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++) {
        addr[i] = dial_candidate(dial, rest[i]).addr;
        waiting[i] = rest[i];
        order[i] = (uint8_t)i;
    }
    size_t usable = count;
    if (dial->engine->sources != NULL) {
        addr_sort(addr, count, addr_source_ask, dial->engine->sources, order);
        while (usable > 0 && !dial_has_source(dial, &addr[order[usable - 1]]))
            usable--; /* RFC 6724 §6 rule 1: they stand last */
    }
    dial_interleave(addr, order, usable, dial->last_family, mixed);
    uint8_t last_family = usable > 0 ? addr[mixed[usable - 1]].family : dial->last_family;
    dial_interleave(addr, order + usable, count - usable, last_family, mixed + usable);
    for (size_t i = 0; i < count; i++)
        rest[i] = waiting[mixed[i]];
}

/* Take a half's answer in: the gate judges every address (D2). */
static void dial_adopt(struct dial *dial, int index)
{
    const struct question_half *half = &dial->question.half[index];
    unsigned room = DIAL_CANDIDATES_MAX / HALF_COUNT;
    CHECK(half->count <= DIAL_INDEX_MASK + 1); /* D2: none is left out */
    dial->adopted |= (uint8_t)(1U << index);
    for (size_t i = 0; i < half->count; i++) {
        struct inet_endpoint endpoint = dial_endpoint_of(dial, index, i);
        if (dial->dns_answers < UINT8_MAX)
            dial->dns_answers++;
        if (!dial->permit(dial->owner, &endpoint)) {
            dial_note_denied(dial, &endpoint);
            dial->refused_half = (uint8_t)index;
        } else if (room > 0) {
            room--;
            dial->candidates[dial->candidate_count++] =
                (uint16_t)((unsigned)index << DIAL_HALF_SHIFT | (unsigned)i);
        }
    }
    dial_sort(dial);
}

/* Take in what arrived. */
static void dial_adopt_all(struct dial *dial)
{
    for (int i = HALF_COUNT - 1; i >= 0; i--)
        if (dial->question.half[i].is_answered && (dial->adopted & 1U << i) == 0)
            dial_adopt(dial, i);
}

/* One address refuses the whole. */
static bool dial_is_refused(const struct dial *dial)
{
    return dial->denied_count > 0 && dial->options.mixed == DIAL_MIXED_REFUSE;
}

static void dial_refuse(struct dial *dial)
{
    if (dial->dns_end_ns == 0)
        dial->dns_end_ns = clock_monotonic_ns();
    dial->dns_source = dial->question.half[dial->refused_half].source;
    dial_end(dial, DIAL_DENIED, 0);
}

/* No answer is outstanding. */
static bool dial_is_answered(const struct dial *dial)
{
    for (int i = 0; i < HALF_COUNT; i++)
        if (dial->question.half[i].is_wanted && !dial->question.half[i].is_answered)
            return false;
    return true;
}

/* ---- the race ---- */

/* Recorder. */
static void dial_on_ready(struct transport *transport)
{
    struct dial_attempt *attempt = transport->owner;
    loop_queue(attempt->dial->engine->loop, &attempt->dial->task);
}

/* A row for one more attempt: a new one, else that of the oldest that ended, else the oldest is given
 * up (D3). */
static unsigned dial_take_row(struct dial *dial)
{
    if (dial->attempt_count < RECORD_ATTEMPTS_MAX)
        return dial->attempt_count++;
    unsigned oldest = 0;
    bool is_oldest_live = true;
    for (unsigned row = 0; row < RECORD_ATTEMPTS_MAX; row++) {
        bool is_live = dial->race[row].transport != NULL;
        bool is_older = dial->attempts[row].begin_ns < dial->attempts[oldest].begin_ns;
        if (row > 0 && (is_live != is_oldest_live ? is_live : !is_older))
            continue;
        oldest = row;
        is_oldest_live = is_live;
    }
    if (is_oldest_live) {
        dial_attempt_close(dial, oldest, ETIMEDOUT, clock_monotonic_ns());
        dial_note_failure(dial, ETIMEDOUT);
    }
    return oldest;
}

static bool dial_source_fits(const struct dial *dial, const struct inet_endpoint *peer)
{
    const struct inet_addr *source = dial->options.socket.source;
    return source == NULL || source->family == INET_NONE || source->family == peer->addr.family;
}

/* The errno of an attempt that could not begin. EADDRNOTAVAIL says that ports ran out, but also that the
 * machine has no address of that family at all, which is no lack of ours. */
static int dial_begin_error(const struct dial *dial, const struct inet_endpoint *peer, int error)
{
    if (error == EADDRNOTAVAIL && !dial_has_source(dial, &peer->addr))
        return ENETUNREACH;
    return error != 0 ? error : EIO;
}

enum status dial_open(void *owner, const struct inet_endpoint *endpoint,
                      const struct socket_dial_options *options, int *ret_fd)
{
    (void)owner;
    return socket_dial(endpoint, options, ret_fd);
}

/* Begin an attempt to the next candidate; 0, or the errno with which it failed at once. */
static int dial_attempt_begin(struct dial *dial)
{
    struct inet_endpoint peer = dial_candidate(dial, dial->candidates[dial->candidate_next++]);
    unsigned row = dial_take_row(dial);
    struct record_attempt *record = &dial->attempts[row];
    struct dial_attempt *attempt = &dial->race[row];
    int fd = -1;

    *record = (struct record_attempt){.peer = peer, .begin_ns = clock_monotonic_ns()};
    dial_end_names(dial, record->begin_ns);
    dial->last_family = peer.addr.family;
    dial->attempt_total++;
    if (dial->connect_begin_ns == 0)
        dial->connect_begin_ns = record->begin_ns;

    enum status status = ST_IO;
    errno = EAFNOSUPPORT;
    if (dial_source_fits(dial, &peer))
        status = dial->engine->open(dial->engine->open_owner, &peer, &dial->options.socket, &fd);
    *attempt = (struct dial_attempt){.dial = dial};
    if (status == ST_OK)
        status = tcp_create(dial->engine->loop, dial->engine->tcp_slab, fd, /* ready= */ 0,
                            &attempt->transport);
    if (status == ST_NOMEM)
        errno = ENOMEM;
    if (status == ST_OK) {
        transport_listen(attempt->transport, attempt, dial_on_ready);
        record->os_error = EINPROGRESS;
        dial->live_count++;
        return 0;
    }
    record->os_error = dial_begin_error(dial, &peer, errno);
    record->end_ns = clock_monotonic_ns();
    dial_note_failure(dial, record->os_error);
    return record->os_error;
}

static void dial_win(struct dial *dial, unsigned row)
{
    struct dial_attempt *attempt = &dial->race[row];
    struct record_attempt *record = &dial->attempts[row];
    dial->won = attempt->transport;
    transport_listen(dial->won, NULL, NULL);
    attempt->transport = NULL;
    dial->live_count--;

    record->os_error = 0;
    record->end_ns = dial->connect_end_ns = clock_monotonic_ns();
    dial->peer = record->peer;
    if (dial->engine->counters != NULL)
        counter_add(dial->engine->counters, COUNT_CONNECTS, 1);
    dial_end(dial, DIAL_CONNECTED, 0);
}

/* What became of an attempt that reported: 0 connected, else an errno. A connect to a local port that
 * nobody listens on may meet its own socket, when the kernel chose just this port for our side. */
static int dial_attempt_error(const struct dial *dial, unsigned row,
                              struct inet_endpoint *ret_local)
{
    const struct transport *transport = dial->race[row].transport;
    int fd = tcp_fd(transport);
    int error = (transport->ready & WATCH_ERROR) != 0 ? socket_error(fd) : 0;
    if (error != 0)
        return error;
    *ret_local = socket_local(fd);
    return inet_endpoint_equals(ret_local, &dial->attempts[row].peer) ? ECONNREFUSED : 0;
}

/* See how the attempts that reported went; the one that began first wins a tie. */
static void dial_collect(struct dial *dial)
{
    unsigned winner = RECORD_ATTEMPTS_MAX;
    for (unsigned row = 0; row < dial->attempt_count; row++) {
        const struct transport *transport = dial->race[row].transport;
        if (transport == NULL || (transport->ready & (WATCH_WRITE | WATCH_ERROR)) == 0)
            continue;
        struct inet_endpoint local;
        int error = dial_attempt_error(dial, row, &local);
        if (error != 0) {
            dial_attempt_close(dial, row, error, clock_monotonic_ns());
            dial_note_failure(dial, error);
            dial->is_pace_due = true;
        } else if (winner == RECORD_ATTEMPTS_MAX ||
                   dial->attempts[row].begin_ns < dial->attempts[winner].begin_ns) {
            winner = row;
            dial->local = local;
        }
    }
    if (winner < RECORD_ATTEMPTS_MAX)
        dial_win(dial, winner);
}

/* Does nothing that is still to come matter to the first attempt? */
static bool dial_knows_enough(const struct dial *dial)
{
    const struct question_half *v6 = &dial->question.half[HALF_V6];
    if (dial->options.mixed ==
        DIAL_MIXED_REFUSE) /* the other family may hold what refuses the whole */
        return dial_is_answered(dial);
    return !v6->is_wanted || v6->is_answered;
}

/* Is the other answer there, or waited for long enough (RFC 8305 §3)? */
static bool dial_is_ripe(struct dial *dial)
{
    if (dial->is_pace_due || dial_knows_enough(dial))
        return true;
    if (dial->options.mixed == DIAL_MIXED_SKIP && dial->engine->sources != NULL &&
        !addr_source_has_family(dial->engine->sources, INET_V6))
        return true;
    if (!timer_is_set(&dial->pace))
        timer_set_in(dial->engine->loop, &dial->pace, dial->options.resolution_delay_ns);
    return false;
}

/* When the wait for answers was over: with the last one, which may hold no address, or now, since it took too long. */
static uint64_t dial_answered_ns(const struct dial *dial)
{
    if (dial->is_pace_due && !dial_knows_enough(dial))
        return clock_monotonic_ns();
    uint64_t last_ns = 0;
    for (int i = 0; i < HALF_COUNT; i++)
        if (dial->question.half[i].is_answered)
            last_ns = u64_most(last_ns, dial->question.half[i].answered_ns);
    return last_ns;
}

/* The answer that the race begins with: the later one of those that are used. */
static void dial_begin_race(struct dial *dial)
{
    uint64_t latest_ns = 0;
    dial->dns_end_ns = dial_answered_ns(dial);
    dial->is_racing = true;
    dial->is_pace_due = true;
    for (int i = 0; i < HALF_COUNT; i++) {
        const struct question_half *half = &dial->question.half[i];
        if (half->count == 0 || half->answered_ns < latest_ns)
            continue;
        dial->dns_source = half->source;
        latest_ns = half->answered_ns;
    }
}

/* Out of descriptors: no other address would do better. */
static bool dial_is_starved(const struct dial *dial)
{
    return dial->live_count == 0 && dial->failure_weight == dial_weight_of(DIAL_CONNECT_LIMIT);
}

/* Is there another candidate, or may one come? */
static bool dial_may_go_on(const struct dial *dial)
{
    return dial->candidate_next < dial->candidate_count || !dial_is_answered(dial);
}

static void dial_start_attempts(struct dial *dial)
{
    while (dial->candidate_next < dial->candidate_count && !dial_is_starved(dial) &&
           (dial->is_pace_due || dial->live_count == 0)) {
        int error = dial_attempt_begin(dial);
        dial->is_pace_due = error != 0 && dial_cause_of_errno(error) != DIAL_CONNECT_LIMIT;
        if (!dial->is_pace_due && dial_may_go_on(dial))
            timer_set_in(dial->engine->loop, &dial->pace, dial->options.attempt_delay_ns);
    }
    if (dial->live_count > 0)
        return;
    bool is_exhausted = dial->candidate_next == dial->candidate_count && dial_is_answered(dial);
    if (is_exhausted || dial_is_starved(dial))
        dial_end(dial, dial_cause_of_errno(dial->os_error), dial->os_error);
    else if (dial->names_since_ns == 0)
        dial->names_since_ns = clock_monotonic_ns();
}

/* Do what can be done with what is known. */
static void dial_advance(struct dial *dial)
{
    dial_adopt_all(dial);
    if (dial_is_refused(dial)) {
        if (dial->is_racing || dial_is_ripe(dial))
            dial_refuse(dial);
        return;
    }
    if (!dial->is_racing && dial->candidate_count > 0 && dial_is_ripe(dial))
        dial_begin_race(dial);
    if (dial->is_racing) {
        dial_start_attempts(dial);
    } else if (dial->candidate_count == 0 && dial_is_answered(dial)) {
        if (dial->denied_count == 0) {
            dial_fail_names(dial);
            return;
        }
        dial->dns_end_ns = clock_monotonic_ns();
        dial_end(dial, DIAL_DENIED, 0);
    }
}

/* The deadline passed: what is live has timed out. */
static void dial_expire(struct dial *dial)
{
    if (dial_is_refused(dial)) {
        dial_refuse(dial);
        return;
    }
    if (!dial->is_racing && dial->candidate_count == 0) {
        dial->dns_end_ns = clock_monotonic_ns();
        dial_end(dial, DIAL_DNS_TIMEOUT, 0);
        return;
    }
    if (dial->live_count > 0 || dial->failure_weight == 0)
        dial_note_failure(dial, ETIMEDOUT);
    dial_close_live(dial, ETIMEDOUT, clock_monotonic_ns());
    dial_end(dial, dial_cause_of_errno(dial->os_error), dial->os_error);
}

/* ---- events ---- */

static void dial_on_pace(struct timer *timer)
{
    struct dial *dial = CONTAINER_OF(timer, struct dial, pace);
    dial->is_pace_due = true;
    loop_queue(dial->engine->loop, &dial->task);
}

static void dial_on_deadline(struct timer *timer)
{
    struct dial *dial = CONTAINER_OF(timer, struct dial, deadline);
    dial->is_late = true;
    loop_queue(dial->engine->loop, &dial->task);
}

static void dial_on_answer(struct question *question, int half)
{
    (void)half; /* it is in the question */
    struct dial *dial = question->owner;
    loop_queue(dial->engine->loop, &dial->task);
}

/* Act on what was recorded; what connected in time wins over a deadline of the same turn. */
static void dial_run(struct task *task)
{
    struct dial *dial = CONTAINER_OF(task, struct dial, task);
    if (dial->cause == DIAL_NONE)
        dial_collect(dial);
    if (dial->cause == DIAL_NONE && dial->is_late)
        dial_expire(dial);
    if (dial->cause == DIAL_NONE)
        dial_advance(dial);
    if (dial->cause == DIAL_NONE || !dial->is_active)
        return;
    dial->is_active = false;
    task_cancel(&dial->task);
    dial->on_done(dial->owner, dial);
}

void dial_start(struct dial *dial, const struct dial_engine *engine,
                const struct dial_request *request)
{
    CHECK(!dial->is_active);
    memset(dial, 0, DIAL_FRONT);
    dial->is_active = true;
    dial->port = request->port;
    dial->engine = engine;
    dial->options = request->options;
    dial->owner = request->owner;
    dial->permit = request->permit;
    dial->on_done = request->on_done;
    if (dial->options.attempt_delay_ns == 0)
        dial->options.attempt_delay_ns = dial_attempt_delay_ns;
    if (dial->options.resolution_delay_ns == 0)
        dial->options.resolution_delay_ns = dial_resolution_delay_ns;
    task_init(&dial->task, dial_run);
    timer_init(&dial->deadline, dial_on_deadline);
    timer_init(&dial->pace, dial_on_pace);
    timer_set(engine->loop, &dial->deadline, request->deadline_ns);

    unsigned asks = request->options.asks_as_is ? ASK_BOTH | ASK_AS_IS : ASK_BOTH;
    enum status status =
        resolver_ask(engine->resolver, &dial->question, request->host, asks, dial, dial_on_answer);
    if (request->host->kind == HOST_NAME)
        dial->dns_begin_ns = dial->question.asked_ns;
    if (status == ST_OK || dial->question.half[HALF_V4].is_answered ||
        dial->question.half[HALF_V6].is_answered)
        dial_advance(dial);
}

uint64_t dial_names_ns(const struct dial *dial)
{
    uint64_t since_ns = dial->names_since_ns;
    return dial->names_ns + (since_ns != 0 ? clock_monotonic_ns() - since_ns : 0);
}

struct transport *dial_take(struct dial *dial)
{
    struct transport *won = dial->won;
    dial->won = NULL;
    return won;
}

void dial_cancel(struct dial *dial)
{
    if (dial->engine == NULL)
        return;
    dial->is_active = false;
    task_cancel(&dial->task);
    dial_stop(dial);
    transport_close(&dial->won, /* is_abort= */ false);
}
