#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_internal.h"
#include "support/pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static struct pki authority;
static struct pki leaf;
static struct pki locked;

static int make_certificates(void **state)
{
    (void)state;
    authority = pki_make(&(struct pki_options){
        .subject = "authority", .is_authority = true, .begin_days = -1, .end_days = 10});
    struct pki_options options = {.subject = "leaf",
                                  .names = "DNS:leaf.example",
                                  .issuer = &authority,
                                  .begin_days = -1,
                                  .end_days = 10};
    leaf = pki_make(&options);
    options.pass_phrase = "secret";
    locked = pki_make(&options);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    pki_free(&leaf);
    pki_free(&locked);
    pki_free(&authority);
    return 0;
}

/* `first` and `second` behind it; the caller frees it. */
static char *joined(const char *first, const char *second)
{
    size_t len = strlen(first) + strlen(second) + 1;
    char *text = malloc(len);
    assert_non_null(text);
    (void)snprintf(text, len, "%s%s", first, second);
    return text;
}

/* How many certificates stand behind the first one. */
static int chain_length(const char *pem)
{
    char memory[200];
    struct text fault = text_on(memory, sizeof(memory));
    X509 *first = NULL;
    STACK_OF(X509) *chain = NULL;
    assert_int_equal(
        tls_pem_chain(slice_from_string(pem), "the certificate", &fault, &first, &chain), ST_OK);
    assert_non_null(first);
    assert_int_equal(fault.len, 0);
    assert_int_equal(ERR_peek_error(), 0);
    int count = sk_X509_num(chain);
    X509_free(first);
    sk_X509_pop_free(chain, X509_free);
    return count;
}

static void assert_chain_fault(struct slice pem, const char *expected)
{
    char memory[200];
    struct text fault = text_on(memory, sizeof(memory));
    X509 *first = NULL;
    STACK_OF(X509) *chain = NULL;
    assert_int_equal(tls_pem_chain(pem, "the certificate", &fault, &first, &chain), ST_BAD);
    assert_string_equal(text_string(&fault), expected);
    assert_null(first);
    assert_null(chain);
    assert_int_equal(ERR_peek_error(), 0);
}

static void assert_key_fault(struct slice pem, const char *expected)
{
    char memory[200];
    struct text fault = text_on(memory, sizeof(memory));
    EVP_PKEY *key = NULL;
    assert_int_equal(tls_pem_key(pem, &fault, &key), ST_BAD);
    assert_string_equal(text_string(&fault), expected);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
}

/* A certificate comes with as many as stand behind it, whatever text stands between. */
static void a_chain_is_read_whole(void **state)
{
    (void)state;
    char *two = joined(leaf.certificate, authority.certificate);
    char *three = joined("a comment in front\n", two);
    char *four = joined(three, "\nand one behind\n");
    assert_int_equal(chain_length(leaf.certificate), 0);
    assert_int_equal(chain_length(two), 1);
    assert_int_equal(chain_length(four), 1);
    free(two);
    free(three);
    free(four);
}

/* What is wrong with a certificate is told in a sentence that begins with what it is. */
static void a_wrong_chain_is_told(void **state)
{
    (void)state;
    assert_chain_fault(SLICE_NONE, "the certificate is empty");
    assert_chain_fault(SLICE("rubbish"), "the certificate holds no PEM certificate");
    assert_chain_fault(slice_from_string(leaf.key), "the certificate holds no PEM certificate");
    assert_chain_fault(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                       "the certificate is damaged: its first certificate cannot be read");
    char *late =
        joined(leaf.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_chain_fault(slice_from_string(late),
                       "the certificate has a damaged certificate in its chain");
    free(late);
}

/* A key is read from wherever it stands. */
static void a_key_is_read(void **state)
{
    (void)state;
    char *both = joined(leaf.certificate, leaf.key);
    const char *const good[] = {leaf.key, both};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char memory[200];
        struct text fault = text_on(memory, sizeof(memory));
        EVP_PKEY *key = NULL;
        assert_int_equal(tls_pem_key(slice_from_string(good[i]), &fault, &key), ST_OK);
        assert_non_null(key);
        assert_int_equal(fault.len, 0);
        EVP_PKEY_free(key);
    }
    free(both);
}

/* A key that is missing, damaged or locked is told as that, and no pass phrase is asked for. */
static void a_wrong_key_is_told(void **state)
{
    (void)state;
    assert_key_fault(SLICE_NONE, "the private key is empty");
    assert_key_fault(slice_from_string(leaf.certificate),
                     "the private key is missing: no PEM private key was found");
    assert_key_fault(SLICE("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                     "the private key is damaged");
    assert_key_fault(
        slice_from_string(locked.key),
        "the private key is encrypted; store it without a pass phrase, readable by root only");
}

/* A fault carries the library's last reason where there is one, and empties its queue. */
static void a_fault_carries_the_librarys_reason(void **state)
{
    (void)state;
    char memory[200];
    struct text fault = text_on(memory, sizeof(memory));
    ERR_clear_error();
    assert_int_equal(tls_fault(&fault, "it failed"), ST_BAD);
    assert_string_equal(text_string(&fault), "it failed");
    fault = text_on(memory, sizeof(memory));
    ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    assert_int_equal(tls_fault(&fault, "it failed"), ST_BAD);
    assert_string_equal(text_string(&fault), "it failed (no start line)");
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_read_whole),
        cmocka_unit_test(a_wrong_chain_is_told),
        cmocka_unit_test(a_key_is_read),
        cmocka_unit_test(a_wrong_key_is_told),
        cmocka_unit_test(a_fault_carries_the_librarys_reason),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
