#ifndef FAIRLEAD_REPORT_DIAG_H
#define FAIRLEAD_REPORT_DIAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The diagnostics log: what the operator must know, one line each on stderr.
 *
 *     diag(DIAG_WARNING, "%s: no descriptor left, accepting pauses", name);
 *
 * Lines carry the date and the level; into the journal (JOURNAL_STREAM) they carry "<N>" instead. Control
 * bytes and non-ASCII are escaped, so a peer's text cannot forge a line. Each call site may say
 * DIAG_BURST lines in DIAG_WINDOW_S seconds; the next window's first line tells how many were left out.
 * X(NAME, "word", syslog severity). */
#define DIAG_LEVELS(X)       \
    X(ERROR, "error", 3)     \
    X(WARNING, "warning", 4) \
    X(NOTICE, "notice", 5)   \
    X(INFO, "info", 6)       \
    X(DEBUG, "debug", 7)

enum diag_level {
#define X(name, word, severity) DIAG_##name,
    DIAG_LEVELS(X)
#undef X
        DIAG_LEVEL_COUNT
};

enum { DIAG_BURST = 5, DIAG_WINDOW_S = 10, DIAG_LINE_MAX = 1024 };

/* What a call site remembers. `said` holds the window's number above, and the calls in it below; any
 * thread writes it by compare-and-exchange, relaxed, since nothing hangs on it. */
struct diag_site {
    _Atomic uint64_t said;
};

/* Thread: any. */
#define diag(level, ...)                                 \
    do {                                                 \
        static struct diag_site diag_site_;              \
        if (diag_is_on(level))                           \
            diag_say(&diag_site_, (level), __VA_ARGS__); \
    } while (0)

/* Look at the environment and the output once, and show `level` and what is more serious. Until it is called the level
 * is DIAG_INFO and lines carry the date. Thread: the main one, before others start. */
void diag_begin(enum diag_level level);
/* Thread: any. */
void diag_set_level(enum diag_level level);
bool diag_is_on(enum diag_level level);
/* Another descriptor than 2, borrowed; for tests. Thread: any. */
void diag_set_output(int fd);
/* Words for people at the start, line feed and all, without a date or limit; they too are left out where nobody
 * takes them. At most DIAG_LINE_MAX - 1 bytes. Thread: any. */
void diag_put(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Behind the macro. `site` NULL: without a limit on how often; the level counts here, too. Keeps errno. */
void diag_say(struct diag_site *site, enum diag_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line in DIAG_WINDOW_S: for what strangers cause as often as they like. */
void diag_say_rarely(struct diag_site *site, enum diag_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
