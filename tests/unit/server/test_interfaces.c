#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "server/interfaces.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>

/* ---- a kernel of our own: these stand before those of the C library ---- */

/* What the interfaces have; "" for an entry without an address. */
static const char *const *kernel_addrs;
static size_t kernel_count;
static int kernel_error;
static size_t kernel_lists; /* not yet freed */

/* The address of entry `i`; of a mere number of them each has another. */
static struct inet_addr kernel_addr(size_t i)
{
    struct inet_addr addr = {INET_V4, {11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
    if (kernel_addrs != NULL)
        assert_int_equal(inet_addr_parse(slice_from_string(kernel_addrs[i]), &addr), ST_OK);
    return addr;
}

int getifaddrs(struct ifaddrs **ret_list)
{
    if (kernel_error != 0) {
        errno = kernel_error;
        return -1;
    }
    struct ifaddrs *list = NULL;
    for (size_t i = kernel_count; i-- > 0;) {
        struct ifaddrs *entry = calloc(1, sizeof(*entry));
        assert_non_null(entry);
        if (kernel_addrs == NULL || kernel_addrs[i][0] != '\0') {
            struct inet_endpoint endpoint = {.addr = kernel_addr(i)};
            struct sockaddr_storage *where = calloc(1, sizeof(*where));
            assert_non_null(where);
            (void)inet_to_sockaddr(&endpoint, where);
            entry->ifa_addr = (struct sockaddr *)where;
        }
        entry->ifa_next = list;
        list = entry;
    }
    kernel_lists++;
    *ret_list = list;
    return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
    while (list != NULL) {
        struct ifaddrs *next = list->ifa_next;
        free(list->ifa_addr);
        free(list);
        list = next;
    }
    kernel_lists--;
}

/* ---- short words ---- */

static void kernel_has(const char *const *addrs, size_t count)
{
    kernel_addrs = addrs;
    kernel_count = count;
    kernel_error = 0;
}

static struct interfaces read_all(void)
{
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    struct interfaces all = {0};
    assert_int_equal(interfaces_read(&all, &fault), ST_OK);
    assert_int_equal(fault.len, 0);
    assert_int_equal(kernel_lists, 0);
    return all;
}

static void assert_fails(enum status expected, const char *words)
{
    char memory[200];
    struct text fault = text_on(memory, sizeof(memory));
    struct interfaces all = {0};
    assert_int_equal(interfaces_read(&all, &fault), expected);
    assert_string_equal(text_string(&fault), words);
    assert_null(all.at);
    assert_int_equal(kernel_lists, 0);
}

/* ---- the tests ---- */

/* In order and each once, without loopback and without what has no IP address. */
static void all_addresses_but_loopback_are_read(void **state)
{
    (void)state;
    static const char *const has[] = {"127.0.0.1", "",          "192.0.1.9", "2a00::2", "::1",
                                      "192.0.1.7", "192.0.1.9", "127.9.9.9", "fe80::1"};
    static const char *const expected[] = {"192.0.1.7", "192.0.1.9", "2a00::2", "fe80::1"};
    kernel_has(has, COUNT_OF(has));
    struct interfaces all = read_all();
    assert_int_equal(all.count, COUNT_OF(expected));
    for (size_t i = 0; i < all.count; i++) {
        char text[INET_ADDR_TEXT];
        inet_addr_format(&all.at[i], text);
        assert_string_equal(text, expected[i]);
    }
    interfaces_done(&all);
    assert_null(all.at);
    assert_int_equal(all.count, 0);
}

static void a_machine_may_have_none(void **state)
{
    (void)state;
    static const char *const has[] = {"127.0.0.1", ""};
    kernel_has(has, COUNT_OF(has));
    struct interfaces all = read_all();
    assert_int_equal(all.count, 0);
    interfaces_done(&all);
    kernel_has(NULL, 0);
    all = read_all();
    assert_int_equal(all.count, 0);
    interfaces_done(&all);
}

/* Two readings are the same whatever the kernel's order, and others as soon as one address is. */
static void readings_are_compared_as_sets(void **state)
{
    (void)state;
    static const char *const a[] = {"192.0.1.7", "192.0.1.9", "2a00::2"};
    static const char *const b[] = {"2a00::2", "192.0.1.9", "192.0.1.7", "192.0.1.7"};
    static const char *const c[] = {"192.0.1.7", "192.0.1.8", "2a00::2"};
    kernel_has(a, 3);
    struct interfaces first = read_all();
    kernel_has(b, 4);
    struct interfaces same = read_all();
    kernel_has(c, 3);
    struct interfaces other = read_all();
    kernel_has(a, 2);
    struct interfaces fewer = read_all();
    struct interfaces none = {0};
    assert_true(interfaces_are_equal(&first, &same));
    assert_false(interfaces_are_equal(&first, &other));
    assert_false(interfaces_are_equal(&first, &fewer));
    assert_false(interfaces_are_equal(&first, &none));
    assert_true(interfaces_are_equal(&none, &none));
    struct interfaces *all[] = {&first, &same, &other, &fewer};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        interfaces_done(all[i]);
}

/* A kernel that does not tell is an error, never an empty list. */
static void a_kernel_that_does_not_tell_is_an_error(void **state)
{
    (void)state;
    kernel_error = EACCES;
    assert_fails(ST_IO, "the addresses of this machine cannot be read: Permission denied");
}

/* Nor is a part of them taken for all. */
static void more_than_there_is_room_for_is_an_error(void **state)
{
    (void)state;
    kernel_has(NULL, INTERFACES_MAX);
    struct interfaces all = read_all();
    assert_int_equal(all.count, INTERFACES_MAX);
    interfaces_done(&all);
    kernel_has(NULL, INTERFACES_MAX + 1);
    assert_fails(ST_LIMIT, "this machine has more than 65536 addresses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_addresses_but_loopback_are_read),
        cmocka_unit_test(a_machine_may_have_none),
        cmocka_unit_test(readings_are_compared_as_sets),
        cmocka_unit_test(a_kernel_that_does_not_tell_is_an_error),
        cmocka_unit_test(more_than_there_is_room_for_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
