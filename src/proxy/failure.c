/* The table of causes as rows. What depends on a cause (status, token, words) is read from here only. */

#include "proxy/failure.h"

#include "base/check.h"

#include <stddef.h>

static const struct failure_row rows[] = {
#define X(name, word, status, token, sentence) {word, token, sentence, status},
    FAILURES(X)
#undef X
};

const struct failure_row *failure_row(enum cause cause)
{
    CHECK((size_t)cause < COUNT_OF(rows));
    return &rows[cause];
}

const char *failure_setting(enum cause cause, unsigned status)
{
    switch (cause) {
    case CAUSE_BAD_REQUEST:
        return status == 414 ? "limits.target_bytes" : status == 431 ? "limits.head_bytes" : "";
    case CAUSE_RESPONSE_TOO_LARGE: return "limits.head_bytes";
    case CAUSE_TOO_SLOW: return "limits.head_rate, or limits.body_rate";
    case CAUSE_AUTH_THROTTLED: return "identity.throttle";
    case CAUSE_HEAD_TIMEOUT: return "timeouts.client_head";
    case CAUSE_DNS_TIMEOUT: return "timeouts.dns";
    case CAUSE_CONNECT_TIMEOUT: return "timeouts.connect";
    case CAUSE_TLS_TIMEOUT: return "timeouts.upstream_tls";
    case CAUSE_RESPONSE_TIMEOUT: return "timeouts.response_head";
    case CAUSE_BODY_TIMEOUT:
    case CAUSE_SEND_STALLED:
    case CAUSE_RESPONSE_STALLED: return "timeouts.body_stall";
    default: return "";
    }
}

bool failure_is_refusal(enum cause cause)
{
    return cause == CAUSE_REFUSED || cause == CAUSE_REFUSED_ADDRESS || cause == CAUSE_OVER_BUDGET ||
           cause == CAUSE_BUSY || cause == CAUSE_MEMORY ||
           (cause >= CAUSE_AUTH_NEEDED && cause <= CAUSE_AUTH_THROTTLED);
}

bool failure_is_denial(enum cause cause)
{
    return cause == CAUSE_REFUSED || cause == CAUSE_REFUSED_ADDRESS || cause == CAUSE_SNI_REFUSED ||
           cause == CAUSE_OVER_BUDGET || cause == CAUSE_BUSY || cause == CAUSE_MEMORY ||
           cause == CAUSE_AUTH_IMPOSSIBLE || cause == CAUSE_AUTH_THROTTLED ||
           cause == CAUSE_AUTH_BUSY;
}

void failure_add_message(enum cause cause, const char *detail, struct text *into)
{
    text_add(into, slice_from_string(failure_row(cause)->sentence));
    if (detail[0] != '\0')
        text_add_format(into, ": %s", detail);
}
