#include "config_test.h"

#include "config/snapshot.h"
#include "support/pki.h"

#include <errno.h>
#include <pthread.h>

/* Files in memory: a path is a name of this table. */
struct files {
    struct snapshot_files base; /* first, so that the callback finds the rest */
    size_t reads;
};

static struct pki authority;
static struct pki server;
static struct pki other;

static int make_certificates(void **state)
{
    (void)state;
    struct pki_options options = {
        .subject = "authority", .is_authority = true, .begin_days = -1, .end_days = 10};
    authority = pki_make(&options);
    options = (struct pki_options){.subject = "proxy",
                                   .names = "DNS:proxy.example",
                                   .issuer = &authority,
                                   .begin_days = -1,
                                   .end_days = 10};
    server = pki_make(&options);
    other = pki_make(&options);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    pki_free(&server);
    pki_free(&other);
    pki_free(&authority);
    return 0;
}

static enum status read_file(struct snapshot_files *base, struct slice path, char **ret_text,
                             size_t *ret_len)
{
    const struct {
        const char *path;
        const char *text;
    } table[] = {
        {"cert.pem", server.certificate},
        {"key.pem", server.key},
        {"ca.pem", authority.certificate},
        {"other.pem", other.key},
        {"rubbish.pem", "no PEM in it"},
        {"token", "  0123456789abcdef\t\nsecond line\n"},
        {"crlf", "0123456789abcdef\r\n"},
        {"bare", "0123456789abcdef"},
        {"short", "0123456789abcde\n"},
        {"blank", "01234567 89abcdef\n"},
        {"control", "0123456789abcdef\x01\n"},
        {"latin", "0123456789abcdef\xe4\n"},
        {"empty", ""},
    };
    CONTAINER_OF(base, struct files, base)->reads++;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strcmp(path.at, table[i].path) == 0) { /* paths are terminated */
            *ret_text = strdup(table[i].text);
            *ret_len = strlen(table[i].text);
            return ST_OK;
        }
    }
    errno = ENOENT;
    return ST_IO;
}

static struct files files = {.base = {.read = read_file}};

/* The configuration out of its test's wrapping. */
static struct config *config_of(const char *yaml)
{
    struct loaded *loaded = load_file(yaml);
    struct config *config = loaded->config;
    loaded->config = NULL;
    loaded_done(loaded);
    return config;
}

static struct snapshot *compile(const char *yaml, const char *expected_fault)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct snapshot *snapshot = NULL;
    struct tls_tickets *tickets = tls_tickets_create();
    struct gate *gate = NULL;
    size_t rule = 0;
    assert_int_equal(gate_create(&(struct gate_options){0}, NULL, &rule, &gate), ST_OK);
    files.reads = 0;
    enum status status = snapshot_create(config_of(yaml), gate, &files.base, tickets,
                                         SLICE("fairlead-1"), &fault, &snapshot);
    tls_tickets_unref(&tickets);
    if (expected_fault == NULL) {
        assert_int_equal(status, ST_OK);
        assert_int_equal(fault.len, 0);
        assert_non_null(snapshot);
        return snapshot;
    }
    assert_int_not_equal(status, ST_OK);
    assert_null(snapshot);
    if (strstr(text_string(&fault), expected_fault) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", memory, expected_fault);
    return NULL;
}

static const char tls_listener[] = "listen: [{address: '127.0.0.1:0'}, {address: '127.0.0.1:0', "
                                   "tls: {certificate: cert.pem, key: key.pem}}]";

/* A configuration without TLS names no file, and none is read. */
static void nothing_is_read_that_is_not_named(void **state)
{
    (void)state;
    struct snapshot *snapshot = compile("", NULL);
    assert_int_equal(files.reads, 0);
    assert_non_null(snapshot->tls_client); /* with the system's store */
    assert_null(snapshot->tls_server[0]);
    assert_non_null(snapshot->gate);
    snapshot_unref(&snapshot);
    assert_null(snapshot);
    snapshot_unref(&snapshot); /* takes NULL */
}

/* Each TLS listener gets a context of its own, those in clear none. */
static void a_tls_listener_gets_a_context(void **state)
{
    (void)state;
    struct snapshot *snapshot = compile(tls_listener, NULL);
    assert_int_equal(snapshot->config->listen_count, 2);
    assert_null(snapshot->tls_server[0]);
    assert_non_null(snapshot->tls_server[1]);
    assert_int_equal(files.reads, 2);
    snapshot_unref(&snapshot);
}

