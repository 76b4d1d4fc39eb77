#include "http_test.h"

#include "http/method.h"

/* Every known method is found by its own name and gives it back, and each is another. */
static void every_known_method_is_found_by_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum method method;
    } rows[] = {
        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"CONNECT", METHOD_CONNECT},
        {"OPTIONS", METHOD_OPTIONS}, {"TRACE", METHOD_TRACE},   {"PATCH", METHOD_PATCH},
    };
    assert_int_equal(COUNT_OF(rows), METHOD_PATCH);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(method_of(slice_from_string(rows[i].name)), rows[i].method);
        assert_slice(method_name(rows[i].method), rows[i].name);
    }
}

/* Methods are case-sensitive (RFC 9110 §9.1), and one byte more, less or other makes another method. */
static void anything_else_is_another_method(void **state)
{
    (void)state;
    static const char *const others[] = {"get",      "Get",    "GE",  "GETS",     "G",
                                         "CONNECTS", "CONNEC", "PRI", "PROPFIND", "GE\x14"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(method_of(slice_from_string(others[i])), METHOD_OTHER);
    assert_int_equal(method_of(SLICE_NONE), METHOD_OTHER);
    assert_int_equal(method_of(SLICE("GET\0")), METHOD_OTHER);
    assert_int_equal(method_name(METHOD_OTHER).len, 0);
}

/* shows 9110-9.2.2-2 */
/* Idempotent are the safe ones (§9.2.1), PUT and DELETE (RFC 9110 §9.2.2); an unknown method is promised nothing. */
static void the_idempotent_methods(void **state)
{
    (void)state;
    for (int i = METHOD_OTHER; i <= METHOD_PATCH; i++) {
        bool is_safe =
            i == METHOD_GET || i == METHOD_HEAD || i == METHOD_OPTIONS || i == METHOD_TRACE;
        bool expected = is_safe || i == METHOD_PUT || i == METHOD_DELETE;
        assert_int_equal(method_is_idempotent((enum method)i), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_method_is_found_by_its_name),
        cmocka_unit_test(anything_else_is_another_method),
        cmocka_unit_test(the_idempotent_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
