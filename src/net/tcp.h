#ifndef FAIRLEAD_NET_TCP_H
#define FAIRLEAD_NET_TCP_H

#include "net/transport.h"

/* A plain transport over a connected stream socket (TCP or Unix), edge-triggered and registered once. */

/* Take over `fd` and watch it in `loop`. The transport starts with WATCH_READ and WATCH_WRITE set (try
 * first). Ownership: the transport closes `fd`, also where this fails. Errors: ST_IO, ST_NOMEM. */
enum status tcp_create(struct loop *loop, int fd, struct transport **ret_transport) MUST_USE;
/* The socket below, for addresses and options; -1 where there is none. Works through TLS. */
int tcp_fd(const struct transport *transport);

#endif
