#include "identity_test.h"

#include "base/clock.h"
#include "identity/throttle.h"

static const struct throttle_limits limits = {3, 30 * NS_PER_S};

static struct inet_addr addr(const char *text)
{
    struct inet_addr at;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &at), ST_OK);
    return at;
}

static uint64_t client(const char *text)
{
    struct inet_addr at = addr(text);
    return throttle_client(&at, 0);
}

static void fails(struct throttle *throttle, uint64_t who, uint64_t now_ns)
{
    uint64_t wait_ns = 0;
    assert_int_equal(throttle_begin(throttle, who, &limits, now_ns, &wait_ns), ST_OK);
    throttle_end(throttle, who, &limits, now_ns, true);
}

static void must_wait(struct throttle *throttle, uint64_t who, uint64_t now_ns,
                      uint64_t expected_ns)
{
    uint64_t wait_ns = 0;
    assert_int_equal(throttle_begin(throttle, who, &limits, now_ns, &wait_ns), ST_LIMIT);
    assert_int_equal(wait_ns, expected_ns);
}

/* Three at once, then one in each ten seconds; nobody else pays for it. */
static void failures_are_forgotten_one_by_one(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_create();
    uint64_t now_ns = 1000 * NS_PER_S;
    uint64_t who = client("192.0.2.1");
    for (int i = 0; i < 3; i++)
        fails(throttle, who, now_ns);
    must_wait(throttle, who, now_ns, 10 * NS_PER_S);
    must_wait(throttle, who, now_ns + 9 * NS_PER_S, NS_PER_S);
    fails(throttle, client("192.0.2.2"), now_ns);
    fails(throttle, who, now_ns + 10 * NS_PER_S);
    must_wait(throttle, who, now_ns + 10 * NS_PER_S, 10 * NS_PER_S);
    now_ns += 100 * NS_PER_S;
    for (int i = 0; i < 3; i++)
        fails(throttle, who, now_ns);
    must_wait(throttle, who, now_ns, 10 * NS_PER_S);
    throttle_destroy(&throttle);
}

/* Success costs nothing, but only so many are judged at once. */
static void successes_are_free(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_create();
    uint64_t who = client("192.0.2.1");
    uint64_t wait_ns = 0;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < THROTTLE_AT_ONCE; i++)
            assert_int_equal(throttle_begin(throttle, who, &limits, NS_PER_S, &wait_ns), ST_OK);
        assert_int_equal(throttle_begin(throttle, who, &limits, NS_PER_S, &wait_ns), ST_AGAIN);
        for (int i = 0; i < THROTTLE_AT_ONCE; i++)
            throttle_end(throttle, who, &limits, NS_PER_S, false);
    }
    throttle_destroy(&throttle);
}

static void clients_are_told_apart(void **state)
{
    (void)state;
    struct inet_addr none = {.family = INET_NONE};
    assert_int_equal(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
    assert_int_not_equal(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
    assert_int_equal(client("192.0.2.1"), client("::ffff:192.0.2.1"));
    assert_int_not_equal(client("192.0.2.1"), client("192.0.2.2"));
    assert_int_equal(throttle_client(&none, 7), throttle_client(&none, 7));
    assert_int_not_equal(throttle_client(&none, 7), throttle_client(&none, 8));
}

/* A hundred thousand clients have no more room than one; who is judged keeps its place. */
static void the_table_does_not_grow(void **state)
{
    (void)state;
    struct throttle *throttle = throttle_create();
    uint64_t now_ns = NS_PER_S;
    uint64_t wait_ns = 0;
    uint64_t kept = client("192.0.2.1");
    assert_int_equal(throttle_begin(throttle, kept, &limits, now_ns, &wait_ns), ST_OK);
    for (uint32_t i = 0; i < 100000; i++) {
        struct inet_addr none = {.family = INET_NONE};
        fails(throttle, throttle_client(&none, i), now_ns);
    }
    throttle_end(throttle, kept, &limits, now_ns, true);
    throttle_destroy(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_forgotten_one_by_one),
        cmocka_unit_test(successes_are_free),
        cmocka_unit_test(clients_are_told_apart),
        cmocka_unit_test(the_table_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
