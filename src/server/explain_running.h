#ifndef FAIRLEAD_SERVER_EXPLAIN_RUNNING_H
#define FAIRLEAD_SERVER_EXPLAIN_RUNNING_H

#include "policy/question.h"

/* fairlead explain --running: the question goes to the process whose admin listener the configuration names, which
 * answers by what it has now (/api/v1/explain). */

struct explain_question {
    const struct gate_question *who; /* all but what the target says */
    const char *target;
    bool wants_all;
};

/* `argc`/`argv` are the arguments for the configuration. Returns the exit code: 0 it passes, 1 it is refused, 2 the
 * question or the configuration is wrong, or the process cannot be asked. */
int explain_running(int argc, const char *const *argv, const struct explain_question *asked);

#endif
