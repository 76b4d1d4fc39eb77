#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "dns_server.h"
#include "net/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURNS_MAX = 2000 };

struct fixture {
    struct loop *loop;
    struct resolver *resolver;
    struct dns_server server;
    struct counters counters;
    struct question question[3];
    unsigned answers; /* on_answer calls */
    bool cancels_all;
    bool is_asking; /* resolver_ask is on the stack */
};

static const struct dns_rule rule_a = {
    .name = "a.test", .type = RR_A, .address = {"192.0.2.1", "192.0.2.2"}, .ttl = 60};
static const struct dns_rule rule_aaaa = {
    .name = "a.test", .type = RR_AAAA, .address = {"2001:db8::1"}, .ttl = 30};

static void begin_with(struct fixture *f, struct resolver_options options)
{
    memset(f, 0, sizeof(*f));
    clock_freeze(1000 * NS_PER_S, 1000 * NS_PER_S);
    assert_int_equal(loop_create(&f->loop), ST_OK);
    dns_server_start(&f->server, f->loop);
    if (options.hosts_path == NULL)
        options.hosts_path = "";
    options.servers = &f->server.address;
    options.server_count = 1;
    assert_int_equal(resolver_create(f->loop, &options, &f->counters, &f->resolver), ST_OK);
}

static void begin(struct fixture *f)
{
    begin_with(f, (struct resolver_options){0});
}

static void end(struct fixture *f)
{
    for (size_t i = 0; i < COUNT_OF(f->question); i++)
        question_cancel(&f->question[i]);
    resolver_destroy(&f->resolver);
    dns_server_stop(&f->server);
    loop_destroy(&f->loop);
    clock_restore();
}

static void on_answer(struct question *question, int half)
{
    struct fixture *f = question->owner;
    assert_false(f->is_asking);
    assert_true(question->half[half].is_answered);
    f->answers++;
    for (size_t i = 0; f->cancels_all && i < COUNT_OF(f->question); i++)
        question_cancel(&f->question[i]);
}

static enum status ask(struct fixture *f, size_t which, const char *name, unsigned families)
{
    struct host host;
    assert_int_equal(host_parse(slice_from_string(name), &host), HOST_FINE);
    f->is_asking = true;
    enum status status =
        resolver_ask(f->resolver, &f->question[which], &host, families, f, on_answer);
    f->is_asking = false;
    return status;
}

/* Turn until `count` answers were reported. */
static void await(struct fixture *f, unsigned count)
{
    for (int i = 0; i < TURNS_MAX && f->answers < count; i++)
        (void)loop_turn(f->loop, 5 * NS_PER_MS);
    assert_int_equal(f->answers, count);
}

static void await_questions(struct fixture *f, size_t count)
{
    for (int i = 0; i < TURNS_MAX && f->server.question_count < count; i++)
        (void)loop_turn(f->loop, 5 * NS_PER_MS);
    assert_int_equal(f->server.question_count, count);
}

static void expect_half(const struct fixture *f, size_t which, int half, enum answer_result result,
                        enum dns_source source, size_t count)
{
    const struct question_half *got = &f->question[which].half[half];
    assert_true(got->is_answered);
    assert_int_equal(got->result, result);
    assert_int_equal(got->source, source);
    assert_int_equal(got->count, count);
    assert_true(got->answered_ns != 0);
}

/* A literal is answered at once, in its own family only. */
static void test_literal(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(ask(&f, 0, "[::1]", ASK_BOTH), ST_OK);
    expect_half(&f, 0, HALF_V6, ANSWER_FOUND, DNS_LITERAL, 1);
    expect_half(&f, 0, HALF_V4, ANSWER_NODATA, DNS_LITERAL, 0);
    assert_int_equal(f.question[0].half[HALF_V6].addr->bytes[15], 1);
    assert_int_equal(counter_get(&f.counters, COUNT_DNS_QUESTIONS), 0);
    end(&f);
}

