/* Whether a file changed, by what stat(2) tells: no descriptor is kept, and nothing is asked for. The time of change
 * counts besides that of modification, which a copy may take over; device and inode, since another file may have been
 * put in its place. */

#include "net/file_mark.h"

#include <errno.h>
#include <sys/stat.h>

enum status file_mark_look(const char *path, struct file_mark *ret_mark)
{
    struct stat now;
    if (stat(path, &now) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return ST_IO;
        *ret_mark = (struct file_mark){.is_present = false};
        return ST_OK;
    }
    *ret_mark = (struct file_mark){
        .is_present = true,
        .is_regular = S_ISREG(now.st_mode),
        .device = now.st_dev,
        .inode = now.st_ino,
        .size = now.st_size,
        .modified = now.st_mtim,
        .changed = now.st_ctim,
    };
    return ST_OK;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_mark_equals(const struct file_mark *a, const struct file_mark *b)
{
    return a->is_present == b->is_present && a->is_regular == b->is_regular &&
           a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(&a->modified, &b->modified) && is_same_time(&a->changed, &b->changed);
}
