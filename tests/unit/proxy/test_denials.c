#include "proxy/denials.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct denial denial(unsigned number)
{
    struct denial one = {.cause = CAUSE_REFUSED, .status = 403, .port = 443};
    (void)snprintf(one.host, sizeof(one.host), "h%u.example", number);
    denial_set(one.method, sizeof(one.method), SLICE("CONNECT"));
    denial_set(one.rule, sizeof(one.rule), SLICE("deny"));
    return one;
}

static void note(struct denials *denials, uint64_t asker, unsigned number, uint64_t now_ns)
{
    struct denial one = denial(number);
    denials_note(denials, asker, &one, now_ns);
}

static uint64_t addr(const char *words)
{
    struct inet_addr at;
    assert_int_equal(inet_addr_parse(slice_from_string(words), &at), ST_OK);
    return denials_asker_addr(&at);
}

/* An asker gets its own, newest first, and of equal ones the count and the last time. */
static void an_asker_gets_its_own(void **state)
{
    (void)state;
    struct denial got[DENIALS_EACH];
    struct denials *denials = denials_create();
    note(denials, 1, 1, 10);
    note(denials, 1, 2, 20);
    note(denials, 2, 3, 30);
    note(denials, 1, 1, 40);
    assert_int_equal(denials_copy(denials, 1, got), 2);
    assert_string_equal(got[0].host, "h1.example");
    assert_int_equal(got[0].count, 2);
    assert_int_equal(got[0].at_ns, 40);
    assert_string_equal(got[1].host, "h2.example");
    assert_int_equal(got[1].count, 1);
    assert_int_equal(denials_copy(denials, 2, got), 1);
    assert_string_equal(got[0].host, "h3.example");
    assert_int_equal(denials_copy(denials, 3, got), 0);
    denials_destroy(&denials);
    assert_null(denials);
    denials_destroy(&denials);
}

/* What differs in anything that was asked for, or in what refused it, is another one; how to change it may move on. */
static void what_was_asked_for_tells_them_apart(void **state)
{
    (void)state;
    struct denial got[DENIALS_EACH];
    struct denials *denials = denials_create();
    struct denial one = denial(1);
    denials_note(denials, 1, &one, 1);
    denial_set(one.remedy, sizeof(one.remedy), SLICE("ask again in 3 s"));
    denials_note(denials, 1, &one, 1);
    assert_int_equal(denials_copy(denials, 1, got), 1);
    assert_string_equal(got[0].remedy, "ask again in 3 s");
    one.port = 444;
    denials_note(denials, 1, &one, 1);
    denial_set(one.scheme, sizeof(one.scheme), SLICE("http"));
    denials_note(denials, 1, &one, 1);
    denial_set(one.method, sizeof(one.method), SLICE("GET"));
    denials_note(denials, 1, &one, 1);
    denial_set(one.rule, sizeof(one.rule), SLICE("other"));
    denials_note(denials, 1, &one, 1);
    one.cause = CAUSE_REFUSED_ADDRESS;
    denials_note(denials, 1, &one, 1);
    one.status = 429;
    denials_note(denials, 1, &one, 1);
    assert_int_equal(denials_copy(denials, 1, got), 7);
    denials_destroy(&denials);
}

/* D2: the oldest of one asker goes first, and nobody else's. */
static void one_asker_drives_out_nobody_else(void **state)
{
    (void)state;
    struct denial got[DENIALS_EACH];
    struct denials *denials = denials_create();
    note(denials, 1, 7, 1);
    for (unsigned i = 0; i < 100000; i++)
        note(denials, 2, i, i);
    assert_int_equal(denials_copy(denials, 2, got), DENIALS_EACH);
    assert_string_equal(got[0].host, "h99999.example");
    assert_string_equal(got[DENIALS_EACH - 1].host, "h99984.example");
    assert_int_equal(denials_copy(denials, 1, got), 1);
    denials_destroy(&denials);
}

