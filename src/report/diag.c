/* The diagnostics log.
 *
 * A line is made in one buffer on the stack and leaves with one write, so that lines of several threads do
 * not mix. Settings are atomics, and a call site's limit is one atomic word that holds the number of the
 * window and the calls in it. A write that fails or is short has nowhere to be reported and is given up.
 *
 * A reader of stderr who has stopped must stop nobody: the descriptor is asked first, and what it has no room
 * for is left out and counted. A pipe that polls writable takes PIPE_BUF, which is more than a line, so that
 * the lock around both keeps one thread of this process from taking the room of another. */
#include "report/diag.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *word;
    int severity;
} level_names[] = {
#define X(name, word, severity) [DIAG_##name] = {word, severity},
    DIAG_LEVELS(X)
#undef X
};
static_assert(COUNT_OF(level_names) == DIAG_LEVEL_COUNT, "every level has a name");

/* Written at start and by reloads, read by any thread; relaxed, since each stands alone. */
static struct {
    _Atomic int level;
    _Atomic int fd;
    atomic_bool is_journal;
} settings = {DIAG_INFO, STDERR_FILENO, false};

/* Whoever is started below a unit inherits the variable; what counts is whether the output is that stream
 * (systemd.exec(5)). */
static bool is_journal(void)
{
    char here[64];
    struct stat facts;
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL || fstat(atomic_load(&settings.fd), &facts) < 0)
        return false;
    (void)snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)facts.st_dev, (uintmax_t)facts.st_ino);
    return strcmp(stream, here) == 0;
}

void diag_begin(enum diag_level level)
{
    atomic_store(&settings.is_journal, is_journal());
    diag_set_level(level);
}

void diag_set_level(enum diag_level level)
{
    atomic_store_explicit(&settings.level, (int)level, memory_order_relaxed);
}

bool diag_is_on(enum diag_level level)
{
    return (int)level <= atomic_load_explicit(&settings.level, memory_order_relaxed);
}

void diag_set_output(int fd)
{
    atomic_store_explicit(&settings.fd, fd, memory_order_relaxed);
}

/* ---- The limit of a call site ---- */

enum { CALL_BITS = 24 };

#define CALL_MASK ((1ULL << CALL_BITS) - 1)

/* Count one call of `burst` a window. False where this window is used up; *ret_left_out tells what the window before
 * it left out, to the one call that opens a new one. */
static bool site_admits(struct diag_site *site, uint64_t burst, uint64_t *ret_left_out)
{
    uint64_t window = clock_monotonic_ns() / (DIAG_WINDOW_S * NS_PER_S) + 1;
    uint64_t before = atomic_load_explicit(&site->said, memory_order_relaxed);
    uint64_t after;
    do {
        bool is_same = before >> CALL_BITS == window;
        uint64_t calls = is_same ? before & CALL_MASK : 0;
        after = window << CALL_BITS | (calls < CALL_MASK ? calls + 1 : calls);
    } while (!atomic_compare_exchange_weak_explicit(&site->said, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));

    uint64_t calls_before = before & CALL_MASK;
    bool is_new = before >> CALL_BITS != window;
    *ret_left_out = is_new && calls_before > burst ? calls_before - burst : 0;
    return (after & CALL_MASK) <= burst;
}

/* ---- The line ---- */

/* "<4>", or "2026-11-24T02:12:23.123Z warning: ". */
static void add_prefix(struct text *line, enum diag_level level)
{
    if (atomic_load(&settings.is_journal)) {
        text_add_format(line, "<%d>", level_names[level].severity);
        return;
    }
    uint64_t wall_ns = clock_wall_ns();
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm); /* fails for no 64-bit count of nanoseconds */
    text_add_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ %s: ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    (unsigned)(wall_ns % NS_PER_S / NS_PER_MS), level_names[level].word);
}

/* Like text_add_log, but a backslash stays: the words are ours, and paths read better. */
static void add_message(struct text *line, struct slice message)
{
    while (message.len > 0) {
        size_t run = 0;
        while (run < message.len && message.at[run] >= 0x20 && message.at[run] < 0x7f)
            run++;
        text_add(line, slice_first(message, run));
        text_add_log(line, slice_first(slice_from(message, run), 1), '\0');
        message = slice_from(message, run + 1);
    }
}

static bool has_room(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    return poll(&look, 1, 0) == 1; /* an error is there at once, too */
}

/* Where only a part of a line was taken, the rest goes out if there is room for it. */
static void write_bytes(int fd, const struct text *line)
{
    size_t at = 0;
    do {
        ssize_t written = write(fd, line->at + at, line->len - at);
        if (written > 0)
            at += (size_t)written;
        else if (written == 0 || errno != EINTR)
            return; /* nobody is left to tell */
    } while (at < line->len && has_room(fd));
}

/* Tell how many lines found no room since the last one that did. */
static void write_unread(int fd, unsigned lines)
{
    char space[DIAG_LINE_MAX];
    struct text line = text_on(space, sizeof(space));
    add_prefix(&line, DIAG_WARNING);
    text_add_format(&line, "%u lines left out here, since nobody took them\n", lines);
    write_bytes(fd, &line);
}

static void write_line(const struct text *line)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the room found, and: */
    static unsigned unread;
    int fd = atomic_load_explicit(&settings.fd, memory_order_relaxed);
    if (fd < 0)
        return;
    (void)pthread_mutex_lock(&lock);
    if (unread > 0 && has_room(fd)) {
        write_unread(fd, unread);
        unread = 0;
    }
    if (has_room(fd))
        write_bytes(fd, line);
    else
        unread++;
    (void)pthread_mutex_unlock(&lock);
}

void diag_put(const char *format, ...)
{
    char space[DIAG_LINE_MAX];
    struct text line = text_on(space, sizeof(space));
    va_list args;
    va_start(args, format);
    int len = vsnprintf(space, sizeof(space), format, args);
    va_end(args);
    line.len = len < 0 ? 0 : (size_t)len < sizeof(space) ? (size_t)len : sizeof(space) - 1;
    write_line(&line);
}

/* `burst` lines of one site in a window; a site that is NULL has no bound. */
__attribute__((format(printf, 4, 0))) static void
say(struct diag_site *site, uint64_t burst, enum diag_level level, const char *format, va_list args)
{
    int saved_errno = errno;
    uint64_t left_out = 0;
    if (!diag_is_on(level) || (site != NULL && !site_admits(site, burst, &left_out)))
        return;
    char message[DIAG_LINE_MAX];
    int len = vsnprintf(message, sizeof(message), format, args);
    size_t have = len < 0 ? 0 : (size_t)len < sizeof(message) ? (size_t)len : sizeof(message) - 1;

    char space[DIAG_LINE_MAX];
    struct text line = text_on(space, sizeof(space) - 1); /* one for the line feed */
    add_prefix(&line, level);
    if (left_out > 0)
        text_add_format(&line, "(%llu lines like this left out) ", (unsigned long long)left_out);
    add_message(&line, slice_of(message, have));
    line.cap++;
    text_add_char(&line, '\n');
    write_line(&line);
    errno = saved_errno;
}

void diag_say(struct diag_site *site, enum diag_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(site, DIAG_BURST, level, format, args);
    va_end(args);
}

void diag_say_rarely(struct diag_site *site, enum diag_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(site, 1, level, format, args);
    va_end(args);
}
