#include "config_test.h"

#define A_FIFTY   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A_HUNDRED A_FIFTY A_FIFTY

/* ---- defaults ---- */

static void nothing_said_gives_the_defaults(void **state)
{
    (void)state;
    struct loaded *loaded = load_file("");
    const struct config *config = loaded->config;
    assert_int_equal(config->listen_count, 1);
    assert_int_equal(config->listen[0].kind, LISTEN_TCP);
    assert_true(inet_addr_is_loopback(&config->listen[0].endpoint.addr));
    assert_int_equal(config->listen[0].endpoint.port, 3128);
    assert_int_equal(config->listen[0].mode, 0600);
    assert_false(config->listen[0].is_tls);
    assert_false(config->admin.is_off);
    assert_int_equal(config->admin.listen.endpoint.port, 3129);
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->source.family, INET_NONE);
    assert_int_equal(config->egress.connect_ports.count, 1);
    assert_int_equal(config->egress.connect_ports.at[0], 443);
    assert_false(config->egress.connect_ports.is_any);
    assert_int_equal(config->egress.allow.count, 0);
    assert_false(config->egress.skips_mixed);
    assert_int_equal(config->limits.head_bytes, 65536);
    assert_int_equal(config->limits.head_fields, 1000);
    assert_int_equal(config->limits.target_bytes, 32768);
    assert_int_equal(config->timeouts.client_tls_ns, 10 * NS_PER_S);
    assert_int_equal(config->timeouts.dns_ns, 5 * NS_PER_S);
    assert_int_equal(config->timeouts.connect_attempt_ns, 250 * NS_PER_MS);
    assert_int_equal(config->timeouts.response_head_ns, 60 * NS_PER_S);
    assert_int_equal(config->timeouts.tunnel_idle_ns, 900 * NS_PER_S);
    /* Or a download that is paused for so long would be cut. */
    assert_int_equal(config->tcp.user_timeout_ns, 0);
    assert_int_equal(config->timeouts.tunnel_lifetime_ns, 0);
    assert_int_equal(config->timeouts.drain_ns, 30 * NS_PER_S);
    assert_false(config->log.has_format);
    assert_slice(config->log.file, "-");
    assert_true(config->log.keeps_query);
    assert_int_equal(config->log.diagnostics, DIAG_INFO);
    assert_string_equal(config->tcp.congestion_client, "");
    assert_slice(config->resolver.hosts_file, "/etc/hosts");
    loaded_done(loaded);
}

/* ---- files ---- */

static const char full[] =
    "listen:\n"
    "  - address: 127.0.0.1:3128\n"
    "  - address: \"[::]:3443\"\n"
    "    tls:\n"
    "      certificate: /etc/fairlead/proxy.pem\n"
    "      key: /etc/fairlead/proxy.key\n"
    "      client_ca: /etc/fairlead/ca.pem\n"
    "      client_certificate: required\n"
    "    proxy_protocol: { from: [10.0.0.0/8, \"fd00::/8\"] }\n"
    "  - { address: \"unix:/run/fairlead/proxy.sock\", mode: 0660 }\n"
    "  - inherited\n"
    "admin: { address: /run/fairlead/admin.sock, token_file: /etc/token }\n"
    "workers: 4\n"
    "run_as: proxy\n"
    "clients: { allow: [10.0.0.0/8] }\n"
    "source: 192.0.2.7\n"
    "egress:\n"
    "  allow: [10.20.0.0/16, example.com, \"*.Example.org.\"]\n"
    "  deny: bad.example.com\n"
    "  connect_ports: [443, 8443, any]\n"
    "  plain_ports: [6379]\n"
    "  floor_exceptions: [\"169.254.169.254:80\", \"fd00:ec2::254\", metadata.goog]\n"
    "  mixed: skip\n"
    "resolver:\n"
    "  servers: [9.9.9.9, \"[2620:fe::fe]:5353\", 127.0.0.53:54]\n"
    "  hosts_file: \"\"\n"
    "timeouts: { connect: 3s, tunnel_idle: 1h, connect_attempt_delay: 100ms }\n"
    "limits: { head_bytes: 32KiB, target_bytes: 8KB, pool_max_age: 5m }\n"
    "via: { pseudonym: gate-7 }\n"
    "forwarded: x-forwarded\n"
    "tcp: { keepalive: 20s, user_timeout: 30s, congestion_client: reno }\n"
    "tls_upstream: { ca_file: /etc/ca.pem }\n"
    "log:\n"
    "  access: { format: json, file: /var/log/access.log, query: strip }\n"
    "  diagnostics: warning\n";

