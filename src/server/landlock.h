#ifndef FAIRLEAD_SERVER_LANDLOCK_H
#define FAIRLEAD_SERVER_LANDLOCK_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Landlock of the kernel: all files are shut for this thread and those that it starts, but for some. */

enum landlock_may {
    LANDLOCK_MAY_READ = 1,  /* open what is there for reading */
    LANDLOCK_MAY_LOG = 2,   /* open for writing, and make regular files */
    LANDLOCK_MAY_SOCKET = 4 /* make and remove sockets, and remove files */
};

/* A file, or a folder with all below it. */
struct landlock_place {
    const char *path;
    unsigned may; /* enum landlock_may */
};

/* The version of the kernel's Landlock; 0: it has none, or it is off. */
int landlock_version(void);
/* Shut all but `places`; those that are not there are left out. Where the kernel can, signals to other processes
 * are shut as well, and with `shuts_abstract` connections to their abstract Unix sockets. No new privileges must have
 * been asked for.
 * Errors: ST_LIMIT the kernel has no Landlock, ST_IO with errno. Thread: the only one. */
enum status landlock_shut(const struct landlock_place *places, size_t count,
                          bool shuts_abstract) MUST_USE;

#endif
