#ifndef FAIRLEAD_NET_TLS_STREAM_INTERNAL_H
#define FAIRLEAD_NET_TLS_STREAM_INTERNAL_H

/* The TLS transport's own structures, for tls.c (its life), tls_wire.c (ciphertext) and tls_facts.c. */

#include "base/chain.h"
#include "base/slab.h"
#include "net/tls.h"
#include "net/tls_internal.h"

#include <openssl/bio.h>

enum {
    TLS_RECORD = 16384,
    TLS_RECORD_EXTRA = 5 + 256, /* its header, and what a cipher adds at most (RFC 8446 §5.2) */
    TLS_REGION = TLS_SEND_MAX + 16 * 1024, /* eight records with headers and tags, and some more */
    TLS_READ_MAX = 80 * 1024, /* ciphertext a call reads at most beyond the content it gives */
    TLS_CHATTER_MAX =
        256, /* steps of the library behind the handshake: 3 for a message, 2 for its answer */
    TLS_CHATTER_BYTES = 2048, /* of content that pay for one more */
    TLS_SCRATCH = 2 * TLS_REGION,
    TLS_FAULT_TEXT = 200,
};

struct tls_scratch {
    uint32_t tag;
    struct block_pool *pool;
    BIO_METHOD *bio_method;
    struct slab objects;
    struct tls *corked;      /* who writes into `out` at present */
    size_t out_len;          /* bytes in `out`, of all who are corked */
    char out[TLS_SCRATCH];   /* ciphertext of the call that runs */
    char gather[TLS_RECORD]; /* small pieces of plaintext that make one record */
};

struct tls {
    struct transport base;
    uint32_t tag;
    struct tls_scratch *scratch;
    struct transport *lower;
    SSL *ssl;
    struct tls_server_context *server; /* one of these two */
    struct tls_client_context *client;
    struct tls_sessions *sessions;
    struct tls *corked_before; /* whose call ours runs inside of, while corked: TLS over TLS */
    size_t out_start;          /* where our region of the scratch begins, while corked */
    struct chain queue;
    struct task flush_task;
    struct task again_task; /* tells the owner to go on, after a call that was cut off */
    struct grave grave;
    size_t read_len;       /* ciphertext that the call which runs has read */
    size_t read_most;      /* and may read: more with each byte of content */
    uint64_t content_len;  /* of both directions so far */
    uint64_t chatter;      /* the library's own steps behind the handshake */
    enum status lower_end; /* how reading from below ended: ST_OK not yet, ST_EOF, ST_IO */
    enum status recv_end;  /* the result of every further recv, ST_OK while there may be bytes */
    enum status send_end;  /* likewise for send: ST_OK, ST_IO, ST_BAD */
    bool is_open;          /* the handshake is done */
    bool is_shut;          /* close_notify was handed to the library */
    bool is_first_seen;    /* the peer's first bytes were looked at */
    bool spoke_http;
    bool is_reading_stalled; /* the library wants to read, and `queue` is too long */
    bool is_cut_off;         /* `read_most` is used up, and there is more */
    bool write_wants_read;   /* nothing can be sent before the rest of a handshake message came */
    bool is_flooded;         /* see tls_on_chatter */
    bool has_session_digest;
    int peer_alert;
    uint8_t session_digest[TLS_SESSION_DIGEST];
    char host[HOST_MAX + 1];
    char fault[TLS_FAULT_TEXT];
};

#define TAG_TLS     TAG('t', 'l', 's', 't')
#define TAG_SCRATCH TAG('t', 'l', 's', 'w')

/* The object behind a TLS transport. */
struct tls *tls_of(struct transport *transport);
const struct tls *tls_of_const(const struct transport *transport);
/* Call the owner's recorder. */
void tls_tell(struct tls *tls);

/* ---- tls_wire.c ---- */

/* Around every call of the library that may write: what it wrote leaves when the last line runs. */
void tls_cork(struct tls *tls);
void tls_uncork(struct tls *tls);
/* Push the queue. ST_OK: it is empty; ST_AGAIN; ST_IO. */
enum status tls_queue_push(struct tls *tls);

#endif
