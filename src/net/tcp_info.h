#ifndef FAIRLEAD_NET_TCP_INFO_H
#define FAIRLEAD_NET_TCP_INFO_H

#include "net/transport.h"
#include "record/record.h"

/* What the kernel knows of the connection below a transport, through TLS. One system call.
 * Where there is none (a Unix socket, memory in tests, NULL, no connection any more), *into is all zero. */
void tcp_info_read(const struct transport *transport, struct record_tcp *into);

#endif
