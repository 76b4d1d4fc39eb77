#ifndef FAIRLEAD_TESTS_SUPPORT_PKI_H
#define FAIRLEAD_TESTS_SUPPORT_PKI_H

#include "base/slice.h"

/* Certificates made on the spot, for tests. PEM text; pki_free gives it back. */
struct pki {
    char *certificate;
    char *key;
};

struct pki_options {
    const char *subject;      /* common name */
    const char *names;        /* subjectAltName, "DNS:a.example,IP:127.0.0.1"; NULL for none */
    const struct pki *issuer; /* NULL: signs itself */
    bool is_authority;
    int begin_days;          /* from now */
    int end_days;            /* from now */
    const char *pass_phrase; /* the key is encrypted with it; NULL: it is not */
};

struct pki pki_make(const struct pki_options *options);
void pki_free(struct pki *pki);
struct slice pki_certificate(const struct pki *pki);
struct slice pki_key(const struct pki *pki);

#endif
