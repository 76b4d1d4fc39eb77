#ifndef FAIRLEAD_RECORD_RECORD_H
#define FAIRLEAD_RECORD_RECORD_H

#include "base/inet.h"
#include "base/slice.h"
#include "record/timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The flat facts of a finished exchange or tunnel, from which every view is made: access logs, metrics,
 * the dashboard. Filled by one worker, in its ring or copied into it, read by the recorder thread.
 * It holds no pointer but to constants: texts lie in `text` and are named by offset and length. */

enum record_kind {
    RECORD_EXCHANGE, /* a request that was forwarded */
    RECORD_TUNNEL,   /* CONNECT that opened */
    RECORD_UPGRADE,  /* 101 that became a tunnel */
    RECORD_LOCAL,    /* answered here: refusals, errors, own pages */
};

enum record_leg { LEG_NONE, LEG_CLIENT, LEG_UPSTREAM, LEG_PROXY }; /* who ended it */

/* How it ended. X(NAME, "word", "meaning") */
#define RECORD_ENDS(X)                                                   \
    X(NONE, "-", "still open")                                           \
    X(DONE, "done", "complete, connections kept or closed in order")     \
    X(FIN, "fin", "a peer closed in order before the end")               \
    X(RST, "rst", "a peer reset the connection")                         \
    X(TIMEOUT, "timeout", "a time limit ended it")                       \
    X(REFUSED, "refused", "policy refused it")                           \
    X(ERROR, "error", "a protocol, name, connect or TLS error ended it") \
    X(DRAIN, "drain", "ended by shutdown of the proxy")                  \
    X(KILLED, "killed", "ended by the operator")

enum record_end {
#define X(name, word, meaning) END_##name,
    RECORD_ENDS(X)
#undef X
};

enum dns_source { DNS_NONE, DNS_LITERAL, DNS_HOSTS, DNS_CACHE, DNS_COALESCED, DNS_QUERY };

/* What was seen of the TLS inside a tunnel. X(NAME, "word", "meaning") */
#define RECORD_INSIDE_FLAGS(X)                                                                    \
    X(RESUMED, "resumed", "a session was resumed")                                                \
    X(HELLO_RETRY, "hello_retry", "the origin asked for a second ClientHello: a round trip more") \
    X(EARLY_DATA, "early_data", "the client sent data before the handshake (0-RTT)")              \
    X(EARLY_DATA_REFUSED, "early_data_refused", "which the origin did not take")                  \
    X(FALSE_START, "false_start", "data of the client came before the handshake was over")        \
    X(CERTIFICATE_ASKED, "certificate_asked", "the client was asked for a certificate")           \
    X(CLIENT_CERTIFICATE, "client_certificate", "and sent one")                                   \
    X(ECH, "ech", "an encrypted ClientHello, or its GREASE, which looks the same")

enum record_inside_bit {
#define X(name, word, meaning) INSIDE_BIT_##name,
    RECORD_INSIDE_FLAGS(X)
#undef X
        INSIDE_BIT_COUNT
};

enum record_inside_flag {
#define X(name, word, meaning) INSIDE_##name = 1 << INSIDE_BIT_##name,
    RECORD_INSIDE_FLAGS(X)
#undef X
    /* Not said as they are. */
    INSIDE_ALERT_HIDDEN =
        1 << INSIDE_BIT_COUNT, /* the alert was encrypted: it may also have been a good-bye */
    INSIDE_HANDSHAKE_ESTIMATED =
        1 << (INSIDE_BIT_COUNT + 1), /* when it was over, and the request began */
    INSIDE_RESPONSE_ESTIMATED = 1 << (INSIDE_BIT_COUNT + 2),
};

enum {
    RECORD_ATTEMPTS_MAX = 8,
    RECORD_URL_MAX = 2048,
    RECORD_REFERER_MAX = 256,
    RECORD_TEXT_MAX = 4096,
};

/* What is copied into a record has no padding: a shelf looks at all of its bytes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* One connect attempt of the race (RFC 8305). */
struct record_attempt {
    struct inet_endpoint peer;
    /* 0: connected, ECANCELED: loser, EACCES with begin 0: refused by the gate, EINPROGRESS with end 0: still trying */
    int os_error;
    uint64_t begin_ns; /* monotonic; 0: never dialled */
    uint64_t
        end_ns; /* 0: it did not end: a loser that was cancelled, or one that is still trying */
};

/* A text inside the record. */
struct record_text {
    uint16_t at;
    uint16_t len;
};

/* TLS of one leg; version 0 when the leg is in clear. */
struct record_tls {
    uint16_t version; /* 0x0303, 0x0304 */
    uint16_t cipher;  /* IANA number */
    bool resumed;
    uint8_t unused[3];       /* 0 */
    const char *cipher_name; /* IANA name, static storage; NULL unknown */
};

