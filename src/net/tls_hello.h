#ifndef FAIRLEAD_NET_TLS_HELLO_H
#define FAIRLEAD_NET_TLS_HELLO_H

#include "base/slice.h"

#include <stdbool.h>

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

struct tls_hello {
    bool has_name;
    struct slice name; /* of the server_name extension, as it came; in the scratch memory */
    bool
        has_ech; /* an encrypted ClientHello, or what looks like one (GREASE): `name` is the outer one */
};

/* `bytes` is all that came so far; `scratch` holds TLS_HELLO_MAX and stays while ret_hello is used, which is written
 * where the result is TLS_HELLO_WHOLE. A name that is no text of letters, digits, '-', '_' and '.', a second one, and
 * a second extension of the same kind are malformed. */
enum tls_hello_result tls_hello_read(struct slice bytes, char *scratch,
                                     struct tls_hello *ret_hello);
/* What is wrong, for people; static storage. */
const char *tls_hello_text(enum tls_hello_result result);

#endif
