#ifndef FAIRLEAD_CONFIG_VALUE_INTERNAL_H
#define FAIRLEAD_CONFIG_VALUE_INTERNAL_H

#include "base/clock.h"

#include <stdint.h>

/* Units, smallest first; the last name is NULL. */
struct value_unit {
    const char *name;
    uint64_t factor;
};
extern const struct value_unit duration_units[];
extern const struct value_unit size_units[];

#endif
