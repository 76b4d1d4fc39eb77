#ifndef FAIRLEAD_SERVER_MAKER_H
#define FAIRLEAD_SERVER_MAKER_H

#include "net/file_mark.h"
#include "server/bundle.h"

enum { MAKER_FOLLOWED = 2 };

/* Who makes bundles: the parent where there is one, else the serving process itself. */
struct maker {
    int argc;
    const char *const *argv;
    unsigned worker_count;  /* as at the start */
    struct config *running; /* what a reload cannot change is compared with this */
    char *stream; /* the text of a configuration that cannot be read again; NULL: a file has it */
    size_t stream_len;
    struct slice kept; /* the text to use instead of the file's, while maker_make_again runs */
    struct opening_inherited inherited;
    /* Of the users file and of that of tokens: as they were before they were read last, and at the last look. */
    struct file_mark read_marks[MAKER_FOLLOWED], seen_marks[MAKER_FOLLOWED];
    uint64_t look_ns; /* when to look again, monotonic; 0: there is nothing to look at */
    uint64_t owed_ns; /* a change was seen and is not served: when to say so again; 0: all is */
};

/* `argc`/`argv` are borrowed. */
void maker_init(struct maker *maker, int argc, const char *const *argv);
void maker_done(struct maker *maker);
/* Open, bind and read what the configuration names now. Addresses that `old` (or NULL) has are taken over,
 * so that no waiting connection is lost; `old` stays as it is. All or nothing; faults are said.
 * Errors: ST_BAD the configuration is wrong, ST_IO something else is, ST_NOMEM. */
enum status maker_make(struct maker *maker, const struct bundle *old,
                       struct bundle **ret_bundle) MUST_USE;
/* The same with the configuration of `old` as it was read then, so that only files are read anew. Errors: as above. */
enum status maker_make_again(struct maker *maker, const struct bundle *old,
                             struct bundle **ret_bundle) MUST_USE;
/* Has a file changed that is followed, and come to rest since? Looks once a second at most; `config` is the one that is
 * served. True for each change, and again every ten seconds until maker_settle: whoever was taken out of a file must
 * not stay since another one could not be read. */
bool maker_sees_change(struct maker *maker, const struct config *config, uint64_t now_ns);
/* What the files hold is served. */
void maker_settle(struct maker *maker);
/* How long to wait until maker_sees_change should be asked, at most `wait_ms`, where -1 is for good. */
int maker_wait_ms(const struct maker *maker, uint64_t now_ns, int wait_ms);
/* The same without listening and without the log, for a check. */
enum status maker_make_files(struct maker *maker, struct bundle **ret_bundle) MUST_USE;
/* Say which settings a reload to `config` leaves as they are. */
void maker_warn_unchanged(const struct maker *maker, const struct config *config);
/* Open the log file again; *ret_fd is -1 where the log is no file. Errors: ST_IO, and it was said. Whoever writes to it
 * from then on calls maker_say_reopened. */
enum status maker_reopen_log(const struct config *config, int *ret_fd) MUST_USE;
/* Say that what ends from now on is in the file that was opened again. */
void maker_say_reopened(void);

#endif
