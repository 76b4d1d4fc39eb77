#ifndef FAIRLEAD_NET_PROXY_PROTOCOL_H
#define FAIRLEAD_NET_PROXY_PROTOCOL_H

#include "base/inet.h"

/* The PROXY protocol header, versions 1 and 2 (HAProxy's proxy-protocol.txt): who really connected. */

enum {
    PROXY_HEADER_V1_MAX = 107,  /* with CRLF */
    PROXY_HEADER_V2_MAX = 2048, /* with TLVs; ours, the format would allow 64 KiB */
};

struct proxy_header {
    uint8_t version;                  /* 1 or 2 */
    bool is_local;                    /* LOCAL or UNKNOWN: the sender speaks for itself */
    struct inet_endpoint source;      /* the client; INET_NONE when local or not IP (Unix) */
    struct inet_endpoint destination; /* where the client connected to; INET_NONE likewise */
};

/* Parse a header at the start of `bytes`; *ret_len is its length, the client's own bytes follow.
 * Strict: what is not exactly a header is refused with the first byte that shows it.
 * Errors: ST_AGAIN not whole yet (it will be within PROXY_HEADER_V2_MAX bytes), ST_BAD, ST_LIMIT a
 * version 2 header longer than our bound. */
enum status proxy_header_parse(struct slice bytes, struct proxy_header *ret_header,
                               size_t *ret_len) MUST_USE;

#endif
