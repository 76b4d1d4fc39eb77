#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_internal.h"

static SSL_SESSION *make_session(int version)
{
    SSL_SESSION *session = SSL_SESSION_new();
    assert_non_null(session);
    assert_int_equal(SSL_SESSION_set_protocol_version(session, version), 1);
    return session;
}

/* Remember a new session under `key`; returns it, borrowed, for comparison. */
static const SSL_SESSION *give(struct tls_sessions *sessions, struct slice key, int version)
{
    uint8_t digest[TLS_SESSION_DIGEST];
    SSL_SESSION *session = make_session(version);
    tls_session_digest(1, key, digest);
    tls_sessions_give(sessions, digest, session);
    return session;
}

/* What is found under `key`, which is only compared. */
static const SSL_SESSION *take(struct tls_sessions *sessions, struct slice key)
{
    uint8_t digest[TLS_SESSION_DIGEST];
    tls_session_digest(1, key, digest);
    SSL_SESSION *session = tls_sessions_take(sessions, digest);
    SSL_SESSION_free(session);
    return session;
}

static void a_tls_1_3_session_is_used_once_and_the_newest_first(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(2);
    const SSL_SESSION *first = give(sessions, SLICE("a"), TLS1_3_VERSION);
    const SSL_SESSION *second = give(sessions, SLICE("a"), TLS1_3_VERSION);
    assert_int_equal(tls_sessions_count(sessions), 2);
    assert_ptr_equal(take(sessions, SLICE("a")), second);
    assert_ptr_equal(take(sessions, SLICE("a")), first);
    assert_null(take(sessions, SLICE("a")));
    tls_sessions_destroy(&sessions);
    assert_null(sessions);
}

static void a_tls_1_2_session_is_used_again(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(2);
    const SSL_SESSION *session = give(sessions, SLICE("a"), TLS1_2_VERSION);
    assert_ptr_equal(take(sessions, SLICE("a")), session);
    assert_ptr_equal(take(sessions, SLICE("a")), session);
    tls_sessions_destroy(&sessions);
}

static void the_least_recently_used_name_makes_room(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(2);
    const SSL_SESSION *a = give(sessions, SLICE("a"), TLS1_2_VERSION);
    (void)give(sessions, SLICE("b"), TLS1_2_VERSION);
    assert_ptr_equal(take(sessions, SLICE("a")), a);
    const SSL_SESSION *c = give(sessions, SLICE("c"), TLS1_2_VERSION);
    assert_null(take(sessions, SLICE("b")));
    assert_ptr_equal(take(sessions, SLICE("a")), a);
    assert_ptr_equal(take(sessions, SLICE("c")), c);
    tls_sessions_destroy(&sessions);
}

static void one_name_keeps_a_few_sessions_only(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(100);
    for (int i = 0; i < 100; i++) {
        (void)give(sessions, SLICE("a"), TLS1_3_VERSION);
    }
    assert_int_equal(tls_sessions_count(sessions), 4);
    tls_sessions_clear(sessions);
    assert_int_equal(tls_sessions_count(sessions), 0);
    tls_sessions_destroy(&sessions);
}

/* Not the names: what a session keeps is large. */
static void sessions_are_counted_over_all_names(void **state)
{
    (void)state;
    struct tls_sessions *sessions = tls_sessions_create(5);
    const char *names = "abcdefghij";
    for (size_t i = 0; i < 40; i++) {
        (void)give(sessions, slice_of(names + i % 10, 1), i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
        assert_true(tls_sessions_count(sessions) <= 5);
    }
    tls_sessions_clear(sessions);
    for (size_t i = 0; i < 3; i++)
        (void)give(sessions, SLICE("a"), TLS1_3_VERSION);
    for (size_t i = 0; i < 2; i++)
        (void)give(sessions, SLICE("b"), TLS1_3_VERSION);
    assert_int_equal(tls_sessions_count(sessions), 5);
    const SSL_SESSION *last = give(sessions, SLICE("a"), TLS1_3_VERSION); /* its own make room */
    assert_int_equal(tls_sessions_count(sessions), 3);
    assert_ptr_equal(take(sessions, SLICE("a")), last);
    for (size_t i = 0; i < 4; i++)
        (void)give(sessions, SLICE("a"), TLS1_3_VERSION); /* those of b make room for the last */
    assert_int_equal(tls_sessions_count(sessions), 4);
    (void)give(sessions, SLICE("c"), TLS1_3_VERSION);
    (void)give(sessions, SLICE("a"), TLS1_3_VERSION); /* in the place of another of its name */
    assert_int_equal(tls_sessions_count(sessions), 5);
    assert_non_null(take(sessions, SLICE("c")));
    tls_sessions_destroy(&sessions);
}

static void contexts_and_keys_have_names_of_their_own(void **state)
{
    (void)state;
    uint8_t one[TLS_SESSION_DIGEST];
    uint8_t two[TLS_SESSION_DIGEST];
    tls_session_digest(1, SLICE("a"), one);
    tls_session_digest(2, SLICE("a"), two);
    assert_memory_not_equal(one, two, sizeof(one));
    tls_session_digest(1, SLICE("b"), two);
    assert_memory_not_equal(one, two, sizeof(one));
    tls_session_digest(1, SLICE("a"), two);
    assert_memory_equal(one, two, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tls_1_3_session_is_used_once_and_the_newest_first),
        cmocka_unit_test(a_tls_1_2_session_is_used_again),
        cmocka_unit_test(the_least_recently_used_name_makes_room),
        cmocka_unit_test(one_name_keeps_a_few_sessions_only),
        cmocka_unit_test(sessions_are_counted_over_all_names),
        cmocka_unit_test(contexts_and_keys_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
