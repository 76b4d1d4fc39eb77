#ifndef FAIRLEAD_IDENTITY_CREDENTIALS_H
#define FAIRLEAD_IDENTITY_CREDENTIALS_H

#include "base/slice.h"

/* What a Proxy-Authorization field says (RFC 9110 §11.7.2): Basic (RFC 7617) and Bearer (RFC 6750 §2.1). */

enum credentials_kind {
    CREDENTIALS_OTHER, /* of a scheme that is not known here */
    CREDENTIALS_BAD,   /* malformed */
    CREDENTIALS_BASIC,
    CREDENTIALS_BEARER,
};

enum {
    CREDENTIALS_USER_MAX = 255,
    CREDENTIALS_PASSWORD_MAX = 511, /* what crypt(3) takes */
    CREDENTIALS_TOKEN_MAX = 4096,
    CREDENTIALS_DECODED_MAX = CREDENTIALS_USER_MAX + 1 + CREDENTIALS_PASSWORD_MAX,
};

struct credentials {
    enum credentials_kind kind;
    const char *fault;     /* CREDENTIALS_BAD: what is wrong, without a word of what came; static */
    struct slice user;     /* CREDENTIALS_BASIC; in `decoded` */
    struct slice password; /* the same */
    struct slice token;    /* CREDENTIALS_BEARER; a view of the field */
    /* private */
    char decoded[CREDENTIALS_DECODED_MAX];
};

/* Read the value of a field; `credentials` is wiped by the caller afterwards. */
void credentials_parse(struct slice value, struct credentials *credentials);
/* Is this name one that a user may have: not empty, not too long, no control bytes, no colon? */
bool credentials_is_user(struct slice name);
void credentials_wipe(struct credentials *credentials);

#endif
