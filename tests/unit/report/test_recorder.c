#include "report_test.h"

#include "report/diag.h"
#include "report/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RINGS = 2, RING_BYTES = 1 << 20 };

/* Two rings, a recorder, and a pipe as its output. Waiting is done in poll and pthread_join only. */
static struct {
    struct ring *rings[RINGS];
    struct recorder *recorder;
    int output;      /* what the recorder wrote */
    int messages[2]; /* a pipe for diagnostics; -1 where a test hears none */
    char folder[64];
    char path[128];
} test;

static struct record pattern; /* an exchange without a user */
static struct record record;

static const struct access_log_style squid = {.format = ACCESS_LOG_SQUID, .has_color = false};

static void start(size_t ring_bytes, int fd)
{
    struct recorder_options options = {
        .rings = test.rings, .ring_count = RINGS, .fd = fd, .style = squid};
    for (int i = 0; i < RINGS; i++) {
        test.rings[i] = ring_create(ring_bytes);
        assert_non_null(test.rings[i]);
    }
    test.recorder = recorder_create(&options);
    assert_non_null(test.recorder);
}

static int start_on_pipe(size_t ring_bytes)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    test.output = fds[0];
    start(ring_bytes, fds[1]);
    return fds[1];
}

static int begin(void **state)
{
    (void)state;
    test_exchange(&pattern);
    (void)snprintf(test.folder, sizeof(test.folder), "/tmp/fairlead-recorder-XXXXXX");
    assert_non_null(mkdtemp(test.folder));
    (void)snprintf(test.path, sizeof(test.path), "%s/access.log", test.folder);
    test.output = test.messages[0] = test.messages[1] = -1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    recorder_stop(&test.recorder);
    assert_null(test.recorder);
    for (int i = 0; i < RINGS; i++)
        ring_destroy(&test.rings[i]);
    if (test.output >= 0)
        (void)close(test.output);
    (void)unlink(test.path);
    (void)rmdir(test.folder);
    diag_set_output(STDERR_FILENO);
    for (int i = 0; i < 2 && test.messages[i] >= 0; i++)
        (void)close(test.messages[i]);
    return 0;
}

/* Diagnostics go to `messages` from now on. */
static void hear_messages(void)
{
    assert_int_equal(pipe2(test.messages, O_CLOEXEC | O_NONBLOCK), 0);
    diag_set_output(test.messages[1]);
}

/* One record with this number as user, so that lines can be told apart. */
static bool put(int ring, unsigned number)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "n%u", number);
    record = pattern;
    test_text(&record, &record.user, name);
    record_seal(&record);
    bool is_in = ring_put(test.rings[ring], &record, record.size);
    recorder_wake(test.recorder);
    return is_in;
}

/* Read from `fd` until it holds `lines` lines or ends; how many there were. */
static size_t read_lines(int fd, size_t lines, char *into, size_t cap)
{
    size_t len = 0;
    size_t seen = 0;
    while (seen < lines && len + 1 < cap) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 10000) <= 0)
            break;
        ssize_t got = read(fd, into + len, cap - 1 - len);
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            seen += into[len + (size_t)i] == '\n';
        len += (size_t)got;
    }
    into[len] = '\0';
    return seen;
}

static size_t lines_of_file(const char *path, char *into, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t lines = read_lines(fd, SIZE_MAX, into, cap);
    (void)close(fd);
    return lines;
}

static void a_record_becomes_a_line_without_further_ado(void **state)
{
    (void)state;
    char text[4096];
    (void)start_on_pipe(RING_BYTES);
    assert_true(put(0, 1));
    assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 1);
    assert_non_null(strstr(text, " n1 "));
    /* Again, after the pipe was silent: the second wake works like the first. */
    assert_true(put(1, 2));
    assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 1);
    assert_non_null(strstr(text, " n2 "));
}

static void a_deep_sleeper_is_woken_each_time(void **state)
{
    (void)state;
    char text[4096];
    (void)start_on_pipe(RING_BYTES);
    for (unsigned i = 0; i < 3; i++) {
        while (recorder_stats(test.recorder).sleeps <= i)
            (void)sched_yield();
        assert_true(put(0, i));
        assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 1);
    }
}

