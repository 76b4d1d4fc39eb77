#ifndef FAIRLEAD_BASE_CACHE_H
#define FAIRLEAD_BASE_CACHE_H

#include <stddef.h>

/* Memory that is needed soon and was not used for long is not in the processor's cache, and whoever needs it waits some
 * 50 ns for each line of it. Asked for ahead, it comes while other work is done. */

enum { CACHE_LINE = 64 };

/* Ask for `len` bytes at `at`, without waiting for them. Any address will do. */
static inline void cache_want(const void *at, size_t len)
{
    const char *bytes = at;
#pragma GCC unroll 32
    for (size_t done = 0; done < len; done += CACHE_LINE)
        __builtin_prefetch(bytes + done, /* to write */ 1);
}

#endif
