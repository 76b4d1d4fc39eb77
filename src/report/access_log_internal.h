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

/* Whole microseconds from the base, rounded down; negative for what lies before it. */
int64_t access_log_offset_us(const struct timeline *timeline, uint64_t at_ns);
/* The same timeline with every mark cut to whole microseconds from the base, so that all views show the same times. */
struct timeline access_log_cut(const struct timeline *timeline);
/* "connected", "failed", "cancelled", "refused" */
const char *access_log_attempt_result(const struct record_attempt *attempt);

#endif
