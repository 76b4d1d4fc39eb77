#include "bundles.h"

static void files_of_sockets_go_with_their_listeners(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", test.unix_flag, NULL), ST_OK);
    assert_int_equal(make(test.old, &test.fresh, test.unix_flag, NULL, NULL), ST_OK);
    bundle_commit(test.fresh, test.old);
    assert_int_equal(access(test.path, F_OK), 0);
    bundle_destroy(&test.old);
    test.old = test.fresh;
    test.fresh = NULL;
    assert_int_equal(make(test.old, &test.fresh, "127.0.0.1:0", NULL, NULL), ST_OK);
    bundle_commit(test.fresh, test.old);
    assert_int_equal(access(test.path, F_OK), -1);
}

static void a_file_of_somebody_else_stays(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, test.unix_flag, NULL, NULL), ST_OK);
    assert_int_equal(unlink(test.path), 0);
    FILE *file = fopen(test.path, "w");
    assert_non_null(file);
    (void)fclose(file);
    bundle_remove_files(test.old, NULL);
    assert_int_equal(access(test.path, F_OK), 0);
}

static void files_are_bounded_together(void **state)
{
    (void)state;
    const size_t len = 4 << 20;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
    for (size_t i = 0; i < BUNDLE_BYTES_MAX / len; i++)
        assert_int_equal(bundle_add_file(test.old, strdup("a"), calloc(1, len + 1), len), ST_OK);
    assert_int_equal(bundle_add_file(test.old, strdup("b"), calloc(1, 2), 1), ST_LIMIT);
    bundle_forget_files(test.old);
    for (size_t i = 0; i < BUNDLE_FILES_MAX; i++)
        assert_int_equal(bundle_add_file(test.old, strdup("a"), calloc(1, 2), 1), ST_OK);
    assert_int_equal(bundle_add_file(test.old, strdup("b"), calloc(1, 2), 1), ST_LIMIT);
}

static void a_file_is_found_by_its_path(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
    assert_int_equal(bundle_add_file(test.old, strdup("/a"), strdup("one"), 3), ST_OK);
    assert_int_equal(bundle_add_file(test.old, strdup("/ab"), strdup("two"), 3), ST_OK);
    assert_string_equal(bundle_find_file(test.old, SLICE("/ab"))->text, "two");
    assert_null(bundle_find_file(test.old, SLICE("/abc")));
    bundle_forget_files(test.old);
    assert_null(bundle_find_file(test.old, SLICE("/a")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_sockets_go_with_their_listeners),
        TEST(a_file_of_somebody_else_stays),
        TEST(files_are_bounded_together),
        TEST(a_file_is_found_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
