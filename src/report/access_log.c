/* The formats of the access log and the way to each of them. */
#include "report/access_log.h"

#include "report/access_log_internal.h"

void access_log_add(const struct record *record, const struct access_log_style *style,
                    struct text *into)
{
    switch (style->format) {
    case ACCESS_LOG_LINE: access_log_add_line(record, style, into); break;
    case ACCESS_LOG_JSON: access_log_add_json(record, into); break;
    case ACCESS_LOG_COMBINED: access_log_add_combined(record, into); break;
    case ACCESS_LOG_SQUID: access_log_add_squid(record, into); break;
    case ACCESS_LOG_FORMAT_COUNT: break;
    }
}

void access_log_add_address(const struct inet_endpoint *endpoint, struct text *into)
{
    char address[INET_ADDR_TEXT];
    if (endpoint->addr.family == INET_NONE)
        text_add_char(into, '-');
    else
        text_add(into, slice_of(address, inet_addr_format(&endpoint->addr, address)));
}
