#ifndef FAIRLEAD_ADMIN_ASKED_H
#define FAIRLEAD_ADMIN_ASKED_H

#include "net/resolver.h"
#include "policy/gate.h"

#include <stdio.h>

/* A question of `fairlead explain`, and what it is answered with: the same for the command, which has a configuration
 * of its own, and for a process that is asked. Answers are text, or one JSON object where `wants_json`; docs/rules.md
 * has its members. Slices are the caller's memory and live as long. */

enum { ASKED_LIST_MAX = 32, ASKED_ADDRESSES_MAX = 256, ASKED_REASON = 160 };

/* All zero at first. */
struct asked {
    struct slice target; /* as it was written */
    bool wants_all;      /* rules that do not match, too */
    bool wants_json;
    struct slice groups[ASKED_LIST_MAX];
    struct slice names[ASKED_LIST_MAX]; /* of the certificate */
    struct host host;
    struct gate_question question; /* points into the above */
    size_t passed, refused;        /* addresses, so far */
};

/* Is the target one? */
enum asked_target {
    ASKED_FINE,
    ASKED_REFUSED, /* the proxy would answer 400 */
    ASKED_WRONG,   /* method and target do not fit, or it is not for a proxy: no question at all */
};

/* One more group. False: too many. */
bool asked_add_group(struct asked *asked, struct slice name);
/* The subject of the client's certificate, or one more of its names. False: too many. */
bool asked_add_certificate(struct asked *asked, struct slice text);
/* The client's address. False: it is none. */
bool asked_set_from(struct asked *asked, struct slice text);
/* The time in seconds since 1970. False: it is none. */
bool asked_set_at(struct asked *asked, struct slice text);
/* The target as the proxy would read it; the method is GET of a URL, and CONNECT of HOST:PORT, where none is named.
 * `ret_why` is set unless it is fine, and is constant. */
enum asked_target asked_read_target(struct asked *asked, const char **ret_why);

/* JSON: the object begins with what was asked. */
void asked_put_question(const struct asked *asked, FILE *out);
/* The request stage. True: it passes, and addresses follow; else JSON lacks only the verdict. */
bool asked_put_request(const struct asked *asked, const struct gate *gate, FILE *out);
/* What was found for the host, and the address stage of each; counts them. */
void asked_put_addresses(struct asked *asked, const struct gate *gate,
                         const struct question *answer, FILE *out);
/* Where the addresses are from, in a word or two. */
const char *asked_source(const struct question *answer);
/* Of all addresses: does it pass? With the reason in a line, of ASKED_REASON bytes at most. */
bool asked_judge(const struct asked *asked, bool skips_mixed, char *ret_reason);
/* JSON: the object ends. `reason` needs no escapes. */
void asked_put_verdict(bool passes, const char *reason, FILE *out);
/* JSON: the verdict where the target is ASKED_REFUSED, behind the question. */
void asked_put_refusal(const char *reason, FILE *out);

#endif
