#ifndef FAIRLEAD_POLICY_IDENTITY_H
#define FAIRLEAD_POLICY_IDENTITY_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who asks: what a request has proven of itself, for the rules and the record. A value that borrows: its texts
 * belong to whoever proved them (the client's connection, the snapshot's users) and live as long as the exchange. */

enum identity_proof {
    IDENTITY_NONE,        /* nobody said who asks */
    IDENTITY_BASIC,       /* a password (RFC 7617) */
    IDENTITY_BEARER,      /* a token (RFC 6750) */
    IDENTITY_CERTIFICATE, /* a client certificate that our CA vouches for */
    IDENTITY_PEER,        /* the process behind a Unix socket, as the kernel says */
};

struct identity {
    enum identity_proof proof;
    struct slice user;          /* empty: none */
    const struct slice *groups; /* of that user */
    size_t group_count;
    /* Of the client certificate, whatever `proof` is; empty where none was shown. */
    struct slice cert_subject; /* RFC 4514: "CN=ci,O=Example" */
    const struct slice *
        cert_names; /* subjectAltName: "dns:ci.example", "uri:spiffe://example/ci", "email:a@b.example" */
    size_t cert_name_count;
};

#endif
