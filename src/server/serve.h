#ifndef FAIRLEAD_SERVER_SERVE_H
#define FAIRLEAD_SERVER_SERVE_H

/* Serve until SIGTERM or SIGINT: `argc`/`argv` are the flags behind the command. Returns the exit code:
 * 0 ended in order, 1 could not start, 2 the configuration is wrong. Thread: main, before any other. */
int serve(int argc, const char *const *argv);

/* Read the file of -c (if any) and the flags; errors go to standard error. NULL where there were any. */
struct config *serve_load_config(int argc, const char *const *argv);

#endif
