#include "report_test.h"

#include "base/random.h"
#include "report/recent.h"

static struct record record;
static struct record copy;

static void make(uint64_t id, uint64_t end_ns)
{
    record_begin(&record);
    record.kind = RECORD_EXCHANGE;
    record.id = id;
    record.timeline.at_ns[MARK_C_FIRST] = end_ns - 1;
    record.timeline.at_ns[MARK_X_END] = end_ns;
    record_seal(&record);
}

static void what_was_put_is_there_in_order(void **state)
{
    (void)state;
    struct recent *recent = recent_create(RECENT_BYTES_MIN, 1);
    struct recent_place place;
    assert_int_equal(recent_span(recent).newest, 0);
    assert_int_equal(recent_span(recent).oldest, 1);
    assert_false(recent_get(recent, 0, &copy, &place));
    for (uint64_t i = 1; i <= 3; i++) {
        make(100 + i, NS_PER_S);
        recent_put(recent, &record);
    }
    struct recent_span span = recent_span(recent);
    assert_int_equal(span.oldest, 1);
    assert_int_equal(span.newest, 3);
    assert_int_equal(span.left_out, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(recent_get(recent, i, &copy, &place));
        assert_int_equal(copy.id, 100 + i);
        assert_int_equal(place.sequence, i);
    }
    assert_false(recent_get(recent, 4, &copy, &place));
    recent_destroy(&recent);
    assert_null(recent);
}

/* Of any sizes: the newest are there, each as it was put, and never more than there is room for. */
static void the_oldest_give_way(void **state)
{
    (void)state;
    struct recent *recent = recent_create(RECENT_BYTES_MIN, 1);
    struct random random;
    static char words[RECORD_TEXT_MAX];
    struct recent_place place;
    random_seed(&random, 7);
    memset(words, 'x', sizeof(words));
    for (uint64_t i = 1; i <= 5000; i++) {
        make(i, i * NS_PER_S);
        record_set(&record, &record.detail,
                   slice_of(words, (size_t)random_below(&random, i % 3 == 0 ? 4096 : 40)),
                   RECORD_TEXT_MAX);
        record.client_in_bytes = record.detail.len;
        record_seal(&record);
        recent_put(recent, &record);
        struct recent_span span = recent_span(recent);
        size_t bytes = 0;
        assert_int_equal(span.newest, i);
        assert_true(span.oldest >= 1 && span.oldest <= i);
        for (uint64_t at = span.oldest; at <= span.newest; at++) {
            assert_true(recent_get(recent, at, &copy, &place));
            assert_int_equal(copy.id, at);
            assert_int_equal(copy.client_in_bytes, copy.detail.len);
            bytes += copy.size;
        }
        assert_true(bytes <= RECENT_BYTES_MIN);
        assert_true(i < 100 || bytes > RECENT_BYTES_MIN / 2);
    }
    recent_destroy(&recent);
}

static void beyond_what_is_readable_only_the_notable_are_kept(void **state)
{
    (void)state;
    struct recent *recent = recent_create(8 << 20, 1);
    struct recent_place place;
    for (uint64_t i = 0; i < RECENT_PLAIN_MAX + 10; i++) {
        make(i, 5 * NS_PER_S + i);
        recent_put(recent, &record);
    }
    assert_int_equal(recent_span(recent).newest, RECENT_PLAIN_MAX);
    assert_int_equal(recent_span(recent).left_out, 10);
    make(1, 5 * NS_PER_S + 1);
    test_text(&record, &record.cause, "refused");
    record_seal(&record);
    for (unsigned i = 0; i < RECENT_NOTABLE_MAX + 1; i++)
        recent_put(recent, &record);
    assert_int_equal(recent_span(recent).newest, RECENT_PLAIN_MAX + RECENT_NOTABLE_MAX);
    assert_true(recent_get(recent, RECENT_PLAIN_MAX + 1, &copy, &place));
    assert_int_equal(place.left_out, 10);
    /* the next second has its own count; a late record of the one before does not begin it again */
    make(2, 6 * NS_PER_S);
    recent_put(recent, &record);
    make(3, 5 * NS_PER_S);
    recent_put(recent, &record);
    assert_int_equal(recent_span(recent).newest, RECENT_PLAIN_MAX + RECENT_NOTABLE_MAX + 2);
    assert_int_equal(recent_span(recent).left_out, 11);
    recent_destroy(&recent);
}

static void numbers_of_processes_do_not_meet(void **state)
{
    (void)state;
    uint64_t first = recent_first(TEST_WALL_NS);
    assert_true(recent_first(TEST_WALL_NS + NS_PER_MS) - first >
                RECENT_PLAIN_MAX + RECENT_NOTABLE_MAX);
    assert_true(first < UINT64_C(1) << 53);
    struct recent *recent = recent_create(RECENT_BYTES_MIN, first);
    struct recent_place place;
    assert_int_equal(recent_span(recent).newest, first - 1);
    make(7, NS_PER_S);
    recent_put(recent, &record);
    assert_true(recent_get(recent, first, &copy, &place));
    assert_false(recent_get(recent, 1, &copy, &place));
    assert_int_equal(recent_span(recent).first, first);
    recent_destroy(&recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_there_in_order),
        cmocka_unit_test(the_oldest_give_way),
        cmocka_unit_test(numbers_of_processes_do_not_meet),
        cmocka_unit_test(beyond_what_is_readable_only_the_notable_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
