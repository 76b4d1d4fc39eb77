#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/secret.h"
#include "net/tls_context.h"
#include "net/tls_library.h"
#include "support/pki.h"

/* Before anything else of the library is used, as the program does. */
static int begin(void **state)
{
    (void)state;
    tls_library_begin();
    return 0;
}

static struct tls_server_context *context_of(const struct pki *pki)
{
    char words[200];
    struct text fault = text_on(words, sizeof(words));
    struct tls_server_context *context = NULL;
    struct tls_server_options options = {.certificate = pki_certificate(pki), .key = pki_key(pki)};
    assert_int_equal(tls_server_context_create(&options, &fault, &context), ST_OK);
    return context;
}

static void a_key_lies_in_locked_memory_while_it_is_served(void **state)
{
    (void)state;
    struct pki pki = pki_make(&(struct pki_options){
        .subject = "proxy", .names = "DNS:proxy.example", .begin_days = -1, .end_days = 10});
    struct tls_server_context *first =
        context_of(&pki); /* also what the library keeps for all keys */
    size_t one = secret_used();
    assert_true(one > 0);
    struct tls_server_context *second = context_of(&pki);
    size_t two = secret_used();
    assert_true(two > one);
    tls_server_context_unref(&second);
    assert_true(secret_used() < two);
    for (int i = 0; i < 50; i++) { /* reloads */
        second = context_of(&pki);
        tls_server_context_unref(&second);
    }
    assert_true(secret_used() <= two);
    tls_server_context_unref(&first);
    assert_true(secret_used() < one);
    pki_free(&pki);
}

static void only_who_asks_for_it_gets_it(void **state)
{
    (void)state;
    size_t before = secret_used();
    struct tls_tickets *tickets = tls_tickets_create(); /* its keys */
    assert_true(secret_used() > before);
    tls_tickets_unref(&tickets);
    assert_int_equal(secret_used(), before);
    struct pki pki = pki_make(&(struct pki_options){
        .subject = "other", .names = "DNS:other.example", .begin_days = -1, .end_days = 10});
    assert_int_equal(secret_used(), before); /* of a stranger */
    pki_free(&pki);
}

static void the_store_of_authorities_has_a_place(void **state)
{
    (void)state;
    const char *paths[TLS_TRUST_PATHS];
    size_t count = tls_trust_paths(paths);
    assert_true(count >= 2);
    for (size_t i = 0; i < count; i++)
        assert_non_null(paths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_lies_in_locked_memory_while_it_is_served),
        cmocka_unit_test(only_who_asks_for_it_gets_it),
        cmocka_unit_test(the_store_of_authorities_has_a_place),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
