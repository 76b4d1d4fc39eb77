#ifndef FAIRLEAD_SERVER_CHILD_H
#define FAIRLEAD_SERVER_CHILD_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The serving process, as its parent has it. */
struct child {
    pid_t pid;   /* 0: none */
    int channel; /* to it; -1: none, or it was closed */
    uint64_t started_ns;
    unsigned young_deaths; /* in a row */
};

void child_init(struct child *child);
/* Fork. In the new process `run` is called with the other end of the channel, and must not return.
 * Errors: ST_IO, errno tells. */
enum status child_start(struct child *child, void (*run)(void *owner, int channel),
                        void *owner) MUST_USE;
/* Has it ended? Then *ret_status is as waitpid(2) has it, and there is none any more. Where the kernel has kept
 * no status, it is that of an exit with code 1. */
bool child_collect(struct child *child, int *ret_status);
/* SIGKILL. */
void child_kill(const struct child *child);
/* What a shell would call its end: the exit code, or 128 and the signal. */
int child_code(int status);
/* One that `has_served` or not has died and another is to come: say so.
 * Returns how long to wait before it: nothing at first, then longer with each that dies young. */
uint64_t child_mourn(struct child *child, int status, bool has_served);

#endif
