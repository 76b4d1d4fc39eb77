#include "learn_test.h"

#include "learn/store.h"

#include <stdio.h>

static struct log_line line;

static enum status add(struct store *store, const char *text)
{
    const char *fault = NULL;
    assert_int_equal(log_line_read(slice_from_string(text), &line, &fault), ST_OK);
    return store_add(store, &line, &fault);
}

#define HEAD  "{\"v\":1,\"client\":\"192.0.2.7:5000\","
#define THERE ",\"upstream\":\"192.0.2.9:443\"}"

static const struct store_item *only_item(const struct store *store)
{
    size_t cursor = 0;
    assert_int_equal(store->table.count, 1);
    return table_next(&store->table, &cursor);
}

/* The same destination of the same user is one item with a count; what the policy only observed is counted beside. */
static void requests_are_counted(void **state)
{
    (void)state;
    struct store store;
    store_init(&store, STORE_BY_USER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(&store,
                             HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"user\":\"al\","
                                  "\"url\":\"a.example:443\",\"end\":\"fin\"" THERE),
                         ST_OK);
    assert_int_equal(add(&store, HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"user\":\"al\","
                                      "\"would_deny\":\"r\",\"url\":\"a.example:443\"" THERE),
                     ST_OK);
    const struct store_item *item = only_item(&store);
    assert_int_equal(item->count, 4);
    assert_int_equal(item->would_count, 1);
    assert_int_equal(store.passed, 4);
    assert_int_equal(store.would, 1);
    assert_int_equal(item->key.kind, WHO_USER);
    assert_slice(item->key.who, "al");
    assert_slice(item->key.method, "CONNECT");
    assert_slice(item->host, "a.example");
    assert_int_equal(item->key.port, 443);
    store_done(&store);
}

/* Who, scheme, method, port and host tell destinations apart; methods that only read are one. */
static void destinations_are_told_apart(void **state)
{
    (void)state;
    static const char *const lines[] = {
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"http://a.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"HEAD\",\"url\":\"http://a.example/x\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"POST\",\"url\":\"http://a.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"https://a.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"http://a.example:81/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"http://b.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"user\":\"al\",\"url\":\"http://a.example/"
             "\"" THERE,
        HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"url\":\"a.example:80\"" THERE,
        HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"url\":\"A.example:80\"" THERE,
    };
    static const size_t expected[STORE_BY_COUNT] = {
        [STORE_BY_USER] = 7, [STORE_BY_CLIENT] = 6, [STORE_BY_ALL] = 6};
    for (int by = 0; by < STORE_BY_COUNT; by++) {
        struct store store;
        store_init(&store, (enum store_by)by);
        for (size_t i = 0; i < COUNT_OF(lines); i++)
            assert_int_equal(add(&store, lines[i]), ST_OK);
        assert_int_equal(store.allowed_count, expected[by]);
        store_done(&store);
    }
}

/* Only what reached an origin is learnt; refusals are kept apart, and those for want of credentials are none of a
 * destination. */
