/* Reading rings and writing lines.
 *
 * The rings are read without a lock; the lock guards only what other threads change: the list of rings and
 * the output. A worker that puts a record into its ring makes a system call only when the recorder said that
 * it sleeps, so that a busy proxy pays nothing for waking it. */

#include "report/recorder.h"

#include "base/check.h"
#include "base/clock.h"
#include "report/diag.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { RECORDER_BUFFER = 256 * 1024, RECORDER_QUIET_NAPS = 10 };

struct recorder {
    pthread_t thread;
    pthread_mutex_t lock;
    struct ring **rings;
    size_t ring_count;
    int fd;
    char *path;
    struct access_log_style style;
    void (*on_record)(void *owner, const struct record *record);
    void *owner;
    _Atomic uint64_t records;      /* writer: the recorder; readers: any; relaxed */
    _Atomic uint64_t lost;         /* likewise */
    _Atomic uint64_t write_errors; /* likewise */
    _Atomic bool is_asleep;   /* writer: the recorder, and whoever wakes it; readers: workers; seq_cst */
    _Atomic bool is_stopping; /* writer: recorder_stop */
    int wake_fd;
    uint64_t refused_seen;
    size_t buffered;
    char buffer[RECORDER_BUFFER];
};

/* The lock is held. A log that cannot be written is said once and given up. */
static void recorder_flush(struct recorder *recorder)
{
    size_t at = 0;
    while (recorder->fd >= 0 && at < recorder->buffered) {
        ssize_t put = write(recorder->fd, recorder->buffer + at, recorder->buffered - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN) {
            struct pollfd wait = {recorder->fd, POLLOUT, 0};
            (void)poll(&wait, 1, 1000);
            continue;
        }
        if (put < 0) {
            atomic_fetch_add(&recorder->write_errors, 1);
            diag(DIAG_ERROR, "the access log cannot be written: %s", strerror(errno));
            break;
        }
        at += (size_t)put;
    }
    recorder->buffered = 0;
}

static void recorder_write(struct recorder *recorder, const struct record *record)
{
    atomic_fetch_add_explicit(&recorder->records, 1, memory_order_relaxed);
    if (recorder->on_record != NULL)
        recorder->on_record(recorder->owner, record);
    if (recorder->fd < 0)
        return;
    if (recorder->buffered + ACCESS_LOG_LINE_MAX > RECORDER_BUFFER)
        recorder_flush(recorder);
    struct text text = text_on(recorder->buffer + recorder->buffered, ACCESS_LOG_LINE_MAX);
    access_log_add(record, &recorder->style, &text);
    recorder->buffered += text.len;
}

/* Read all rings out. True where there was anything. */
static bool recorder_drain(struct recorder *recorder)
{
    bool had_some = false;
    uint64_t refused = 0;
    (void)pthread_mutex_lock(&recorder->lock);
    for (size_t i = 0; i < recorder->ring_count; i++) {
        uint32_t len;
        const void *message;
        while ((message = ring_peek(recorder->rings[i], &len)) != NULL) {
            recorder_write(recorder, message);
            ring_drop(recorder->rings[i]);
            had_some = true;
        }
        refused += ring_refused(recorder->rings[i]);
    }
    recorder_flush(recorder);
    (void)pthread_mutex_unlock(&recorder->lock);
    if (refused > recorder->refused_seen) {
        diag(DIAG_WARNING, "%llu records were dropped: the log is slower than the traffic",
             (unsigned long long)(refused - recorder->refused_seen));
        recorder->refused_seen = refused;
    }
    return had_some;
}

static void recorder_sleep(struct recorder *recorder)
{
    struct pollfd wait = {recorder->wake_fd, POLLIN, 0};
    uint64_t count;
    atomic_store(&recorder->is_asleep, true);
    if (!recorder_drain(recorder)) /* what came before the flag was seen */
        (void)poll(&wait, 1, 1000);
    atomic_store(&recorder->is_asleep, false);
    ssize_t got = read(recorder->wake_fd, &count, sizeof(count));
    (void)got;
}

