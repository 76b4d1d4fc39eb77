#ifndef FAIRLEAD_ADMIN_METRICS_H
#define FAIRLEAD_ADMIN_METRICS_H

#include "admin/call.h"

/* GET /metrics: what docs/admin.md lists, in the text format of Prometheus. */
void metrics_show(const struct call *call);

#endif
