#ifndef FAIRLEAD_NET_TLS_WATCH_H
#define FAIRLEAD_NET_TLS_WATCH_H

#include "base/block.h"
#include "net/tls_hello.h"

/* What can be seen of TLS without taking part in it: the bytes of both directions go in, each with the time when they
 * came, and the moments of the handshake come out. Nothing is decrypted; record headers and the clear messages of the
 * handshake tell (RFC 8446 §5, RFC 5246 §6.2).
 *
 *   hello --(a whole ClientHello)--> answer --(ServerHello)--> handshake --(Finished)--> request --> response: KNOWS
 *     |                                |  ^
 *     |                                +--+ HelloRetryRequest
 *     +--(something else)--> NOT_TLS           any --(a fatal alert)--> KNOWS   any --(too much, nonsense)--> LOST
 *
 * How sure what it says is, stands in docs/timing.md: after the ServerHello of TLS 1.3 all records look alike, and what
 * they are is told by their order and length.
 *
 * It allocates nothing, but for a ClientHello that comes in pieces, which lies in a block until it is whole. */

enum tls_watch_side { TLS_WATCH_CLIENT, TLS_WATCH_SERVER };

enum tls_watch_state {
    TLS_WATCH_LOOKS,
    TLS_WATCH_KNOWS,   /* nothing more is to be seen */
    TLS_WATCH_NOT_TLS, /* what came first is none */
    TLS_WATCH_LOST, /* no longer to be made out: malformed, too long, out of memory. What was seen stays */
};

enum tls_watch_by { TLS_WATCH_BY_NOBODY, TLS_WATCH_BY_CLIENT, TLS_WATCH_BY_SERVER };

/* What was found. Times are monotonic, 0: it did not happen. */
struct tls_watch_facts {
    uint64_t hello_ns;    /* the ClientHello was whole */
    uint64_t answer_ns;   /* the ServerHello, or the HelloRetryRequest, began */
    uint64_t done_ns;     /* the handshake was over: the last Finished */
    uint64_t request_ns;  /* the first record of data from the client */
    uint64_t response_ns; /* and of the server, behind that */
    uint16_t offered; /* the highest version that the client offers; 0: it has said nothing yet */
    uint16_t version; /* agreed on; 0: not yet */
    uint16_t cipher;  /* agreed on, IANA number */
    uint8_t alert;    /* of the fatal alert, where `alert_by` is somebody */
    uint8_t alert_by; /* enum tls_watch_by */
    bool alert_is_hidden : 1; /* it was encrypted: it may also have been a good-bye */
    bool is_resumed : 1;
    bool is_retried : 1;            /* HelloRetryRequest: one round trip more */
    bool has_early_data : 1;        /* the client sent data of 0-RTT */
    bool early_data_is_refused : 1; /* and the server did not take it */
    bool is_false_start : 1; /* data of the client before the handshake was over (RFC 7918) */
    bool asks_client : 1;    /* the client sent a certificate message */
    bool has_client_certificate : 1; /* and there was one in it */
    bool
        speaks_h2 : 1; /* the server chose HTTP/2, as far as that is said in clear: not in TLS 1.3 */
    bool has_ech : 1;  /* ECH, or its GREASE */
};

/* The reader of one direction. */
struct tls_watch_reader {
    /* private */
    uint8_t head[5]; /* of the record; of an alert its two bytes */
    uint8_t head_len;
    uint8_t message[4]; /* head of the handshake message */
    uint8_t message_len;
    bool is_hidden : 1; /* its records are encrypted */
    bool pads : 1;      /* and longer than what is in them */
    uint16_t record_left;
    uint32_t message_left;
};

struct tls_watch {
    struct tls_watch_facts facts;
    uint8_t state; /* enum tls_watch_state */
    /* private */
    uint8_t stage;
    uint8_t part; /* of the ServerHello, what is gathered */
    uint8_t gathered_len;
    uint8_t flight; /* records of the client's last flight so far */
    bool offers_early_data : 1;
    bool
        is_retry : 1; /* the ServerHello that is read is a HelloRetryRequest, as far as its random came */
    bool has_hello_done : 1; /* TLS 1.2: a full handshake */
    bool server_is_done : 1; /* its Finished came */
    bool says_good_bye : 1;
    bool has_end_of_early : 1;
    uint16_t part_left; /* of the ServerHello, what is passed over */
    uint32_t quiet_us;
    uint32_t seen_bytes; /* of both sides until the request came, of the client afterwards */
    struct tls_watch_reader readers[2];
    union { /* by its stage */
        struct {
            struct block *block; /* of a ClientHello in pieces: `kept_len` bytes */
            uint32_t kept_len;
        } hello;
        struct { /* behind it */
            union {
                uint8_t gathered[8]; /* of the ServerHello */
                uint64_t
                    maybe_ns; /* a record after the request that may be the response, or a ticket */
            };
            uint16_t ticket_max; /* the longest record that may be a ticket */
            uint16_t ticket_len; /* the last one that was taken for one */
            uint16_t spoke_ms;   /* of the client's last record, since the handshake was over */
            uint8_t tickets;     /* so many were taken for such */
        };
    } at;
};

struct tls_watch_means {
    struct block_pool *blocks;
    char *scratch; /* TLS_HELLO_MAX bytes; may be where the bytes lie that are shown */
    void *owner;
    /* Called once, with the ClientHello, which is good during the call only. NULL: nobody wants it. */
    void (*on_hello)(void *owner, const struct tls_hello *hello);
};

/* May these bytes, the first of a connection, be TLS? Where not, there is nothing to watch. */
bool tls_watch_may_begin(enum tls_watch_side side, struct slice bytes);
/* `quiet_ns`, at most an hour: records of the server that come this soon after the handshake, and are small, are taken
 * for session tickets (two round trips, say); a client that was quiet for as long had waited for something. */
void tls_watch_init(struct tls_watch *watch, uint64_t quiet_ns);
/* Give the block back. */
void tls_watch_done(struct tls_watch *watch);
/* Bytes of one side, in their order; the scratch may be written over. Does nothing unless it looks. */
void tls_watch_see(struct tls_watch *watch, enum tls_watch_side side, struct slice bytes,
                   uint64_t now_ns, const struct tls_watch_means *means);
/* Is there more to be learnt from this side? Where not, it needs no longer be shown. */
bool tls_watch_wants(const struct tls_watch *watch, enum tls_watch_side side);
/* What is known if nothing more comes: of a response that looked like a ticket it is decided that it was one. */
struct tls_watch_facts tls_watch_facts(const struct tls_watch *watch);

#endif
