/* The settings. `listen` and `admin` are lists and maps of their own and stand in config.c. */

#include "config/schema.h"

#include "base/check.h"

#define AT(member) offsetof(struct config, member), 0
#define TIMEOUT(name, member, initial, help)                                                       \
    {"timeouts." name, KIND_DURATION, AT(timeouts.member), initial, NULL, {0}, help}
#define LIMIT(name, kind, member, initial, help)                                                   \
    {"limits." name, kind, AT(limits.member), initial, NULL, {0}, help}

const struct schema_row schema_rows[] = {
    {"workers", KIND_UNSIGNED, AT(workers), "0", "--workers", {0}, "worker threads; 0: one a core"},
    {"run_as", KIND_TEXT, AT(run_as), NULL, "--run-as", {0},
     "user that serves when started as root; nobody where none is named"},
    {"clients.allow", KIND_PREFIXES, AT(clients), NULL, "--allow-clients", {0},
     "ranges of clients that may connect; needed to listen beyond loopback"},
    {"source", KIND_ADDRESS, AT(source), NULL, "--source", {0}, "address of outgoing connections"},
    {"resolver.servers", KIND_ENDPOINTS, AT(resolver.servers), NULL, "--resolver", {0},
     "name servers; resolv.conf where none is named"},
    {"resolver.hosts_file", KIND_TEXT, AT(resolver.hosts_file), "/etc/hosts", NULL, {0},
     "hosts table"},
    {"resolver.cache_entries", KIND_COUNT, AT(resolver.cache_entries), "10000", NULL, {0},
     "answers kept by each worker"},
    {"egress.allow", KIND_TARGETS, offsetof(struct config, egress.allow),
     offsetof(struct config, egress.allow_names), NULL, "--allow", {0},
     "ranges that are opened, or names: then no other name is forwarded"},
    {"egress.deny", KIND_TARGETS, offsetof(struct config, egress.deny),
     offsetof(struct config, egress.deny_names), NULL, "--deny", {0},
     "ranges and names that are refused"},
    {"egress.connect_ports", KIND_PORTS, AT(egress.connect_ports), "443", "--connect-port", {0},
     "ports that CONNECT may ask for, or any"},
    {"egress.floor_exceptions", KIND_ENDPOINTS, AT(egress.floor_exceptions), NULL, NULL, {0},
     "addresses of the floor that are opened"},
    {"egress.skip_mixed", KIND_BOOL, AT(egress.skips_mixed), "false", NULL, {0},
     "of an answer with refused addresses, use the others"},
    TIMEOUT("client_tls", client_tls_ns, "10s", "TLS handshake of a client"),
    TIMEOUT("client_head", client_head_ns, "10s", "request head"),
    TIMEOUT("dns", dns_ns, "5s", "name look-up"),
    TIMEOUT("connect", connect_ns, "10s", "name look-up and connect in all"),
    TIMEOUT("connect_attempt", connect_attempt_ns, "250ms", "until the next address is tried too"),
    TIMEOUT("upstream_tls", upstream_tls_ns, "10s", "TLS handshake with the origin"),
    TIMEOUT("response_head", response_head_ns, "60s", "wait for the response head"),
    TIMEOUT("body_stall", body_stall_ns, "60s", "a body without progress"),
    TIMEOUT("keepalive", keepalive_ns, "60s", "idle client connection"),
    TIMEOUT("upstream_keepalive", upstream_keepalive_ns, "60s", "idle upstream connection"),
    TIMEOUT("tunnel_idle", tunnel_idle_ns, "15m", "tunnel without a byte"),
    TIMEOUT("tunnel_half_closed", tunnel_half_closed_ns, "60s",
            "half-closed tunnel without progress"),
    TIMEOUT("tunnel_lifetime", tunnel_lifetime_ns, "0s", "tunnel in all; 0s: no limit"),
    TIMEOUT("drain", drain_ns, "30s", "after SIGTERM"),
    LIMIT("head_bytes", KIND_SIZE, head_bytes, "64KiB", "request or response head"),
    LIMIT("head_fields", KIND_COUNT, head_fields, "1000", "fields of a head"),
    LIMIT("target_bytes", KIND_SIZE, target_bytes, "32KiB", "request target"),
    LIMIT("pool_per_origin", KIND_COUNT, pool_per_origin, "64",
          "idle connections to an origin, each worker"),
    LIMIT("pool_total", KIND_COUNT, pool_total, "1024", "idle connections in all, each worker"),
    LIMIT("pool_max_age", KIND_DURATION, pool_max_age_ns, "1h", "age of a reused connection"),
    LIMIT("buffer_bytes", KIND_SIZE, buffer_bytes, "1GiB", "data blocks in use, each worker"),
    {"via", KIND_TEXT, AT(via.pseudonym), NULL, "--via", {0},
     "pseudonym in Via; unique for each run where none is named"},
    {"forwarded", KIND_CHOICE, AT(forwarded), "off", NULL, {"off", "x-forwarded", "forwarded"},
     "tell the origin the client's address"},
    {"tcp.user_timeout", KIND_DURATION, AT(tcp.user_timeout_ns), "0s", NULL, {0},
     "TCP_USER_TIMEOUT of both legs; 0s: the system's"},
    {"tcp.congestion_client", KIND_CSTRING, AT(tcp.congestion_client), NULL, NULL, {0},
     "congestion control towards clients"},
    {"tcp.congestion_upstream", KIND_CSTRING, AT(tcp.congestion_upstream), NULL, NULL, {0},
     "congestion control towards origins"},
    {"tls_upstream.ca", KIND_TEXT, AT(tls_upstream.ca_file), NULL, "--upstream-ca", {0},
     "authorities of origins; the system's where none is named"},
    {"log.format", KIND_CHOICE, AT(log.format), NULL, "--log-format",
     {"line", "json", "combined", "squid"}, "access log; line on a terminal, else json"},
    {"log.file", KIND_TEXT, AT(log.file), "-", "--log-file", {0},
     "access log: a path, - for standard output, off"},
    {"log.keep_query", KIND_BOOL, AT(log.keeps_query), "true", NULL, {0},
     "keep query strings in the log"},
};
const size_t schema_count = COUNT_OF(schema_rows);

const char *schema_expected(const struct schema_row *row)
{
    switch (row->kind) {
    case KIND_BOOL: return "true or false";
    case KIND_COUNT:
    case KIND_UNSIGNED: return "a number";
    case KIND_DURATION: return "a duration with its unit, like 250ms, 10s, 15m or 1h";
    case KIND_SIZE: return "a size with its unit, like 512B, 64KiB or 10MB";
    case KIND_TEXT:
    case KIND_CSTRING: return "text";
    case KIND_ADDRESS: return "an IP address";
    case KIND_PREFIXES: return "a range like 10.0.0.0/8 or fd00::/8, without host bits";
    case KIND_TARGETS: return "a range like 10.0.0.0/8, a name, or *.name";
    case KIND_ENDPOINTS: return "ADDRESS or ADDRESS:PORT";
    case KIND_PORTS: return "a port from 1 to 65535, or any";
    case KIND_CHOICE: return "one of the known words";
    }
    return "";
}
