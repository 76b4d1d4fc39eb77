#ifndef FAIRLEAD_RECORD_TIMELINE_H
#define FAIRLEAD_RECORD_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

/* The marks of one exchange or tunnel and the phases between them.
 *
 * Marks are dumb: the layer that owns an event sets its mark with a fresh clock read, first writer wins,
 * and 0 means "never happened". Durations come from timeline_phase and nowhere else; a phase that did
 * not happen is absent, never zero. X(NAME, "word", "meaning"), the latter as in docs/timing.md. */
#define TIMELINE_MARKS(X)                                                                  \
    X(C_ACCEPT, "c_accept", "the client's connection was accepted")                        \
    X(C_TLS, "c_tls_done", "the client's TLS handshake was done")                          \
    X(C_FIRST, "c_first", "first byte of the request")                                     \
    X(C_HEAD, "c_head", "request head complete")                                           \
    X(C_BODY, "c_body", "last byte of the request body was read")                          \
    X(P_POLICY, "p_policy", "allowed or denied")                                           \
    X(P_SLOT, "p_slot", "a pooled connection was taken, or dialling was allowed to begin") \
    X(U_DNS0, "u_dns0", "the name was asked for")                                          \
    X(U_DNS1, "u_dns1", "the wait for the answers was over that the dial began with")      \
    X(U_SYN0, "u_syn0", "the first connect attempt began")                                 \
    X(U_SYN1, "u_syn1", "the winning connect attempt was done")                            \
    X(U_PT0, "u_pt0", "the TLS handshake with a parent proxy began")                       \
    X(U_PT1, "u_pt1", "the TLS handshake with a parent proxy was done")                    \
    X(U_PX0, "u_px0", "a CONNECT to a parent proxy began")                                 \
    X(U_PX1, "u_px1", "the parent proxy answered the CONNECT")                             \
    X(U_TLS0, "u_tls0", "the TLS handshake with the origin began")                         \
    X(U_TLS1, "u_tls1", "the TLS handshake with the origin was done")                      \
    X(U_TX0, "u_tx0", "first byte of the request queued for the origin")                   \
    X(U_TXH, "u_txh", "request head handed to the kernel")                                 \
    X(U_TX1, "u_tx1", "last byte of the request accepted by the kernel")                   \
    X(U_TXD, "u_txd", "last byte of the request left the socket buffer")                   \
    X(U_1XX, "u_1xx", "first interim response (1xx)")                                      \
    X(U_RX0, "u_rx0", "first byte of the final response")                                  \
    X(U_RXH, "u_rxh", "response head complete")                                            \
    X(U_RX1, "u_rx1", "last byte of the response read")                                    \
    X(D_TX0, "d_tx0", "first byte of the response queued for the client")                  \
    X(D_TX1, "d_tx1", "last byte of the response accepted by the kernel")                  \
    X(T_OPEN, "t_open", "the tunnel opened: the 200 or 101 was sent")                      \
    X(T_UP, "t_up", "first tunnel byte from the client")                                   \
    X(T_DOWN, "t_down", "first tunnel byte from the origin")                               \
    X(T_CH, "t_ch", "the ClientHello in the tunnel was whole")                             \
    X(T_SH, "t_sh", "the origin began to answer it: ServerHello or HelloRetryRequest")     \
    X(T_HS, "t_hs", "the TLS handshake in the tunnel was over")                            \
    X(T_REQ, "t_req", "first data of the client inside TLS: the request")                  \
    X(T_RSP, "t_rsp", "first data of the origin inside TLS behind it: the response")       \
    X(T_LAST, "t_last", "last tunnel byte in either direction")                            \
    X(X_FIN_C, "x_fin_c", "the client's end of file or reset was seen")                    \
    X(X_FIN_U, "x_fin_u", "the origin's end of file or reset was seen")                    \
    X(X_END, "x_end", "the transaction ended")

enum mark {
#define X(name, word, meaning) MARK_##name,
    TIMELINE_MARKS(X)
#undef X
        MARK_COUNT
};

