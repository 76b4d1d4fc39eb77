/* Once more on a new connection, where one of the pool turned out to be dead.
 *
 * A pooled connection may have been closed by the origin while the request was on its way to it. Then no byte
 * of a response comes, and the request is sent again, once, if its method is idempotent (RFC 9110 §9.2.2, RFC
 * 9112 §9.3.1) and all of its body that went out is still at hand: a small one is kept until the origin
 * answers. What has not come from the client yet follows as it does the first time. */

#include "proxy/exchange_internal.h"

#include <string.h>

/* A block of this size for the time of one exchange, and only on a pooled connection. */
enum { RETRY_BODY_MAX = BLOCK_MEDIUM };

void retry_prepare(struct exchange *x, bool is_reused)
{
    const struct framing *body = &x->request_body;
    x->may_retry = is_reused && method_is_idempotent(x->method) &&
                   (body->kind != FRAMING_LENGTH || body->length <= RETRY_BODY_MAX);
}

void retry_keep(struct exchange *x, struct slice bytes)
{
    if (!x->may_retry)
        return;
    if (x->kept == NULL)
        x->kept = block_create(x->proxy->engine->shared.blocks, RETRY_BODY_MAX);
    if (x->kept == NULL || bytes.len > RETRY_BODY_MAX - x->kept_len) {
        retry_forget(x);
        return;
    }
    memcpy(x->kept->data + x->kept_len, bytes.at, bytes.len);
    x->kept_len += bytes.len;
}

void retry_forget(struct exchange *x)
{
    x->may_retry = false;
    if (x->resend.len > 0)
        return; /* it lies in the block, and is still to go out: an early answer came first */
    block_unref(&x->kept);
    x->kept_len = 0;
}

void retry_done(struct exchange *x)
{
    x->resend = SLICE_NONE;
    retry_forget(x);
}

bool retry_begin(struct exchange *x)
{
    struct stream_tally up;
    x->lease.stream->ops->tally(x->lease.stream, &up);
    if (!x->may_retry || up.received_bytes > 0) /* a response head takes may_retry away */
        return false;
    exchange_drop_upstream(x);
    x->has_retried = true;
    x->may_retry = false;
    x->request_done = x->request_sent = x->is_up_deaf = false;
    if (x->kept != NULL)
        x->resend = slice_of(x->kept->data, x->kept_len);
    timeline_clear(&x->timeline, MARK_U_TX0);
    timeline_clear(&x->timeline, MARK_U_TXH);
    timeline_clear(&x->timeline, MARK_U_TX1);
    counter_add(x->proxy->engine->counters, COUNT_RETRIES, 1);
    return true;
}
