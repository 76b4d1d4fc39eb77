/* The name server of the self-test answers each question, in whatever order and under whatever identifier. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "selftest/outside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_AAAA = 28 };

static struct outside *outside_with_a_zone(void)
{
    struct zone zone = {
        .answers = {{.addr = {{INET_V4, {192, 0, 2, 1}}}, .count = 1},
                    {.addr = {{INET_V4, {192, 0, 2, 2}}}, .count = 1}},
    };
    struct outside *outside = calloc(1, sizeof(*outside));
    assert_non_null(outside);
    assert_int_equal(outside_init(outside), ST_OK);
    outside_set_zone(outside, &zone);
    return outside;
}

static void outside_free(struct outside *outside)
{
    outside_done(outside);
    free(outside);
}

/* A socket that asks this name server alone. */
static int asker(const struct outside *outside)
{
    struct sockaddr_storage address;
    socklen_t len = inet_to_sockaddr(&outside->server, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, len), 0);
    return fd;
}

static void ask(int fd, unsigned id, unsigned type)
{
    unsigned char query[] = {(unsigned char)(id >> 8),
                             (unsigned char)id,
                             1,
                             0,
                             0,
                             1,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             1,
                             't',
                             0,
                             0,
                             (unsigned char)type,
                             0,
                             1};
    assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
}

/* The name server's turn: whatever was asked is read once, since the answer of an exchange is there already. */
static void turn(struct outside *outside)
{
    int ends[2];
    struct outside_reply *reply = calloc(1, sizeof(*reply));
    assert_non_null(reply);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(write(ends[1], "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
    outside_exchange(outside, ends[0], SLICE("?"), reply);
    assert_int_equal(reply->status, 200);
    socket_close(&ends[0]);
    socket_close(&ends[1]);
    free(reply);
}

/* The last byte of the address in an answer that is there, 0 for one without an address, -1 for no answer. */
static int answered(int fd, unsigned id)
{
    unsigned char packet[512];
    ssize_t len = recv(fd, packet, sizeof(packet), 0);
    if (len < 0)
        return -1;
    assert_true(len > 12);
    assert_int_equal(packet[0] << 8 | packet[1], id);
    return packet[7] > 0 ? packet[len - 1] : 0;
}

static void the_other_family_is_held_back(void **state)
{
    (void)state;
    struct outside *outside = outside_with_a_zone();
    int fd = asker(outside);
    ask(fd, 1, TYPE_A);
    turn(outside);
    assert_int_equal(answered(fd, 1), -1);
    ask(fd, 2, TYPE_AAAA);
    turn(outside);
    assert_int_equal(answered(fd, 2), 0);
    assert_int_equal(answered(fd, 1), 1);
    socket_close(&fd);
    outside_free(outside);
}

static void a_question_that_is_repeated_has_the_same_answer(void **state)
{
    (void)state;
    struct outside *outside = outside_with_a_zone();
    int fd = asker(outside);
    for (int i = 0; i < 2; i++) {
        ask(fd, 2, TYPE_AAAA);
        ask(fd, 1, TYPE_A);
        turn(outside);
        assert_int_equal(answered(fd, 2), 0);
        assert_int_equal(answered(fd, 1), 1);
    }
    socket_close(&fd);
    outside_free(outside);
}

/* Identifiers are of 16 bits and drawn by chance: a later look-up may have those of the one before. */
static void an_identifier_may_come_twice(void **state)
{
    (void)state;
    struct outside *outside = outside_with_a_zone();
    int fds[] = {asker(outside), asker(outside)};
    for (int i = 0; i < 2; i++) {
        ask(fds[i], 7, TYPE_AAAA);
        turn(outside);
        assert_int_equal(answered(fds[i], 7), 0);
        ask(fds[i], 8, TYPE_A);
        turn(outside);
        assert_int_equal(answered(fds[i], 8), i + 1);
    }
    socket_close(&fds[0]);
    socket_close(&fds[1]);
    outside_free(outside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_family_is_held_back),
        cmocka_unit_test(a_question_that_is_repeated_has_the_same_answer),
        cmocka_unit_test(an_identifier_may_come_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
