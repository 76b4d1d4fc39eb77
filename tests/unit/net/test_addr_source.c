#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "net/addr_source.h"

#include <dirent.h>
#include <ifaddrs.h>
#include <netinet/in.h>

static struct inet_addr addr_of(const char *text)
{
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return addr;
}

static int freeze(void **state)
{
    (void)state;
    clock_freeze(1000 * NS_PER_S, 0);
    return 0;
}

static int restore(void **state)
{
    (void)state;
    clock_restore();
    return 0;
}

static int descriptor_count(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

/* Towards the loopback network the source is of the loopback network. */
static void loopback_is_reached_from_loopback(void **state)
{
    (void)state;
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    struct inet_addr to = addr_of("127.0.0.1");
    struct inet_addr from = addr_source_ask(sources, &to);
    assert_int_equal(from.family, INET_V4);
    assert_true(inet_addr_is_loopback(&from));
    addr_source_destroy(&sources);
    assert_null(sources);
    addr_source_destroy(&sources); /* takes NULL */
}

/* The same question has the same answer, also where more are asked than there are places to remember. */
static void answers_are_remembered(void **state)
{
    (void)state;
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    for (int i = 1; i < 200; i++) {
        struct inet_addr to = addr_of("127.0.0.1");
        to.bytes[3] = (uint8_t)i;
        struct inet_addr from = addr_source_ask(sources, &to);
        struct inet_addr again = addr_source_ask(sources, &to);
        assert_true(inet_addr_is_loopback(&from));
        assert_true(inet_addr_equals(&from, &again));
    }
    addr_source_destroy(&sources);
}

/* An IPv4 address of this machine beyond loopback; INET_NONE where it has none. */
static struct inet_addr own_address(void)
{
    struct inet_addr own = {0};
    struct ifaddrs *all = NULL;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
            continue;
        struct inet_addr addr = inet_from_sockaddr(at->ifa_addr, sizeof(struct sockaddr_in)).addr;
        if (!inet_addr_is_loopback(&addr))
            own = addr;
    }
    freeifaddrs(all);
    return own;
}

/* A second question is answered anew, not with the source of the first: the socket is let go between. */
static void each_destination_has_its_own_source(void **state)
{
    (void)state;
    struct inet_addr own = own_address();
    if (own.family == INET_NONE) {
        print_message("this machine has no address beyond loopback\n");
        skip();
    }
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    struct inet_addr loopback = addr_of("127.0.0.1");
    struct inet_addr from = addr_source_ask(sources, &loopback);
    assert_true(inet_addr_equals(&from, &loopback));
    from = addr_source_ask(sources, &own);
    assert_true(inet_addr_equals(&from, &own));
    addr_source_destroy(&sources);
}

/* One socket a family is all that is held, and it is closed at the end. */
static void one_socket_a_family_is_held(void **state)
{
    (void)state;
    int before = descriptor_count();
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    assert_int_equal(descriptor_count(), before);
    for (int i = 1; i < 50; i++) {
        struct inet_addr to = addr_of("127.0.0.1");
        to.bytes[3] = (uint8_t)i;
        (void)addr_source_ask(sources, &to);
        clock_advance(3 * NS_PER_S); /* nothing is remembered that long */
    }
    assert_int_equal(descriptor_count(), before + 1);
    struct inet_addr six = addr_of("::1");
    (void)addr_source_ask(sources, &six);
    assert_in_range(descriptor_count(), before + 1, before + 2); /* a system may have no IPv6 */
    addr_source_destroy(&sources);
    assert_int_equal(descriptor_count(), before);
}

/* Where the kernel has no way to an address the answer is none: 255.255.255.255 takes a permission. */
static void no_way_is_no_source(void **state)
{
    (void)state;
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    struct inet_addr to = addr_of("255.255.255.255");
    assert_int_equal(addr_source_ask(sources, &to).family, INET_NONE);
    struct inet_addr near = addr_of("127.0.0.1"); /* and the socket goes on working */
    assert_int_equal(addr_source_ask(sources, &near).family, INET_V4);
    addr_source_destroy(&sources);
}

/* A family counts as reachable exactly where some global address of it has a source. */
static void a_family_is_reachable_or_not(void **state)
{
    (void)state;
    struct addr_source *sources = addr_source_create();
    assert_non_null(sources);
    struct inet_addr four = addr_of("192.0.32.1");
    struct inet_addr six = addr_of("2620::1");
    bool has_four = addr_source_ask(sources, &four).family == INET_V4;
    bool has_six = addr_source_ask(sources, &six).family == INET_V6;
    assert_int_equal(addr_source_has_family(sources, INET_V4), has_four);
    assert_int_equal(addr_source_has_family(sources, INET_V6), has_six);
    addr_source_destroy(&sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_reached_from_loopback),
        cmocka_unit_test(answers_are_remembered),
        cmocka_unit_test(each_destination_has_its_own_source),
        cmocka_unit_test(one_socket_a_family_is_held),
        cmocka_unit_test(no_way_is_no_source),
        cmocka_unit_test(a_family_is_reachable_or_not),
    };
    return cmocka_run_group_tests(tests, freeze, restore);
}
