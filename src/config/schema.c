/* The settings, one row each. A new setting is a member of struct config and a row here; it is then read
 * from files and flags, checked, printed and documented. */

#include "config/schema.h"

#include "base/check.h"
#include "base/clock.h"

#define AT(member)  .place = offsetof(struct config, member)
#define AND(member) .second = offsetof(struct config, member)

/* Words that stand in the tables of the logs, in the order of their enums. */
#define FORMAT_WORD(name, word)          word,
#define LEVEL_WORD(name, word, severity) word,

#define HOUR (3600 * NS_PER_S)
#define YEAR (8760 * HOUR)
#define KIB  1024ULL
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)

/* Every phase ends some day; only the tunnel's lifetime may be endless. */
#define TIMEOUT(name, member, preset, words_)                                                  \
    {                                                                                          \
        .key = "timeouts." name, .kind = KIND_DURATION, AT(timeouts.member), .min = NS_PER_MS, \
        .max = YEAR, .initial = preset, .help = words_                                         \
    }

#define BUDGET(name, kind_, member, most, words_)                                      \
    {                                                                                  \
        .key = "limits." name, .kind = kind_, AT(limits.budget.member), .max = (most), \
        .initial = "0", .help = words_                                                 \
    }
#define COUNT(name, member, words)     BUDGET(name, KIND_COUNT, member, 100000000, words)
#define RATE(name, member, words)      BUDGET(name, KIND_RATE, member, 10000000, words)
#define BANDWIDTH(name, member, words) BUDGET(name, KIND_BANDWIDTH, member, BUDGET_RATE_MAX, words)

