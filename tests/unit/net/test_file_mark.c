#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/file_mark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct file_mark look(const char *path)
{
    struct file_mark mark;
    assert_int_equal(file_mark_look(path, &mark), ST_OK);
    return mark;
}

static void expect_change(const char *path, struct file_mark *mark)
{
    struct file_mark now = look(path);
    assert_false(file_mark_equals(&now, mark));
    *mark = now;
    now = look(path);
    assert_true(file_mark_equals(&now, mark));
}

/* A file that comes, grows, makes place for another one or goes away has another mark; else it is the same. */
static void changes_are_seen(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-mark-XXXXXX";
    char other[] = "/tmp/fairlead-mark-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct file_mark mark = {0};
    expect_change(path, &mark);
    assert_true(mark.is_present && mark.is_regular);
    assert_int_equal(truncate(path, 5), 0);
    expect_change(path, &mark);
    assert_int_equal(mark.size, 5);
    fd = mkstemp(other);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 5), 0);
    close(fd);
    assert_int_equal(rename(other, path), 0);
    expect_change(path, &mark);
    assert_int_equal(unlink(path), 0);
    expect_change(path, &mark);
    assert_false(mark.is_present);
}

/* No file is a mark; what cannot be looked at is none. */
static void what_cannot_be_seen_has_no_mark(void **state)
{
    (void)state;
    struct file_mark mark = {.size = 77};
    char path[] = "/tmp/fairlead-mark-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    char below[sizeof(path) + 2];
    (void)snprintf(below, sizeof(below), "%s/x", path);
    struct file_mark none = look(below);
    assert_int_equal(errno, ENOTDIR);
    assert_false(none.is_present);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(file_mark_look(path, &mark), ST_IO);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(mark.size, 77);
    assert_int_equal(unlink(path), 0);
    assert_false(look("/").is_regular);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_seen),
        cmocka_unit_test(what_cannot_be_seen_has_no_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
