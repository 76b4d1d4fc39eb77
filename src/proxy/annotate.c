/* What a forwarded response, and the answer to a CONNECT, tell of how they came about, where the configuration asks for
 * it: Server-Timing (W3C) with the phases that can be over when the head leaves, from `client_tls` to `wait`;
 * Proxy-Status (RFC 9209). Lines of the origin stay, and ours comes behind them: both fields are lists.
 *
 * Names are the log's words with "fairlead-" in front, since the origin names its own phases in the same field. */

#include "proxy/exchange_internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/proxy_status.h"

enum { ANNOTATE_FIELD_MAX = 1024 };

static enum status annotate_add(struct exchange *x, struct head *head, struct slice name,
                                struct slice value)
{
    struct slice copy = arena_copy(&x->arena, value);
    return copy.at == NULL ? ST_NOMEM : fields_add(&head->fields, name, copy);
}

static enum status annotate_timing(struct exchange *x, struct head *head)
{
    char field[ANNOTATE_FIELD_MAX];
    struct text text = text_on(field, sizeof(field));
    for (int phase = PHASE_CLIENT_TLS; phase <= PHASE_WAIT; phase++) {
        uint64_t ns = 0;
        if (!timeline_phase(&x->timeline, (enum phase)phase, &ns))
            continue;
        uint64_t us = ns / NS_PER_US;
        text_add_format(&text, "%sfairlead-%s;dur=%llu.%03llu", text.len == 0 ? "" : ", ",
                        phase_word((enum phase)phase), (unsigned long long)(us / 1000),
                        (unsigned long long)(us % 1000));
    }
    return text.len == 0 ? ST_OK : annotate_add(x, head, SLICE("Server-Timing"), text_slice(&text));
}

static enum status annotate_status(struct exchange *x, struct head *head)
{
    char field[ANNOTATE_FIELD_MAX];
    char hop[INET_ENDPOINT_TEXT];
    char id[20];
    struct text text = text_on(field, sizeof(field));
    struct text id_text = text_on(id, sizeof(id));
    text_add_format(&id_text, "%016llx", (unsigned long long)x->id);
    inet_endpoint_format(&x->lease.upstream->peer, hop);
    struct proxy_status status = {.name = x->snapshot->via,
                                  .next_hop = slice_from_string(hop),
                                  .exchange_id = text_slice(&id_text),
                                  .received_status = x->upstream_status};
    proxy_status_write(&text, &status);
    return annotate_add(x, head, SLICE("Proxy-Status"), text_slice(&text));
}

enum status annotate_response(struct exchange *x, struct head *head)
{
    const struct config *config = exchange_config(x);
    enum status status = ST_OK;
    if (config->responses.has_timing)
        status = annotate_timing(x, head);
    if (status == ST_OK && config->responses.has_status)
        status = annotate_status(x, head);
    return status;
}
