#ifndef FAIRLEAD_ADMIN_PAC_H
#define FAIRLEAD_ADMIN_PAC_H

#include "base/host.h"
#include "base/inet.h"
#include "base/text.h"

/* The proxy auto-configuration file that browsers read. */

/* One listener of the proxy. */
struct pac_door {
    struct inet_endpoint bound; /* INET_NONE: a Unix socket */
    bool is_tls;
};

/* Who asks. */
struct pac_client {
    struct inet_endpoint peer; /* INET_NONE: through a Unix socket */
    const struct host *host;   /* by what name or address it reached us; NULL: not known */
};

enum { PAC_ROOM = 1024 };

/* Add the file: the first listener in clear that this client can reach, else the first over TLS. False: it
 * can reach none, and `into` gets a sentence for people. `into` needs PAC_ROOM bytes. */
bool pac_add(const struct pac_door *doors, size_t count, const struct pac_client *client,
             struct text *into);

#endif
