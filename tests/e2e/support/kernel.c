/* Preloaded into the proxy by plays in which the kernel does not do what it should.
 *
 *     FAIRLEAD_TEST_NO_IFADDRS=PATH   getifaddrs fails while this file exists
 *     FAIRLEAD_TEST_NO_GROUPS=1       nobody may subscribe to netlink groups */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
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
