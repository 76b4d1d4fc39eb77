#ifndef FAIRLEAD_NET_TCP_H
#define FAIRLEAD_NET_TCP_H

#include "base/slab.h"
#include "net/transport.h"

/* A plain transport over a connected stream socket (TCP or Unix), edge-triggered and registered once. */

/* Where the transports of one thread come from. */
void tcp_slab_init(struct slab *slab);
/* Take over `fd` and watch it in `loop`. The transport starts with `ready`: WATCH_READ | WATCH_WRITE where trying first
 * makes sense; 0 for a socket whose connect is under way, of which the poller tells (WATCH_WRITE: it is made;
 * WATCH_ERROR: it may have failed). Such a socket gets its TCP_NODELAY before its second send (socket_set_nodelay).
 * Ownership: the transport closes `fd`, also where this fails; `slab` outlives it.
 * Errors: ST_IO, ST_NOMEM. */
enum status tcp_create(struct loop *loop, struct slab *slab, int fd, unsigned ready,
                       struct transport **ret_transport) MUST_USE;
/* The socket below, for addresses and options; -1 where there is none. Works through TLS. */
int tcp_fd(const struct transport *transport);

#endif