static void only_what_passed_is_learnt(void **state)
{
    (void)state;
    struct store store;
    store_init(&store, STORE_BY_USER);
    static const char *const lines[] = {
        HEAD
        "\"kind\":\"local\",\"method\":\"CONNECT\",\"url\":\"a.example:443\",\"end\":\"refused\","
        "\"cause\":\"refused\",\"rule\":\"rule x\"}",
        HEAD
        "\"kind\":\"local\",\"method\":\"CONNECT\",\"url\":\"b.example:443\",\"end\":\"refused\","
        "\"cause\":\"auth_needed\"}",
        HEAD
        "\"kind\":\"local\",\"method\":\"CONNECT\",\"url\":\"c.example:443\",\"end\":\"error\"}",
        HEAD
        "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"http://d.example/\",\"end\":\"rst\"}",
        HEAD "\"kind\":\"tunnel\",\"in_progress\":true,\"method\":\"CONNECT\",\"url\":\"e.example:"
             "443\"" THERE,
        HEAD
        "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"url\":\"f.example:443\",\"end\":\"refused\","
        "\"cause\":\"sni_refused\"" THERE,
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(add(&store, lines[i]), ST_OK);
    assert_int_equal(store.allowed_count, 0);
    assert_int_equal(store.refused_count, 2);
    assert_int_equal(store.refused, 2);
    assert_int_equal(store.unknown, 1);
    assert_int_equal(store.failed, 2);
    assert_int_equal(store.passed, 0);
    store_done(&store);
}

/* A user called "*" would be everybody, and so would nobody at all; a method in lower case matches nothing. */
static void what_no_rule_can_say_is_left_out(void **state)
{
    (void)state;
    struct store store;
    char long_user[600];
    store_init(&store, STORE_BY_USER);
#define TUNNEL "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"url\":\"a.example:443\"" THERE
    static const char *const lines[] = {
        HEAD "\"user\":\"*\"," TUNNEL,
        HEAD "\"user\":\"a\\nb\"," TUNNEL,
        HEAD "\"user\":\"a\\u0000\"," TUNNEL,
        HEAD "\"user\":\"a\\u007f\"," TUNNEL,
        "{\"v\":1," TUNNEL, /* a Unix socket */
        HEAD "\"kind\":\"exchange\",\"method\":\"get\",\"url\":\"http://a.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"ftp://a.example/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\",\"url\":\"http://a\\u0000b/\"" THERE,
        HEAD "\"kind\":\"exchange\",\"method\":\"GET\"" THERE,
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(add(&store, lines[i]), ST_BAD);
    (void)snprintf(long_user, sizeof(long_user), HEAD "\"user\":\"%0256d\"," TUNNEL, 1);
    assert_int_equal(add(&store, long_user), ST_BAD); /* as long as a cut one */
    assert_int_equal(store.nameless, COUNT_OF(lines) + 1);
    assert_int_equal(store.table.count, 0);
    store_done(&store);
    store_init(&store, STORE_BY_ALL);
    assert_int_equal(add(&store, "{\"v\":1," TUNNEL), ST_OK);
    store_done(&store);
}

/* Beyond the cap of each kind further destinations are counted, and known ones go on. */
static void destinations_have_a_cap(void **state)
{
    (void)state;
    struct store store;
    char text[300];
    store_init(&store, STORE_BY_ALL);
    for (int i = 0; i <= STORE_REFUSED_MAX; i++) {
        (void)snprintf(text, sizeof(text),
                       HEAD "\"kind\":\"local\",\"method\":\"CONNECT\",\"url\":\"h%d.example:443\","
                            "\"end\":\"refused\",\"cause\":\"refused\"}",
                       i);
        assert_int_equal(add(&store, text), i < STORE_REFUSED_MAX ? ST_OK : ST_LIMIT);
    }
    for (int i = 0; i <= STORE_ALLOWED_MAX; i++) {
        (void)snprintf(
            text, sizeof(text),
            HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\",\"url\":\"h%d.example:443\"" THERE, i);
        assert_int_equal(add(&store, text), i < STORE_ALLOWED_MAX ? ST_OK : ST_LIMIT);
    }
    assert_int_equal(store.beyond, 2);
    assert_int_equal(add(&store, HEAD "\"kind\":\"tunnel\",\"method\":\"CONNECT\","
                                      "\"url\":\"h7.example:443\"" THERE),
                     ST_OK);
    store_done(&store);
}

/* The span of time is that of the lines, whatever their order; what is no time is none. */
static void times_are_noted(void **state)
{
    (void)state;
    struct store store;
    store_init(&store, STORE_BY_ALL);
    assert_int_equal(add(&store, HEAD "\"time\":\"2026-11-24T02:00:00.0Z\"," TUNNEL), ST_OK);
    assert_int_equal(add(&store, HEAD "\"time\":\"2026-11-23T02:00:00.0Z\"," TUNNEL), ST_OK);
    assert_int_equal(add(&store, HEAD "\"time\":\"2026\\n- x\"," TUNNEL), ST_OK);
    assert_string_equal(store.first, "2026-11-23T02:00:00.0Z");
    assert_string_equal(store.last, "2026-11-24T02:00:00.0Z");
    store_done(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted),
        cmocka_unit_test(destinations_are_told_apart),
        cmocka_unit_test(only_what_passed_is_learnt),
        cmocka_unit_test(what_no_rule_can_say_is_left_out),
        cmocka_unit_test(destinations_have_a_cap),
        cmocka_unit_test(times_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