/* Authorities for clients and for origins are read where they are named. */
static void authorities_are_read(void **state)
{
    (void)state;
    struct snapshot *snapshot =
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, "
                "key: key.pem, client_ca: ca.pem}}]\n"
                "tls_upstream: {ca_file: ca.pem}\n",
                NULL);
    assert_int_equal(files.reads, 4);
    snapshot_unref(&snapshot);
}

/* What is wrong with a file is said with its path, and nothing is left behind. */
static void a_fault_names_the_file(void **state)
{
    (void)state;
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: gone.pem, key: key.pem}}]",
                "gone.pem: No such file or directory"));
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: gone.pem}}]",
                "gone.pem: No such file or directory"));
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: key.pem, "
                "client_ca: gone.pem}}]",
                "gone.pem: No such file or directory"));
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: other.pem}}]",
                "other.pem: the private key does not match the certificate"));
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: rubbish.pem, key: key.pem}}]",
                "rubbish.pem: the certificate holds no PEM certificate"));
    assert_null(
        compile("tls_upstream: {ca_file: gone.pem}", "gone.pem: No such file or directory"));
    assert_null(compile("tls_upstream: {ca_file: rubbish.pem}", "no PEM certificate"));
    assert_null(compile("tls_upstream: {ca_file: empty}", "the file of authorities is empty"));
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: key.pem, "
                "client_ca: empty}}]",
                "empty: the client authority is empty"));
}

/* ... and with the place that names it: file, line, column and key. */
static void a_fault_says_who_named_the_file(void **state)
{
    (void)state;
    assert_null(compile("listen:\n  - address: '127.0.0.1:0'\n    tls:\n      certificate: "
                        "cert.pem\n      key: gone.pem\n",
                        "t.yaml:5:12: listen[0].tls.key: gone.pem: No such file or directory"));
    assert_null(
        compile("listen:\n  - address: '127.0.0.1:0'\n    tls: {certificate: cert.pem, key: "
                "key.pem, client_ca: rubbish.pem}\n",
                "t.yaml:3:59: listen[0].tls.client_ca: rubbish.pem: the client authority"));
    assert_null(compile("listen:\n  - address: '127.0.0.1:0'\n    tls: {certificate: rubbish.pem, "
                        "key: key.pem}\n",
                        "t.yaml:3:24: listen[0].tls.certificate: rubbish.pem: the certificate"));
    assert_null(compile("tls_upstream: { ca_file: rubbish.pem }",
                        "t.yaml:1:26: tls_upstream.ca_file: rubbish.pem: the file of authorities"));
    assert_null(compile("admin: { token_file: rubbish.pem }",
                        "t.yaml:1:22: admin.token_file: rubbish.pem: the first line is no token"));
}

/* A fault at the second listener gives the first one's context back too. */
static void a_late_fault_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_null(
        compile("listen: [{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: key.pem}}, "
                "{address: '127.0.0.1:0', tls: {certificate: cert.pem, key: gone.pem}}]",
                "gone.pem"));
}

/* Without a gate there is no snapshot: nothing may be decided without one. */
static void there_is_no_snapshot_without_a_gate(void **state)
{
    (void)state;
    char memory[100];
    struct text fault = text_on(memory, sizeof(memory));
    struct snapshot *snapshot = NULL;
    assert_int_equal(
        snapshot_create(config_of(""), NULL, &files.base, NULL, SLICE("x"), &fault, &snapshot),
        ST_NOMEM);
    assert_null(snapshot);
}

/* The pseudonym is the configured one, or else the run's; it is cut to what a field is given. */
static void the_pseudonym_is_the_configured_one(void **state)
{
    (void)state;
    struct snapshot *snapshot = compile("", NULL);
    assert_slice(snapshot->via, "fairlead-1");
    snapshot_unref(&snapshot);
    snapshot = compile("via: {pseudonym: edge}", NULL);
    assert_slice(snapshot->via, "edge");
    snapshot_unref(&snapshot);
}

