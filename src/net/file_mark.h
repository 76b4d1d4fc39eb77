#ifndef FAIRLEAD_NET_FILE_MARK_H
#define FAIRLEAD_NET_FILE_MARK_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* What says whether a file is still the one that was read. All zero: there is none. */
struct file_mark {
    bool is_present;
    bool is_regular;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified; /* content */
    struct timespec changed;  /* content, mode or owner */
};

/* The mark of what `path` leads to; that nothing is there is a mark, too, and errno says why. Opens nothing.
 * Errors: ST_IO with errno, it could not be looked at. */
enum status file_mark_look(const char *path, struct file_mark *ret_mark) MUST_USE;
bool file_mark_equals(const struct file_mark *a, const struct file_mark *b);

#endif
