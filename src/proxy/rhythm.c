/* Two round trips are longer than anything that the two sides say to each other without thinking; on a short way the
 * five milliseconds are, within which a program reads what it got and goes on. */

#include "proxy/rhythm.h"

#include "base/clock.h"

enum { QUIET_LEAST_MS = 5, QUIET_MOST_MS = 60000 };

void rhythm_init(struct rhythm *rhythm, uint64_t round_trip_ns)
{
    uint64_t quiet_ns = 2 * round_trip_ns;
    if (quiet_ns < QUIET_LEAST_MS * NS_PER_MS)
        quiet_ns = QUIET_LEAST_MS * NS_PER_MS;
    if (round_trip_ns > QUIET_MOST_MS * NS_PER_MS)
        quiet_ns = QUIET_MOST_MS * NS_PER_MS;
    *rhythm = (struct rhythm){.quiet_us = (uint32_t)(quiet_ns / NS_PER_US) & 0x7fffffff};
}

uint64_t rhythm_quiet_ns(const struct rhythm *rhythm)
{
    return rhythm->quiet_us * NS_PER_US;
}

void rhythm_note(struct rhythm *rhythm, bool is_client, bool counts, uint64_t last_ns,
                 uint64_t now_ns)
{
    uint64_t gap_ns = now_ns > last_ns ? now_ns - last_ns : 0;
    if (gap_ns > rhythm->idle_ns)
        rhythm->idle_ns = gap_ns;
    bool is_answer = !rhythm->client_was_last && gap_ns >= rhythm_quiet_ns(rhythm);
    if (counts && is_client && (rhythm->turns == 0 || is_answer))
        rhythm->turns++;
    rhythm->client_was_last = is_client;
}
