/* What each program of the benchmark needs: numbers, addresses, sockets, an end with a message. */
#include "common/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, ADDRESSES_MAX = 65536 };

_Noreturn void tool_die(const char *what)
{
    (void)fprintf(stderr, "bench: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

void *tool_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL)
        tool_die("no memory");
    return memory;
}

uint64_t tool_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t tool_number(const char *text, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > max) {
        errno = 0;
        tool_die(text);
    }
    return value;
}

void tool_start(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what misses will show as a failed unit */
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

struct addresses addresses_parse(const char *text)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len == 0 || len >= sizeof(host))
        tool_die(text);
    memcpy(host, text, len);
    host[len] = '\0';

    char rest[32];
    (void)snprintf(rest, sizeof(rest), "%s", colon + 1);
    char *comma = strchr(rest, ',');
    if (comma)
        *comma = '\0';
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) != 1)
        tool_die(text);
    unsigned count = comma ? (unsigned)tool_number(comma + 1, ADDRESSES_MAX) : 1;
    return (struct addresses){.first = ntohl(address.s_addr),
                              .port = (uint16_t)tool_number(rest, UINT16_MAX),
                              .count = count ? count : 1};
}

struct sockaddr_in addresses_next(struct addresses *addresses)
{
    uint32_t address = addresses->first + addresses->next;
    addresses->next = (addresses->next + 1) % addresses->count;
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(addresses->port),
                                .sin_addr.s_addr = htonl(address)};
}

static int socket_stream(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* slower without it */
    return fd;
}

static int socket_drop(int fd)
{
    int os_error = errno;
    (void)close(fd); /* it carried nothing */
    errno = os_error;
    return -1;
}

int socket_listen(uint32_t address, uint16_t port)
{
    int one = 1;
    int fd = socket_stream();
    if (fd < 0)
        return -1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, BACKLOG) != 0)
        return socket_drop(fd);
    return fd;
}

uint16_t socket_port(int fd)
{
    struct sockaddr_in at = {0};
    socklen_t len = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        tool_die("getsockname");
    return ntohs(at.sin_port);
}

int socket_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int socket_connect(const struct sockaddr_in *from, const struct sockaddr_in *to)
{
    int one = 1;
    int fd = socket_stream();
    if (fd < 0)
        return -1;
    if (from != NULL &&
        (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) != 0 ||
         bind(fd, (const struct sockaddr *)from, sizeof(*from)) != 0))
        return socket_drop(fd);
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS)
        return socket_drop(fd);
    return fd;
}
