#include "bundles.h"

#include "io/socket.h"

#include <sys/stat.h>

static unsigned port(const struct bundle *bundle, size_t index)
{
    return bundle->listens[index].bound.port;
}

/* Do two descriptors name the same socket? */
static bool is_same(int a, int b)
{
    struct stat one;
    struct stat other;
    assert_int_equal(fstat(a, &one), 0);
    assert_int_equal(fstat(b, &other), 0);
    return a != b && one.st_ino == other.st_ino;
}

static void every_worker_has_a_socket(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", test.unix_flag, NULL), ST_OK);
    assert_int_equal(test.old->listen_count, 2);
    assert_int_equal(test.old->listens[0].count, 2);
    assert_int_equal(test.old->listens[1].count, 1);
    assert_int_equal(test.old->admin.count, 1);
    assert_int_not_equal(port(test.old, 0), 0);
    assert_int_equal(test.old->listens[0].asked.port, 0);
}

static void what_stays_is_shared(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", test.unix_flag, NULL), ST_OK);
    assert_int_equal(make(test.old, &test.fresh, test.unix_flag, "127.0.0.1:0", NULL), ST_OK);
    assert_int_equal(port(test.fresh, 1), port(test.old, 0));
    for (unsigned i = 0; i < 2; i++)
        assert_true(is_same(test.fresh->listens[1].fds[i], test.old->listens[0].fds[i]));
    assert_true(is_same(test.fresh->listens[0].fds[0], test.old->listens[1].fds[0]));
    assert_true(is_same(test.fresh->admin.fds[0], test.old->admin.fds[0]));
}

static void a_unix_socket_whose_file_is_gone_is_bound_anew(void **state)
{
    (void)state;
    struct stat facts;
    assert_int_equal(make(NULL, &test.old, test.unix_flag, NULL, NULL), ST_OK);
    assert_int_equal(unlink(test.path), 0);
    assert_int_equal(make(test.old, &test.fresh, test.unix_flag, NULL, NULL), ST_OK);
    assert_false(is_same(test.fresh->listens[0].fds[0], test.old->listens[0].fds[0]));
    bundle_commit(test.fresh, test.old);
    assert_int_equal(lstat(test.path, &facts), 0);
    assert_int_equal(facts.st_ino, test.fresh->listens[0].inode);
}

static void a_file_in_the_place_of_a_unix_socket_fails_the_whole(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, test.unix_flag, NULL, NULL), ST_OK);
    assert_int_equal(unlink(test.path), 0);
    FILE *other = fopen(test.path, "w");
    assert_non_null(other);
    (void)fclose(other);
    assert_int_equal(make(test.old, &test.fresh, test.unix_flag, NULL, NULL), ST_IO);
    assert_null(test.fresh);
    assert_int_equal(access(test.path, F_OK), 0);
}

static void a_port_that_was_chosen_may_be_named(void **state)
{
    (void)state;
    char named[40];
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", "127.0.0.1:0", NULL), ST_OK);
    (void)snprintf(named, sizeof(named), "127.0.0.1:%u", port(test.old, 1));
    /* The one that still asks for port 0 comes last, and must not take the named one. */
    assert_int_equal(make(test.old, &test.fresh, named, "127.0.0.1:0", NULL), ST_OK);
    assert_int_equal(port(test.fresh, 0), port(test.old, 1));
    assert_int_equal(port(test.fresh, 1), port(test.old, 0));
}

static void no_socket_is_taken_twice(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
    assert_int_equal(make(test.old, &test.fresh, "127.0.0.1:0", "127.0.0.1:0", NULL), ST_OK);
    assert_int_equal(port(test.fresh, 0), port(test.old, 0));
    assert_int_not_equal(port(test.fresh, 1), port(test.old, 0));
}

static void another_address_is_another_socket(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
    assert_int_equal(make(test.old, &test.fresh, "127.0.0.2:0", NULL, NULL), ST_OK);
    assert_false(is_same(test.fresh->listens[0].fds[0], test.old->listens[0].fds[0]));
}

/* Somebody else may have the port at another address of the machine, so not with the first one only. */
static void our_own_address_is_not_in_use(void **state)
{
    (void)state;
    enum status status = ST_IO;
    for (int i = 0; status == ST_IO && i < 10; i++) {
        char wide[40];
        bundle_destroy(&test.old);
        assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
        (void)snprintf(wide, sizeof(wide), "0.0.0.0:%u", port(test.old, 0));
        status = make(test.old, &test.fresh, wide, NULL, NULL);
    }
    assert_int_equal(status, ST_OK);
}

static void an_address_of_others_fails_the_whole(void **state)
{
    (void)state;
    char taken[40];
    int others;
    struct inet_endpoint any = {.addr = {INET_V4, {127, 0, 0, 1}}};
    struct socket_listen_options options = {.backlog = 1};
    assert_int_equal(make(NULL, &test.old, "127.0.0.1:0", NULL, NULL), ST_OK);
    assert_int_equal(socket_listen(&any, &options, &others), ST_OK);
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", socket_local(others).port);
    size_t fds = count_fds();
    assert_int_equal(make(test.old, &test.fresh, test.unix_flag, "127.0.0.3:0", taken), ST_IO);
    assert_null(test.fresh);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(access(test.path, F_OK), -1);
    socket_close(&others);
}

static void a_wrong_configuration_makes_nothing(void **state)
{
    (void)state;
    assert_int_equal(make(NULL, &test.old, "nowhere", NULL, NULL), ST_BAD);
    assert_null(test.old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_worker_has_a_socket),
        TEST(what_stays_is_shared),
        TEST(a_unix_socket_whose_file_is_gone_is_bound_anew),
        TEST(a_file_in_the_place_of_a_unix_socket_fails_the_whole),
        TEST(a_port_that_was_chosen_may_be_named),
        TEST(no_socket_is_taken_twice),
        TEST(another_address_is_another_socket),
        TEST(our_own_address_is_not_in_use),
        TEST(an_address_of_others_fails_the_whole),
        TEST(a_wrong_configuration_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
