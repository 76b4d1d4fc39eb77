#ifndef FAIRLEAD_REPORT_TLS_CIPHER_H
#define FAIRLEAD_REPORT_TLS_CIPHER_H

#include <stdint.h>

/* The IANA name of a TLS cipher suite by its number, of those that OpenSSL speaks; NULL for others. Static storage.
 * Spec: the registry of RFC 8447 §8. */
const char *tls_cipher_name(uint16_t number);

#endif
