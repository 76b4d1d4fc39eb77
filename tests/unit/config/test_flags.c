#include "config_test.h"

static void flags_win_over_the_file(void **state)
{
    (void)state;
    struct loaded *loaded = load_all(
        "workers: 2\nlisten: 127.0.0.1:1\nlog: { access: { format: json } }\n",
        FLAGS("--workers", "3", "--listen=127.0.0.1:2", "--log-format", "squid", "-c", "t.yaml"));
    assert_int_equal(loaded->status, ST_OK);
    assert_int_equal(loaded->config->workers, 3);
    assert_int_equal(loaded->config->listen_count, 1);
    assert_int_equal(loaded->config->listen[0].endpoint.port, 2);
    assert_int_equal(loaded->config->log.format, ACCESS_LOG_SQUID);
    loaded_done(loaded);
}

/* A refusal names the very flag that opens it; adding it must shut nothing that was open, nor open what a
 * file denies. */
static void list_flags_add_to_what_is_there(void **state)
{
    (void)state;
    struct loaded *loaded = load_all(
        "egress: { deny: [a.example], allow: [10.0.0.0/8] }\n",
        FLAGS("--connect-port", "8443", "--deny", "b.example", "--allow", "127.0.0.0/8",
              "--allow=::1", "--allow-clients", "10.0.0.0/8", "--allow-clients", "fd00::/8"));
    assert_int_equal(loaded->status, ST_OK);
    const struct config *config = loaded->config;
    assert_int_equal(config->egress.connect_ports.count, 2);
    assert_int_equal(config->egress.connect_ports.at[0], 443);
    assert_int_equal(config->egress.connect_ports.at[1], 8443);
    assert_int_equal(config->egress.deny_names.count, 2);
    assert_int_equal(config->egress.allow.count, 3);
    assert_int_equal(config->clients.count, 2);
    loaded_done(loaded);
}

static void listeners_and_name_servers_are_replaced(void **state)
{
    (void)state;
    struct loaded *loaded =
        load_all("listen: [127.0.0.1:1, 127.0.0.1:2]\nresolver: { servers: [1.1.1.1] }\n",
                 FLAGS("--listen", "127.0.0.1:5", "--listen", "unix:/tmp/x", "--resolver",
                       "9.9.9.9", "--resolver", "[::1]:5353", "--admin", "off"));
    assert_int_equal(loaded->status, ST_OK);
    assert_int_equal(loaded->config->listen_count, 2);
    assert_int_equal(loaded->config->listen[1].kind, LISTEN_UNIX);
    assert_int_equal(loaded->config->resolver.servers.count, 2);
    assert_true(loaded->config->admin.is_off);
    loaded_done(loaded);
}

static void tls_listeners_take_their_files_from_flags(void **state)
{
    (void)state;
    struct loaded *loaded =
        load_flags(FLAGS("--listen", "127.0.0.1:1", "--listen-tls", "127.0.0.1:2", "--tls-cert",
                         "c.pem", "--tls-key", "k.pem", "--client-ca", "ca.pem"));
    const struct config *config = loaded->config;
    assert_int_equal(config->listen_count, 2);
    assert_false(config->listen[0].is_tls);
    assert_true(config->listen[1].is_tls);
    assert_slice(config->listen[1].certificate, "c.pem");
    assert_slice(config->listen[1].key, "k.pem");
    assert_slice(config->listen[1].client_ca, "ca.pem");
    assert_false(config->listen[1].needs_client_certificate);
    loaded_done(loaded);
    flags_fail(FLAGS("--listen-tls", "127.0.0.1:2", "--tls-cert", "c"),
               "--listen-tls: needs --tls-cert FILE and --tls-key FILE\n");
    flags_fail(FLAGS("--tls-cert", "c", "--tls-key", "k"),
               "--tls-cert, --tls-key and --client-ca: belong to --listen-tls ADDR:PORT\n");
}

