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
    slab_init(&slab, 100);
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
    slab_init_front(&slab, 100, 40);
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

static void skip_under_sanitizer(void)
{
    if (KEEPS_NOTHING) {
        print_message("nothing is kept under AddressSanitizer\n");
        skip();
    }
}

/* Returned objects serve again, newest first. */
static void returned_objects_serve_again(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab;
    void *objects[3];
    slab_init(&slab, 64);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        objects[i] = slab_alloc(&slab);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        slab_free(&slab, objects[i]);
    for (size_t i = COUNT_OF(objects); i > 0; i--)
        assert_ptr_equal(slab_alloc(&slab), objects[i - 1]);
    for (size_t i = 0; i < COUNT_OF(objects); i++)
        slab_free(&slab, objects[i]);
    slab_done(&slab);
}

enum { PAGES = 5, OBJECT = 4000, CROWD = PAGES * (SLAB_PAGE_BYTES / OBJECT) };

static size_t pages_of(const struct slab *slab)
{
    return (slab->used + slab->free_count) / slab->page_objects;
}

static void crowd_comes(struct slab *slab, void *crowd[CROWD])
{
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = slab_alloc(slab);
        assert_non_null(crowd[i]);
        memset(crowd[i], (int)i, OBJECT);
    }
}

static void crowd_goes(struct slab *slab, void *crowd[CROWD])
{
    for (size_t i = 0; i < CROWD; i++) {
        if (crowd[i] != NULL)
            slab_free(slab, crowd[i]);
    }
}

/* Objects do not overlap, and use their pages up. */
static void a_page_is_full_of_objects(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab;
    void *crowd[CROWD];
    slab_init(&slab, OBJECT);
    assert_true(slab.page_objects == SLAB_PAGE_BYTES / OBJECT);
    crowd_comes(&slab, crowd);
    assert_int_equal(pages_of(&slab), PAGES);
    for (size_t i = 0; i < CROWD; i++) {
        for (size_t at = 0; at < OBJECT; at++)
            assert_int_equal(((unsigned char *)crowd[i])[at], i);
    }
    crowd_goes(&slab, crowd);
    slab_done(&slab);
}

/* What a crowd needed goes back once it was not needed from one tidying to the next, and all of it. */
static void a_crowd_leaves_nothing_behind(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab;
    void *crowd[CROWD];
    slab_init(&slab, OBJECT);
    crowd_comes(&slab, crowd);
    assert_false(slab_tidy(&slab)); /* all is in use */
    crowd_goes(&slab, crowd);
    assert_true(slab_tidy(&slab)); /* it was, until a moment ago */
    assert_int_equal(pages_of(&slab), PAGES);
    assert_false(slab_tidy(&slab));
    assert_int_equal(pages_of(&slab), 0);
    crowd_comes(&slab, crowd);
    crowd_goes(&slab, crowd);
    slab_done(&slab);
}

/* What comes back and is used again within the time is kept for that. */
static void what_is_used_again_is_kept(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab;
    void *crowd[CROWD];
    slab_init(&slab, OBJECT);
    for (int round = 0; round < 3; round++) {
        crowd_comes(&slab, crowd);
        crowd_goes(&slab, crowd);
        assert_true(slab_tidy(&slab));
        assert_int_equal(pages_of(&slab), PAGES);
    }
    void *one = slab_alloc(&slab);
    assert_false(slab_tidy(&slab));
    assert_int_equal(pages_of(&slab), 1); /* one object needs no more */
    slab_free(&slab, one);
    slab_done(&slab);
}

/* A page with an object that stays is kept, and is filled before an empty one. */
static void a_page_in_use_is_kept(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab;
    void *crowd[CROWD];
    slab_init(&slab, OBJECT);
    crowd_comes(&slab, crowd);
    unsigned char *stays = crowd[CROWD / 2];
    crowd[CROWD / 2] = NULL;
    crowd_goes(&slab, crowd);
    void *next = slab_alloc(&slab);
    assert_true((uintptr_t)next / SLAB_PAGE_BYTES == (uintptr_t)stays / SLAB_PAGE_BYTES);
    slab_free(&slab, next);
    (void)slab_tidy(&slab);
    assert_false(slab_tidy(&slab));
    assert_int_equal(pages_of(&slab), 1);
    assert_int_equal(*stays, CROWD / 2);
    slab_free(&slab, stays);
    slab_done(&slab);
}

/* Objects smaller than the pointer that links them are made large enough for it. */
static void a_tiny_object_can_be_linked(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 1);
    assert_true(slab.object_bytes >= sizeof(void *));
    void *a = slab_alloc(&slab);
    void *b = slab_alloc(&slab);
    assert_ptr_not_equal(a, b);
    slab_free(&slab, a);
    slab_free(&slab, b);
    slab_done(&slab);
}

/* A slab may end without a use, and twice. */
static void an_end_may_come_twice(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, SLAB_OBJECT_MAX);
    slab_done(&slab);
    void *object = slab_alloc(&slab);
    assert_non_null(object);
    slab_free(&slab, object);
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

static void init_too_large(void *with)
{
    slab_init(with, SLAB_OBJECT_MAX + 1);
}

/* A slab does not end while an object is out, and takes no more back than it gave. */
static void broken_promises_are_seen(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, 64);
    assert_aborts(free_a_stranger, &slab);
    void *object = slab_alloc(&slab);
    assert_aborts(end_slab, &slab);
    slab_free(&slab, object);
    slab_done(&slab);
    assert_aborts(init_too_large, &slab);
}

static void free_of_another(void *with)
{
    void *const *both = with; /* a slab, and an object of another */
    slab_free(both[0], both[1]);
}

/* An object of another slab is not taken. */
static void an_object_of_another_is_seen(void **state)
{
    (void)state;
    skip_under_sanitizer();
    struct slab slab, other;
    slab_init(&slab, 64);
    slab_init(&other, 64);
    void *object = slab_alloc(&slab);
    void *foreign = slab_alloc(&other);
    assert_aborts(free_of_another, &((void *[]){&slab, foreign}));
    slab_free(&slab, object);
    slab_free(&other, foreign);
    slab_done(&slab);
    slab_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_clear),
        cmocka_unit_test(a_front_is_clear),
        cmocka_unit_test(returned_objects_serve_again),
        cmocka_unit_test(a_tiny_object_can_be_linked),
        cmocka_unit_test(a_page_is_full_of_objects),
        cmocka_unit_test(a_crowd_leaves_nothing_behind),
        cmocka_unit_test(what_is_used_again_is_kept),
        cmocka_unit_test(a_page_in_use_is_kept),
        cmocka_unit_test(an_end_may_come_twice),
        cmocka_unit_test(an_object_of_another_is_seen),
        cmocka_unit_test(broken_promises_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
