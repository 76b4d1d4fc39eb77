#ifndef FAIRLEAD_ADMIN_LENT_H
#define FAIRLEAD_ADMIN_LENT_H

#include "admin/call.h"

/* Long answers: made whole, lent to their exchange, and freed when that has ended. A client that takes its time keeps
 * one, so few may be on their way at once. */

enum { LENT_AT_ONCE = 4, LENT_FIGURES_AT_ONCE = 32 };

/* May one more be made where so many are on their way? LENT_AT_ONCE for long ones, LENT_FIGURES_AT_ONCE for figures that a
 * monitor asks for. False: the exchange was told to ask again. */
bool lent_has_room(const struct call *call, size_t at_once);
/* Answer 200 with `body`, malloc'd, which is taken. NULL: out of memory or too long, and the exchange is told. */
void lent_answer(const struct call *call, const char *type, char *body, size_t len);
/* The exchange has ended. */
void lent_forget(struct admin *admin, const struct exchange *exchange);

#endif
