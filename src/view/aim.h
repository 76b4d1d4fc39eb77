#ifndef FAIRLEAD_VIEW_AIM_H
#define FAIRLEAD_VIEW_AIM_H

#include "base/host.h"
#include "base/text.h"
#include "http/target.h"

/* What one word of the command line asks for: a URL, or the HOST:PORT of a tunnel. */

/* HOST:PORT, with the brackets of IPv6. */
enum { AIM_AUTHORITY_MAX = HOST_MAX + 10 };

struct aim {
    struct slice word; /* as it was given, without a fragment; borrowed */
    struct target target;
    struct slice method; /* borrowed; of a tunnel CONNECT */
    bool is_tunnel;      /* HOST:PORT */
    char authority[AIM_AUTHORITY_MAX];
};

/* `method` NULL: GET. `fault` gets a sentence. Errors: ST_BAD. */
enum status aim_init(struct aim *aim, const char *word, const char *method,
                     struct text *fault) MUST_USE;
/* Is TLS with the origin asked for? */
static inline bool aim_is_tls(const struct aim *aim)
{
    return aim->target.scheme == SCHEME_HTTPS;
}
/* Host and port of a target as CONNECT has them. */
void aim_write_authority(const struct target *target, char into[AIM_AUTHORITY_MAX]);

#endif
