#ifndef FAIRLEAD_HTTP_PROXY_STATUS_H
#define FAIRLEAD_HTTP_PROXY_STATUS_H

#include "base/text.h"

#include <stdint.h>

/* Proxy error types. X(NAME, "token", recommended status)   RFC 9209 §2.3 */
#define PROXY_ERRORS(X)                                                              \
    X(DNS_TIMEOUT, "dns_timeout", 504)                                               \
    X(DNS_ERROR, "dns_error", 502)                                                   \
    X(DESTINATION_NOT_FOUND, "destination_not_found", 500)                           \
    X(DESTINATION_UNAVAILABLE, "destination_unavailable", 503)                       \
    X(DESTINATION_IP_PROHIBITED, "destination_ip_prohibited", 502)                   \
    X(DESTINATION_IP_UNROUTABLE, "destination_ip_unroutable", 502)                   \
    X(CONNECTION_REFUSED, "connection_refused", 502)                                 \
    X(CONNECTION_TERMINATED, "connection_terminated", 502)                           \
    X(CONNECTION_TIMEOUT, "connection_timeout", 504)                                 \
    X(CONNECTION_READ_TIMEOUT, "connection_read_timeout", 504)                       \
    X(CONNECTION_WRITE_TIMEOUT, "connection_write_timeout", 504)                     \
    X(CONNECTION_LIMIT_REACHED, "connection_limit_reached", 503)                     \
    X(TLS_PROTOCOL_ERROR, "tls_protocol_error", 502)                                 \
    X(TLS_CERTIFICATE_ERROR, "tls_certificate_error", 502)                           \
    X(TLS_ALERT_RECEIVED, "tls_alert_received", 502)                                 \
    X(HTTP_REQUEST_ERROR, "http_request_error", 400)                                 \
    X(HTTP_REQUEST_DENIED, "http_request_denied", 403)                               \
    X(HTTP_RESPONSE_INCOMPLETE, "http_response_incomplete", 502)                     \
    X(HTTP_RESPONSE_HEADER_SECTION_SIZE, "http_response_header_section_size", 502)   \
    X(HTTP_RESPONSE_HEADER_SIZE, "http_response_header_size", 502)                   \
    X(HTTP_RESPONSE_BODY_SIZE, "http_response_body_size", 502)                       \
    X(HTTP_RESPONSE_TRAILER_SECTION_SIZE, "http_response_trailer_section_size", 502) \
    X(HTTP_RESPONSE_TRAILER_SIZE, "http_response_trailer_size", 502)                 \
    X(HTTP_RESPONSE_TRANSFER_CODING, "http_response_transfer_coding", 502)           \
    X(HTTP_RESPONSE_CONTENT_CODING, "http_response_content_coding", 502)             \
    X(HTTP_RESPONSE_TIMEOUT, "http_response_timeout", 504)                           \
    X(HTTP_UPGRADE_FAILED, "http_upgrade_failed", 502)                               \
    X(HTTP_PROTOCOL_ERROR, "http_protocol_error", 502)                               \
    X(PROXY_INTERNAL_RESPONSE, "proxy_internal_response", 0)                         \
    X(PROXY_INTERNAL_ERROR, "proxy_internal_error", 500)                             \
    X(PROXY_CONFIGURATION_ERROR, "proxy_configuration_error", 500)                   \
    X(PROXY_LOOP_DETECTED, "proxy_loop_detected", 502)

enum proxy_error {
    PROXY_ERROR_NONE, /* no error parameter */
#define X(name, token, status) PROXY_ERROR_##name,
    PROXY_ERRORS(X)
#undef X
};

/* "dns_timeout" ...; empty for PROXY_ERROR_NONE. */
struct slice proxy_error_token(enum proxy_error error);
/* The status that RFC 9209 recommends; 0 where it names none. */
unsigned proxy_error_status(enum proxy_error error);

/* One member of the Proxy-Status list; what is empty or 0 is left out. Slices are borrowed. */
struct proxy_status {
    struct slice name; /* our own name: a token, or it is written as a string */
    enum proxy_error error;
    struct slice details;     /* free text */
    struct slice next_hop;    /* where we asked, or tried to */
    struct slice rule;        /* extension "rule": the policy rule that decided */
    struct slice exchange_id; /* extension "exchange": the id by which the log knows it */
    struct slice rcode;       /* RFC 9209 §2.3.2, DNS response code as text */
    unsigned received_status; /* of the response that was received from the next hop */
};

/* Write the member as a structured field (RFC 8941 §3.1): bytes outside of printable ASCII become '?'. */
void proxy_status_write(struct text *text, const struct proxy_status *status);

#endif
