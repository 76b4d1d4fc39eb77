#ifndef FAIRLEAD_BASE_INET_H
#define FAIRLEAD_BASE_INET_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* IP addresses, endpoints and prefixes as values. */

enum inet_family { INET_NONE = 0, INET_V4 = 4, INET_V6 = 6 };

/* Without padding: of what is packed or compared as bytes, all are set. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
struct inet_addr {
    uint8_t family;    /* enum inet_family */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest 0 */
};

struct inet_endpoint {
    struct inet_addr addr;
    uint8_t unused; /* 0 */
    uint16_t port;  /* host order */
};
#pragma GCC diagnostic pop

struct inet_prefix {
    struct inet_addr addr; /* host bits are 0 */
    uint8_t bits;
};

enum { INET_ADDR_TEXT = 46, INET_ENDPOINT_TEXT = 54, INET_PREFIX_TEXT = 50 };

/* Strict textual forms only: dotted quad with four decimal numbers without leading zeros; RFC 4291
 * §2.2 for IPv6, without brackets and without a zone. Errors: ST_BAD. */
enum status inet_addr_parse(struct slice text, struct inet_addr *ret_addr) MUST_USE;
/* "1.2.3.4:80" or "[::1]:80"; a port is required. Errors: ST_BAD. */
enum status inet_endpoint_parse(struct slice text, struct inet_endpoint *ret_endpoint) MUST_USE;
/* "10.0.0.0/8", "::1/128"; a bare address is a whole-length prefix. Host bits set are ST_BAD. Unmaps:
 * ::ffff:10.0.0.0/104 is 10.0.0.0/8; one that holds more than mapped addresses stays. */
enum status inet_prefix_parse(struct slice text, struct inet_prefix *ret_prefix) MUST_USE;

/* Canonical text (RFC 5952), terminated; returns its length. `into` holds at least INET_..._TEXT bytes. */
size_t inet_addr_format(const struct inet_addr *addr, char *into);
size_t inet_endpoint_format(const struct inet_endpoint *endpoint, char *into); /* "[::1]:80" */
size_t inet_prefix_format(const struct inet_prefix *prefix, char *into);

bool inet_addr_equals(const struct inet_addr *a, const struct inet_addr *b);
/* Below, at or above 0 as `a` stands before, with or behind `b` in one order of all addresses. */
int inet_addr_compare(const struct inet_addr *a, const struct inet_addr *b);
bool inet_endpoint_equals(const struct inet_endpoint *a, const struct inet_endpoint *b);
/* The address is held against it as it is: unmap it first. */
bool inet_prefix_contains(const struct inet_prefix *prefix, const struct inet_addr *addr);
bool inet_addr_is_loopback(const struct inet_addr *addr);
bool inet_addr_is_unspecified(const struct inet_addr *addr);
/* ::ffff:a.b.c.d as a.b.c.d; anything else unchanged (RFC 4291 §2.5.5.2). */
struct inet_addr inet_addr_unmap(const struct inet_addr *addr);

/* To and from the kernel's form. Unmaps; a family that is not IP gives INET_NONE. */
struct inet_endpoint inet_from_sockaddr(const struct sockaddr *sa, socklen_t len);
/* Length of what was written to *into. */
socklen_t inet_to_sockaddr(const struct inet_endpoint *endpoint, struct sockaddr_storage *into);

#endif
