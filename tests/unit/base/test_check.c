#include "base_test.h"

struct animal {
    uint32_t tag;
    int legs;
    char name[8];
};

enum { CAT = TAG('c', 'a', 't', '!'), DOG = TAG('d', 'o', 'g', '!') };

static void break_a_promise(void *with)
{
    int *legs = with;
    CHECK(*legs == 5);
}

static void take_a_cat_for_a_dog(void *with)
{
    struct animal *animal = with;
    CHECK_TAG(animal, DOG);
}

static void take_nothing_for_a_cat(void *with)
{
    (void)with;
    struct animal *animal = NULL;
    CHECK_TAG(animal, CAT);
}

/* A CHECK that fails prints the expression, the file and the line, and aborts. */
static void a_broken_promise_aborts_and_says_which(void **state)
{
    (void)state;
    int legs = 4;
    char said[1024];
    run_to_abort(break_a_promise, &legs, said, sizeof(said));
    assert_non_null(strstr(said, "fairlead: broken promise: *legs == 5 ("));
    assert_non_null(strstr(said, "test_check.c:"));
}

/* A CHECK that holds does nothing, and looks at its expression once. */
static void a_kept_promise_is_looked_at_once(void **state)
{
    (void)state;
    int looks = 0;
    CHECK(++looks == 1);
    assert_int_equal(looks, 1);
}

/* An object with another tag, and no object at all, are both stopped at the border. */
static void a_wrong_tag_and_no_object_abort(void **state)
{
    (void)state;
    struct animal cat = {.tag = CAT};
    CHECK_TAG(&cat, CAT);
    assert_aborts(take_a_cat_for_a_dog, &cat);
    assert_aborts(take_nothing_for_a_cat, NULL);
}

/* DCHECK looks at its expression only in builds with checks, and is valid code in all. */
static void a_costly_check_is_compiled_in_on_demand(void **state)
{
    (void)state;
    int looks = 0;
    DCHECK(++looks == 1);
#ifdef FAIRLEAD_CHECKS
    assert_int_equal(looks, 1);
#else
    assert_int_equal(looks, 0);
#endif
}

/* A tag reads as its letters in memory on a little-endian machine, whatever the letters' sign. */
static void a_tag_is_four_letters(void **state)
{
    (void)state;
    assert_int_equal(TAG('a', 'b', 'c', 'd'), 0x64636261u);
    assert_int_not_equal(CAT, DOG);
}

/* CONTAINER_OF gives the whole back from a pointer to any member. */
static void a_member_leads_to_its_whole(void **state)
{
    (void)state;
    struct animal cat = {.tag = CAT};
    assert_ptr_equal(CONTAINER_OF(&cat.tag, struct animal, tag), &cat);
    assert_ptr_equal(CONTAINER_OF(&cat.legs, struct animal, legs), &cat);
    assert_ptr_equal(CONTAINER_OF(&cat.name, struct animal, name), &cat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_promise_aborts_and_says_which),
        cmocka_unit_test(a_kept_promise_is_looked_at_once),
        cmocka_unit_test(a_wrong_tag_and_no_object_abort),
        cmocka_unit_test(a_costly_check_is_compiled_in_on_demand),
        cmocka_unit_test(a_tag_is_four_letters),
        cmocka_unit_test(a_member_leads_to_its_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
