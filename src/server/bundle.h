#ifndef FAIRLEAD_SERVER_BUNDLE_H
#define FAIRLEAD_SERVER_BUNDLE_H

#include "policy/egress.h"
#include "server/opening.h"

/* Everything for which a start or a reload may need privileges: the text of the configuration as it was read
 * once, the listening descriptors, the log, and the contents of every file that the configuration names. A
 * process serves from a bundle and opens nothing by itself. */

enum {
    BUNDLE_LISTENS_MAX = 64,
    BUNDLE_WORKERS_MAX = OPENING_FDS_MAX,
    BUNDLE_FILES_MAX = 3 * BUNDLE_LISTENS_MAX + 320, /* most of them lists of names */
    BUNDLE_BYTES_MAX = 256 << 20,                    /* all texts */
};

struct bundle_file {
    char *path;
    char *text;
    size_t len;
    bool was_served; /* by a process before: see bundle_note_served */
};

enum bundle_log { BUNDLE_LOG_OFF, BUNDLE_LOG_STDOUT, BUNDLE_LOG_FILE };

struct bundle {
    struct config *config; /* parsed from `text` and the flags; NULL once a snapshot has taken it */
    char *text;
    size_t len;
    struct opening listens[BUNDLE_LISTENS_MAX]; /* one for each config->listen */
    size_t listen_count;
    struct opening admin; /* count 0: none */
    unsigned worker_count;
    bool is_followed; /* made because users or tokens changed: nobody asked for a reload */
    struct bundle_file files[BUNDLE_FILES_MAX];
    size_t file_count;
    const struct egress_tables *tables; /* of the gate; NULL: the built-in ones. Borrowed */
    enum bundle_log log;
    int log_fd; /* BUNDLE_LOG_FILE, until the recorder has it; -1 */
};

/* `bundle` replaces `old`: files of Unix sockets that are gone are removed, modes are set. */
void bundle_commit(const struct bundle *bundle, const struct bundle *old);
/* Remove the files of Unix sockets that `other` (or NULL) has not. */
void bundle_remove_files(const struct bundle *bundle, const struct bundle *other);
/* Stop listening, but for the admin listener. */
void bundle_close_listens(struct bundle *bundle);
/* Remember of each file that `served` (or NULL, or the bundle itself) has the same text: what was served until now
 * is not refused for its age by the process that comes. */
void bundle_note_served(struct bundle *bundle, const struct bundle *served);
/* Wipe and free the contents of files: a snapshot was made of them. */
void bundle_forget_files(struct bundle *bundle);
/* The file with this path, or NULL. */
const struct bundle_file *bundle_find_file(const struct bundle *bundle, struct slice path);
/* Say on which addresses it listens. */
void bundle_say_listens(const struct bundle *bundle);
/* On a terminal, a line to try. */
void bundle_say_hint(const struct bundle *bundle);
/* Closes and wipes everything; *bundle is NULL afterwards. Takes a pointer to NULL. */
void bundle_destroy(struct bundle **bundle);

/* An empty one with its lists sized for `config`, which it takes. Errors: NULL out of memory. */
struct bundle *bundle_create(struct config *config, char *text, size_t len, unsigned worker_count);
/* Add a file; both are taken, also where it fails. Errors: ST_LIMIT. */
enum status bundle_add_file(struct bundle *bundle, char *path, char *text, size_t len) MUST_USE;

#endif
