#ifndef FAIRLEAD_ADMIN_INQUIRY_H
#define FAIRLEAD_ADMIN_INQUIRY_H

#include "admin/call.h"
#include "admin/oldest.h"

/* A question to all workers: an errand that goes round them, and answers its exchange when it is home again. */

enum { INQUIRY_LIMIT = 1000 }; /* records in one answer */

struct inquiry {
    struct errand errand;
    /* The workers': which of them, errand.h says. */
    struct filter filter;
    struct oldest oldest; /* of a list: what it keeps */
    uint64_t after_ns;    /* of a list: only what began later; */
    uint64_t after_id;    /* of the same moment, with a higher id */
    uint64_t age_ns;      /* of a list: only what has lasted so long */
    uint64_t id;          /* of a single one */
    bool is_found;        /* it was there */
    /* private: the admin worker's alone */
    struct admin *admin;
    struct link link; /* in admin->inquiries while `exchange` is set */
    struct timer timer;
    struct exchange *exchange; /* NULL: an orphan */
    const char *member;        /* of a list: name of the array in its answer */
    void (*answer)(struct inquiry *inquiry);
    bool is_away;
    bool wants_json;
    char *body; /* lent to the exchange */
};

static inline struct inquiry *inquiry_of(struct errand *errand)
{
    return CONTAINER_OF(errand, struct inquiry, errand);
}

/* What a list is of. */
struct inquiry_kind {
    const char *member;
    enum mark begin; /* the mark that it is sorted by */
    /* At a worker: look at all of its own, and keep those that are meant in `oldest`. */
    bool (*visit)(struct errand *errand, struct proxy *proxy);
};

/* GET ...?limit=N&after=NEXT&age=DURATION&filter=TERMS: the N oldest, as an object with an array of records. */
void inquiry_list(const struct call *call, const struct inquiry_kind *kind);
/* At a worker: is one that began then, monotonic, asked for, as far as that tells? */
bool inquiry_wants(const struct inquiry *inquiry, uint64_t begin_ns, uint64_t id, uint64_t now_ns);

/* Ask for something else. NULL: too many at once or no memory, and the exchange was told. `answer` is called at home where
 * somebody still waits: it calls exchange_answer or call_fail with `exchange`, once. */
struct inquiry *inquiry_create(const struct call *call, void (*answer)(struct inquiry *inquiry));
/* Send it off; `errand.visit` is set. */
void inquiry_send(struct inquiry *inquiry, const struct call *call);
/* The exchange has ended. */
void inquiry_forget(struct admin *admin, const struct exchange *exchange);

#endif
