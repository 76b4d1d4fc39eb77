#ifndef FAIRLEAD_UPSTREAM_VERSIONS_H
#define FAIRLEAD_UPSTREAM_VERSIONS_H

#include "base/host.h"

#include <stdbool.h>
#include <stdint.h>

/* Which origins answered in HTTP/1.0: they send no 100 (Continue) and take no chunked request (RFC 9110
 * §10.1.1, RFC 9112 §6.1). A small table that forgets: a place is taken over by the next origin that
 * belongs there, and after VERSIONS_KEEP_S an origin is taken for a modern one again. All zero is empty. */

enum { VERSIONS_PLACES = 512, VERSIONS_KEEP_S = 300 };

struct versions {
    bool has_any; /* since the beginning */
    struct {
        uint64_t hash;
        uint64_t until_ns; /* monotonic; 0: empty */
    } at[VERSIONS_PLACES];
};

/* A final response of that origin was in HTTP/1.0, or was not. */
void versions_note(struct versions *versions, const struct host *host, uint16_t port, bool is_old);
/* The last final response that is remembered was in HTTP/1.0. */
bool versions_is_old(const struct versions *versions, const struct host *host, uint16_t port);

#endif
