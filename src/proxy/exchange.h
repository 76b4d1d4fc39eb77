#ifndef FAIRLEAD_PROXY_EXCHANGE_H
#define FAIRLEAD_PROXY_EXCHANGE_H

#include "base/list.h"
#include "codec/stream.h"
#include "proxy/failure.h"
#include "record/record.h"

#include <stdbool.h>

/* One request and its response across the proxy. exchange.c tells the steps of its life.
 *
 *   X1  an exchange belongs to its client and ends before it.
 *   X2  at most one final head is sent downstream.
 *   X3  the events of its streams come here, while it has them.
 *   X4  nothing is forwarded before the gate allowed name and address.
 *   X5  it knows streams, never a protocol version. */
struct exchange;
struct client;

/* Begin an exchange on `down`, a stream of the client's codec. A fault that the stream tells of is answered, and
 * `head` is what the codec understood of the request. False: out of memory, the client must close. The exchange
 * may have ended on return. */
bool exchange_begin(struct client *client, struct stream *down, const struct head *head,
                    struct framing body);
/* The head does not arrive, or is waited for no longer: answer with `cause`. `rule` is the limit, "" where the cause
 * says it; `head` as with a fault. False: out of memory. */
bool exchange_begin_late(struct client *client, struct stream *down, const struct head *head,
                         enum cause cause, const char *rule);
/* Memory is short, and nothing of its bodies moves: where that is so still, it is given up, with 503 if there was no
 * head. */
void exchange_relieve(struct exchange *exchange);
/* When the request of an open exchange, a link of client->exchanges, began: monotonic. */
uint64_t exchange_begun_ns(struct link *link, uint64_t *ret_id);
/* Its record so far; nothing of it changes. Between two turns of the loop. */
void exchange_describe(struct link *link, struct record *into);
/* End it now (drain); the client closes. */
void exchange_end(struct exchange *exchange, enum record_end end);

#endif