/* The token of the admin listener is the first line of its file, without what editors leave behind. */
static void the_admin_token_is_the_first_line(void **state)
{
    (void)state;
    static const char *const good[] = {"token", "crlf", "bare"};
    static const char *const bad[] = {"short", "blank", "control", "latin", "empty"};
    char yaml[64];
    char fault[64];
    struct snapshot *snapshot = compile("", NULL);
    assert_int_equal(snapshot->admin_token.len, 0);
    snapshot_unref(&snapshot);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        (void)snprintf(yaml, sizeof(yaml), "admin: {token_file: %s}", good[i]);
        snapshot = compile(yaml, NULL);
        assert_slice(snapshot->admin_token, "0123456789abcdef");
        snapshot_unref(&snapshot);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(yaml, sizeof(yaml), "admin: {token_file: %s}", bad[i]);
        (void)snprintf(fault, sizeof(fault), "%s: the first line is no token", bad[i]);
        assert_null(compile(yaml, fault));
    }
    assert_null(compile("admin: {token_file: gone}", "gone: No such file or directory"));
}

enum { PINS = 20000 };

static void *pin_and_let_go(void *with)
{
    for (int i = 0; i < PINS; i++) {
        struct snapshot *mine = snapshot_ref(with);
        assert_non_null(mine->gate);
        snapshot_unref(&mine);
    }
    struct snapshot *last = with;
    snapshot_unref(&last);
    return NULL;
}

/* Threads pin a snapshot and let it go as they like; the last one frees it. */
static void threads_share_a_snapshot(void **state)
{
    (void)state;
    struct snapshot *snapshot = compile(tls_listener, NULL);
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pin_and_let_go, snapshot_ref(snapshot)),
                         0);
    snapshot_unref(&snapshot);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static bool refuses_as_ours(const struct snapshot *snapshot, const char *addr)
{
    struct inet_endpoint where = {.port = 80};
    struct gate_answer answer;
    assert_int_equal(inet_addr_parse(slice_from_string(addr), &where.addr), ST_OK);
    return !gate_address(snapshot->gate, NULL, &where, &answer) &&
           strstr(answer.rule, "this machine") != NULL;
}

/* With other addresses of this machine a snapshot differs in its gate; all else is the same, not a copy. */
static void other_addresses_make_another_gate(void **state)
{
    (void)state;
    struct snapshot *first = compile(tls_listener, NULL);
    struct inet_addr addr;
    assert_int_equal(inet_addr_parse(SLICE("192.0.1.7"), &addr), ST_OK);
    struct snapshot *second = snapshot_with_interfaces(first, &addr, 1);
    assert_non_null(second);
    assert_true(refuses_as_ours(second, "192.0.1.7"));
    assert_false(refuses_as_ours(first, "192.0.1.7"));
    assert_ptr_equal(second->config, first->config);
    assert_ptr_equal(second->tls_client, first->tls_client);
    assert_ptr_equal(second->tls_server, first->tls_server);
    assert_ptr_equal(second->bound, first->bound);
    assert_slice(second->via, "fairlead-1");
    assert_ptr_equal(snapshot_base(first), first);
    assert_ptr_equal(snapshot_base(second), first);
    snapshot_unref(&second);
    assert_int_equal(atomic_load(&first->refs), 1);
    snapshot_unref(&first);
}

/* However often the addresses change, no snapshot pins one before it but the one that was compiled. */
static void gates_form_no_chain(void **state)
{
    (void)state;
    struct snapshot *base = compile(tls_listener, NULL);
    struct snapshot *now = snapshot_ref(base);
    for (uint8_t i = 0; i < 100; i++) {
        struct inet_addr addr = {INET_V4, {1, 2, 3, i}};
        struct snapshot *next = snapshot_with_interfaces(now, &addr, 1);
        assert_non_null(next);
        snapshot_unref(&now);
        now = next;
        assert_int_equal(atomic_load(&base->refs), 2);
    }
    snapshot_unref(&base); /* `now` alone keeps it */
    assert_true(refuses_as_ours(now, "1.2.3.99"));
    assert_false(refuses_as_ours(now, "1.2.3.98"));
    assert_non_null(snapshot_base(now)->tls_server[1]);
    snapshot_unref(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_that_is_not_named),
        cmocka_unit_test(a_tls_listener_gets_a_context),
        cmocka_unit_test(authorities_are_read),
        cmocka_unit_test(a_fault_names_the_file),
        cmocka_unit_test(a_fault_says_who_named_the_file),
        cmocka_unit_test(a_late_fault_leaves_nothing_behind),
        cmocka_unit_test(there_is_no_snapshot_without_a_gate),
        cmocka_unit_test(the_pseudonym_is_the_configured_one),
        cmocka_unit_test(the_admin_token_is_the_first_line),
        cmocka_unit_test(threads_share_a_snapshot),
        cmocka_unit_test(other_addresses_make_another_gate),
        cmocka_unit_test(gates_form_no_chain),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
