#include "admin_test.h"

#include "admin/oldest.h"

static bool offer(struct oldest *oldest, uint64_t opened_ns, uint64_t id)
{
    struct record *record = oldest_room(oldest);
    record_begin(record);
    record->timeline.at_ns[MARK_T_OPEN] = opened_ns;
    record->id = id;
    return oldest_keep(oldest);
}

/* Three lists, each sorted as a worker's is, whose members interleave; the rest of a list is left out after
 * the first one that is not kept. */
static void offer_lists(struct oldest *oldest, uint64_t each)
{
    for (uint64_t list = 0; list < 3; list++) {
        for (uint64_t i = 0; i < each; i++) {
            if (!offer(oldest, 100 + 3 * i + list, 3 * i + list))
                break;
        }
    }
}

static void the_oldest_of_all_lists_are_kept_in_order(void **state)
{
    (void)state;
    for (size_t limit = 1; limit <= 40; limit++) {
        struct oldest oldest;
        assert_int_equal(oldest_init(&oldest, MARK_T_OPEN, limit), ST_OK);
        offer_lists(&oldest, 10);
        size_t expected = limit < 30 ? limit : 30;
        assert_int_equal(oldest.least.count, expected);
        assert_int_equal(oldest.is_cut, limit < 30);
        oldest_sort(&oldest);
        for (size_t i = 0; i < expected; i++)
            assert_int_equal(oldest_at(&oldest, i)->id, i);
        oldest_done(&oldest);
    }
}

static void of_the_same_age_the_lower_id_comes_first(void **state)
{
    (void)state;
    struct oldest oldest;
    assert_int_equal(oldest_init(&oldest, MARK_T_OPEN, 2), ST_OK);
    assert_true(offer(&oldest, 5, 3));
    assert_true(offer(&oldest, 5, 2));
    assert_true(offer(&oldest, 5, 1));
    assert_false(offer(&oldest, 5, 4));
    oldest_sort(&oldest);
    assert_int_equal(oldest_at(&oldest, 0)->id, 1);
    assert_int_equal(oldest_at(&oldest, 1)->id, 2);
    oldest_done(&oldest);
}

/* Who asks first makes no record of what would be thrown away, and it is told that there was more. */
static void what_would_not_be_kept_is_not_wanted(void **state)
{
    (void)state;
    struct oldest oldest;
    assert_int_equal(oldest_init(&oldest, MARK_C_FIRST, 2), ST_OK);
    for (uint64_t i = 0; i < 2; i++) {
        assert_true(oldest_wants(&oldest, 10 + i, i));
        struct record *record = oldest_room(&oldest);
        record_begin(record);
        record->timeline.at_ns[MARK_C_FIRST] = 10 + i;
        record->id = i;
        assert_true(oldest_keep(&oldest));
    }
    assert_false(oldest.is_cut);
    assert_false(oldest_wants(&oldest, 12, 0));
    assert_true(oldest.is_cut);
    assert_false(oldest_wants(&oldest, 11, 2));
    assert_true(oldest_wants(&oldest, 11, 0));
    assert_true(oldest_wants(&oldest, 9, 7));
    oldest_done(&oldest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_of_all_lists_are_kept_in_order),
        cmocka_unit_test(of_the_same_age_the_lower_id_comes_first),
        cmocka_unit_test(what_would_not_be_kept_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
