#ifndef FAIRLEAD_ADMIN_TUNNELS_H
#define FAIRLEAD_ADMIN_TUNNELS_H

#include "admin/call.h"

/* Open tunnels of all workers: listed, and ended one by one. */

/* GET /api/v1/tunnels: as inquiry_list. */
void tunnels_list(const struct call *call);
/* DELETE /api/v1/tunnels/ID; call->rest is the id. */
void tunnels_kill(const struct call *call);

#endif