/* Both families are asked, and each comes back by itself with its own time to live. */
static void test_query_then_cache(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, rule_a);
    dns_server_add(&f.server, rule_aaaa);
    assert_int_equal(ask(&f, 0, "a.test", ASK_BOTH), ST_AGAIN);
    await(&f, 2);
    expect_half(&f, 0, HALF_V4, ANSWER_FOUND, DNS_QUERY, 2);
    expect_half(&f, 0, HALF_V6, ANSWER_FOUND, DNS_QUERY, 1);
    assert_int_equal(resolver_cached_count(f.resolver), 2);

    assert_int_equal(ask(&f, 1, "A.test.", ASK_BOTH), ST_OK);
    expect_half(&f, 1, HALF_V4, ANSWER_FOUND, DNS_CACHE, 2);
    expect_half(&f, 1, HALF_V6, ANSWER_FOUND, DNS_CACHE, 1);
    assert_int_equal(counter_get(&f.counters, COUNT_DNS_CACHE_HITS), 2);
    question_cancel(&f.question[1]);

    clock_advance(30 * NS_PER_S); /* AAAA has expired, A has not */
    (void)loop_turn(f.loop, 0);
    assert_int_equal(ask(&f, 1, "a.test", ASK_BOTH), ST_AGAIN);
    expect_half(&f, 1, HALF_V4, ANSWER_FOUND, DNS_CACHE, 2);
    await(&f, 3);
    expect_half(&f, 1, HALF_V6, ANSWER_FOUND, DNS_QUERY, 1);
    assert_int_equal(f.server.question_count, 3);
    end(&f);
}

/* RFC 2308: "no" is kept as long as the SOA says, and not at all without one. */
static void test_negative_cache(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, (struct dns_rule){
                                  .name = "no.test", .type = RR_A, .rcode = 3, .soa_minimum = 10});
    dns_server_add(&f.server,
                   (struct dns_rule){.name = "empty.test", .type = RR_A, .soa_minimum = 10});
    assert_int_equal(ask(&f, 0, "no.test", ASK_V4), ST_AGAIN);
    assert_int_equal(ask(&f, 1, "empty.test", ASK_V4), ST_AGAIN);
    assert_int_equal(ask(&f, 2, "bare.test", ASK_V4), ST_AGAIN);
    await(&f, 3);
    expect_half(&f, 0, HALF_V4, ANSWER_NXDOMAIN, DNS_QUERY, 0);
    expect_half(&f, 1, HALF_V4, ANSWER_NODATA, DNS_QUERY, 0);
    expect_half(&f, 2, HALF_V4, ANSWER_NXDOMAIN, DNS_QUERY, 0);
    assert_int_equal(resolver_cached_count(f.resolver), 2);

    question_cancel(&f.question[0]);
    assert_int_equal(ask(&f, 0, "no.test", ASK_V4), ST_OK);
    expect_half(&f, 0, HALF_V4, ANSWER_NXDOMAIN, DNS_CACHE, 0);
    question_cancel(&f.question[0]);
    clock_advance(10 * NS_PER_S);
    (void)loop_turn(f.loop, 0);
    assert_int_equal(ask(&f, 0, "no.test", ASK_V4), ST_AGAIN);
    end(&f);
}

static void test_failures(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, (struct dns_rule){.name = "fail.test", .type = RR_A, .rcode = 2});
    dns_server_add(&f.server, (struct dns_rule){.name = "shy.test", .type = RR_A, .rcode = 5});
    assert_int_equal(ask(&f, 0, "fail.test", ASK_V4), ST_AGAIN);
    assert_int_equal(ask(&f, 1, "shy.test", ASK_V4), ST_AGAIN);
    await(&f, 2);
    expect_half(&f, 0, HALF_V4, ANSWER_SERVFAIL, DNS_QUERY, 0);
    expect_half(&f, 1, HALF_V4, ANSWER_REFUSED, DNS_QUERY, 0);
    assert_int_equal(resolver_cached_count(f.resolver), 0);
    assert_int_equal(counter_get(&f.counters, COUNT_DNS_FAILURES), 2);
    end(&f);
}

/* Identical questions under way share one query; one that leaves does not disturb the others. */
static void test_coalescing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct dns_rule held = rule_a;
    held.is_held = true;
    dns_server_add(&f.server, held);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask(&f, i, "a.test", ASK_V4), ST_AGAIN);
    await_questions(&f, 1);
    question_cancel(&f.question[0]);
    question_cancel(&f.question[0]);
    dns_server_release(&f.server);
    await(&f, 2);
    expect_half(&f, 1, HALF_V4, ANSWER_FOUND, DNS_COALESCED, 2);
    expect_half(&f, 2, HALF_V4, ANSWER_FOUND, DNS_COALESCED, 2);
    assert_int_equal(f.server.question_count, 1);
    end(&f);
}

