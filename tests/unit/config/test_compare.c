#include "config_test.h"

/* What was reported: "key running>wanted " for each. */
static char reported[1024];

static void report(void *owner, const char *key, const char *running, const char *wanted)
{
    size_t len = strlen(reported);
    assert_ptr_equal(owner, reported);
    (void)snprintf(reported + len, sizeof(reported) - len, "%s %s>%s ", key, running, wanted);
}

static const char *compare(const char *running, const char *wanted)
{
    struct loaded *a = load_file(running);
    struct loaded *b = load_file(wanted);
    reported[0] = '\0';
    config_compare_start(a->config, b->config, report, reported);
    loaded_done(a);
    loaded_done(b);
    return reported;
}

static void equal_settings_are_not_reported(void **state)
{
    (void)state;
    assert_string_equal(compare("", ""), "");
    assert_string_equal(
        compare("workers: 2\ntimeouts: {dns: 1s}", "timeouts: {dns: 1000ms}\nworkers: 2"), "");
}

static void what_only_a_start_takes_up_is_reported(void **state)
{
    (void)state;
    assert_string_equal(compare("workers: 2", "workers: 3\nrun_as: proxy"),
                        "workers 2>3 run_as \"\">\"proxy\" ");
    assert_string_equal(
        compare("resolver: {servers: [127.0.0.1]}", "resolver: {servers: [127.0.0.1, \"::1\"]}"),
        "resolver.servers [\"127.0.0.1\"]>[\"127.0.0.1\", \"::1\"] ");
    assert_string_equal(compare("", "limits: {buffer_bytes: 8MiB}"),
                        "limits.buffer_bytes 1GiB>8MiB ");
}

static void what_a_reload_takes_up_is_not(void **state)
{
    (void)state;
    assert_string_equal(compare("", "listen: 127.0.0.1:1\nadmin: {address: \"off\"}\n"
                                    "timeouts: {connect: 1s}\negress: {deny: [x.test]}\n"
                                    "log: {access: {file: /x}}"),
                        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_settings_are_not_reported),
        cmocka_unit_test(what_only_a_start_takes_up_is_reported),
        cmocka_unit_test(what_a_reload_takes_up_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
