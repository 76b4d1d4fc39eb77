#ifndef FAIRLEAD_SERVER_SERVE_H
#define FAIRLEAD_SERVER_SERVE_H

#include "config/snapshot.h"

/* Serve until SIGTERM or SIGINT: `argc`/`argv` are the flags behind the command. Returns the exit code:
 * 0 ended in order, 1 could not start, 2 the configuration is wrong. Thread: main, before any other. */
int serve(int argc, const char *const *argv);

/* What a check writes to standard output. */
enum serve_check {
    SERVE_CHECK_VERDICT, /* that it is good */
    SERVE_CHECK_PRINT,   /* the configuration with its defaults */
    SERVE_CHECK_SANDBOX, /* what holds of the sandbox that it asks for */
};

/* Validate the configuration, and read and compile the files that it names; nothing is bound or made.
 * Returns the exit code: 0 good, 1 the sandbox or the machine's addresses cannot be had, 2 the configuration is wrong,
 * or a file that it names. */
int serve_check(int argc, const char *const *argv, enum serve_check what);

/* The same, for what is asked of the configuration: compiled as a start would, errors said. The caller unrefs it.
 * Returns the exit code, 0 or 2, so that 1 is left for what the command finds; *ret_snapshot is written where it
 * is 0. */
int serve_compile(int argc, const char *const *argv, struct snapshot **ret_snapshot);

#endif
