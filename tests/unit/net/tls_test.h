#ifndef FAIRLEAD_TESTS_NET_TLS_TEST_H
#define FAIRLEAD_TESTS_NET_TLS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/tls.h"
#include "support/memory_pair.h"
#include "support/pki.h"

/* What the tests of TLS share: certificates, contexts, and a pair of ends over a connection in memory. */

enum { ROOM = 256 * 1024, BULK = 1024 * 1024 };

extern struct pki authority;
extern struct pki foreign_authority;
extern struct pki server_pair;
extern struct pki client_pair;
extern struct tls_server_context *server_context;
extern struct tls_client_context *client_context;
extern char pattern[BULK];
extern char received[BULK];

struct fixture {
    struct loop *loop;
    struct block_pool *pool;
    struct tls_scratch *scratch;
    struct memory_end *below_server;
    struct memory_end *below_client;
    struct transport *server;
    struct transport *client;
    int server_calls; /* of on_ready */
    int client_calls;
};

struct tls_server_context *make_server(const struct tls_server_options *options);
struct tls_client_context *make_client(const struct tls_client_options *options);
int group_begin(void **state);
int group_end(void **state);
void count_call(struct transport *transport);
void begin_pair(struct fixture *f, size_t room);
void add_server(struct fixture *f, struct tls_server_context *context);
void add_client(struct fixture *f, struct tls_client_context *context, struct slice name,
                struct tls_sessions *sessions);
void begin_with(struct fixture *f, struct tls_server_context *server,
                struct tls_client_context *client, struct tls_sessions *sessions);
void turn(struct fixture *f);
void end_pair(struct fixture *f);
void shake(struct fixture *f, enum status *ret_server, enum status *ret_client);
void shake_well(struct fixture *f);
void begin(struct fixture *f);
enum status send_bytes(struct transport *transport, const char *at, size_t len, size_t *ret_len);
void send_all(struct transport *transport, struct slice bytes);
void expect(struct transport *transport, struct slice bytes);
void expect_status(struct transport *transport, enum status status);
void check_fault(struct transport *transport, const char *words);

#endif
