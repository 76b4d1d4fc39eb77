#ifndef FAIRLEAD_PROXY_EXCHANGE_H
#define FAIRLEAD_PROXY_EXCHANGE_H

#include "base/arena.h"
#include "http/hop.h"
#include "http/target.h"
#include "proxy/client.h"
#include "proxy/failure.h"
#include "upstream/pool.h"

/* One request and its response across the proxy. See exchange.c for the steps of its life.
 *
 *   X1  an exchange belongs to its client and ends before it.
 *   X2  at most one final head is sent downstream.
 *   X3  while `up` is set, its transport's events come here; while the exchange lives, so do the client's.
 *   X4  nothing is forwarded before the gate allowed name and address. */

enum next { NEXT_GO_ON, NEXT_WAIT, NEXT_GONE }; /* gone: the exchange is no more */

struct step;

struct exchange {
    uint32_t tag;
    struct client *client;
    struct proxy *proxy;
    struct snapshot *snapshot; /* pinned: everything is decided under it */
    const struct step *step;
    struct task task;
    struct timer timer;
    struct grave grave;
    struct arena arena;

    /* the request */
    const struct head *request; /* NULL where none could be read */
    struct framing request_body;
    enum method method;
    struct hop hop;
    struct target target;
    struct host host;
    uint16_t port;
    bool is_tls;
    bool is_upgrade; /* the client asks for one, and it is passed on */
    bool wants_continue;

    /* upstream */
    struct upstream *up;
    struct reach reach;
    bool is_reaching;
    bool was_reused;
    bool has_retried;
    bool may_not_reuse;

    /* the response */
    bool request_done; /* its last byte was given to the codec */
    bool request_sent; /* and taken by the kernel */
    bool is_up_deaf;   /* the origin takes no more of it */
    bool response_head_done;
    bool response_done;
    bool response_sent;
    bool is_close_framed; /* towards the client */
    bool client_persists;
    bool is_local;
    uint16_t status;

    /* pauses by back-pressure: since when, 0 while not paused */
    uint64_t paused_up_ns;
    uint64_t paused_down_ns;
    uint64_t progress_ns;

    /* failure and refusal */
    enum cause cause;
    char detail[256];
    char rule[160];
    char remedy[160];

    /* the local answer's body, when the kernel does not take it at once */
    struct slice reply_body;

    struct timeline timeline;
    uint64_t id;
    uint64_t stalled_by_client_ns, stalled_by_upstream_ns;
    uint64_t client_in_before, client_out_before, up_in_before, up_out_before;
    uint8_t ended_by, end;
};

/* Begin an exchange on the client's codec. `head` is NULL where the codec found a fault, which is then
 * answered. False: out of memory, the client must close. The exchange may have ended on return. */
bool exchange_begin(struct client *client, const struct head *head, struct framing body);
/* The head did not arrive in time: answer 408. False where that is not possible. */
bool exchange_begin_timed_out(struct client *client);
/* Something happened that makes running it worth while. */
void exchange_wake(struct exchange *exchange);
/* End it now (drain); the client closes. */
void exchange_end(struct exchange *exchange, enum record_end end);

/* ---- for forward.c and reply.c ---- */

/* Note a failure: the first one counts. */
void exchange_fail(struct exchange *exchange, enum cause cause, const char *detail);
/* The head that goes upstream, in the exchange's arena. Errors: ST_NOMEM. */
enum status forward_request_head(struct exchange *exchange, struct head *ret_head,
                                 struct framing *ret_body) MUST_USE;
/* The head that goes downstream for `response`. Errors: ST_NOMEM. */
enum status forward_response_head(struct exchange *exchange, const struct head *response,
                                  struct framing body, struct head *ret_head,
                                  struct framing *ret_body) MUST_USE;
/* Queue a locally made answer downstream. Errors: ST_NOMEM. */
enum status reply_send(struct exchange *exchange, unsigned status, const char *type,
                       struct slice body) MUST_USE;
/* The same for the failure that was noted. Errors: ST_NOMEM. */
enum status reply_send_failure(struct exchange *exchange) MUST_USE;
/* Fill the worker's record from the exchange. */
void exchange_tell(struct exchange *exchange, struct record *record);

#endif
