#include "tls_test.h"

static void assert_text(struct slice slice, const char *expected)
{
    if (!slice_equals(slice, slice_from_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.len, slice.len > 0 ? slice.at : "", expected);
}

/* What the server knows of a client that shows this certificate; NULL: nothing. */
static struct tls_identity *shown(const char *subject, const char *names)
{
    struct fixture f;
    struct tls_identity *identity = NULL;
    struct pki pair = pki_make(&(struct pki_options){.subject = subject != NULL ? subject : "none",
                                                     .names = names,
                                                     .issuer = &authority,
                                                     .begin_days = -1,
                                                     .end_days = 1});
    struct tls_server_context *server =
        make_server(&(struct tls_server_options){.certificate = pki_certificate(&server_pair),
                                                 .key = pki_key(&server_pair),
                                                 .client_ca = pki_certificate(&authority)});
    struct tls_client_options options = {.ca = pki_certificate(&authority)};
    if (subject != NULL) {
        options.certificate = pki_certificate(&pair);
        options.key = pki_key(&pair);
    }
    struct tls_client_context *client = make_client(&options);
    begin_with(&f, server, client, NULL);
    assert_int_equal(tls_identity_read(f.server, &identity), ST_EOF); /* not before the handshake */
    shake_well(&f);
    assert_int_equal(tls_identity_read(f.server, &identity), subject != NULL ? ST_OK : ST_EOF);
    end_pair(&f);
    tls_server_context_unref(&server);
    tls_client_context_unref(&client);
    pki_free(&pair);
    return identity; /* lives on its own */
}

static void a_certificate_tells_subject_and_names(void **state)
{
    (void)state;
    struct tls_identity *identity = shown(
        "ci",
        "DNS:ci.example,email:a@b.example,URI:spiffe://example/ci,IP:192.0.2.1,IP:2001:db8::1");
    assert_text(identity->subject, "CN=ci");
    assert_text(identity->name, "ci");
    assert_int_equal(identity->name_count, 5);
    static const char *const names[] = {"dns:ci.example", "email:a@b.example",
                                        "uri:spiffe://example/ci", "ip:192.0.2.1",
                                        "ip:2001:db8::1"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_text(identity->names[i], names[i]);
    tls_identity_free(&identity);
    assert_null(identity);
}

/* What could be taken for several words or act on a terminal is escaped in the subject, and no name. */
static void odd_names_are_none(void **state)
{
    (void)state;
    struct tls_identity *identity = shown("two words", "DNS:two words,DNS:a.example");
    assert_text(identity->subject, "CN=two words");
    assert_text(identity->name, "");
    assert_int_equal(identity->name_count, 1);
    assert_text(identity->names[0], "dns:a.example");
    tls_identity_free(&identity);
    identity = shown("a\nb,O=x", NULL);
    assert_text(identity->subject, "CN=a\\0Ab\\,O=x");
    assert_text(identity->name, "");
    assert_int_equal(identity->name_count, 0);
    tls_identity_free(&identity);
}

static void no_certificate_is_nobody(void **state)
{
    (void)state;
    assert_null(shown(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_tells_subject_and_names),
        cmocka_unit_test(odd_names_are_none),
        cmocka_unit_test(no_certificate_is_nobody),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