/* D2: of too many askers the one who was refused the longest time ago goes, whole; whoever comes back begins anew. */
static void the_oldest_asker_goes(void **state)
{
    (void)state;
    struct denial got[DENIALS_EACH];
    struct denials *denials = denials_create();
    for (uint64_t asker = 1; asker <= DENIALS_ASKERS; asker++) {
        note(denials, asker, 1, 1);
        note(denials, asker, 2, 1);
    }
    note(denials, 1, 3, 2); /* so that 2 is the oldest */
    note(denials, 1000, 9, 3);
    assert_int_equal(denials_copy(denials, 2, got), 0);
    assert_int_equal(denials_copy(denials, 1, got), 3);
    assert_int_equal(denials_copy(denials, 1000, got), 1);
    assert_string_equal(got[0].host, "h9.example");
    note(denials, 2, 4, 4); /* 3 goes */
    assert_int_equal(denials_copy(denials, 2, got), 1);
    assert_int_equal(denials_copy(denials, 3, got), 0);
    assert_int_equal(denials_copy(denials, 4, got), 2);
    denials_destroy(&denials);
}

/* Texts that are too long are cut. */
static void texts_are_cut(void **state)
{
    (void)state;
    char into[4];
    denial_set(into, sizeof(into), SLICE("abcdef"));
    assert_string_equal(into, "abc");
    denial_set(into, sizeof(into), SLICE("abc"));
    assert_string_equal(into, "abc");
    denial_set(into, sizeof(into), SLICE_NONE);
    assert_string_equal(into, "");
}

/* IPv4 by address, also where IPv6 carries it; IPv6 by /64; kinds are never taken for each other. */
static void askers_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(addr("192.0.2.1"), addr("192.0.2.1"));
    assert_int_equal(addr("192.0.2.1"), addr("::ffff:192.0.2.1"));
    assert_int_not_equal(addr("192.0.2.1"), addr("192.0.2.2"));
    assert_int_equal(addr("2001:db8::1"), addr("2001:db8::ffff:1"));
    assert_int_not_equal(addr("2001:db8::1"), addr("2001:db8:0:1::1"));
    assert_int_not_equal(denials_asker_uid(1), denials_asker_uid(2));
    assert_int_not_equal(denials_asker_user(SLICE("192.0.2.1")), addr("192.0.2.1"));
    assert_int_not_equal(denials_asker_uid(0), denials_asker_user(SLICE("0")));
    assert_int_not_equal(denials_asker_user(SLICE("a")), denials_asker_user(SLICE("A")));
    assert_int_equal(denials_asker_user(SLICE("a")), denials_asker_user(SLICE("a")));
}

enum { THREADS = 4, TIMES = 2000 };

struct thread {
    pthread_t id;
    struct denials *denials;
    uint64_t asker;
};

static void *refuse_and_ask(void *argument)
{
    struct thread *thread = argument;
    struct denial got[DENIALS_EACH];
    for (unsigned i = 0; i < TIMES; i++) {
        note(thread->denials, thread->asker, 0, i);
        note(thread->denials, THREADS + 1, 0, i);
        if (denials_copy(thread->denials, thread->asker, got) != 1)
            return NULL;
    }
    return thread;
}

/* Workers note and look at the same time, and nothing is lost. */
static void workers_share_it(void **state)
{
    (void)state;
    struct denial got[DENIALS_EACH];
    struct denials *denials = denials_create();
    struct thread threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.denials = denials, .asker = i + 1};
        assert_int_equal(pthread_create(&threads[i].id, NULL, refuse_and_ask, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i].id, &result), 0);
        assert_ptr_equal(result, &threads[i]);
        assert_int_equal(denials_copy(denials, i + 1, got), 1);
        assert_int_equal(got[0].count, TIMES);
    }
    assert_int_equal(denials_copy(denials, THREADS + 1, got), 1);
    assert_int_equal(got[0].count, THREADS * TIMES);
    denials_destroy(&denials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_asker_gets_its_own),
        cmocka_unit_test(what_was_asked_for_tells_them_apart),
        cmocka_unit_test(one_asker_drives_out_nobody_else),
        cmocka_unit_test(the_oldest_asker_goes),
        cmocka_unit_test(texts_are_cut),
        cmocka_unit_test(askers_are_told_apart),
        cmocka_unit_test(workers_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