static void a_file_sets_everything(void **state)
{
    (void)state;
    struct loaded *loaded = load_file(full);
    const struct config *config = loaded->config;
    assert_int_equal(config->listen_count, 4);
    assert_true(config->listen[1].is_tls);
    assert_slice(config->listen[1].certificate, "/etc/fairlead/proxy.pem");
    assert_slice(config->listen[1].client_ca, "/etc/fairlead/ca.pem");
    assert_true(config->listen[1].needs_client_certificate);
    assert_int_equal(config->listen[1].proxy_from.count, 2);
    assert_int_equal(config->listen[2].kind, LISTEN_UNIX);
    assert_slice(config->listen[2].path, "/run/fairlead/proxy.sock");
    assert_int_equal(config->listen[2].mode, 0660);
    assert_int_equal(config->listen[3].kind, LISTEN_INHERITED);
    assert_int_equal(config->admin.listen.kind, LISTEN_UNIX);
    assert_slice(config->admin.token_file, "/etc/token");
    assert_int_equal(config->workers, 4);
    assert_slice(config->run_as, "proxy");
    assert_int_equal(config->clients.count, 1);
    assert_int_equal(config->source.family, INET_V4);
    assert_int_equal(config->egress.allow.count, 1);
    assert_int_equal(config->egress.allow_names.count, 2);
    assert_slice(config->egress.allow_names.at[1], "*.example.org");
    assert_int_equal(config->egress.deny_names.count, 1);
    assert_int_equal(config->egress.connect_ports.count, 2);
    assert_true(config->egress.connect_ports.is_any);
    assert_int_equal(config->egress.plain_ports.at[0], 6379);
    assert_int_equal(config->egress.floor_exceptions.count, 2);
    assert_int_equal(config->egress.floor_exceptions.at[0].port, 80);
    assert_int_equal(config->egress.floor_exceptions.at[1].port, 0);
    assert_slice(config->egress.floor_names.at[0], "metadata.goog");
    assert_true(config->egress.skips_mixed);
    assert_int_equal(config->resolver.servers.count, 3);
    assert_int_equal(config->resolver.servers.at[1].port, 5353);
    assert_int_equal(config->resolver.hosts_file.len, 0);
    assert_int_equal(config->timeouts.connect_ns, 3 * NS_PER_S);
    assert_int_equal(config->timeouts.tunnel_idle_ns, 3600 * NS_PER_S);
    assert_int_equal(config->timeouts.connect_attempt_ns, 100 * NS_PER_MS);
    assert_int_equal(config->limits.head_bytes, 32768);
    assert_int_equal(config->limits.target_bytes, 8000);
    assert_int_equal(config->limits.pool_max_age_ns, 300 * NS_PER_S);
    assert_slice(config->via.pseudonym, "gate-7");
    assert_int_equal(config->forwarded, FORWARDED_X);
    assert_int_equal(config->tcp.keepalive_ns, 20 * NS_PER_S);
    assert_int_equal(config->tcp.user_timeout_ns, 30 * NS_PER_S);
    assert_string_equal(config->tcp.congestion_client, "reno");
    assert_slice(config->tls_upstream.ca_file, "/etc/ca.pem");
    assert_true(config->log.has_format);
    assert_int_equal(config->log.format, ACCESS_LOG_JSON);
    assert_slice(config->log.file, "/var/log/access.log");
    assert_false(config->log.keeps_query);
    assert_int_equal(config->log.diagnostics, DIAG_WARNING);
    loaded_done(loaded);
}

