#ifndef FAIRLEAD_NET_TLS_INTERNAL_H
#define FAIRLEAD_NET_TLS_INTERNAL_H

/* What the TLS files share among themselves. */

#include "base/check.h"
#include "net/tls_context.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

struct tls_server_context {
    uint32_t tag;
    atomic_uint refs; /* any thread; acq_rel on the last step down */
    SSL_CTX *ssl;
    struct tls_tickets *tickets;
    uint8_t certificate[32]; /* SHA-256 of its PEM text */
    uint8_t client_ca[32];   /* that of the authorities for clients; of no text: none */
};

struct tls_client_context {
    uint32_t tag;
    atomic_uint refs; /* as above */
    SSL_CTX *ssl;
    uint64_t id; /* unique in the process; sessions are remembered under it */
};

/* The longest records, with AES-GCM: header, content with the type (RFC 8446 §5.2), tag; header, nonce, content, tag
 * (RFC 5288 §3). */
enum {
    TLS_RECORD_1_3 = 5 + 16384 + 1 + 16,
    TLS_RECORD_1_2 = 5 + 8 + 16384 + 16,
    TLS_READ_RECORDS = 4, /* the library's buffer for what was received */
};

#define TAG_TLS_SERVER TAG('t', 'l', 's', 'S')
#define TAG_TLS_CLIENT TAG('t', 'l', 's', 'C')

/* ---- tls_pem.c: PEM in memory, with sentences ---- */

/* The first certificate of `pem` and the ones after it. `what` names the source in the sentence ("the
 * certificate"). The caller frees both. Errors: ST_BAD with `fault`. */
enum status tls_pem_chain(struct slice pem, const char *what, struct text *fault, X509 **ret_leaf,
                          STACK_OF(X509) * *ret_chain) MUST_USE;
/* The private key in `pem`. The caller frees it. Errors: ST_BAD with `fault`. */
enum status tls_pem_key(struct slice pem, struct text *fault, EVP_PKEY **ret_key) MUST_USE;
/* A fault with the library's reason at the end; empties the library's queue. Returns ST_BAD. */
enum status tls_fault(struct text *fault, const char *sentence);

/* ---- tls_tickets.c ---- */

/* Make `ssl` seal and open its tickets with `tickets`, which outlives it. Errors: ST_NOMEM. */
enum status tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *ssl) MUST_USE;

/* ---- tls_sessions.c ---- */

enum { TLS_SESSION_DIGEST = 32 };

/* The name under which sessions of this context and key are kept. */
void tls_session_digest(uint64_t context_id, struct slice key, uint8_t into[TLS_SESSION_DIGEST]);
/* A session to resume, which the caller frees, or NULL. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions,
                               const uint8_t digest[TLS_SESSION_DIGEST]);
/* Keep `session`; its reference is the cache's from now on. */
void tls_sessions_give(struct tls_sessions *sessions, const uint8_t digest[TLS_SESSION_DIGEST],
                       SSL_SESSION *session);

/* ---- tls_explain.c ---- */

/* Say in words why the library gave up on `ssl`, from its error queue, which is emptied. `host` is the
 * name that a client verified, "" on the server's side. Returns the number of the fatal alert that the
 * peer sent, -1 for none. */
int tls_explain(SSL *ssl, const char *host, struct text *into);
/* Was the peer's certificate refused for want of a trusted authority? */
bool tls_lacks_trust(const SSL *ssl);
/* The verdict on the peer's certificate in words; NULL where it was good or none was shown. */
const char *tls_explain_verdict(const SSL *ssl);

/* ---- tls.c ---- */

/* The callback of client contexts that leaves a new session in the cache; 1 where it was kept. */
int tls_on_new_session(SSL *ssl, SSL_SESSION *session);
/* The callback of all contexts that bounds what a peer may say behind the handshake that is no content: key updates,
 * tickets, and what the library answers with an alert. Each costs as much as kilobytes of content, and no limit on
 * connections, requests or bandwidth meets it; RFC 8446 §4.6.3 sets none. Who goes beyond is cut off. */
void tls_on_chatter(const SSL *ssl, int where, int result);

#endif
