#ifndef FAIRLEAD_IDENTITY_THROTTLE_H
#define FAIRLEAD_IDENTITY_THROTTLE_H

#include "base/inet.h"

#include <stdint.h>

/* How often a client may guess, over all workers. Touched only where credentials are judged that are not remembered,
 * so that its lock is off the path of good clients. Thread: any. */
struct throttle;

struct throttle_limits {
    uint64_t failures;  /* so many, */
    uint64_t period_ns; /* and each is forgotten after period / failures */
};

/* Judged at one time for one client. */
enum { THROTTLE_AT_ONCE = 16 };

/* Who it is to the throttle: IPv4 by address, IPv6 by /64, INET_NONE (a Unix socket) by `uid`. */
uint64_t throttle_client(const struct inet_addr *addr, uint32_t uid);

/* Errors: NULL out of memory. */
struct throttle *throttle_create(void) MUST_USE;
/* *throttle is NULL afterwards. Takes a pointer to NULL. */
void throttle_destroy(struct throttle **throttle);

/* May credentials of this client be judged now? ST_OK: yes, and throttle_end follows once.
 * Errors: ST_LIMIT it failed too often, *ret_wait_ns is how long it must wait; ST_AGAIN too many of its
 * credentials are being judged. */
enum status throttle_begin(struct throttle *throttle, uint64_t client,
                           const struct throttle_limits *limits, uint64_t now_ns,
                           uint64_t *ret_wait_ns) MUST_USE;
void throttle_end(struct throttle *throttle, uint64_t client, const struct throttle_limits *limits,
                  uint64_t now_ns, bool has_failed);

#endif