static const struct schema_row main_rows[] = {
    {.key = "listen",
     .kind = KIND_LISTENERS,
     AT(listen),
     .initial = "127.0.0.1:3128",
     .also = "listeners bind port http_port",
     .help = "where clients connect; a list of maps, or of addresses"},
    {.key = "admin.address",
     .kind = KIND_ADMIN,
     AT(admin.listen),
     AND(admin.is_off),
     .initial = "127.0.0.1:3129",
     .flag = "--admin",
     .argument = "ADDR:PORT|PATH|off",
     .also = "admin.listen admin.port admin.enabled",
     .help = "the dashboard, its API, metrics, health, proxy.pac"},
    {.key = "admin.token_file",
     .kind = KIND_PATH,
     AT(admin.token_file),
     .also = "admin.token",
     .help = "file with the token that admin requests from elsewhere must show"},
    {.key = "admin.history",
     .kind = KIND_SIZE,
     AT(admin.history_bytes),
     .min = MIB,
     .max = GIB,
     .initial = "8MiB",
     .also = "admin.ring admin.recent",
     .help = "memory for the last transactions, which the admin listener shows",
     .is_for_start = true},
    {.key = "workers",
     .kind = KIND_UNSIGNED,
     AT(workers),
     .max = 64,
     .initial = "0",
     .flag = "--workers",
     .argument = "N",
     .also = "threads worker_threads",
     .help = "threads that serve; 0 for one a core that we may use",
     .is_for_start = true},
    {.key = "run_as",
     .kind = KIND_WORD,
     AT(run_as),
     .max = 64,
     .flag = "--run-as",
     .argument = "USER",
     .also = "user",
     .help = "who serves when started as root; empty: nobody",
     .is_for_start = true},
    {.key = "clients.allow",
     .kind = KIND_PREFIXES,
     AT(clients),
     .flag = "--allow-clients",
     .argument = "RANGE",
     .also = "clients.from acl",
     .help = "who may connect; needed to listen beyond loopback"},
    {.key = "identity.basic.users",
     .kind = KIND_PATH,
     AT(identity.users),
     .flag = "--users",
     .argument = "FILE",
     .also = "users users_file htpasswd passwd auth auth_file password_file",
     .help = "file of users and password hashes, who must then log in (Basic)"},
    {.key = "identity.basic.realm",
     .kind = KIND_WORD,
     AT(identity.realm),
     .min = 1,
     .max = 64,
     .initial = "fairlead",
     .also = "realm",
     .help = "what a client shows when it asks for a password"},
    {.key = "identity.bearer.tokens",
     .kind = KIND_PATH,
     AT(identity.tokens),
     .also = "tokens token_file bearer",
     .help = "file of users and digests of their tokens (Bearer)"},
    {.key = "identity.certificate",
     .kind = KIND_CHOICE,
     AT(identity.certificate),
     .initial = "off",
     .words = {"off", "cn", "dns", "email", "uri"},
     .help = "what of a client certificate is its user: the common name, or the first name of a "
             "kind"},
    {.key = "identity.peer",
     .kind = KIND_BOOL,
     AT(identity.takes_peer),
     .initial = "off",
     .words = {"off", "on"},
     .help = "the process behind a Unix socket is a user: uid:NUMBER"},
    {.key = "identity.required",
     .kind = KIND_CHOICE,
     AT(identity.required),
     AND(identity.says_required),
     .initial = "auto",
     .words = {"false", "true", "auto"},
     .help = "whether every request must have a user; auto: where there is a way to have one"},
    {.key = "identity.cache",
     .kind = KIND_DURATION,
     AT(identity.cache_ns),
     .max = 24 * HOUR,
     .initial = "5m",
     .help = "credentials that were right are remembered so long; 0s for never"},
    {.key = "identity.throttle.failures",
     .kind = KIND_COUNT,
     AT(identity.failures),
     .min = 1,
     .max = 1000000,
     .initial = "10",
     .help = "wrong credentials of a client, until it must wait"},
    {.key = "identity.throttle.period",
     .kind = KIND_DURATION,
     AT(identity.failure_ns),
     .min = NS_PER_S,
     .max = 24 * HOUR,
     .initial = "60s",
     .help = "after which they are all forgotten, one by one"},
    {.key = "source",
     .kind = KIND_ADDRESS,
     AT(source),
     .initial = "any",
     .flag = "--source",
     .argument = "ADDR",
     .also = "outgoing_address bind_address",
     .help = "address of outgoing connections"},

    {.key = "egress.allow",
     .kind = KIND_TARGETS,
     AT(egress.allow),
     AND(egress.allow_names),
     .flag = "--allow",
     .argument = "RANGE|NAME",
     .also = "allow allowlist whitelist",
     .help = "open a range; or forward to named hosts only, *.NAME for all below"},
    {.key = "egress.deny",
     .kind = KIND_TARGETS,
     AT(egress.deny),
     AND(egress.deny_names),
     .flag = "--deny",
     .argument = "RANGE|NAME",
     .also = "deny denylist blacklist block",
     .help = "refuse a range or a name"},
    {.key = "egress.connect_ports",
     .kind = KIND_PORTS,
     AT(egress.connect_ports),
     .initial = "443",
     .flag = "--connect-port",
     .argument = "PORT|any",
     .also = "egress.ports",
     .help = "where CONNECT may go; bad ports only by number"},
    {.key = "egress.plain_ports",
     .kind = KIND_PORTS,
     AT(egress.plain_ports),
     .help = "bad ports that plain requests may go to all the same"},
    {.key = "egress.floor_exceptions",
     .kind = KIND_EXCEPTIONS,
     AT(egress.floor_exceptions),
     AND(egress.floor_names),
     .help = "addresses and names of the floor that are opened: metadata services, this machine"},
    {.key = "egress.mixed",
     .kind = KIND_BOOL,
     AT(egress.skips_mixed),
     .initial = "refuse",
     .words = {"refuse", "skip"},
     .help = "an answer with refused addresses: refuse all of it, or skip those"},

    {.key = "egress.sni",
     .kind = KIND_CHOICE,
     AT(egress.sni),
     .initial = "off",
     .words = {"off", "log", "enforce"},
     .also = "sni tls_inspection",
     .help = "the name that TLS in a tunnel asks for must be the host of the CONNECT"},
    {.key = "policy.default",
     .kind = KIND_CHOICE,
     AT(policy.by_default),
     AND(policy.has_default),
     .initial = "auto",
     .words = {"allow", "deny", "auto"},
     .also = "default_action policy.default_action",
     .help = "what no rule names; auto: allow, and deny where egress.allow names hosts"},
    {.key = "policy.mode",
     .kind = KIND_BOOL,
     AT(policy.observes),
     .initial = "enforce",
     .words = {"enforce", "observe"},
     .also = "policy.dry_run policy.observe",
     .help = "observe: what rules and their default would deny passes, and the log tells"},
    {.key = "policy.rules",
     .kind = KIND_RULES,
     AT(policy.rules),
     .also = "rules acl acls policy.acl",
     .help = "any that matches and denies wins, else the first that allows; a list of maps"},

    {.key = "resolver.servers",
     .kind = KIND_ENDPOINTS,
     AT(resolver.servers),
     .flag = "--resolver",
     .argument = "ADDR[:PORT]",
     .max = 8,
     .also = "dns nameserver nameservers dns_servers",
     .help = "name servers; those of resolv.conf where none",
     .is_for_start = true},
    {.key = "resolver.hosts_file",
     .kind = KIND_PATH,
     AT(resolver.hosts_file),
     .initial = "/etc/hosts",
     .help = "hosts table; empty for none",
     .is_for_start = true},
    {.key = "resolver.cache_entries",
     .kind = KIND_COUNT,
     AT(resolver.cache_entries),
     .min = 1,
     .max = 10000000,
     .initial = "10000",
     .help = "answers that each worker keeps",
     .is_for_start = true},

    TIMEOUT("client_tls", client_tls_ns, "10s", "TLS handshake with a client"),
    TIMEOUT("client_head", client_head_ns, "10s", "a request head, once it has begun"),
    {.key = "timeouts.dns",
     .kind = KIND_DURATION,
     AT(timeouts.dns_ns),
     .min = NS_PER_MS,
     .max = YEAR,
     .initial = "5s",
     .help = "a name look-up",
     .is_for_start = true},
    TIMEOUT("connect", connect_ns, "10s", "look-up and connection in all"),
    TIMEOUT("connect_attempt_delay", connect_attempt_ns, "250ms",
            "until the next address is tried beside the last"),
    TIMEOUT("upstream_tls", upstream_tls_ns, "10s", "TLS handshake with an origin"),
    TIMEOUT("response_head", response_head_ns, "60s", "wait for a response head"),
    TIMEOUT("body_stall", body_stall_ns, "60s", "a body without progress"),
    TIMEOUT("keepalive", keepalive_ns, "60s", "an idle connection of a client"),
    TIMEOUT("upstream_keepalive", upstream_keepalive_ns, "60s", "an idle connection to an origin"),
    TIMEOUT("tunnel_idle", tunnel_idle_ns, "15m", "a tunnel without a byte"),
    TIMEOUT("tunnel_half_closed", tunnel_half_closed_ns, "60s",
            "a half-closed tunnel without progress"),
    {.key = "timeouts.tunnel_lifetime",
     .kind = KIND_DURATION,
     AT(timeouts.tunnel_lifetime_ns),
     .max = YEAR,
     .initial = "0s",
     .help = "a tunnel in all; 0s for no limit"},
    TIMEOUT("drain", drain_ns, "30s", "what is open at SIGTERM"),

    {.key = "limits.head_bytes",
     .kind = KIND_SIZE,
     AT(limits.head_bytes),
     .min = KIB,
     .max = 120 * KIB,
     .initial = "64KiB",
     .help = "a request or response head"},
    {.key = "limits.head_fields",
     .kind = KIND_COUNT,
     AT(limits.head_fields),
     .min = 10,
     .max = 2000, /* the arenas hold a head and trailers of so many, received and rewritten */
     .initial = "1000",
     .help = "fields of a head"},
    {.key = "limits.target_bytes",
     .kind = KIND_SIZE,
     AT(limits.target_bytes),
     .min = 256,
     .max = 120 * KIB,
     .initial = "32KiB",
     .help = "a request target"},
    {.key = "limits.pool_per_origin",
     .kind = KIND_COUNT,
     AT(limits.pool_per_origin),
     .max = 65535,
     .initial = "64",
     .help = "connections to one origin that stay while nobody wants them, each worker"},
    {.key = "limits.pool_total",
     .kind = KIND_COUNT,
     AT(limits.pool_total),
     .max = 1000000,
     .initial = "1024",
     .help = "idle connections to all origins, each worker; all of them never more than a quarter "
             "of the descriptors"},
    {.key = "limits.pool_max_age",
     .kind = KIND_DURATION,
     AT(limits.pool_max_age_ns),
     .min = NS_PER_MS,
     .max = YEAR,
     .initial = "1h",
     .help = "connections older than this are not used again"},
    {.key = "limits.buffer_bytes",
     .kind = KIND_SIZE,
     AT(limits.buffer_bytes),
     .min = 4 * MIB,
     .max = 1024 * GIB,
     .initial = "1GiB",
     .help = "data in flight, each worker",
     .is_for_start = true},
    COUNT("connections", all.connections, "connections of all clients; 0 for any number"),
    COUNT("tunnels", all.tunnels, "tunnels of all clients"),
    RATE("requests", all.requests, "requests of all clients"),
    BANDWIDTH("bandwidth", all.bandwidth, "bytes to all clients, and as many from them"),
    COUNT("per_client.connections", per_client.connections,
          "connections of one client: an IPv4 address, an IPv6 /64"),
    COUNT("per_client.tunnels", per_client.tunnels, "tunnels of one client"),
    {.key = "limits.per_client.heads",
     .kind = KIND_COUNT,
     AT(limits.budget.per_client.heads),
     .max = 1000000,
     .initial = "1024",
     .help = "requests of one client whose head has begun and is not whole"},
    RATE("per_client.requests", per_client.requests, "requests of one client"),
    BANDWIDTH("per_client.bandwidth", per_client.bandwidth,
              "bytes to one client, and as many from it"),
    COUNT("per_user.connections", per_user.connections, "connections of one user"),
    COUNT("per_user.tunnels", per_user.tunnels, "tunnels of one user"),
    RATE("per_user.requests", per_user.requests, "requests of one user"),
    BANDWIDTH("per_user.bandwidth", per_user.bandwidth, "bytes to one user, and as many from it"),
    {.key = "limits.ranges",
     .kind = KIND_RANGES,
     .place = offsetof(struct config, limits.budget.ranges),
     .also = "limits.per_range limits.networks",
     .help = "clients that have a budget together; a list of maps, of which the first that holds a "
             "client is its own"},
    {.key = "limits.memory",
     .kind = KIND_SIZE,
     AT(limits.memory_bytes),
     .max = 1024 * GIB,
     .initial = "0B",
     .also = "limits.memory_max memory max_memory",
     .help = "resident memory of the serving process; 0B for no ceiling",
     .is_for_start = true},
    {.key = "limits.head_rate",
     .kind = KIND_BANDWIDTH,
     AT(limits.head_rate),
     .max = MIB,
     .initial = "64B/s",
     .help = "slowest request head, after two seconds; 0 for any"},
    {.key = "limits.body_rate",
     .kind = KIND_BANDWIDTH,
     AT(limits.body_rate),
     .max = GIB,
     .initial = "0",
     .help = "slowest body that a client sends or takes, over ten seconds of waiting; 0 for any"},

    {.key = "via.pseudonym",
     .kind = KIND_WORD,
     AT(via.pseudonym),
     .max = 60,
     .flag = "--via",
     .argument = "NAME",
     .also = "via.name",
     .help = "name in Via and Proxy-Status; empty for one of each run"},
    {.key = "forwarded",
     .kind = KIND_CHOICE,
     AT(forwarded),
     .initial = "off",
     .words = {"off", "x-forwarded", "forwarded"},
     .also = "forwarded_for x_forwarded_for xff",
     .help = "tell origins who asked, and in which field"},
    {.key = "tcp.keepalive",
     .kind = KIND_DURATION,
     AT(tcp.keepalive_ns),
     .max = 32767 * NS_PER_S, /* the kernel's */
     .initial = "30s",
     .help = "silence of a client after which TCP probes whether it is there; 0s for never"},
    {.key = "tcp.user_timeout",
     .kind = KIND_DURATION,
     AT(tcp.user_timeout_ns),
     .max = (uint64_t)INT32_MAX * NS_PER_MS, /* the kernel's */
     .initial = "0s",
     .help = "end a connection whose peer takes no bytes for so long; 0s for the system's limit"},
    {.key = "tcp.congestion_client",
     .kind = KIND_CSTRING,
     AT(tcp.congestion_client),
     .max = 15,
     .initial = "",
     .help = "congestion control towards clients; empty for the system's"},
    {.key = "tcp.congestion_upstream",
     .kind = KIND_CSTRING,
     AT(tcp.congestion_upstream),
     .max = 15,
     .initial = "",
     .help = "congestion control towards origins; empty for the system's"},
    {.key = "tls_upstream.ca_file",
     .kind = KIND_PATH,
     AT(tls_upstream.ca_file),
     .flag = "--upstream-ca",
     .argument = "FILE",
     .also = "upstream_tls.ca",
     .help = "who vouches for origins of https targets; the system's store where none is named"},

    {.key = "responses.server_timing",
     .kind = KIND_BOOL,
     AT(responses.has_timing),
     .initial = "off",
     .words = {"off", "on"},
     .also = "server_timing log.server_timing timing",
     .help = "phases so far in Server-Timing of forwarded responses and of the answer to CONNECT"},
    {.key = "responses.proxy_status",
     .kind = KIND_BOOL,
     AT(responses.has_status),
     .initial = "off",
     .words = {"off", "on"},
     .also = "proxy_status log.proxy_status",
     .help = "Proxy-Status also in these; answers of the proxy itself always have it"},
    {.key = "log.access.format",
     .kind = KIND_CHOICE,
     AT(log.format),
     AND(log.has_format),
     .initial = "auto",
     .flag = "--log-format",
     .argument = "FORMAT",
     .words = {ACCESS_LOG_FORMATS(FORMAT_WORD) "auto"},
     .also = "log_format",
     .help = "entries as line, json, combined or squid; auto: line on a terminal, else json"},
    {.key = "log.access.file",
     .kind = KIND_PATH,
     AT(log.file),
     .min = 1,
     .initial = "-",
     .flag = "--log-file",
     .argument = "PATH|-|off",
     .also = "logfile access_log",
     .help = "where they go; - is standard output"},
    {.key = "log.access.query",
     .kind = KIND_BOOL,
     AT(log.keeps_query),
     .initial = "keep",
     .words = {"strip", "keep"},
     .help = "query strings in entries"},
    {.key = "log.inside",
     .kind = KIND_CHOICE,
     AT(log.inside),
     .initial = "on",
     .words = {"off", "on", "ja4"},
     .also = "log.tls dissect ja4 log.ja4",
     .help = "time the TLS inside tunnels from outside; ja4: and name the client's fingerprint"},
    {.key = "log.tunnels.open",
     .kind = KIND_BOOL,
     AT(log.tells_open),
     .initial = "off",
     .words = {"off", "on"},
     .help = "an entry when a tunnel opens, too"},
    {.key = "log.tunnels.every",
     .kind = KIND_DURATION,
     AT(log.tell_every_ns),
     .max = YEAR,
     .initial = "5m",
     .also = "log.tunnels.interval",
     .help = "and this often of one that is open and moves bytes; 0s: none"},
    {.key = "log.diagnostics",
     .kind = KIND_CHOICE,
     AT(log.diagnostics),
     .initial = "info",
     .flag = "--log-level",
     .argument = "LEVEL",
     .words = {DIAG_LEVELS(LEVEL_WORD)},
     .also = "loglevel log_level verbosity level",
     .help =
         "what is said on standard error, and what is graver: error, warning, notice, info, debug"},

    {.key = "sandbox.seccomp",
     .kind = KIND_CHOICE,
     AT(sandbox.seccomp),
     .initial = "refuse",
     .flag = "--seccomp",
     .argument = "MODE",
     .words = {"refuse", "kill", "log", "off"},
     .also = "seccomp",
     .help = "a system call that serving does not need: refuse, kill, log it, or off",
     .is_for_start = true},
    {.key = "sandbox.landlock",
     .kind = KIND_CHOICE,
     AT(sandbox.landlock),
     .initial = "auto",
     .flag = "--landlock",
     .argument = "auto|on|off",
     .words = {"auto", "on", "off"},
     .also = "landlock",
     .help = "shut the files that serving does not need; auto: where the kernel can",
     .is_for_start = true},
    {.key = "sandbox.core_dumps",
     .kind = KIND_BOOL,
     AT(sandbox.dumps_core),
     .initial = "off",
     .flag = "--core-dumps",
     .argument = "on|off",
     .words = {"off", "on"},
     .also = "core_dumps coredump",
     .help = "on for debugging: core dumps, and debuggers of the same user",
     .is_for_start = true},
};
const struct schema_table schema_main = {main_rows, COUNT_OF(main_rows)};

