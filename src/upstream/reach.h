#ifndef FAIRLEAD_UPSTREAM_REACH_H
#define FAIRLEAD_UPSTREAM_REACH_H

#include "base/host.h"
#include "net/dial.h"
#include "net/transport.h"
#include "record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reaching an origin: name, connect, TLS, as one question with one answer.
 *
 *   idle --reach_start--> dialling --(TLS wanted)--> shaking hands --> done
 *            any of them --reach_cancel--> idle
 *
 * Every connection that leaves this program is made here, and every address passes `permit` first. */

struct engine;
struct snapshot;
struct reach;

enum reach_result {
    REACH_OK,
    REACH_DIAL_FAILED, /* `dial_cause` tells */
    REACH_TLS_CERTIFICATE,
    REACH_TLS_ALERT, /* the origin refused the handshake */
    REACH_TLS_FAILED,
    REACH_TLS_TIMEOUT,
    REACH_NO_MEMORY,
};

struct reach {
    /* The question; set by the caller between reach_init and reach_start. */
    struct engine *engine;
    struct snapshot *snapshot; /* its settings hold to the end; borrowed */
    const struct host *host;   /* borrowed until the end */
    uint16_t port;
    bool is_tls;
    bool (*permit)(void *owner, const struct inet_endpoint *endpoint);
    void (*on_done)(struct reach *reach); /* recorder */
    void *owner;

    /* The answer. */
    enum reach_result result;
    enum dial_cause dial_cause;
    struct transport *transport; /* the caller's from REACH_OK on */
    struct inet_endpoint peer;
    struct inet_endpoint source;
    struct record_tls tls;
    uint64_t dns_begin_ns, dns_end_ns; /* 0 where it did not happen */
    uint64_t connect_begin_ns, connect_end_ns;
    uint64_t names_ns; /* of that, no attempt was under way and name servers were awaited */
    uint64_t tls_begin_ns, tls_end_ns;
    uint8_t dns_source;
    uint8_t dns_answers;
    uint8_t attempt_count;
    bool
        is_untrusted; /* the certificate was refused, and another authority would make it a good one */

    /* private */
    bool is_started;
    bool is_dialled; /* the dial ended, the task has not looked yet */
    bool is_handed;  /* on_done ran */
    bool is_late;    /* the handshake's time is over, the task has not looked yet */
    struct timer timer;
    struct task task;
    struct dial dial;
    char session_key[HOST_MAX + 8];

    /* The answer, too. */
    struct record_attempt attempts[RECORD_ATTEMPTS_MAX]; /* `attempt_count` of them */
    char detail[160];                                    /* words of TLS or DNS, "" for none */
};

/* Make it one that was never begun. What has its own beginning, or a count, is not cleared. */
static inline void reach_init(struct reach *reach)
{
    memset(reach, 0, offsetof(struct reach, dial));
    reach->dial.is_active = false;
    reach->detail[0] = '\0';
}

/* Begin. Thread: the worker's. on_done comes in a later step of the loop, never inside this call. */
void reach_start(struct reach *reach);
/* Bring the answer up to what is known while it is on its way: the times, and the attempts so far. */
void reach_look(struct reach *reach);
/* Its times, as marks. */
void reach_mark(const struct reach *reach, struct timeline *timeline);
/* Stop; no on_done comes after it. Idempotent. A transport that was not taken is closed. */
void reach_cancel(struct reach *reach);

#endif
