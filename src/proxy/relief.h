#ifndef FAIRLEAD_PROXY_RELIEF_H
#define FAIRLEAD_PROXY_RELIEF_H

#include "budget/ceiling.h"
#include "budget/ledger.h"

#include <stdbool.h>
#include <stddef.h>

struct proxy;

/* What is done when memory runs short (budget/ceiling): first what is idle goes, then newcomers are refused, those
 * first who have much already; what is under way goes on. Thread: the worker's. */

/* Look how it stands after `grown` more bytes, and give up what is idle where that is called for. */
void relief_look(struct proxy *proxy, size_t grown);
/* May this one have another connection or tunnel, by the last look? */
bool relief_lets_in(const struct proxy *proxy, const struct budget *budget);

#endif