/* What a tunnel showed of what is in it, without being opened. */
struct record_inside {
    uint16_t offered; /* highest version of TLS that the client offered; 0: no TLS was seen */
    uint16_t version; /* agreed on; 0: the origin did not say */
    uint16_t cipher;  /* IANA number */
    uint16_t flags;   /* of enum record_inside_flag */
    uint8_t alert;    /* code of the alert that ended the handshake */
    uint8_t alert_by; /* enum record_leg; LEG_NONE: there was none */
    uint8_t unused[2];
    uint32_t turns;   /* how often the client began to speak: an estimate of the exchanges */
    uint64_t idle_ns; /* the longest time in which nothing came, before the last byte */
};

/* The kernel's figures of one leg (TCP_INFO), read once when the record is made: when the transaction ended, or is told
 * of while it is open. They count from the beginning of the
 * connection, which may have served others before. A figure that the kernel does not have is 0. */
struct record_tcp {
    uint32_t is_known;         /* 0: none was read, and all else is 0 */
    uint32_t rtt_us;           /* smoothed */
    uint32_t rtt_var_us;       /* its mean deviation */
    uint32_t min_rtt_us;       /* the least of late */
    uint32_t retransmits;      /* segments sent again */
    uint32_t out_of_order;     /* segments that came before others that were lost or late */
    uint32_t segments_in;      /* all, with those that carry no data */
    uint32_t segments_out;     /* likewise */
    uint32_t data_segments_in; /* that carry data */
    uint32_t mss_in;           /* data in a full segment of the peer, in bytes */
    uint64_t data_bytes_in;
    uint64_t delivery_rate;     /* to the peer, bytes a second */
    uint64_t busy_us;           /* there was something to send, or not yet acknowledged; of which */
    uint64_t rwnd_limited_us;   /* the peer's receive window was full */
    uint64_t sndbuf_limited_us; /* our send buffer was too small */
};

/* How bytes came from one side. */
struct record_pace {
    uint64_t
        moving_ns; /* tunnels only: one upon the other, with less than RECORD_PAUSE_NS between two */
    uint64_t
        quiet_ns; /* the longer pauses in the middle of a message, or between two pieces of a tunnel's direction */
    uint64_t pauses; /* how many */
};

#pragma GCC diagnostic pop

/* Bytes that come with less between them come in one go; a longer silence is a pause. */
#define RECORD_PAUSE_NS (50ULL * 1000 * 1000)
/* Who says nothing for so long was not asked: longer waits in tunnels are idleness. */
#define RECORD_IDLE_NS (20ULL * 1000 * 1000 * 1000)

/* A transaction that took less is not looked at further: its legs are not asked, and it has no verdict. */
#define RECORD_SLOW_NS (100ULL * 1000 * 1000)

struct record {
    uint32_t size;    /* bytes of this record that are in use: the fixed part and the used text */
    uint8_t kind;     /* enum record_kind */
    uint8_t ended_by; /* enum record_leg */
    uint8_t end;      /* enum record_end */
    uint8_t dns_source;
    uint64_t id; /* the exchange's id: one in record, body and Proxy-Status */
    uint16_t worker;
    uint16_t status;          /* sent to the client; 0 when none was */
    uint16_t upstream_status; /* received; 0 when none was */
    uint8_t client_major;     /* version of the request; 0: it could not be read */
    uint8_t client_minor;
    uint8_t upstream_minor; /* HTTP/1.x of the response */
    bool url_is_cut;
    bool is_in_progress; /* of an open tunnel, or of a request in flight */
    uint8_t dns_answers; /* addresses that came back, capped at 255 */
    uint8_t attempt_count;
    uint8_t retries;
    bool retry_was_stale_pool;
    bool certificate_is_cut; /* there was no room for all of it: both texts are empty */
    bool
        is_untrusted; /* of the certificate of the other side; for who made the request, and in no log */

    /* As the kernel or the PROXY header says; INET_NONE for Unix sockets. */
    struct inet_endpoint client;
    struct inet_endpoint listener; /* our side of the client leg */
    struct inet_endpoint upstream; /* what was dialled */
    struct inet_endpoint source;   /* our side of the upstream leg */

    uint64_t client_conn_id;   /* a number for each client connection */
    uint32_t client_use;       /* 1 for its first exchange */
    uint64_t upstream_conn_id; /* 0: none */
    uint32_t upstream_use;     /* 1 for its first exchange */
    uint64_t upstream_age_ns;  /* since it was connected, when it was taken */
    uint64_t paid_dns_ns;      /* what the connection's first user paid; 0 absent */
    uint64_t paid_connect_ns;
    uint64_t paid_tls_ns;

    uint64_t client_in_bytes;    /* from the client: head and body as on the wire, above TLS */
    uint64_t client_out_bytes;   /* to the client */
    uint64_t upstream_out_bytes; /* to the origin */
    uint64_t upstream_in_bytes;  /* from the origin */
    uint64_t request_body_bytes; /* content without chunk framing */
    uint64_t response_body_bytes;

    /* Of what is told of while it is open: when this record was made; of a tunnel, also the record before it, with the
     * bytes by then. Monotonic; 0: there was none. */
    uint64_t now_ns;
    uint64_t told_ns;
    uint64_t told_up_bytes;
    uint64_t told_down_bytes;

