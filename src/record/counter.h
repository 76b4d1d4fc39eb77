#ifndef FAIRLEAD_RECORD_COUNTER_H
#define FAIRLEAD_RECORD_COUNTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Counters and gauges of one worker: one writing thread, relaxed atomics, summed by any reader.
 * X(NAME, KIND, "metric_name", "help"); metric names follow the Prometheus conventions and get the prefix
 * "fairlead_" where they are printed. A name may have a label behind it: those of one family stand together, and the
 * first has the help of all. */
#define COUNTERS(X)                                                                                \
    X(CONNECTIONS, COUNTER, "client_connections_total", "Client connections accepted")             \
    X(CONNECTIONS_OPEN, GAUGE, "client_connections", "Client connections open")                    \
    X(CONNECTIONS_REFUSED, COUNTER, "client_connections_refused_total",                            \
      "Client connections closed at accept: client range or limit")                                \
    X(HANDOVERS, COUNTER, "client_handovers_total",                                                \
      "Client connections handed to a worker that had fewer open")                                 \
    X(ACCEPT_PAUSES, COUNTER, "accept_pauses_total", "Times accepting paused: out of descriptors") \
    X(CLIENT_TLS_HANDSHAKES, COUNTER, "client_tls_handshakes_total", "Client TLS handshakes done") \
    X(CLIENT_TLS_FAILURES, COUNTER, "client_tls_failures_total", "Client TLS handshakes failed")   \
    X(CLIENT_PROXY_HEADERS, COUNTER, "client_proxy_headers_total", "PROXY headers read")           \
    X(CLIENT_PROXY_FAILURES, COUNTER, "client_proxy_header_failures_total",                        \
      "Connections closed for their PROXY header: wrong, late, or of a sender not configured")     \
    X(REQUESTS, COUNTER, "requests_total",                                                         \
      "Requests, those with a head that was refused included")                                     \
    X(REQUESTS_OPEN, GAUGE, "requests", "Requests in flight")                                      \
    X(IDENTITY_CHALLENGES, COUNTER, "identity_challenges_total",                                   \
      "Requests that showed no credentials and were asked for some")                               \
    X(IDENTITY_FAILURES, COUNTER, "identity_failures_total",                                       \
      "Requests whose credentials were malformed or not right")                                    \
    X(IDENTITY_THROTTLED, COUNTER, "identity_throttled_total",                                     \
      "Requests refused since their client failed too often")                                      \
    X(IDENTITY_BUSY, COUNTER, "identity_busy_total",                                               \
      "Requests refused since too many passwords waited to be hashed")                             \
    X(IDENTITY_CACHE_HITS, COUNTER, "identity_cache_hits_total",                                   \
      "Requests whose credentials were remembered")                                                \
    X(IDENTITY_HASHES, COUNTER, "identity_hashes_total",                                           \
      "Passwords hashed, those of unknown users included")                                         \
    X(IDENTITY_HASHES_OPEN, GAUGE, "identity_hashes", "Passwords that are hashed or wait for it")  \
    X(RESPONSES_1XX, COUNTER, "responses_1xx_total", "Interim responses passed on")                \
    X(RESPONSES_2XX, COUNTER, "responses_2xx_total", "Final responses sent, 2xx")                  \
    X(RESPONSES_3XX, COUNTER, "responses_3xx_total", "Final responses sent, 3xx")                  \
    X(RESPONSES_4XX, COUNTER, "responses_4xx_total", "Final responses sent, 4xx")                  \
    X(RESPONSES_5XX, COUNTER, "responses_5xx_total", "Final responses sent, 5xx")                  \
    X(OVER_CONNECTIONS, COUNTER, "over_budget_total{limit=\"connections\"}",                       \
      "Connections and transactions refused since a limit was reached, by its kind")               \
    X(OVER_TUNNELS, COUNTER, "over_budget_total{limit=\"tunnels\"}", "")                           \
    X(OVER_REQUESTS, COUNTER, "over_budget_total{limit=\"requests\"}", "")                         \
    X(OVER_HEADS, COUNTER, "over_budget_total{limit=\"heads\"}", "")                               \
    X(SHORT_OF_MEMORY, COUNTER, "memory_refusals_total",                                           \
      "Connections and transactions refused for want of memory")                                   \
    X(RELIEVED, COUNTER, "memory_relieved_total",                                                  \
      "Idle clients and requests that stood still, ended for want of memory")                      \
    X(REFUSALS, COUNTER, "refusals_total", "Transactions refused by policy")                       \
    X(WOULD_DENY, COUNTER, "would_deny_total",                                                     \
      "Transactions that a rule would refuse which only observes")                                 \
    X(FAILURES, COUNTER, "failures_total", "Transactions that ended in a failure")                 \
    X(TUNNELS, COUNTER, "tunnels_total", "Tunnels opened")                                         \
    X(TUNNELS_OPEN, GAUGE, "tunnels", "Tunnels open")                                              \
    X(TUNNEL_TLS_HANDSHAKES, COUNTER, "tunnel_tls_handshakes_total",                               \
      "TLS handshakes inside tunnels, seen from outside to their end")                             \
    X(TUNNEL_TLS_ALERTS, COUNTER, "tunnel_tls_alerts_total",                                       \
      "TLS handshakes inside tunnels that ended in an alert")                                      \
    X(CLIENT_IN_BYTES, COUNTER, "client_received_bytes_total", "Bytes received from clients")      \
    X(CLIENT_OUT_BYTES, COUNTER, "client_sent_bytes_total", "Bytes sent to clients")               \
    X(UPSTREAM_IN_BYTES, COUNTER, "upstream_received_bytes_total", "Bytes received from upstream") \
    X(UPSTREAM_OUT_BYTES, COUNTER, "upstream_sent_bytes_total", "Bytes sent upstream")             \
    X(DNS_QUESTIONS, COUNTER, "dns_questions_total", "Look-ups asked for, A and AAAA apart")       \
    X(DNS_CACHE_HITS, COUNTER, "dns_cache_hits_total", "Look-ups answered from the cache")         \
    X(DNS_FAILURES, COUNTER, "dns_failures_total", "Look-ups that failed")                         \
    X(DNS_QUERIES_OPEN, GAUGE, "dns_queries", "Queries to name servers under way")                 \
    X(CONNECTS, COUNTER, "upstream_connects_total", "Upstream connections opened")                 \
    X(CONNECT_FAILURES, COUNTER, "upstream_connect_failures_total",                                \
      "Connect attempts that failed")                                                              \
    X(UPSTREAM_TLS_HANDSHAKES, COUNTER, "upstream_tls_handshakes_total",                           \
      "Upstream TLS handshakes done")                                                              \
    X(POOL_REUSES, COUNTER, "upstream_reuses_total",                                               \
      "Transactions that reused an upstream connection")                                           \
    X(POOL_IDLE, GAUGE, "upstream_idle_connections", "Idle pooled upstream connections")           \
    X(RETRIES, COUNTER, "retries_total", "Transactions retried on a new connection")               \
    X(PIPES, GAUGE, "splice_pipes", "Kernel pipes held for splicing")                              \
    X(BLOCK_BYTES, GAUGE, "buffer_bytes", "Bytes in data blocks in use")

