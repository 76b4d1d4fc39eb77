#ifndef FAIRLEAD_BASE_STINT_H
#define FAIRLEAD_BASE_STINT_H

#include <stdbool.h>
#include <stdint.h>

/* How much of a thread one piece of work may take: counted in processor time, so that a machine which gives the
 * processor to others meanwhile does not cut the work short. While a stint may not be over yet it is asked at no system
 * call. */
struct stint {
    uint64_t span_ns;  /* processor time that it may take */
    uint64_t begin_ns; /* the thread's processor time when it began */
    uint64_t until_ns; /* monotonic: not over before */
};

/* `now_ns` is monotonic. Thread: the one that works. */
void stint_begin(struct stint *stint, uint64_t now_ns, uint64_t span_ns);
/* Has it had its time? Thread: the one that began it. */
bool stint_is_over(struct stint *stint, uint64_t now_ns);

#endif
