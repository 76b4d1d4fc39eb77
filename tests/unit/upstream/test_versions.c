#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "upstream/versions.h"

#include <stdio.h>

static struct versions versions;

static struct host host_of(const char *text)
{
    struct host host;
    assert_int_equal(host_parse(slice_from_string(text), &host), HOST_FINE);
    return host;
}

static int begin(void **state)
{
    (void)state;
    versions = (struct versions){0};
    clock_freeze(NS_PER_S, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    clock_restore();
    return 0;
}

/* Nobody is old before an answer was noted. */
static void an_unknown_origin_is_modern(void **state)
{
    (void)state;
    struct host host = host_of("a.example");
    assert_false(versions_is_old(&versions, &host, 80));
}

/* What is noted holds for that host and port alone. */
static void an_old_origin_is_known_by_host_and_port(void **state)
{
    (void)state;
    struct host host = host_of("a.example");
    struct host other = host_of("b.example");
    versions_note(&versions, &host, 80, true);
    assert_true(versions_is_old(&versions, &host, 80));
    assert_false(versions_is_old(&versions, &host, 81));
    assert_false(versions_is_old(&versions, &other, 80));
}

/* An origin is modern again from its first HTTP/1.1 answer on, and another's answer says nothing of it. */
static void a_modern_answer_clears_its_own_origin(void **state)
{
    (void)state;
    struct host host = host_of("a.example");
    versions_note(&versions, &host, 80, true);
    versions_note(&versions, &host, 81, false);
    assert_true(versions_is_old(&versions, &host, 80));
    versions_note(&versions, &host, 80, false);
    assert_false(versions_is_old(&versions, &host, 80));
}

/* After VERSIONS_KEEP_S an origin is taken for a modern one, to the nanosecond; a new note begins anew. */
static void what_is_known_is_forgotten(void **state)
{
    (void)state;
    struct host host = host_of("a.example");
    versions_note(&versions, &host, 80, true);
    clock_advance(VERSIONS_KEEP_S * NS_PER_S - 1);
    assert_true(versions_is_old(&versions, &host, 80));
    clock_advance(1);
    assert_false(versions_is_old(&versions, &host, 80));
    versions_note(&versions, &host, 80, true);
    clock_advance(VERSIONS_KEEP_S * NS_PER_S - 1);
    assert_true(versions_is_old(&versions, &host, 80));
}

/* More origins than places are no harm: the newest is known, and no origin is taken for an old one that
 * never was. */
static void the_table_forgets_when_it_is_full(void **state)
{
    (void)state;
    struct host host;
    char text[32];
    for (int i = 0; i < 4 * VERSIONS_PLACES; i++) {
        (void)snprintf(text, sizeof(text), "old%d.example", i);
        host = host_of(text);
        versions_note(&versions, &host, 80, true);
        assert_true(versions_is_old(&versions, &host, 80));
    }
    for (int i = 0; i < 4 * VERSIONS_PLACES; i++) {
        (void)snprintf(text, sizeof(text), "new%d.example", i);
        host = host_of(text);
        assert_false(versions_is_old(&versions, &host, 80));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_unknown_origin_is_modern, begin, end),
        cmocka_unit_test_setup_teardown(an_old_origin_is_known_by_host_and_port, begin, end),
        cmocka_unit_test_setup_teardown(a_modern_answer_clears_its_own_origin, begin, end),
        cmocka_unit_test_setup_teardown(what_is_known_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(the_table_forgets_when_it_is_full, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