enum counter {
#define X(name, kind, metric, help) COUNT_##name,
    COUNTERS(X)
#undef X
        COUNT_COUNT
};

enum counter_kind { COUNTER, GAUGE };

struct counters {
    _Atomic uint64_t value[COUNT_COUNT];
};

/* Thread: the one writer. A relaxed load and store, not a locked instruction. */
static inline void counter_add(struct counters *counters, enum counter which, uint64_t by)
{
    uint64_t now = atomic_load_explicit(&counters->value[which], memory_order_relaxed);
    atomic_store_explicit(&counters->value[which], now + by, memory_order_relaxed);
}

static inline void counter_sub(struct counters *counters, enum counter which, uint64_t by)
{
    counter_add(counters, which, 0 - by);
}

/* Thread: any. */
static inline uint64_t counter_get(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->value[which], memory_order_relaxed);
}

/* Clients and tunnels that a worker has open. Thread: any. */
static inline uint64_t counter_open(const struct counters *counters)
{
    return counter_get(counters, COUNT_CONNECTIONS_OPEN) +
           counter_get(counters, COUNT_TUNNELS_OPEN);
}

/* The sum over all workers. A gauge that one worker raised and another lowered still comes out right.
 * Thread: any. */
uint64_t counter_sum(const struct counters *const *workers, size_t worker_count,
                     enum counter which);

enum counter_kind counter_kind(enum counter which);
const char *counter_metric(enum counter which); /* without the prefix, with its label */
const char *counter_help(enum counter which);

#endif
