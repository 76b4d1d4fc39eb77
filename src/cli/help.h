#ifndef FAIRLEAD_CLI_HELP_H
#define FAIRLEAD_CLI_HELP_H

/* What the program says of itself: one table has all commands. */

/* The help of the command `word`; of the whole program where that is none, or NULL. To standard output. */
void help_print(const char *word);

#endif
