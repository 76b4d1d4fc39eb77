#include "learn_test.h"

#include "learn/suffixes.h"

static const char list[] = "// a comment\n"
                           "com\n"
                           "uk\n"
                           "co.uk\n"
                           "\n"
                           "*.ck\n"
                           "!www.ck\r\n"
                           "GitHub.io // somebody's\n"
                           "*.compute.cloud.com\n"
                           "k12.ma.us\n";

static struct suffixes *make(const char *text)
{
    struct suffixes *suffixes = NULL;
    assert_int_equal(suffixes_create(slice_from_string(text), &suffixes), ST_OK);
    return suffixes;
}

static void check_all(const struct suffixes *suffixes, const char *const *names, size_t count,
                      bool has_owner)
{
    for (size_t i = 0; i < count; i++) {
        if (suffixes_has_owner(suffixes, slice_from_string(names[i])) != has_owner)
            fail_msg("%s", names[i]);
    }
}

/* Below a public suffix anybody may have a name: registries, wildcards, those of others, and whatever no rule knows. */
static void public_suffixes_have_no_owner(void **state)
{
    (void)state;
    static const char *const names[] = {"com",
                                        "co.uk",
                                        "uk",
                                        "ck",
                                        "foo.ck",
                                        "github.io",
                                        "io",
                                        "unknown",
                                        "x.compute.cloud.com",
                                        "compute.cloud.com",
                                        "cloud.com",
                                        "ma.us",
                                        "k12.ma.us",
                                        "",
                                        "xn--p1ai",
                                        "a.xn--p1ai",
                                        "xn--a.com"};
    struct suffixes *suffixes = make(list);
    check_all(suffixes, names, COUNT_OF(names), false);
    suffixes_destroy(&suffixes);
    assert_null(suffixes);
}

/* What has one more label, or an exception, belongs to somebody, and so does all below it. */
static void registered_names_have_an_owner(void **state)
{
    (void)state;
    static const char *const names[] = {"example.com",
                                        "a.example.com",
                                        "example.co.uk",
                                        "www.ck",
                                        "a.www.ck",
                                        "a.foo.ck",
                                        "a.github.io",
                                        "b.unknown",

                                        "a.x.compute.cloud.com",
                                        "other.cloud.com",
                                        "a.k12.ma.us"};
    struct suffixes *suffixes = make(list);
    check_all(suffixes, names, COUNT_OF(names), true);
    suffixes_destroy(&suffixes);
}

/* A file without a rule would let everything be folded: it is refused. */
static void an_empty_list_is_none(void **state)
{
    (void)state;
    struct suffixes *suffixes = NULL;
    assert_int_equal(suffixes_create(SLICE("// nothing\n\n"), &suffixes), ST_BAD);
    assert_int_equal(suffixes_create(SLICE_NONE, &suffixes), ST_BAD);
    assert_null(suffixes);
    suffixes_destroy(&suffixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(public_suffixes_have_no_owner),
                                       cmocka_unit_test(registered_names_have_an_owner),
                                       cmocka_unit_test(an_empty_list_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
