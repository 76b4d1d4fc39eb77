#ifndef FAIRLEAD_PROXY_EXCHANGE_INTERNAL_H
#define FAIRLEAD_PROXY_EXCHANGE_INTERNAL_H

#include "base/arena.h"
#include "base/check.h"
#include "http/hop.h"
#include "http/target.h"
#include "proxy/client.h"
#include "proxy/exchange.h"
#include "proxy/failure.h"
#include "proxy/handler.h"
#include "upstream/pool.h"

#include <stddef.h>

/* What the files of an exchange share: exchange.c (the engine, beginning and end), check.c (may the request pass?),
 * admit.c (limits on who asks), identify.c (who asks), acquire.c (the way to an origin), forward.c (both messages),
 * retry.c (once more on a new connection), rewrite.c (heads), annotate.c (what they tell of themselves), reply.c
 * (answers made here), denials_page.c (the asker's last refusals), tell.c (record). */

enum { EXCHANGE_TAG = TAG('x', 'c', 'h', 'g') };

enum next {
    NEXT_GO_ON,
    NEXT_WAIT,  /* for an event, or the deadline of the timer */
    NEXT_ROUND, /* its task is queued: the next round of this turn, or the next turn, goes on with the present step */
    NEXT_GONE,  /* the exchange is no more */
};

/* The steps, in the order of their life. */
#define STEPS(X) \
    X(check)     \
    X(handle)    \
    X(admit)     \
    X(identify) X(decide) X(charge) X(acquire) X(open) X(send) X(forward) X(reply) X(finish)

enum step {
#define X(name) STEP_##name,
    STEPS(X)
#undef X
};
#define X(name) enum next step_##name(struct exchange *);
STEPS(X)
#undef X

/* What the record tells of the connection to the origin, which may be closed before it is written. The bytes
 * are those of all connections that were tried. */
struct exchange_leg {
    uint64_t in_bytes, out_bytes;
    uint64_t conn_id; /* 0: there was none, and what follows is not set */
    struct inet_endpoint peer;
    struct inet_endpoint source;
    struct record_tls tls;
    uint32_t use;
    uint64_t age_ns; /* when it was taken */
    uint64_t paid_dns_ns, paid_connect_ns, paid_tls_ns;
    struct record_tcp tcp; /* where the exchange was slow */
};

static inline void exchange_leg_init(struct exchange_leg *leg)
{
    leg->in_bytes = leg->out_bytes = leg->conn_id = 0;
}

/* What the metrics know of so far. */
struct exchange_bytes {
    uint64_t client_in, client_out, upstream_in, upstream_out;
};

/* A body on its way from one stream to the other. */
struct flow {
    struct kernel_pipe *pipe;  /* what was spliced is in it; NULL while nothing is */
    bool trickles;             /* the last splice brought so little that a copy is cheaper */
    uint64_t stalled_since_ns; /* the receiver takes nothing since; 0: it does */
    uint64_t stalled_ns;       /* and did so long before */
    uint64_t limited_since_ns; /* a limit on bandwidth lets nothing pass since; 0: none does */
    uint64_t limited_ns;       /* and did so long before */
    uint64_t last_ns;          /* when bytes moved last, or could have again; 0: none did */
    uint64_t quiet_ns;         /* the sender's pauses, RECORD_PAUSE_NS or longer each */
    uint64_t pauses;           /* and their number */
};

struct exchange {
    uint32_t tag;
    enum step step;
    struct client *client;
    struct link client_link;  /* in client->exchanges */
    struct link running_link; /* in proxy->running, while something of it may move */
    struct proxy *proxy;
    struct snapshot *snapshot; /* pinned: everything is decided under it */
    struct task task;
    struct timer timer;
    struct grave grave;
    struct arena arena; /* of a head while it is written, of an answer of ours; else empty */
    uint64_t id;
    uint64_t run_ns; /* when the head came that its first run is for; 0: it has waited since */