static void single_values_stand_for_lists(void **state)
{
    (void)state;
    struct loaded *loaded = load_file("listen: 127.0.0.1:0\negress: { connect_ports: 8443 }\n");
    assert_int_equal(loaded->config->listen_count, 1);
    assert_int_equal(loaded->config->listen[0].endpoint.port, 0);
    assert_int_equal(loaded->config->egress.connect_ports.count, 1);
    assert_int_equal(loaded->config->egress.connect_ports.at[0], 8443);
    loaded_done(loaded);
}

static void maps_with_nothing_in_them_set_nothing(void **state)
{
    (void)state;
    struct loaded *loaded = load_file("limits:\n#  head_bytes: 1KiB\negress:\nlog:\n  access:\n");
    assert_int_equal(loaded->config->limits.head_bytes, 65536);
    loaded_done(loaded);
}

/* ---- errors ---- */

static void misspelt_keys_get_the_nearest_one(void **state)
{
    (void)state;
    file_fails("timeouts:\n  conect: 3s\n",
               "t.yaml:2:3: timeouts.conect: unknown key; did you mean \"timeouts.connect\"? "
               "Expected there: a duration, a whole number with its unit, like 250ms, 10s, 15m or "
               "1h, of at most "
               "8760h, and not 0\n");
    file_fails("worker: 3\n", "t.yaml:1:1: worker: unknown key; did you mean \"workers\"? Expected "
                              "there: a number from 0 to 64\n");
    file_fails("connect_ports: [1]\n",
               "t.yaml:1:1: connect_ports: unknown key; did you mean "
               "\"egress.connect_ports\"? Expected there: a port from 1 to 65535, or any\n");
    file_fails("timeout: { dns: 1s }\n",
               "t.yaml:1:1: timeout: unknown key; did you mean \"timeouts\"?\n");
    file_fails("listen:\n  - adress: 127.0.0.1:1\n    address: 127.0.0.1:1\n",
               "t.yaml:2:5: listen[0].adress: unknown key; did you mean \"address\"? "
               "Expected there: IP:PORT, unix:PATH or inherited\n");
    file_fails("zzzzzzzzzz: 1\n", "t.yaml:1:1: zzzzzzzzzz: unknown key\n");
    file_fails("egress.allow: [10.0.0.0/8]\n",
               "t.yaml:1:1: egress.allow: unknown key; a dot stands for a map in a map: egress: { "
               "allow: ... }\n");
    file_fails("<<: 1\n\"a\\x01\\nb\": 2\n",
               "t.yaml:1:1: <<: unknown key\nt.yaml:2:1: a\\x01\\x0ab: unknown key\n");
}

static void keys_stand_once(void **state)
{
    (void)state;
    file_fails("workers: 1\nworkers: 2\n",
               "t.yaml:2:1: workers: stands here twice, first in line 1\n");
    file_fails("egress:\n  deny: [a.example]\n  allow: []\n  deny: []\n",
               "t.yaml:4:3: egress.deny: stands here twice, first in line 2\n");
    file_fails("limits:\nworkers: 1\nlimits:\n",
               "t.yaml:3:1: limits: stands here twice, first in line 1\n");
}

