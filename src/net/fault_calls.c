/* What gives OpenSSL and c-ares their memory, and c-ares its sockets, in a build with faults (base/fault.h). */

#define CARES_NO_DEPRECATED 1

#include "base/fault.h"

#include <ares.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int __real_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask);
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);

/* ---- memory ---- */

static void *tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0 || fault_next(FAULT_CALL_tls_heap) != FAULT_NONE)
        return NULL; /* for nothing OpenSSL's own gives nothing, which is what saves it where a length was not had */
    return __real_malloc(size);
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size > 0 && fault_next(FAULT_CALL_tls_heap) != FAULT_NONE)
        return NULL;
    return __real_realloc(memory, size);
}

static void tls_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static void *dns_malloc(size_t size)
{
    return fault_next(FAULT_CALL_dns_heap) == FAULT_NONE ? __real_malloc(size) : NULL;
}

static void *dns_realloc(void *memory, size_t size)
{
    return fault_next(FAULT_CALL_dns_heap) == FAULT_NONE ? __real_realloc(memory, size) : NULL;
}

/* Both libraries take their functions only before their first allocation. */
__attribute__((constructor)) static void take_heaps(void)
{
    if (CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) != 1 ||
        ares_library_init_mem(ARES_LIB_INIT_ALL, dns_malloc, free, dns_realloc) != ARES_SUCCESS)
        abort();
}

/* ---- the sockets of c-ares: through our own calls, which have faults ---- */

static ares_socket_t dns_socket(int domain, int type, int protocol, void *owner)
{
    (void)owner;
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int dns_close(ares_socket_t fd, void *owner)
{
    (void)owner;
    return close(fd);
}

/* The library knows nothing of interruptions, which do not come where nothing sleeps. */
static int dns_connect(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len,
                       void *owner)
{
    (void)owner;
    int result = connect(fd, address, len);
    if (result < 0 && errno == EINTR)
        errno = EINPROGRESS;
    return result;
}

static ares_ssize_t dns_recvfrom(ares_socket_t fd, void *into, size_t cap, int flags,
                                 struct sockaddr *address, ares_socklen_t *len, void *owner)
{
    (void)owner;
    ssize_t got;
    do
        got = recvfrom(fd, into, cap, flags, address, len);
    while (got < 0 && errno == EINTR);
    return got;
}

static ares_ssize_t dns_sendv(ares_socket_t fd, const struct iovec *iov, int count, void *owner)
{
    (void)owner;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

int __wrap_ares_init_options(ares_channel *channel, struct ares_options *options, int mask)
{
    static const struct ares_socket_functions functions = {dns_socket, dns_close, dns_connect,
                                                           dns_recvfrom, dns_sendv};
    int result = __real_ares_init_options(channel, options, mask);
    if (result == ARES_SUCCESS)
        ares_set_socket_functions(*channel, &functions, NULL);
    return result;
}
