#include "budget_test.h"

#include "base/clock.h"
#include "budget/ledger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 4, TRIES = 20000, PLACES = 7 };

static const uint64_t now_ns = 1000 * NS_PER_S;
static struct ledger *ledger;

static int begin(void **state)
{
    (void)state;
    ledger = ledger_create();
    return ledger == NULL;
}

static int end(void **state)
{
    (void)state;
    ledger_destroy(&ledger); /* checks that nobody holds an account */
    return 0;
}

static struct budget join(const struct budget_rules *rules, const char *text)
{
    struct inet_addr addr;
    struct budget budget;
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    assert_int_equal(budget_join(ledger, rules, &addr, 0, &budget), ST_OK);
    return budget;
}

static enum status take(struct budget *budget, enum budget_count count)
{
    struct budget_refusal refusal;
    return budget_take(budget, count, PARTIES_EVERY, &refusal);
}

/* What is refused by one party is counted with none, and told by its key. */
static void a_refusal_leaves_all_accounts_as_they_were(void **state)
{
    (void)state;
    struct inet_prefix net;
    assert_int_equal(inet_prefix_parse(SLICE("192.0.2.0/24"), &net), ST_OK);
    struct budget_range range = {.name = SLICE("lab"), .from = {&net, 1}, .limits = {.tunnels = 1}};
    const struct budget_rules rules = {.ranges = &range, .range_count = 1};
    struct budget first = join(&rules, "192.0.2.1");
    struct budget second = join(&rules, "192.0.2.2");
    struct budget_refusal refusal;
    assert_int_equal(take(&first, BUDGET_TUNNELS), ST_OK);
    assert_int_equal(take(&first, BUDGET_TUNNELS), ST_OK); /* it is counted already */
    assert_int_equal(budget_take(&second, BUDGET_TUNNELS, PARTIES_EVERY, &refusal), ST_LIMIT);
    assert_string_equal(refusal.key, "limits.ranges(lab).tunnels");
    assert_int_equal(refusal.limit, 1);
    assert_int_equal(budget_open(&first, BUDGET_TUNNELS, PARTY_ALL), 1);
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_CLIENT), 0);
    budget_give(&first, BUDGET_TUNNELS);
    assert_int_equal(take(&second, BUDGET_TUNNELS), ST_OK);
    budget_leave(&first);
    budget_leave(&second);
    budget_leave(&second);
}

