#ifndef FAIRLEAD_CONFIG_CONFIG_H
#define FAIRLEAD_CONFIG_CONFIG_H

#include "base/inet.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "budget/limits.h"
#include "policy/rule.h"
#include "report/access_log.h"
#include "report/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The settings of one run, as plain values. The schema table (schema.c) is the authority on keys, units,
 * defaults and help; a file and the command line fill the same table, and a flag wins. Immutable after
 * config_load. */

struct config_prefixes {
    struct inet_prefix *at;
    size_t count;
};
struct config_strings {
    struct slice *at; /* each is terminated */
    size_t count;
};
struct config_endpoints {
    struct inet_endpoint *at;
    size_t count;
};
struct config_ports {
    uint16_t *at;
    size_t count;
    bool is_any;
};

/* The longest path of a Unix socket that the kernel takes, in bytes. */
enum { CONFIG_SOCKET_PATH_MAX = 107 };

enum config_listen_kind { LISTEN_TCP, LISTEN_UNIX, LISTEN_INHERITED };

struct config_listen {
    enum config_listen_kind kind;
    struct inet_endpoint endpoint; /* LISTEN_TCP */
    struct slice path;             /* LISTEN_UNIX */
    struct slice name;             /* for rules: by default the address as it is printed */
    bool has_name;                 /* said by the user */
    unsigned mode;                 /* LISTEN_UNIX: of the socket file */
    bool is_tls;
    struct slice certificate; /* paths */
    struct slice key;
    struct slice client_ca;
    bool needs_client_certificate;
    struct config_prefixes proxy_from; /* senders of PROXY headers; empty: none is read */
};

/* What of a client certificate is its user. */
enum config_certificate {
    CERTIFICATE_OFF,
    CERTIFICATE_CN,
    CERTIFICATE_DNS,
    CERTIFICATE_EMAIL,
    CERTIFICATE_URI,
};

/* What is looked at of the TLS inside tunnels. */
enum config_inside { LOG_INSIDE_OFF, LOG_INSIDE_ON, LOG_INSIDE_JA4 };

enum config_required { REQUIRED_FALSE, REQUIRED_TRUE };
enum config_forwarded { FORWARDED_OFF, FORWARDED_X, FORWARDED_STANDARD };

/* What becomes of a system call that the serving process does not need. */
enum config_seccomp {
    CONFIG_SECCOMP_REFUSE,
    CONFIG_SECCOMP_KILL,
    CONFIG_SECCOMP_LOG,
    CONFIG_SECCOMP_OFF
};
/* Files that the serving process does not need; auto: shut where the kernel can. */
enum config_landlock { CONFIG_LANDLOCK_AUTO, CONFIG_LANDLOCK_ON, CONFIG_LANDLOCK_OFF };

struct config {
    struct config_listen *listen;
    size_t listen_count;
    struct {
        bool is_off;
        struct config_listen listen;
        struct slice token_file;
        uint64_t history_bytes;
    } admin;
    struct {
        struct slice users; /* path; empty: no Basic */
        struct slice realm;
        struct slice tokens; /* path; empty: no Bearer */
        enum config_certificate certificate;
        bool takes_peer; /* processes behind Unix sockets */
        enum config_required required;
        bool says_required;  /* else config_identity_is_required decides */
        uint64_t cache_ns;   /* how long a verified password is remembered; 0: not at all */
        uint64_t failures;   /* so many of a client */
        uint64_t failure_ns; /* in so long a time */
    } identity;
    unsigned workers; /* 0: one a core */
    struct slice run_as;
    struct config_prefixes clients;
    struct inet_addr source;
    struct {
        struct config_endpoints servers;
        struct slice hosts_file;
        uint64_t cache_entries;
    } resolver;
    struct {
        struct config_prefixes allow;
        struct config_prefixes deny;
        struct config_strings allow_names;
        struct config_strings deny_names;
        struct config_ports connect_ports;
        struct config_ports plain_ports;          /* bad ports that plain requests may go to */
        struct config_endpoints floor_exceptions; /* port 0: any */
        struct config_strings floor_names;
        int sni;          /* enum sni_mode */
        bool skips_mixed; /* of an answer with refused addresses use the others */
    } egress;
    struct {
        int by_default;   /* enum rule_action */
        bool has_default; /* said by the user; otherwise egress.allow decides */
        bool observes;
        struct rule *rules; /* their texts and lists live as long as the configuration */
        size_t rule_count;
    } policy;
    struct {
        uint64_t client_tls_ns, client_head_ns, dns_ns, connect_ns, connect_attempt_ns,
            upstream_tls_ns, response_head_ns, body_stall_ns, keepalive_ns, upstream_keepalive_ns,
            tunnel_idle_ns, tunnel_half_closed_ns, tunnel_lifetime_ns, drain_ns;
    } timeouts;
    struct {
        uint64_t head_bytes, head_fields, target_bytes, pool_per_origin, pool_total, buffer_bytes;
        uint64_t pool_max_age_ns;
        struct budget_rules budget;
        uint64_t memory_bytes; /* 0: no ceiling */
        uint64_t head_rate;    /* bytes a second; 0: as slow as may be */
        uint64_t body_rate;
    } limits;
    struct {
        struct slice pseudonym; /* empty: unique for each run */
    } via;
    enum config_forwarded forwarded;
    struct {
        uint64_t keepalive_ns;
        uint64_t user_timeout_ns;
        const char *congestion_client; /* "" leaves the system's; never NULL */
        const char *congestion_upstream;
    } tcp;
    struct {
        struct slice ca_file; /* empty: the system's store */
    } tls_upstream;
    struct {
        bool has_timing; /* Server-Timing */
        bool has_status; /* Proxy-Status, also where nothing went wrong */
    } responses;
    struct {
        enum access_log_format format;
        bool has_format;   /* said by the user; otherwise a terminal gets lines and the rest JSON */
        struct slice file; /* "-" standard output, "off" none */
        bool keeps_query;
        enum config_inside inside;
        bool tells_open;             /* a record when a tunnel opens, too */
        uint64_t tell_every_ns;      /* and this often while bytes pass; 0: none */
        enum diag_level diagnostics; /* the least grave level that is said */
    } log;
    struct {
        enum config_seccomp seccomp;
        enum config_landlock landlock;
        bool dumps_core; /* and may be looked into by its own user */
    } sandbox;
};

