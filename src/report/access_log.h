#ifndef FAIRLEAD_REPORT_ACCESS_LOG_H
#define FAIRLEAD_REPORT_ACCESS_LOG_H

#include "base/slice.h"
#include "base/text.h"
#include "record/record.h"

#include <stdbool.h>

/* One record as one line of an access log. Each format is described in docs/log.md.
 * X(NAME, "word") */
#define ACCESS_LOG_FORMATS(X) \
    X(LINE, "line")           \
    X(JSON, "json")           \
    X(COMBINED, "combined")   \
    X(SQUID, "squid")

enum access_log_format {
#define X(name, word) ACCESS_LOG_##name,
    ACCESS_LOG_FORMATS(X)
#undef X
        ACCESS_LOG_FORMAT_COUNT
};

enum {
    ACCESS_LOG_LINE_MAX = 32768, /* room that any record needs in any format, line feed included */
    ACCESS_LOG_TERMINAL_COLUMNS = 80, /* of a terminal that does not tell its width */
};

struct access_log_style {
    enum access_log_format format;
    bool has_color; /* only for ACCESS_LOG_LINE, as is what follows */
    /* Width of a terminal, 60 to 500; what has no room in the line is cut, or goes on below it. The recorder asks a
     * terminal for its own. 0: no terminal; nothing is cut, and a record is a line. */
    unsigned columns;
};

/* Add the line for `record`, with its line feed. No byte that a peer chose reaches it raw: control bytes
 * and what is not ASCII (for JSON: not UTF-8) are escaped. `into` needs ACCESS_LOG_LINE_MAX bytes of room. */
void access_log_add(const struct record *record, const struct access_log_style *style,
                    struct text *into);

#endif
