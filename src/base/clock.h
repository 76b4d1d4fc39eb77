#ifndef FAIRLEAD_BASE_CLOCK_H
#define FAIRLEAD_BASE_CLOCK_H

#include <stdint.h>

/* Time in nanoseconds. Monotonic time is for marks, timers and durations; wall time only for dates in
 * logs and fields. Tests replace all clocks. */

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ns(void);
/* Processor time that the calling thread has had. Costs a system call. */
uint64_t clock_thread_ns(void);

/* ---- for tests. Thread: the only one ---- */

/* Freeze the clocks at the given values until clock_restore; the thread's is at `monotonic_ns`, too. */
void clock_freeze(uint64_t monotonic_ns, uint64_t wall_ns);
/* Move the frozen clocks forward. */
void clock_advance(uint64_t ns);
/* Move them forward while others have the processor: the thread's stands. */
void clock_lose(uint64_t ns);
/* Each reading of a frozen monotonic clock moves it and the thread's forward by this from now on: work that looks at
 * the clock takes time. */
void clock_creep(uint64_t ns);
void clock_restore(void);

/* ---- dates ---- */

/* IMF-fixdate (RFC 9110 §5.6.7), 29 bytes and a terminator, of a wall time. */
enum { CLOCK_HTTP_DATE_TEXT = 30 };
void clock_http_date(uint64_t wall_ns, char into[CLOCK_HTTP_DATE_TEXT]);

#endif
