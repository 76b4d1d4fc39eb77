#ifndef FAIRLEAD_VIEW_VIEW_H
#define FAIRLEAD_VIEW_VIEW_H

#include <stdbool.h>

/* The commands that show transactions: trace, tail, tunnels, requests, har. docs/live.md is their manual. */

/* Is `word` one of them? */
bool view_is_command(const char *word);
/* Run it: `argc`/`argv` are the arguments behind it. Returns the exit code: 0 all went well, 1 something did not (a
 * process that is not there, a line that is none, a transaction that failed), 2 wrong usage. Thread: main, before any
 * other. */
int view_run(const char *word, int argc, const char *const *argv);
/* The options of one of them, as its help shows them. */
void view_print_flags(const char *word);
/* In the help of the program: options that nothing else shows. */
void view_print_options(void);

#endif
