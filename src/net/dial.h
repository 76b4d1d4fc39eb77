#ifndef FAIRLEAD_NET_DIAL_H
#define FAIRLEAD_NET_DIAL_H

#include "base/host.h"
#include "io/loop.h"
#include "io/socket.h"
#include "net/addr_source.h"
#include "net/resolver.h"
#include "net/transport.h"
#include "record/record.h"

/* One connection to a host and port: resolve, ask the gate, race (Happy Eyeballs v2, RFC 8305).
 *
 * A and AAAA are asked at the same time; what arrives is sorted (RFC 6724) and interleaved by family,
 * attempts start `attempt_delay_ns` apart or as soon as one fails, the first to connect wins and the
 * others are closed. There is no other way to an upstream socket. */

/* How a dial ended. X(NAME, "sentence") */
#define DIAL_CAUSES(X)                                                   \
    X(NONE, "not ended yet")                                             \
    X(CONNECTED, "connected")                                            \
    X(DNS_NXDOMAIN, "the name does not exist")                           \
    X(DNS_NODATA, "the name has no address")                             \
    X(DNS_TIMEOUT, "the name servers did not answer in time")            \
    X(DNS_SERVFAIL, "the name servers failed to look the name up")       \
    X(DNS_REFUSED, "the name servers refuse to answer")                  \
    X(DNS_ERROR, "the look-up failed")                                   \
    X(DENIED, "the address may not be dialled")                          \
    X(CONNECT_REFUSED, "the connection was refused")                     \
    X(CONNECT_UNREACHABLE, "the address cannot be reached")              \
    X(CONNECT_TIMEOUT, "nobody answered in time")                        \
    X(CONNECT_RESET, "the connection was reset while it was being made") \
    X(CONNECT_LIMIT, "out of descriptors, memory or local ports")        \
    X(CONNECT_ERROR, "the connection could not be made")

enum dial_cause {
#define X(name, sentence) DIAL_##name,
    DIAL_CAUSES(X)
#undef X
};

/* What an answer with refused and permitted addresses leads to. */
enum dial_mixed { DIAL_MIXED_REFUSE, DIAL_MIXED_SKIP };

/* What the worker lends; outlives every dial. */
struct dial_engine {
    struct loop *loop;
    struct resolver *resolver;
    struct addr_source *sources;
    struct slab *tcp_slab;
    struct counters *counters; /* or NULL */
    /* The last step, and the only way from here to a socket: dial_open, but for the self-test, which notes the address
     * instead. Errors: as socket_dial. */
    enum status (*open)(void *owner, const struct inet_endpoint *endpoint,
                        const struct socket_dial_options *options, int *ret_fd);
    void *open_owner; /* NULL with dial_open */
};

struct dial_options {
    uint64_t attempt_delay_ns;    /* 0: 250 ms */
    uint64_t resolution_delay_ns; /* 0: 50 ms */
    enum dial_mixed mixed;
    bool asks_as_is; /* no search list for names without a dot */
    /* `source` also limits the family; it must outlive the dial. */
    struct socket_dial_options socket;
};

struct dial;

struct dial_request {
    const struct host *host; /* not kept */
    uint16_t port;
    uint64_t deadline_ns; /* monotonic, for all of it */
    struct dial_options options;
    void *owner;
    /* The gate, asked once for each address before any attempt to it; unmapped. Never calls back. */
    bool (*permit)(void *owner, const struct inet_endpoint *endpoint);
    /* The dial ended: dial->cause tells. From a task, never under dial_start; it may call dial_take
     * and dial_cancel. */
    void (*on_done)(void *owner, struct dial *dial);
};

enum { DIAL_CANDIDATES_MAX = 128 }; /* half of them for each family */

/* An attempt under way. */
struct dial_attempt {
    struct transport *transport; /* NULL: it is over */
    struct dial *dial;
};

/* Embedded by its owner. Everything above "private" is for reading, during the race and after it, until
 * the next dial_start. */
struct dial {
    enum dial_cause cause;
    int os_error;                /* errno of the attempt that gave `cause`; 0 none */
    struct inet_endpoint peer;   /* the winner */
    struct inet_endpoint denied; /* the first refused address; INET_NONE none */
    uint16_t denied_count;       /* refused addresses */
    struct inet_endpoint local;  /* our side of the winner */
    enum dns_source dns_source;  /* of the answer that the race began with */
    uint8_t dns_answers;         /* addresses that came back, capped at 255 */
    uint64_t dns_begin_ns;       /* 0 for literals */
    uint64_t dns_end_ns;       /* the end of the wait for answers before the race, or the failure */
    uint64_t connect_begin_ns; /* first attempt; 0 none */
    uint64_t connect_end_ns;   /* the winner's; 0 none */
    uint32_t attempt_total;    /* also those that had no room in `attempts` */
    uint8_t attempt_count;     /* rows of `attempts` */
    /* private */
    bool is_active;       /* on_done is still to come */
    bool is_racing;       /* the first attempt may begin, or began */
    bool is_pace_due;     /* the pace timer fired */
    bool is_late;         /* the deadline passed */
    uint8_t adopted;      /* bits of the halves whose answer was taken in */
    uint8_t refused_half; /* of `denied_count` the last */
    uint8_t live_count;   /* attempts under way */
    uint8_t last_family;
    uint8_t failure_weight;
    uint8_t candidate_count;
    uint8_t candidate_next;
    uint16_t port;
    uint64_t names_since_ns; /* nothing is live, and an answer is awaited since; 0: else */
    uint64_t names_ns;       /* and was so long before */
    struct transport *won;   /* NULL: nobody won, or it was taken */
    const struct dial_engine *engine;
    struct dial_options options;
    void *owner;
    bool (*permit)(void *owner, const struct inet_endpoint *endpoint);
    void (*on_done)(void *owner, struct dial *dial);
    struct timer deadline;
    struct timer pace; /* the next attempt, or the end of the resolution delay */
    struct task task;
    /* not cleared from here on: set anew, or up to their counts */
    struct question question;
    struct dial_attempt race[RECORD_ATTEMPTS_MAX]; /* row by row with `attempts` */
    uint16_t candidates[DIAL_CANDIDATES_MAX];      /* half << 15 | index in that half's answer */
    /* For reading, `attempt_count` of them. Live ones have end_ns 0 and os_error EINPROGRESS. */
    struct record_attempt attempts[RECORD_ATTEMPTS_MAX];
};

enum { DIAL_FRONT = offsetof(struct dial, question) }; /* what dial_start clears */

/* Start; on_done runs once, in a later step, unless dial_cancel comes first.
 * Ownership: the caller owns `dial`, which need not be initialised before the first start, but for `is_active`, which
 * must be false, and must have ended before the next; `engine` and `request->owner` must outlive the race. */
void dial_start(struct dial *dial, const struct dial_engine *engine,
                const struct dial_request *request);
/* socket_dial for a dial_engine; it has no use for an owner. */
enum status dial_open(void *owner, const struct inet_endpoint *endpoint,
                      const struct socket_dial_options *options, int *ret_fd) MUST_USE;
/* For how long of the race, so far, no attempt was under way and an answer was awaited. */
uint64_t dial_names_ns(const struct dial *dial);
/* The connection, which is the caller's from now on; NULL where there is none (any more). */
struct transport *dial_take(struct dial *dial);
/* Stop at once: attempts and a socket that nobody took are closed, no callback comes after this.
 * Idempotent, safe when all zero, and due in the end also after on_done. */
void dial_cancel(struct dial *dial);

/* The sentence for people; static storage. */
const char *dial_cause_text(enum dial_cause cause);

#endif
