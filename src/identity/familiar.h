#ifndef FAIRLEAD_IDENTITY_FAMILIAR_H
#define FAIRLEAD_IDENTITY_FAMILIAR_H

#include "identity/digest.h"

#include <stdbool.h>

/* Credentials that were right before, and from which client: to show them again is no guess. They are judged again when
 * no worker remembers them any more, but do not wait with a throttle that others behind the same address have filled.
 *
 * Whoever shows something else learns nothing: only the right credentials are told apart, and those are let in.
 * Bounded; shared by all workers, and touched only where the throttle is. Thread: any. */
struct familiar;

enum { FAMILIAR_COUNT = 4096 };

/* Errors: NULL out of memory. */
struct familiar *familiar_create(void) MUST_USE;
/* *familiar is NULL afterwards. Takes a pointer to NULL. */
void familiar_destroy(struct familiar **familiar);

/* `client` (throttle_client) showed what has the digest `field`, which was right for the member with this `proof`
 * (roster_member); what was so longest ago leaves. */
void familiar_note(struct familiar *familiar, uint64_t client, const struct digest *field,
                   const struct digest *proof, uint64_t now_ns);
/* Was that so, of just this client, field and proof? */
bool familiar_knows(struct familiar *familiar, uint64_t client, const struct digest *field,
                    const struct digest *proof);

#endif
