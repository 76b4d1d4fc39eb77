#ifndef FAIRLEAD_ADMIN_EVENTS_H
#define FAIRLEAD_ADMIN_EVENTS_H

#include "admin/call.h"

/* What happens, as it happens: a stream of server-sent events (HTML Living Standard, section 9.2). docs/admin.md says
 * which there are. */

enum { EVENTS_STREAMS = 16 };

void events_init(struct admin *admin);
/* GET /api/v1/events?after=SEQUENCE */
void events_follow(const struct call *call);
/* The exchange has ended. */
void events_forget(struct admin *admin, const struct exchange *exchange);

#endif
