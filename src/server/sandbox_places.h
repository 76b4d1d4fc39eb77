#ifndef FAIRLEAD_SERVER_SANDBOX_PLACES_H
#define FAIRLEAD_SERVER_SANDBOX_PLACES_H

#include "config/config.h"
#include "server/landlock.h"

/* The files that the serving process may go on to open, made from the configuration: the rest is shut. */

enum { SANDBOX_PLACES_MAX = 2048 };

struct sandbox_places {
    struct landlock_place at[SANDBOX_PLACES_MAX]; /* real paths, owned */
    size_t count;
};

/* What a process with `config` needs. Of a file it is the folder that it stands in, and the one that a link leads to,
 * since files are replaced; the file alone where that folder is / or it is a device or a pipe.
 * `config_path`: the file that a reload reads again, by this process; NULL: it reads none (a parent does, or it came
 * from a pipe). `makes_bundles`: it also opens what the configuration names, and makes the log and sockets.
 * Errors: ST_NOMEM, ST_LIMIT; *ret_places is to be freed in any case. */
enum status sandbox_places_collect(const struct config *config, const char *config_path,
                                   bool makes_bundles, struct sandbox_places *ret_places) MUST_USE;
/* May `path`, or what would be made there, be opened for `may`? Also true where nobody can tell. */
bool sandbox_places_hold(const struct sandbox_places *places, const char *path, unsigned may);
void sandbox_places_free(struct sandbox_places *places);

#endif