static void stopping_writes_all_that_is_in_the_rings(void **state)
{
    (void)state;
    char text[65536];
    int fd = open(test.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    start(RING_BYTES, fd);
    for (unsigned i = 0; i < 100; i++)
        assert_true(put((int)i % RINGS, i));
    recorder_stop(&test.recorder);
    assert_int_equal(lines_of_file(test.path, text, sizeof(text)), 100);
    assert_non_null(strstr(text, " n99 "));
}

/* A worker that puts many records as fast as it can. */
enum { MANY = 20000 };

static void *put_many(void *argument)
{
    struct ring *ring = argument;
    struct record copy;
    record_begin(&copy);
    record_seal(&copy);
    for (int i = 0; i < MANY; i++) {
        (void)ring_put(ring, &copy, copy.size);
        recorder_wake(test.recorder);
    }
    return NULL;
}

static void every_record_is_written_or_counted_as_dropped(void **state)
{
    (void)state;
    pthread_t threads[RINGS];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    start(65536, null);
    hear_messages();
    for (int i = 0; i < RINGS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, test.rings[i]), 0);
    for (int i = 0; i < RINGS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    uint64_t refused = ring_refused(test.rings[0]) + ring_refused(test.rings[1]);
    struct recorder_stats stats;
    do {
        (void)sched_yield();
        stats = recorder_stats(test.recorder);
    } while (stats.records + refused < MANY * RINGS);
    assert_int_equal(stats.records + stats.dropped, MANY * RINGS);
    assert_int_equal(stats.dropped, refused);
    recorder_stop(&test.recorder);

    char text[8192] = "";
    if (refused > 0) {
        assert_true(read(test.messages[0], text, sizeof(text) - 1) > 0);
        assert_non_null(strstr(text, "records dropped"));
    }
}

static void an_output_that_takes_nothing_does_not_hold_the_end(void **state)
{
    (void)state;
    char text[4096];
    static char written[1 << 20];
    size_t given_up = 0;
    hear_messages();
    (void)start_on_pipe(RING_BYTES);
    /* More than a pipe holds; nobody reads. */
    for (unsigned i = 0; i < 2000; i++)
        (void)put(0, i);
    recorder_stop(&test.recorder);
    assert_null(test.recorder);
    ssize_t len = read(test.messages[0], text, sizeof(text) - 1);
    text[len > 0 ? len : 0] = '\0';
    assert_has(text, "the output takes nothing");

    /* Each line was written, or is among those that are said to be given up. */
    for (const char *at = text; (at = strstr(at, "takes nothing, ")) != NULL;) {
        at += strlen("takes nothing, ");
        given_up += strtoul(at, NULL, 10);
    }
    size_t whole = read_lines(test.output, SIZE_MAX, written, sizeof(written));
    assert_int_equal(whole + given_up + ring_refused(test.rings[0]), 2000);
}

static void a_new_output_gets_the_next_lines(void **state)
{
    (void)state;
    char text[4096];
    (void)start_on_pipe(RING_BYTES);
    assert_true(put(0, 1));
    assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 1);

    int fd = open(test.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    recorder_set_output(test.recorder, fd, NULL);
    /* The old one is closed, for the recorder owned it. */
    assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 0);
    assert_true(put(0, 2));
    recorder_stop(&test.recorder);
    assert_int_equal(lines_of_file(test.path, text, sizeof(text)), 1);
    assert_non_null(strstr(text, " n2 "));
}

static void an_output_may_come_with_its_style(void **state)
{
    (void)state;
    char text[4096];
    static const struct access_log_style json = {.format = ACCESS_LOG_JSON, .has_color = false};
    (void)start_on_pipe(RING_BYTES);
    int fd = open(test.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    recorder_set_output(test.recorder, fd, &json);
    /* The old one is closed: the order was taken. */
    assert_int_equal(read_lines(test.output, 1, text, sizeof(text)), 0);
    assert_true(put(0, 2));
    recorder_stop(&test.recorder);
    assert_int_equal(lines_of_file(test.path, text, sizeof(text)), 1);
    assert_int_equal(text[0], '{');
}

static void a_failing_output_is_counted_and_said(void **state)
{
    (void)state;
    char text[4096];
    hear_messages();
    start(RING_BYTES, open("/dev/full", O_WRONLY | O_CLOEXEC));
    assert_true(put(0, 1));
    assert_int_equal(read_lines(test.messages[0], 1, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "cannot write: No space left on device"));
    assert_int_equal(recorder_stats(test.recorder).write_errors, 1);
}

static void a_reader_that_went_away_kills_nobody(void **state)
{
    (void)state;
    char text[4096];
    hear_messages();
    (void)start_on_pipe(RING_BYTES);
    (void)close(test.output);
    test.output = -1;
    assert_true(put(0, 1));
    assert_int_equal(read_lines(test.messages[0], 1, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "Broken pipe"));
}

struct seen {
    unsigned count;
    uint64_t last_id;
};

static void see(void *owner, const struct record *one)
{
    struct seen *seen = owner;
    seen->count++;
    seen->last_id = one->id;
}

static void a_listener_sees_every_record_even_without_an_output(void **state)
{
    (void)state;
    struct seen seen = {0, 0};
    struct recorder_options options = {.rings = test.rings,
                                       .ring_count = RINGS,
                                       .fd = -1,
                                       .style = squid,
                                       .on_record = see,
                                       .owner = &seen};
    for (int i = 0; i < RINGS; i++)
        test.rings[i] = ring_create(RING_BYTES);
    test.recorder = recorder_create(&options);
    for (unsigned i = 0; i < 10; i++)
        assert_true(put(0, i));
    recorder_stop(&test.recorder);
    assert_int_equal(seen.count, 10);
    assert_int_equal(seen.last_id, 0xabc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_becomes_a_line_without_further_ado),
        TEST(a_deep_sleeper_is_woken_each_time),
        TEST(stopping_writes_all_that_is_in_the_rings),
        TEST(every_record_is_written_or_counted_as_dropped),
        TEST(an_output_that_takes_nothing_does_not_hold_the_end),
        TEST(a_new_output_gets_the_next_lines),
        TEST(an_output_may_come_with_its_style),
        TEST(a_failing_output_is_counted_and_said),
        TEST(a_reader_that_went_away_kills_nobody),
        TEST(a_listener_sees_every_record_even_without_an_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
