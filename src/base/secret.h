#ifndef FAIRLEAD_BASE_SECRET_H
#define FAIRLEAD_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Memory for keys: locked, so that it is never written to swap; in no core dump; not with children of a fork; wiped
 * when it is given back. There is little of it, and who gets none takes ordinary memory. Thread: any but where it
 * says. */

enum { SECRET_BYTES = 256 << 10 }; /* all of it: what an ordinary user may lock many times over */

/* Have it, once for the process; without it secret_alloc gives none. Thread: the only one. */
void secret_begin(void);
/* Is it there, and locked? */
bool secret_is_locked(void);
/* Zeroed, aligned for anything. NULL: none is left, or `size` is 0. */
void *secret_alloc(size_t size);
/* Is `at` of this memory? */
bool secret_owns(const void *at);
/* How many bytes `at`, which it owns, holds: at least as many as were asked for. */
size_t secret_size(const void *at);
/* Wipe and give back what secret_alloc gave. Takes NULL. */
void secret_free(void *at);
/* The same for our own structures: ordinary memory where none is left. NULL out of memory. */
void *secret_alloc_any(size_t size);
/* Wipe the `size` bytes and give back what secret_alloc_any gave. Takes NULL. */
void secret_free_any(void *at, size_t size);
/* Bytes that are given out, with what they cost; for tests. */
size_t secret_used(void);

#endif
