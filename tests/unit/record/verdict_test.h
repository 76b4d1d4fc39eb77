#ifndef FAIRLEAD_TESTS_VERDICT_TEST_H
#define FAIRLEAD_TESTS_VERDICT_TEST_H

#include "record_test.h"

#include "base/check.h"
#include "base/clock.h"
#include "record/verdict.h"

/* Each row of docs/verdict.md, from records made by hand. Times in milliseconds. */

enum { BASE = 1000000000, WALL = 2000000000, FULL = 1448 };

#define MS(n) ((uint64_t)(n)*NS_PER_MS)
#define US(n) ((uint64_t)(n)*1000)

static struct record record;
static struct verdict verdict;

struct set_mark {
    enum mark mark;
    uint64_t at_ms;
};

static inline void begin_record(enum record_kind kind, const struct set_mark *marks, size_t count)
{
    record_begin(&record);
    record.kind = (uint8_t)kind;
    record.client_use = record.upstream_use = 1;
    clock_freeze(BASE, WALL);
    timeline_begin(&record.timeline);
    clock_restore();
    for (size_t i = 0; i < count; i++)
        timeline_mark_at(&record.timeline, marks[i].mark, BASE + MS(marks[i].at_ms));
}

#define RECORD(kind, ...)                                      \
    begin_record(kind, (const struct set_mark[]){__VA_ARGS__}, \
                 COUNT_OF(((const struct set_mark[]){__VA_ARGS__})))

static inline struct record_tcp leg(uint64_t rtt_ms)
{
    return (struct record_tcp){.is_known = 1,
                               .rtt_us = (uint32_t)US(rtt_ms),
                               .min_rtt_us = (uint32_t)US(rtt_ms),
                               .mss_in = FULL};
}

/* The peer's segments, full or not. */
static inline void brings(struct record_tcp *tcp, uint32_t segments, uint64_t bytes)
{
    tcp->data_segments_in = segments;
    tcp->data_bytes_in = bytes;
}

static inline void judge(void)
{
    uint64_t sum = 0;
    assert_true(verdict_judge(&record, &verdict));
    for (size_t i = 0; i < SLOW_COUNT; i++)
        sum += verdict.share_us[i];
    assert_int_equal(sum, verdict.total_us);
}

static inline void assert_share(enum slow_side side, uint64_t ms)
{
    assert_int_equal(verdict.share_us[side], US(ms));
}

static inline void assert_slow(enum slow_side side)
{
    assert_string_equal(slow_word(verdict.slow), slow_word(side));
}

#endif
