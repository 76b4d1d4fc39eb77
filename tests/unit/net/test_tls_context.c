#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/tls_context.h"
#include "support/pki.h"

static struct pki authority;
static struct pki good;
static struct pki other;
static struct pki expired;
static struct pki early;
static struct pki locked;

static int make_certificates(void **state)
{
    (void)state;
    authority = pki_make(&(struct pki_options){
        .subject = "authority", .is_authority = true, .begin_days = -1, .end_days = 10});
    struct pki_options options = {.subject = "proxy",
                                  .names = "DNS:proxy.example",
                                  .issuer = &authority,
                                  .begin_days = -1,
                                  .end_days = 10};
    good = pki_make(&options);
    other = pki_make(&options);
    options.pass_phrase = "secret";
    locked = pki_make(&options);
    options.pass_phrase = NULL;
    options.begin_days = -3;
    options.end_days = -2;
    expired = pki_make(&options);
    options.begin_days = 2;
    options.end_days = 3;
    early = pki_make(&options);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    struct pki *all[] = {&authority, &good, &other, &expired, &early, &locked};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        pki_free(all[i]);
    }
    return 0;
}

static void check_refused(const struct tls_server_options *options, const char *words)
{
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_server_context *context = NULL;
    assert_int_equal(tls_server_context_create(options, &fault, &context), ST_BAD);
    assert_null(context);
    if (strstr(text_string(&fault), words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", memory, words);
}

static void a_good_pair_makes_a_context_that_counts_its_users(void **state)
{
    (void)state;
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_server_options options = {.certificate = pki_certificate(&good),
                                         .key = pki_key(&good),
                                         .client_ca = pki_certificate(&authority),
                                         .client_cert_is_required = true};
    struct tls_server_context *context = NULL;
    assert_int_equal(tls_server_context_create(&options, &fault, &context), ST_OK);
    assert_int_equal(fault.len, 0);
    struct tls_server_context *second = tls_server_context_ref(context);
    tls_server_context_unref(&context);
    assert_null(context);
    tls_server_context_unref(&second);
    tls_server_context_unref(&second);
}

static void what_is_wrong_with_the_files_is_said_in_a_sentence(void **state)
{
    (void)state;
    struct slice certificate = pki_certificate(&good);
    struct slice key = pki_key(&good);
    struct slice junk = SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const struct {
        struct tls_server_options options;
        const char *words;
    } examples[] = {
        {{.certificate = SLICE_NONE, .key = key}, "the certificate is empty"},
        {{.certificate = key, .key = key}, "the certificate holds no PEM certificate"},
        {{.certificate = junk, .key = key}, "the certificate is damaged"},
        {{.certificate = certificate, .key = SLICE_NONE}, "the private key is empty"},
        {{.certificate = certificate, .key = certificate}, "the private key is missing"},
        {{.certificate = certificate, .key = pki_key(&other)},
         "the private key does not match the certificate"},
        {{.certificate = pki_certificate(&locked), .key = pki_key(&locked)},
         "the private key is encrypted"},
        {{.certificate = pki_certificate(&expired), .key = pki_key(&expired)},
         "the certificate has expired on "},
        {{.certificate = pki_certificate(&early), .key = pki_key(&early)},
         "the certificate is not valid before "},
        {{.certificate = certificate, .key = key, .client_cert_is_required = true},
         "no authority is named"},
        {{.certificate = certificate, .key = key, .client_ca = key},
         "the client authority holds no PEM certificate"},
        {{.certificate = certificate, .key = key, .client_ca = SLICE("")},
         "the client authority is empty"},
    };
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        check_refused(&examples[i].options, examples[i].words);
    }
}

/* Dates do not count against what was shown before, and can be asked for. */
static void what_was_served_is_not_too_old(void **state)
{
    (void)state;
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_server_context *context = NULL;
    struct tls_server_options options = {
        .certificate = pki_certificate(&expired), .key = pki_key(&expired), .was_served = true};
    assert_int_equal(tls_server_context_create(&options, &fault, &context), ST_OK);
    assert_int_equal(fault.len, 0);
    assert_int_equal(tls_server_context_check_dates(context, &fault), ST_BAD);
    assert_non_null(strstr(text_string(&fault), "the certificate has expired on "));
    assert_true(tls_server_context_shows(context, options.certificate));
    assert_false(tls_server_context_shows(context, pki_certificate(&good)));
    tls_server_context_unref(&context);
    options.key = pki_key(&other);
    assert_int_equal(tls_server_context_create(&options, &fault, &context), ST_BAD);
}

static void a_damaged_chain_is_refused(void **state)
{
    (void)state;
    char chain[8192];
    struct text text = text_on(chain, sizeof(chain));
    text_add(&text, pki_certificate(&good));
    text_add(&text, SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    check_refused(
        &(struct tls_server_options){.certificate = text_slice(&text), .key = pki_key(&good)},
        "damaged certificate in its chain");
}

static void a_client_context_takes_the_system_store_or_a_file(void **state)
{
    (void)state;
    char memory[300];
    struct text fault = text_on(memory, sizeof(memory));
    struct tls_client_context *context = NULL;
    struct tls_client_options options = {.ca = SLICE_NONE};
    assert_int_equal(tls_client_context_create(&options, &fault, &context), ST_OK);
    tls_client_context_unref(&context);
    options.ca = pki_certificate(&authority);
    assert_int_equal(tls_client_context_create(&options, &fault, &context), ST_OK);
    tls_client_context_unref(&context);
    options.ca = SLICE("nothing");
    assert_int_equal(tls_client_context_create(&options, &fault, &context), ST_BAD);
    assert_non_null(strstr(text_string(&fault), "the file of authorities holds no PEM"));
    fault.len = 0;
    options.ca = SLICE(""); /* it was named, and is no wish for the system's store */
    assert_int_equal(tls_client_context_create(&options, &fault, &context), ST_BAD);
    assert_non_null(strstr(text_string(&fault), "the file of authorities is empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_pair_makes_a_context_that_counts_its_users),
        cmocka_unit_test(what_is_wrong_with_the_files_is_said_in_a_sentence),
        cmocka_unit_test(what_was_served_is_not_too_old),
        cmocka_unit_test(a_damaged_chain_is_refused),
        cmocka_unit_test(a_client_context_takes_the_system_store_or_a_file),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
