#ifndef FAIRLEAD_HTTP_TOKEN_H
#define FAIRLEAD_HTTP_TOKEN_H

#include "base/slice.h"

#include <stdint.h>

/* Field names that the proxy knows by number. X(NAME, "spelling", length, first, last)
 * First and last letter are lower case; token.c makes a perfect hash of the three, and the compiler
 * refuses a row that collides with another. At most 63 rows, so that a set of them is one word. Those that most heads
 * have stand first, the others by name. */
#define FIELD_TOKENS(X)                                                     \
    X(HOST, "Host", 4, 'h', 't')                                            \
    X(USER_AGENT, "User-Agent", 10, 'u', 't')                               \
    X(ACCEPT, "Accept", 6, 'a', 't')                                        \
    X(ACCEPT_ENCODING, "Accept-Encoding", 15, 'a', 'g')                     \
    X(ACCEPT_LANGUAGE, "Accept-Language", 15, 'a', 'e')                     \
    X(CONNECTION, "Connection", 10, 'c', 'n')                               \
    X(COOKIE, "Cookie", 6, 'c', 'e')                                        \
    X(REFERER, "Referer", 7, 'r', 'r')                                      \
    X(CACHE_CONTROL, "Cache-Control", 13, 'c', 'l')                         \
    X(PRAGMA, "Pragma", 6, 'p', 'a')                                        \
    X(DATE, "Date", 4, 'd', 'e')                                            \
    X(SERVER, "Server", 6, 's', 'r')                                        \
    X(CONTENT_TYPE, "Content-Type", 12, 'c', 'e')                           \
    X(CONTENT_LENGTH, "Content-Length", 14, 'c', 'h')                       \
    X(ETAG, "ETag", 4, 'e', 'g')                                            \
    X(LAST_MODIFIED, "Last-Modified", 13, 'l', 'd')                         \
    X(TRANSFER_ENCODING, "Transfer-Encoding", 17, 't', 'g')                 \
    X(VARY, "Vary", 4, 'v', 'y')                                            \
    X(VIA, "Via", 3, 'v', 'a')                                              \
    X(ACCEPT_RANGES, "Accept-Ranges", 13, 'a', 's')                         \
    X(AGE, "Age", 3, 'a', 'e')                                              \
    X(ALLOW, "Allow", 5, 'a', 'w')                                          \
    X(ALT_SVC, "Alt-Svc", 7, 'a', 'c')                                      \
    X(AUTHORIZATION, "Authorization", 13, 'a', 'n')                         \
    X(CONTENT_ENCODING, "Content-Encoding", 16, 'c', 'g')                   \
    X(CONTENT_RANGE, "Content-Range", 13, 'c', 'e')                         \
    X(EXPECT, "Expect", 6, 'e', 't')                                        \
    X(EXPIRES, "Expires", 7, 'e', 's')                                      \
    X(FORWARDED, "Forwarded", 9, 'f', 'd')                                  \
    X(HTTP2_SETTINGS, "HTTP2-Settings", 14, 'h', 's')                       \
    X(IF_MODIFIED_SINCE, "If-Modified-Since", 17, 'i', 'e')                 \
    X(IF_NONE_MATCH, "If-None-Match", 13, 'i', 'h')                         \
    X(KEEP_ALIVE, "Keep-Alive", 10, 'k', 'e')                               \
    X(LOCATION, "Location", 8, 'l', 'n')                                    \
    X(MAX_FORWARDS, "Max-Forwards", 12, 'm', 's')                           \
    X(ORIGIN, "Origin", 6, 'o', 'n')                                        \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 18, 'p', 'e')               \
    X(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info", 25, 'p', 'o') \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization", 19, 'p', 'n')             \
    X(PROXY_CONNECTION, "Proxy-Connection", 16, 'p', 'n')                   \
    X(PROXY_STATUS, "Proxy-Status", 12, 'p', 's')                           \
    X(RANGE, "Range", 5, 'r', 'e')                                          \
    X(RETRY_AFTER, "Retry-After", 11, 'r', 'r')                             \
    X(SERVER_TIMING, "Server-Timing", 13, 's', 'g')                         \
    X(SET_COOKIE, "Set-Cookie", 10, 's', 'e')                               \
    X(TE, "TE", 2, 't', 'e')                                                \
    X(TRAILER, "Trailer", 7, 't', 'r')                                      \
    X(UPGRADE, "Upgrade", 7, 'u', 'e')                                      \
    X(WWW_AUTHENTICATE, "WWW-Authenticate", 16, 'w', 'e')                   \
    X(X_FORWARDED_FOR, "X-Forwarded-For", 15, 'x', 'r')                     \
    X(X_FORWARDED_HOST, "X-Forwarded-Host", 16, 'x', 't')                   \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto", 17, 'x', 'o')

enum token {
    TOKEN_OTHER, /* a name that is not in the table */
#define X(name, spelling, length, first, last) TOKEN_##name,
    FIELD_TOKENS(X)
#undef X
        TOKEN_COUNT,
};

/* The token of a field name, whatever its case; TOKEN_OTHER for every name that is not known. */
enum token token_of(struct slice name);
/* The usual spelling; empty for TOKEN_OTHER. */
struct slice token_name(enum token token);

/* One bit of a set of tokens. */
static inline uint64_t token_bit(enum token token)
{
    return (uint64_t)1 << token;
}

#endif
