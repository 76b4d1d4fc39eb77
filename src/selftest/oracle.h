#ifndef FAIRLEAD_SELFTEST_ORACLE_H
#define FAIRLEAD_SELFTEST_ORACLE_H

#include "base/inet.h"
#include "base/slice.h"
#include "config/snapshot.h"
#include "server/interfaces.h"

#include <stdbool.h>
#include <stddef.h>

/* What must be refused, said a second time: its own lists, its own comparisons, its own unwrapping. It shares no
 * code and no table with the gate, so that a slip in the gate cannot hide behind itself. */

enum oracle_verdict {
    ORACLE_FREE,      /* nothing is said against it */
    ORACLE_OPENED,    /* it would be refused, but for the operator's setting that `rule` names */
    ORACLE_FORBIDDEN, /* `rule` holds it */
};

enum {
    ORACLE_RULE_TEXT = 120,
    ORACLE_RANGES_MAX = 64,
    ORACLE_FLOORS_MAX = 32,
    ORACLE_OWN_MAX = 72
};

struct oracle_finding {
    enum oracle_verdict verdict;
    /* In the words that the gate begins its own with: "default-deny 10.0.0.0/8"; empty for ORACLE_FREE. */
    char rule[ORACLE_RULE_TEXT];
};

/* A range as bits to compare. */
struct oracle_range {
    struct inet_addr addr;
    unsigned bits;
    const char *text;
};

/* Embedded by its owner. */
struct oracle {
    struct oracle_range ranges[ORACLE_RANGES_MAX];
    size_t range_count;
    struct oracle_range floors[ORACLE_FLOORS_MAX];
    size_t floor_count;
    const struct config *config;         /* the openings; borrowed */
    const struct interfaces *interfaces; /* borrowed */
    /* What is asked for, where that is known: rules that name other hosts open nothing for it. Set by the owner. */
    struct slice asked_name;
    const struct inet_addr *asked_addr;
    struct inet_endpoint own[ORACLE_OWN_MAX]; /* the sockets of the configuration, admin included */
    size_t own_count;
};

/* Judge under `snapshot`, as this machine is. Both are borrowed. */
void oracle_init(struct oracle *oracle, const struct snapshot *snapshot,
                 const struct interfaces *interfaces);

/* May this address be dialled? With all that it may carry. */
struct oracle_finding oracle_judge_address(const struct oracle *oracle,
                                           const struct inet_endpoint *endpoint);
/* May a request go to this port? */
struct oracle_finding oracle_judge_port(const struct oracle *oracle, uint16_t port,
                                        bool is_connect);
/* May this name (canonical) be asked for? */
struct oracle_finding oracle_judge_name(const struct oracle *oracle, struct slice name);
/* May this address be asked for by itself, without a name? */
struct oracle_finding oracle_judge_literal(const struct oracle *oracle,
                                           const struct inet_addr *addr);
/* Is all that the configuration says against a request known here? Otherwise rules may refuse what is free. */
bool oracle_is_sure(const struct oracle *oracle);
/* The graver of two. */
struct oracle_finding oracle_worse(struct oracle_finding a, struct oracle_finding b);

/* Is `rule`, with which the address was refused, one that must hold it? True for rules that come from elsewhere than
 * the deny list and the floor. `ret_missing` gets the words of the row that should have spoken. */
bool oracle_accepts_rule(const struct oracle *oracle, const struct inet_endpoint *endpoint,
                         struct slice rule, char ret_missing[ORACLE_RULE_TEXT]);

/* Rows, for those who make tries of them: "10.0.0.0/8"; NULL behind the last. */
const char *oracle_range_text(size_t index);
const char *oracle_floor_text(size_t index);
const char *oracle_name_text(size_t index);
/* A port that plain requests must not go to; 0 behind the last. */
uint16_t oracle_port_at(size_t index);

#endif
