#ifndef FAIRLEAD_BUDGET_LEDGER_H
#define FAIRLEAD_BUDGET_LEDGER_H

#include "base/status.h"
#include "budget/limits.h"

#include <stdbool.h>

/* Who has what open, and who had how much lately: one ledger for all workers.
 *
 * A connection has up to four accounts: everybody's, that of its range, of its client (an IPv4 address, an IPv6 /64,
 * the user behind a Unix socket) and of its user. What is open is counted in all of them or in none, by one atomic
 * step each, so that no limit is ever exceeded, whichever workers the parts are on. Rates are token buckets, each one
 * atomic word that all workers share: nothing is lent out, so nothing is overshot but by the one read or splice that
 * a worker has under way.
 *
 *   L1  a newcomer is refused; what is open goes on.
 *   L2  an account lives as long as something is open in it, and until its buckets are full again: whoever goes and
 *       comes back meets the bucket that he left. Only of very many such the oldest are forgotten before.
 *
 * Thread: any; a struct budget has one owner at a time. */
struct ledger;

enum budget_party { PARTY_ALL, PARTY_RANGE, PARTY_CLIENT, PARTY_USER, BUDGET_PARTIES };
enum budget_count { BUDGET_CONNECTIONS, BUDGET_TUNNELS, BUDGET_HEADS, BUDGET_COUNTS };
enum budget_rate { BUDGET_REQUESTS, BUDGET_UP, BUDGET_DOWN, BUDGET_RATES };

/* Sets of parties. */
enum {
    PARTIES_CLIENT = 1 << PARTY_ALL | 1 << PARTY_RANGE | 1 << PARTY_CLIENT, /* known at once */
    PARTIES_USER = 1 << PARTY_USER,
    PARTIES_EVERY = PARTIES_CLIENT | PARTIES_USER,
};

/* The accounts of a connection or of a tunnel, and what it has open in them. All zero: none, and nothing is limited. */
struct budget {
    struct ledger *ledger;
    const struct budget_rules *rules; /* NULL: it takes nothing more */
    struct account *of[BUDGET_PARTIES];
    uint32_t range;                     /* index of its range + 1; 0: none */
    uint8_t held[BUDGET_COUNTS];        /* parties with which this is counted */
    bool is_metered;                    /* one of its accounts has a bandwidth */
    uint64_t bandwidth[BUDGET_PARTIES]; /* of each account; 0: any */
};

/* Which limit was met. */
struct budget_refusal {
    enum budget_party party;
    char key[96];     /* "limits.per_client.tunnels" */
    uint64_t limit;   /* its value */
    uint64_t wait_ns; /* until trying again makes sense; 0: nobody knows */
};

/* Errors: NULL out of memory. */
struct ledger *ledger_create(void) MUST_USE;
/* Nothing is open any more. *ledger is NULL afterwards. Takes a pointer to NULL. */
void ledger_destroy(struct ledger **ledger);

/* Accounts of which nobody has anything open, at most. */
enum { LEDGER_RESTING_MAX = 16384 };
/* All accounts there are; for tests. */
size_t ledger_accounts(struct ledger *ledger);

/* Open the accounts of a client, but for its user's. `rules` outlives the budget; `uid` is whose process it is where
 * `addr` is INET_NONE. Errors: ST_NOMEM. */
enum status budget_join(struct ledger *ledger, const struct budget_rules *rules,
                        const struct inet_addr *addr, uint32_t uid,
                        struct budget *ret_budget) MUST_USE;
/* Give back what is held, and close the accounts. May be repeated, and takes one that was not joined. */
void budget_leave(struct budget *budget);
/* Other rules from now on. What is open stays counted, also beyond a lower limit, and moves to the range that `addr`
 * has now. Without an address it stays in its range, by name, or is in none any more. Gives whether a bandwidth
 * changed: what was owed at the old one is owed no longer than a full bucket takes, and who waits may ask again.
 * `keeps`: `rules` outlives the budget, which may take more; else as after budget_move. Out of memory it is in no
 * range. */
bool budget_use_rules(struct budget *budget, const struct budget_rules *rules, bool keeps,
                      const struct inet_addr *addr, uint64_t now_ns);
/* All of it has another owner from now on, which takes nothing more, and may outlive the rules; *from is all zero. */
void budget_move(struct budget *from, struct budget *ret_to);
/* The user's account instead of the one before, to which is given back what was held. Empty: none. `rules` as in
 * budget_join. Errors: ST_NOMEM, there is none then. */
enum status budget_set_user(struct budget *budget, struct slice user) MUST_USE;

/* One more is open, in all accounts of `parties` but those that it is counted in already. Errors: ST_LIMIT, and it is
 * counted in no more than before. */
enum status budget_take(struct budget *budget, enum budget_count count, unsigned parties,
                        struct budget_refusal *ret_refusal) MUST_USE;
/* One less, in all accounts. Takes one that is not held. */
void budget_give(struct budget *budget, enum budget_count count);
/* What is open in an account; 0 where there is none. */
uint32_t budget_open(const struct budget *budget, enum budget_count count, enum budget_party party);

/* One more request. Errors: ST_LIMIT, and it was charged to none. */
enum status budget_ask(struct budget *budget, unsigned parties, uint64_t now_ns,
                       struct budget_refusal *ret_refusal) MUST_USE;

/* How many bytes may go this way now: 0, and *ret_wait_ns is when to ask again, or at least a sensible piece. */
size_t budget_may_move(const struct budget *budget, enum budget_rate way, uint64_t now_ns,
                       uint64_t *ret_wait_ns);
/* How long until what went beyond the bandwidth, either way, is paid for; 0: nothing is owed. */
uint64_t budget_debt_ns(const struct budget *budget, uint64_t now_ns);
/* They went; also more than was asked for. */
void budget_moved(const struct budget *budget, enum budget_rate way, uint64_t bytes,
                  uint64_t now_ns);

#endif
