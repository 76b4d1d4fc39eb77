/* What happens when a promise to ourselves is broken: say where, and stop; oddities are only counted. */

#include "base/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic uint64_t oddities;

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "fairlead: broken promise: %s (%s:%d)\n", expression, file, line);
    abort();
}

bool oddity_seen(const char *expression, const char *file, int line)
{
    (void)expression;
    (void)file;
    (void)line;
    atomic_fetch_add_explicit(&oddities, 1, memory_order_relaxed);
    return true;
}

uint64_t oddity_count(void)
{
    return atomic_load_explicit(&oddities, memory_order_relaxed);
}
