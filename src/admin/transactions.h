#ifndef FAIRLEAD_ADMIN_TRANSACTIONS_H
#define FAIRLEAD_ADMIN_TRANSACTIONS_H

#include "admin/call.h"
#include "base/text.h"
#include "record/record.h"

/* The last transactions, as JSON. */

enum { TRANSACTIONS_LIMIT = 1000 };

/* GET /api/v1/transactions?limit=N&before=SEQUENCE */
void transactions_list(const struct call *call);
/* GET /api/v1/har?limit=N&filter=TERMS&ids=ID,ID */
void transactions_har(const struct call *call);
/* The exchange has ended. */
void transactions_forget(struct admin *admin, const struct exchange *exchange);

/* Add a record as the JSON log has it, with its number behind: no line feed. `into` needs TRANSACTION_ROOM. */
void transaction_add(const struct record *record, uint64_t sequence, struct text *into);
enum { TRANSACTION_ROOM = 32768 + 32 };

#endif
