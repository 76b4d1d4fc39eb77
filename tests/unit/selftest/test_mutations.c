/* The self-test finds each row of the gate's table missing: one is taken out after the other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "policy/egress.h"
#include "selftest/selftest.h"
#include "selftest/trial.h"

#include <stdlib.h>
#include <string.h>

#define CLASS(name) (1U << TRIAL_##name)

/* What goes on among threads is the same for each row: where each would take many times as long, some do. */
#ifdef __SANITIZE_THREAD__
enum { ROW_STEP = 8 };
#else
enum { ROW_STEP = 1 };
#endif

static const char *const flags[] = {"--admin", "off"};

static int setup(void **state)
{
    struct trials *trials = NULL;
    assert_int_equal(selftest_begin(COUNT_OF(flags), flags, &trials), ST_OK);
    *state = trials;
    return 0;
}

static int teardown(void **state)
{
    struct trials *trials = *state;
    selftest_end(&trials);
    return 0;
}

static void the_whole_table_has_no_hole(void **state)
{
    struct trials *trials = *state;
    selftest_run(trials, UINT32_MAX);
    struct trial_tally sum = trial_sum(&trials->results);
    for (size_t i = 0; i < trials->results.hole_count; i++)
        print_error("%s: should be %s, fault %d, status %u, rule '%s'\n",
                    trials->results.holes[i].request, trials->results.holes[i].should,
                    (int)trials->results.holes[i].fault, trials->results.holes[i].status,
                    trials->results.holes[i].rule);
    assert_int_equal(sum.holes, 0);
    assert_int_equal(sum.blocked, 0);
    assert_false(trials->is_broken);
    for (size_t i = 0; i < TRIAL_CLASS_COUNT; i++) {
        if (i != TRIAL_OWN_LISTS &&
            i != TRIAL_MACHINE) /* nothing is configured, or there is no interface */
            assert_true(trials->results.classes[i].refused > 0);
    }
    assert_true(sum.tries > 1000);
}

/* `count` rows of `bytes` each without the one at `index`; on the heap. */
static void *without(const void *rows, size_t count, size_t bytes, size_t index)
{
    const char *from = rows;
    char *copy = calloc(count, bytes);
    assert_non_null(copy);
    memcpy(copy, from, index * bytes);
    memcpy(copy + index * bytes, from + (index + 1) * bytes, (count - index - 1) * bytes);
    return copy;
}

/* With `table` in force one of `classes` finds a hole. */
static struct trial_hole find_hole(struct trials *trials, const struct egress_tables *table,
                                   uint32_t classes, const char *what)
{
    trials->instance.tables = table;
    trials->stops_at_hole = true;
    selftest_run(trials, classes);
    trials->stops_at_hole = false;
    trials->instance.tables = NULL;
    if (trial_sum(&trials->results).holes == 0)
        print_error("nobody missed %s\n", what);
    assert_int_equal(trial_sum(&trials->results).holes, 1);
    return trials->results.holes[0];
}

static const char *prefix_words(const struct inet_prefix *prefix)
{
    static char words[INET_PREFIX_TEXT];
    inet_prefix_format(prefix, words);
    return words;
}

/* Is all of this row within another one? Then that one still refuses what it holds. */
static bool is_within_another(const struct egress_tables *whole, size_t index)
{
    const struct inet_prefix *inner = &whole->ranges[index].prefix;
    for (size_t i = 0; i < whole->range_count; i++) {
        const struct inet_prefix *outer = &whole->ranges[i].prefix;
        if (i != index && outer->bits < inner->bits && inet_prefix_contains(outer, &inner->addr))
            return true;
    }
    return false;
}

static void each_range_is_missed(void **state)
{
    const struct egress_tables *whole = &egress_built_in;
    for (size_t i = 0; i < whole->range_count; i += ROW_STEP) {
        struct egress_tables table = *whole;
        const char *words = prefix_words(&whole->ranges[i].prefix);
        table.range_count--;
        table.ranges = without(whole->ranges, whole->range_count, sizeof(*whole->ranges), i);
        struct trial_hole hole = find_hole(*state, &table, CLASS(RANGES) | CLASS(EMBEDDED), words);
        assert_int_equal(hole.fault,
                         is_within_another(whole, i) ? FAULT_OTHER_RULE : FAULT_DIALLED);
        assert_non_null(strstr(hole.should, prefix_words(&whole->ranges[i].prefix)));
        free((void *)(uintptr_t)table.ranges);
    }
}

static void each_address_of_the_floor_is_missed(void **state)
{
    const struct egress_tables *whole = &egress_built_in;
    static const uint32_t classes[] = {CLASS(FLOOR), CLASS(FLOOR_ALONE)};
    for (size_t i = 0; i < whole->floor_count; i += ROW_STEP) {
        struct egress_tables table = *whole;
        const char *words = prefix_words(&whole->floors[i].prefix);
        table.floor_count--;
        table.floors = without(whole->floors, whole->floor_count, sizeof(*whole->floors), i);
        for (size_t j = 0; j < COUNT_OF(classes); j++) {
            struct trial_hole hole = find_hole(*state, &table, classes[j], words);
            if (classes[j] == CLASS(FLOOR_ALONE))
                assert_int_equal(hole.fault, FAULT_DIALLED);
        }
        free((void *)(uintptr_t)table.floors);
    }
}

static void each_name_of_the_floor_is_missed(void **state)
{
    const struct egress_tables *whole = &egress_built_in;
    for (size_t i = 0; i < whole->name_count; i += ROW_STEP) {
        struct egress_tables table = *whole;
        table.name_count--;
        table.names = without(whole->names, whole->name_count, sizeof(*whole->names), i);
        struct trial_hole hole =
            find_hole(*state, &table, CLASS(FLOOR_NAMES), whole->names[i].name);
        assert_int_equal(hole.fault, FAULT_DIALLED);
        free((void *)(uintptr_t)table.names);
    }
}

static void each_bad_port_is_missed(void **state)
{
    const struct egress_tables *whole = &egress_built_in;
    for (size_t i = 0; i < whole->port_count; i += ROW_STEP) {
        struct egress_tables table = *whole;
        table.port_count--;
        table.ports = without(whole->ports, whole->port_count, sizeof(*whole->ports), i);
        struct trial_hole hole = find_hole(*state, &table, CLASS(PORTS), whole->ports[i].why);
        assert_int_equal(hole.fault, FAULT_DIALLED);
        assert_int_equal(hole.dialled.port, whole->ports[i].port);
        free((void *)(uintptr_t)table.ports);
    }
}

static void each_carrier_is_missed(void **state)
{
    const struct egress_tables *whole = &egress_built_in;
    for (size_t i = 0; i < whole->carrier_count; i += ROW_STEP) {
        struct egress_tables table = *whole;
        table.carrier_count--;
        table.carriers =
            without(whole->carriers, whole->carrier_count, sizeof(*whole->carriers), i);
        struct trial_hole hole = find_hole(*state, &table, CLASS(CARRIED) | CLASS(FLOOR_ALONE),
                                           prefix_words(&whole->carriers[i].prefix));
        assert_int_equal(hole.fault, FAULT_DIALLED);
        assert_true(inet_prefix_contains(&whole->carriers[i].prefix, &hole.dialled.addr));
        free((void *)(uintptr_t)table.carriers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_table_has_no_hole),
        cmocka_unit_test(each_range_is_missed),
        cmocka_unit_test(each_address_of_the_floor_is_missed),
        cmocka_unit_test(each_name_of_the_floor_is_missed),
        cmocka_unit_test(each_bad_port_is_missed),
        cmocka_unit_test(each_carrier_is_missed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
