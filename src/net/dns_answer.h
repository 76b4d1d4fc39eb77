#ifndef FAIRLEAD_NET_DNS_ANSWER_H
#define FAIRLEAD_NET_DNS_ANSWER_H

#include "base/inet.h"
#include "base/slice.h"

/* Reads one raw DNS response to an A or AAAA question (RFC 1035 §4), bounded and strict. Pure. */

enum {
    DNS_CHAIN_MAX = 16,                  /* CNAMEs followed */
    DNS_RECORDS_MAX = 512,               /* records looked at, all sections together */
    DNS_ADDRESSES_MAX = DNS_RECORDS_MAX, /* all are kept: the gate judges every one */
    DNS_DISTINCT_MAX = 64,               /* so many at the front are different from all others */
};

/* How a question ended; of the two families' failures the greater is told. */
enum answer_result {
    ANSWER_FOUND,
    ANSWER_NODATA,
    ANSWER_NXDOMAIN,
    ANSWER_REFUSED,
    ANSWER_ERROR,
    ANSWER_SERVFAIL,
    ANSWER_TIMEOUT,
};

struct dns_answer {
    enum answer_result
        result;     /* FOUND, NODATA, NXDOMAIN, SERVFAIL, REFUSED or ERROR by the RCODE */
    bool has_ttl;   /* false: a negative answer without SOA, not to be cached */
    uint32_t ttl_s; /* the least of the chain and the addresses; RFC 2308 §5 for negatives */
    uint32_t count;
    struct inet_addr addr[DNS_ADDRESSES_MAX];
};

/* Read `packet`, the response to a question for `name` (any case, with or without a trailing dot) in
 * `family`. An empty `name` takes the name that the packet itself asks for (a search list was at work).
 * Errors: ST_BAD malformed, another question, a CNAME loop, or a chain or packet beyond the bounds. */
enum status dns_answer_parse(struct slice packet, struct slice name, enum inet_family family,
                             struct dns_answer *ret_answer) MUST_USE;

#endif