    /* Reading from one side was off since the other one did not read. */
    uint64_t stalled_by_client_ns;
    uint64_t stalled_by_upstream_ns;
    uint64_t stalled_by_limits_ns; /* nothing was read for the sake of a limit on bandwidth */
    /* Nothing else was under way while a name server was asked: in a connect, for the other family when all attempts
     * had failed; in a tunnel, whose first bytes were held back, for the host of its ClientHello (egress.sni). */
    uint64_t stalled_by_dns_ns;
    struct record_pace client_pace;
    struct record_pace upstream_pace;
    /* Of tunnels: waits for the origin's next bytes after bytes of the client, below RECORD_IDLE_NS each; their
     * number */
    uint64_t awaited_ns;
    uint64_t waits;
    uint64_t held_ns; /* the client held its body back for a 100 (Continue), from MARK_U_TX0 on */

    struct record_tls client_tls;
    struct record_tls parent_tls; /* with another proxy on the way: of `fairlead trace` alone */
    struct record_tls upstream_tls;
    struct record_inside inside;
    struct record_tcp client_tcp;
    struct record_tcp upstream_tcp;
    struct timeline timeline;

    struct record_text method;
    struct record_text url;  /* absolute URL, or host:port for CONNECT; credentials never in it */
    struct record_text host; /* canonical host */
    struct record_text sni;  /* of the ClientHello in a tunnel, canonical */
    struct record_text alpn; /* that it offers, a list */
    struct record_text ja4;
    struct record_text user; /* authenticated identity */
    struct record_text
        rule; /* what decided: "default-deny 127.0.0.0/8", "rule NAME"; of what passed, a rule's name */
    struct record_text would_deny; /* the rule that would have refused it, and only observes */
    struct record_text remedy;     /* of a refusal: what would change it, "--allow 127.0.0.1" */
    struct record_text cause;      /* failure word of proxy/failure, empty when all went well */
    struct record_text token;   /* Proxy-Status error token (RFC 9209), empty when none was sent */
    struct record_text detail;  /* the sentence for people */
    struct record_text referer; /* request fields for the combined format */
    struct record_text user_agent;
    /* Who asked, beyond `user`, for whoever judges an open tunnel again. Lists have a line feed between two. */
    struct record_text listener_name; /* where its address does not say it */
    struct record_text cert_subject;  /* of the client's certificate */
    struct record_text cert_names;
    struct record_text groups; /* of the process behind a Unix socket */

    uint16_t text_len;

    /* Not cleared: `attempt_count` says how many there are, and most records have none. */
    struct record_attempt attempts[RECORD_ATTEMPTS_MAX];
    /* the fixed part is whole words, for record/shelf */
    _Alignas(uint64_t) char text[RECORD_TEXT_MAX];
};

/* timeline_phase_cut_off of what was given up; `timeline` is the record's, cut or not. */
static inline bool record_unfinished(const struct record *record, const struct timeline *timeline,
                                     enum phase *ret_phase, uint64_t *ret_begin_ns,
                                     uint64_t *ret_end_ns)
{
    return record->cause.len > 0 && !timeline_has(timeline, MARK_T_OPEN) &&
           timeline_phase_cut_off(timeline, ret_phase, ret_begin_ns, ret_end_ns);
}

/* A CONNECT that opened, or an upgrade: nobody knows what is in it. */
static inline bool record_is_tunnel(const struct record *record)
{
    return record->kind == RECORD_TUNNEL || record->kind == RECORD_UPGRADE;
}

/* A request that has not ended, and is no tunnel: the phase that it is in lasts until `now_ns`. */
static inline bool record_is_in_flight(const struct record *record)
{
    return record->is_in_progress && !record_is_tunnel(record);
}

/* Clear the fixed part, but for the attempts, of which there is none; start with no text. */
void record_begin(struct record *record);
/* Store a text, cut to `max` and to what is left. */
void record_set(struct record *record, struct record_text *which, struct slice value, size_t max);
/* Store a URL without its credentials: cut to RECORD_URL_MAX and marked; without `keep_query` all from '?' or
 * '#' on is replaced by "?-". */
void record_set_url(struct record *record, struct slice url, bool keep_query);
/* The same for the Referer field, cut to RECORD_REFERER_MAX: it is a URL, too. */
void record_set_referer(struct record *record, struct slice url, bool keep_query);
struct slice record_get(const struct record *record, struct record_text which);
/* Set `size` for copying. */
void record_seal(struct record *record);

const char *record_kind_word(enum record_kind kind); /* "exchange", "tunnel", "upgrade", "local" */
const char *record_leg_word(enum record_leg leg);    /* "-", "client", "upstream", "proxy" */
const char *record_end_word(enum record_end end);
const char *dns_source_word(enum dns_source source);
/* How a connect attempt went: "connected", "failed", "cancelled" (it lost the race), "refused" (by the gate, never
 * dialled), "trying" (of what is in progress). */
const char *record_attempt_word(const struct record_attempt *attempt);
const char *record_inside_word(enum record_inside_bit bit);
/* Name of a TLS alert in the words of RFC 8446 §6, "handshake_failure"; NULL for a code that has none. */
const char *record_alert_word(uint8_t code);

#endif
