#ifndef FAIRLEAD_BUDGET_CEILING_H
#define FAIRLEAD_BUDGET_CEILING_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ceiling of the process's resident memory (limits.memory), and how near it is. The kernel's own count is asked
 * (/proc/self/statm), which leaves nothing out: heaps, stacks, libraries. It is asked again when some milliseconds
 * have passed, or when so much was taken since that it could matter; in between the last answer holds. Thread: any. */
struct ceiling;

/* Errors: ST_NOMEM; ST_IO the kernel does not tell, errno says why. */
enum status ceiling_create(uint64_t bytes, struct ceiling **ret_ceiling) MUST_USE;
/* *ceiling is NULL afterwards. Takes a pointer to NULL. */
void ceiling_destroy(struct ceiling **ceiling);

/* How much of it is taken, in percent, and above 100 where it was exceeded; `grown` bytes were taken since the last
 * call, as far as the caller knows. NULL: there is no ceiling, and 0 of it is taken. */
unsigned ceiling_look(struct ceiling *ceiling, uint64_t now_ns, size_t grown);
/* What is kept for what is seldom needed, but then must be had (a password being hashed); and what of it is taken, and
 * with a negative number given back. Both take NULL. */
void ceiling_set_reserve(struct ceiling *ceiling, uint64_t bytes);
void ceiling_use_reserve(struct ceiling *ceiling, int64_t bytes);
/* Resident bytes at the last look. */
uint64_t ceiling_resident(const struct ceiling *ceiling);

#endif
