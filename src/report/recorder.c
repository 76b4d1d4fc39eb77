/* The thread behind the access log.
 *
 *     loop:  take orders -> drain all rings into the buffer -> write -> say what was dropped -> sleep
 *
 * Sleeping has two depths. While records come it naps RECORDER_NAP_MS, and workers touch nothing but their
 * ring. After IDLE_ROUNDS empty rounds it says `is_asleep` and waits for the eventfd without a limit. That
 * none is missed rests on one pair of full fences:
 *
 *     worker:    put into the ring;    fence;  read is_asleep   -> wake
 *     recorder:  write is_asleep;      fence;  look at the rings -> wait
 *
 * At least one of the two sees the other's write.
 *
 *     R1  Only the thread reads the rings, formats, and uses `fd`; others leave orders under `lock`.
 *     R2  An order always writes the eventfd, so neither sleep nor a hanging output keeps it waiting.
 *     R3  The buffer holds whole lines. After a failed or partial write the next one begins on a new line.
 *     R4  A pipe or terminal is asked before each piece of PIECE_BYTES (a pipe that polls writable takes
 *         PIPE_BUF), so that a reader who has stopped cannot hold the thread inside write(2) at the end.
 *
 * Records of different workers are not sorted by time: their order is that of the drains.
 *
 * Not done here: opening and rotation of files (whoever has opened one hands it over with
 * recorder_set_output), and SIGPIPE, which is blocked in this thread like every signal. */
#include "report/recorder.h"

#include "report/diag.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FAIRLEAD_CLANG_TSAN 1
#endif
#endif

#define TAG_RECORDER TAG('r', 'c', 'd', 'r')

enum {
    BUFFER_BYTES = 256 * 1024,
    PIECE_BYTES = 4096,  /* PIPE_BUF */
    DRAIN_MAX = 1024,    /* records of one ring in one round */
    IDLE_ROUNDS = 5,     /* empty rounds before the deep sleep */
    HANG_SLICE_MS = 100, /* between two looks at orders while the output takes nothing */
    HANG_SLICES = 20,    /* how often, once an order waits, before the buffer is given up */
    SAY_EVERY_S = 1,     /* between two lines about dropped records */
    FD_NONE = -1,
    FD_STANDARD_MAX = 2, /* up to here descriptors are borrowed */
};

/* What other threads ask for; taken as a whole by the recorder's thread. */
struct orders {
    bool is_stop;
    bool has_fd;
    bool has_style;
    int fd;
    struct access_log_style style;
};

struct recorder {
    uint32_t tag;
    pthread_t thread;
    int event_fd;
    struct ring **rings;
    size_t ring_count;
    void (*on_record)(void *owner, const struct record *record);
    void *owner;

    /* Set by the thread, cleared by whoever wakes it; ordered by the fences above. */
    atomic_uint is_asleep; /* 0 or 1 */
    pthread_mutex_t lock;
    struct orders orders; /* under `lock` */

    /* The thread's own. */
    int fd;
    bool is_terminal; /* lines are as wide as it is */
    bool is_file;     /* a regular file: never hangs, and is written in one piece */
    bool is_mid_line; /* the output's last byte was no line feed */
    bool is_hanging;  /* the output took nothing the last time, and gets no second patience */
    struct access_log_style style;
    struct text buffer;
    uint64_t dropped_said;
    uint64_t said_at_ns; /* monotonic */

    /* Written by the thread, read by any; relaxed. */
    _Atomic uint64_t records;
    _Atomic uint64_t lost;
    _Atomic uint64_t write_errors;
    _Atomic uint64_t sleeps;
};

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void close_owned(int fd)
{
    if (fd > FD_STANDARD_MAX)
        (void)close(fd); /* nothing is left to do about a late error */
}

/* ---- Waking ---- */

/* The full fence of the design comment; reads is_asleep behind it. ThreadSanitizer does not know fences, so
 * there a read-modify-write of the flag itself stands in for it. */
static bool asleep_after_fence(struct recorder *recorder)
{
#if defined(__SANITIZE_THREAD__) || defined(FAIRLEAD_CLANG_TSAN)
    return atomic_fetch_or(&recorder->is_asleep, 0) != 0;
#else
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&recorder->is_asleep, memory_order_relaxed) != 0;
#endif
}

