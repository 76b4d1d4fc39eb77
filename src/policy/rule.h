#ifndef FAIRLEAD_POLICY_RULE_H
#define FAIRLEAD_POLICY_RULE_H

#include "base/inet.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What rules and the gate are made of: plain lists and one rule as it was written. Values; all texts and lists are
 * borrowed from whoever wrote them down. */

struct gate_names {
    /* "example.com" or "*.example.com" (labels below, not the name itself). */
    const struct slice *at;
    size_t count;
};
struct gate_prefixes {
    const struct inet_prefix *at; /* as inet_prefix_parse makes them */
    size_t count;
};

struct rule_ports {
    uint16_t first, last; /* both included */
};

/* Some minutes of some days, in local time. One that ends at or before its beginning ends on the day after. */
struct rule_window {
    uint8_t days;         /* bit 0: Sunday */
    uint16_t from, until; /* minutes of the day; both 0: all of it */
};

enum rule_action { RULE_ALLOW, RULE_DENY };
enum rule_mode { RULE_ENFORCE, RULE_OBSERVE };
/* What becomes of tunnels whose TLS asks for another host (egress.sni). */
enum sni_mode { SNI_OFF, SNI_LOG, SNI_ENFORCE };

/* The conditions of a rule, in the order in which they are looked at. X(NAME, "key") */
#define RULE_CONDITIONS(X)        \
    X(LISTENER, "listener")       \
    X(METHOD, "method")           \
    X(SCHEME, "scheme")           \
    X(PORT, "ports")              \
    X(FROM, "from")               \
    X(USER, "user")               \
    X(GROUP, "group")             \
    X(CERTIFICATE, "certificate") \
    X(TO, "to")                   \
    X(PATH, "path")               \
    X(WHEN, "when")               \
    X(TO_ADDRESS, "to_address")

enum rule_condition {
    RULE_MATCHES, /* none: all of them hold */
#define X(name, key) RULE_##name,
    RULE_CONDITIONS(X)
#undef X
};

/* A condition without values always holds; of several values one must. */
struct rule {
    struct slice name;
    int action;           /* enum rule_action */
    int mode;             /* enum rule_mode; of one that denies */
    bool tls_is_optional; /* in its tunnels, where egress.sni is enforced */
    struct gate_names listeners;
    struct gate_names methods;
    struct gate_names schemes; /* "http", "https"; CONNECT has none */
    struct {
        const struct rule_ports *at;
        size_t count;
    } ports;
    struct gate_prefixes from;
    struct gate_names users; /* "*": anybody known */
    struct gate_names groups;
    struct gate_names certificates; /* see docs/rules.md */
    struct gate_names to_names;     /* the three are one condition */
    struct gate_prefixes to_ranges; /* of hosts that were asked for by address */
    struct gate_names to_lists;     /* paths */
    struct gate_names paths;        /* prefixes */
    struct {
        const struct rule_window *at;
        size_t count;
    } windows;
    struct gate_prefixes to_address;
};

#endif
