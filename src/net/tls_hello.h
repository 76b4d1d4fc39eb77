#ifndef FAIRLEAD_NET_TLS_HELLO_H
#define FAIRLEAD_NET_TLS_HELLO_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The ClientHello at the beginning of a byte stream (RFC 8446 §4.1.2, RFC 6066 §3), read without taking part in the
 * handshake. It may lie in any number of TLS records, and these in any number of segments. */

enum tls_hello_result {
    TLS_HELLO_WHOLE,
    TLS_HELLO_MORE,    /* so far it may be one */
    TLS_HELLO_NOT_TLS, /* the first bytes are none of a TLS handshake */
    TLS_HELLO_MALFORMED,
    TLS_HELLO_TOO_LONG, /* it says that it is longer than TLS_HELLO_MAX */
};

enum { TLS_HELLO_MAX = 16384 };

/* Its texts lie in the bytes, or in the scratch memory, that it was read from. */
struct tls_hello {
    bool has_name;
    struct slice name; /* of the server_name extension, as it came */
    bool
        has_ech; /* an encrypted ClientHello, or what looks like one (GREASE): `name` is the outer one */
    uint16_t
        psk_bytes; /* it offers to resume a session of TLS 1.3, or another key that both have: so many bytes
                           tell which (RFC 8446 §4.2.11) */
    bool has_early_data; /* data of 0-RTT follow */
    uint16_t version;    /* the highest that it offers, 0x0304 */
    size_t bytes;        /* of its records: what follows it begins there */
    /* As they came; empty where there are none, and where they are not well-formed. */
    struct slice alpn;       /* names, each behind its length of one byte (RFC 7301 §3.1) */
    struct slice ciphers;    /* numbers of two bytes, as those below */
    struct slice versions;   /* of supported_versions */
    struct slice signatures; /* of signature_algorithms */
    struct slice extensions; /* each a type and a length of two bytes, and its content */
};

/* `bytes` is all that came so far; `scratch` holds TLS_HELLO_MAX. Both stay while ret_hello is used, which is written
 * where the result is TLS_HELLO_WHOLE; the scratch memory is used only where the hello lies in several records. A name
 * that is no text of letters, digits, '-', '_' and '.', a second one, and a second extension of the same kind are
 * malformed. */
enum tls_hello_result tls_hello_read(struct slice bytes, char *scratch,
                                     struct tls_hello *ret_hello);
/* The same where one record holds all of it, which is usual, and without copying. TLS_HELLO_MORE: one does not, or not
 * yet; tls_hello_read knows. */
enum tls_hello_result tls_hello_view(struct slice bytes, struct tls_hello *ret_hello);
/* The next number of two bytes in such a list. False: there is none. */
bool tls_hello_next(struct slice *rest, uint16_t *ret_number);
/* The next extension. False: there is none. */
bool tls_hello_next_extension(struct slice *rest, uint16_t *ret_type);
/* The next name of `alpn`. False: there is none. */
bool tls_hello_next_name(struct slice *rest, struct slice *ret_name);
/* One of the numbers that mean nothing, and are sent so that nobody stumbles over new ones (RFC 8701 §2). */
bool tls_is_grease(uint16_t number);
/* What is wrong, for people; static storage. */
const char *tls_hello_text(enum tls_hello_result result);

#endif
