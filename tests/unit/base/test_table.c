#include "base_test.h"

#include "base/random.h"
#include "base/table.h"

#include <stdlib.h>

enum { ENTRIES = 1000 };

struct entry {
    uint64_t hash;
    uint64_t key;
    unsigned visits;
};

static bool entry_has_key(const void *entry, const void *key)
{
    return ((const struct entry *)entry)->key == *(const uint64_t *)key;
}

static void add(struct table *table, struct entry *entry, uint64_t key, uint64_t hash)
{
    *entry = (struct entry){.hash = hash, .key = key};
    assert_int_equal(table_add(table, hash, entry), ST_OK);
}

static void *find(const struct table *table, uint64_t hash, uint64_t key)
{
    return table_find(table, hash, entry_has_key, &key);
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
    (void)state;
    static struct entry entries[ENTRIES];
    struct table table;
    table_init(&table);
    assert_null(find(&table, 1, 1));
    assert_false(table_remove(&table, 1, entries));
    for (uint64_t i = 0; i < ENTRIES; i++)
        add(&table, &entries[i], i, table_hash(slice_of((const char *)&i, sizeof(i))));
    assert_int_equal(table.count, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find(&table, entries[i].hash, i), &entries[i]);
    assert_null(find(&table, entries[0].hash, ENTRIES));
    assert_null(find(&table, entries[0].hash + 1, 0));
    table_done(&table);
    assert_int_equal(table.count, 0);
}

static void entries_with_one_hash_are_told_apart_by_the_match(void **state)
{
    (void)state;
    struct entry entries[20];
    struct table table;
    table_init(&table);
    for (uint64_t i = 0; i < COUNT_OF(entries); i++)
        add(&table, &entries[i], i, /* hash= */ 15);
    assert_true(table_remove(&table, 15, &entries[7]));
    assert_false(table_remove(&table, 15, &entries[7]));
    for (uint64_t i = 0; i < COUNT_OF(entries); i++)
        assert_ptr_equal(find(&table, 15, i), i == 7 ? NULL : &entries[i]);
    table_done(&table);
}

/* Compare with a plain array of what should be there. Hashes are small, so that runs are long and wrap. */
static void any_order_of_adding_and_removing_keeps_the_rest_findable(void **state)
{
    (void)state;
    static struct entry entries[200];
    bool is_in[200] = {false};
    struct random random;
    struct table table;
    random_seed(&random, 1);
    table_init(&table);
    for (uint64_t i = 0; i < COUNT_OF(entries); i++)
        entries[i] = (struct entry){.hash = random_below(&random, 64) + 224, .key = i};
    for (int step = 0; step < 5000; step++) {
        size_t i = random_below(&random, COUNT_OF(entries));
        if (is_in[i])
            assert_true(table_remove(&table, entries[i].hash, &entries[i]));
        else
            assert_int_equal(table_add(&table, entries[i].hash, &entries[i]), ST_OK);
        is_in[i] = !is_in[i];
        if (step % 16 > 0)
            continue;
        for (size_t k = 0; k < COUNT_OF(entries); k++)
            assert_ptr_equal(find(&table, entries[k].hash, k), is_in[k] ? &entries[k] : NULL);
    }
    table_done(&table);
}

static void a_walk_visits_every_entry_once(void **state)
{
    (void)state;
    static struct entry entries[100];
    struct table table;
    struct entry *entry;
    size_t cursor = 0;
    table_init(&table);
    assert_null(table_next(&table, &cursor));
    for (uint64_t i = 0; i < COUNT_OF(entries); i++)
        add(&table, &entries[i], i, i * 7919);
    cursor = 0;
    while ((entry = table_next(&table, &cursor)) != NULL)
        entry->visits++;
    assert_null(table_next(&table, &cursor));
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        assert_int_equal(entries[i].visits, 1);
    table_done(&table);
}

/* A run that goes over the end of the slots is the hard case: what is moved back must not be missed. */
static void a_walk_that_removes_what_it_returns_misses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct entry entries[12];
        struct random random;
        struct table table;
        struct entry *entry;
        size_t cursor = 0;
        random_seed(&random, seed);
        table_init(&table);
        for (uint64_t i = 0; i < COUNT_OF(entries); i++)
            add(&table, &entries[i], i, 12 + random_below(&random, 4));
        while ((entry = table_next(&table, &cursor)) != NULL) {
            entry->visits++;
            if (random_below(&random, 2) == 0)
                assert_true(table_remove(&table, entry->hash, entry));
        }
        for (size_t i = 0; i < COUNT_OF(entries); i++)
            assert_int_equal(entries[i].visits, 1);
        table_done(&table);
    }
}

static void the_hash_depends_on_every_byte_and_on_the_length(void **state)
{
    (void)state;
    char text[40] = {0};
    uint64_t seen[41];
    for (size_t len = 0; len <= sizeof(text); len++) {
        seen[len] = table_hash(slice_of(text, len));
        assert_int_equal(seen[len], table_hash(slice_of(text, len)));
        for (size_t k = 0; k < len; k++) {
            assert_true(seen[k] != seen[len]);
            text[k] = 1;
            assert_true(table_hash(slice_of(text, len)) != seen[len]);
            text[k] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found_and_nothing_else),
        cmocka_unit_test(entries_with_one_hash_are_told_apart_by_the_match),
        cmocka_unit_test(any_order_of_adding_and_removing_keeps_the_rest_findable),
        cmocka_unit_test(a_walk_visits_every_entry_once),
        cmocka_unit_test(a_walk_that_removes_what_it_returns_misses_nothing),
        cmocka_unit_test(the_hash_depends_on_every_byte_and_on_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
