#include "config_test.h"

#include "config/value.h"
#include "config/value_internal.h"

struct value_test {
    struct memory memory;
    struct config config;
    struct config_listen listen;
};

static void test_done(struct value_test *test)
{
    memory_done(&test->memory);
}

/* A key of the main table, or of a listener where it begins with "listener:". */
static const struct schema_row *row_of(struct value_test *test, const char *key, void **ret_object)
{
    static const char prefix[] = "listener:";
    bool is_listen = strncmp(key, prefix, sizeof(prefix) - 1) == 0;
    const struct schema_row *row =
        is_listen ? schema_find(&schema_listen, slice_from_string(key + sizeof(prefix) - 1))
                  : schema_find(&schema_main, slice_from_string(key));
    if (row == NULL)
        fail_msg("%s is no key", key);
    *ret_object = is_listen ? (void *)&test->listen : (void *)&test->config;
    return row;
}

static enum status set(struct value_test *test, const char *key, struct slice text)
{
    void *object;
    const struct schema_row *row = row_of(test, key, &object);
    return value_set(&test->memory, object, row, text);
}

static void assert_prints(struct value_test *test, const char *key, const char *expected)
{
    void *object;
    const struct schema_row *row = row_of(test, key, &object);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    value_print(object, row, out);
    (void)fclose(out);
    if (strcmp(text, expected) != 0)
        fail_msg("%s prints as %s, not %s", key, text, expected);
    free(text);
}

/* Each kind of value prints in its canonical spelling, and that is read back to the same. */
static void values_print_in_one_spelling(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"timeouts.connect", "1ms", "1ms"},
        {"timeouts.connect", "1000ms", "1s"},
        {"timeouts.connect", "1500ms", "1500ms"},
        {"timeouts.connect", "60s", "1m"},
        {"timeouts.connect", "90s", "90s"},
        {"timeouts.connect", "120m", "2h"},
        {"timeouts.connect", "8760h", "8760h"},
        {"timeouts.tunnel_lifetime", "0s", "0s"},
        {"timeouts.tunnel_lifetime", "0h", "0s"},
        {"limits.buffer_bytes", "4MiB", "4MiB"},
        {"limits.buffer_bytes", "4194304B", "4MiB"},
        {"limits.buffer_bytes", "4194305B", "4194305B"},
        {"limits.buffer_bytes", "5000KB", "5MB"},
        {"limits.buffer_bytes", "1024MiB", "1GiB"},
        {"limits.buffer_bytes", "3GB", "3GB"},
        {"limits.pool_total", "0", "0"},
        {"limits.pool_total", "0012", "12"},
        {"workers", "64", "64"},
        {"listener:mode", "600", "\"0600\""},
        {"listener:mode", "0777", "\"0777\""},
        {"source", "any", "any"},
        {"source", "2001:DB8:0::1", "\"2001:db8::1\""},
        {"source", "::ffff:1.2.3.4", "\"1.2.3.4\""},
        {"egress.mixed", "skip", "skip"},
        {"forwarded", "x-forwarded", "x-forwarded"},
        {"log.access.format", "auto", "auto"},
        {"log.access.format", "squid", "squid"},
        {"tcp.congestion_client", "bbr", "\"bbr\""},
        {"via.pseudonym", "edge_1.example-x", "\"edge_1.example-x\""},
        {"tls_upstream.ca_file", "/a \"b\\", "\"/a \\\"b\\\\\""},
        {"admin.address", "off", "off"},
        {"admin.address", "/run/x", "\"unix:/run/x\""},
        {"admin.address", "[::1]:0", "\"[::1]:0\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct value_test test = {0};
        if (set(&test, rows[i][0], slice_from_string(rows[i][1])) != ST_OK)
            fail_msg("%s does not take %s", rows[i][0], rows[i][1]);
        assert_prints(&test, rows[i][0], rows[i][2]);
        size_t len = strlen(rows[i][2]);
        /* What has quotes is read back through YAML, in test_config.c. */
        if (rows[i][2][0] != '"') {
            assert_int_equal(set(&test, rows[i][0], slice_of(rows[i][2], len)), ST_OK);
            assert_prints(&test, rows[i][0], rows[i][2]);
        }
        test_done(&test);
    }
}

