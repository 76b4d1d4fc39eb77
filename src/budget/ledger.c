/* Accounts, found by a keyed hash of who they are for, in shards with a lock each. The lock is for finding and
 * forgetting; counting and charging are atomic steps on the account itself.
 *
 * A bucket is kept as one time, `full_ns`: when it will be full again (the generic cell rate algorithm). To take n
 * moves it on by n times the step of one; it may lie at most `depth` ahead. So a limit may change at any time, and a
 * bucket that nobody touches costs nothing. */

#include "budget/ledger.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/table.h"
#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 64,
    /* Of a shard, accounts that nobody holds: so many are kept so that who comes again needs no memory, */
    SHARD_RESTING_FULL = 8,
    /* and so many while their buckets are not full; beyond, the oldest is forgiven. */
    SHARD_RESTING_MAX = LEDGER_RESTING_MAX / SHARDS,
    SWEEP = 4,        /* at a time, since each newcomer does so */
    PIECE_MIN = 1024, /* less is not worth a call */
    DEPTH_MIN = 16 * 1024,
};

struct account {
    uint64_t key;
    struct shard *shard; /* NULL: the ledger's own, which is not found, held or forgotten */
    struct link resting; /* in the shard's list while nobody holds it */
    uint32_t holders;    /* under the shard's lock */
    atomic_uint open[BUDGET_COUNTS];
    atomic_uint_fast64_t full_ns[BUDGET_RATES];
};

struct shard {
    pthread_mutex_t lock;
    struct table accounts;
    struct link resting; /* longest first */
    size_t resting_count;
};

struct ledger {
    struct account all; /* everybody's, in which each connection is */
    struct shard shards[SHARDS];
};

struct ledger *ledger_create(void)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    for (size_t i = 0; ledger != NULL && i < SHARDS; i++) {
        struct shard *shard = &ledger->shards[i];
        (void)pthread_mutex_init(&shard->lock, NULL);
        table_init(&shard->accounts);
        link_init(&shard->resting);
    }
    return ledger;
}

/* Of those that nobody holds. */
static void account_drop(struct account *account)
{
    struct shard *shard = account->shard;
    link_remove(&account->resting);
    shard->resting_count--;
    (void)table_remove(&shard->accounts, account->key, account);
    free(account);
}

void ledger_destroy(struct ledger **ledger)
{
    for (size_t i = 0; *ledger != NULL && i < SHARDS; i++) {
        struct shard *shard = &(*ledger)->shards[i];
        LIST_EACH(link, &shard->resting)
            account_drop(CONTAINER_OF(link, struct account, resting));
        CHECK(shard->accounts.count == 0);
        table_done(&shard->accounts);
        (void)pthread_mutex_destroy(&shard->lock);
    }
    free(*ledger);
    *ledger = NULL;
}

size_t ledger_accounts(struct ledger *ledger)
{
    size_t count = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_lock(&ledger->shards[i].lock);
        count += ledger->shards[i].accounts.count;
        (void)pthread_mutex_unlock(&ledger->shards[i].lock);
    }
    return count;
}

/* ---- accounts ---- */

static bool account_is_full(const struct account *account, uint64_t now_ns)
{
    for (size_t i = 0; i < BUDGET_RATES; i++) {
        if (atomic_load_explicit(&account->full_ns[i], memory_order_relaxed) > now_ns)
            return false;
    }
    return true;
}

/* Forget what has nothing to remember any more. */
static void shard_sweep(struct shard *shard, uint64_t now_ns)
{
    int dropped = 0;
    LIST_EACH(link, &shard->resting) {
        struct account *oldest = CONTAINER_OF(link, struct account, resting);
        bool is_kept =
            !account_is_full(oldest, now_ns) && shard->resting_count <= SHARD_RESTING_MAX;
        if (is_kept || shard->resting_count <= SHARD_RESTING_FULL || dropped++ == SWEEP)
            return;
        account_drop(oldest);
    }
}

/* Two keys that collide share a budget; nobody can choose such, since the hash is keyed. */
static bool account_has_key(const void *entry, const void *key)
{
    return ((const struct account *)entry)->key == *(const uint64_t *)key;
}