/* What people write who come from elsewhere, or forget a level. */
static void keys_in_the_wrong_place_get_the_right_one(void **state)
{
    (void)state;
    file_fails("log:\n  level: debug\n",
               "t.yaml:2:3: log.level: unknown key; did you mean \"log.diagnostics\"? Expected "
               "there: error, warning, notice, info or debug\n");
    file_fails("listen: [{ address: '127.0.0.1:1', tls: { cert: a, certificate: a, key: b } }]\n",
               "t.yaml:1:43: listen[0].tls.cert: unknown key; did you mean \"tls.certificate\"? "
               "Expected there: a path\n");
    file_fails("tls: { certificate: a }\n",
               "t.yaml:1:1: tls: unknown key; did you mean \"listen[].tls\"?\n");
    file_fails("listen: [{ address: '127.0.0.1:1', workers: 3 }]\n",
               "t.yaml:1:36: listen[0].workers: unknown key; did you mean \"workers\", outside of "
               "listen? Expected there: a number from 0 to 64\n");
    file_fails("admin: off\n", "t.yaml:1:8: admin: expected a map of settings; did you mean "
                               "\"admin.address: off\"?\n");
    file_fails("log: debug\n", "t.yaml:1:6: log: expected a map of settings; did you mean "
                               "\"log.diagnostics: debug\"?\n");
    file_fails("clients: [10.0.0.0/8]\n", "t.yaml:1:10: clients: expected a map of settings; did "
                                          "you mean \"clients.allow\"?\n");
    file_fails("admin: false\n",
               "t.yaml:1:8: admin: expected a map of settings: address, token_file, history\n");
}

