#ifndef FAIRLEAD_PROXY_IDENTIFY_H
#define FAIRLEAD_PROXY_IDENTIFY_H

#include "budget/ceiling.h"
#include "identity/credential_cache.h"
#include "identity/digest.h"
#include "identity/familiar.h"
#include "identity/hasher.h"
#include "identity/throttle.h"

/* What judges credentials, for all workers: the threads that hash, and who failed too often. */
struct verifier {
    struct hasher *hasher;
    struct throttle *throttle;
    struct familiar *familiar; /* who need not wait for it */
    struct digest_key key;     /* of the digests under which credentials are remembered */
};

/* Begins threads. What they take is of the ceiling's reserve; NULL: there is none. Errors: ST_NOMEM, ST_IO; what was
 * begun is still to be ended. */
enum status verifier_init(struct verifier *verifier, struct ceiling *ceiling) MUST_USE;
/* All workers have ended. Takes one that was not begun. */
void verifier_done(struct verifier *verifier);

/* Who a worker's clients are: what it remembers, and what it has asked. Thread: the worker's. */
struct identify {
    struct verifier *verifier; /* NULL: there is none, and no password can be judged (tests) */
    struct credential_cache cache;
    struct link inquiries; /* under way; those that nobody waits for any more are not in it */
    size_t inquiry_count;  /* all that will come home */
};

void identify_init(struct identify *identify);
void identify_done(struct identify *identify);

#endif
