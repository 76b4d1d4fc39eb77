#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A table over a new file, whose name is filled in, with "one" in it. */
static struct hosts *create_with_one(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "10.0.0.1 one\n");
    return hosts_create(path);
}

/* Comments, blanks and bad lines are skipped; case does not matter; addresses keep their order. */
static void test_parse(void **state)
{
    (void)state;
    struct hosts *hosts = hosts_create("");
    struct address_set *set = NULL;
    assert_non_null(hosts);
    assert_int_equal(hosts_parse(hosts, SLICE("# comment\n"
                                              "127.0.0.1\tLocalHost loop # names\r\n"
                                              "  10.0.0.1 loop bad..name\n"
                                              "::1 loop\n"
                                              "fe80::1%lo0 zoned\n"
                                              "300.1.1.1 nothing\n"
                                              "10.0.0.2")),
                     ST_OK);
    assert_true(hosts_find(hosts, SLICE("localhost"), INET_V4, &set));
    assert_int_equal(set->count, 1);
    assert_true(hosts_find(hosts, SLICE("localhost"), INET_V6, &set));
    assert_null(set);
    assert_true(hosts_find(hosts, SLICE("loop"), INET_V4, &set));
    assert_int_equal(set->count, 2);
    assert_int_equal(set->addr[1].bytes[0], 10);
    assert_true(hosts_find(hosts, SLICE("loop"), INET_V6, &set));
    assert_int_equal(set->count, 1);
    assert_false(hosts_find(hosts, SLICE("zoned"), INET_V4, &set));
    assert_false(hosts_find(hosts, SLICE("nothing"), INET_V4, &set));
    assert_int_equal(hosts_count(hosts), 2);
    hosts_destroy(&hosts);
    assert_null(hosts);
}

/* The file is read again when it changed, appeared or went away. */
static void test_refresh(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    struct address_set *set = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct hosts *hosts = hosts_create(path);
    assert_int_equal(hosts_count(hosts), 0);
    assert_int_equal(hosts_refresh(hosts), ST_AGAIN);

    write_file(path, "10.0.0.1 one\n");
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_int_equal(hosts_refresh(hosts), ST_AGAIN);
    assert_true(hosts_find(hosts, SLICE("one"), INET_V4, &set));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_false(hosts_find(hosts, SLICE("one"), INET_V4, &set));
    assert_int_equal(hosts_refresh(hosts), ST_AGAIN);
    hosts_destroy(&hosts);
}

/* A file that cannot be read at one look keeps the table, and is read at the next look where it can be. It is a link to
 * itself meanwhile, which leads root nowhere, too. */
static void test_unreadable_for_a_while(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    char aside[sizeof(path) + 2];
    struct address_set *set = NULL;
    struct hosts *hosts = create_with_one(path);
    (void)snprintf(aside, sizeof(aside), "%s-a", path);
    assert_int_equal(hosts_count(hosts), 1);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(hosts_refresh(hosts), ST_IO);
    assert_int_equal(hosts_check(path), ST_IO);
    assert_int_equal(errno, ELOOP);
    assert_true(hosts_find(hosts, SLICE("one"), INET_V4, &set));

    write_file(aside, "10.0.0.2 two\n");
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_true(hosts_find(hosts, SLICE("two"), INET_V4, &set));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hosts_check(path), ST_IO);
    assert_int_equal(errno, ENOENT);
    hosts_destroy(&hosts);
}

/* A FIFO or a device may wait for somebody, or do something, when it is opened: it is not, and the table stays. */
static void test_no_regular_file(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    struct address_set *set = NULL;
    struct hosts *hosts = create_with_one(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    int opens = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(opens, path, IN_OPEN) >= 0);
    assert_int_equal(hosts_refresh(hosts), ST_BAD);
    assert_int_equal(hosts_check(path), ST_BAD);
    char event[256];
    assert_int_equal(read(opens, event, sizeof(event)), -1);
    assert_int_equal(errno, EAGAIN);
    close(opens);
    assert_true(hosts_find(hosts, SLICE("one"), INET_V4, &set));
    hosts_destroy(&hosts);

    hosts = hosts_create(path); /* at a start, too */
    assert_int_equal(hosts_count(hosts), 0);
    assert_int_equal(unlink(path), 0);
    write_file(path, "10.0.0.2 two\n");
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_true(hosts_find(hosts, SLICE("two"), INET_V4, &set));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hosts_check("/"), ST_BAD);
    hosts_destroy(&hosts);
}

