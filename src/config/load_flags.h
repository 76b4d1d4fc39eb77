#ifndef FAIRLEAD_CONFIG_LOAD_FLAGS_H
#define FAIRLEAD_CONFIG_LOAD_FLAGS_H

#include <stddef.h>

/* Flags that are not the flag of one row, for --help. */
struct flag_special {
    const char *flag;
    const char *argument;
    const char *help;
};
extern const struct flag_special flag_specials[];
extern const size_t flag_special_count;

#endif
