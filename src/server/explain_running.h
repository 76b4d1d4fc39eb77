#ifndef FAIRLEAD_SERVER_EXPLAIN_RUNNING_H
#define FAIRLEAD_SERVER_EXPLAIN_RUNNING_H

#include "admin/asked.h"

/* fairlead explain --running: the question goes to the process whose admin listener the configuration names, which
 * answers by what it has now (/api/v1/explain). */

/* Of `asked` all counts but what is read of the target. `argc`/`argv` are the arguments for the configuration. Returns
 * the exit code: 0 it passes, 1 it is refused, 2 the question or the configuration is wrong, or the process cannot be
 * asked. */
int explain_running(int argc, const char *const *argv, const struct asked *asked);

#endif
