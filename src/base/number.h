#ifndef FAIRLEAD_BASE_NUMBER_H
#define FAIRLEAD_BASE_NUMBER_H

#include <stdint.h>

/* The smaller and the larger one of two numbers; of two times, the earlier and the later one. */

static inline uint64_t u64_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t u64_most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
