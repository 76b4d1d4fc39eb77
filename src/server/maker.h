#ifndef FAIRLEAD_SERVER_MAKER_H
#define FAIRLEAD_SERVER_MAKER_H

#include "server/bundle.h"

/* Who makes bundles: the parent where there is one, else the serving process itself. */
struct maker {
    int argc;
    const char *const *argv;
    unsigned worker_count;  /* as at the start */
    struct config *running; /* what a reload cannot change is compared with this */
    char *stream; /* the text of a configuration that cannot be read again; NULL: a file has it */
    size_t stream_len;
    struct opening_inherited inherited;
};

/* `argc`/`argv` are borrowed. */
void maker_init(struct maker *maker, int argc, const char *const *argv);
void maker_done(struct maker *maker);
/* Open, bind and read what the configuration names now. Addresses that `old` (or NULL) has are taken over,
 * so that no waiting connection is lost; `old` stays as it is. All or nothing; faults are said.
 * Errors: ST_BAD the configuration is wrong, ST_IO something else is, ST_NOMEM. */
enum status maker_make(struct maker *maker, const struct bundle *old,
                       struct bundle **ret_bundle) MUST_USE;
/* The same without listening and without the log, for a check. */
enum status maker_make_files(struct maker *maker, struct bundle **ret_bundle) MUST_USE;
/* Say which settings a reload to `config` leaves as they are. */
void maker_warn_unchanged(const struct maker *maker, const struct config *config);
/* Open the log file again; *ret_fd is -1 where the log is no file. Errors: ST_IO, and it was said. */
enum status maker_reopen_log(const struct config *config, int *ret_fd) MUST_USE;

#endif
