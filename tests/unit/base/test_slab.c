#include "base_test.h"

#include "base/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NOTHING 1
#endif
#endif
#ifndef KEEPS_NOTHING
/* Under AddressSanitizer nothing is kept, so that a use after free is seen. */
#define KEEPS_NOTHING 0
#endif

/* An object is cleared each time it is handed out. */
static void an_object_is_clear(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 100, 4);
    for (int round = 0; round < 3; round++) {
        unsigned char *object = slab_alloc(&slab);
        assert_non_null(object);
        for (int i = 0; i < 100; i++)
            assert_int_equal(object[i], 0);
        memset(object, 0xff, 100);
        assert_int_equal(slab.used, 1);
        slab_free(&slab, object);
        assert_int_equal(slab.used, 0);
    }
    slab_done(&slab);
}

/* Of an object with a front only that is. */
static void a_front_is_clear(void **state)
{
    (void)state;
    struct slab slab;
    slab_init_front(&slab, 100, 40, 4);
    for (int round = 0; round < 2; round++) {
        unsigned char *object = slab_alloc(&slab);
        assert_non_null(object);
        for (int i = 0; i < 40; i++)
            assert_int_equal(object[i], 0);
        assert_true(KEEPS_NOTHING || round == 0 || object[40] == 0xff);
        memset(object, 0xff, 100);
        slab_free(&slab, object);
    }
    slab_done(&slab);
}

/* Returned objects serve again, newest first, and at most `keep` of them wait for that. */
static void returned_objects_serve_again(void **state)
{
    (void)state;
    if (KEEPS_NOTHING) {
        print_message("nothing is kept under AddressSanitizer\n");
        skip();
    }
    struct slab slab;
    void *objects[3];
    slab_init(&slab, 64, 2);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        objects[i] = slab_alloc(&slab);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        slab_free(&slab, objects[i]);
    assert_int_equal(slab.free_count, 2);
    assert_ptr_equal(slab_alloc(&slab), objects[1]);
    assert_ptr_equal(slab_alloc(&slab), objects[0]);
    assert_int_equal(slab.free_count, 0);
    slab_free(&slab, objects[0]);
    slab_free(&slab, objects[1]);
    slab_done(&slab);
}

/* Objects smaller than the pointer that links them are made large enough for it. */
static void a_tiny_object_can_be_linked(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 1, 8);
    assert_true(slab.object_bytes >= sizeof(void *));
    void *a = slab_alloc(&slab);
    void *b = slab_alloc(&slab);
    assert_ptr_not_equal(a, b);
    slab_free(&slab, a);
    slab_free(&slab, b);
    slab_done(&slab);
}

/* A slab that keeps nothing works, and its end may come twice. */
static void a_slab_may_keep_nothing(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 32, 0);
    void *object = slab_alloc(&slab);
    assert_non_null(object);
    slab_free(&slab, object);
    assert_int_equal(slab.free_count, 0);
    slab_done(&slab);
    slab_done(&slab);
}

static void end_slab(void *with)
{
    slab_done(with);
}

static void free_a_stranger(void *with)
{
    slab_free(with, &(char[64]){0});
}

/* A slab does not end while an object is out, and takes no more back than it gave. */
static void broken_promises_are_seen(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 64, 2);
    assert_aborts(free_a_stranger, &slab);
    void *object = slab_alloc(&slab);
    assert_aborts(end_slab, &slab);
    slab_free(&slab, object);
    slab_done(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_clear),
        cmocka_unit_test(a_front_is_clear),
        cmocka_unit_test(returned_objects_serve_again),
        cmocka_unit_test(a_tiny_object_can_be_linked),
        cmocka_unit_test(a_slab_may_keep_nothing),
        cmocka_unit_test(broken_promises_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
