#ifndef FAIRLEAD_SERVER_PARENT_H
#define FAIRLEAD_SERVER_PARENT_H

#include "server/maker.h"
#include "server/privileges.h"

/* The privileged process that stays when root started us. It opens what the configuration names, starts the
 * serving process, and starts it again when it dies. It never has a connection, and parses nothing that
 * came over the network. */
struct parent_options {
    struct maker *maker;
    const struct privileges_user *user;
    struct bundle *bundle; /* the first one; taken */
    int signals;           /* a signalfd for all that parent_run acts on, SIGCHLD among them */
    /* Serve from `bundle` (taken) with this end of the channel, in the new process; the exit code. */
    int (*serve)(const struct parent_options *options, struct bundle *bundle, int channel);
};

/* Until the end. Returns the exit code: that of the serving process. Does not return in that one. */
int parent_run(const struct parent_options *options);

#endif
