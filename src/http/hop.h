#ifndef FAIRLEAD_HTTP_HOP_H
#define FAIRLEAD_HTTP_HOP_H

#include "http/head.h"

#include <stdbool.h>
#include <stdint.h>

/* What concerns this connection alone: Connection and what it names (RFC 9110 §7.6.1), persistence
 * (RFC 9112 §9.3), Upgrade (§7.8), Max-Forwards (§7.6.2) and Via (§7.6.3). */

enum { HOP_NAMES_MAX = 32 };

struct hop {
    bool close;       /* Connection or Proxy-Connection says close */
    bool keep_alive;  /* Connection says keep-alive */
    bool upgrade;     /* Connection says upgrade and an Upgrade field is there */
    bool te_trailers; /* TE says trailers: the sender understands trailer fields */
    /* private */
    uint64_t tokens; /* known fields to remove */
    uint32_t name_count;
    struct slice names[HOP_NAMES_MAX]; /* other names in Connection; views of the head */
};

/* Read the connection options of a head. Options that are not tokens are ignored, they name no field.
 * Errors: ST_LIMIT where Connection names more than HOP_NAMES_MAX fields that are not known (400, 502). */
enum status hop_collect(const struct head *head, struct hop *ret_hop) MUST_USE;

/* True for a field that must not be forwarded: Connection, Keep-Alive, Proxy-Connection, TE, Transfer-
 * Encoding, Upgrade, HTTP2-Settings, Proxy-Authenticate, Proxy-Authentication-Info, Proxy-Authorization,
 * and all that Connection names. Host, Content-Length, Date, Expect, Max-Forwards, Trailer and Via stay even
 * when named: the proxy itself acts on them or writes them anew, so a peer cannot make it lose them. */
bool hop_is_connection_level(const struct hop *hop, const struct field *field);

/* True for a trailer field that may be passed on (RFC 9110 §6.5.1): not connection-level, not about
 * framing, routing, authentication, or how to process the content. */
bool hop_trailer_may_pass(const struct hop *hop, const struct field *field);

/* May the connection go on after this message, as far as its head says (RFC 9112 §9.3)? An HTTP/1.0 request
 * never keeps it, since we are a proxy; an HTTP/1.0 response does with keep-alive. */
bool hop_may_persist(const struct hop *hop, const struct head *head);

/* True where the Upgrade of this request is in force (RFC 9110 §7.8: named in Connection, HTTP/1.1). */
bool hop_has_upgrade(const struct hop *hop, const struct head *head);

/* True where the 1.1 request waits for 100 (Continue); *ret_other where Expect holds anything else, which
 * is answered with 417 (RFC 9110 §10.1.1). An Expect of an HTTP/1.0 request is ignored. */
bool hop_expects_continue(const struct head *head, bool *ret_other);

/* Max-Forwards. Errors: ST_EOF without one, ST_BAD where malformed or repeated. Beyond 32 bits it is the
 * largest number. */
enum status hop_max_forwards(const struct head *head, uint32_t *ret_value) MUST_USE;

/* True where `pseudonym` is a received-by in Via, whatever its case: the message was here before. */
bool hop_via_holds(const struct fields *fields, struct slice pseudonym);
/* Append "Via: 1.1 pseudonym", our own element for a message of that version, as a line that can be sent as it is. The
 * pseudonym holds what a field value may hold. Errors: ST_NOMEM. */
enum status hop_add_via(struct fields *fields, const struct head *received,
                        struct slice pseudonym) MUST_USE;

#endif
