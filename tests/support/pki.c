/* Certificates made on the spot: P-256, SHA-256, version 3. */
#include "support/pki.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static char *take_text(BIO *bio)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    char *text = malloc((size_t)len + 1);
    CHECK(text != NULL);
    memcpy(text, at, (size_t)len);
    text[len] = '\0';
    BIO_free(bio);
    return text;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *read_certificate(const struct pki *pki)
{
    BIO *bio = BIO_new_mem_buf(pki->certificate, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    CHECK(certificate != NULL);
    return certificate;
}

static EVP_PKEY *read_key(const struct pki *pki)
{
    BIO *bio = BIO_new_mem_buf(pki->key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    CHECK(key != NULL);
    return key;
}

static void sign(X509 *certificate, EVP_PKEY *own_key, const struct pki *issuer)
{
    if (issuer == NULL) {
        CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
        CHECK(X509_sign(certificate, own_key, EVP_sha256()) > 0);
        return;
    }
    X509 *above = read_certificate(issuer);
    EVP_PKEY *key = read_key(issuer);
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(above)) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    X509_free(above);
}

static char *write_key(EVP_PKEY *key, const char *pass_phrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = pass_phrase != NULL ? EVP_aes_128_cbc() : NULL;
    int len = pass_phrase != NULL ? (int)strlen(pass_phrase) : 0;
    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, pass_phrase, len, NULL, NULL) == 1);
    return take_text(bio);
}

struct pki pki_make(const struct pki_options *options)
{
    static long serial = 1;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL && certificate != NULL);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), options->begin_days * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(certificate), options->end_days * 86400L);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     (const unsigned char *)options->subject, -1, -1, 0) == 1);
    add_extension(certificate, NID_basic_constraints,
                  options->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (options->names != NULL)
        add_extension(certificate, NID_subject_alt_name, options->names);
    sign(certificate, key, options->issuer);
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_X509(bio, certificate) == 1);
    struct pki pki = {take_text(bio), write_key(key, options->pass_phrase)};
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pki;
}

void pki_free(struct pki *pki)
{
    free(pki->certificate);
    free(pki->key);
    *pki = (struct pki){NULL, NULL};
}

struct slice pki_certificate(const struct pki *pki)
{
    return slice_from_string(pki->certificate);
}

struct slice pki_key(const struct pki *pki)
{
    return slice_from_string(pki->key);
}
