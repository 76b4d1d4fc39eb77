#ifndef FAIRLEAD_SERVER_COMPILE_H
#define FAIRLEAD_SERVER_COMPILE_H

#include "config/snapshot.h"
#include "server/bundle.h"
#include "server/interfaces.h"

/* Make what workers decide under of a bundle; nothing is opened. The bundle's configuration moves into the
 * snapshot, and is gone where this fails. `interfaces`: what the gate refuses as this machine; copied.
 * `served`: what the result replaces, or NULL; a certificate of it may have expired meanwhile.
 * `tickets` NULL: each context has keys of its own.
 * Errors: ST_BAD with a fault, ST_NOMEM. */
enum status compile_snapshot(struct bundle *bundle, const struct interfaces *interfaces,
                             const struct snapshot *served, struct tls_tickets *tickets,
                             struct slice via, struct text *fault,
                             struct snapshot **ret_snapshot) MUST_USE;

#endif
