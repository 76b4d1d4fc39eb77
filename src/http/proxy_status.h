#ifndef FAIRLEAD_HTTP_PROXY_STATUS_H
#define FAIRLEAD_HTTP_PROXY_STATUS_H

#include "base/text.h"

/* Proxy error types. X(NAME, "token")   RFC 9209 §2.3 */
#define PROXY_ERRORS(X)                                                         \
    X(DNS_TIMEOUT, "dns_timeout")                                               \
    X(DNS_ERROR, "dns_error")                                                   \
    X(DESTINATION_NOT_FOUND, "destination_not_found")                           \
    X(DESTINATION_UNAVAILABLE, "destination_unavailable")                       \
    X(DESTINATION_IP_PROHIBITED, "destination_ip_prohibited")                   \
    X(DESTINATION_IP_UNROUTABLE, "destination_ip_unroutable")                   \
    X(CONNECTION_REFUSED, "connection_refused")                                 \
    X(CONNECTION_TERMINATED, "connection_terminated")                           \
    X(CONNECTION_TIMEOUT, "connection_timeout")                                 \
    X(CONNECTION_READ_TIMEOUT, "connection_read_timeout")                       \
    X(CONNECTION_WRITE_TIMEOUT, "connection_write_timeout")                     \
    X(CONNECTION_LIMIT_REACHED, "connection_limit_reached")                     \
    X(TLS_PROTOCOL_ERROR, "tls_protocol_error")                                 \
    X(TLS_CERTIFICATE_ERROR, "tls_certificate_error")                           \
    X(TLS_ALERT_RECEIVED, "tls_alert_received")                                 \
    X(HTTP_REQUEST_ERROR, "http_request_error")                                 \
    X(HTTP_REQUEST_DENIED, "http_request_denied")                               \
    X(HTTP_RESPONSE_INCOMPLETE, "http_response_incomplete")                     \
    X(HTTP_RESPONSE_HEADER_SECTION_SIZE, "http_response_header_section_size")   \
    X(HTTP_RESPONSE_HEADER_SIZE, "http_response_header_size")                   \
    X(HTTP_RESPONSE_BODY_SIZE, "http_response_body_size")                       \
    X(HTTP_RESPONSE_TRAILER_SECTION_SIZE, "http_response_trailer_section_size") \
    X(HTTP_RESPONSE_TRAILER_SIZE, "http_response_trailer_size")                 \
    X(HTTP_RESPONSE_TRANSFER_CODING, "http_response_transfer_coding")           \
    X(HTTP_RESPONSE_CONTENT_CODING, "http_response_content_coding")             \
    X(HTTP_RESPONSE_TIMEOUT, "http_response_timeout")                           \
    X(HTTP_UPGRADE_FAILED, "http_upgrade_failed")                               \
    X(HTTP_PROTOCOL_ERROR, "http_protocol_error")                               \
    X(PROXY_INTERNAL_RESPONSE, "proxy_internal_response")                       \
    X(PROXY_INTERNAL_ERROR, "proxy_internal_error")                             \
    X(PROXY_CONFIGURATION_ERROR, "proxy_configuration_error")                   \
    X(PROXY_LOOP_DETECTED, "proxy_loop_detected")

enum proxy_error {
    PROXY_ERROR_NONE, /* no error parameter */
#define X(name, token) PROXY_ERROR_##name,
    PROXY_ERRORS(X)
#undef X
};

/* "dns_timeout" ...; empty for PROXY_ERROR_NONE. */
struct slice proxy_error_token(enum proxy_error error);

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
