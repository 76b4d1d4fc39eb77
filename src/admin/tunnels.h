#ifndef FAIRLEAD_ADMIN_TUNNELS_H
#define FAIRLEAD_ADMIN_TUNNELS_H

#include "admin/call.h"

/* Open tunnels of all workers: listed, and ended one by one. */

enum { TUNNELS_LIMIT = 1000 };

/* GET /api/v1/tunnels?limit=N&after=NEXT */
void tunnels_list(const struct call *call);
/* DELETE /api/v1/tunnels/ID; call->rest is the id. */
void tunnels_kill(const struct call *call);
/* The exchange has ended. */
void tunnels_forget(struct admin *admin, struct exchange *exchange);

#endif
