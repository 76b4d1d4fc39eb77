#ifndef FAIRLEAD_RECORD_VERDICT_H
#define FAIRLEAD_RECORD_VERDICT_H

#include "record/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Who was slow: the time of a transaction, shared out among those who could have been quicker. docs/verdict.md is the
 * definition. X(NAME, "word", "meaning"), the latter as there. */
#define SLOW_GUILTY(X)                                                                  \
    X(CLIENT, "client", "the client's program: it sent or took late")                   \
    X(CLIENT_NETWORK, "client_network", "the way between the client and the proxy")     \
    X(PROXY, "proxy", "the proxy itself, and its limits on bandwidth")                  \
    X(DNS, "dns", "the name server")                                                    \
    X(UPSTREAM_NETWORK, "upstream_network", "the way between the proxy and the origin") \
    X(ORIGIN, "origin", "the origin's program: it answered, sent or took late")
#define SLOW_SIDES(X) \
    SLOW_GUILTY(X)    \
    X(IDLE, "idle", "nobody: a tunnel in which nobody had anything to say")

enum slow_side {
#define X(name, word, meaning) SLOW_##name,
    SLOW_SIDES(X)
#undef X
        SLOW_COUNT,
    SLOW_NONE = SLOW_COUNT,       /* nothing was slow */
    SLOW_GUILTY_COUNT = SLOW_IDLE /* somebody was: these come first */
};

struct verdict {
    uint64_t share_us[SLOW_COUNT]; /* they add up to total_us */
    uint64_t
        total_us; /* from the first byte to the end; of an open tunnel, to its last mark; of a request in flight, to
                          the moment of this look at it */
    enum slow_side
        slow; /* the largest share, idleness aside; SLOW_NONE where all shares together are below
                            RECORD_SLOW_NS */
};

/* Judge what a record tells, finished or in progress. False, and nothing is written: it took less than RECORD_SLOW_NS,
 * which is nobody's fault. */
bool verdict_judge(const struct record *record, struct verdict *ret_verdict);

/* "origin"; "none" for SLOW_NONE. */
const char *slow_word(enum slow_side side);

#endif
