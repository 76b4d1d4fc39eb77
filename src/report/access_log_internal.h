#ifndef FAIRLEAD_REPORT_ACCESS_LOG_INTERNAL_H
#define FAIRLEAD_REPORT_ACCESS_LOG_INTERNAL_H

#include "report/access_log.h"

/* One adder a format, each with its line feed. See access_log_add. */
void access_log_add_line(const struct record *record, const struct access_log_style *style,
                         struct text *into);
void access_log_add_json(const struct record *record, struct text *into);
void access_log_add_combined(const struct record *record, struct text *into);
void access_log_add_squid(const struct record *record, struct text *into);

/* Without the port; "-" where there is none. */
void access_log_add_address(const struct inet_endpoint *endpoint, struct text *into);

#endif
