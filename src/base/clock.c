/* The clocks and their replacement for tests. */

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static struct {
    bool is_frozen;
    uint64_t monotonic_ns;
    uint64_t wall_ns;
    uint64_t thread_ns;
    uint64_t creep_ns;
} fake;

static uint64_t clock_read(clockid_t which)
{
    struct timespec now;
    (void)clock_gettime(which, &now); /* cannot fail for these clocks */
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    if (!fake.is_frozen)
        return clock_read(CLOCK_MONOTONIC);
    fake.monotonic_ns += fake.creep_ns;
    fake.thread_ns += fake.creep_ns;
    return fake.monotonic_ns;
}

uint64_t clock_wall_ns(void)
{
    return fake.is_frozen ? fake.wall_ns : clock_read(CLOCK_REALTIME);
}

uint64_t clock_thread_ns(void)
{
    return fake.is_frozen ? fake.thread_ns : clock_read(CLOCK_THREAD_CPUTIME_ID);
}

void clock_freeze(uint64_t monotonic_ns, uint64_t wall_ns)
{
    fake.is_frozen = true;
    fake.monotonic_ns = monotonic_ns;
    fake.wall_ns = wall_ns;
    fake.thread_ns = monotonic_ns;
}

void clock_advance(uint64_t ns)
{
    clock_lose(ns);
    fake.thread_ns += ns;
}

void clock_lose(uint64_t ns)
{
    fake.monotonic_ns += ns;
    fake.wall_ns += ns;
}

void clock_creep(uint64_t ns)
{
    fake.creep_ns = ns;
}

void clock_restore(void)
{
    fake.creep_ns = 0;
    fake.is_frozen = false;
}

void clock_http_date(uint64_t wall_ns, char into[CLOCK_HTTP_DATE_TEXT])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(into, CLOCK_HTTP_DATE_TEXT, "%s, %02u %s %04u %02u:%02u:%02u GMT",
                   days[tm.tm_wday % 7], (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12],
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}
