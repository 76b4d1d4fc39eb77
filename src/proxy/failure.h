#ifndef FAIRLEAD_PROXY_FAILURE_H
#define FAIRLEAD_PROXY_FAILURE_H

#include "base/text.h"
#include "record/record.h"

#include <stdbool.h>

/* Why an exchange failed: the one table from cause to status, Proxy-Status error (RFC 9209 §2.3), log
 * word and words for people. X(NAME, "log_word", status, "token", "sentence"); status 0: nobody is
 * left to answer. A detail is what is known beyond the sentence, and does not say it again. */
#define FAILURES(X)                                                                               \
    X(NONE, "", 0, "", "")                                                                        \
    X(BAD_REQUEST, "bad_request", 400, "http_request_error", "The request is malformed")          \
    X(BAD_TARGET, "bad_target", 400, "http_request_error", "The request is malformed")            \
    X(HEAD_TIMEOUT, "head_timeout", 408, "http_request_error",                                    \
      "The request head did not arrive in time")                                                  \
    X(BODY_TIMEOUT, "body_timeout", 408, "http_request_error", "The request body stalled")        \
    X(REQUEST_CUT, "request_cut", 400, "http_request_error", "The request body ended too early")  \
    X(NOT_HERE, "not_here", 404, "http_request_error", "The proxy itself serves no such page")    \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "http_request_error",                        \
      "This page of the proxy can only be read")                                                  \
    X(LENGTH_REQUIRED, "length_required", 411, "http_request_error",                              \
      "The destination speaks HTTP/1.0 and takes no chunked request: send Content-Length")        \
    X(EXPECTATION, "expectation", 417, "http_request_error", "The expectation cannot be met")     \
    X(SCHEME, "scheme", 501, "http_request_error", "Only http and https are forwarded")           \
    X(AUTH_NEEDED, "auth_needed", 407, "http_request_denied", "The proxy must know who asks")     \
    X(AUTH_FAILED, "auth_failed", 407, "http_request_denied",                                     \
      "The credentials for the proxy are not right")                                              \
    X(AUTH_IMPOSSIBLE, "auth_impossible", 403, "http_request_denied",                             \
      "The proxy must know who asks, and this client cannot tell it")                             \
    X(AUTH_EXPIRED, "auth_expired", 403, "http_request_denied",                                   \
      "The client certificate is good no longer")                                                 \
    X(AUTH_THROTTLED, "auth_throttled", 429, "http_request_denied",                               \
      "This client has shown wrong credentials too often")                                        \
    X(AUTH_BUSY, "auth_busy", 503, "proxy_internal_error",                                        \
      "The proxy checks too many passwords at present")                                           \
    X(OVER_BUDGET, "over_budget", 429, "http_request_denied",                                     \
      "A limit on this client or user is reached")                                                \
    X(BUSY, "busy", 503, "proxy_internal_error", "A limit on all clients is reached")             \
    X(MEMORY, "memory", 503, "proxy_internal_error", "The proxy is short of memory")              \
    X(TOO_SLOW, "too_slow", 408, "http_request_error", "The request came too slowly")             \
    X(REFUSED, "refused", 403, "http_request_denied", "The request was refused by policy")        \
    X(REFUSED_ADDRESS, "refused_address", 403, "destination_ip_prohibited",                       \
      "The destination address was refused by policy")                                            \
    X(LOOP, "loop", 502, "proxy_loop_detected", "The request came back to this proxy")            \
    X(SHED, "shed", 503, "proxy_internal_error", "The proxy is out of memory for this exchange")  \
    X(DNS_NOT_FOUND, "dns_not_found", 502, "dns_error", "The name does not exist")                \
    X(DNS_NO_ADDRESS, "dns_no_address", 502, "dns_error", "The name has no address")              \
    X(DNS_ERROR, "dns_error", 502, "dns_error", "The name could not be resolved")                 \
    X(DNS_TIMEOUT, "dns_timeout", 504, "dns_timeout", "The name was not resolved in time")        \
    X(CONNECT_REFUSED, "connect_refused", 502, "connection_refused",                              \
      "The destination refused the connection")                                                   \
    X(CONNECT_UNREACHABLE, "connect_unreachable", 502, "destination_ip_unroutable",               \
      "The destination cannot be reached")                                                        \
    X(CONNECT_RESET, "connect_reset", 502, "connection_terminated",                               \
      "The destination ended the connection while it was made")                                   \
    X(CONNECT_TIMEOUT, "connect_timeout", 504, "connection_timeout",                              \
      "The destination did not accept the connection in time")                                    \
    X(CONNECT_LIMIT, "connect_limit", 503, "connection_limit_reached",                            \
      "The proxy has no descriptor or port left for this connection")                             \
    X(TLS_CERTIFICATE, "tls_certificate", 502, "tls_certificate_error",                           \
      "The destination's certificate was not accepted")                                           \
    X(TLS_PROTOCOL, "tls_protocol", 502, "tls_protocol_error", "TLS with the destination failed") \
    X(TLS_ALERT, "tls_alert", 502, "tls_alert_received", "The destination refused TLS")           \
    X(TLS_TIMEOUT, "tls_timeout", 504, "connection_timeout",                                      \
      "TLS with the destination was not done in time")                                            \
    X(SEND_FAILED, "send_failed", 502, "connection_terminated",                                   \
      "The destination ended the connection while the request was sent")                          \
    X(SEND_STALLED, "send_stalled", 504, "connection_write_timeout",                              \
      "The destination stopped taking the request")                                               \
    X(NO_RESPONSE, "no_response", 502, "connection_terminated",                                   \
      "The destination ended the connection without a response")                                  \
    X(RESPONSE_TIMEOUT, "response_timeout", 504, "http_response_timeout",                         \
      "The destination did not respond in time")                                                  \
    X(BAD_RESPONSE, "bad_response", 502, "http_protocol_error",                                   \
      "The destination's response is malformed")                                                  \
    X(RESPONSE_CODING, "response_coding", 502, "http_response_transfer_coding",                   \
      "The destination's response is in a transfer coding that the proxy cannot undo")            \
    X(UPGRADE_FAILED, "upgrade_failed", 502, "http_upgrade_failed",                               \
      "The destination's switch of protocols is not what was asked for")                          \
    X(RESPONSE_TOO_LARGE, "response_too_large", 502, "http_response_header_section_size",         \
      "The destination's response is over a limit")                                               \
    X(RESPONSE_CUT, "response_cut", 502, "http_response_incomplete",                              \
      "The destination's response ended too early")                                               \
    X(RESPONSE_STALLED, "response_stalled", 504, "connection_read_timeout",                       \
      "The destination's response body stalled")                                                  \
    X(CLIENT_GONE, "client_gone", 0, "", "The client went away")                                  \
    X(CLIENT_STALLED, "client_stalled", 0, "", "The client stopped reading")                      \
    X(TUNNEL_IDLE, "tunnel_idle", 0, "", "The tunnel was idle for too long")                      \
    X(TUNNEL_HALF_CLOSED, "tunnel_half_closed", 0, "",                                            \
      "The half-closed tunnel made no progress for too long")                                     \
    X(SNI_REFUSED, "sni_refused", 0, "", "The tunnel was refused for its ClientHello")            \
    X(HELLO_TIMEOUT, "hello_timeout", 0, "", "The ClientHello did not arrive in time")            \
    X(TUNNEL_LIFETIME, "tunnel_lifetime", 0, "", "The tunnel reached its lifetime")               \
    X(DRAINED, "drained", 503, "proxy_internal_error", "The proxy is shutting down")

enum cause {
#define X(name, word, status, token, sentence) CAUSE_##name,
    FAILURES(X)
#undef X
};

struct failure_row {
    const char *word;
    const char *token;
    const char *sentence;
    unsigned short status;
};

/* The row of a cause; static storage. */
const struct failure_row *failure_row(enum cause cause);
/* The key of the configuration that sets the limit which was met, "" where it was none of ours. `status` is what
 * answers CAUSE_BAD_REQUEST. */
const char *failure_setting(enum cause cause, unsigned status);
/* Is it a refusal by policy, and not a failure of somebody? */
bool failure_is_refusal(enum cause cause);
/* Is it a decision of ours against what was asked, which the asker may look up later (proxy/denials)? A challenge is
 * none, nor is what fails. Whatever limits come to refuse belongs here. */
bool failure_is_denial(enum cause cause);
/* The sentence and the detail, which may be empty, as one: "The name does not exist: a.example". */
void failure_add_message(enum cause cause, const char *detail, struct text *into);

#endif
