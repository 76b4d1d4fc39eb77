#ifndef FAIRLEAD_PROXY_CLIENT_H
#define FAIRLEAD_PROXY_CLIENT_H

#include "budget/ledger.h"
#include "codec/h1_codec.h"
#include "proxy/proxy.h"

/* A downstream connection: from accept to close.
 *
 *   PROXY header -> TLS handshake -> serving <-> exchanges on the codec's streams -> lingering -> closed
 *                                      `--> handed over to a tunnel
 *
 *   C1  an exchange hears of its stream, the client of all else.
 *   C2  a client that is told of an error and closed is read from for a while, so that the answer is not
 *       lost to a reset (RFC 9112 §9.6). */

enum client_state {
    CLIENT_PROXY_HEADER,
    CLIENT_HANDSHAKE,
    CLIENT_SERVING,
    CLIENT_LINGERING,
    CLIENT_CLOSED,
};

struct exchange;
struct config_listen;
struct peer_process;

struct client {
    uint32_t tag;
    enum client_state state;
    struct proxy *proxy;
    struct link link;
    struct link wait_link;   /* in proxy->waiting or begun, while it has no exchange */
    uint64_t waits_since_ns; /* in the present state, monotonic */
    struct task task;
    struct timer timer;
    struct grave grave;
    struct transport *transport; /* until the codec has it */
    struct codec *codec;         /* `h1`; NULL before HTTP, and after the end */
    struct h1_codec h1;
    enum codec_fate fate;
    bool is_late;       /* the deadline of the present wait passed */
    bool is_head_begun; /* the first bytes of a head came, which was not whole */
    bool is_over;       /* no room in its budget: its next request is told so */
    uint64_t head_begun_ns;
    uint64_t limited_since_ns; /* its budget lets nothing be read since; 0: it does */
    uint64_t due_ns; /* when the wait that this interrupts would have been over; 0: never */
    struct budget budget;
    struct link exchanges;                 /* open ones */
    const struct config_listen *listen;    /* in `snapshot` */
    struct tls_server_context *tls_server; /* borrowed from `snapshot`; NULL in clear */
    struct snapshot *snapshot;             /* the one the connection was accepted under */
    uint64_t id;
    uint32_t uses;        /* requests so far */
    uint16_t header_left; /* bytes of a PROXY header that was looked at, and not taken yet */
    uint64_t accepted_ns;
    uint64_t tls_done_ns;
    struct record_tls tls;
    struct inet_endpoint peer;
    struct inet_endpoint local;
    uint64_t linger_bytes;
    struct tls_identity *certificate; /* of the client; NULL: none was shown */
    struct peer_process *process; /* behind a Unix socket; NULL: not asked about, or not known */
};

/* Where a connection came in, and from whom. */
struct client_door {
    const struct config_listen *listen;    /* in the engine's snapshot; NULL: the admin listener */
    struct tls_server_context *tls_server; /* the snapshot's; NULL in clear */
    struct inet_endpoint peer;
    struct inet_endpoint local;
};

/* Take over an accepted socket. On failure it is closed, and counted. */
void client_accept(struct proxy *proxy, const struct client_door *door, int fd);
/* The same for a plain transport: what is behind client_accept, and where tests come in. */
void client_adopt(struct proxy *proxy, const struct client_door *door, struct transport *transport);
/* An exchange on `stream` ended, and is out of the list: its answer is with the kernel, or the stream was reset, or
 * detached (tunnel). */
void client_exchange_done(struct client *client, struct stream *stream);
/* Take no request after those that are open. */
void client_drain(struct client *client);
/* Other limits from now on, which outlive the client or are replaced before they go. True: a bandwidth is another
 * one. */
bool client_take_limits(struct client *client, const struct budget_rules *rules);
/* Count it as open in its accounts, where it was not: false where there is no room. */
bool client_count(struct client *client, struct budget_refusal *ret_refusal);
/* Close now. */
void client_close(struct client *client, bool is_abort);

#endif
