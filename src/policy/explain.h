#ifndef FAIRLEAD_POLICY_EXPLAIN_H
#define FAIRLEAD_POLICY_EXPLAIN_H

#include "policy/gate.h"

#include <stdio.h>

/* Why the gate decides as it does: both stages as text for people, step by step. Nothing is resolved or dialled. */

enum {
    EXPLAIN_FEW = 20, /* as many rules are listed whole */
    EXPLAIN_OPENER = 320,
};

/* The request stage: rules that match (all of them with `wants_all`), and what decides. True: it passes. */
bool explain_request(const struct gate *gate, const struct gate_question *question, bool wants_all,
                     FILE *out);
/* The address stage for one address: what it is, whether it passes, by what, and what would open it. */
bool explain_address(const struct gate *gate, const struct gate_question *question,
                     const struct inet_endpoint *endpoint, FILE *out);

/* One address, judged. */
struct explain_judgement {
    struct inet_addr addr; /* as it would be dialled */
    bool passes;
    struct gate_answer answer;
    const struct egress_range *row; /* of the default deny list; NULL: it is public */
    char opened_by
        [EXPLAIN_OPENER]; /* what opened one of a row: "rule NAME", or a key of the configuration; else "" */
};

void explain_judge(const struct gate *gate, const struct gate_question *question,
                   const struct inet_endpoint *endpoint, struct explain_judgement *ret_judgement);

#endif
