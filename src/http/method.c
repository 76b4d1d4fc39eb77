/* Methods by number, with the property that retries ask for. Names are compared exactly
 * (RFC 9110 §9.1); what is not in the table passes as METHOD_OTHER and is promised nothing. */
#include "http/method.h"

struct row {
    struct slice name;
    bool is_idempotent;
};

static const struct row rows[] = {[METHOD_OTHER] = {{"", 0}, false},
#define X(name, is_idempotent) [METHOD_##name] = {{#name, sizeof(#name) - 1}, is_idempotent},
                                  METHODS(X)
#undef X
};

enum method method_of(struct slice name)
{
    if (name.len < 3 || name.len > 7)
        return METHOD_OTHER;
    for (unsigned i = METHOD_OTHER + 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_equals(rows[i].name, name))
            return (enum method)i;
    }
    return METHOD_OTHER;
}

struct slice method_name(enum method method)
{
    return rows[method].name;
}

bool method_is_idempotent(enum method method)
{
    return rows[method].is_idempotent;
}
