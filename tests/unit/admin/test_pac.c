#include "admin_test.h"

#include "admin/pac.h"

/* "tls 1.2.3.4:5", "1.2.3.4:5" or "unix"; ends with NULL. */
static void check_pac(const char *const *doors, const char *peer, const char *host_text,
                      const char *expected)
{
    struct pac_door made[8];
    size_t count = 0;
    for (; doors[count] != NULL; count++) {
        bool is_tls = strncmp(doors[count], "tls ", 4) == 0;
        bool is_unix = strcmp(doors[count], "unix") == 0;
        made[count] = (struct pac_door){
            endpoint_of(is_unix ? NULL : doors[count] + (is_tls ? 4 : 0)), is_tls};
    }
    struct host host;
    struct pac_client client = {.peer = endpoint_of(peer)};
    if (host_text != NULL) {
        assert_int_equal(host_parse(slice_from_string(host_text), &host), HOST_FINE);
        client.host = &host;
    }
    char space[PAC_ROOM];
    struct text text = text_on(space, sizeof(space));
    bool is_there = pac_add(made, count, &client, &text);
    assert_false(text.is_cut);
    const char *seen = text_string(&text);
    assert_int_equal(is_there, strncmp(expected, "the proxy", 9) != 0);
    if (strstr(seen, expected) == NULL)
        fail_msg("no \"%s\" in\n%s", expected, seen);
}

#define DOORS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_wildcard_is_named_as_the_client_reached_it(void **state)
{
    (void)state;
    check_pac(DOORS("0.0.0.0:3128"), "127.0.0.1:9", "localhost", "\"PROXY localhost:3128\"");
    check_pac(DOORS("0.0.0.0:3128"), "192.0.2.7:9", "192.0.2.1", "\"PROXY 192.0.2.1:3128\"");
    check_pac(DOORS("[::]:3128"), "[2001:db8::7]:9", "[2001:db8::1]",
              "\"PROXY [2001:db8::1]:3128\"");
}

static void a_wildcard_of_the_other_family_is_passed_over(void **state)
{
    (void)state;
    check_pac(DOORS("[::]:1", "0.0.0.0:2"), "192.0.2.7:9", "192.0.2.1", "\"PROXY 192.0.2.1:2\"");
    check_pac(DOORS("[::]:1"), "192.0.2.7:9", "192.0.2.1",
              "the proxy has no listener that this client can reach");
}

static void a_loopback_listener_serves_this_machine_only(void **state)
{
    (void)state;
    check_pac(DOORS("127.0.0.1:1", "192.0.2.1:2"), "127.0.0.1:9", "localhost",
              "\"PROXY 127.0.0.1:1\"");
    check_pac(DOORS("127.0.0.1:1", "192.0.2.1:2"), "192.0.2.7:9", "192.0.2.1",
              "\"PROXY 192.0.2.1:2\"");
    check_pac(DOORS("127.0.0.1:1"), "192.0.2.7:9", "192.0.2.1",
              "the proxy has no listener that this client can reach");
}

static void clear_comes_before_tls_and_tls_alone_is_https(void **state)
{
    (void)state;
    check_pac(DOORS("tls 192.0.2.1:1", "192.0.2.1:2"), "127.0.0.1:9", "localhost",
              "\"PROXY 192.0.2.1:2\"");
    check_pac(DOORS("tls 192.0.2.1:1"), "127.0.0.1:9", "localhost", "\"HTTPS 192.0.2.1:1\"");
    check_pac(DOORS("tls 127.0.0.1:1"), "127.0.0.1:9", "localhost", "\"HTTPS localhost:1\"");
}

static void through_a_unix_socket_loopback_stands_for_a_wildcard(void **state)
{
    (void)state;
    check_pac(DOORS("unix", "0.0.0.0:1"), NULL, "any-word", "\"PROXY 127.0.0.1:1\"");
    check_pac(DOORS("[::]:1"), NULL, NULL, "\"PROXY [::1]:1\"");
    check_pac(DOORS("127.0.0.1:1"), NULL, "any-word", "\"PROXY 127.0.0.1:1\"");
}

static void unix_listeners_alone_are_said(void **state)
{
    (void)state;
    check_pac(DOORS("unix", "unix"), "127.0.0.1:9", "localhost",
              "the proxy listens on Unix sockets only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wildcard_is_named_as_the_client_reached_it),
        cmocka_unit_test(a_wildcard_of_the_other_family_is_passed_over),
        cmocka_unit_test(a_loopback_listener_serves_this_machine_only),
        cmocka_unit_test(clear_comes_before_tls_and_tls_alone_is_https),
        cmocka_unit_test(through_a_unix_socket_loopback_stands_for_a_wildcard),
        cmocka_unit_test(unix_listeners_alone_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
