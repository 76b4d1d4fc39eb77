#ifndef FAIRLEAD_TESTS_UNIT_BASE_BASE_TEST_H
#define FAIRLEAD_TESTS_UNIT_BASE_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/slice.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared by the tests of src/base and src/io: comparing a slice with a string. */

static inline void check_slice(struct slice seen, const char *expected, const char *file, int line)
{
    if (slice_equals(seen, slice_from_string(expected)))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", (int)seen.len, seen.len > 0 ? seen.at : "", expected);
    _fail(file, line);
}

#define assert_slice(seen, expected) check_slice(seen, expected, __FILE__, __LINE__)

/* Run `act` in a child that must abort, and give what it printed; the caller's `said` is terminated. */
static inline void run_to_abort(void (*act)(void *), void *with, char *said, size_t cap)
{
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        (void)dup2(pipe_fd[1], STDERR_FILENO);
        act(with);
        _exit(0);
    }
    (void)close(pipe_fd[1]);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < cap && (got = read(pipe_fd[0], said + len, cap - 1 - len)) > 0)
        len += (size_t)got;
    said[len] = '\0';
    (void)close(pipe_fd[0]);
    int end = 0;
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_true(WIFSIGNALED(end));
    assert_int_equal(WTERMSIG(end), SIGABRT);
}

/* The same where only the end matters. */
static inline void assert_aborts(void (*act)(void *), void *with)
{
    char said[1024];
    run_to_abort(act, with, said, sizeof(said));
    assert_non_null(strstr(said, "broken promise"));
}

#endif
