#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/fairlead-notify-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    return rmdir(folder);
}

/* The service manager's socket at `name`; '@' in front stands for an abstract one. Names it in the environment. */
static int manager_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

/* The next datagram, which there must be. */
static void assert_heard(int fd, const char *expected)
{
    char message[200];
    ssize_t len = recv(fd, message, sizeof(message) - 1, 0);
    assert_true(len > 0);
    message[len] = '\0';
    assert_string_equal(message, expected);
}

static void assert_silence(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
}

/* Being ready, reloading and stopping are one datagram each, in the words of sd_notify(3). */
static void each_step_is_one_datagram(void **state)
{
    (void)state;
    int fd = manager_at(path);
    clock_freeze(123456789, 0);
    notify_ready();
    notify_reloading();
    notify_stopping();
    clock_restore();
    assert_heard(fd, "READY=1");
    assert_heard(fd, "RELOADING=1\nMONOTONIC_USEC=123456");
    assert_heard(fd, "STOPPING=1");
    assert_silence(fd);
    (void)close(fd);
    (void)unlink(path);
}

/* A socket with an abstract name is found too. */
static void an_abstract_socket_is_found(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof(name), "@fairlead-notify-%d", (int)getpid());
    int fd = manager_at(name);
    notify_ready();
    assert_heard(fd, "READY=1");
    (void)close(fd);
}

/* No manager, one that has gone, and a name that is no path are no trouble. */
static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[299] = '\0';
    const char *const names[] = {path, "", "relative", "vsock:2:1", longest};
    int other = manager_at(path);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_ready();
    assert_silence(other);
    (void)close(other);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        notify_ready();
    }
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_is_one_datagram),
        cmocka_unit_test(an_abstract_socket_is_found),
        cmocka_unit_test(without_a_manager_nothing_happens),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