/* Values at their bounds are taken and those beyond are not, without a trace. */
static void bounds_are_met_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *good;
        const char *bad;
    } rows[] = {
        {"timeouts.connect", "1ms", "0ms"},
        {"timeouts.connect", "8760h", "8761h"},
        {"timeouts.connect", "8760h", "31536000001ms"},
        {"timeouts.connect", "1s", "18446744073709551616s"},
        {"timeouts.connect", "1s", "18446744074s"}, /* wraps 64 bits of nanoseconds */
        {"limits.head_bytes", "1KiB", "1023B"},
        {"limits.head_bytes", "120KiB", "122881B"},
        {"limits.buffer_bytes", "1024GiB", "17179869184GiB"}, /* wraps 64 bits of bytes */
        {"workers", "64", "65"},
        {"listener:mode", "777", "1000"},
        {"listener:mode", "777", "8"},
        {"tcp.congestion_client", "fifteen_letters", "sixteen__letters"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct value_test test = {0};
        assert_int_equal(set(&test, rows[i].key, slice_from_string(rows[i].good)), ST_OK);
        struct value_test before = test;
        if (set(&test, rows[i].key, slice_from_string(rows[i].bad)) != ST_BAD)
            fail_msg("%s takes %s", rows[i].key, rows[i].bad);
        assert_memory_equal(&before.config, &test.config, sizeof(test.config));
        assert_memory_equal(&before.listen, &test.listen, sizeof(test.listen));
        test_done(&test);
    }
}

/* Units are always said, in one spelling, and numbers are digits only. */
static void loose_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"timeouts.connect", ""},
        {"timeouts.connect", "5"},
        {"timeouts.connect", "s"},
        {"timeouts.connect", "5 s"},
        {"timeouts.connect", "5S"},
        {"timeouts.connect", "5sec"},
        {"timeouts.connect", "1m30s"},
        {"timeouts.connect", "0.5s"},
        {"timeouts.connect", "-5s"},
        {"timeouts.connect", "+5s"},
        {"limits.head_bytes", "64k"},
        {"limits.head_bytes", "64kb"},
        {"limits.head_bytes", "65536"},
        {"workers", "two"},
        {"workers", "0x2"},
        {"workers", ""},
        {"listener:mode", ""},
        {"listener:mode", "00600"},
        {"source", "0.0.0.0/0"},
        {"source", "127.1"},
        {"source", "localhost"},
        {"egress.mixed", "true"},
        {"egress.mixed", "SKIP"},
        {"forwarded", ""},
        {"via.pseudonym", "a b"},
        {"via.pseudonym", "a,b"},
        {"tls_upstream.ca_file", "a\tb"},
        {"tls_upstream.ca_file", "\xff"},
        {"tls_upstream.ca_file", "\x7f"},
        {"admin.address", "inherited"},
        {"admin.address", ":80"},
        {"admin.address", "unix:"},
        {"admin.address", "*:80"},
        {"resolver.servers", "1.2.3.4:0"},
        {"resolver.servers", "dns.example"},
        {"egress.connect_ports", "0"},
        {"egress.connect_ports", "65536"},
        {"egress.connect_ports", "80-90"},
        {"egress.allow", "*"},
        {"egress.allow", "*.1"},
        {"egress.allow", "a.*.b"},
        {"egress.allow", "10.0.0.1/8"},
        {"egress.allow", "http://a/"},
        {"egress.deny", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct value_test test = {0};
        if (set(&test, rows[i][0], slice_from_string(rows[i][1])) != ST_BAD)
            fail_msg("%s takes \"%s\"", rows[i][0], rows[i][1]);
        test_done(&test);
    }
}

/* Lists print their elements in order; names stand behind addresses, "any" behind ports. */
static void lists_print_on_one_line(void **state)
{
    (void)state;
    struct value_test test = {0};
    static const char *const rows[][2] = {
        {"egress.allow", "Example.COM."}, {"egress.allow", "10.0.0.0/8"},
        {"egress.allow", "*.b.example"},  {"egress.allow", "::1"},
        {"egress.connect_ports", "any"},  {"egress.connect_ports", "443"},
        {"egress.connect_ports", "8443"}, {"egress.connect_ports", "443"},
        {"resolver.servers", "9.9.9.9"},  {"resolver.servers", "[::1]:53"},
        {"resolver.servers", "::2"},
    };
    assert_prints(&test, "egress.allow", "[]");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(set(&test, rows[i][0], slice_from_string(rows[i][1])), ST_OK);
    assert_prints(&test, "egress.allow",
                  "[\"10.0.0.0/8\", \"::1/128\", \"example.com\", \"*.b.example\"]");
    assert_prints(&test, "egress.connect_ports", "[443, 8443, any]");
    assert_prints(&test, "resolver.servers", "[\"9.9.9.9\", \"[::1]:53\", \"::2\"]");
    test_done(&test);
}

