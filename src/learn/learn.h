#ifndef FAIRLEAD_LEARN_LEARN_H
#define FAIRLEAD_LEARN_LEARN_H

#include "config/config.h"

/* fairlead learn: read JSON access logs, print an allow-list of what they saw as a part of a configuration. Reads as a
 * stream, in memory that is bounded. `argc`/`argv` are the arguments behind the command.
 * Returns the exit code: 0 all was read and is in it, 1 something was left out and said, 2 wrong arguments, or a file
 * cannot be read. Thread: main. */
int learn(int argc, const char *const *argv);

/* Its own options, as --help shows them. */
void learn_print_options(config_flag_printer *print);

#endif
