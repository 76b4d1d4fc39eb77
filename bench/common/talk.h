#ifndef FAIRLEAD_COMMON_TALK_H
#define FAIRLEAD_COMMON_TALK_H

#include <stdbool.h>
#include <stddef.h>

/* A conversation that was recorded, which a client and an origin play again: who says which bytes, in turn. */

enum { TALK_LINES_MAX = 16 };

struct talk {
    struct talk_line {
        bool is_client;
        size_t len;
        const char *bytes;
    } lines[TALK_LINES_MAX];
    unsigned count; /* 0: there is none */
};

/* Read a file of lines: a length of two bytes, of which the highest bit is set where the origin speaks, and as many
 * bytes. (Corpora of the fuzz target of tls_watch are such files.) Ends the program where it is none. */
struct talk talk_load(const char *path);

#endif