    /* the request */
    struct stream *down;
    const struct head *request;
    bool is_head_bad; /* at fault or late: `request` is what was understood of it */
    struct framing request_body;
    enum method method;
    const struct host *host; /* of `target`; NULL: not for an origin, as far as is known */
    uint16_t port;
    bool is_tls;
    bool is_upgrade;     /* the client asks for one, and it is passed on */
    bool wants_continue; /* Expect: 100-continue */
    bool wants_denials;  /* our own page of the asker's last refusals */
    bool is_answered;    /* by the check: it is only admitted, and goes nowhere */

    /* who asks (identify.c) */
    struct identity who;
    bool was_looked_at;       /* identify has begun: `who` is nobody but for what it found */
    struct inquiry *inquiry;  /* a password is being hashed for it; NULL: none is */
    struct link inquiry_link; /* in inquiry->waiting; linked while there is one */
    uint8_t verdict;          /* enum verdict: what came of it */
    uint32_t member;          /* of the snapshot's roster, where it is right */
    uint32_t retry_after_s;   /* of the refusal; 0: none is told */

    /* upstream */
    struct lease lease;
    bool has_reached;         /* `reach` was begun */
    bool is_reaching;         /* and is not done with */
    bool has_refused_address; /* of those that it came to: `words` have the rule and remedy */
    bool may_retry; /* an idempotent method on a pooled connection, and all that went out at hand */
    bool has_retried;
    struct block *kept; /* the body so far, while it may be sent again; NULL: none */
    size_t kept_len;
    struct slice resend; /* of `kept`: what goes out before the rest of the body */

    /* both messages on their way */
    bool awaits_continue; /* the client holds its body back until the origin says something */
    bool request_done;    /* its last byte was given to the stream */
    bool request_sent;    /* and taken by the kernel */
    bool is_up_deaf;      /* the origin takes no more of it */
    bool is_request_cut; /* the client ended it behind the head of an early answer, which goes on */
    bool is_bulk;        /* its last run moved SHARE_FIRST of a body or more */
    bool request_waits;  /* what is queued of it was left for this round of the turn */
    bool response_waits; /* the same */
    bool response_head_done;
    bool response_done;
    bool response_sent;
    bool is_tunnel; /* both ends left HTTP, and the record went with them */
    bool is_local;
    bool tls_is_optional;  /* of a tunnel, by the rule that let it pass */
    bool is_late;          /* the present wait's deadline passed */
    bool is_unwanted;      /* memory is short, and nothing of it moves */
    bool is_overdue;       /* its handler wants the place that its answer takes */
    uint16_t fault_status; /* what answers CAUSE_BAD_REQUEST; 0: 400 */
    uint16_t status;       /* sent to the client */
    uint16_t upstream_status;
    uint8_t upstream_minor;
    const struct hop *response_hop; /* of the final head; lives as long as that */
    struct flow request_flow;
    struct flow response_flow;
    uint64_t moved_bytes; /* on both legs, when it was looked at last */
    uint64_t progress_ns; /* when that changed, or the step began to wait; 0: it has not yet */
    struct exchange_bytes counted;
    uint64_t resume_ns;     /* when its budget lets more bytes pass; 0: it holds nothing up */
    uint64_t slow_since_ns; /* limits.body_rate: when the present window began; 0: none did */
    uint64_t slow_moved;    /* and what had moved by then */
    uint64_t waiting_ns;    /* since when the response head is waited for */
    uint64_t held_since_ns; /* the client holds its body back for a 100 (Continue) since; 0: not */
    uint64_t held_ns;       /* and did so long before */

    /* failure and refusal */
    enum cause cause;
    uint8_t ended_by; /* enum record_leg */
    uint8_t end;      /* enum record_end */
    /* "" where there is none; else in `words` */
    const char *detail; /* of the failure */
    const char *rule;   /* of the refusal */
    const char *remedy; /* what would change it */

    /* names of rules, in the snapshot; empty: none */
    struct slice allowed_by;
    struct slice would_deny; /* what only observes */

