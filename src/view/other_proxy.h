#ifndef FAIRLEAD_VIEW_OTHER_PROXY_H
#define FAIRLEAD_VIEW_OTHER_PROXY_H

#include "base/text.h"
#include "identity/credentials.h"
#include "view/aim.h"

/* Another proxy, as --proxy names it. */

enum { OTHER_PROXY_FIELD_MAX = sizeof("Basic ") + (CREDENTIALS_DECODED_MAX + 2) / 3 * 4 };

struct other_proxy {
    struct host host;
    char authority[AIM_AUTHORITY_MAX]; /* HOST:PORT; empty: there is no other proxy */
    bool is_tls;
    char field
        [OTHER_PROXY_FIELD_MAX]; /* value of Proxy-Authorization, a secret; empty: none is sent */
};

/* None, if `url` is NULL. Else http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host (RFC 3986
 * §3.2.1), or USER@ and the password in the first line of `password_file`, which is NULL where there is none. `fault`
 * gets a sentence that holds no part of a user or password. Errors: ST_BAD, also where the file cannot be read;
 * ST_NOMEM. other_proxy_done in any case. */
enum status other_proxy_init(struct other_proxy *proxy, const char *url, const char *password_file,
                             struct text *fault) MUST_USE;
/* Wipe it. */
void other_proxy_done(struct other_proxy *proxy);

static inline bool other_proxy_is_there(const struct other_proxy *proxy)
{
    return proxy->authority[0] != '\0';
}

#endif
