#ifndef FAIRLEAD_BASE_HOST_H
#define FAIRLEAD_BASE_HOST_H

#include "base/inet.h"
#include "base/slice.h"

/* The one canonicaliser of host names. Every host that a client, a configuration or an operator writes
 * passes here before it is compared, resolved or dialled. */

enum { HOST_MAX = 253 };

enum host_kind { HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* Why a host was refused; the words are for messages (host_fault_text). */
enum host_fault {
    HOST_FINE,
    HOST_EMPTY,
    HOST_TOO_LONG,    /* over 253 bytes, or a label over 63 */
    HOST_BAD_BYTE,    /* userinfo, backslash, percent, control byte, blank, non-ASCII, ... */
    HOST_EMPTY_LABEL, /* ".." or a leading dot, or more than one trailing dot */
    HOST_BAD_IPV6,    /* brackets without a strict IPv6 address in them, or IPv6 without brackets */
    HOST_ZONE_ID,     /* "%" inside brackets */
    /* Octal, hex, short or dword forms: anything whose last label is numeric or 0x-hex and that is not a canonical
     * dotted quad. */
    HOST_IPV4_SPELLING,
};

struct host {
    enum host_kind kind;
    struct inet_addr addr; /* for the IP kinds */
    uint8_t len;
    /* Lower case, one trailing dot stripped, terminated; IPv6 in RFC 5952 form without brackets. */
    char text[HOST_MAX + 1];
};

/* Canonicalise `spelling`: a registered name, a dotted quad or a bracketed IPv6 literal. Letters,
 * digits, '-', '_' and '.' are accepted in names (underscore is used in real names), labels of 1 to 63
 * bytes. An IPv4-mapped literal keeps its IPv6 form here; the gate unwraps it. */
enum host_fault host_parse(struct slice spelling, struct host *ret_host);

static inline struct slice host_slice(const struct host *host)
{
    return (struct slice){host->text, host->len};
}

/* The sentence that a refusal shows, without a full stop; static storage. */
const char *host_fault_text(enum host_fault fault);

#endif
