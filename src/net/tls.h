#ifndef FAIRLEAD_NET_TLS_H
#define FAIRLEAD_NET_TLS_H

#include "base/block.h"
#include "base/host.h"
#include "net/tls_context.h"
#include "net/transport.h"
#include "record/record.h"

/* TLS over any transport, either end; the result is a transport itself (see net/transport.h).
 *
 * It takes plaintext only when all ciphertext before it has left; what the lower transport did not take
 * of one send waits in a queue of at most TLS_QUEUE_MAX bytes, which leaves by itself when the lower
 * transport is writable (transport_flush asks whether it is empty). An idle connection holds no buffer. */

enum {
    TLS_QUEUE_MAX = 288 * 1024,
    TLS_SEND_MAX = 128 * 1024 /* plaintext one send takes at most */
};

/* ---- what the TLS transports of one thread share ---- */

/* Scratch memory for records, the objects themselves and the pool for waiting ciphertext. */
struct tls_scratch;

/* `pool` outlives it. Errors: NULL out of memory. */
struct tls_scratch *tls_scratch_create(struct block_pool *pool) MUST_USE;
/* After the turn in which the last transport was closed. *scratch is NULL afterwards. Takes NULL. */
void tls_scratch_destroy(struct tls_scratch **scratch);
/* As slab_tidy. */
bool tls_scratch_tidy(struct tls_scratch *scratch);

/* ---- creation ---- */

/* The server's end over `*lower`. Takes a reference to `context`.
 * Ownership: on ST_OK *lower belongs to the new transport and is NULL afterwards; otherwise it stays the
 * caller's. Errors: ST_NOMEM. */
enum status tls_accept_create(struct tls_scratch *scratch, struct transport **lower,
                              struct tls_server_context *context,
                              struct transport **ret_transport) MUST_USE;

struct tls_connect_options {
    const struct host *host;       /* verified; sent as SNI unless it is an address; copied */
    struct tls_sessions *sessions; /* where to find and to leave sessions, or NULL */
    /* What makes two connections interchangeable; copied. Over TLS_SESSION_KEY_MAX bytes: nothing is resumed. */
    struct slice session_key;
};
enum { TLS_SESSION_KEY_MAX = 512 };

/* The client's end over `*lower`. Takes a reference to `context`. Ownership and errors as above. */
enum status tls_connect_create(struct tls_scratch *scratch, struct transport **lower,
                               struct tls_client_context *context,
                               const struct tls_connect_options *options,
                               struct transport **ret_transport) MUST_USE;

/* ---- facts; all but the first take a TLS transport only ---- */

bool tls_is_tls(const struct transport *transport);
/* Version, cipher and resumption as the record tells them; all zero before the handshake is done. */
struct record_tls tls_record(const struct transport *transport);
/* The name the client asked for (server's end); empty where none. Owned by the transport. */
struct slice tls_sni(const struct transport *transport);
/* The protocol chosen by ALPN; empty where none. Owned by the transport. */
struct slice tls_alpn(const struct transport *transport);
/* Would another certificate authority have made the peer's certificate a good one? Only where it was refused. */
bool tls_is_untrusted(const struct transport *transport);
/* Why the peer's certificate was refused, NULL where it was not. Static storage. */
const char *tls_verify_error(const struct transport *transport);
/* The number of the fatal alert that the peer sent (RFC 8446 §6), -1 for none. */
int tls_peer_alert(const struct transport *transport);
/* The peer began with clear HTTP: handshake said ST_BAD and nothing was written. Answer through
 * tls_take_lower. */
bool tls_peer_spoke_http(const struct transport *transport);

/* ---- who the client is (server's end) ---- */

/* A client's certificate as text; only of one that our authority vouches for. */
struct tls_identity {
    struct slice subject; /* RFC 4514: "CN=ci,O=Example"; empty where it is too long */
    struct slice name;    /* its one common name (CN); empty where there is none, or several */
    /* subjectAltName: "dns:ci.example", "email:a@b.example", "uri:spiffe://example/ci", "ip:192.0.2.1". Those with
     * control bytes or blanks, too long ones and those beyond TLS_IDENTITY_NAMES are left out. */
    struct slice *names;
    size_t name_count;
    /* The last second in which it is good, since 1970: of it and, where they were shown now, of those that vouch for
     * it. A handshake that resumed a session has looked at no date. */
    int64_t good_until_s;
};
enum { TLS_IDENTITY_NAMES = 64, TLS_IDENTITY_TEXT = 8192 /* bytes of all of it */ };

/* One block, which the caller frees with tls_identity_free. Not for each request: it reads the certificate.
 * Errors: ST_EOF no certificate was shown, ST_NOMEM. */
enum status tls_identity_read(const struct transport *transport,
                              struct tls_identity **ret_identity) MUST_USE;
/* *identity is NULL afterwards. Takes a pointer to NULL. */
void tls_identity_free(struct tls_identity **identity);

/* ---- the transport below ---- */

/* Borrowed; for addresses and options. */
struct transport *tls_lower(const struct transport *transport);
/* End TLS without a word to the peer and give the transport below back; *transport is NULL afterwards
 * and the result has no listener. */
struct transport *tls_take_lower(struct transport **transport);

#endif
