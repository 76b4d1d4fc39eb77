#ifndef FAIRLEAD_VIEW_VIA_H
#define FAIRLEAD_VIEW_VIA_H

#include "base/text.h"
#include "identity/credentials.h"
#include "view/aim.h"

/* Another proxy, as --proxy names it. */

enum { VIA_FIELD_MAX = sizeof("Basic ") + (CREDENTIALS_DECODED_MAX + 2) / 3 * 4 };

struct via {
    struct host host;
    char authority[AIM_AUTHORITY_MAX]; /* HOST:PORT; empty: there is no other proxy */
    bool is_tls;
    char field[VIA_FIELD_MAX]; /* value of Proxy-Authorization, a secret; empty: none is sent */
};

/* None, if `url` is NULL. Else http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host (RFC 3986
 * §3.2.1), or USER@ and the password in the first line of `password_file`, which is NULL where there is none. `fault` gets
 * a sentence that holds no part of a user or password. Errors: ST_BAD, also where the file cannot be read; ST_NOMEM.
 * via_done in any case. */
enum status via_init(struct via *via, const char *url, const char *password_file,
                     struct text *fault) MUST_USE;
/* Wipe it. */
void via_done(struct via *via);

static inline bool via_is_there(const struct via *via)
{
    return via->authority[0] != '\0';
}

#endif