/* A question may be cancelled while others are told; nobody hears of it then. */
static void test_cancel_in_callback(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, rule_a);
    f.cancels_all = true;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask(&f, i, "a.test", ASK_V4), ST_AGAIN);
    await(&f, 1);
    (void)loop_turn(f.loop, 0);
    assert_int_equal(f.answers, 1);
    end(&f);
}

/* A server that does not answer is a time-out in the end, and a late answer still fills the cache. */
static void test_timeout(void **state)
{
    (void)state;
    struct fixture f;
    begin_with(&f, (struct resolver_options){.timeout_ns = 3600 * NS_PER_S});
    struct dns_rule held = rule_a;
    held.is_held = true;
    dns_server_add(&f.server, held);
    assert_int_equal(ask(&f, 0, "a.test", ASK_V4), ST_AGAIN);
    await_questions(&f, 1);
    clock_advance(3601 * NS_PER_S);
    await(&f, 1);
    expect_half(&f, 0, HALF_V4, ANSWER_TIMEOUT, DNS_QUERY, 0);
    assert_int_equal(resolver_cached_count(f.resolver), 0);
    dns_server_release(&f.server);
    for (int i = 0; i < TURNS_MAX && resolver_cached_count(f.resolver) == 0; i++)
        (void)loop_turn(f.loop, 5 * NS_PER_MS);
    assert_int_equal(resolver_cached_count(f.resolver), 1);
    end(&f);
}

/* No callback comes after the resolver's end, and questions may be cancelled after it. */
static void test_destroy_under_way(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, (struct dns_rule){.name = "a.test", .type = RR_A, .is_silent = true});
    assert_int_equal(ask(&f, 0, "a.test", ASK_BOTH), ST_AGAIN);
    await_questions(&f, 2);
    resolver_destroy(&f.resolver);
    for (int i = 0; i < 5; i++)
        (void)loop_turn(f.loop, NS_PER_MS);
    assert_true(f.answers <= 1);
    end(&f);
}

/* The hosts file comes before name servers, for both families, and is read again when it changes. */
static void test_hosts(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-hosts-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "192.0.2.7 a.test\n") > 0);
    struct fixture f;
    begin_with(&f, (struct resolver_options){.hosts_path = path});
    assert_int_equal(ask(&f, 0, "a.test", ASK_BOTH), ST_OK);
    expect_half(&f, 0, HALF_V4, ANSWER_FOUND, DNS_HOSTS, 1);
    expect_half(&f, 0, HALF_V6, ANSWER_NODATA, DNS_HOSTS, 0);

    assert_true(dprintf(fd, "192.0.2.8 a.test\n") > 0);
    clock_advance(NS_PER_S);
    (void)loop_turn(f.loop, 0);
    assert_int_equal(ask(&f, 1, "a.test", ASK_BOTH), ST_OK);
    expect_half(&f, 1, HALF_V4, ANSWER_FOUND, DNS_HOSTS, 2);
    assert_int_equal(f.question[0].half[HALF_V4].count, 1); /* the earlier answer stays whole */
    assert_int_equal(f.question[0].half[HALF_V4].addr[0].bytes[3], 7);
    end(&f);
    close(fd);
    unlink(path);
}

/* A resolv.conf that changes while a query is under way is taken in without losing memory or order. */
static void test_resolv_conf(void **state)
{
    (void)state;
    char path[] = "/tmp/fairlead-resolv-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "nameserver 127.0.0.9\n") > 0);
    struct fixture f;
    begin(&f);
    dns_server_add(&f.server, rule_a);
    assert_int_equal(ask(&f, 0, "a.test", ASK_V4), ST_AGAIN);
    await(&f, 1);
    resolver_destroy(&f.resolver);

    struct resolver_options options = {.hosts_path = "", .resolv_path = path};
    assert_int_equal(resolver_create(f.loop, &options, &f.counters, &f.resolver), ST_OK);
    assert_int_equal(ask(&f, 1, "b.test", ASK_V4), ST_AGAIN);
    assert_true(dprintf(fd, "nameserver 127.0.0.10\n") > 0);
    clock_advance(NS_PER_S);
    (void)loop_turn(f.loop, 0);
    assert_int_equal(ask(&f, 2, "[::1]", ASK_V6), ST_OK); /* a literal looks at no file */
    question_cancel(&f.question[2]);
    (void)ask(&f, 2, "c.test", ASK_V4); /* nobody answers there, or at once with an error */
    for (int i = 0; i < 5; i++)
        (void)loop_turn(f.loop, NS_PER_MS);
    end(&f);
    close(fd);
    unlink(path);
}