/* Where errors go: called once for each, with a whole line without a line feed, like
 *   fairlead.yaml:7:3: timeouts.conect: unknown key; did you mean "connect"?
 * After 20 one more line tells how many were left out. */
struct config_errors {
    void (*report)(struct config_errors *errors, const char *line);
    unsigned count; /* all of them */
};

/* Make a configuration from the text of a file (`name` for messages; empty text for none) and flags
 * (argc/argv without the program and command names). Only syntax is judged: no file is opened, nothing is
 * bound. Every error is reported.
 * Errors: ST_BAD after reports; ST_NOMEM. */
enum status config_load(const char *name, struct slice text, int argc, const char *const *argv,
                        struct config_errors *errors, struct config **ret_config) MUST_USE;
/* What to put before a message about a setting, which is a member of `config`: "f.yaml:7:12: listen[0].tls.key: "
 * where the file has it, "--tls-key: " where a flag has it, else the key. */
void config_add_origin(const struct config *config, const void *setting, struct text *into);
/* Whether a file or a flag says something about this member of `config`; false where it has its default. */
bool config_is_set(const struct config *config, const void *setting) MUST_USE;
/* *config is NULL afterwards. Takes a pointer to NULL. */
void config_destroy(struct config **config);
/* Is `word` a flag with its value, which is in it or is `next` (NULL: there is none)? `ret_takes_next` is always set.
 * Errors: ST_BAD, and `fault` says why, without the name of the flag. */
enum status config_flag_check(const char *word, const char *next, bool *ret_takes_next,
                              struct text *fault) MUST_USE;
/* The value of -c/--config among the flags, or NULL. */
const char *config_file_flag(int argc, const char *const *argv);
/* The same as messages show it: "stdin" for "-", and "" where there is none. */
const char *config_file_name(int argc, const char *const *argv);
/* The effective configuration as YAML that loads again. */
void config_print(const struct config *config, FILE *out);
/* A rule as config_print has it, on one line, without its name: "{ action: allow, to: [...] }". */
void config_print_rule(const struct rule *rule, FILE *out);
/* The same of a range of clients. */
void config_print_range(const struct budget_range *range, FILE *out);
/* Call `report` for each setting that has a part in what is allowed to whom, with its value as a file would have it;
 * for all but the rules themselves. Errors: ST_NOMEM. */
enum status config_each_decisive(const struct config *config,
                                 void (*report)(void *owner, const char *key, const char *words),
                                 void *owner) MUST_USE;
/* The same for the settings of `limits`; each range is one, "limits.ranges(NAME)". */
enum status config_each_limit(const struct config *config,
                              void (*report)(void *owner, const char *key, const char *words),
                              void *owner) MUST_USE;
/* Keys, types, defaults and help as Markdown. */
void config_print_reference(FILE *out);
/* The flags as --help shows them: no line is wider than 80 columns. */
void config_print_flags(FILE *out);
/* One of them; `argument` may be empty, and `initial`, its default, NULL. */
typedef void config_flag_printer(const char *flag, const char *argument, const char *help,
                                 const char *initial, FILE *out);
config_flag_printer config_print_flag;
/* The same without what `help` begins with to say which command it goes with, "with learn: ". */
config_flag_printer config_print_own_flag;

/* Call `report` for each setting that only a start takes up and that differs, with its values as a file
 * would have them. */
void config_compare_start(const struct config *running, const struct config *wanted,
                          void (*report)(void *owner, const char *key, const char *running_words,
                                         const char *wanted_words),
                          void *owner);

/* Is there any way to tell who asks? */
static inline bool config_identity_is_on(const struct config *config)
{
    return config->identity.users.len > 0 || config->identity.tokens.len > 0 ||
           config->identity.certificate != CERTIFICATE_OFF || config->identity.takes_peer;
}
/* Must every request say who asks? By default where there is a way to. */
static inline bool config_identity_is_required(const struct config *config)
{
    return config->identity.says_required ? config->identity.required == REQUIRED_TRUE
                                          : config_identity_is_on(config);
}
/* Would listening on `bound` make an open proxy: beyond loopback, with nobody named who may connect?
 * config_load has asked for all addresses that it knows; inherited sockets are still to be asked for. */
bool config_is_open(const struct config *config, const struct config_listen *listen,
                    const struct inet_addr *bound);
bool config_prefixes_contain(const struct config_prefixes *prefixes, const struct inet_addr *addr);

#endif