static struct account *account_hold(struct ledger *ledger, uint64_t key)
{
    struct shard *shard = &ledger->shards[key >> 58];
    (void)pthread_mutex_lock(&shard->lock);
    struct account *account = table_find(&shard->accounts, key, account_has_key, &key);
    if (account == NULL) {
        shard_sweep(shard, clock_monotonic_ns());
        account = calloc(1, sizeof(*account));
        if (account != NULL) {
            account->key = key;
            account->shard = shard;
            link_init(&account->resting);
            if (table_add(&shard->accounts, key, account) != ST_OK) {
                free(account);
                account = NULL;
            }
        }
    }
    if (account != NULL && link_is_linked(&account->resting)) {
        link_remove(&account->resting);
        shard->resting_count--;
    }
    if (account != NULL)
        account->holders++;
    (void)pthread_mutex_unlock(&shard->lock);
    return account;
}

static void account_release(struct account **held)
{
    struct account *account = *held;
    *held = NULL;
    if (account == NULL || account->shard == NULL)
        return;
    struct shard *shard = account->shard;
    (void)pthread_mutex_lock(&shard->lock);
    CHECK(account->holders > 0);
    if (--account->holders == 0) {
        list_append(&shard->resting, &account->resting);
        shard->resting_count++;
    }
    (void)pthread_mutex_unlock(&shard->lock);
}

