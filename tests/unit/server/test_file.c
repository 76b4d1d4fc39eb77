#include "server_test.h"

#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A folder with a file "real" in it. What root may not follow is played end to end. */
static struct {
    char folder[64];
    char words[400];
    struct text fault;
    char *text;
    size_t len;
    int fd;
} test;

static const char *at(const char *name)
{
    static char path[200];
    (void)snprintf(path, sizeof(path), "%s/%s", test.folder, name);
    return path;
}

static void write_file(const char *name, const char *words)
{
    FILE *file = fopen(at(name), "w");
    assert_non_null(file);
    (void)fputs(words, file);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(test.folder, sizeof(test.folder), "/tmp/fairlead-file-XXXXXX");
    assert_non_null(mkdtemp(test.folder));
    test.fault = text_on(test.words, sizeof(test.words));
    test.text = NULL;
    test.fd = -1;
    write_file("real", "words");
    return 0;
}

static int end(void **state)
{
    (void)state;
    const char *const names[] = {"real", "link", "ring", "second", "fifo", "big"};
    free(test.text);
    if (test.fd >= 0)
        (void)close(test.fd);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(at(names[i]));
    (void)rmdir(at("folder"));
    return rmdir(test.folder);
}

static enum status read_file(const char *path)
{
    test.fault.len = 0;
    return file_read(path, FILE_BYTES_MAX, &test.text, &test.len, &test.fault);
}

static void a_file_is_read_whole(void **state)
{
    (void)state;
    assert_int_equal(read_file(at("real")), ST_OK);
    assert_int_equal(test.len, 5);
    assert_string_equal(test.text, "words");
}

static void our_own_links_are_followed(void **state)
{
    (void)state;
    char winding[300];
    assert_int_equal(symlink("real", at("link")), 0);
    assert_int_equal(mkdir(at("folder"), 0700), 0);
    (void)snprintf(winding, sizeof(winding), "%s//folder/.././/link", test.folder);
    assert_int_equal(read_file(winding), ST_OK);
    assert_string_equal(test.text, "words");
}

static void rings_of_links_end(void **state)
{
    (void)state;
    assert_int_equal(symlink("ring", at("ring")), 0);
    assert_int_equal(read_file(at("ring")), ST_IO);
    assert_non_null(strstr(text_string(&test.fault), strerror(ELOOP)));
    assert_int_equal(read_file(at("ring/x")), ST_IO);
}

static void what_is_no_file_is_refused_and_holds_nobody(void **state)
{
    (void)state;
    assert_int_equal(read_file(test.folder), ST_IO);
    assert_non_null(strstr(text_string(&test.fault), "is no regular file"));
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    assert_int_equal(read_file(at("fifo")), ST_IO);
    assert_int_equal(read_file(at("none")), ST_IO);
    assert_non_null(strstr(text_string(&test.fault), "No such file"));
    assert_int_equal(read_file(at("real/x")), ST_IO);
    assert_non_null(strstr(text_string(&test.fault), "Not a directory"));
    assert_int_equal(read_file(""), ST_IO);
    assert_int_equal(file_open_log(at("fifo"), &test.fd, &test.fault), ST_IO);
}

/* A stream is read until its writer ends, in whatever pieces it comes; a FIFO waits for its writer. */
static void a_stream_is_read_to_its_end(void **state)
{
    (void)state;
    bool is_stream = false;
    assert_int_equal(mkfifo(at("fifo"), 0600), 0);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        int fd = open(at("fifo"), O_WRONLY | O_CLOEXEC);
        bool is_fine = fd >= 0 && write(fd, "workers:", 8) == 8 && write(fd, " 3\n", 3) == 3;
        _exit(is_fine ? 0 : 1);
    }
    assert_int_equal(file_read_config(at("fifo"), &test.text, &test.len, &is_stream, &test.fault),
                     ST_OK);
    assert_true(is_stream);
    assert_int_equal(test.len, 11);
    assert_string_equal(test.text, "workers: 3\n");
    int how = 1;
    assert_int_equal(waitpid(writer, &how, 0), writer);
    assert_int_equal(how, 0);
}

static void a_large_file_is_refused(void **state)
{
    (void)state;
    write_file("big", "");
    assert_int_equal(truncate(at("big"), FILE_BYTES_MAX + 1), 0);
    assert_int_equal(read_file(at("big")), ST_LIMIT);
    assert_non_null(strstr(text_string(&test.fault), "is larger than 4 MiB"));
}

static void a_log_is_made_and_appended_to(void **state)
{
    (void)state;
    struct stat facts;
    assert_int_equal(file_open_log(at("second"), &test.fd, &test.fault), ST_OK);
    assert_int_equal(fcntl(test.fd, F_GETFL) & O_APPEND, O_APPEND);
    assert_int_equal(fcntl(test.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fstat(test.fd, &facts), 0);
    assert_int_equal(facts.st_mode & 0137, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_whole),
        TEST(our_own_links_are_followed),
        TEST(rings_of_links_end),
        TEST(what_is_no_file_is_refused_and_holds_nobody),
        TEST(a_stream_is_read_to_its_end),
        TEST(a_large_file_is_refused),
        TEST(a_log_is_made_and_appended_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