bool schema_is_list(const struct schema_row *row)
{
    switch (row->kind) {
    case KIND_PREFIXES:
    case KIND_TARGETS:
    case KIND_EXCEPTIONS:
    case KIND_ENDPOINTS:
    case KIND_PORTS:
    case KIND_TEXTS:
    case KIND_PORT_RANGES:
    case KIND_WINDOWS:
    case KIND_LISTENERS:
    case KIND_RULES:
    case KIND_RANGES: return true;
    case KIND_BOOL:
    case KIND_COUNT:
    case KIND_UNSIGNED:
    case KIND_MODE:
    case KIND_DURATION:
    case KIND_SIZE:
    case KIND_RATE:
    case KIND_BANDWIDTH:
    case KIND_PATH:
    case KIND_NAME:
    case KIND_WORD:
    case KIND_CSTRING:
    case KIND_CHOICE:
    case KIND_ADDRESS:
    case KIND_LISTEN:
    case KIND_ADMIN: return false;
    }
    return false;
}

bool schema_is_table(const struct schema_row *row)
{
    return row->kind == KIND_LISTENERS || row->kind == KIND_RULES || row->kind == KIND_RANGES;
}

/* ---- finding ---- */

const struct schema_row *schema_find(const struct schema_table *table, struct slice key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (slice_equals(key, slice_from_string(table->rows[i].key)))
            return &table->rows[i];
    }
    return NULL;
}

