#include "identity_test.h"

#include "identity/familiar.h"

static struct digest digest(uint64_t number)
{
    return (struct digest){{number, ~number}};
}

static void note(struct familiar *familiar, uint64_t client, uint64_t field, uint64_t proof,
                 uint64_t now_ns)
{
    struct digest shown = digest(field);
    struct digest proven = digest(proof);
    familiar_note(familiar, client, &shown, &proven, now_ns);
}

static bool knows(struct familiar *familiar, uint64_t client, uint64_t field, uint64_t proof)
{
    struct digest shown = digest(field);
    struct digest proven = digest(proof);
    return familiar_knows(familiar, client, &shown, &proven);
}

static void just_what_was_right_from_there_is_known(void **state)
{
    (void)state;
    struct familiar *familiar = familiar_create();
    assert_non_null(familiar);
    assert_false(knows(familiar, 0, 0, 0));
    note(familiar, 1, 7, 70, 1000);
    assert_true(knows(familiar, 1, 7, 70));
    assert_false(knows(familiar, 2, 7, 70)); /* another client */
    assert_false(knows(familiar, 1, 8, 70)); /* a guess */
    assert_false(knows(familiar, 1, 7, 71)); /* the user has another password now */
    note(familiar, 1, 7, 71, 1001);
    assert_true(knows(familiar, 1, 7, 71));
    assert_false(knows(familiar, 1, 7, 70));
    familiar_destroy(&familiar);
    familiar_destroy(&familiar);
}

static void what_was_noted_longest_ago_leaves(void **state)
{
    (void)state;
    struct familiar *familiar = familiar_create();
    for (uint64_t i = 0; i < 3ULL * FAMILIAR_COUNT; i++)
        note(familiar, 5, i, i, 1000 + i / FAMILIAR_COUNT);
    for (uint64_t i = 2ULL * FAMILIAR_COUNT; i < 3ULL * FAMILIAR_COUNT; i++)
        assert_true(knows(familiar, 5, i, i));
    assert_false(knows(familiar, 5, 0, 0));
    familiar_destroy(&familiar);
}

static void one_account_from_many_clients_has_many_places(void **state)
{
    (void)state;
    struct familiar *familiar = familiar_create();
    for (uint64_t client = 1; client <= 1000; client++)
        note(familiar, client, 7, 70, 1000 + client);
    for (uint64_t client = 1; client <= 1000; client++)
        assert_true(knows(familiar, client, 7, 70));
    familiar_destroy(&familiar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(just_what_was_right_from_there_is_known),
        cmocka_unit_test(what_was_noted_longest_ago_leaves),
        cmocka_unit_test(one_account_from_many_clients_has_many_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
