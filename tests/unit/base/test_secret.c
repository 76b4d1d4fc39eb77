#include "base_test.h"

#include "base/secret.h"

static void ordinary_memory_where_there_is_none(void **state)
{
    (void)state;
    assert_null(secret_alloc(16)); /* not begun */
    char *plain = secret_alloc_any(16);
    assert_non_null(plain);
    assert_false(secret_owns(plain));
    secret_free_any(plain, 16);
    secret_free_any(NULL, 0);
}

static void pieces_are_zeroed_apart_and_aligned(void **state)
{
    (void)state;
    secret_begin();
    char *a = secret_alloc(1);
    char *b = secret_alloc(100);
    assert_true(secret_owns(a) && secret_owns(b));
    assert_true(secret_size(a) >= 1 && secret_size(b) >= 100);
    assert_int_equal((uintptr_t)a % 16, 0);
    assert_int_equal((uintptr_t)b % 16, 0);
    assert_true(b >= a + secret_size(a));
    memset(b, 'x', 100);
    secret_free(b);
    char *again = secret_alloc(100);
    assert_ptr_equal(again, b); /* first fit */
    for (int i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    secret_free(again);
    secret_free(a);
    secret_free(NULL);
    assert_int_equal(secret_used(), 0);
}

static void what_is_given_back_is_wiped(void **state)
{
    (void)state;
    secret_begin();
    char *at = secret_alloc(64);
    memset(at, 'k', 64);
    secret_free(at);
    for (int i = 0; i < 64; i++)
        assert_int_equal(at[i], 0); /* still mapped */
}

static void all_of_it_can_be_had_and_is_whole_again(void **state)
{
    (void)state;
    char *at[SECRET_BYTES / 1024];
    size_t count = 0;
    secret_begin();
    while (count < SECRET_BYTES / 1024 && (at[count] = secret_alloc(1024)) != NULL)
        count++;
    assert_true(count > 240);
    assert_null(secret_alloc(1024));
    char *plain = secret_alloc_any(1024);
    assert_false(secret_owns(plain));
    secret_free_any(plain, 1024);
    for (size_t i = 0; i < count; i += 2)
        secret_free(at[i]);
    assert_null(secret_alloc(2048)); /* only holes */
    for (size_t i = 1; i < count; i += 2)
        secret_free(at[i]);
    assert_int_equal(secret_used(), 0);
    char *most = secret_alloc(SECRET_BYTES - 64);
    assert_non_null(most);
    secret_free(most);
    assert_null(secret_alloc(0));
    assert_null(secret_alloc(SECRET_BYTES + 1));
    assert_null(secret_alloc(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_memory_where_there_is_none),
        cmocka_unit_test(pieces_are_zeroed_apart_and_aligned),
        cmocka_unit_test(what_is_given_back_is_wiped),
        cmocka_unit_test(all_of_it_can_be_had_and_is_whole_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
