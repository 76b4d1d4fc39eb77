#ifndef FAIRLEAD_CLI_HELP_H
#define FAIRLEAD_CLI_HELP_H

#include <stdbool.h>

/* What the program says of itself: one table has all commands. */

/* Is `word` the name of a command? */
bool help_is_command(const char *word);
/* The help of the command `word`; of the whole program where that is none, or NULL. To standard output. */
void help_print(const char *word);

#endif