bool schema_is_section(const struct schema_table *table, struct slice key)
{
    for (size_t i = 0; i < table->count; i++) {
        struct slice whole = slice_from_string(table->rows[i].key);
        if (whole.len > key.len && whole.at[key.len] == '.' && slice_starts_with(whole, key))
            return true;
    }
    return false;
}

void schema_add_keys(const struct schema_table *table, struct slice section, struct text *text)
{
    bool is_first = true;
    for (size_t i = 0; i < table->count; i++) {
        struct slice key = slice_from_string(table->rows[i].key);
        if (!slice_starts_with(key, section))
            continue;
        text_add(text, is_first ? SLICE(": ") : SLICE(", "));
        text_add(text, slice_from(key, section.len));
        is_first = false;
    }
}

/* ---- what is expected ---- */

static void add_words(const struct schema_row *row, struct text *text)
{
    for (size_t i = 0; i < SCHEMA_WORDS && row->words[i] != NULL; i++) {
        bool is_last = i + 1 == SCHEMA_WORDS || row->words[i + 1] == NULL;
        text_add_format(text, "%s%s", i == 0 ? "" : is_last ? " or " : ", ", row->words[i]);
    }
}

static void add_bounds(const struct schema_row *row, struct text *text)
{
    unsigned long long min = row->min;
    unsigned long long max = row->max;
    if (row->kind == KIND_DURATION)
        text_add_format(text, " of at most %lluh", max / HOUR);
    else if (row->kind == KIND_SIZE && max >= GIB && min > 0)
        text_add_format(text, " from %lluMiB to %lluGiB", min / MIB, max / GIB);
    else if (row->kind == KIND_SIZE && max >= GIB)
        text_add_format(text, " of at most %lluGiB", max / GIB);
    else if (row->kind == KIND_SIZE)
        text_add_format(text, " from %lluB to %lluKiB", min, max / KIB);
    else
        text_add_format(text, " from %llu to %llu", min, max);
    if (row->kind == KIND_DURATION && min > 0)
        text_add(text, SLICE(", and not 0"));
}

