#ifndef FAIRLEAD_ADMIN_LENT_H
#define FAIRLEAD_ADMIN_LENT_H

#include "admin/call.h"

/* Long answers: made whole, lent to their exchange, and freed when that has ended. A client that takes its time keeps
 * one, so few may be on their way at once; after LENT_GRACE_NS it loses it to whoever asks next and would find no
 * place. */

#define LENT_GRACE_NS (2 * NS_PER_S)

/* What has places of its own. X(NAME, places) */
#define LENT_KINDS(X)                                                         \
    X(LONG, 4)         /* transactions and the like, up to 16 MiB each */     \
    X(LISTS, 8)        /* what is open in the workers, up to 4 MiB each */    \
    X(EXPLANATIONS, 4) /* why it would decide as it does, up to 1 MiB each */ \
    X(FIGURES, 32)     /* what a monitor asks for */

enum lent_kind {
#define X(name, places) LENT_##name,
    LENT_KINDS(X)
#undef X
};

/* May one more be made, where `making` others are being made? False: the exchange was told to ask again. */
bool lent_has_room(const struct call *call, enum lent_kind kind, size_t making);
/* Answer 200 with `body`, malloc'd, which is taken. NULL: out of memory or too long, and the exchange is told. Of
 * `call` those members count that outlive it: `admin`, `exchange`, `wants_json`. */
void lent_answer(const struct call *call, enum lent_kind kind, const char *type, char *body,
                 size_t len);
/* The exchange has ended. */
void lent_forget(struct admin *admin, const struct exchange *exchange);

#endif
