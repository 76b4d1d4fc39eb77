/* Preloaded into the proxy by plays in which the kernel does not do what it should.
 *
 *     FAIRLEAD_TEST_NO_IFADDRS=PATH   getifaddrs fails while this file exists
 *     FAIRLEAD_TEST_NO_GROUPS=1       nobody may subscribe to netlink groups
 *     FAIRLEAD_TEST_CLOCK=PATH        the wall clock is as many seconds away as this file says */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int getifaddrs(struct ifaddrs **list)
{
    int (*next)(struct ifaddrs **);
    const char *path = getenv("FAIRLEAD_TEST_NO_IFADDRS");
    if (path != NULL && access(path, F_OK) == 0) {
        errno = EACCES;
        return -1;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getifaddrs");
    return next(list);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    const struct sockaddr_nl *netlink = (const void *)address;
    if (getenv("FAIRLEAD_TEST_NO_GROUPS") != NULL && address->sa_family == AF_NETLINK &&
        netlink->nl_groups != 0) {
        errno = EPERM;
        return -1;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "bind");
    return next(fd, address, len);
}

static long clock_step(void)
{
    char text[32] = "";
    const char *path = getenv("FAIRLEAD_TEST_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += clock_step();
    return result;
}

/* What libraries ask for: certificates, sessions and their tickets. */
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
