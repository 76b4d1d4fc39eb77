#ifndef FAIRLEAD_BASE_CHECK_H
#define FAIRLEAD_BASE_CHECK_H

#include <stdint.h>

/* Promises we make to ourselves; never about bytes from a peer, a file or the kernel.
 *
 * CHECK   always on: prints the expression with file and line, and aborts.
 * DCHECK  costly ones: compiled in with -Dchecks=true, and in fuzz and sanitizer builds. */

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression) \
    (__builtin_expect(!!(expression), 1) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

#ifdef FAIRLEAD_CHECKS
#define DCHECK(expression) CHECK(expression)
#else
#define DCHECK(expression) ((void)sizeof((expression) ? 1 : 0))
#endif

/* Every heap object begins with `uint32_t tag`; borders check it before use and clear it at the end.
 * TAG('c','l','n','t') is readable in a core dump. */
#define TAG(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define CHECK_TAG(object, expected) CHECK((object) != NULL && (object)->tag == (expected))

/* The structure that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
