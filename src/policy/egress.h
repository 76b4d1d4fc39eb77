#ifndef FAIRLEAD_POLICY_EGRESS_H
#define FAIRLEAD_POLICY_EGRESS_H

#include "base/inet.h"

#include <stddef.h>
#include <stdint.h>

/* The tables that the gate judges by. Those that are built in are made from egress.txt, where each row names its
 * source. */

struct egress_range {
    struct inet_prefix prefix;
    const char *why;
    const char *source;
};
struct egress_name {
    const char *name;
    const char *why;
    const char *source;
};
struct egress_port {
    uint16_t port;
    const char *why;
    const char *source;
};

/* Where IPv6 forms carry an IPv4 address; the mapped one is IPv4 before it is judged. */
struct egress_carrier {
    struct inet_prefix prefix;
    uint8_t places[4]; /* index of each byte */
    bool is_inverted;  /* every bit is flipped */
    bool is_guess;     /* one of several readings: held against the floor only */
};

struct egress_tables {
    const struct egress_range *ranges; /* the default deny list */
    size_t range_count;
    const struct egress_range *floors;
    size_t floor_count;
    const struct egress_name *names; /* of the floor */
    size_t name_count;
    const struct egress_port *ports; /* bad ones, ascending */
    size_t port_count;
    const struct egress_carrier *carriers;
    size_t carrier_count;
};

extern const struct egress_tables egress_built_in;

/* What `carrier`, whose prefix holds `addr`, carries in it. */
struct inet_addr egress_unwrap(const struct egress_carrier *carrier, const struct inet_addr *addr);

#endif
