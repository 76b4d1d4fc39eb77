#ifndef FAIRLEAD_BASE_STATUS_H
#define FAIRLEAD_BASE_STATUS_H

/* The result of everything that can fail.  Outputs named ret_x are written only on ST_OK. */
enum status {
    ST_OK,    /* done */
    ST_AGAIN, /* not yet: ask again after the next event */
    ST_EOF,   /* the other side ended, in order */
    ST_LIMIT, /* a cap was met */
    ST_BAD,   /* the input breaks its grammar or its contract */
    ST_IO,    /* the operating system said no; errno tells */
    ST_NOMEM, /* out of memory */
};

#define MUST_USE __attribute__((warn_unused_result))

#endif
