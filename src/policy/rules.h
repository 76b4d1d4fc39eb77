#ifndef FAIRLEAD_POLICY_RULES_H
#define FAIRLEAD_POLICY_RULES_H

#include "policy/question.h"
#include "policy/rule.h"

#include "base/status.h"
#include "base/text.h"

/* The operator's rules, compiled. What a decision costs does not grow with the number of rules that name hosts,
 * users or client ranges: only those are looked at whose name, user or range was asked for, and those that have none
 * of the three. Made once, then only read, by all workers. */
struct rules;

/* A file of names, already read. */
struct rules_list {
    struct slice path; /* as rules name it */
    struct slice text; /* a name or *.name a line, '#' begins a comment */
};

struct rules_options {
    const struct rule
        *rules; /* borrowed, with all that they borrow, while the compiled ones live */
    size_t count;
    const struct rules_list *lists; /* for the time of the call */
    size_t list_count;
    struct gate_names allow; /* egress.allow: borrowed likewise */
    struct gate_names deny;  /* egress.deny */
};

/* What the rules say of a request. The first of each kind, in the order of the file. */
struct rules_decision {
    const struct rule *deny;
    const struct rule *allow;
    const struct rule *observed;       /* would deny, and only observes */
    const struct rule *port_opener;    /* allows, and has the port among its own */
    const struct rule *port_namer;     /* allows, and names it by number alone, not in a range */
    const struct rule *address_opener; /* allows, and names the address */
    bool is_in_allow;                  /* the name is one of egress.allow */
    bool is_in_deny;
};

/* Errors: ST_BAD a list holds something else than names, with a fault: "PATH:7: expected…"; *ret_rule is the
 * rule that names it. ST_LIMIT too many names. ST_NOMEM. */
enum status rules_create(const struct rules_options *options, struct text *fault, size_t *ret_rule,
                         struct rules **ret_rules) MUST_USE;
/* *rules is NULL afterwards. Takes a pointer to NULL. */
void rules_destroy(struct rules **rules);

/* Judge a request, or (`addr`, unmapped) one address that it would go to. Without one, rules that allow some addresses
 * allow, and rules that deny some do not deny yet. */
void rules_judge(const struct rules *rules, const struct gate_question *question,
                 const struct inet_addr *addr, struct rules_decision *ret_decision);
/* Are there names that are denied? */
bool rules_deny_names(const struct rules *rules);

/* Does any of them ask for the address? */
bool rules_name_addresses(const struct rules *rules);

size_t rules_count(const struct rules *rules);
const struct rule *rules_at(const struct rules *rules, size_t index);
/* The first condition of a rule that does not hold, or RULE_MATCHES. Without an address `to_address` is taken to
 * hold. */
enum rule_condition rules_compare(const struct rules *rules, size_t index,
                                  const struct gate_question *question,
                                  const struct inet_addr *addr);
/* Its key, as a file has it; "" for RULE_MATCHES. */
const char *rule_condition_key(enum rule_condition condition);

/* Names of lists. */
size_t rules_name_count(const struct rules *rules);

#endif