static void ring_bell(struct recorder *recorder)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(recorder->event_fd, &one, sizeof(one));
    while (written < 0 && errno == EINTR); /* EAGAIN: it rings already */
}

void recorder_wake(struct recorder *recorder)
{
    CHECK_TAG(recorder, TAG_RECORDER);
    if (!asleep_after_fence(recorder))
        return;
    if (atomic_exchange(&recorder->is_asleep, 0) != 0)
        ring_bell(recorder);
}

static bool rings_are_empty(struct recorder *recorder)
{
    uint32_t len;
    for (size_t i = 0; i < recorder->ring_count; i++) {
        if (ring_peek(recorder->rings[i], &len) != NULL)
            return false;
    }
    return true;
}

/* Wait for the bell, and silence it. `timeout_ms` -1: without a limit. */
static void await_bell(struct recorder *recorder, int timeout_ms)
{
    struct pollfd bell = {.fd = recorder->event_fd, .events = POLLIN};
    uint64_t rung;
    (void)poll(&bell, 1, timeout_ms); /* an early return is harmless: the loop looks again */
    ssize_t got = read(recorder->event_fd, &rung, sizeof(rung)); /* EAGAIN: it did not ring */
    (void)got;
}

static void recorder_sleep(struct recorder *recorder, unsigned idle_rounds)
{
    if (idle_rounds < IDLE_ROUNDS) {
        await_bell(recorder, RECORDER_NAP_MS);
        return;
    }
    atomic_store(&recorder->is_asleep, 1);
    count(&recorder->sleeps, 1);
    if (asleep_after_fence(recorder) && rings_are_empty(recorder))
        await_bell(recorder, -1);
    atomic_store(&recorder->is_asleep, 0);
}

/* ---- Dropped records ---- */

static uint64_t dropped_count(const struct recorder *recorder)
{
    uint64_t dropped = 0;
    for (size_t i = 0; i < recorder->ring_count; i++)
        dropped += ring_refused(recorder->rings[i]);
    return dropped;
}

static void say_dropped(struct recorder *recorder, bool is_last)
{
    uint64_t dropped = dropped_count(recorder);
    uint64_t now_ns = clock_monotonic_ns();
    bool is_soon =
        recorder->said_at_ns != 0 && now_ns - recorder->said_at_ns < SAY_EVERY_S * NS_PER_S;
    if (dropped == recorder->dropped_said || (is_soon && !is_last))
        return;
    diag_say(NULL, DIAG_WARNING, "access log: %llu records dropped since it is written too slowly",
             (unsigned long long)(dropped - recorder->dropped_said));
    recorder->dropped_said = dropped;
    recorder->said_at_ns = now_ns;
}

/* ---- Output ---- */

static void output_set(struct recorder *recorder, int fd)
{
    struct stat status;
    close_owned(recorder->fd);
    recorder->fd = fd;
    recorder->is_mid_line = false;
    recorder->is_hanging = false;
    recorder->is_file = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    recorder->is_terminal = fd >= 0 && isatty(fd);
}

static bool orders_are_urgent(struct recorder *recorder)
{
    (void)pthread_mutex_lock(&recorder->lock);
    bool is_urgent = recorder->orders.is_stop || recorder->orders.has_fd;
    (void)pthread_mutex_unlock(&recorder->lock);
    return is_urgent;
}

/* How many lines end from `at` on: one that went out in part is among them. A line feed in front belongs to the line
 * before (R3), which was counted when its rest was given up. */
static uint64_t buffer_lines(const struct text *buffer, size_t at)
{
    uint64_t lines = 0;
    for (size_t i = at > 0 ? at : 1; i < buffer->len; i++)
        lines += buffer->at[i] == '\n';
    return lines;
}

/* Wait until the output takes what begins at `at`. False where it took nothing for long and an order is waiting. */
static bool output_await(struct recorder *recorder, size_t at)
{
    struct pollfd output = {.fd = recorder->fd, .events = POLLOUT};
    unsigned patience = recorder->is_hanging ? 1 : HANG_SLICES;
    while (patience > 0) {
        int ready = poll(&output, 1, HANG_SLICE_MS);
        recorder->is_hanging = recorder->is_hanging && ready <= 0;
        if (ready > 0)
            return true; /* an error state too: write tells which */
        say_dropped(recorder, /* is_last= */ false);
        if (orders_are_urgent(recorder))
            patience--;
    }
    recorder->is_hanging = true;
    diag_say(NULL, DIAG_WARNING, "access log: the output takes nothing, %llu lines are given up",
             (unsigned long long)buffer_lines(&recorder->buffer, at));
    return false;
}

