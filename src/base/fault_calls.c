/* What stands between the program and the heap, and between it and the wall clock, in a build with faults
 * (base/fault.h). The linker turns each call of ours into __wrap_NAME, and __real_NAME into the call; libraries
 * keep theirs.
 *
 * The wall clock that is stepped is one for all threads, as in the kernel, and stays where a step has put it. Marks
 * and timers read the monotonic one, which no kernel steps. */

#include "base/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_MAX_S = 36 * 3600 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *now);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* ---- the heap ---- */

static bool heap_fails(void)
{
    if (fault_next(FAULT_CALL_heap) == FAULT_NONE)
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return heap_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return heap_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return heap_fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = heap_fails() ? NULL : __real_malloc(len);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

/* ---- the wall clock ---- */

static _Atomic int64_t wall_step_s; /* written by whichever thread draws, read by all; relaxed */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    if (clock != CLOCK_REALTIME || result != 0)
        return result;
    if (fault_next(FAULT_CALL_clock) != FAULT_NONE)
        atomic_store_explicit(&wall_step_s, (int64_t)fault_below(2 * STEP_MAX_S) - STEP_MAX_S,
                              memory_order_relaxed);
    now->tv_sec += atomic_load_explicit(&wall_step_s, memory_order_relaxed);
    return 0;
}
