#include "tls_test.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* The library out of memory, at each of its allocations: a connection is refused or ends with an error. */

enum { NEVER = -1 };

static long left = NEVER; /* allocations until one fails */
static bool fails_for_good;

static bool is_refused(void)
{
    if (left == NEVER || left-- > 0)
        return false;
    left = fails_for_good ? 0 : NEVER;
    return true;
}

static void *take(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_refused() ? NULL : malloc(len);
}

static void *take_again(void *memory, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return is_refused() ? NULL : realloc(memory, len);
}

static void give(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* Both ends over one connection, as far as they come. */
static void connect_both(struct fixture *f)
{
    struct host host;
    assert_int_equal(host_parse(SLICE("proxy.example"), &host), HOST_FINE);
    struct transport *below_server = &f->below_server->base;
    struct transport *below_client = &f->below_client->base;
    struct tls_connect_options options = {.host = &host, .session_key = SLICE("a")};
    enum status server = tls_accept_create(f->scratch, &below_server, server_context, &f->server);
    enum status client =
        tls_connect_create(f->scratch, &below_client, client_context, &options, &f->client);
    assert_true(server == ST_OK || server == ST_NOMEM);
    assert_true(client == ST_OK || client == ST_NOMEM);
    if (server == ST_OK && client == ST_OK) {
        transport_listen(f->server, &f->server_calls, count_call);
        transport_listen(f->client, &f->client_calls, count_call);
        shake(f, &server, &client);
        char into[8];
        size_t len = 0;
        if (server == ST_OK && client == ST_OK && /* the client takes its session in */
            send_bytes(f->server, "answer", 6, &len) == ST_OK)
            (void)transport_recv(f->client, into, sizeof(into), &len);
    }
    transport_close(&below_server, /* is_abort= */ true); /* NULL where it was taken over */
    transport_close(&below_client, /* is_abort= */ true);
}

/* True: it took no more than `count` allocations. */
static bool play(long count, bool is_for_good)
{
    struct fixture f;
    begin_pair(&f, ROOM);
    fails_for_good = is_for_good;
    left = count;
    connect_both(&f);
    bool is_enough = left > 0;
    left = NEVER;
    end_pair(&f);
    return is_enough;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int is_for_good = 0; is_for_good < 2; is_for_good++) {
        long count = 0;
        while (!play(count, is_for_good != 0))
            count += count < 300 ? 1 : 11;
        assert_true(count > 300);
    }
}

static void contexts_may_fail_too(void **state)
{
    (void)state;
    char memory[300];
    bool is_made = false;
    fails_for_good = false;
    for (long count = 0; !is_made; count++) {
        struct text fault = text_on(memory, sizeof(memory));
        struct tls_server_context *server = NULL;
        struct tls_server_options options = {.certificate = pki_certificate(&server_pair),
                                             .key = pki_key(&server_pair)};
        left = count;
        enum status status = tls_server_context_create(&options, &fault, &server);
        is_made = left != NEVER;
        left = NEVER;
        assert_true(status == ST_OK || server == NULL);
        tls_server_context_unref(&server);
    }
}

int main(void)
{
    if (CRYPTO_set_mem_functions(take, take_again, give) != 1)
        return 1; /* it must come before the library's first allocation */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(contexts_may_fail_too),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