    struct slice reply_body; /* what the kernel has not taken of a local answer */
    struct answer_source
        *reply_source; /* what it goes on with; NULL: nothing, or nothing any more */

    /* not cleared from here on: what begins otherwise, or is set where a flag above says so */
    struct timeline timeline;
    struct exchange_leg leg;
    struct target target;
    struct {
        char detail[256];
        char rule[160];
        char remedy[160];
    } words;
    struct reach reach; /* has_reached */
};

enum { EXCHANGE_FRONT = offsetof(struct exchange, timeline) }; /* what is cleared */

static inline const struct config *exchange_config(const struct exchange *x)
{
    return x->snapshot->config;
}
static inline struct slice exchange_host_name(const struct exchange *x)
{
    return x->host != NULL ? host_slice(x->host) : SLICE_NONE;
}
static inline struct loop *exchange_loop(const struct exchange *x)
{
    return x->proxy->engine->loop;
}

/* ---- exchange.c ---- */

/* Recorder of both its streams, whose owner it is. */
void exchange_on_stream_ready(struct stream *stream);
/* Go to another step; the timer of the last one is void. Always NEXT_GO_ON. */
enum next exchange_enter(struct exchange *x, enum step step);
/* Something happened that makes running it worth while. */
void exchange_wake(struct exchange *x);
/* It had its share of the turn and has more to move. */
void exchange_wake_later(struct exchange *x);
/* Is nobody there any more for an answer? A client that ended its direction in order may still read: that it did is
 * marked, and the exchange goes on. */
bool exchange_client_left(struct exchange *x);
/* What is known of the failure beyond its sentence and the rule; "" for nothing. */
const char *exchange_detail(const struct exchange *x);
/* Note a failure: the first one counts. `detail` is copied, and "" where there is nothing to add. */
void exchange_fail(struct exchange *x, enum cause cause, const char *detail);
/* Note the rule that refuses it and what would change that, both copied; "" twice: none does any more. */
void exchange_blame(struct exchange *x, const char *rule, const char *remedy);
/* A failure before anything was asked of an origin: answered. */
enum next exchange_refuse(struct exchange *x, enum cause cause, const char *detail);
/* A failure later: answered where no final head went down yet, else shown by a cut connection. */
enum next exchange_give_up(struct exchange *x, enum cause cause, const char *detail);
/* Give up what was asked of the origin; the record will still tell of it. */
void exchange_drop_upstream(struct exchange *x);
/* Note what moved on both legs since the last look, and set the timer of the present wait anew. */
void exchange_progress(struct exchange *x);
/* Both legs leave HTTP and become a tunnel, which has the record from now on. */
enum next exchange_become_tunnel(struct exchange *x, enum record_kind kind);

/* ---- check.c ---- */

/* What the gate is asked about it. Good while the exchange lives, from step decide on. */
struct gate_question exchange_question(const struct exchange *x);
/* Keep for the record what let it pass, and what only observed. */
void exchange_note_answer(struct exchange *x, const struct gate_answer *answer);

/* ---- identify.c ---- */

/* It ends: nobody is to be told of the answer any more. May be repeated. */
void identify_leave(struct exchange *x);
/* Add Proxy-Authenticate with every challenge there is, to a 407 (RFC 9110 §15.5.8). Errors: ST_NOMEM. */
enum status identify_challenge(struct exchange *x, struct head *head) MUST_USE;

/* ---- admit.c ---- */

/* limits.memory is why it is refused or given up. */
void admit_blame_memory(struct exchange *x);
/* How many bytes of bodies may go this way (BUDGET_UP, BUDGET_DOWN) now; 0: none before x->resume_ns. */
size_t admit_bytes(struct exchange *x, enum budget_rate way);

/* ---- acquire.c ---- */

/* Stop reaching, if it does; how far that came stays known. */
void acquire_leave(struct exchange *x);

/* ---- forward.c ---- */

/* When the present wait of step forward is over, monotonic; and what its end is called. */
uint64_t forward_deadline_ns(const struct exchange *x);
enum cause forward_late_cause(const struct exchange *x);
/* No body moves any more: give back what is held of them, and end their stalls. May be repeated. */
void forward_release(struct exchange *x);