/* A file that has grown too long is told of once, keeps the table, and is good again when it is shorter. */
static void test_too_long(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    struct address_set *set = NULL;
    struct hosts *hosts = create_with_one(path);
    assert_int_equal(hosts_check(path), ST_OK);
    assert_int_equal(truncate(path, HOSTS_FILE_MAX), 0);
    assert_int_equal(hosts_check(path), ST_LIMIT);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(truncate(path, HOSTS_FILE_MAX + 1), 0);
        assert_int_equal(hosts_refresh(hosts), ST_LIMIT);
        assert_int_equal(truncate(path, HOSTS_FILE_MAX), 0);
        assert_int_equal(hosts_refresh(hosts), ST_AGAIN);
        assert_true(hosts_find(hosts, round == 0 ? SLICE("one") : SLICE("two"), INET_V4, &set));
        write_file(path, "10.0.0.2 two\n");
        assert_int_equal(hosts_refresh(hosts), ST_OK);
        assert_true(hosts_find(hosts, SLICE("two"), INET_V4, &set));
    }
    assert_int_equal(unlink(path), 0);
    hosts_destroy(&hosts);
}

/* The longest file that is read is read whole. */
static void test_longest(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    struct address_set *set = NULL;
    struct hosts *hosts = create_with_one(path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    static const char last[] = "\n10.0.0.2 last";
    off_t at = HOSTS_FILE_MAX - 1 - (off_t)strlen(last);
    assert_int_equal(pwrite(fd, last, strlen(last), at), strlen(last));
    close(fd);
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_true(hosts_find(hosts, SLICE("one"), INET_V4, &set));
    assert_true(hosts_find(hosts, SLICE("last"), INET_V4, &set));
    assert_int_equal(unlink(path), 0);
    hosts_destroy(&hosts);
}

/* A change that shows in the change time only is seen: same size, same file, the old time of modification. */
static void test_change_time(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    struct address_set *set = NULL;
    struct stat before;
    struct hosts *hosts = create_with_one(path);
    assert_int_equal(stat(path, &before), 0);
    const struct timespec times[] = {before.st_atim, before.st_mtim};
    struct stat after = before;
    while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
           after.st_ctim.tv_nsec ==
               before.st_ctim.tv_nsec) { /* until the file system's clock ticks */
        write_file(path, "10.0.0.1 two\n");
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_int_equal(stat(path, &after), 0);
    }
    assert_int_equal(hosts_refresh(hosts), ST_OK);
    assert_true(hosts_find(hosts, SLICE("two"), INET_V4, &set));
    assert_int_equal(unlink(path), 0);
    hosts_destroy(&hosts);
}

/* Somebody who holds a set keeps it when the table changes. */
static void test_set_outlives_table(void **state)
{
    (void)state;
    struct hosts *hosts = hosts_create("");
    struct address_set *set = NULL;
    assert_int_equal(hosts_parse(hosts, SLICE("10.0.0.1 one\n")), ST_OK);
    assert_true(hosts_find(hosts, SLICE("one"), INET_V4, &set));
    set = address_set_ref(set);
    hosts_destroy(&hosts);
    assert_int_equal(set->addr[0].bytes[0], 10);
    address_set_unref(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),           cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_too_long),        cmocka_unit_test(test_unreadable_for_a_while),
        cmocka_unit_test(test_change_time),     cmocka_unit_test(test_set_outlives_table),
        cmocka_unit_test(test_no_regular_file), cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
