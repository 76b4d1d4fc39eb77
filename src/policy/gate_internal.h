#ifndef FAIRLEAD_POLICY_GATE_INTERNAL_H
#define FAIRLEAD_POLICY_GATE_INTERNAL_H

#include "policy/gate.h"

#include "base/check.h"
#include "base/text.h"
#include "policy/sieve.h"

#include <stddef.h>

/* What the two stages share: gate.c (making, the request stage), gate_address.c (the address stage). */

enum { GATE_TAG = TAG('g', 'a', 't', 'e') };

struct gate {
    uint32_t tag;
    bool lends_rules; /* they are those of the gate it was made of */
    const struct egress_tables *tables;
    struct rules *rules; /* NULL: no rules and no names */
    /* Of the tables: most of what is asked is in no row. */
    struct sieve floors;
    struct sieve ranges;
    struct sieve ports;
    struct gate_options options; /* lists in `memory`, or in that of the gate it was made of */
    max_align_t memory[];
};

/* What answers are written with; the adders cut what does not fit. */
struct writer {
    struct gate_answer *answer;
    struct text rule;
    struct text remedy;
    bool is_rule; /* a rule refuses: its remedy is written, and is the only one */
};

struct writer writer_on(struct gate_answer *answer);
/* Always false: what a refusing stage returns. */
bool writer_refuse(struct writer *writer);
void text_add_addr(struct text *text, const struct inet_addr *addr);
void text_add_prefix(struct text *text, const struct inet_prefix *prefix);

const struct inet_prefix *gate_find(struct gate_prefixes prefixes, const struct inet_addr *addr);
int gate_order_addr(const void *a, const void *b);
/* What rules that deny make of it: one that observes is noted and passed over; where the policy observes, one that
 * denies lets pass, and what it denies opens nothing. False: it is refused, and said. */
bool gate_judge_denials(const struct gate *gate, struct rules_decision *decision,
                        struct writer *writer);
/* What rules made of a request or (NULL: none) one of its addresses. False: it is refused, and said. */
bool gate_judge_rules(const struct gate *gate, const struct gate_question *question,
                      const struct inet_addr *addr, struct rules_decision *ret_decision,
                      struct writer *writer);
/* Between two remedies; flags stand side by side. */
void remedy_join(struct text *remedy, bool is_flag);
/* All that opens an address: one that carries another is open when both are. False where nothing opens it; `remedy` is
 * empty then. */
bool gate_add_remedies(const struct gate *gate, const struct inet_endpoint *endpoint,
                       struct text *remedy);
/* The row of the default deny list that holds this address, or NULL. */
const struct egress_range *gate_find_default(const struct gate *gate, const struct inet_addr *addr);
/* The port, which a rule may have opened. */
bool gate_judge_port(const struct gate *gate, const struct gate_question *question,
                     const struct rules_decision *decision, struct writer *writer);

#endif