static void *recorder_main(void *argument)
{
    struct recorder *recorder = argument;
    struct timespec nap = {0, RECORDER_NAP_MS * 1000000L};
    int quiet = 0;
    while (!atomic_load(&recorder->is_stopping)) {
        quiet = recorder_drain(recorder) ? 0 : quiet + 1;
        if (quiet > RECORDER_QUIET_NAPS)
            recorder_sleep(recorder);
        else
            (void)nanosleep(&nap, NULL);
    }
    (void)recorder_drain(recorder);
    return NULL;
}

struct recorder *recorder_create(const struct recorder_options *options)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (recorder == NULL)
        return NULL;
    recorder->fd = options->fd;
    recorder->style = options->style;
    recorder->on_record = options->on_record;
    recorder->owner = options->owner;
    recorder->ring_count = options->ring_count;
    recorder->rings = calloc(options->ring_count + 1, sizeof(struct ring *));
    recorder->path = options->path == NULL ? NULL : strdup(options->path);
    (void)pthread_mutex_init(&recorder->lock, NULL);
    recorder->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool is_fine = recorder->rings != NULL && recorder->wake_fd >= 0;
    if (is_fine)
        memcpy(recorder->rings, options->rings, options->ring_count * sizeof(struct ring *));
    if (!is_fine || pthread_create(&recorder->thread, NULL, recorder_main, recorder) != 0) {
        free(recorder->rings);
        free(recorder->path);
        free(recorder);
        return NULL;
    }
    return recorder;
}

void recorder_wake(struct recorder *recorder)
{
    if (!atomic_load(&recorder->is_asleep) || !atomic_exchange(&recorder->is_asleep, false))
        return;
    uint64_t one = 1;
    ssize_t put = write(recorder->wake_fd, &one, sizeof(one));
    (void)put;
}

void recorder_set_output(struct recorder *recorder, int fd)
{
    (void)pthread_mutex_lock(&recorder->lock);
    recorder_flush(recorder);
    if (recorder->fd > STDERR_FILENO)
        (void)close(recorder->fd);
    recorder->fd = fd;
    (void)pthread_mutex_unlock(&recorder->lock);
}

void recorder_reopen(struct recorder *recorder)
{
    if (recorder->path == NULL)
        return;
    int fd = open(recorder->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        diag(DIAG_ERROR, "log file %s: %s; the old one stays in use", recorder->path,
             strerror(errno));
    else
        recorder_set_output(recorder, fd);
}

void recorder_set_style(struct recorder *recorder, const struct access_log_style *style)
{
    (void)pthread_mutex_lock(&recorder->lock);
    recorder->style = *style;
    (void)pthread_mutex_unlock(&recorder->lock);
}

struct recorder_stats recorder_stats(const struct recorder *recorder)
{
    struct recorder_stats stats = {
        .records = atomic_load(&recorder->records),
        .lost = atomic_load(&recorder->lost),
        .write_errors = atomic_load(&recorder->write_errors),
    };
    for (size_t i = 0; i < recorder->ring_count; i++)
        stats.dropped += ring_refused(recorder->rings[i]);
    return stats;
}

void recorder_stop(struct recorder **stop)
{
    struct recorder *recorder = *stop;
    *stop = NULL;
    if (recorder == NULL)
        return;
    atomic_store(&recorder->is_stopping, true);
    atomic_store(&recorder->is_asleep, true);
    recorder_wake(recorder);
    (void)pthread_join(recorder->thread, NULL);
    if (recorder->fd > STDERR_FILENO)
        (void)close(recorder->fd);
    (void)close(recorder->wake_fd);
    (void)pthread_mutex_destroy(&recorder->lock);
    free(recorder->rings);
    free(recorder->path);
    free(recorder);
}
