#include "admin_test.h"

#include "admin/guard.h"

#define TOKEN      "0123456789abcdef-secret"
#define WITH_TOKEN "Authorization: Bearer " TOKEN "\r\n"

enum { READ, CHANGE };

static enum guard_verdict judge(int what, const char *listener, const char *client,
                                const char *token, const char *fields)
{
    struct asked asked;
    struct target target;
    asked_begin(&asked, "GET /metrics", fields);
    assert_int_equal(target_of_head(&asked.head, &target), TARGET_FAULT_NONE);
    struct guard_question question = {.request = &asked.head,
                                      .target = &target,
                                      .client = endpoint_of(client),
                                      .listener = endpoint_of(listener),
                                      .token = slice_from_string(token)};
    enum guard_verdict verdict = what == READ ? guard_read(&question) : guard_change(&question);
    asked_end(&asked);
    return verdict;
}

static enum guard_verdict judge_host(const char *listener, const char *host)
{
    char field[200];
    struct text text = text_on(field, sizeof(field));
    text_add_format(&text, "Host: %s\r\n" WITH_TOKEN, host);
    return judge(READ, listener, listener, TOKEN, text_string(&text));
}

static void loopback_names_and_addresses_are_known(void **state)
{
    (void)state;
    static const char *const known[] = {
        "localhost",      "LocalHost", "localhost:3129", "127.0.0.1",  "127.0.0.1:3129",
        "127.7.7.7:3129", "[::1]",     "[::1]:3129",     "localhost.", "[::ffff:127.0.0.1]:3129"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_int_equal(judge_host("127.0.0.1:3129", known[i]), GUARD_PASS);
}

static void other_hosts_and_ports_are_not(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "evil.test", "evil.test:3129",     "localhost.evil.test", "192.0.2.1:3129",
        "10.0.0.1",  "localhost:80",       "127.0.0.1:3128",      "0.0.0.0:3129",
        "[::]:3129", "evil.localhost:3129"};
    for (size_t i = 0; i < COUNT_OF(foreign); i++)
        assert_int_equal(judge_host("127.0.0.1:3129", foreign[i]), GUARD_HOST);
    assert_int_equal(judge(READ, "127.0.0.1:3129", "127.0.0.1:5", "", "Host:\r\n"), GUARD_HOST);
}

static void the_address_that_was_reached_is_known(void **state)
{
    (void)state;
    assert_int_equal(judge_host("192.0.2.1:3129", "192.0.2.1:3129"), GUARD_PASS);
    assert_int_equal(judge_host("192.0.2.1:3129", "192.0.2.2:3129"), GUARD_HOST);
    assert_int_equal(judge_host("[2001:db8::1]:3129", "[2001:DB8:0::1]"), GUARD_PASS);
}

static void on_a_unix_socket_host_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(judge(READ, NULL, NULL, "", "Host: any.test:99\r\n"), GUARD_PASS);
}

static void reading_needs_the_token_from_elsewhere_only(void **state)
{
    (void)state;
    static const char *const host = "Host: 192.0.2.1\r\n";
    static const char *const good = "Host: 192.0.2.1\r\n" WITH_TOKEN;
    assert_int_equal(judge(READ, "127.0.0.1:1", "127.0.0.1:2", TOKEN, "Host: localhost\r\n"),
                     GUARD_PASS);
    assert_int_equal(judge(READ, NULL, NULL, TOKEN, "Host: x\r\n"), GUARD_PASS);
    assert_int_equal(judge(READ, "192.0.2.1:1", "192.0.2.7:2", TOKEN, host), GUARD_TOKEN);
    assert_int_equal(judge(READ, "192.0.2.1:1", "127.0.0.1:2", TOKEN, host), GUARD_TOKEN);
    assert_int_equal(judge(READ, "192.0.2.1:1", "192.0.2.7:2", TOKEN, good), GUARD_PASS);
    assert_int_equal(judge(READ, "192.0.2.1:1", "192.0.2.7:2", "", good), GUARD_NO_TOKEN);
}

static void only_the_whole_token_is_the_token(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        enum guard_verdict verdict;
    } cases[] = {
        {"Authorization: bearer  " TOKEN "\r\n", GUARD_PASS},
        {"Authorization: Bearer " TOKEN "x\r\n", GUARD_TOKEN},
        {"Authorization: Bearer 0123456789abcdef-secre\r\n", GUARD_TOKEN},
        {"Authorization: Bearer 0123456789abcdef-secreT\r\n", GUARD_TOKEN},
        {"Authorization: Bearer " TOKEN TOKEN "\r\n", GUARD_TOKEN},
        {"Authorization: Bearer\r\n", GUARD_TOKEN},
        {"Authorization: Bearer \r\n", GUARD_TOKEN},
        {"Authorization: Basic " TOKEN "\r\n", GUARD_TOKEN},
        {"Authorization: " TOKEN "\r\n", GUARD_TOKEN},
        {"Proxy-Authorization: Bearer " TOKEN "\r\n", GUARD_TOKEN},
        {WITH_TOKEN WITH_TOKEN, GUARD_TOKEN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char fields[200];
        struct text text = text_on(fields, sizeof(fields));
        text_add_format(&text, "Host: 192.0.2.1\r\n%s", cases[i].field);
        assert_int_equal(judge(READ, "192.0.2.1:1", "192.0.2.7:2", TOKEN, text_string(&text)),
                         cases[i].verdict);
    }
}

static void a_change_needs_the_token_everywhere(void **state)
{
    (void)state;
    static const char *const no_token = "Host: localhost\r\nX-Fairlead: 1\r\n";
    static const char *const both = "Host: localhost\r\nX-Fairlead: 1\r\n" WITH_TOKEN;
    static const char *const sockets[] = {"127.0.0.1:1", NULL};
    for (size_t i = 0; i < COUNT_OF(sockets); i++) {
        assert_int_equal(judge(CHANGE, sockets[i], sockets[i], "", both), GUARD_NO_TOKEN);
        assert_int_equal(judge(CHANGE, sockets[i], sockets[i], TOKEN, no_token), GUARD_TOKEN);
        assert_int_equal(judge(CHANGE, sockets[i], sockets[i], TOKEN, both), GUARD_PASS);
    }
}

static void a_change_is_no_simple_request(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        enum guard_verdict verdict;
    } cases[] = {
        {"", GUARD_SIMPLE},
        {"x-fairlead: anything\r\n", GUARD_PASS},
        {"Content-Type: application/json\r\n", GUARD_PASS},
        {"Content-Type: Application/JSON; charset=utf-8\r\n", GUARD_PASS},
        {"Content-Type: application/jsonp\r\n", GUARD_SIMPLE},
        {"Content-Type: text/plain; application/json\r\n", GUARD_SIMPLE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char fields[200];
        struct text text = text_on(fields, sizeof(fields));
        text_add_format(&text, "Host: localhost\r\n" WITH_TOKEN "%s", cases[i].field);
        assert_int_equal(judge(CHANGE, "127.0.0.1:1", "127.0.0.1:2", TOKEN, text_string(&text)),
                         cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_names_and_addresses_are_known),
        cmocka_unit_test(other_hosts_and_ports_are_not),
        cmocka_unit_test(the_address_that_was_reached_is_known),
        cmocka_unit_test(on_a_unix_socket_host_does_not_matter),
        cmocka_unit_test(reading_needs_the_token_from_elsewhere_only),
        cmocka_unit_test(only_the_whole_token_is_the_token),
        cmocka_unit_test(a_change_needs_the_token_everywhere),
        cmocka_unit_test(a_change_is_no_simple_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
