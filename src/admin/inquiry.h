#ifndef FAIRLEAD_ADMIN_INQUIRY_H
#define FAIRLEAD_ADMIN_INQUIRY_H

#include "admin/call.h"
#include "admin/oldest.h"
#include "base/stint.h"

#include <stdatomic.h>

/* A question to all workers: an errand that goes round them, and answers its exchange when it is home again. */

enum { INQUIRY_LIMIT = 1000 }; /* records in one answer */

/* Where something stands in the order of a list: by when it began, monotonic, then by its id. */
struct inquiry_place {
    uint64_t begin_ns;
    uint64_t id;
};

struct inquiry;

/* What a list is of. */
struct inquiry_kind {
    const char *member;   /* name of the array in its answer */
    enum mark begin;      /* the mark that it is sorted by */
    size_t scratch_bytes; /* memory that `visit` works in; 0: none */
    /* At a worker: look at all of its own, in the order of the list, and keep those that are meant in `oldest`. */
    void (*visit)(struct inquiry *inquiry, struct proxy *proxy, uint64_t now_ns);
};

struct inquiry {
    struct errand errand;
    /* Writer: the admin worker, once; reader: whoever has the errand, which may stop then; relaxed, nothing hangs on
     * it. */
    _Atomic bool is_orphan;
    /* The workers': which of them, errand.h says. */
    uint64_t id;   /* of a single one */
    bool is_found; /* it was there */
    /* likewise; of a list: */
    struct filter filter;
    struct oldest oldest;       /* what it keeps */
    struct inquiry_place after; /* only what stands behind it */
    uint64_t age_ns;            /* only what has lasted so long */
    void *scratch;
    /* private, but for inquiry_...; likewise */
    const struct inquiry_kind *kind;
    struct inquiry_place seen; /* all workers have looked at all that is not behind it */
    bool is_blind;     /* one of them did not come to the end, and what it left stands anywhere */
    struct stint walk; /* what a visit may take in all */
    struct stint look; /* what its looks may take, from the first one on */
    bool has_looked;
    uint64_t longest_ns; /* of the visits */
    /* private: the admin worker's alone */
    struct admin *admin;
    struct link link;      /* in admin->inquiries while `exchange` is set */
    struct link line_link; /* in admin->list_line while it waits for others */
    struct timer timer;
    struct exchange *exchange; /* NULL: an orphan */
    void (*answer)(struct inquiry *inquiry);
    bool is_away;
    bool wants_json;
};

static inline struct inquiry *inquiry_of(struct errand *errand)
{
    return CONTAINER_OF(errand, struct inquiry, errand);
}

void inquiry_init(struct admin *admin);

/* GET ...?limit=N&after=NEXT&age=DURATION&filter=TERMS: the N oldest, as an object with an array of records. */
void inquiry_list(const struct call *call, const struct inquiry_kind *kind);
/* At a worker: is one that stands there asked for, as far as that tells? */
bool inquiry_wants(const struct inquiry *inquiry, struct inquiry_place place, uint64_t now_ns);
/* At a worker: go past one more of what it has; `steps` begins with 0. False: that took too long; the rest is left
 * out. */
bool inquiry_walks_on(struct inquiry *inquiry, unsigned *steps);
/* At a worker, behind a look at the one that stands there: may the next one be looked at? False: the list ends
 * there. */
bool inquiry_looks_on(struct inquiry *inquiry, struct inquiry_place place);
/* At a worker: what stands behind is not looked at. */
void inquiry_end_at(struct inquiry *inquiry, struct inquiry_place place);

/* Ask for a change. NULL: too many at once or no memory, and the exchange was told. `answer` is called at home where
 * somebody still waits: it calls exchange_answer or call_fail with `exchange`, once. */
struct inquiry *inquiry_create(const struct call *call, void (*answer)(struct inquiry *inquiry));
/* Send it off; `errand.visit` is set. */
void inquiry_send(struct inquiry *inquiry, const struct call *call);
/* The exchange has ended. */
void inquiry_forget(struct admin *admin, const struct exchange *exchange);

#endif
