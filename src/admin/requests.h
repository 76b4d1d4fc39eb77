#ifndef FAIRLEAD_ADMIN_REQUESTS_H
#define FAIRLEAD_ADMIN_REQUESTS_H

#include "admin/call.h"

/* GET /api/v1/requests: those in flight, of all workers, as inquiry_list. */
void requests_list(const struct call *call);

#endif
