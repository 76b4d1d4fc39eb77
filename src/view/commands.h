#ifndef FAIRLEAD_VIEW_COMMANDS_H
#define FAIRLEAD_VIEW_COMMANDS_H

#include "view/options.h"

/* One function a command; each returns the exit code. Standard output may be closed in the middle. */

/* Make transactions, and show each of them. */
int trace_command(const struct view_options *options);
/* Log files, standard input or a running process to HAR. */
int har_command(const struct view_options *options);
/* Follow the events of a running process until SIGINT, SIGTERM, or until standard output is closed. */
int tail_command(const struct view_options *options);
/* List open tunnels, or end some. */
int tunnels_command(const struct view_options *options);
/* List the requests in flight. */
int requests_command(const struct view_options *options);

#endif
