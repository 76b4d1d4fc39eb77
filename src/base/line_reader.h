#ifndef FAIRLEAD_BASE_LINE_READER_H
#define FAIRLEAD_BASE_LINE_READER_H

#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdio.h>

/* The lines of a file, one by one, in memory of a fixed size; for commands that read logs. */

struct line_reader {
    bool is_cut;    /* the line is longer than LINE_READER_MAX: that is its beginning */
    bool has_feed;  /* false: the file ended in the middle of it */
    uint64_t count; /* lines so far */
    /* private */
    FILE *file;
    char *room; /* the line, and behind it a chunk of the file */
    size_t chunk_at, chunk_len;
};

enum { LINE_READER_MAX = 65536 };

/* Errors: ST_NOMEM. */
enum status line_reader_init(struct line_reader *reader) MUST_USE;
/* From the next line on read `file`, which stays the caller's. */
void line_reader_use(struct line_reader *reader, FILE *file);
/* *ret_line without its feed, a view until the next call. Errors: ST_EOF, ST_IO with errno. */
enum status line_reader_next(struct line_reader *reader, struct slice *ret_line) MUST_USE;
void line_reader_done(struct line_reader *reader);

#endif