/* X(NAME, "word"): in the order in which they are shown. See docs/timing.md for each definition. */
#define TIMELINE_PHASES(X)          \
    X(CLIENT_TLS, "client_tls")     \
    X(RECEIVE, "receive")           \
    X(BLOCKED, "blocked")           \
    X(DNS, "dns")                   \
    X(CONNECT, "connect")           \
    X(PARENT_TLS, "parent_tls")     \
    X(PARENT, "parent")             \
    X(TLS, "tls")                   \
    X(SEND, "send")                 \
    X(WAIT, "wait")                 \
    X(LOAD, "load")                 \
    X(DELIVER, "deliver")           \
    X(INSIDE_HELLO, "inside_hello") \
    X(INSIDE_TLS, "inside_tls")     \
    X(INSIDE_WAIT, "inside_wait")   \
    X(TUNNEL, "tunnel")             \
    X(CLOSE, "close")               \
    X(TOTAL, "total")

enum phase {
#define X(name, word) PHASE_##name,
    TIMELINE_PHASES(X)
#undef X
        PHASE_COUNT
};

struct timeline {
    uint64_t wall_ns;           /* wall time at `base_ns` */
    uint64_t base_ns;           /* monotonic time of the begin */
    uint64_t at_ns[MARK_COUNT]; /* monotonic; 0 never happened */
};

/* Clear and note both clocks. */
void timeline_begin(struct timeline *timeline);
/* The same for what began a moment ago, as both clocks had it then. */
void timeline_begin_at(struct timeline *timeline, uint64_t base_ns, uint64_t wall_ns);
/* Set a mark now, unless it is set. */
void timeline_mark(struct timeline *timeline, enum mark mark);
/* Set a mark at a given monotonic time, unless it is set or `at_ns` is 0. */
void timeline_mark_at(struct timeline *timeline, enum mark mark, uint64_t at_ns);
/* Forget a mark: a retry on a new connection begins its upstream marks again. */
void timeline_clear(struct timeline *timeline, enum mark mark);

static inline bool timeline_has(const struct timeline *timeline, enum mark mark)
{
    return timeline->at_ns[mark] != 0;
}

/* The only place where marks are subtracted: duration of `phase`, false where it did not happen.
 * Never negative: overlaps are cut as docs/timing.md says. An exchange in progress may be asked. */
bool timeline_phase(const struct timeline *timeline, enum phase phase, uint64_t *ret_ns);
/* The phase that a request which has not ended is in, the last one that has begun, and since when (monotonic). False:
 * it is between two of them. Not for tunnels. */
bool timeline_phase_now(const struct timeline *timeline, enum phase *ret_phase,
                        uint64_t *ret_since_ns);
/* The phase that had begun and was not over when it was given up, and from when to when (monotonic): to the begin of an
 * answer of our own, or to the end. False: there is none, or none that lasted a millisecond. Not for tunnels that
 * opened, nor for what went well (record_unfinished). */
bool timeline_phase_cut_off(const struct timeline *timeline, enum phase *ret_phase,
                            uint64_t *ret_begin_ns, uint64_t *ret_end_ns);
/* Whole microseconds from the base to `at_ns`, downwards; negative for what lies before it. */
int64_t timeline_offset_us(const struct timeline *timeline, uint64_t at_ns);
/* The same timeline with every mark cut to whole microseconds from the base: views that show microseconds take their
 * spans from this one, so that they are rounded once and fit each other exactly. */
void timeline_cut(const struct timeline *timeline, struct timeline *ret_cut);
/* timeline_phase of all phases: of those that happened, whose bits are returned; the rest of *ret_ns is undefined. */
uint64_t timeline_phases(const struct timeline *timeline, uint64_t ret_ns[PHASE_COUNT]);
/* All marks and phases in whole microseconds, as timeline_offset_us and timeline_phase of timeline_cut have them. What
 * has no bit in `marks` or `phases` is undefined. */
struct timeline_spread {
    uint64_t marks;
    uint64_t phases;
    int64_t mark_us[MARK_COUNT + 3]; /* behind the marks private */
    int64_t phase_us[PHASE_COUNT];   /* not negative */
};
void timeline_spread(const struct timeline *timeline, struct timeline_spread *ret_spread);
/* Wall time of a mark; 0 where it never happened. */
uint64_t timeline_wall_ns(const struct timeline *timeline, enum mark mark);
/* Where the phase lies, for views that draw it: both ends monotonic, the second never before the first. Of `blocked`
 * what is within may be `dns`. False where it did not happen. */
bool timeline_bounds(const struct timeline *timeline, enum phase phase, uint64_t *ret_begin_ns,
                     uint64_t *ret_end_ns);

const char *phase_word(enum phase phase);

/* In debug builds: CHECK that marks which imply an order are in it. */
void timeline_check(const struct timeline *timeline);

#endif
