#ifndef FAIRLEAD_NET_ADDR_SOURCE_H
#define FAIRLEAD_NET_ADDR_SOURCE_H

#include "base/inet.h"

/* Asks the kernel which source address it would use towards an address, by connecting a datagram
 * socket (no packet is sent). Answers are kept a few seconds, in a small table. Thread: the worker's. */
struct addr_source;

/* Errors: NULL out of memory. */
struct addr_source *addr_source_create(void) MUST_USE;
/* Takes a pointer to NULL. */
void addr_source_destroy(struct addr_source **sources);

/* An addr_source_fn whose owner is a struct addr_source: INET_NONE where there is no route. */
struct inet_addr addr_source_ask(void *sources, const struct inet_addr *to);
/* Whether global addresses of `family` can be reached at all, as far as routes tell. */
bool addr_source_has_family(struct addr_source *sources, enum inet_family family);

#endif