static void values_of_another_kind_say_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *line;
    } cases[] = {
        {"workers: four\n", "t.yaml:1:10: workers: expected a number from 0 to 64; got \"four\"\n"},
        {"workers: -1\n", "t.yaml:1:10: workers: expected a number from 0 to 64; got \"-1\"\n"},
        {"workers: 65\n", "t.yaml:1:10: workers: expected a number from 0 to 64; got \"65\"\n"},
        {"workers: [1]\n",
         "t.yaml:1:10: workers: expected a number from 0 to 64; got \"a list\"\n"},
        {"timeouts: { dns: 5 }\n",
         "t.yaml:1:18: timeouts.dns: expected a duration, a whole number with its unit, "
         "like 250ms, 10s, 15m or 1h, "
         "of at most 8760h, and not 0; got \"5\"\n"},
        {"timeouts: { dns: 0s }\n",
         "t.yaml:1:18: timeouts.dns: expected a duration, a whole number with its unit, "
         "like 250ms, 10s, 15m or 1h, "
         "of at most 8760h, and not 0; got \"0s\"\n"},
        {"timeouts: { dns: 99999999999999999999h }\n",
         "t.yaml:1:18: timeouts.dns: expected a duration, a whole number with its unit, like "
         "250ms, 10s, 15m or "
         "1h, "
         "of at most 8760h, and not 0; got \"99999999999999999999h\"\n"},
        {"limits: { head_bytes: 64k }\n", "t.yaml:1:23: limits.head_bytes: expected a size, a "
                                          "whole number with its unit, like 512B, 64KiB or 10MB, "
                                          "from 1024B to 120KiB; got \"64k\"\n"},
        {"limits: { buffer_bytes: 1B }\n", "t.yaml:1:25: limits.buffer_bytes: expected a size, a "
                                           "whole number with its unit, like 512B, 64KiB or "
                                           "10MB, from 4MiB to 1024GiB; got \"1B\"\n"},
        {"egress: { allow: [10.0.0.1/8] }\n",
         "t.yaml:1:19: egress.allow: expected a range without host bits like 10.0.0.0/8, a host "
         "name, or *.name; got \"10.0.0.1/8\"\n"},
        {"egress: { deny: [\"*\"] }\n", "t.yaml:1:18: egress.deny: expected a range without host "
                                        "bits like 10.0.0.0/8, a host name, "
                                        "or *.name; got \"*\"\n"},
        {"egress: { deny: [0x7f.1] }\n", "t.yaml:1:18: egress.deny: expected a range without host "
                                         "bits like 10.0.0.0/8, a host name, "
                                         "or *.name; got \"0x7f.1\"\n"},
        {"egress: { connect_ports: [0] }\n",
         "t.yaml:1:27: egress.connect_ports: expected a port from 1 to 65535, or any; got \"0\"\n"},
        {"egress: { mixed: maybe }\n",
         "t.yaml:1:18: egress.mixed: expected refuse or skip; got \"maybe\"\n"},
        {"clients: { allow: example.com }\n",
         "t.yaml:1:19: clients.allow: expected an IP address or a range without host bits, like "
         "10.0.0.0/8; got \"example.com\"\n"},
        {"source: localhost\n",
         "t.yaml:1:9: source: expected an IP address, or any; got \"localhost\"\n"},
        {"resolver: { servers: [\"1.1.1.1:0\"] }\n",
         "t.yaml:1:23: resolver.servers: expected an IP address, or IP:PORT; got \"1.1.1.1:0\"\n"},
        {"listen: [localhost:3128]\n",
         "t.yaml:1:10: listen[0].address: expected IP:PORT, unix:PATH or inherited; got "
         "\"localhost:3128\"\n"},
        {"listen: [{ address: \"unix:/a\", mode: 0888 }]\n",
         "t.yaml:1:38: listen[0].mode: expected permissions in base 8 like 0660; got \"0888\"\n"},
        {"admin: { address: inherited }\n",
         "t.yaml:1:19: admin.address: expected IP:PORT, unix:PATH, a path that begins with / or "
         "off; got \"inherited\"\n"},
        {"via: { pseudonym: \"a b\\r\\nX: y\" }\n", "t.yaml:1:19: via.pseudonym: expected a word "
                                                    "of letters, digits, '-', '_' and '.', not too "
                                                    "long; got \"a b\\x0d\\x0aX: y\"\n"},
        {"via: gate\n",
         "t.yaml:1:6: via: expected a map of settings; did you mean \"via.pseudonym: gate\"?\n"},
        {"log: { access: { format: xml } }\n",
         "t.yaml:1:26: log.access.format: expected line, json, combined, squid or auto; got "
         "\"xml\"\n"},
        {"log: { access: { file: \"\" } }\n",
         "t.yaml:1:24: log.access.file: expected a path; got \"\"\n"},
        {"log: { diagnostics: loud }\n",
         "t.yaml:1:21: log.diagnostics: expected error, warning, notice, info or debug; got "
         "\"loud\"\n"},
        {"- a\n", "t.yaml:1:1: expected a map of settings\n"},
        {"just words\n", "t.yaml:1:1: expected a map of settings\n"},
        {"workers: *x\n", "t.yaml:1:10: aliases are not supported\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        file_fails(cases[i].yaml, cases[i].line);
}

/* What a new user writes says what works. */
static void a_near_value_says_what_works(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *line;
    } cases[] = {
        {"timeouts: { drain: 1.5s }\n",
         "t.yaml:1:20: timeouts.drain: expected a duration, a whole number with its unit, like "
         "250ms, 10s, 15m or 1h, of at most 8760h, and not 0; got \"1.5s\"\n"},
        {"admin: { address: a.sock }\n",
         "t.yaml:1:19: admin.address: expected IP:PORT, unix:PATH, a path that begins with / or "
         "off; got \"a.sock\"\n"},
        {"listen: [\"unix:/" A_HUNDRED "/proxy2\"]\n",
         "t.yaml:1:10: listen[0].address: the path of a Unix socket has at most 107 bytes\n"},
        {"admin: { address: /" A_HUNDRED "/admin2 }\n",
         "t.yaml:1:19: admin.address: the path of a Unix socket has at most 107 bytes\n"},
        {"policy: { rules: [ { name: \"a\\nb\", to: [a.example] } ] }\n",
         "t.yaml:1:28: policy.rules[0].name: expected a name of at most 64 bytes, without control "
         "bytes; got \"a\\x0ab\"\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        file_fails(cases[i].yaml, cases[i].line);
}

static void all_errors_are_shown_up_to_twenty(void **state)
{
    (void)state;
    file_fails("workers: x\nsource: y\nzzzzzzzzzz: 1\n",
               "t.yaml:1:10: workers: expected a number from 0 to 64; got \"x\"\n"
               "t.yaml:2:9: source: expected an IP address, or any; got \"y\"\n"
               "t.yaml:3:1: zzzzzzzzzz: unknown key\n");
    char yaml[2048];
    size_t len = 0;
    for (int i = 0; i < 25; i++)
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "zzzzzzzzz%c: 1\n", 'a' + i);
    struct loaded *loaded = load_all(yaml, NULL);
    assert_int_equal(loaded->errors.count, 25);
    assert_non_null(strstr(loaded->lines, "t.yaml:20:1: "));
    assert_null(strstr(loaded->lines, "t.yaml:21:1: "));
    assert_string_equal(strstr(loaded->lines, "and 5"), "and 5 more\n");
    loaded_done(loaded);
}

/* ---- the whole ---- */

static void an_open_proxy_is_refused_and_told_how_to_close_it(void **state)
{
    (void)state;
    file_fails("workers: 1\nlisten:\n  - 0.0.0.0:3128\n",
               "t.yaml:3:5: listen[0].address: 0.0.0.0:3128 is not loopback, so this would be an "
               "open proxy; say who may connect (clients.allow, or --allow-clients 10.0.0.0/8; or "
               "--users FILE), or "
               "listen on 127.0.0.1\n");
    struct loaded *loaded = load_all("listen: ['[::]:1', '10.0.0.1:2', '[2a00::1]:3']\n", NULL);
    assert_int_equal(loaded->errors.count, 3);
    loaded_done(loaded);
    /* An optional certificate names nobody, a required one does. */
    loaded = load_all(
        "listen: [{ address: '[::]:1', tls: { certificate: a, key: b, client_ca: c } }]\n", NULL);
    assert_int_equal(loaded->errors.count, 1);
    loaded_done(loaded);
    loaded_done(
        load_file("listen: [{ address: '[::]:1', tls: { certificate: a, key: b, client_ca: c,"
                  " client_certificate: required } }]\n"));
    loaded_done(load_file("listen: ['0.0.0.0:1']\nclients: { allow: 0.0.0.0/0 }\n"));
    loaded_done(
        load_file("listen: ['127.9.9.9:1', '[::1]:1', 'unix:/x', '[::ffff:127.0.0.1]:2']\n"));
}

static void an_inherited_socket_can_be_asked_for(void **state)
{
    (void)state;
    struct loaded *loaded = load_file("listen: inherited\n");
    struct inet_addr addr;
    const struct config_listen *listen = &loaded->config->listen[0];
    assert_int_equal(inet_addr_parse(SLICE("0.0.0.0"), &addr), ST_OK);
    assert_true(config_is_open(loaded->config, listen, &addr));
    assert_int_equal(inet_addr_parse(SLICE("127.0.0.1"), &addr), ST_OK);
    assert_false(config_is_open(loaded->config, listen, &addr));
    addr.family = INET_NONE;
    assert_false(config_is_open(loaded->config, listen, &addr));
    loaded_done(loaded);
}

/* Neighbours of what is refused: they are bound beside each other. */
static void addresses_that_do_not_overlap_may_stand_together(void **state)
{
    (void)state;
    struct loaded *loaded = load_file("listen: [0.0.0.0:1, '[::]:1', 0.0.0.0:2, 127.0.0.1:0, "
                                      "127.0.0.2:0, 0.0.0.0:0, '[::1]:3', 127.0.0.1:3]\n"
                                      "clients: { allow: 10.0.0.0/8 }\n");
    assert_int_equal(loaded->config->listen_count, 8);
    loaded_done(loaded);
}

static void identity_is_asked_for_where_there_is_a_way_to_tell(void **state)
{
    (void)state;
    file_fails("identity: { required: true }\n",
               "t.yaml:1:23: identity.required: there is no way to tell who asks, so every request "
               "would be refused; name a users file in identity.basic.users\n");
    file_fails("identity: { certificate: uri }\n",
               "t.yaml:1:26: identity.certificate: no listener asks for client certificates; name "
               "who vouches for them in tls.client_ca of one\n");
    file_fails("identity: { peer: on }\n",
               "t.yaml:1:19: identity.peer: no listener is a Unix socket\n");
    struct loaded *loaded = load_file("identity: { basic: { users: u }, required: false }\n");
    assert_true(config_identity_is_on(loaded->config));
    assert_false(config_identity_is_required(loaded->config));
    loaded_done(loaded);
    /* Whoever must have a user makes no open proxy. */
    loaded = load_file("listen: 0.0.0.0:3128\nidentity: { bearer: { tokens: t } }\n");
    assert_true(config_identity_is_required(loaded->config));
    loaded_done(loaded);
    loaded = load_all(
        "listen: 0.0.0.0:3128\nidentity: { bearer: { tokens: t }, required: false }\n", NULL);
    assert_int_equal(loaded->errors.count, 1);
    loaded_done(loaded);
    loaded = load_file("");
    assert_false(config_identity_is_on(loaded->config));
    assert_false(config_identity_is_required(loaded->config));
    loaded_done(loaded);
}

static void settings_that_belong_together_are_checked_together(void **state)
{
    (void)state;
    file_fails("listen: [{ address: '127.0.0.1:1', tls: { certificate: a } }]\n",
               "t.yaml:1:10: listen[0].tls: needs certificate and key\n");
    file_fails("listen: [{ address: '127.0.0.1:1', tls: }]\n",
               "t.yaml:1:10: listen[0].tls: needs certificate and key\n");
    file_fails("listen: [{ address: '127.0.0.1:1', tls: { certificate: a, key: b, "
               "client_certificate: required } }]\n",
               "t.yaml:1:10: listen[0].tls: client_certificate: required needs client_ca\n");
    file_fails("listen: [{ mode: 0600 }]\n", "t.yaml:1:10: listen[0].address: is missing\n");
    file_fails("listen: []\n", "listen: no listener is left\n");
    file_fails("listen: [127.0.0.1:1, 127.0.0.1:1]\n",
               "t.yaml:1:23: listen[1].address: stands in another listener too\n");
    file_fails("listen: [127.0.0.1:3129]\n",
               "t.yaml:1:10: listen[0].address: is the admin address too\n");
    file_fails("listen: [127.0.0.1:1, 0.0.0.0:1]\nclients: { allow: 10.0.0.0/8 }\n",
               "t.yaml:1:23: listen[1].address: overlaps with another listener: one of the two is "
               "for all addresses of this port\n");
    file_fails("listen: ['[::]:1', '[::1]:1']\nclients: { allow: 10.0.0.0/8 }\n",
               "t.yaml:1:20: listen[1].address: overlaps with another listener: one of the two is "
               "for all addresses of this port\n");
    file_fails("listen: [0.0.0.0:3129]\nclients: { allow: 10.0.0.0/8 }\n",
               "t.yaml:1:10: listen[0].address: overlaps with the admin address: one of the two is "
               "for all addresses of this port\n");
    file_fails("listen: [{ mode: 0660, address: '127.0.0.1:1' }]\n",
               "t.yaml:1:18: listen[0].mode: only a Unix socket that is made here has permissions; "
               "leave this out, or listen on unix:PATH\n");
    file_fails("listen: [{ address: inherited, mode: 0660 }]\n",
               "t.yaml:1:38: listen[0].mode: only a Unix socket that is made here has permissions; "
               "leave this out, or listen on unix:PATH\n");
    file_fails("admin: { address: 0.0.0.0:3129 }\n",
               "t.yaml:1:19: admin.address: is beyond loopback, where requests must show a token: "
               "name the file "
               "that holds it in admin.token_file\n");
    file_fails(
        "limits: { head_bytes: 8KiB }\n",
        "t.yaml:1:23: limits.head_bytes: is less than limits.target_bytes, which it holds\n");
    file_fails("limits: { target_bytes: 100KiB }\n",
               "t.yaml:1:25: limits.target_bytes: is more than limits.head_bytes, which holds the "
               "target\n");
    file_fails("listen:\n  - address: unix:/run/x\n    proxy_protocol: { from: [10.0.0.0/8] }\n",
               "t.yaml:3:30: listen[0].proxy_protocol.from: a client of a Unix socket has no "
               "address that could be in these ranges; leave this out, or listen on an IP "
               "address\n");
}

static void listeners_are_bounded(void **state)
{
    (void)state;
    char yaml[4096] = "listen:\n";
    for (int i = 0; i < 65; i++)
        (void)snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "  - 127.0.0.1:%d\n",
                       i + 1);
    file_fails(yaml, "t.yaml:66:5: listen: more than 64 listeners\n");
}