static bool count_up(atomic_uint *open, uint64_t limit)
{
    unsigned before = atomic_load_explicit(open, memory_order_relaxed);
    do {
        if (limit > 0 && before >= limit)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(open, &before, before + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void count_down(atomic_uint *open)
{
    unsigned before = atomic_fetch_sub_explicit(open, 1, memory_order_relaxed);
    CHECK(before > 0);
}

/* How long `amount` takes at `rate` a second. No rate is beyond BUDGET_RATE_MAX, so that nothing overflows. */
static uint64_t span_of(uint64_t amount, uint64_t rate)
{
    return amount / rate * NS_PER_S + amount % rate * NS_PER_S / rate;
}

/* An eighth of a second's worth may go at once, and never less than a few packets. */
static uint64_t bandwidth_depth_ns(uint64_t rate)
{
    uint64_t least = span_of(DEPTH_MIN, rate);
    return least > NS_PER_S / 8 ? least : NS_PER_S / 8;
}

/* ---- whose they are ---- */

/* Of all of the name, however long: what is hashed a second time is its hash. */
static uint64_t key_of(enum budget_party party, struct slice who)
{
    uint64_t words[] = {(uint64_t)party, table_hash(who)};
    return table_hash(slice_of((const char *)words, sizeof(words)));
}

static uint64_t client_key(const struct inet_addr *addr, uint32_t uid)
{
    char bytes[1 + 8] = {0};
    struct inet_addr plain = inet_addr_unmap(addr);
    bytes[0] = (char)plain.family;
    if (plain.family == INET_NONE)
        memcpy(bytes + 1, &uid, sizeof(uid));
    else /* whoever has an IPv6 address has a /64 */
        memcpy(bytes + 1, plain.bytes, plain.family == INET_V4 ? 4 : 8);
    return key_of(PARTY_CLIENT, slice_of(bytes, sizeof(bytes)));
}

static uint32_t range_of(const struct budget_rules *rules, const struct inet_addr *addr)
{
    struct inet_addr plain = inet_addr_unmap(addr);
    for (size_t i = 0; i < rules->range_count; i++) {
        const struct budget_range *range = &rules->ranges[i];
        for (size_t j = 0; j < range->from.count; j++) {
            if (inet_prefix_contains(&range->from.at[j], &plain))
                return (uint32_t)i + 1;
        }
    }
    return 0;
}

static const struct budget_limits *limits_of(const struct budget *budget, enum budget_party party)
{
    const struct budget_rules *rules = budget->rules;
    switch (party) {
    case PARTY_ALL: return &rules->all;
    case PARTY_RANGE: return &rules->ranges[budget->range - 1].limits;
    case PARTY_CLIENT: return &rules->per_client;
    case PARTY_USER: return &rules->per_user;
    case BUDGET_PARTIES: break;
    }
    CHECK(false);
    return NULL;
}

static void budget_weigh(struct budget *budget)
{
    budget->is_metered = false;
    for (enum budget_party party = PARTY_ALL; party < BUDGET_PARTIES; party++) {
        budget->bandwidth[party] =
            budget->of[party] == NULL ? 0 : limits_of(budget, party)->bandwidth;
        budget->is_metered |= budget->bandwidth[party] > 0;
    }
}

enum status budget_join(struct ledger *ledger, const struct budget_rules *rules,
                        const struct inet_addr *addr, uint32_t uid, struct budget *ret_budget)
{
    struct budget budget = {.ledger = ledger, .rules = rules};
    budget.range = addr->family == INET_NONE ? 0 : range_of(rules, addr);
    budget.of[PARTY_ALL] = &ledger->all;
    budget.of[PARTY_CLIENT] = account_hold(ledger, client_key(addr, uid));
    if (budget.range > 0)
        budget.of[PARTY_RANGE] =
            account_hold(ledger, key_of(PARTY_RANGE, rules->ranges[budget.range - 1].name));
    bool is_whole =
        budget.of[PARTY_CLIENT] != NULL && (budget.range == 0 || budget.of[PARTY_RANGE] != NULL);
    if (!is_whole) {
        budget_leave(&budget);
        return ST_NOMEM;
    }
    budget_weigh(&budget);
    *ret_budget = budget;
    return ST_OK;
}

void budget_leave(struct budget *budget)
{
    for (enum budget_count count = BUDGET_CONNECTIONS; count < BUDGET_COUNTS; count++)
        budget_give(budget, count);
    for (size_t i = 0; i < BUDGET_PARTIES; i++)
        account_release(&budget->of[i]);
    *budget = (struct budget){.ledger = NULL};
}

void budget_move(struct budget *from, struct budget *ret_to)
{
    *ret_to = *from;
    ret_to->rules = NULL;
    *from = (struct budget){.ledger = NULL};
}

/* Not counted with this party any more. */
static void budget_forget(struct budget *budget, enum budget_party party)
{
    for (size_t count = 0; budget->of[party] != NULL && count < BUDGET_COUNTS; count++) {
        if ((budget->held[count] & 1U << party) != 0)
            count_down(&budget->of[party]->open[count]);
        budget->held[count] &= (uint8_t) ~(1U << party);
    }
    account_release(&budget->of[party]);
}

enum status budget_set_user(struct budget *budget, struct slice user)
{
    if (budget->ledger == NULL)
        return ST_OK;
    uint64_t key = key_of(PARTY_USER, user);
    struct account *old = budget->of[PARTY_USER];
    if (user.len > 0 && old != NULL && old->key == key)
        return ST_OK;
    budget_forget(budget, PARTY_USER);
    if (user.len > 0)
        budget->of[PARTY_USER] = account_hold(budget->ledger, key);
    budget_weigh(budget);
    return user.len == 0 || budget->of[PARTY_USER] != NULL ? ST_OK : ST_NOMEM;
}

/* Another range, or none: what is open is counted there, whatever its limit is. */
static void budget_set_range(struct budget *budget, uint32_t range)
{
    uint64_t key = range == 0 ? 0 : key_of(PARTY_RANGE, budget->rules->ranges[range - 1].name);
    struct account *old = budget->of[PARTY_RANGE];
    budget->range = range;
    if (range > 0 && old != NULL && old->key == key)
        return;
    budget_forget(budget, PARTY_RANGE);
    if (range > 0)
        budget->of[PARTY_RANGE] = account_hold(budget->ledger, key);
    if (budget->of[PARTY_RANGE] == NULL)
        budget->range = 0;
    for (size_t count = 0; budget->range > 0 && count < BUDGET_COUNTS; count++) {
        if ((budget->held[count] & 1U << PARTY_ALL) == 0)
            continue;
        (void)count_up(&budget->of[PARTY_RANGE]->open[count], /* limit= */ 0);
        budget->held[count] |= 1U << PARTY_RANGE;
    }
}

/* The range of the same name; 0: there is none. */
static uint32_t range_of_account(const struct budget_rules *rules, const struct account *account)
{
    for (size_t i = 0; account != NULL && i < rules->range_count; i++) {
        if (key_of(PARTY_RANGE, rules->ranges[i].name) == account->key)
            return (uint32_t)i + 1;
    }
    return 0;
}

/* Not more ahead than an empty bucket is: a debt of minutes at a slow rate may be one of milliseconds at a fast one.
 * May be repeated, since all that share the account do so. */
static void bucket_forgive(atomic_uint_fast64_t *full_ns, uint64_t most_ns)
{
    uint64_t before = atomic_load_explicit(full_ns, memory_order_relaxed);
    while (before > most_ns &&
           !atomic_compare_exchange_weak_explicit(full_ns, &before, most_ns, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

bool budget_use_rules(struct budget *budget, const struct budget_rules *rules, bool keeps,
                      const struct inet_addr *addr, uint64_t now_ns)
{
    bool has_changed = false;
    uint64_t old[BUDGET_PARTIES];
    if (budget->ledger == NULL)
        return false;
    memcpy(old, budget->bandwidth, sizeof(old));
    budget->rules = rules;
    if (addr == NULL)
        budget_set_range(budget, range_of_account(rules, budget->of[PARTY_RANGE]));
    else
        budget_set_range(budget, addr->family == INET_NONE ? 0 : range_of(rules, addr));
    budget_weigh(budget);
    for (enum budget_party party = PARTY_ALL; party < BUDGET_PARTIES; party++) {
        uint64_t rate = budget->bandwidth[party];
        if (rate == old[party])
            continue;
        has_changed = true;
        for (enum budget_rate way = BUDGET_UP; rate > 0 && way <= BUDGET_DOWN; way++)
            bucket_forgive(&budget->of[party]->full_ns[way], now_ns + bandwidth_depth_ns(rate));
    }
    if (!keeps)
        budget->rules = NULL;
    return has_changed;
}

/* ---- refusals ---- */

static enum status refuse(const struct budget *budget, enum budget_party party, const char *what,
                          uint64_t limit, uint64_t wait_ns, struct budget_refusal *ret_refusal)
{
    static const char *const places[] = {
        [PARTY_ALL] = "", [PARTY_CLIENT] = "per_client.", [PARTY_USER] = "per_user."};
    ret_refusal->party = party;
    ret_refusal->limit = limit;
    ret_refusal->wait_ns = wait_ns;
    struct text text = text_on(ret_refusal->key, sizeof(ret_refusal->key));
    if (party == PARTY_RANGE) {
        struct slice name = budget->rules->ranges[budget->range - 1].name;
        text_add_format(&text, "limits.ranges(%.*s).%s", (int)name.len, name.at, what);
    } else {
        text_add_format(&text, "limits.%s%s", places[party], what);
    }
    (void)text_string(&text);
    return ST_LIMIT;
}

/* ---- what is open ---- */

static uint64_t count_limit(const struct budget_limits *limits, enum budget_count count)
{
    switch (count) {
    case BUDGET_CONNECTIONS: return limits->connections;
    case BUDGET_TUNNELS: return limits->tunnels;
    case BUDGET_HEADS: return limits->heads;
    case BUDGET_COUNTS: break;
    }
    CHECK(false);
    return 0;
}

static void count_down_all(const struct budget *budget, enum budget_count count, unsigned parties)
{
    for (enum budget_party party = PARTY_ALL; party < BUDGET_PARTIES; party++) {
        if (budget->of[party] != NULL && (parties & 1U << party) != 0)
            count_down(&budget->of[party]->open[count]);
    }
}

enum status budget_take(struct budget *budget, enum budget_count count, unsigned parties,
                        struct budget_refusal *ret_refusal)
{
    static const char *const words[] = {[BUDGET_CONNECTIONS] = "connections",
                                        [BUDGET_TUNNELS] = "tunnels",
                                        [BUDGET_HEADS] = "heads"};
    unsigned taken = 0;
    for (enum budget_party party = PARTY_ALL; party < BUDGET_PARTIES; party++) {
        struct account *account = budget->of[party];
        unsigned bit = 1U << party;
        if (account == NULL || (parties & bit) == 0 || (budget->held[count] & bit) != 0)
            continue;
        uint64_t limit = count_limit(limits_of(budget, party), count);
        if (!count_up(&account->open[count], limit)) {
            count_down_all(budget, count, taken);
            return refuse(budget, party, words[count], limit, 0, ret_refusal);
        }
        taken |= bit;
    }
    budget->held[count] |= (uint8_t)taken;
    return ST_OK;
}

void budget_give(struct budget *budget, enum budget_count count)
{
    count_down_all(budget, count, budget->held[count]);
    budget->held[count] = 0;
}

uint32_t budget_open(const struct budget *budget, enum budget_count count, enum budget_party party)
{
    const struct account *account = budget->of[party];
    return account == NULL ? 0 : atomic_load_explicit(&account->open[count], memory_order_relaxed);
}

/* ---- rates ---- */

/* Move a bucket on by `span_ns`, where it is not more than `depth_ns` ahead then; else tell for how long it is. */
static bool bucket_take(atomic_uint_fast64_t *full_ns, uint64_t now_ns, uint64_t span_ns,
                        uint64_t depth_ns, uint64_t *ret_wait_ns)
{
    uint64_t before = atomic_load_explicit(full_ns, memory_order_relaxed);
    for (;;) {
        uint64_t after = (before > now_ns ? before : now_ns) + span_ns;
        if (after > now_ns + depth_ns) {
            *ret_wait_ns = after - now_ns - depth_ns;
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(full_ns, &before, after, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}

/* The same without a bound: a debt. */
static void bucket_charge(atomic_uint_fast64_t *full_ns, uint64_t now_ns, uint64_t span_ns)
{
    uint64_t before = atomic_load_explicit(full_ns, memory_order_relaxed);
    uint64_t after;
    do {
        after = (before > now_ns ? before : now_ns) + span_ns;
    } while (!atomic_compare_exchange_weak_explicit(full_ns, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

/* A second's worth may come at once. */
enum status budget_ask(struct budget *budget, unsigned parties, uint64_t now_ns,
                       struct budget_refusal *ret_refusal)
{
    for (enum budget_party party = PARTY_ALL; party < BUDGET_PARTIES; party++) {
        struct account *account = budget->of[party];
        if (account == NULL || (parties & 1U << party) == 0)
            continue;
        uint64_t rate = limits_of(budget, party)->requests;
        uint64_t wait_ns = 0;
        if (rate == 0)
            continue;
        if (bucket_take(&account->full_ns[BUDGET_REQUESTS], now_ns, span_of(1, rate), NS_PER_S,
                        &wait_ns))
            continue;
        for (enum budget_party other = PARTY_ALL; other < party; other++) {
            bool was_charged = budget->of[other] != NULL && (parties & 1U << other) != 0 &&
                               limits_of(budget, other)->requests > 0;
            if (was_charged)
                (void)atomic_fetch_sub_explicit(&budget->of[other]->full_ns[BUDGET_REQUESTS],
                                                span_of(1, limits_of(budget, other)->requests),
                                                memory_order_relaxed);
        }
        return refuse(budget, party, "requests", rate, wait_ns, ret_refusal);
    }
    return ST_OK;
}

size_t budget_may_move(const struct budget *budget, enum budget_rate way, uint64_t now_ns,
                       uint64_t *ret_wait_ns)
{
    uint64_t least = SIZE_MAX;
    *ret_wait_ns = 0;
    for (enum budget_party party = PARTY_ALL; budget->is_metered && party < BUDGET_PARTIES;
         party++) {
        const struct account *account = budget->of[party];
        uint64_t rate = budget->bandwidth[party];
        if (rate == 0)
            continue;
        uint64_t full_ns = atomic_load_explicit(&account->full_ns[way], memory_order_relaxed);
        uint64_t ahead_ns = full_ns > now_ns ? full_ns - now_ns : 0;
        uint64_t depth_ns = bandwidth_depth_ns(rate);
        uint64_t piece_ns = span_of(PIECE_MIN, rate);
        if (ahead_ns + piece_ns >
            depth_ns) { /* wait for a quarter of the depth, so as not to move crumbs */
            uint64_t until_ns = ahead_ns - (depth_ns - depth_ns / 4);
            uint64_t wait_ns = ahead_ns > depth_ns - depth_ns / 4 ? until_ns : 1;
            *ret_wait_ns = wait_ns > *ret_wait_ns ? wait_ns : *ret_wait_ns;
            least = 0;
            continue;
        }
        uint64_t bytes = (depth_ns - ahead_ns) * rate / NS_PER_S;
        least = bytes < least ? bytes : least;
    }
    return (size_t)least;
}

uint64_t budget_debt_ns(const struct budget *budget, uint64_t now_ns)
{
    uint64_t debt_ns = 0;
    for (enum budget_party party = PARTY_ALL; budget->is_metered && party < BUDGET_PARTIES;
         party++) {
        const struct account *account = budget->of[party];
        uint64_t rate = budget->bandwidth[party];
        if (rate == 0)
            continue;
        uint64_t up_ns = atomic_load_explicit(&account->full_ns[BUDGET_UP], memory_order_relaxed);
        uint64_t down_ns =
            atomic_load_explicit(&account->full_ns[BUDGET_DOWN], memory_order_relaxed);
        uint64_t full_ns = up_ns > down_ns ? up_ns : down_ns;
        uint64_t fine_ns = now_ns + bandwidth_depth_ns(rate);
        if (full_ns > fine_ns && full_ns - fine_ns > debt_ns)
            debt_ns = full_ns - fine_ns;
    }
    return debt_ns;
}

void budget_moved(const struct budget *budget, enum budget_rate way, uint64_t bytes,
                  uint64_t now_ns)
{
    for (enum budget_party party = PARTY_ALL; budget->is_metered && party < BUDGET_PARTIES;
         party++) {
        struct account *account = budget->of[party];
        uint64_t rate = budget->bandwidth[party];
        if (rate > 0 && bytes > 0)
            bucket_charge(&account->full_ns[way], now_ns, span_of(bytes, rate));
    }
}