/* A list that is cleared is empty in both of its halves. */
static void a_cleared_list_is_empty(void **state)
{
    (void)state;
    struct value_test test = {0};
    static const char *const keys[] = {"egress.allow", "egress.connect_ports", "resolver.servers"};
    assert_int_equal(set(&test, "egress.allow", SLICE("a.example")), ST_OK);
    assert_int_equal(set(&test, "egress.allow", SLICE("10.0.0.0/8")), ST_OK);
    assert_int_equal(set(&test, "egress.connect_ports", SLICE("any")), ST_OK);
    assert_int_equal(set(&test, "resolver.servers", SLICE("::1")), ST_OK);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        void *object;
        value_clear(&test.config, row_of(&test, keys[i], &object));
        assert_prints(&test, keys[i], "[]");
    }
    assert_int_equal(test.config.egress.allow_names.count, 0);
    assert_false(test.config.egress.connect_ports.is_any);
    test_done(&test);
}

/* The path of a Unix socket fits into an address of the kernel with its terminator, or is refused. */
static void the_path_of_a_socket_has_a_limit(void **state)
{
    (void)state;
    char path[200];
    for (size_t len = 106; len <= 109; len++) {
        struct value_test test = {0};
        memset(path, 'a', sizeof(path));
        path[0] = '/';
        enum status status = set(&test, "admin.address", slice_of(path, len));
        assert_int_equal(status, len <= 107 ? ST_OK : ST_LIMIT);
        test_done(&test);
    }
}

/* A path may have up to 4095 bytes of any UTF-8 but control characters. */
static void a_path_has_a_limit(void **state)
{
    (void)state;
    static char path[5000];
    struct value_test test = {0};
    memset(path, 'a', sizeof(path));
    assert_int_equal(set(&test, "tls_upstream.ca_file", slice_of(path, 4095)), ST_OK);
    assert_int_equal(set(&test, "tls_upstream.ca_file", slice_of(path, 4096)), ST_BAD);
    assert_int_equal(set(&test, "tls_upstream.ca_file", SLICE("\xc3\xa4 \xf0\x9f\x9a\xa2")), ST_OK);
    assert_int_equal(set(&test, "tls_upstream.ca_file", SLICE("a\0b")), ST_BAD);
    test_done(&test);
}

static void assert_quoted(struct slice text, const char *expected)
{
    char *seen = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&seen, &len);
    assert_non_null(out);
    value_print_quoted(text, out);
    (void)fclose(out);
    assert_string_equal(seen, expected);
    free(seen);
}

/* Quoted text escapes what YAML would read as something else. */
static void quoted_text_is_safe_in_yaml(void **state)
{
    (void)state;
    assert_quoted(SLICE("a\xff"), "\"a?\"");
    assert_quoted(SLICE(""), "\"\"");
    assert_quoted(SLICE("a: #'{}"), "\"a: #'{}\"");
    assert_quoted(SLICE("\"\\"), "\"\\\"\\\\\"");
    assert_quoted(SLICE("\n\x7f\0"), "\"\\u000a\\u007f\\u0000\"");
    assert_quoted(SLICE("\xc2\x85\xc2\xa0\xe2\x80\xa8\xef\xbb\xbf"),
                  "\"\\u0085\xc2\xa0\\u2028\\ufeff\"");
    assert_quoted(SLICE("\xe2\x80\xa9"), "\"\\u2029\"");
    assert_quoted(SLICE("\xef\xbf\xbe\xef\xbf\xbd"), "\"\\ufffe\xef\xbf\xbd\"");
}

/* Code points are taken from valid UTF-8 only, and a refused one takes nothing (RFC 3629 §4). */
static void only_valid_utf8_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t point;
    } good[] = {
        {"a", 'a'},
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2",
        "\xe2\x82",
        "\xf0\x9f\x9a",
        "\xc2"
        "a",
        "\xe2"
        "a\x82",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct slice rest = slice_from_string(good[i].text);
        uint32_t point = 0;
        assert_int_equal(utf8_take(&rest, &point), ST_OK);
        assert_int_equal(point, good[i].point);
        assert_int_equal(rest.len, 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct slice rest = slice_from_string(bad[i]);
        uint32_t point = 77;
        assert_int_equal(utf8_take(&rest, &point), ST_BAD);
        assert_int_equal(point, 77);
        assert_int_equal(rest.len, strlen(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_print_in_one_spelling),
        cmocka_unit_test(bounds_are_met_exactly),
        cmocka_unit_test(loose_spellings_are_refused),
        cmocka_unit_test(lists_print_on_one_line),
        cmocka_unit_test(a_cleared_list_is_empty),
        cmocka_unit_test(the_path_of_a_socket_has_a_limit),
        cmocka_unit_test(a_path_has_a_limit),
        cmocka_unit_test(quoted_text_is_safe_in_yaml),
        cmocka_unit_test(only_valid_utf8_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
