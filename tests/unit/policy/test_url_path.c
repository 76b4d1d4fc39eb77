#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/url_path.h"

#include <string.h>

static void reads(const char *path, const char *wanted)
{
    char into[URL_PATH_MAX];
    struct slice read;
    assert_true(url_path_read(slice_from_string(path), into, &read));
    assert_int_equal(read.len, strlen(wanted));
    assert_memory_equal(read.at, wanted, read.len);
}

static void is_ambiguous(const char *path)
{
    char into[URL_PATH_MAX];
    struct slice read;
    assert_false(url_path_read(slice_from_string(path), into, &read));
}

static void a_path_is_read_as_an_origin_reads_it(void **state)
{
    (void)state;
    reads("/", "/");
    reads("", "/");
    reads("/a/b?c/../d", "/a/b");
    reads("/a/./b/../c", "/a/c");
    reads("/a/..", "/");
    reads("/a/.", "/a/");
    reads("/a//b///c", "/a/b/c");
    reads("/%61dm%69n", "/admin");
    reads("/public/%2e%2E/admin", "/admin");
    reads("\\public\\..\\admin", "/admin");
    reads("/a%20b", "/a b");
    reads("/.../...", "/.../...");
    reads("/a/b/", "/a/b/");
}

static void what_origins_read_differently_is_ambiguous(void **state)
{
    (void)state;
    is_ambiguous("/a%2fb");
    is_ambiguous("/a%5Cb");
    is_ambiguous("/%2561dmin");
    is_ambiguous("/a%00b");
    is_ambiguous("/a%0ab");
    is_ambiguous("/a%7fb");
    is_ambiguous("/a%3fb");
    is_ambiguous("/a%3bb");
    is_ambiguous("/a/..;x=1/b");
    is_ambiguous("/;x/admin");
    is_ambiguous("/secret//../public");
    is_ambiguous("//..");
    is_ambiguous("/%c0%af");
    is_ambiguous("/%e0%80%af");
    is_ambiguous("/%f0%80%80%af");
    reads("/%e0%a4%a1/%c3%a9", "/\xe0\xa4\xa1/\xc3\xa9");
    reads("/a/../b//c", "/b/c");
    is_ambiguous("/a%zz");
    is_ambiguous("/a%4");
    is_ambiguous("/..");
    is_ambiguous("/../a");
    is_ambiguous("/a/../../b");
}

static void a_path_too_long_is_ambiguous(void **state)
{
    static char path[URL_PATH_MAX + 2];
    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[URL_PATH_MAX + 1] = '\0';
    is_ambiguous(path);
    path[URL_PATH_MAX] = '\0';
    reads(path, path);
}

static void a_prefix_ends_at_a_segment(void **state)
{
    (void)state;
    assert_true(url_path_is_below(SLICE("/a"), SLICE("/a")));
    assert_true(url_path_is_below(SLICE("/a/b"), SLICE("/a")));
    assert_true(url_path_is_below(SLICE("/a/b"), SLICE("/a/")));
    assert_true(url_path_is_below(SLICE("/ab"), SLICE("/")));
    assert_false(url_path_is_below(SLICE("/ab"), SLICE("/a")));
    assert_false(url_path_is_below(SLICE("/a"), SLICE("/a/")));
    assert_false(url_path_is_below(SLICE("/A"), SLICE("/a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_read_as_an_origin_reads_it),
        cmocka_unit_test(what_origins_read_differently_is_ambiguous),
        cmocka_unit_test(a_path_too_long_is_ambiguous),
        cmocka_unit_test(a_prefix_ends_at_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
