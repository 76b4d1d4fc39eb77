#ifndef FAIRLEAD_SERVER_BUNDLE_WIRE_H
#define FAIRLEAD_SERVER_BUNDLE_WIRE_H

#include "server/bundle.h"
#include "server/channel.h"

/* A bundle over the channel: its texts in one piece of memory (memfd), its descriptors by the dozen. */

/* All descriptors of all frames: those of the listeners, of the admin listener and of the log. */
enum { BUNDLE_FDS_MAX = BUNDLE_LISTENS_MAX * BUNDLE_WORKERS_MAX + 2 };

/* Errors: ST_IO with errno, ST_NOMEM. Then the receiver has a part of it, which the next one replaces. */
enum status bundle_send(const struct bundle *bundle, int channel, uint32_t serial) MUST_USE;

/* A bundle on its way in. */
struct bundle_receipt {
    uint32_t serial;
    int memory; /* -1: none is on its way */
    uint64_t bytes;
    uint32_t fd_count; /* that belong to it */
    uint32_t have;
    int *fds;
};

void bundle_receipt_init(struct bundle_receipt *receipt);
/* Take a message of kind CHANNEL_BUNDLE or CHANNEL_MORE, and its descriptors in any case. ST_OK: the bundle
 * is whole. Errors: ST_AGAIN there is more to come, ST_BAD it breaks the rules, ST_NOMEM; after the last two
 * nothing is on its way. */
enum status bundle_receipt_add(struct bundle_receipt *receipt,
                               struct channel_message *message) MUST_USE;
/* Make the bundle of what is whole. `argc`/`argv` are the flags. Nothing is on its way afterwards.
 * Errors: ST_BAD with a fault, ST_NOMEM. */
enum status bundle_receipt_take(struct bundle_receipt *receipt, int argc, const char *const *argv,
                                struct bundle **ret_bundle, struct text *fault) MUST_USE;
void bundle_receipt_drop(struct bundle_receipt *receipt);

#endif
