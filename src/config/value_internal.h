#ifndef FAIRLEAD_CONFIG_VALUE_INTERNAL_H
#define FAIRLEAD_CONFIG_VALUE_INTERNAL_H

#include "base/clock.h"
#include "base/slice.h"

/* Units, smallest first; the last name is NULL. */
struct value_unit {
    const char *name;
    uint64_t factor;
};
extern const struct value_unit duration_units[];
extern const struct value_unit size_units[];
extern const struct value_unit rate_units[];

/* All lists begin like this one. */
struct value_list {
    void *at;
    size_t count;
};

enum { WINDOW_ALL_DAYS = 0x7f };
extern const char *const window_days[7]; /* "sun", … */

/* Take the code point at the front of *rest (RFC 3629 §4). Errors: ST_BAD not UTF-8. */
enum status utf8_take(struct slice *rest, uint32_t *ret_point) MUST_USE;

#endif