static void clients_are_addresses_and_networks_of_64_bits(void **state)
{
    static const struct {
        const char *one, *other;
        bool are_same;
    } pairs[] = {
        {"192.0.2.1", "192.0.2.1", true},          {"192.0.2.1", "192.0.2.2", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},   {"2001:db8::1", "2001:db8::ffff:1", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
    };
    const struct budget_rules rules = {.per_client = {.connections = 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct budget one = join(&rules, pairs[i].one);
        struct budget other = join(&rules, pairs[i].other);
        assert_int_equal(take(&one, BUDGET_CONNECTIONS), ST_OK);
        assert_int_equal(take(&other, BUDGET_CONNECTIONS), pairs[i].are_same ? ST_LIMIT : ST_OK);
        budget_leave(&one);
        budget_leave(&other);
    }
}

static void a_change_of_user_gives_back_what_was_held(void **state)
{
    const struct budget_rules rules = {.per_user = {.connections = 1}};
    struct budget one = join(&rules, "192.0.2.1");
    struct budget other = join(&rules, "192.0.2.2");
    (void)state;
    assert_int_equal(budget_set_user(&one, SLICE("alice")), ST_OK);
    assert_int_equal(take(&one, BUDGET_CONNECTIONS), ST_OK);
    assert_int_equal(budget_set_user(&other, SLICE("alice")), ST_OK);
    assert_int_equal(take(&other, BUDGET_CONNECTIONS), ST_LIMIT);
    assert_int_equal(budget_set_user(&one, SLICE("alice")), ST_OK);
    assert_int_equal(budget_open(&one, BUDGET_CONNECTIONS, PARTY_USER), 1);
    assert_int_equal(budget_set_user(&one, SLICE("bob")), ST_OK);
    assert_int_equal(take(&other, BUDGET_CONNECTIONS), ST_OK);
    assert_int_equal(take(&one, BUDGET_CONNECTIONS), ST_OK);
    assert_int_equal(budget_open(&one, BUDGET_CONNECTIONS, PARTY_ALL), 2);
    budget_leave(&one);
    budget_leave(&other);
}

/* Names that differ at their end alone have a budget each. */
static void long_names_are_told_apart(void **state)
{
    const struct budget_rules rules = {.per_user = {.connections = 1}};
    struct budget one = join(&rules, "192.0.2.1");
    struct budget other = join(&rules, "192.0.2.2");
    char name[2000];
    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(budget_set_user(&one, slice_of(name, sizeof(name))), ST_OK);
    assert_int_equal(take(&one, BUDGET_CONNECTIONS), ST_OK);
    name[sizeof(name) - 1] = 'b';
    assert_int_equal(budget_set_user(&other, slice_of(name, sizeof(name))), ST_OK);
    assert_int_equal(take(&other, BUDGET_CONNECTIONS), ST_OK);
    budget_leave(&one);
    budget_leave(&other);
}

static void what_is_moved_is_given_back_by_the_new_owner(void **state)
{
    const struct budget_rules rules = {.per_client = {.connections = 1, .bandwidth = 1000000}};
    struct budget client = join(&rules, "192.0.2.1");
    struct budget next = join(&rules, "192.0.2.1");
    struct budget tunnel;
    (void)state;
    assert_int_equal(take(&client, BUDGET_CONNECTIONS), ST_OK);
    budget_move(&client, &tunnel);
    budget_leave(&client);
    assert_int_equal(take(&next, BUDGET_CONNECTIONS), ST_LIMIT);
    assert_true(tunnel.is_metered);
    budget_leave(&tunnel);
    assert_int_equal(take(&next, BUDGET_CONNECTIONS), ST_OK);
    budget_leave(&next);
}

/* A second's worth at once, then one in each step; what a later party refuses is not charged to an earlier one; and a
 * bucket is what it was when its client comes back. */
static bool use(struct budget *budget, const struct budget_rules *rules, const char *text)
{
    struct inet_addr addr;
    if (text == NULL)
        return budget_use_rules(budget, rules, true, NULL, now_ns);
    assert_int_equal(inet_addr_parse(slice_from_string(text), &addr), ST_OK);
    return budget_use_rules(budget, rules, true, &addr, now_ns);
}

/* What is open stays counted beyond a lower limit; the next is refused, by who was there before, too. */
static void other_limits_hold_for_who_is_there(void **state)
{
    const struct budget_rules wide = {.per_client = {.tunnels = 3}};
    const struct budget_rules narrow = {.per_client = {.tunnels = 1}};
    struct budget at[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        at[i] = join(&wide, "192.0.2.1");
        assert_int_equal(i < 2 ? take(&at[i], BUDGET_TUNNELS) : ST_OK, ST_OK);
    }
    for (size_t i = 0; i < 3; i++)
        assert_false(use(&at[i], &narrow, "192.0.2.1"));
    assert_int_equal(budget_open(&at[2], BUDGET_TUNNELS, PARTY_CLIENT), 2);
    budget_give(&at[0], BUDGET_TUNNELS);
    assert_int_equal(take(&at[2], BUDGET_TUNNELS), ST_LIMIT);
    assert_false(use(&at[2], &wide, "192.0.2.1"));
    assert_int_equal(take(&at[2], BUDGET_TUNNELS), ST_OK);
    for (size_t i = 0; i < 3; i++)
        budget_leave(&at[i]);
}

/* A new range gets what its clients have open; one that has gone gives it back. What has no address stays by name. */
static void other_ranges_count_who_is_there(void **state)
{
    struct inet_prefix net;
    assert_int_equal(inet_prefix_parse(SLICE("192.0.2.0/24"), &net), ST_OK);
    struct budget_range lab = {.name = SLICE("lab"), .from = {&net, 1}, .limits = {.tunnels = 1}};
    struct budget_range hall = {.name = SLICE("hall"), .from = {&net, 1}, .limits = {.tunnels = 2}};
    const struct budget_rules none = {.range_count = 0};
    const struct budget_rules one = {.ranges = &lab, .range_count = 1};
    const struct budget_rules other = {.ranges = &hall, .range_count = 1};
    struct budget first = join(&none, "192.0.2.1");
    struct budget second = join(&none, "192.0.2.2");
    struct budget tunnel;
    (void)state;
    assert_int_equal(take(&first, BUDGET_TUNNELS), ST_OK);
    (void)use(&first, &one, "192.0.2.1");
    (void)use(&second, &one, "192.0.2.2");
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_RANGE), 1);
    assert_int_equal(take(&second, BUDGET_TUNNELS), ST_LIMIT);
    (void)use(&first, &one, "192.0.2.1"); /* the same: nothing is counted twice */
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_RANGE), 1);
    budget_move(&first, &tunnel);
    (void)use(&tunnel, &one, NULL);
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_RANGE), 1);
    (void)use(&tunnel, &other, NULL);
    (void)use(&second, &other, "192.0.2.2");
    assert_null(tunnel.of[PARTY_RANGE]);
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_RANGE), 0);
    assert_int_equal(take(&second, BUDGET_TUNNELS), ST_OK);
    (void)use(&second, &none, "192.0.2.2");
    assert_int_equal(budget_open(&second, BUDGET_TUNNELS, PARTY_ALL), 2);
    budget_leave(&tunnel);
    budget_leave(&second);
}