/* ---- retry.c ---- */

/* A connection was taken: may the request go out once more if it fails? */
void retry_prepare(struct exchange *x, bool is_reused);
/* These bytes of the request body went out. */
void retry_keep(struct exchange *x, struct slice bytes);
/* The request is not sent again: the body that was kept goes, or once it is out where it is under way. */
void retry_forget(struct exchange *x);
/* What was kept has gone out, or will not. */
void retry_done(struct exchange *x);
/* The connection failed. True: it is dropped, and the exchange is to acquire another. */
bool retry_begin(struct exchange *x);

/* ---- rewrite.c: new heads in the exchange's arena; errors: ST_NOMEM, ST_LIMIT ---- */

/* What a usual head takes of the arena: lent by whoever also sends it, on his stack. */
enum { REWRITE_ROOM = 2048 };

/* The head that goes upstream. */
enum status rewrite_request(struct exchange *x, struct head *ret_head,
                            struct framing *ret_body) MUST_USE;
/* The head that goes downstream for `response`. */
enum status rewrite_response(struct exchange *x, const struct head *response, struct framing body,
                             struct head *ret_head, struct framing *ret_body) MUST_USE;
/* Those of `trailers` that may pass (RFC 9110 §6.5.1), NULL for none; `hop` is of their head. Errors:
 * ST_NOMEM. */
enum status rewrite_trailers(struct exchange *x, const struct hop *hop,
                             const struct fields *trailers,
                             const struct fields **ret_trailers) MUST_USE;

/* ---- annotate.c ---- */

/* Add what the configuration wants a final head from an origin, or the answer to a CONNECT, to tell of itself. The
 * lease is there. Errors: ST_NOMEM. */
enum status annotate_response(struct exchange *x, struct head *head) MUST_USE;

/* ---- reply.c ---- */

/* The head of a page and the begin of its body. */
#define REPLY_PAGE(title)                                                         \
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"                   \
    "<meta name=\"viewport\" content=\"width=device-width\">"                     \
    "<meta name=\"color-scheme\" content=\"light dark\"><title>" title "</title>" \
    "<body style=\"font-family:sans-serif;max-width:40em;margin:3em auto;padding:0 1em\">"

enum reply_format { REPLY_TEXT, REPLY_JSON, REPLY_HTML };

/* What the request's Accept likes best (RFC 9110 §12.5.1); text where it says nothing. */
enum reply_format reply_format_for(const struct exchange *x);

/* Queue a locally made answer downstream. Errors: ST_NOMEM. */
enum status reply_send(struct exchange *x, const struct answer *answer) MUST_USE;

/* ---- denials_page.c ---- */

/* Does the request ask for the page of the asker's last refusals, in whatever method? `x->target` is known. */
bool denials_page_is_meant(const struct exchange *x);
/* May it be shown to this request, whose asker is known? No where a page of another site could have made a browser ask
 * and read the answer. */
bool denials_page_may_show(const struct exchange *x);
/* Queue it. Errors: ST_NOMEM. */
enum status denials_page_send(struct exchange *x) MUST_USE;
/* Note the failure of the exchange where it is one that its asker may look up. Once, before it is answered. */
void denials_note_exchange(const struct exchange *x);
/* Under whom its refusals are noted (proxy/denials.h); 0: under nobody, since nobody could look them up. */
uint64_t denials_asker(const struct exchange *x);

/* ---- tell.c ---- */

/* Note what is to be told of the lease, once before it is dropped. Takes an exchange without one. */
void exchange_note_upstream(struct exchange *x);
/* The record may be made in this turn, and tells of the head of the request, which nobody looked at since it went out:
 * ask for that memory. */
void exchange_tell_soon(const struct exchange *x);
/* Make the record of the exchange; the lease, if there is one, is still its own. */
void exchange_tell(const struct exchange *x, struct record *record);

#endif