/* Write from *at on. False where the rest is to be given up. */
static bool output_write_piece(struct recorder *recorder, size_t *at)
{
    size_t rest = recorder->buffer.len - *at;
    if (!recorder->is_file && !output_await(recorder, *at))
        return false;
    size_t piece = recorder->is_file || rest < PIECE_BYTES ? rest : PIECE_BYTES;
    ssize_t written = write(recorder->fd, recorder->buffer.at + *at, piece);
    if (written > 0) {
        *at += (size_t)written;
        return true;
    }
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    count(&recorder->write_errors, 1);
    diag(DIAG_ERROR, "access log: cannot write: %s", strerrordesc_np(errno));
    return false;
}

static void output_flush(struct recorder *recorder)
{
    struct text *buffer = &recorder->buffer;
    size_t at = 0;
    bool is_fine = true;
    while (is_fine && at < buffer->len)
        is_fine = output_write_piece(recorder, &at);
    if (at > 0)
        recorder->is_mid_line = buffer->at[at - 1] != '\n';
    count(&recorder->lost, buffer_lines(buffer, at));
    buffer->len = 0;
}

/* ---- Records ---- */

static void record_take(struct recorder *recorder, const struct record *record)
{
    count(&recorder->records, 1);
    if (recorder->on_record != NULL)
        recorder->on_record(recorder->owner, record);
    if (recorder->fd < 0)
        return;
    if (recorder->buffer.cap - recorder->buffer.len < ACCESS_LOG_LINE_MAX + 1)
        output_flush(recorder);
    if (recorder->buffer.len == 0 && recorder->is_mid_line)
        text_add_char(&recorder->buffer, '\n');
    access_log_add(record, &recorder->style, &recorder->buffer);
    CHECK(!recorder->buffer.is_cut);
}

/* Up to DRAIN_MAX records of one ring. */
static size_t ring_drain(struct recorder *recorder, struct ring *ring)
{
    size_t taken = 0;
    uint32_t len;
    const struct record *record;
    while (taken < DRAIN_MAX && (record = ring_peek(ring, &len)) != NULL) {
        CHECK(len >= offsetof(struct record, text) && record->size == len);
        CHECK(record->text_len == len - offsetof(struct record, text));
        record_take(recorder, record);
        ring_drop(ring);
        taken++;
    }
    return taken;
}

/* One round over all rings; *ret_has_more where one of them may hold more. */
static size_t rings_drain(struct recorder *recorder, bool *ret_has_more)
{
    size_t all = 0;
    *ret_has_more = false;
    for (size_t i = 0; i < recorder->ring_count; i++) {
        size_t taken = ring_drain(recorder, recorder->rings[i]);
        *ret_has_more = *ret_has_more || taken == DRAIN_MAX;
        all += taken;
    }
    return all;
}

/* ---- The thread ---- */

/* True where the end was ordered. */
static bool take_orders(struct recorder *recorder)
{
    (void)pthread_mutex_lock(&recorder->lock);
    struct orders orders = recorder->orders;
    recorder->orders = (struct orders){.is_stop = orders.is_stop};
    (void)pthread_mutex_unlock(&recorder->lock);
    if (orders.has_style)
        recorder->style = orders.style;
    if (orders.has_fd)
        output_set(recorder, orders.fd);
    return orders.is_stop;
}

