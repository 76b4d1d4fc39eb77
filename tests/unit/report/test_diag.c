#include "report_test.h"

#include "report/diag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int pipe_fds[2];
static char space[65536];

static int begin(void **state)
{
    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
    (void)unsetenv("JOURNAL_STREAM");
    diag_begin(DIAG_INFO);
    diag_set_output(pipe_fds[1]);
    clock_freeze(TEST_BASE_NS, TEST_WALL_NS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    clock_restore();
    diag_set_output(STDERR_FILENO);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return 0;
}

/* All that was said since the last call, terminated. */
static const char *said(void)
{
    ssize_t len = read(pipe_fds[0], space, sizeof(space) - 1);
    space[len > 0 ? len : 0] = '\0';
    return space;
}

static void a_line_has_date_level_and_words(void **state)
{
    (void)state;
    diag(DIAG_WARNING, "%s: %d left", "descriptors", 3);
    assert_string_equal(said(), "2026-11-24T02:12:23.123Z warning: descriptors: 3 left\n");
}

static void the_journal_gets_severities_instead(void **state)
{
    (void)state;
    char stream[64];
    struct stat facts;
    assert_int_equal(fstat(pipe_fds[1], &facts), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)facts.st_dev,
                   (uintmax_t)facts.st_ino);
    (void)setenv("JOURNAL_STREAM", stream, 1);
    diag_begin(DIAG_DEBUG);
    diag(DIAG_ERROR, "one");
    diag(DIAG_DEBUG, "two");
    assert_string_equal(said(), "<3>one\n<7>two\n");
}

/* Another stream of the journal's than ours was inherited with the environment. */
static void another_stream_of_the_journal_changes_nothing(void **state)
{
    (void)state;
    (void)setenv("JOURNAL_STREAM", "8:1234", 1);
    diag_begin(DIAG_INFO);
    diag(DIAG_ERROR, "one");
    assert_non_null(strstr(said(), "Z error: one\n"));
}

static void levels_below_the_shown_one_are_silent(void **state)
{
    (void)state;
    diag_set_level(DIAG_WARNING);
    diag(DIAG_NOTICE, "not shown");
    diag(DIAG_DEBUG, "not shown");
    diag(DIAG_WARNING, "shown");
    diag_say(NULL, DIAG_NOTICE, "not shown without a site either");
    assert_non_null(strstr(said(), " warning: shown\n"));
    assert_null(strstr(space, "not"));
}

static void say_twelve(void)
{
    for (int i = 0; i < 12; i++)
        diag(DIAG_WARNING, "again");
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void a_call_site_says_a_burst_a_window_and_then_how_many_were_left_out(void **state)
{
    (void)state;
    say_twelve();
    assert_int_equal(lines_in(said()), DIAG_BURST);
    diag(DIAG_WARNING, "another site is not held back");
    assert_int_equal(lines_in(said()), 1);

    clock_advance(DIAG_WINDOW_S * NS_PER_S);
    say_twelve();
    assert_non_null(strstr(said(), "warning: (7 lines like this left out) again\n"));
    assert_int_equal(lines_in(space), DIAG_BURST);
}

/* Sites are held back one by one, and each says how much it kept to itself. */
static void what_strangers_cause_is_said_once_a_window(void **state)
{
    (void)state;
    struct diag_site sites[2] = {{0}};
    for (int i = 0; i < 12; i++)
        diag_say_rarely(&sites[0], DIAG_NOTICE, "refused %d", i);
    diag_say_rarely(&sites[1], DIAG_NOTICE, "another");
    assert_non_null(strstr(said(), "notice: refused 0\n"));
    assert_non_null(strstr(space, "notice: another\n"));
    assert_int_equal(lines_in(space), 2);

    clock_advance(DIAG_WINDOW_S * NS_PER_S);
    diag_set_level(DIAG_ERROR);
    diag_say_rarely(&sites[0], DIAG_NOTICE, "not shown, and not counted");
    diag_set_level(DIAG_NOTICE);
    errno = ENOENT;
    diag_say_rarely(&sites[0], DIAG_NOTICE, "again");
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(said(), "notice: (11 lines like this left out) again\n"));
    assert_int_equal(lines_in(space), 1);
}

static void without_a_site_nothing_is_left_out(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++)
        diag_say(NULL, DIAG_NOTICE, "again");
    assert_int_equal(lines_in(said()), 12);
}

static void a_peer_cannot_forge_a_line(void **state)
{
    (void)state;
    diag(DIAG_NOTICE, "%s", "a\nb\x1b[31m\xc3\xa9\x7f C:\\x");
    assert_string_equal(said(), "2026-11-24T02:12:23.123Z notice: "
                                "a\\x0ab\\x1b[31m\\xc3\\xa9\\x7f C:\\x\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    char words[4 * DIAG_LINE_MAX];
    memset(words, '\x01', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    diag(DIAG_NOTICE, "%s", words);
    size_t len = strlen(said());
    assert_in_range(len, DIAG_LINE_MAX - 3, DIAG_LINE_MAX); /* no escape is cut in two */
    assert_int_equal(space[len - 1], '\n');
    assert_memory_equal(space + len - 5, "\\x01", 4);
    assert_int_equal(lines_in(space), 1);
}

static void errno_is_kept(void **state)
{
    (void)state;
    diag_set_output(-1);
    errno = ENOENT;
    diag(DIAG_NOTICE, "into nothing");
    assert_int_equal(errno, ENOENT);
}

/* A reader who has stopped stops nobody, and hears how much it missed. */
static void a_full_pipe_holds_nobody(void **state)
{
    (void)state;
    char filler[4096] = {0};
    (void)fcntl(pipe_fds[1], F_SETPIPE_SZ, (int)sizeof(filler));
    assert_int_equal(write(pipe_fds[1], filler, sizeof(filler)), sizeof(filler));
    assert_int_equal(fcntl(pipe_fds[1], F_SETFL, 0), 0); /* as a shell's pipe: it would block */
    (void)alarm(10);
    diag_say(NULL, DIAG_WARNING, "first");
    diag_say(NULL, DIAG_WARNING, "second");
    (void)alarm(0);
    (void)said();
    (void)fcntl(pipe_fds[1], F_SETPIPE_SZ, 65536);
    diag_say(NULL, DIAG_WARNING, "third");
    assert_string_equal(
        said(), "2026-11-24T02:12:23.123Z warning: 2 lines left out here, since nobody took them\n"
                "2026-11-24T02:12:23.123Z warning: third\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_date_level_and_words),
        TEST(the_journal_gets_severities_instead),
        TEST(another_stream_of_the_journal_changes_nothing),
        TEST(levels_below_the_shown_one_are_silent),
        TEST(a_call_site_says_a_burst_a_window_and_then_how_many_were_left_out),
        TEST(what_strangers_cause_is_said_once_a_window),
        TEST(without_a_site_nothing_is_left_out),
        TEST(a_peer_cannot_forge_a_line),
        TEST(a_long_line_is_cut_and_still_ends),
        TEST(errno_is_kept),
        TEST(a_full_pipe_holds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
