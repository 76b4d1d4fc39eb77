#ifndef FAIRLEAD_POLICY_GATE_H
#define FAIRLEAD_POLICY_GATE_H

#include "base/host.h"
#include "base/inet.h"
#include "base/status.h"
#include "policy/identity.h"

#include <stdbool.h>
#include <stddef.h>

/* The one gate before every dial, in two stages that both must pass.
 *
 *   request   on what was asked for: client range, name, port. Rules over names and identities join here.
 *   address   on each address that would be dialled, after unwrapping IPv4 inside IPv6.
 *
 * A name or a user never opens an address, only a range does. Pure and by value: nothing is resolved or
 * dialled here. A gate is made once for a configuration snapshot and then only read, by all workers. */
struct gate;

struct gate_names {
    /* "example.com" or "*.example.com" (labels below, not the name itself). */
    const struct slice *at;
    size_t count;
};
struct gate_prefixes {
    const struct inet_prefix *at; /* as inet_prefix_parse makes them */
    size_t count;
};

struct gate_options {
    struct gate_prefixes allow; /* open part of the default deny list */
    struct gate_prefixes deny;
    /* Where there are any, every other name is refused, and so is every literal address outside of `allow`. */
    struct gate_names allow_names;
    struct gate_names deny_names;
    struct gate_prefixes clients; /* where there are any, every other client is refused */
    const uint16_t *connect_ports;
    size_t connect_port_count;
    bool connects_any_port;      /* all but the bad ports, which must be named */
    const uint16_t *plain_ports; /* bad ports that plain requests may go to all the same */
    size_t plain_port_count;
    bool plain_any_port;
    /* Proxy listeners; an unspecified address counts for all local ones. */
    const struct inet_endpoint *own;
    size_t own_count;
    struct inet_endpoint admin;         /* the admin listener; INET_NONE: none */
    const struct inet_addr *interfaces; /* addresses of interfaces other than loopback */
    size_t interface_count;
    const struct inet_endpoint *floor_exceptions; /* port 0: any port */
    size_t floor_exception_count;
    struct gate_names floor_names; /* names of the floor that are opened */
};

enum { GATE_TEXT = 160 };

/* Why, and what would change it. */
struct gate_answer {
    char rule[GATE_TEXT];   /* "default-deny 127.0.0.0/8 (loopback, RFC 1122)" */
    char remedy[GATE_TEXT]; /* the least that does: "--allow 127.0.0.1"; empty: nothing does */
};

struct gate_question {
    const struct host *host;
    uint16_t port;
    bool is_connect;
    struct inet_addr client; /* INET_NONE for Unix sockets */
    struct identity who;
};

/* Copies all of `options`. Errors: NULL out of memory. */
struct gate *gate_create(const struct gate_options *options) MUST_USE;
/* The same gate with other addresses of interfaces, which are copied; all other lists stay those of `gate`,
 * which must live longer. Errors: NULL out of memory. */
struct gate *gate_with_interfaces(const struct gate *gate, const struct inet_addr *addr,
                                  size_t count) MUST_USE;
/* *gate is NULL afterwards. Takes a pointer to NULL. */
void gate_destroy(struct gate **gate);

/* May this client connect at all? Clients of Unix sockets (INET_NONE) always may. */
bool gate_client(const struct gate *gate, const struct inet_addr *client);
/* The request stage; *ret_answer is written when it refuses. */
bool gate_request(const struct gate *gate, const struct gate_question *question,
                  struct gate_answer *ret_answer);
/* Are names refused? Then only the names that the request stage has seen may be looked up: a search list would
 * make others of them behind it. */
bool gate_denies_names(const struct gate *gate);
/* The address stage; *ret_answer is written when it refuses. Ask it again for every dial. */
bool gate_address(const struct gate *gate, const struct inet_endpoint *endpoint,
                  struct gate_answer *ret_answer);

#endif
