#ifndef FAIRLEAD_ADMIN_POLICY_H
#define FAIRLEAD_ADMIN_POLICY_H

#include "admin/call.h"

/* The rules and settings that decide in this process, in a form that two configurations can be compared by. */

/* GET /api/v1/policy */
void policy_show(const struct call *call);

#endif
