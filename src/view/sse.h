#ifndef FAIRLEAD_VIEW_SSE_H
#define FAIRLEAD_VIEW_SSE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Server-sent events, read from any segmentation (HTML Living Standard §9.2.6), as far as our own admin listener
 * writes them: data on one line, lines that end with a line feed. */

enum { SSE_DATA_MAX = 262144, SSE_WORD_MAX = 32 };

/* Embedded by its owner; large. */
struct sse {
    /* private */
    char line[SSE_DATA_MAX];
    size_t line_len;
    bool line_is_cut;
    char data[SSE_DATA_MAX];
    size_t data_len;
    bool has_data, is_bad;
    char event[SSE_WORD_MAX];
    size_t event_len;
    char id[SSE_WORD_MAX];
    size_t id_len;
};

/* Views until the next call. */
struct sse_event {
    struct slice name; /* "message" where none is told */
    struct slice id;
    struct slice data;
};

void sse_init(struct sse *sse);
/* Take bytes from the front of *input up to the end of an event. True: one is whole. One that is larger than there is
 * room for is left out. */
bool sse_next(struct sse *sse, struct slice *input, struct sse_event *ret_event);

#endif