static void long_lists_are_read_and_bounded(void **state)
{
    (void)state;
    enum { COUNT = 100001, LINE = 16 };
    char *yaml = calloc(COUNT + 2, LINE);
    size_t len = (size_t)snprintf(yaml, 32, "egress:\n  deny:\n");
    for (int i = 0; i < COUNT; i++)
        len += (size_t)snprintf(yaml + len, LINE, "  - n%06d.x\n", i);
    file_fails(yaml, "t.yaml:100003:5: egress.deny: too many of them\n");
    yaml[len - strlen("  - n000000.x\n")] = '\0';
    struct loaded *loaded = load_file(yaml);
    assert_int_equal(loaded->config->egress.deny_names.count, COUNT - 1);
    assert_slice(loaded->config->egress.deny_names.at[99999], "n099999.x");
    loaded_done(loaded);
    free(yaml);
}

/* ---- what is printed ---- */

static void what_is_printed_loads_to_the_same(void **state)
{
    (void)state;
    static const char *const files[] = {
        "",
        full,
        "admin: { address: off }\nlisten: ['unix:/a \"b\\\\c']\n",
        "admin: { address: off, token_file: 'a: #\"b' }\nsource: '::1'\n",
        "admin: { token_file: \"\\u00e9 \\x85 \\u2028 \\ufeff \\U0001f6a2 \\xa0\" }\n",
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct loaded *first = load_file(files[i]);
        char *once = printed(first->config);
        struct loaded *second = load_file(once);
        char *twice = printed(second->config);
        assert_string_equal(once, twice);
        free(once);
        free(twice);
        loaded_done(first);
        loaded_done(second);
    }
}

