#ifndef FAIRLEAD_SERVER_DIFF_H
#define FAIRLEAD_SERVER_DIFF_H

#include <stdbool.h>

/* fairlead check --diff [OLD] [--kill-refused]: what a reload would change, and what would be refused that is open. */

struct diff_options {
    const char *
        old_path; /* a file to compare with; NULL: the process whose admin listener the configuration names */
    bool kills_refused; /* end the open tunnels that would be refused; not with `old_path` */
};

/* `argc`/`argv` are the other arguments of check. Returns the exit code: 0 all was compared (and ended), 1 the process
 * could not be asked or did not look at all its tunnels, or something was not ended, 2 a configuration is wrong.
 * Thread: main, before any other. */
int diff(int argc, const char *const *argv, const struct diff_options *options);

#endif
