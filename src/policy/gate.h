#ifndef FAIRLEAD_POLICY_GATE_H
#define FAIRLEAD_POLICY_GATE_H

#include "base/host.h"
#include "base/inet.h"
#include "base/status.h"
#include "base/text.h"
#include "policy/egress.h"
#include "policy/question.h"
#include "policy/rules.h"

#include <stdbool.h>
#include <stddef.h>

/* The one gate before every dial, in two stages that both must pass.
 *
 *   request   on what was asked for: client range, names of the floor, rules, port.
 *   address   on each address that would be dialled, after unwrapping IPv4 inside IPv6.
 *
 * A name or a user never opens an address, only a range does: one of egress.allow, or one that the rule names that let
 * the request pass. Pure and by value: nothing is resolved or
 * dialled here. A gate is made once for a configuration snapshot and then only read, by all workers. */
struct gate;

struct gate_options {
    struct gate_prefixes allow; /* open part of the default deny list */
    struct gate_prefixes deny;
    struct gate_prefixes clients; /* where there are any, every other client is refused */
    const uint16_t *connect_ports;
    size_t connect_port_count;
    bool connects_any_port;      /* all but the bad ports, which must be named */
    const uint16_t *plain_ports; /* bad ports that plain requests may go to all the same */
    size_t plain_port_count;
    bool plain_any_port;
    /* Proxy listeners; an unspecified address counts for all local ones. */
    const struct inet_endpoint *own;
    size_t own_count;
    struct inet_endpoint admin;         /* the admin listener; INET_NONE: none */
    const struct inet_addr *interfaces; /* addresses of interfaces other than loopback */
    size_t interface_count;
    const struct inet_endpoint *floor_exceptions; /* port 0: any port */
    size_t floor_exception_count;
    struct gate_names floor_names; /* names of the floor that are opened */

    /* Names and rules: what stands above is looked at for every request. */
    struct gate_names allow_names;
    struct gate_names deny_names;
    const struct rule *rules; /* borrowed, with all that they borrow, while the gate lives */
    size_t rule_count;
    const struct rules_list *lists; /* that rules name */
    size_t list_count;
    /* What is named in no rule that matches: refused, or passes. Where nobody said which, it passes unless there are
     * `allow_names`; then literal addresses in `allow` pass as well. */
    bool has_default;
    bool denies_by_default;
    const struct egress_tables *tables; /* NULL: the built-in ones; tests take rows out */
    bool observes; /* rules and their default tell what they would deny, and let pass */
};

enum { GATE_TEXT = 160 };

/* Why, and what would change it. */
struct gate_answer {
    /* Written by a stage that refuses. */
    char rule[GATE_TEXT];   /* "default-deny 127.0.0.0/8 (loopback, RFC 1122)" */
    char remedy[GATE_TEXT]; /* the least that does: "--allow 127.0.0.1"; empty: nothing does */
    /* Written by one that lets pass: names of rules; they live as long as the gate. Empty: none. */
    struct slice allowed_by;
    struct slice would_deny; /* what only observes */
    bool tls_is_optional;    /* the rule that let it pass says so */
    bool has_judged;         /* rules were asked: what is empty above is so */
};

/* Copies all of `options` but the rules. Errors: ST_BAD, ST_LIMIT of lists, with a fault and the number of the rule
 * in *ret_rule; ST_NOMEM. */
enum status gate_create(const struct gate_options *options, struct text *fault, size_t *ret_rule,
                        struct gate **ret_gate) MUST_USE;
/* The same gate with other addresses of interfaces, which are copied; all other lists stay those of `gate`,
 * which must live longer. Errors: NULL out of memory. */
struct gate *gate_with_interfaces(const struct gate *gate, const struct inet_addr *addr,
                                  size_t count) MUST_USE;
/* *gate is NULL afterwards. Takes a pointer to NULL. */
void gate_destroy(struct gate **gate);

/* May this client connect at all? Clients of Unix sockets (INET_NONE) always may. */
bool gate_client(const struct gate *gate, const struct inet_addr *client);
/* The request stage. */
bool gate_request(const struct gate *gate, const struct gate_question *question,
                  struct gate_answer *ret_answer);
/* Are names refused? Then only the names that the request stage has seen may be looked up: a search list would
 * make others of them behind it. */
bool gate_denies_names(const struct gate *gate);
/* The address stage. Ask it again for every dial. `question` is what passed the request stage; NULL where nobody asks:
 * then no rule opens an address. */
bool gate_address(const struct gate *gate, const struct gate_question *question,
                  const struct inet_endpoint *endpoint, struct gate_answer *ret_answer);

/* What opens two addresses: `more` behind `remedy`, unless it is there already or has no room. Neither is empty. */
void gate_join_remedies(char remedy[GATE_TEXT], const char *more);

/* The rules, for explaining; NULL where there are none and no names. */
const struct rules *gate_rules(const struct gate *gate);

#endif