/* A debt at a slow rate is not one at a fast rate, and there is none without a rate. */
static void other_rates_hold_for_who_is_there(void **state)
{
    const struct budget_rules slow = {.per_client = {.bandwidth = 1024}};
    const struct budget_rules fast = {.per_client = {.bandwidth = 1 << 20}};
    const struct budget_rules any = {.range_count = 0};
    struct budget budget = join(&slow, "192.0.2.1");
    uint64_t wait_ns = 0;
    (void)state;
    assert_false(use(&budget, &slow, "192.0.2.1"));
    budget_moved(&budget, BUDGET_UP, 1 << 20, now_ns);
    assert_int_equal(budget_may_move(&budget, BUDGET_UP, now_ns, &wait_ns), 0);
    assert_true(wait_ns > 900 * NS_PER_S);
    assert_true(use(&budget, &fast, "192.0.2.1"));
    assert_int_equal(budget_debt_ns(&budget, now_ns), 0);
    assert_int_equal(budget_may_move(&budget, BUDGET_UP, now_ns, &wait_ns),
                     0); /* no more than an empty bucket */
    assert_true(wait_ns < NS_PER_S / 4);
    assert_true(use(&budget, &any, "192.0.2.1"));
    assert_false(budget.is_metered);
    assert_true(use(&budget, &slow, "192.0.2.1"));
    assert_true(budget.is_metered);
    budget_leave(&budget);
}

static void requests_come_at_their_rate(void **state)
{
    const struct budget_rules rules = {.all = {.requests = 4}, .per_client = {.requests = 2}};
    struct budget_refusal refusal;
    struct budget one = join(&rules, "192.0.2.1");
    struct budget other = join(&rules, "192.0.2.2");
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(budget_ask(&one, PARTIES_CLIENT, now_ns, &refusal), ST_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(budget_ask(&one, PARTIES_CLIENT, now_ns, &refusal), ST_LIMIT);
        assert_string_equal(refusal.key, "limits.per_client.requests");
        assert_int_equal(refusal.wait_ns, NS_PER_S / 2);
    }
    budget_leave(&one);
    one = join(&rules, "192.0.2.1");
    assert_int_equal(budget_ask(&one, PARTIES_CLIENT, now_ns, &refusal), ST_LIMIT);
    for (int i = 0; i < 2; i++)
        assert_int_equal(budget_ask(&other, PARTIES_CLIENT, now_ns, &refusal), ST_OK);
    assert_int_equal(budget_ask(&other, PARTIES_CLIENT, now_ns, &refusal), ST_LIMIT);
    assert_string_equal(refusal.key, "limits.requests");
    assert_int_equal(budget_ask(&one, PARTIES_CLIENT, now_ns + NS_PER_S / 2, &refusal), ST_OK);
    budget_leave(&one);
    budget_leave(&other);
}

/* Over ten seconds of asking at every millisecond no more goes than the rate and what the bucket holds. */
static void bytes_go_at_their_rate(void **state)
{
    static const uint64_t rates[] = {1024, 50000, 1 << 20, 1000000000, BUDGET_RATE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const struct budget_rules rules = {.per_client = {.bandwidth = rates[i]}};
        struct budget budget = join(&rules, "192.0.2.1");
        uint64_t sum = 0;
        uint64_t wait_ns = 0;
        uint64_t began_ns = now_ns * (i + 2);
        for (uint64_t ms = 0; ms < 10000; ms++) {
            uint64_t at_ns = began_ns + ms * NS_PER_MS;
            uint64_t bytes = budget_may_move(&budget, BUDGET_DOWN, at_ns, &wait_ns);
            assert_true(bytes > 0 || wait_ns > 0);
            budget_moved(&budget, BUDGET_DOWN, bytes, at_ns);
            sum += bytes;
        }
        uint64_t held = rates[i] / 8 > 16384 ? rates[i] / 8 : 16384;
        assert_in_range(sum, rates[i] * 9, rates[i] * 10 + held);
        assert_int_not_equal(budget_may_move(&budget, BUDGET_UP, began_ns, &wait_ns), 0);
        budget_leave(&budget);
    }
}

