#ifndef FAIRLEAD_ADMIN_OVERVIEW_H
#define FAIRLEAD_ADMIN_OVERVIEW_H

#include "admin/call.h"

/* What all transactions say together, and how busy the workers are. */

/* GET /api/v1/overview?minutes=N */
void overview_show(const struct call *call);
/* CPU time that a worker's thread has used. Thread: any; the worker lives. */
uint64_t overview_worker_ns(const struct admin *admin, size_t worker);

#endif
