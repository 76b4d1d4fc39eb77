#ifndef FAIRLEAD_NET_TLS_CONTEXT_H
#define FAIRLEAD_NET_TLS_CONTEXT_H

#include "base/host.h"
#include "base/slice.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What TLS connections share: certificates, trusted authorities, ticket keys and remembered sessions.
 *
 * Contexts are made once for a configuration snapshot and then only read, by all workers. They are
 * counted (atomically); every connection holds one reference as long as it lives.
 * A text that is there and empty is a fault; only SLICE_NONE leaves it out.
 * Faults are whole sentences for people, without a full stop, written to `fault`. */
struct tls_server_context;
struct tls_client_context;

/* ---- ticket keys ---- */

/* The keys under which servers seal session tickets: a current one and the one before, shared by all
 * workers and handed from one snapshot to the next, so that a reload does not forget sessions.
 * They rotate by themselves when they are used. Counted. Thread: any. */
struct tls_tickets;

enum { TLS_TICKET_PERIOD_S = 4 * 3600 }; /* a ticket is good for one to two periods */

/* Errors: NULL out of memory. */
struct tls_tickets *tls_tickets_create(void) MUST_USE;
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
/* Wipes the keys with the last reference; *tickets is NULL afterwards. Takes a pointer to NULL. */
void tls_tickets_unref(struct tls_tickets **tickets);

/* ---- server side ---- */

/* What a fault of a server's context begins with when it is about one of these; else it is the certificate. */
#define TLS_FAULT_KEY       "the private key"
#define TLS_FAULT_CLIENT_CA "the client authority"

struct tls_server_options {
    struct slice certificate;     /* PEM: the certificate, then its chain */
    struct slice key;             /* PEM, not encrypted */
    struct slice client_ca;       /* PEM: authorities for client certificates, or SLICE_NONE */
    bool client_cert_is_required; /* refuse clients without one; needs client_ca */
    bool was_served;              /* this certificate was shown before: its dates refuse nothing */
    struct tls_tickets *tickets;  /* shared keys (a reference is taken); NULL: keys of its own */
};

/* Make a context out of PEM in memory; nothing of `options` is kept but the reference to the tickets.
 * Errors: ST_BAD with a sentence in `fault`; ST_NOMEM. */
enum status tls_server_context_create(const struct tls_server_options *options, struct text *fault,
                                      struct tls_server_context **ret_context) MUST_USE;
struct tls_server_context *tls_server_context_ref(struct tls_server_context *context);
/* Does it show the certificate of this PEM text? */
bool tls_server_context_shows(const struct tls_server_context *context, struct slice certificate);
/* Do both take client certificates of the same authorities, by the text of these? */
bool tls_server_context_trusts_alike(const struct tls_server_context *a,
                                     const struct tls_server_context *b);
/* Is the certificate good today? Errors: ST_BAD with a sentence in `fault`, where it has expired or begins later. */
enum status tls_server_context_check_dates(const struct tls_server_context *context,
                                           struct text *fault) MUST_USE;
/* *context is NULL afterwards. Takes a pointer to NULL. */
void tls_server_context_unref(struct tls_server_context **context);

/* ---- client side ---- */

struct tls_client_options {
    struct slice ca; /* PEM: the only authorities trusted; SLICE_NONE: the system's store */
    struct slice certificate; /* PEM chain to show when the server asks; SLICE_NONE: none */
    struct slice key;         /* PEM of that certificate */
};

/* A verifying client context. Errors: ST_BAD with a sentence in `fault`; ST_NOMEM. */
enum status tls_client_context_create(const struct tls_client_options *options, struct text *fault,
                                      struct tls_client_context **ret_context) MUST_USE;
struct tls_client_context *tls_client_context_ref(struct tls_client_context *context);
/* *context is NULL afterwards. Takes a pointer to NULL. */
void tls_client_context_unref(struct tls_client_context **context);

/* ---- remembered sessions ---- */

/* Sessions that clients may resume, of one worker, in a bounded cache; the oldest leaves first.
 * A session is found again only under the same key and the same client context, so that a changed CA
 * never inherits an old verdict. TLS 1.3 sessions are used once. Thread: the worker's own. */
struct tls_sessions;

/* For `limit_count` sessions in all. Errors: NULL out of memory. */
struct tls_sessions *tls_sessions_create(size_t limit_count) MUST_USE;
/* Every transport that was given the cache must be gone. Takes NULL. */
void tls_sessions_destroy(struct tls_sessions **sessions);
/* Sessions in the cache, for tests. */
size_t tls_sessions_count(const struct tls_sessions *sessions);
/* Forget all. */
void tls_sessions_clear(struct tls_sessions *sessions);

#endif
