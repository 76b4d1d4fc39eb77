#ifndef FAIRLEAD_ADMIN_EXPLAINING_H
#define FAIRLEAD_ADMIN_EXPLAINING_H

#include "admin/call.h"

/* Why this process would decide as it does: its rules, lists, users, time and name servers. Nothing is dialled. */

struct explaining;

/* GET /api/v1/explain?target=... */
void explaining_show(const struct call *call);
/* The exchange has ended. */
void explaining_forget(struct admin *admin, struct exchange *exchange);

#endif
