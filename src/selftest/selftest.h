#ifndef FAIRLEAD_SELFTEST_SELFTEST_H
#define FAIRLEAD_SELFTEST_SELFTEST_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* `fairlead self-test`: every known way around the gate, tried against a configuration in a private instance that dials
 * nobody. docs/self-test.md tells what is tried. */

struct trials;

struct selftest_view {
    bool is_json; /* instead of the table */
    bool lists;   /* a line for each try; with JSON, a member */
};

/* The command, with its output. Flags are those of `run`; they are borrowed. Returns the exit code: 0 no hole, 1 a
 * hole, or something else went wrong, 2 the configuration is wrong. Of the main thread, before there are others. */
int selftest(int argc, const char *const *argv, const struct selftest_view *view);

/* The same in parts, for tests. Begin the private instance. Faults are said.
 * Errors: ST_BAD the configuration is wrong, ST_IO, ST_NOMEM. */
enum status selftest_begin(int argc, const char *const *argv, struct trials **ret_trials) MUST_USE;
/* Try all `classes` (bits of enum trial_class, or UINT32_MAX); results are cleared before. */
void selftest_run(struct trials *trials, uint32_t classes);
/* *trials is NULL afterwards; takes a pointer to NULL. */
void selftest_end(struct trials **trials);

#endif