static const char *expected_words(const struct schema_row *row)
{
    switch (row->kind) {
    case KIND_COUNT:
    case KIND_UNSIGNED: return "a number";
    case KIND_MODE: return "permissions in base 8 like 0660";
    case KIND_DURATION:
        return "a duration, a whole number with its unit, like 250ms, 10s, 15m or 1h,";
    case KIND_RATE: return "a number a second, like 100/s, or 0";
    case KIND_BANDWIDTH: return "bytes a second, like 512KiB/s or 10MB/s, or 0";
    case KIND_SIZE: return "a size, a whole number with its unit, like 512B, 64KiB or 10MB,";
    case KIND_PATH: return row->min > 0 ? "a path" : "a path, or \"\"";
    case KIND_NAME: return "a name";
    case KIND_WORD:
    case KIND_CSTRING: return "a word of letters, digits, '-', '_' and '.', not too long";
    case KIND_ADDRESS: return "an IP address, or any";
    case KIND_LISTEN: return "IP:PORT, unix:PATH or inherited";
    case KIND_ADMIN: return "IP:PORT, unix:PATH, a path that begins with / or off";
    case KIND_PREFIXES: return "an IP address or a range without host bits, like 10.0.0.0/8";
    case KIND_TARGETS: return "a range without host bits like 10.0.0.0/8, a host name, or *.name";
    case KIND_EXCEPTIONS: return "an IP address, IP:PORT or a host name";
    case KIND_ENDPOINTS: return "an IP address, or IP:PORT";
    case KIND_PORTS: return "a port from 1 to 65535, or any";
    case KIND_TEXTS: return "text";
    case KIND_PORT_RANGES: return "a port from 1 to 65535, or FIRST-LAST";
    case KIND_WINDOWS: return "days and hours, like mon-fri 08:00-18:00, sat,sun or 22:00-06:00";
    case KIND_LISTENERS: return "a list of listeners, each an address or a map";
    case KIND_RULES: return "a list of maps, one a rule";
    case KIND_RANGES: return "a list of maps, one a range";
    case KIND_BOOL:
    case KIND_CHOICE: break;
    }
    return "";
}

void schema_expected(const struct schema_row *row, struct text *text)
{
    if (row->words[0] != NULL)
        add_words(row, text);
    else
        text_add(text, slice_from_string(expected_words(row)));
    if (row->kind == KIND_COUNT || row->kind == KIND_UNSIGNED || row->kind == KIND_DURATION ||
        row->kind == KIND_SIZE)
        add_bounds(row, text);
    else if (row->kind == KIND_NAME)
        text_add_format(text, " of at most %llu bytes, without control bytes",
                        (unsigned long long)row->max);
}
