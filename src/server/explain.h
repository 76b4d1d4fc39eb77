#ifndef FAIRLEAD_SERVER_EXPLAIN_H
#define FAIRLEAD_SERVER_EXPLAIN_H

#include "config/config.h"

/* fairlead explain: what the configuration would make of a request, without making it. The name is looked up as a
 * worker would look it up; nothing is dialled. `argc`/`argv` are the arguments behind the command.
 * Returns the exit code: 0 it passes, 1 it is refused, 2 the question or the configuration is wrong.
 * Thread: main, before any other. */
int explain(int argc, const char *const *argv);

/* Its own options, as --help shows them. */
void explain_print_options(config_flag_printer *print);

#endif