/* Lines are as wide as the terminal is now. */
static void measure_terminal(struct recorder *recorder)
{
    struct winsize size;
    if (!recorder->is_terminal)
        recorder->style.columns = 0;
    else if (ioctl(recorder->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        recorder->style.columns = size.ws_col;
    else
        recorder->style.columns = ACCESS_LOG_TERMINAL_COLUMNS;
}

static void *recorder_main(void *argument)
{
    struct recorder *recorder = argument;
    fault_begin(FAULT_THREAD_RECORDER);
    /* Only for people. By the thread itself, since another would have to open a file for it. */
    (void)pthread_setname_np(pthread_self(), "recorder");
    unsigned idle_rounds = 0;
    bool is_stopping = false;
    bool has_more = false;
    while (!is_stopping || has_more) {
        is_stopping = take_orders(recorder);
        measure_terminal(recorder);
        size_t taken = rings_drain(recorder, &has_more);
        output_flush(recorder);
        say_dropped(recorder, is_stopping);
        idle_rounds = taken > 0 ? 0 : idle_rounds + 1;
        if (!is_stopping && !has_more)
            recorder_sleep(recorder, idle_rounds);
    }
    return NULL;
}

/* ---- Orders ---- */

void recorder_set_output(struct recorder *recorder, int fd, const struct access_log_style *style)
{
    CHECK_TAG(recorder, TAG_RECORDER);
    (void)pthread_mutex_lock(&recorder->lock);
    if (recorder->orders.has_fd)
        close_owned(recorder->orders.fd);
    recorder->orders.has_fd = true;
    recorder->orders.fd = fd;
    if (style != NULL) {
        recorder->orders.has_style = true;
        recorder->orders.style = *style;
    }
    (void)pthread_mutex_unlock(&recorder->lock);
    ring_bell(recorder);
}

struct recorder_stats recorder_stats(const struct recorder *recorder)
{
    CHECK_TAG(recorder, TAG_RECORDER);
    return (struct recorder_stats){
        .records = atomic_load_explicit(&recorder->records, memory_order_relaxed),
        .dropped = dropped_count(recorder),
        .lost = atomic_load_explicit(&recorder->lost, memory_order_relaxed),
        .write_errors = atomic_load_explicit(&recorder->write_errors, memory_order_relaxed),
        .sleeps = atomic_load_explicit(&recorder->sleeps, memory_order_relaxed),
    };
}

/* ---- Life ---- */

static void recorder_free(struct recorder *recorder)
{
    if (recorder->event_fd >= 0)
        (void)close(recorder->event_fd);
    free(recorder->rings);
    free(recorder->buffer.at);
    recorder->tag = 0;
    free(recorder);
}

/* Everything but the thread. False where memory or descriptors are out. */
static bool recorder_init(struct recorder *recorder, const struct recorder_options *options)
{
    recorder->tag = TAG_RECORDER;
    recorder->fd = FD_NONE;
    recorder->ring_count = options->ring_count;
    recorder->style = options->style;
    recorder->on_record = options->on_record;
    recorder->owner = options->owner;
    recorder->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    recorder->rings = calloc(options->ring_count + 1, sizeof(struct ring *));
    recorder->buffer = text_on(malloc(BUFFER_BYTES), BUFFER_BYTES);
    if (recorder->event_fd < 0 || recorder->rings == NULL || recorder->buffer.at == NULL)
        return false;
    for (size_t i = 0; i < options->ring_count; i++)
        recorder->rings[i] = options->rings[i];
    return true;
}

/* No signal is for this thread. Returns an errno. */
static int recorder_start(struct recorder *recorder)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&recorder->thread, NULL, recorder_main, recorder);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct recorder *recorder_create(const struct recorder_options *options)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (recorder == NULL)
        return NULL;
    (void)pthread_mutex_init(&recorder->lock, NULL); /* a plain one cannot fail */
    int error = ENOMEM;
    if (!recorder_init(recorder, options)) {
        error = errno;
        goto failed;
    }
    output_set(recorder, options->fd);
    error = recorder_start(recorder);
    if (error == 0)
        return recorder;

failed:
    recorder_free(recorder);
    errno = error;
    return NULL;
}

void recorder_stop(struct recorder **recorder)
{
    struct recorder *old = *recorder;
    if (old == NULL)
        return;
    CHECK_TAG(old, TAG_RECORDER);
    *recorder = NULL;
    (void)pthread_mutex_lock(&old->lock);
    old->orders.is_stop = true;
    (void)pthread_mutex_unlock(&old->lock);
    ring_bell(old);
    (void)pthread_join(old->thread, NULL);
    close_owned(old->fd);
    (void)pthread_mutex_destroy(&old->lock);
    recorder_free(old);
}
