#ifndef FAIRLEAD_NET_TLS_JA4_H
#define FAIRLEAD_NET_TLS_JA4_H

#include "net/tls_hello.h"

/* JA4, the fingerprint of a TLS client: what its ClientHello offers, in an order of its own, so that clients with the
 * same library and settings share it. As FoxIO defines it in "JA4: TLS Client Fingerprinting". */

enum { TLS_JA4_TEXT = 10 + 1 + 12 + 1 + 12 }; /* t13d1516h2_8daaf6152771_d8a2da3f94cd */

/* Writes TLS_JA4_TEXT bytes, without a NUL. `hello` is of a TLS connection over TCP. False: there is more of something
 * than the reader of ClientHellos takes, or the digest failed; nothing is written. */
bool tls_ja4(const struct tls_hello *hello, char into[TLS_JA4_TEXT]);

#endif
