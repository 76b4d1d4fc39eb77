#ifndef FAIRLEAD_HTTP_METHOD_H
#define FAIRLEAD_HTTP_METHOD_H

#include "base/slice.h"

#include <stdbool.h>

/* Methods that the proxy knows. X(NAME, is_idempotent)   RFC 9110 §9.2.2, §9.3; RFC 5789. */
#define METHODS(X)    \
    X(GET, true)      \
    X(HEAD, true)     \
    X(POST, false)    \
    X(PUT, true)      \
    X(DELETE, true)   \
    X(CONNECT, false) \
    X(OPTIONS, true)  \
    X(TRACE, true)    \
    X(PATCH, false)

enum method {
    METHOD_OTHER, /* any other token; passes as it is, is not idempotent */
#define X(name, is_idempotent) METHOD_##name,
    METHODS(X)
#undef X
};

/* Methods are case-sensitive (RFC 9110 §9.1): "get" is METHOD_OTHER. */
enum method method_of(struct slice name);
/* "GET"; empty for METHOD_OTHER. */
struct slice method_name(enum method method);
bool method_is_idempotent(enum method method);

#endif
