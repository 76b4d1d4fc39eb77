#ifndef FAIRLEAD_SERVER_SANDBOX_CHECK_H
#define FAIRLEAD_SERVER_SANDBOX_CHECK_H

#include "server/sandbox.h"

#include <stdio.h>

/* Shut processes in as the serving one would be, try in them what must not be possible, and print a table of what
 * holds. Returns the exit code: 0, or 1 where the configuration asks for something that cannot be had, or something
 * went through. `options->has_parent`: as root, so the processes become the user that serves first. Thread: the only
 * one. */
int sandbox_check(const struct sandbox_options *options, FILE *out);

#endif
