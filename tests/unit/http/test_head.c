#include "http_test.h"

#include "http/head.h"

/* HTTP/1.1 and what is later know chunked, 1xx and connections that last (RFC 9112 §9.3). */
static void versions_from_1_1_on_are_modern(void **state)
{
    (void)state;
    static const struct {
        uint8_t major, minor;
        bool is_modern;
    } cases[] = {{0, 9, false}, {1, 0, false}, {1, 1, true}, {1, 9, true}, {2, 0, true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct head head = {.major = cases[i].major, .minor = cases[i].minor};
        assert_int_equal(head_is_modern(&head), cases[i].is_modern);
    }
}

/* Exactly 1xx is interim (RFC 9110 §15.2). */
static void exactly_1xx_is_interim(void **state)
{
    (void)state;
    for (uint16_t status = 0; status < 1000; status++) {
        struct head head = {.status = status};
        assert_int_equal(head_is_interim(&head), status / 100 == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_from_1_1_on_are_modern),
        cmocka_unit_test(exactly_1xx_is_interim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
