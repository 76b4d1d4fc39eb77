#include "base_test.h"

#include "base/status.h"

/* Every result has a name of its own, and what is none is "unknown". */
static void every_result_has_its_own_name(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        const char *name;
    } rows[] = {
        {ST_OK, "ok"},   {ST_AGAIN, "again"}, {ST_EOF, "eof"},     {ST_LIMIT, "limit"},
        {ST_BAD, "bad"}, {ST_IO, "io"},       {ST_NOMEM, "nomem"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(status_name(rows[i].status), rows[i].name);
    assert_string_equal(status_name((enum status)(ST_NOMEM + 1)), "unknown");
}

/* ST_OK is zero, so that a cleared result means success. */
static void success_is_zero(void **state)
{
    (void)state;
    assert_int_equal(ST_OK, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_has_its_own_name),
        cmocka_unit_test(success_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
