#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/addr_sort.h"
#include "net/addr_source.h"

enum { ROUTES = 8 };

/* Which source each destination would get; those that are not named are unreachable. */
struct routes {
    const char *to[ROUTES];
    const char *from[ROUTES];
};

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return addr;
}

static struct inet_addr source(void *owner, const struct inet_addr *to)
{
    const struct routes *routes = owner;
    for (size_t i = 0; i < ROUTES && routes->to[i] != NULL; i++) {
        struct inet_addr known = addr_of(routes->to[i]);
        if (routes->from[i] != NULL && inet_addr_equals(&known, to))
            return addr_of(routes->from[i]);
    }
    return (struct inet_addr){0};
}

/* Sort the destinations of `routes`; the result must be in `order`. */
static void expect(struct routes routes, const char *order)
{
    struct inet_addr addr[ROUTES];
    uint8_t sorted[ROUTES];
    size_t count = 0;
    for (; count < ROUTES && routes.to[count] != NULL; count++)
        addr[count] = addr_of(routes.to[count]);
    addr_sort(addr, count, source, &routes, sorted);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sorted[i], order[i] - '0');
}

/* Rule 1: what cannot be reached comes last. */
static void test_unusable(void **state)
{
    (void)state;
    expect((struct routes){{"2001:db8::1", "192.0.2.1"}, {NULL, "192.0.2.9"}}, "10");
}

/* RFC 6724 §10.2: IPv6 before IPv4 where both are global. */
static void test_precedence(void **state)
{
    (void)state;
    expect(
        (struct routes){{"198.51.100.121", "2001:db8:1::1"}, {"198.51.100.117", "2001:db8:1::2"}},
        "10");
    /* 6to4 and unique-local destinations come after IPv4 */
    expect((struct routes){{"2002:c633:6401::1", "198.51.100.121"},
                           {"2002:c633:6401::2", "198.51.100.117"}},
           "10");
    expect((struct routes){{"fd00::1", "198.51.100.121"}, {"fd00::2", "198.51.100.117"}}, "10");
}

/* Rule 2: a destination whose scope is that of its source comes first. */
static void test_scope(void **state)
{
    (void)state;
    expect((struct routes){{"2001:db8:1::1", "198.51.100.121"}, {"fe80::1", "198.51.100.117"}},
           "10");
}

/* Rule 5: a destination whose label is that of its source comes first. */
static void test_label(void **state)
{
    (void)state;
    expect((struct routes){{"2002:c633:6401::1", "2001:db8:1::1"},
                           {"2002:c633:6401::2", "2002:c633:6401::2"}},
           "01");
}

/* Rule 9 for IPv6 only; what nothing decides stays as it came. */
static void test_prefix_and_rotation(void **state)
{
    (void)state;
    expect(
        (struct routes){{"2001:db8:3ffe::1", "2001:db8:1::1"}, {"2001:db8:1::2", "2001:db8:1::2"}},
        "10");
    expect((struct routes){{"203.0.113.9", "198.51.100.1", "198.51.100.2"},
                           {"198.51.100.7", "198.51.100.7", "198.51.100.7"}},
           "012");
}

/* RFC 6724 §2.1, the default table. */
static void test_table(void **state)
{
    (void)state;
    const struct {
        const char *addr;
        unsigned precedence;
        unsigned label;
        unsigned scope;
    } rows[] = {
        {"::1", 50, 0, 2},       {"2001:db8::1", 40, 1, 14}, {"192.0.2.1", 35, 4, 14},
        {"127.0.0.1", 35, 4, 2}, {"169.254.1.1", 35, 4, 2},  {"2002::1", 30, 2, 14},
        {"2001::1", 5, 5, 14},   {"fd00::1", 3, 13, 14},     {"::1.2.3.4", 1, 3, 14},
        {"fec0::1", 1, 11, 5},   {"3ffe::1", 1, 12, 14},     {"fe80::1", 40, 1, 2},
        {"ff05::1", 40, 1, 5},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct inet_addr addr = addr_of(rows[i].addr);
        assert_int_equal(addr_precedence(&addr), rows[i].precedence);
        assert_int_equal(addr_label(&addr), rows[i].label);
        assert_int_equal(addr_scope(&addr), rows[i].scope);
    }
}

/* Loopback is reached from loopback, also when it is asked again. */
static void test_kernel_source(void **state)
{
    (void)state;
    struct addr_source *sources = addr_source_create();
    struct inet_addr one = addr_of("127.0.0.1");
    struct inet_addr eight = addr_of("127.0.0.8");
    struct inet_addr from = addr_source_ask(sources, &eight);
    assert_true(inet_addr_is_loopback(&from));
    for (int i = 0; i < 2; i++) {
        from = addr_source_ask(sources, &one);
        assert_true(inet_addr_equals(&from, &one));
    }
    addr_source_destroy(&sources);
    assert_null(sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_label),
        cmocka_unit_test(test_prefix_and_rotation),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_kernel_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
