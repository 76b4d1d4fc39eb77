#ifndef FAIRLEAD_POLICY_EXPLAIN_JSON_H
#define FAIRLEAD_POLICY_EXPLAIN_JSON_H

#include "policy/gate.h"

#include <stdio.h>

/* What policy/explain.h tells, as members of a JSON object for programs. docs/rules.md has them; those that are there
 * keep their names and meaning. Nothing is resolved or dialled. */

/* A string with its quotes, whatever bytes it has; `null` where it is empty. */
void explain_json_string(struct slice text, FILE *out);
/* The request stage: members "rules", "rules_not_listed", "default", "mode" and "request", without a comma behind.
 * True: it passes. */
bool explain_json_request(const struct gate *gate, const struct gate_question *question,
                          bool wants_all, FILE *out);
/* The address stage for one address, as an object. True: it passes. */
bool explain_json_address(const struct gate *gate, const struct gate_question *question,
                          const struct inet_endpoint *endpoint, FILE *out);

#endif
