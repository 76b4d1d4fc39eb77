#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/slice.h"
#include "net/address_set.h"

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return addr;
}

/* A set holds copies in the order given. */
static void a_set_copies_its_addresses(void **state)
{
    (void)state;
    struct inet_addr addrs[] = {addr_of("10.0.0.1"), addr_of("::1"), addr_of("10.0.0.1")};
    struct address_set *set = address_set_create(addrs, COUNT_OF(addrs));
    assert_non_null(set);
    struct inet_addr first = addrs[0];
    addrs[0] = addr_of("10.9.9.9");
    assert_int_equal(set->count, 3);
    assert_true(inet_addr_equals(&set->addr[0], &first));
    assert_true(inet_addr_equals(&set->addr[1], &addrs[1]));
    assert_true(inet_addr_equals(&set->addr[2], &first));
    address_set_unref(&set);
    assert_null(set);
}

/* A set may be empty, and no set at all may be given back. */
static void a_set_may_be_empty(void **state)
{
    (void)state;
    struct address_set *set = address_set_create(NULL, 0);
    assert_non_null(set);
    assert_int_equal(set->count, 0);
    address_set_unref(&set);
    address_set_unref(&set);
}

/* A set lives as long as its last user, whoever that is. */
static void a_set_lives_as_long_as_its_last_user(void **state)
{
    (void)state;
    struct inet_addr addr = addr_of("192.0.2.1");
    struct address_set *mine = address_set_create(&addr, 1);
    assert_non_null(mine);
    struct address_set *yours = address_set_ref(mine);
    assert_ptr_equal(mine, yours);
    assert_int_equal(mine->refs, 2);
    address_set_unref(&mine);
    assert_null(mine);
    assert_int_equal(yours->refs, 1);
    assert_true(inet_addr_equals(&yours->addr[0], &addr));
    address_set_unref(&yours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_copies_its_addresses),
        cmocka_unit_test(a_set_may_be_empty),
        cmocka_unit_test(a_set_lives_as_long_as_its_last_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
