#ifndef FAIRLEAD_RECORD_RING_H
#define FAIRLEAD_RECORD_RING_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bounded ring of variable-length messages from exactly one writing thread to exactly one reading
 * thread, without locks. A full ring refuses and counts; the writer never waits. */
struct ring;

enum { RING_WARM = 64 * 1024 }; /* of a large ring, what is used as long as the reader keeps up */

/* `bytes` is rounded up to a power of two. Errors: NULL out of memory. */
struct ring *ring_create(size_t bytes);
void ring_destroy(struct ring **ring);

/* Room for a message of up to `max` bytes, good until ring_put, which need not copy what was made there. NULL, and not
 * counted: it would not fit. Thread: the writer's. */
void *ring_room(struct ring *ring, uint32_t max);
/* Put one message in: what ring_room gave, or a copy of any other, which takes that room. False, and counted, where it
 * does not fit. Thread: the writer's. */
bool ring_put(struct ring *ring, const void *message, uint32_t len);
/* The oldest message, valid until ring_drop; NULL when empty. Thread: the reader's. */
const void *ring_peek(struct ring *ring, uint32_t *ret_len);
/* Drop the message that ring_peek gave. Thread: the reader's. */
void ring_drop(struct ring *ring);
/* Give back what an empty ring has touched beyond RING_WARM; call it now and then. Thread: the writer's. */
void ring_tidy(struct ring *ring);
/* Messages refused so far. Thread: any. */
uint64_t ring_refused(const struct ring *ring);

#endif
