#ifndef FAIRLEAD_SERVER_FILE_H
#define FAIRLEAD_SERVER_FILE_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>

/* Files that the configuration names, opened with the privileges that this process has. As root, a symbolic
 * link that somebody else than root owns leads nowhere but to that owner's files. Faults are written as
 * "PATH: why". */

enum {
    FILE_BYTES_MAX = 4 << 20,
    FILE_USERS_BYTES_MAX = 32 << 20, /* of users, or of tokens */
    FILE_LIST_BYTES_MAX = 128 << 20, /* of a list of names */
};

/* A whole regular file of at most `max` bytes; *ret_text is terminated, the caller wipes and frees it.
 * Errors: ST_IO with errno, ST_NOMEM, ST_LIMIT; all with a fault. */
enum status file_read(const char *path, size_t max, char **ret_text, size_t *ret_len,
                      struct text *fault) MUST_USE;
/* The folder in which the last name of `path` stands, or would, and that name; for what root makes or removes there.
 * No link of somebody else is followed on the way; the name itself may be one. `into` holds NAME_MAX + 1 bytes; O_PATH.
 * Errors: -1 with errno, for file_error. */
int file_open_folder(const char *path, char *into);
/* `error` for people, also that root does not follow a link (EMLINK). */
const char *file_error(int error);
/* The descriptor that "-", /dev/stdin or /dev/fd/N names; -1: a name like any other. */
int file_stream_descriptor(const char *path);
/* The configuration itself, which may also be what a program writes: "-" is standard input, and pipes and devices such
 * as /dev/stdin are read to their end (*ret_is_stream: it cannot be read again). A descriptor
 * beyond the standard ones is closed afterwards. Errors: as file_read; ST_IO where
 * nothing comes for half a minute. */
enum status file_read_config(const char *path, char **ret_text, size_t *ret_len,
                             bool *ret_is_stream, struct text *fault) MUST_USE;
/* A log to append to, made where it is not there (0640). Errors: as file_read. */
enum status file_open_log(const char *path, int *ret_fd, struct text *fault) MUST_USE;

#endif