/* After the wait that was told some may go. */
static void a_wait_is_long_enough(void **state)
{
    const struct budget_rules rules = {.all = {.bandwidth = 300000},
                                       .per_client = {.bandwidth = 7777}};
    struct budget budget = join(&rules, "192.0.2.1");
    uint64_t at_ns = now_ns;
    uint64_t wait_ns = 0;
    (void)state;
    budget_moved(&budget, BUDGET_UP, 1 << 20, at_ns); /* a debt */
    for (int i = 0; i < 100; i++) {
        size_t bytes = budget_may_move(&budget, BUDGET_UP, at_ns, &wait_ns);
        if (bytes > 0) {
            budget_moved(&budget, BUDGET_UP, bytes, at_ns);
        } else {
            at_ns += wait_ns;
            assert_int_not_equal(budget_may_move(&budget, BUDGET_UP, at_ns, &wait_ns), 0);
        }
    }
    budget_leave(&budget);
}

/* What a bucket holds is not owed; what goes beyond is, by whichever way and account it is the longest. */
static void a_debt_is_what_a_bucket_did_not_hold(void **state)
{
    const struct budget_rules rules = {.all = {.bandwidth = 1 << 20},
                                       .per_client = {.bandwidth = 1 << 16}};
    struct budget budget = join(&rules, "192.0.2.77");
    (void)state;
    assert_int_equal(budget_debt_ns(&budget, now_ns), 0);
    budget_moved(&budget, BUDGET_UP, 1 << 14, now_ns);
    assert_int_equal(budget_debt_ns(&budget, now_ns), 0);
    budget_moved(&budget, BUDGET_UP, 1 << 14, now_ns);
    assert_int_equal(budget_debt_ns(&budget, now_ns), NS_PER_S / 4);
    budget_moved(&budget, BUDGET_DOWN, (1 << 14) + (1 << 16), now_ns);
    assert_int_equal(budget_debt_ns(&budget, now_ns), NS_PER_S);
    assert_int_equal(budget_debt_ns(&budget, now_ns + NS_PER_S), 0);
    budget_leave(&budget);
}

static atomic_uint most_open;

static void *rush(void *argument)
{
    const struct budget_rules *rules = argument;
    for (int i = 0; i < TRIES; i++) {
        struct budget budget = join(rules, "192.0.2.1");
        if (take(&budget, BUDGET_TUNNELS) == ST_OK) {
            unsigned open = budget_open(&budget, BUDGET_TUNNELS, PARTY_CLIENT);
            unsigned before = atomic_load(&most_open);
            while (open > before && !atomic_compare_exchange_weak(&most_open, &before, open)) {
            }
        }
        budget_leave(&budget);
    }
    return NULL;
}

static void counts_hold_over_threads(void **state)
{
    struct budget_rules rules = {.per_client = {.tunnels = PLACES}};
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rush, &rules), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&most_open), 1, PLACES);
    struct budget budget = join(&rules, "192.0.2.1");
    assert_int_equal(budget_open(&budget, BUDGET_TUNNELS, PARTY_CLIENT), 0);
    budget_leave(&budget);
}

/* Many clients that come and go leave no more behind than a bounded number. */
static void clients_that_went_are_forgotten(void **state)
{
    const struct budget_rules rules = {.per_client = {.requests = 1}};
    struct budget_refusal refusal;
    (void)state;
    for (uint32_t i = 0; i < 200000; i++) {
        struct inet_addr addr = {INET_V4, {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        struct budget budget;
        assert_int_equal(budget_join(ledger, &rules, &addr, 0, &budget), ST_OK);
        assert_int_equal(budget_ask(&budget, PARTIES_CLIENT, now_ns, &refusal), ST_OK);
        budget_leave(&budget);
    }
    assert_in_range(ledger_accounts(ledger), 1, LEDGER_RESTING_MAX + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refusal_leaves_all_accounts_as_they_were, begin, end),
        cmocka_unit_test_setup_teardown(clients_are_addresses_and_networks_of_64_bits, begin, end),
        cmocka_unit_test_setup_teardown(a_change_of_user_gives_back_what_was_held, begin, end),
        cmocka_unit_test_setup_teardown(long_names_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(what_is_moved_is_given_back_by_the_new_owner, begin, end),
        cmocka_unit_test_setup_teardown(other_limits_hold_for_who_is_there, begin, end),
        cmocka_unit_test_setup_teardown(other_ranges_count_who_is_there, begin, end),
        cmocka_unit_test_setup_teardown(other_rates_hold_for_who_is_there, begin, end),
        cmocka_unit_test_setup_teardown(requests_come_at_their_rate, begin, end),
        cmocka_unit_test_setup_teardown(bytes_go_at_their_rate, begin, end),
        cmocka_unit_test_setup_teardown(a_wait_is_long_enough, begin, end),
        cmocka_unit_test_setup_teardown(a_debt_is_what_a_bucket_did_not_hold, begin, end),
        cmocka_unit_test_setup_teardown(counts_hold_over_threads, begin, end),
        cmocka_unit_test_setup_teardown(clients_that_went_are_forgotten, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
