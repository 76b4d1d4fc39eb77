#ifndef FAIRLEAD_SERVER_SECCOMP_FILTER_H
#define FAIRLEAD_SERVER_SECCOMP_FILTER_H

#include "base/status.h"
#include "base/text.h"
#include "config/config.h"

#include <stdbool.h>

/* The system calls of the serving process: a list of those that it needs; what becomes of others is `mode`.
 * `makes_bundles`: nobody above us listens, opens and removes for us. Holds for all threads, for good; no new
 * privileges must have been asked for.
 * Errors: ST_IO, ST_NOMEM with a fault. Thread: the only one. */
enum status seccomp_filter_load(enum config_seccomp mode, bool makes_bundles,
                                struct text *fault) MUST_USE;

#endif
