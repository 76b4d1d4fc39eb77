#include "config_test.h"

#include "config/memory.h"

/* Pieces are clear, aligned for any type, and apart. */
static void pieces_are_clear_and_aligned(void **state)
{
    (void)state;
    struct memory memory = {0};
    for (size_t len = 0; len < 200; len++) {
        unsigned char *at = memory_alloc(&memory, len);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(at[i], 0);
        memset(at, 0xff, len);
    }
    memory_done(&memory);
    assert_null(memory.pieces);
    memory_done(&memory); /* nothing is left to give back */
}

/* A copy has all bytes and a terminator; one of nothing is an empty string, not NULL. */
static void a_copy_is_terminated(void **state)
{
    (void)state;
    struct memory memory = {0};
    struct slice copy = memory_copy(&memory, SLICE("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.at, "a\0b", 4);
    copy = memory_copy(&memory, SLICE_NONE);
    assert_non_null(copy.at);
    assert_int_equal(copy.len, 0);
    assert_int_equal(copy.at[0], '\0');
    memory_done(&memory);
}

/* A growing list keeps its elements, and moves only at powers of two. */
static void a_list_grows_by_doubling(void **state)
{
    (void)state;
    struct memory memory = {0};
    uint64_t *list = NULL;
    size_t moves = 0;
    for (size_t count = 0; count < 1000; count++) {
        uint64_t *grown = memory_grow(&memory, list, count, sizeof(*list));
        assert_non_null(grown);
        moves += grown != list;
        list = grown;
        list[count] = count * 3;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(list[i], i * 3);
    assert_int_equal(moves, 11); /* at 0, 1, 2, 4, ... 512 */
    memory_done(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_clear_and_aligned),
        cmocka_unit_test(a_copy_is_terminated),
        cmocka_unit_test(a_list_grows_by_doubling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
