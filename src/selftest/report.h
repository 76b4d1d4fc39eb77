#ifndef FAIRLEAD_SELFTEST_REPORT_H
#define FAIRLEAD_SELFTEST_REPORT_H

#include "selftest/trial.h"

#include <stdio.h>

/* The self-test's output: a table for people, or JSON. */
struct report {
    FILE *out;
    bool is_json;
    bool lists;              /* each try, too */
    const char *config_name; /* as messages show it; "" for none */
    bool has_tries;          /* private */
};

/* Before the first try; `report` and `trials` are then tied together until report_end. */
void report_begin(struct report *report, struct trials *trials);
void report_end(struct report *report, struct trials *trials, uint64_t elapsed_ns);

#endif
