#ifndef FAIRLEAD_COMMON_TOOL_H
#define FAIRLEAD_COMMON_TOOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Say what failed, with the text of errno where it is set, and end the program with 1. */
_Noreturn void tool_die(const char *what);

/* malloc that ends the program instead of failing; zeroed. */
void *tool_alloc(size_t bytes);

/* Monotonic time. */
uint64_t tool_now_ns(void);

/* The value of `text`, a decimal number up to `max`; ends the program at anything else. */
uint64_t tool_number(const char *text, uint64_t max);

/* Raise the limit of descriptors to the hard one, and ignore SIGPIPE. */
void tool_start(void);

/* Consecutive IPv4 addresses with one port, written ADDR:PORT or ADDR:PORT,COUNT. */
struct addresses {
    uint32_t first; /* host order */
    uint16_t port;
    unsigned count;
    unsigned next; /* used in turn */
};

/* Ends the program where `text` is none. */
struct addresses addresses_parse(const char *text);

/* The next one in turn, ready for connect and bind. */
struct sockaddr_in addresses_next(struct addresses *addresses);

/* A listening socket, without waiting and without delay (both are inherited from it, or set at accept).
 * Returns -1 with errno. */
int socket_listen(uint32_t address, uint16_t port);

/* The port that a socket is bound to. */
uint16_t socket_port(int fd);

/* Accept without waiting: a descriptor, or -1. */
int socket_accept(int listener);

/* Begin to connect, from `from` unless it is NULL. Returns a descriptor, or -1 with errno. */
int socket_connect(const struct sockaddr_in *from, const struct sockaddr_in *to);

#endif