/* RFC 6761 §6.3: localhost and names below it never reach a name server. */
static void test_localhost(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(ask(&f, 0, "localhost", ASK_BOTH), ST_OK);
    assert_int_equal(ask(&f, 1, "x.localhost", ASK_V4), ST_OK);
    expect_half(&f, 1, HALF_V4, ANSWER_FOUND, DNS_HOSTS, 1);
    assert_int_equal(ask(&f, 2, "notlocalhost.test", ASK_V4), ST_AGAIN);
    end(&f);
}

/* The cache keeps to its cap; what was used longest ago leaves. */
static void test_cache_cap(void **state)
{
    (void)state;
    struct fixture f;
    begin_with(&f, (struct resolver_options){.cache_limit_count = 2});
    const char *names[] = {"a.test", "b.test", "c.test"};
    for (unsigned i = 0; i < 3; i++) {
        struct dns_rule rule = rule_a;
        rule.name = names[i];
        dns_server_add(&f.server, rule);
        question_cancel(&f.question[0]);
        assert_int_equal(ask(&f, 0, names[i], ASK_V4), ST_AGAIN);
        await(&f, i + 1);
    }
    assert_int_equal(resolver_cached_count(f.resolver), 2);
    assert_int_equal(ask(&f, 1, "b.test", ASK_V4), ST_OK);
    assert_int_equal(ask(&f, 2, "a.test", ASK_V4), ST_AGAIN);
    end(&f);
}

/* Beyond the cap of queries under way a question fails at once. */
static void test_fetch_cap(void **state)
{
    (void)state;
    struct fixture f;
    begin_with(&f, (struct resolver_options){.fetch_limit_count = 1});
    assert_int_equal(ask(&f, 0, "a.test", ASK_V4), ST_AGAIN);
    assert_int_equal(ask(&f, 1, "b.test", ASK_V4), ST_OK);
    expect_half(&f, 1, HALF_V4, ANSWER_ERROR, DNS_QUERY, 0);
    end(&f);
}

/* At the cap, queries that nobody waits for make room; those that somebody waits for are asked again. */
static void test_fetches_for_nobody_make_room(void **state)
{
    (void)state;
    struct fixture f;
    static const char *const left[] = {"x.test", "y.test", "z.test"};
    begin_with(&f, (struct resolver_options){.fetch_limit_count = 4});
    struct dns_rule held = rule_a;
    held.is_held = true;
    held.name = "held.test";
    dns_server_add(&f.server, held);
    dns_server_add(&f.server, rule_a);
    assert_int_equal(ask(&f, 0, "held.test", ASK_V4), ST_AGAIN);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        held.name = left[i];
        dns_server_add(&f.server, held);
        assert_int_equal(ask(&f, 1, left[i], ASK_V4), ST_AGAIN);
        question_cancel(&f.question[1]);
    }
    await_questions(&f, 4);
    assert_int_equal(ask(&f, 2, "a.test", ASK_V4), ST_AGAIN);
    await(&f, 1);
    expect_half(&f, 2, HALF_V4, ANSWER_FOUND, DNS_QUERY, 2);
    await_questions(&f, 6); /* held.test once more */
    dns_server_release(&f.server);
    await(&f, 2);
    expect_half(&f, 0, HALF_V4, ANSWER_FOUND, DNS_QUERY, 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),        cmocka_unit_test(test_query_then_cache),
        cmocka_unit_test(test_negative_cache), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_coalescing),     cmocka_unit_test(test_cancel_in_callback),
        cmocka_unit_test(test_timeout),        cmocka_unit_test(test_destroy_under_way),
        cmocka_unit_test(test_hosts),          cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_localhost),      cmocka_unit_test(test_cache_cap),
        cmocka_unit_test(test_fetch_cap),      cmocka_unit_test(test_fetches_for_nobody_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
