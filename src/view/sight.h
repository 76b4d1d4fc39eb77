#ifndef FAIRLEAD_VIEW_SIGHT_H
#define FAIRLEAD_VIEW_SIGHT_H

#include "proxy/failure.h"
#include "record/record.h"
#include "view/aim.h"
#include "view/other_proxy.h"

/* What a probe sees of its way beyond the connection to another proxy, of which the worker knows nothing. */

enum { SIGHT_DETAIL_MAX = 300 };

struct sight {
    struct timeline timeline; /* marks of the way to the origin, and the end */
    uint16_t status;          /* of the last answer; 0: none came */
    uint8_t minor;
    bool is_refused; /* and it is that of the proxy: it opens no tunnel, or says that it failed */
    uint64_t body_bytes;
    struct record_tls proxy_tls;
    struct record_tls tls;         /* with the origin */
    enum cause cause;              /* CAUSE_NONE: an answer came, to its end */
    bool is_late;                  /* a time limit was met */
    bool is_untrusted;             /* another authority would make the certificate a good one */
    bool is_of_proxy;              /* not of the origin: who failed */
    char detail[SIGHT_DETAIL_MAX]; /* beyond the cause, or of the answer: words */
};

/* Why a probe went away before it was over. */
struct sight_end {
    bool is_interrupted; /* by a signal; else its time was over, which is */
    uint64_t max_time_ns;
    const char *said; /* what is known of an answer by then, "" for nothing */
};

/* The record of the worker's tunnel to the proxy becomes that of what went through it. The record of one that was never
 * opened only gets to know what was asked for. */
void sight_show(const struct sight *sight, const struct aim *aim, const struct other_proxy *proxy,
                struct record *record);
/* Of a certificate whose authority is not trusted: what would change that. */
void sight_show_hint(struct record *record);
/* Of what was given up by whoever asked: the record says why. */
void sight_show_end(const struct sight_end *end, struct record *record);
/* Was it given up by whoever asked? */
bool sight_was_left(const struct record *record);

#endif
