#ifndef FAIRLEAD_NET_TLS_SNIFF_H
#define FAIRLEAD_NET_TLS_SNIFF_H

#include "base/slice.h"

/* Telling TLS and clear HTTP apart by the first bytes, and what to say to who came to the wrong door. */

/* A TLS handshake record begins (0x16, then 0x03). True on the first byte already, which no HTTP
 * message begins with. */
bool tls_sniff_is_tls(struct slice first);
/* A request line or a response in clear begins: an upper-case letter, which no TLS record begins with. */
bool tls_sniff_is_http(struct slice first);

/* The version of SOCKS that begins, 4 or 5, which neither HTTP nor TLS begins with; 0 none. */
unsigned tls_sniff_socks_version(struct slice first);

/* For a clear client on a TLS listener: a whole 400 response that ends the connection. Static storage. */
struct slice tls_sniff_clear_answer(void);

#endif