static void each_phase_has_its_timeout(void **state)
{
    (void)state;
    struct loaded *loaded = load_flags(
        FLAGS("--timeout", "dns=250ms", "--timeout=tunnel_lifetime=2h", "--timeout", "drain=1m"));
    assert_int_equal(loaded->config->timeouts.dns_ns, 250 * NS_PER_MS);
    assert_int_equal(loaded->config->timeouts.tunnel_lifetime_ns, 7200 * NS_PER_S);
    assert_int_equal(loaded->config->timeouts.drain_ns, 60 * NS_PER_S);
    loaded_done(loaded);
    static const char phases[] =
        "--timeout: expected PHASE=DURATION with a PHASE of client_tls, client_head, dns, connect, "
        "connect_attempt_delay, upstream_tls, response_head, body_stall, keepalive, "
        "upstream_keepalive, tunnel_idle, tunnel_half_closed, tunnel_lifetime, drain; got \"%s\"\n";
    char line[512];
    (void)snprintf(line, sizeof(line), phases, "x");
    flags_fail(FLAGS("--timeout", "x"), line);
    (void)snprintf(line, sizeof(line), phases, "dns");
    flags_fail(FLAGS("--timeout", "dns"), line);
    (void)snprintf(line, sizeof(line), phases, "lunch=1h");
    flags_fail(FLAGS("--timeout", "lunch=1h"), line);
    flags_fail(FLAGS("--timeout", "dns=5"), "--timeout dns: expected a duration, a whole number "
                                            "with its unit, like 250ms, 10s, 15m or 1h, of at "
                                            "most 8760h, and not 0; got \"5\"\n");
}

static void wrong_flags_say_what_was_expected(void **state)
{
    (void)state;
    flags_fail(FLAGS("--wrokers", "3"), "--wrokers: unknown option; did you mean --workers?\n");
    flags_fail(FLAGS("--zzzzzzzzzzzz"), "--zzzzzzzzzzzz: unknown option; --help lists them\n");
    flags_fail(FLAGS("--cert", "x"), "--cert: unknown option; did you mean --tls-cert?\n");
    flags_fail(FLAGS("--log.level", "x"),
               "--log.level: unknown option; did you mean --log-level?\n");
    flags_fail(FLAGS("--port", "1"), "--port: unknown option; did you mean --listen?\n");
    flags_fail(FLAGS("--hosts-file", "x"),
               "--hosts-file: unknown option; a configuration file has \"resolver.hosts_file\"\n");
    flags_fail(FLAGS("--workers"), "--workers: needs a value\n");
    flags_fail(FLAGS("-c", "a", "--config=b"), "--config: stands twice; it takes one file\n");
    flags_fail(FLAGS("--workers", "--admin", "off"), "--workers: needs a value\n");
    flags_fail(FLAGS("fairlead.yaml"), "fairlead.yaml: expected an option; --help lists them\n");
    flags_fail(FLAGS("--"), "--: unknown option; --help lists them\n");
    flags_fail(FLAGS("-"), "-: expected an option; --help lists them\n");
    flags_fail(FLAGS(""), "expected an option; --help lists them\n");
    flags_fail(FLAGS("--connect-port", "https"),
               "--connect-port: expected a port from 1 to 65535, or any; got \"https\"\n");
    flags_fail(
        FLAGS("--allow", "\x1b[31m"),
        "--allow: expected a range without host bits like 10.0.0.0/8, a host name, or *.name; "
        "got \"\\x1b[31m\"\n");
    flags_fail(FLAGS("--listen", "0.0.0.0:3128"),
               "--listen: 0.0.0.0:3128 is not loopback, so this would be an open proxy; say "
               "who may connect (clients.allow, or --allow-clients 10.0.0.0/8; or --users FILE), "
               "or listen on "
               "127.0.0.1\n");
    loaded_done(load_flags(FLAGS("--listen", "0.0.0.0:3128", "--allow-clients", "10.0.0.0/8")));
    flags_fail(FLAGS("--log-file", "\xc0\xaf"),
               "--log-file: expected a path; got \"\\xc0\\xaf\"\n");
    loaded_done(load_flags(FLAGS("--log-file", "-")));
}

static void the_file_is_found_among_the_flags(void **state)
{
    (void)state;
    assert_string_equal(config_file_flag(4, FLAGS("--workers", "1", "-c", "a.yaml")), "a.yaml");
    assert_string_equal(config_file_flag(2, FLAGS("--config", "b.yaml")), "b.yaml");
    assert_string_equal(config_file_flag(1, FLAGS("--config=c.yaml")), "c.yaml");
    assert_null(config_file_flag(1, FLAGS("-c")));
    assert_null(config_file_flag(2, FLAGS("--workers", "1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_win_over_the_file),
        cmocka_unit_test(list_flags_add_to_what_is_there),
        cmocka_unit_test(listeners_and_name_servers_are_replaced),
        cmocka_unit_test(tls_listeners_take_their_files_from_flags),
        cmocka_unit_test(each_phase_has_its_timeout),
        cmocka_unit_test(wrong_flags_say_what_was_expected),
        cmocka_unit_test(the_file_is_found_among_the_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
