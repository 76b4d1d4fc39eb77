/* What the admin listener answers.
 *
 * A Host field that is not a loopback name or address is refused, so that a page in a browser cannot reach
 * these answers through a name of its own (DNS rebinding). Nothing here changes state. */

#include "admin/routes.h"

#include "base/check.h"
#include "base/host.h"
#include "http/fields.h"
#include "http/target.h"
#include "report/metrics_text.h"

#include <stdlib.h>

static bool admin_knows_host(const struct admin *admin, const struct head *request)
{
    const struct field *field = fields_find(&request->fields, TOKEN_HOST);
    struct slice name;
    struct host host;
    uint16_t port;
    enum host_fault fault;
    if (!admin->checks_host)
        return true;
    if (field == NULL ||
        target_parse_authority(field->value, &name, &host, &port, &fault) != TARGET_FAULT_NONE)
        return false;
    if (host.kind == HOST_NAME)
        return slice_equals(host_slice(&host), SLICE("localhost"));
    return inet_addr_is_loopback(&host.addr);
}

static void admin_metrics(const struct admin *admin, struct exchange *exchange)
{
    size_t room = metrics_text_room(NULL, 0);
    char *memory = malloc(room);
    if (memory == NULL) {
        exchange_answer(exchange, 503, "text/plain", SLICE("out of memory\n"));
        return;
    }
    struct text text = text_on(memory, room);
    metrics_text_add(admin->counters, admin->counter_count, NULL, 0, &text);
    exchange_answer(exchange, 200, METRICS_TEXT_TYPE, text_slice(&text));
    free(memory);
}

static void admin_pac(const struct admin *admin, struct exchange *exchange)
{
    char body[512];
    struct text text = text_on(body, sizeof(body));
    text_add_format(&text,
                    "function FindProxyForURL(url, host) {\n"
                    "  if (isPlainHostName(host) || host === \"localhost\") return \"DIRECT\";\n"
                    "  return \"%s %s\";\n}\n",
                    admin->proxy_is_tls ? "HTTPS" : "PROXY", admin->proxy_address);
    exchange_answer(exchange, 200, "application/x-ns-proxy-autoconfig", text_slice(&text));
}

static void admin_answer(const struct handler *handler, struct exchange *exchange,
                         const struct head *request, struct slice path)
{
    const struct admin *admin = handler->owner;
    path = slice_first(path, slice_find(path, '?'));
    bool is_read = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (!admin_knows_host(admin, request))
        exchange_answer(exchange, 421, "text/plain", SLICE("this Host is not known here\n"));
    else if (!is_read)
        exchange_answer(exchange, 405, "text/plain", SLICE("GET and HEAD only\n"));
    else if (slice_equals(path, SLICE("/healthz")))
        exchange_answer(exchange, 200, "text/plain", SLICE("ok\n"));
    else if (slice_equals(path, SLICE("/readyz")) && atomic_load(&admin->is_draining))
        exchange_answer(exchange, 503, "text/plain", SLICE("draining\n"));
    else if (slice_equals(path, SLICE("/readyz")))
        exchange_answer(exchange, 200, "text/plain", SLICE("ready\n"));
    else if (slice_equals(path, SLICE("/metrics")))
        admin_metrics(admin, exchange);
    else if (slice_equals(path, SLICE("/proxy.pac")))
        admin_pac(admin, exchange);
    else
        exchange_answer(exchange, 404, "text/plain",
                        SLICE("/healthz /readyz /metrics /proxy.pac\n"));
}

void admin_init(struct admin *admin)
{
    *admin = (struct admin){.handler = {admin_answer, admin}};
    atomic_init(&admin->is_draining, false);
}
