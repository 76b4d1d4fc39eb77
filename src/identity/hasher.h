#ifndef FAIRLEAD_IDENTITY_HASHER_H
#define FAIRLEAD_IDENTITY_HASHER_H

#include "identity/password.h"
#include "io/loop.h"

#include <stdatomic.h>

/* Threads that compute password hashes, so that no worker waits for one.
 *
 *   worker -- hasher_submit --> queue --> a thread of ours -- loop_post --> the worker's loop: on_done
 *
 *   H1  at most HASHER_QUEUE_MAX jobs wait, and HASHER_THREADS are computed.
 *   H2  one thread has a job at a time; the worker that submitted it may set `is_cancelled` meanwhile.
 *   H3  a job always comes home, and its loop may not end before. */
struct hasher;

enum {
    HASHER_THREADS = 2, /* hashes in flight, and so many times PASSWORD_MEMORY_MAX at most */
    HASHER_QUEUE_MAX = 64,
};

/* Embedded in what waits for the answer. */
struct hash_job {
    /* set before it is submitted */
    struct loop *home;
    void (*on_done)(
        struct hash_job *job); /* in the thread of `home`, in a later turn; may free the job */
    char password[PASSWORD_MAX + 1]; /* wiped once it was used */
    char hash[PASSWORD_HASH_MAX];
    /* Nobody waits any more: it need not be computed. Writer: its worker; reader: a thread of ours; relaxed, since
     * nothing depends on when it is seen. */
    _Atomic bool is_cancelled;
    /* when it is done */
    bool was_hashed;
    bool is_match;
    /* private */
    struct link link;
    struct message message;
};

/* Begin the threads, with all signals blocked that the caller has blocked. `on_memory` is called by them before a hash
 * is computed, with the bytes that this takes, and afterwards with as many less; NULL: nobody wants to know. Errors:
 * NULL, errno tells. */
struct hasher *hasher_create(void (*on_memory)(void *owner, int64_t bytes), void *owner) MUST_USE;
/* No job may be under way. *hasher is NULL afterwards. Takes a pointer to NULL. */
void hasher_destroy(struct hasher **hasher);

/* Errors: ST_LIMIT the queue is full; then nothing happened. Thread: any. */
enum status hasher_submit(struct hasher *hasher, struct hash_job *job) MUST_USE;

#endif
