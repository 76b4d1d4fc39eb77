#ifndef FAIRLEAD_SERVER_SANDBOX_H
#define FAIRLEAD_SERVER_SANDBOX_H

#include "config/config.h"
#include "server/landlock.h"

/* Shutting the serving process in, for good: before it reads a byte of a peer, and before it has threads. */

struct sandbox_options {
    const struct config *config;
    const char *config_path; /* what a reload reads again; NULL: nothing, or the parent does */
    bool has_parent;         /* who makes bundles for us */
};

/* What holds. */
struct sandbox_facts {
    uint64_t capabilities; /* that are left, one bit each */
    enum config_seccomp seccomp;
    int landlock; /* the kernel's version; 0: files are not shut */
    bool dumps_core;
    bool has_locked_keys;
};

/* Give up what serving does not need: capabilities, new privileges, core dumps, files, system calls. Loads before what
 * libraries load late. Says what the configuration asks for and this machine or build has not, where it can do without.
 * Errors: ST_IO, ST_NOMEM with a fault; then the process must not serve. Thread: the only one. */
enum status sandbox_enter(const struct sandbox_options *options, struct sandbox_facts *ret_facts,
                          struct text *fault) MUST_USE;
/* What the configuration comes to in this build. */
enum config_seccomp sandbox_seccomp(const struct config *config);
enum config_landlock sandbox_landlock(const struct config *config);
/* What kind of build cannot be shut in ("sanitizers"), or NULL. */
const char *sandbox_instrument(void);
/* Add to a fault about `path` that it is shut in, where that is so, and what helps. */
void sandbox_explain(const char *path, unsigned may, struct text *fault);

#endif
