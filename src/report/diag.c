/* Lines for people, bounded in length and, for each call site, in rate. */

#include "report/diag.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct diag_row {
    const char *word;
    int severity;
};

static const struct diag_row rows[] = {
#define X(name, word, severity) {word, severity},
    DIAG_LEVELS(X)
#undef X
};

/* Written by the main thread, read by all; relaxed. */
static _Atomic int shown_level = DIAG_INFO;
static _Atomic int output_fd = STDERR_FILENO;
static bool is_journal;

void diag_begin(enum diag_level level)
{
    is_journal = getenv("JOURNAL_STREAM") != NULL;
    diag_set_level(level);
}

void diag_set_level(enum diag_level level)
{
    atomic_store_explicit(&shown_level, (int)level, memory_order_relaxed);
}

bool diag_is_on(enum diag_level level)
{
    return (int)level <= atomic_load_explicit(&shown_level, memory_order_relaxed);
}

void diag_set_output(int fd)
{
    atomic_store_explicit(&output_fd, fd, memory_order_relaxed);
}

/* Count this call; *ret_missed is how many the last window left out, said with a window's first line. */
static bool diag_may_say(struct diag_site *site, uint64_t *ret_missed)
{
    uint64_t window = clock_monotonic_ns() / NS_PER_S / DIAG_WINDOW_S + 1;
    uint64_t said = atomic_load_explicit(&site->said, memory_order_relaxed);
    uint64_t next;
    do {
        bool is_same = said >> 32 == window;
        uint64_t count = is_same ? (said & UINT32_MAX) : 0;
        *ret_missed = !is_same && (said & UINT32_MAX) > DIAG_BURST
                          ? (said & UINT32_MAX) - DIAG_BURST
                          : 0;
        next = window << 32 | (count + 1);
    } while (!atomic_compare_exchange_weak_explicit(&site->said, &said, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return (next & UINT32_MAX) <= DIAG_BURST;
}

static void diag_begin_line(struct text *text, enum diag_level level)
{
    if (is_journal) {
        text_add_format(text, "<%d>fairlead: ", rows[level].severity);
        return;
    }
    char stamp[32];
    time_t seconds = (time_t)(clock_wall_ns() / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    size_t len = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ ", &tm);
    text_add(text, slice_of(stamp, len));
    text_add_format(text, "fairlead: %s: ", rows[level].word);
}

void diag_say(struct diag_site *site, enum diag_level level, const char *format, ...)
{
    char message[DIAG_LINE_MAX];
    char line[DIAG_LINE_MAX * 4 + 128];
    int saved = errno;
    uint64_t missed = 0;
    if (site != NULL && !diag_may_say(site, &missed))
        return;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    struct text text = text_on(line, sizeof(line) - 1);
    diag_begin_line(&text, level);
    size_t have = len < 0 ? 0 : (size_t)len < sizeof(message) ? (size_t)len : sizeof(message) - 1;
    text_add_log(&text, slice_of(message, have), '\0');
    if (missed > 0)
        text_add_format(&text, " (%llu more were left out)", (unsigned long long)missed);
    line[text.len++] = '\n';
    ssize_t put = write(atomic_load_explicit(&output_fd, memory_order_relaxed), line, text.len);
    (void)put; /* nobody to tell if that fails */
    errno = saved;
}

const char *diag_level_word(enum diag_level level)
{
    return rows[level].word;
}

bool diag_level_find(struct slice word, enum diag_level *ret_level)
{
    for (int i = 0; i < DIAG_LEVEL_COUNT; i++) {
        if (slice_equals(word, slice_from_string(rows[i].word))) {
            *ret_level = (enum diag_level)i;
            return true;
        }
    }
    return false;
}
