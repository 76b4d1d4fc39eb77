#include "base_test.h"

#include "base/random.h"

/* The same seed gives the same row, another seed another. */
static void a_seed_decides_the_row(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    bool is_same = true;
    random_seed(&a, 1);
    random_seed(&b, 1);
    random_seed(&c, 2);
    for (int i = 0; i < 1000; i++) {
        uint64_t next = random_next(&a);
        assert_true(next == random_next(&b));
        is_same = is_same && next == random_next(&c);
    }
    assert_false(is_same);
}

/* The generator is xoshiro256**: its published row for the state 1, 2, 3, 4. */
static void the_row_is_the_published_one(void **state)
{
    (void)state;
    struct random random = {{1, 2, 3, 4}};
    static const uint64_t row[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < COUNT_OF(row); i++)
        assert_true(random_next(&random) == row[i]);
}

/* A seed is spread by splitmix64, whose published row begins so; not even seed 0 gives an empty state. */
static void a_seed_is_spread(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 0);
    assert_true(random.state[0] == 0xe220a8397b1dcdafULL);
    assert_true(random.state[1] == 0x6e789e6aa1b965f4ULL);
    assert_true(random.state[2] == 0x06c45d188009454fULL);
    assert_true(random.state[3] == 0xf88bb8a8724c81ecULL);
}

/* A bounded number is below its bound, reaches all of a small range about equally, and 1 gives only 0. */
static void a_bounded_number_is_below_its_bound(void **state)
{
    (void)state;
    enum { FACES = 6, THROWS = 60000 };
    struct random random;
    int seen[FACES] = {0};
    random_seed(&random, 3);
    for (int i = 0; i < THROWS; i++) {
        uint64_t face = random_below(&random, FACES);
        assert_true(face < FACES);
        seen[face]++;
    }
    for (int i = 0; i < FACES; i++)
        assert_in_range(seen[i], THROWS / FACES - 500, THROWS / FACES + 500);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(random_below(&random, 1), 0);
        assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
    }
}

/* Secure bytes fill exactly what was asked for, also more than the kernel gives at once, and differ. */
static void secure_bytes_fill_what_was_asked_for(void **state)
{
    (void)state;
    static unsigned char large[1 << 20];
    unsigned char a[34] = {0};
    unsigned char b[34] = {0};
    random_secure(a + 1, 32);
    random_secure(b + 1, 32);
    assert_int_equal(a[0], 0);
    assert_int_equal(a[33], 0);
    assert_memory_not_equal(a, b, sizeof(a));
    random_secure(large, sizeof(large));
    assert_memory_not_equal(large, large + sizeof(large) / 2, sizeof(large) / 2);
    assert_memory_not_equal(large + sizeof(large) - 32, (unsigned char[32]){0}, 32);
    random_secure(a, 0);
    assert_int_equal(a[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_decides_the_row),
        cmocka_unit_test(the_row_is_the_published_one),
        cmocka_unit_test(a_seed_is_spread),
        cmocka_unit_test(a_bounded_number_is_below_its_bound),
        cmocka_unit_test(secure_bytes_fill_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
