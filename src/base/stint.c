/* The clock that costs nothing is looked at first: no thread has more processor time than time goes by. */

#include "base/stint.h"

#include "base/clock.h"

void stint_begin(struct stint *stint, uint64_t now_ns, uint64_t span_ns)
{
    stint->span_ns = span_ns;
    stint->begin_ns = clock_thread_ns();
    stint->until_ns = now_ns + span_ns;
}

bool stint_is_over(struct stint *stint, uint64_t now_ns)
{
    if (now_ns < stint->until_ns)
        return false;
    uint64_t used_ns = clock_thread_ns() - stint->begin_ns;
    if (used_ns >= stint->span_ns)
        return true;
    stint->until_ns = now_ns + (stint->span_ns - used_ns);
    return false;
}
