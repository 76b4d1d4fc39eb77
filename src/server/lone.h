#ifndef FAIRLEAD_SERVER_LONE_H
#define FAIRLEAD_SERVER_LONE_H

#include "server/bundle.h"
#include "server/worker.h"

/* A worker of a command: it decides and forwards as those of a process do, but listens nowhere, and serves only whom
 * the command connects. */

/* Describe in the bundle the sockets that a start would have, since they belong to the floor. None of them is bound. */
void lone_describe(struct bundle *bundle);
/* A new client of the worker, without an address: its end of the connection, which is the caller's and does not block.
 * Errors: ST_IO, ST_NOMEM. Thread: that of the command. */
enum status lone_connect(struct worker *worker, int *ret_fd) MUST_USE;

#endif