static void the_reference_names_every_key_and_default(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    config_print_reference(out);
    config_print_flags(out);
    (void)fclose(out);
    static const char *const words[] = {
        "| `listen[].tls.certificate` |",
        "| `timeouts.tunnel_idle` |",
        "`15m`",
        "`--allow-clients`",
        "--listen-tls ADDR:PORT",
        "| `egress.allow` |",
        "RANGE|NAME",
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strstr(text, words[i]) == NULL)
            fail_msg("%s is missing in:\n%s", words[i], text);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_gives_the_defaults),
        cmocka_unit_test(a_file_sets_everything),
        cmocka_unit_test(single_values_stand_for_lists),
        cmocka_unit_test(maps_with_nothing_in_them_set_nothing),
        cmocka_unit_test(misspelt_keys_get_the_nearest_one),
        cmocka_unit_test(keys_stand_once),
        cmocka_unit_test(keys_in_the_wrong_place_get_the_right_one),
        cmocka_unit_test(values_of_another_kind_say_what_was_expected),
        cmocka_unit_test(a_near_value_says_what_works),
        cmocka_unit_test(all_errors_are_shown_up_to_twenty),
        cmocka_unit_test(an_open_proxy_is_refused_and_told_how_to_close_it),
        cmocka_unit_test(an_inherited_socket_can_be_asked_for),
        cmocka_unit_test(addresses_that_do_not_overlap_may_stand_together),
        cmocka_unit_test(identity_is_asked_for_where_there_is_a_way_to_tell),
        cmocka_unit_test(settings_that_belong_together_are_checked_together),
        cmocka_unit_test(listeners_are_bounded),
        cmocka_unit_test(long_lists_are_read_and_bounded),
        cmocka_unit_test(what_is_printed_loads_to_the_same),
        cmocka_unit_test(the_reference_names_every_key_and_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
